"""The first guess of where the person stands, and the ground as each view sees it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.geometry.cameras import View, look_at, project
from lift2to3.geometry.ground import (
    FOOT_HEIGHT_M,
    depth_from_size,
    foot_hits,
    ground_pointmap,
    guess_person,
    weighted_quantile,
)
from lift2to3.skeletons import FOOT_POINTS, SKELETONS
from lift2to3.walk import synthetic_walk

pytestmark = pytest.mark.usefixtures("float64")

FRAMES = 15
PLACE = np.array([1.0, 2.0, 0.0])
aim, image, guess = jax.jit(look_at), jax.jit(project), jax.jit(guess_person)
size, hits = jax.jit(depth_from_size), jax.jit(foot_hits)
pointmap = jax.jit(ground_pointmap, static_argnames=("resolution", "half_width", "reach_m"))


def standing() -> np.ndarray:
    """A person frozen in mid-stride over `PLACE`. (FRAMES, joints, 3)"""
    body = synthetic_walk(1.0)[12]
    body = body - [*body[:, :2].mean(0), 0]
    return np.repeat((body + PLACE)[None], FRAMES, 0)


def camera(height: float = 1.6, away: float = 5.0, azimuth: float = -2.0) -> View:
    """Looks at the person's middle, a little off and rolled."""
    centre = PLACE + [away * np.cos(azimuth), away * np.sin(azimuth), height]
    return aim(centre, PLACE + [0.2, -0.1, 1.0], 0.05)


def film(view: View, points: np.ndarray) -> np.ndarray:
    return np.array(image(view, points.reshape(-1, 3))).reshape(*points.shape[:-1], 2)


def seen_of(points: np.ndarray) -> np.ndarray:
    return np.ones(points.shape[:-1], bool)


def miss_m(found, place: np.ndarray = PLACE) -> float:
    return float(np.linalg.norm(np.asarray(found.ground_world) - place))


# --- the guess


@pytest.mark.parametrize("height", [0.5, 1.6, 3.2])
def test_a_person_who_stands_is_found(height):
    view, points = camera(height), standing()
    found = guess(view, film(view, points), seen_of(points))
    assert found.found and found.ground_world[2] == 0
    assert miss_m(found) < 0.35  # the nearest foot, not the body's middle
    assert found.reach_m < 1e-5


def test_the_guess_of_a_walk_is_its_middle_and_reach():
    points = synthetic_walk(4.0, turn_radius_m=np.inf)[::4]
    points = points + PLACE - [*points[..., :2].mean((0, 1)), 0]
    view = camera()
    found = guess(view, film(view, points), seen_of(points))
    assert miss_m(found) < 0.4
    walked = np.linalg.norm(points[-1, 0, :2] - points[0, 0, :2])
    assert 0.35 * walked < found.reach_m < 0.6 * walked


def test_a_few_frames_in_the_air_do_not_move_the_guess():
    view, points = camera(), standing()
    still = guess(view, film(view, points), seen_of(points))
    points[4:8, :, 2] += 0.6
    jumped = guess(view, film(view, points), seen_of(points))
    np.testing.assert_allclose(jumped.ground_world, still.ground_world, atol=1e-8)


def test_a_foot_in_the_air_before_a_low_camera_is_held_to_what_the_size_allows():
    view, points = camera(0.5), standing()
    points[..., 2] += 0.35
    n = film(view, points)
    found = guess(view, n, seen_of(points))
    depth, _ = size(n, seen_of(points))
    assert np.linalg.norm(found.ground_world[:2] - view.centre[:2]) < 1.7 * depth.max()


def test_feet_missing_in_some_frames_do_not_matter():
    view, points = camera(), standing()
    seen = seen_of(points)
    seen[::3, np.array(FOOT_POINTS)] = False
    seen[1, 5:] = False
    assert miss_m(guess(view, film(view, points), seen)) < 0.4


@pytest.mark.parametrize("skeleton", ["coco17", "h36m17", "body25"])
def test_every_format_finds_the_person(skeleton):
    view, points = camera(), standing()
    seen = seen_of(points) & SKELETONS[skeleton].present
    assert miss_m(guess(view, film(view, points), seen)) < 0.4


@pytest.mark.parametrize("away", [3.0, 8.0])
def test_without_feet_the_size_tells_the_distance(away):
    view, points = camera(away=away), standing()
    seen = seen_of(points)
    seen[:, np.array(FOOT_POINTS)] = False
    found = guess(view, film(view, points), seen)
    distance = np.linalg.norm(found.ground_world[:2] - view.centre[:2])
    assert found.found and 0.7 * away < distance < 1.4 * away


def test_half_as_large_is_twice_as_far():
    n, seen = film(camera(), standing()), seen_of(standing())
    depth, sized = size(n, seen)
    twice, _ = size(n / 2, seen)
    np.testing.assert_allclose(twice, 2 * depth, rtol=1e-8)
    assert sized.all() and ((depth > 3.5) & (depth < 7)).all()


def test_what_is_missing_may_hold_anything():
    view, points = camera(), standing()
    n, seen = film(view, points), seen_of(points) & SKELETONS["coco17"].present
    seen[3] = False
    clean, dirty = (guess(view, np.where(seen[..., None], n, value), seen) for value in (0.0, np.nan))
    for one, other in zip(clean, dirty, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nothing_seen_is_said_and_finite():
    view, points = camera(), standing()
    found = guess(view, film(view, points), ~seen_of(points))
    assert not found.found
    assert all(np.isfinite(part).all() for part in found)


def test_moving_camera_and_person_moves_the_guess():
    view, points = camera(), standing()
    n, shift = film(view, points), np.array([30.0, -7.0, 0.0])
    moved = View(view.cam_from_world, view.translation - view.cam_from_world @ shift)
    here, there = (guess(v, n, seen_of(points)) for v in (view, moved))
    np.testing.assert_allclose(there.ground_world, here.ground_world + shift, atol=1e-8)


@pytest.mark.parametrize("batch", [(1,), (3, 1, 2)])
def test_the_guess_of_a_batch_is_each_clip_s_own(batch):
    count = int(np.prod(batch))
    views = [camera(1 + 0.3 * k) for k in range(count)]
    n = np.stack([film(view, standing()) for view in views])
    alone = [guess(view, clip, seen_of(standing())).ground_world for view, clip in zip(views, n, strict=True)]
    stacked = jax.tree.map(lambda *parts: np.stack(parts).reshape(*batch, *parts[0].shape), *views)
    n = n.reshape(*batch, *n.shape[1:])
    together = guess(stacked, n, np.ones(n.shape[:-1], bool))
    assert together.reach_m.shape == together.found.shape == batch
    np.testing.assert_allclose(np.reshape(together.ground_world, (-1, 3)), np.stack(alone), atol=1e-8)


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_weighted_quantile_is_numpy_s_of_the_masked(batch):
    draw = np.random.default_rng(0)
    values, mask = draw.normal(size=(*batch, 11)), draw.random((*batch, 11)) < 0.6
    mask[..., 0] = True
    rows = zip(values.reshape(-1, 11), mask.reshape(-1, 11), strict=True)
    kept = [row[its] for row, its in rows]
    quantile = jax.jit(weighted_quantile, static_argnums=2)
    for q in (0.0, 0.3, 0.9, 1.0):
        expected = np.reshape([np.quantile(row, q, method="nearest") for row in kept], batch)
        np.testing.assert_array_equal(quantile(values, mask.astype(float), q), expected)
    np.testing.assert_array_equal(quantile(values, np.zeros(mask.shape), 0.5), np.zeros(batch))


# --- the feet


def away_and_aside(view: View, points: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Metres from the origin, away from the camera and to its right."""
    away = (origin - np.asarray(view.centre))[:2]
    away /= np.linalg.norm(away)
    return (points - origin)[..., :2] @ np.stack([away, [away[1], -away[0]]], 1)


def test_feet_that_stand_are_where_they_hit_the_ground():
    view, points, feet = camera(), standing(), np.array(FOOT_POINTS)
    points[:, feet, 2] = FOOT_HEIGHT_M
    found = 3.0 * np.arctanh(hits(view, film(view, points), seen_of(points), PLACE))
    np.testing.assert_allclose(found, away_and_aside(view, points[:, feet], PLACE), atol=1e-5)


def test_feet_in_the_air_seem_farther_away_and_missing_ones_are_zero():
    view, points, feet = camera(), standing(), np.array(FOOT_POINTS)
    seen = seen_of(points)
    on_floor = np.asarray(hits(view, film(view, points), seen, PLACE))
    points[..., 2] += 0.4
    seen[4] = False
    in_air = np.asarray(hits(view, film(view, points), seen, PLACE))
    assert (in_air[:4, :, 0] > on_floor[:4, :, 0] + 0.1).all()
    np.testing.assert_array_equal(in_air[4], np.zeros((len(feet), 2)))


def test_rays_that_do_not_come_down_hit_nothing():
    level, n = aim(np.array([0.0, -5, 1.5]), np.array([0.0, 0, 1.5])), film(camera(), standing())
    n[..., 1] = -0.1  # above the horizon
    assert (np.asarray(hits(level, n, seen_of(standing()), np.zeros(3))) == 0).all()


# --- pointmaps


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_a_pointmap_s_points_lie_on_the_ground_where_their_pixels_look(batch):
    draw = np.random.default_rng(1)
    centre, target = draw.normal([0, -5, 2], 0.3, (*batch, 3)), draw.normal([0, 0, 0.9], 0.3, (*batch, 3))
    view = aim(centre, target)
    middle, origin = draw.normal(0, 0.1, (*batch, 2)), draw.normal(0, 1, (*batch, 3)) * [1, 1, 0]
    side, reach = 9, 30.0
    grid = np.asarray(pointmap(view, middle, origin, resolution=side, half_width=0.8, reach_m=reach))
    assert grid.shape == (*batch, side, side, 3)
    meets = grid[..., 2] == 1
    relative = reach * np.arctanh(np.where(meets[..., None], grid[..., :2], 0))
    ground = np.concatenate([relative, np.zeros_like(relative[..., :1])], -1) + origin[..., None, None, :]
    n = np.asarray(image(view, ground.reshape(*batch, -1, 3))).reshape(*batch, side, side, 2)
    ticks = np.linspace(-0.8, 0.8, side)
    pixels = middle[..., None, None, :] + np.stack(np.meshgrid(ticks, ticks), -1)
    near = meets & (np.abs(grid[..., :2]).max(-1) < 0.99)
    assert near.mean() > 0.3
    np.testing.assert_allclose(n[near], pixels[near], atol=1e-8)


def test_rays_that_never_come_down_are_marked():
    level = aim(np.array([0.0, -5, 1.5]), np.array([0.0, 0, 1.5]))
    grid = np.asarray(pointmap(level, np.zeros(2), np.zeros(3), resolution=8))
    assert (grid[:4] == 0).all(), "above the horizon"
    assert (grid[4:, :, 2] == 1).all(), "below it"
    assert np.abs(grid).max() <= 1
    under = level._replace(translation=level.translation + level.cam_from_world @ jnp.asarray([0.0, 0, 3]))
    assert (np.asarray(pointmap(under, np.zeros(2), np.zeros(3), resolution=8)) == 0).all(), "camera below"
