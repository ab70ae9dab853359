"""What detectors' files have in common: rows of detections, a person's numbers, frame numbers in names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lift2to3.formats.keypoints.one_person import Person


def are_rows(rows: Any, *keys: str) -> bool:
    """Whether these are one or more dicts that all have the keys."""
    is_list = isinstance(rows, list) and len(rows) > 0
    return is_list and all(isinstance(row, dict) and all(key in row for key in keys) for row in rows)


def as_person(source: object, flat: Any, scores: Any = None) -> Person:
    """(joints, 3) of one detection, from a flat x, y, c list or pairs with their scores.

    COCO's visibility flags (0, 1, 2) become 0 and 1; heat-map scores a little above 1 become 1.

    Raises:
        ValueError: not numbers, or not as many as they should be.
    """
    try:
        numbers = np.array(flat, dtype=np.float64).reshape(-1, 3 if scores is None else 2)
        if scores is not None:
            numbers = np.column_stack([numbers, np.array(scores, dtype=np.float64)])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: keypoints are not a list of x, y, confidence ({error})") from error
    confidence = numbers[:, 2]
    if np.isin(confidence, (0, 1, 2)).all() or confidence.max(initial=0.0) <= 1.5:
        numbers[:, 2] = np.minimum(confidence, 1.0)
    return numbers


def frame_numbers(names: Sequence[str], source: object) -> list[int]:
    """The number in each name that changes from name to name; the names' order where there is none.

    Raises:
        ValueError: two names with one number.
    """
    groups = [[int(digits) for digits in re.findall(r"\d+", name)] for name in names]
    columns = list(zip(*groups, strict=True)) if len({len(group) for group in groups}) == 1 else []
    changing = [column for column in columns if len(set(column)) > 1]
    if changing:
        numbers = list(changing[-1])
    elif all(groups) and not columns:
        numbers = [group[-1] for group in groups]
    else:
        numbers = list(range(len(names)))
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        both = [name for name, number in zip(names, numbers, strict=True) if number == twice]
        raise ValueError(f"{source}: frame {twice} twice ({', '.join(both[:3])}); wanted one camera's frames")
    return numbers
