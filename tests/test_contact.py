"""Contact labels: height, speed and hysteresis."""

import numpy as np
import pytest

from lift2to3.contact import ContactConfig, contact_labels, hysteresis


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
