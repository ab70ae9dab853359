"""What a user's keypoints and camera say, without pixels: normalised image points of the canonical set."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.conventions import MISSING_CONFIDENCE, MODEL_FPS
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.resample import resample_observations
from lift2to3.skeletons import CANONICAL


@dataclasses.dataclass(frozen=True, eq=False)
class Observations:
    """One person seen by one camera, frame by frame.

    Attributes:
        n: (time, joints, 2) undistorted normalised image points of the canonical set; 0 where missing.
        confidence: (time, joints) 0 = missing.
        fps: frames per second.
    """

    n: Float[np.ndarray, "time joints 2"]
    confidence: Float[np.ndarray, "time joints"]
    fps: float

    @functools.cached_property
    def at_model_rate(self) -> Observations:
        """The same at the rate that models work at."""
        n, confidence = resample_observations(self.n, self.confidence, self.fps, MODEL_FPS)
        return Observations(n, confidence, MODEL_FPS)

    def only(self, frames: Bool[np.ndarray, "time"]) -> Observations:
        """The same with everything missing in other frames."""
        if not self.confidence[~frames].any():
            return self
        return Observations(self.n, self.confidence * frames[:, None], self.fps)


def observe(keypoints: Keypoints, camera: Camera) -> Observations:
    """Keypoints in canonical order, undistorted and normalised by the camera's intrinsics.

    One of a confidence up to `MISSING_CONFIDENCE` is missing.
    """
    rows = keypoints.skeleton.rows
    known = rows >= 0
    shape = (len(keypoints.xy_px), len(CANONICAL))
    n, confidence = np.zeros((*shape, 2)), np.zeros(shape)
    normalised = camera.normalise(keypoints.xy_px)
    seen = (keypoints.confidence > MISSING_CONFIDENCE) & np.isfinite(normalised).all(-1)
    n[:, rows[known]] = np.where(seen[..., None], normalised, 0.0)[:, known]
    confidence[:, rows[known]] = np.where(seen, keypoints.confidence, 0.0)[:, known]
    return Observations(n, confidence, keypoints.fps)
