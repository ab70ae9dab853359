"""`compare` on files: two of one clip, or two folders of many clips matched by their names.

Read are

- our motion and body npz;
- results of GVHMR, WHAM, TRAM, PHALP and 4D-Humans, and AMASS-style npz (`read_body`);
- plain arrays of joints, (time, joints, 3) metres of a named format: ``.npy``, or one array of an ``.npz``;
- 2D keypoints in pixels (`lift2to3.formats.keypoints.read`), against 2D keypoints.

Nothing in the files is run.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from lift2to3.compare.motions import COUNTED, UNITS, Compared, compare_keypoints, compare_motions
from lift2to3.compare.read import Found, Reading, read_both
from lift2to3.compare.world_points import WorldPoints, world_points
from lift2to3.convert.read_body import SeenBody
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.metrics import DEFINITIONS
from lift2to3.motion import BodyMotion
from lift2to3.progress import ProgressCallback
from lift2to3.scores import Scores, combine
from lift2to3.skeletons import Skeleton
from lift2to3.whole_file import whole_text

ENDINGS: Final = (".npz", ".npy", ".pt", ".pth", ".pkl", ".json")
"""Of the files that a folder's clips are in; others are not looked at."""


class Comparison(NamedTuple):
    """Scores of every clip and of all frames of all clips together.

    Attributes:
        clips: clip's name → its scores.
        overall: frame-weighted; `Scores.counts` says over how many.
        joints: those that the joint errors of every clip are over.
        missing: clips of the truth without a prediction, in no score.
        extra: predictions without a truth.
    """

    clips: dict[str, Compared]
    overall: Scores
    joints: tuple[str, ...]
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def compare_files(
    predicted: str | Path,
    true: str | Path,
    reading: Reading | None = None,
    true_reading: Reading | None = None,
    joints: str | Skeleton | None = None,
    resample: bool = False,
    missing: Literal["error", "skip"] = "error",
    camera: Camera | None = None,
    progress: ProgressCallback | None = None,
) -> Comparison:
    """Compare two files, or two folders' files of one name.

    Args:
        predicted: file or folder.
        true: likewise.
        reading: what the predicted files leave open.
        true_reading: what the true ones do; its skeleton is otherwise that of ``reading``.
        joints: format whose joints are compared; None for all that both have.
        resample: bring predictions to the truth's rate, where they differ.
        missing: whether a clip of the truth without a prediction is an error or left out with a warning.
        camera: the calibrated camera in the truth's world. A predicted file that holds its own camera (GVHMR,
            WHAM, TRAM, PHALP) is moved into this world so that this camera sees it where its own did.
        progress: called with (clips done, clips in all).

    Raises:
        ValueError: a file of no known kind, clips without partner, or two that cannot be compared (see
            `compare_motions`); the message names the file.
        FileNotFoundError: there is no such file.
    """
    reading, true_reading = reading or Reading(), true_reading or Reading()
    pairs, without, extra = _pairs(Path(predicted), Path(true), missing)
    clips: dict[str, Compared] = {}
    for name, (guessed, given) in pairs.items():
        found = read_both(guessed, given, reading, true_reading)
        try:
            clips[name] = _compare(*found, joints, resample, camera)
        except ValueError as error:
            raise ValueError(f"{guessed} against {given}: {error}") from error
        if progress is not None:
            progress(len(clips), len(pairs))
    first = next(iter(clips))
    for name, clip in clips.items():
        if clip.joints != clips[first].joints:
            raise ValueError(
                f"clip {first} is compared on {len(clips[first].joints)} joints, clip {name} on "
                f"{len(clip.joints)}; wanted the same in all: pass --joints with a format that all have"
            )
    overall = combine(clip.scores for clip in clips.values())
    return Comparison(clips, overall, clips[first].joints, without, extra)


def write_comparison(path: str | Path, comparison: Comparison, **settings: object) -> Path:
    """Write json: every score with its unit and what it is over; null for no score.

    The file appears whole or not at all.
    """
    record = {
        "definitions": DEFINITIONS,
        **settings,
        "joints": list(comparison.joints),
        "frames": sum(clip.frames for clip in comparison.clips.values()),
        "overall": _score_record(comparison.overall),
        "clips": {
            name: {"frames": clip.frames, "fps": clip.fps, "scores": _score_record(clip.scores)}
            for name, clip in comparison.clips.items()
        },
        "clips_missing": list(comparison.missing),
        "clips_without_truth": list(comparison.extra),
    }
    with whole_text(path) as file:
        json.dump(record, file, indent=1, ensure_ascii=False, allow_nan=False)
    return Path(path)


def _score_record(scores: Scores) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "value": value if np.isfinite(value) else None,
            "unit": UNITS[name],
            "count": int(scores.counts[name]),
            "of": COUNTED.get(name, "frames"),
        }
        for name, value in scores.items()
    }


# --- clips


def _pairs(
    predicted: Path, true: Path, missing: Literal["error", "skip"]
) -> tuple[dict[str, tuple[Path, Path]], tuple[str, ...], tuple[str, ...]]:
    """Clip's name → its two files; the truths without prediction, and the predictions without truth."""
    for path in (predicted, true):
        if not path.exists():
            raise FileNotFoundError(2, "no such file or folder", str(path))
    folders = [path.is_dir() and not _is_one_clip(path) for path in (predicted, true)]
    if not any(folders):
        return {true.stem: (predicted, true)}, (), ()
    if not all(folders):
        file, folder = (true, predicted) if folders[0] else (predicted, true)
        raise ValueError(f"{folder} is a folder of clips, {file} is one; wanted two folders or two clips")
    found, wanted = _clips(predicted), _clips(true)
    without = tuple(name for name in wanted if name not in found)
    extra = tuple(name for name in found if name not in wanted)
    pairs = {name: (found[name], path) for name, path in wanted.items() if name in found}
    if without and (missing == "error" or not pairs):
        raise ValueError(
            f"{predicted}: no prediction of {_listed(without)}, {len(without)} of {len(wanted)} clips in "
            f"{true}; wanted files of the same names (it has {_listed(tuple(found))})"
            + ("; --missing skip scores the others" if pairs else "")
        )
    for names, what in ((without, "clips have no prediction"), (extra, "predictions have no truth")):
        if names:
            warnings.warn(f"{len(names)} {what} and are in no score: {_listed(names)}", stacklevel=3)
    return pairs, without, extra


def _listed(names: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _is_one_clip(folder: Path) -> bool:
    """A folder of TRAM's, or OpenPose's json files, one a frame."""
    if (folder / "hps").is_dir():
        return True
    first = next(iter(sorted(folder.glob("*.json"))), None)
    if first is None:
        return False
    try:
        table = json.loads(first.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(table, dict) and "people" in table


def _clips(folder: Path) -> dict[str, Path]:
    """Stem → file, or folder of one clip."""
    clips: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        is_clip = _is_one_clip(path) if path.is_dir() else path.suffix in ENDINGS
        if path.name.startswith(".") or not is_clip:
            continue
        name = path.name if path.is_dir() else path.stem
        if name in clips:
            raise ValueError(f"{folder}: {clips[name].name} and {path.name} are both clip {name}; wanted one")
        clips[name] = path
    if not clips:
        raise ValueError(f"{folder}: no clips in it; wanted files that end in {', '.join(ENDINGS)}")
    return clips


# --- one clip


def _compare(
    guess: Found, truth: Found, joints: str | Skeleton | None, resample: bool, camera: Camera | None
) -> Compared:
    if isinstance(guess, Keypoints) and isinstance(truth, Keypoints):
        return compare_keypoints(guess, truth, joints)
    if isinstance(guess, Keypoints) or isinstance(truth, Keypoints):
        flat = "prediction" if isinstance(guess, Keypoints) else "truth"
        raise ValueError(f"the {flat} is 2D keypoints, the other 3D joints; wanted one kind")
    target = world_points(truth.body) if isinstance(truth, SeenBody) else truth
    if camera is not None and getattr(guess, "cam_from_world", None) is None:
        raise ValueError("the prediction holds no camera of its own; leave --camera out")
    if isinstance(guess, SeenBody):
        known = isinstance(truth, SeenBody) and truth.cam_from_world is not None
        guess = _seen_points(guess, target, known, camera)
    return compare_motions(guess, target, joints, resample)


def _seen_points(seen: SeenBody, truth: WorldPoints, same_kind: bool, camera: Camera | None) -> WorldPoints:
    """A predicted body on the video's frames, in the truth's world if a camera says where that is.

    Frames before and after those that the program followed the person in are missing.
    """
    if seen.cam_from_world is None:
        return world_points(seen.body)
    if camera is not None:
        seen = seen._replace(body=_placed(seen, camera))
    elif not same_kind:
        warnings.warn(
            "the prediction's world is its own, turned and shifted against the truth's: mpjpe, abs_mpjpe, "
            "root_error, accel and ajae compare the two as they are; --camera puts it into the truth's",
            stacklevel=3,
        )
    points = world_points(seen.body)
    assert points.ankles is not None
    video = round(len(truth.points_world) * points.fps / truth.fps)
    beside = int(seen.frames[0]), max(video - int(seen.frames[-1]) - 1, 0)
    return points._replace(
        points_world=np.pad(points.points_world, (beside, (0, 0), (0, 0)), constant_values=np.nan),
        ankles=np.pad(points.ankles, (beside, (0, 0), (0, 0), (0, 0)), constant_values=np.nan),
    )


def _placed(seen: SeenBody, camera: Camera) -> BodyMotion:
    """The body where this camera sees it as its own camera did, frame by frame."""
    assert seen.cam_from_world is not None and seen.cam_translation is not None
    world_from_cam = np.asarray(camera.R, float).T
    moves = world_from_cam @ seen.cam_from_world
    rotations = np.array(seen.body.rotations, float)
    rotations[:, 0] = moves @ rotations[:, 0]
    shift = (seen.cam_translation - np.asarray(camera.t, float)) @ world_from_cam.T
    root = np.einsum("tij,tj->ti", moves, np.asarray(seen.body.root_translation, float)) + shift
    return seen.body._replace(rotations=rotations, root_translation=root)
