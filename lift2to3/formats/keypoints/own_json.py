"""Our own json, which `Keypoints.save` writes.

``{"skeleton": …, "fps": …, "keypoints": [[[x, y, confidence], …], …]}``, null for a missing joint or frame;
``first_frame`` where its first frame is not the video's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.formats.keypoints.found import Found, stated_first_frame, stated_rate


def recognises(table: Any) -> bool:
    """Whether a json is such a table, maybe a wrong one."""
    return isinstance(table, dict) and "keypoints" in table


def read(table: Any, path: Path) -> Found:
    """The table above.

    Raises:
        ValueError: not such a table; the message gives the frame and the joint.
    """
    frames = table["keypoints"]
    if not isinstance(frames, list) or not any(isinstance(frame, list) for frame in frames):
        raise ValueError(f"{path}: keypoints hold no frame; wanted [[[x, y, confidence], …], …]")
    joints = next(len(frame) for frame in frames if isinstance(frame, list))
    rows = []
    for number, frame in enumerate(frames):
        frame = [None] * joints if frame is None else frame
        if not isinstance(frame, list) or len(frame) != joints:
            size = f"{len(frame)} joints" if isinstance(frame, list) else repr(frame)
            raise ValueError(f"{path}: frame {number} has {size}, the first one {joints} joints")
        for joint, point in enumerate(frame):
            rows.append(_point(path, number, joint, point))
    skeleton = table.get("skeleton")
    if not isinstance(skeleton, str | None):
        raise ValueError(f"{path}: skeleton is {skeleton!r}; wanted a format's name")
    try:
        points = np.array(rows, dtype=np.float64).reshape(len(frames), joints, 3)
    except OverflowError as error:
        raise ValueError(f"{path}: a coordinate too large for a number ({error}); wanted pixels") from error
    first = stated_first_frame(path, table.get("first_frame"))
    return Found(points, skeleton, stated_rate(path, table.get("fps")), first)


def _point(path: Path, frame: int, joint: int, point: Any) -> tuple[float, float, float]:
    """(x, y, confidence); NaN, NaN, 0 for null."""
    if point is None:
        return np.nan, np.nan, 0.0
    if isinstance(point, list) and len(point) in (2, 3):
        numbers = [np.nan if value is None else value for value in point]
        if all(isinstance(value, int | float) for value in numbers):
            return numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 1.0
    raise ValueError(
        f"{path}: frame {frame}, joint {joint} is {point!r}; wanted [x, y], [x, y, confidence] or null"
    )
