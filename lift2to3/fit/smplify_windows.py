"""A clip's poses in windows: cut, faded into one another, and taken to another rate."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from lift2to3.fit.smplify_problem import Posed
from lift2to3.fit.smplify_terms import SmplifyConfig
from lift2to3.resample import resample_points


class Poses(NamedTuple):
    """Poses as the solver counts them, without the shape."""

    tangents: Float[np.ndarray, "time 21 3"]
    root_rotation: Float[np.ndarray, "time 3 3"]
    root: Float[np.ndarray, "time 3"]

    def with_shape(self, shape: Float[np.ndarray, " shapes"]) -> Posed:
        """What the solver starts from."""
        return Posed(*(jnp.asarray(part, jnp.float32) for part in (*self, shape)))


def window_starts(frames: int, config: SmplifyConfig) -> Int[np.ndarray, " windows"]:
    """First frames of windows that cover a clip evenly, each overlapping the next."""
    hop = config.window_frames - config.overlap_frames
    count = max(1, int(np.ceil((frames - config.overlap_frames) / hop)))
    return np.round(np.linspace(0, max(frames - config.window_frames, 0), count)).astype(int)


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
    """Put a window's piece into the clip, of which so many frames are there; past its end it is cut."""
    fade = np.ones(min(len(piece), len(whole) - start))
    overlap = max(solved - start, 0)
    fade[:overlap] = np.linspace(0, 1, overlap + 2)[1:-1]
    rows = slice(start, start + len(fade))
    whole[rows] += fade.reshape(-1, *(1,) * (whole.ndim - 1)) * (piece[: len(fade)] - whole[rows])


def nearest_rotations(matrices: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Of mixtures of rotations that are near one another."""
    u, _, vt = np.linalg.svd(matrices)
    return u @ vt


def resampled(poses: Poses, fps: float, target_fps: float, frames: int) -> Poses:
    """Poses at another rate, so many frames of them."""
    parts = Poses(*(resample_points(part, fps, target_fps, frames) for part in poses))
    return parts._replace(root_rotation=nearest_rotations(parts.root_rotation))
