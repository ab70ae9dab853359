"""Our own camera file, json or npz, which `Camera.save` writes.

It holds ``K`` (3, 3) in pixels, ``R`` (3, 3) or a Rodrigues vector (3,), ``t`` (3,) metres, ``size`` (width,
height), ``dist`` (OpenCV's, or null) and ``direction``, which says what R and t do:

``world_to_camera``   ``x_cam = R @ x_world + t``  (OpenCV's extrinsics; taken, with a warning, where
                      neither the file nor the caller states a direction)
``camera_to_world``   ``x_world = R @ x_cam + t``  (a pose: t is where the camera stands)

The world has z up and the floor at z = 0 in both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift2to3.array_files import load_arrays, load_json


def read_own(path: Path) -> dict[str, Any]:
    """The fields above.

    Raises:
        ValueError: neither such a json nor an npz.
    """
    if path.suffix == ".npz":
        return dict(load_arrays(path))
    fields = load_json(path)
    if not isinstance(fields, dict):
        raise ValueError(f"{path}: a {type(fields).__name__}; wanted one camera, {{K, R, t, size, …}}")
    return fields
