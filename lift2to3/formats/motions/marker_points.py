"""Points as marker files hold them: checks before writing, the up axis, and the way back."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from lift2to3.formats.motions.joint_tree import UpAxis, check_rate_and_frames, file_from_world
from lift2to3.motion import Motion


def check_points(motion: Motion) -> None:
    """See that points can be written as markers.

    Raises:
        ValueError: a point that is marked valid and is not finite, a rate that is none, or fewer than
            2 frames with a valid point.
    """
    check_rate_and_frames(motion.fps, int(np.count_nonzero(motion.valid.any(axis=1))))
    bad = np.argwhere(motion.valid & ~np.isfinite(motion.joints_world).all(axis=-1))
    if len(bad):
        raise ValueError(
            f"motion: {motion.joint_names[bad[0, 1]]} in frame {bad[0, 0]} is valid but not finite "
            f"({len(bad)} such points); wanted numbers, or False in valid"
        )


def visible_points(motion: Motion, up: UpAxis, metres_per_unit: float) -> Float[np.ndarray, "time joints 3"]:
    """The points in a file's axes and unit; NaN where not valid."""
    points = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(float)
    return points @ (file_from_world(up).T / metres_per_unit)


def motion_of_points(
    points: Float[np.ndarray, "time joints 3"], names: tuple[str, ...], fps: float, up: UpAxis
) -> Motion:
    """A file's markers in metres as our record: z up, missing where not finite, spread unknown."""
    with np.errstate(invalid="ignore", over="ignore"):  # numbers of a damaged file, missing then
        joints = (points @ file_from_world(up)).astype(np.float32)
    valid = np.asarray(np.isfinite(joints).all(axis=-1))
    joints[~valid] = np.nan
    return Motion(joints, names, fps, valid, np.full(valid.shape, np.nan, np.float32))
