"""Calibrated cameras from and to files: json, npz, and Pose2Sim's toml.

A json or npz holds ``K`` (3, 3) in pixels, ``R`` (3, 3) or a Rodrigues vector (3,), ``t`` (3,) metres,
``size`` (width, height), ``dist`` (OpenCV's, or null) and ``direction``, which says what R and t do:

``world_to_camera``   ``x_cam = R @ x_world + t``  (OpenCV's extrinsics; taken, with a warning, where
                      neither the file nor the caller states a direction)
``camera_to_world``   ``x_world = R @ x_cam + t``  (a pose: t is where the camera stands)

The world has z up and the floor at z = 0 in both. A toml holds a table per camera (``matrix``,
``rotation``, ``translation``, ``size``, ``distortions``), always world_to_camera;
``Calib.toml:cam_01`` picks one.
"""

from __future__ import annotations

import json
import re
import tomllib
import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.motion import load_arrays
from lift2to3.whole_file import whole_file

Direction = Literal["world_to_camera", "camera_to_world"]

_TOML_KEYS = {"matrix": "K", "rotation": "R", "translation": "t", "size": "size", "distortions": "dist"}
_OPTIONAL = ("dist", "direction")


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
    if path.suffix == ".toml":
        fields = _read_toml(path, name)
    elif path.suffix == ".json":
        fields = _read_json(path)
    elif path.suffix == ".npz":
        fields = dict(load_arrays(path))
    elif path.exists():
        raise ValueError(
            f"{path}: {path.suffix or 'no ending'} is no camera format; wanted .json, .npz or .toml"
        )
    else:
        raise FileNotFoundError(2, "no such file", str(path))
    _require(path, fields, ("K", "R", "t", "size"), optional=_OPTIONAL)
    try:
        chosen = _choose_direction(fields.get("direction"), direction)
        R, t = _rotation(fields["R"]), _numbers("t", fields["t"]).reshape(-1)
        if chosen == "camera_to_world":
            R, t = R.T, -R.T @ t if t.shape == (3,) else t
        dist = None if fields.get("dist") is None else _numbers("dist", fields["dist"])
        size = _numbers("size", fields["size"])
        return Camera(_numbers("K", fields["K"]), R, t, tuple(size.tolist()), dist)
    except ValueError as error:
        raise ValueError(f"{path}{f':{name}' if name else ''}: {error}") from error


def write_camera(camera: Camera, path: str | Path) -> Path:
    """Write ``.json`` or ``.npz`` by the path's ending, direction world_to_camera.

    Raises:
        ValueError: another ending.
    """
    path = Path(path)
    if path.suffix not in (".json", ".npz"):
        raise ValueError(
            f"{path}: a camera is written as .json or .npz, not {path.suffix or 'without ending'}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {"K": camera.K, "R": camera.R, "t": camera.t, "size": np.array(camera.size)}
    if camera.dist is not None:
        fields["dist"] = camera.dist
    with whole_file(path) as part:
        if path.suffix == ".npz":
            np.savez(part, **fields, direction="world_to_camera")
        else:
            table = {name: value.tolist() for name, value in fields.items()}
            part.write_text(json.dumps({"direction": "world_to_camera", **table}, indent=1))
    return path


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
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"camera {name} holds something else than numbers: {value!r}") from error


def _rotation(value: Any) -> np.ndarray:
    """A (3, 3) matrix as it is; a Rodrigues vector (axis times angle in radians) as the matrix it means."""
    array = _numbers("R", value)
    if array.size == 3:
        return cv2.Rodrigues(array.reshape(3))[0]
    if array.shape != (3, 3):
        raise ValueError(f"camera R is {array.shape}; wanted a (3, 3) matrix or a Rodrigues vector (3,)")
    return array


def _require(path: Path, fields: dict[str, Any], needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
    missing = [key for key in needed if fields.get(key) is None]
    if missing:
        raise ValueError(
            f"{path}: camera without {', '.join(missing)}; wanted the keys {', '.join(needed)} "
            f"(and {', '.join(optional)}), found {', '.join(fields) or 'none'}"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable json ({error})") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{path}: a {type(fields).__name__}; wanted one camera, {{K, R, t, size, …}}")
    return fields


def _read_toml(path: Path, name: str | None) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable toml ({error})") from error
    cameras = {key: table for key, table in tables.items() if isinstance(table, dict) and "matrix" in table}
    if not cameras:
        raise ValueError(f"{path}: no camera in it; wanted tables with {', '.join(_TOML_KEYS)}")
    if name is None and len(cameras) > 1:
        first = next(iter(cameras))
        raise ValueError(
            f"{path}: {len(cameras)} cameras, {', '.join(cameras)}; pick one: {path.name}:{first}"
        )
    name = next(iter(cameras)) if name is None else name
    if name not in cameras:
        raise ValueError(f"{path}: no camera {name!r}; found {', '.join(cameras)}")
    table = cameras[name]
    _require(path, table, tuple(_TOML_KEYS)[:4], optional=("distortions",))
    if table.get("fisheye"):
        raise ValueError(f"{path}:{name}: a fisheye lens; wanted OpenCV's ordinary lens model")
    fields = {field: table.get(key) for key, field in _TOML_KEYS.items()}
    return {**fields, "direction": "world_to_camera"}
