"""Calibrated cameras from and to files: json, npz, and Pose2Sim's toml.

The reader of every format returns the fields of our own (`lift2to3.formats.cameras.own`), which are made a
camera here. Of a toml of several cameras ``Calib.toml:cam_01`` picks one.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np

from lift2to3.array_files import require_keys
from lift2to3.formats.cameras.own import read_own
from lift2to3.formats.cameras.pose2sim import read_toml
from lift2to3.geometry.cameras import Camera
from lift2to3.guarded_files import guarded
from lift2to3.quoting import quoted

Direction = Literal["world_to_camera", "camera_to_world"]


@guarded
def read_camera(path: str | Path, direction: Direction | None = None) -> Camera:
    """Read one camera.

    Args:
        path: a .json, .npz or .toml; ``file.toml:name`` picks one camera of several.
        direction: what R and t do, where the file does not say.

    Raises:
        ValueError: not such a file, a missing key, two statements of direction that differ, or values
            that no camera has.
        FileNotFoundError: there is no such file.
    """
    picked = re.fullmatch(r"(.+\.toml):([^/\\]+)", str(path))
    path, name = (Path(picked[1]), picked[2]) if picked else (Path(path), None)
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    fields = _fields(path, name)
    require_keys(fields, ("K", "R", "t", "size"), f"{path}: camera", optional=("dist", "direction"))
    try:
        chosen = _choose_direction(fields.get("direction"), direction)
        R, t = _rotation(fields["R"]), _numbers("t", fields["t"]).reshape(-1)
        if chosen == "camera_to_world":
            R, t = R.T, -R.T @ t if t.shape == (3,) else t
        dist = None if fields.get("dist") is None else _numbers("dist", fields["dist"])
        return Camera(_numbers("K", fields["K"]), R, t, _numbers("size", fields["size"]), dist)
    except ValueError as error:
        raise ValueError(f"{path}{f':{name}' if name else ''}: {error}") from error


def _fields(path: Path, name: str | None) -> dict[str, Any]:
    if path.suffix == ".toml":
        return read_toml(path, name)
    if path.suffix not in (".json", ".npz"):
        raise ValueError(
            f"{path}: {path.suffix or 'no ending'} is not a camera format; wanted .json, .npz or .toml"
        )
    return read_own(path)


def write_camera(camera: Camera, path: str | Path) -> Path:
    """Write ``.json`` or ``.npz``, by the ending: `Camera.save`."""
    return camera.save(path)


def _choose_direction(stated: Any, given: Direction | None) -> Direction:
    stated = None if stated is None else str(stated)
    for direction in (stated, given):
        if direction is not None and direction not in get_args(Direction):
            raise ValueError(f"direction is {direction!r}; wanted one of {', '.join(get_args(Direction))}")
    if stated is not None and given is not None and stated != given:
        raise ValueError(
            f"the file states direction {stated}, the argument {given}; wanted one: leave --direction out "
            "or correct the file"
        )
    if stated is None and given is None:
        warnings.warn(
            "no camera direction stated: took world_to_camera, x_cam = R x_world + t "
            "(--direction camera_to_world changes it)",
            stacklevel=3,
        )
        return "world_to_camera"
    return "camera_to_world" if "camera_to_world" in (stated, given) else "world_to_camera"


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        if np.iscomplexobj(value):
            raise TypeError("complex numbers")
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"camera {name} holds something else than numbers: {quoted(value)}") from error


def _rotation(value: Any) -> np.ndarray:
    """A (3, 3) matrix as it is; a Rodrigues vector (axis times angle in radians) as the matrix it means."""
    array = _numbers("R", value)
    if array.size == 3:
        return cv2.Rodrigues(array.reshape(3))[0]
    if array.shape != (3, 3):
        raise ValueError(f"camera R is {array.shape}; wanted a (3, 3) matrix or a Rodrigues vector (3,)")
    return array
