"""Do camera, floor and keypoints fit together at all? Asked before anything is lifted."""

from __future__ import annotations

import warnings

import jax
import numpy as np
from jaxtyping import Float

from lift2to3.geometry.cameras import Camera
from lift2to3.geometry.ground import depth_from_size
from lift2to3.skeletons import FOOT_POINTS

_FEW = 0.1  # share of frames with a foot on the floor under which something must be wrong
# Distance by the feet over that by the body's size:
_ORDINARY = (0.8, 1.27)  # real motions of adults
_PLAUSIBLE = (0.6, 1.5)  # outside, a reading of t that gives an ordinary ratio is worth a warning
_POSSIBLE = (0.4, 1.66)  # children, people on the ground; outside, a reading of t that fits is believed
_KNOWN = (0.24, 2.4)  # outside, something is wrong even if nothing explains it
_FARTHEST_M = 35.0  # depth_from_size itself ends at 40
_FRAMES_CHECKED = 128  # frames, evenly chosen: enough for a median, and one shape to compile for

_depth_from_size = jax.jit(depth_from_size)


def check_setup(
    camera: Camera, n: Float[np.ndarray, "time joints 2"], confidence: Float[np.ndarray, "time joints"]
) -> None:
    """Refuse setups that would put the person nowhere.

    Args:
        camera: as the user gave it.
        n: normalised image points of the canonical set.
        confidence: 0 = missing.

    Raises:
        ValueError: the camera is under the floor, feet point above the horizon, or the floor's
            distance contradicts the person's size; the message says which mistake explains it.
    """
    chosen = np.linspace(0, len(n) - 1, _FRAMES_CHECKED).round().astype(int)
    n, confidence = n[chosen], confidence[chosen]
    height = float(camera.centre[2])
    depth, sized = (np.asarray(part) for part in _depth_from_size(n, confidence > 0))
    usual = float(np.median(depth[sized])) if sized.any() else None  # by the body's apparent size
    swapped = _ratio_with_t_as_position(camera, n, confidence, usual)
    hint = ""
    if _within(swapped, _POSSIBLE):
        hint = (
            " With t read as the camera's position it fits: wanted t = -R @ centre, such that "
            "x_cam = R @ x_world + t."
        )
    if height <= 0.05:
        raise ValueError(
            f"the camera stands {height:.2f} m above the floor; wanted above 0.05 m: the world must have z "
            f"up, metres, and its floor at z = 0.{hint}"
        )
    feet = _foot_depth(camera, n, confidence)
    if not feet.size:
        if usual is None:
            raise ValueError(
                "no foot and no two neighbouring joints are ever visible together: nothing says where the "
                "person is; wanted at least one limb or the torso in some frame"
            )
        if usual > _FARTHEST_M:
            raise ValueError(
                f"the person is too small in the picture to be within {_FARTHEST_M:.0f} m; is K of this "
                "resolution?"
            )
        return
    landing = np.isfinite(feet)
    if landing.mean() < _FEW:
        raise ValueError(
            f"in {100 * (1 - landing.mean()):.0f} % of the frames the rays through the feet never come "
            f"down to the floor in front of the camera (height {height:.2f} m); wanted feet under the "
            "horizon: is R world-to-camera, z up, and the clip from this camera?" + hint
        )
    if usual is None:
        return
    ratio = float(np.median(feet[landing]) / usual)
    message = (
        f"the floor puts the person {ratio:.2g} times as far away as a body of ordinary size would "
        f"be; wanted about 1: are t and the floor in metres, and is K of this resolution?{hint}"
    )
    if hint and not _within(ratio, _POSSIBLE):
        raise ValueError(message)
    if not _within(ratio, _KNOWN) or (_within(swapped, _ORDINARY) and not _within(ratio, _PLAUSIBLE)):
        warnings.warn(message, stacklevel=3)


def _within(ratio: float | None, limits: tuple[float, float]) -> bool:
    return ratio is not None and limits[0] < ratio < limits[1]


def _ratio_with_t_as_position(
    camera: Camera, n: np.ndarray, confidence: np.ndarray, usual_m: float | None
) -> float | None:
    """Distance by the feet over that by size, if ``t`` was meant as the position; None if absurd."""
    if camera.t[2] <= 0.05 or usual_m is None:
        return None
    other = Camera(camera.K, camera.R, -camera.R @ camera.t, camera.size, camera.dist)
    feet = _foot_depth(other, n, confidence)
    if not feet.size or np.isfinite(feet).mean() < 0.5:
        return None
    return float(np.median(feet[np.isfinite(feet)]) / usual_m)


def _foot_depth(camera: Camera, n: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Depth at which the lowest visible foot meets the floor, per frame with a foot; inf = never."""
    rows = np.array(FOOT_POINTS)
    seen = confidence[:, rows] > 0
    frames = seen.any(-1)
    if not frames.any():
        return np.zeros(0)
    fall = -(n[:, rows] @ camera.R[:2, 2] + camera.R[2, 2])  # of the ray with unit depth
    depth = np.where(seen & (fall > 1e-3), camera.centre[2] / np.maximum(fall, 1e-3), np.inf)
    return depth.min(-1)[frames]
