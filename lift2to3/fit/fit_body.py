"""Joints in the world → a posed body: one set of bones for the whole clip, joint rotations, and the root.

The last step of Mocap-2-to-3 (there SMPLify), on our own skeleton and so without a licensed model. The
points pull, each as firmly as it is known; a pose prior from mocap decides what they leave open, such as
the twist of a stretched arm; joints stay in their ranges and standing feet stay where they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from lift2to3.contact import CONTACT_ROWS, contact_labels
from lift2to3.conventions import MODEL_FPS
from lift2to3.disk_cache import use_disk_cache
from lift2to3.fit.body_prior import BodyPrior, load_body_prior
from lift2to3.fit.first_pose import first_rest_offsets, first_rotations, measured_rest_offsets
from lift2to3.fit.pose_solver import Poses, Stiffness, Terms, solve_poses
from lift2to3.geometry.cameras import Camera
from lift2to3.geometry.ground import FOOT_HEIGHT_M
from lift2to3.keypoints import Keypoints
from lift2to3.motion import BodyMotion, Motion, motion_hash
from lift2to3.skeletons import CANONICAL, FOOT_POINTS, INDEX, PARENTS, TREE_ORDER

WINDOW_FRAMES: Final = 128
_OVERLAP_FRAMES: Final = 16
_LOOKED_AT_FRAMES: Final = 512  # the bones are measured on this many frames at most

Progress = Callable[[int, int], None]
"""Called with (windows done, windows in all)."""


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
    progress: Progress | None = None,
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
    _check(motion, keypoints, camera)
    use_disk_cache()
    prior = load_body_prior()
    valid = np.isfinite(motion.joints_world).all(-1) & motion.valid
    points = _filled(motion.joints_world.astype(float), valid)
    precision = _precision(points, valid, motion.spread, keypoints, camera, config)
    frames_valid = valid.sum(1) >= _ENOUGH
    chosen = np.flatnonzero(frames_valid)
    chosen = chosen[:: max(1, len(chosen) // _LOOKED_AT_FRAMES)]
    weight = np.einsum("tpii->tp", precision)
    offsets = first_rest_offsets(points[chosen], prior)
    for _ in range(2):
        rotations = first_rotations(points[chosen], weight[chosen], offsets, prior)
        offsets = measured_rest_offsets(points[chosen], weight[chosen], rotations, offsets, prior)
    rotations = first_rotations(points, weight, offsets, prior)
    terms, stiffness = _terms(points, precision, rotations, offsets, prior, motion.fps, config)
    rotations, root = _solve_windows(rotations, terms, stiffness, config.iterations, progress)
    return BodyMotion(
        root, rotations, offsets.astype(np.float32), motion.fps, frames_valid, motion_hash(motion)
    )


# --- what goes in

_ENOUGH: Final = 12  # points of a frame that hold a body in place


def _check(motion: Motion, keypoints: Keypoints | None, camera: Camera | None) -> None:
    if tuple(motion.joint_names) != CANONICAL:
        raise ValueError(
            f"the motion has {len(motion.joint_names)} joints ({', '.join(motion.joint_names[:3])}, …); "
            f"wanted the {len(CANONICAL)} canonical points that lift2to3.lift returns"
        )
    valid = np.isfinite(motion.joints_world).all(-1) & motion.valid
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
    filled = np.empty_like(points)
    for row in TREE_ORDER:
        if valid[:, row].any():
            filled[:, row] = _bridged(points[:, row], valid[:, row])
        elif PARENTS[row] >= 0:
            filled[:, row] = filled[:, PARENTS[row]]
        else:
            total = np.sum(points, axis=1, where=valid[..., None])
            count = valid.sum(1, keepdims=True)
            filled[:, row] = _bridged(total / np.maximum(count, 1), count[:, 0] > 0)
    return filled


def _bridged(
    path: Float[np.ndarray, "time 3"], seen: Bool[np.ndarray, " time"]
) -> Float[np.ndarray, "time 3"]:
    """Straight lines in time across what was not seen; the ends are held."""
    frames = np.arange(len(path))
    return np.stack([np.interp(frames, frames[seen], path[seen, axis]) for axis in range(3)], axis=1)


def _precision(
    points: Float[np.ndarray, "time 38 3"],
    valid: Bool[np.ndarray, "time 38"],
    spread: Float[np.ndarray, "time 38"],
    keypoints: Keypoints | None,
    camera: Camera | None,
    config: FitConfig,
) -> Float[np.ndarray, "time 38 3 3"]:
    """How firmly each point is known: round, or drawn out along the ray that saw it.

    A spread tells which points to trust less than the clip's others, no more: most of it is where the whole
    body stands, which bends no joint.
    """
    known = spread[valid & np.isfinite(spread)]
    typical = float(np.median(known)) if known.size else 0.0
    times = np.maximum(np.nan_to_num(spread) / typical, 1.0) if typical > 0 else np.ones_like(spread)
    own = np.where(valid, (config.point_m * times) ** -2.0, 1e-2 / config.point_m**2)
    precision = own[..., None, None] * np.eye(3)
    if keypoints is None or camera is None:
        return precision
    rows = keypoints.skeleton.rows
    seen = np.zeros(valid.shape, bool)
    seen[:, rows[rows >= 0]] = keypoints.confidence[:, rows >= 0] > 0
    rays = points - camera.centre
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    less = np.where(seen, own * (1 - 1 / config.depth**2), 0.0)
    return precision - less[..., None, None] * rays[..., :, None] * rays[..., None, :]


# --- the fit


def _solve_windows(
    rotations: Float[np.ndarray, "time 22 3 3"],
    terms: dict[str, np.ndarray],
    stiffness: Stiffness,
    iterations: int,
    progress: Progress | None,
) -> tuple[Float[np.ndarray, "time 22 3 3"], Float[np.ndarray, "time 3"]]:
    """Rotations and root, solved window by window; overlaps are crossfaded."""
    points = terms["targets"]
    stride = WINDOW_FRAMES - _OVERLAP_FRAMES
    starts = range(0, max(len(points) - _OVERLAP_FRAMES, 1), stride)
    root = np.array(points[:, INDEX["pelvis"]], np.float32)
    rotations = rotations.astype(np.float32)
    out = rotations.copy(), root.copy()
    for done, start in enumerate(starts, start=1):
        index = np.minimum(np.arange(start, start + WINDOW_FRAMES), len(points) - 1)
        begin = Poses(jnp.asarray(rotations[index]), jnp.asarray(root[index]))
        solved, _ = solve_poses(begin, _cut(terms, index), stiffness, iterations)
        count = min(WINDOW_FRAMES, len(points) - start)
        fade = np.ones(count, np.float32)
        if start:
            ramp = np.linspace(0, 1, _OVERLAP_FRAMES + 2, dtype=np.float32)[1:-1]
            fade[:_OVERLAP_FRAMES] = ramp[:count]
        for whole, part in zip(out, solved, strict=True):
            rest = (-1, *(1,) * (whole.ndim - 1))
            rows = slice(start, start + count)
            whole[rows] += fade.reshape(rest) * (np.asarray(part)[:count] - whole[rows])
        if progress is not None:
            progress(done, len(starts))
    u, _, vt = np.linalg.svd(out[0])  # a mixture of two neighbouring rotations is nearly one
    return u @ vt, out[1]


def _terms(
    points: Float[np.ndarray, "time 38 3"],
    precision: Float[np.ndarray, "time 38 3 3"],
    rotations: Float[np.ndarray, "time 22 3 3"],
    offsets: Float[np.ndarray, "38 3"],
    prior: BodyPrior,
    fps: float,
    config: FitConfig,
) -> tuple[dict[str, np.ndarray], Stiffness]:
    """The whole clip's `Terms` by name, from which `_cut` takes a window's."""
    slower = (fps / MODEL_FPS) ** 2  # a frame is shorter at a higher rate, and what changes in it smaller
    deviation = config.smooth_seconds * fps
    steps, turns = np.diff(points[:, INDEX["pelvis"]], axis=0), _turn_rates(rotations)
    if len(points) > 1:
        steps, turns = (gaussian_filter1d(rate, deviation, axis=0) for rate in (steps, turns))
    contacts = contact_labels(points[:, CONTACT_ROWS], fps)
    on_floor = np.zeros(points.shape[:2])
    on_floor[:, CONTACT_ROWS] = contacts / config.floor_m**2
    floor = np.zeros(len(CANONICAL))
    floor[list(FOOT_POINTS)] = FOOT_HEIGHT_M
    covariance = prior.tangent_covariance + config.prior_floor_rad**2 * np.eye(len(prior.tangent_mean))
    terms = {
        "rest_offsets": offsets, "targets": points, "precision": precision, "floor": floor,
        "on_floor": on_floor, "planted": (contacts[1:] & contacts[:-1]) / config.planted_m**2,
        "turn_rate": turns, "root_step": steps, "mean_rotations": prior.mean_rotations,
        "tangent_mean": prior.tangent_mean,
        "tangent_precision": config.prior * np.linalg.inv(covariance),
        "tangent_low": prior.tangent_low, "tangent_high": prior.tangent_high,
    }  # fmt: skip
    stiffness = Stiffness(
        config.prior / config.limit_rad**2, config.under_floor_m**-2.0, slower / config.turn_rad**2,
        slower / config.step_m**2,
    )  # fmt: skip
    return terms, stiffness


def _turn_rates(rotations: Float[np.ndarray, "time 22 3 3"]) -> Float[np.ndarray, "less 22 3"]:
    between = rotations[:-1].swapaxes(-1, -2) @ rotations[1:]
    return Rotation.from_matrix(between.reshape(-1, 3, 3)).as_rotvec().reshape(*between.shape[:2], 3)


_PER_FRAME: Final = {"targets", "precision", "on_floor"}
_PER_STEP: Final = {"planted", "turn_rate", "root_step"}


def _cut(terms: dict[str, np.ndarray], index: np.ndarray) -> Terms:
    """The window's part of the clip's problem; past its end the last frame stands still."""
    fields = {}
    for name, value in terms.items():
        if name in _PER_FRAME:
            value = value[index]
        elif name in _PER_STEP:
            steps = np.pad(value, ((0, 1), *((0, 0),) * (value.ndim - 1)))  # the last one: no step
            value = steps[np.where(index[1:] > index[:-1], index[:-1], -1)]
        fields[name] = jnp.asarray(value, jnp.float32)
    return Terms(**fields)
