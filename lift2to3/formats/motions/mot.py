"""MOT, OpenSim's motion file: joint angles of a gait model with arms, in degrees.

Columns are named as in OpenSim's generic models (Rajagopal et al. 2016, "Full-Body Musculoskeletal Model
for Muscle-Driven Simulation of Human Gait"). Axes are OpenSim's: x forward, y up, z to the right. Every
angle is 0 where the rest pose stands with its arms hanging. A joint's rotation is taken apart in the
model's order, about z, then x, then y of the moving part:

========================  ==========================================================================
``pelvis_tx, _ty, _tz``   the pelvis in the ground, metres: our x, our z (up), our -y
``pelvis_tilt``           backwards; ``pelvis_list``: towards the right; ``pelvis_rotation``: to the left
``hip_flexion``           thigh forward; ``hip_adduction``: inwards; ``hip_rotation``: toes inwards
``knee_angle``            flexion, 0 at rest
``ankle_angle``           toes up; ``subtalar_angle``: sole inwards; ``mtp_angle``: toes up from the foot
``lumbar_extension``      trunk (spine3) against pelvis, backwards; ``lumbar_bending``: towards the right;
                          ``lumbar_rotation``: to the left; ``neck_…``: head against trunk, likewise
``arm_flex``              upper arm against trunk, forward; ``arm_add``: inwards; ``arm_rot``: inwards
``elbow_flex``            forearm forward; ``pro_sup``: thumb inwards, 0 where the palm faces the thigh
``wrist_flex``            towards the palm; ``wrist_dev``: towards the little finger
========================  ==========================================================================

Inwards is towards the body's middle on both sides. A gait model's knee, ankle and elbow are hinges: what
ours turn besides stands in no column, so a .mot is a reduced motion. Missing frames are written as filled
in. A pelvis that faces the world's x has rotation 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from lift2to3.body import pose_body
from lift2to3.formats.motions.euler import euler_degrees
from lift2to3.formats.motions.file_axes import Y_UP_FROM_WORLD, orthonormal
from lift2to3.formats.motions.text_rows import write_rows
from lift2to3.motion import BodyMotion, check_body
from lift2to3.skeletons import INDEX
from lift2to3.whole_file import whole_text

_OPENSIM_FROM_BODY: Final = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""From x left, y up, z forward to x forward, y up, z right."""

_HANGING: Final = {
    "left": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "right": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
}
"""Turns an arm of the T-pose down, in the body's axes."""

_Z, _X, _Y = 0, 1, 2  # where `euler_degrees` puts the angles of order ZXY

_Columns = tuple[tuple[str, int, int], ...]

_TRUNK: Final[tuple[tuple[str, str | None, _Columns], ...]] = (
    # moving part, the part it moves against, columns with (angle, sign)
    ("pelvis", None, (("pelvis_tilt", _Z, 1), ("pelvis_list", _X, 1), ("pelvis_rotation", _Y, 1))),
    (
        "spine3", "pelvis",
        (("lumbar_extension", _Z, 1), ("lumbar_bending", _X, 1), ("lumbar_rotation", _Y, 1)),
    ),
    ("head", "spine3", (("neck_extension", _Z, 1), ("neck_bending", _X, 1), ("neck_rotation", _Y, 1))),
)  # fmt: skip
_LIMBS: Final[tuple[tuple[str, str, _Columns], ...]] = (
    # of the right side; on the left, what turns about x or y is mirrored
    ("hip", "pelvis", (("hip_flexion", _Z, 1), ("hip_adduction", _X, 1), ("hip_rotation", _Y, 1))),
    ("knee", "hip", (("knee_angle", _Z, -1),)),
    ("ankle", "knee", (("ankle_angle", _Z, 1), ("subtalar_angle", _X, 1))),
    ("foot", "ankle", (("mtp_angle", _Z, 1),)),
    ("shoulder", "spine3", (("arm_flex", _Z, 1), ("arm_add", _X, 1), ("arm_rot", _Y, 1))),
    ("elbow", "shoulder", (("elbow_flex", _Z, 1), ("pro_sup", _Y, 1))),
    ("wrist", "elbow", (("wrist_flex", _X, 1), ("wrist_dev", _Z, -1))),
)
_ARM: Final = ("shoulder", "elbow", "wrist")


class JointAngles(NamedTuple):
    """Columns of a .mot file.

    Attributes:
        names: of the columns, without time.
        values: (time, columns): degrees, but metres for ``pelvis_tx``, ``_ty`` and ``_tz``.
    """

    names: tuple[str, ...]
    values: np.ndarray


def joint_angles(body: BodyMotion) -> JointAngles:
    """The angles that the module's table defines.

    Raises:
        ValueError: a body that cannot be written; see `check_body`.
    """
    check_body(body)
    rotations = orthonormal(np.asarray(body.rotations, float))
    frames = np.asarray(pose_body(np.zeros((38, 3)), rotations, np.zeros((len(rotations), 3)))[0])
    names, relative, places = [], [], []
    for part, against, side, columns in _joints():
        moving = _neutral(frames, part, side)
        if against is None:
            local = Y_UP_FROM_WORLD @ moving @ _OPENSIM_FROM_BODY.T
        else:
            local = np.swapaxes(_neutral(frames, against, side), -1, -2) @ moving
            local = _OPENSIM_FROM_BODY @ local @ _OPENSIM_FROM_BODY.T
        relative.append(local)
        for name, angle, sign in columns:
            mirrored = side == "left" and angle != _Z
            names.append(f"{name}_{side[0]}" if side else name)
            places.append((len(relative) - 1, angle, -sign if mirrored else sign))
    angles = euler_degrees(np.stack(relative, axis=1), "ZXY")
    joint, which, sign = np.array(places).T
    values = sign * angles[:, joint, which]
    root = np.asarray(body.root_translation, float) @ Y_UP_FROM_WORLD.T
    names[3:3] = ["pelvis_tx", "pelvis_ty", "pelvis_tz"]
    values = np.concatenate([values[:, :3], root, values[:, 3:]], axis=1)
    return JointAngles(tuple(names), values)


def _joints() -> list[tuple[str, str | None, str, _Columns]]:
    """(part, the part it moves against, side, columns) in the order of the file's columns."""
    joints: list[tuple[str, str | None, str, _Columns]] = []
    joints += [(part, against, "", columns) for part, against, columns in _TRUNK]
    for side in ("right", "left"):
        for part, against, columns in _LIMBS:
            parent = against if against in ("pelvis", "spine3") else f"{side}_{against}"
            joints.append((f"{side}_{part}", parent, side, columns))
    return joints


def _neutral(frames: Float[np.ndarray, "time 22 3 3"], part: str, side: str) -> Float[np.ndarray, "time 3 3"]:
    """A part's frame, whose axes are the trunk's where the arms hang."""
    hangs = part.removeprefix(f"{side}_") in _ARM
    return frames[:, INDEX[part]] @ _HANGING[side].T if hangs else frames[:, INDEX[part]]


def write_mot(path: str | Path, body: BodyMotion) -> Path:
    """Write a .mot (or .sto) file; it appears whole or not at all.

    Raises:
        ValueError: a body that cannot be written; see `check_body`.
    """
    angles = joint_angles(body)
    table = np.column_stack([(body.first_frame + np.arange(len(angles.values))) / body.fps, angles.values])
    with whole_text(path) as file:
        file.write(f"Coordinates\nversion=1\nnRows={len(table)}\nnColumns={table.shape[1]}\ninDegrees=yes\n")
        file.write("endheader\ntime\t" + "\t".join(angles.names) + "\n")
        write_rows(file, table, ["%.9f"] + ["%.6f"] * len(angles.names), "\t")
    return Path(path)
