"""Whether a body, keypoints and camera views belong together and show feet that can be put right."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.geometry.cameras import View
from lift2to3.keypoints import Keypoints
from lift2to3.representation import FOOT_ROWS
from lift2to3.skeletons import CANONICAL, SKELETONS, Skeleton, rows_by_side

_HEELS_AND_TOES: Final = FOOT_ROWS.reshape(2, 4)[:, 1:]


def shows_feet(skeleton: Skeleton) -> bool:
    """Whether a format has a heel and a big toe of both feet."""
    return bool(skeleton.present[rows_by_side("heel", "big_toe")].all())


def check_feet(rest_offsets: Float[np.ndarray, "38 3"]) -> None:
    """Refuse a body without feet.

    Raises:
        ValueError: a heel or toe that lies on its ankle.
    """
    lengths = np.linalg.norm(rest_offsets[_HEELS_AND_TOES], axis=-1)
    if not (lengths > 0.005).all():
        lost = [CANONICAL[row] for row in _HEELS_AND_TOES[~(lengths > 0.005)]]
        raise ValueError(
            f"the body has no {', '.join(lost)} (rest_offsets there are 0): there is no foot to turn; wanted "
            "offsets of heels and toes from their ankles, metres"
        )


def check_keypoints(keypoints: Keypoints, frames: int, fps: float) -> None:
    """Refuse keypoints that are not those of a motion of so many frames, or that show no feet.

    Raises:
        ValueError: another length or rate, or a format without heels and big toes.
    """
    if len(keypoints.xy_px) != frames or abs(keypoints.fps / fps - 1) > 1e-3:
        raise ValueError(
            f"keypoints have {len(keypoints.xy_px)} frames at {keypoints.fps:g} fps, the motion {frames} at "
            f"{fps:g}; wanted the same frames of both (cut or resample one of them)"
        )
    if not shows_feet(keypoints.skeleton):
        with_feet = [name for name, skeleton in SKELETONS.items() if shows_feet(skeleton)]
        raise ValueError(
            f"keypoints of format {keypoints.skeleton.name!r} show no heels and big toes; wanted one with "
            f"feet: {', '.join(with_feet)}"
        )


def check_views(views: View, frames: int) -> None:
    """Refuse what is not one camera for each of so many frames.

    Raises:
        ValueError: other shapes, or frames without a rotation and a place.
    """
    rotation, translation = np.asarray(views.cam_from_world), np.asarray(views.translation)
    if rotation.shape != (frames, 3, 3) or translation.shape != (frames, 3):
        raise ValueError(
            f"views: cam_from_world is {rotation.shape} and translation {translation.shape}; wanted "
            f"{(frames, 3, 3)} and {(frames, 3)}, one for each frame of the motion"
        )
    wrong = np.asarray(~(np.isfinite(rotation).all((1, 2)) & np.isfinite(translation).all(1)))
    rotations = np.where(wrong[:, None, None], 0.0, rotation)
    error = np.abs(rotations @ rotations.swapaxes(1, 2) - np.eye(3)).max((1, 2))
    wrong |= (error > 1e-3) | (np.linalg.det(rotations) < 0)
    if wrong.any():
        raise ValueError(
            f"views: frame {wrong.argmax()} is no camera; wanted finite numbers, cam_from_world with "
            "orthonormal rows and determinant +1"
        )


_LEGS: Final = rows_by_side("knee", "ankle", "heel", "big_toe")


def warn_if_swapped(
    n: Float[np.ndarray, "time 38 2"],
    seen: Bool[np.ndarray, "time 38"],
    expected: Float[np.ndarray, "time 38 2"],
) -> None:
    """Warn where the other leg's keypoints fit the motion's legs far better than its own."""
    own, other = _LEGS.ravel(), _LEGS[::-1].ravel()
    both = seen[:, own] & seen[:, other]
    apart = [np.linalg.norm(n[:, rows] - expected[:, own], axis=-1) for rows in (own, other)]
    straight, crossed = (np.where(both, x, 0.0).sum(1) / np.maximum(both.sum(1), 1) for x in apart)
    judged = both.sum(1) >= 4
    swapped = judged & (crossed < 0.5 * straight)
    if judged.any() and swapped.sum() > 0.5 * judged.sum():
        warnings.warn(
            f"in {swapped.sum() / judged.sum():.0%} of the frames the keypoints' left leg lies where the "
            "motion has its right one: left and right look swapped in one of them; mirror the keypoints "
            "(or check the format's order) and run again",
            stacklevel=5,
        )
