"""Levenberg–Marquardt over a window of frames: the solver of `fit_body` and of the refinement.

A frame is coupled to the next two by smoothness and by feet that stay where they stand, so the normal
equations are a band of blocks, with a border for the bones. They are solved exactly, by Cholesky from frame
to frame. Image points leave depth to the neighbouring frames, a coupling under which conjugate gradients
need many rounds; general solvers (SciPy's, optimistix's) know nothing of the blocks.

A Cholesky factor is inverted along with its making: on CPUs JAX hands triangular solves to a BLAS that splits
each of these small ones among threads, which costs many times the work where cores are shared.
"""

from __future__ import annotations

import functools
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.disk_cache import Kept
from lift2to3.fit.pose_linear import Linear, linearise
from lift2to3.fit.pose_problem import UNKNOWNS, Posed, PosePrior, Problem, Weights, stepped

_LARGE: Final = 1e15  # over any variance of an unknown
_DRAWS: Final = 256


class _Factor(NamedTuple):
    """Cholesky's factor of the band: by row, inverses on the diagonal, and the blocks one and two before it.

    The blocks that would come before the first frame are 0.
    """

    inverse: Float[Array, "time n n"]
    one_before: Float[Array, "time n n"]
    two_before: Float[Array, "time n n"]


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


_linearise = Kept(linearise, "linearise")
"""One program for each number of frames, which every step of every solve shares."""


def linearised(posed: Posed, problem: Problem, prior: PosePrior, weights: Weights) -> Linear:
    """`linearise`, compiled."""
    return Linear(*_linearise(posed, problem, prior, weights))


_step = Kept(lambda posed, linear, damping: stepped(posed, *_solve(linear, damping)), "step")
"""The poses one damped step further."""


def solve(
    posed: Posed,
    problem: Problem,
    prior: PosePrior,
    weights: Weights,
    iterations: int,
    settled: float = 1e-4,
    small_steps: int = 2,
) -> tuple[Posed, float, int]:
    """Poses of least energy from where they start; a step that does not lower it is not taken.

    The loop runs on the host: compiled whole, it would hold a second `linearise`, and take three times as
    long to compile for no gain in speed.

    At most ``iterations`` steps are tried. One that lowers the energy by less than its share ``settled`` is
    small, and ``small_steps`` of them in a row are the last.

    Returns:
        The poses, their energy (half the residuals' sum of squares), and how many steps were tried.
    """
    known = jax.device_put((problem, prior, weights))
    posed = jax.device_put(posed)
    linear = linearised(posed, *known)
    energy, damping, small, count = float(linear.energy), 1e-2, 0, 0
    while count < iterations and small < small_steps:
        count += 1
        tried = Posed(*_step(posed, linear, np.float32(damping)))
        linear_there = linearised(tried, *known)
        lower = float(linear_there.energy)
        if not lower < energy:  # nor where it is no number
            damping = min(5 * damping, 1e6)
            continue
        small = small + 1 if lower > (1 - settled) * energy else 0
        posed, linear, energy, damping = tried, linear_there, lower, max(damping / 5, 1e-6)
    return posed, energy, count


def spread_of(posed: Posed, problem: Problem, prior: PosePrior, weights: Weights) -> Float[Array, "time 38"]:
    """Standard deviation of each point, metres, by the energy's Gaussian approximation (Laplace's).

    It is that of `_DRAWS` draws, to about 3 %. Draws are one substitution, which single precision bears; the
    recursion for the inverse's own blocks it does not, where a person is long unseen.
    """
    known = jax.device_put((problem, prior, weights))
    return _drawn_spread(linearised(posed, *known))


@functools.partial(Kept, name="spread")
def _drawn_spread(linear: Linear) -> Float[Array, "time 38"]:
    factor = _factorise(linear, jnp.zeros(()))
    by_shape = _back(factor, _forth(factor, linear.border))
    corner = linear.corner - jnp.einsum("tnk,tnl->kl", linear.border, by_shape)
    of_poses, of_shape = jax.random.split(jax.random.key(0))
    shape = _inverse_cholesky(corner).T @ jax.random.normal(of_shape, (len(corner), _DRAWS))
    free = _back(factor, jax.random.normal(of_poses, (*linear.gradient.shape, _DRAWS)))
    free -= jnp.einsum("tnk,ks->tns", by_shape, shape)
    moved = jnp.einsum("tpin,tns->tpis", linear.jacobian[..., :UNKNOWNS], free)
    moved += jnp.einsum("tpik,ks->tpis", linear.jacobian[..., UNKNOWNS:], shape)
    return jnp.sqrt((moved**2).sum(-2).mean(-1))
