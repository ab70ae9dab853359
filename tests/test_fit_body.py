"""Fitting a rigid body to points: laws of the solver, truth recovered, bad input."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from lift2to3.body import pose_body
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.fit_body import FitConfig, fit_body
from lift2to3.fit.pose_windows import WINDOW_FRAMES, poses_of, rotations_of
from lift2to3.keypoints import as_keypoints
from lift2to3.motion import Motion
from lift2to3.skeletons import CANONICAL, INDEX, MIRROR, rows_by_side
from lift2to3.walk import synthetic_walk

PRIOR = load_body_prior()
WORLD_FROM_BODY = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def poses_like_people(frames: int, seed: int, wild: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random poses around the prior's mean, the person upright. (time, 22, 3, 3), (time, 3)"""
    generator = np.random.default_rng(seed)
    deviation = np.sqrt(np.diag(PRIOR.tangent_covariance)).reshape(-1, 3)
    noise = gaussian_filter1d(generator.standard_normal((frames + 40, 21, 3)), 8, axis=0)[20:-20]
    turns = Rotation.from_rotvec((wild * 3.0 * noise * deviation).reshape(-1, 3)).as_matrix()
    local = PRIOR.mean_rotations @ turns.reshape(frames, 21, 3, 3)
    yaw = Rotation.from_rotvec([[0, 0, a] for a in np.linspace(0, 2, frames)]).as_matrix()
    root = np.stack([np.linspace(0, 1, frames), np.linspace(0, 0.3, frames), np.full(frames, 1.1)], 1)
    return np.concatenate([(yaw @ WORLD_FROM_BODY)[:, None], local], axis=1), root


def motion_of(points: np.ndarray, fps: float = 30.0, spread: float = 0.0) -> Motion:
    valid = np.isfinite(points).all(-1)
    return Motion(points.astype(np.float32), CANONICAL, fps, valid, np.full(valid.shape, spread, np.float32))


def walking(frames: int) -> np.ndarray:
    """Someone walking, at 30 fps. (time, 38, 3)"""
    return synthetic_walk(frames / 30)[:frames]


def degrees_apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    trace = np.einsum("...ij,...ij->...", first, second)
    return np.degrees(np.arccos(((trace - 1) / 2).clip(-1, 1)))


# --- laws


def test_tangents_and_rotations_are_inverses():
    rotations, root = poses_like_people(5, seed=1, wild=2.0)
    mean = PRIOR.mean_rotations.astype(float)
    poses = poses_of(rotations, root, mean)
    np.testing.assert_allclose(rotations_of(poses, mean), rotations, atol=1e-6)
    np.testing.assert_array_equal(poses.root, root)


# --- what it gives


def test_a_rigid_body_s_points_give_back_its_bones_and_rotations():
    offsets = 1.08 * PRIOR.rest_offsets.astype(float)
    rotations, root = poses_like_people(90, seed=2)
    frames, points = pose_body(offsets, rotations, root)
    body = fit_body(motion_of(points))
    fitted, fitted_points = body.posed()
    error_mm = 1e3 * np.linalg.norm(fitted_points - points, axis=-1)
    assert error_mm.mean() < 6 and error_mm.max() < 60
    lengths, true = (np.linalg.norm(each[1:], axis=1) for each in (body.rest_offsets, offsets))
    np.testing.assert_allclose(lengths, true, atol=0.012)
    np.testing.assert_array_equal(body.rest_offsets[MIRROR] * [-1, 1, 1], body.rest_offsets)
    limbs = rows_by_side("hip", "knee", "shoulder").ravel()
    assert degrees_apart(fitted, frames)[:, limbs].mean() < 6
    assert body.valid.all() and body.fps == 30.0


def test_windows_meet_without_seams_and_long_clips_keep_one_set_of_bones():
    points = walking(WINDOW_FRAMES + 60)
    body = fit_body(motion_of(points))
    _, fitted = body.posed()
    assert 1e3 * np.linalg.norm(fitted - points, axis=-1).mean() < 25
    jump = np.linalg.norm(np.diff(fitted, 2, axis=0), axis=-1).max(axis=1)
    seam = slice(WINDOW_FRAMES - 20, WINDOW_FRAMES + 4)
    assert jump[seam].max() < 1.5 * np.quantile(jump, 0.98)


def test_noise_is_smoothed_and_its_amplitude_kept():
    clean = walking(100)
    noisy = clean + 0.015 * np.random.default_rng(0).standard_normal(clean.shape)
    of_clean, of_noisy = (fit_body(motion_of(p, spread=s)) for p, s in ((clean, 0.0), (noisy, 0.015)))
    ours, theirs = (b.posed()[1] for b in (of_noisy, of_clean))
    trembling = np.linalg.norm(np.diff(ours, 2, axis=0), axis=-1).mean()
    assert trembling < 0.6 * np.linalg.norm(np.diff(noisy, 2, axis=0), axis=-1).mean()
    swing = [
        np.ptp(each[:, INDEX["left_wrist"]] - each[:, INDEX["pelvis"]], axis=0) for each in (ours, theirs)
    ]
    np.testing.assert_allclose(*swing, rtol=0.2, atol=0.03)


def test_missing_points_and_frames_are_filled_in():
    points = walking(60)
    points[20:26] = np.nan
    points[:, INDEX["left_hand"]] = np.nan
    points[40:50, INDEX["right_knee"]] = np.nan
    body = fit_body(motion_of(points))
    assert np.isfinite(body.rotations).all() and np.isfinite(body.root_translation).all()
    np.testing.assert_array_equal(np.flatnonzero(~body.valid), np.arange(20, 26))


def test_a_pelvis_never_seen_is_placed_by_the_other_points():
    points = walking(60)
    truth = points[:, INDEX["pelvis"]].copy()
    points[20:26] = np.nan
    points[:, INDEX["pelvis"]] = np.nan
    motion = motion_of(points)
    body = fit_body(motion)
    assert np.linalg.norm(body.root_translation - truth, axis=1).max() < 0.1
    assert np.isfinite(body.rotations).all()
    # what is not valid is not looked at, be it NaN or far away
    far_away = fit_body(motion._replace(joints_world=np.nan_to_num(motion.joints_world, nan=1e3)))
    np.testing.assert_array_equal(far_away.root_translation, body.root_translation)


def test_one_valid_frame_is_enough():
    points = walking(30)
    points[np.arange(30) != 12] = np.nan
    body = fit_body(motion_of(points))
    assert np.isfinite(body.rotations).all() and body.valid.sum() == 1
    single = fit_body(motion_of(walking(30)[:1]))
    assert single.rotations.shape == (1, 22, 3, 3)


def test_points_give_way_along_the_ray_that_saw_them():
    from lift2to3.demo_clip import load_demo_clip

    keypoints, camera, truth = load_demo_clip()
    assert truth is not None
    centre = camera.centre
    away = truth.astype(float) - centre
    wobble = 1 + 0.02 * np.random.default_rng(1).standard_normal((*truth.shape[:2], 1))
    shaken = motion_of(centre + wobble * away)
    keypoints = as_keypoints(camera.project(truth.astype(float)), skeleton="canonical", fps=keypoints.fps)
    errors = []
    for config in (FitConfig(depth=1.0), FitConfig(depth=6.0)):
        body = fit_body(shaken, keypoints, camera, config)
        _, points = body.posed()
        errors.append(np.linalg.norm(camera.project(points.astype(float)) - keypoints.xy_px, axis=-1).mean())
    assert errors[1] < 0.9 * errors[0]


# --- bad input


def test_what_cannot_be_fitted_is_refused_with_the_reason():
    points = walking(10)
    with pytest.raises(ValueError, match="no frame has 12 or more valid points"):
        fit_body(motion_of(np.full_like(points, np.nan)))
    with pytest.raises(ValueError, match=r"legs are 0\.00 m long"):
        fit_body(motion_of(np.zeros_like(points)))
    with pytest.raises(ValueError, match=r"legs are 8\d\d\.\d\d m long"):
        fit_body(motion_of(1e3 * points))
    with pytest.raises(ValueError, match="2 joints"):
        fit_body(Motion(points[:, :2], CANONICAL[:2], 30.0, np.ones((10, 2), bool), np.zeros((10, 2))))
    keypoints = as_keypoints(100 * points[:5, :, :2] + 500, skeleton="canonical")
    with pytest.raises(ValueError, match="go together"):
        fit_body(motion_of(points), keypoints)


def test_config_is_made_of_positive_numbers():
    assert all(value > 0 for value in dataclasses.asdict(FitConfig()).values())
