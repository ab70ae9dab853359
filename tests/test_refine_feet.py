"""Feet put right in anyone's motion: what may change and what not, rates and cameras, bad input.

The lifter is tiny and random: it turns feet anywhere, but as a function of the right things.
"""

import itertools
import warnings
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from moving_body import moving_body, posed
from scipy.spatial.transform import Rotation
from tiny import camera, film, quick_compilation, unjudged, weights_file

from lift2to3 import BodyMotion, Camera, Keypoints, Motion, as_keypoints
from lift2to3.checkpoint import save_weights
from lift2to3.fit.body_prior import BODY_PRIOR, load_body_prior
from lift2to3.fit.first_pose import first_rest_offsets, first_rotations, measured_rest_offsets
from lift2to3.geometry.cameras import View
from lift2to3.models.foot_lifter import FootLifter, FootLifterConfig
from lift2to3.models.params import build
from lift2to3.observations import observe
from lift2to3.pipeline import refine_feet as module
from lift2to3.pipeline.check_foot_input import shows_feet
from lift2to3.pipeline.refine_feet import FootRefiner, RefineConfig, refine_feet
from lift2to3.representation import FOOT_ROWS
from lift2to3.skeletons import CANONICAL, INDEX, SKELETONS, rows_by_side

TINY = FootLifterConfig(width=32, depth=2, heads=2, mlp_ratio=1, reach=8, half=False)
CONTEXT = TINY.depth * TINY.reach
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
OTHERS = np.setdiff1d(np.arange(22), ANKLES)
SOLES = rows_by_side("heel", "foot", "big_toe", "small_toe").ravel()
FEET = rows_by_side("ankle", "heel", "big_toe", "small_toe").ravel()
FRAMES = 60


def random_weights(path: Path, config: FootLifterConfig = TINY, key: str = "foot_lifter") -> Path:
    """A fresh lifter, perturbed: it turns feet by tens of degrees."""
    _, params = build(FootLifter, config)
    draw = np.random.default_rng(0)
    params = {name: leaf + 0.06 * draw.normal(size=leaf.shape) for name, leaf in params.items()}
    return save_weights(path, params, {key: dict(vars(config))})


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation(), unjudged():
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return random_weights(tmp_path_factory.mktemp("weights") / "foot.safetensors")


@pytest.fixture(scope="module")
def refiner(weights) -> FootRefiner:
    return FootRefiner.from_pretrained(weights)


def person(frames: int = FRAMES, fps: float = 30.0, seed: int = 0, gap: bool = False) -> BodyMotion:
    """Somebody in smooth motion at the origin; the same motion at any rate."""
    body = moving_body(frames, fps, seed, turns_rad=0.35, smooth=10.0 * fps / 30)
    root = np.tile(np.float32([0.0, 0.0, 0.95]), (frames, 1))
    return body._replace(root_translation=root, valid=body.valid if gap else np.ones(frames, bool))


def seen(body: BodyMotion, skeleton: str = "halpe26", at: Camera | None = None) -> Keypoints:
    return film(posed(body)[1], camera() if at is None else at, skeleton, body.fps)


def views(rotation: np.ndarray, translation: np.ndarray) -> View:
    """A camera that moves."""
    return View(jnp.asarray(rotation), jnp.asarray(translation))


def without(keypoints: Keypoints, rows: list[int], frames: slice = slice(None)) -> Keypoints:
    """The same with these canonical points missing."""
    xy = keypoints.xy_px.copy()
    hidden = np.isin(keypoints.skeleton.rows, rows)
    xy[frames] = np.where(hidden[:, None], np.nan, xy[frames])
    return as_keypoints(xy, None, keypoints.skeleton, keypoints.fps)


def turned_by(first: BodyMotion, second: BodyMotion) -> np.ndarray:
    """Degrees between the ankles of two results. (time, 2)"""
    first, second = (np.asarray(body.rotations[:, ANKLES], float) for body in (first, second))
    relative = first.swapaxes(-1, -2) @ second
    return np.degrees(Rotation.from_matrix(relative.reshape(-1, 3, 3)).magnitude()).reshape(-1, 2)


def assert_same(first, second) -> None:
    for name, part in first._asdict().items():
        other = getattr(second, name)
        np.testing.assert_array_equal(part, other, err_msg=name)
        if isinstance(part, np.ndarray):
            assert part.dtype == other.dtype, name


# --- what may change


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ankles_turn_and_nothing_else_changes_by_a_bit(refiner, dtype):
    body = person()._replace(rotations=person().rotations.astype(dtype))
    before = body.rotations.copy()
    refined = refiner.refine(body, seen(body), camera())
    assert_same(refined._replace(rotations=body.rotations), body)
    np.testing.assert_array_equal(refined.rotations[:, OTHERS], body.rotations[:, OTHERS])
    assert refined.rotations.dtype == dtype
    np.testing.assert_array_equal(body.rotations, before)
    assert turned_by(refined, body).mean(0).min() > 3
    ankles = refined.rotations[:, ANKLES].astype(float)
    np.testing.assert_allclose(
        ankles @ ankles.swapaxes(-1, -2), np.broadcast_to(np.eye(3), ankles.shape), atol=1e-5
    )


@pytest.mark.parametrize("fps", [30.0, 59.94])
def test_without_foot_keypoints_every_bit_stays(refiner, fps):
    body = person(fps=fps)
    unsure = seen(body)
    low = np.where(np.isin(unsure.skeleton.rows, FEET), 0.5, 1.0) * (unsure.confidence > 0)
    for keypoints in (without(seen(body), FEET), as_keypoints(unsure.xy_px, low, "halpe26", fps)):
        assert_same(refiner.refine(body, keypoints, camera()), body)
    sole = [row for row in FEET if row not in ANKLES]
    assert_same(refiner.refine(body, without(seen(body), sole), camera()), body)


def test_what_counts_as_seen_is_the_user_s_to_say(refiner):
    body = person()
    half_sure = seen(body)
    half_sure = as_keypoints(half_sure.xy_px, 0.4 * half_sure.confidence, "halpe26")
    bold = FootRefiner(refiner.params, TINY, RefineConfig(confidence=0.3))
    assert_same(bold.refine(body, half_sure, camera()), refiner.refine(body, seen(body), camera()))


def test_an_ankle_long_without_its_foot_is_left_alone_and_the_change_fades(refiner):
    body = person(120)
    hidden = without(seen(body), FEET, slice(20, 100))
    refined = refiner.refine(body, hidden, camera())
    away = np.minimum(np.arange(120) - 19, 100 - np.arange(120))  # frames from the next seen foot
    np.testing.assert_array_equal(refined.rotations[away > 31], body.rotations[away > 31])
    angle = turned_by(refined, body)
    assert (angle[away <= 0] > 0).all()
    assert angle[away <= 5].mean() > 2 * angle[(away > 20) & (away < 30)].mean() > 0


def test_one_foot_s_keypoints_do_not_wake_the_other(refiner):
    body = person()
    left = [row for row in FEET if "left" in CANONICAL[row]]
    refined = refiner.refine(body, without(seen(body), left), camera())
    np.testing.assert_array_equal(refined.rotations[:, ANKLES[0]], body.rotations[:, ANKLES[0]])
    assert turned_by(refined, body)[:, 1].mean() > 3


@pytest.mark.parametrize("fps", [30.0, 24.0])
def test_frames_that_are_not_valid_stay_as_they_are(refiner, fps):
    body = person(fps=fps, gap=True)
    refined = refiner.refine(body, seen(body), camera())
    np.testing.assert_array_equal(refined.rotations[~body.valid], body.rotations[~body.valid])
    assert (turned_by(refined, body)[body.valid] > 0).all() and (~body.valid).any()


# --- lengths and rates


def test_a_clip_refined_in_pieces_is_that_refined_whole(refiner, monkeypatch):
    body = person(110)
    whole = refiner.refine(body, seen(body), camera())
    monkeypatch.setattr(module, "_CALL_FRAMES", (16, 2 * CONTEXT + 30))
    pieces = refiner.refine(body, seen(body), camera())
    assert turned_by(whole, pieces).max() < 1e-2
    assert turned_by(whole, body).mean() > 3


def test_a_long_memory_does_not_keep_long_clips_from_being_cut(tmp_path, monkeypatch):
    far = FootLifterConfig(width=8, depth=1, heads=2, mlp_ratio=1, reach=20, half=False)
    refiner = FootRefiner.from_pretrained(random_weights(tmp_path / "far.safetensors", far))
    body = person(70)
    whole = refiner.refine(body, seen(body), camera())
    monkeypatch.setattr(module, "_CALL_FRAMES", (20, 40))  # the context alone fills a call
    assert turned_by(whole, refiner.refine(body, seen(body), camera())).max() < 1e-2


def test_a_frame_far_away_does_not_matter(refiner):
    body = person(100)
    keypoints = seen(body)
    xy = keypoints.xy_px.copy()
    xy[-1] += np.where(np.isin(keypoints.skeleton.rows, FEET), 5.0, 0.0)[:, None]
    moved = refiner.refine(body, as_keypoints(xy, None, "halpe26"), camera())
    angle = turned_by(moved, refiner.refine(body, keypoints, camera()))
    assert angle[-1].min() > 1e-2 and angle[: 100 - 1 - CONTEXT].max() < 1e-3


@pytest.mark.parametrize("fps", [24.0, 59.94, 120.0])
def test_every_rate_comes_back_frame_for_frame_and_says_the_same(refiner, fps):
    seconds = 3.0
    body, slow = person(round(seconds * fps), fps), person(90)
    angle = np.linspace(0, 0.6, 90)
    for clip in (
        body,
        slow,
    ):  # two motions that are the same at any rate: one straight swing of the whole body
        at = np.arange(len(clip.rotations)) / clip.fps
        swing = Rotation.from_rotvec(
            np.outer(np.interp(at, np.arange(90) / 30, angle), [0, 0, 1])
        ).as_matrix()
        clip.rotations[:] = moving_body(1, turns_rad=0.0).rotations
        clip.rotations[:, 0] = swing @ clip.rotations[0, 0]
    refined, reference = (refiner.refine(clip, seen(clip), camera()) for clip in (body, slow))
    assert refined.rotations.shape == body.rotations.shape
    nearest = np.arange(0, 85) * fps / 30
    wanted = turned_by(reference, slow)[:85]
    found = turned_by(refined, body)
    found = np.stack([np.interp(nearest, np.arange(len(found)), foot) for foot in found.T], axis=1)
    assert np.abs(found - wanted).max() < 0.15 * wanted.mean()


@pytest.mark.parametrize(("frames", "fps"), [(2, 30.0), (2, 120.0), (3, 59.94), (5, 24.0)])
def test_clips_of_a_few_frames_are_refined(refiner, frames, fps):
    body = person(60, fps)
    body = body._replace(
        root_translation=body.root_translation[:frames],
        rotations=body.rotations[:frames],
        valid=body.valid[:frames],
    )
    refined = refiner.refine(body, seen(body), camera())
    assert refined.rotations.shape == body.rotations.shape and np.isfinite(refined.rotations).all()
    assert turned_by(refined, body).max() > 0.5


# --- cameras and worlds


def test_a_moving_camera_that_stands_still_is_a_static_one(refiner):
    body, still = person(), camera()
    constant = views(np.tile(still.R, (FRAMES, 1, 1)), np.tile(still.t, (FRAMES, 1)))
    assert_same(refiner.refine(body, seen(body), still, constant), refiner.refine(body, seen(body), still))


def test_a_camera_that_turns_is_told_by_its_rotations(refiner):
    body, still = person(), camera()
    pan = Rotation.from_rotvec(np.outer(np.linspace(0, 0.5, FRAMES), [0, 0, 1])).as_matrix()
    # the world turned in step with the camera: what the camera sees is the same
    turned = body._replace(rotations=body.rotations.copy(), root_translation=body.root_translation.copy())
    turned.rotations[:, 0] = pan @ body.rotations[:, 0]
    turned.root_translation[:] = np.einsum("tij,tj->ti", pan, body.root_translation)
    panning = views(still.R @ pan.swapaxes(1, 2), np.tile(still.t, (FRAMES, 1)))
    refined = refiner.refine(turned, seen(body), still, panning)
    assert turned_by(refined, refiner.refine(body, seen(body), still)).max() < 0.02


def test_without_a_floor_the_world_turned_together_with_the_camera_changes_nothing(refiner):
    moved = everything_moved([0.7, -1.1, 2.0], [3.0, -2.0, 5.0])
    with_floor, without_floor = (
        turned_by(
            refiner.refine(*moved, floor=floor), refiner.refine(person(), *moved[1:2], camera(), floor=floor)
        )
        for floor in (True, False)
    )
    assert without_floor.max() < 0.02
    assert with_floor.max() > 1


def test_on_its_floor_the_world_may_turn_about_the_vertical_and_shift(refiner):
    moved = everything_moved([0.0, 0.0, 2.0], [3.0, -2.0, 0.0])
    assert turned_by(refiner.refine(*moved), refiner.refine(person(), moved[1], camera())).max() < 0.02


def everything_moved(turn_rad: list[float], shift_m: list[float]) -> tuple[BodyMotion, Keypoints, Camera]:
    """The person and the camera in another world, and what the camera sees, which is the same."""
    body, still = person(), camera()
    turn, moved = Rotation.from_rotvec(turn_rad).as_matrix(), np.array(shift_m)
    rotations = body.rotations.astype(float)
    rotations[:, 0] = turn @ rotations[:, 0]
    elsewhere = body._replace(rotations=rotations, root_translation=body.root_translation @ turn.T + moved)
    there = Camera(still.K, still.R @ turn.T, still.t - still.R @ turn.T @ moved, still.size)
    np.testing.assert_allclose(seen(elsewhere, at=there).xy_px, seen(body).xy_px, atol=1e-3)
    return elsewhere, seen(body), there


def test_a_camera_s_intrinsics_and_lens_are_taken_out(refiner):
    body, plain = person(), camera()
    zoomed = Camera(
        [[700.0, 0, 400], [0, 720, 300], [0, 0, 1]], plain.R, plain.t, (800, 600), [0.1, -0.05, 0, 0]
    )
    refined = refiner.refine(body, seen(body, at=zoomed), zoomed)
    assert turned_by(refined, refiner.refine(body, seen(body), plain)).max() < 0.02


def test_keypoints_of_feet_alone_are_boxed_by_the_motion(refiner):
    body = person()
    whole = seen(body, "canonical")
    feet_only = without(whole, [row for row in range(38) if row not in FEET])
    refined = refiner.refine(body, feet_only, camera())
    np.testing.assert_allclose(refined.rotations, refiner.refine(body, whole, camera()).rotations, atol=1e-4)
    assert turned_by(refined, body).mean() > 3


def test_a_body_behind_the_camera_for_a_while_does_no_harm_to_the_rest(refiner):
    body = person()
    body.root_translation[-3:, 1] = -9.0  # behind camera()
    feet_only = without(seen(body, "canonical"), [row for row in range(38) if row not in FEET])
    refined = refiner.refine(body, feet_only, camera())
    assert np.isfinite(refined.rotations).all()
    assert turned_by(refined, body)[:40].mean() > 3


@pytest.mark.parametrize("skeleton", [name for name, skeleton in SKELETONS.items() if shows_feet(skeleton)])
def test_every_format_with_feet_will_do(refiner, skeleton):
    body = person()
    assert turned_by(refiner.refine(body, seen(body, skeleton), camera()), body).mean() > 3


def test_the_function_is_the_shipped_refiner_s(refiner, monkeypatch):
    monkeypatch.setattr(module, "shipped_refiner", lambda: refiner)
    body = person()
    assert_same(refine_feet(body, seen(body), camera()), refiner.refine(body, seen(body), camera()))


# --- a lifted motion's points


def lifted(gap: bool = False) -> Motion:
    """Points of a person of ordinary proportions, as a lift gives them."""
    body = person()._replace(rest_offsets=load_body_prior().rest_offsets)
    points = posed(body)[1].astype(np.float32)
    valid = np.ones(points.shape[:2], bool)
    if gap:
        valid[10:18] = valid[40, 3] = False
        points[~valid] = np.nan
    return Motion(points, CANONICAL, 30.0, valid, np.where(valid, 0.02, np.nan).astype(np.float32))


def filmed(motion: Motion, at: Camera | None = None) -> Keypoints:
    return film(np.nan_to_num(motion.joints_world), at or camera(), "halpe26")


@pytest.mark.parametrize("gap", [False, True])
def test_soles_are_one_rigid_foot_about_their_ankles_and_no_other_point_moves(refiner, gap):
    motion = lifted(gap)
    refined = refiner.refine_points(motion, observe(filmed(lifted()), camera()), camera())
    assert refined.refined == ("feet",)
    assert_same(refined._replace(joints_world=motion.joints_world, refined=()), motion)
    others = np.setdiff1d(np.arange(38), SOLES)
    np.testing.assert_array_equal(refined.joints_world[:, others], motion.joints_world[:, others])
    whole = motion.valid.all(1)
    np.testing.assert_array_equal(refined.joints_world[~whole], motion.joints_world[~whole])
    moved = np.linalg.norm(refined.joints_world - motion.joints_world, axis=-1)[whole][:, SOLES]
    assert moved.mean(0).min() > 0.003
    for side in (0, 4):
        heel, ball, *toes = SOLES[side : side + 4]
        for a, b in itertools.combinations([ANKLES[side // 4], heel, ball], 2):
            assert np.ptp(apart(refined, a, b)[whole]) < 1e-5
        for a, b in itertools.combinations([ball, *toes], 2):
            assert np.ptp(apart(refined, a, b)[whole]) < 1e-5


def apart(motion: Motion, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(motion.joints_world[:, a] - motion.joints_world[:, b], axis=-1)


def test_points_turn_as_the_body_that_carries_them_does(refiner):
    motion, prior = lifted(), load_body_prior()
    points, weight = motion.joints_world.astype(float), np.ones(motion.valid.shape)
    offsets = first_rest_offsets(points, prior)
    rotations = first_rotations(points, weight, offsets, prior, trust_parent=module._TRUST_SHIN)
    offsets = measured_rest_offsets(points, weight, rotations, offsets, prior)
    body = BodyMotion(points[:, 0], rotations, offsets, 30.0, np.ones(FRAMES, bool))
    turned = posed(refiner.refine(body, filmed(motion), camera()))[1].reshape(FRAMES, 38, 3)
    found = refiner.refine_points(motion, observe(filmed(motion), camera()), camera()).joints_world
    for side in (0, 4):
        ankle, sole = ANKLES[side // 4], SOLES[side : side + 4]
        feet = [p[:, sole] - p[:, [ankle]] for p in (found, turned)]
        np.testing.assert_allclose(feet[0], feet[1], atol=2e-3)
    assert np.linalg.norm(found - points, axis=-1)[:, SOLES].mean() > 0.005


def test_feet_that_are_where_the_lifter_wants_them_stay_there(refiner, monkeypatch):
    level = camera(roll_rad=0.0)
    body = person()._replace(rest_offsets=load_body_prior().rest_offsets)
    there = level.R @ posed(body)[0][:, ANKLES]
    monkeypatch.setattr(FootRefiner, "_refined", lambda *_: there)
    refiner = FootRefiner(refiner.params, TINY, RefineConfig(smooth_s=1e-3))
    refined = refiner.refine_points(lifted(), observe(filmed(lifted(), level), level), level)
    heels_and_balls = [SOLES[i] for i in (0, 1, 4, 5)]
    moved = np.linalg.norm(refined.joints_world - lifted().joints_world, axis=-1)
    assert moved[:, heels_and_balls].max() < 5e-3 and moved.max() < 0.03
    shins = person(seed=3)._replace(rotations=body.rotations.copy())
    shins.rotations[:, ANKLES] = person(seed=3).rotations[:, ANKLES]
    found = posed(refiner.refine(shins, seen(shins, at=level), level))[0][:, ANKLES]
    np.testing.assert_allclose(level.R @ found, there, atol=1e-5)


def test_points_without_a_whole_frame_stay(refiner):
    motion = lifted()
    motion.joints_world[:, 5] = np.nan
    motion.valid[:, 5] = False
    assert_same(refiner.refine_points(motion, observe(filmed(lifted()), camera()), camera()), motion)


# --- bad input


def test_keypoints_of_another_length_or_rate_are_refused(refiner):
    body = person()
    short = as_keypoints(seen(body).xy_px[:-1], None, "halpe26")
    fast = as_keypoints(seen(body).xy_px, None, "halpe26", 60.0)
    for keypoints, found in (
        (short, "59 frames at 30 fps, the motion 60 at 30"),
        (fast, "60 frames at 60 fps"),
    ):
        with pytest.raises(ValueError, match=f"{found}.*wanted the same frames"):
            refiner.refine(body, keypoints, camera())


@pytest.mark.parametrize(
    "skeleton", [name for name, skeleton in SKELETONS.items() if not shows_feet(skeleton)]
)
def test_formats_without_feet_are_refused_with_those_that_have_them(refiner, skeleton):
    body = person()
    with pytest.raises(ValueError, match=f"'{skeleton}' show no heels and big toes") as caught:
        refiner.refine(body, seen(body, skeleton), camera())
    for name in ("halpe26", "body25", "mediapipe33", "coco_wholebody23"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("rotations", np.nan, "rotations of left_ankle is not finite in frame 5"),
        ("rotations", 1.3, "left_ankle in frame 5 is not a rotation"),
        ("root_translation", np.nan, "root_translation is not finite in frame 5"),
    ],
)  # fmt: skip
def test_broken_bodies_are_refused(refiner, field, value, match):
    body = person()
    keypoints, broken = seen(body), getattr(body, field).copy()
    if field == "rotations":
        broken[5, ANKLES[0]] *= value
    else:
        broken[5, 1] = value
    with pytest.raises(ValueError, match=match):
        refiner.refine(body._replace(**{field: broken}), keypoints, camera())


@pytest.mark.parametrize("point", ["heel", "big_toe", "small_toe"])
def test_a_body_without_feet_is_refused(refiner, point):
    body = person()
    offsets = body.rest_offsets.copy()
    offsets[INDEX[f"right_{point}"]] = 0
    with pytest.raises(ValueError, match=f"no right_{point}"):
        refiner.refine(body._replace(rest_offsets=offsets), seen(body), camera())


def test_a_camera_s_path_of_another_length_or_of_no_rotations_is_refused(refiner):
    body, still = person(), camera()
    rotation, translation = np.tile(still.R, (FRAMES, 1, 1)), np.tile(still.t, (FRAMES, 1))
    for path in ((rotation[1:], translation[1:]), (rotation * np.nan, translation), (-rotation, translation)):
        with pytest.raises(ValueError, match="views"):
            refiner.refine(body, seen(body), still, views(*path))


def test_weights_of_another_kind_are_refused(tmp_path):
    for path in (weights_file(tmp_path), BODY_PRIOR):
        with pytest.raises(ValueError, match="not a foot lifter's weights"):
            FootRefiner.from_pretrained(path)
    with pytest.raises(FileNotFoundError, match="no such weights file"):
        FootRefiner.from_pretrained(tmp_path / "none.safetensors")


def test_damaged_weights_are_refused(weights, tmp_path):
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    (tmp_path / "flipped.safetensors").write_bytes(data)
    (tmp_path / "short.safetensors").write_bytes(data[: len(data) // 2])
    for name in ("flipped", "short"):
        with pytest.raises(ValueError, match=f"{name}.safetensors"):
            FootRefiner.from_pretrained(tmp_path / f"{name}.safetensors")


def test_parameters_of_another_configuration_are_refused(refiner, tmp_path):
    with pytest.raises(ValueError, match="foot lifter: the weights are of another model configuration"):
        FootRefiner(refiner.params, FootLifterConfig(width=16, depth=2))
    config = dict(vars(TINY)) | {"colour": "blue"}
    path = save_weights(tmp_path / "odd.safetensors", refiner.params, {"foot_lifter": config})
    with pytest.raises(ValueError, match="unknown \\['colour'\\]"):
        FootRefiner.from_pretrained(path)


def test_swapped_sides_are_said(refiner):
    body = person()
    keypoints = seen(body)
    swapped = as_keypoints(keypoints.xy_px[:, keypoints.skeleton.mirror], None, "halpe26")
    with pytest.warns(UserWarning, match="left and right look swapped"):
        refiner.refine(body, swapped, camera())
    shaken = keypoints.xy_px + np.random.default_rng(0).normal(size=keypoints.xy_px.shape) * 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refiner.refine(body, as_keypoints(shaken, None, "halpe26"), camera())


def test_the_lifter_is_told_normalised_points_in_its_box(refiner, monkeypatch):
    level = camera(roll_rad=0.0)
    told = []
    original = FootRefiner._refined
    monkeypatch.setattr(
        FootRefiner, "_refined", lambda self, given: told.append(given) or original(self, given)
    )
    body = person()
    refiner.refine(body, seen(body, at=level), level)
    (given,) = told
    frames, points = posed(body)
    n = np.asarray(level.normalise(level.project(points)))
    shown = SKELETONS["halpe26"].present
    high, low = n[:, shown].max(1), n[:, shown].min(1)
    side = 1.2 * (high - low).max(1)
    np.testing.assert_allclose(given.box, np.column_stack([(high + low) / 2, side]), atol=1e-6)
    feet = n[:, FOOT_ROWS]
    np.testing.assert_allclose(
        given.points, (feet - given.box[:, None, :2]) / (side[:, None, None] / 2), atol=1e-5
    )
    np.testing.assert_allclose(given.ankles, level.R @ frames[:, ANKLES], atol=1e-6)
    np.testing.assert_allclose(
        given.knees, level.R @ frames[:, [INDEX["left_knee"], INDEX["right_knee"]]], atol=1e-6
    )
    assert given.seen.all() and jnp.asarray(given.present).all()
