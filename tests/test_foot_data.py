"""What the foot lifter is trained on: varied bodies, wrong feet, what a detector sees of them."""

import copy
import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from moving_body import moving_body, posed, resting_body
from scipy.spatial.transform import Rotation
from tiny import quick_compilation

from lift2to3.body import BODY_JOINTS
from lift2to3.data import foot_detector
from lift2to3.data.augment import AugmentConfig, random_bone_scale
from lift2to3.data.augment_body import (
    Body,
    FootTurnConfig,
    augment_body,
    mirror_body,
    scale_body,
    turn_body,
    turn_root,
)
from lift2to3.data.foot_detector import FOOT_FORMATS, FootDetectorConfig, detect_feet
from lift2to3.data.initial_feet import InitialErrorConfig, corrupt_feet
from lift2to3.data.mocap import quaternions_from_matrices
from lift2to3.data.windows import Stream, WindowConfig, body_window_batches
from lift2to3.geometry.cameras import look_at, project
from lift2to3.motion import BodyMotion
from lift2to3.pipeline.check_foot_input import shows_feet
from lift2to3.representation import BOX_MARGIN, FOOT_KEYPOINTS, FOOT_ROWS, in_box, person_box
from lift2to3.skeletons import BONES, CANONICAL, INDEX, MIRROR, PARENTS, SKELETONS

RAW, FRAMES = 40, 30
OFF = AugmentConfig(mirror=0, body_scale=0, bone_scale=0, time_warp=(1.0, 1.0), splice=0, turn=0)
NO_TURNS = FootTurnConfig(share=0, root=0)
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
SIDE = np.array([-1.0, 1.0, 1.0])
mirrored, scaled, turned, rooted = (jax.jit(f) for f in (mirror_body, scale_body, turn_body, turn_root))
pose = jax.jit(Body.posed)
vary = jax.jit(augment_body, static_argnums=(5, 6, 7))


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


def body(frames: int = FRAMES, seed: int = 0) -> Body:
    """A body in motion whose sides differ."""
    motion = moving_body(frames, seed=seed)
    offsets = motion.rest_offsets * np.random.default_rng(seed).uniform(0.9, 1.1, (38, 1)).astype(np.float32)
    return Body(*map(jnp.asarray, (motion.rotations, motion.root_translation, offsets)))


def degrees(rotations) -> np.ndarray:
    rotations = np.asarray(rotations, float)
    angles = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).magnitude()
    return np.degrees(angles).reshape(rotations.shape[:-2])


def between(first, second) -> np.ndarray:
    return degrees(np.swapaxes(np.asarray(first, float), -1, -2) @ np.asarray(second, float))


def assert_rotations(matrices) -> None:
    matrices = np.asarray(matrices, float)
    eye = np.broadcast_to(np.eye(3), matrices.shape)
    np.testing.assert_allclose(matrices @ matrices.swapaxes(-1, -2), eye, atol=2e-5)
    assert (np.linalg.det(matrices) > 0).all()


def bone_lengths(points) -> np.ndarray:
    points, (parents, children) = np.asarray(points), np.array(BONES).T
    return np.linalg.norm(points[..., children, :] - points[..., parents, :], axis=-1)


# --- bodies on the device


def test_bodies_are_posed_on_the_device_as_in_numpy():
    frames, points = pose(body())
    motion = BodyMotion(
        *(np.asarray(part) for part in (body()[1], body()[0], body()[2])), 30.0, np.ones(30, bool)
    )
    true_frames, true_points = posed(motion)
    np.testing.assert_allclose(frames, true_frames, atol=1e-5)
    np.testing.assert_allclose(points, true_points, atol=1e-5)


def test_mirroring_twice_is_nothing_and_mirroring_goes_with_posing():
    original = body()
    once = mirrored(original)
    for again, part in zip(mirrored(once), original, strict=True):
        np.testing.assert_array_equal(again, part)
    frames, points = map(np.asarray, pose(original))
    mirror_frames, mirror_points = pose(once)
    np.testing.assert_allclose(mirror_points, points[:, MIRROR] * SIDE, atol=1e-5)
    joints = MIRROR[: len(BODY_JOINTS)]
    np.testing.assert_allclose(mirror_frames, SIDE[:, None] * frames[:, joints] * SIDE, atol=1e-5)
    assert_rotations(once.rotations)


def test_bones_are_scaled_by_what_was_asked_and_keep_their_frames():
    scale = np.random.default_rng(0).uniform(0.8, 1.2, 38).astype(np.float32)
    (frames, points), (same, larger) = pose(body()), pose(scaled(body(), scale))
    np.testing.assert_array_equal(same, frames)
    expected = bone_lengths(points) * scale[[child for _, child in BONES]]
    np.testing.assert_allclose(bone_lengths(larger), expected, atol=1e-5)
    uniform = pose(scaled(body(), np.full(38, 1.25, np.float32)))[1]
    np.testing.assert_allclose(uniform, 1.25 * np.asarray(points), atol=1e-5)


def test_turns_are_told_in_the_joint_s_own_frame_and_move_what_hangs_on_it():
    turn = np.zeros((FRAMES, 22, 3), np.float32)
    turn[:, ANKLES[0]] = [0.5, 0.2, -0.1]
    (frames, points), (new_frames, new_points) = pose(body()), pose(turned(body(), turn))
    by = Rotation.from_rotvec([0.5, 0.2, -0.1]).as_matrix()
    np.testing.assert_allclose(new_frames[:, ANKLES[0]], np.asarray(frames)[:, ANKLES[0]] @ by, atol=1e-5)
    moved = np.linalg.norm(np.asarray(new_points) - points, axis=-1).max(0) > 1e-4
    assert {CANONICAL[row] for row in np.flatnonzero(moved)} == {
        "left_foot", "left_heel", "left_big_toe", "left_small_toe",
    }  # fmt: skip
    np.testing.assert_allclose(bone_lengths(new_points), bone_lengths(points), atol=1e-5)


def test_a_turned_root_turns_the_clip_as_a_whole_about_its_middle():
    by = Rotation.from_rotvec([1.0, -2.0, 0.4]).as_matrix().astype(np.float32)
    (frames, points), (new_frames, new_points) = pose(body()), pose(rooted(body(), by))
    middle = np.asarray(body().root_translation).mean(0)
    np.testing.assert_allclose(new_points, middle + (np.asarray(points) - middle) @ by.T, atol=1e-5)
    np.testing.assert_allclose(new_frames, by @ np.asarray(frames), atol=1e-5)


# --- a clip's augmentation


def window(seed: int = 0) -> tuple[np.ndarray, ...]:
    original = body(RAW, seed)
    turns = quaternions_from_matrices(np.asarray(original.rotations, float)).astype(np.float32)
    return turns, np.asarray(original.root_translation), np.asarray(original.rest_offsets)


def varied(
    key: int, valid: np.ndarray, augment: AugmentConfig, feet: FootTurnConfig
) -> tuple[Body, np.ndarray]:
    made, real = vary(jax.random.key(key), *window(), valid, FRAMES, augment, feet)
    return made, np.asarray(real)


EVERY = np.ones(RAW, bool)


def test_with_everything_off_a_clip_comes_back_and_padded_frames_are_not_valid():
    for valid in (EVERY, np.arange(RAW) < 20):
        made, real = varied(0, valid, OFF, NO_TURNS)
        for found, part in zip(made, body(RAW), strict=True):
            np.testing.assert_allclose(found, part[:FRAMES] if len(part) == RAW else part, atol=1e-5)
        np.testing.assert_array_equal(real, valid[:FRAMES] & valid[1 : FRAMES + 1])


def test_an_augmented_clip_is_a_body_and_follows_from_its_key_alone():
    made = [varied(key, EVERY, AugmentConfig(), FootTurnConfig()) for key in (0, 0, 1, 2, 3)]
    for (clip, _), again in zip(made[:1], made[1:2], strict=True):
        for part, same in zip(clip, again[0], strict=True):
            np.testing.assert_array_equal(part, same)
    for first, second in itertools.combinations([clip for clip, _ in made[1:]], 2):
        assert np.abs(pose(first)[1] - pose(second)[1]).max() > 0.05
    lengths = np.linalg.norm(body().rest_offsets, axis=-1)
    for clip, real in made:
        assert_rotations(clip.rotations)
        new = np.linalg.norm(clip.rest_offsets, axis=-1)[1:]
        ratio = min(new / lengths[1:], new / lengths[MIRROR][1:], key=np.std)
        config = AugmentConfig()
        most = (1 + config.body_scale) * (1 + config.bone_scale)
        assert (ratio <= most + 1e-6).all() and (ratio >= 2 - most - 0.02).all()
        assert real[:20].all()


def test_bones_are_scaled_alike_left_and_right():
    made, _ = varied(5, EVERY, dataclasses.replace(OFF, body_scale=0.15, bone_scale=0.06), NO_TURNS)
    offsets = np.asarray(made.rest_offsets)
    ratio = np.linalg.norm(offsets, axis=-1)[1:] / np.linalg.norm(body(RAW).rest_offsets, axis=-1)[1:]
    np.testing.assert_allclose(ratio, ratio[MIRROR[1:] - 1], atol=1e-5)
    keys = jax.random.split(jax.random.key(5), 10)
    drawn = random_bone_scale(keys[6], dataclasses.replace(OFF, body_scale=0.15, bone_scale=0.06))
    np.testing.assert_allclose(ratio, drawn[1:], atol=1e-5)


def test_feet_turn_as_far_as_told_and_nothing_else_does():
    config = FootTurnConfig(share=1, root=0)
    before = np.asarray(varied(0, EVERY, OFF, NO_TURNS)[0].rotations)
    after = np.stack([varied(key, EVERY, OFF, config)[0].rotations for key in range(60)])
    other = np.setdiff1d(np.arange(22), ANKLES + BALLS)
    np.testing.assert_array_equal(after[:, :, other], np.broadcast_to(before, after.shape)[:, :, other])
    relative = np.swapaxes(before, -1, -2) @ after
    vectors = Rotation.from_matrix(relative.reshape(-1, 3, 3)).as_rotvec(degrees=True)
    vectors = vectors.reshape(*relative.shape[:-2], 3)
    np.testing.assert_allclose(vectors[:, :, BALLS, 1:], 0, atol=0.02)
    assert np.std(vectors[:, :, BALLS, 0]) == pytest.approx(config.ball_deg, rel=0.3)
    size = np.sqrt((vectors[:, :, ANKLES] ** 2).mean((0, 1, 2)))
    np.testing.assert_allclose(size, [config.flexion_deg, config.other_deg, config.other_deg], rtol=0.35)
    held = np.abs(vectors[:, :, ANKLES].mean(1))
    assert held.mean() > 5, "part of a turn is held over the clip"
    assert np.std(np.diff(vectors[:, :, ANKLES, 0], axis=1)) < 0.2 * config.flexion_deg, "no jitter"


def test_clips_are_turned_over_every_way():
    config = FootTurnConfig(share=0, root=1)
    before, _ = varied(0, EVERY, OFF, NO_TURNS)
    found = []
    for key in range(80):
        made, _ = varied(key, EVERY, OFF, config)
        turn = np.asarray(made.rotations[:, 0]) @ np.asarray(before.rotations[:, 0]).swapaxes(-1, -2)
        np.testing.assert_allclose(turn, np.broadcast_to(turn[0], turn.shape), atol=1e-4)
        np.testing.assert_array_equal(made.rotations[:, 1:], before.rotations[:, 1:])
        found.append(turn[0])
    up = np.stack(found)[:, :, 2]
    assert np.abs(up.mean(0)).max() < 0.25  # deviation of a mean of 80: 0.065
    np.testing.assert_allclose((up**2).mean(0), 1 / 3, atol=0.15)


# --- wrong feet

NOTHING = InitialErrorConfig(**{field.name: 0.0 for field in dataclasses.fields(InitialErrorConfig)})
CLIPS = 40


@functools.cache
def legs() -> tuple[np.ndarray, np.ndarray]:
    """Frames of knees and ankles of a body in motion, feet within 60° of their shins."""
    frames, _ = posed(moving_body(60, turns_rad=0.35))
    knees, ankles = frames[:, [INDEX["left_knee"], INDEX["right_knee"]]], frames[:, ANKLES]
    return knees.astype(np.float32), ankles.astype(np.float32)


def numbers(config) -> dict[str, float]:
    return {name: float(value) for name, value in vars(config).items() if not isinstance(value, tuple)}


def with_traced(config, values: dict[str, jax.Array]):
    """The config with numbers that are not known yet: one compilation for them all."""
    config = copy.copy(config)
    for name, value in values.items():
        object.__setattr__(config, name, value)
    return config


@jax.jit
def _wronged(sizes, keys):
    config = with_traced(NOTHING, sizes)
    return jax.vmap(lambda key: corrupt_feet(key, *map(jnp.asarray, legs()), config))(keys)


def wronged(**changes: float) -> tuple[np.ndarray, np.ndarray]:
    """Many clips' knees and ankles with errors of these sizes and no others."""
    sizes = numbers(dataclasses.replace(NOTHING, **changes))
    knees, ankles = _wronged(sizes, jax.random.split(jax.random.key(0), CLIPS))
    return np.asarray(knees), np.asarray(ankles)


def local(knees, ankles) -> np.ndarray:
    return np.swapaxes(np.asarray(knees), -1, -2) @ np.asarray(ankles)


LARGE = {
    name: size for name, size in numbers(InitialErrorConfig()).items() if name not in ("exact", "absent")
}


def test_exact_clips_stay_as_they_are():
    for knees, ankles in (wronged(exact=1.0, **LARGE), wronged()):
        np.testing.assert_allclose(knees, np.broadcast_to(legs()[0], knees.shape), atol=1e-5)
        np.testing.assert_allclose(ankles, np.broadcast_to(legs()[1], ankles.shape), atol=1e-5)
    knees, ankles = wronged(exact=0.3, **LARGE)
    right = between(ankles, legs()[1]).max((1, 2)) < 0.05
    assert 0.1 < right.mean() < 0.5
    assert between(knees, legs()[0])[right].max() < 0.05


def test_each_error_is_absent_by_itself():
    knees, ankles = wronged(absent=0.4, bias_deg=20.0, knee_bias_deg=20.0)
    shin = between(knees, legs()[0]).max((1, 2)) > 0.1
    foot = between(local(knees, ankles), local(*legs())).max((1, 2)) > 0.1
    for there in (shin, foot):
        assert there.mean() == pytest.approx(0.6, abs=0.2)
    assert (shin & ~foot).any() and (foot & ~shin).any()


def test_what_comes_out_are_rotations():
    for frames in wronged(**LARGE):
        assert_rotations(frames)


def test_feet_go_the_same_share_of_the_way_to_the_rest_pose_all_clip_long():
    knees, ankles = wronged(toward_rest=1.0)
    np.testing.assert_allclose(knees, np.broadcast_to(legs()[0], knees.shape), atol=1e-6)
    true = Rotation.from_matrix(local(*legs()).reshape(-1, 3, 3)).as_rotvec()
    shares = []
    for clip in local(knees, ankles):
        found = Rotation.from_matrix(clip.reshape(-1, 3, 3)).as_rotvec()
        left = (found * true).sum() / (true**2).sum()
        np.testing.assert_allclose(found, left * true, atol=1e-4)
        shares.append(1 - left)
    assert 0 <= min(shares) < 0.1 and 0.9 < max(shares) <= 1 + 1e-5


def test_with_the_whole_share_feet_stand_at_right_angles_to_their_shins(monkeypatch):
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape=(), **_: jnp.ones(shape))
    config = dataclasses.replace(NOTHING, toward_rest=1.0)
    knees, ankles = corrupt_feet(jax.random.key(0), *map(jnp.asarray, legs()), config)
    np.testing.assert_allclose(ankles, knees, atol=1e-6)


def test_feet_that_hold_still_are_not_slowed_down_and_others_are():
    _, slowed = wronged(low_pass_s=0.5)
    speed = lambda frames: between(frames[..., 1:, :, :, :], frames[..., :-1, :, :, :]).mean()  # noqa: E731
    knees = legs()[0]
    moving, true = local(np.broadcast_to(knees, slowed.shape), slowed), local(*legs())
    assert speed(moving) < 0.9 * speed(true)
    still = (knees, knees @ Rotation.from_rotvec([0.4, 0.1, 0]).as_matrix().astype(np.float32))
    config = dataclasses.replace(NOTHING, low_pass_s=0.5)
    _, same = jax.jit(corrupt_feet, static_argnums=3)(jax.random.key(0), *still, config)
    assert between(same, still[1]).max() < 0.05


@pytest.mark.parametrize("name", [name for name in LARGE if name.endswith("_deg")])
def test_each_error_grows_with_its_size_and_has_its_own_course(name):
    small, large = (wronged(**{name: size}) for size in (4.0, 12.0))
    errors = [between(ankles, legs()[1]) for _, ankles in (small, large)]
    assert 0.3 < errors[0].mean() < 4 and errors[1].mean() == pytest.approx(3 * errors[0].mean(), rel=0.05)
    step = np.abs(np.diff(errors[1], axis=1)).mean() / errors[1].mean()
    if "knee" in name:
        shins, feet = (between(new, old) for new, old in zip(large, legs(), strict=True))
        np.testing.assert_allclose(feet, shins, atol=0.02)  # the shin carries its foot along
        np.testing.assert_allclose(local(*large), np.broadcast_to(local(*legs()), large[0].shape), atol=1e-4)
    else:
        np.testing.assert_allclose(large[0], np.broadcast_to(legs()[0], large[0].shape), atol=1e-6)
    assert np.abs(errors[1][..., 0] - errors[1][..., 1]).mean() > 0.1, "each foot has its own"
    if "bias" in name:
        assert step < 1e-3
    else:
        assert 0.2 < step if "jitter" in name else 0.005 < step < 0.2


def test_all_errors_together_grow_with_their_sizes():
    mean = []
    for share in (0, 0.5, 1):
        _, ankles = wronged(**{name: share * size for name, size in LARGE.items()})
        mean.append(between(ankles, legs()[1]).mean())
    assert mean[0] < 0.05 and 3 < mean[1] < 0.8 * mean[2] and mean[2] < 30


# --- detections

VIEW = look_at(jnp.asarray([0.0, -14.0, 1.2]), jnp.asarray([0.0, 0.0, 0.9]))
CLEAN = FootDetectorConfig(clean=1, hide=0)
NOISELESS = FootDetectorConfig(clean=0, jitter_m=0, bias_m=0, peak_m=0, drop=0, hide=0, box=0)
DETECTIONS = 120


@functools.cache
def people() -> np.ndarray:
    """Points of somebody who stays near the middle of the picture. (time, 38, 3)"""
    motion = moving_body(24, turns_rad=0.4)
    _, points = posed(
        motion._replace(root_translation=motion.root_translation * 0 + np.float32([0, 0, 0.95]))
    )
    return points.astype(np.float32)


@jax.jit
def _seen(sizes, keys):
    config = with_traced(CLEAN, sizes)
    return jax.vmap(lambda key: detect_feet(key, VIEW, jnp.asarray(people()), config))(keys)


def seen_by(config: FootDetectorConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Many clips' foot points, which are seen, and boxes."""
    made = _seen(numbers(config), jax.random.split(jax.random.key(0), DETECTIONS))
    return tuple(np.asarray(part) for part in made)


def true_points() -> np.ndarray:
    """Where the camera has every canonical point, normalised."""
    return np.asarray(project(VIEW, jnp.asarray(people().reshape(-1, 3)))).reshape(-1, 38, 2)


def test_formats_with_feet_are_all_there_are():
    assert set(FOOT_FORMATS) == {name for name, skeleton in SKELETONS.items() if shows_feet(skeleton)}


@pytest.mark.parametrize("config", [CLEAN, NOISELESS], ids=["clean", "noise of size zero"])
def test_a_clean_detector_tells_the_truth_in_a_box_around_its_format_s_points(config):
    points, seen, box = seen_by(config)
    back = box[..., None, :2] + points * box[..., None, 2:] / 2
    np.testing.assert_allclose(back, np.broadcast_to(true_points()[:, FOOT_ROWS], back.shape), atol=1e-5)
    boxes = [
        person_box(true_points(), np.broadcast_to(SKELETONS[name].present, (24, 38))) for name in FOOT_FORMATS
    ]
    nearest = [min(np.abs(found - b).max() for b in boxes) for found in box]
    assert max(nearest) < 1e-5
    assert np.abs(points[seen]).max() <= 1 / BOX_MARGIN + 1e-5


def test_formats_without_small_toes_are_met_in_their_share_of_clips():
    _, seen, _ = seen_by(CLEAN)
    np.testing.assert_array_equal(seen.any(1), seen.all(1))
    toes = np.array(["small_toe" in name for name in FOOT_KEYPOINTS])
    assert seen[..., ~toes].all()
    lacking = (~seen[:, 0][:, toes]).all(-1)
    without = [name for name in FOOT_FORMATS if not SKELETONS[name].present[INDEX["left_small_toe"]]]
    assert lacking.mean() == pytest.approx(len(without) / len(FOOT_FORMATS), abs=0.09)


def test_what_hangs_on_a_missing_joint_is_missing_with_it():
    _, seen, _ = seen_by(dataclasses.replace(NOISELESS, drop=0.3))
    feet = seen.reshape(*seen.shape[:-1], 2, 4)
    ankle, big_toe, heel = (
        feet[..., FOOT_KEYPOINTS.index(f"left_{p}")] for p in ("ankle", "big_toe", "heel")
    )
    assert not (~ankle & (big_toe | heel)).any()
    # hip, knee, ankle; then the heel itself, or the ball and the toe
    for found, chain in ((ankle, 3), (heel, 4), (big_toe, 5)):
        assert found.mean() == pytest.approx(0.7**chain, abs=0.03)


def test_a_dropped_joint_takes_its_descendants_and_nobody_else():
    own = np.asarray(foot_detector._dropped(jax.random.key(0), 500, jnp.asarray(0.1)))
    for row in range(1, 38):
        parent = PARENTS[row]
        if parent > 0:
            assert own[own[:, parent], row].all()
    assert (~own[own[:, 0]]).any(0)[1:].all(), "a missing pelvis does not hide the body"
    assert own[:, INDEX["spine1"]].mean() == pytest.approx(0.1, abs=0.04)


def test_hidden_legs_are_hidden_for_one_run_of_frames():
    _, seen, _ = seen_by(dataclasses.replace(CLEAN, hide=1))
    rows = seen[..., 0]
    np.testing.assert_array_equal(rows, seen[..., FOOT_KEYPOINTS.index("right_heel")])
    assert (np.abs(np.diff(rows.astype(int), axis=1)).sum(1) <= 2).all()
    assert (~rows).any(1).mean() > 0.6 and rows.any()


def test_points_leave_the_truth_by_what_is_said():
    # metres at the foot: an image point's error times the foot's depth
    depth = np.asarray(people() @ np.asarray(VIEW.cam_from_world).T + np.asarray(VIEW.translation))[
        :, FOOT_ROWS, 2
    ]

    def errors(**changes: float) -> np.ndarray:
        points, _, box = seen_by(dataclasses.replace(NOISELESS, **changes))
        return (box[..., None, :2] + points * box[..., None, 2:] / 2 - true_points()[:, FOOT_ROWS]) * depth[
            ..., None
        ]

    jitter, bias, peaks = errors(jitter_m=0.02), errors(bias_m=0.02, together=0), errors(peak_m=0.5)
    for found in (jitter, bias):  # a clip's own share is uniform: a third of the square
        assert found.std() == pytest.approx(0.02 / np.sqrt(3), rel=0.15)
    assert np.abs(np.diff(bias, axis=1)).max() < 0.2 * np.abs(bias).max(), "held over the clip"
    assert np.abs(jitter.mean(1)).mean() < 0.4 * np.abs(jitter).mean()
    wild = np.linalg.norm(peaks, axis=-1) > 0.02
    assert wild.mean() == pytest.approx(FootDetectorConfig().peaks, rel=0.3)
    for k in (2, 4):
        assert errors(jitter_m=k * 0.01).std() == pytest.approx(k * errors(jitter_m=0.01).std(), rel=0.05)


def test_a_detector_that_trembles_is_off_as_well():
    def sizes(together: float) -> tuple[np.ndarray, np.ndarray]:
        config = dataclasses.replace(NOISELESS, jitter_m=0.02, bias_m=0.02, together=together)
        points, _, box = seen_by(config)
        error = box[..., None, :2] + points * box[..., None, 2:] / 2 - true_points()[:, FOOT_ROWS]
        return error.std(1).mean((1, 2)), np.sqrt((error.mean(1) ** 2).mean((1, 2)))

    apart, half, one = (np.corrcoef(*sizes(together))[0, 1] for together in (0.0, 0.5, 1.0))
    assert abs(apart) < 0.3 and 0.45 < half < one and one > 0.85


def test_a_box_is_off_by_a_share_of_its_side_all_clip_long():
    _, _, right = seen_by(NOISELESS)
    _, _, off = seen_by(dataclasses.replace(NOISELESS, box=0.05))
    share = (off - right) / right[..., 2:]
    np.testing.assert_allclose(share, share[:, :1].repeat(24, 1), atol=1e-4)
    assert share[:, 0].std() == pytest.approx(0.05, rel=0.15)


# --- boxes


@pytest.mark.parametrize("library", [np, jnp], ids=["numpy", "jax"])
def test_the_box_holds_what_is_shown_with_a_margin_and_is_square(library):
    draw = np.random.default_rng(0)
    n, shown = draw.normal(size=(20, 38, 2)), draw.random((20, 38)) < 0.4
    shown[3], shown[4] = False, np.arange(38) == 7
    wild = np.where(shown[..., None], n, np.nan)
    box = person_box(library.asarray(wild, library.float32), library.asarray(shown))
    assert isinstance(box, np.ndarray) == (library is np)
    inside = np.asarray(in_box(library.asarray(n, library.float32), box))
    longest = np.abs(np.where(shown[..., None], inside, 0)).max((1, 2))
    several = shown.sum(1) > 1
    np.testing.assert_allclose(longest[several], 1 / BOX_MARGIN, atol=1e-5)
    middle = np.where(shown[..., None], inside, np.nan)[several]
    assert np.abs(np.nanmax(middle, 1) + np.nanmin(middle, 1)).max() < 1e-5
    np.testing.assert_allclose(box[3], [0, 0, 1])
    np.testing.assert_allclose(box[4], [*n[4, 7], BOX_MARGIN * 1e-3], atol=1e-6)


def test_boxed_points_do_not_change_with_the_picture_s_place_and_scale():
    n = np.random.default_rng(0).normal(size=(5, 38, 2))
    shown = np.ones((5, 38), bool)
    moved = 3 * n + [2.0, -1.0]
    boxed = [in_box(x[:, FOOT_ROWS], person_box(x, shown)) for x in (n, moved)]
    np.testing.assert_allclose(boxed[1], boxed[0], atol=1e-12)


# --- windows of bodies


def bodies(*lengths: int) -> list[BodyMotion]:
    """Bodies whose roots tell the clip (x) and the frame (y)."""
    made = []
    for i, length in enumerate(lengths):
        root = np.stack([np.full(length, i), np.arange(length), np.ones(length)], 1).astype(float)
        motion = moving_body(length, seed=i, turns_rad=2.0)
        made.append(motion._replace(root_translation=root, rest_offsets=motion.rest_offsets * (1 + i)))
    return made


@pytest.mark.parametrize("reader", ["grain", "numpy"])
def test_a_window_is_consecutive_frames_of_one_body(reader):
    if reader == "grain":
        pytest.importorskip("grain")
    config, clips = WindowConfig(frames=8, batch=4, reader=reader), bodies(50, 90, 7)
    for batch in itertools.islice(body_window_batches(clips, config, Stream(seed=0)), 12):
        assert set(batch) == {"quaternions", "root_translation", "rest_offsets", "frames_valid"}
        assert batch["quaternions"].shape == (4, 11, 22, 4)
        assert {part.dtype for name, part in batch.items() if name != "frames_valid"} == {
            np.dtype(np.float32)
        }
        assert (np.diff(batch["quaternions"], axis=1) ** 2).sum(-1).max() < 2, "no sign jumps"
        for window in range(4):
            clip, start = batch["root_translation"][window, 0, :2].astype(int)
            body = clips[clip]
            frames = np.minimum(start + np.arange(11), len(body.rotations) - 1)
            np.testing.assert_array_equal(batch["root_translation"][window], body.root_translation[frames])
            np.testing.assert_array_equal(
                batch["frames_valid"][window], start + np.arange(11) < len(body.rotations)
            )
            np.testing.assert_allclose(batch["rest_offsets"][window], body.rest_offsets, rtol=1e-6)
            turns = np.roll(batch["quaternions"][window].astype(float), -1, -1).reshape(-1, 4)
            matrices = Rotation.from_quat(turns).as_matrix().reshape(11, 22, 3, 3)
            np.testing.assert_allclose(matrices, body.rotations[frames], atol=1e-5)


def test_windows_of_bodies_go_on_from_any_step_and_refuse_what_cannot_be():
    config, clips = WindowConfig(frames=8, batch=4, reader="numpy"), bodies(50, 90)
    whole = list(itertools.islice(body_window_batches(clips, config, Stream(seed=3)), 6))[4]
    resumed = next(body_window_batches(clips, config, Stream(seed=3, start_step=4)))
    for name, part in whole.items():
        np.testing.assert_array_equal(resumed[name], part)
    with pytest.raises(ValueError, match="no clips"):
        body_window_batches([], config, Stream(seed=0))
    with pytest.raises(ValueError, match="one rate"):
        body_window_batches([clips[0], resting_body(20)._replace(fps=60.0)], config, Stream(seed=0))
