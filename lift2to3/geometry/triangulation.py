"""Confidence-weighted triangulation in closed form: one 3×3 solve per point, differentiable."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from lift2to3.geometry.cameras import View, ray_directions

RIDGE = 1e-6
"""Pull toward the mean of the views' centres; only matters where fewer than two rays carry weight."""


def solve_symmetric(matrix: dict[str, Array], vector: list[Array]) -> Array:
    """x of ``matrix @ x = vector``, by cofactors: batched 3×3 LU is slow on CPUs."""
    xx, xy, xz, yy, yz, zz = (matrix[key] for key in ("xx", "xy", "xz", "yy", "yz", "zz"))
    c_xx, c_xy, c_xz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    c_yy, c_yz, c_zz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * c_xx + xy * c_xy + xz * c_xz
    bx, by, bz = vector
    cofactors = (c_xx, c_xy, c_xz), (c_xy, c_yy, c_yz), (c_xz, c_yz, c_zz)
    products = [x * bx + y * by + z * bz for x, y, z in cofactors]
    return jnp.stack(products, axis=-1) / determinant[..., None]


def triangulate(
    views: View,
    n: Float[Array, "*batch view points 2"],
    weights: Float[Array, "*batch view points"],
) -> tuple[Float[Array, "*batch points 3"], Float[Array, "*batch points"]]:
    """The points nearest to their rays: min Σ_v w_v ‖(I − d_v d_vᵀ)(X − c_v)‖².

    Args:
        views: the cameras, batch axes ``*batch view``.
        n: normalised image coordinates.
        weights: how much each ray counts, ≥ 0; 0 leaves it out. Two rays or more must count.

    Returns:
        Points in the world (metres) and, for each, its weighted root-mean-square distance to the
        rays (metres): 0 where they all meet.
    """
    directions = ray_directions(views, n)
    directions = directions / jnp.linalg.norm(directions, axis=-1, keepdims=True)
    origin = views.centre.mean(axis=-2)  # solved around the rig's middle: float32 keeps its digits
    centres = (views.centre - origin[..., None, :])[..., None, :]
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    w = weights
    matrix = {
        "xx": (w * (1 - x * x)).sum(-2) + RIDGE,
        "yy": (w * (1 - y * y)).sum(-2) + RIDGE,
        "zz": (w * (1 - z * z)).sum(-2) + RIDGE,
        "xy": -(w * x * y).sum(-2),
        "xz": -(w * x * z).sum(-2),
        "yz": -(w * y * z).sum(-2),
    }
    foot = centres - (centres * directions).sum(-1, keepdims=True) * directions
    weighted = (w[..., None] * foot).sum(-3)
    points = solve_symmetric(matrix, [weighted[..., axis] for axis in range(3)])
    offset = points[..., None, :, :] - centres
    offset = offset - (offset * directions).sum(-1, keepdims=True) * directions
    total = jnp.maximum(w.sum(-2), RIDGE)
    square = (w * (offset**2).sum(-1)).sum(-2) / total
    spread = jnp.sqrt(jnp.maximum(square, 1e-12))
    return points + origin[..., None, :], spread
