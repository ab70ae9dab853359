"""The user's video with the lifted skeleton, as the camera sees it, and the observed keypoints drawn in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.progress import ProgressCallback
from lift2to3.skeletons import stick_bones
from lift2to3.summary import rows_of_keypoints
from lift2to3.whole_file import whole_file

_COLOURS: Final = {"left": (240, 150, 40), "right": (40, 130, 250), "middle": (225, 225, 225)}  # BGR
_OBSERVED, _DIFFERENCE, _EDGE = (255, 255, 255), (150, 20, 220), (30, 30, 30)
_SUBPIXEL_BITS: Final = 4
_CONTAINER_ERROR: Final = 0.02
"""A container's own count of its frames may be off by this much; what is decoded decides."""

Picture = UInt8[np.ndarray, "height width 3"]
_Video = TypeVar("_Video", cv2.VideoCapture, cv2.VideoWriter)


def draw_overlay(
    motion: Motion,
    keypoints: Keypoints,
    camera: Camera,
    video_in: str | Path,
    video_out: str | Path,
    progress: ProgressCallback | None = None,
) -> Path:
    """Write the video with the reprojected skeleton, the observed keypoints and what lies between.

    Size and rate stay those of the video (its rate may differ from the clip's, as in slow motion);
    sound does not come along. Lens distortion is in the drawing as it is in the video.

    Args:
        motion: metres, world, z up.
        keypoints: what was observed, pixels; as many frames as the motion.
        camera: the camera that took the video.
        video_in: any file that OpenCV reads; one frame for each frame of the keypoints, or the whole video
            that their first frame's number counts from: then pictures without keypoints stay as they are.
        video_out: an .mp4 (MPEG-4 Part 2), written whole or not at all; its folder must be there.
        progress: called with the frames done and their number.

    Raises:
        ValueError: the video cannot be read or written, or is not the one the keypoints are from.
        FileNotFoundError: there is no such video.
    """
    video_out = Path(video_out)
    frames = len(keypoints.xy_px)
    if len(motion.joints_world) != frames:
        raise ValueError(f"overlay: {len(motion.joints_world)} frames of motion but {frames} of keypoints")
    if video_out.suffix.lower() != ".mp4":
        raise ValueError(f"{video_out}: overlay files are written as .mp4; give a name that ends so")
    if video_out.exists() and video_out.samefile(video_in):
        raise ValueError(f"{video_out}: this is the video itself; choose another name for the overlay")
    first = check_video(video_in, camera, frames, keypoints.first_frame)
    lifted = camera.project(np.where(motion.valid[..., None], motion.joints_world, np.nan))
    partner = rows_of_keypoints(motion, keypoints.skeleton)
    bones = stick_bones(motion.joint_names)
    with whole_file(video_out) as part, _reader(video_in) as video:
        fps = video.get(cv2.CAP_PROP_FPS)
        fps = fps if math.isfinite(fps) and fps > 0 else keypoints.fps
        mp4 = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), fps, camera.size)
        with _opened(mp4, f"{part}: OpenCV cannot write this video; is the folder writable?") as out:
            for number, picture in enumerate(_pictures(video, video_in, first, frames)):
                frame = number - first
                if 0 <= frame < frames:
                    _draw(picture, lifted[frame], keypoints.xy_px[frame], partner, bones)
                out.write(picture)
                if progress and 0 <= frame < frames:
                    progress(frame + 1, frames)
    return video_out


def check_video(path: str | Path, camera: Camera, frames: int, first_frame: int = 0) -> int:
    """See that this can be the video of a clip, without decoding it.

    Args:
        path: the video.
        camera: whose size it must have.
        frames: of the clip.
        first_frame: the number of the clip's first frame, by which a longer video is the whole one.

    Returns:
        Which of the video's frames, counted from 0, is the clip's first.

    Raises:
        ValueError: it cannot be read, or its size or length are not the camera's and the clip's.
        FileNotFoundError: there is no such file.
    """
    with _reader(path) as video:
        read, picture = video.read()
        counted = video.get(cv2.CAP_PROP_FRAME_COUNT)
    if not read or picture is None:
        raise ValueError(f"{path}: no picture in this video can be read; is it a damaged or an audio file?")
    size = picture.shape[1], picture.shape[0]
    if size != camera.size:
        raise ValueError(
            f"{path}: its pictures are {size[0]}×{size[1]} px, the camera's image {camera.size[0]}×"
            f"{camera.size[1]}; wanted the very video that the keypoints and the calibration are from"
        )
    tolerance = max(2, _CONTAINER_ERROR * frames)
    if first_frame > 1 and counted > frames + min(tolerance, first_frame - 1):
        if counted + tolerance < first_frame + frames:
            raise ValueError(_wrong_length(path, f"about {counted:.0f}", frames, first_frame))
        return first_frame
    if counted > 0 and abs(counted - frames) > tolerance:
        raise ValueError(_wrong_length(path, f"about {counted:.0f}", frames))
    return 0


def _wrong_length(path: str | Path, found: str, wanted: int, first: int = 0) -> str:
    numbered = f" from number {first} on" if first else ""
    return (
        f"{path}: {found} frames, the keypoints {wanted}{numbered}; wanted one frame of video for each frame "
        "of keypoints: cut both alike"
    )


@contextmanager
def _opened(video: _Video, otherwise: str) -> Iterator[_Video]:
    """The video, open until the block ends; else an error that says ``otherwise``."""
    try:
        if not video.isOpened():
            raise ValueError(otherwise)
        yield video
    finally:
        video.release()


def _reader(path: str | Path) -> AbstractContextManager[cv2.VideoCapture]:
    if not Path(path).is_file():
        raise FileNotFoundError(2, "no such video", str(path))
    otherwise = f"{path}: OpenCV cannot read this as a video; convert it to mp4 (H.264) first"
    return _opened(cv2.VideoCapture(str(path)), otherwise)


def _pictures(video: cv2.VideoCapture, path: str | Path, first: int, frames: int) -> Iterator[Picture]:
    """The video's pictures; an error where they are not exactly so many, or end before a whole video's do."""
    count = 0
    while (found := video.read())[0]:
        count += 1
        if count > frames and not first:
            raise ValueError(_wrong_length(path, f"more than {frames}", frames))
        yield found[1]
    if count < first + frames:
        raise ValueError(_wrong_length(path, str(count), frames, first))


def _draw(
    picture: Picture,
    lifted: Float[np.ndarray, "lifted 2"],
    observed: Float[np.ndarray, "observed 2"],
    partner: list[int],
    bones: list[tuple[int, int, str]],
) -> None:
    """Draw into the picture; what is NaN, or far outside of it, is left out."""
    height, width = picture.shape[:2]
    thick = max(1, round(max(height, width) / 640))

    def place(point: Float[np.ndarray, "2"]) -> tuple[int, int] | None:
        if not np.all(np.abs(point) < 4 * max(height, width)):  # also False for NaN
            return None
        x, y = np.rint(point * 2**_SUBPIXEL_BITS).astype(int).tolist()
        return x, y

    def line(start: Any, end: Any, colour: tuple[int, int, int], width: int) -> None:
        cv2.line(picture, start, end, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)

    lifted_at, observed_at = [place(point) for point in lifted], [place(point) for point in observed]
    ends = [(lifted_at[a], lifted_at[b], side) for a, b, side in bones]
    ends = [(start, end, side) for start, end, side in ends if start and end]
    for start, end, _ in ends:  # an edge keeps the figure readable on any background
        line(start, end, _EDGE, 2 * thick + 2)
    for start, end, side in ends:
        line(start, end, _COLOURS[side], 2 * thick)
    for point, row in zip(observed_at, partner, strict=True):
        if point and row >= 0 and lifted_at[row]:
            line(lifted_at[row], point, _DIFFERENCE, thick)
    for point in filter(None, observed_at):
        for radius, colour in ((1.6 * thick + 1.5, _EDGE), (1.6 * thick, _OBSERVED)):
            size = round(radius * 2**_SUBPIXEL_BITS)
            cv2.circle(picture, point, size, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
