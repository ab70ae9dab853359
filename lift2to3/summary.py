"""What one looks at first in a lifted motion, as numbers, and what looks wrong, in words."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lift2to3.contact import CONTACT_POINTS, LIFTED_CONTACT, contact_labels
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.metrics import contact_sliding
from lift2to3.motion import Motion
from lift2to3.scores import tally
from lift2to3.skeletons import CANONICAL, FOOT_POINTS, Skeleton

CONTACT_HEIGHT_M: Final = 0.03
"""A foot point lower than this stands on the floor."""

SWAY_SECONDS: Final = 0.4
"""The walked path is measured on the pelvis averaged over this long, so that jitter is no distance."""


class Summary(NamedTuple):
    """One motion in numbers. What nothing supports is NaN.

    Attributes:
        frames: number of frames.
        fps: frames per second.
        seconds: length of the clip.
        path_m: horizontal length of the pelvis's path.
        pelvis_height_m: lowest and highest pelvis over the floor.
        head_height_m: likewise of the top of the head (of the head joint, in a motion without a top): over
            the floor, and so the stature of nobody who walks, bends or jumps.
        reprojection_px: median distance of observed keypoints to the motion seen by the camera.
        body_px: median size of the person in the image (the observed box's longer side).
        foot_height_m: the frame's lowest foot point over the floor, 5th percentile and median.
        contact_fraction: part of the frames with a foot point within `CONTACT_HEIGHT_M` of the floor.
        sliding_mm: of heels and big toes in contact, mean, mm per 1/30 s (`foot_contacts`).
        spread_m: median uncertainty of the points.
        missing_fraction: part of the keypoints (frames × joints) that were not observed.
        outside_fraction: part of the frames in which most of the body lies outside the image.
        warnings: what looks wrong, a sentence each.
    """

    frames: int
    fps: float
    seconds: float
    path_m: float
    pelvis_height_m: tuple[float, float]
    head_height_m: tuple[float, float]
    reprojection_px: float
    body_px: float
    foot_height_m: tuple[float, float]
    contact_fraction: float
    sliding_mm: float
    spread_m: float
    missing_fraction: float
    outside_fraction: float
    warnings: tuple[str, ...]

    @property
    def reprojection_share(self) -> float:
        """The reprojection as a part of the person's size; NaN where no more than a point is seen of them."""
        return self.reprojection_px / self.body_px if self.body_px > 0 else float("nan")


class FootContacts(NamedTuple):
    """What heels and big toes do; columns as `CONTACT_POINTS`.

    Attributes:
        points: metres, NaN where missing.
        contact: whether each is in contact with the floor.
        sliding_mm: what each moves in contact in the step to this frame, mm per 1/30 s; NaN otherwise.
    """

    points: Float[np.ndarray, "time points 3"]
    contact: Bool[np.ndarray, "time points"]
    sliding_mm: Float[np.ndarray, "time points"]


def foot_contacts(motion: Motion) -> FootContacts:
    """Contacts that the motion itself shows, as `lift2to3.pipeline.lock_feet` labels and measures them."""
    points = motion.as_skeleton(Skeleton("feet", CONTACT_POINTS, CONTACT_POINTS)).astype(np.float64)
    contact = contact_labels(points, motion.fps, LIFTED_CONTACT)
    sliding = contact_sliding(points, contact, motion.fps)
    return FootContacts(points, contact, np.concatenate([np.full((1, 4), np.nan), sliding]))


def summarise(
    motion: Motion,
    keypoints: Keypoints | None = None,
    camera: Camera | None = None,
    pixels: Float[np.ndarray, "time joints 2"] | None = None,
) -> Summary:
    """Measure a motion, against the keypoints and camera it came from where they are known.

    Args:
        motion: metres, world, z up.
        keypoints: what it was lifted from.
        camera: whose image they are in.
        pixels: the motion's points in that image, where they are projected already.

    Raises:
        ValueError: the motion and the keypoints have different numbers of frames.
    """
    if keypoints is not None and len(motion.joints_world) != len(keypoints.xy_px):
        raise ValueError(
            f"summary: {len(motion.joints_world)} frames of motion but {len(keypoints.xy_px)} of keypoints"
        )
    joints = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(np.float64)
    row = {name: joint for joint, name in enumerate(motion.joint_names)}
    feet = joints[:, [row[CANONICAL[point]] for point in FOOT_POINTS if CANONICAL[point] in row], 2]
    lowest = np.min(feet, axis=1, initial=np.inf, where=np.isfinite(feet))
    lowest = lowest[np.isfinite(lowest)]
    slid, steps = tally(foot_contacts(motion._replace(joints_world=joints)).sliding_mm)
    error, outside = np.array(np.nan), float("nan")
    if camera is not None:
        pixels = camera.project(joints) if pixels is None else pixels
        outside = _outside_fraction(joints, pixels, camera)
        if keypoints is not None:
            error = reprojection_error(motion, keypoints, pixels)
    top = row.get("head_top", row["head"])
    summary = Summary(
        frames=len(joints),
        fps=motion.fps,
        seconds=len(joints) / motion.fps,
        path_m=path_length(joints[:, row["pelvis"]], motion.fps),
        pelvis_height_m=_range(joints[:, row["pelvis"], 2]),
        head_height_m=_range(joints[:, top, 2]),
        reprojection_px=_median(error),
        body_px=float("nan") if keypoints is None else _median(_body_size(keypoints.xy_px)),
        foot_height_m=(_percentile(lowest, 5), _percentile(lowest, 50)),
        contact_fraction=float(np.mean(lowest < CONTACT_HEIGHT_M)) if len(lowest) else float("nan"),
        sliding_mm=slid / steps if steps else float("nan"),
        spread_m=_median(motion.spread[motion.valid]),
        missing_fraction=float("nan") if keypoints is None else _missing_fraction(keypoints),
        outside_fraction=outside,
        warnings=(),
    )
    return summary._replace(warnings=_warnings(summary, motion))


def path_length(points_world: Float[np.ndarray, "time 3"], fps: float) -> float:
    """Horizontal length in metres of a path averaged over `SWAY_SECONDS`; gaps are crossed straight."""
    ground = points_world[np.all(np.isfinite(points_world), axis=-1), :2]
    if len(ground) < 2:
        return float("nan")
    frame = np.arange(len(ground))
    half = np.minimum(round(SWAY_SECONDS * fps / 2), np.minimum(frame, frame[::-1]))  # narrower at the ends
    total = np.concatenate([np.zeros((1, 2)), ground.cumsum(0)])
    smooth = (total[frame + half + 1] - total[frame - half]) / (2 * half + 1)[:, None]
    return float(np.linalg.norm(np.diff(smooth, axis=0), axis=-1).sum())


def rows_of_keypoints(motion: Motion, skeleton: Skeleton) -> list[int]:
    """For each joint of a format the row of the motion's point that it shows, -1 for none."""
    row = {name: joint for joint, name in enumerate(motion.joint_names)}
    return [row.get(name, -1) if name else -1 for name in skeleton.canonical]


def reprojection_error(
    motion: Motion, keypoints: Keypoints, pixels: Float[np.ndarray, "time points 2"]
) -> Float[np.ndarray, "time joints"]:
    """Pixels between each observed keypoint and the motion's point in the image; NaN where not observed.

    Args:
        motion: whose points they are.
        keypoints: what was observed.
        pixels: the motion's points in the image.
    """
    rows = np.array(rows_of_keypoints(motion, keypoints.skeleton))
    return np.where(rows >= 0, np.linalg.norm(pixels[:, rows] - keypoints.xy_px, axis=-1), np.nan)


def _body_size(xy_px: Float[np.ndarray, "time joints 2"]) -> Float[np.ndarray, " time"]:
    """Longer side of each frame's box of observed keypoints, pixels; NaN without any."""
    seen = np.isfinite(xy_px)
    high = np.max(xy_px, axis=1, where=seen, initial=-np.inf)
    low = np.min(xy_px, axis=1, where=seen, initial=np.inf)
    return np.where(seen.any((1, 2)), (high - low).max(-1), np.nan)


def _missing_fraction(keypoints: Keypoints) -> float:
    seen = np.all(np.isfinite(keypoints.xy_px), axis=-1)
    return float(1 - seen[:, keypoints.skeleton.rows >= 0].mean())


def _outside_fraction(
    joints_world: Float[np.ndarray, "time joints 3"],
    pixels: Float[np.ndarray, "time joints 2"],
    camera: Camera,
) -> float:
    # NaN behind the camera: outside too
    inside = ((pixels >= -0.5) & (pixels <= np.array(camera.size) - 0.5)).all(-1)
    known = np.all(np.isfinite(joints_world), axis=-1)
    frames = known.any(1)
    if not frames.any():
        return float("nan")
    return float(np.mean((inside & known).sum(1)[frames] < 0.5 * known.sum(1)[frames]))


def _warnings(summary: Summary, motion: Motion) -> tuple[str, ...]:
    """Sentences on what looks wrong; thresholds stand beside what they judge."""
    found = []
    low, middle = summary.foot_height_m
    lost = 1.0 - float(motion.valid.any(1).mean())
    if summary.missing_fraction > 0.2:
        found.append(
            f"{summary.missing_fraction:.0%} of the keypoints are missing: across long gaps the motion is "
            "guessed."
        )
    if lost > 0:
        found.append(f"{lost:.0%} of the frames have no motion at all (nothing supports them).")
    if summary.reprojection_share > 0.05:
        found.append(
            f"The motion misses the keypoints by {summary.reprojection_px:.0f} px, "
            f"{summary.reprojection_share:.0%} of the person's size: check the camera "
            "(direction, units, lens) and the skeleton."
        )
    if middle > 0.08:
        found.append(
            f"The feet float: the lowest foot point is {100 * middle:.0f} cm over the floor in the median."
        )
    if low < -0.05:
        found.append(
            f"The feet sink {-100 * low:.0f} cm into the floor in some frames: is the floor at z = 0?"
        )
    if summary.outside_fraction > 0.05:
        found.append(
            f"The person is mostly outside the image in {summary.outside_fraction:.0%} of the frames."
        )
    low_head, high_head = summary.head_height_m
    if high_head > 2.5 or high_head < 0.2 or low_head < -0.2:
        found.append(
            f"The top of the head is {low_head:.1f} to {high_head:.1f} m over the floor: is the camera in "
            "metres?"
        )
    return tuple(found)


def _median(values: np.ndarray) -> float:
    return _percentile(values, 50)


def _percentile(values: np.ndarray, percent: float) -> float:
    values = values[np.isfinite(values)]
    return float(np.percentile(values, percent)) if values.size else float("nan")


def _range(values: np.ndarray) -> tuple[float, float]:
    return _percentile(values, 0), _percentile(values, 100)
