"""Observations, points and rotations at another rate, and across gaps."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


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
    weight, tent_sum, confident = (np.zeros((count, n.shape[1])) for _ in range(3))
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
        seen = tent[:, None] * (confidence[index] > 0)
        tent_sum += seen
        confident += tent[:, None] * confidence[index]
    some = weight > 1e-6
    mean = total / np.where(some, weight, 1.0)[..., None]
    return mean, np.where(some, confident / np.where(tent_sum > 0, tent_sum, 1.0), 0.0)


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
