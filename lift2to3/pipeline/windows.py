"""Cutting clips of any length and rate into the model's windows, and putting the results together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int


def window_starts(frames: int, window: int) -> Int[np.ndarray, " windows"]:
    """First frames of windows that overlap by half or more and cover the clip exactly.

    A clip shorter than a window has one, which is padded.
    """
    if frames <= window:
        return np.zeros(1, dtype=int)
    hop = window // 2
    count = 1 + int(np.ceil((frames - window) / hop))
    return np.round(np.linspace(0, frames - window, count)).astype(int)


def blend_weights(window: int) -> Float[np.ndarray, " window"]:
    """A window's weight by frame: a raised cosine, so that neighbours fade into each other smoothly."""
    return np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2


def blend(
    placed: Iterable[tuple[int, Float[np.ndarray, "window *rest"]]], frames: int
) -> Float[np.ndarray, "time *rest"]:
    """Weighted mean per frame of windows that overlap, each given with its first frame.

    Windows are taken in one at a time, so that a long clip need not be held twice over.
    """
    total = weight = np.zeros(0)
    for start, part in placed:
        if not total.size:
            weight = np.zeros(max(frames, len(part)))
            total = np.zeros((len(weight), *part.shape[1:]))
        weights = blend_weights(len(part))
        total[start : start + len(part)] += weights.reshape(-1, *(1,) * (part.ndim - 1)) * part
        weight[start : start + len(part)] += weights
    total /= weight.reshape(-1, *(1,) * (total.ndim - 1))
    return total[:frames]


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


def supported(
    confidence: Float[np.ndarray, "time joints"], fps: float, within_s: float = 0.5
) -> Bool[np.ndarray, " time"]:
    """Frames with any observation at most ``within_s`` seconds away."""
    seen = np.flatnonzero((confidence > 0).any(-1))
    frames = np.arange(len(confidence))
    after = np.searchsorted(seen, frames)
    nearest = np.minimum(
        np.abs(frames - seen[np.minimum(after, len(seen) - 1)]),
        np.abs(frames - seen[np.maximum(after - 1, 0)]),
    )
    return nearest <= within_s * fps
