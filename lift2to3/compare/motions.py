"""A predicted motion against the true one, whatever either is: points or a posed body, at any rate.

Compared are the canonical points that both have, in the worlds as they are: every alignment is the metric's
own. `lift2to3.metrics` holds the definitions, `compare_files` reads other programs' files.

Two more scores count from the floor z = 0: ``foot_penetration`` and, while the true foot stands,
``foot_floating``; each beside the truth's own, ``_true``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.compare.world_points import WorldPoints, resampled, world_points
from lift2to3.contact import CONTACT_POINTS, contact_labels
from lift2to3.keypoints import Keypoints
from lift2to3.metrics import foot_penetration
from lift2to3.motion import BodyMotion, Motion
from lift2to3.pipeline.foot_summary import feet_floating
from lift2to3.scores import UNITS as SCORE_UNITS
from lift2to3.scores import Scores, evaluate_motion, evaluate_pck, tally
from lift2to3.skeletons import CANONICAL, FOOT_POINTS, Skeleton, get_skeleton

PCK_THRESHOLDS: Final = (0.05, 0.1)
"""Of the error over the longer side of the true person's box."""

UNITS: Final[Mapping[str, str]] = {
    **SCORE_UNITS,
    "foot_penetration": "mm", "foot_penetration_true": "mm",
    "foot_floating": "mm", "foot_floating_true": "mm",
    **{f"pck_{part}@{a:g}": "fraction" for a in PCK_THRESHOLDS for part in ("body", "foot", "hand")},
}  # fmt: skip
"""Unit of every score of a comparison, in the order of its table."""

COUNTED: Final[Mapping[str, str]] = {
    "root_error_first": "clips",
    "foot_sliding": "steps of points",
    "n_mpjpe_foot": "feet in frames",
    "ajae": "feet in frames",
    "contact_f1": "contacts of both",
    "foot_floating": "feet in frames",
    "foot_floating_true": "feet in frames",
    **{name: "joints in frames" for name in UNITS if name.startswith("pck_")},
}
"""What a score's count counts where it is not frames."""

_SAME_RATE: Final = 1e-4
_OFF_FLOOR_M: Final = 0.3
_REST_FEET_DEG: Final = 3.0


class Compared(NamedTuple):
    """Scores of one clip and what they are over.

    Attributes:
        scores: with their counts.
        joints: the joints that the joint errors are over, in their order.
        frames: of the clip.
        fps: of the clip.
    """

    scores: Scores
    joints: tuple[str, ...]
    frames: int
    fps: float


def compare_motions(
    predicted: Motion | BodyMotion | WorldPoints,
    true: Motion | BodyMotion | WorldPoints,
    joints: str | Skeleton | None = None,
    resample: bool = False,
) -> Compared:
    """Every score of one clip that these two motions allow.

    Args:
        predicted: metres, z up; `as_world_points` makes it of an array.
        true: the same frames of the same person.
        joints: format whose joints the joint errors are over; None for all that both have. The foot metrics
            take heels and toes where both have them, whatever this says.
        resample: bring the prediction to the truth's rate, where they differ.

    Returns:
        Scores and what they are over; `lift2to3.scores.combine` pools clips.

    Raises:
        ValueError: nothing in common, no hips, another rate or another number of frames.
    """
    predicted, true = world_points(predicted), world_points(true)
    names = [name for name in CANONICAL if name in predicted.joint_names and name in true.joint_names]
    chosen = _chosen(names, joints, predicted.joint_names, true.joint_names)
    predicted = _at_rate_of(true, predicted, resample)
    points, truth = (
        motion.points_world[:, [motion.joint_names.index(name) for name in names]]
        for motion in (predicted, true)
    )
    _warn_missing(points, truth, [names.index(name) for name in chosen])
    both = np.all(np.isfinite(points) & np.isfinite(truth), axis=-1)
    hips = [names.index("left_hip"), names.index("right_hip")]
    if not both[:, hips].all(1).any():
        raise ValueError("no frame has both hips in the prediction and in the truth; nothing to compare")
    points, truth = (np.where(both[..., None], array, np.nan) for array in (points, truth))
    contacts = _contacts(points, truth, names, true.fps)
    scores = evaluate_motion(
        points, truth, names, true.fps, contacts=contacts, ankles=_ankles(predicted, true), joints=chosen
    )
    floor = {} if contacts is None else _floor_tallies(points, truth, names, contacts[1])
    return Compared(Scores(scores.tallies | floor), chosen, len(truth), true.fps)


def _chosen(
    names: Sequence[str], joints: str | Skeleton | None, predicted: Sequence[str], true: Sequence[str]
) -> tuple[str, ...]:
    """Names of the joints that are compared."""
    skeleton = None if joints is None else get_skeleton(joints)
    wanted = list(names) if skeleton is None else [name for name in skeleton.canonical if name]
    lacking = [name for name in wanted if name not in names]
    if skeleton is not None and lacking:
        raise ValueError(
            f"joints of {skeleton.name}: {', '.join(lacking)} not in both; in common are "
            f"{', '.join(names) or 'none'}"
        )
    if not {"left_hip", "right_hip"} <= set(wanted):
        raise ValueError(
            "wanted left_hip and right_hip among the joints of both, found "
            f"{', '.join(wanted) or 'none'} (the prediction has {', '.join(predicted)}; the truth "
            f"{', '.join(true)})"
        )
    return tuple(wanted)


def _warn_missing(
    predicted: Float[np.ndarray, "time joints 3"],
    true: Float[np.ndarray, "time joints 3"],
    rows: Sequence[int],
) -> None:
    known = np.all(np.isfinite(true[:, rows]), axis=-1)
    lost = known & ~np.all(np.isfinite(predicted[:, rows]), axis=-1)
    if lost.any():
        frames = int(np.count_nonzero(known.any(1) & (lost == known).all(1)))
        warnings.warn(
            f"the prediction lacks {lost.sum() / known.sum():.1%} of the truth's joints, {frames} frames "
            "wholly: they are in no score",
            stacklevel=3,
        )


# --- rates and lengths


def _at_rate_of(true: WorldPoints, predicted: WorldPoints, resample: bool) -> WorldPoints:
    """The prediction frame for frame with the truth."""
    frames, found = len(true.points_world), len(predicted.points_world)
    if abs(predicted.fps - true.fps) > _SAME_RATE * true.fps:
        if not resample:
            raise ValueError(
                f"the prediction has {predicted.fps:g} frames per second ({found} frames), the truth "
                f"{true.fps:g} ({frames} frames); wanted one rate: state the right one (--fps, "
                "--truth-fps), or --resample"
            )
        seconds, wanted = found / predicted.fps, frames / true.fps
        if abs(seconds - wanted) > 1.001 / min(predicted.fps, true.fps):
            raise ValueError(
                f"the prediction lasts {seconds:.3f} s ({found} frames at {predicted.fps:g} fps), the truth "
                f"{wanted:.3f} s ({frames} at {true.fps:g}); wanted the same clip"
            )
        return resampled(predicted, true.fps, frames)
    if found != frames:
        raise ValueError(
            f"the prediction has {found} frames, the truth {frames}; wanted the same frames of both"
        )
    return predicted


# --- feet


def _ankles(predicted: WorldPoints, true: WorldPoints) -> tuple[np.ndarray, np.ndarray] | None:
    """Both motions' ankle rotations, where both have them."""
    if predicted.ankles is None or true.ankles is None:
        return None
    if predicted.rest_feet is not None and true.rest_feet is not None:
        cosine = (predicted.rest_feet * true.rest_feet).sum(-1).mean().clip(-1, 1)
        apart = float(np.degrees(np.arccos(cosine)))
        if apart > _REST_FEET_DEG:
            warnings.warn(
                f"at rest the two bodies' feet point {apart:.0f}° apart: their ankle rotations do not mean "
                "the same, and ajae holds that difference too",
                stacklevel=3,
            )
    return predicted.ankles, true.ankles


def _contacts(
    predicted: Float[np.ndarray, "time joints 3"],
    true: Float[np.ndarray, "time joints 3"],
    names: Sequence[str],
    fps: float,
) -> tuple[Bool[np.ndarray, "time points"], Bool[np.ndarray, "time points"]] | None:
    """Ground contact of heels and big toes over z = 0; None without them or where no floor is near."""
    if not set(CONTACT_POINTS) <= set(names):
        return None
    rows = [names.index(name) for name in CONTACT_POINTS]
    height = true[:, rows, 2]
    seen = np.isfinite(height)
    if not seen.any():
        return None
    lowest = np.min(height, axis=1, where=seen, initial=np.inf)[seen.any(1)]
    off = float(np.median(lowest))
    if abs(off) > _OFF_FLOOR_M:
        warnings.warn(
            f"the truth's feet are {off:.2f} m over z = 0 (median of the lowest): contact_f1, "
            "foot_penetration and foot_floating are left out; wanted z up and the floor at z = 0",
            stacklevel=3,
        )
        return None
    return contact_labels(predicted[:, rows], fps), contact_labels(true[:, rows], fps)


def _floor_tallies(
    predicted: Float[np.ndarray, "time joints 3"],
    true: Float[np.ndarray, "time joints 3"],
    names: Sequence[str],
    contact: Bool[np.ndarray, "time points"],
) -> dict[str, tuple[float, float]]:
    """Penetration and floating of both motions, while the true feet stand."""
    lowest = [names.index(CANONICAL[row]) for row in FOOT_POINTS if CANONICAL[row] in names]
    heel_toe = [names.index(name) for name in CONTACT_POINTS]
    tallies = {}
    for end, points in (("", predicted), ("_true", true)):
        height = points[..., 2]
        tallies[f"foot_penetration{end}"] = tally(foot_penetration(height[:, lowest]))
        tallies[f"foot_floating{end}"] = tally(feet_floating(height[:, heel_toe], contact))
    return tallies


# --- 2D


def compare_keypoints(
    predicted: Keypoints, true: Keypoints, joints: str | Skeleton | None = None
) -> Compared:
    """Shares of right 2D keypoints, ``pck_body``, ``pck_foot`` and ``pck_hand``, at each of `PCK_THRESHOLDS`.

    A joint that the truth shows and the prediction lacks is wrong. The person's box is that of all joints
    of the truth, whichever are compared.

    Args:
        predicted: pixels of the same image as the truth's.
        true: NaN where a joint is not visible.
        joints: format whose joints are compared; None for all that both have.

    Raises:
        ValueError: nothing in common, or another number of frames.
    """
    if len(predicted.xy_px) != len(true.xy_px):
        raise ValueError(
            f"the prediction has {len(predicted.xy_px)} frames, the truth {len(true.xy_px)}; wanted the same "
            "frames of both"
        )
    keys, found = _keys(true.skeleton), _keys(predicted.skeleton)
    common = [key for key in keys if key in found]
    wanted = set(common) if joints is None else set(_keys(get_skeleton(joints)))
    lacking = [key for key in wanted if key not in common]
    if lacking or not common:
        raise ValueError(
            f"wanted {', '.join(sorted(lacking)) or 'joints'} in both, in common are "
            f"{', '.join(common) or 'none'} ({predicted.skeleton.name} against {true.skeleton.name})"
        )
    xy = np.full(true.xy_px.shape, np.nan)
    for column, key in enumerate(keys):
        if key in found:
            xy[:, column] = predicted.xy_px[:, found.index(key)]
    compared = np.array([key in wanted for key in keys])
    scores = evaluate_pck(xy, true.xy_px, true.skeleton, PCK_THRESHOLDS, compared=compared)
    chosen = tuple(key for key in keys if key in wanted)
    return Compared(scores, chosen, len(xy), true.fps)


def _keys(skeleton: Skeleton) -> list[str]:
    """What each joint is known by: its canonical point, else its own name."""
    return [point or joint for joint, point in zip(skeleton.joints, skeleton.canonical, strict=True)]
