"""Mocap's own rotations, told as those of our body: what `fit_body` is measured and its prior learned by.

A source's joint frames are those of its own rest pose, in which legs may splay and soles may tilt.
Ours are those of a T-pose. The two differ by one constant rotation a joint, which follows from where the
bones point at rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from lift2to3.body import BODY_JOINTS, forward_kinematics, local_rotations, swing
from lift2to3.data.anatomy import find_family, sole_axes
from lift2to3.data.mocap import MocapClip, matrices_from_quaternions
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import INDEX, PARENTS

_ROLES: Final = {"pelvis": "root", "spine3": "spine2"} | {
    f"{side}_{joint}": f"{side}_{role}"
    for side in ("left", "right")
    for joint, role in (("foot", "ball"), ("collar", "clavicle"))
}
"""Our joint → the role that turns with it, where the two names differ."""

_LIMBS: Final = {
    "hip": ("knee", (0, -1, 0)), "knee": ("ankle", (0, -1, 0)), "shoulder": ("elbow", (1, 0, 0)),
    "elbow": ("wrist", (1, 0, 0)), "wrist": ("hand", (1, 0, 0)),
}  # fmt: skip
"""Left joint → the point its bone leads to, and where that lies in a T-pose."""


def body_motion(clip: MocapClip) -> BodyMotion:
    """The clip on our skeleton, turned by the mocap's own rotations.

    ``rest_offsets`` are the clip's mean: canonical points that a source lets move a little against
    our tree (the pelvis's hips, mid-points) are held still there.
    """
    family = find_family(clip.joint_names)
    row = {name: i for i, name in enumerate(clip.joint_names)}
    roles = [_ROLES.get(name, name) for name in BODY_JOINTS]
    roles = [role if family.plays(role) else role.replace("ball", "ankle") for role in roles]
    local = matrices_from_quaternions(clip.rotations.astype(np.float64))
    root = clip.root_translation.astype(np.float64)
    frames, _ = forward_kinematics(clip.parents, clip.rest_offsets.astype(np.float64), local, root)
    frames = np.asarray(frames)[:, [row[family.joint(role)] for role in roles]]
    points = clip.points_world.astype(np.float64)
    frames = frames @ _rest_rotations(_mean_offsets(frames, points))
    return BodyMotion(
        points[:, INDEX["pelvis"]], local_rotations(frames), _mean_offsets(frames, points), clip.fps,
        np.ones(len(points), bool),
    )  # fmt: skip


def _mean_offsets(
    frames: Float[np.ndarray, "time 22 3 3"], points: Float[np.ndarray, "time 38 3"]
) -> Float[np.ndarray, "38 3"]:
    """Each point from its parent, in the parent's frame, over the clip."""
    steps = points - points[:, PARENTS]
    offsets = np.einsum("tpji,tpj->pi", frames[:, PARENTS], steps) / len(points)
    offsets[INDEX["pelvis"]] = 0.0
    return offsets


def _rest_rotations(offsets: Float[np.ndarray, "38 3"]) -> Float[np.ndarray, "22 3 3"]:
    """Our frames at rest in the source's: bones that point elsewhere at rest are swung into place."""
    rotations = np.broadcast_to(np.eye(3), (len(BODY_JOINTS), 3, 3)).copy()
    for sign, side in ((1, "left"), (-1, "right")):
        for joint, (end, (x, y, z)) in _LIMBS.items():
            direction = offsets[INDEX[f"{side}_{end}"]]
            rotations[INDEX[f"{side}_{joint}"]] = swing(np.array([sign * x, y, z], float), direction)
        up = -offsets[INDEX[f"{side}_ankle"]]
        sole = sole_axes(up, offsets[INDEX[f"{side}_foot"]])
        rotations[[INDEX[f"{side}_ankle"], INDEX[f"{side}_foot"]]] = sole
    return rotations
