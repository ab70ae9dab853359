"""Levenberg–Marquardt over a window of frames: the solver of `smplify`.

A frame is coupled to the next two by smoothness and by feet that stay where they stand, so the normal
equations are a band of blocks, with a border for the bones. They are solved exactly, by Cholesky from frame
to frame. Image points leave depth to the neighbouring frames, a coupling under which conjugate gradients, as
in `pose_solver`, need many rounds; general solvers (SciPy's, optimistix's) know nothing of the blocks.

A Cholesky factor is inverted along with its making: on CPUs JAX hands triangular solves to a BLAS that splits
each of these small ones among threads, which costs many times the work where cores are shared.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from lift2to3.fit.smplify_linear import Linear, jacobian_of, linearise
from lift2to3.fit.smplify_problem import UNKNOWNS, Posed, PosePrior, Problem, Weights, stepped

_LARGE: Final = 1e15  # over any variance of an unknown
_DRAWS: Final = 256


class _Factor(NamedTuple):
    """Cholesky's factor of the band: by row, inverses on the diagonal, and the blocks one and two before it.

    The blocks that would come before the first frame are 0.
    """

    inverse: Float[Array, "time n n"]
    one_before: Float[Array, "time n n"]
    two_before: Float[Array, "time n n"]


class _Progress(NamedTuple):
    """The best so far, the problem around it, Levenberg's damping, steps taken, small ones in a row."""

    posed: Posed
    linear: Linear
    damping: Float[Array, ""]
    count: Int[Array, ""]
    small: Int[Array, ""]


# --- the normal equations


def _inverse_cholesky(matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The inverse of the lower factor L: ``[[A, I], [I, large]]`` has the factor ``[[L, 0], [L⁻ᵀ, …]]``."""
    identity = jnp.eye(len(matrix), dtype=matrix.dtype)
    bordered = jnp.block([[matrix, identity], [identity, _LARGE * identity]])
    return jax.lax.linalg.cholesky(bordered, symmetrize_input=False)[len(matrix) :, : len(matrix)].T


def _factorise(linear: Linear, damping: Array) -> _Factor:
    """Of the frames' blocks, their diagonals larger by the damping's share."""
    diagonal = jnp.einsum("tnn->tn", linear.block)
    own = linear.block + ((damping * diagonal + 1e-2)[..., None] * jnp.eye(UNKNOWNS)[None])
    near = jnp.pad(linear.near, ((1, 0), (0, 0), (0, 0)))
    far = jnp.pad(linear.far, ((2, 0), (0, 0), (0, 0)))

    def advance(last: tuple[Array, Array, Array], row: tuple[Array, Array, Array]) -> tuple[Any, _Factor]:
        inverse, inverse_before, under = last  # of the last frame, the one before; the last one's one_before
        two_before = row[2] @ inverse_before.T
        one_before = (row[1] - two_before @ under.T) @ inverse.T
        new = _inverse_cholesky(row[0] - one_before @ one_before.T - two_before @ two_before.T)
        return (new, inverse, one_before), _Factor(new, one_before, two_before)

    nothing = jnp.zeros_like(own[0])
    return jax.lax.scan(advance, (nothing, nothing, nothing), (own, near, far))[1]


def _forth(factor: _Factor, right: Float[Array, "time n columns"]) -> Float[Array, "time n columns"]:
    """The factor's inverse times these columns."""

    def advance(last: tuple[Array, Array], row: tuple[_Factor, Array]) -> tuple[tuple[Array, Array], Array]:
        (inverse, one_before, two_before), here = row
        solved = inverse @ (here - one_before @ last[0] - two_before @ last[1])
        return (solved, last[0]), solved

    nothing = jnp.zeros_like(right[0])
    return jax.lax.scan(advance, (nothing, nothing), (factor, right))[1]


def _back(factor: _Factor, right: Float[Array, "time n columns"]) -> Float[Array, "time n columns"]:
    """Its transpose's inverse times these columns."""

    def advance(later: tuple[Array, Array], row: tuple[_Factor, Array]) -> tuple[tuple[Array, Array], Array]:
        (inverse, one_before, two_before), here = row
        solved = inverse.T @ (here - later[0])
        return (later[1] + one_before.T @ solved, two_before.T @ solved), solved

    nothing = jnp.zeros_like(right[0])
    return jax.lax.scan(advance, (nothing, nothing), (factor, right), reverse=True)[1]


def _solve(linear: Linear, damping: Array) -> tuple[Array, Array]:
    """The step of the poses and of the shape that the damped normal equations ask for."""
    right = jnp.concatenate([-linear.gradient[..., None], linear.border], axis=-1)
    factor = _factorise(linear, damping)
    solved = _back(factor, _forth(factor, right))
    free, by_shape = solved[..., 0], solved[..., 1:]
    corner = linear.corner - jnp.einsum("tnk,tnl->kl", linear.border, by_shape)
    corner += jnp.diag(damping * jnp.diag(linear.corner))
    wanted = -linear.shape_gradient - jnp.einsum("tnk,tn->k", linear.border, free)
    inverse = _inverse_cholesky(corner)
    shape_step = inverse.T @ (inverse @ wanted)
    return free - jnp.einsum("tnk,k->tn", by_shape, shape_step), shape_step


@jax.jit
def solve(
    posed: Posed,
    problem: Problem,
    prior: PosePrior,
    weights: Weights,
    iterations: int | Array,
    settled: float | Array = 1e-4,
) -> tuple[Posed, Float[Array, ""], Int[Array, ""]]:
    """Poses of least energy from where they start; a step that does not lower it is not taken.

    Args:
        posed: the start.
        problem: what pulls.
        prior: of poses.
        weights: the rest of the energy.
        iterations: steps tried, at most.
        settled: two steps in a row that lower the energy by less than this share are the last.

    Returns:
        The poses, their energy, and how many steps were tried.
    """

    def iterate(state: _Progress) -> _Progress:
        tried = stepped(state.posed, *_solve(state.linear, state.damping))
        linear = linearise(tried, problem, prior, weights)
        better = linear.energy < state.linear.energy
        little = better & (linear.energy > (1 - settled) * state.linear.energy)
        damping = jnp.where(better, state.damping / 5, state.damping * 5).clip(1e-6, 1e6)
        small = jnp.where(better, jnp.where(little, state.small + 1, 0), state.small)
        count = state.count + 1
        new = _Progress(tried, linear, damping, count, small)
        old = state._replace(damping=damping, count=count)
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)

    zero = jnp.zeros((), jnp.int32)
    begin = _Progress(posed, linearise(posed, problem, prior, weights), jnp.full((), 1e-2), zero, zero)
    end = jax.lax.while_loop(lambda state: (state.count < iterations) & (state.small < 2), iterate, begin)
    return end.posed, end.linear.energy, end.count


@jax.jit
def spread_of(posed: Posed, problem: Problem, prior: PosePrior, weights: Weights) -> Float[Array, "time 38"]:
    """Standard deviation of each point, metres, by the energy's Gaussian approximation (Laplace's).

    It is that of so many draws, to about 3 %. Draws are one substitution, which single precision bears; the
    recursion for the inverse's own blocks it does not, where a person is long unseen.
    """
    linear = linearise(posed, problem, prior, weights)
    factor = _factorise(linear, jnp.zeros(()))
    by_shape = _back(factor, _forth(factor, linear.border))
    corner = linear.corner - jnp.einsum("tnk,tnl->kl", linear.border, by_shape)
    of_poses, of_shape = jax.random.split(jax.random.key(0))
    shape = _inverse_cholesky(corner).T @ jax.random.normal(of_shape, (len(corner), _DRAWS))
    free = _back(factor, jax.random.normal(of_poses, (*linear.gradient.shape, _DRAWS)))
    free -= jnp.einsum("tnk,ks->tns", by_shape, shape)
    _, jacobian = jacobian_of(posed, prior, problem.rest_offsets)
    moved = jnp.einsum("tpin,tns->tpis", jacobian[..., :UNKNOWNS], free)
    moved += jnp.einsum("tpik,ks->tpis", jacobian[..., UNKNOWNS:], shape)
    return jnp.sqrt((moved**2).sum(-2).mean(-1))
