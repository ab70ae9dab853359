"""2D keypoints from and to files: which format it is, and what the file or the caller states beside them.

Every reader ends in the same place: x and y in pixels and a confidence per joint and frame, of one
person. The format (skeleton) and the frame rate come from the file where it states them, else from the
arguments, else from a default that is said aloud in a warning. Each format's layout stands in its module.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.array_files import load_json
from lift2to3.formats.keypoints import (
    alphapose,
    coco,
    mediapipe,
    mmpose,
    openpose,
    own_json,
    table,
    tracking,
    trc,
    ultralytics,
)  # fmt: skip
from lift2to3.formats.keypoints.arrays import read_npy, read_npz
from lift2to3.formats.keypoints.folder import read_folder
from lift2to3.formats.keypoints.found import Detections, Found
from lift2to3.formats.keypoints.joint_names import in_skeleton
from lift2to3.formats.keypoints.people import every_person, one_person
from lift2to3.formats.keypoints.scores import as_confidence
from lift2to3.guarded_files import guarded
from lift2to3.keypoints import Keypoints, as_keypoints, as_rate
from lift2to3.skeletons import ALSO_READ, SKELETONS, Skeleton, get_skeleton
from lift2to3.told import gathered_warnings

_JSON: Final[Mapping[str, Any]] = {
    "own": own_json, "openpose": openpose, "mediapipe": mediapipe, "ultralytics": ultralytics,
    "mmpose": mmpose, "alphapose": alphapose, "coco": coco,
}  # fmt: skip
"""Formats of json, each told by its content: ``recognises(table)``, ``read(table, path)``."""

_BY_ENDING: Final[Mapping[str, Callable[[Path], Found | Detections]]] = {
    ".npz": read_npz, ".npy": read_npy, ".csv": table.read, ".tsv": table.read, ".trc": trc.read,
    **dict.fromkeys(tracking.ENDINGS, tracking.read),
}  # fmt: skip

FORMATS: Final = (*_JSON, *tracking.PROGRAMS)
"""What ``format`` may be, where a file's content is not to decide."""


@guarded
def read_keypoints(
    path: str | Path,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    format: str | None = None,
    size: tuple[int, int] | None = None,
    person: str | int | None = None,
) -> Keypoints:
    """Read one person's 2D keypoints from any of this module's formats.

    Args:
        path: a file, or a folder with a file for each frame, such as OpenPose's.
        skeleton: the keypoint format, where the file does not state it.
        fps: frames per second, where the file does not state it.
        format: which file format it is, one of `FORMATS`; None tells it by its content.
        size: the picture's width and height in pixels, for formats whose coordinates are shares of them.
        person: whom, where there are several: the tracker's id or, where there is none, the number that the
            warning gives; several ids of one person joined by a comma. None for who is seen most and best.

    Raises:
        ValueError: not such a file, nobody of that name, or the file states another skeleton or rate than the
            arguments.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    found = _found(path, format)
    if isinstance(found, Detections):
        found = one_person(found, path, None if person is None else str(person))
    elif person not in (None, 1, "1"):
        raise ValueError(f"{path}: no person {person!r}; it holds one")
    return _checked(found, path, skeleton, fps, size)


def read_people(
    path: str | Path,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    format: str | None = None,
    size: tuple[int, int] | None = None,
) -> dict[str, Keypoints]:
    """Read everybody's 2D keypoints: by id or number, each from the first frame they are seen in to the last.

    The arguments are `read_keypoints`'.

    Raises:
        ValueError: not such a file, or the file states another skeleton or rate than the arguments.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    found = _found(path, format)
    people = every_person(found, path) if isinstance(found, Detections) else {"1": found}
    with gathered_warnings() as texts:  # what is taken for granted is so for all alike: said once
        checked = {name: _checked(clip, path, skeleton, fps, size) for name, clip in people.items()}
    for text in texts:
        warnings.warn(text, stacklevel=2)
    return checked


def _found(path: Path, format: str | None) -> Found | Detections:
    if format is not None and format not in FORMATS:
        raise ValueError(f"unknown format {format!r} of keypoints; known: {', '.join(FORMATS)}")
    if path.is_dir():
        return read_folder(path, format)
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    ending = path.suffix.lower()
    if format in tracking.PROGRAMS and not (ending == ".csv" and format in ("deeplabcut", "lightningpose")):
        return tracking.read(path, format)
    if ending in _BY_ENDING:
        return _BY_ENDING[ending](path)
    if ending == ".json":
        return _read_json(path, format)
    raise ValueError(
        f"{path}: {ending or 'no ending'} is not a keypoint format; wanted .json, {', '.join(_BY_ENDING)} "
        "or a folder with a json file for each frame"
    )


def _read_json(path: Path, format: str | None) -> Found | Detections:
    table: Any = load_json(path)
    for name, reader in _JSON.items():
        if format in (None, name) and reader.recognises(table):
            return reader.read(table, path)
    if format is not None:
        raise ValueError(f"{path}: not what {format} writes; leave --format out, or name another")
    found = ", ".join(map(str, list(table)[:8])) if isinstance(table, dict) else f"a {type(table).__name__}"
    raise ValueError(
        f'{path}: no keypoints in it (found {found or "nothing"}); wanted {{"skeleton": …, "fps": …, '
        '"keypoints": [[[x, y, confidence], …], …]}, or a list of detections'
    )


def _checked(
    found: Found,
    path: Path,
    skeleton: str | Skeleton | None,
    fps: float | None,
    size: tuple[int, int] | None,
) -> Keypoints:
    """One person's clip as `Keypoints`, in pixels."""
    points = np.asarray(found.points)
    if points.ndim != 3 or points.shape[-1] not in (2, 3) or points.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: keypoints are {points.shape} {points.dtype}; wanted numbers (time, joints, 2) or "
            "(time, joints, 3), the third being confidence"
        )
    points = points.astype(np.float64)
    confidence = as_confidence(points[..., 2], found.detector, path) if points.shape[-1] == 3 else None
    if confidence is not None:
        points[..., 2] = confidence
    if found.normalised:
        if size is None:
            raise ValueError(
                f"{path}: x and y are shares of the picture's width and height; wanted its size in pixels, "
                "which a camera states (size=(width, height))"
            )
        points[..., :2] *= size
    try:
        named = None
        if found.names is not None and found.skeleton is None:
            given = None if skeleton is None else get_skeleton(skeleton)
            named = in_skeleton(found.names, points, given)
        if named is not None:
            points, chosen = named
        else:
            chosen = _choose_skeleton(found.skeleton, skeleton, points.shape[1])
        confidence = points[..., 2] if points.shape[-1] == 3 else None
        rate = _choose_fps(found.fps, fps)
        return as_keypoints(points[..., :2], confidence, chosen, rate, found.first_frame)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _choose_skeleton(stated: str | None, given: str | Skeleton | None, joints: int) -> Skeleton:
    if given is not None:
        given = get_skeleton(given)
        if stated not in (None, given.name):
            raise ValueError(
                f"the file states skeleton {stated!r}, the argument {given.name!r}; wanted one: leave "
                "--skeleton out or correct the file"
            )
        return given
    if stated is not None:
        return get_skeleton(stated)
    formats = {**SKELETONS, **ALSO_READ}
    fits = [name for name, skeleton in formats.items() if len(skeleton.joints) == joints]
    if "coco17" not in fits and len(fits) != 1:
        known = ", ".join(fits or formats)
        raise ValueError(
            f"{joints} joints of no stated skeleton; pass --skeleton, one of: {known}"
            + ("" if fits else ", or your own table as json")
        )
    chosen = "coco17" if "coco17" in fits else fits[0]
    warnings.warn(f"no skeleton stated: took {chosen} (--skeleton changes it)", stacklevel=3)
    return formats[chosen]


def _choose_fps(stated: float | None, given: float | None) -> float:
    given = None if given is None else as_rate(given, "--fps")
    if stated is not None and given is not None and not abs(stated - given) <= 1e-6 * given:
        raise ValueError(
            f"the file states {stated:g} frames per second, the argument {given:g}; wanted one: leave "
            "--fps out or correct the file"
        )
    if stated is None and given is None:
        warnings.warn("no frame rate stated: took 30 frames per second (--fps changes it)", stacklevel=3)
    return next((fps for fps in (stated, given) if fps is not None), 30.0)


def write_keypoints(keypoints: Keypoints, path: str | Path) -> Path:
    """Write ``.npz`` or our ``.json``, by the ending: `Keypoints.save`."""
    return keypoints.save(path)
