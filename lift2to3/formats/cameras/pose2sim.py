"""Pose2Sim's toml of a calibration: a table per camera, always world_to_camera.

``[name]`` with ``matrix`` (3, 3), ``rotation`` (a Rodrigues vector), ``translation`` (metres), ``size`` and,
if there, ``distortions``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from lift2to3.array_files import require_keys
from lift2to3.guarded_files import read_text

_FIELDS: Final = {"matrix": "K", "rotation": "R", "translation": "t", "size": "size", "distortions": "dist"}


def read_toml(path: Path, name: str | None) -> dict[str, Any]:
    """The fields of one camera, as `lift2to3.formats.cameras.read` wants them.

    Args:
        path: the file.
        name: which camera, where there are several.

    Raises:
        ValueError: no toml, no such camera, several and no name, or a fisheye lens.
    """
    try:
        tables = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not readable toml ({error})") from error
    cameras = {key: table for key, table in tables.items() if isinstance(table, dict) and "matrix" in table}
    if not cameras:
        raise ValueError(f"{path}: no camera in it; wanted tables with {', '.join(_FIELDS)}")
    if name is None and len(cameras) > 1:
        first = next(iter(cameras))
        raise ValueError(
            f"{path}: {len(cameras)} cameras, {', '.join(cameras)}; pick one: {path.name}:{first}"
        )
    name = next(iter(cameras)) if name is None else name
    if name not in cameras:
        raise ValueError(f"{path}: no camera {name!r}; found {', '.join(cameras)}")
    table = cameras[name]
    *needed, optional = _FIELDS
    require_keys(table, needed, f"{path}: camera {name}", optional=(optional,))
    if table.get("fisheye"):
        raise ValueError(f"{path}:{name}: a fisheye lens; wanted OpenCV's ordinary lens model")
    fields = {field: table.get(key) for key, field in _FIELDS.items()}
    return {**fields, "direction": "world_to_camera"}
