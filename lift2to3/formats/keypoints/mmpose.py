"""MMPose's predictions of a video: an entry a frame, with its people.

``[{"frame_id": …, "instances": [{"keypoints": [[x, y], …], "keypoint_scores": […]}, …]}, …]``, maybe under
``instance_info``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift2to3.formats.keypoints.detections import are_rows, as_person
from lift2to3.formats.keypoints.found import Found
from lift2to3.formats.keypoints.one_person import follow_one_person


def _rows(table: Any) -> Any:
    return table.get("instance_info") if isinstance(table, dict) else table


def recognises(table: Any) -> bool:
    """Whether a json is such a list."""
    return are_rows(_rows(table), "instances")


def read(table: Any, path: Path) -> Found:
    """The list above.

    Raises:
        ValueError: keypoints that are not numbers.
    """
    frames = {
        int(row.get("frame_id", order)): [
            as_person(
                path,
                person.get("keypoints"),
                person.get("keypoint_scores", [1.0] * len(person.get("keypoints", []))),
            )
            for person in row["instances"]
        ]
        for order, row in enumerate(_rows(table))
    }
    return Found(follow_one_person(frames, str(path)))
