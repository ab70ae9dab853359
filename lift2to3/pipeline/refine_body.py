"""A posed body that explains the keypoints best, as SMPLify does, with time and a floor.

After "Keep it SMPL" (Bogo et al. 2016), on our own skeleton: robust reprojection, a learned Gaussian over
poses, joint limits; and what a clip and a calibrated camera add: smoothness, a floor that holds standing feet
at their height and in their place, one set of bones for the whole clip. The size of a body seen by one camera
is known by its feet on the floor, and otherwise by the spread of statures (`SmplifyConfig.size_share`).

`refine_body` starts from a lifted motion. `optimise` knows the keypoints alone; a person may then face
anywhere: every window of the clip is solved coarsely from four headings, and the sequence of windows of least
energy whose ends meet is kept. Either way it is then solved at full rate.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.contact import CONTACT_ROWS, contact_labels
from lift2to3.conventions import MODEL_FPS
from lift2to3.disk_cache import use_disk_cache
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.fit_body import fit_body
from lift2to3.fit.pose_problem import SHAPES, Posed, PosePrior, rest_offsets
from lift2to3.fit.pose_solver import solve, spread_of
from lift2to3.fit.pose_windows import (
    Poses,
    even_starts,
    fade_in,
    points_at,
    poses_at_rate,
    poses_of,
    rotations_of,
)
from lift2to3.fit.smplify_search import common_shape, search
from lift2to3.fit.smplify_terms import (
    SeenClip,
    SmplifyConfig,
    pose_prior,
    seen_clip,
    shape_precision,
    weights_at,
    window_problem,
)
from lift2to3.geometry.cameras import Camera, View
from lift2to3.keypoints import Keypoints
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.motion import BodyMotion, Motion
from lift2to3.pipeline.canonical_clip import CanonicalClip, canonical_clip, smoothed
from lift2to3.pipeline.windows import supported
from lift2to3.progress import ProgressCallback
from lift2to3.resample import nearest_rotations, resample_points

_SEAM_M: Final = 0.02  # how firmly a window begins where the last one ended
_FIXED: Final = 1e8  # precision of a shape that is no unknown

_prior = functools.cache(pose_prior)


class _State(NamedTuple):
    """Where solving starts and ends, in the clip's frame at the models' rate."""

    poses: Poses
    bones: Float[np.ndarray, "38 3"]
    shape: Float[np.ndarray, " shapes"]


def refine_body(
    motion: Motion,
    keypoints: Keypoints,
    camera: Camera,
    config: SmplifyConfig | None = None,
    progress: ProgressCallback | None = None,
) -> BodyMotion:
    """A posed body, from a lifted motion on: closer to the keypoints, smoother, on feet that slide less.

    Args:
        motion: of these keypoints, as `lift2to3.lift` returns it: its points are where the solver starts,
            and pull as firmly as their spread and `SmplifyConfig.start_m` say.
        keypoints: what `lift2to3.as_keypoints` returns.
        camera: the camera that saw them; its extrinsics define the world.
        config: how firmly each term pulls.
        progress: called as windows get done.

    Raises:
        ValueError: camera and keypoints that cannot belong together, or a motion of another length.
    """
    if len(motion.joints_world) != len(keypoints.xy_px):
        raise ValueError(
            f"the motion has {len(motion.joints_world)} frames, the keypoints {len(keypoints.xy_px)}; "
            "wanted a motion lifted from these keypoints"
        )
    config = config or SmplifyConfig()
    seen, clip = _seen(keypoints, camera, config)
    clip, start = _from_motion(motion, seen, clip, config)
    solved, _ = _solve(clip, start, config, shape_precision(config, True), progress, spread=False)
    return _as_body(solved, seen, keypoints)


def optimise(
    keypoints: Keypoints,
    camera: Camera,
    config: SmplifyConfig | None = None,
    progress: ProgressCallback | None = None,
) -> Motion:
    """A motion, and its body, by optimisation from the keypoints alone: a baseline without a lifter.

    The spread is that of the energy's Gaussian approximation at its minimum (Laplace's): what keypoints,
    prior and smoothness leave open once the heading is right.

    Args:
        keypoints: what `lift2to3.as_keypoints` returns.
        camera: the camera that saw them; its extrinsics define the world.
        config: how firmly each term pulls, and how the search goes.
        progress: called as windows get done, after the search.

    Raises:
        ValueError: camera and keypoints that cannot belong together.
    """
    config = config or SmplifyConfig()
    seen, clip = _seen(keypoints, camera, config)
    bones = load_body_prior().rest_offsets.astype(float)
    poses, shape = search(clip, bones, _prior(config), config)
    start = _State(poses, bones, shape)
    solved, spread = _solve(clip, start, config, shape_precision(config, False), progress, spread=True)
    body = _as_body(solved, seen, keypoints)
    spread = resample_points(spread, MODEL_FPS, keypoints.fps, len(body.valid)).clip(0.0)
    return body.motion(spread.astype(np.float32))


def _seen(keypoints: Keypoints, camera: Camera, config: SmplifyConfig) -> tuple[CanonicalClip, SeenClip]:
    use_disk_cache()
    seen = canonical_clip(keypoints, camera, MultiViewConfig())
    return seen, seen_clip(View(*map(jnp.asarray, seen.view)), seen.n, seen.confidence, config)


def _from_motion(
    motion: Motion, seen: CanonicalClip, clip: SeenClip, config: SmplifyConfig
) -> tuple[SeenClip, _State]:
    """The clip drawn to the motion's points, and a body fitted to the motion."""
    turn, origin = np.asarray(seen.frame.world_from_frame, float), np.asarray(seen.frame.origin_world, float)
    motion = motion._replace(joints_world=(motion.joints_world.astype(float) - origin) @ turn)
    body, count, prior = fit_body(motion), len(clip.n), _prior(config)
    root, rotations, bones = (
        x.astype(float) for x in (body.root_translation, body.rotations, body.rest_offsets)
    )
    poses = poses_at_rate(poses_of(rotations, root, _mean(prior)), body.fps, MODEL_FPS, count)
    points = np.where(motion.valid[..., None], motion.joints_world, body.posed()[1])
    weight = motion.valid / (config.start_m**2 + np.nan_to_num(motion.spread) ** 2)
    targets, weight = (resample_points(part, body.fps, MODEL_FPS, count) for part in (points, weight))
    clip = clip._replace(targets=targets, target_weight=weight.clip(0.0))
    return clip, _State(poses, bones, common_shape(clip, poses, bones, prior, config))


def _solve(
    clip: SeenClip,
    start: _State,
    config: SmplifyConfig,
    precision: Float[np.ndarray, " shapes"],
    progress: ProgressCallback | None,
    spread: bool,
) -> tuple[_State, Float[np.ndarray, "time 38"]]:
    """Window by window at full rate, and the spread, 0 unless it is wanted.

    The bones are unknowns where the clip is one window.
    """
    poses, bones, shape = start
    starts = even_starts(len(clip.n), config.window_frames, config.overlap_frames)
    if len(starts) > 1:
        bones, shape = np.asarray(rest_offsets(bones, shape)), np.zeros(len(SHAPES))
        precision = np.full(len(SHAPES), _FIXED)
    whole = Poses(*(np.zeros((len(clip.n), *part.shape[1:])) for part in poses))
    points, spreads = np.zeros((*clip.n.shape[:2], 3)), np.zeros(clip.n.shape[:2])
    solved = 0  # frames so far
    for done, first in enumerate(starts.tolist(), 1):
        index = first + np.arange(config.window_frames)
        met = _meeting(clip, points, first, solved)
        posed, *found = _rounds(met, index, poses.at(index, shape), bones, precision, config, spread)
        for all_of_it, piece in zip((*whole, points, spreads), (*posed[:3], *found), strict=True):
            fade_in(all_of_it, np.asarray(piece, float), first, solved)
        solved = first + config.window_frames
        if progress is not None:
            progress(done, len(starts))
    whole = whole._replace(root_rotation=nearest_rotations(whole.root_rotation))
    shape = np.asarray(posed.shape, float)
    return _State(whole, np.asarray(rest_offsets(bones, shape)), shape), spreads


def _mean(prior: PosePrior) -> Float[np.ndarray, "21 3 3"]:
    return np.asarray(prior.mean_rotations, float)


def _rounds(
    clip: SeenClip,
    index: np.ndarray,
    posed: Posed,
    bones: np.ndarray,
    precision: np.ndarray,
    config: SmplifyConfig,
    spread: bool,
) -> tuple[Posed, np.ndarray, Array | np.ndarray]:
    """A window's poses, its points and their spread; contacts are told anew in each round."""
    weights, prior = weights_at(config, MODEL_FPS, config.robust), _prior(config)
    standing = clip.standing[index.clip(0, len(clip.n) - 1)]
    for _ in range(config.rounds):
        problem = window_problem(clip, index, standing, bones, precision, config)
        posed, _, _ = solve(posed, problem, prior, weights, config.iterations)
        points = points_at(posed, _mean(prior), bones)
        standing = contact_labels(points[:, CONTACT_ROWS], MODEL_FPS, config.contact)
    known = spread_of(posed, problem, prior, weights) if spread else np.zeros(points.shape[:2])
    return posed, points, known


def _meeting(clip: SeenClip, points: Float[np.ndarray, "time 38 3"], start: int, solved: int) -> SeenClip:
    """The clip, drawn to what is solved already in the first half of a window's overlap with it."""
    rows = slice(start, start + max(solved - start, 0) // 2)
    targets, weight = clip.targets.copy(), clip.target_weight.copy()
    targets[rows], weight[rows] = points[rows], _SEAM_M**-2.0
    return clip._replace(targets=targets, target_weight=weight)


def _as_body(solved: _State, seen: CanonicalClip, keypoints: Keypoints) -> BodyMotion:
    """In the user's world and at the user's rate; frames that no keypoint supports are not valid."""
    turn, origin = np.asarray(seen.frame.world_from_frame, float), np.asarray(seen.frame.origin_world, float)
    poses = Poses(*map(smoothed, solved.poses))
    poses = poses_at_rate(poses, MODEL_FPS, keypoints.fps, len(keypoints.xy_px))
    poses = poses._replace(root_rotation=turn @ poses.root_rotation, root=poses.root @ turn.T + origin)
    rotations, root = rotations_of(poses, load_body_prior().mean_rotations.astype(float)), poses.root
    valid = supported(keypoints.confidence, keypoints.fps)
    root, rotations, bones = (x.astype(np.float32) for x in (root, rotations, solved.bones))
    first = keypoints.first_frame
    return BodyMotion(root, rotations, bones, keypoints.fps, valid, first_frame=first)
