"""World points: the one form in which any motion, an array, points or a posed body, is compared."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from lift2to3.keypoints import as_rate
from lift2to3.motion import BodyMotion, Motion
from lift2to3.resample import bridge_gaps, resample_points, resample_rotations
from lift2to3.skeletons import CANONICAL, Skeleton, get_skeleton, rows_by_side

_ANKLES, _FEET = rows_by_side("ankle", "foot").T
_LARGEST_M: Final = 10.0
_LOOKED_AT: Final = 200


class WorldPoints(NamedTuple):
    """A motion as it is compared.

    Attributes:
        points_world: (time, joints, 3) metres; NaN where missing.
        joint_names: canonical names in array order.
        fps: frames per second.
        ankles: (time, 2, 3, 3) rotations of the left and the right ankle in the world, NaN where missing;
            None for points alone.
        rest_feet: (2, 3) direction of each foot's bone at rest in the ankle's frame, with ``ankles``.
    """

    points_world: Float[np.ndarray, "time joints 3"]
    joint_names: tuple[str, ...]
    fps: float
    ankles: Float[np.ndarray, "time 2 3 3"] | None = None
    rest_feet: Float[np.ndarray, "2 3"] | None = None


def as_world_points(points_world: ArrayLike, skeleton: str | Skeleton, fps: float) -> WorldPoints:
    """Check an array of joints: metres, the joints of a named format in its order; NaN where missing.

    Joints that the canonical set has not are left out.

    Raises:
        ValueError: another shape, a rate that is none, or nothing finite; points that are no metres.
    """
    skeleton = get_skeleton(skeleton)
    points = np.asarray(points_world)
    if points.ndim != 3 or points.shape[1:] != (len(skeleton.joints), 3) or points.dtype.kind not in "fiu":
        raise ValueError(
            f"joints are {points.shape} {points.dtype}; wanted numbers (time, {len(skeleton.joints)}, 3), "
            f"the joints of {skeleton.name}"
        )
    known = [row for row, name in enumerate(skeleton.canonical) if name is not None]
    names = tuple(name for name in skeleton.canonical if name is not None)
    return _checked(WorldPoints(points[:, known].astype(float), names, float(fps)))


def world_points(motion: Motion | BodyMotion | WorldPoints) -> WorldPoints:
    """The points of any motion, and the ankles of one that has them; missing where it is not valid.

    Raises:
        ValueError: a rate that is none, nothing finite, or points that are no metres.
    """
    if isinstance(motion, WorldPoints):
        return _checked(motion)
    if isinstance(motion, Motion):
        points = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(float)
        return _checked(WorldPoints(points, tuple(motion.joint_names), float(motion.fps)))
    frames, points = motion.posed()
    bones = np.asarray(motion.rest_offsets, float)[_FEET]
    return _checked(
        WorldPoints(
            np.where(motion.valid[:, None, None], points, np.nan),
            CANONICAL,
            float(motion.fps),
            np.where(motion.valid[:, None, None, None], frames[:, _ANKLES], np.nan),
            bones / np.linalg.norm(bones, axis=-1, keepdims=True),
        )
    )


def _checked(motion: WorldPoints) -> WorldPoints:
    """The motion itself, if it can be one."""
    points = motion.points_world
    if points.ndim != 3 or points.shape[1:] != (len(motion.joint_names), 3):
        raise ValueError(
            f"joints are {points.shape} with {len(motion.joint_names)} names; wanted (time, joints, 3)"
        )
    as_rate(motion.fps, "joints")
    seen = np.all(np.isfinite(points), axis=-1)
    frames = np.flatnonzero(seen.any(1))
    if not len(frames):
        raise ValueError(f"joints are {points.shape} and every one is missing (NaN); nothing to compare")
    some = points[frames[:: -(-len(frames) // _LOOKED_AT)]]
    away = np.linalg.norm(some - np.nanmedian(some, axis=1, keepdims=True), axis=-1)
    size = float(np.nanmedian(away))
    if size > _LARGEST_M:
        unit, factor = ("millimetres", 1000) if size > 100 else ("centimetres", 100)
        raise ValueError(
            f"half of the joints are {size:.0f} or more from the body's middle: they look like {unit}; "
            f"wanted metres, divide by {factor}"
        )
    return motion


def resampled(motion: WorldPoints, fps: float, frames: int) -> WorldPoints:
    """At another rate: points by cubic splines, rotations along the shortest way; nothing beyond the ends.

    A new point is missing where one of the old frames beside it is.
    """
    old, last = motion.points_world, len(motion.points_world) - 1
    at = np.arange(frames) * motion.fps / fps
    at = np.where(np.abs(at - np.round(at)) < 1e-6, np.round(at), at)
    beside = np.floor(at).astype(int).clip(0, last), np.ceil(at).astype(int).clip(0, last)
    seen = np.all(np.isfinite(old), axis=-1)
    kept = seen[beside[0]] & seen[beside[1]] & (at <= last)[:, None]
    points = resample_points(bridge_gaps(old, seen), motion.fps, fps, frames)
    ankles = motion.ankles
    if ankles is not None:
        known = np.asarray(np.isfinite(ankles).all((1, 2, 3)))
        there = known[beside[0]] & known[beside[1]] & (at <= last)
        turned, ankles = ankles, np.full((frames, *ankles.shape[1:]), np.nan)
        if there.any():
            ankles[there] = resample_rotations(turned[known], np.flatnonzero(known), at[there])
    return motion._replace(points_world=np.where(kept[..., None], points, np.nan), fps=fps, ankles=ankles)
