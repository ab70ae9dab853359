"""Gaps bridged, rotations at other times, the nearest rotation: laws. Points are in `test_window_cutting`."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from lift2to3.resample import (
    bridge_gaps,
    nearest_rotations,
    resample_linearly,
    resample_rotations,
    runs_of_true,
)

RATES = (24.0, 29.97, 50.0, 120.0)


def spinning(times: np.ndarray) -> np.ndarray:
    """Two joints at an even speed about axes of their own. (time, 2, 3, 3)"""
    turns = times[:, None, None] * [[0.3, 2.0, -1.0], [0.0, -1.5, 0.4]]
    return Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(len(times), 2, 3, 3)


def drawn(*shape: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=int))
    return Rotation.random(count, random_state=0).as_matrix().reshape(*shape, 3, 3)


def assert_rotations(matrices: np.ndarray) -> None:
    identity = np.broadcast_to(np.eye(3), matrices.shape)
    np.testing.assert_allclose(matrices @ matrices.swapaxes(-1, -2), identity, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-12)


# --- rotations at other times


@pytest.mark.parametrize("joints", [(), (1,), (3, 2)])
def test_the_same_times_give_the_same_rotations(joints):
    rotations, times = drawn(9, *joints), np.arange(9) / 29.97
    np.testing.assert_array_equal(resample_rotations(rotations, times, times), rotations)


@pytest.mark.parametrize("fps", RATES)
def test_an_even_spin_is_hit_at_every_time_there_and_back(fps):
    times, others = np.arange(61) / 30, np.arange(int(2 * fps) + 1) / fps
    there = resample_rotations(spinning(times), times, others)
    np.testing.assert_allclose(there, spinning(others), atol=1e-12)
    inside = times <= others[-1]
    back = resample_rotations(there, others, times)
    np.testing.assert_allclose(back[inside], spinning(times)[inside], atol=1e-12)


def test_it_is_the_great_circle_through_gaps_too():
    rotations, frames = drawn(5), np.array([0, 1, 4, 5, 9])
    wanted = np.linspace(0, 9, 50)
    circle = Slerp(frames, Rotation.from_matrix(rotations))(wanted).as_matrix()
    resampled = resample_rotations(rotations, frames, wanted)
    np.testing.assert_allclose(resampled, circle, atol=1e-12)
    assert_rotations(resampled)


def test_the_ends_are_held_and_a_single_frame_everywhere():
    rotations = drawn(4, 2)
    ends = resample_rotations(rotations, np.arange(4), np.array([-5.0, 0.0, 3.0, 7.5]))
    np.testing.assert_array_equal(ends, rotations[[0, 0, 3, 3]])
    held = resample_rotations(rotations[:1], np.array([2.0]), np.array([0.0, 2.0, 9.0]))
    np.testing.assert_array_equal(held, rotations[[0, 0, 0]])


def test_lines_are_straight_and_the_ends_held():
    values = resample_linearly(
        np.array([[0.0, 1.0], [4.0, 3.0]]), np.array([1, 3]), np.array([0, 1, 1.5, 3, 4])
    )
    np.testing.assert_array_equal(values, [[0, 1], [0, 1], [1, 1.5], [4, 3], [4, 3]])


# --- the nearest rotation


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_a_rotation_is_its_own_nearest(batch):
    rotations = drawn(*batch)
    np.testing.assert_allclose(nearest_rotations(rotations), rotations, atol=1e-12)
    np.testing.assert_allclose(nearest_rotations(0.3 * rotations), rotations, atol=1e-12)


def test_of_any_matrix_it_is_a_rotation_and_none_is_nearer():
    matrices = np.random.default_rng(0).normal(size=(200, 3, 3))
    assert (np.linalg.det(matrices) < 0).any()
    nearest = nearest_rotations(matrices)
    assert_rotations(nearest)
    by = Rotation.from_rotvec(np.random.default_rng(1).normal(0, 0.1, (200, 3))).as_matrix()
    error, beside = (((r - matrices) ** 2).sum((1, 2)) for r in (nearest, by @ nearest))
    assert (error < beside).all()


def test_a_mixture_of_two_rotations_is_half_way_between():
    pair = spinning(np.array([0.0, 0.2, 0.4]))
    np.testing.assert_allclose(nearest_rotations((pair[0] + pair[2]) / 2), pair[1], atol=1e-12)


def test_single_precision_stays_single():
    assert nearest_rotations(drawn(3).astype(np.float32)).dtype == np.float32


# --- gaps


def test_what_is_known_stays_to_the_bit():
    draw = np.random.default_rng(0)
    values, known = draw.normal(size=(30, 4, 3)), draw.random((30, 4)) < 0.5
    bridged = bridge_gaps(np.where(known[..., None], values, np.nan), known)
    np.testing.assert_array_equal(bridged[known], values[known])
    np.testing.assert_array_equal(bridge_gaps(bridged, known), bridged)
    np.testing.assert_array_equal(bridge_gaps(values, np.ones((30, 4), bool)), values)


@pytest.mark.parametrize("numbers", [(), (2,), (2, 3)])
def test_a_line_is_bridged_into_itself_and_held_at_the_ends(numbers):
    line = np.arange(8.0).reshape(-1, *(1,) * len(numbers)) * np.ones(numbers)
    known = np.isin(np.arange(8), [1, 2, 6])
    np.testing.assert_allclose(bridge_gaps(line, known), line.clip(1, 6), atol=1e-12)


def test_a_single_frame_is_held_and_a_point_never_known_is_0():
    values, known = np.full((5, 2, 3), np.nan), np.zeros((5, 2), bool)
    values[3, 1], known[3, 1] = (1, 2, 3), True
    bridged = bridge_gaps(values, known)
    np.testing.assert_array_equal(bridged[:, 0], np.zeros((5, 3)))
    np.testing.assert_array_equal(bridged[:, 1], np.tile([1, 2, 3], (5, 1)))


@pytest.mark.parametrize("frames", [0, 1, 7, 60])
def test_runs_of_true_make_up_the_mask_and_do_not_touch(frames):
    mask = np.random.default_rng(frames).random(frames) < 0.6
    runs, made = runs_of_true(mask), np.zeros(frames, bool)
    for first, end in runs:
        made[first:end] = True
    np.testing.assert_array_equal(made, mask)
    assert (np.diff(runs.ravel()) > 0).all()
