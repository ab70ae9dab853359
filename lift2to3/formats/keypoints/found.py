"""What a file of keypoints says, before it is checked: what the reader of every format returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from lift2to3.formats.keypoints.scores import Detector

Person = Float[np.ndarray, "joints 3"]
"""x, y in pixels and a detector's score; NaN and 0 where missing."""


class Detection(NamedTuple):
    """One person in one frame.

    Attributes:
        frame: as the file has it: a number, or a name with a number in it.
        points: x, y, score.
        person: who it is, where a tracker says so.
    """

    frame: int | str
    points: Person
    person: str | None = None


class Detections(NamedTuple):
    """Rows of a detector's file, in any order, of any number of people.

    Attributes:
        rows: the people found.
        frames: every frame that the file lists, those without people too, in the file's order.
        skeleton, fps: where the file states them.
        detector: whose scores these are (`lift2to3.formats.keypoints.scores`).
        normalised: x and y are shares of the picture's width and height.
        names: of the joints, where the file has them.
    """

    rows: Sequence[Detection]
    frames: Sequence[int | str]
    skeleton: str | None = None
    fps: float | None = None
    detector: Detector = "unknown"
    normalised: bool = False
    names: Sequence[str] | None = None


class Found(NamedTuple):
    """One person's clip.

    Attributes:
        points: (time, joints, 2 or 3): x, y in pixels and a score.
        skeleton, fps: where the file states them.
        first_frame: the number of its first frame.
        detector: whose scores these are.
        normalised: x and y are shares of the picture's width and height.
        names: of the joints, where the file has them.
    """

    points: np.ndarray
    skeleton: str | None = None
    fps: float | None = None
    first_frame: int = 0
    detector: Detector = "unknown"
    normalised: bool = False
    names: Sequence[str] | None = None


def stated_rate(path: Path, fps: Any) -> float | None:
    """Frames per second as a number, or None where the file states none.

    Raises:
        ValueError: something else than a number.
    """
    if fps is None:
        return None
    try:
        return float(fps)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: fps is {fps!r}; wanted one number, frames per second") from error


def stated_first_frame(path: Path, number: Any) -> int:
    """The number of the first frame; 0 where the file states none.

    Raises:
        ValueError: something else than a whole number of 0 or more.
    """
    try:
        whole = 0 if number is None else int(number)
        if whole < 0 or (number is not None and whole != number):
            raise ValueError("not a whole number")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: first_frame is {number!r}; wanted a whole number, 0 or more") from error
    return whole
