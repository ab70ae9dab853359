"""Errors of a predicted motion against the true one, in NumPy float64; the names fix the definitions.

Points are metres, (time, joints, 3). What is missing – NaN in either motion, or ``valid`` False – is
left out, never averaged in: each metric returns one value per frame (or per frame and point) with NaN
where it says nothing, and `lift2to3.scores` pools them over all frames of all clips together.

Two traps in the names. ``w_mpjpe_100`` and ``wa_mpjpe_100`` are WHAM's world metrics: aligned by a
similarity per chunk of 100 frames. What SPEC and W-HMR call W-MPJPE is our ``mpjpe`` on joints in
world orientation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.conventions import MODEL_FPS
from lift2to3.geometry.similarity import fit_similarity

Points = Float[np.ndarray, "time joints 3"]
FootPoints = Float[np.ndarray, "time points 3"]
Mask = Bool[np.ndarray, "time joints"] | Bool[np.ndarray, " time"] | None
PerFrame = Float[np.ndarray, " frames"]

DEFINITIONS: Final = 1
"""Version of the definitions in this module: scores of two versions are not comparable."""

CONTACT_STEP_M: Final = 0.01
"""A true foot point that moves less than this per 1/30 s stands on the floor."""


def seen_in_both(predicted: Points, true: Points, valid: Mask) -> tuple[Points, Points]:
    """Both motions in float64 with NaN wherever either one, or the mask, has no point.

    Raises:
        ValueError: shapes that do not belong together.
    """
    if predicted.shape != true.shape or predicted.ndim != 3 or predicted.shape[-1] != 3:
        raise ValueError(
            f"metrics: wanted two (time, joints, 3) motions of one shape, found {predicted.shape} "
            f"and {true.shape}"
        )
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    with np.errstate(invalid="ignore", over="ignore"):
        keep = np.isfinite(np.einsum("tjc->tj", predicted - true))
    if valid is not None:
        if valid.shape not in (keep.shape, keep.shape[:1]):
            raise ValueError(f"metrics: valid must be {keep.shape} or {keep.shape[:1]}, found {valid.shape}")
        keep &= valid.astype(bool).reshape(len(keep), -1)
    if keep.all():
        return predicted, true
    return np.where(keep[..., None], predicted, np.nan), np.where(keep[..., None], true, np.nan)


def _length(vectors: Float[np.ndarray, "*batch coords"]) -> Float[np.ndarray, "*batch"]:
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))


def _joint_mean(values: Float[np.ndarray, "frames joints"]) -> PerFrame:
    """Mean over the joints that are not NaN; NaN for a frame without any."""
    seen = np.isfinite(values)
    count = seen.sum(-1)
    return np.where(count > 0, np.sum(values, axis=-1, where=seen) / np.maximum(count, 1), np.nan)


def _distance_mm(a: Points, b: Points) -> PerFrame:
    return 1000.0 * _joint_mean(_length(a - b))


def _centred_on_hips(points: Points, hips: Sequence[int]) -> Points:
    return points - points[:, list(hips)].mean(axis=1, keepdims=True)


def mpjpe(predicted: Points, true: Points, hips: Sequence[int], valid: Mask = None) -> PerFrame:
    """Mean joint distance with the mean of the two hips (rows ``hips``) on each other, mm per frame."""
    predicted, true = seen_in_both(predicted, true, valid)
    return _distance_mm(_centred_on_hips(predicted, hips), _centred_on_hips(true, hips))


def pa_mpjpe(predicted: Points, true: Points, valid: Mask = None) -> PerFrame:
    """Mean joint distance after the best similarity of each frame (no reflection), mm per frame."""
    predicted, true = seen_in_both(predicted, true, valid)
    return _distance_mm(fit_similarity(predicted, true).apply(predicted), true)


def abs_mpjpe(predicted: Points, true: Points, valid: Mask = None) -> PerFrame:
    """Mean joint distance in the world, no alignment at all, mm per frame."""
    return _distance_mm(*seen_in_both(predicted, true, valid))


def _chunk_aligned(
    predicted: Points, true: Points, valid: Mask, chunk: int | None, fit_frames: int | None
) -> PerFrame:
    """Error (mm per frame) after one similarity per chunk, fitted on its first ``fit_frames``."""
    predicted, true = seen_in_both(predicted, true, valid)
    error = np.full(len(predicted), np.nan)
    kept = np.flatnonzero(np.isfinite(predicted[..., 0]).any(-1))  # masked frames go before chunking
    if len(kept):
        frames = chunk or len(kept)
        source, target = _chunks(predicted[kept], frames), _chunks(true[kept], frames)
        fitted = slice(None if fit_frames is None else fit_frames * predicted.shape[1])
        moved = fit_similarity(source[:, fitted], target[:, fitted]).apply(source)
        moved = moved.reshape(-1, *predicted.shape[1:])
        error[kept] = _distance_mm(moved[: len(kept)], true[kept])
    return error


def _chunks(points: Points, frames: int) -> Float[np.ndarray, "chunks points 3"]:
    """The points of consecutive chunks of this many frames; what the last one lacks is NaN."""
    padded = np.pad(points, ((0, -len(points) % frames), (0, 0), (0, 0)), constant_values=np.nan)
    return padded.reshape(-1, frames * points.shape[1], 3)


def w_mpjpe(predicted: Points, true: Points, valid: Mask = None, chunk: int = 100) -> PerFrame:
    """Error after one similarity per chunk, fitted on all joints of its first two frames, mm per frame."""
    return _chunk_aligned(predicted, true, valid, chunk, fit_frames=2)


def wa_mpjpe(predicted: Points, true: Points, valid: Mask = None, chunk: int | None = 100) -> PerFrame:
    """Error after one similarity per chunk (None: per clip), fitted on the whole of it, mm per frame."""
    return _chunk_aligned(predicted, true, valid, chunk, fit_frames=None)


def root_error(
    predicted_root: Float[np.ndarray, "time 3"], true_root: Float[np.ndarray, "time 3"]
) -> Float[np.ndarray, " time"]:
    """Distance of the roots in the world, mm per frame."""
    return 1000.0 * _length(np.asarray(predicted_root, float) - true_root)


def rte(
    predicted_root: Float[np.ndarray, "time 3"], true_root: Float[np.ndarray, "time 3"]
) -> Float[np.ndarray, " time"]:
    """Root error after a rigid alignment of the paths, % of the true path's length, per frame.

    NaN throughout where the true root does not move: it has no length to be a part of.
    """
    seen = np.all(np.isfinite(predicted_root) & np.isfinite(true_root), axis=-1)
    error = np.full(len(seen), np.nan)
    predicted, true = np.asarray(predicted_root, float)[seen], np.asarray(true_root, float)[seen]
    length = _length(np.diff(true, axis=0)).sum()
    if length > 0:
        aligned = fit_similarity(predicted, true, with_scale=False).apply(predicted)
        error[seen] = 100.0 * _length(aligned - true) / length
    return error


def accel(
    predicted: Points, true: Points, hips: Sequence[int], fps: float, valid: Mask = None
) -> Float[np.ndarray, " frames"]:
    """Mean distance of the hip-aligned joints' second differences × fps², m/s². (time - 2,)"""
    predicted, true = seen_in_both(predicted, true, valid)
    difference = _centred_on_hips(predicted, hips) - _centred_on_hips(true, hips)
    return _joint_mean(_length(np.diff(difference, 2, axis=0))) * fps**2


def jitter(points: Points, fps: float, valid: Mask = None) -> Float[np.ndarray, " frames"]:
    """Mean length of the world joints' third difference × fps³ / 10, in 10 m/s³. (time - 3,)"""
    points, _ = seen_in_both(points, points, valid)
    return _joint_mean(_length(np.diff(points, 3, axis=0))) * fps**3 / 10.0


def foot_sliding(
    predicted: Points, true: Points, fps: float, valid: Mask = None
) -> Float[np.ndarray, "steps joints"]:
    """How far predicted toe and heel points move while the true ones stand, mm per frame of 1/30 s.

    Returns:
        (time - 1, points), NaN where the true point moves `CONTACT_STEP_M` per 1/30 s or more. The
        truth measured against itself gives its own creep in contact, not 0.
    """
    predicted, true = seen_in_both(predicted, true, valid)
    per_30th = fps / MODEL_FPS
    moved = _length(np.diff(predicted, axis=0)) * per_30th
    true_moved = _length(np.diff(true, axis=0)) * per_30th
    return np.where(true_moved < CONTACT_STEP_M, 1000.0 * moved, np.nan)


def contact_sliding(
    points: FootPoints, contact: Bool[np.ndarray, "time points"], fps: float
) -> Float[np.ndarray, "steps points"]:
    """How far points in contact with the floor move, mm per frame of 1/30 s; needs no truth.

    Returns:
        (time - 1, points), NaN where a point is missing, or not in contact at both ends of the step.
    """
    moved = _length(np.diff(np.asarray(points, float), axis=0)) * (fps / MODEL_FPS)
    return np.where(contact[1:] & contact[:-1], 1000.0 * moved, np.nan)


def foot_penetration(height_m: Float[np.ndarray, "time points"]) -> PerFrame:
    """How deep the lowest foot point is below the floor, mm per frame; 0 in frames where it is not.

    The mean over all frames is the usual figure; over those above 0 it says how deep, not how often.

    Args:
        height_m: of foot points over the floor (their z, for a floor at z = 0), metres; NaN where
            missing. A frame without any is NaN.
    """
    return 1000.0 * np.maximum(-_lowest(height_m), 0.0)


def foot_floating(
    height_m: Float[np.ndarray, "time points"],
    contact: Bool[np.ndarray, "time points"],
    standing_m: Float[np.ndarray, "points"] | float = 0.0,
) -> PerFrame:
    """How far the lowest point of a foot hangs over its standing height while it should stand, mm.

    Returns:
        Per frame the least of ``height_m - standing_m``, 0 where that is negative (what is below the
        floor is penetration). NaN where no point has contact or none is there.

    Args:
        height_m: of one foot's points over the floor, metres; NaN where missing. Both feet together
            would hide the one that floats beside one that stands.
        contact: where the foot truly stands; the labels of the motion itself, where nothing is true.
        standing_m: each point's height while the foot stands flat.
    """
    floating = 1000.0 * np.maximum(_lowest(height_m - standing_m), 0.0)
    return np.where(contact.any(-1), floating, np.nan)


def _lowest(height_m: Float[np.ndarray, "time points"]) -> PerFrame:
    """The least of each frame that is not NaN; NaN for a frame without any."""
    seen = np.isfinite(height_m)
    return np.where(seen.any(-1), np.min(height_m, axis=-1, where=seen, initial=np.inf), np.nan)


def ajae(
    predicted: Float[np.ndarray, "*batch 3 3"], true: Float[np.ndarray, "*batch 3 3"]
) -> Float[np.ndarray, "*batch"]:
    """Geodesic angle in degrees between global (camera-frame) ankle rotations, (..., 3, 3) matrices."""
    relative = np.einsum("...ji,...jk->...ik", np.asarray(predicted, float), np.asarray(true, float))
    twist = relative - np.swapaxes(relative, -1, -2)
    sine = np.sqrt((twist**2).sum((-1, -2)) / 8.0)
    cosine = (np.trace(relative, axis1=-2, axis2=-1) - 1.0) / 2.0
    return np.asarray(np.degrees(np.arctan2(sine, cosine)))


def n_mpjpe_foot(
    predicted: Float[np.ndarray, "*batch 3 3"], true: Float[np.ndarray, "*batch 3 3"]
) -> Float[np.ndarray, "*batch"]:
    """One foot's shape error: centred, scaled to the truth by least squares, mean distance in mm.

    The last two axes are (heel, big toe, small toe) and xyz; NaN where one of the three is missing.
    """
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    predicted = predicted - predicted.mean(-2, keepdims=True)
    true = true - true.mean(-2, keepdims=True)
    extent = (predicted**2).sum((-1, -2), keepdims=True)
    scale = (predicted * true).sum((-1, -2), keepdims=True) / np.where(extent == 0, 1.0, extent)
    return np.asarray(1000.0 * _length(scale * predicted - true).mean(-1))


def contact_f1(
    predicted: Bool[np.ndarray, "time points"], true: Bool[np.ndarray, "time points"]
) -> tuple[float, float]:
    """F1 of contact as the (sum, count) whose ratio it is: 2 TP and 2 TP + FP + FN, so that clips pool."""
    hits = float(np.count_nonzero(predicted & true))
    return 2.0 * hits, float(np.count_nonzero(predicted) + np.count_nonzero(true))


def pck(
    predicted_px: Float[np.ndarray, "time joints 2"],
    true_px: Float[np.ndarray, "time joints 2"],
    threshold: float,
    visible: Bool[np.ndarray, "time joints"] | None = None,
) -> Float[np.ndarray, "time joints"]:
    """1 where the 2D error over the longer side of the true person's tight box is below the threshold.

    NaN where the truth is not visible; a visible joint without a prediction counts as missed (0).
    """
    seen = np.all(np.isfinite(true_px), axis=-1)
    seen = seen if visible is None else seen & visible
    points = np.where(seen[..., None], true_px, 0.0)
    high = points.max(axis=1, where=seen[..., None], initial=-np.inf)
    low = points.min(axis=1, where=seen[..., None], initial=np.inf)
    side = np.where(seen.any(1), np.where(np.isfinite(high - low), high - low, 0.0).max(-1), np.nan)
    error = _length(predicted_px - points)
    return np.where(seen, (error < threshold * side[:, None]).astype(float), np.nan)
