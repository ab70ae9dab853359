"""Lift 2D keypoints of one person in one calibrated camera to absolute 3D motion in metres."""

from lift2to3.geometry.cameras import Camera
from lift2to3.motion import Keypoints, Motion, as_keypoints, load_motion
from lift2to3.pipeline.lift import Lifter, lift
from lift2to3.skeletons import Skeleton, load_skeleton

__all__ = [
    "Camera", "Keypoints", "Lifter", "Motion", "Skeleton", "as_keypoints", "lift", "load_motion",
    "load_skeleton",
]  # fmt: skip
