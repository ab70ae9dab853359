"""csv with headings, of DeepLabCut and LightningPose too.

A row a frame, with columns for each joint: ``nose_x``, ``nose_y`` and, if there, ``nose_score`` (confidence,
likelihood, visibility …), or numbered, ``x0``, ``y0``, ``v0``; or a row a joint: ``frame``, ``joint``, ``x``,
``y`` and a score. ``frame`` (or a picture's name) and ``track_id`` say whose they are. DeepLabCut and
LightningPose have three or four rows of headings: scorer, individuals, bodyparts, coords. Empty cells are
missing. Joints are put in their format's order by their names.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lift2to3.formats.keypoints.detections import as_frame
from lift2to3.formats.keypoints.found import Detection, Detections
from lift2to3.formats.keypoints.scores import Detector
from lift2to3.keypoints import looks_normalised

_SCORES: Final[Mapping[str, Detector]] = {
    "score": "unknown", "confidence": "unknown", "conf": "unknown", "c": "unknown", "prob": "unknown",
    "likelihood": "keypoint", "visibility": "visibility", "visible": "visibility", "v": "visibility",
    "presence": "visibility",
}  # fmt: skip
_FRAME: Final = re.compile(
    r"frame([ _]?(id|idx|index|number|no|num))?#?|image([ _]?(id|name))?|file([ _]?name)?|img", re.I
)
_WHO: Final = re.compile(r"(track|person|subject|individual|instance)[ _]?(id|idx|index)?", re.I)
_JOINT: Final = re.compile(
    r"(joint|landmark|keypoint|body[ _]?part|node|point|marker)s?([ _]?(id|idx|index|name))?", re.I
)
_AXES: Final = f"(x|y|z|{'|'.join(_SCORES)})"
_COLUMN: Final = re.compile(rf"(.+?)(?:[ _.:\-]|(?<=[a-z0-9])(?=[XYZ]$)){_AXES}", re.I)
_NUMBERED: Final = re.compile(rf"{_AXES}[ _]?(\d+)", re.I)

Cells = Sequence[Sequence[str]]


def read(path: Path) -> Detections:
    """The table above.

    Raises:
        ValueError: not a table of joints with x and y.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        separator = max(",;\t", key=text.split("\n", 1)[0].count)
        cells = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not readable csv ({error})") from error
    widest = max(map(len, cells), default=0)
    cells = [row + [""] * (widest - len(row)) for row in cells]
    if len(cells) < 2:
        raise ValueError(f"{path}: {len(cells)} rows; wanted headings, then a row for each frame or joint")
    if cells[0][0].strip().lower() == "scorer":
        return _of_headings_above(cells, path)
    headings = [heading.strip() for heading in cells[0]]
    plain = [heading.lower() for heading in headings]
    frame, who, joint = (_column(plain, pattern) for pattern in (_FRAME, _WHO, _JOINT))
    if joint is None and "id" in plain:
        joint = plain.index("id")
    if "x" in plain and "y" in plain and joint is not None:
        return _of_joints(cells[1:], plain, frame, who, joint, path)
    return _wide(cells[1:], headings, frame, who, path)


def _column(headings: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    return next((i for i, heading in enumerate(headings) if pattern.fullmatch(heading)), None)


def _wide(cells: Cells, headings: list[str], frame: int | None, who: int | None, path: Path) -> Detections:
    """A row a frame, or a row a person of a frame."""
    places: dict[str, dict[str, int]] = {}
    for i, heading in enumerate(headings):
        if i in (frame, who):
            continue
        if numbered := _NUMBERED.fullmatch(heading):
            places.setdefault(numbered[2], {})[numbered[1].lower()] = i
        elif named := _COLUMN.fullmatch(heading):
            places.setdefault(named[1], {})[named[2].lower()] = i
    places = {name: at for name, at in places.items() if name and "x" in at and "y" in at}
    if len(places) < 2:
        raise ValueError(
            f"{path}: headings {', '.join(headings[:6])}; wanted columns such as frame, nose_x, nose_y, "
            "nose_score"
        )
    kind = next((word for at in places.values() for word in at if word in _SCORES), None)
    columns = [[at["x"], at["y"], at.get(kind or "", -1)] for at in places.values()]
    points = _numbers(cells, np.array(columns), path)
    names = None if all(name.isdecimal() for name in places) else list(places)
    return _detections(cells, points, frame, who, names, _SCORES.get(kind or "", "unknown"), path)


def _of_joints(
    cells: Cells, headings: list[str], frame: int | None, who: int | None, joint: int, path: Path
) -> Detections:
    """A row a joint."""
    if frame is None:
        raise ValueError(
            f"{path}: no frame in the headings {', '.join(headings[:8])}; wanted each row's frame"
        )
    kind = next((word for word in headings if word in _SCORES), None)
    score = -1 if kind is None else headings.index(kind)
    numbers = _numbers(cells, np.array([[headings.index("x"), headings.index("y"), score]]), path)[:, 0]
    named = [row[joint].strip() if joint < len(row) else "" for row in cells]
    names, numbered = list(dict.fromkeys(named)), all(map(str.isdecimal, named))
    names = sorted(names, key=int) if numbered else names
    rows: dict[tuple[str, str | None], np.ndarray] = {}
    for row, name, point in zip(cells, named, numbers, strict=True):
        key = (row[frame].strip(), row[who].strip() if who is not None and who < len(row) else None)
        if key not in rows:
            rows[key] = np.tile([np.nan, np.nan, 0.0], (len(names), 1))
        rows[key][names.index(name)] = point
    found = [Detection(_frame(at, path), points, person or None) for (at, person), points in rows.items()]
    detector = _SCORES.get(kind or "", "unknown")
    return _finish(found, None if numbered else names, detector)


def _of_headings_above(cells: Cells, path: Path) -> Detections:
    """Rows of headings with their word in the first cell, down to coords."""
    heads: dict[str, Sequence[str]] = {}
    for row in cells[:5]:
        heads[row[0].strip().lower()] = row
        if "coords" in heads:
            break
    if "coords" not in heads or "bodyparts" not in heads:
        raise ValueError(f"{path}: headings {', '.join(heads)}; wanted scorer, bodyparts and coords")
    body = cells[len(heads) :]
    who = heads.get("individuals", [""] * len(heads["coords"]))
    places: dict[str, dict[str, dict[str, int]]] = {}
    for i, axis in enumerate(heads["coords"]):
        if i and axis.strip().lower() in ("x", "y", "likelihood"):
            places.setdefault(who[i], {}).setdefault(heads["bodyparts"][i], {})[axis.strip().lower()] = i
    people = {person: {name: at for name, at in joints.items() if {"x", "y"} <= at.keys()}
              for person, joints in places.items()}  # fmt: skip
    names = list(dict.fromkeys(name for joints in people.values() for name in joints))
    rows = []
    for person, joints in people.items():
        columns = [
            [joints.get(name, {}).get(axis, -2) for axis in ("x", "y", "likelihood")] for name in names
        ]
        points = _numbers(body, np.array(columns), path)
        of = [
            Detection(_frame(row[0], path), at, person or None) for row, at in zip(body, points, strict=True)
        ]
        rows += of
    if not rows or len(names) < 2:
        raise ValueError(f"{path}: {len(names)} body parts with x and y; wanted a person's joints")
    return _finish(rows, names, "keypoint")


def _numbers(cells: Cells, columns: np.ndarray, path: Path) -> np.ndarray:
    """(rows, joints, 3) of these columns; -1 is a score of 1, -2 a missing number, as an empty cell is."""
    width = max(len(row) for row in cells)
    table = np.full((len(cells), width + 2), np.nan)
    wanted = sorted({int(column) for column in columns.ravel() if column >= 0})
    for i, row in enumerate(cells):
        for column in wanted:
            cell = row[column].strip() if column < len(row) else ""
            try:
                table[i, column] = float(cell) if cell else np.nan
            except ValueError as error:
                raise ValueError(f"{path}: row {i + 1} has {cell!r:.40}; wanted a number") from error
    table[:, -1] = 1.0
    return table[:, columns]


def _frame(cell: str, path: Path) -> int | str:
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    frame = as_frame(number if number.is_integer() else cell.strip())
    if frame is None or frame == "":
        raise ValueError(f"{path}: frame {cell!r:.40}; wanted a number or a name")
    return frame


def _detections(
    cells: Cells, points: np.ndarray, frame: int | None, who: int | None, names: list[str] | None,
    detector: Detector, path: Path,
) -> Detections:  # fmt: skip
    rows = []
    for place, (row, person) in enumerate(zip(cells, points, strict=True)):
        at = place if frame is None else _frame(row[frame], path)
        rows.append(Detection(at, person, row[who].strip() or None if who is not None else None))
    return _finish(rows, names, detector)


def _finish(rows: list[Detection], names: list[str] | None, detector: Detector) -> Detections:
    everything = np.concatenate([row.points[:, :2] for row in rows])
    normalised = detector == "visibility" and looks_normalised(everything)
    return Detections(rows, [row.frame for row in rows], None, None, detector, normalised, names)
