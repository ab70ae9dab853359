"""How well a camera, its floor and a person's keypoints go together: a few numbers, without any model.

The person's distance is measured twice, by where the feet meet the floor and by how large the body looks;
and a person who stands must look as the world's up says. A wrong calibration breaks one of these or all.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from lift2to3.geometry.cameras import Camera
from lift2to3.geometry.ground import FOOT_HEIGHT_M, depth_from_size
from lift2to3.skeletons import FOOT_POINTS, rows_by_side

LOOKED_AT: Final = 128
"""Frames, evenly chosen: enough for a median, and one shape to compile for."""
_SHOULDERS, _HIPS, _ANKLES = (rows_by_side(point).ravel() for point in ("shoulder", "hip", "ankle"))
_TRUNK_M: Final = ((_ANKLES, _SHOULDERS, 1.30), (_HIPS, _SHOULDERS, 0.50))
"""Lower pair, upper pair, and how far the one is over the other in a standing person of 1.7 m."""
_FALLS: Final = 1e-3
_QUANTILE: Final = 0.6
_UNSURE: Final = 0.3
"""Keypoints of less than this share of the median confidence say nothing here."""

_depth_from_size = jax.jit(depth_from_size)


class SetupFit(NamedTuple):
    """What is measured of one camera and the keypoints in it; NaN where the keypoints do not show it.

    Attributes:
        height_m: of the camera over the floor.
        landing: share of the frames with a foot in which one's ray comes down to the floor before the camera.
        ratio: distance by the feet over that by the body's size, 1 for an adult on the floor. It is a high
            quantile over frames: bent bodies look smaller, and so further away, than they are.
        size_depth_m: median distance by the body's size, metres.
        sized: share of frames in which two joints show that size.
        lean: how far the person is from standing upright as the world says, median; 0 is upright, 1 as far
            off as the person is long. 0.3 is ordinary, more than 0.6 lies, or the world's up is wrong.
        turn_deg: by how much the picture would have to be turned for the person to stand, median.
    """

    height_m: float
    landing: float
    ratio: float
    size_depth_m: float
    sized: float
    lean: float
    turn_deg: float


def chosen_frames(count: int) -> np.ndarray:
    """Which frames of a clip are looked at, `LOOKED_AT` of them; those of short clips more than once."""
    return np.linspace(0, count - 1, LOOKED_AT).round().astype(int)


def measure_setup(
    camera: Camera, n: Float[np.ndarray, "time 38 2"], confidence: Float[np.ndarray, "time 38"]
) -> SetupFit:
    """The numbers above.

    Args:
        camera: whose R and t are asked.
        n: normalised image points of the canonical set, of `LOOKED_AT` frames.
        confidence: 0 = missing.
    """
    seen = confidence > 0
    if seen.any():
        confidence = np.where(confidence < _UNSURE * np.median(confidence[seen]), 0.0, confidence)
    feet = foot_depths(camera, n, confidence)
    with_foot = ~np.isnan(feet)
    size_depth = size_depths(n, confidence)
    sized = np.isfinite(size_depth)
    middle = float(np.median(size_depth[sized])) if sized.any() else np.nan
    both = np.isfinite(feet) & sized
    ratio = float(np.quantile(feet[both] / size_depth[both], _QUANTILE)) if both.any() else np.nan
    lean, turn = _upright(camera, n, confidence, size_depth)
    return SetupFit(
        height_m=float(camera.centre[2]),
        landing=float(np.isfinite(feet[with_foot]).mean()) if with_foot.any() else np.nan,
        ratio=ratio,
        size_depth_m=middle,
        sized=float(sized.mean()),
        lean=lean,
        turn_deg=turn,
    )


def size_depths(
    n: Float[np.ndarray, "time 38 2"], confidence: Float[np.ndarray, "time 38"]
) -> Float[np.ndarray, " time"]:
    """Depth at which a 1.7 m body looks as large as this one, of `LOOKED_AT` frames; NaN = no limb."""
    depth, sized = (np.asarray(part) for part in _depth_from_size(n, confidence > 0))
    return np.where(sized, depth, np.nan)


def foot_depths(
    camera: Camera, n: Float[np.ndarray, "time 38 2"], confidence: Float[np.ndarray, "time 38"]
) -> Float[np.ndarray, " time"]:
    """Depth at which the nearest foot's ray comes down to standing height; inf = never, NaN = no foot."""
    rows = np.array(FOOT_POINTS)
    seen = confidence[:, rows] > 0
    fall = -(n[:, rows] @ camera.R[:2, 2] + camera.R[2, 2])  # of the ray with unit depth
    over = camera.centre[2] - FOOT_HEIGHT_M
    depth = np.where(seen & (fall > _FALLS) & (over > 0), over / np.maximum(fall, _FALLS), np.inf)
    return np.where(seen.any(-1), depth.min(-1), np.nan)


def _upright(camera: Camera, n: np.ndarray, confidence: np.ndarray, depth: np.ndarray) -> tuple[float, float]:
    """Lean and turn: the trunk as it is seen, against the same trunk standing at its distance."""
    up = camera.R[:, 2]
    lean, turn = np.full(len(n), np.nan), np.full(len(n), np.nan)
    for low, high, length in _TRUNK_M[::-1]:  # ankles last: they overwrite where they are seen
        seen = (confidence[:, [*low, *high]] > 0).all(-1) & np.isfinite(depth)
        foot, top = n[:, low].mean(1), n[:, high].mean(1)
        far = depth + length * up[2]
        seen &= far > 0.1
        stands = (foot * depth[:, None] + length * up[:2]) / np.where(seen, far, 1.0)[:, None] - foot
        shows = top - foot
        scale = np.maximum(np.linalg.norm(stands, axis=-1), np.linalg.norm(shows, axis=-1))
        off = np.linalg.norm(shows - stands, axis=-1) / np.maximum(scale, 1e-9)
        cross = shows[:, 0] * stands[:, 1] - shows[:, 1] * stands[:, 0]
        angle = np.degrees(np.arctan2(cross, (shows * stands).sum(-1)))
        lean, turn = np.where(seen, off, lean), np.where(seen, angle, turn)
    if np.isnan(lean).all():
        return float("nan"), float("nan")
    return float(np.nanmedian(lean)), float(np.nanmedian(turn))
