"""A motion file of any program, the video's keypoints and the camera, put together for the foot lifter."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from lift2to3.array_files import array_names
from lift2to3.convert.read_body import read_body
from lift2to3.fit.fit_body import fit_body
from lift2to3.geometry.cameras import Camera, View
from lift2to3.keypoints import Keypoints
from lift2to3.motion import BodyMotion, load_motion
from lift2to3.pipeline.check_foot_input import check_keypoints
from lift2to3.resample import resample_linearly, resample_rotations

_SAME_RATE: Final = 1e-3
_MOST_LACKING: Final = 0.25
"""Share of a motion's frames that keypoints may lack: who is seen late, or leaves."""


class SeenFeet(NamedTuple):
    """What `FootRefiner.refine` takes: a body, its keypoints frame for frame, the camera, if up is known."""

    body: BodyMotion
    keypoints: Keypoints
    camera: Camera
    views: View | None
    floor: bool = True


def read_seen_body(
    path: str | Path,
    keypoints: Keypoints,
    camera: Camera | None = None,
    track: str | int | None = None,
    body_model: str | Path | None = None,
    resample: bool = False,
) -> SeenFeet:
    """Read a motion of any program and put it together with the video's keypoints.

    Args:
        path: what `lift2to3.convert.read_body.read_body` reads, or a `Motion`'s npz: its body, or one that is
            fitted.
        keypoints: of the whole video.
        camera: the calibrated camera. A file that holds the camera of its own world (GVHMR, WHAM, TRAM,
            PHALP) keeps that camera's place; intrinsics and distortion are then this one's, if given.
        track: whom, where the file holds several people.
        body_model: the SMPL-family file of the result's kind.
        resample: bring a body of another rate to the keypoints'.

    Raises:
        ValueError: a file of no known kind, no camera at all, or fewer keypoints than the motion has frames.
    """
    if Path(path).is_file() and "joints_world" in array_names(path):
        if camera is None:
            raise ValueError(f"{path}: points of a lift; wanted the camera that it was lifted with")
        motion = load_motion(path)
        keypoints = _of_frames(keypoints, motion.first_frame + np.arange(len(motion.joints_world)), path)
        check_keypoints(keypoints, len(motion.joints_world), motion.fps)
        if "feet" in motion.refined:
            warnings.warn(f"{path}: lift has refined its feet already; they change little now", stacklevel=2)
        body = fit_body(motion, keypoints, camera) if motion.body is None else motion.body
        return SeenFeet(body, keypoints, camera, None)
    found = read_body(path, track, body_model=body_model, otherwise=keypoints.fps)
    if resample and found.cam_from_world is None:
        found = found._replace(body=_at_rate(found.body, keypoints.fps))
        found = found._replace(frames=found.body.first_frame + np.arange(len(found.body.valid)))
    if abs(keypoints.fps / found.body.fps - 1) > _SAME_RATE:
        raise ValueError(
            f"{path} states {found.body.fps:g} frames per second, the keypoints {keypoints.fps:g}; wanted "
            "one rate: --fps where the keypoints' is wrong, or --resample to bring the motion to theirs"
        )
    keypoints = _of_frames(keypoints, found.frames, path)
    if found.cam_from_world is None or found.cam_translation is None:
        if camera is None:
            raise ValueError(f"{path} does not hold its camera; wanted the calibrated camera (--camera)")
        return SeenFeet(found.body, keypoints, camera, None, found.upright)
    views = View(jnp.asarray(found.cam_from_world), jnp.asarray(found.cam_translation))
    if camera is None:
        if found.K is None:
            raise ValueError(f"{path} holds no intrinsics; wanted the calibrated camera (--camera)")
        size = (round(2 * found.K[0, 2]), round(2 * found.K[1, 2]))
        camera = Camera(found.K, found.cam_from_world[0], found.cam_translation[0], size)
    return SeenFeet(found.body, keypoints, camera, views, found.upright)


def _of_frames(keypoints: Keypoints, frames: Int[np.ndarray, "time"], path: str | Path) -> Keypoints:
    """The keypoints of a motion's frames, by their numbers in the video; missing where there are none.

    Raises:
        ValueError: keypoints that lack more than a few of the motion's frames.
    """
    first, count = keypoints.first_frame, len(keypoints.xy_px)
    if not frames[0] and len(frames) == count:  # a motion that does not number its frames, cut alike
        return keypoints
    if first == 1:
        warnings.warn(
            "the keypoints' frames begin with number 1: taken as counted from 1, the video's first frame",
            stacklevel=3,
        )
        first = 0
    lacking = np.count_nonzero((frames < first) | (frames >= first + count))
    if lacking > _MOST_LACKING * len(frames):
        raise ValueError(
            f"{path} reaches frame {frames[-1]} of its video, the keypoints have {count} frames"
            + (f" from number {first} on" if first else "")
            + "; wanted keypoints of the same whole video"
        )
    if lacking:
        warnings.warn(
            f"{path}: {lacking} of its {len(frames)} frames have no keypoints; feet stay as they are there",
            stacklevel=3,
        )
    return keypoints._replace(first_frame=first).at(frames)


def _at_rate(body: BodyMotion, fps: float) -> BodyMotion:
    """The same motion at another rate."""
    frames = int((len(body.valid) - 1) * fps / body.fps + 1e-6) + 1
    times, wanted = np.arange(len(body.valid)) / body.fps, np.arange(frames) / fps
    nearest = np.rint(wanted * body.fps).astype(int).clip(0, len(body.valid) - 1)
    return body._replace(
        root_translation=resample_linearly(body.root_translation, times, wanted).astype(np.float32),
        rotations=resample_rotations(body.rotations, times, wanted).astype(np.float32),
        fps=fps,
        valid=body.valid[nearest],
        points_hash="",
        first_frame=round(body.first_frame * fps / body.fps),
    )
