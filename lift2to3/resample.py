"""Observations, points and rotations at another rate, and across gaps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy.spatial.transform import Rotation


def resample_observations(
    n: Float[np.ndarray, "time joints 2"],
    confidence: Float[np.ndarray, "time joints"],
    fps: float,
    target_fps: float,
) -> tuple[Float[np.ndarray, "new joints 2"], Float[np.ndarray, "new joints"]]:
    """Observations at another rate: each new frame is a confidence-weighted mean of its neighbours.

    Weights fall linearly to 0 over one frame of the slower of the two rates: interpolation going
    up, a tent filter against aliasing and noise going down. It narrows towards the clip's ends, where
    one-sided means would lag or lead. A joint without a neighbour is missing.
    """
    if fps == target_fps:
        return np.nan_to_num(n), confidence
    count = int(np.floor((len(n) - 1) / fps * target_fps + 1e-6)) + 1
    times = np.arange(count) / target_fps
    reach = 1 / min(fps, target_fps)
    per_side = int(np.ceil(reach * fps))
    nearest = np.round(times * fps).astype(int)
    total = np.zeros((count, *n.shape[1:]))
    weight, tent_sum = np.zeros((2, count, n.shape[1]))
    n = np.nan_to_num(n)
    for offset in range(-per_side, per_side + 1):
        index = nearest + offset
        opposite = 2 * times * fps - index  # as far to the other side; up to a frame outside passes
        inside = (index >= 0) & (index < len(n)) & (opposite > -1 + 1e-6) & (opposite < len(n) - 1e-6)
        index = index.clip(0, len(n) - 1)
        tent = np.maximum(0, 1 - np.abs(index / fps - times) / reach) * inside
        share = tent[:, None] * confidence[index]
        total += share[..., None] * n[index]
        weight += share
        tent_sum += tent[:, None] * (confidence[index] > 0)
    some = weight > 1e-6
    mean = total / np.where(some, weight, 1.0)[..., None]
    return mean, np.where(some, weight / np.where(tent_sum > 0, tent_sum, 1.0), 0.0)


def resample_points(
    points: Float[np.ndarray, "time *rest"], fps: float, target_fps: float, frames: int
) -> Float[np.ndarray, "new *rest"]:
    """A smooth motion at another rate, by cubic spline (linear under 4 frames, constant for one).

    Frames asked for past the last one are extrapolated at constant speed: at most one frame's worth.
    """
    if fps == target_fps and frames == len(points):
        return points
    if len(points) == 1:
        return np.repeat(points, frames, axis=0)
    from scipy.interpolate import make_interp_spline  # slow to import, and most clips need none

    known = np.arange(len(points)) / fps
    wanted = np.arange(frames) / target_fps
    spline = make_interp_spline(known, points, k=3 if len(points) >= 4 else 1)
    inside = wanted.clip(known[0], known[-1])
    beyond = (wanted - inside).reshape(-1, *(1,) * (points.ndim - 1))
    slope = (points[-1] - points[-2]) * fps
    return spline(inside) + beyond * slope


def resample_linearly(
    values: Float[np.ndarray, "time numbers"],
    times: Real[np.ndarray, "time"],
    wanted: Real[np.ndarray, "new"],
) -> Float[np.ndarray, "new numbers"]:
    """Values of these times at others, on straight lines in between; the ends are held."""
    return np.stack([np.interp(wanted, times, column) for column in values.T], axis=1)


def resample_rotations(
    rotations: Float[np.ndarray, "time *joints 3 3"],
    times: Real[np.ndarray, "time"],
    wanted: Real[np.ndarray, "new"],
) -> Float[np.ndarray, "new *joints 3 3"]:
    """Rotations of these times at others, at an even speed the shortest way in between; the ends are held.

    At its own time each is returned to the bit.
    """
    rows = np.interp(wanted, times, np.arange(len(times)))
    before = rows.astype(int)
    resampled = rotations[before]
    between = np.flatnonzero(rows - before)
    if len(between):
        start, end = resampled[between], rotations[before[between] + 1]
        turn = Rotation.from_matrix((start.swapaxes(-1, -2) @ end).reshape(-1, 3, 3)).as_rotvec()
        share = (rows - before)[between].repeat(len(turn) // len(between))
        part = Rotation.from_rotvec(turn * share[:, None]).as_matrix()
        resampled[between] = start @ part.reshape(start.shape)
    return resampled


def nearest_rotations(matrices: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """By least squares, of mixtures of rotations; never a reflection."""
    left, _, right = np.linalg.svd(matrices)
    left[..., 2] *= np.where(np.linalg.det(left @ right) < 0, -1.0, 1.0)[..., None]
    return left @ right


def bridge_gaps(
    values: Float[np.ndarray, "time *rest"], known: Bool[np.ndarray, "time *points"]
) -> Float[np.ndarray, "time *rest"]:
    """Straight lines in time across frames that are not known; the ends are held, 0 where none ever is.

    Args:
        values: (time, points, numbers), say, or (time, numbers).
        known: of the first of these axes, of all or of time alone.
    """
    frames, flat = np.arange(len(known)), known.reshape(len(known), -1)
    columns = values.reshape(*flat.shape, -1)
    bridged = np.zeros(columns.shape)
    for point in np.flatnonzero(flat.any(0)):
        seen = flat[:, point]
        bridged[:, point] = resample_linearly(columns[seen, point], frames[seen], frames)
    return bridged.reshape(values.shape)


def runs_of_true(mask: Bool[np.ndarray, " time"]) -> Int[np.ndarray, "runs 2"]:
    """First frame, and the one after the last, of every run of True."""
    return np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]))).reshape(-1, 2)
