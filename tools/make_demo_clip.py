"""Write lift2to3/demo_clip.npz: a synthetic walk filmed by one camera, with a detector's errors.

    python tools/make_demo_clip.py

A second or two; the same file every time.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import tyro

from lift2to3.demo_clip import DEMO_CLIP
from lift2to3.geometry.cameras import Camera
from lift2to3.skeletons import INDEX, get_skeleton
from lift2to3.walk import synthetic_walk


@dataclasses.dataclass(frozen=True)
class Config:
    """What is filmed, from where, and how badly the detector does."""

    out: Path = DEMO_CLIP
    seconds: float = 6.0
    fps: float = 30.0
    camera_height_m: float = 1.6
    pitch_down_deg: float = 8.0
    roll_deg: float = 1.5
    bias: float = 0.006
    """Constant error per joint, of the person's height in the image (one standard deviation)."""
    jitter: float = 0.003
    """Error per frame, likewise."""
    missing: float = 0.02
    """Share of single detections lost."""
    seed: int = 0


def make_camera(config: Config) -> Camera:
    """A full-HD camera at a corner of the world, turned about all three axes, with a real lens."""
    yaw, pitch, roll = np.radians([70.0, config.pitch_down_deg, config.roll_deg])
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    right, down = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
    rotation = np.stack([right, down, forward])
    centre = np.array([1.0, -2.0, config.camera_height_m])
    intrinsics = [[1390.0, 0, 968.0], [0, 1394.0, 532.0], [0, 0, 1]]
    lens = [-0.12, 0.06, 5e-4, -4e-4, -0.01]
    return Camera(intrinsics, rotation, -rotation @ centre, (1920, 1080), lens)


def walk_before(camera: Camera, config: Config) -> np.ndarray:
    """A bend to the left, 4 to 8 m before the camera. (time, canonical, 3)"""
    ahead = camera.R[2] * [1, 1, 0] / np.linalg.norm(camera.R[2, :2])
    right = np.array([ahead[1], -ahead[0], 0.0])
    start = camera.centre - 2.0 * right + 4.6 * ahead
    heading = np.arctan2(right[1], right[0]) - np.radians(35)
    return synthetic_walk(
        config.seconds, config.fps, 1.75, 1.2, 3.0, (float(start[0]), float(start[1])), float(heading)
    )


def detect(camera: Camera, points_world: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and confidence as a detector writes them: biased, shaky, unsure of the far face."""
    draw = np.random.default_rng(config.seed)
    rows = get_skeleton("coco_wholebody23").rows
    xy = camera.project(points_world[:, rows])
    size = np.ptp(xy[..., 1], axis=1)[:, None, None]
    xy += size * (
        config.bias * draw.normal(size=(1, *xy.shape[1:])) + config.jitter * draw.normal(size=xy.shape)
    )
    confidence = draw.uniform(0.75, 0.97, xy.shape[:2])

    face = points_world[:, INDEX["nose"]] - points_world[:, INDEX["head"]]
    to_camera = camera.centre - points_world[:, INDEX["head"]]
    away = (face[:, :2] * to_camera[:, :2]).sum(-1) < 0
    confidence[:, :5] *= np.where(away, 0.35, 1.0)[:, None]

    lost = draw.random(xy.shape[:2]) < config.missing
    lost[70:88, [7, 9]] = True  # left elbow and wrist behind the body
    lost[120:124] = True  # four frames in which the detector lost the person
    confidence[lost] = 0
    xy[lost] = 0
    return xy, confidence


def main(config: Config) -> None:
    """Write the clip and say what is in it."""
    camera = make_camera(config)
    points_world = walk_before(camera, config)
    xy, confidence = detect(camera, points_world, config)
    single = {"xy_px": xy, "confidence": confidence, "points_world": points_world}
    np.savez_compressed(
        config.out,
        **{name: array.astype(np.float32) for name, array in single.items()},
        **{"K": camera.K, "R": camera.R, "t": camera.t, "size": camera.size, "dist": camera.dist},
        fps=config.fps,
    )
    seen = confidence > 0
    print(
        f"{config.out}: {len(xy)} frames, {config.out.stat().st_size / 1e3:.0f} kB, {seen.mean():.1%} of the "
        f"joints seen, x {xy[seen][:, 0].min():.0f}–{xy[seen][:, 0].max():.0f} px, "
        f"y {xy[seen][:, 1].min():.0f}–{xy[seen][:, 1].max():.0f} px"
    )


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
