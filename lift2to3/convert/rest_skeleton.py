"""Where SMPL's joints stand at rest, as our skeleton's offsets: the user's model's or ordinary ones.

Another program's rotations mean something on SMPL's skeleton at rest only, which is no T-pose: the thighs are
spread, the shins lean back, the feet point outwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from lift2to3.body import BODY_JOINTS, leg_length
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.fit_smpl import joints_at_rest
from lift2to3.formats.motions.amass import PELVIS_AT_REST_M
from lift2to3.skeletons import INDEX, PARENTS, mirror_name, rows_by_side
from lift2to3.smpl import BodyModel

Template = Literal["smpl", "smplx"]

_PELVIS_M: Final[Mapping[Template, tuple[float, float, float]]] = {
    "smpl": PELVIS_AT_REST_M,
    "smplx": (0.003, -0.351, 0.012),
}
"""The pelvis of the mean neutral body in its template (SMPL-H's is SMPL's)."""

_DIRECTIONS: Final[Mapping[Template, Mapping[str, tuple[float, float, float]]]] = {
    "smpl": {
        "left_hip": (0.60, -0.80, -0.05), "left_knee": (0.10, -0.99, -0.02),
        "left_ankle": (-0.04, -0.99, -0.11), "left_foot": (0.19, -0.39, 0.90),
        "left_elbow": (0.99, -0.05, -0.10), "left_wrist": (1.0, 0.03, -0.01),
    },
    "smplx": {
        "left_hip": (0.50, -0.84, -0.20), "left_knee": (0.13, -0.99, -0.04),
        "left_ankle": (-0.07, -0.99, -0.06), "left_foot": (0.31, -0.42, 0.85),
        "left_elbow": (0.97, -0.20, -0.13), "left_wrist": (1.0, 0.04, -0.04),
    },
}  # fmt: skip
"""Where the mean body's limbs point at rest, the mean of both sides: x left, y up, z forward."""


class RestSkeleton(NamedTuple):
    """A body at rest: x to its left, y up, z forward.

    Attributes:
        rest_offsets: each canonical point from its parent, metres; the pelvis's is 0.
        pelvis_at_rest: where SMPL's template has the pelvis.
    """

    rest_offsets: Float[np.ndarray, "38 3"]
    pelvis_at_rest: Float[np.ndarray, "3"]


def ordinary_rest(template: Template) -> RestSkeleton:
    """Of a person of ordinary proportions, limbs as the template has them (to a degree or two)."""
    offsets = load_body_prior().rest_offsets.astype(float)
    for name, direction in _DIRECTIONS[template].items():
        for joint, side in ((name, 1.0), (mirror_name(name), -1.0)):
            along = np.array(direction) * [side, 1.0, 1.0]
            row = INDEX[joint]
            offsets[row] = along / np.linalg.norm(along) * np.linalg.norm(offsets[row])
    return RestSkeleton(_with_feet_and_middles(offsets), np.array(_PELVIS_M[template]))


def rest_of_model(model: BodyModel, betas: Float[np.ndarray, "betas"]) -> RestSkeleton:
    """Of a model's file and a shape: its own 22 joints; face, hands, heels and toes scaled to its legs."""
    joints = joints_at_rest(model, betas)[: len(BODY_JOINTS)]
    offsets = load_body_prior().rest_offsets.astype(float)
    usual = leg_length(offsets)
    rows = np.arange(1, len(BODY_JOINTS))
    offsets[rows] = joints[rows] - joints[PARENTS[rows]]
    offsets[len(BODY_JOINTS) :] *= leg_length(offsets) / usual
    return RestSkeleton(_with_feet_and_middles(offsets), joints[0])


def _with_feet_and_middles(offsets: Float[np.ndarray, "38 3"]) -> Float[np.ndarray, "38 3"]:
    """Heels and toes turned with the foot, about the vertical; the middles of the hips and the shoulders."""
    for foot, *beside in rows_by_side("foot", "heel", "big_toe", "small_toe"):
        along = offsets[foot, [0, 2]]
        sine, cosine = along / np.linalg.norm(along)
        rotation = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        for row in beside:
            offsets[row] = rotation @ offsets[row]
    hips, collars, shoulders = (offsets[rows] for rows in rows_by_side("hip", "collar", "shoulder").T)
    offsets[INDEX["mid_hip"]] = hips.sum(0) / 2
    offsets[INDEX["mid_shoulder"]] = (collars + shoulders).sum(0) / 2
    return offsets
