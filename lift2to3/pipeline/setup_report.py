"""Keypoints and a camera in words, and all findings about them: what ``lift2to3 doctor`` shows."""

from __future__ import annotations

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.observations import observe
from lift2to3.pipeline.findings import Finding, measured_stature, setup_findings
from lift2to3.pipeline.keypoint_findings import keypoint_findings
from lift2to3.pipeline.setup_readings import measure_observed

Row = tuple[str, str]


def said_findings(keypoints: Keypoints, camera: Camera) -> list[Finding]:
    """Those that `lift` refuses or warns by, then those that only a doctor asks for; severe ones first."""
    observed = observe(keypoints, camera)
    found = setup_findings(keypoints, camera, observed)
    if not {finding.name for finding in found} - {"lens_range", "principal_point"}:
        found += keypoint_findings(keypoints, camera, observed)  # which take floor and size for granted
    return found


def keypoint_rows(keypoints: Keypoints) -> list[Row]:
    """What the file holds."""
    frames, joints = keypoints.confidence.shape
    missing = (keypoints.confidence <= 0).mean(0)
    worst = [int(joint) for joint in np.argsort(-missing)[:4] if missing[joint] > 0.05]
    named = ", ".join(f"{keypoints.skeleton.joints[joint]} {missing[joint]:.0%}" for joint in worst)
    scores = keypoints.confidence[keypoints.confidence > 0]
    low, middle, high = np.quantile(scores, [0.05, 0.5, 0.95])
    seen = keypoints.xy_px[keypoints.confidence > 0]
    (left, top), (right, bottom) = np.quantile(seen, 0.005, axis=0), np.quantile(seen, 0.995, axis=0)
    return [
        ("keypoints", f"{keypoints.skeleton.name}, {joints} joints"),
        ("clip", f"{frames} frames at {keypoints.fps:g} fps, {frames / keypoints.fps:.1f} s"),
        ("missing", f"{missing.mean():.0%}" + (f" (most: {named})" if named else "")),
        ("scores", f"{middle:.2f} (median), {low:.2f} to {high:.2f} (5th to 95th percentile)"),
        ("pixels", f"x {left:.0f} to {right:.0f}, y {top:.0f} to {bottom:.0f}"),
        ("jitter", f"{_jitter(keypoints):.1f} px from frame to frame (median of the second difference)"),
    ]


def camera_rows(camera: Camera) -> list[Row]:
    """Where it stands, how it looks, and through what lens."""
    width, height = camera.size
    down = np.degrees(np.arcsin(np.clip(-camera.R[2, 2], -1, 1)))
    roll = np.degrees(np.arctan2(camera.R[0, 2], -camera.R[1, 2]))
    wide, tall = (
        np.degrees(np.ptp(np.arctan((np.array([0.0, side]) - camera.K[axis, 2]) / camera.K[axis, axis])))
        for axis, side in enumerate(camera.size)
    )
    lens = "fisheye" if camera.fisheye else "no distortion" if camera.dist is None else "distorted"
    place = ", ".join(f"{value:.2f}" for value in camera.centre)
    return [
        ("picture", f"{width}×{height}, {wide:.0f}° by {tall:.0f}°, {lens}"),
        ("camera", f"{camera.centre[2]:.2f} m over the floor, at ({place}) m"),
        ("looks", f"{down:.0f}° down, rolled by {roll:.0f}°"),
    ]


def person_rows(keypoints: Keypoints, camera: Camera) -> list[Row]:
    """Where the person is, and how tall, by the floor alone."""
    fit = measure_observed(camera, observe(keypoints, camera))
    if not np.isfinite(fit.ratio):
        return [("person", "no foot on the floor is seen")]
    away = fit.ratio * fit.size_depth_m
    return [
        ("person", f"{away:.1f} m away along the axis, measures {measured_stature(fit):.2f} m on this floor"),
        ("upright", f"{fit.lean:.2f} off (0 stands as the world says, above 0.6 lies)"),
    ]


def _jitter(keypoints: Keypoints) -> float:
    if len(keypoints.xy_px) < 3:
        return float("nan")
    seen = (keypoints.confidence > 0)[1:-1] & (keypoints.confidence > 0)[2:] & (keypoints.confidence > 0)[:-2]
    bend = np.linalg.norm(np.diff(keypoints.xy_px, n=2, axis=0), axis=-1)
    return float(np.median(bend[seen])) if seen.any() else float("nan")
