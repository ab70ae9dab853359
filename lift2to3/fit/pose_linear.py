"""The problem around given poses: energy, gradient, blocks of the normal equations; closed form.

Robust terms weigh as they do at the poses at hand: iteratively reweighted least squares.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.body import ANCESTORS, BODY_JOINTS, PATHS, pose_body
from lift2to3.contact import CONTACT_ROWS
from lift2to3.fit.pose_problem import (
    BODY,
    LENGTHENED,
    RESTING_M,
    TURNS,
    UNKNOWNS,
    Posed,
    PosePrior,
    Problem,
    Weights,
    changes_of,
    local_rotations,
    projected,
    rest_offsets,
    smooth_weights,
)
from lift2to3.geometry.rotations import skew_matrix
from lift2to3.skeletons import PARENTS


class Linear(NamedTuple):
    """The problem around one `Posed`: energy, gradient, and the parts of its normal equations.

    Attributes:
        near, far: blocks of a frame (column) and the next one or the one after (row).
        border: blocks of a frame (row) and the shape (column).
        corner: the shape's own block.
        jacobian: of the points, by a frame's `UNKNOWNS` and, after these, the shape.
    """

    energy: Float[Array, ""]
    gradient: Float[Array, "time 69"]
    shape_gradient: Float[Array, " shapes"]
    block: Float[Array, "time 69 69"]
    near: Float[Array, "less 69 69"]
    far: Float[Array, "lesser 69 69"]
    border: Float[Array, "time 69 shapes"]
    corner: Float[Array, "shapes shapes"]
    jacobian: Float[Array, "time 38 3 unknowns"]


_JOINTS: Final = len(BODY_JOINTS)
_MOVED_BY: Final = ANCESTORS[:, :_JOINTS].astype(np.float32)


def points_jacobian(
    frames: Float[Array, "time 22 3 3"], points: Float[Array, "time 38 3"]
) -> Float[Array, "time 38 3 69"]:
    """How points move with joints' small turns (each in its own frame) and the root's step."""
    arms = points[:, :, None] - points[:, None, :_JOINTS]
    x, y, z = (arms[..., axis, None] * jnp.asarray(_MOVED_BY)[None, :, :, None] for axis in range(3))
    about_x, about_y, about_z = (frames[:, None, :, axis] for axis in range(3))
    turned = jnp.stack([about_y * z - about_z * y, about_z * x - about_x * z, about_x * y - about_y * x], 2)
    step = jnp.broadcast_to(jnp.eye(3, dtype=points.dtype), (*points.shape, 3))
    return jnp.concatenate([turned.reshape(*points.shape, 3 * _JOINTS), step], axis=-1)


def _right_jacobian(tangent: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """The turn in its own frame that a step of ``exp``'s argument makes (Solà et al. 2018, eq. 143)."""
    square = (tangent**2).sum(-1)[..., None, None]
    small = square < 1e-4
    safe = jnp.where(small, 1.0, square)
    angle = jnp.sqrt(safe)
    first = jnp.where(small, 0.5 - square / 24, (1 - jnp.cos(angle)) / safe)
    second = jnp.where(small, 1 / 6 - square / 120, (angle - jnp.sin(angle)) / (safe * angle))
    skew = skew_matrix(tangent)
    outer = tangent[..., :, None] * tangent[..., None, :]
    identity = jnp.broadcast_to(jnp.eye(3, dtype=tangent.dtype), skew.shape)
    return identity - first * skew + second * (outer - square * identity)


def jacobian_of(
    posed: Posed, prior: PosePrior, base: Float[Array, "38 3"]
) -> tuple[Float[Array, "time 38 3"], Float[Array, "time 38 3 unknowns"]]:
    """The points, and how they move with a frame's `UNKNOWNS` and, after these, the shape."""
    offsets = rest_offsets(base, posed.shape)
    frames, points = pose_body(offsets, local_rotations(posed, prior), posed.root)
    frames, points = jnp.asarray(frames), jnp.asarray(points)
    turned = _right_jacobian(posed.tangents)
    axes = (frames[:, 1:, :, :, None] * turned[:, :, None, :, :]).sum(-2)
    own = points_jacobian(jnp.concatenate([frames[:, :1], axes], axis=1), points)
    bones = jnp.einsum("tpij,pj->tpi", frames[:, PARENTS.clip(0)], offsets)
    paths = jnp.asarray(PATHS.astype(np.float32)[:, :, None] * LENGTHENED[None])
    return points, jnp.concatenate([own, jnp.einsum("pqk,tqi->tpik", paths, bones)], axis=-1)


def _robust(square: Array, scale: float | Array) -> tuple[Array, Array]:
    """Geman–McClure's loss of a squared error, and the weight that its slope gives the error."""
    kept = 1 / (1 + square / scale)
    return square * kept, kept**2


def linearise(posed: Posed, problem: Problem, prior: PosePrior, weights: Weights) -> Linear:
    """The energy, its gradient and the Gauss–Newton blocks of its normal equations, in closed form."""
    points, jacobian = jacobian_of(posed, prior, problem.rest_offsets)
    energy, force, weight = _point_forces(points, problem, weights)
    rows = (len(points), -1, jacobian.shape[-1])
    weighted = (weight[..., None] * jacobian[..., None, :, :]).sum(-2)
    flat = jacobian.reshape(rows)
    gradient = jnp.einsum("tr,trn->tn", force.reshape(rows[:2]), flat)
    block = jnp.einsum("trn,trm->tnm", flat, weighted.reshape(rows))
    held_energy, held_force, held_block, near, border, corner = _held_feet(points, jacobian, problem, weights)
    gradient, block = gradient + held_force, block + held_block
    pose_energy, pull, pose_block = _pose_terms(posed, problem, prior, weights)
    smooth_energy, drag = _smooth_forces(posed, problem, weights)
    own, next_one, one_after = _smooth_blocks(posed, problem, weights)
    corner = block[:, UNKNOWNS:, UNKNOWNS:].sum(0) + corner + jnp.diag(problem.shape_precision)
    return Linear(
        energy + held_energy + pose_energy + smooth_energy
        + 0.5 * (problem.shape_precision * posed.shape**2).sum(),
        (gradient[:, :UNKNOWNS] + drag).at[:, BODY].add(pull),
        gradient[:, UNKNOWNS:].sum(0) + problem.shape_precision * posed.shape,
        (block[:, :UNKNOWNS, :UNKNOWNS] + own).at[:, BODY, BODY].add(pose_block),
        near + next_one,
        one_after,
        block[:, :UNKNOWNS, UNKNOWNS:] + border,
        corner,
        jacobian,
    )  # fmt: skip


def _point_forces(points: Array, problem: Problem, weights: Weights) -> tuple[Array, Array, Array]:
    """Energy of what pulls at single points, its gradient by them, and their 3×3 weights."""
    n, by_point = projected(problem.view, points)
    error = n - problem.seen
    loss, kept = _robust(problem.seen_weight * (error**2).sum(-1), weights.robust)
    image_weight = problem.seen_weight * kept
    off = points - problem.targets
    height = points[..., 2] - jnp.asarray(RESTING_M)[None]
    floor_loss, kept = _robust(problem.on_floor * height**2, weights.robust_floor)
    floor_weight = problem.on_floor * kept
    under = jnp.minimum(points[..., 2], 0.0) * problem.real[:, None]
    energy = 0.5 * (
        loss.sum() + (problem.target_weight * (off**2).sum(-1)).sum() + floor_loss.sum()
        + weights.under_floor * (under**2).sum()
    )  # fmt: skip
    pulled = (by_point * (image_weight[..., None] * error)[..., None]).sum(-2)
    force = pulled + problem.target_weight[..., None] * off
    force = force.at[..., 2].add(floor_weight * height + weights.under_floor * under)
    weight = (by_point[..., :, None] * by_point[..., None, :]).sum(-3) * image_weight[..., None, None]
    weight += problem.target_weight[..., None, None] * jnp.eye(3)[None, None]
    return energy, force, weight.at[..., 2, 2].add(floor_weight + weights.under_floor * (under < 0))


def _held_feet(points: Array, jacobian: Array, problem: Problem, weights: Weights) -> tuple[Array, ...]:
    """What feet that stay where they stand add to energy, gradient, block, near, border and corner.

    Gradient and block have the shape's part too.
    """
    slid = jnp.diff(points[:, CONTACT_ROWS], axis=0)
    loss, kept = _robust(problem.planted * (slid**2).sum(-1), weights.robust_floor)
    weight = jnp.repeat(problem.planted * kept, 3, axis=1)
    contact = jacobian[:, CONTACT_ROWS].reshape(len(points), -1, jacobian.shape[-1])
    own, of_shape = contact[..., :UNKNOWNS], jnp.diff(contact[..., UNKNOWNS:], axis=0)
    force = weight * slid.reshape(weight.shape)
    both = jnp.pad(weight, ((1, 0), (0, 0))) + jnp.pad(weight, ((0, 1), (0, 0)))
    back = jnp.pad(force, ((1, 0), (0, 0))) - jnp.pad(force, ((0, 1), (0, 0)))
    held = own * both[..., None]
    shaped = weight[..., None] * of_shape
    padded = jnp.pad(shaped, ((1, 0), (0, 0), (0, 0))) - jnp.pad(shaped, ((0, 1), (0, 0), (0, 0)))
    extra = jacobian.shape[-1] - UNKNOWNS
    block = jnp.einsum("trn,trm->tnm", own, held)
    return (
        0.5 * loss.sum(),
        jnp.einsum("tr,trn->tn", back, contact),
        jnp.pad(block, ((0, 0), (0, extra), (0, extra))),
        -jnp.einsum("trn,trm->tnm", own[1:], own[:-1] * weight[..., None]),
        jnp.einsum("trn,trk->tnk", own, padded),
        jnp.einsum("trk,trl->kl", of_shape, shaped),
    )


def _pose_terms(
    posed: Posed, problem: Problem, prior: PosePrior, weights: Weights
) -> tuple[Array, Array, Array]:
    """Energy of the Gaussian and the joint limits, its gradient and its block."""
    flat = posed.tangents.reshape(len(posed.root), TURNS)
    off = ((flat - prior.mean[None]) @ prior.factor.T) * problem.real[:, None]
    beyond = (flat - flat.clip(prior.low[None], prior.high[None])) * problem.real[:, None]
    energy = 0.5 * ((off**2).sum() + weights.limit * (beyond**2).sum())
    precision = prior.factor.T @ prior.factor
    at_limit = (weights.limit * (beyond != 0))[..., None] * jnp.eye(TURNS)[None]
    block = precision[None] * problem.real[:, None, None] + at_limit
    return energy, off @ prior.factor + weights.limit * beyond, block


def _smooth_forces(posed: Posed, problem: Problem, weights: Weights) -> tuple[Array, Array]:
    rates, changes = changes_of(posed, problem)
    rate_weight, change_weight = smooth_weights(weights)
    pull, bend = rates * rate_weight[None], changes * change_weight[None]
    around = ((0, 0),)
    force = jnp.pad(pull, ((1, 0), *around)) - jnp.pad(pull, ((0, 1), *around))
    force += jnp.pad(bend, ((2, 0), *around)) - 2 * jnp.pad(bend, ((1, 1), *around))
    force += jnp.pad(bend, ((0, 2), *around))
    chord = force[:, :9].reshape(-1, 3, 3) / np.sqrt(2)
    turned = (posed.root_rotation[..., :, :, None] * chord[..., :, None, :]).sum(-3)  # Rᵀ force
    turn = jnp.stack([turned[:, i, j] - turned[:, j, i] for i, j in ((2, 1), (0, 2), (1, 0))], axis=-1)
    energy = 0.5 * ((pull * rates).sum() + (bend * changes).sum())
    return energy, jnp.concatenate([turn, force[:, 9:]], axis=-1)


def _smooth_blocks(posed: Posed, problem: Problem, weights: Weights) -> tuple[Array, Array, Array]:
    """Blocks of a frame with itself, with the next and with the one after."""
    real = problem.real
    pairs, threes = real[1:] * real[:-1], real[2:] * real[1:-1] * real[:-2]
    rate_weight, change_weight = smooth_weights(weights)
    rate, change = rate_weight[None, 6:], change_weight[None, 6:]
    own = (jnp.pad(pairs, (1, 0)) + jnp.pad(pairs, (0, 1)))[:, None] * rate
    own += (jnp.pad(threes, (2, 0)) + 4 * jnp.pad(threes, (1, 1)) + jnp.pad(threes, (0, 2)))[:, None] * change
    near = -pairs[:, None] * rate
    near -= 2 * (jnp.pad(threes, (1, 0)) + jnp.pad(threes, (0, 1)))[:, None] * change
    far = threes[:, None] * change

    def blocks(band: Array, apart: int) -> Array:
        diagonal = band[..., None] * jnp.eye(UNKNOWNS)[None]
        later, earlier = posed.root_rotation[apart:], posed.root_rotation[: len(real) - apart]
        between = (later[..., :, :, None] * earlier[..., :, None, :]).sum(-3)  # laterᵀ earlier
        trace = jnp.trace(between, axis1=-2, axis2=-1)[:, None, None]
        turn = (trace * jnp.eye(3)[None] - between.swapaxes(-1, -2)) / 2
        return diagonal.at[:, :3, :3].set(band[:, :1, None] * turn)

    return blocks(own, 0), blocks(near, 1), blocks(far, 2)
