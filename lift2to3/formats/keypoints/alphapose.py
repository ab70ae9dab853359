"""AlphaPose's other layouts: dicts by image (``--format cmu``, ``open``), and by person and frame.

``{"0.jpg": {"people": [{"pose_keypoints_2d": […]}]}, …}``, ``{"0.jpg": {"bodies": [{"joints": […]}]}, …}``
and ``{"1": {"0000": {"keypoints": […], "scores": …}, …}, …}``. Its list is COCO's
(`lift2to3.formats.keypoints.coco`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift2to3.formats.keypoints.detections import as_frame, as_person, person_id
from lift2to3.formats.keypoints.found import Detection, Detections

_PEOPLE = {"people": "pose_keypoints_2d", "bodies": "joints"}


def recognises(table: Any) -> bool:
    """Whether a json is such a dict."""
    return _by_image(table) or _by_person(table)


def _by_image(table: Any) -> bool:
    inner = list(table.values()) if isinstance(table, dict) else []
    return bool(inner) and all(
        isinstance(value, dict) and any(isinstance(value.get(key), list) for key in _PEOPLE)
        for value in inner
    )


def _by_person(table: Any) -> bool:
    inner = list(table.values()) if isinstance(table, dict) else []
    if not inner or not all(isinstance(value, dict) and value for value in inner):
        return False
    return all(isinstance(one, dict) and "keypoints" in one for value in inner for one in value.values())


def read(table: Any, path: Path) -> Detections:
    """The dicts above.

    Raises:
        ValueError: keypoints that are not numbers.
    """
    rows: list[Detection] = []
    if not _by_image(table):
        frames: list[int | str] = []
        for person, frame, found in ((p, f, one) for p, at in table.items() for f, one in at.items()):
            number = as_frame(frame)
            frames.append(frame if number is None else number)
            points = as_person(path, found["keypoints"])
            if points is not None:
                rows.append(Detection(frames[-1], points, str(person)))
        return Detections(rows, frames, detector="heatmap")
    for image, found in table.items():
        key = next(key for key in _PEOPLE if isinstance(found.get(key), list))
        for person in found[key]:
            points = as_person(path, person.get(_PEOPLE[key])) if isinstance(person, dict) else None
            if points is not None:
                rows.append(Detection(image, points, person_id(person)))
    return Detections(rows, list(table), detector="heatmap")
