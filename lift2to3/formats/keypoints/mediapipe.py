"""MediaPipe's pose landmarks as json: 33 a person, x and y as shares of the picture's width and height.

A list of frames, maybe under ``frames``, or a dict by frame. A frame is null or empty for nobody, a person's
landmarks ``[{"x": …, "y": …, "z": …, "visibility": …}, …]``, a list of such people, or a dict with them as
``landmarks`` or ``pose_landmarks``, and maybe ``frame``. ``width``, ``height`` and ``fps`` beside ``frames``
are read. World landmarks are metres about the hips and say nothing of the place: alone they are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.keypoints.detections import as_frame, as_person, first_of, frame_of, person_id
from lift2to3.formats.keypoints.found import Detection, Detections, stated_rate
from lift2to3.keypoints import looks_normalised

_LANDMARKS: Final = ("pose_landmarks", "landmarks", "poseLandmarks", "pose", "landmark")
_WORLD: Final = ("pose_world_landmarks", "world_landmarks", "poseWorldLandmarks")


def recognises(table: Any) -> bool:
    """Whether a json is such a list."""
    frames = _frames(table)
    return any(_is_frame(frame) for _, frame in frames) and all(
        not frame or _is_frame(frame) for _, frame in frames
    )


def _frames(table: Any) -> list[tuple[Any, Any]]:
    """(number or None, frame)."""
    if isinstance(table, dict):
        table = table.get("frames", table)
    if isinstance(table, dict):
        inner = list(table.items())
        return inner if inner and all(as_frame(key) is not None for key, _ in inner) else []
    return [(None, frame) for frame in table] if isinstance(table, list) else []


def _is_frame(frame: Any) -> bool:
    if isinstance(frame, dict):
        return any(name in frame for name in (*_LANDMARKS, *_WORLD))
    return bool(_people(frame))


def _people(found: Any, depth: int = 3) -> list[list[dict[str, Any]]]:
    """The people of a frame, each a list of landmarks; none where these are no landmarks."""
    if isinstance(found, dict):
        found = first_of(found, _LANDMARKS)
    if not isinstance(found, list | dict) or not found or not depth:
        return []
    if isinstance(found, dict):  # landmarks in landmarks, as protocol buffers are written
        return _people(found, depth - 1)
    if all(isinstance(point, dict) and "x" in point and "y" in point for point in found):
        return [found]
    return [person for part in found for person in _people(part, depth - 1)]


def read(table: Any, path: Path) -> Detections:
    """The landmarks above.

    Raises:
        ValueError: world landmarks alone, or landmarks that are not numbers.
    """
    rows: list[Detection] = []
    frames: list[int | str] = []
    for place, (number, frame) in enumerate(_frames(table)):
        own = frame_of(frame) if isinstance(frame, dict) else None
        named = as_frame(number) if own is None else own
        frames.append(place if named is None else named)
        people = _people(frame)
        if not people and isinstance(frame, dict) and any(frame.get(name) for name in _WORLD):
            raise ValueError(
                f"{path}: only world landmarks, metres about the hips, which do not say where the person is; "
                "wanted pose_landmarks, those of the picture"
            )
        who = person_id(frame) if isinstance(frame, dict) and len(people) == 1 else None
        for landmarks in people:
            pairs = [[point["x"], point["y"]] for point in landmarks]
            scores = [first_of(point, ("visibility", "presence", "score")) for point in landmarks]
            scores = [1.0 if score is None else score for score in scores]
            points = as_person(path, pairs, scores)
            if points is not None:
                rows.append(Detection(frames[-1], points, who))
    about = table if isinstance(table, dict) and "frames" in table else {}
    normalised = bool(rows) and looks_normalised(np.concatenate([row.points[:, :2] for row in rows]))
    size = [about.get(name) for name in ("width", "height")]
    if normalised and all(isinstance(length, int | float) and length > 2 for length in size):
        rows = [row._replace(points=row.points * [*size, 1.0]) for row in rows]
        normalised = False
    fps = stated_rate(path, about.get("fps"))
    return Detections(rows, frames, None, fps, "visibility", normalised)
