"""A posed body and points in the axes and the unit of a file.

At rest a `BodyMotion` stands in a T-pose with every frame's axes along x left, y up, z forward. A file
whose world has y up takes these axes as they are; in one whose world has z up the rest pose must stand
along z, so the body's own axes are turned with the world's: x left, y back, z up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from lift2to3.body import BODY_JOINTS
from lift2to3.motion import BodyMotion, Motion, check_body, check_points
from lift2to3.skeletons import INDEX

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


class FileBody(NamedTuple):
    """The 22 turning joints in a file's axes, metres, double precision.

    Attributes:
        rest_offsets: each joint from its parent, in its frame; the root's is not used.
        tips: where the bones of joints without children end, in the joint's frame.
        rotations: each joint's frame relative to its parent's.
        root_translation: the root in the file's world.
    """

    rest_offsets: Float[np.ndarray, "22 3"]
    tips: dict[str, Float[np.ndarray, "3"]]
    rotations: Float[np.ndarray, "time 22 3 3"]
    root_translation: Float[np.ndarray, "time 3"]


def file_from_world(up: UpAxis) -> Float[np.ndarray, "3 3"]:
    """Turns the world (z up) into a file's axes."""
    return Y_UP_FROM_WORLD if up == "y" else np.eye(3)


def body_in_file(body: BodyMotion, up: UpAxis) -> FileBody:
    """The body's turning joints in the file's axes.

    Raises:
        ValueError: a body that cannot be written; see `check_body`.
    """
    check_body(body)
    world = file_from_world(up)
    rest = np.eye(3) if up == "y" else Y_UP_FROM_WORLD.T  # stands the body's own axes upright in the file
    # frames in the file are world @ frame @ rest.T: so the joints' own rotations are conjugated by rest
    rotations = rest @ orthonormal(np.asarray(body.rotations, float)) @ rest.T
    rotations[:, 0] = world @ rest.T @ rotations[:, 0]
    offsets = np.asarray(body.rest_offsets, float) @ rest.T
    return FileBody(
        rest_offsets=offsets[: len(BODY_JOINTS)],
        tips={joint: offsets[INDEX[point]] for joint, point in TIPS.items()},
        rotations=rotations,
        root_translation=np.asarray(body.root_translation, float) @ world.T,
    )


def visible_points(motion: Motion, up: UpAxis, metres_per_unit: float) -> Float[np.ndarray, "time joints 3"]:
    """The points in a file's axes and unit; NaN where not valid.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    check_points(motion)
    points = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(float)
    return points @ (file_from_world(up).T / metres_per_unit)


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
