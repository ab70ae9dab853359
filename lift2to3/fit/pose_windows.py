"""A clip's poses in windows: cut, faded into one another, and taken to another rate."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from lift2to3.body import pose_body
from lift2to3.fit.pose_problem import Posed, of_numpy, rest_offsets
from lift2to3.resample import nearest_rotations, resample_points

WINDOW_FRAMES: Final = 120
OVERLAP_FRAMES: Final = 20


class Poses(NamedTuple):
    """Poses as the solver counts them, without the shape."""

    tangents: Float[np.ndarray, "time 21 3"]
    root_rotation: Float[np.ndarray, "time 3 3"]
    root: Float[np.ndarray, "time 3"]

    def at(self, index: Int[np.ndarray, " new"], shape: Float[np.ndarray, " shapes"]) -> Posed:
        """What the solver starts from in some frames; the last frame stands still past the clip's end."""
        within = index.clip(0, len(self.root) - 1)
        return of_numpy(Posed, *(part[within] for part in self), shape)


def poses_of(
    rotations: Float[np.ndarray, "time 22 3 3"],
    root: Float[np.ndarray, "time 3"],
    mean_rotations: Float[np.ndarray, "21 3 3"],
) -> Poses:
    """A `BodyMotion`'s rotations as tangents at the prior's mean pose."""
    relative = mean_rotations.swapaxes(-1, -2) @ rotations[:, 1:]
    tangents = Rotation.from_matrix(relative.reshape(-1, 3, 3)).as_rotvec().reshape(relative.shape[:3])
    return Poses(tangents, rotations[:, 0], root)


def rotations_of(
    poses: Poses, mean_rotations: Float[np.ndarray, "21 3 3"]
) -> Float[np.ndarray, "time 22 3 3"]:
    """The inverse of `poses_of`."""
    relative = Rotation.from_rotvec(poses.tangents.reshape(-1, 3)).as_matrix()
    local = mean_rotations @ relative.reshape(*poses.tangents.shape, 3)
    return np.concatenate([poses.root_rotation[:, None], local], axis=1)


def points_at(
    posed: Posed, mean_rotations: Float[np.ndarray, "21 3 3"], bones: Float[np.ndarray, "38 3"]
) -> Float[np.ndarray, "time 38 3"]:
    """The canonical points in the world, metres; of what the solver found, and nothing is compiled."""
    *parts, shape = (np.asarray(part, float) for part in posed)
    poses = Poses(*parts)
    rotations = rotations_of(poses, mean_rotations)
    return np.asarray(pose_body(rest_offsets(bones, shape), rotations, poses.root)[1])


def even_starts(frames: int, window: int, overlap: int) -> Int[np.ndarray, " windows"]:
    """First frames of windows that cover a clip evenly, each overlapping the next."""
    count = max(1, int(np.ceil((frames - overlap) / (window - overlap))))
    return np.round(np.linspace(0, max(frames - window, 0), count)).astype(int)


def joined(parts: list[Poses], starts: Int[np.ndarray, " windows"], frames: int) -> Poses:
    """One motion of windows that overlap, each faded into the next."""
    whole = Poses(*(np.zeros((frames, *part.shape[1:])) for part in parts[0]))
    solved = 0
    for start, poses in zip(starts.tolist(), parts, strict=True):
        for all_of_it, piece in zip(whole, poses, strict=True):
            fade_in(all_of_it, piece, start, solved)
        solved = start + len(poses.root)
    return whole._replace(root_rotation=nearest_rotations(whole.root_rotation))


def fade_in(
    whole: Float[np.ndarray, "time *rest"], piece: Float[np.ndarray, "window *rest"], start: int, solved: int
) -> None:
    """Put a window's piece into the clip, whose first ``solved`` frames are there; past its end it is cut."""
    fade = np.ones(min(len(piece), len(whole) - start))
    overlap = max(solved - start, 0)
    fade[:overlap] = np.linspace(0, 1, overlap + 2)[1:-1]
    rows = slice(start, start + len(fade))
    whole[rows] += fade.reshape(-1, *(1,) * (whole.ndim - 1)) * (piece[: len(fade)] - whole[rows])


def poses_at_rate(poses: Poses, fps: float, target_fps: float, frames: int) -> Poses:
    """Poses at another rate: this many frames."""
    parts = Poses(*(resample_points(part, fps, target_fps, frames) for part in poses))
    return parts._replace(root_rotation=nearest_rotations(parts.root_rotation))
