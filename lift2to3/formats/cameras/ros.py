"""ROS' camera_info yaml, and Kalibr's camchain: intrinsics of an image size, without a place in a world.

``image_width``, ``image_height``, ``camera_name``, ``camera_matrix`` {rows, cols, data}, ``distortion_model``
(plumb_bob, rational_polynomial, equidistant) and ``distortion_coefficients``. Kalibr has ``cam0`` with
``intrinsics`` [fx, fy, cx, cy], ``resolution``, ``distortion_model`` and ``distortion_coeffs``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lift2to3.formats.cameras.found import FoundCamera, camera_of_table
from lift2to3.formats.cameras.text import matrix_of

_OF_STEREO: Final = frozenset(
    "rectification_matrix projection_matrix P binning_x binning_y roi header cam_overlaps rostopic T_cn_cnm1 "
    "T_cam_imu timeshift_cam_imu".split()
)


def recognises(table: Any) -> bool:
    """A table of yaml with ``distortion_model`` and a matrix, or tables of such."""
    return isinstance(table, dict) and any(
        isinstance(entry, dict)
        and "distortion_model" in entry
        and ({"camera_matrix", "intrinsics", "K"} & entry.keys())
        for entry in (table, *table.values())
    )


def read(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """The one camera of a camera_info, or those of a camchain."""
    tables = {"": table} if "distortion_model" in table else table
    found = []
    for name, entry in tables.items():
        if isinstance(entry, dict):
            entry = {key: matrix_of(value) for key, value in entry.items() if key not in _OF_STEREO}
            found.append(
                camera_of_table(entry, str(path), (name,) if name else (), direction="world_to_camera")
            )
    return found
