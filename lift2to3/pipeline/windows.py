"""Cutting clips of any length and rate into the model's windows, and putting the results together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int

from lift2to3.conventions import MISSING_CONFIDENCE


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


def supported(
    confidence: Float[np.ndarray, "time joints"], fps: float, within_s: float = 0.5
) -> Bool[np.ndarray, " time"]:
    """Frames with any observation at most ``within_s`` seconds away."""
    seen = np.flatnonzero((confidence > MISSING_CONFIDENCE).any(-1))
    frames = np.arange(len(confidence))
    after = np.searchsorted(seen, frames)
    nearest = np.minimum(
        np.abs(frames - seen[np.minimum(after, len(seen) - 1)]),
        np.abs(frames - seen[np.maximum(after - 1, 0)]),
    )
    return nearest <= within_s * fps
