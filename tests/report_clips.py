"""Motions for the tests of the report page: the demo's, a little off, and damaged ones."""

from __future__ import annotations

import numpy as np

from lift2to3.demo_clip import load_demo_clip
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.skeletons import CANONICAL

DAMAGES = ("one valid frame", "no valid frame", "NaN joints", "no feet", "behind the camera", "no spread")


def lifted(points: np.ndarray, fps: float = 30.0, noise_m: float = 0.01) -> Motion:
    """The points as a lift might return them: a little off, all valid."""
    noise = np.random.default_rng(0).normal(0, noise_m, points.shape)
    shape = points.shape[:2]
    spread = np.full(shape, 0.03, np.float32)
    return Motion((points + noise).astype(np.float32), CANONICAL, fps, np.ones(shape, bool), spread)


def lifted_clip() -> tuple[Motion, Keypoints, Camera]:
    """The demo's clip."""
    keypoints, camera, truth = load_demo_clip()
    return lifted(truth), keypoints, camera


def first_frames(motion: Motion, frames: int) -> Motion:
    """The first frames."""
    return motion._replace(
        joints_world=motion.joints_world[:frames], valid=motion.valid[:frames], spread=motion.spread[:frames]
    )


def damaged(motion: Motion, how: str) -> Motion:
    """The motion with one of `DAMAGES`."""
    match how:
        case "one valid frame":
            motion.valid[:90] = motion.valid[91:] = False
        case "no valid frame":
            motion.valid[:] = False
        case "NaN joints":
            motion.joints_world[np.random.default_rng(2).random(motion.valid.shape) < 0.5] = np.nan
        case "no feet":
            motion.valid[:, [CANONICAL.index(f"{side}_{p}") for side in ("left", "right")
                             for p in ("heel", "big_toe")]] = False  # fmt: skip
        case "behind the camera":
            motion = motion._replace(joints_world=motion.joints_world - np.array([0, 30, 0], np.float32))
        case "no spread":
            motion.spread[:] = np.nan
    return motion
