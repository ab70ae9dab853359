"""What programs that estimate SMPL bodies from video have in common: one record, and the checks of its parts.

SMPL adds its translation to a body whose pelvis is not at the origin: the pelvis is at
``translation + pelvis_at_rest(betas)`` in the frame of the translation, and turning that frame turns both
terms. A result is therefore kept in the frames of its file; whoever knows the body's shape at rest
(`lift2to3.convert.read_body`) converts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from lift2to3.array_files import require_keys
from lift2to3.formats.motions.file_axes import orthonormal
from lift2to3.motion import first_wrong_rotation

BODY_JOINTS: Final = 21
"""Joints beside the pelvis that SMPL, SMPL-H and SMPL-X share, the first of each."""

Up = Literal["y", "z", "-y"]
"""Which axis of a file's world points up; a camera held level has y down."""

_LARGEST_BETAS_SPREAD: Final = 0.5


class Root(NamedTuple):
    """Where the body stands, in one frame.

    Attributes:
        orientation: the pelvis's rotation.
        translation: metres: SMPL's own, or the middle between the hips where ``of_hips``.
        of_hips: which of the two.
    """

    orientation: Float[np.ndarray, "time 3 3"]
    translation: Float[np.ndarray, "time 3"]
    of_hips: bool = False


class SmplResult(NamedTuple):
    """One person as another program estimated them, in that program's frames.

    Attributes:
        body_pose: each joint's rotation relative to its parent's, in SMPL's order after the pelvis.
        betas: one shape for the clip.
        frames: which of the video's frames these are, counted from 0, ascending.
        in_world: the body in a world that gravity is known in, or None.
        in_camera: the body in each frame's camera (OpenCV: x right, y down, z forward), or None.
        camera_in_world: the cameras' axes and positions in the world, where ``in_world`` is None; both None
            make the camera the world.
        up: the axis that points up in the world.
        on_floor: whether the world's floor is at height 0.
        K: intrinsics in pixels as the program has them, or None.
        fps: frames per second, or None where the file does not say.
        model: whose parameters they are.
    """

    body_pose: Float[np.ndarray, "time 21 3 3"]
    betas: Float[np.ndarray, "betas"]
    frames: Int[np.ndarray, "time"]
    in_world: Root | None
    in_camera: Root | None
    camera_in_world: Root | None
    up: Up
    on_floor: bool
    K: Float[np.ndarray, "3 3"] | None
    fps: float | None
    model: Literal["smpl", "smplh", "smplx"]


def has_keys(found: Any, path: str | Path, what: str, needed: Sequence[str]) -> Mapping[str, Any]:
    """The dict, seen to have the keys.

    Raises:
        ValueError: no dict, or a key is missing (the message says which).
    """
    if not isinstance(found, dict):
        raise ValueError(f"{path}: {what} is a {type(found).__name__}; wanted a dict")
    require_keys(found, needed, f"{path}: {what}")
    return found


def as_numbers(
    value: Any, path: str | Path, name: str, shape: tuple[int | None, ...]
) -> Float[np.ndarray, "..."]:
    """Finite numbers of a shape, in double precision; None in the shape fits any size.

    Raises:
        ValueError: something else (the message gives both shapes).
    """
    try:
        array = np.asarray(value)
        numbers = array.astype(np.float64) if array.dtype.kind in "biuf" else None
    except ValueError:
        numbers = None
    if numbers is None:
        raise ValueError(f"{path}: {name} holds no numbers")
    if numbers.ndim != len(shape) or any(
        want not in (None, size) for want, size in zip(shape, numbers.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{path}: {name} is {numbers.shape}; wanted ({wanted})")
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        raise ValueError(f"{path}: {name} is not finite at {bad[0].tolist()}")
    return numbers


def as_matrices(
    value: Any, path: str | Path, name: str, shape: tuple[int | None, ...]
) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices of a shape, made exactly orthonormal.

    Raises:
        ValueError: another shape, or matrices that are not rotations (the message says where).
    """
    matrices = as_numbers(value, path, name, shape)
    where = first_wrong_rotation(matrices)
    if where is not None:
        raise ValueError(
            f"{path}: {name} at {where} is not a rotation; wanted orthonormal columns and determinant +1"
        )
    return orthonormal(matrices)


def matrices_from_vectors(
    value: Any, path: str | Path, name: str, joints: int, frames: int | None = None
) -> Float[np.ndarray, "time joints 3 3"]:
    """Axis-angle vectors, (time, 3 × joints or more) radians, as matrices of the first ``joints``.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    vectors = as_numbers(value, path, name, (frames, None))
    if not len(vectors) or vectors.shape[1] < 3 * joints:
        raise ValueError(f"{path}: {name} is {vectors.shape}; wanted (1 or more, {3 * joints} or more)")
    rotations = Rotation.from_rotvec(vectors[:, : 3 * joints].reshape(-1, 3)).as_matrix()
    return rotations.reshape(len(vectors), joints, 3, 3)


def as_one_shape(value: Any, path: str | Path, name: str) -> Float[np.ndarray, "betas"]:
    """The mean of a shape per frame, or the one shape; warns where it varies much."""
    array = np.asarray(value)
    betas = as_numbers(array, path, name, (None,) * (2 if array.ndim == 2 else 1))
    if betas.ndim == 1:
        return betas
    if not len(betas):
        raise ValueError(f"{path}: {name} is {betas.shape}; wanted one shape or one per frame")
    spread = float(betas.std(axis=0).max(initial=0.0))
    if spread > _LARGEST_BETAS_SPREAD:
        warnings.warn(
            f"{path}: {name} varies by {spread:.1f} units from frame to frame; taken: the mean", stacklevel=3
        )
    return betas.mean(axis=0)


def as_frames(value: Any, path: str | Path, name: str) -> Int[np.ndarray, "time"]:
    """Numbers of video frames, from 0, each once and ascending.

    Raises:
        ValueError: none at all, no whole numbers, a negative one, or one that comes again.
    """
    frames = as_numbers(value, path, name, (None,))
    if not len(frames):
        raise ValueError(f"{path}: {name} is empty; wanted a person in one frame or more")
    if (frames != np.round(frames)).any() or frames[0] < 0 or (np.diff(frames) <= 0).any():
        raise ValueError(f"{path}: {name} must be whole, from 0 and ascending, each once")
    if frames[-1] > 2**53:
        raise ValueError(f"{path}: {name} goes up to {frames[-1]:.3g}")
    return frames.astype(np.int64)


def choose_track(lengths: Mapping[Any, int], track: str | int | None, path: str | Path) -> Any:
    """One person of a file that holds several: the one named, or the one seen longest.

    Args:
        lengths: each person's name in the file → in how many frames they are.
        track: a name as the file has it, as text or as a number; None for the longest, which says in a
            warning who else is there.
        path: what the messages call the file.

    Raises:
        ValueError: nobody is there, or nobody of that name (the message lists who is).
    """
    if not lengths:
        raise ValueError(f"{path}: nobody is in it")
    people = _listed(lengths)
    if track is not None:
        named = [name for name in lengths if str(name) == str(track)]
        if not named:
            raise ValueError(f"{path}: no track {track!r}; wanted one of {people}")
        return named[0]
    longest = max(lengths, key=lambda name: lengths[name])
    if len(lengths) > 1:
        warnings.warn(
            f"{path}: {len(lengths)} people; taken: track {longest}, seen longest of {people} "
            "(track=… for another)",
            stacklevel=3,
        )
    return longest


def _listed(lengths: Mapping[Any, int], most: int = 10) -> str:
    ordered: Iterable[Any] = sorted(lengths, key=lambda name: -lengths[name])
    told = [f"{name} ({lengths[name]} frames)" for name in list(ordered)[:most]]
    return ", ".join(told) + (f" and {len(lengths) - most} more" if len(lengths) > most else "")
