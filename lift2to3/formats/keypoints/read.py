"""2D keypoints from and to files: npz, npy, our json, OpenPose folders, detection lists.

Every reader ends in the same place: x and y in pixels and a confidence per joint and frame, of one
person. The format (skeleton) and the frame rate come from the file where it states them, else from the
arguments, else from a default that is said aloud in a warning.

=================  =======================================================================
``.npz``           ``xy`` (time, joints, 2) and, if there, ``confidence`` (time, joints);
                   or ``keypoints`` (time, joints, 3); if there, ``skeleton``, ``fps``
``.npy``           (time, joints, 2) or (time, joints, 3)
``.json``          ``{"skeleton": …, "fps": …, "keypoints": [[[x, y, confidence], …], …]}``,
                   null for a missing joint or frame
a folder           of OpenPose json, a file per frame (``people[…].pose_keypoints_2d``)
``.json``          COCO and AlphaPose lists (``image_id``, ``keypoints``) and MMPose's
                   (``frame_id``, ``instances``)
=================  =======================================================================
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lift2to3.formats.keypoints.one_person import follow_one_person
from lift2to3.motion import Keypoints, as_keypoints, load_arrays
from lift2to3.skeletons import SKELETONS, Skeleton, get_skeleton
from lift2to3.whole_file import whole_file

_WANTED = "wanted an .npz, an .npy, a .json or a folder of OpenPose json files"


class _Found(NamedTuple):
    """What a file says: (time, joints, 2 or 3), and the format and rate where it states them."""

    points: np.ndarray
    skeleton: str | None = None
    fps: float | None = None


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
    if path.is_dir():
        found = _read_openpose_folder(path)
    elif path.suffix == ".npz":
        found = _read_npz(path)
    elif path.suffix == ".npy":
        found = _read_npy(path)
    elif path.suffix == ".json":
        found = _read_json(path)
    elif path.exists():
        raise ValueError(f"{path}: {path.suffix or 'no ending'} is no keypoint format; {_WANTED}")
    else:
        raise FileNotFoundError(2, "no such file", str(path))
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
    if stated is not None and given is not None and abs(stated - given) > 1e-6 * abs(given):
        raise ValueError(
            f"the file states {stated:g} frames per second, the argument {given:g}; wanted one: leave "
            "--fps out or correct the file"
        )
    if stated is None and given is None:
        warnings.warn("no frame rate stated: took 30 frames per second (--fps changes it)", stacklevel=3)
    return next((fps for fps in (stated, given) if fps is not None), 30.0)


def write_keypoints(keypoints: Keypoints, path: str | Path) -> Path:
    """Write ``.npz`` or our ``.json``, by the path's ending; `read_keypoints` gives back the same.

    Of a format of the user's own only the name is written; reading asks for it again.

    Raises:
        ValueError: another ending.
    """
    path = Path(path)
    xy, confidence = keypoints.xy_px, keypoints.confidence
    if path.suffix not in (".npz", ".json"):
        raise ValueError(
            f"{path}: keypoints are written as .npz or .json, not {path.suffix or 'without ending'}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        if path.suffix == ".npz":
            np.savez_compressed(
                part, xy=xy, confidence=confidence, skeleton=keypoints.skeleton.name, fps=keypoints.fps
            )
        else:
            seen = confidence > 0
            frames = [
                [[*point, c] if there else None for point, c, there in zip(*joints, strict=True)]
                for joints in zip(xy.tolist(), confidence.tolist(), seen.tolist(), strict=True)
            ]
            table = {"skeleton": keypoints.skeleton.name, "fps": keypoints.fps, "keypoints": frames}
            part.write_text(json.dumps(table, allow_nan=False))
    return path


# --- arrays


def _read_npz(path: Path) -> _Found:
    arrays = load_arrays(path)
    if "xy" in arrays:
        points = arrays["xy"]
        if "confidence" in arrays:
            confidence = arrays["confidence"]
            if points.ndim != 3 or points.shape[-1] != 2 or confidence.shape != points.shape[:2]:
                raise ValueError(
                    f"{path}: xy is {points.shape} and confidence {confidence.shape}; wanted (time, "
                    "joints, 2) and (time, joints)"
                )
            points = np.concatenate([points, confidence[..., None]], axis=-1)
    elif "keypoints" in arrays:
        points = arrays["keypoints"]
    else:
        raise ValueError(
            f"{path}: no key xy (time, joints, 2) or keypoints (time, joints, 3); found "
            f"{', '.join(arrays) or 'none'}"
        )
    skeleton = str(arrays["skeleton"]) if "skeleton" in arrays else None
    return _Found(points, skeleton, _number(path, arrays.get("fps")))


def _read_npy(path: Path) -> _Found:
    try:
        points = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a plain .npy array ({error}); save numbers, not objects") from error
    if not isinstance(points, np.ndarray):
        raise ValueError(f"{path}: an archive, not one array; give it the ending .npz")
    return _Found(points)


def _number(path: Path, fps: Any) -> float | None:
    if fps is None:
        return None
    try:
        return float(fps)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: fps is {fps!r}; wanted one number, frames per second") from error


# --- json


def _load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable json ({error})") from error


def _read_json(path: Path) -> _Found:
    table = _load_json(path)
    if isinstance(table, dict):
        if "keypoints" in table:
            return _read_own(path, table)
        if "people" in table:
            raise ValueError(f"{path}: one frame of OpenPose; pass the folder with all frames' files")
        table = table.get("instance_info", table.get("annotations", table))
    if isinstance(table, list) and table and all(isinstance(row, dict) for row in table):
        if all("instances" in row for row in table):
            return _read_mmpose(path, table)
        if all("keypoints" in row and "image_id" in row for row in table):
            return _read_detections(path, table)
    found = ", ".join(table) if isinstance(table, dict) else f"a {type(table).__name__}"
    raise ValueError(
        f'{path}: no keypoints in it (found {found or "nothing"}); wanted {{"skeleton": …, "fps": …, '
        '"keypoints": [[[x, y, confidence], …], …]}, or a list of detections'
    )


def _read_own(path: Path, table: dict[str, Any]) -> _Found:
    frames = table["keypoints"]
    if not isinstance(frames, list) or not any(isinstance(frame, list) for frame in frames):
        raise ValueError(f"{path}: keypoints hold no frame; wanted [[[x, y, confidence], …], …]")
    joints = next(len(frame) for frame in frames if isinstance(frame, list))
    rows = []
    for number, frame in enumerate(frames):
        frame = [None] * joints if frame is None else frame
        if not isinstance(frame, list) or len(frame) != joints:
            size = f"{len(frame)} joints" if isinstance(frame, list) else repr(frame)
            raise ValueError(f"{path}: frame {number} has {size}, the first one {joints} joints")
        for joint, point in enumerate(frame):
            rows.append(_own_point(path, number, joint, point))
    skeleton = table.get("skeleton")
    if not isinstance(skeleton, str | None):
        raise ValueError(f"{path}: skeleton is {skeleton!r}; wanted a format's name")
    points = np.array(rows, dtype=np.float64).reshape(len(frames), joints, 3)
    return _Found(points, skeleton, _number(path, table.get("fps")))


def _own_point(path: Path, frame: int, joint: int, point: Any) -> tuple[float, float, float]:
    """(x, y, confidence); NaN, NaN, 0 for null."""
    if point is None:
        return np.nan, np.nan, 0.0
    if isinstance(point, list) and len(point) in (2, 3):
        numbers = [np.nan if value is None else value for value in point]
        if all(isinstance(value, int | float) for value in numbers):
            return numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 1.0
    raise ValueError(
        f"{path}: frame {frame}, joint {joint} is {point!r}; wanted [x, y], [x, y, confidence] or null"
    )


# --- detectors' outputs: any number of people a frame


def _person(source: str, flat: Any, scores: Any = None) -> np.ndarray:
    """(joints, 3) of one detection, from a flat x, y, c list or pairs with their scores.

    COCO's visibility flags (0, 1, 2) become 0 and 1; heat-map scores a little above 1 become 1.
    """
    try:
        numbers = np.array(flat, dtype=np.float64).reshape(-1, 3 if scores is None else 2)
        if scores is not None:
            numbers = np.column_stack([numbers, np.array(scores, dtype=np.float64)])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: keypoints are no list of x, y, confidence ({error})") from error
    confidence = numbers[:, 2]
    if np.isin(confidence, (0, 1, 2)).all() or confidence.max(initial=0.0) <= 1.5:
        numbers[:, 2] = np.minimum(confidence, 1.0)
    return numbers


def _frame_numbers(names: Sequence[str], source: str) -> list[int]:
    """The number in each name that changes from name to name; the names' order where there is none.

    Raises:
        ValueError: two names with one number.
    """
    groups = [[int(digits) for digits in re.findall(r"\d+", name)] for name in names]
    columns = list(zip(*groups, strict=True)) if len({len(group) for group in groups}) == 1 else []
    changing = [column for column in columns if len(set(column)) > 1]
    if changing:
        numbers = list(changing[-1])
    elif all(groups) and not columns:
        numbers = [group[-1] for group in groups]
    else:
        numbers = list(range(len(names)))
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        both = [name for name, number in zip(names, numbers, strict=True) if number == twice]
        raise ValueError(f"{source}: frame {twice} twice ({', '.join(both[:3])}); wanted one camera's frames")
    return numbers


def _read_openpose_folder(path: Path) -> _Found:
    files = sorted(path.glob("*.json"))
    if not files:
        raise ValueError(f"{path}: a folder without .json files; wanted OpenPose's, one per frame")
    frames = {}
    for number, file in zip(_frame_numbers([f.stem for f in files], str(path)), files, strict=True):
        table = _load_json(file)
        if not isinstance(table, dict) or not isinstance(table.get("people"), list):
            raise ValueError(f'{file}: no "people" in it; wanted OpenPose\'s json, a file per frame')
        frames[number] = [_person(str(file), person.get("pose_keypoints_2d")) for person in table["people"]]
    return _Found(follow_one_person(frames, str(path)))


def _read_detections(path: Path, rows: list[dict[str, Any]]) -> _Found:
    """COCO results or annotations, AlphaPose: an entry per person, frames named by ``image_id``."""
    images = list(dict.fromkeys(row["image_id"] for row in rows))
    if all(isinstance(image, int) for image in images):
        number = {image: image for image in images}
    else:
        stems = [Path(str(image)).stem for image in images]
        number = dict(zip(images, _frame_numbers(stems, str(path)), strict=True))
    frames: dict[int, list[np.ndarray]] = {}
    for row in rows:
        frames.setdefault(number[row["image_id"]], []).append(_person(str(path), row["keypoints"]))
    return _Found(follow_one_person(frames, str(path)))


def _read_mmpose(path: Path, rows: list[dict[str, Any]]) -> _Found:
    """MMPose's video predictions: an entry per frame with its ``instances``."""
    frames = {
        int(row.get("frame_id", order)): [
            _person(
                str(path),
                person.get("keypoints"),
                person.get("keypoint_scores", [1.0] * len(person.get("keypoints", []))),
            )
            for person in row["instances"]
        ]
        for order, row in enumerate(rows)
    }
    return _Found(follow_one_person(frames, str(path)))
