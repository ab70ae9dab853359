"""One person's track out of a detector's frames, which hold any number of people in any order."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

Person = Float[np.ndarray, "joints 3"]

JUMP_COST: Final = 10.0
"""What a jump by half a body or more costs, in frames of full confidence."""
LOOK_BACK: Final = 12
"""A track may leave out this many detections in a row before its next one counts as a jump."""


def follow_one_person(
    frames: Mapping[int, Sequence[Person]], source: str
) -> Float[np.ndarray, "time joints 3"]:
    """The most confident and continuous person, frame by frame.

    Args:
        frames: frame number → that frame's people, each (joints, 3): x and y in pixels, confidence.
            The clip runs from the lowest number to the highest; numbers between that are not there,
            and frames without people, are missing frames.
        source: what the messages call the input.

    Returns:
        (time, joints, 3); NaN, NaN, 0 where missing.

    Raises:
        ValueError: no person anywhere, people of different joint counts, or numbers too far apart to
            be frames of one clip.
    """
    numbers = sorted(frames)
    frames = {n: [person for person in frames[n] if (person[:, 2] > 0).any()] for n in numbers}
    people = [person for number in numbers for person in frames[number]]
    if not people:
        raise ValueError(f"{source}: no person in any of its {len(numbers)} frames; nothing to lift")
    counts = {len(person) for person in people}
    if len(counts) > 1:
        raise ValueError(
            f"{source}: people with {sorted(counts)} joints; wanted one keypoint format throughout"
        )
    length = numbers[-1] - numbers[0] + 1
    if length > 10 * len(numbers) + 100:
        raise ValueError(
            f"{source}: frame numbers run from {numbers[0]} to {numbers[-1]} but there are only "
            f"{len(numbers)} frames; wanted consecutive frame numbers"
        )
    crowded = sum(len(frames[number]) > 1 for number in numbers)
    if crowded:
        warnings.warn(
            f"{source}: several people in {crowded} of {length} frames; followed the most confident and "
            "continuous one (to choose another, leave only that person in the file)",
            stacklevel=2,
        )
        chosen = _best_track([(number, person) for number in numbers for person in frames[number]])
    else:
        chosen = {number: frames[number][0] for number in numbers if len(frames[number])}
    track = np.full((length, counts.pop(), 3), np.nan)
    track[..., 2] = 0.0
    for number, person in chosen.items():
        track[number - numbers[0]] = person
    return track


def _best_track(detections: list[tuple[int, Person]]) -> dict[int, Person]:
    """Frame → person along the chain of the largest sum of confidence less jumps (dynamic programming)."""
    frame = np.array([number for number, _ in detections])
    place = np.array([_centre_and_size(person) for _, person in detections])
    gain = np.array([np.nan_to_num(person[:, 2]).mean() for _, person in detections])
    total, previous = gain.copy(), np.full(len(gain), -1)
    for i in range(1, len(gain)):
        before = int(np.searchsorted(frame, frame[i]))  # detections of earlier frames
        if before == 0:
            continue
        recent = np.arange(max(0, before - LOOK_BACK), before)
        moved = np.linalg.norm(place[recent, :2] - place[i, :2], axis=-1)
        half = 0.5 * np.maximum(place[recent, 2], place[i, 2]) + 1e-9
        chained = total[recent] - JUMP_COST * np.minimum(moved / half, 1.0) ** 2
        best, value = int(recent[chained.argmax()]), float(chained.max())
        anywhere = int(total[:before].argmax())
        if total[anywhere] - JUMP_COST > value:
            best, value = anywhere, float(total[anywhere]) - JUMP_COST
        if value > 0:
            total[i], previous[i] = gain[i] + value, best
    chain = {}
    last = int(total.argmax())
    while last >= 0:
        chain[int(frame[last])] = detections[last][1]
        last = int(previous[last])
    return chain


def _centre_and_size(person: Person) -> tuple[float, float, float]:
    """Mean x and y of the joints seen, and the diagonal of their box; pixels."""
    seen = person[np.all(np.isfinite(person), axis=-1) & (person[:, 2] > 0), :2]
    if not len(seen):
        return 0.0, 0.0, 0.0
    x, y = seen.mean(axis=0)
    return float(x), float(y), float(np.linalg.norm(np.ptp(seen, axis=0)))
