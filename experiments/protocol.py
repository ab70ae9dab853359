"""The fixed validation protocol: which clips, seen by which cameras, with which 2D noise.

Version 1. Every clip is seen by 4 cameras drawn from real calibrations; the draws depend on the clip's
name and the camera's number alone. A camera keeps its calibration's intrinsics, image size, height and
roll, stands at a random azimuth, looks at the clip's middle, and steps back from 3–6 m until 98 % of all
points are in the picture.
Lens distortion is left out: its polynomials mean nothing outside the calibrated image. Points
outside the image are missing. "noisy" adds what detectors do: a constant offset per joint and
clip (σ 1.2 % of the person's height in pixels), jitter per frame (σ 0.8 %), 3 % missed joints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np

from lift2to3 import Camera, Keypoints, as_keypoints
from lift2to3.data.mocap import MocapClip
from lift2to3.geometry.cameras import look_at
from lift2to3.resample import nearest_rotations
from lift2to3.skeletons import CANONICAL, get_skeleton

CAMERAS_PER_CLIP = 4
SEED = 0
BIAS, JITTER, MISSED = 0.012, 0.008, 0.03
Noise = Literal["gt", "noisy"]
Item = TypeVar("Item")


class Trial(NamedTuple):
    """One clip in one camera, with what the camera sees of all canonical points.

    Attributes:
        pixels: (time, canonical, 2); clean, NaN outside the image.
        noise_px, missed: what "noisy" adds and drops.
    """

    clip: MocapClip
    camera: Camera
    pixels: np.ndarray
    noise_px: np.ndarray
    missed: np.ndarray

    def keypoints(self, skeleton: str, noise: Noise) -> Keypoints:
        """The trial's 2D input in a format, with or without noise."""
        xy = self.pixels if noise == "gt" else self.pixels + self.noise_px
        if noise == "noisy":
            xy = np.where(self.missed[..., None], np.nan, xy)
        return as_keypoints(xy[:, get_skeleton(skeleton).rows], skeleton=skeleton, fps=self.clip.fps)

    def at(self, frames: slice | np.ndarray) -> Trial:
        """Some of the trial's frames, its camera as it was."""
        clip = self.clip
        cut = clip._replace(
            root_translation=clip.root_translation[frames], rotations=clip.rotations[frames],
            points_world=clip.points_world[frames], contacts=clip.contacts[frames],
        )  # fmt: skip
        noise, missed = self.noise_px[frames], self.missed[frames]
        return self._replace(clip=cut, pixels=self.pixels[frames], noise_px=noise, missed=missed)

    def middle(self, count: int) -> Trial:
        """At most this many frames, the clip's middle ones."""
        first = max(0, len(self.pixels) - count) // 2
        return self.at(slice(first, first + count))


def evenly(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most this many, evenly chosen from the first to the last; None is all of them."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, limit).round().astype(int)]


def load_rigs(path: Path) -> list[dict[str, Any]]:
    """The calibrations that cameras are drawn from.

    Raises:
        FileNotFoundError: no such file.
    """
    return json.loads(path.read_text())


def draw_camera(rigs: Sequence[dict[str, Any]], points: np.ndarray, generator: np.random.Generator) -> Camera:
    """A real calibration re-aimed at a clip, (time, joints, 3) metres."""
    rig = rigs[int(generator.integers(len(rigs)))]
    azimuth, distance = generator.uniform(0, 2 * np.pi), generator.uniform(3.0, 6.0)
    low, high = points.min((0, 1)), points.max((0, 1))
    middle = (low + high) / 2
    for _ in range(30):
        position = middle + distance * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        position[2] = rig["height_m"]
        camera = aimed_camera(
            np.array(rig["K"]), tuple(rig["size"]), position, middle, np.radians(rig["roll_deg"])
        )
        if np.isfinite(inside_picture(camera, points)).all(-1).mean() >= 0.98:
            break
        distance *= 1.12
    return camera


def aimed_camera(
    K: np.ndarray, size: tuple[int, int], centre: np.ndarray, target: np.ndarray, roll_rad: float = 0.0
) -> Camera:
    """A camera that stands at one point of the world and looks at another."""
    view = look_at(jnp.asarray(centre), jnp.asarray(target), roll_rad)
    R = nearest_rotations(np.asarray(view.cam_from_world, float))  # float32 → orthonormal in float64
    return Camera(K, R, -R @ centre, size)


def inside_picture(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Pixels of points in the world, (time, joints, 2); NaN outside the image."""
    pixels = camera.project(points)
    width, height = camera.size
    outside = np.any((pixels < -0.5) | (pixels > np.array([width, height]) - 0.5), axis=-1)
    return np.where(outside[..., None], np.nan, pixels)


def trials(
    clips: Sequence[MocapClip], rigs: Sequence[dict[str, Any]], cameras: int = CAMERAS_PER_CLIP
) -> Iterator[Trial]:
    """Every clip in each of its cameras. The draws of a clip depend on nothing but its name."""
    for clip in sorted(clips, key=lambda clip: clip.clip):
        for camera_index in range(cameras):
            name = [ord(letter) for letter in clip.clip]
            generator = np.random.default_rng([SEED, camera_index, *name])
            camera = draw_camera(rigs, clip.points_world, generator)
            pixels = inside_picture(camera, clip.points_world)
            tall = np.nanmax(pixels[..., 1], axis=1) - np.nanmin(pixels[..., 1], axis=1)
            size = np.nanmedian(tall)
            noise = size * (
                BIAS * generator.standard_normal((1, len(CANONICAL), 2))
                + JITTER * generator.standard_normal(pixels.shape)
            )
            missed = generator.random(pixels.shape[:2]) < MISSED
            yield Trial(clip, camera, pixels, noise, missed)
