"""Who is who from frame to frame where no tracker says it: detections linked over time into people.

Frame by frame, detections are assigned to the people of before (`scipy.optimize.linear_sum_assignment`) by
how far their joints lie from where those people's joints would be by now, in sizes of the body. What is cut
off by a gap is put together again where a person could have come from the one end to the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from lift2to3.formats.keypoints.found import Person

LOOK_BACK: Final = 12
"""A person may be unseen for so many frames without being cut in two."""
_NEAR: Final = 0.5
"""Body sizes that joints may be from where they are expected, one frame later;"""
_NEAR_PER_FRAME: Final = 0.05
"""and so much more with each frame in between: a run across the picture."""
_FARTHEST: Final = 2.0
_STEADY: Final = 4
"""Frames that a velocity is measured over, and that it is believed for."""
_KNOWN: Final = 3
"""Frames after which a person is no accident of one frame."""
CROSSING: Final = 0.25
"""People whose joints lie so near each other, in body sizes, could be taken for one another."""


class Track(NamedTuple):
    """One person's detections: frame numbers, rising, and points with scores."""

    frames: list[int]
    points: list[Person]

    @property
    def weight(self) -> float:
        """Sum over frames of the mean score."""
        return float(sum(np.nan_to_num(points[:, 2]).clip(0.0, 1.0).mean() for points in self.points))


def link(frames: Mapping[int, Sequence[Person]]) -> list[Track]:
    """Detections by frame → people, in the order of their first frames.

    Args:
        frames: frame number → that frame's detections, each with one joint seen or more.
    """
    ended: list[Track] = []
    active: list[Track] = []
    for number in sorted(frames):
        people = frames[number]
        ended += [track for track in active if number - track.frames[-1] > LOOK_BACK]
        active = [track for track in active if number - track.frames[-1] <= LOOK_BACK]
        left = list(people)
        for old in (True, False):  # who is known for longer has the first choice
            tracks = [track for track in active if (len(track.frames) >= _KNOWN) == old]
            pairs = _assigned(tracks, left, number)
            for row, column in pairs:
                tracks[row].frames.append(number)
                tracks[row].points.append(left[column])
            taken = {column for _, column in pairs}
            left = [person for i, person in enumerate(left) if i not in taken]
        active += [Track([number], [person]) for person in left]
    return _joined(sorted(ended + active, key=lambda track: track.frames[0]))


def _assigned(tracks: list[Track], people: Sequence[Person], number: int) -> list[tuple[int, int]]:
    """(track, person) that belong together."""
    if not tracks or not people:
        return []
    gaps = [number - track.frames[-1] for track in tracks]
    near = np.array([min(_NEAR + _NEAR_PER_FRAME * (gap - 1), _FARTHEST) for gap in gaps])
    expected = [_expected(track, gap) for track, gap in zip(tracks, gaps, strict=True)]
    cost = np.array([[_apart(points, person) for person in people] for points in expected])
    cost = np.minimum(cost / near[:, None], 1e3)  # where nobody is near, any pair costs alike
    cost[cost >= 1.0] = 1e3
    rows, columns = linear_sum_assignment(cost)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if cost[row, column] < 1.0]


def _expected(track: Track, gap: int) -> Person:
    """Where a person's joints would be so many frames after they were last seen."""
    last = track.points[-1]
    back = min(_STEADY, len(track.points) - 1)
    if back < 2:
        return last
    earlier = track.points[-1 - back]
    both = seen(last) & seen(earlier)
    if not both.any() or track.frames[-1] - track.frames[-1 - back] > 2 * _STEADY:
        return last
    moved = np.median((last - earlier)[both, :2], axis=0)  # the body's, not each joint's
    steps = min(gap, _STEADY) / (track.frames[-1] - track.frames[-1 - back])
    return last + np.array([*(moved * steps), 0.0])


def _apart(a: Person, b: Person) -> float:
    """Median distance of the joints that both show, in sizes of the body; of the middles where none is."""
    both = seen(a) & seen(b)
    size = max(body_size(a), body_size(b), 1e-9)
    if both.sum() >= 3:
        return float(np.median(np.linalg.norm((a - b)[both, :2], axis=-1))) / size
    return float(np.linalg.norm(middle(a) - middle(b))) / size


def _joined(tracks: list[Track]) -> list[Track]:
    """Pieces put together where the one starts after the other ended, near enough to have walked there."""
    whole: list[Track] = []
    for piece in tracks:
        best, best_cost = None, 1.0
        for track in whole:
            gap = piece.frames[0] - track.frames[-1]
            if gap <= 0:
                continue
            near = min(_NEAR + _NEAR_PER_FRAME * (gap - 1), _FARTHEST)
            cost = jump(track.points[-1], piece.points[0]) / near
            if cost < best_cost:
                best, best_cost = track, cost
        if best is None:
            whole.append(Track(list(piece.frames), list(piece.points)))
        else:
            best.frames.extend(piece.frames)
            best.points.extend(piece.points)
    return whole


def jump(a: Person, b: Person) -> float:
    """Distance of two people's middles, in sizes of the body."""
    return float(np.linalg.norm(middle(a) - middle(b)) / max(body_size(a), body_size(b), 1e-9))


def crossings(person: Track, others: Sequence[Track]) -> list[int]:
    """Frames in which somebody else is, or was last seen, so near that the two could be confused."""
    found = set()
    place = dict(zip(person.frames, person.points, strict=True))
    for other in others:
        near = [n for n, points in zip(other.frames, other.points, strict=True)
                if n in place and _apart(place[n], points) < CROSSING]  # fmt: skip
        found.update(near)
    return sorted(found)


def seen(person: Person) -> Bool[np.ndarray, "joints"]:
    """Joints with a place and a score."""
    return np.isfinite(person[:, :2]).all(axis=-1) & (person[:, 2] > 0)


def middle(person: Person) -> Float[np.ndarray, "2"]:
    """Mean of the joints seen, pixels."""
    return person[seen(person), :2].mean(axis=0)


def body_size(person: Person) -> float:
    """Diagonal of the box about the joints seen, pixels."""
    return float(np.linalg.norm(np.ptp(person[seen(person), :2], axis=0)))
