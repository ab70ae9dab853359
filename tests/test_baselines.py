"""Baselines behind the lifter's signature: how the stiff one stands, and methods loaded by their names."""

import numpy as np
import pytest
from tiny import camera, film, mocap_clip, unjudged, walk, weights_file

import lift2to3 as l23
from experiments import methods
from experiments.stiff import Stiff, mean_pose
from lift2to3.data.packed import write_packed
from lift2to3.skeletons import CANONICAL, INDEX


def clips() -> list:
    return [mocap_clip(walk(150, speed_mps=speed), name=f"walk_{speed}") for speed in (0.8, 1.3)]


@pytest.fixture(scope="module")
def stiff():
    return Stiff(mean_pose(clips()))


def test_the_mean_pose_stands_at_the_origin_and_faces_along_y(stiff):
    pose = stiff.pose
    np.testing.assert_allclose(pose[INDEX["pelvis"], :2], 0, atol=1e-5)
    across = pose[INDEX["right_hip"]] - pose[INDEX["left_hip"]]
    assert across[0] > 0.1 and abs(across[1]) < 0.03
    assert pose[INDEX["nose"], 1] > pose[INDEX["head"], 1]
    assert 0 < pose[:, 2].min() < 0.1 and 1.5 < pose[:, 2].max() < 1.8


def test_the_mean_pose_does_not_depend_on_where_people_walk(stiff):
    turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    there = np.array([5, 9, 0])
    moved = [
        clip._replace(points_world=(clip.points_world @ turned.T + there).astype(np.float32))
        for clip in clips()
    ]
    np.testing.assert_allclose(mean_pose(moved), stiff.pose, atol=1e-4)


@pytest.mark.parametrize("centre", [(0.7, -5.0, 1.5), (-3.0, 3.0, 2.5), (4.0, 0.5, 0.6)])
@pytest.mark.parametrize("noise_px", [0.0, 4.0])
def test_the_stiff_baseline_stands_near_the_person_on_the_floor(stiff, centre, noise_px):
    true, seen_by = walk(100), camera(centre)
    keypoints = film(true, seen_by)
    noise = noise_px * np.random.default_rng(0).standard_normal(keypoints.xy_px.shape)
    motion = stiff.lift(keypoints._replace(xy_px=keypoints.xy_px + noise), seen_by)
    found = motion.joints_world
    assert motion.joint_names == CANONICAL and motion.fps == 30 and motion.valid.all()
    assert found.shape == true.shape and np.isfinite(found).all()
    assert np.median(np.linalg.norm((found - true)[:, 0, :2], axis=-1)) < 0.5
    np.testing.assert_allclose(found[..., 2].min(1), stiff.pose[:, 2].min(), atol=1e-4)
    facing = seen_by.centre[:2] - found[:, 0, :2]
    across = (found[:, INDEX["left_hip"]] - found[:, INDEX["right_hip"]])[:, :2]
    assert np.abs((facing * across).sum(-1)).max() < 0.05 * np.linalg.norm(facing, axis=-1).max()
    limbs = np.linalg.norm(found - found[:, :1], axis=-1)
    np.testing.assert_allclose(limbs, np.broadcast_to(limbs[0], limbs.shape), rtol=1e-4, atol=1e-5)


def test_the_stiff_baseline_waits_where_nothing_is_seen(stiff):
    xy = film(walk(90), camera()).xy_px
    xy[20:30] = np.nan
    xy[40:80] = np.nan
    motion = stiff.lift(l23.as_keypoints(xy), camera())
    found = motion.joints_world
    np.testing.assert_array_equal(found[20], found[19])
    np.testing.assert_array_equal(found[29], found[30])
    far = np.zeros(90, bool)
    far[55:65] = True  # more than half a second from frames 39 and 80
    np.testing.assert_array_equal(motion.valid, np.broadcast_to(~far[:, None], motion.valid.shape))
    np.testing.assert_array_equal(np.isnan(found).all(-1), ~motion.valid)


def test_a_method_is_loaded_by_its_name_and_lifts(tmp_path, stiff):
    write_packed(tmp_path / "train", clips())
    keypoints = film(walk(), camera())
    expected = stiff.lift(keypoints, camera()).joints_world
    found = methods.load_method("stiff", tmp_path)(keypoints, camera()).joints_world
    np.testing.assert_allclose(found, expected, atol=1e-5)
    weights = str(weights_file(tmp_path))
    with unjudged():
        expected = l23.Lifter.from_pretrained(weights).lift(keypoints, camera()).joints_world
    np.testing.assert_array_equal(
        methods.load_method("lift", weights=weights)(keypoints, camera()).joints_world, expected
    )


def test_the_stiff_method_says_what_it_lacks():
    with pytest.raises(ValueError, match="mean pose: wanted data, found None"):
        methods.load_method("stiff")
