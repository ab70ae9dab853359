"""2D keypoints from and to files: which format it is, and what the file or the caller states beside them.

Every reader ends in the same place: x and y in pixels and a confidence per joint and frame, of one
person. The format (skeleton) and the frame rate come from the file where it states them, else from the
arguments, else from a default that is said aloud in a warning. Each format's layout stands in its module.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.array_files import load_json
from lift2to3.formats.keypoints import coco, mmpose, openpose, own_json
from lift2to3.formats.keypoints.arrays import read_npy, read_npz
from lift2to3.formats.keypoints.found import Found
from lift2to3.guarded_files import guarded
from lift2to3.keypoints import Keypoints, as_keypoints, as_rate
from lift2to3.skeletons import SKELETONS, Skeleton, get_skeleton

_JSON: Final = (own_json, openpose, mmpose, coco)
"""Formats of json, each told by its content: ``recognises(table)``, ``read(table, path)``."""


@guarded
def read_keypoints(
    path: str | Path, skeleton: str | Skeleton | None = None, fps: float | None = None
) -> Keypoints:
    """Read one person's 2D keypoints from any of this module's formats.

    Args:
        path: a file, or a folder of OpenPose json files.
        skeleton: the keypoint format, where the file does not state it.
        fps: frames per second, where the file does not state it.

    Raises:
        ValueError: not such a file, or the file states another skeleton or rate than the arguments.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    found = _found(path)
    points = np.asarray(found.points)
    if points.ndim != 3 or points.shape[-1] not in (2, 3) or points.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: keypoints are {points.shape} {points.dtype}; wanted numbers (time, joints, 2) or "
            "(time, joints, 3), the third being confidence"
        )
    confidence = points[..., 2] if points.shape[-1] == 3 else None
    try:
        chosen = _choose_skeleton(found.skeleton, skeleton, points.shape[1])
        return as_keypoints(points[..., :2], confidence, chosen, _choose_fps(found.fps, fps))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _found(path: Path) -> Found:
    if path.is_dir():
        return openpose.read_folder(path)
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    readers = {".npz": read_npz, ".npy": read_npy, ".json": _read_json}
    if path.suffix not in readers:
        raise ValueError(
            f"{path}: {path.suffix or 'no ending'} is not a keypoint format; wanted an .npz, an .npy, "
            "a .json or a folder of OpenPose json files"
        )
    return readers[path.suffix](path)


def _read_json(path: Path) -> Found:
    table: Any = load_json(path)
    for format in _JSON:
        if format.recognises(table):
            return format.read(table, path)
    found = ", ".join(table) if isinstance(table, dict) else f"a {type(table).__name__}"
    raise ValueError(
        f'{path}: no keypoints in it (found {found or "nothing"}); wanted {{"skeleton": …, "fps": …, '
        '"keypoints": [[[x, y, confidence], …], …]}, or a list of detections'
    )


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
    fits = [name for name, skeleton in SKELETONS.items() if len(skeleton.joints) == joints]
    if "coco17" not in fits and len(fits) != 1:
        known = ", ".join(fits or SKELETONS)
        raise ValueError(
            f"{joints} joints of no stated skeleton; pass --skeleton, one of: {known}"
            + ("" if fits else ", or your own table as json")
        )
    chosen = "coco17" if "coco17" in fits else fits[0]
    warnings.warn(f"no skeleton stated: took {chosen} (--skeleton changes it)", stacklevel=3)
    return SKELETONS[chosen]


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
