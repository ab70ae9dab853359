"""What a posed body's feet do: how much they slide, sink in and float, and when they are in contact."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.contact import CONTACT_POINTS, CONTACT_ROWS, STANDING_HEIGHT_M, ContactConfig, contact_labels
from lift2to3.metrics import contact_sliding, foot_floating, foot_penetration
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import FOOT_POINTS

HEEL_TOE: Final = [
    [CONTACT_POINTS.index(f"{side}_{point}") for point in ("heel", "big_toe")] for side in ("left", "right")
]
"""Columns of `CONTACT_POINTS` by foot."""


class FootSummary(NamedTuple):
    """What feet do, over a clip's valid frames; NaN where nothing can be said.

    Attributes:
        sliding_mm: per 1/30 s, mean over points that are in contact in both frames of a step.
        penetration_mm: `lift2to3.metrics.foot_penetration`, mean over all frames.
        floating_mm: `lift2to3.metrics.foot_floating`, mean over the frames in contact of both feet.
        contact_share: of frames and `CONTACT_POINTS`, how many are in contact.
    """

    sliding_mm: float
    penetration_mm: float
    floating_mm: float
    contact_share: float


def foot_summary(body: BodyMotion, contacts: Bool[np.ndarray, "time points"] | None = None) -> FootSummary:
    """Sliding, penetration and floating of a motion's feet over the floor z = 0.

    Args:
        body: the motion.
        contacts: of `CONTACT_POINTS`. None labels the motion itself, which says little about a motion
            whose feet slide too fast for any label: to compare two, give both the same.

    Raises:
        ValueError: contacts of another shape than the motion's.
    """
    _, points = body.posed()
    contacts = body_contacts(body, points, contacts, ContactConfig())
    sliding = contact_sliding(points[:, CONTACT_ROWS], contacts, body.fps)
    height = points[..., 2]
    floating = feet_floating(height[:, CONTACT_ROWS], contacts)
    return FootSummary(
        _mean(sliding[np.isfinite(sliding)]),
        _mean(foot_penetration(height[:, list(FOOT_POINTS)])[body.valid]),
        _mean(floating[np.isfinite(floating)]),
        _mean(contacts[body.valid]),
    )


def feet_floating(
    height_m: Float[np.ndarray, "time 4"], contacts: Bool[np.ndarray, "time 4"]
) -> Float[np.ndarray, "feet time"]:
    """`lift2to3.metrics.foot_floating` of both feet; columns as `CONTACT_POINTS`."""
    feet = (foot_floating(height_m[:, foot], contacts[:, foot], STANDING_HEIGHT_M[foot]) for foot in HEEL_TOE)
    return np.stack(list(feet))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def body_contacts(
    body: BodyMotion,
    points: Float[np.ndarray, "time 38 3"],
    contacts: Bool[np.ndarray, "given columns"] | None,
    config: ContactConfig,
) -> Bool[np.ndarray, "time 4"]:
    """The given contacts or the motion's own, none where a frame is not valid."""
    if contacts is None:
        contacts = contact_labels(points[:, CONTACT_ROWS], body.fps, config)
    if contacts.shape != (len(points), len(CONTACT_POINTS)):
        raise ValueError(
            f"contacts: wanted {(len(points), len(CONTACT_POINTS))}, one column for each of "
            f"{', '.join(CONTACT_POINTS)}, found {contacts.shape}"
        )
    if not body.fps > 0:
        raise ValueError(f"fps: wanted frames per second above 0, found {body.fps}")
    return contacts & body.valid[:, None]
