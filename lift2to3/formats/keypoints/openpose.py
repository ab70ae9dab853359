"""OpenPose's folder of json, a file a frame: ``people[…].pose_keypoints_2d``, x, y and confidence in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from lift2to3.array_files import load_json
from lift2to3.formats.keypoints.detections import as_person, frame_numbers
from lift2to3.formats.keypoints.found import Found
from lift2to3.formats.keypoints.one_person import follow_one_person


def recognises(table: Any) -> bool:
    """Whether a json is one frame of such a folder."""
    return isinstance(table, dict) and "people" in table


def read(table: Any, path: Path) -> NoReturn:
    """One frame alone, which is not a clip.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{path}: one frame of OpenPose; pass the folder with all frames' files")


def read_folder(path: Path) -> Found:
    """The folder above.

    Raises:
        ValueError: no json in it, or another one.
    """
    files = sorted(path.glob("*.json"))
    if not files:
        raise ValueError(f"{path}: a folder without .json files; wanted OpenPose's, one per frame")
    frames = {}
    for number, file in zip(frame_numbers([f.stem for f in files], path), files, strict=True):
        table = load_json(file)
        if not isinstance(table, dict) or not isinstance(table.get("people"), list):
            raise ValueError(f'{file}: no "people" in it; wanted OpenPose\'s json, a file per frame')
        frames[number] = [as_person(file, person.get("pose_keypoints_2d")) for person in table["people"]]
    return Found(follow_one_person(frames, str(path)))
