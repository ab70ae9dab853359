"""Least squares over the poses of a window: joint rotations and root that explain points in the world.

Gauss–Newton with Levenberg's damping. The unknowns of a frame are its 22 joints' turns and the root's
step, 69 numbers; frames hang together by smoothness and by feet that stay where they stand. The normal
equations are solved by conjugate gradients, each frame's own block as preconditioner: the coupling is weak,
and on CPUs many small solves at once are far faster than block elimination from frame to frame.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve
from jax.scipy.sparse.linalg import cg
from jaxtyping import Array, Bool, Float, Int

from lift2to3.body import ANCESTORS, BODY_JOINTS, pose_body
from lift2to3.contact import CONTACT_ROWS
from lift2to3.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle

JOINTS: Final = len(BODY_JOINTS)
_ANGLES: Final = 3 * JOINTS
_UNKNOWNS: Final = _ANGLES + 3
_SETTLED: Final = 0.01  # a step that lowers the energy by less than this share is the last


_MOVED_BY: Final = ANCESTORS[:, :JOINTS].astype(np.float32)


class Poses(NamedTuple):
    """What is solved for: local rotations and the pelvis in the world, metres."""

    rotations: Float[Array, "time 22 3 3"]
    root: Float[Array, "time 3"]


class Terms(NamedTuple):
    """What pulls at the poses of a window. Precisions are one over variance.

    Attributes:
        rest_offsets: of this person.
        targets: where the points should be, metres.
        precision: of each target, per square metre.
        floor: height each point rests at; `on_floor` says how firmly, per square metre.
        on_floor: 0 for a point that need not touch the floor.
        planted: precision of contact points staying where they are from each frame to the next.
        turn_rate: expected turn of each joint from frame to frame, radians.
        root_step: expected step of the root, metres.
        mean_rotations, tangent_mean, tangent_precision, tangent_low, tangent_high: of the pose prior.
    """

    rest_offsets: Float[Array, "38 3"]
    targets: Float[Array, "time 38 3"]
    precision: Float[Array, "time 38 3 3"]
    floor: Float[Array, "38"]
    on_floor: Float[Array, "time 38"]
    planted: Float[Array, "less 4"]
    turn_rate: Float[Array, "less 22 3"]
    root_step: Float[Array, "less 3"]
    mean_rotations: Float[Array, "21 3 3"]
    tangent_mean: Float[Array, "63"]
    tangent_precision: Float[Array, "63 63"]
    tangent_low: Float[Array, "63"]
    tangent_high: Float[Array, "63"]


class Stiffness(NamedTuple):
    """Precisions that are the same everywhere: per square radian, or per square metre."""

    limit: float
    under_floor: float
    turning: float
    stepping: float


class _Linear(NamedTuple):
    """The problem around one set of poses: energy, gradient, and the pieces of its normal equations."""

    energy: Float[Array, ""]
    gradient: Float[Array, "time 69"]
    block: Float[Array, "time 69 69"]
    contact: Float[Array, "time 4 3 69"]


class _Progress(NamedTuple):
    """The best poses so far, the problem around them, Levenberg's damping, and whether to go on."""

    poses: Poses
    linear: _Linear
    damping: Float[Array, ""]
    count: Int[Array, ""]
    settled: Bool[Array, ""]


def turn_rates(rotations: Float[Array, "time 22 3 3"]) -> Float[Array, "less 22 3"]:
    """What takes each joint's rotation to the next frame's, axis times angle in its own frame."""
    return axis_angle_from_matrix(jnp.einsum("tjki,tjkl->tjil", rotations[:-1], rotations[1:]))


def skew_matrix(v: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """What multiplies a vector as ``cross(v, ·)`` does."""
    zero = jnp.zeros_like(v[..., 0])
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    return jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape, 3)


def _inverse_right_jacobian(tangent: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """How ``log(R)`` moves when ``R`` is turned a little in its own frame (Solà et al. 2018, eq. 144)."""
    square = (tangent**2).sum(-1)[..., None, None]
    small = square < 1e-6
    safe = jnp.where(small, 1.0, square)
    angle = jnp.sqrt(safe)
    factor = 1 / safe - (1 + jnp.cos(angle)) / (2 * angle * jnp.maximum(jnp.sin(angle), 1e-3))
    skew = skew_matrix(tangent)
    identity = jnp.broadcast_to(jnp.eye(3, dtype=tangent.dtype), skew.shape)
    return identity + 0.5 * skew + jnp.where(small, 1 / 12, factor) * (skew @ skew)


def points_jacobian(
    frames: Float[Array, "time 22 3 3"], points: Float[Array, "time 38 3"]
) -> Float[Array, "time 38 3 69"]:
    """How points move with joints' small turns (each in its own frame) and the root's step."""
    arms = points[:, :, None] - points[:, None, :JOINTS]
    x, y, z = (arms[..., axis, None] * jnp.asarray(_MOVED_BY)[None, :, :, None] for axis in range(3))
    about_x, about_y, about_z = (frames[:, None, :, axis] for axis in range(3))
    turned = jnp.stack([about_y * z - about_z * y, about_z * x - about_x * z, about_x * y - about_y * x], 2)
    step = jnp.broadcast_to(jnp.eye(3, dtype=points.dtype), (*points.shape, 3))
    return jnp.concatenate([turned.reshape(*points.shape, _ANGLES), step], axis=-1)


def _point_forces(points: Array, terms: Terms, stiffness: Stiffness) -> tuple[Array, Array, Array]:
    """Energy of targets and floor, its gradient by the points, and the points' 3×3 weights."""
    error = points - terms.targets
    force = jnp.einsum("tpij,tpj->tpi", terms.precision, error)
    height = points[..., 2] - terms.floor[None]
    under = jnp.minimum(points[..., 2], 0.0)
    weight = terms.on_floor + stiffness.under_floor * (under < 0)
    lift = terms.on_floor * height + stiffness.under_floor * under
    energy = 0.5 * ((force * error).sum() + (terms.on_floor * height**2).sum()
                    + stiffness.under_floor * (under**2).sum())  # fmt: skip
    return energy, force.at[..., 2].add(lift), terms.precision.at[..., 2, 2].add(weight)


def _back_and_forth(steps: Float[Array, "less n"]) -> Float[Array, "time n"]:
    """Transpose of the difference along time."""
    return jnp.pad(steps, ((1, 0), (0, 0))) - jnp.pad(steps, ((0, 1), (0, 0)))


def _linearise(poses: Poses, terms: Terms, stiffness: Stiffness) -> _Linear:
    frames, points = pose_body(terms.rest_offsets, poses.rotations, poses.root)
    jacobian = points_jacobian(jnp.asarray(frames), jnp.asarray(points))
    energy, force, weight = _point_forces(jnp.asarray(points), terms, stiffness)
    gradient = jnp.einsum("tpi,tpin->tn", force, jacobian)
    weighted = jnp.einsum("tpij,tpjn->tpin", weight, jacobian)
    rows = (-1, jacobian.shape[1] * 3, _UNKNOWNS)
    block = jnp.einsum("trn,trm->tnm", jacobian.reshape(rows), weighted.reshape(rows))
    prior_energy, pull, prior_block = _pose_prior(poses, terms, stiffness)
    turning = turn_rates(poses.rotations) - terms.turn_rate
    stepping = jnp.diff(poses.root, axis=0) - terms.root_step
    along = jnp.concatenate(
        [stiffness.turning * turning.reshape(len(turning), -1), stiffness.stepping * stepping], axis=-1
    )
    contact = jacobian[:, CONTACT_ROWS]
    slid = jnp.diff(jnp.asarray(points)[:, CONTACT_ROWS], axis=0)
    held = (terms.planted[..., None] * slid).reshape(len(slid), -1)
    pulled = _back_and_forth(held).reshape(-1, *slid.shape[1:])
    energy += prior_energy + 0.5 * (
        stiffness.turning * (turning**2).sum() + stiffness.stepping * (stepping**2).sum()
        + (terms.planted[..., None] * slid**2).sum()
    )  # fmt: skip
    gradient = gradient.at[:, 3:_ANGLES].add(pull) + _back_and_forth(along)
    gradient += jnp.einsum("tci,tcin->tn", pulled, contact)
    return _Linear(energy, gradient, block.at[:, 3:_ANGLES, 3:_ANGLES].add(prior_block), contact)


def _pose_prior(poses: Poses, terms: Terms, stiffness: Stiffness) -> tuple[Array, Array, Array]:
    """Energy of the Gaussian and the joint limits, and its gradient and block by the joints' turns."""
    relative = jnp.einsum("jki,tjkl->tjil", terms.mean_rotations, poses.rotations[:, 1:])
    tangent = axis_angle_from_matrix(relative)
    flat = tangent.reshape(len(tangent), -1)
    off_mean = flat - terms.tangent_mean[None]
    beyond = flat - flat.clip(terms.tangent_low[None], terms.tangent_high[None])
    pull = off_mean @ terms.tangent_precision
    energy = 0.5 * ((pull * off_mean).sum() + stiffness.limit * (beyond**2).sum())
    chain = _inverse_right_jacobian(tangent)
    pull = jnp.einsum("tji,tjik->tjk", (pull + stiffness.limit * beyond).reshape(tangent.shape), chain)
    at_limit = stiffness.limit * (beyond != 0)
    block = terms.tangent_precision[None] + jnp.einsum("ti,ij->tij", at_limit, jnp.eye(flat.shape[1]))
    block = block.reshape(-1, JOINTS - 1, 3, JOINTS - 1, 3)
    block = jnp.einsum("tjia,tjikl->tjakl", chain, block)
    block = jnp.einsum("tjakl,tklb->tjakb", block, chain)
    return energy, pull.reshape(flat.shape), block.reshape(*flat.shape, flat.shape[1])


def _solve(linear: _Linear, terms: Terms, stiffness: Stiffness, damping: Array, steps: int) -> Array:
    """The step that the damped normal equations ask for."""
    stiff = np.repeat([stiffness.turning, stiffness.stepping], [_ANGLES, 3]).astype(np.float32)
    planted = terms.planted

    def normal(v: Array) -> Array:
        along = _back_and_forth(jnp.asarray(stiff)[None] * jnp.diff(v, axis=0))
        moved = jnp.diff(jnp.einsum("tcin,tn->tci", linear.contact, v), axis=0) * planted[..., None]
        back = _back_and_forth(moved.reshape(len(moved), -1)).reshape(-1, *moved.shape[1:])
        return (
            jnp.einsum("tnm,tm->tn", linear.block, v) + along + damping * v
            + jnp.einsum("tci,tcin->tn", back, linear.contact)
        )  # fmt: skip

    held = jnp.pad(planted, ((1, 0), (0, 0))) + jnp.pad(planted, ((0, 1), (0, 0)))
    own = linear.block + jnp.einsum("tc,tcin,tcim->tnm", held, linear.contact, linear.contact)
    diagonal = jnp.asarray(2 * stiff + 1e-3) + damping
    factor, _ = cho_factor(own + jnp.diag(diagonal)[None], lower=True)
    precondition = lambda v: jax.vmap(lambda f, x: cho_solve((f, True), x))(factor, v)  # noqa: E731
    step, _ = cg(normal, -linear.gradient, M=precondition, maxiter=steps, tol=1e-3)
    return step


def _stepped(poses: Poses, step: Float[Array, "time 69"]) -> Poses:
    turns = matrix_from_axis_angle(step[:, :_ANGLES].reshape(len(step), JOINTS, 3))
    return Poses(poses.rotations @ turns, poses.root + step[:, _ANGLES:])


@functools.partial(jax.jit, static_argnames=("stiffness", "iterations", "inner"))
def solve_poses(
    poses: Poses, terms: Terms, stiffness: Stiffness, iterations: int, inner: int = 12
) -> tuple[Poses, Float[Array, ""]]:
    """Poses of least energy from where they start; a step that does not lower it is not taken.

    Args:
        poses: the start.
        terms: the problem.
        stiffness: its constants.
        iterations: of Gauss–Newton, at most.
        inner: of conjugate gradients in each.

    Returns:
        The poses and their energy (half the sum of squares).
    """

    def iterate(state: _Progress) -> _Progress:
        step = _solve(state.linear, terms, stiffness, state.damping, inner)
        tried = _stepped(state.poses, step)
        linear = _linearise(tried, terms, stiffness)
        better = linear.energy < state.linear.energy
        settled = better & (linear.energy > (1 - _SETTLED) * state.linear.energy)
        damping = jnp.where(better, state.damping / 4, state.damping * 8)
        count = state.count + 1
        new = _Progress(tried, linear, damping, count, settled)
        old = state._replace(damping=damping, count=count)
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)

    start = _Progress(
        poses,
        _linearise(poses, terms, stiffness),
        jnp.ones(()),
        jnp.zeros((), jnp.int32),
        jnp.zeros((), bool),
    )
    goes_on = lambda state: (state.count < iterations) & ~state.settled  # noqa: E731
    end = jax.lax.while_loop(goes_on, iterate, start)
    return end.poses, end.linear.energy
