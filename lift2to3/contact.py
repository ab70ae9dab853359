"""Where the ground is and which foot points stand on it: labels from height and speed, with hysteresis."""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import binary_propagation

from lift2to3.conventions import GROUND_NORMAL
from lift2to3.geometry.ground import FOOT_HEIGHT_M
from lift2to3.skeletons import FOOT_POINTS, INDEX

CONTACT_POINTS: Final = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")
"""Canonical points that contact labels speak of, in the labels' order."""

CONTACT_ROWS: Final = np.array([INDEX[name] for name in CONTACT_POINTS])
"""Their rows in a canonical array."""

STANDING_HEIGHT_M: Final = FOOT_HEIGHT_M[[FOOT_POINTS.index(row) for row in CONTACT_ROWS]]
"""Their heights above the floor while the foot stands."""


@dataclasses.dataclass(frozen=True)
class ContactConfig:
    """Thresholds: contact begins where both strict ones hold and lasts while both loose ones do.

    0.3 m/s is the 0.01 m per frame at 30 fps of the foot-sliding metric. In real mocap a standing
    foot drifts at 0.06–0.10 m/s and rises by a centimetre or two within one step.
    """

    begin_height_m: float = 0.045
    begin_speed_m_per_s: float = 0.20
    hold_height_m: float = 0.07
    hold_speed_m_per_s: float = 0.30


LIFTED_CONTACT: Final = ContactConfig(hold_speed_m_per_s=0.4)
"""For motions that were lifted: a lifted foot in contact slides faster than a real one."""

STANDS_BELOW_M: Final = 0.025
"""Eq. 4 of `fit_ground`'s paper: a point lower than this over the plane stands on it."""

HEIGHT_ALONE: Final = ContactConfig(STANDS_BELOW_M, np.inf, STANDS_BELOW_M, np.inf)
"""Contact by that alone, however the point moves."""

_LEAST_SPREAD_M: Final = 0.25  # deviation of the places along which a plane is let tilt
_MOST_FITS: Final = 20


class GroundPlane(NamedTuple):
    """The plane that feet stand on: ``normal @ point = height_m``.

    Attributes:
        normal: unit vector, its z above 0.
        height_m: along the normal, from the world's origin.
        inliers: (time,) whether the frame's lowest point lies in the plane or under it.
        residual_m: root mean square distance of the inliers' lowest points.
    """

    normal: Float[np.ndarray, "3"]
    height_m: float
    inliers: Bool[np.ndarray, " time"]
    residual_m: float

    def heights(self, points_world: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
        """Of points over the plane, metres; below 0 under it."""
        return points_world @ self.normal - self.height_m


def fit_ground(points_world: Float[np.ndarray, "time points 3"]) -> GroundPlane:
    """Fit a plane to each frame's lowest point by repeated least squares.

    As section 3.2 of "Towards Stable Human Pose Estimation via Cross-View Fusion and Foot
    Stabilization" has it: from a level plane far below, the point nearest to the plane of every frame
    gives the next plane, and so on, until the same frames stand as before. Frames in the air drop out on
    the way, which the paper leaves open. A person on one spot shows no tilt.

    Args:
        points_world: foot points, metres, z roughly up; NaN where missing. At rest they should be at
            one height: contact points, say, or a mesh's vertices, but no ankles.

    Raises:
        ValueError: no frame has a point.
    """
    seen = np.isfinite(points_world).all(-1)
    frames = np.asarray(seen.any(-1))
    if not frames.any():
        raise ValueError(
            "ground: every point of every frame is missing; wanted one finite foot point or more"
        )
    normal, height = np.array(GROUND_NORMAL), -10.0
    standing = frames
    for _ in range(_MOST_FITS):
        over = np.where(seen, points_world @ normal - height, np.inf)
        lowest = points_world[np.arange(len(over)), over.argmin(1)]
        normal, height = _least_squares_plane(lowest[standing])
        before, over = standing, np.where(frames, lowest @ normal - height, np.inf)
        standing = over < STANDS_BELOW_M
        if (standing == before).all():
            break
    return GroundPlane(normal, height, standing, float(np.sqrt((over[standing] ** 2).mean())))


def _least_squares_plane(points: Float[np.ndarray, "points 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Unit normal and height of z as a linear function of x and y, level where these hardly vary."""
    middle = points.mean(0)
    across, up = (points - middle)[:, :2], (points - middle)[:, 2]
    variance, axes = np.linalg.eigh(across.T @ across / len(points))
    told = axes[:, variance >= _LEAST_SPREAD_M**2]
    slope = told @ np.linalg.lstsq(across @ told, up, rcond=None)[0]
    normal = np.array([-slope[0], -slope[1], 1.0]) / np.sqrt(1 + slope @ slope)
    return normal, float(normal @ middle)


def contact_labels(
    points_world: Float[np.ndarray, "time points 3"],
    fps: float,
    config: ContactConfig | None = None,
    ground: GroundPlane | None = None,
) -> Bool[np.ndarray, "time points"]:
    """Label each point's ground contact.

    Args:
        points_world: heel and toe points, metres, z up. A NaN point is not in contact.
        fps: frames per second.
        config: thresholds.
        ground: heights count from this plane; None for the floor z = 0.

    Raises:
        ValueError: fps is not above 0.
    """
    if not fps > 0:
        raise ValueError(f"fps: wanted frames per second above 0, found {fps}")
    config = config or ContactConfig()
    speed = _speed(points_world) * fps
    height = points_world[..., 2] if ground is None else ground.heights(points_world)
    with np.errstate(invalid="ignore"):
        begin = (height < config.begin_height_m) & (speed < config.begin_speed_m_per_s)
        hold = (height < config.hold_height_m) & (speed < config.hold_speed_m_per_s)
    return hysteresis(begin & hold, hold)


def _speed(points: Float[np.ndarray, "time points 3"]) -> Float[np.ndarray, "time points"]:
    """Distance per frame: the mean of the steps before and after (the one there is, at the ends)."""
    if len(points) < 2:
        return np.zeros(points.shape[:-1], points.dtype)
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    return 0.5 * (np.concatenate([step[:1], step]) + np.concatenate([step, step[-1:]]))


def hysteresis(
    begin: Bool[np.ndarray, "time *points"], hold: Bool[np.ndarray, "time *points"]
) -> Bool[np.ndarray, "time *points"]:
    """The runs of ``hold`` (along time) in which ``begin`` is true at least once, whole."""
    along_time = np.ones((3, *(1,) * (hold.ndim - 1)), bool)
    return binary_propagation(begin & hold, along_time, mask=hold)
