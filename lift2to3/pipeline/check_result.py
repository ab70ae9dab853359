"""Can a lifted motion be? Asked before it is handed out; what looks wrong is said in words."""

from __future__ import annotations

from typing import Final

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.summary import summarise

_FARTHEST_M: Final = 500.0
_LARGEST_MISS: Final = 0.2  # of the person's size in the picture
_TALLEST_M: Final = 3.0
_CHAINS: Final = (
    ("head_top", "head", "neck", "spine3", "spine2", "spine1", "pelvis", "mid_hip"),
    ("left_hip", "left_knee", "left_ankle", "left_heel"),
)


class ImpossibleMotion(ValueError):
    """A result that no person can have; the message says what and which mistakes lead there."""


def stature(motion: Motion) -> float:
    """How tall the person is, upright or not: bones from head top to heel, metres (median)."""
    row = {name: index for index, name in enumerate(motion.joint_names)}
    tall = 0.0
    for chain in _CHAINS:
        joints = motion.joints_world[:, [row[name] for name in chain]].astype(float)
        bones = np.linalg.norm(np.diff(joints, axis=1), axis=-1).sum(1)
        tall += float(np.nanmedian(bones)) if np.isfinite(bones).any() else 0.0
    return tall


def check_result(motion: Motion, keypoints: Keypoints, camera: Camera) -> tuple[str, ...]:
    """What looks wrong with a lifted motion, a sentence each.

    Args:
        motion: the result.
        keypoints: what it was lifted from.
        camera: whose image they are in.

    Raises:
        ImpossibleMotion: a person hundreds of metres away, taller than 3 m, or whose motion misses the
            keypoints by more than a fifth of their size.
    """
    bad = np.argwhere(motion.valid & ~np.isfinite(motion.joints_world).all(axis=-1))
    if len(bad):
        raise ImpossibleMotion(
            f"the result cannot be: {motion.joint_names[bad[0, 1]]} in frame {bad[0, 0]} is no number "
            f"({len(bad)} such points): are keypoints and K in the pixels of one picture? Nothing was written"
        )
    summary = summarise(motion, keypoints, camera)
    root = motion.joints_world[:, motion.joint_names.index("pelvis")]
    away = float(np.nanmedian(np.linalg.norm(root - camera.centre, axis=-1)))
    found = []
    if away > _FARTHEST_M:
        found.append(f"the person is {away:.0f} m from the camera: are t and the floor in metres?")
    tall = stature(motion)
    if tall > _TALLEST_M:
        found.append(f"the person is {tall:.1f} m tall: is the camera in metres?")
    if summary.reprojection_share > _LARGEST_MISS:
        found.append(
            f"the motion misses the keypoints by {summary.reprojection_share:.0%} of the "
            "person's size: do camera and keypoints belong together (direction, resolution, skeleton)?"
        )
    if found:
        raise ImpossibleMotion(
            f"the result cannot be: {' '.join(found)} Nothing was written; force keeps it all the same"
        )
    return summary.warnings
