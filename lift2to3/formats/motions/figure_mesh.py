"""A plain figure around a skeleton: one rounded limb a bone, for formats that show a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lift2to3.body import BODY_JOINTS, JOINT_PARENTS, REFERENCE_LEG_M, leg_length
from lift2to3.formats.motions.file_axes import TIPS
from lift2to3.skeletons import INDEX

_RADIUS_M: Final[Mapping[str, float]] = {
    "hip": 0.085, "knee": 0.068, "ankle": 0.048, "foot": 0.038, "big_toe": 0.032, "spine1": 0.105,
    "spine2": 0.100, "spine3": 0.105, "neck": 0.080, "head": 0.050, "head_top": 0.085, "collar": 0.075,
    "shoulder": 0.060, "elbow": 0.045, "wrist": 0.036, "hand": 0.038,
}  # fmt: skip
"""Of the limb that ends at each point, for a leg of `REFERENCE_LEG_M`; left and right alike."""

_SIDES: Final = 10
_LATITUDES: Final = np.radians([-50.0, 0.0, 0.0, 50.0])
"""Rings of a limb: two round off its start, two its end."""


class SkinnedMesh(NamedTuple):
    """Triangles in the rest pose, each vertex moving with up to four joints.

    Attributes:
        positions: metres, the pelvis at the origin; x left, y up, z forward.
        normals: unit length, outwards.
        joints: rows of the joints that each vertex moves with; any where the weight is 0.
        weights: their shares, which sum to 1.
        triangles: vertex rows, counter-clockwise seen from outside.
    """

    positions: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    joints: Int[np.ndarray, "vertices 4"]
    weights: Float[np.ndarray, "vertices 4"]
    triangles: Int[np.ndarray, "triangles 3"]


def rest_positions(rest_offsets: Float[np.ndarray, "38 3"]) -> Float[np.ndarray, "22 3"]:
    """The turning joints at rest, metres from the pelvis."""
    positions = np.zeros((len(BODY_JOINTS), 3))
    for row, parent in enumerate(JOINT_PARENTS):
        if parent >= 0:  # the 22 joints list parents first
            positions[row] = positions[parent] + rest_offsets[row]
    return positions


def figure_mesh(rest_offsets: Float[np.ndarray, "38 3"]) -> SkinnedMesh:
    """The figure of a body's own bone lengths; each vertex moves with the first of its joints alone."""
    positions = rest_positions(rest_offsets)
    scale = leg_length(rest_offsets) / REFERENCE_LEG_M
    bones = [(int(JOINT_PARENTS[row]), BODY_JOINTS[row]) for row in range(1, len(BODY_JOINTS))]
    bones += [(INDEX[joint], tip) for joint, tip in TIPS.items()]
    limbs = []
    for joint, end in bones:
        radius = scale * _RADIUS_M[end.removeprefix("left_").removeprefix("right_")]
        bone = rest_offsets[INDEX[end]]
        if end in TIPS.values():  # the limb ends at the tip, its round end included
            bone = bone * max(1 - radius / max(float(np.linalg.norm(bone)), radius), 0.1)
        limbs.append(_limb(positions[joint], bone, radius))
    points, normals, triangles = zip(*limbs, strict=True)
    sizes = [len(limb) for limb in points]
    joints = np.repeat([joint for joint, _ in bones], sizes)
    first = np.cumsum(sizes) - sizes
    alone = np.array([1, 0, 0, 0])
    return SkinnedMesh(
        positions=np.concatenate(points),
        normals=np.concatenate(normals),
        joints=joints[:, None] * alone,
        weights=np.tile(alone.astype(float), (len(joints), 1)),
        triangles=np.concatenate([limb + row for limb, row in zip(triangles, first, strict=True)]),
    )


def _limb(
    start: Float[np.ndarray, "3"], bone: Float[np.ndarray, "3"], radius: float
) -> tuple[Float[np.ndarray, "vertices 3"], Float[np.ndarray, "vertices 3"], Int[np.ndarray, "triangles 3"]]:
    """A capsule from ``start`` along ``bone``: positions, normals and triangles."""
    length = float(np.linalg.norm(bone))
    along = bone / length if length > 0 else np.array([0.0, 1.0, 0.0])
    across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    across /= np.linalg.norm(across)
    other = np.cross(along, across)
    turn = 2 * np.pi * np.arange(_SIDES) / _SIDES
    circle = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * other
    rings = [np.cos(up) * circle + np.sin(up) * along for up in _LATITUDES]
    normals = np.concatenate([[-along], *rings, [along]])
    rises = np.repeat([0.0, length], [1 + 2 * _SIDES, 2 * _SIDES + 1])
    return start + radius * normals + rises[:, None] * along, normals, _limb_triangles()


def _limb_triangles() -> Int[np.ndarray, "triangles 3"]:
    near = np.arange(_SIDES)
    far = (near + 1) % _SIDES
    last = 1 + len(_LATITUDES) * _SIDES
    faces = [np.stack([np.zeros_like(near), 1 + far, 1 + near], axis=1)]
    for ring in range(len(_LATITUDES) - 1):
        a, b = 1 + ring * _SIDES + near, 1 + ring * _SIDES + far
        faces += [np.stack([a, b, b + _SIDES], axis=1), np.stack([a, b + _SIDES, a + _SIDES], axis=1)]
    top = last - _SIDES
    faces.append(np.stack([np.full_like(near, last), top + near, top + far], axis=1))
    return np.concatenate(faces)
