"""Where `fit_body` starts: the person's bones, and a pose for each frame, in closed form."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from lift2to3.body import BODY_JOINTS, REFERENCE_LEG_M, leg_length, pose_body
from lift2to3.fit.body_prior import BodyPrior
from lift2to3.resample import nearest_rotations
from lift2to3.skeletons import INDEX, MIRROR, PARENTS, REFLECT_X, TREE_ORDER, rows_by_side

_BONES: Final = rows_by_side("knee", "ankle", "elbow", "wrist", "hand").ravel()
"""Points whose offset at rest is only a length: their direction says what a T-pose is."""

_ORDINARY_FRAMES: Final = 5.0  # what ordinary proportions weigh beside the clip's, in frames
_TRUST_PARENT: Final = 0.01  # square metres: how much a joint's children must say to turn it from its parent


def symmetric(offsets: Float[np.ndarray, "38 3"]) -> Float[np.ndarray, "38 3"]:
    """Both sides alike: the mean of the offsets and their mirror image."""
    return (offsets + REFLECT_X.astype(float) * offsets[MIRROR]) / 2


def first_rest_offsets(points: Float[np.ndarray, "time 38 3"], prior: BodyPrior) -> Float[np.ndarray, "38 3"]:
    """Ordinary proportions in this person's size, limbs of the measured (median) lengths.

    Raises:
        ValueError: the legs have no length.
    """
    lengths = np.median(np.linalg.norm(points - points[:, PARENTS], axis=-1), axis=0)
    lengths = (lengths + lengths[MIRROR]) / 2
    own = np.zeros_like(prior.rest_offsets)
    own[:, 1] = lengths
    size = leg_length(own) / REFERENCE_LEG_M
    if not 0.2 < size < 3:
        raise ValueError(
            f"the legs are {leg_length(own):.2f} m long (hip to ankle, median over the clip); "
            "wanted those of a person, in metres"
        )
    offsets = prior.rest_offsets.astype(float) * size
    ordinary = np.linalg.norm(offsets[_BONES], axis=1)
    offsets[_BONES] *= (np.clip(lengths[_BONES], 0.6 * ordinary, 1.6 * ordinary) / ordinary)[:, None]
    return offsets


def measured_rest_offsets(
    points: Float[np.ndarray, "time 38 3"],
    weight: Float[np.ndarray, "time 38"],
    rotations: Float[np.ndarray, "time 22 3 3"],
    offsets: Float[np.ndarray, "38 3"],
    prior: BodyPrior,
) -> Float[np.ndarray, "38 3"]:
    """Offsets that explain the points best under these rotations, the same on both sides.

    Bones keep their direction at rest. All are drawn a little to ordinary proportions.
    """
    frames, _ = pose_body(offsets, rotations, points[:, 0])
    steps = np.einsum("tpji,tpj->tpi", frames[:, PARENTS], points - points[:, PARENTS])
    both = np.minimum(weight, weight[:, PARENTS])[..., None]
    measured = (both * steps).sum(0) / both.sum(0)
    ordinary = prior.rest_offsets * (leg_length(offsets) / REFERENCE_LEG_M)
    frames_alike = both.sum(0) / both.max()
    measured = (frames_alike * measured + _ORDINARY_FRAMES * ordinary) / (frames_alike + _ORDINARY_FRAMES)
    axis = offsets[_BONES] / np.linalg.norm(offsets[_BONES], axis=1, keepdims=True)
    measured[_BONES] = np.maximum((measured[_BONES] * axis).sum(1, keepdims=True), 0.01) * axis
    measured[INDEX["pelvis"]] = 0.0
    return symmetric(measured)


def first_rotations(
    points: Float[np.ndarray, "time 38 3"],
    weight: Float[np.ndarray, "time 38"],
    offsets: Float[np.ndarray, "38 3"],
    prior: BodyPrior,
    trust_parent: float = _TRUST_PARENT,
) -> Float[np.ndarray, "time 22 3 3"]:
    """Joint by joint from the pelvis out: the rotation that takes its children's offsets to the points.

    Where these leave it open (a bone's twist) it is the mean pose's, carried by the parent; with a
    ``trust_parent`` (square metres) near 0 only there, else wherever the children are near the joint too.
    """
    frames = np.empty((len(points), len(BODY_JOINTS), 3, 3))
    local = np.empty_like(frames)
    for joint in (row for row in TREE_ORDER if row < len(BODY_JOINTS)):
        children = np.flatnonzero(PARENTS == joint)
        away = points[:, children] - points[:, [joint]]
        share = weight[:, children] / weight.max()
        seen = np.einsum("tp,tpi,pj->tij", share, away, offsets[children])
        if joint:
            parent = frames[:, PARENTS[joint]]
            seen = seen + trust_parent * (parent @ prior.mean_rotations[joint - 1])
        frames[:, joint] = nearest_rotations(seen)
        local[:, joint] = parent.swapaxes(1, 2) @ frames[:, joint] if joint else frames[:, joint]
    return local
