"""What is wrong with keypoints that their camera alone does not show: sides, rate, lens.

Asked by ``lift2to3 doctor`` beside `lift2to3.pipeline.findings`; each of these needs a person who stands or
walks, and says nothing where the clip does not show it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.observations import Observations, observe
from lift2to3.pipeline.findings import Finding
from lift2to3.pipeline.setup_measures import chosen_frames, foot_depths, measure_setup
from lift2to3.skeletons import rows_by_side

_SURE: Final = -0.65
"""Held-out motion of every kind, dives and martial arts too, stays above −0.61."""
_SLOW: Final = 0.35
_WALK_RATIO: Final = (0.0033, 0.0098)
"""Step length over steps a minute: about 0.0065 m·min at every speed (Sekiya and Nagasaki 1998)."""
_PERIODIC: Final = 0.6
_WIDE_DEG: Final = 86.0
_FISHEYE_DEG: Final = 100.0


def keypoint_findings(keypoints: Keypoints, camera: Camera, observed: Observations) -> list[Finding]:
    """Everything that is found, the likeliest cause first."""
    found = [
        sides_swapped(keypoints, camera, observed),
        another_rate(camera, observed),
        wide_lens(camera),
    ]
    return [finding for finding in found if finding is not None]


def sides_swapped(keypoints: Keypoints, camera: Camera, observed: Observations) -> Finding | None:
    """A left side that is on the right of where the person faces."""
    ground, seen = _ground(camera, observed)
    facing = _facing(camera, observed, ground, seen)
    (left, right) = (observed.n[:, rows_by_side("shoulder", "hip")[side]].mean(1) for side in (0, 1))
    known = (observed.confidence[:, rows_by_side("shoulder", "hip").ravel()] > 0).all(-1) & np.isfinite(
        facing
    ).all(-1)
    if known.sum() < 10:
        return None
    to_left = np.stack([-facing[:, 1], facing[:, 0]], -1) @ camera.R[0, :2]  # seen to the right is positive
    across = (left - right)[:, 0]
    a, b = to_left[known], across[known] / max(float(np.abs(across[known]).max()), 1e-9)
    weight = float(np.sqrt((a**2).mean() * (b**2).mean()))
    agreement = float((a * b).mean()) / max(weight, 1e-9)
    if agreement > _SURE or np.abs(a).mean() < 0.2:
        return None
    flipped = keypoints._replace(
        xy_px=np.array([camera.size[0] - 1, 0]) + keypoints.xy_px * np.array([-1, 1])
    )
    straight = [_turn(camera, observed), _turn(camera, observe(flipped, camera))]
    mirrored = abs(straight[1]) + 1.0 < abs(straight[0])
    return Finding(
        "mirrored" if mirrored else "sides",
        "the person's left is on the right of where the feet and the path point: "
        + ("the video looks mirrored" if mirrored else "left and right look swapped in the keypoints"),
        "mirror the video back (selfie cameras store it so)"
        if mirrored
        else "swap the sides' keypoints (or the video is mirrored, or the person walks backwards)",
    )


def _turn(camera: Camera, observed: Observations) -> float:
    frames = chosen_frames(len(observed.n))
    return measure_setup(camera, observed.n[frames], observed.confidence[frames]).turn_deg


def _ground(camera: Camera, observed: Observations) -> tuple[np.ndarray, np.ndarray]:
    """Where the lowest foot stands, (time, 2) metres, and where that is known."""
    depth = foot_depths(camera, observed.n, observed.confidence)
    ankles = rows_by_side("ankle").ravel()
    seen = np.isfinite(depth) & (observed.confidence[:, ankles] > 0).all(-1)
    rays = np.concatenate([observed.n[:, ankles].mean(1), np.ones((len(depth), 1))], -1)
    return camera.centre[:2] + np.where(seen, depth, np.nan)[:, None] * (rays @ camera.R)[:, :2], seen


def _facing(camera: Camera, observed: Observations, ground: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Unit vector on the floor: along the path of who walks, else from heels to toes; NaN where unknown."""
    heels, toes = rows_by_side("heel").ravel(), rows_by_side("big_toe").ravel()
    feet = (observed.confidence[:, [*heels, *toes]] > 0).all(-1) & seen
    ends = []
    for rows in (heels, toes):
        rays = np.concatenate([observed.n[:, rows].mean(1), np.ones((len(ground), 1))], -1) @ camera.R
        fall = np.where(feet & (rays[:, 2] < -1e-3), -rays[:, 2], np.nan)
        ends.append(rays[:, :2] * (camera.centre[2] / fall)[:, None])
    step = max(1, round(observed.fps / 2))
    path = np.full_like(ground, np.nan)
    path[:-step] = ground[step:] - ground[:-step]
    walks = np.linalg.norm(path, axis=-1) > 0.5 * _SLOW
    ahead = np.where(walks[:, None], path, ends[1] - ends[0])
    length = np.linalg.norm(ahead, axis=-1, keepdims=True)
    return np.where(length > 0.05, ahead / np.maximum(length, 1e-9), np.nan)


def another_rate(camera: Camera, observed: Observations) -> Finding | None:
    """Steps that are too long for their number a minute, or too short: the rate is not the video's."""
    ground, seen = _ground(camera, observed)
    if seen.mean() < 0.8 or len(ground) < 30:
        return None
    time = np.flatnonzero(seen)
    path = np.stack([np.interp(np.arange(len(ground)), time, ground[time, axis]) for axis in (0, 1)], -1)
    span = np.linalg.norm(path[-1] - path[0])
    ankles = rows_by_side("ankle").ravel()
    apart = observed.n[:, ankles[0]] - observed.n[:, ankles[1]]
    apart = apart - apart.mean(0)
    swing = apart @ np.linalg.svd(apart, full_matrices=False)[2][0]  # along the direction of most change
    period = _period(swing)
    seconds = len(ground) / observed.fps
    if period is None or span < 1.0:
        return None
    steps_per_minute = 2 * 60 * observed.fps / period
    step_m = span / (seconds * steps_per_minute / 60)
    ratio = step_m / steps_per_minute
    walks = 0.25 < step_m < 1.0 and span / seconds > _SLOW and len(ground) > 1.5 * period
    if not walks or _WALK_RATIO[0] < ratio < _WALK_RATIO[1]:
        return None
    times = 2 if ratio > _WALK_RATIO[1] else 0.5
    return Finding(
        "rate",
        f"steps of {step_m:.2f} m, {steps_per_minute:.0f} a minute, are no gait of people: the clip runs too "
        f"{'slowly' if times > 1 else 'fast'} at {observed.fps:g} frames per second",
        f"is the video of {times * observed.fps:g} fps (--fps {times * observed.fps:g}), or in slow motion?",
    )


def _period(swing: np.ndarray) -> float | None:
    """Frames of one stride: the first clear peak of the autocorrelation."""
    energy = float((swing**2).sum())
    if energy < 1e-12:
        return None
    correlation = np.array(
        [
            (swing[lag:] * swing[:-lag]).sum() / energy * len(swing) / (len(swing) - lag)
            for lag in range(1, len(swing) * 2 // 3)
        ]
    )
    falls = np.flatnonzero(correlation < 0)
    if not falls.size:
        return None
    later = np.flatnonzero((correlation > _PERIODIC) & (np.arange(len(correlation)) > falls[0]))
    if not later.size:
        return None
    ends = np.flatnonzero(np.diff(later) > 1)  # the first stretch over the threshold holds the first peak
    first = later[: ends[0] + 1] if ends.size else later
    return float(first[correlation[first].argmax()] + 1)


def wide_lens(camera: Camera) -> Finding | None:
    """A picture so wide that no lens draws it without distortion, or none but a fisheye at all."""
    wide = np.degrees(
        np.ptp(np.arctan((np.array([0, max(camera.size)]) - camera.size[0] / 2) / camera.K[0, 0]))
    )
    if camera.fisheye or wide < _WIDE_DEG or (camera.dist is not None and wide < _FISHEYE_DEG):
        return None
    if wide >= _FISHEYE_DEG:
        return Finding(
            "fisheye",
            f"the picture is {wide:.0f}° wide, as a fisheye's is, and the lens is read as an ordinary one",
            'if it was calibrated with cv2.fisheye, write "fisheye": true beside dist',
        )
    return Finding(
        "distortion",
        f"the picture is {wide:.0f}° wide and the calibration has no distortion, which no such lens lacks",
        "give dist (OpenCV's k1, k2, p1, p2, k3): lift2to3 calibrate finds it",
    )
