"""Our own camera file, json or npz, which `Camera.save` writes, and any json or npz that is like it.

It holds ``K`` (3, 3) in pixels, ``R`` (3, 3) or a Rodrigues vector (3,), ``t`` (3,) metres, ``size`` (width,
height), ``dist`` (OpenCV's, or null), ``fisheye`` (true where dist is `cv2.fisheye`'s) and ``direction``,
which says what R and t do:

``world_to_camera``   ``x_cam = R @ x_world + t``  (OpenCV's extrinsics; taken, with a warning, where
                      neither the file nor the caller states a direction)
``camera_to_world``   ``x_world = R @ x_cam + t``  (a pose: t is where the camera stands)

The world has z up and the floor at z = 0 in both, unless ``up`` and ``unit`` say otherwise. Several cameras
are a list, or a table of tables by name. Other programs' names of the same things (camera_matrix, rvec,
tvec, distCoef, …) are known: `lift2to3.formats.cameras.found`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift2to3.formats.cameras.found import (
    R_KEYS,
    SIZE_KEYS,
    T_KEYS,
    FoundCamera,
    camera_of_table,
    looks_like_camera,
)


def recognises(table: Any) -> bool:
    """Anything; the last to be asked."""
    return isinstance(table, dict | list)


def read(table: Any, path: Path) -> list[FoundCamera]:
    """The cameras of a table, a list of tables or a table of tables; none where nothing is like one.

    Raises:
        ValueError: none of these.
    """
    if isinstance(table, list):
        if not table or not all(isinstance(entry, dict) for entry in table):
            raise ValueError(f"{path}: a list; wanted one camera, {{K, R, t, size, …}}, or a list of such")
        return [camera_of_table(entry, f"{path}: camera {i}", (str(i),)) for i, entry in enumerate(table)]
    if looks_like_camera(table):
        return [camera_of_table(table, str(path))]
    inner = table.get("cameras")
    if isinstance(inner, list | dict):
        return read(inner, path)
    tables = {str(key): value for key, value in table.items() if looks_like_camera(value)}
    if tables:
        return [camera_of_table(value, f"{path}: camera {key}", (key,)) for key, value in tables.items()]
    if not any(key in table for key in (*R_KEYS, *T_KEYS, *SIZE_KEYS)):
        return []
    return [camera_of_table(table, str(path))]  # what is missing is said there
