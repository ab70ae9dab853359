"""Augmentation keeps bodies bodies: bone lengths, the floor, left and right."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.data.augment import (
    AugmentConfig,
    augment,
    heading,
    mirror,
    random_bone_scale,
    scale_bones,
    splice_upper,
    turn_joints,
    warp_time,
)
from lift2to3.skeletons import BONES, CANONICAL, FOOT_POINTS, INDEX, MIRROR
from lift2to3.walk import synthetic_walk

pytestmark = pytest.mark.usefixtures("float64")

RAW, FRAMES = 40, 30
OFF = AugmentConfig(mirror=0, body_scale=0, bone_scale=0, time_warp=(1.0, 1.0), splice=0, turn=0)
warp = jax.jit(warp_time, static_argnums=2)
flip, scale, splice, turn = (jax.jit(f) for f in (mirror, scale_bones, splice_upper, turn_joints))
vary = jax.jit(augment, static_argnums=(4, 5))
draw_scale = jax.jit(random_bone_scale, static_argnums=1)


def walk(frames: int = RAW, **how: float) -> np.ndarray:
    return synthetic_walk(frames / 30, **how)


def bone_lengths(points) -> np.ndarray:
    points, (parents, children) = np.asarray(points), np.array(BONES).T
    return np.linalg.norm(points[..., children, :] - points[..., parents, :], axis=-1)


def rows(*words: str) -> np.ndarray:
    return np.array([row for row, name in enumerate(CANONICAL) if any(word in name for word in words)])


# --- time


def test_time_at_rate_one_is_time():
    points, valid = walk(), np.arange(RAW) < 35
    warped, kept = warp(points, valid, FRAMES, 1.0)
    np.testing.assert_allclose(warped, points[:FRAMES], atol=1e-8)
    np.testing.assert_array_equal(kept, valid[:FRAMES])


def test_time_at_another_rate_is_linear_between_frames():
    points = np.arange(RAW)[:, None, None] * np.ones((1, len(CANONICAL), 3))
    for rate in (0.8, 1.25):
        warped, kept = warp(points, np.ones(RAW, bool), FRAMES, rate)
        np.testing.assert_allclose(warped[:, 0, 0], rate * np.arange(FRAMES), atol=1e-8)
        assert kept.all()


def test_frames_made_of_padding_are_not_valid():
    _, kept = warp(walk(), np.arange(RAW) < 20, FRAMES, 1.25)
    np.testing.assert_array_equal(kept, np.arange(FRAMES) * 1.25 < 19)


def test_time_s_end_is_held_but_not_called_real():
    points = walk(FRAMES)
    warped, kept = warp(points, np.ones(FRAMES, bool), FRAMES, 1.25)
    np.testing.assert_allclose(warped[-1], points[-1], atol=0.01)
    np.testing.assert_array_equal(kept, np.arange(FRAMES) * 1.25 <= FRAMES - 1)


# --- mirror


def test_mirroring_twice_is_nothing():
    points = walk()
    np.testing.assert_array_equal(flip(np.asarray(flip(points))), points)


def test_mirroring_swaps_the_sides_and_keeps_every_bone():
    points = walk()
    mirrored = np.asarray(flip(points))
    lengths = bone_lengths(points)
    children = [child for _, child in BONES]
    swapped = [children.index(MIRROR[child]) for child in children]
    np.testing.assert_allclose(bone_lengths(mirrored), lengths[:, swapped], atol=1e-12)
    np.testing.assert_array_equal(mirrored[..., 2], points[:, MIRROR, 2])
    np.testing.assert_array_equal(mirrored[:, INDEX["left_ankle"], 0], -points[:, INDEX["right_ankle"], 0])


# --- bone scale


def test_bones_are_scaled_by_exactly_what_was_asked():
    points = walk()
    factors = np.random.default_rng(0).uniform(0.8, 1.2, len(CANONICAL))
    scaled = scale(points, factors)
    expected = bone_lengths(points) * factors[[child for _, child in BONES]]
    np.testing.assert_allclose(bone_lengths(scaled), expected, atol=1e-8)


def test_the_floor_stays_the_floor():
    points = walk()
    points[..., 2] -= points[..., 2].min()
    factors = np.random.default_rng(0).uniform(0.8, 1.2, len(CANONICAL))
    assert abs(np.asarray(scale(points, factors))[..., 2].min()) < 1e-8


def test_one_factor_for_all_is_a_similarity():
    points = walk()
    np.testing.assert_allclose(scale(points, np.full(len(CANONICAL), 1.1)), 1.1 * points, atol=1e-8)


def test_random_bone_scales_are_the_same_left_and_right_and_within_their_range():
    config = AugmentConfig()
    drawn = np.stack([draw_scale(jax.random.key(k), config) for k in range(40)])
    np.testing.assert_array_equal(drawn, drawn[:, MIRROR])
    limit = (1 + config.body_scale) * (1 + config.bone_scale)
    assert 0.95 * limit < drawn.max() <= limit
    assert (1 - config.body_scale) * (1 - config.bone_scale) <= drawn.min() < 0.85
    assert 0.01 < (drawn / drawn.mean(1, keepdims=True)).std() < config.bone_scale


# --- splicing


def test_splicing_keeps_the_legs_and_takes_the_donor_s_upper_body():
    points, donor = walk(FRAMES), walk(FRAMES, speed_mps=0.7, heading_rad=2.0, stature_m=1.5)
    spliced = np.asarray(splice(points, donor))
    lower = rows("pelvis", "hip", "knee", "ankle", "foot", "heel", "toe")
    upper = np.setdiff1d(np.arange(len(CANONICAL)), lower)
    np.testing.assert_array_equal(spliced[:, lower], points[:, lower])
    above = np.array([child in upper for _, child in BONES])
    np.testing.assert_allclose(bone_lengths(spliced)[:, above], bone_lengths(donor)[:, above], atol=1e-8)


def test_a_spliced_upper_body_faces_the_way_the_hips_do():
    points, donor = walk(FRAMES), walk(FRAMES, heading_rad=2.0)
    spliced = np.asarray(splice(points, donor))
    np.testing.assert_allclose(spliced, points, atol=0.05)  # the same walk, only turned back
    assert np.abs(donor - points).max() > 1


def test_heading_is_the_walking_direction():
    points = walk(heading_rad=np.pi / 2, turn_radius_m=np.inf)  # along +y
    assert abs(np.asarray(jax.jit(heading)(points)).mean()) < 0.05


# --- turning joints


def test_turned_joints_keep_every_bone_and_change_the_pose():
    points = walk()
    turned = np.asarray(turn(points, jax.random.key(0)))
    np.testing.assert_allclose(bone_lengths(turned), bone_lengths(points), atol=1e-8)
    moved = np.linalg.norm(turned - points, axis=-1).max(0)
    assert moved[INDEX["left_wrist"]] > 0.05 and moved[INDEX["right_ankle"]] > 0.01
    np.testing.assert_allclose(turned[:, INDEX["pelvis"], :2], points[:, INDEX["pelvis"], :2], atol=1e-12)


def test_turned_joints_move_smoothly():
    points = np.repeat(walk()[:1], RAW, 0)
    turned = np.asarray(turn(points, jax.random.key(1)))
    assert np.linalg.norm(np.diff(turned, 2, axis=0), axis=-1).max() < 0.03  # metres per frame²


def test_turned_joints_do_not_sink_into_the_floor():
    points = walk()
    for seed in range(5):
        turned = np.asarray(turn(points, jax.random.key(seed)))
        assert (turned[..., 2].min(1) >= points[..., 2].min(1) - 1e-9).all()


# --- all of it


def test_with_everything_off_a_clip_comes_back():
    points, valid = walk(), np.ones(RAW, bool)
    same, kept = vary(jax.random.key(0), points, valid, walk(speed_mps=0.8), FRAMES, OFF)
    np.testing.assert_allclose(same, points[:FRAMES], atol=1e-8)
    assert kept.all()


def test_an_augmented_clip_is_a_body_on_the_floor_and_depends_on_its_key_alone():
    points, valid = walk(), np.ones(RAW, bool)
    points[..., 2] -= points[..., 2].min()
    config = dataclasses.replace(AugmentConfig(), splice=0.5, turn=0.5)
    made = [
        np.asarray(vary(jax.random.key(k), points, valid, points, FRAMES, config)[0]) for k in (0, 0, 1, 2)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert min(np.abs(made[a] - made[b]).max() for a, b in ((0, 2), (0, 3), (2, 3))) > 0.05
    for clip in made:
        lengths = bone_lengths(clip)
        np.testing.assert_allclose(
            lengths, lengths[:1].repeat(FRAMES, 0), atol=5e-3
        )  # time warp cuts corners
        feet = clip[:, np.array(FOOT_POINTS), 2]
        assert -1e-6 < feet.min() < 0.15 and jnp.isfinite(clip).all()
