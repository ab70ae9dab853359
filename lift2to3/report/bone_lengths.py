"""How long a motion's bones are, how steadily, and whether an adult could have them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from lift2to3.motion import Motion

_STEADY: Final = 0.05
"""A bone whose length varies by more than this (standard deviation over mean) is no rigid bone."""


class _Segment(NamedTuple):
    """A body segment and what it measures in adults; ``{}`` in a point's name stands for the side."""

    name: str
    start: str
    end: str
    ordinary_m: tuple[float, float]


_SEGMENTS: Final = (
    # Adults of 1.50 to 1.95 m by segments' shares of stature (Drillis and Contini 1966), 5 % wider both
    # ways: formats put hips and shoulders at different places.
    _Segment("thigh", "{}_hip", "{}_knee", (0.35, 0.50)),
    _Segment("shank", "{}_knee", "{}_ankle", (0.35, 0.50)),
    _Segment("foot, heel to big toe", "{}_heel", "{}_big_toe", (0.18, 0.31)),
    _Segment("upper arm", "{}_shoulder", "{}_elbow", (0.25, 0.38)),
    _Segment("forearm", "{}_elbow", "{}_wrist", (0.20, 0.31)),
    _Segment("trunk, hips to shoulders", "mid_hip", "mid_shoulder", (0.40, 0.59)),
    _Segment("between the hips", "left_hip", "right_hip", (0.10, 0.30)),
    _Segment("between the shoulders", "left_shoulder", "right_shoulder", (0.27, 0.46)),
)


def bone_lengths(motion: Motion) -> list[dict[str, Any]]:
    """Length of each body segment over the clip against what adults ordinarily measure.

    Returns:
        Per segment its ``name``, ``ordinary_cm`` range, mean ``left_cm``, ``right_cm`` or ``middle_cm``,
        ``variation`` (standard deviation over mean; the larger side's) and ``verdict`` in words.
    """
    row = {name: joint for joint, name in enumerate(motion.joint_names)}
    joints = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(np.float64)
    table = []
    for segment in _SEGMENTS:
        means, variation = {}, float("nan")
        for side in ("left", "right") if "{}" in segment.start else ("middle",):
            start, end = segment.start.format(side), segment.end.format(side)
            if start in row and end in row:
                length = np.linalg.norm(joints[:, row[start]] - joints[:, row[end]], axis=-1)
                length = length[np.isfinite(length)]
                if len(length):
                    means[side] = float(length.mean())
                    variation = float(np.fmax(variation, length.std() / max(length.mean(), 1e-9)))
        table.append(
            {
                "name": segment.name,
                "ordinary_cm": [100 * bound for bound in segment.ordinary_m],
                **{f"{side}_cm": 100 * mean for side, mean in means.items()},
                "variation": variation,
                "verdict": _verdict(segment, list(means.values()), variation),
            }
        )
    return table


def _verdict(segment: _Segment, means_m: list[float], variation: float) -> str:
    low, high = segment.ordinary_m
    if not means_m:
        return "not measured"
    if min(means_m) < low:
        return "short"
    if max(means_m) > high:
        return "long"
    return "plausible" if variation <= _STEADY else "varies"


def bone_remarks(lengths: list[dict[str, Any]]) -> list[str]:
    """One sentence on the segments whose length is not an adult's."""
    odd = [
        f"{bone['name']} {bone[side]:.0f} cm (ordinary: {low:.0f} to {high:.0f})"
        for bone in lengths
        for low, high in [bone["ordinary_cm"]]
        for side in ("left_cm", "right_cm", "middle_cm")
        if side in bone and not low <= bone[side] <= high
    ]
    if not odd:
        return []
    return [f"Lengths unlike an adult's: {'; '.join(odd)}. A child, or a camera whose scale is off?"]
