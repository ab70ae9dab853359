"""Contact labels: height, speed and hysteresis, over a floor that is given or fitted."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift2to3.contact import (
    CONTACT_ROWS,
    HEIGHT_ALONE,
    STANDING_HEIGHT_M,
    STANDS_BELOW_M,
    ContactConfig,
    contact_labels,
    fit_ground,
    hysteresis,
)
from lift2to3.walk import synthetic_walk


def test_hysteresis_keeps_whole_runs_that_begin_somewhere() -> None:
    generator = np.random.default_rng(0)
    hold = generator.random((200, 3)) < 0.7
    begin = hold & (generator.random((200, 3)) < 0.2)
    wanted = np.zeros_like(hold)
    for point in range(3):
        edges = np.flatnonzero(np.diff(np.r_[0, hold[:, point].astype(int), 0]))
        for first, last in edges.reshape(-1, 2):
            wanted[first:last, point] = begin[first:last, point].any()
    np.testing.assert_array_equal(hysteresis(begin, hold), wanted)


def stepping_foot(fps: float) -> np.ndarray:
    """A point that stands for a second, swings forward in an arc for half a second, stands again."""
    time = np.arange(0, 2.5, 1 / fps)
    swing = np.clip((time - 1) / 0.5, 0, 1)
    smooth = swing**2 * (3 - 2 * swing)
    return np.stack([0.8 * smooth, 0 * time, 0.012 + 0.1 * np.sin(np.pi * swing)], -1)[:, None]


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0, 120.0])
def test_a_step_is_contact_swing_contact_at_any_rate(fps: float) -> None:
    labels = contact_labels(stepping_foot(fps), fps)[:, 0]
    time = np.arange(len(labels)) / fps
    assert labels[time < 0.95].all() and labels[time > 1.55].all()
    assert not labels[(time > 1.1) & (time < 1.4)].any()
    assert np.count_nonzero(np.diff(labels.astype(int))) == 2


def test_a_still_point_in_the_air_and_a_sliding_one_on_the_floor_are_no_contact() -> None:
    still = np.tile([0.0, 0.0, 0.2], (30, 1, 1))
    sliding = np.stack([np.arange(30) * 0.02, np.zeros(30), np.zeros(30)], -1)[:, None]
    missing = np.full((30, 1, 3), np.nan)
    for points in (still, sliding, missing):
        assert not contact_labels(points, 30.0).any()


def test_labels_do_not_change_under_moving_or_turning_the_world_about_z() -> None:
    points = stepping_foot(30.0)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    moved = points @ turn.T + np.array([3.0, -2.0, 0.0])
    np.testing.assert_array_equal(contact_labels(moved, 30.0), contact_labels(points, 30.0))


def test_thresholds_are_the_callers_choice_and_a_bad_rate_is_refused() -> None:
    points = stepping_foot(30.0) + np.array([0.0, 0.0, 0.1])
    assert not contact_labels(points, 30.0).any()
    raised = ContactConfig(begin_height_m=0.2, hold_height_m=0.2)
    assert contact_labels(points, 30.0, raised).any()
    with pytest.raises(ValueError, match="fps"):
        contact_labels(points, 0.0)


def test_a_single_frame_counts_by_its_height() -> None:
    assert contact_labels(np.zeros((1, 4, 3)), 30.0).all()


# --- the ground


def walking_feet(fps: float = 30.0) -> np.ndarray:
    """Heels and big toes of a walk over six metres of floor."""
    return synthetic_walk(8.0, fps)[:, CONTACT_ROWS]


TILT = Rotation.from_rotvec([0.06, -0.03, 0.0]).as_matrix()
LIFT = np.array([0.0, 0.0, 0.3])


def test_a_tilted_floor_is_found_by_repeated_least_squares():
    level = fit_ground(walking_feet())
    np.testing.assert_allclose(level.normal, [0, 0, 1], atol=2e-3)
    assert level.height_m == pytest.approx(STANDING_HEIGHT_M[0], abs=0.006)
    assert level.inliers.all() and level.residual_m < 0.003
    points = walking_feet() @ TILT.T + LIFT
    ground = fit_ground(points)
    np.testing.assert_allclose(ground.normal, TILT @ level.normal, atol=2e-3)
    np.testing.assert_allclose(ground.heights(points), level.heights(walking_feet()), atol=0.006)
    assert np.linalg.norm(ground.normal) == pytest.approx(1)


def test_it_is_the_least_squares_plane_of_the_lowest_points():
    points = np.random.default_rng(0).uniform(-1, 1, (200, 4, 3)) * [2, 2, 0.005]
    points[:, 1:, 2] += 0.5
    ground = fit_ground(points)
    lowest = points[:, 0]
    design = np.concatenate([lowest[:, :2], np.ones((200, 1))], 1)
    a, b, c = np.linalg.lstsq(design, lowest[:, 2], rcond=None)[0]
    length = np.sqrt(1 + a**2 + b**2)
    np.testing.assert_allclose(ground.normal, np.array([-a, -b, 1]) / length, atol=1e-12)
    assert ground.height_m == pytest.approx(c / length)
    distance = (lowest[:, 2] - design @ [a, b, c]) / length
    assert ground.residual_m == pytest.approx(np.sqrt((distance**2).mean()))


def test_frames_in_the_air_and_missing_points_do_not_move_it():
    points = walking_feet()
    points += 0.002 * np.random.default_rng(1).standard_normal(points.shape)
    reference = fit_ground(points)
    jumping = np.zeros(len(points), bool)
    jumping[60:150] = True
    points[60:150, :, 2] += 0.1 + 0.4 * np.sin(np.linspace(0, np.pi, 90))[:, None]
    points[200:220] = np.nan
    points[230:, 0] = np.nan
    ground = fit_ground(points)
    np.testing.assert_allclose(ground.normal, reference.normal, atol=4e-3)
    assert ground.height_m == pytest.approx(reference.height_m, abs=0.01)
    assert not ground.inliers[60:150].any() and not ground.inliers[200:220].any()
    assert ground.inliers[~jumping & np.isfinite(points).all(-1).any(-1)].mean() > 0.98


def test_someone_on_one_spot_shows_no_tilt():
    points = np.random.default_rng(2).standard_normal((300, 4, 3)) * [0.1, 0.1, 0.01] + [4, -3, 0.2]
    ground = fit_ground(points)
    np.testing.assert_array_equal(ground.normal, [0, 0, 1])
    assert ground.height_m == pytest.approx(0.19, abs=0.005)
    along_a_line = points + np.linspace(-2, 2, 300)[:, None, None] * np.array([0.6, 0.8, 0.05])
    normal = fit_ground(along_a_line).normal
    assert normal @ [0.6, 0.8, 0.05] == pytest.approx(0, abs=0.003)
    assert normal @ [0.8, -0.6, 0.0] == pytest.approx(0, abs=0.003)


def test_one_point_is_enough_and_none_is_not():
    ground = fit_ground(np.array([[[1.0, 2.0, 0.4]]]))
    assert ground.height_m == pytest.approx(0.4) and ground.residual_m == 0
    with pytest.raises(ValueError, match="every point of every frame is missing"):
        fit_ground(np.full((5, 4, 3), np.nan))


def test_labels_over_a_fitted_plane_are_those_over_the_level_floor():
    points = walking_feet()
    wanted = contact_labels(points, 30.0, ground=fit_ground(points))
    moved = points @ TILT.T + LIFT
    assert wanted.any() and not wanted.all()
    assert (contact_labels(moved, 30.0, ground=fit_ground(moved)) == wanted).mean() > 0.995
    assert not contact_labels(moved, 30.0)[:, 0].any()


def test_the_floor_at_zero_is_the_default():
    points = walking_feet()
    floor = fit_ground(points)._replace(normal=np.array([0.0, 0.0, 1.0]), height_m=0.0)
    np.testing.assert_array_equal(contact_labels(points, 30.0, ground=floor), contact_labels(points, 30.0))


def test_height_alone_is_the_paper_s_threshold():
    points = np.random.default_rng(3).uniform(-1, 1, (100, 4, 3)) * 0.1
    labels = contact_labels(points, 30.0, HEIGHT_ALONE)
    np.testing.assert_array_equal(labels, points[..., 2] < STANDS_BELOW_M)
