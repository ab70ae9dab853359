"""What a user's keypoints and camera say, without pixels: normalised image points of the canonical set."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lift2to3.geometry.cameras import Camera
from lift2to3.motion import Keypoints
from lift2to3.skeletons import CANONICAL


def canonical_observations(
    keypoints: Keypoints, camera: Camera
) -> tuple[Float[np.ndarray, "time joints 2"], Float[np.ndarray, "time joints"]]:
    """Undistorted normalised image points in canonical order, and their confidence (0 = missing)."""
    rows = keypoints.skeleton.rows
    known = rows >= 0
    shape = (len(keypoints.xy_px), len(CANONICAL))
    n, confidence = np.zeros((*shape, 2)), np.zeros(shape)
    normalised = camera.normalise(keypoints.xy_px)
    seen = (keypoints.confidence > 0) & np.isfinite(normalised).all(-1)
    n[:, rows[known]] = np.where(seen[..., None], normalised, 0.0)[:, known]
    confidence[:, rows[known]] = np.where(seen, keypoints.confidence, 0.0)[:, known]
    return n, confidence
