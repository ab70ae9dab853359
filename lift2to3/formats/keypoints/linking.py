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
_COMPARABLE: Final = 3
"""Joints that two people must both show for their poses to be compared."""
CROSSING: Final = 0.25
"""People whose joints lie so near each other, in body sizes, could be taken for one another."""


People = Float[np.ndarray, "*batch joints 3"]
Broadcast = Float[np.ndarray, "*#batch joints 3"]


class Track(NamedTuple):
    """One person's detections: frame numbers, rising, and points with scores."""

    frames: list[int]
    points: list[Person]

    @property
    def weight(self) -> float:
        """Sum over frames of the mean score."""
        scores = np.stack(self.points)[..., 2]
        return float(np.nan_to_num(scores).clip(0.0, 1.0).mean(axis=1).sum())


def link(frames: Mapping[int, Sequence[Person]]) -> list[Track]:
    """Detections by frame → people, in the order of their first frames.

    Args:
        frames: frame number → that frame's detections, each with one joint seen or more.
    """
    ended: list[Track] = []
    active: list[Track] = []
    for number in sorted(frames):
        ended += [track for track in active if number - track.frames[-1] > LOOK_BACK]
        active = [track for track in active if number - track.frames[-1] <= LOOK_BACK]
        left = list(frames[number])
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
    expected = np.stack([_expected(track, number) for track in tracks])
    cost = apart(expected[:, None], np.stack(people)) / _reach(tracks, number)[:, None]
    cost = np.where(cost < 1.0, cost, 1e3)  # where nobody is near, any pair costs alike
    rows, columns = linear_sum_assignment(cost)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if cost[row, column] < 1.0]


def _reach(tracks: Sequence[Track], number: int) -> Float[np.ndarray, "tracks"]:
    """How far from where they are expected people may be in a frame, in sizes of the body."""
    gaps = np.array([number - track.frames[-1] for track in tracks])
    return np.minimum(_NEAR + _NEAR_PER_FRAME * (gaps - 1), _FARTHEST)


def _expected(track: Track, number: int) -> Person:
    """Where a person's joints would be in a frame, as they moved last."""
    last, back = track.points[-1], min(_STEADY, len(track.points) - 1)
    passed = track.frames[-1] - track.frames[-1 - back]
    if back < 2 or passed > 2 * _STEADY:
        return last
    earlier = track.points[-1 - back]
    both = seen(last) & seen(earlier)
    if not both.any():
        return last
    moved = (last - earlier)[both, :2].mean(axis=0)  # the body's, not each joint's
    return last + np.append(moved * min(number - track.frames[-1], _STEADY) / passed, 0.0)


def apart(a: Broadcast, b: Broadcast) -> Float[np.ndarray, "..."]:
    """Median distance of the joints that both show, in sizes of the body; of the middles where none is."""
    both = seen(a) & seen(b)
    count = both.sum(axis=-1)
    distance = np.where(both, np.linalg.norm((a - b)[..., :2], axis=-1), np.inf)
    middle_one = np.maximum(count - 1, 0)[..., None] // 2
    median = np.take_along_axis(np.sort(distance, axis=-1), middle_one, axis=-1)[..., 0]
    size = np.maximum(np.maximum(body_size(a), body_size(b)), 1e-9)
    return np.where(count >= _COMPARABLE, median / size, jump(a, b))


def jump(a: Broadcast, b: Broadcast) -> Float[np.ndarray, "..."]:
    """Distance of two people's middles, in sizes of the body."""
    size = np.maximum(np.maximum(body_size(a), body_size(b)), 1e-9)
    return np.asarray(np.linalg.norm(middle(a) - middle(b), axis=-1) / size)


def _joined(tracks: list[Track]) -> list[Track]:
    """Pieces put together where the one starts after the other ended, near enough to have walked there."""
    whole: list[Track] = []
    for piece in tracks:
        start = piece.frames[0]
        before = [track for track in whole if track.frames[-1] < start]
        if before:
            ends = np.stack([track.points[-1] for track in before])
            cost = jump(ends, piece.points[0]) / _reach(before, start)
        if not before or cost.min() >= 1.0:
            whole.append(Track(list(piece.frames), list(piece.points)))
            continue
        track = before[int(cost.argmin())]
        track.frames.extend(piece.frames)
        track.points.extend(piece.points)
    return whole


def crossings(person: Track, others: Sequence[Track]) -> list[int]:
    """Frames in which somebody else is so near that the two could be confused."""
    found: set[int] = set()
    for other in others:
        frames, mine, theirs = np.intersect1d(person.frames, other.frames, return_indices=True)
        if len(frames):
            distance = apart(
                np.stack([person.points[i] for i in mine]), np.stack([other.points[i] for i in theirs])
            )
            found.update(frames[distance < CROSSING].tolist())
    return sorted(found)


def seen(people: People) -> Bool[np.ndarray, "*batch joints"]:
    """Joints with a place and a score."""
    return np.isfinite(people[..., :2]).all(axis=-1) & (people[..., 2] > 0)


def middle(people: People) -> Float[np.ndarray, "*batch 2"]:
    """Mean of the joints seen, pixels."""
    there = seen(people)
    total = np.where(there[..., None], people[..., :2], 0.0).sum(axis=-2)
    return total / np.maximum(there.sum(axis=-1), 1)[..., None]


def body_size(people: People) -> Float[np.ndarray, "*batch"]:
    """Diagonal of the box about the joints seen, pixels."""
    there = seen(people)[..., None]
    low = np.where(there, people[..., :2], np.inf).min(axis=-2)
    high = np.where(there, people[..., :2], -np.inf).max(axis=-2)
    return np.asarray(np.linalg.norm(high - low, axis=-1))
