"""The similarity (scale, rotation, translation) that best moves one point set onto another, in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Similarity(NamedTuple):
    """``target ≈ scale * rotation @ source + translation``, for any leading batch axes."""

    scale: Float[np.ndarray, "*batch"]
    rotation: Float[np.ndarray, "*batch 3 3"]
    translation: Float[np.ndarray, "*batch 3"]

    def apply(self, points: Float[np.ndarray, "*batch points 3"]) -> Float[np.ndarray, "*batch points 3"]:
        """Move (..., points, 3)."""
        turned = np.einsum("...ij,...pj->...pi", self.rotation, points)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def fit_similarity(
    source: Float[np.ndarray, "*batch points 3"],
    target: Float[np.ndarray, "*batch points 3"],
    with_scale: bool = True,
) -> Similarity:
    """Least-squares similarity from source to target, never a reflection (Umeyama 1991).

    Points that are NaN in either are left out. Where the points do not fix an answer – fewer than
    three, or on a line – it is one of the best ones; without extent in the source the scale is 1.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    seen = np.all(np.isfinite(source) & np.isfinite(target), axis=-1)
    weight = seen / np.maximum(seen.sum(-1, keepdims=True), 1)
    source, target = np.where(seen[..., None], source, 0.0), np.where(seen[..., None], target, 0.0)
    source_mean = np.einsum("...p,...pi->...i", weight, source)
    target_mean = np.einsum("...p,...pi->...i", weight, target)
    source, target = source - source_mean[..., None, :], target - target_mean[..., None, :]
    covariance = np.einsum("...p,...pi,...pj->...ij", weight, target, source)
    left, singular, right = np.linalg.svd(covariance)
    sign = np.ones_like(singular)
    sign[..., 2] = np.where(np.linalg.det(left) * np.linalg.det(right) < 0, -1.0, 1.0)
    rotation = np.einsum("...ij,...j,...jk->...ik", left, sign, right)
    spread = np.einsum("...p,...pi,...pi->...", weight, source, source)
    scale = np.ones_like(spread)
    if with_scale:
        flat = spread < 1e-18  # a point: no extent to scale
        scale = np.where(flat, 1.0, (singular * sign).sum(-1) / np.where(flat, 1.0, spread))
    translation = target_mean - scale[..., None] * np.einsum("...ij,...j->...i", rotation, source_mean)
    return Similarity(scale, rotation, translation)
