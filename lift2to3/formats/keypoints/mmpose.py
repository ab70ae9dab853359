"""MMPose's predictions of a video: an entry a frame, with its people.

``[{"frame_id": …, "instances": [{"keypoints": [[x, y], …], "keypoint_scores": […]}, …]}, …]``, maybe under
``instance_info``; the same lists of people without a word of the frame, ``[[{…}, …], …]``, maybe under
``predictions``, as the inferencer returns them and version 0 wrote them; or a folder with such a list of
people for each picture. Without ``frame_id`` the order is that of the list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift2to3.formats.keypoints.detections import are_rows, as_names, frame_of, people_of
from lift2to3.formats.keypoints.found import Detections

frame_people = people_of
"""Of one frame's list."""


def _rows(table: Any) -> Any:
    if isinstance(table, dict):
        table = table.get("instance_info", table.get("predictions"))
    if _is_people_by_frame(table):
        people = [frame[0] if _nested(frame) else frame for frame in table]
        return [{"instances": frame} for frame in people]
    return table


def _nested(frame: Any) -> bool:
    return isinstance(frame, list) and len(frame) == 1 and isinstance(frame[0], list)


def _is_people_by_frame(table: Any) -> bool:
    """Lists of people, one a frame, at least one of them with somebody."""
    if not isinstance(table, list) or not all(frame is None or isinstance(frame, list) for frame in table):
        return False
    inner = [frame[0] if _nested(frame) else frame for frame in table]
    return any(is_frame(frame) for frame in inner) and all(not frame or is_frame(frame) for frame in inner)


def recognises(table: Any) -> bool:
    """Whether a json is such a list."""
    return are_rows(_rows(table), "instances")


def is_frame(table: Any) -> bool:
    """Whether a json is the list of one frame's people."""
    return are_rows(table, "keypoints") and not any("image_id" in row for row in table if row)


def read(table: Any, path: Path) -> Detections:
    """The list above.

    Raises:
        ValueError: keypoints that are not numbers, or frames of which only some have a number.
    """
    entries = [row if row else {"instances": None} for row in _rows(table)]
    named = [frame_of(row) for row in entries]
    if any(frame is None for frame in named) and any(frame is not None for frame in named):
        place = named.index(None)
        raise ValueError(f"{path}: entry {place} has no frame_id and others do; wanted it in all or in none")
    frames = [place if frame is None else frame for place, frame in enumerate(named)]
    if len(frames) > 1 and len(set(frames)) == 1:
        raise ValueError(
            f"{path}: frame_id is {frames[0]!r} in all {len(frames)} entries; wanted each frame's own number"
        )
    rows = [
        person
        for row, frame in zip(entries, frames, strict=True)
        for person in people_of(row.get("instances"), frame, path)
    ]
    meta = table.get("meta_info") if isinstance(table, dict) else None
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    names = list(names.values()) if isinstance(names, dict) else None
    return Detections(rows, frames, detector="simcc", names=as_names(names))
