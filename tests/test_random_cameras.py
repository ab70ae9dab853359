"""Random cameras keep to real rigs' ranges and have the person in the picture."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.data.random_cameras import CameraConfig, inside_image, random_view
from lift2to3.geometry.cameras import project, to_camera
from lift2to3.walk import synthetic_walk

DRAWS = 200
PLACE = np.array([3.0, -2.0, 0.0])


def clip() -> np.ndarray:
    return (synthetic_walk(2.0)[::6] + PLACE).astype(np.float32)


def film(key, points, config):
    """One draw: the view, the image points and their depths."""
    view = random_view(key, points, config)
    flat = points.reshape(-1, 3)
    n = project(view, flat).reshape(*points.shape[:-1], 2)
    return view, n, to_camera(view, flat)[:, 2]


def draw(config: CameraConfig = CameraConfig(), points: np.ndarray | None = None):  # noqa: B008
    """Many cameras around one clip: views, image points, depths."""
    points = clip() if points is None else points
    keys = jax.random.split(jax.random.key(0), DRAWS)
    # not jitted: each config would compile anew
    drawn = jax.vmap(film, (0, None, None))(keys, jnp.asarray(points), config)
    return jax.tree.map(np.asarray, drawn)


@pytest.fixture(scope="module")
def drawn():
    return draw()


def test_the_person_is_in_front_and_near_the_middle(drawn):
    _, n, depth = drawn
    assert (depth > 0.5).all()
    # an 85° lens shows ±0.92; a person who stands next to a camera may overflow it
    whole = (np.abs(n) < 0.92).all((1, 2, 3))
    assert whole.mean() > 0.7
    assert np.median(np.abs(n.mean((1, 2))), axis=0).max() < 0.35


def test_heights_and_distances_fill_their_ranges(drawn):
    view, _, _ = drawn
    config, centre = CameraConfig(), np.asarray(view.centre)
    low, high = config.height_m
    assert low <= centre[:, 2].min() < low + 0.2 and high - 0.2 < centre[:, 2].max() <= high
    middle = clip().mean((0, 1))[:2]
    distance = np.linalg.norm(centre[:, :2] - middle, axis=1)
    near, far = config.distance_m
    assert near <= distance.min() * 1.001 and distance.min() < near * 1.3
    assert far * 0.8 < distance.max() <= far * 1.001


def test_cameras_stand_all_around(drawn):
    offset = np.asarray(drawn[0].centre)[:, :2] - clip().mean((0, 1))[:2]
    counts, _ = np.histogram(np.arctan2(offset[:, 1], offset[:, 0]), bins=8, range=(-np.pi, np.pi))
    assert counts.min() > DRAWS / 8 / 3


def test_pitch_and_roll_keep_to_their_ranges(drawn):
    rotation, config = drawn[0].cam_from_world, CameraConfig()
    pitch = np.degrees(np.arcsin(-rotation[:, 2, 2]))
    assert config.pitch_deg[0] - 1e-3 <= pitch.min() < -5 and 40 < pitch.max() <= config.pitch_deg[1] + 1e-3
    # roll: by how much the image's x axis leaves the horizontal, seen along the optical axis
    roll = np.degrees(np.arcsin(rotation[:, 0, 2] / np.cos(np.radians(pitch))))
    assert np.abs(roll).max() <= config.roll_deg + 1e-3 and np.abs(roll).max() > 0.9 * config.roll_deg


def test_a_fixed_config_gives_that_very_camera():
    config = CameraConfig(height_m=(1.5, 1.5), roll_deg=0, distance_m=(4.0, 4.0), off_axis=0)
    view, n, _ = draw(config)
    centre = np.asarray(view.centre)
    np.testing.assert_allclose(centre[:, 2], 1.5, atol=1e-5)
    middle = clip().mean((0, 1))
    np.testing.assert_allclose(np.linalg.norm(centre[:, :2] - middle[:2], axis=1), 4.0, atol=1e-4)
    np.testing.assert_allclose(view.cam_from_world[:, 0, 2], 0, atol=1e-6)
    target = jax.jit(jax.vmap(project, (0, None)))(view, middle[None])
    np.testing.assert_allclose(target, 0, atol=1e-4)


def test_nobody_walks_through_the_lens():
    far_walk = (synthetic_walk(8.0, turn_radius_m=np.inf)[::24]).astype(np.float32)
    _, _, depth = draw(dataclasses.replace(CameraConfig(), distance_m=(2.0, 2.0), off_axis=0.0), far_walk)
    assert depth.min() > 0.3


def test_image_borders_mostly_hold_the_clip_and_cut_a_box():
    _, n, _ = draw(CameraConfig(distance_m=(2.0, 4.0)))
    keys = jax.random.split(jax.random.key(1), DRAWS)
    inside = np.asarray(jax.jit(jax.vmap(inside_image))(n, keys))
    assert inside.any((1, 2)).mean() > 0.95
    assert 0.7 < inside.all((1, 2)).mean() < 0.99
    for points, kept in zip(n, inside, strict=True):
        if kept.any() and not kept.all():
            half = np.abs(points[kept]).max(0)
            assert (np.abs(points[~kept]) > half).any(-1).all()


def test_a_border_is_no_wider_than_the_widest_lens_unless_the_person_is():
    points = np.zeros((2, 3, 2), np.float32)
    points[0, 0] = 0.99 * np.tan(np.radians(85 / 2)), 0
    points[1, 1] = 0.99 * np.tan(np.radians(29 / 2)), 0
    keys = jax.random.split(jax.random.key(1), DRAWS)
    inside = np.asarray(jax.jit(jax.vmap(inside_image, (None, 0)))(points, keys))
    assert inside[:, 1, 1].all() and inside[:, 1, 2].all()
    assert 0.7 < inside[:, 0, 0].mean() < 0.9  # three in four, and the widest of the rest
