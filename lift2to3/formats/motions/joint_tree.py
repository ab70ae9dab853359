"""A posed body in the axes of a file: checks before writing, the up axis, and the way back.

At rest a `BodyMotion` stands in a T-pose with every frame's axes along x left, y up, z forward. A file
whose world has y up takes these axes as they are; in one whose world has z up the rest pose must stand
along z, so the body's own axes are turned with the world's: x left, y back, z up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from lift2to3.body import BODY_JOINTS, JOINT_PARENTS
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import CANONICAL, INDEX

UpAxis = Literal["y", "z"]
"""Which axis of a file points up; x stays x, so both are right-handed."""

Unit = Literal["m", "cm", "mm"]

METRES: Final[Mapping[Unit, float]] = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Length of each unit."""

Y_UP_FROM_WORLD: Final = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""A quarter turn about x: the world's z becomes the file's y."""

TIPS: Final[Mapping[str, str]] = {
    "head": "head_top", "left_foot": "left_big_toe", "right_foot": "right_big_toe",
    "left_wrist": "left_hand", "right_wrist": "right_hand",
}  # fmt: skip
"""Joints without children → the canonical point where their bone ends."""

_SHORTEST_BONE_M: Final = 1e-3


class JointTree(NamedTuple):
    """The turning joints as a file holds them, in its axes, metres.

    Attributes:
        joint_names: parents need not come first.
        parents: the name of each joint's parent; None for the root.
        rest_offsets: (joints, 3) from the parent, in its frame; the root's is not used.
        tips: where the bones of joints without children end, in the joint's frame.
        rotations: (time, joints, 3, 3) each joint's frame relative to its parent's.
        root_translation: (time, 3) the root in the file's world.
        fps: frames per second.
    """

    joint_names: tuple[str, ...]
    parents: tuple[str | None, ...]
    rest_offsets: np.ndarray
    tips: dict[str, np.ndarray]
    rotations: np.ndarray
    root_translation: np.ndarray
    fps: float


def file_from_world(up: UpAxis) -> Float[np.ndarray, "3 3"]:
    """Turns the world (z up) into a file's axes."""
    return Y_UP_FROM_WORLD if up == "y" else np.eye(3)


def _rest_from_body(up: UpAxis) -> Float[np.ndarray, "3 3"]:
    """Turns the body's axes at rest (y up) so that the rest pose stands upright in the file."""
    return np.eye(3) if up == "y" else Y_UP_FROM_WORLD.T


def check_body(body: BodyMotion) -> None:
    """See that a body can be written as rotations.

    Raises:
        ValueError: an array of another shape, numbers that are not finite, matrices that are no
            rotations, a bone without length, a rate that is none, or fewer than 2 valid frames.
    """
    frames, joints = len(body.root_translation), len(BODY_JOINTS)
    wanted = {
        "root_translation": (frames, 3), "rotations": (frames, joints, 3, 3),
        "rest_offsets": (len(CANONICAL), 3), "valid": (frames,),
    }  # fmt: skip
    for name, shape in wanted.items():
        if np.shape(getattr(body, name)) != shape:
            raise ValueError(f"body motion: {name} is {np.shape(getattr(body, name))}, wanted {shape}")
    check_rate_and_frames(body.fps, int(np.count_nonzero(body.valid)))
    for name, axis_names in (("root_translation", None), ("rotations", BODY_JOINTS)):
        bad = np.argwhere(~np.isfinite(getattr(body, name)))
        if len(bad):
            where = f" of {axis_names[bad[0, 1]]}" if axis_names else ""
            raise ValueError(
                f"body motion: {name}{where} is not finite in frame {bad[0, 0]}; wanted every frame filled "
                "in, those without support marked in valid"
            )
    _check_bones(body.rest_offsets)
    turns = np.asarray(body.rotations, float)
    error = np.abs(turns @ turns.swapaxes(-1, -2) - np.eye(3)).max(axis=(-1, -2))
    error = np.where(np.linalg.det(turns) < 0, np.inf, error)
    if error.max(initial=0.0) > 1e-3:
        frame, joint = np.unravel_index(error.argmax(), error.shape)
        raise ValueError(
            f"body motion: the matrix of {BODY_JOINTS[joint]} in frame {frame} is no rotation; wanted "
            "orthonormal columns and determinant +1"
        )


def check_rate_and_frames(fps: float, valid_frames: int) -> None:
    """Refuse a rate that is none and a clip without two frames to move between.

    Raises:
        ValueError: either.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"motion: fps is {fps}; wanted frames per second above 0")
    if valid_frames < 2:
        raise ValueError(f"motion: {valid_frames} valid frames; wanted 2 or more for a file of motion")


def _check_bones(rest_offsets: np.ndarray) -> None:
    if not np.isfinite(rest_offsets).all():
        row = int(np.argwhere(~np.isfinite(rest_offsets))[0, 0])
        raise ValueError(f"body motion: rest offset of {CANONICAL[row]} is not finite; wanted metres")
    length = np.linalg.norm(rest_offsets[: len(BODY_JOINTS)], axis=-1)
    short = [row for row in range(1, len(BODY_JOINTS)) if length[row] < _SHORTEST_BONE_M]
    if short:
        bones = ", ".join(f"{BODY_JOINTS[JOINT_PARENTS[row]]} to {BODY_JOINTS[row]}" for row in short)
        raise ValueError(f"body motion: bones without length: {bones}; wanted 1 mm or more in rest_offsets")


def tree_from_body(body: BodyMotion, up: UpAxis) -> JointTree:
    """The body's turning joints in the file's axes, double precision.

    Raises:
        ValueError: a body that cannot be written; see `check_body`.
    """
    check_body(body)
    world, rest = file_from_world(up), _rest_from_body(up)
    turns = orthonormal(np.asarray(body.rotations, float))
    # frames in the file are world @ frame @ rest.T: so the joints' own turns are conjugated by rest
    turns = rest @ turns @ rest.T
    turns[:, 0] = world @ rest.T @ turns[:, 0]
    offsets = np.asarray(body.rest_offsets, float) @ rest.T
    return JointTree(
        joint_names=BODY_JOINTS,
        parents=tuple(None if row < 0 else BODY_JOINTS[row] for row in JOINT_PARENTS),
        rest_offsets=offsets[: len(BODY_JOINTS)],
        tips={joint: offsets[INDEX[point]] for joint, point in TIPS.items()},
        rotations=turns,
        root_translation=np.asarray(body.root_translation, float) @ world.T,
        fps=float(body.fps),
    )


def body_from_tree(
    tree: JointTree, up: UpAxis | None, source: str, valid: Bool[np.ndarray, " time"] | None = None
) -> BodyMotion:
    """What `tree_from_body` wrote, in our world again.

    Points that a file does not hold (face, heels, small toes) lie on the joint they ride on.

    Args:
        tree: in the file's axes.
        up: which axis of the file points up; None to see it from the spine at rest.
        source: what the messages call the file.
        valid: by default every frame is.

    Raises:
        ValueError: other joints, or another tree of them, than `BODY_JOINTS`.
    """
    given = dict(zip(tree.joint_names, tree.parents, strict=True))
    wanted = {name: None if p < 0 else BODY_JOINTS[p] for name, p in zip(BODY_JOINTS, JOINT_PARENTS)}  # noqa: B905
    if given != wanted:
        unknown = sorted(given.keys() - wanted.keys()) or "none"
        raise ValueError(
            f"{source}: not the skeleton that lift2to3 writes; joints it does not know: {unknown}, joints "
            f"missing: {sorted(wanted.keys() - given.keys()) or 'none'}; wanted SMPL's 22 joints"
        )
    rows = [tree.joint_names.index(name) for name in BODY_JOINTS]
    offsets = np.zeros((len(CANONICAL), 3))
    offsets[1 : len(BODY_JOINTS)] = tree.rest_offsets[rows[1:]]
    for joint, point in TIPS.items():
        offsets[INDEX[point]] = tree.tips.get(joint, np.zeros(3))
    up = up or _up_at_rest(offsets, source)
    world, rest = file_from_world(up), _rest_from_body(up)
    turns = np.array(tree.rotations[:, rows])
    turns[:, 0] = rest @ world.T @ turns[:, 0]
    offsets = offsets @ rest
    for middle, sides in (("mid_hip", ("hip",)), ("mid_shoulder", ("collar", "shoulder"))):
        chains = [offsets[INDEX[f"{side}_{part}"]] for side in ("left", "right") for part in sides]
        offsets[INDEX[middle]] = sum(chains) / 2  # at rest, where every frame is aligned
    return BodyMotion(
        root_translation=tree.root_translation @ world,
        rotations=rest.T @ turns @ rest,
        rest_offsets=offsets,
        fps=float(tree.fps),
        valid=np.ones(len(turns), bool) if valid is None else valid,
    )


def _up_at_rest(offsets: Float[np.ndarray, "38 3"], source: str) -> UpAxis:
    spine = sum(offsets[INDEX[name]] for name in ("spine1", "spine2", "spine3", "neck"))
    axis = int(np.argmax(spine))
    if axis == 0:
        raise ValueError(f"{source}: the spine at rest points along x; wanted a T-pose along y or z")
    return "y" if axis == 1 else "z"


def orthonormal(matrices: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """The matrices made exact rotations again: single precision leaves 1e-7 of shear."""
    x = matrices[..., 0] / np.linalg.norm(matrices[..., 0], axis=-1, keepdims=True)
    y = matrices[..., 1] - (x * matrices[..., 1]).sum(-1, keepdims=True) * x
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def quaternions_xyzw(matrices: Float[np.ndarray, "time joints 3 3"]) -> Float[np.ndarray, "time joints 4"]:
    """Unit quaternions, x y z w; along time each stays on the side of the one before."""
    xyzw = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_quat().reshape(*matrices.shape[:2], 4)
    flips = np.sum(xyzw[1:] * xyzw[:-1], axis=-1) < 0
    xyzw[1:] *= np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)[..., None]
    return xyzw
