"""Rotations as matrices, 6D, axis-angle and quaternions (wxyz); gradients are finite at every rotation."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def matrix_from_6d(six: Float[Array, "*batch 6"]) -> Float[Array, "*batch 3 3"]:
    """Gram–Schmidt on the first two *columns* (Zhou et al. 2019, "On the Continuity of Rotations")."""
    first, second = six[..., :3], six[..., 3:]
    x = first / jnp.linalg.norm(first, axis=-1, keepdims=True)
    second = second - (x * second).sum(-1, keepdims=True) * x
    y = second / jnp.linalg.norm(second, axis=-1, keepdims=True)
    return jnp.stack([x, y, jnp.cross(x, y)], axis=-1)


def sixd_from_matrix(matrix: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 6"]:
    """The first two columns, one after the other."""
    return jnp.concatenate([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def skew_matrix(v: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """What multiplies a vector as ``cross(v, ·)`` does."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = jnp.zeros_like(x)
    return jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape, 3)


def matrix_from_axis_angle(axis_angle: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Rodrigues' formula; the vector's length is the angle in radians."""
    square = (axis_angle**2).sum(-1)[..., None, None]
    small = square < 1e-8
    safe = jnp.where(small, 1.0, square)  # the untaken branch must not divide by zero either
    angle = jnp.sqrt(safe)
    sinc = jnp.where(small, 1 - square / 6, jnp.sin(angle) / angle)
    cosc = jnp.where(small, 0.5 - square / 24, (1 - jnp.cos(angle)) / safe)
    cross = skew_matrix(axis_angle)
    identity = jnp.broadcast_to(jnp.eye(3, dtype=axis_angle.dtype), cross.shape)
    return identity + sinc * cross + cosc * (cross @ cross)


def matrix_from_quaternion(wxyz: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Of any non-zero quaternion (it is normalised here)."""
    w, x, y, z = jnp.moveaxis(wxyz / jnp.linalg.norm(wxyz, axis=-1, keepdims=True), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return jnp.stack(rows, -1).reshape(*w.shape, 3, 3)


def quaternion_from_matrix(matrix: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4"]:
    """Unit quaternion with w ≥ 0; of the four candidate formulas the best conditioned is taken."""
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, yz, zx = m[..., 1, 0] + m[..., 0, 1], m[..., 2, 1] + m[..., 1, 2], m[..., 0, 2] + m[..., 2, 0]
    # each row is 4·q_k·(w, x, y, z) for k = w, x, y, z; the largest has the largest |q_k|
    candidates = jnp.stack(
        [
            jnp.stack([1 + xx + yy + zz, wx, wy, wz], -1),
            jnp.stack([wx, 1 + xx - yy - zz, xy, zx], -1),
            jnp.stack([wy, xy, 1 - xx + yy - zz, yz], -1),
            jnp.stack([wz, zx, yz, 1 - xx - yy + zz], -1),
        ],
        axis=-2,
    )
    diagonal = jnp.einsum("...kk->...k", candidates)
    best = jnp.argmax(diagonal, axis=-1)[..., None, None]
    q = jnp.take_along_axis(candidates, best, axis=-2)[..., 0, :]
    q = q / jnp.linalg.norm(q, axis=-1, keepdims=True)
    return jnp.where(q[..., :1] < 0, -q, q)


def axis_angle_from_matrix(matrix: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    """Axis times angle, the angle in [0, π]."""
    q = quaternion_from_matrix(matrix)
    w, vector = q[..., :1], q[..., 1:]
    square = (vector**2).sum(-1, keepdims=True)
    small = square < 1e-12
    sine = jnp.sqrt(jnp.where(small, 1.0, square))
    scale = jnp.where(small, 2.0, 2 * jnp.arctan2(sine, w) / sine)
    return vector * scale


def geodesic_angle(
    first: Float[Array, "*batch 3 3"], second: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch"]:
    """Angle in radians of the rotation that takes one matrix to the other."""
    q = quaternion_from_matrix(jnp.einsum("...ji,...jk->...ik", first, second))
    square = (q[..., 1:] ** 2).sum(-1)
    small = square < 1e-14
    return jnp.where(small, 0.0, 2 * jnp.arctan2(jnp.sqrt(jnp.where(small, 1.0, square)), q[..., 0]))


def yaw_matrix(yaw_rad: Float[Array, "*batch"]) -> Float[Array, "*batch 3 3"]:
    """Rotation about the world's z axis, counter-clockwise seen from above."""
    cos, sin = jnp.cos(yaw_rad), jnp.sin(yaw_rad)
    zero, one = jnp.zeros_like(cos), jnp.ones_like(cos)
    return jnp.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).reshape(*cos.shape, 3, 3)
