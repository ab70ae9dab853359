"""C3D, the binary marker format of motion laboratories: the canonical points as markers.

Millimetres, Intel byte order, floating point; z up unless told otherwise, and POINT:X_SCREEN and
POINT:Y_SCREEN say which. A missing marker has residual -1 and stands at 0 0 0; the others have residual 0,
the standard's mark of points that were computed. Frame numbers are 16-bit words: the length of longer
clips stands in TRIAL:ACTUAL_END_FIELD, as readers expect it there.

Source: The C3D File Format User Guide, Motion Lab Systems.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.motions.joint_tree import UpAxis
from lift2to3.formats.motions.marker_points import check_points, motion_of_points, visible_points
from lift2to3.motion import Motion
from lift2to3.whole_file import whole_file

_BLOCK: Final = 512
_MOST_FRAMES: Final = 65535
_INTEL: Final = 84
_MM_IN_METRES: Final = 1e-3
_DTYPES: Final = {-1: "S1", 1: "<i1", 2: "<i2", 4: "<f4"}


def write_c3d(path: str | Path, motion: Motion, up: UpAxis = "z") -> Path:
    """Write a C3D file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    path = Path(path)
    check_points(motion)
    points = visible_points(motion, up, _MM_IN_METRES)
    if len(motion.joint_names) > 255:
        raise ValueError(f"c3d: {len(motion.joint_names)} points; wanted 255 or fewer")
    data = np.zeros((*points.shape[:2], 4), "<f4")
    data[..., :3] = np.nan_to_num(points)
    data[..., 3] = np.where(motion.valid, 0.0, -1.0)
    parameters = _parameter_section(motion, up, data_block=1)
    first_data_block = 2 + len(parameters) // _BLOCK
    parameters = _parameter_section(motion, up, first_data_block)
    with whole_file(path) as part, part.open("wb") as file:
        file.write(_header(motion, first_data_block))
        file.write(parameters)
        file.write(data.data)  # no padding: readers of long clips take every frame up to the file's end
    return path


def _header(motion: Motion, data_block: int) -> bytes:
    count = min(len(motion.joints_world), _MOST_FRAMES)
    words = struct.pack(
        "<BBHHHHHfHHf", 2, 0x50, len(motion.joint_names), 0, 1, count, 0, -1.0, data_block, 0, motion.fps
    )
    return words.ljust(_BLOCK, b"\0")


def _parameter_section(motion: Motion, up: UpAxis, data_block: int) -> bytes:
    count = len(motion.joints_world)
    names = motion.joint_names
    point = {
        "USED": np.array(len(names), "<i2"),
        "FRAMES": np.array(min(count, _MOST_FRAMES), "<u2").view("<i2"),
        "SCALE": np.array(-1.0, "<f4"),
        "RATE": np.array(motion.fps, "<f4"),
        "DATA_START": np.array(data_block, "<i2"),
        "UNITS": "mm",
        "X_SCREEN": "+X",
        "Y_SCREEN": "+Z" if up == "z" else "+Y",
        "LABELS": names,
        "DESCRIPTIONS": names,
    }
    trial = {
        "ACTUAL_START_FIELD": np.array([1, 0], "<i2"),
        "ACTUAL_END_FIELD": np.array([count % 65536, count // 65536], "<u2").view("<i2"),
        "CAMERA_RATE": np.array(motion.fps, "<f4"),
    }
    analog = {"USED": np.array(0, "<i2"), "RATE": np.array(0.0, "<f4")}
    records = [
        (number, name, fields)
        for number, (name, fields) in enumerate((("POINT", point), ("ANALOG", analog), ("TRIAL", trial)), 1)
    ]
    body = b"".join(
        _record(name, -number, b"\0") + b"".join(_record(key, number, _value(v)) for key, v in fields.items())
        for number, name, fields in records
    )
    blocks = (4 + len(body) + 1) // _BLOCK + 1  # room for a zero byte: no further record
    return (struct.pack("<4B", 1, 0x50, blocks, _INTEL) + body).ljust(blocks * _BLOCK, b"\0")


def _record(name: str, group: int, content: bytes) -> bytes:
    """A group (negative number) or a parameter of one; a parameter's description is left empty."""
    content = content if group < 0 else content + b"\0"
    return (
        struct.pack("<bb", len(name), group) + name.encode() + struct.pack("<h", 2 + len(content)) + content
    )


def _value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        size = {"<f4": 4, "<i2": 2}[value.dtype.str]
        return struct.pack("<bB", size, value.ndim) + bytes(value.shape) + value.tobytes()
    if isinstance(value, str):
        return struct.pack("<bBB", -1, 1, len(value)) + value.encode("ascii", "replace")
    width = max(map(len, value))
    text = "".join(name.ljust(width) for name in value).encode("ascii", "replace")
    return struct.pack("<bBBB", -1, 2, width, len(value)) + text


# --- reading


def read_c3d(path: str | Path) -> Motion:
    """Read the markers of a C3D file in Intel floating point into our world. Spread is unknown, so NaN.

    Raises:
        ValueError: no C3D, a truncated one, or one of another byte order or number format.
    """
    path = Path(path)
    data = path.read_bytes()
    if len(data) < 2 * _BLOCK or data[1] != 0x50:
        raise ValueError(f"{path}: not a C3D file, or cut short: {len(data)} bytes")
    try:
        return _markers(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except (struct.error, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{path}: damaged: {type(error).__name__} {error}") from error


def _markers(data: bytes) -> Motion:
    parameters = _read_parameters(data, (data[0] - 1) * _BLOCK)
    missing = {"USED", "SCALE", "RATE", "UNITS", "LABELS", "DATA_START"} - {
        key for group, key in parameters if group == "POINT"
    }
    if missing:
        raise ValueError(f"no POINT:{', POINT:'.join(sorted(missing))} among the parameters")
    used = int(parameters["POINT", "USED"])
    if not parameters["POINT", "SCALE"] < 0:
        raise ValueError("integer points; wanted floating point (POINT:SCALE below 0)")
    names = tuple(parameters["POINT", "LABELS"])[:used]
    if len(names) != used or used < 1:
        raise ValueError(f"POINT:USED is {used}, with {len(names)} labels")
    analog_per_frame = struct.unpack_from("<H", data, 4)[0]
    start, row_bytes = (int(parameters["POINT", "DATA_START"]) - 1) * _BLOCK, 16 * used + 4 * analog_per_frame
    frames = _frame_count(data, parameters)
    if start < 0 or start + frames * row_bytes > len(data):
        raise ValueError(
            f"cut short: {frames} frames of {used} points need {start + frames * row_bytes} bytes, "
            f"found {len(data)}"
        )
    table = np.frombuffer(data, "<f4", frames * row_bytes // 4, start).reshape(frames, -1)
    with np.errstate(invalid="ignore"):  # signalling NaN of a damaged file
        values = table[:, : 4 * used].reshape(frames, used, 4).astype(float)
    unit = str(parameters["POINT", "UNITS"]).strip().lower()
    scale = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}.get(unit)
    fps = float(f"{float(parameters['POINT', 'RATE']):.7g}")  # single precision holds seven digits
    if scale is None or not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"unit {unit!r} and rate {fps}; wanted mm, cm or m and frames per second above 0")
    points = np.where(values[..., 3:] < 0, np.nan, values[..., :3]) * scale
    y_up = str(parameters.get(("POINT", "Y_SCREEN"), "+Z")).strip().upper() == "+Y"
    return motion_of_points(points, names, fps, "y" if y_up else "z")


def _frame_count(data: bytes, parameters: dict[tuple[str, str], Any]) -> int:
    first, last = struct.unpack_from("<HH", data, 6)
    if ("TRIAL", "ACTUAL_END_FIELD") in parameters and ("TRIAL", "ACTUAL_START_FIELD") in parameters:
        ends = [parameters["TRIAL", f"ACTUAL_{end}_FIELD"].view("<u2") for end in ("START", "END")]
        first, last = (int(low) + 65536 * int(high) for low, high in ends)
    if last < first:
        raise ValueError(f"frames run from {first} to {last}; wanted one or more")
    return last - first + 1


def _read_parameters(data: bytes, start: int) -> dict[tuple[str, str], Any]:
    """(group, name) → a number, an array, a text or a list of texts."""
    if start < 0 or data[start + 3] != _INTEL:
        raise ValueError(f"processor {data[start + 3]}; wanted {_INTEL}, Intel byte order")
    groups: dict[int, str] = {}
    found: list[tuple[int, str, Any]] = []
    at, end = start + 4, start + _BLOCK * data[start + 2]
    while at < end and (length := abs(struct.unpack_from("<b", data, at)[0])):
        group = struct.unpack_from("<b", data, at + 1)[0]
        name = data[at + 2 : at + 2 + length].decode("ascii", "replace").upper()
        at += 2 + length
        step = struct.unpack_from("<H", data, at)[0]
        if group < 0:
            groups[-group] = name
        else:
            found.append((group, name, _read_value(data, at + 2)))
        if step == 0:
            break
        at += step
    return {(groups.get(group, ""), name): value for group, name, value in found}


def _read_value(data: bytes, at: int) -> Any:
    kind, dimensions = struct.unpack_from("<bB", data, at)
    shape = tuple(data[at + 2 : at + 2 + dimensions])
    count, start = int(np.prod(shape, dtype=int)), at + 2 + dimensions
    dtype = np.dtype(_DTYPES[kind])
    if start + count * dtype.itemsize > len(data):
        raise ValueError("cut short within the parameters")
    if kind == -1:
        text = data[start : start + count].decode("ascii", "replace")
        if dimensions < 2:
            return text
        return [text[i : i + shape[0]].strip() for i in range(0, count, max(shape[0], 1))]
    values = np.frombuffer(data, dtype, count, start)
    return values[0] if not dimensions else values.reshape(shape[::-1])
