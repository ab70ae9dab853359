"""Calibrated cameras from files of many programs, told apart by their content.

Each format's module returns `FoundCamera` records, which are turned into metres with z up and made a camera
here. Of a file with several cameras ``Calib.toml:cam_01`` picks one.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import cv2
import numpy as np

from lift2to3.array_files import load_arrays, require_keys
from lift2to3.formats.cameras import (
    colmap,
    easymocap,
    human36m,
    opencap,
    opencv,
    own,
    panoptic,
    qualisys,
    ros,
    toml_tables,
)
from lift2to3.formats.cameras.found import UNITS_M, FoundCamera, camera_of_table, up_axis
from lift2to3.formats.cameras.text import parse, read_text
from lift2to3.formats.object_files import load_objects
from lift2to3.geometry.cameras import Camera
from lift2to3.guarded_files import guarded
from lift2to3.quoting import quoted

Direction = Literal["world_to_camera", "camera_to_world"]
Unit = Literal["m", "cm", "mm"]
Up = Literal["x", "y", "z", "-x", "-y", "-z"]

_FORMATS: Final = (toml_tables, qualisys, easymocap, opencap, human36m, panoptic, ros, opencv, own)
"""Told by content, in this order: ``recognises(table)``, ``read(table, path)``; ours takes what is left."""
_SHOWN: Final = 12
_FARTHEST_FLOOR_M: Final = 1000.0


class Intrinsics(NamedTuple):
    """A camera without its place: what `Camera` calls K, size, dist and fisheye."""

    K: np.ndarray
    size: tuple[int, int]
    dist: np.ndarray | None
    fisheye: bool


@guarded
def read_camera(
    path: str | Path,
    direction: Direction | None = None,
    *,
    unit: Unit | None = None,
    up: Up | None = None,
    size: str | None = None,
    floor: float = 0.0,
) -> Camera:
    """Read one camera, into metres with z up and the floor at z = 0.

    Args:
        path: a file or COLMAP's or EasyMocap's folder; ``file:name`` picks one camera of several.
        direction: what R and t do, where the file does not say.
        unit: of t, where the file does not say (metres are taken) or to correct it.
        up: the world's up axis, where the file does not say (z is taken) or to correct it.
        size: of the picture, as ``1920x1080``, where the file does not say.
        floor: height of the floor in the file's world (once z is up), metres.

    Raises:
        ValueError: not such a file, a missing key, two statements of direction that differ, or values
            that no camera has.
        FileNotFoundError: there is no such file.
    """
    found, where = _one(path, size)
    if found.R is None and found.t is None and found.K is not None:
        raise ValueError(
            f"{where}: only the lens (K) in it, not where the camera stands; wanted R and t too: "
            "lift2to3 calibrate finds them from points on the floor"
        )
    require_keys(_stated(found), ("K", "R", "t", "size"), f"{where}: camera", optional=("dist", "direction"))
    try:
        chosen = _choose_direction(found.direction, direction)
        R, t = _rotation(found.R), _numbers("t", found.t).reshape(-1)
        if t.shape == (3,):
            t = t * UNITS_M[unit or found.unit or "m"]
            if chosen == "camera_to_world":
                R, t = R.T, -R.T @ t
            R = R @ _z_up(up_axis(up, "--up") or found.up or "z").T
            if not abs(floor) < _FARTHEST_FLOOR_M:
                raise ValueError(f"--floor {floor}: wanted the floor's height in metres")
            t = t + R[:, 2] * floor
        K, picture, dist, fisheye = _lens(found)
        return Camera(K, R, t, picture, dist, fisheye)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


@guarded
def read_intrinsics(path: str | Path, size: str | None = None) -> Intrinsics:
    """Only the lens of a camera, from the same files; R and t may be absent.

    Raises:
        ValueError: not such a file, or no K or size in it.
        FileNotFoundError: there is no such file.
    """
    found, where = _one(path, size)
    require_keys(_stated(found), ("K", "size"), f"{where}: camera", optional=("dist",))
    try:
        K, picture, dist, fisheye = _lens(found)
        Camera(K, np.eye(3), np.zeros(3), picture, dist, fisheye)  # its checks
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return Intrinsics(K, (int(picture[0]), int(picture[1])), dist, fisheye)


def write_camera(camera: Camera, path: str | Path) -> Path:
    """Write ``.json`` or ``.npz``, by the ending: `Camera.save`."""
    return camera.save(path)


def camera_names(path: str | Path) -> list[str]:
    """The first name of each camera in a file."""
    return [found.names[0] if found.names else "" for found in _read(Path(path))]


def _one(path: str | Path, size: str | None) -> tuple[FoundCamera, str]:
    """The camera that is meant, and what messages call it."""
    file, name = _split(str(path))
    if not file.exists():
        raise FileNotFoundError(2, "no such file", str(file))
    cameras = _read(file)
    if name is None and len(cameras) > 1:
        names = [camera.names[0] for camera in cameras]
        listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        raise ValueError(f"{file}: {len(names)} cameras, {listed}; pick one: {file.name}:{names[0]}")
    found = next((camera for camera in cameras if name is None or name in camera.names), None)
    if found is None:
        names = [camera.names[0] for camera in cameras if camera.names]
        listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        raise ValueError(f"{file}: no camera {name!r}; found {listed or 'one without a name'}")
    where = f"{file}:{name}" if name else str(file)
    if found.unknown:
        warnings.warn(f"{where}: left out what is not known: {', '.join(found.unknown)}", stacklevel=3)
    if size is not None:
        stated = None if found.size is None else _size(found.size)
        if stated is not None and stated != _size(size):
            raise ValueError(
                f"{where}: the file states size {stated[0]:g}x{stated[1]:g}, --size {size}; wanted one: "
                "leave --size out or correct the file"
            )
        found = dataclasses.replace(found, size=size)
    if found.size is None and found.K is not None:
        raise ValueError(f"{where}: camera: no size; wanted the picture's width and height: --size 1920x1080")
    return found, where


def _stated(found: FoundCamera) -> dict[str, Any]:
    fields = ("K", "R", "t", "size", "dist", "direction")
    stated = {name: getattr(found, name) for name in fields if getattr(found, name) is not None}
    return stated | dict.fromkeys(found.unknown, True)


def _split(path: str) -> tuple[Path, str | None]:
    """``file:name`` at the first colon that leaves a file or folder; a path with colons stays whole."""
    if Path(path).exists():
        return Path(path), None
    for colon in re.finditer(":", path):
        file, name = path[: colon.start()], path[colon.end() :]
        if file and name and Path(file).exists():
            return Path(file), name
    picked = re.fullmatch(r"(.+\.\w+):([^/\\]+)", path)
    return (Path(picked[1]), None) if picked else (Path(path), None)


def _read(path: Path) -> list[FoundCamera]:
    if path.is_dir():
        if colmap.is_model(path):
            return colmap.read_model(path)
        inner = path / easymocap.INTRINSIC
        if not inner.exists():
            raise ValueError(
                f"{path}: a folder without cameras.txt, cameras.bin or intri.yml; wanted a calibration"
            )
        return _read(inner)
    if (
        path.stem in ("cameras", "images")
        and path.suffix in (".txt", ".bin")
        and colmap.is_model(path.parent)
    ):
        return colmap.read_model(path.parent)
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK" or path.suffix == ".npz":
        return [camera_of_table(load_arrays(path), str(path))]
    if start[:1] == b"\x80":
        table = load_objects(path)
        if not opencap.recognises(table):
            raise ValueError(
                f"{path}: a pickle that is not OpenCap's; wanted intrinsicMat, rotation, translation"
            )
        return opencap.read(table, path)
    table = parse(read_text(path), path)
    for format in _FORMATS:
        if format.recognises(table):
            found = format.read(table, path)
            if not found:
                break
            return found
    keys = ", ".join(map(str, list(table)[:_SHOWN])) if isinstance(table, dict) else type(table).__name__
    raise ValueError(
        f"{path}: no camera in it (found {keys or 'nothing'}); wanted K, R, t and size, or another program's "
        "calibration"
    )


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


def _z_up(up: str) -> np.ndarray:
    """Rotation of a world with this up axis into one with z up; the first axis that is not up stays first."""
    axis, sign = "xyz".index(up[-1]), -1.0 if up.startswith("-") else 1.0
    rows = np.zeros((3, 3))
    rows[2, axis] = sign
    rows[0, 0 if axis else 1] = 1.0
    rows[1] = np.cross(rows[2], rows[0])
    return rows


def _lens(found: FoundCamera) -> tuple[np.ndarray, tuple[float, float], np.ndarray | None, bool]:
    """K, size, dist and fisheye in `Camera`'s form."""
    K = _numbers("K", found.K)
    if K.size == 9:
        K = K.reshape(3, 3)
    elif K.shape == (4,):  # Kalibr's
        K = np.array([[K[0], 0, K[2]], [0, K[1], K[3]], [0, 0, 1]])
    dist = (
        None if found.dist is None else _coefficients(_numbers("dist", found.dist).reshape(-1), found.fisheye)
    )
    return K, _size(found.size), dist, found.fisheye


def _coefficients(dist: np.ndarray, fisheye: bool) -> np.ndarray:
    """OpenCV's counts: k1 or k1, k2 alone, and zeros at the end, mean the same with other lengths."""
    allowed = (4,) if fisheye else (4, 5, 8, 12, 14)
    if dist.size in (0, *allowed):
        return dist
    used = len(np.trim_zeros(dist, "b"))
    wanted = next((count for count in allowed if count >= used), None)
    if wanted is None or (used == 3 and not fisheye) or wanted > max(dist.size, 4):
        return dist  # refused by Camera: nobody knows what they mean
    return np.pad(dist[:wanted], (0, max(0, wanted - dist.size)))


def _size(value: Any) -> tuple[float, float]:
    if isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype.kind == "U"):
        value = re.split(r"\s*[x×,; ]\s*", str(value).strip())
    sides = _numbers("size", value).reshape(-1)
    if sides.shape != (2,):
        raise ValueError(f"camera size: wanted shape (2,), width and height, found {np.shape(value)}")
    return float(sides[0]), float(sides[1])


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
    if array.size == 9:
        return array.reshape(3, 3)
    raise ValueError(f"camera R is {array.shape}; wanted a (3, 3) matrix or a Rodrigues vector (3,)")
