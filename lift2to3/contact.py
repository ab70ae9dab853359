"""Which foot points stand on the ground: labels from height and speed, with hysteresis."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.skeletons import INDEX

CONTACT_POINTS: Final = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")
"""Canonical points that contact labels speak of, in the labels' order."""

CONTACT_ROWS: Final = np.array([INDEX[name] for name in CONTACT_POINTS])
"""Their rows in a canonical array."""


@dataclasses.dataclass(frozen=True)
class ContactConfig:
    """Thresholds: contact begins where both strict ones hold and lasts while both loose ones do.

    0.3 m/s is the 0.01 m per frame at 30 fps of the foot-sliding metric. In real mocap a standing
    foot drifts at 0.06–0.10 m/s and rises by a centimetre or two within one step.
    """

    begin_height_m: float = 0.045
    begin_speed_m_per_s: float = 0.20
    hold_height_m: float = 0.07
    hold_speed_m_per_s: float = 0.30


def contact_labels(
    points_world: Float[np.ndarray, "time points 3"], fps: float, config: ContactConfig | None = None
) -> Bool[np.ndarray, "time points"]:
    """Label each point's ground contact; the ground is z = 0.

    Args:
        points_world: heel and toe points, metres, z up. A NaN point is not in contact.
        fps: frames per second.
        config: thresholds.

    Raises:
        ValueError: fps is not above 0.
    """
    if not fps > 0:
        raise ValueError(f"fps: wanted frames per second above 0, found {fps}")
    config = config or ContactConfig()
    speed = _speed(points_world) * fps
    height = points_world[..., 2]
    with np.errstate(invalid="ignore"):
        begin = (height < config.begin_height_m) & (speed < config.begin_speed_m_per_s)
        hold = (height < config.hold_height_m) & (speed < config.hold_speed_m_per_s)
    return hysteresis(begin & hold, hold)


def _speed(points: Float[np.ndarray, "time points 3"]) -> Float[np.ndarray, "time points"]:
    """Distance per frame: the mean of the steps before and after (the one there is, at the ends)."""
    if len(points) < 2:
        return np.zeros(points.shape[:-1], points.dtype)
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    return 0.5 * (np.concatenate([step[:1], step]) + np.concatenate([step, step[-1:]]))


def hysteresis(
    begin: Bool[np.ndarray, "time *points"], hold: Bool[np.ndarray, "time *points"]
) -> Bool[np.ndarray, "time *points"]:
    """The runs of ``hold`` (along time) in which ``begin`` is true at least once, whole."""
    frame = np.arange(len(hold)).reshape(-1, *[1] * (hold.ndim - 1))
    last_gap = np.maximum.accumulate(np.where(hold, -1, frame), axis=0)
    last_begin = np.maximum.accumulate(np.where(begin, frame, -1), axis=0)
    begun_before = last_begin > last_gap
    next_gap = np.minimum.accumulate(np.where(hold, len(hold), frame)[::-1], axis=0)[::-1]
    next_begin = np.minimum.accumulate(np.where(begin, frame, len(hold))[::-1], axis=0)[::-1]
    begins_later = next_begin < next_gap
    return hold & (begun_before | begins_later)
