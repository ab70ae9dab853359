"""What detectors' files have in common: a person's numbers, whose they are, what a frame is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from lift2to3.formats.keypoints.found import Detection, Person

_IDS: Final = ("track_id", "person_id", "idx", "tracking_id", "instance_id", "id_person")
"""Under which names trackers write who a person is."""
_SCORES: Final = ("keypoint_scores", "keypoints_score", "kp_score", "scores", "keypoints_visible")
"""Under which names scores stand that are not beside their joint."""
_FRAMES: Final = ("frame_id", "frame_index", "frame_idx", "frame_number", "frame", "image_id", "image_name")
"""Under which names a row says its frame."""


def are_rows(rows: Any, *keys: str) -> bool:
    """Whether these are dicts or null, one or more of them dicts with all the keys."""
    if not isinstance(rows, list) or not all(row is None or isinstance(row, dict) for row in rows):
        return False
    return any(row is not None and all(key in row for key in keys) for row in rows)


def as_person(source: object, points: Any, scores: Any = None) -> Person | None:
    """One detection: a flat x, y, score list, triples, or pairs with their scores; None for nobody.

    Null numbers are NaN.

    Raises:
        ValueError: not numbers, or not as many as they should be.
    """
    if points is None or (isinstance(points, list | dict) and not points):
        return None
    try:
        numbers = np.array(points, dtype=np.float64)
        if numbers.ndim == 1:
            numbers = numbers.reshape(-1, 3 if scores is None else 2)
        if numbers.ndim != 2 or numbers.shape[1] not in (2, 3):
            raise ValueError(f"their shape is {numbers.shape}")
        if scores is not None:
            beside = np.array(scores, dtype=np.float64).reshape(len(numbers))
        else:
            beside = numbers[:, 2] if numbers.shape[1] == 3 else np.ones(len(numbers))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{source}: keypoints are not a list of x, y, confidence ({error})") from error
    return np.column_stack([numbers[:, :2], beside])


def people_of(entry: Any, frame: int | str, source: object) -> Iterator[Detection]:
    """The people of one frame: a list of them or one, null and empty ones left out.

    A person is a dict: ``keypoints`` flat, as triples, as pairs with scores beside, or as x, y and visible.

    Raises:
        ValueError: keypoints that are not numbers.
    """
    for person in entry if isinstance(entry, list) else [entry]:
        if not person:
            continue
        if not isinstance(person, dict):
            raise ValueError(
                f"{source}: frame {frame!r:.40} holds {person!r:.40}; wanted people with keypoints"
            )
        points: Any = person.get("keypoints")
        scores: Any = first_of(person, _SCORES)
        if isinstance(points, dict) and points:
            points, scores = _columns(points, source)
        if isinstance(points, list) and _nesting(points) == 3:  # arrays over all people of the frame
            beside = scores if isinstance(scores, list) else [None] * len(points)
            for one, its in zip(points, beside, strict=False):
                numbers = as_person(source, one, its)
                if numbers is not None:
                    yield Detection(frame, numbers)
            continue
        numbers = as_person(source, points, scores)
        if numbers is not None:
            yield Detection(frame, numbers, person_id(person))


def _columns(points: Mapping[str, Any], source: object) -> tuple[Any, Any]:
    if "x" not in points or "y" not in points:
        raise ValueError(f"{source}: keypoints are {', '.join(map(str, points))}; wanted x, y and visible")
    try:
        pairs = [list(pair) for pair in zip(points["x"], points["y"], strict=True)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: keypoints' x and y are not two lists alike ({error})") from error
    return pairs, points.get("visible")


def _nesting(values: Any) -> int:
    depth = 0
    while isinstance(values, list) and values and depth < 4:
        depth, values = depth + 1, values[0]
    return depth


def first_of(table: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of these values that is there and not null."""
    return next((table[name] for name in names if table.get(name) is not None), None)


def person_id(row: Mapping[str, Any]) -> str | None:
    """Who a detection is, by whatever name the tracker gives it; None where it does not say."""
    attributes = row.get("attributes")
    for table in (row, attributes if isinstance(attributes, dict) else {}):
        for name in _IDS:
            value = table.get(name)
            while isinstance(value, list) and len(value) == 1:
                value = value[0]
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, int | str) and not isinstance(value, bool) and value not in (-1, "-1", ""):
                return str(value)
    return None


def as_frame(value: Any) -> int | str | None:
    """A frame as a file has it: a whole number, or a name; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 16:
        value = int(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def frame_of(row: Mapping[str, Any]) -> int | str | None:
    """Which frame a row says that it is of."""
    return as_frame(first_of(row, _FRAMES))


def as_names(names: Any) -> list[str] | None:
    """Joints' names, or None for anything else."""
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return names
    return None


def distinct(frames: Iterable[int | str]) -> list[int | str]:
    """Each once, in order."""
    return list(dict.fromkeys(frames))
