"""Made motion is motion of the same body: its bones, its pose, and a floor that carries it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_augment import OFF, RAW, bone_lengths, walk

from lift2to3.data.augment import AugmentConfig, augment, mirror, turn_joints
from lift2to3.data.synthetic import (
    FLESH_M,
    Support,
    SyntheticConfig,
    lay_on_floor,
    random_tilt,
    set_down,
    support_of,
)
from lift2to3.skeletons import CANONICAL, INDEX, MIRROR

pytestmark = pytest.mark.usefixtures("float64")

CONFIG = SyntheticConfig()
STEADY = dataclasses.replace(CONFIG, roll_over_deg=0.0)
EVERY = np.ones(RAW, bool)
KEYS = range(6)
lay = jax.jit(lay_on_floor, static_argnums=2)
support, down, tilt = jax.jit(support_of), jax.jit(set_down), jax.jit(random_tilt, static_argnums=1)
flip, turn = jax.jit(mirror), jax.jit(turn_joints)
vary = jax.jit(augment, static_argnums=(4, 5))


def standing_walk() -> np.ndarray:
    points = walk()
    points[..., 2] -= points[..., 2].min()
    return points


def asked_support(height_m: np.ndarray, step_m: np.ndarray) -> Support:
    return Support(jnp.asarray(height_m), jnp.asarray(step_m))


def laid(seed: int, config: SyntheticConfig = CONFIG) -> np.ndarray:
    return np.asarray(lay(jax.random.key(seed), standing_walk(), config))


def on_spot(points) -> np.ndarray:
    """Each frame's pose about its own pelvis."""
    points = np.asarray(points)
    return points - points[:, INDEX["pelvis"], None]


# --- support


def test_flesh_is_the_same_left_and_right_and_none_under_the_sole():
    np.testing.assert_array_equal(FLESH_M, FLESH_M[MIRROR])
    soles = [row for row, name in enumerate(CANONICAL) if any(w in name for w in ("foot", "toe", "heel"))]
    assert not FLESH_M[soles].any() and FLESH_M[INDEX["pelvis"]] > 0.05
    assert FLESH_M.min() == 0 and FLESH_M.max() <= 0.12


def test_a_motion_set_down_as_it_stands_is_itself():
    points = walk()
    np.testing.assert_allclose(down(points, support(points)), points, atol=1e-8)


def test_a_motion_is_set_down_as_asked_and_keeps_its_pose():
    points, generator = walk(), np.random.default_rng(0)
    asked = asked_support(generator.uniform(-0.1, 0.3, RAW), generator.normal(0, 0.02, (RAW - 1, 2)))
    moved = np.asarray(down(points, asked))
    reached = support(moved)
    np.testing.assert_allclose(reached.height_m, asked.height_m, atol=1e-7)
    np.testing.assert_allclose(reached.step_m, asked.step_m, atol=1e-7)
    np.testing.assert_allclose(on_spot(moved), on_spot(points), atol=1e-8)
    np.testing.assert_allclose(moved[0, :, :2], points[0, :, :2], atol=1e-12)


def test_support_is_of_the_body_that_stands_not_of_where_it_is():
    points = walk()
    there = support(points + np.array([3.0, -2.0, 0.5]))
    here = support(points)
    np.testing.assert_allclose(there.height_m, np.asarray(here.height_m) + 0.5, atol=1e-8)
    np.testing.assert_allclose(there.step_m, here.step_m, atol=1e-8)


def test_setting_down_and_mirroring_commute():
    points = walk()
    asked = asked_support(np.full(RAW, 0.2), np.tile([0.01, 0.02], (RAW - 1, 1)))
    twin = Support(asked.height_m, asked.step_m * jnp.array([[-1.0, 1.0]]))
    np.testing.assert_allclose(down(flip(points), twin), flip(down(points, asked)), atol=1e-8)


# --- tipping over


def test_a_tilt_is_a_rotation_and_keeps_to_its_limits():
    made = np.stack([tilt(jax.random.key(k), (50.0, 130.0)) for k in range(60)])
    np.testing.assert_allclose(made @ made.swapaxes(1, 2), np.tile(np.eye(3), (60, 1, 1)), atol=1e-8)
    np.testing.assert_allclose(np.linalg.det(made), 1, atol=1e-8)
    angle = np.degrees(np.arccos(made[:, 2, 2]))
    assert 50 <= angle.min() < 70 and 110 < angle.max() <= 130
    for axis in (0, 1):  # to every side, and any side of the body downwards
        assert made[:, axis, 2].min() < -0.5 and made[:, axis, 2].max() > 0.5
        assert made[:, 2, axis].min() < -0.5 and made[:, 2, axis].max() > 0.5


def test_a_tilt_of_nothing_is_a_yaw():
    upright = np.asarray(tilt(jax.random.key(0), (0.0, 0.0)))
    np.testing.assert_allclose(upright[2], [0, 0, 1], atol=1e-8)


# --- lying


@pytest.mark.parametrize("seed", KEYS)
def test_a_laid_body_touches_the_floor_in_every_frame_and_is_never_in_it(seed):
    height = laid(seed)[..., 2] - FLESH_M
    np.testing.assert_allclose(height.min(1), 0, atol=1e-7)


@pytest.mark.parametrize("seed", KEYS)
def test_a_laid_body_has_its_bones_and_does_not_slide(seed):
    made = laid(seed)
    np.testing.assert_allclose(bone_lengths(made), bone_lengths(standing_walk()), atol=1e-8)
    np.testing.assert_allclose(support(made).step_m, 0, atol=1e-7)


def test_a_laid_body_lies_and_its_pose_is_the_clip_s_turned_once():
    points = standing_walk()
    for seed in KEYS:
        made = laid(seed, STEADY)
        first, last = on_spot(points), on_spot(made)
        rotation = np.linalg.lstsq(first[0], last[0], rcond=None)[0]
        np.testing.assert_allclose(first @ rotation, last, atol=1e-7)
        low, high = np.cos(np.radians(STEADY.tilt_deg[::-1]))
        assert low <= rotation[2, 2] <= high


def test_a_body_that_rolls_over_turns_slowly():
    still = np.repeat(standing_walk()[:1], RAW, 0)
    made = on_spot(lay(jax.random.key(0), still, CONFIG))
    assert np.abs(made[-1] - made[0]).max() > 0.02
    assert np.linalg.norm(np.diff(made, 2, axis=0), axis=-1).max() < 0.03  # metres per frame²


def test_laying_depends_on_its_key_alone_and_leaves_gradients_finite():
    np.testing.assert_array_equal(laid(0), laid(0))
    assert np.abs(laid(0) - laid(1)).max() > 0.1
    gradient = jax.grad(lambda points: lay_on_floor(jax.random.key(0), points, CONFIG).sum())(
        jnp.asarray(walk())
    )
    assert jnp.isfinite(gradient).all()


# --- as part of augmentation


def test_off_is_what_augmentation_always_was():
    assert AugmentConfig().synthetic == SyntheticConfig() and SyntheticConfig().laid == 0 == CONFIG.wide
    points, config = standing_walk(), AugmentConfig()
    other = SyntheticConfig(tilt_deg=(0.0, 10.0), roll_over_deg=90.0, wide_factor=9.0)
    for seed in KEYS:
        before, after = (
            vary(
                jax.random.key(seed), points, EVERY, points, RAW, dataclasses.replace(config, synthetic=made)
            )
            for made in (SyntheticConfig(), other)
        )
        np.testing.assert_array_equal(before[0], after[0])


def test_a_share_of_clips_is_laid_and_the_rest_is_as_it_was():
    points, some = standing_walk(), AugmentConfig(synthetic=SyntheticConfig(laid=0.3))
    same = []
    for seed in range(60):
        key = jax.random.key(seed)
        plain = vary(key, points, EVERY, points, RAW, AugmentConfig())[0]
        made = vary(key, points, EVERY, points, RAW, some)[0]
        same.append(bool(np.array_equal(plain, made)))
    assert 0.5 < np.mean(same) < 0.9


def test_wide_turns_bend_the_body_further_and_leave_its_support():
    points = standing_walk()
    always = dataclasses.replace(OFF, turn=1.0)
    bent = {}
    for wide in (0.0, 1.0):
        config = dataclasses.replace(always, synthetic=SyntheticConfig(wide=wide))
        bent[wide] = np.stack(
            [vary(jax.random.key(seed), points, EVERY, points, RAW, config)[0] for seed in KEYS]
        )
    away = {
        wide: np.abs(np.stack([on_spot(p) for p in made]) - on_spot(points)).mean()
        for wide, made in bent.items()
    }
    assert 1.8 < away[1.0] / away[0.0] < 2.7
    np.testing.assert_allclose(bone_lengths(bent[1.0][0]), bone_lengths(points), atol=1e-5)  # time warp
    for made in bent[1.0]:
        np.testing.assert_allclose(support(made).height_m, support(points).height_m, atol=1e-7)
        np.testing.assert_allclose(support(made).step_m, support(points).step_m, atol=1e-4)  # likewise


def test_widening_by_one_is_no_widening():
    points, key = walk(), jax.random.key(0)
    np.testing.assert_array_equal(turn(points, key), turn(points, key, 1.0))
