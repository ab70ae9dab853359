"""What programs that estimate SMPL bodies from video have in common: one record, and the checks of its parts.

SMPL adds its translation to a body whose pelvis is not at the origin: the pelvis is at
``translation + pelvis_at_rest(betas)`` in the frame of the translation, and turning that frame turns both
terms. A result is therefore kept in the frames of its file; whoever knows the body's shape at rest
(`lift2to3.convert.read_body`) converts.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
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
_MOST_LISTED: Final = 10


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
        up: the axis that points up in the world.
        model: whose parameters they are.
        in_world: the body in a world that gravity is known in, or None.
        in_camera: the body in each frame's camera (OpenCV: x right, y down, z forward), or None.
        camera_in_world: the cameras' axes and positions in the world, where ``in_world`` is None; both None
            make the camera the world.
        on_floor: whether the world's floor is at height 0.
        K: intrinsics in pixels as the program has them, or None.
        fps: frames per second, or None where the file does not say.
    """

    body_pose: Float[np.ndarray, "time 21 3 3"]
    betas: Float[np.ndarray, "betas"]
    frames: Int[np.ndarray, "time"]
    up: Up
    model: Literal["smpl", "smplh", "smplx"]
    in_world: Root | None = None
    in_camera: Root | None = None
    camera_in_world: Root | None = None
    on_floor: bool = False
    K: Float[np.ndarray, "3 3"] | None = None
    fps: float | None = None


@dataclasses.dataclass(frozen=True)
class Fields:
    """A dict out of a file; each method is one of its values, checked.

    Attributes:
        values: the dict.
        path: what messages call the file.
        prefix: what stands before the keys in messages.

    Raises:
        ValueError: by every method, for a value that is something else (the message says what).
    """

    values: Mapping[str, Any]
    path: str | Path
    prefix: str = ""

    def __getitem__(self, key: str) -> Any:
        """The value as it stands."""
        return self.values[key]

    def name(self, key: str) -> str:
        """What messages call the value."""
        return f"{self.path}: {self.prefix}{key}"

    def numbers(self, key: str, shape: tuple[int | None, ...]) -> Float[np.ndarray, "..."]:
        """Finite numbers, see `as_numbers`."""
        return as_numbers(self[key], self.name(key), shape)

    def matrices(self, key: str, shape: tuple[int | None, ...]) -> Float[np.ndarray, "*batch 3 3"]:
        """Rotation matrices of a shape, made exactly orthonormal."""
        matrices = self.numbers(key, shape)
        where = first_wrong_rotation(matrices)
        if where is not None:
            raise ValueError(
                f"{self.name(key)} at {where} is not a rotation; wanted orthonormal columns and "
                "determinant +1"
            )
        return orthonormal(matrices)

    def matrices_from_vectors(
        self, key: str, joints: int, frames: int | None = None
    ) -> Float[np.ndarray, "time joints 3 3"]:
        """Axis-angle vectors, (time, 3 × joints or more) radians, as matrices of the first ``joints``."""
        vectors = self.numbers(key, (frames, None))
        if not len(vectors) or vectors.shape[1] < 3 * joints:
            raise ValueError(f"{self.name(key)} is {vectors.shape}; wanted (1 or more, {3 * joints} or more)")
        rotations = Rotation.from_rotvec(vectors[:, : 3 * joints].reshape(-1, 3)).as_matrix()
        return rotations.reshape(len(vectors), joints, 3, 3)

    def shape(self, key: str) -> Float[np.ndarray, "betas"]:
        """The mean of a shape per frame, or the one shape; warns where it varies much."""
        betas = self.numbers(key, (None,) * (2 if np.ndim(self[key]) == 2 else 1))
        if betas.ndim == 1:
            return betas
        if not len(betas):
            raise ValueError(f"{self.name(key)} is {betas.shape}; wanted one shape or one per frame")
        spread = float(betas.std(axis=0).max(initial=0.0))
        if spread > _LARGEST_BETAS_SPREAD:
            warnings.warn(
                f"{self.name(key)} varies by {spread:.1f} units from frame to frame; taken: the mean",
                stacklevel=3,
            )
        return betas.mean(axis=0)

    def frames(self, key: str) -> Int[np.ndarray, "time"]:
        """Numbers of video frames, from 0, each once and ascending."""
        frames = self.numbers(key, (None,))
        if not len(frames):
            raise ValueError(f"{self.name(key)} is empty; wanted a person in one frame or more")
        if (frames != np.round(frames)).any() or frames[0] < 0 or (np.diff(frames) <= 0).any():
            raise ValueError(f"{self.name(key)} must be whole, from 0 and ascending, each once")
        if frames[-1] > 2**53:
            raise ValueError(f"{self.name(key)} goes up to {frames[-1]:.3g}")
        return frames.astype(np.int64)


def as_fields(found: Any, path: str | Path, what: str, needed: Sequence[str], prefix: str = "") -> Fields:
    """A dict, seen to have the keys.

    Raises:
        ValueError: no dict, or a key is missing (the message says which).
    """
    if not isinstance(found, dict):
        raise ValueError(f"{path}: {what} is a {type(found).__name__}; wanted a dict")
    require_keys(found, needed, f"{path}: {what}")
    return Fields(found, path, prefix)


def as_numbers(value: Any, name: str, shape: tuple[int | None, ...]) -> Float[np.ndarray, "..."]:
    """Finite numbers of a shape, in double precision; None in the shape fits any size.

    Raises:
        ValueError: something else (the message gives both shapes); ``name`` is what it calls the value.
    """
    try:
        array = np.asarray(value)
        numbers = array.astype(np.float64) if array.dtype.kind in "biuf" else None
    except ValueError:
        numbers = None
    if numbers is None:
        raise ValueError(f"{name} holds no numbers")
    if numbers.ndim != len(shape) or any(
        want not in (None, size) for want, size in zip(shape, numbers.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} is {numbers.shape}; wanted ({wanted})")
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        raise ValueError(f"{name} is not finite at {bad[0].tolist()}")
    return numbers


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
    ordered = sorted(lengths, key=lambda name: -lengths[name])
    people = ", ".join(f"{name} ({lengths[name]} frames)" for name in ordered[:_MOST_LISTED])
    people += f" and {len(ordered) - _MOST_LISTED} more" if len(ordered) > _MOST_LISTED else ""
    if track is not None:
        named = [name for name in lengths if str(name) == str(track)]
        if not named:
            raise ValueError(f"{path}: no track {track!r}; wanted one of {people}")
        return named[0]
    if len(lengths) > 1:
        warnings.warn(
            f"{path}: {len(lengths)} people; taken: track {ordered[0]}, seen longest of {people} "
            "(track=… for another)",
            stacklevel=3,
        )
    return ordered[0]
