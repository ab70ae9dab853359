"""The canonical frame forgets where the user put the world; virtual cameras stand where they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.geometry.cameras import View, look_at, project
from lift2to3.geometry.ground import PersonGuess
from lift2to3.geometry.rigs import (
    AIM_HEIGHT_M,
    CLEARANCE_M,
    FARTHEST_M,
    LARGEST_M,
    NEAREST_M,
    VIRTUAL_HEIGHT_M,
    canonical_frame,
    unroll,
    virtual_rig,
)
from lift2to3.geometry.rotations import yaw_matrix

pytestmark = pytest.mark.usefixtures("float64")

BATCHES = [(), (1,), (3, 1, 2)]


def in_numpy(function, **options):
    """The function compiled, its results as NumPy arrays."""
    compiled = jax.jit(function, **options)
    return lambda *arguments: jax.tree.map(np.asarray, compiled(*arguments))


aim, film = in_numpy(look_at), in_numpy(project)
stand, frame_of = in_numpy(virtual_rig, static_argnums=2), in_numpy(canonical_frame)
from_world = in_numpy(lambda frame, points: frame.from_world(points))
to_world = in_numpy(lambda frame, points: frame.to_world(points))


def centres(view: View) -> np.ndarray:
    return np.asarray(view.centre)


def cameras(*batch: int, seed: int = 0) -> View:
    draw = np.random.default_rng(seed)
    centre = draw.normal([5, -8, 1.8], [3, 3, 0.4], (*batch, 3))
    return aim(centre, draw.normal([0, 0, 1], 0.5, (*batch, 3)), draw.normal(0, 0.1, batch))


def turned_by(yaw: float) -> np.ndarray:
    return np.asarray(yaw_matrix(jnp.asarray(yaw)))


def moved(view: View, yaw: float, shift: np.ndarray) -> View:
    """The same camera after the user turned the world about z and shifted it along the floor."""
    turn = turned_by(yaw)
    rotation, centre = view.cam_from_world @ turn.T, centres(view) @ turn.T + shift
    return View(rotation, -np.einsum("...ij,...j->...i", rotation, centre))


def guess(ground: np.ndarray, reach: float = 0.3) -> PersonGuess:
    batch = ground.shape[:-1]
    return PersonGuess(jnp.asarray(ground), jnp.full(batch, reach), jnp.ones(batch, bool))


STRAIGHT_DOWN = View(np.diag([1.0, -1, -1]), np.array([-2.0, 3, 4]))


# --- the canonical frame


@pytest.mark.parametrize("batch", BATCHES)
def test_the_frame_lies_under_the_camera_and_faces_where_it_looks(batch):
    view = cameras(*batch)
    frame, canonical = frame_of(view)
    height = centres(view)[..., 2]
    np.testing.assert_allclose(frame.origin_world, centres(view) * [1, 1, 0], atol=1e-8)
    expected = np.stack([np.zeros(batch), np.zeros(batch), height], -1)
    np.testing.assert_allclose(centres(canonical), expected, atol=1e-8)
    ahead = canonical.cam_from_world[..., 2, :]
    np.testing.assert_allclose(ahead[..., 0], 0, atol=1e-12)
    assert (ahead[..., 1] > 0).all()


@pytest.mark.parametrize("batch", BATCHES)
def test_going_to_the_frame_and_back_is_nothing_and_the_camera_sees_the_same(batch):
    view = cameras(*batch)
    frame, canonical = frame_of(view)
    points = np.random.default_rng(1).normal([0, 0, 1], 0.6, (*batch, 5, 3))
    inside = from_world(frame, points)
    np.testing.assert_allclose(to_world(frame, inside), points, atol=1e-8)
    np.testing.assert_allclose(inside[..., 2], points[..., 2], atol=1e-12, err_msg="heights stay")
    np.testing.assert_allclose(film(canonical, inside), film(view, points), atol=1e-8)


@pytest.mark.parametrize("straight_down", [False, True])
def test_turning_and_shifting_the_world_changes_nothing_in_the_frame(straight_down):
    view = STRAIGHT_DOWN if straight_down else cameras()
    points = np.random.default_rng(1).normal([0, 0, 1], 0.6, (5, 3))
    frame, canonical = frame_of(view)
    for yaw, shift in ((0.7, [3.0, -2, 0]), (-3.0, [500.0, 40, 0]), (np.pi / 2, [0.0, 0, 0])):
        frame_there, canonical_there = frame_of(moved(view, yaw, np.array(shift)))
        there = from_world(frame_there, points @ turned_by(yaw).T + shift)
        np.testing.assert_allclose(there, from_world(frame, points), atol=1e-8)
        for one, other in zip(canonical_there, canonical, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-8)


def test_looking_straight_down_the_frame_faces_the_image_s_up():
    frame, canonical = frame_of(STRAIGHT_DOWN)
    up = -canonical.cam_from_world[1]
    np.testing.assert_allclose(up, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(frame.origin_world, [2.0, 3.0, 0.0], atol=1e-12)


# --- virtual cameras


@pytest.mark.parametrize("batch", BATCHES)
def test_all_views_know_where_the_aim_is_and_the_virtual_ones_have_it_in_their_middle(batch):
    view = cameras(*batch)
    ground = np.random.default_rng(2).normal(0, 0.5, (*batch, 3)) * [1, 1, 0]
    rig = stand(view, guess(ground), 4)
    assert rig.views.translation.shape == (*batch, 4, 3)
    np.testing.assert_allclose(rig.aim_world, ground + [0, 0, AIM_HEIGHT_M], atol=1e-12)
    target = np.broadcast_to(rig.aim_world[..., None, None, :], (*batch, 4, 1, 3))
    np.testing.assert_allclose(film(rig.views, target)[..., 0, :], rig.aim_n, atol=1e-8)
    np.testing.assert_allclose(rig.aim_n[..., 1:, :], 0, atol=1e-8)
    distance = np.linalg.norm(centres(rig.views) - rig.aim_world[..., None, :], axis=-1)
    np.testing.assert_allclose(rig.aim_depth_m[..., 1:], distance[..., 1:], atol=1e-8)
    np.testing.assert_array_equal(rig.views.cam_from_world[..., 0, :, :], view.cam_from_world)
    np.testing.assert_array_equal(rig.views.translation[..., 0, :], view.translation)
    from_guess = jax.jit(lambda rig: rig.centres_from_guess)(rig)
    np.testing.assert_allclose(from_guess, centres(rig.views) - ground[..., None, :], atol=1e-8)


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_virtual_cameras_stand_evenly_around_the_guess(count):
    view, ground = cameras(), np.array([0.3, -0.4, 0])
    offset = centres(stand(view, guess(ground), count).views) - ground
    azimuth = np.arctan2(offset[:, 1], offset[:, 0])
    steps = np.exp(1j * (azimuth - azimuth[0]))
    np.testing.assert_allclose(steps, np.exp(2j * np.pi * np.arange(count) / count), atol=1e-8)
    np.testing.assert_allclose(offset[1:, 2], VIRTUAL_HEIGHT_M, atol=1e-8)


def test_two_cameras_see_the_person_at_a_right_angle():
    view, ground = cameras(), np.array([0.3, -0.4, 0])
    first, second = (centres(stand(view, guess(ground), 2).views) - ground)[:, :2]
    cross = first[0] * second[1] - first[1] * second[0]
    assert abs(first @ second) < 1e-8 and cross > 0, "turned like the first of more"


def test_a_rig_has_its_real_camera():
    with pytest.raises(ValueError, match="views: wanted 1 or more, found 0"):
        virtual_rig(cameras(), guess(np.zeros(3)), 0)


@pytest.mark.parametrize(
    ("away", "reach", "radius"),
    [
        (4.0, 0.3, 4.0),  # the real camera's distance
        (1.0, 0.3, NEAREST_M),
        (11.0, 0.3, FARTHEST_M),
        (4.0, 3.0, 3.0 + CLEARANCE_M),  # outside a walker's path
        (4.0, 50.0, LARGEST_M),
    ],
)
def test_virtual_cameras_keep_the_real_one_s_distance_within_limits(away, reach, radius):
    ground = np.array([1.0, 2, 0])
    view = aim(ground + [0.6 * away, -0.8 * away, 2.0], ground + [0.0, 0, 1], 0.0)
    offset = (centres(stand(view, guess(ground, reach), 4).views) - ground)[1:, :2]
    np.testing.assert_allclose(np.linalg.norm(offset, axis=1), radius, atol=1e-8)


def test_turning_the_world_turns_the_rig():
    view, ground, shift = cameras(), np.array([0.3, -0.4, 0]), np.array([7.0, -3, 0])
    turn = turned_by(1.1)
    here = stand(view, guess(ground), 4)
    there = stand(moved(view, 1.1, shift), guess(ground @ turn.T + shift), 4)
    np.testing.assert_allclose(centres(there.views), centres(here.views) @ turn.T + shift, atol=1e-8)
    np.testing.assert_allclose(there.aim_n, here.aim_n, atol=1e-8)
    np.testing.assert_allclose(there.aim_depth_m, here.aim_depth_m, atol=1e-8)


def test_a_camera_right_above_the_person_still_gets_a_rig():
    _, canonical = frame_of(STRAIGHT_DOWN)
    rig = stand(canonical, guess(np.zeros(3)), 4)
    assert all(np.isfinite(part).all() for part in jax.tree.leaves(rig))
    np.testing.assert_allclose(np.linalg.norm(centres(rig.views)[1:, :2], axis=1), NEAREST_M, atol=1e-8)
    centre_sum = jax.grad(lambda ground, view: virtual_rig(view, guess(ground)).views.centre.sum())
    gradient = jax.jit(centre_sum)(np.zeros(3), canonical)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("roll_deg", [0, 20, -90, 180])
def test_a_camera_without_its_roll_looks_the_same_way_with_its_x_axis_level(roll_deg):
    centre, target = jnp.array([1.0, -4.0, 1.5]), jnp.array([0.0, 0.0, 0.9])
    level, rolled = (np.asarray(look_at(centre, target, np.radians(a)).cam_from_world) for a in (0, roll_deg))
    np.testing.assert_allclose(unroll(rolled) @ rolled, level, atol=1e-6)
    both = unroll(np.stack([rolled, level]))
    np.testing.assert_allclose(both @ np.stack([rolled, level]), [level, level], atol=1e-6)


def test_a_camera_that_looks_straight_down_has_no_roll():
    down = np.array([[0.6, 0.8, 0.0], [0.8, -0.6, 0.0], [0.0, 0.0, -1.0]])
    assert (unroll(down) == np.eye(3)).all()
