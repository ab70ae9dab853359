"""How long a motion's bones are, how steadily, and whether an adult could have them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from lift2to3.motion import Motion

_STEADY: Final = 0.05
"""A bone whose length varies by more than this (standard deviation over mean) is no rigid bone."""


_SEGMENTS: Final = (
    # Name, start and end (``{}`` stands for the side), and the range in metres that is ordinary.
    # Adults of 1.50 to 1.95 m by segments' shares of stature (Drillis and Contini 1966), 5 % wider both
    # ways: formats put hips and shoulders at different places.
    ("thigh", "{}_hip", "{}_knee", (0.35, 0.50)),
    ("shank", "{}_knee", "{}_ankle", (0.35, 0.50)),
    ("foot, heel to big toe", "{}_heel", "{}_big_toe", (0.18, 0.31)),
    ("upper arm", "{}_shoulder", "{}_elbow", (0.25, 0.38)),
    ("forearm", "{}_elbow", "{}_wrist", (0.20, 0.31)),
    ("trunk, hips to shoulders", "mid_hip", "mid_shoulder", (0.40, 0.59)),
    ("between the hips", "left_hip", "right_hip", (0.10, 0.30)),
    ("between the shoulders", "left_shoulder", "right_shoulder", (0.27, 0.46)),
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
    for name, start, end, ordinary_m in _SEGMENTS:
        means, variation = {}, float("nan")
        for side in ("left", "right") if "{}" in start else ("middle",):
            ends = [row[point] for point in (start.format(side), end.format(side)) if point in row]
            if len(ends) == 2:
                length = np.linalg.norm(np.diff(joints[:, ends], axis=1)[:, 0], axis=-1)
                length = length[np.isfinite(length)]
                if len(length):
                    means[side] = float(length.mean())
                    variation = float(np.fmax(variation, length.std() / max(length.mean(), 1e-9)))
        table.append(
            {
                "name": name,
                "ordinary_cm": [100 * bound for bound in ordinary_m],
                **{f"{side}_cm": 100 * mean for side, mean in means.items()},
                "variation": variation,
                "verdict": _verdict(ordinary_m, list(means.values()), variation),
            }
        )
    return table


def _verdict(ordinary_m: tuple[float, float], means_m: list[float], variation: float) -> str:
    low, high = ordinary_m
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
