"""OpenPose's json, a file a frame in a folder: ``people[…].pose_keypoints_2d``, x, y and confidence in turn.

Versions 1.0 and 1.1 say ``pose_keypoints``. Pose2Sim and Sports2D write the same, ``{}`` for nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from lift2to3.formats.keypoints.detections import as_person, person_id
from lift2to3.formats.keypoints.found import Detection

_NAMES = ("pose_keypoints_2d", "pose_keypoints")


def recognises(table: Any) -> bool:
    """Whether a json is one frame of such a folder."""
    return isinstance(table, dict) and "people" in table


def read(table: Any, path: Path) -> NoReturn:
    """One frame alone, which is not a clip.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{path}: one frame of OpenPose; pass the folder with all frames' files")


def is_frame(table: Any) -> bool:
    """Whether a json is one frame."""
    return recognises(table)


def frame_people(table: Any, frame: int | str, source: Path) -> list[Detection]:
    """The people of one frame's json; null and empty ones are nobody.

    Raises:
        ValueError: people that are no list, or keypoints that are not numbers.
    """
    people = table["people"]
    if people is None:
        return []
    if not isinstance(people, list):
        raise ValueError(f"{source}: people is {people!r:.40}; wanted a list of them")
    found = []
    for person in people:
        if not person:
            continue
        name = next((name for name in _NAMES if isinstance(person, dict) and name in person), None)
        if name is None:
            holds = ", ".join(person) if isinstance(person, dict) else repr(person)
            raise ValueError(f"{source}: a person without pose_keypoints_2d; found {holds:.80}")
        points = as_person(source, person[name])
        if points is not None:
            found.append(Detection(frame, points, person_id(person)))
    return found
