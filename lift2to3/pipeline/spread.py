"""How far off a lifted point is to be expected: the spread of its rays, turned into metres of error.

The views' rays of a point nearly meet, and 2 cm is a usual distance; yet most of the error is shared by the
whole body and lies along the camera's ray, where rays of views that agree with one another say little. What
they do say is how unsure the model is of the frame: r, the root mean square of all its points' raw spreads.
Seen from distance d, r is an angle of r/d; a camera at height h that tells the distance from where a person
stands on the floor is wrong by d²/h times the angle. So the expected square error of joint j is

    spread² = floor_j² + (across · r)² + (along · r · d / h)²

with few enough numbers to be measured on training clips (`fit_spread`).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from lift2to3.geometry.cameras import Camera
from lift2to3.motion import Motion
from lift2to3.skeletons import CANONICAL

LEAST_HEIGHT_M = 0.3
"""Of the camera: a lower one sees the floor too flatly for the rule, and its distances come from sizes."""
_LEAST = 1e-4


@dataclasses.dataclass(frozen=True)
class SpreadCalibration:
    """What `calibrated` multiplies with, measured for one set of weights.

    Attributes:
        floor_m: of each canonical point, however well its frame's rays agree.
        across: of the frame's ray spread r.
        along: of r · d / h.

    Raises:
        ValueError: another number of points, or a number that is not above 0.
    """

    floor_m: tuple[float, ...]
    across: float
    along: float

    def __post_init__(self):
        """Refuse what is no calibration of the canonical points."""
        numbers = [*self.floor_m, self.across, self.along]
        if len(self.floor_m) != len(CANONICAL) or not min(numbers) > 0:
            raise ValueError(
                f"spread: wanted {len(CANONICAL)} floors, across and along, all above 0; found "
                f"{len(self.floor_m)} floors, the least number being {min(numbers):g}"
            )


def spread_terms(motion: Motion, camera: Camera) -> Float[np.ndarray, "time joints 2"]:
    """What `across` and `along` multiply, of a motion with raw spreads: r and r · d / h in metres.

    NaN where the motion is.
    """
    frame = np.sqrt(np.mean(motion.spread.astype(float) ** 2, axis=1, keepdims=True))
    distance = np.linalg.norm(motion.joints_world - camera.centre, axis=-1)
    height = max(float(camera.centre[2]), LEAST_HEIGHT_M)
    return np.stack([np.broadcast_to(frame, distance.shape), frame * distance / height], axis=-1)


def expected_error(
    terms: Float[np.ndarray, "time joints 2"], calibration: SpreadCalibration
) -> Float[np.ndarray, "time joints"]:
    """The root of the expected square distance from the truth, metres; ``terms`` of `spread_terms`."""
    gains = np.array([calibration.across, calibration.along])
    return np.sqrt(np.square(calibration.floor_m) + np.sum((gains * terms) ** 2, axis=-1))


def calibrated(motion: Motion, camera: Camera, calibration: SpreadCalibration) -> Motion:
    """The motion with its raw spreads replaced by expected errors; NaN where it is not valid.

    Args:
        motion: of all canonical points, as the lifter triangulated them.
        camera: the one that saw it, over a floor at z = 0.
        calibration: of that lifter's weights.
    """
    spread = expected_error(spread_terms(motion, camera), calibration)
    return motion._replace(spread=spread.astype(np.float32))


def fit_spread(
    error_m: Float[np.ndarray, "samples joints"], terms: Float[np.ndarray, "samples joints 2"]
) -> SpreadCalibration:
    """The calibration under which errors are most likely; samples with NaN are left out.

    Minimises Σ log s² + e²/s², whose minimum makes e²/s² one on average: s² is the mean square error to be
    expected, whatever the errors' distribution (a quasi-likelihood; McCullagh and Nelder 1989, ch. 9).

    Args:
        error_m: distances from the truth.
        terms: of `spread_terms`, of the same points.

    Raises:
        ValueError: not all canonical points, or no samples.
    """
    from scipy.optimize import minimize  # slow to import, and lifting needs none

    keep = np.isfinite(error_m).all(1) & np.isfinite(terms).all((1, 2))
    if error_m.shape[1] != len(CANONICAL) or not keep.any():
        raise ValueError(
            f"spread: wanted errors of {len(CANONICAL)} points, found {error_m.shape[1]} points and "
            f"{keep.sum()} samples without a gap"
        )
    square, parts = error_m[keep] ** 2, terms[keep] ** 2
    count = len(CANONICAL)

    def cost(logs: np.ndarray) -> tuple[float, np.ndarray]:
        floors, gains = np.exp(2 * logs[:count]), np.exp(2 * logs[count:])
        variance = floors + parts @ gains
        slope = (1 - square / variance) / variance / square.size  # of the cost by the variance
        by_floor = 2 * floors * slope.sum(0)
        by_gain = 2 * gains * np.einsum("sj,sjk->k", slope, parts)
        value = float(np.mean(np.log(variance) + square / variance))
        return value, np.concatenate([by_floor, by_gain])

    start = np.log(np.concatenate([np.sqrt(square.mean(0) / 3).clip(_LEAST), np.ones(2)]))
    bounds = [(np.log(_LEAST), None)] * len(start)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1000})
    numbers = np.exp(found.x)
    return SpreadCalibration(tuple(numbers[:count].tolist()), *numbers[count:].tolist())
