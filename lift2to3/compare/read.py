"""The two files of a comparison, of whatever kind each is; what one leaves open is as in the other."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from pathlib import Path
from typing import Final

import numpy as np

from lift2to3.array_files import array_names, load_array, load_arrays
from lift2to3.compare.world_points import WorldPoints, as_world_points, world_points
from lift2to3.convert.read_body import SeenBody, read_body
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.keypoints import Keypoints, as_rate
from lift2to3.motion import load_motion
from lift2to3.skeletons import SKELETONS, Skeleton, get_skeleton

Found = WorldPoints | Keypoints | SeenBody
"""What a file holds: joints in its world, 2D keypoints, or a posed body."""

_BODY_KEYS: Final = {"rotations", "rest_offsets", "poses", "root_orient"}
_KEYPOINT_KEYS: Final = {"xy", "keypoints"}


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a file may leave open.

    Attributes:
        skeleton: format of plain joints or keypoints that do not state it.
        fps: frames per second, where the file does not state it; None takes the other file's.
        key: array of an npz that holds several.
        track: whom, in another program's result of several people; None for who is seen longest.
        body_model: the SMPL-family file of another program's result, for the person's own proportions.
    """

    skeleton: str | Skeleton | None = None
    fps: float | None = None
    key: str | None = None
    track: str | int | None = None
    body_model: str | Path | None = None


def read_both(predicted: Path, true: Path, reading: Reading, true_reading: Reading) -> tuple[Found, Found]:
    """Both files; what one leaves open, format or rate, is as in the other.

    A file is read a second time with the other's rate only where it was refused without: what else is wrong
    with it is refused again.
    """
    skeleton = true_reading.skeleton or reading.skeleton
    try:
        truth = _read(true, true_reading, skeleton)
    except ValueError:
        if true_reading.fps is not None:
            raise
        fps = _rate(_read(predicted, reading, reading.skeleton))
        truth = _read(true, dataclasses.replace(true_reading, fps=fps), skeleton)
    try:
        guess = _read(predicted, reading, reading.skeleton)
    except ValueError:
        if reading.fps is not None:
            raise
        guess = _read(predicted, dataclasses.replace(reading, fps=_rate(truth)), reading.skeleton)
    return guess, truth


def _rate(found: Found) -> float:
    return found.body.fps if isinstance(found, SeenBody) else found.fps


def _read(path: Path, reading: Reading, skeleton: str | Skeleton | None) -> Found:
    """One file, told by its content; ``skeleton`` is that of joints whose file does not state one."""
    if path.is_dir() and not (path / "hps").is_dir() or path.suffix == ".json":
        return _keypoints(path, reading, skeleton)
    if path.is_dir():
        return read_body(path, reading.track, reading.fps, reading.body_model)
    with path.open("rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        array = _plain_npy(path)
        if array is not None and array.ndim == 3 and array.shape[-1] == 2:
            return _keypoints(path, reading, skeleton)
        if array is not None:
            return _joints(path, array, None, None, reading, skeleton)
    names = set(array_names(path))
    if reading.key is not None and names:
        return _joints_of_npz(path, reading, skeleton)
    if "joints_world" in names:
        motion = load_motion(path)
        _agreed_rate(path, motion.fps, reading.fps)
        try:
            return world_points(motion)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if names & _KEYPOINT_KEYS:
        return _keypoints(path, reading, skeleton)
    if names and not names & _BODY_KEYS:
        return _joints_of_npz(path, reading, skeleton)
    return read_body(path, reading.track, reading.fps, reading.body_model)


def _keypoints(path: Path, reading: Reading, skeleton: str | Skeleton | None) -> Keypoints:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no frame rate stated")  # shares of right points know no time
        if reading.skeleton is None and skeleton is not None:
            with contextlib.suppress(ValueError):  # the file states another, or what is wrong is said below
                return read_keypoints(path, skeleton, reading.fps)
        return read_keypoints(path, reading.skeleton, reading.fps)


def _plain_npy(path: Path) -> np.ndarray | None:
    """The array, or None where it holds objects."""
    try:
        return load_array(path)
    except ValueError as error:
        if "Object arrays" in str(error):
            return None
        raise ValueError(f"{path}: a damaged .npy ({error}); copy it again") from error


def _joints_of_npz(path: Path, reading: Reading, skeleton: str | Skeleton | None) -> WorldPoints:
    """The named array, or the only one that can be joints."""
    arrays = load_arrays(path)
    likely = [name for name, array in arrays.items() if array.ndim == 3 and array.shape[-1] == 3]
    key = reading.key if reading.key is not None else likely[0] if len(likely) == 1 else None
    if key not in arrays:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"{path}: wanted the name of its array (time, joints, 3) in --key (--truth-key), "
            f"{'none' if key is None else repr(key)} given; it holds {shapes or 'nothing'}"
        )
    stated = arrays.get("skeleton")
    return _joints(
        path, arrays[key], None if stated is None else str(stated), arrays.get("fps"), reading, skeleton
    )


def _joints(
    path: Path,
    array: np.ndarray,
    stated: str | None,
    stated_fps: np.ndarray | None,
    reading: Reading,
    skeleton: str | Skeleton | None,
) -> WorldPoints:
    """A plain array as joints of the stated or given format at the stated or given rate."""
    given = reading.skeleton
    if stated is not None and given is not None and get_skeleton(given).name != stated:
        raise ValueError(f"{path} states skeleton {stated!r}, given is {given!r}; wanted one")
    skeleton = stated or given or skeleton
    if skeleton is None:
        joints = array.shape[1] if array.ndim == 3 else 0
        fits = [name for name, format in SKELETONS.items() if len(format.joints) == joints]
        raise ValueError(
            f"{path}: {array.shape} of no stated format; wanted (time, joints, 3) and --skeleton "
            f"(--truth-skeleton), {'one of ' + ', '.join(fits) if fits else 'a table of your own as json'}"
        )
    if stated_fps is not None and (stated_fps.ndim or stated_fps.dtype.kind not in "fiu"):
        raise ValueError(f"{path}: fps is {stated_fps!r}; wanted one number, frames per second")
    fps = _agreed_rate(path, None if stated_fps is None else float(stated_fps), reading.fps)
    try:
        return as_world_points(array, skeleton, fps)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _agreed_rate(path: Path, stated: float | None, given: float | None) -> float:
    fps = given if stated is None else stated
    if fps is None:
        raise ValueError(f"{path} does not state its frames per second; pass --fps (--truth-fps)")
    fps = as_rate(fps, path)
    if given is not None and abs(as_rate(given, "--fps") - fps) > 1e-6 * fps:
        raise ValueError(f"{path} states {fps:g} frames per second, given are {given:g}; wanted one")
    return fps
