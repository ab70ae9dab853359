"""A body in smooth motion and the errors of its way through a file, for the tests of files out."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from written_files import Posed

from lift2to3.body import BODY_JOINTS, pose_body
from lift2to3.formats.motions.file_axes import Y_UP_FROM_WORLD
from lift2to3.motion import BodyMotion, Motion
from lift2to3.skeletons import CANONICAL, INDEX

_LEFT = {
    "hip": (0.09, -0.09, 0.0), "knee": (0.005, -0.43, 0.0), "ankle": (0.0, -0.41, -0.01),
    "foot": (0.02, -0.04, 0.12), "collar": (0.07, 0.1, 0.0), "shoulder": (0.1, 0.03, -0.01),
    "elbow": (0.28, 0.0, -0.01), "wrist": (0.26, 0.0, 0.0), "heel": (0.0, -0.04, -0.05),
    "big_toe": (-0.02, -0.01, 0.08), "small_toe": (0.04, -0.01, 0.04), "hand": (0.08, 0.0, 0.0),
    "eye": (0.03, 0.1, 0.08), "ear": (0.075, 0.08, 0.0),
}  # fmt: skip
_MIDDLE = {
    "spine1": (0.0, 0.12, -0.01), "spine2": (0.0, 0.13, 0.0), "spine3": (0.0, 0.05, 0.01),
    "neck": (0.0, 0.2, -0.03), "head": (0.0, 0.09, 0.04), "nose": (0.0, 0.07, 0.1),
    "head_top": (0.0, 0.2, 0.0), "mid_hip": (0.0, -0.09, 0.0), "mid_shoulder": (0.0, 0.13, -0.01),
}  # fmt: skip


def rest_offsets() -> np.ndarray:
    """A person of about 1.7 m in a T-pose. (38, 3) metres"""
    offsets = np.zeros((len(CANONICAL), 3))
    for name, offset in _MIDDLE.items():
        offsets[INDEX[name]] = offset
    for name, (x, y, z) in _LEFT.items():
        offsets[INDEX[f"left_{name}"]] = x, y, z
        offsets[INDEX[f"right_{name}"]] = -x, y, z
    return offsets


def moving_body(
    frames: int = 120, fps: float = 30.0, seed: int = 0, turns_rad: float = 1.0, smooth: float = 10.0
) -> BodyMotion:
    """Every joint turns at random and smoothly; single precision and a gap, as a lift's result."""
    draw = np.random.default_rng(seed)
    noise = gaussian_filter1d(draw.normal(size=(frames, len(BODY_JOINTS), 3)), smooth, axis=0, mode="wrap")
    turns = Rotation.from_rotvec((turns_rad * noise / noise.std()).reshape(-1, 3)).as_matrix()
    turns = turns.reshape(frames, len(BODY_JOINTS), 3, 3)
    turns[:, 0] = Y_UP_FROM_WORLD.T @ turns[:, 0]  # about upright
    walk = np.cumsum(draw.normal(size=(frames, 3)) * 0.02, axis=0) * [1, 1, 0.1] + [2.0, 5.0, 0.95]
    valid = np.ones(frames, bool)
    valid[frames // 3 : frames // 3 + frames // 8] = False
    return BodyMotion(
        walk.astype(np.float32), turns.astype(np.float32), rest_offsets().astype(np.float32), fps, valid
    )


def resting_body(frames: int = 3, **turned: Rotation) -> BodyMotion:
    """Standing at the world's origin in a T-pose that faces -y, but for the joints given."""
    turns = np.tile(np.eye(3), (frames, len(BODY_JOINTS), 1, 1))
    for name, rotation in turned.items():
        turns[:, INDEX[name]] = rotation.as_matrix()
    turns[:, 0] = Y_UP_FROM_WORLD.T @ turns[:, 0]
    return BodyMotion(
        np.tile([0.0, 0.0, 0.95], (frames, 1)), turns, rest_offsets(), 30.0, np.ones(frames, bool)
    )


def moving_points(frames: int = 60, fps: float = 30.0, seed: int = 0) -> Motion:
    """Points of a moving body with gaps, single ones too."""
    body = moving_body(frames, fps, seed)
    points = posed(body)[1].astype(np.float32)
    valid = np.random.default_rng(seed).random(points.shape[:2]) > 0.1
    valid[:, 3] &= body.valid
    points[~valid] = np.nan
    spread = np.where(valid, 0.02, np.nan).astype(np.float32)
    return Motion(points, CANONICAL, fps, valid, spread)


def posed(body: BodyMotion) -> tuple[np.ndarray, np.ndarray]:
    """Frames and points in the world, double precision."""
    return pose_body(
        *(np.asarray(a, float) for a in (body.rest_offsets, body.rotations, body.root_translation))
    )


def differences(body: BodyMotion, other: BodyMotion | Posed, points: int = 22) -> tuple[float, float]:
    """The largest distance in millimetres of the first so many points, and angle in degrees of frames."""
    frames, places = posed(body)
    other_frames, other_places = posed(other) if isinstance(other, BodyMotion) else other[:2]
    distance = np.linalg.norm(places - other_places, axis=-1)[:, :points].max()
    turned = np.swapaxes(frames, -1, -2) @ other_frames
    angle = Rotation.from_matrix(turned.reshape(-1, 3, 3)).magnitude().max()
    return 1e3 * float(distance), float(np.degrees(angle))
