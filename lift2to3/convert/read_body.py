"""Another program's result as a posed body and the camera that saw it; the format is told by content.

Read are GVHMR, WHAM, TRAM, PHALP and 4D-Humans, AMASS-style npz and our own; each layout stands in its module
of `lift2to3.formats`. Nothing in the files is run.

Worlds come out as ours: metres, z up, the floor at z = 0. Where a program does not know the floor (all but
AMASS), it is put under the soles: the height that the lowest foot point stays above in 19 of 20 frames.
Where it does not know gravity (TRAM, PHALP), the camera, TRAM's in the first frame, is taken to be level, and
a warning says so. Where it knows the body in its world and in the camera (GVHMR, WHAM), the camera of each
frame is the one that sees the one body where the other stands.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lift2to3.array_files import array_names
from lift2to3.body import pose_body
from lift2to3.convert.rest_skeleton import RestSkeleton, ordinary_rest, rest_of_model
from lift2to3.formats.motions.amass import read_amass_npz, read_smpl_npz
from lift2to3.formats.motions.gvhmr import gvhmr_result, is_gvhmr
from lift2to3.formats.motions.phalp import is_phalp, phalp_result
from lift2to3.formats.motions.smpl_results import Root, SmplResult, Up
from lift2to3.formats.motions.tram import is_tram, read_tram_folder, tram_result
from lift2to3.formats.motions.wham import is_wham, wham_result
from lift2to3.formats.object_files import load_objects
from lift2to3.geometry.ground import FOOT_HEIGHT_M
from lift2to3.guarded_files import guarded
from lift2to3.keypoints import as_rate
from lift2to3.motion import BodyMotion, load_body_motion
from lift2to3.resample import resample_linearly, resample_rotations
from lift2to3.skeletons import FOOT_POINTS, INDEX
from lift2to3.smpl import load_body_model

_WORLD_FROM: Final[dict[Up, np.ndarray]] = {
    "z": np.eye(3),
    "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
"""Turns a file's world into ours: its up becomes z, x stays."""

_MOST_FILLED: Final = 100
"""Frames that a person may be away for, for each one that they are seen in."""

_UNDER_FLOOR_PERCENT: Final = 5.0

_RESULTS: Final = (
    (is_gvhmr, gvhmr_result), (is_wham, wham_result), (is_tram, tram_result), (is_phalp, phalp_result),
)  # fmt: skip


class SeenBody(NamedTuple):
    """A posed body and the camera that saw it, frame by frame; frames in between are filled in, not valid.

    Attributes:
        body: in our world: z up, floor at z = 0.
        cam_from_world: each frame's camera, ``x_cam = cam_from_world @ x_world + cam_translation``; OpenCV's
            axes. None where the file has no camera.
        cam_translation: metres, or None likewise.
        K: intrinsics in pixels as the program has them, or None where the file has none.
        frames: which of the video's frames these are, counted from 0, without gaps.
        upright: False where gravity is not in the file and the camera was taken to be level.
    """

    body: BodyMotion
    cam_from_world: Float[np.ndarray, "time 3 3"] | None
    cam_translation: Float[np.ndarray, "time 3"] | None
    K: Float[np.ndarray, "3 3"] | None
    frames: Int[np.ndarray, "time"]
    upright: bool = True


@guarded
def read_body(
    path: str | Path,
    track: str | int | None = None,
    fps: float | None = None,
    body_model: str | Path | None = None,
    otherwise: float | None = None,
) -> SeenBody:
    """Read a posed body of any of the formats above.

    Args:
        path: the file; for TRAM a person's file or the folder ``results/<video>``.
        track: whom, as the file names them, where it holds several people; None for who is seen longest.
        fps: frames per second of the video. None takes the file's; WHAM, TRAM and PHALP do not say it.
        body_model: the SMPL, SMPL-H or SMPL-X file of the result's kind, for the person's own proportions
            and the exact place. Without, proportions are ordinary and the pelvis is the mean body's: limbs
            point where they should to a degree or two, the feet are off by some centimetres.
        otherwise: frames per second where the file does not say it, or only assumes it.

    Raises:
        ValueError: no such format, nobody of that name, no rate, a body model of another kind, or a file
            that is not what its format says (the message says what was found and wanted).
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    result = _read(path, track)
    if isinstance(result, BodyMotion):
        body = result if fps is None else result._replace(fps=as_rate(fps, path))
        return SeenBody(body, None, None, None, body.first_frame + np.arange(len(body.valid)))
    # GVHMR takes every video to be 30 fps: who knows better is believed
    stated = result.fps if otherwise is None or array_names(path) else None
    rate = next((rate for rate in (fps, stated, otherwise) if rate is not None), None)
    if rate is None:
        raise ValueError(f"{path}: the file does not say the video's rate; pass fps, e.g. fps=30")
    rate = as_rate(rate, path)
    rest = _rest(result, path, body_model)
    if result.in_world is None:
        first = ", in its first frame," if result.camera_in_world is not None else ""
        warnings.warn(f"{path}: gravity is not in it; the camera{first} is taken to be level", stacklevel=2)
    return _placed(result, rest, rate, path)


def _read(path: Path, track: str | int | None) -> SmplResult | BodyMotion:
    """The file's content, by what it looks like."""
    if path.is_dir():
        return read_tram_folder(path, track)
    names = array_names(path)
    if names:
        if track not in (None, 0, "0"):
            raise ValueError(f"{path}: no track {track!r}; an npz of motion holds one person")
        if "rotations" in names:
            return load_body_motion(path)
        return read_smpl_npz(path) if "rest_offsets" in names else read_amass_npz(path)
    found = load_objects(path)
    for recognises, result in _RESULTS:
        if recognises(found):
            return result(found, path, track)
    kind = (
        f"dict of {', '.join(map(str, list(found)[:8]))}" if isinstance(found, dict) else type(found).__name__
    )
    raise ValueError(
        f"{path}: no body motion in it (a {kind}); wanted a result of GVHMR (hmr4d_results.pt), WHAM "
        "(wham_output.pkl), TRAM (results/<video>), PHALP or 4D-Humans (results/….pkl), or an npz of AMASS "
        "or of ours"
    )


def _rest(result: SmplResult, path: Path, body_model: str | Path | None) -> RestSkeleton:
    if body_model is None:
        return ordinary_rest("smplx" if result.model == "smplx" else "smpl")
    model = load_body_model(body_model, betas=len(result.betas))
    if model.kind != result.model:
        raise ValueError(
            f"{body_model} is a {model.kind} model; {path} holds {result.model} parameters, wanted that model"
        )
    return rest_of_model(model, result.betas)


def _placed(result: SmplResult, rest: RestSkeleton, fps: float, path: Path) -> SeenBody:
    """The body in our world and the camera there, every frame filled."""
    world, upright = _WORLD_FROM[result.up], result.in_world is not None
    camera: Root | None
    if result.in_world is not None:
        root, camera = _moved(_pelvis(result.in_world, rest), world), None
        if result.in_camera is not None:  # each frame's camera that sees the body where the other stands
            seen = _pelvis(result.in_camera, rest)
            axes = seen.orientation @ root.orientation.swapaxes(1, 2)
            camera = Root(axes, seen.translation - _rotated(axes, root.translation))
    else:
        assert result.in_camera is not None
        seen = _pelvis(result.in_camera, rest)
        still = Root(np.tile(np.eye(3), (len(result.frames), 1, 1)), np.zeros((len(result.frames), 3)))
        pose = _moved(result.camera_in_world or still, world)
        place = _rotated(pose.orientation, seen.translation) + pose.translation
        root = Root(pose.orientation @ seen.orientation, place)
        inverse = pose.orientation.swapaxes(1, 2)
        camera = Root(inverse, -_rotated(inverse, pose.translation))
    rotations = np.concatenate([root.orientation[:, None], result.body_pose], axis=1)
    floor = 0.0 if result.on_floor else _floor(rest, rotations, root.translation)
    down = np.array([0.0, 0.0, -floor])
    times, frames = result.frames, _every_frame(result.frames, path)
    body = BodyMotion(
        root_translation=resample_linearly(root.translation + down, times, frames),
        rotations=resample_rotations(rotations, times, frames),
        rest_offsets=rest.rest_offsets,
        fps=fps,
        valid=np.isin(frames, times),
        first_frame=int(frames[0]),
    )
    if camera is None:
        return SeenBody(body, None, None, result.K, frames, upright)
    axes = resample_rotations(camera.orientation, times, frames)
    lifted = resample_linearly(camera.translation - camera.orientation @ down, times, frames)
    return SeenBody(body, axes, lifted, result.K, frames, upright)


def _pelvis(root: Root, rest: RestSkeleton) -> Root:
    """The translation made the pelvis's place."""
    if root.of_hips:
        middle = root.orientation @ rest.rest_offsets[INDEX["mid_hip"]]
        return Root(root.orientation, root.translation - middle)
    return Root(root.orientation, root.translation + rest.pelvis_at_rest)


def _moved(root: Root, rotation: Float[np.ndarray, "3 3"]) -> Root:
    return Root(rotation @ root.orientation, root.translation @ rotation.T)


def _rotated(
    rotations: Float[np.ndarray, "time 3 3"], vectors: Float[np.ndarray, "time 3"]
) -> Float[np.ndarray, "time 3"]:
    return np.einsum("tij,tj->ti", rotations, vectors)


def _floor(
    rest: RestSkeleton, rotations: Float[np.ndarray, "time 22 3 3"], pelvis: Float[np.ndarray, "time 3"]
) -> float:
    """The floor's height under the soles."""
    points = np.asarray(pose_body(rest.rest_offsets, rotations, pelvis)[1])
    soles = points[:, list(FOOT_POINTS), 2] - FOOT_HEIGHT_M
    return float(np.percentile(soles.min(axis=1), _UNDER_FLOOR_PERCENT))


def _every_frame(seen: Int[np.ndarray, "seen"], path: Path) -> Int[np.ndarray, "time"]:
    """The video's frames from the first seen to the last."""
    count = int(seen[-1] - seen[0]) + 1
    if count > (1 + _MOST_FILLED) * len(seen):
        raise ValueError(
            f"{path}: {len(seen)} frames between {seen[0]} and {seen[-1]}; wanted a person seen in one frame "
            f"of {_MOST_FILLED} or more often"
        )
    return np.arange(seen[0], seen[-1] + 1)
