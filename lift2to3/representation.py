"""Local pose and global movement (Mocap-2-to-3 sec. 3.3): what the denoiser sees and predicts.

Per view and frame, in normalised image coordinates n: box half-side s, root r (the pelvis) and
local pose p with **eq. 1: n_j = r + s · p_j**. r and s are made relative to where the view aims
and how far away that is, so that one unit is about one standard deviation in any view. `encode`
and `decode` are inverses; nobody outside this file counts channels.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from lift2to3.geometry.rigs import Rig
from lift2to3.skeletons import CANONICAL, INDEX

JOINTS = len(CANONICAL)
_ROOT = INDEX["pelvis"]
_HIPS = (INDEX["pelvis"], INDEX["mid_hip"], INDEX["left_hip"], INDEX["right_hip"])
_BODY_HALF_M = 0.85  # half of a standing person: s · depth is about this
_POSE_SCALE, _ROOT_SCALE, _SCALE_SCALE = 2.0, 2.0, 4.0
_SMALLEST = 1e-3
_LEAST = 1e-6


class Movement2D(NamedTuple):
    """The decoupled 2D motion of one view.

    Attributes:
        pose: (*batch, joints, 2) local pose p, in box half-sides from the root.
        root: (*batch, 2) root relative to the aim, in metres at the aim's depth.
        log_scale: (*batch) log of the box's half-side at the aim's depth over 0.85 m.
    """

    pose: Float[Array, "*batch joints 2"]
    root: Float[Array, "*batch 2"]
    log_scale: Float[Array, "*batch"]


CHANNELS = 2 * JOINTS + 3


def pack(movement: Movement2D) -> Float[Array, "*batch channels"]:
    """One vector per view and frame, each channel of about unit variance."""
    pose = movement.pose.reshape(*movement.pose.shape[:-2], 2 * JOINTS)
    return jnp.concatenate(
        [_POSE_SCALE * pose, _ROOT_SCALE * movement.root, _SCALE_SCALE * movement.log_scale[..., None]], -1
    )


def unpack(x: Float[Array, "*batch channels"]) -> Movement2D:
    """Inverse of `pack`."""
    pose = x[..., : 2 * JOINTS].reshape(*x.shape[:-1], JOINTS, 2) / _POSE_SCALE
    return Movement2D(pose, x[..., -3:-1] / _ROOT_SCALE, x[..., -1] / _SCALE_SCALE)


def _box(
    n: Float[Array, "*batch joints 2"], seen: Float[Array, "*batch joints"]
) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Root and half-side of the seen points' box, and how far any is seen.

    The root falls back on hips, then the mean. What is seen in part stretches the box in part.
    """
    some = seen.max(-1)
    seen = seen / jnp.maximum(some, _LEAST)[..., None]
    mix = lambda share, one, other: share[..., None] * one + (1 - share[..., None]) * other  # noqa: E731
    mean = lambda n, seen: (n * seen[..., None]).sum(-2) / jnp.maximum(seen.sum(-1), _LEAST)[..., None]  # noqa: E731
    middle = mean(n, seen)
    drawn_in = mix(seen, n, middle[..., None, :])
    half = (drawn_in.max(-2) - drawn_in.min(-2)).max(-1) / 2
    hips = seen[..., _HIPS[2:]]
    root = mix(hips.max(-1), mean(n[..., _HIPS[2:], :], hips), middle)
    for row in (_HIPS[1], _ROOT):
        root = mix(seen[..., row], n[..., row, :], root)
    return root, jnp.maximum(half, _SMALLEST), some


def _frames(rig: Rig) -> tuple[Array, Array]:
    """The rig's aim point and depth with a time axis to broadcast over."""
    return rig.aim_n[..., None, :], rig.aim_depth_m[..., None]


def encode(
    n: Float[Array, "*batch view time joints 2"], seen: Shaped[Array, "*batch view time joints"], rig: Rig
) -> Float[Array, "*batch view time channels"]:
    """Normalised image points of every view → packed local pose and global movement.

    Where points are missing (``seen`` 0), the box is that of the others and their pose is 0; from there to 1
    all is continuous.
    """
    aim_n, aim_depth = _frames(rig)
    n, seen = jnp.where((seen > 0)[..., None], n, 0.0), seen.astype(n.dtype)
    root, half, some = _box(n, seen)
    pose = seen[..., None] * (n - root[..., None, :]) / half[..., None, None]
    log_scale = some * jnp.log(half * aim_depth / _BODY_HALF_M)
    return pack(Movement2D(pose, some[..., None] * (root - aim_n) * aim_depth[..., None], log_scale))


def decode(
    x: Float[Array, "*batch view time channels"], rig: Rig
) -> Float[Array, "*batch view time joints 2"]:
    """Packed movement → normalised image points of every view, by eq. 1."""
    movement = unpack(x)
    aim_n, aim_depth = _frames(rig)
    root = aim_n + movement.root / aim_depth[..., None]
    # a wild sample must not overflow float32: e^±3 is a body 20 times too large or small
    half = jnp.exp(movement.log_scale.clip(-3.0, 3.0)) * _BODY_HALF_M / aim_depth
    return root[..., None, :] + half[..., None, None] * movement.pose


def encode_coupled(
    n: Float[Array, "*batch view time joints 2"], seen: Shaped[Array, "*batch view time joints"], rig: Rig
) -> Float[Array, "*batch view time channels"]:
    """The ablation "w/o decouple": positions themselves, in metres at the aim's depth.

    The same channels as `encode`, the movement's three at 0.
    """
    aim_n, aim_depth = _frames(rig)
    metres = (n - aim_n[..., None, :]) * aim_depth[..., None, None]
    pose = jnp.where((seen > 0)[..., None], seen[..., None] * metres, 0.0)
    zero = jnp.zeros(pose.shape[:-2], pose.dtype)
    return pack(Movement2D(pose, jnp.stack([zero, zero], -1), zero))


def decode_coupled(
    x: Float[Array, "*batch view time channels"], rig: Rig
) -> Float[Array, "*batch view time joints 2"]:
    """Inverse of `encode_coupled`."""
    aim_n, aim_depth = _frames(rig)
    return aim_n[..., None, :] + unpack(x).pose / aim_depth[..., None, None]


# --- feet (FootMR sec. 3): foot points in the box of the whole person

FOOT_KEYPOINTS: Final = tuple(
    f"{side}_{point}" for side in ("left", "right") for point in ("ankle", "big_toe", "small_toe", "heel")
)
"""The canonical points that the foot lifter sees, in its order."""

FOOT_ROWS: Final = np.array([INDEX[name] for name in FOOT_KEYPOINTS])
"""Their rows in a canonical array."""

BOX_MARGIN: Final = 1.2
"""Side of the person's box over the longer side of the tight one."""


def person_box(
    n: Float[Array | np.ndarray, "time joints 2"], shown: Bool[Array | np.ndarray, "time joints"]
) -> Float[Array | np.ndarray, "time 3"]:
    """Centre and side of the square box around the shown points of each frame, `BOX_MARGIN` wider than they.

    A frame that shows none has a box of side 1 at the origin. NumPy in, NumPy out.
    """
    xp = np if isinstance(n, np.ndarray) else jnp
    high = xp.where(shown[..., None], n, -xp.inf).max(1)
    low = xp.where(shown[..., None], n, xp.inf).min(1)
    some = xp.any(shown, axis=1, keepdims=True)
    high, low = xp.where(some, high, 0.5 / BOX_MARGIN), xp.where(some, low, -0.5 / BOX_MARGIN)
    side = BOX_MARGIN * xp.maximum((high - low).max(-1, keepdims=True), 1e-3)
    return xp.concatenate([(high + low) / 2, side], axis=-1)


def in_box(
    n: Float[Array | np.ndarray, "time points 2"], box: Float[Array | np.ndarray, "time 3"]
) -> Float[Array | np.ndarray, "time points 2"]:
    """Image points told in their frame's box: −1…1 from edge to edge."""
    return (n - box[:, None, :2]) / (box[:, None, 2:] / 2)
