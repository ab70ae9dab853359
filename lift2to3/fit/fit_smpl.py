"""A posed body as SMPL's parameters: shape from the bones' lengths, pose from their directions.

SMPL's skeleton at rest is not quite a T-pose and has its own proportions. The shape is the one whose limbs
are as long as ours; each joint's rotation takes SMPL's bone at rest to where our bone points.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from lift2to3.body import BODY_JOINTS, local_rotations, pose_body, swing
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import INDEX
from lift2to3.smpl import BodyModel, pose_joints

_LIMBS: Final = tuple(
    (INDEX[f"{side}_{start}"], INDEX[f"{side}_{end}"])
    for side in ("left", "right")
    for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
)
"""Bones whose ends are the same points of the body in both skeletons."""

_ALIGNED: Final = sorted({row for bone in _LIMBS for row in bone})
_ITERATIONS: Final = 10  # of Gauss–Newton
_SHAPE_WEIGHT_M: Final = 0.01  # a bone this much off weighs as much as one unit of a shape coefficient


class SmplMotion(NamedTuple):
    """SMPL's parameters over time, of the 22 joints that SMPL, SMPL-H and SMPL-X share.

    Attributes:
        betas: one shape for the whole clip.
        rotations: each joint's frame relative to its parent's; the pelvis's relative to the world.
        translation: SMPL's own: the pelvis stands at this plus where the shape has it at rest, metres.
        fps: frames per second.
        valid: False where nothing supports the frame.
    """

    betas: Float[np.ndarray, "betas"]
    rotations: Float[np.ndarray, "time 22 3 3"]
    translation: Float[np.ndarray, "time 3"]
    fps: float
    valid: np.ndarray


def fit_smpl(body: BodyMotion, model: BodyModel) -> SmplMotion:
    """Shape and pose parameters under which a model's limbs move as the body's do.

    World as ever: metres, z up. The body is `fit_body`'s, the model from `lift2to3.smpl.load_body_model`;
    `lift2to3.smpl.skin` gives the vertices.
    """
    betas = fit_shape(body.rest_offsets, model)
    rest = joints_at_rest(model, betas)
    rest_rotations = np.broadcast_to(np.eye(3), (len(BODY_JOINTS), 3, 3)).copy()
    for start, end in _LIMBS:
        rest_rotations[start] = swing(rest[end] - rest[start], body.rest_offsets[end].astype(float))
    frames, points = pose_body(
        body.rest_offsets.astype(float), body.rotations.astype(float), body.root_translation.astype(float)
    )
    rotations = local_rotations(np.asarray(frames) @ rest_rotations)
    still = np.zeros((len(rotations), 3))
    joints = np.asarray(pose_joints(model, betas, rotations, still), float)
    translation = (np.asarray(points)[:, _ALIGNED] - joints[:, _ALIGNED]).mean(axis=1)
    return SmplMotion(betas, rotations, translation, body.fps, body.valid)


def joints_at_rest(model: BodyModel, betas: Float[np.ndarray, "betas"]) -> Float[np.ndarray, "joints 3"]:
    """Where this shape has its joints at rest, metres: x left, y up, z forward."""
    template, directions = (np.asarray(a, float) for a in (model.joint_template, model.joint_directions))
    return template + np.einsum("b,bji->ji", betas, directions)


def fit_shape(rest_offsets: Float[np.ndarray, "38 3"], model: BodyModel) -> Float[np.ndarray, "betas"]:
    """Shape coefficients whose limbs have the lengths of ours; the rest stays as near 0 as that allows."""
    start, end = (np.array(rows) for rows in zip(*_LIMBS, strict=True))
    wanted = np.linalg.norm(rest_offsets[end], axis=1)
    template, directions = (np.asarray(a, float) for a in (model.joint_template, model.joint_directions))
    bones, slopes = template[end] - template[start], directions[:, end] - directions[:, start]
    betas = np.zeros(len(directions))
    for _ in range(_ITERATIONS):
        vectors = bones + np.einsum("b,bni->ni", betas, slopes)
        lengths = np.linalg.norm(vectors, axis=1)
        jacobian = np.einsum("ni,bni->nb", vectors / lengths[:, None], slopes) / _SHAPE_WEIGHT_M
        error = (lengths - wanted) / _SHAPE_WEIGHT_M
        normal = jacobian.T @ jacobian + np.eye(len(betas))
        betas = betas - np.linalg.solve(normal, jacobian.T @ error + betas)
    return betas
