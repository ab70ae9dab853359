"""Clips as their feet are given to be refined: what is true, the initial body, the keypoints, the camera.

Clips and cameras are those of the fixed protocol (`experiments.protocol`). The initial body is the true one
as an estimator of whole bodies would have it: feet and shins err as `ESTIMATED` says, the forefoot is
straight, the bones have ordinary proportions in the person's size. "Held": ankles are off by a constant
angle and by nothing else, so that only the keypoints give them away. "Lifted": the initial body is a real
estimate, the lifter's own without its last step. "Extreme" clips are turned over by a random rotation and
their feet pointed by 40° to 60° or turned inwards by 30°.
"""

import dataclasses
import functools
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from experiments.methods import quietly
from experiments.protocol import Trial, inside_picture
from lift2to3 import BodyMotion, Camera, Keypoints, Lifter, as_keypoints, fit_body
from lift2to3.body import REFERENCE_LEG_M, leg_length, local_rotations
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.initial_feet import InitialErrorConfig, corrupt_feet
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.skeletons import get_skeleton, rows_by_side

Case = Literal["estimated", "held", "lifted", "right already", "no foot keypoints", "extreme"]
FootNoise = Literal["gt", "feet", "noisy"]
FORMAT = "halpe26"
KNEES, ANKLES, BALLS = rows_by_side("knee", "ankle", "foot").T
SOLES = rows_by_side("heel", "big_toe", "small_toe")

ESTIMATED = InitialErrorConfig(
    exact=0.0, absent=0.0, toward_rest=1.0, low_pass_s=0.3, bias_deg=10.0, wander_deg=8.0, jitter_deg=2.5,
    knee_bias_deg=4.0, knee_wander_deg=3.0, knee_jitter_deg=0.0,
)  # fmt: skip
"""How feet and shins of an estimated body err in this comparison, whatever a lifter was trained on."""

HELD_DEG = 20.0
"""By how much held ankles are off, each about an axis of its own."""


class Scene(NamedTuple):
    """One clip in one camera: what is true, what is known."""

    true: BodyMotion
    true_points: np.ndarray
    true_px: np.ndarray
    initial: BodyMotion
    keypoints: Keypoints
    camera: Camera


_corrupt = jax.jit(corrupt_feet, static_argnums=3)
_lift = functools.cache(lambda: quietly(Lifter.from_pretrained(), feet=False))


def estimated(true: BodyMotion, errors: InitialErrorConfig, seed: list[int]) -> BodyMotion:
    """The body as an estimator of whole bodies would have it."""
    frames = true.posed()[0].copy()
    padded = np.concatenate([frames, np.repeat(frames[-1:], -len(frames) % 256, 0)])  # few lengths to compile
    key = jax.random.key(np.random.default_rng(seed).integers(2**31))
    knees, ankles = _corrupt(key, jnp.asarray(padded[:, KNEES]), jnp.asarray(padded[:, ANKLES]), errors)
    frames[:, KNEES], frames[:, ANKLES] = knees[: len(frames)], ankles[: len(frames)]
    return ordinary(true._replace(rotations=local_rotations(frames)))


def held_off(true: BodyMotion, seed: list[int]) -> BodyMotion:
    """The true body, but that each ankle is off by `HELD_DEG` about an axis of its own, all clip long."""
    axes = np.random.default_rng([*seed, 2]).standard_normal((2, 3))
    vectors = np.radians(HELD_DEG) * axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    rotations = true.rotations.copy()
    rotations[:, ANKLES] = rotations[:, ANKLES] @ Rotation.from_rotvec(vectors).as_matrix()
    return ordinary(true._replace(rotations=rotations))


def ordinary(body: BodyMotion) -> BodyMotion:
    """The body with bones of ordinary proportions, in the person's size, and straight forefeet."""
    offsets = load_body_prior().rest_offsets * (leg_length(body.rest_offsets) / REFERENCE_LEG_M)
    rotations = body.rotations.copy()
    rotations[:, BALLS] = np.eye(3)
    return body._replace(rotations=rotations, rest_offsets=offsets.astype(float))


def pointed(true: BodyMotion, seed: list[int]) -> BodyMotion:
    """The clip turned over, feet pointed (or, one in three, turned inwards)."""
    generator = np.random.default_rng(seed)
    middle = true.root_translation.mean(0)
    turn = Rotation.from_quat(generator.standard_normal(4)).as_matrix()
    rotations = true.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    for side, ankle in zip((1, -1), ANKLES, strict=True):
        flexion, inwards = generator.uniform(40, 60), side * 30
        angle = (0, -inwards, 0) if generator.random() < 1 / 3 else (flexion, 0, 0)
        rotations[:, ankle] = rotations[:, ankle] @ Rotation.from_rotvec(np.radians(angle)).as_matrix()
    root = middle + (true.root_translation - middle) @ turn.T
    return true._replace(rotations=rotations, root_translation=root)


def scene(trial: Trial, camera_index: int, case: Case, noise: FootNoise, errors: InitialErrorConfig) -> Scene:
    """The trial as one case."""
    true = body_motion(trial.clip)
    seed = [camera_index, *map(ord, trial.clip.clip)]
    points, pixels = trial.clip.points_world.astype(float), trial.pixels
    if case == "extreme":
        true = pointed(true, seed)
        points = true.posed()[1]
        pixels = inside_picture(trial.camera, points)
    if case == "right already":
        errors = dataclasses.replace(errors, exact=1.0)
    keypoints = trial._replace(pixels=pixels).keypoints(FORMAT, "gt" if noise == "feet" else noise)
    if noise == "feet":
        keypoints = with_foot_noise(keypoints, points, trial.camera, seed)
    if case == "no foot keypoints":
        keypoints = without_feet(keypoints)
    match case:
        case "lifted":
            initial = fit_body(_lift()(keypoints, trial.camera))
        case "held":
            initial = held_off(true, seed)
        case _:
            initial = estimated(true, errors, seed)
    return Scene(true, points, pixels, initial, keypoints, trial.camera)


def with_foot_noise(keypoints: Keypoints, points: np.ndarray, camera: Camera, seed: list[int]) -> Keypoints:
    """Errors of a foot detector: 10 mm held, 5 mm jitter, 24 mm now and then; 3 % missing."""
    generator = np.random.default_rng([*seed, 1])
    moved = points + 0.010 * generator.standard_normal((1, *points.shape[1:]))
    wild = generator.random((*points.shape[:2], 1)) < 0.02
    moved += np.where(wild, 0.024, 0.005) * generator.standard_normal(points.shape)
    xy = inside_picture(camera, moved)[:, get_skeleton(FORMAT).rows]
    missed = generator.random(xy.shape[:2]) < 0.03
    return as_keypoints(np.where(missed[..., None], np.nan, xy), skeleton=FORMAT, fps=keypoints.fps)


def without_feet(keypoints: Keypoints) -> Keypoints:
    """The same with ankles, heels and toes missing."""
    feet = np.array(
        [any(p in joint for p in ("ankle", "heel", "toe")) for joint in keypoints.skeleton.joints]
    )
    confidence = np.where(feet[None], 0.0, keypoints.confidence)
    return as_keypoints(keypoints.xy_px, confidence, keypoints.skeleton, keypoints.fps)
