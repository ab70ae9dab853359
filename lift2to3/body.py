"""The kinematic body: forward kinematics of any rigid skeleton, and the one of the canonical points.

`BodyMotion` poses our own skeleton: the canonical points as one tree in which the 22 SMPL joints turn.
At rest it stands in a T-pose, every frame aligned: x to its left, y up, z forward, as SMPL has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lift2to3.skeletons import PARENTS, SMPL_22, TREE_ORDER, rows_by_side


def tree_levels(parents: Sequence[int] | Int[np.ndarray, "joints"]) -> list[np.ndarray]:
    """Rows of the joints by distance from the root: ``[[roots], [their children], …]``.

    Raises:
        ValueError: a parent that is no joint, or a loop.
    """
    parents = np.asarray(parents)
    if parents.min(initial=-1) < -1 or parents.max(initial=-1) >= len(parents):
        raise ValueError(f"parents: wanted rows from -1 to {len(parents) - 1}, found {parents.tolist()}")
    levels = [np.flatnonzero(parents < 0)]
    while levels[-1].size:
        levels.append(np.flatnonzero(np.isin(parents, levels[-1])))
        if len(levels) > len(parents) + 1:
            raise ValueError(f"parents: a joint is its own ancestor in {parents.tolist()}")
    levels.pop()
    if sum(map(len, levels)) != len(parents):
        raise ValueError(f"parents: a joint is its own ancestor in {parents.tolist()}")
    return levels


def forward_kinematics(
    parents: Sequence[int] | Int[np.ndarray, "joints"],
    offsets: Float[Array | np.ndarray, "*#batch joints 3"],
    rotations: Float[Array | np.ndarray, "*#batch joints 3 3"],
    root_translation: Float[Array | np.ndarray, "*#batch 3"],
) -> tuple[Float[Array | np.ndarray, "*batch joints 3 3"], Float[Array | np.ndarray, "*batch joints 3"]]:
    """Pose a skeleton.

    Differentiable and jittable with JAX arrays. When every input is a NumPy array the result is
    NumPy too, so that reading clips of many lengths compiles nothing.

    Args:
        parents: row of each joint's parent, -1 for the one root; in any order, known statically.
        offsets: from the parent, in the parent's frame, metres. The root's row is not used.
        rotations: each joint's frame relative to its parent's.
        root_translation: the root's position in the world, metres.

    Returns:
        Every joint's frame and position in the world. (*batch joints 3 3), (*batch joints 3)

    Raises:
        ValueError: the parents are not one tree.
    """
    inputs = (offsets, rotations, root_translation)
    xp = np if all(isinstance(x, np.ndarray) for x in inputs) else jnp
    levels = tree_levels(parents)
    if len(levels[0]) != 1:
        raise ValueError(f"parents: wanted one root (-1), found {len(levels[0])}")
    batch = np.broadcast_shapes(offsets.shape[:-2], rotations.shape[:-3], root_translation.shape[:-1])
    joints = len(np.asarray(parents))
    offsets = xp.broadcast_to(offsets, (*batch, joints, 3))
    rotations = xp.broadcast_to(rotations, (*batch, joints, 3, 3))
    level_rotations = [rotations[..., levels[0], :, :]]
    level_positions = [xp.broadcast_to(root_translation, (*batch, 3))[..., None, :]]
    for above, level in zip(levels[:-1], levels[1:], strict=True):
        parent = np.searchsorted(above, np.asarray(parents)[level])
        frame = level_rotations[-1][..., parent, :, :]
        step = xp.einsum("...ij,...j->...i", frame, offsets[..., level, :])
        level_positions.append(level_positions[-1][..., parent, :] + step)
        level_rotations.append(frame @ rotations[..., level, :, :])
    back = np.argsort(np.concatenate(levels))
    return (
        xp.concatenate(level_rotations, axis=-3)[..., back, :, :],
        xp.concatenate(level_positions, axis=-2)[..., back, :],
    )


BODY_JOINTS: Final = SMPL_22
"""The canonical points that turn, in the order of `BodyMotion.rotations`: the first 22 canonical rows."""

JOINT_PARENTS: Final = PARENTS[: len(SMPL_22)]
"""Row of each turning joint's parent; -1 for the pelvis."""


def pose_body(
    rest_offsets: Float[Array | np.ndarray, "*#batch 38 3"],
    rotations: Float[Array | np.ndarray, "*#batch 22 3 3"],
    root_translation: Float[Array | np.ndarray, "*#batch 3"],
) -> tuple[Float[Array | np.ndarray, "*batch 22 3 3"], Float[Array | np.ndarray, "*batch 38 3"]]:
    """The joints' frames and all canonical points in the world, of a `BodyMotion`'s arrays.

    Args:
        rest_offsets: each point from its parent at rest, metres.
        rotations: each joint's frame relative to its parent's; the pelvis's to the world.
        root_translation: the pelvis in the world, metres.
    """
    xp = np if all(isinstance(x, np.ndarray) for x in (rest_offsets, rotations, root_translation)) else jnp
    levels = tree_levels(JOINT_PARENTS)
    chain = [rotations[..., levels[0], :, :]]
    for above, level in zip(levels[:-1], levels[1:], strict=True):
        parent = np.searchsorted(above, JOINT_PARENTS[level])
        chain.append(_product(chain[-1][..., parent, :, :], rotations[..., level, :, :]))
    frames = xp.concatenate(chain, axis=-3)[..., np.argsort(np.concatenate(levels)), :, :]
    bones = xp.einsum("...pij,...pj->...pi", frames[..., PARENTS.clip(0), :, :], rest_offsets)
    paths = xp.asarray(PATHS, dtype=bones.dtype)  # a point is the sum of the bones that lead to it
    return frames, root_translation[..., None, :] + xp.einsum("pq,...qi->...pi", paths, bones)


def _product(first: Array | np.ndarray, second: Array | np.ndarray) -> Array | np.ndarray:
    """Product of 3×3 matrices. As sums in JAX: XLA's CPU compiler fails on some such batched products."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first @ second
    return (first[..., :, :, None] * second[..., None, :, :]).sum(-2)


def _ancestors() -> np.ndarray:
    found = np.zeros((len(PARENTS), len(PARENTS)), bool)
    for row in TREE_ORDER[1:]:
        found[row] = found[PARENTS[row]]
        found[row, PARENTS[row]] = True
    return found


ANCESTORS: Final = _ancestors()
"""(points, points): whether the second is the first one's parent, or its parent's, and so on."""

PATHS: Final = (ANCESTORS | np.eye(len(PARENTS), dtype=bool)) & (PARENTS >= 0)
"""(points, points): whether the bone to the second leads from the pelvis to the first."""


def local_rotations(frames: Float[np.ndarray, "*batch 22 3 3"]) -> Float[np.ndarray, "*batch 22 3 3"]:
    """Each joint's frame in the world → relative to its parent's; the pelvis's stays."""
    relative = frames[..., JOINT_PARENTS[1:], :, :].swapaxes(-1, -2) @ frames[..., 1:, :, :]
    return np.concatenate([frames[..., :1, :, :], relative], axis=-3)


REFERENCE_LEG_M: Final = 0.83
"""Leg of a person of about 1.73 m, hip joint to ankle joint."""

_LEG_ROWS: Final = rows_by_side("knee", "ankle").ravel()


def leg_length(rest_offsets: Float[np.ndarray, "38 3"]) -> float:
    """Thigh and shin, the mean of both legs, metres: what bodies' sizes are compared by."""
    return float(np.linalg.norm(rest_offsets[_LEG_ROWS], axis=1).sum() / 2)


def swing(start: Float[np.ndarray, "3"], end: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation that takes one direction to another; not for opposite ones."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    x, y, z = np.cross(start, end)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + start @ end)
