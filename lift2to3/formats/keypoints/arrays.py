"""Keypoints as arrays.

``.npz``  ``xy`` (time, joints, 2) and, if there, ``confidence`` (time, joints); or ``keypoints`` (time,
          joints, 2 or 3) and, if there, ``scores``; if there, ``skeleton``, ``fps`` and ``first_frame``.
          `Keypoints.save` writes the first form.
``.npy``  (time, joints, 2) or (time, joints, 3).

Both may have people between time and joints, as rtmlib gives a picture's. Of 33 joints, which are
MediaPipe's, (…, 4) is x, y, z, visibility, and (…, 3) with a third number below 0 is x, y, z.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np

from lift2to3.array_files import load_array, load_arrays
from lift2to3.formats.keypoints.found import Detection, Detections, Found, stated_first_frame, stated_rate

_MEDIAPIPE: Final = 33


def read_npz(path: Path) -> Found | Detections:
    """The npz above.

    Raises:
        ValueError: not such an npz.
    """
    arrays = load_arrays(path)
    points = next((arrays[name] for name in ("xy", "keypoints") if name in arrays), None)
    if points is None:
        raise ValueError(
            f"{path}: no key xy (time, joints, 2) or keypoints (time, joints, 3); found "
            f"{', '.join(arrays) or 'none'}"
        )
    scores = next(
        (arrays[name] for name in ("confidence", "scores", "keypoint_scores") if name in arrays), None
    )
    if scores is not None:
        if points.ndim < 3 or points.shape[-1] < 2 or scores.shape != points.shape[:-1]:
            raise ValueError(
                f"{path}: xy is {points.shape} and confidence {scores.shape}; wanted (time, joints, 2) and "
                "(time, joints)"
            )
        points = np.concatenate([points[..., :2], scores[..., None]], axis=-1)
    skeleton = str(arrays["skeleton"]) if "skeleton" in arrays else None
    first = stated_first_frame(path, arrays.get("first_frame"))
    return _clip(path, points, skeleton, stated_rate(path, arrays.get("fps")), first)


def read_npy(path: Path) -> Found | Detections:
    """The npy above.

    Raises:
        ValueError: not a plain array.
    """
    return _clip(path, load_array(path))


def _clip(
    path: Path, points: np.ndarray, skeleton: str | None = None, fps: float | None = None, first: int = 0
) -> Found | Detections:
    """One person's clip, or the rows of several people's."""
    if points.ndim not in (3, 4) or points.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: keypoints are {points.shape} {points.dtype}; wanted numbers (time, joints, 2) or "
            "(time, joints, 3), the third being confidence"
        )
    mediapipe = points.shape[-2] == _MEDIAPIPE
    if mediapipe and points.shape[-1] == 4:
        points = points[..., [0, 1, 3]]
    elif mediapipe and points.shape[-1] == 3 and (points[..., 2] < 0).any():
        warnings.warn(
            f"{path}: the third number of each joint runs from {np.nanmin(points[..., 2]):.3g}: taken as "
            "MediaPipe's depth, which is not used; every landmark counts as seen",
            stacklevel=2,
        )
        points = points[..., :2]
    if points.ndim == 3 or points.shape[1] == 1:
        return Found(points.reshape(len(points), *points.shape[-2:]), skeleton, fps, first)
    if points.shape[-1] == 2:
        points = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
    rows = [Detection(first + frame, person[:, :3].astype(float)) for frame, people in enumerate(points)
            for person in people]  # fmt: skip
    return Detections(rows, list(range(first, first + len(points))), skeleton, fps)
