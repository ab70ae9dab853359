"""The floor as a camera knows it, drawn into its picture, for the eye to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from lift2to3.geometry.cameras import Camera

_GRID: Final = (80, 200, 255)  # BGR
_AXES: Final = ((60, 60, 230), (60, 180, 60), (230, 120, 40))
_REACH: Final = 12
_STEPS: Final = 40


def draw_floor(picture: np.ndarray, camera: Camera, path: str | Path, square_m: float = 1.0) -> Path:
    """Write the picture with a grid on z = 0, its origin, and a pole of 1.7 m that stands there.

    Args:
        picture: of the camera, (height, width, 3) BGR.
        camera: that sees it.
        path: of the file, .png or .jpg.
        square_m: of the grid, metres.

    Raises:
        ValueError: the file cannot be written.
    """
    drawn = picture.copy()
    middle = np.round(_before(camera) / square_m) * square_m
    lines = np.arange(-_REACH, _REACH + 1) * square_m
    along = np.linspace(lines[0], lines[-1], 2 * _REACH * _STEPS // 4 + 1)
    for axis in (0, 1):
        for line in lines:
            points = np.zeros((len(along), 3))
            points[:, axis], points[:, 1 - axis] = along + middle[axis], line + middle[1 - axis]
            _polyline(drawn, camera, points, _GRID, 1)
    for axis, colour in enumerate(_AXES):
        length = 1.7 if axis == 2 else square_m
        points = np.linspace(0, length, _STEPS)[:, None] * np.eye(3)[axis]
        _polyline(drawn, camera, points, colour, 3)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), drawn):
        raise ValueError(
            f"{path}: cannot be written; wanted a .png or .jpg in a folder that can be written to"
        )
    return path


def _before(camera: Camera) -> np.ndarray:
    """Where the camera looks on the floor, or 5 m before it where it looks over the horizon; x and y."""
    forward = camera.R[2]
    down = max(-float(forward[2]), 0.15)
    return (camera.centre + forward * min(camera.centre[2] / down, 15.0))[:2]


def _polyline(
    picture: np.ndarray, camera: Camera, points: np.ndarray, colour: tuple[int, int, int], thickness: int
) -> None:
    """Pieces of a line in the world that the camera sees."""
    pixels = camera.project(points)
    far = 4 * max(camera.size)
    for a, b in zip(pixels[:-1], pixels[1:], strict=True):
        if np.isfinite([a, b]).all() and np.abs([a, b]).max() < far:
            start, end = (tuple(int(round(float(v))) for v in point) for point in (a, b))
            cv2.line(picture, start, end, colour, thickness, cv2.LINE_AA)
