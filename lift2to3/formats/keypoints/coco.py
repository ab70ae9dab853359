"""COCO's results and annotations, and AlphaPose's list, which is the same: an entry a person.

``[{"image_id": …, "keypoints": [x, y, confidence, …]}, …]``, maybe under ``annotations``; ``image_id`` is a
number or a name with one in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.formats.keypoints.detections import are_rows, as_person, frame_numbers
from lift2to3.formats.keypoints.found import Found
from lift2to3.formats.keypoints.one_person import follow_one_person


def _rows(table: Any) -> Any:
    return table.get("annotations") if isinstance(table, dict) else table


def recognises(table: Any) -> bool:
    """Whether a json is such a list."""
    return are_rows(_rows(table), "keypoints", "image_id")


def read(table: Any, path: Path) -> Found:
    """The list above.

    Raises:
        ValueError: keypoints that are not numbers, or two images with one number.
    """
    rows = _rows(table)
    images = list(dict.fromkeys(row["image_id"] for row in rows))
    if all(isinstance(image, int) for image in images):
        number = {image: image for image in images}
    else:
        stems = [Path(str(image)).stem for image in images]
        number = dict(zip(images, frame_numbers(stems, path), strict=True))
    frames: dict[int, list[np.ndarray]] = {}
    for row in rows:
        frames.setdefault(number[row["image_id"]], []).append(as_person(path, row["keypoints"]))
    return Found(follow_one_person(frames, str(path)))
