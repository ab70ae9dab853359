"""Calibrations of Pose2Sim, anipose, FreeMoCap and Caliscope: toml, a table per camera, world_to_camera.

``[cam_01]`` with ``name``, ``matrix`` (3, 3), ``rotation`` (a Rodrigues vector), ``translation``, ``size``
and, if there, ``distortions`` and ``fisheye``. A camera is picked by its table's name or by ``name``.
Pose2Sim writes metres, z up; anipose the unit of its board and the first camera's axes; FreeMoCap
millimetres, and the first camera's axes without its ground plane. None of them says so in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lift2to3.array_files import require_keys
from lift2to3.formats.cameras.found import FoundCamera, camera_of_table

_NEEDED: Final = ("matrix", "rotation", "translation", "size")
_KNOWN: Final = ("port", "exposure", "ignore", "grid_count", "world_position", "world_orientation")
"""Of FreeMoCap and Caliscope; where the camera stands follows from rotation and translation."""


def recognises(table: Any) -> bool:
    """Tables with a ``matrix``."""
    return isinstance(table, dict) and bool(_tables(table))


def read(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """Every table with a matrix.

    Raises:
        ValueError: one of them is no camera.
    """
    found = []
    for key, values in _tables(table).items():
        require_keys(values, _NEEDED, f"{path}: camera {key}", optional=("distortions",))
        values = {name: value for name, value in values.items() if name not in _KNOWN}
        found.append(camera_of_table(values, f"{path}: camera {key}", (key,), direction="world_to_camera"))
    return found


def _tables(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    inner = table.get("cameras")
    table = inner if isinstance(inner, dict) else table
    return {str(key): value for key, value in table.items() if isinstance(value, dict) and "matrix" in value}
