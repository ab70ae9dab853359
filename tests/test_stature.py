"""A person of another size is lifted as an adult in a world scaled to fit, and comes back in their own."""

import numpy as np
import pytest
from tiny import camera, film, unjudged, walk, weights_file

import lift2to3 as l23
from lift2to3.pipeline.stature import as_seen_by_adults, as_tall


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with unjudged():
        yield weights_file(tmp_path_factory.mktemp("weights"))


def test_a_child_s_lift_is_an_adult_s_made_smaller(weights):
    seen, stature = camera(), 1.05
    keypoints = film(walk(stature_m=stature), seen)
    larger = as_seen_by_adults(seen, stature)
    np.testing.assert_allclose(larger.centre, seen.centre * 1.72 / stature, atol=1e-12)
    adult = l23.lift(keypoints, larger, weights=weights)
    child = l23.lift(keypoints, seen, weights=weights, stature=stature)
    np.testing.assert_allclose(child.joints_world, adult.joints_world * (stature / 1.72), atol=1e-5)
    np.testing.assert_allclose(child.spread, adult.spread * (stature / 1.72), atol=1e-5)
    np.testing.assert_allclose(
        seen.project(child.joints_world),
        larger.project(adult.joints_world),
        atol=1e-2,
        err_msg="the same picture",
    )
    assert child.warnings == (), "whoever is told the stature is not warned of it"


def test_a_body_shrinks_with_its_motion():
    body = l23.BodyMotion(
        np.ones((3, 3)),
        np.broadcast_to(np.eye(3), (3, 22, 3, 3)),
        np.full((38, 3), 0.2),
        30.0,
        np.ones(3, bool),
    )
    motion = body.motion(np.ones((3, 38), np.float32))._replace(warnings=("a",), refined=("body",))
    small = as_tall(motion, 0.86)
    np.testing.assert_allclose(small.joints_world, motion.joints_world / 2, rtol=1e-6)
    np.testing.assert_array_equal(small.body.motion().joints_world, small.joints_world)
    assert (small.warnings, small.refined) == (("a",), ("body",))
    assert as_tall(motion, None) is motion


@pytest.mark.parametrize("stature", [0.2, 3.0, np.nan])
def test_a_stature_that_nobody_has_is_refused(weights, stature):
    with pytest.raises(ValueError, match="wanted the person's height in metres, 0.4 to 2.5"):
        l23.lift(film(walk(), camera()), camera(), weights=weights, stature=stature)
