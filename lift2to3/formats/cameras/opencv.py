"""OpenCV's FileStorage as yml, xml or json, with ``camera_matrix`` and ``distortion_coefficients``.

OpenCV's calibration sample writes ``image_width``, ``image_height``, ``camera_matrix``,
``distortion_coefficients`` and ``fisheye_model``; its ``extrinsic_parameters`` are of the board in each
picture, not of a world. Matrices are ``!!opencv-matrix`` {rows, cols, dt, data}. R and t are world to
camera.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.cameras.found import FoundCamera, camera_of_table, looks_like_camera
from lift2to3.formats.cameras.text import matrix_of, matrix_of_xml

_OF_THE_BOARD: Final = frozenset(
    "calibration_Time board_Width board_Height board_width board_height square_size Square_Size square_Size "
    "marker_size flags fisheye_model fix_k1 fix_k2 fix_k3 fix_k4 fix_k5 nr_of_frames nframes grid_points "
    "Avg_Reprojection_Error per_view_reprojection_errors Per_View_Reprojection_Errors extrinsic_parameters "
    "Extrinsic_Parameters image_points Image_points Grid_Points aspectRatio".split()
)


def recognises(table: Any) -> bool:
    """FileStorage's xml, or a table with a matrix of its kind in it."""
    if isinstance(table, ElementTree.Element):
        return table.tag == "opencv_storage"
    return isinstance(table, dict) and any(
        isinstance(value, np.ndarray)
        or (isinstance(value, dict) and str(value.get("type_id")).startswith("opencv-"))
        for value in table.values()
    )


def read(table: Any, path: Path) -> list[FoundCamera]:
    """The one camera of the file.

    Raises:
        ValueError: no camera matrix in it.
    """
    if isinstance(table, ElementTree.Element):
        table = {child.tag: matrix_of_xml(child) for child in table}
    return read_table(table, path)


def read_table(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """A FileStorage's values.

    Raises:
        ValueError: no camera matrix in it.
    """
    table = {key: matrix_of(value) for key, value in table.items()}
    if not looks_like_camera(table):
        raise ValueError(
            f"{path}: no camera_matrix in it; wanted an OpenCV calibration, found {', '.join(table)}"
        )
    fisheye = bool(table.get("fisheye_model"))
    table = {key: value for key, value in table.items() if key not in _OF_THE_BOARD}
    found = camera_of_table(table, str(path), direction="world_to_camera")
    return [FoundCamera(**{**vars(found), "fisheye": found.fisheye or fisheye})]
