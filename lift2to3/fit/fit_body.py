"""Joints in the world → a posed body: one set of bones for the whole clip, joint rotations, and the root.

The last step of Mocap-2-to-3 (there SMPLify), on our own skeleton and so without a licensed model. The
points pull, each as firmly as it is known; a pose prior from mocap decides what they leave open, such as
the twist of a stretched arm; joints stay in their ranges and standing feet stay where they are.
"""

from __future__ import annotations

import dataclasses
import functools
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from lift2to3.contact import CONTACT_ROWS, contact_labels
from lift2to3.conventions import MODEL_FPS, NEAR_M
from lift2to3.disk_cache import use_disk_cache
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.first_pose import first_rest_offsets, first_rotations, measured_rest_offsets
from lift2to3.fit.pose_problem import (
    SHAPES,
    Posed,
    PosePrior,
    Problem,
    Weights,
    learned_prior,
    of_numpy,
    smoothed,
)
from lift2to3.fit.pose_solver import solve
from lift2to3.fit.pose_windows import (
    OVERLAP_FRAMES,
    WINDOW_FRAMES,
    Poses,
    even_starts,
    joined,
    poses_of,
    rotations_of,
)
from lift2to3.geometry.cameras import Camera, View
from lift2to3.keypoints import Keypoints
from lift2to3.motion import BodyMotion, Motion, motion_hash
from lift2to3.progress import ProgressCallback
from lift2to3.resample import bridge_gaps
from lift2to3.skeletons import CANONICAL, INDEX, PARENTS, TREE_ORDER

_THREADS: Final = 2  # windows solved at once; the solver's own work goes from frame to frame
_SETTLED: Final = 0.01  # a step that lowers the energy by less than this share is the last
_HUGE: Final = 1e15  # error beyond which one would count less: all are taken as they are
_FIXED: Final = 1e8  # precision of the bones, which are no unknowns
_MEASURED_FRAMES: Final = 512  # the bones are measured on this many frames at most


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How firmly each term pulls: standard deviations, so metres and radians.

    Attributes:
        point_m: of a point whose spread is the clip's median or less; of others as many times more.
        depth: how many times less certain a point is along the ray that saw it than across.
        prior: weight of the pose prior beside one frame's points.
        prior_floor_rad: added to every deviation of the prior: none of a pose's numbers is that sure.
        limit_rad: beyond a joint's range.
        turn_rad, step_m: change from frame to frame that differs from the smoothed one, at 30 fps.
        smooth_seconds: deviation of the Gaussian that smooths it.
        planted_m: a standing contact point from frame to frame.
        floor_m: its height over the floor.
        under_floor_m: any point under the floor.
        iterations: Gauss–Newton steps a window.
    """

    point_m: float = 0.01
    depth: float = 2.0
    prior: float = 0.1
    prior_floor_rad: float = 0.035
    limit_rad: float = 0.05
    turn_rad: float = 0.1
    step_m: float = 0.02
    smooth_seconds: float = 0.05
    planted_m: float = 0.004
    floor_m: float = 0.02
    under_floor_m: float = 0.01
    iterations: int = 8


def fit_body(
    motion: Motion,
    keypoints: Keypoints | None = None,
    camera: Camera | None = None,
    config: FitConfig | None = None,
    progress: ProgressCallback | None = None,
) -> BodyMotion:
    """Fit our skeleton to a motion's points, over the whole clip.

    Args:
        motion: canonical points in the world; NaN where not valid.
        keypoints: what the camera saw, with `camera`: points may then give way along their rays.
        camera: the calibrated camera of the keypoints.
        config: weights.
        progress: called as windows get done.

    Raises:
        ValueError: no frame with enough valid points, points that are no body, or keypoints of another
            length than the motion.
    """
    config = config or FitConfig()
    valid = np.isfinite(motion.joints_world).all(-1) & motion.valid
    _check(motion, valid, keypoints, camera)
    use_disk_cache()
    prior = load_body_prior()
    points = _filled(motion.joints_world.astype(float), valid)
    weight = _precision(valid, motion.spread, config)
    frames_valid = valid.sum(1) >= _ENOUGH
    chosen = np.flatnonzero(frames_valid)
    chosen = chosen[:: max(1, len(chosen) // _MEASURED_FRAMES)]
    offsets = first_rest_offsets(points[chosen], prior)
    for _ in range(2):
        rotations = first_rotations(points[chosen], weight[chosen], offsets, prior)
        offsets = measured_rest_offsets(points[chosen], weight[chosen], rotations, offsets, prior)
    rotations = first_rotations(points, weight, offsets, prior)
    root = points[:, INDEX["pelvis"]]
    mean = prior.mean_rotations.astype(float)
    begin = poses_of(rotations, root, mean)
    seen = _seen(keypoints, valid.shape)
    problem = _clip_problem(points, weight, camera, seen, begin, offsets, motion.fps, config)
    pose_prior = learned_prior(config.prior, config.prior_floor_rad)
    poses = _solve_windows(
        begin, problem, pose_prior, _weights(motion.fps, config), config.iterations, progress
    )
    rotations = rotations_of(poses, mean)
    root, rotations, offsets = (part.astype(np.float32) for part in (poses.root, rotations, offsets))
    whose, first = motion_hash(motion), motion.first_frame
    return BodyMotion(root, rotations, offsets, motion.fps, frames_valid, whose, first)


# --- what goes in

_ENOUGH: Final = 12  # points of a frame that hold a body in place


def _check(motion: Motion, valid: np.ndarray, keypoints: Keypoints | None, camera: Camera | None) -> None:
    if tuple(motion.joint_names) != CANONICAL:
        raise ValueError(
            f"the motion has {len(motion.joint_names)} joints ({', '.join(motion.joint_names[:3])}, …); "
            f"wanted the {len(CANONICAL)} canonical points that lift2to3.lift returns"
        )
    if not (valid.sum(1) >= _ENOUGH).any():
        raise ValueError(
            f"no frame has {_ENOUGH} or more valid points (the best has {valid.sum(1).max(initial=0)} of "
            f"{len(CANONICAL)}): nothing to fit a body to"
        )
    if (keypoints is None) != (camera is None):
        raise ValueError("keypoints and camera go together; one of them is missing")
    if keypoints is not None and len(keypoints.xy_px) != len(motion.joints_world):
        raise ValueError(
            f"keypoints have {len(keypoints.xy_px)} frames, the motion {len(motion.joints_world)}; "
            "wanted those that it was lifted from"
        )


def _filled(
    points: Float[np.ndarray, "time 38 3"], valid: Bool[np.ndarray, "time 38"]
) -> Float[np.ndarray, "time 38 3"]:
    """Gaps bridged in time; a point never seen goes to its parent, a root never seen amid the others."""
    filled = bridge_gaps(points, valid)
    for row in (row for row in TREE_ORDER if not valid[:, row].any()):
        if PARENTS[row] >= 0:
            filled[:, row] = filled[:, PARENTS[row]]
        else:
            total = np.sum(points, axis=1, where=valid[..., None])
            count = valid.sum(1, keepdims=True)
            filled[:, row] = bridge_gaps(total / np.maximum(count, 1), count[:, 0] > 0)
    return filled


def _precision(
    valid: Bool[np.ndarray, "time 38"], spread: Float[np.ndarray, "time 38"], config: FitConfig
) -> Float[np.ndarray, "time 38"]:
    """How firmly each point is known, per square metre.

    A spread tells which points to trust less than the clip's others, no more: most of it is where the whole
    body stands, which bends no joint.
    """
    known = spread[valid & np.isfinite(spread)]
    typical = float(np.median(known)) if known.size else 0.0
    times = np.maximum(np.nan_to_num(spread) / typical, 1.0) if typical > 0 else np.ones_like(spread)
    return np.where(valid, (config.point_m * times) ** -2.0, 1e-2 / config.point_m**2)


def _seen(keypoints: Keypoints | None, shape: tuple[int, int]) -> Bool[np.ndarray, "time 38"]:
    """Which points have a keypoint."""
    seen = np.zeros(shape, bool)
    if keypoints is not None:
        rows = keypoints.skeleton.rows
        seen[:, rows[rows >= 0]] = keypoints.confidence[:, rows >= 0] > 0
    return seen


# --- the fit


def _solve_windows(
    begin: Poses, problem: Problem, prior: PosePrior, weights: Weights, iterations: int,
    progress: ProgressCallback | None,
) -> Poses:  # fmt: skip
    """The whole clip's problem, solved window by window; each is faded into the next."""
    starts = even_starts(len(begin.root), WINDOW_FRAMES, OVERLAP_FRAMES)

    def solved(start: int) -> Poses:
        posed = begin.at(start + np.arange(WINDOW_FRAMES), np.zeros(len(SHAPES)))
        window = _cut(problem, start)
        posed, _, _ = solve(posed, window, prior, weights, iterations, _SETTLED, small_steps=1)
        return Poses(*(np.asarray(part, float) for part in posed[:3]))

    parts: list[Poses] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        # the first one alone: what it compiles serves the others
        for poses in chain([solved(0)], pool.map(solved, starts[1:].tolist())):
            parts.append(poses)
            if progress is not None:
                progress(len(parts), len(starts))
    return joined(parts, starts, len(begin.root))


def _clip_problem(
    points: Float[np.ndarray, "time 38 3"],
    precision: Float[np.ndarray, "time 38"],
    camera: Camera | None,
    seen: Bool[np.ndarray, "time 38"],
    begin: Poses,
    offsets: Float[np.ndarray, "38 3"],
    fps: float,
    config: FitConfig,
) -> Problem:
    """Of all frames at once."""
    rates = np.diff(np.asarray(smoothed(of_numpy(Posed, *begin, np.zeros(len(SHAPES))))), axis=0)
    if len(points) > 1:
        rates = gaussian_filter1d(rates, config.smooth_seconds * fps, axis=0)
    contacts = contact_labels(points[:, CONTACT_ROWS], fps)
    on_floor = np.zeros(points.shape[:2])
    on_floor[:, CONTACT_ROWS] = contacts / config.floor_m**2
    along_rays = np.where(seen, config.depth**-2.0, 1.0) * precision
    view, n, depth = _rays(points, camera)
    parts = (
        offsets, n, (precision - along_rays) * depth**2, points, along_rays, on_floor,
        (contacts[1:] & contacts[:-1]) / config.planted_m**2, rates, np.ones(len(points)),
        np.full(len(SHAPES), _FIXED),
    )  # fmt: skip
    return of_numpy(functools.partial(Problem, view), *parts)


def _rays(
    points: Float[np.ndarray, "time 38 3"], camera: Camera | None
) -> tuple[View, np.ndarray, np.ndarray]:
    """The camera, where it would see these points, and how far away along its axis."""
    if camera is None:
        nowhere = of_numpy(View, np.eye(3), np.zeros(3))
        return nowhere, np.zeros((*points.shape[:2], 2)), np.zeros(points.shape[:2])
    in_camera = points @ camera.R.T + camera.t
    depth = np.maximum(in_camera[..., 2], NEAR_M)
    return of_numpy(View, camera.R, camera.t), in_camera[..., :2] / depth[..., None], depth


def _weights(fps: float, config: FitConfig) -> Weights:
    slower = (fps / MODEL_FPS) ** 2  # a frame is shorter at a higher rate, and what changes in it smaller
    turn, step = slower / config.turn_rad**2, slower / config.step_m**2
    limit = config.prior / config.limit_rad**2
    return Weights(_HUGE, _HUGE, limit, config.under_floor_m**-2.0, turn, turn, step, 0.0, 0.0, 0.0)


def _cut(problem: Problem, start: int) -> Problem:
    """A window of the clip's problem; nothing pulls past the clip's end."""

    def rows(name: str, value: Any) -> np.ndarray:
        if name in ("rest_offsets", "shape_precision"):
            return value
        frames = WINDOW_FRAMES - (name in ("planted", "rates"))
        value = value[start : start + frames]
        return np.pad(value, ((0, frames - len(value)), *((0, 0),) * (value.ndim - 1)))

    parts = {name: rows(name, value) for name, value in problem._asdict().items() if name != "view"}
    return problem._replace(**parts)
