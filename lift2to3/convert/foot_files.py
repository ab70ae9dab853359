"""A motion file of any program, the video's keypoints and the camera, put together for the foot lifter."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp

from lift2to3.array_files import array_names
from lift2to3.convert.read_body import read_body
from lift2to3.fit.fit_body import fit_body
from lift2to3.geometry.cameras import Camera, View
from lift2to3.keypoints import Keypoints
from lift2to3.motion import BodyMotion, load_motion
from lift2to3.pipeline.check_foot_input import check_keypoints


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

    Raises:
        ValueError: a file of no known kind, no camera at all, or fewer keypoints than the motion has frames.
    """
    if Path(path).is_file() and "joints_world" in array_names(path):
        if camera is None:
            raise ValueError(f"{path}: points of a lift; wanted the camera that it was lifted with")
        motion = load_motion(path)
        check_keypoints(keypoints, len(motion.joints_world), motion.fps)
        if "feet" in motion.refined:
            warnings.warn(f"{path}: lift has refined its feet already; they change little now", stacklevel=2)
        body = fit_body(motion, keypoints, camera) if motion.body is None else motion.body
        return SeenFeet(body, keypoints, camera, None)
    found = read_body(path, track, keypoints.fps, body_model)
    if found.frames[-1] >= len(keypoints.xy_px):
        raise ValueError(
            f"{path} reaches frame {found.frames[-1]} of its video, the keypoints have "
            f"{len(keypoints.xy_px)} frames; wanted keypoints of the same whole video"
        )
    keypoints = keypoints._replace(
        xy_px=keypoints.xy_px[found.frames], confidence=keypoints.confidence[found.frames]
    )
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
