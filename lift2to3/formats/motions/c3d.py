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

from lift2to3.formats.motions.file_axes import UpAxis, visible_points
from lift2to3.motion import Motion
from lift2to3.whole_file import whole_file

_BLOCK: Final = 512
_MOST_FRAMES: Final = 65535
_INTEL: Final = 84
_MM_IN_METRES: Final = 1e-3
_LONGEST_LABEL: Final = 120  # 255 of them fit a parameter


def write_c3d(path: str | Path, motion: Motion, up: UpAxis = "z") -> Path:
    """Write a C3D file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
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
        first, last = (min(number, _MOST_FRAMES) for number in _numbers(motion))
        header = 2, 0x50, points.shape[1], 0, first, last, 0, -1.0, first_data_block, 0, motion.fps
        file.write(struct.pack("<BBHHHHHfHHf", *header).ljust(_BLOCK, b"\0"))
        file.write(parameters)
        file.write(data.data)  # no padding: readers of long clips take every frame up to the file's end
    return Path(path)


def _numbers(motion: Motion) -> tuple[int, int]:
    """Of the first and the last frame, counted from 1; from 1 on where the header cannot hold the first."""
    count, first = len(motion.joints_world), motion.first_frame + 1
    first = first if first + count <= _MOST_FRAMES else 1
    return first, first + count - 1


def _parameter_section(motion: Motion, up: UpAxis, data_block: int) -> bytes:
    count, (first, last) = len(motion.joints_world), _numbers(motion)
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
        "ACTUAL_START_FIELD": np.array([first % 65536, first // 65536], "<u2").view("<i2"),
        "ACTUAL_END_FIELD": np.array([last % 65536, last // 65536], "<u2").view("<i2"),
        "CAMERA_RATE": np.array(motion.fps, "<f4"),
    }
    analog = {"USED": np.array(0, "<i2"), "RATE": np.array(0.0, "<f4")}
    body = b""
    for number, (name, fields) in enumerate((("POINT", point), ("ANALOG", analog), ("TRIAL", trial)), 1):
        body += _record(name, -number, b"\0")
        body += b"".join(_record(key, number, _value(value)) for key, value in fields.items())
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
    width = min(max(map(len, value)), _LONGEST_LABEL)
    text = "".join(name[:width].ljust(width) for name in value).encode("ascii", "replace")
    return struct.pack("<bBBB", -1, 2, width, len(value)) + text
