"""The way in and out of a lift: a user's clip as models see it, and what they make of it as a motion.

In: pixels → normalised image points of the canonical set, at the models' rate → the camera's frame →
overlapping windows. Out: blended windows → smoothed → the user's world and rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from lift2to3.conventions import MODEL_FPS
from lift2to3.geometry.cameras import Camera, View
from lift2to3.geometry.rigs import Frame, unroll
from lift2to3.keypoints import Keypoints
from lift2to3.models.multiview import MultiViewConfig, frame_of
from lift2to3.motion import Motion
from lift2to3.observations import Observations, observe
from lift2to3.pipeline.check_setup import check_setup
from lift2to3.pipeline.clean_observations import cleaned
from lift2to3.pipeline.windows import supported, window_starts
from lift2to3.progress import ProgressCallback
from lift2to3.resample import resample_points
from lift2to3.skeletons import CANONICAL

SMOOTHED_FRAMES = 5
"""At 30 fps: takes the seams of 4-frame tokens away, changes true motion by under 1 mm."""

CALL_SIZES = (1, 2, 4)
"""Windows per call and device: few shapes, so that few are compiled; more would cost memory, not time."""

_frame_of = jax.jit(frame_of, static_argnums=1)

Part = tuple[int, Float[np.ndarray, "window joints axes"]]
"""A window's first frame, and what was made of it."""


class CanonicalClip(NamedTuple):
    """What a clip shows, at the models' rate, and the frame that it is lifted in.

    Attributes:
        frame: of `lift2to3.models.multiview.frame_of`.
        view: the camera in that frame, its roll taken out (`unroll`).
        n: (time, joints, 2) normalised image points of that view; anything where the confidence is 0.
        confidence: (time, joints) 0 = missing.
        observed: the same as the camera saw it, roll and all, at the clip's own rate.
    """

    frame: Frame
    view: View
    n: Float[np.ndarray, "time joints 2"]
    confidence: Float[np.ndarray, "time joints"]
    observed: Observations


class Windows(NamedTuple):
    """The windows of one call of a model.

    Attributes:
        starts: first frame of each.
        rows: (call, window) the clip's frames that they hold. There may be more windows than starts: every
            call has the same shape, and the last is filled up with its last window.
        n, confidence: of these frames; past the clip's end nothing is seen.
    """

    starts: list[int]
    rows: Int[np.ndarray, "call window"]
    n: Float[np.ndarray, "call window joints 2"]
    confidence: Float[np.ndarray, "call window joints"]


def canonical_clip(keypoints: Keypoints, camera: Camera, config: MultiViewConfig) -> CanonicalClip:
    """The user's keypoints and camera as a model sees them; warns of keypoints that no body explains.

    Raises:
        ValueError: camera and keypoints that cannot belong together.
    """
    check_setup(keypoints, camera, observe(keypoints, camera))
    observed = cleaned(keypoints, camera)
    turn, resampled = unroll(camera.R), observed.at_model_rate
    n = (resampled.n @ turn[:2, :2].T).astype(np.float32)
    confidence = resampled.confidence.astype(np.float32)
    view = View(*((turn @ part).astype(np.float32) for part in (camera.R, camera.t)))  # type: ignore[arg-type]
    frame, view = jax.device_get(_frame_of(view, config))
    return CanonicalClip(frame, view, n, confidence, observed)


def cut(clip: CanonicalClip, window: int, devices: int = 1) -> Iterator[Windows]:
    """The clip in overlapping windows, a few at a time for each device."""
    starts = window_starts(len(clip.n), window)
    index, count = starts[:, None] + np.arange(window), len(starts)
    each = -(-count // devices)
    per_call = devices * next(size for size in CALL_SIZES if size >= min(each, CALL_SIZES[-1]))
    for first in range(0, count, per_call):
        rows = index[np.minimum(np.arange(first, first + per_call), count - 1)]
        seen = rows < len(clip.n)
        within = rows.clip(0, len(clip.n) - 1)
        confidence = clip.confidence[within] * seen[..., None]
        yield Windows(starts[first : first + per_call].tolist(), rows, clip.n[within], confidence)


def watched(
    parts: Iterator[Part], progress: ProgressCallback | None, done: int, every: int
) -> Iterator[Part]:
    """The same parts, with progress told after each: ``done`` windows of ``every`` are done before."""
    for part in parts:
        yield part
        done += 1
        if progress is not None:
            progress(done, every)


def as_motion(
    points: Float[np.ndarray, "time joints 3"],
    spread: Float[np.ndarray, "time joints"],
    clip: CanonicalClip,
    keypoints: Keypoints,
) -> Motion:
    """Points and their spread, in the clip's frame at the models' rate, as the user's motion.

    Frames that no keypoint supports are NaN. A spread that is unknown anywhere (NaN) is unknown everywhere.
    """
    points = (
        smoothed(points) @ np.asarray(clip.frame.world_from_frame).T.astype(float) + clip.frame.origin_world
    )
    count = len(keypoints.xy_px)
    points = resample_points(points, MODEL_FPS, keypoints.fps, count).astype(np.float32)
    spread = (
        np.full(points.shape[:2], np.nan)
        if np.isnan(spread).any()
        else (resample_points(spread, MODEL_FPS, keypoints.fps, count).clip(0.0))
    )
    valid = np.repeat(supported(keypoints.confidence, keypoints.fps)[:, None], len(CANONICAL), axis=1)
    points[~valid] = np.nan
    spread = spread.astype(np.float32)
    return Motion(points, CANONICAL, keypoints.fps, valid, spread, first_frame=keypoints.first_frame)


def smoothed(values: Float[np.ndarray, "time *rest"]) -> Float[np.ndarray, "time *rest"]:
    """Savitzky and Golay's filter: each frame of the parabola that fits the five frames about it best.

    Fewer frames than that stay as they are. It is `scipy.signal.savgol_filter`, whose import takes longer
    than lifting a short clip.
    """
    if len(values) < SMOOTHED_FRAMES:
        return values
    powers = np.vander(np.arange(SMOOTHED_FRAMES), 3)
    fit = powers @ np.linalg.pinv(powers)  # (frame of the parabola, frame given)
    middle = SMOOTHED_FRAMES // 2
    inner = np.lib.stride_tricks.sliding_window_view(values, SMOOTHED_FRAMES, axis=0) @ fit[middle]
    ends = values[:SMOOTHED_FRAMES], values[-SMOOTHED_FRAMES:]
    first, last = (np.einsum("fg,g...->f...", fit, end) for end in ends)
    return np.concatenate([first[:middle], inner, last[middle + 1 :]])
