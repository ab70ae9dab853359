"""Joints' names as files write them → a keypoint format: `RKnee`, `right knee`, `knee_R` are right_knee."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from lift2to3.skeletons import INDEX, SKELETONS, Skeleton

_SIDES: Final = {"left": "left", "l": "left", "right": "right", "r": "right"}
_MEANINGS: Final = {
    "hip": "mid_hip", "midhip": "mid_hip", "mid_hip": "mid_hip", "hips": "mid_hip", "chip": "mid_hip",
    "left_big": "left_big_toe", "midshoulder": "mid_shoulder", "headtop": "head_top", "top_head": "head_top",
    "neck": "mid_shoulder", "head": "head_top",
}  # fmt: skip
"""What other names of single joints mean; a detector's neck is between the shoulders, its head the top."""
_POINTS: Final = {
    "bigtoe": "big_toe", "smalltoe": "small_toe", "littletoe": "small_toe", "little_toe": "small_toe",
    "toe": "big_toe", "toebase": "foot", "hand": "hand", "foot_index": "big_toe", "footindex": "big_toe",
}  # fmt: skip
"""What other names of a side's points mean."""


def plain_name(name: str) -> str:
    """Lower case, words joined by _, side first: ``RKnee``, ``right knee``, ``knee_r`` → ``right_knee``."""
    words = re.sub(r"([a-z])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", str(name))
    parts = [word for word in re.split(r"[^a-z0-9]+", words.lower()) if word]
    sides = [_SIDES[part] for part in parts if part in _SIDES]
    if len(sides) != 1:
        return "_".join(parts)
    return "_".join([sides[0], *(part for part in parts if part not in _SIDES)])


def _meaning(name: str) -> str | None:
    """The canonical point of a plain name, or None."""
    side, _, point = name.partition("_")
    if side in ("left", "right"):
        point = _POINTS.get(point, point)
        return f"{side}_{point}" if f"{side}_{point}" in INDEX else None
    meant = _MEANINGS.get(name, name)
    return meant if meant in INDEX else None


def in_skeleton(
    names: Sequence[str], points: np.ndarray, skeleton: Skeleton | None = None
) -> tuple[np.ndarray, Skeleton] | None:
    """Points of named joints in the order of a built-in format, or of the given one.

    Args:
        names: of the joints, in the points' order.
        points: (time, joints, …).
        skeleton: the format wanted; None for the one with these very names, else the smallest that has every
            point which the names mean.

    Returns:
        The points, NaN for joints that the names lack, and their format; None where fewer than three of the
        names mean a point of the body.
    """
    plain = [plain_name(name) for name in names]
    wanted = list(SKELETONS.values()) if skeleton is None else [skeleton]
    for known in wanted:
        own = [plain_name(joint) for joint in known.joints]
        if len(set(own)) == len(own) and set(own) == set(plain):
            return _placed(points, [plain.index(joint) for joint in own]), known
    meant = [_meaning(name) for name in plain]
    there = {point for point in meant if point is not None}
    fitting = [known for known in wanted if there <= set(known.canonical)]
    if len(there) < 3 or not fitting:
        return None
    smallest = min(fitting, key=lambda known: len(known.joints))
    rows = [meant.index(point) if point in there else -1 for point in smallest.canonical]
    return _placed(points, rows), smallest


def _placed(points: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    there = np.array(rows) >= 0
    shape = [1, len(rows)] + [1] * (points.ndim - 2)
    return np.where(there.reshape(shape), points[:, np.maximum(rows, 0)], np.nan)
