"""A clip's metrics as means that clips can be pooled by: over all their frames, as if measured together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.metrics import (
    FootPoints,
    Mask,
    Points,
    abs_mpjpe,
    accel,
    ajae,
    contact_f1,
    foot_sliding,
    jitter,
    mpjpe,
    n_mpjpe_foot,
    pa_mpjpe,
    pck,
    root_error,
    rte,
    seen_in_both,
    w_mpjpe,
    wa_mpjpe,
)
from lift2to3.skeletons import Skeleton

UNITS: Final[Mapping[str, str]] = {
    "mpjpe": "mm",
    "pa_mpjpe": "mm",
    "w_mpjpe_100": "mm",
    "wa_mpjpe_100": "mm",
    "wa_mpjpe_full": "mm",
    "abs_mpjpe": "mm",
    "root_error": "mm",
    "root_error_first": "mm",
    "rte": "%",
    "accel": "m/s²",
    "jitter": "10 m/s³",
    "jitter_true": "10 m/s³",
    "foot_sliding": "mm/frame",
    "n_mpjpe_foot": "mm",
    "ajae": "°",
    "contact_f1": "fraction",
}
"""Unit of every score that `evaluate_motion` can return, in the order of its table."""


class Scores(dict[str, float]):
    """Metric name → mean, NaN where nothing could be measured.

    Attributes:
        tallies: metric name → the (sum, count) that its mean is made of.
        counts: metric name → how many values (mostly frames) the mean is over.
    """

    def __init__(self, tallies: Mapping[str, tuple[float, float]]) -> None:
        """Take the (sum, count) of every metric."""
        super().__init__({k: total / n if n else float("nan") for k, (total, n) in tallies.items()})
        self.tallies = dict(tallies)
        self.counts = {name: float(n) for name, (_, n) in tallies.items()}


def combine(clips: Iterable[Scores]) -> Scores:
    """Pool clips' scores as if their frames had been measured together (frame-weighted)."""
    tallies: dict[str, tuple[float, float]] = {}
    for scores in clips:
        for name, (total, n) in scores.tallies.items():
            before, counted = tallies.get(name, (0.0, 0.0))
            tallies[name] = (before + total, counted + n)
    return Scores(tallies)


def tally(values: np.ndarray) -> tuple[float, float]:
    """(sum, count) of the values that are not NaN."""
    seen = np.isfinite(values)
    return float(np.sum(values, where=seen)), float(np.count_nonzero(seen))


def evaluate_pck(
    predicted_px: Float[np.ndarray, "time joints 2"],
    true_px: Float[np.ndarray, "time joints 2"],
    skeleton: Skeleton,
    thresholds: Sequence[float] = (0.05,),
    visible: Bool[np.ndarray, "time joints"] | None = None,
    compared: Bool[np.ndarray, " joints"] | None = None,
) -> Scores:
    """``pck_body@a``, ``pck_foot@a`` and ``pck_hand@a`` of one clip, for the parts the format has.

    The person's box is that of all visible joints, also where only those ``compared`` are counted.
    """
    part = np.array([_part(*names) for names in zip(skeleton.joints, skeleton.canonical, strict=True)])
    part = part if compared is None else np.where(compared, part, "")
    tallies = {}
    for threshold in thresholds:
        hit = pck(predicted_px, true_px, threshold, visible)
        for name in ("body", "foot", "hand"):
            if (part == name).any():
                tallies[f"pck_{name}@{threshold:g}"] = tally(hit[:, part == name])
    return Scores(tallies)


def _part(joint: str, canonical: str | None) -> str:
    words = set((canonical or joint).split("_"))
    if words & {"heel", "toe", "foot"}:
        return "foot"
    return "hand" if words & {"hand", "pinky", "index", "thumb"} else "body"


def evaluate_motion(
    predicted: Points,
    true: Points,
    skeleton: Skeleton | Sequence[str],
    fps: float,
    valid: Mask = None,
    feet: tuple[FootPoints, FootPoints] | None = None,
    contacts: tuple[Bool[np.ndarray, "time points"], Bool[np.ndarray, "time points"]] | None = None,
    ankles: tuple[Float[np.ndarray, "time feet 3 3"], Float[np.ndarray, "time feet 3 3"]] | None = None,
    joints: Sequence[str] | None = None,
) -> Scores:
    """Every score of one clip; `combine` pools clips.

    Args:
        predicted: (time, joints, 3) metres in the world; NaN where missing.
        true: likewise.
        skeleton: a format, or the canonical names of the joints in array order.
        fps: frames per second of both.
        valid: (time, joints) or (time,), False for what must not count.
        feet: predicted and true toe and heel points for `foot_sliding`, (time, points, 3) metres;
            None takes heels and big toes from the joints where they are among them.
        contacts: predicted and true foot contact for `contact_f1`.
        ankles: predicted and true global ankle rotations for `ajae`.
        joints: canonical names of those that the joint errors are over; None for all. The foot metrics
            take heels and toes all the same.

    Raises:
        ValueError: shapes that do not belong together, or a format without hips.
    """
    names = list(skeleton.canonical if isinstance(skeleton, Skeleton) else skeleton)
    if len(names) != np.shape(true)[1] or not {"left_hip", "right_hip"} <= set(names):
        raise ValueError(
            f"metrics: wanted canonical names with left_hip and right_hip for all {np.shape(true)[1]} "
            f"joints, found {len(names)}: {names}"
        )
    predicted, true = seen_in_both(predicted, true, valid)
    values = _foot_values(predicted, true, names, fps, feet)
    if joints is not None:
        rows = [names.index(joint) for joint in joints]
        predicted, true, names = predicted[:, rows], true[:, rows], list(joints)
    tallies = {
        name: tally(value) for name, value in (_joint_values(predicted, true, names, fps) | values).items()
    }
    if ankles is not None:
        tallies["ajae"] = tally(ajae(*ankles))
    if contacts is not None:
        tallies["contact_f1"] = contact_f1(*contacts)
    return Scores(tallies)


def _joint_values(
    predicted: Points, true: Points, names: Sequence[str | None], fps: float
) -> dict[str, np.ndarray]:
    """Every metric of the joints' positions."""
    hips = [names.index("left_hip"), names.index("right_hip")]
    root = [names.index("pelvis")] if "pelvis" in names else hips
    roots = predicted[:, root].mean(1), true[:, root].mean(1)
    return {
        "mpjpe": mpjpe(predicted, true, hips),
        "pa_mpjpe": pa_mpjpe(predicted, true),
        "w_mpjpe_100": w_mpjpe(predicted, true),
        "wa_mpjpe_100": wa_mpjpe(predicted, true),
        "wa_mpjpe_full": wa_mpjpe(predicted, true, chunk=None),
        "abs_mpjpe": abs_mpjpe(predicted, true),
        "root_error": root_error(*roots),
        "root_error_first": root_error(*roots)[:1],
        "rte": rte(*roots),
        "accel": accel(predicted, true, hips, fps),
        "jitter": jitter(predicted, fps),
        "jitter_true": jitter(true, fps),
    }


def _foot_values(
    predicted: Points,
    true: Points,
    names: Sequence[str | None],
    fps: float,
    feet: tuple[FootPoints, FootPoints] | None,
) -> dict[str, np.ndarray]:
    """The foot metrics that these joints, or the given toe and heel points, allow."""
    soles = [[f"{side}_{p}" for p in ("heel", "big_toe", "small_toe")] for side in ("left", "right")]
    if feet is None and {name for foot in soles for name in foot[:2]} <= set(names):
        rows = [names.index(name) for foot in soles for name in foot[:2]]
        feet = predicted[:, rows], true[:, rows]
    values = {} if feet is None else {"foot_sliding": foot_sliding(*feet, fps)}
    if {name for foot in soles for name in foot} <= set(names):
        whole = np.array([[names.index(name) for name in foot] for foot in soles])
        values["n_mpjpe_foot"] = n_mpjpe_foot(predicted[:, whole], true[:, whole])
    return values
