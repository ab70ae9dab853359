"""From one clip to its views and back to 3D: the two ways are inverses, missing data stays harmless."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.conventions import TRUSTED_CONFIDENCE
from lift2to3.geometry.cameras import View, look_at, project
from lift2to3.geometry.rigs import canonical_frame
from lift2to3.geometry.rotations import yaw_matrix
from lift2to3.models.denoiser import _channel_mask
from lift2to3.models.multiview import (
    MultiViewConfig,
    billboard,
    frame_of,
    lift_views,
    make_consistent,
    project_to_views,
    set_up,
    to_image,
    to_movement,
)
from lift2to3.representation import CHANNELS, JOINTS
from lift2to3.skeletons import SKELETONS
from lift2to3.walk import synthetic_walk

pytestmark = pytest.mark.usefixtures("float64")

CONFIG = MultiViewConfig(pointmap_resolution=8)
COUPLED = dataclasses.replace(CONFIG, decoupled=False)
prepare = jax.jit(set_up, static_argnums=3)
lift, consistent = jax.jit(lift_views, static_argnums=4), jax.jit(make_consistent, static_argnums=2)
image = jax.jit(to_image, static_argnums=2)


def scene(seed: int = 0):
    """A walk in the canonical frame of a camera that sees it, and its image points."""
    walk = synthetic_walk(1.0)[::5]
    view = look_at(jnp.asarray([1.5, -4.5, 1.7]), jnp.asarray([0.5, 0.3, 0.9]), 0.03)
    frame, view = canonical_frame(view)
    points = np.asarray(frame.from_world(jnp.asarray(walk.reshape(-1, 3)))).reshape(walk.shape)
    n = np.asarray(project(view, jnp.asarray(points.reshape(-1, 3)))).reshape(*walk.shape[:2], 2)
    confidence = np.random.default_rng(seed).uniform(0, 1, n.shape[:2])
    return view, points, n, confidence


@pytest.fixture(scope="module")
def clip():
    """The scene in double precision, with the rig and the condition that `set_up` makes of it."""
    with jax.enable_x64(True):
        view, points, n, confidence = scene()
        rig, condition = prepare(view, n, confidence, CONFIG)
    return view, points, n, confidence, rig, condition


# --- to 3D and back


@pytest.mark.parametrize("config", [CONFIG, COUPLED], ids=["eq. 1", "coupled"])
def test_lifting_the_views_of_a_motion_gives_the_motion(clip, config):
    _, points, n, confidence, rig, _ = clip
    x = consistent(points, rig, config)
    assert x.shape == (4, *n.shape[:1], CHANNELS)
    lifted, spread = lift(x, n, confidence, rig, config)
    np.testing.assert_allclose(lifted, points, atol=1e-5)  # the triangulation's ridge: micrometres
    np.testing.assert_allclose(spread, 0, atol=2e-5)
    np.testing.assert_allclose(consistent(lifted, rig, config), x, atol=1e-4)


def test_to_image_inverts_to_movement(clip):
    _, points, _, _, rig, _ = clip
    n = jax.jit(project_to_views)(points, rig)
    for config in (CONFIG, COUPLED):
        x = jax.jit(to_movement, static_argnums=3)(n, np.ones(n.shape[:-1], bool), rig, config)
        np.testing.assert_allclose(image(x, rig, config), n, atol=1e-8)


def test_each_view_of_the_rig_is_its_own_projection(clip):
    view, points, n, _, rig, _ = clip
    views = np.asarray(jax.jit(project_to_views)(points, rig))
    np.testing.assert_allclose(views[0], n, atol=1e-8)
    for k in range(4):
        points_cam = points @ np.asarray(rig.views.cam_from_world[k]).T + np.asarray(rig.views.translation[k])
        np.testing.assert_allclose(views[k], points_cam[..., :2] / points_cam[..., 2:], atol=1e-8)


def test_making_views_consistent_twice_changes_nothing_more(clip):
    _, points, n, confidence, rig, _ = clip
    wild = np.asarray(consistent(points, rig, CONFIG))
    wild = wild + 0.2 * np.random.default_rng(0).normal(size=wild.shape)
    unseen = 0 * confidence
    lifted, spread = lift(wild, n, unseen, rig, CONFIG)
    assert spread.mean() > 1e-2
    again, spread = lift(consistent(lifted, rig, CONFIG), n, unseen, rig, CONFIG)
    np.testing.assert_allclose(again, lifted, atol=1e-5)
    np.testing.assert_allclose(spread, 0, atol=2e-5)


def test_where_nothing_is_observed_the_observed_points_mean_nothing(clip):
    _, points, n, confidence, rig, _ = clip
    x = consistent(points, rig, CONFIG)
    seen = np.where(confidence < 0.5, 0, confidence)
    for other in (99.0, np.nan):
        dirty = np.where(seen[..., None] > 0, n, other)
        np.testing.assert_allclose(lift(x, dirty, seen, rig, CONFIG)[0], points, atol=1e-5)


def test_a_sure_observation_replaces_the_denoiser_s_own_view(clip):
    _, points, n, confidence, rig, _ = clip
    trusting = dataclasses.replace(CONFIG, observed_share=1.0, observed_frames=0.0)
    x = consistent(points, rig, CONFIG).at[0].add(1.0)
    sure = np.ones_like(confidence)
    np.testing.assert_allclose(lift(x, n, sure, rig, trusting)[0], points, atol=1e-5)
    assert np.abs(lift(x, n, 0 * sure, rig, trusting)[0] - points).max() > 0.05


def test_what_trembles_in_an_observation_is_left_to_the_denoiser_what_lasts_is_taken(clip):
    _, points, n, confidence, rig, _ = clip
    config = dataclasses.replace(CONFIG, observed_share=1.0, observed_frames=1.5)
    x, sure = consistent(points, rig, config), np.ones_like(confidence)
    sign = np.where(np.arange(len(n)) % 2, 0.05, -0.05).astype(np.float32)[:, None, None]
    middle = slice(2, -2)
    moved = [
        np.linalg.norm((lift(x, n + change, sure, rig, config)[0] - points)[middle], axis=-1).mean()
        for change in (sign, np.abs(sign))
    ]
    assert moved[0] < 0.2 * moved[1] and moved[1] > 0.005


def test_more_confidence_pulls_harder(clip):
    _, points, n, confidence, rig, _ = clip
    x, aside = consistent(points, rig, CONFIG), n + 0.05
    moved = [
        np.linalg.norm(lift(x, aside, np.full_like(confidence, c), rig, CONFIG)[0] - points, axis=-1).mean()
        for c in (0.0, 0.3, 1.0)
    ]
    assert moved[0] < 1e-5 < 1e-3 < moved[1] < moved[2] < 0.5


def test_a_heavier_observation_pulls_harder(clip):
    _, points, n, confidence, rig, _ = clip
    x, sure = consistent(points, rig, CONFIG), np.ones_like(confidence)
    light, heavy = (
        np.linalg.norm(
            lift(x, n + 0.05, sure, rig, dataclasses.replace(CONFIG, observed_weight=w))[0] - points, axis=-1
        )
        for w in (1.0, 6.0)
    )
    assert heavy.mean() > 1.2 * light.mean()


def test_gradients_through_the_lift_are_finite(clip):
    _, points, n, confidence, rig, _ = clip
    energy = lambda x, *rest: sum((part**2).sum() for part in lift_views(x, *rest, CONFIG))  # noqa: E731
    gradient = jax.jit(jax.grad(energy))
    exact = consistent(points, rig, CONFIG)
    wild = 30 * np.random.default_rng(0).normal(size=exact.shape)
    for x in (exact, jnp.zeros_like(exact), wild):
        for c in (confidence, 0 * confidence):
            assert np.isfinite(gradient(x, n, c, rig)).all()


# --- the billboard


def test_the_billboard_is_exact_for_what_stands_in_its_plane(clip):
    view, _, _, _, rig, _ = clip
    away = np.asarray(rig.aim_world - view.centre)[:2]
    sideways = np.append([away[1], -away[0]], 0) / np.linalg.norm(away)
    draw = np.random.default_rng(0)
    beside, above = draw.normal(0, 0.4, (2, 3, JOINTS))
    points = np.asarray(rig.aim_world) + beside[..., None] * sideways + above[..., None] * [0, 0, 1]
    n = np.asarray(project(view, jnp.asarray(points.reshape(-1, 3)))).reshape(3, JOINTS, 2)
    np.testing.assert_allclose(jax.jit(billboard)(view, n, rig), points, atol=1e-5)


def test_the_billboard_is_flat_and_looks_right_from_the_camera(clip):
    view, _, n, _, rig, _ = clip
    flat = np.asarray(jax.jit(billboard)(view, n, rig))
    away = np.append(np.asarray(rig.aim_world - view.centre)[:2], 0)
    depth = (flat - np.asarray(rig.aim_world)) @ away / np.linalg.norm(away)
    np.testing.assert_allclose(depth, 0, atol=1e-8)
    back = np.asarray(project(view, jnp.asarray(flat.reshape(-1, 3)))).reshape(n.shape)
    np.testing.assert_allclose(back, n, atol=1e-6)


# --- setting up


def test_view_0_is_told_what_was_seen_and_the_others_nothing(clip):
    _, points, n, confidence, rig, condition = clip
    sure = confidence > TRUSTED_CONFIDENCE
    np.testing.assert_array_equal(np.asarray(condition.confidence[0])[sure], confidence[sure])
    assert (np.asarray(condition.confidence[0])[~sure] <= confidence[~sure]).all()
    assert (np.asarray(condition.confidence[1:]) == 0).all() and (
        np.asarray(condition.observed[1:]) == 0
    ).all()
    sure_rig, told = prepare(clip[0], n, np.ones_like(confidence), CONFIG)
    np.testing.assert_allclose(told.observed[0], consistent(points, sure_rig, CONFIG)[0], atol=1e-8)
    centre = 5 * np.asarray(condition.camera)[:, 6:] + np.asarray(rig.aim_world) * [1, 1, 0]
    np.testing.assert_allclose(centre, rig.views.centre, atol=1e-8)
    np.testing.assert_array_equal(np.asarray(condition.camera)[:, :3], rig.views.cam_from_world[..., 0])


@pytest.mark.parametrize("skeleton", ["coco17", "h36m17"])
def test_what_is_missing_may_hold_anything_and_harms_nothing(clip, skeleton):
    view, _, n, confidence, _, _ = clip
    confidence = confidence * SKELETONS[skeleton].present
    confidence[[0, 3]] = 0
    confidence[1, 3:] = 0
    clean, dirty = (
        prepare(view, np.where(confidence[..., None] > 0, n, value), confidence, CONFIG)
        for value in (0.0, np.nan)
    )
    for one, other in zip(jax.tree.leaves(clean), jax.tree.leaves(dirty), strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)
    rig, condition = clean
    unseen = ~np.asarray(_channel_mask(condition.confidence))
    assert (np.asarray(condition.observed)[unseen] == 0).all()
    hidden_pose = np.repeat(confidence == 0, 2, axis=-1)
    assert (np.asarray(condition.billboard)[:, hidden_pose.nonzero()[0], hidden_pose.nonzero()[1]] == 0).all()


def test_an_empty_clip_still_sets_up(clip):
    view, _, n, confidence, _, _ = clip
    rig, condition = prepare(view, np.full_like(n, np.nan), 0 * confidence, CONFIG)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((rig, condition)))
    points, spread = lift(np.zeros((4, len(n), CHANNELS)), n, 0 * confidence, rig, CONFIG)
    assert np.isfinite(points).all() and np.isfinite(spread).all()


def test_where_the_user_s_world_lies_is_not_told(clip):
    view, _, n, confidence, rig, condition = clip
    turn, shift = np.asarray(yaw_matrix(jnp.asarray(2.2))), np.array([40.0, -7, 0])
    rotation, centre = np.asarray(view.cam_from_world) @ turn.T, np.asarray(view.centre) @ turn.T + shift
    _, again = canonical_frame(View(jnp.asarray(rotation), jnp.asarray(-rotation @ centre)))
    there = prepare(again, n, confidence, CONFIG)
    for one, other in zip(jax.tree.leaves(there), jax.tree.leaves((rig, condition)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("views", [2, 6])
def test_the_number_of_views_is_a_choice(clip, views):
    view, points, n, confidence, _, _ = clip
    config = dataclasses.replace(CONFIG, views=views)
    rig, condition = jax.jit(set_up, static_argnums=3)(view, n, confidence, config)
    assert condition.observed.shape[0] == condition.pointmap.shape[0] == rig.aim_depth_m.shape[0] == views
    lifted, spread = lift(consistent(points, rig, config), n, confidence, rig, config)
    np.testing.assert_allclose(lifted, points, atol=1e-5)
    np.testing.assert_allclose(spread, 0, atol=2e-5)


def test_a_single_view_s_points_lie_where_its_rays_meet_the_billboard(clip):
    view, points, n, confidence, _, _ = clip
    config = dataclasses.replace(CONFIG, views=1)
    rig, condition = prepare(view, n, np.ones_like(confidence), config)
    assert condition.observed.shape[0] == condition.pointmap.shape[0] == rig.aim_depth_m.shape[0] == 1
    x = consistent(points, rig, config)
    lifted, spread = lift(x, n, 0 * confidence, rig, config)
    np.testing.assert_allclose(lifted, jax.jit(billboard)(view, n, rig), atol=1e-6)
    away = np.asarray(rig.aim_world - view.centre)[:2]
    depth = (np.asarray(lifted) - np.asarray(rig.aim_world))[..., :2] @ away / np.linalg.norm(away)
    np.testing.assert_allclose(depth, 0, atol=1e-8)
    np.testing.assert_array_equal(spread, 0)
    moved = lift(x + 0.1, n, 0 * confidence, rig, config)[0]
    assert np.abs(moved - lifted).max() > 0.01, "what the denoiser says of its view still counts"


def test_a_camera_s_frame_is_canonical_or_keeps_the_world_s_axes(clip):
    turn, shift = np.asarray(yaw_matrix(jnp.asarray(0.8))), np.array([40.0, -7, 0])
    view = clip[0]
    rotation, centre = np.asarray(view.cam_from_world) @ turn.T, np.asarray(view.centre) @ turn.T + shift
    there = View(jnp.asarray(rotation), jnp.asarray(-rotation @ centre))
    _, same = frame_of(there, CONFIG)
    np.testing.assert_allclose(same.cam_from_world, view.cam_from_world, atol=1e-8)
    frame, turned = frame_of(there, dataclasses.replace(CONFIG, canonical=False))
    np.testing.assert_array_equal(frame.world_from_frame, np.eye(3))
    np.testing.assert_allclose(turned.cam_from_world, rotation, atol=1e-12)
    np.testing.assert_allclose(turned.centre, centre * [0, 0, 1], atol=1e-8)


def test_turned_axes_change_what_is_told_of_the_rig_and_nothing_else(clip):
    view, _, n, confidence, _, _ = clip
    n = np.broadcast_to(n[:1], n.shape)  # the guess of a walker, a median along each axis, moves a little
    _, condition = prepare(view, n, confidence, CONFIG)
    turn = np.asarray(yaw_matrix(jnp.asarray(2.2)))
    rotation = np.asarray(view.cam_from_world) @ turn.T
    turned = View(jnp.asarray(rotation), view.translation)
    _, other = prepare(turned, n, confidence, CONFIG)
    for name in ("observed", "confidence", "billboard", "feet"):
        np.testing.assert_allclose(getattr(other, name), getattr(condition, name), atol=1e-7)
    assert np.abs(other.camera - condition.camera).max() > 0.1
    assert np.abs(other.pointmap - condition.pointmap).max() > 0.1


def test_no_channel_is_far_above_unit_size_nor_most_of_them_far_below(clip):
    _, points, _, _, rig, _ = clip
    size = np.sqrt((np.asarray(consistent(points, rig, CONFIG)) ** 2).mean((0, 1)))
    assert 0.25 < np.median(size) < 2 and size.max() < 5
