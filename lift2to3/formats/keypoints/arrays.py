"""Keypoints as arrays.

``.npz``  ``xy`` (time, joints, 2) and, if there, ``confidence`` (time, joints); or ``keypoints``
          (time, joints, 3); if there, ``skeleton`` and ``fps``. `Keypoints.save` writes the first form.
``.npy``  (time, joints, 2) or (time, joints, 3).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lift2to3.array_files import load_array, load_arrays
from lift2to3.formats.keypoints.found import Found, stated_rate


def read_npz(path: Path) -> Found:
    """The npz above.

    Raises:
        ValueError: not such an npz.
    """
    arrays = load_arrays(path)
    if "xy" in arrays:
        points = arrays["xy"]
        if "confidence" in arrays:
            confidence = arrays["confidence"]
            if points.ndim != 3 or points.shape[-1] != 2 or confidence.shape != points.shape[:2]:
                raise ValueError(
                    f"{path}: xy is {points.shape} and confidence {confidence.shape}; wanted (time, "
                    "joints, 2) and (time, joints)"
                )
            points = np.concatenate([points, confidence[..., None]], axis=-1)
    elif "keypoints" in arrays:
        points = arrays["keypoints"]
    else:
        raise ValueError(
            f"{path}: no key xy (time, joints, 2) or keypoints (time, joints, 3); found "
            f"{', '.join(arrays) or 'none'}"
        )
    skeleton = str(arrays["skeleton"]) if "skeleton" in arrays else None
    return Found(points, skeleton, stated_rate(path, arrays.get("fps")))


def read_npy(path: Path) -> Found:
    """The npy above.

    Raises:
        ValueError: not a plain array.
    """
    return Found(load_array(path))
