"""Ultralytics' results: a list of people for each frame as json, or a folder of labels as text.

``[[{"name": "person", "keypoints": {"x": […], "y": […], "visible": […]}, "track_id": …}, …], …]``, as
``result.summary()`` and ``result.to_json()`` give for one frame; one tracked person's results in a row are
read frame by frame, with a warning: frames without the person are not told there. Labels (``save_txt``) are
lines of class, box (4), then x, y and score of each joint as shares of the picture, maybe the box's score
and a track's id.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.keypoints.detections import are_rows, people_of, person_id
from lift2to3.formats.keypoints.found import Detection, Detections

_BOX: Final = 5

frame_people = people_of
"""Of one frame's list."""


def recognises(table: Any) -> bool:
    """Whether a json is such a list."""
    if isinstance(table, list) and all(frame is None or isinstance(frame, list) for frame in table):
        return any(is_frame(frame) for frame in table if frame)
    return is_frame(table)


def is_frame(table: Any) -> bool:
    """Whether a json is the list of one frame's people."""
    rows = [row for row in table if row] if are_rows(table, "keypoints") else []
    return bool(rows) and all(
        isinstance(row.get("keypoints"), dict) and "image_id" not in row for row in rows
    )


def read(table: Any, path: Path) -> Detections:
    """The lists above.

    Raises:
        ValueError: keypoints that are not numbers, or one list of several people without their frames.
    """
    if is_frame(table):
        people = [row for row in table if row]
        ids = {person_id(row) for row in people}
        if len(people) > 1 and (len(ids) > 1 or ids == {None}):
            raise ValueError(
                f"{path}: {len(people)} people in one list without their frames; wanted a list for each "
                "frame, [[…], […], …]"
            )
        warnings.warn(
            f"{path}: no frame numbers; took every entry for the next frame (frames without the person would "
            "be lost: write a list for each frame)",
            stacklevel=2,
        )
        table = [[row] for row in people]
    rows = [person for frame, people in enumerate(table) for person in people_of(people, frame, path)]
    return Detections(rows, list(range(len(table))), detector="keypoint")


def read_labels(files: Sequence[Path], path: Path) -> Detections:
    """The labels above.

    Raises:
        ValueError: lines of other numbers.
    """
    rows = []
    for file in files:
        for line in file.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            if not line.strip():
                continue
            try:
                numbers = np.array(line.split(), dtype=np.float64)
            except ValueError as error:
                raise ValueError(f"{file}: {line:.40} are no numbers; wanted Ultralytics' labels") from error
            joints, beyond = divmod(len(numbers) - _BOX, 3)
            if joints < 1:
                raise ValueError(f"{file}: {len(numbers)} numbers in a line; wanted class, box and joints")
            points = numbers[_BOX : _BOX + 3 * joints].reshape(-1, 3)
            whose = str(int(numbers[-1])) if beyond == 2 and np.isfinite(numbers[-1]) else None
            rows.append(Detection(file.stem, points, whose))
    return Detections(rows, [f.stem for f in files], detector="keypoint", normalised=True)
