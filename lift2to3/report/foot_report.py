"""What became of a motion's feet: how far the ankles turned, and how the feet stand, before and after."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.contact import CONTACT_ROWS, LIFTED_CONTACT, contact_labels
from lift2to3.metrics import ajae
from lift2to3.motion import BodyMotion
from lift2to3.pipeline.foot_summary import foot_summary
from lift2to3.skeletons import rows_by_side


class FootReport(NamedTuple):
    """Before and after.

    Attributes:
        contacts: (time, 4) ground contact of `lift2to3.contact.CONTACT_POINTS` after.
        rows: in words, a name and what was measured: how far each ankle was turned; sliding, penetration and
            floating under these contacts.
    """

    contacts: Bool[np.ndarray, "time 4"]
    rows: list[tuple[str, str]]


def foot_report(
    before: BodyMotion, after: BodyMotion, contacts: Bool[np.ndarray, "time 4"] | None = None
) -> FootReport:
    """Compare a motion's feet before and after they were refined.

    Args:
        before: the motion as it came.
        after: the same, refined, perhaps locked.
        contacts: when which foot point stands; None labels them on ``after``.
    """
    if contacts is None:
        contacts = contact_labels(after.posed()[1][:, CONTACT_ROWS], after.fps, LIFTED_CONTACT)
        contacts &= after.valid[:, None]
    ankles = rows_by_side("ankle")[:, 0]
    turned = ajae(before.rotations[:, ankles], after.rotations[:, ankles])
    first, last = foot_summary(before, contacts), foot_summary(after, contacts)
    rows = [
        ("clip", f"{len(turned) / after.fps:.1f} s, {len(turned)} frames at {after.fps:g} fps"),
        ("left ankle turned", _turned(turned[:, 0])),
        ("right ankle turned", _turned(turned[:, 1])),
        ("contact", f"{last.contact_share:.0%} of frames and points (heels and big toes)"),
        ("sliding in contact", f"{first.sliding_mm:.1f} → {last.sliding_mm:.1f} mm per 1/30 s"),
        (
            "under the floor",
            f"{first.penetration_mm:.1f} → {last.penetration_mm:.1f} mm (mean of the lowest point)",
        ),
        ("over it in contact", f"{first.floating_mm:.1f} → {last.floating_mm:.1f} mm"),
    ]
    return FootReport(contacts, rows)


def _turned(degrees: Float[np.ndarray, "time"]) -> str:
    return f"{degrees.mean():.1f}° on average, {np.percentile(degrees, 95):.1f}° (95th percentile)"
