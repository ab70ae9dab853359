"""The one place that makes people of a detector's rows: frames in order, gaps kept, one track a person."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from lift2to3.formats.keypoints.detections import distinct
from lift2to3.formats.keypoints.found import Detection, Detections, Found, Person
from lift2to3.formats.keypoints.frames import frame_numbers
from lift2to3.formats.keypoints.linking import Track, crossings, jump, link, middle
from lift2to3.formats.keypoints.scores import as_confidence
from lift2to3.keypoints import is_missing

_SAME_ID: Final = 0.05
"""Share of frames in which a tracker may give one id to two people; ids that repeat more often are none."""
SHORTEST: Final = 15
"""Frames that somebody must be seen in to be one of ``all``."""
_JUMP: Final = 1.5
"""Body sizes that a lone person cannot move between two detections that follow each other."""


def one_person(found: Detections, path: Path, person: str | None = None) -> Found:
    """The clip of one of a file's people.

    Args:
        found: what the file holds.
        path: what the messages call it.
        person: whom: the tracker's id or, where there is none, the number that the warning of several people
            gives; None for who is seen most and best.

    Returns:
        A row a frame, from the first that the file lists to the last; NaN, NaN, 0 where missing.

    Raises:
        ValueError: nobody in it, nobody of that name, or frames that are not one clip's.
    """
    tracks, numbers, by_id = _tracks(found, path)
    if person is not None:
        tracks[person] = _together(tracks, person, path)
    chosen = next(iter(tracks)) if person is None else person
    if len(tracks) > 1 and person is None:
        crowded, length = _crowded(tracks), numbers[-1] - numbers[0] + 1
        found_people = f"several people in {crowded} of {length} frames" if crowded else "several ids"
        warnings.warn(
            f"{path}: {found_people}: {_listed(tracks)}; followed {chosen} (--person chooses another, joins "
            "ids of one person as 1,5, or takes all)",
            stacklevel=3,
        )
    if not by_id:
        _warn_of_doubt(tracks, chosen, path)
    return _clip(found, tracks[chosen], numbers[0], numbers[-1])


def every_person(found: Detections, path: Path) -> dict[str, Found]:
    """Each person's own clip, from the first frame they are seen in to the last, by id or number.

    Raises:
        ValueError: nobody in it, or frames that are not one clip's.
    """
    tracks, _, by_id = _tracks(found, path)
    kept = {name: track for name, track in tracks.items() if len(track.frames) >= SHORTEST} or tracks
    if len(kept) < len(tracks):
        left = {name: track for name, track in tracks.items() if name not in kept}
        warnings.warn(
            f"{path}: left out who is seen in fewer than {SHORTEST} frames: {_listed(left)}", stacklevel=3
        )
    if not by_id:
        for name in kept:
            _warn_of_doubt(kept, name, path)
    return {name: _clip(found, t, t.frames[0], t.frames[-1]) for name, t in kept.items() if len(t.frames) > 1}


def _tracks(found: Detections, path: Path) -> tuple[dict[str, Track], list[int], bool]:
    """People by name, who is seen most and best first; all frames' numbers; whether names are the file's."""
    frames = distinct([*found.frames, *(row.frame for row in found.rows)])
    scored = [row._replace(points=points) for row, points in _cleaned(found, path)]
    rows = [row for row in scored if (row.points[:, 2] > 0).any()]
    if not rows:
        raise ValueError(f"{path}: no person in any of its {len(frames)} frames; nothing to lift")
    counts = {len(row.points) for row in rows}
    if len(counts) > 1:
        raise ValueError(
            f"{path}: people with {sorted(counts)} joints; wanted one keypoint format throughout"
        )
    number = frame_numbers(frames, path, lambda numbers: _movement(rows, numbers))
    rows = [row._replace(frame=number[row.frame]) for row in rows]
    numbers = sorted(number.values())
    named = _by_id(rows, path)
    if named is not None:
        return named, numbers, True
    by_frame: dict[int, list[Person]] = {}
    for row in rows:
        people = by_frame.setdefault(int(row.frame), [])
        if not any(np.array_equal(row.points, other, equal_nan=True) for other in people):
            people.append(row.points)
    tracks = link(by_frame)
    if all(len(people) == 1 for people in by_frame.values()):
        _warn_of_jumps(tracks, path)
        tracks = [Track(sorted(by_frame), [by_frame[n][0] for n in sorted(by_frame)])]
    tracks.sort(key=lambda track: -track.weight)
    return {str(i): track for i, track in enumerate(tracks, 1)}, numbers, False


def _cleaned(found: Detections, path: Path) -> list[tuple[Detection, Person]]:
    """Each row with its points: missing ones NaN, scores as confidence."""
    if not found.rows:
        return []
    scores = as_confidence(
        np.concatenate([row.points[:, 2] for row in found.rows]), found.detector, path
    )  # together: what a score means shows over the clip
    ends = np.cumsum([len(row.points) for row in found.rows])[:-1]
    cleaned = []
    for row, confidence in zip(found.rows, np.split(scores, ends), strict=True):
        xy = np.where(is_missing(row.points[:, :2])[:, None], np.nan, row.points[:, :2])
        confidence = np.where(np.isnan(xy[:, 0]), 0.0, confidence)
        cleaned.append((row, np.column_stack([xy, confidence])))
    return cleaned


def _by_id(rows: Sequence[Detection], path: Path) -> dict[str, Track] | None:
    """People by the tracker's ids, or None where there are none that tell people apart."""
    named = [row for row in rows if row.person is not None]
    if len(named) < 0.5 * len(rows):
        return None
    repeated = sum(count - 1 for count in Counter((row.frame, row.person) for row in named).values())
    if repeated > _SAME_ID * len(named):
        return None
    people: dict[str, dict[int, Person]] = {}
    for row in named:
        frames = people.setdefault(str(row.person), {})
        before = frames.get(int(row.frame))
        if before is None or before[:, 2].sum() < row.points[:, 2].sum():
            frames[int(row.frame)] = row.points
    if len(named) < len(rows):
        warnings.warn(
            f"{path}: {len(rows) - len(named)} of {len(rows)} detections have no id and are left out",
            stacklevel=5,
        )
    tracks = {name: Track(sorted(at), [at[n] for n in sorted(at)]) for name, at in people.items()}
    order = sorted(tracks, key=lambda name: (-round(tracks[name].weight, 3), len(name), name))
    return {name: tracks[name] for name in order}


def _together(tracks: Mapping[str, Track], person: str, path: Path) -> Track:
    """The track of an id, or of several ids with commas between."""
    names = [person] if person in tracks else [name.strip() for name in person.split(",")]
    lacking = [name for name in names if name not in tracks]
    if lacking:
        raise ValueError(f"{path}: no person {', '.join(lacking)}; found {_listed(tracks)}")
    at = {n: points for name in names for n, points in zip(*tracks[name], strict=True)}
    return Track(sorted(at), [at[n] for n in sorted(at)])


def _movement(rows: Sequence[Detection], numbers: Mapping[int | str, int]) -> float:
    """Mean distance from each frame's people to the nearest of the frame before, pixels."""
    places: dict[int, list[np.ndarray]] = {}
    for row in rows:
        places.setdefault(numbers[row.frame], []).append(middle(row.points))
    ordered = [np.array(places[number]) for number in sorted(places)]
    moved = [
        np.linalg.norm(here[:, None] - before, axis=-1).min(axis=1).mean()
        for before, here in pairwise(ordered)
    ]
    return float(np.mean(moved)) if moved else 0.0


def _clip(found: Detections, track: Track, first: int, last: int) -> Found:
    points = np.full((last - first + 1, len(track.points[0]), 3), np.nan)
    points[..., 2] = 0.0
    points[np.array(track.frames) - first] = track.points
    return Found(points, found.skeleton, found.fps, first, normalised=found.normalised, names=found.names)


def _listed(tracks: Mapping[str, Track]) -> str:
    shown = [f"{name} ({len(track.frames)} frames)" for name, track in list(tracks.items())[:8]]
    return ", ".join(shown) + (f" and {len(tracks) - 8} more" if len(tracks) > 8 else "")


def _crowded(tracks: Mapping[str, Track]) -> int:
    return sum(n > 1 for n in Counter(n for track in tracks.values() for n in track.frames).values())


def _warn_of_doubt(tracks: Mapping[str, Track], chosen: str, path: Path) -> None:
    """Say where people who have no ids come so near each other that they may have been confused."""
    others = [track for name, track in tracks.items() if name != chosen]
    near = crossings(tracks[chosen], others)
    if near:
        warnings.warn(
            f"{path}: person {chosen} and another cross in frames {near[0]} to {near[-1]} and the file has "
            "no ids: see there whether one person is followed; a tracker's ids (idx, track_id) would tell",
            stacklevel=4,
        )


def _warn_of_jumps(pieces: Sequence[Track], path: Path) -> None:
    """Say where a person who is alone moves as nobody can."""
    for before, after in pairwise(pieces):
        if float(jump(before.points[-1], after.points[0])) > _JUMP:
            warnings.warn(
                f"{path}: the person is somewhere else in frame {after.frames[0]} than in frame "
                f"{before.frames[-1]}; two people, or a cut, in one file? wanted one person's shot",
                stacklevel=5,
            )
            return
