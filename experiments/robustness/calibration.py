"""Is the reported spread honest: how often is the truth within k σ, and does a large σ mean an error?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from scipy.stats import chi2, rankdata

from experiments.methods import Lift
from experiments.protocol import Noise, Trial
from lift2to3.skeletons import SMPL_22, get_skeleton

FORMAT = "smpl22"
SIGMAS = (0.5, 1.0, 1.5, 2.0, 3.0)
FRAMES = {"world": "world", "hips": "hip-aligned"}
"""What errors are relative to, and how the page says it."""
_LIMBS = ("knee", "ankle", "foot", "elbow", "wrist")
GROUPS = {
    "all": SMPL_22,
    "trunk and head": tuple(name for name in SMPL_22 if not any(part in name for part in _LIMBS)),
    "elbows and wrists": tuple(name for name in SMPL_22 if "elbow" in name or "wrist" in name),
    "knees": ("left_knee", "right_knee"),
    "ankles and feet": tuple(name for name in SMPL_22 if "ankle" in name or "foot" in name),
}

Row = dict[str, Any]


def expected_within(sigmas: float) -> float:
    """The share of points within this many σ of the truth if errors were normal along one line.

    Errors in the world nearly are on a line, the camera's ray; and σ is `Motion.spread`, the root of the
    expected square distance. So it is the familiar 68 % within 1 σ and 95 % within 2 σ.
    """
    return float(chi2(1).cdf(sigmas**2))


def calibration(
    error_m: Float[np.ndarray, "frames joints"], spread_m: Float[np.ndarray, "frames joints"]
) -> Row:
    """How the points' distances from the truth go with the reported spread; NaN is left out.

    Returns:
        ``rms_ratio``: 1 where σ² is the mean square error. ``within``: by k, the share of points no further
        than k σ from the truth. ``factor_50`` and ``factor_95``: what σ must be multiplied with for 50 % and
        95 % of the points to lie where they should; the two differ where errors are not normal or the spread
        misses some altogether. ``rank``: Spearman's correlation of spread and error over all points;
        ``rank_in_joint``: over the frames of each joint, their mean. None where the spread is everywhere the
        same.
    """
    seen = np.isfinite(error_m) & np.isfinite(spread_m)
    error, spread = error_m[seen], spread_m[seen]
    if not error.size:
        return {"points": 0}
    ratio = error / np.maximum(spread, 1e-9)
    factors = {p: np.quantile(ratio, p / 100) / np.sqrt(chi2(1).ppf(p / 100)) for p in (50, 95)}
    by_joint = [rank_correlation(error_m[rows, j], spread_m[rows, j]) for j, rows in enumerate(seen.T)]
    ranks = [rank for rank in by_joint if rank is not None]
    return {
        "points": int(error.size),
        "median_error_mm": 1000 * float(np.median(error)),
        "median_spread_mm": 1000 * float(np.median(spread)),
        "rms_ratio": float(np.sqrt(np.mean(ratio**2))),
        "within": {f"{k:g}": float((error <= k * spread).mean()) for k in SIGMAS},
        "factor_50": float(factors[50]),
        "factor_95": float(factors[95]),
        "rank": rank_correlation(error, spread),
        "rank_in_joint": float(np.mean(ranks)) if ranks else None,
    }


def rank_correlation(error: Float[np.ndarray, " n"], spread: Float[np.ndarray, " n"]) -> float | None:
    """Spearman's; None where one of the two is everywhere the same."""
    if len(error) < 3 or np.ptp(error) == 0 or np.ptp(spread) == 0:
        return None
    return float(np.corrcoef(rankdata(error), rankdata(spread))[0, 1])


def calibrate(lift: Lift, chosen: Sequence[Trial], noise: Noise, what: str = "calibration") -> list[Row]:
    """A row for each frame of reference and joint group.

    Beside the `calibration` a row has ``along_ray``: the share of the square error in the camera's direction.
    """
    rows = get_skeleton(FORMAT).rows
    hips = [SMPL_22.index("left_hip"), SMPL_22.index("right_hip")]
    offs, spreads, rays = [], [], []
    for trial in track(chosen, what, transient=True, console=Console(stderr=True)):
        motion = lift(trial.keypoints(FORMAT, noise), trial.camera)
        offs.append(motion.joints_world[:, rows].astype(float) - trial.clip.points_world[:, rows])
        spreads.append(motion.spread[:, rows].astype(float))
        away = motion.joints_world[:, rows] - trial.camera.centre
        rays.append(away / np.linalg.norm(away, axis=-1, keepdims=True))
    off, spread, ray = map(np.concatenate, (offs, spreads, rays))
    relative = {"world": off, "hips": off - off[:, hips].mean(1, keepdims=True)}
    out = []
    for frame in FRAMES:
        error, along = np.linalg.norm(relative[frame], axis=-1), (relative[frame] * ray).sum(-1)
        for group, names in GROUPS.items():
            joints = [SMPL_22.index(name) for name in names]
            share = np.nansum(along[:, joints] ** 2) / max(np.nansum(error[:, joints] ** 2), 1e-12)
            row = {"frame": frame, "group": group, "along_ray": float(share)}
            out.append(row | calibration(error[:, joints], spread[:, joints]))
    return out
