"""The energy that `fit_body` and the refinement lower: what is unknown, and what pulls.

Unknown are, in every frame, 21 joints' rotations (axis times angle from the prior's mean pose), the
pelvis's rotation and its place, 69 numbers; and for the whole window a few bone lengths. `residuals` defines
the energy; `pose_linear` has its gradient and normal equations. Robust terms are Geman–McClure's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.body import BODY_JOINTS, pose_body
from lift2to3.contact import CONTACT_ROWS
from lift2to3.conventions import NEAR_M
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.geometry.cameras import View
from lift2to3.geometry.ground import FOOT_HEIGHT_M
from lift2to3.geometry.rotations import matrix_from_axis_angle
from lift2to3.skeletons import CANONICAL, FOOT_POINTS

TURNS: Final = 3 * (len(BODY_JOINTS) - 1)
UNKNOWNS: Final = 3 + TURNS + 3
"""Of a frame: the pelvis's turn, the other joints' rotations, the pelvis's place."""
BODY: Final = slice(3, 3 + TURNS)
RATES: Final = 9 + TURNS + 3
"""Coordinates of a frame whose changes are smooth, see `smoothed`."""
_ROOT: Final = slice(3 + TURNS, UNKNOWNS)

_BONE_ENDS: Final = {
    "size": CANONICAL,
    "trunk": ("spine1", "spine2", "spine3", "neck", "mid_shoulder"),
    "head": ("head", "head_top", "nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "shoulders": ("left_collar", "right_collar", "left_shoulder", "right_shoulder"),
    "upper_arms": ("left_elbow", "right_elbow"),
    "forearms": ("left_wrist", "right_wrist", "left_hand", "right_hand"),
    "hips": ("left_hip", "right_hip", "mid_hip"),
    "thighs": ("left_knee", "right_knee"),
    "shins": ("left_ankle", "right_ankle"),
}
SHAPES: Final = tuple(_BONE_ENDS)
"""What parametrises the bones' lengths: logarithms of a factor for all of them and of one for each part."""
LENGTHENED: Final = np.array(
    [[name in ends for ends in _BONE_ENDS.values()] for name in CANONICAL], np.float32
)
RESTING_M: Final = np.zeros(len(CANONICAL), np.float32)
RESTING_M[list(FOOT_POINTS)] = FOOT_HEIGHT_M

Record = TypeVar("Record")


class Posed(NamedTuple):
    """What is solved for.

    Attributes:
        tangents: each joint's rotation from the mean pose, axis times angle.
        root_rotation: the pelvis's frame in the world.
        root: the pelvis in the world, metres.
        shape: of the bones, as `SHAPES` names them; the same in all frames.
    """

    tangents: Float[Array, "time 21 3"]
    root_rotation: Float[Array, "time 3 3"]
    root: Float[Array, "time 3"]
    shape: Float[Array, " shapes"]


class PosePrior(NamedTuple):
    """Poses' Gaussian and the joints' ranges.

    Attributes:
        mean_rotations: what tangents are counted from.
        mean: of the tangents.
        factor: ``factor.T @ factor`` is their precision.
        low, high: the joints' limits.
    """

    mean_rotations: Float[Array, "21 3 3"]
    mean: Float[Array, "63"]
    factor: Float[Array, "63 63"]
    low: Float[Array, "63"]
    high: Float[Array, "63"]


def learned_prior(weight: float, floor_rad: float) -> PosePrior:
    """The shipped prior, ``floor_rad`` added to its deviations, its precision then times ``weight``."""
    learned = load_body_prior()
    covariance = learned.tangent_covariance.astype(float)
    covariance = covariance + floor_rad**2 * np.eye(len(covariance))
    factor = np.linalg.cholesky(weight * np.linalg.inv(covariance)).T
    parts = (learned.mean_rotations, learned.tangent_mean, factor, learned.tangent_low, learned.tangent_high)
    return PosePrior(*(jnp.asarray(part, jnp.float32) for part in parts))


class Problem(NamedTuple):
    """What pulls at a window's poses. Weights are one over variance.

    Attributes:
        view: the camera.
        rest_offsets: the bones of shape 0, metres.
        seen: normalised image points; `seen_weight` is 0 where there is none.
        seen_weight: of each of their two coordinates.
        targets: places that points are drawn to, metres, as firmly as `target_weight` says.
        target_weight: per square metre, for each of three coordinates.
        on_floor: how firmly a point is held at the height it has on a foot that stands, per square metre.
        planted: how firmly a contact point is held from each frame to the next, per square metre.
        rates: change of the `smoothed` coordinates from frame to frame that costs nothing.
        real: 1 in the clip's frames, 0 in those that only fill the window.
        shape_precision: of `Posed.shape` around 0.
    """

    view: View
    rest_offsets: Float[Array, "38 3"]
    seen: Float[Array, "time 38 2"]
    seen_weight: Float[Array, "time 38"]
    targets: Float[Array, "time 38 3"]
    target_weight: Float[Array, "time 38"]
    on_floor: Float[Array, "time 38"]
    planted: Float[Array, "less 4"]
    rates: Float[Array, "less 75"]
    real: Float[Array, " time"]
    shape_precision: Float[Array, " shapes"]


class Weights(NamedTuple):
    """Weights that are the same in all frames: one over variance, in radians, metres and frames.

    Attributes:
        robust: a squared, weighted image error of this size counts half.
        robust_floor: the same of a standing point's height and step.
        limit: beyond a joint's range.
        under_floor: of any point under the floor.
        turn, root_turn, step: of each frame's change in the joints' rotations, the pelvis's, its place.
        turn_change, root_turn_change, step_change: of these changes' change.
    """

    robust: float | Array
    robust_floor: float | Array
    limit: float | Array
    under_floor: float | Array
    turn: float | Array
    root_turn: float | Array
    step: float | Array
    turn_change: float | Array
    root_turn_change: float | Array
    step_change: float | Array


def of_numpy(record: Callable[..., Record], *parts: np.ndarray) -> Record:
    """A record of NumPy's arrays: compiled functions take them as they are, and nothing else is compiled."""
    return record(*(part.astype(np.float32) for part in parts))


# --- the body


def rest_offsets(
    base: Float[Array | np.ndarray, "38 3"], shape: Float[Array | np.ndarray, " shapes"]
) -> Float[Array | np.ndarray, "38 3"]:
    """The bones of a shape."""
    xp = np if isinstance(base, np.ndarray) and isinstance(shape, np.ndarray) else jnp
    return base * xp.exp(LENGTHENED @ shape)[:, None]


def local_rotations(posed: Posed, prior: PosePrior) -> Float[Array, "time 22 3 3"]:
    """Each joint's frame relative to its parent's, as `BodyMotion` has them."""
    rotations = matrix_from_axis_angle(posed.tangents)
    # a sum of products: XLA's CPU compiler fails on some batched products of 3×3 matrices
    local = (prior.mean_rotations[None, ..., None] * rotations[..., None, :, :]).sum(-2)
    return jnp.concatenate([posed.root_rotation[:, None], local], axis=1)


def points_of(posed: Posed, prior: PosePrior, base: Float[Array, "38 3"]) -> Float[Array, "time 38 3"]:
    """The canonical points in the world, metres."""
    _, points = pose_body(rest_offsets(base, posed.shape), local_rotations(posed, prior), posed.root)
    return jnp.asarray(points)


def stepped(posed: Posed, step: Float[Array, "time 69"], shape_step: Float[Array, " shapes"]) -> Posed:
    """Poses a step further; the pelvis turns in its own frame."""
    turn = matrix_from_axis_angle(step[:, :3])
    return Posed(
        posed.tangents + step[:, BODY].reshape(posed.tangents.shape),
        (posed.root_rotation[..., None] * turn[:, None]).sum(-2),
        posed.root + step[:, _ROOT],
        posed.shape + shape_step,
    )


# --- the problem


def projected(
    view: View, points: Float[Array, "time 38 3"]
) -> tuple[Float[Array, "time 38 2"], Float[Array, "time 38 2 3"]]:
    """Normalised image points and how they move with the points in the world."""
    axes = view.cam_from_world
    in_camera = jnp.einsum("ij,tpj->tpi", axes, points) + view.translation[None, None]
    depth = jnp.maximum(in_camera[..., 2:], NEAR_M)
    n = in_camera[..., :2] / depth
    return n, (axes[None, None, :2] - n[..., None] * axes[None, None, 2:]) / depth[..., None]


def changes_of(posed: Posed, problem: Problem) -> tuple[Float[Array, "less 75"], Float[Array, "lesser 75"]]:
    """First differences beside the expected ones, and second ones; 0 where one of the frames is not real."""
    x, real = jnp.asarray(smoothed(posed)), problem.real
    first = (jnp.diff(x, axis=0) - problem.rates) * (real[1:] * real[:-1])[:, None]
    return first, (x[2:] - 2 * x[1:-1] + x[:-2]) * (real[2:] * real[1:-1] * real[:-2])[:, None]


def smoothed(posed: Posed) -> Float[Array | np.ndarray, "time 75"]:
    """Coordinates whose changes smoothness is about; a small turn changes a matrix by √2 of its angle."""
    time = len(posed.root)
    xp = np if isinstance(posed.root, np.ndarray) else jnp
    chord = posed.root_rotation.reshape(time, 9) / np.sqrt(2)
    return xp.concatenate([chord, posed.tangents.reshape(time, TURNS), posed.root], axis=1)


def smooth_weights(weights: Weights) -> tuple[Array, Array]:
    """Of the `smoothed` coordinates' first and second changes."""
    rates = weights.root_turn, weights.turn, weights.step
    changes = weights.root_turn_change, weights.turn_change, weights.step_change
    stacked = (jnp.stack([jnp.asarray(value, jnp.float32) for value in three]) for three in (rates, changes))
    counts = np.array([9, TURNS, 3])
    first, second = (jnp.repeat(three, counts, total_repeat_length=RATES) for three in stacked)
    return first, second


def residuals(
    posed: Posed, problem: Problem, prior: PosePrior, weights: Weights
) -> dict[str, Float[Array, "..."]]:
    """Everything whose squares' half sum is the energy: the problem's definition, by name of the term."""
    points = points_of(posed, prior, problem.rest_offsets)
    error = projected(problem.view, points)[0] - problem.seen
    square = problem.seen_weight * (error**2).sum(-1)
    height = points[..., 2] - jnp.asarray(RESTING_M)[None]
    slid = jnp.diff(points[:, CONTACT_ROWS], axis=0)
    slid_square = problem.planted * (slid**2).sum(-1)
    flat = posed.tangents.reshape(len(points), TURNS)
    beyond = flat - flat.clip(prior.low[None], prior.high[None])
    real = jnp.sqrt(problem.real)[:, None]
    rates, changes = changes_of(posed, problem)
    rate_weight, change_weight = smooth_weights(weights)
    halved = lambda square, scale: jax.lax.rsqrt(1 + square / scale)  # noqa: E731
    return {
        "image": error * (jnp.sqrt(problem.seen_weight) * halved(square, weights.robust))[..., None],
        "targets": (points - problem.targets) * jnp.sqrt(problem.target_weight)[..., None],
        "floor": height * jnp.sqrt(problem.on_floor)
        * halved(problem.on_floor * height**2, weights.robust_floor),
        "under_floor": jnp.minimum(points[..., 2], 0) * real * jnp.sqrt(weights.under_floor),
        "planted": slid * (jnp.sqrt(problem.planted) * halved(slid_square, weights.robust_floor))[..., None],
        "pose": (flat - prior.mean[None]) @ prior.factor.T * real,
        "limits": beyond * real * jnp.sqrt(weights.limit),
        "rates": rates * jnp.sqrt(rate_weight)[None],
        "changes": changes * jnp.sqrt(change_weight)[None],
        "shape": posed.shape * jnp.sqrt(problem.shape_precision),
    }  # fmt: skip
