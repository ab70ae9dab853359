"""Cutting clips into windows and back: nothing lost, no seams, every rate returns as it came."""

import itertools

import numpy as np
import pytest

from lift2to3.pipeline.windows import blend, blend_weights, supported, window_starts
from lift2to3.resample import resample_observations, resample_points

RATES = (24, 25, 29.97, 30, 50, 59.94, 60, 120, 240)


def cut(clip: np.ndarray, window: int) -> list[tuple[int, np.ndarray]]:
    return [(start, clip[start : start + window]) for start in window_starts(len(clip), window).tolist()]


# --- windows


@pytest.mark.parametrize("window", [8, 16, 64])
def test_windows_cover_clips_of_every_length_exactly(window):
    for frames in itertools.chain(range(1, 5 * window), [1000, 9999]):
        starts = window_starts(frames, window)
        assert starts[0] == 0
        assert starts[-1] == max(frames - window, 0)
        hops = np.diff(starts)
        assert (hops >= 1).all() and (hops <= window // 2).all()
        assert len(starts) <= 2 + max(frames - window, 0) // (window // 2)


def test_windows_in_the_middle_overlap_by_half():
    np.testing.assert_array_equal(window_starts(64 + 4 * 32, 64), [0, 32, 64, 96, 128])


@pytest.mark.parametrize("frames", [8, 9, 13, 40, 101])
def test_consistent_windows_blend_into_the_clip(frames):
    clip = np.random.default_rng(0).normal(size=(frames, 3, 2))
    np.testing.assert_allclose(blend(cut(clip, 8), frames), clip, atol=1e-12)


def test_the_padding_of_a_short_clip_is_cut_off():
    np.testing.assert_allclose(blend([(0, np.arange(8.0))], 5), np.arange(5))


def test_equal_constants_blend_into_that_constant():
    starts = window_starts(77, 16)
    placed = [(start, np.full((16, 4), 3.7)) for start in starts.tolist()]
    np.testing.assert_allclose(blend(placed, 77), np.full((77, 4), 3.7), rtol=1e-12)


@pytest.mark.parametrize("frames", [100, 128, 157])
def test_windows_that_disagree_fade_into_each_other(frames):
    window = 32
    starts = window_starts(frames, window).tolist()
    mixed = blend([(start, np.full(window, float(i % 2))) for i, start in enumerate(starts)], frames)
    assert mixed.min() >= 0 and mixed.max() <= 1
    assert mixed[0] < 0.01, "the first frame is the first window's"
    assert np.abs(np.diff(mixed)).max() < 2.2 * np.pi / window, "one fade takes half a window"
    assert np.abs(np.diff(mixed, 2)).max() < 0.06, "no jump in speed"


def test_a_window_s_rim_counts_least():
    weights = blend_weights(64)
    assert weights.min() > 0
    np.testing.assert_allclose(weights, weights[::-1])
    assert weights[0] < 1e-3 < 0.99 < weights[32]


# --- rates


def wave(times: np.ndarray) -> np.ndarray:
    """A joint that goes to and fro a little faster than once a second. (time, 1, 2)"""
    return np.stack([np.sin(7 * times), np.cos(5 * times)], -1)[:, None]


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("frames", [2, 3, 31, 200])
def test_a_clip_comes_back_frame_for_frame(fps, frames):
    ones = np.ones((frames, 1))
    n, confidence = resample_observations(wave(np.arange(frames) / fps), ones, fps, 30.0)
    assert len(n) == len(confidence) == int((frames - 1) / fps * 30 + 1e-6) + 1
    assert resample_points(n, 30.0, fps, frames).shape == (frames, 1, 2)
    assert (confidence == pytest.approx(1)) and np.isfinite(n).all()


@pytest.mark.parametrize("fps", RATES)
def test_a_smooth_motion_survives_the_way_there_and_back(fps):
    frames = round(4 * fps)
    clip = wave(np.arange(frames) / fps)
    at_30, _ = resample_observations(clip, np.ones((frames, 1)), fps, 30.0)
    np.testing.assert_allclose(at_30, wave(np.arange(len(at_30)) / 30), atol=0.015)
    np.testing.assert_allclose(resample_points(at_30, 30.0, fps, frames), clip, atol=0.03)


def test_the_model_s_own_rate_is_left_alone():
    clip, confidence = wave(np.arange(9) / 30), np.full((9, 1), 0.3)
    n, same = resample_observations(clip, confidence, 30.0, 30.0)
    np.testing.assert_array_equal(n, clip)
    np.testing.assert_array_equal(same, confidence)
    np.testing.assert_array_equal(resample_points(clip, 30.0, 30.0, 9), clip)


def test_points_are_resampled_smoothly():
    times = np.arange(60) / 30
    fine = resample_points(wave(times), 30.0, 240.0, 473)  # up to the last known frame
    np.testing.assert_allclose(fine, wave(np.arange(473) / 240), atol=2e-4)
    assert np.abs(np.diff(fine, 2, axis=0)).max() < 1.1 * 7**2 / 240**2, "no corners at the known frames"


def test_past_the_last_known_frame_speed_is_kept():
    line = np.arange(5.0)[:, None]
    np.testing.assert_allclose(resample_points(line, 30.0, 60.0, 11)[:, 0], np.arange(11) / 2, atol=1e-9)


def test_steady_noise_is_averaged_out_going_down():
    clip = np.random.default_rng(0).normal(size=(2400, 1, 2))
    n, _ = resample_observations(clip, np.ones((2400, 1)), 240.0, 30.0)
    assert n.std() < 0.35


@pytest.mark.parametrize("fps", [24, 60, 240])
def test_missing_data_stays_missing(fps):
    frames = 4 * fps
    clip, confidence = np.repeat(wave(np.arange(frames) / fps), 2, axis=1), np.ones((frames, 2))
    confidence[:, 1] = 0  # never seen
    confidence[fps : 2 * fps, 0] = 0  # a second unseen
    clip[confidence == 0] = np.nan
    n, at_30 = resample_observations(clip, confidence, fps, 30.0)
    assert np.isfinite(n).all()
    assert (at_30[:, 1] == 0).all()
    assert (at_30[33:58, 0] == 0).all()
    assert (at_30[:29, 0] == pytest.approx(1)) and (at_30[62:, 0] == pytest.approx(1))
    seen = at_30[:, 0] > 0
    np.testing.assert_allclose(n[seen, 0], wave(np.arange(len(n)) / 30)[seen, 0], atol=0.25)
    assert np.abs(n[~seen]).max() < 1e-12, "nothing leaks from a missing keypoint"


def test_confidence_weighs_the_neighbours():
    clip = np.array([0.0, 1.0, 0.0, 1.0])[:, None, None] * np.ones(2)
    confidence = np.array([1.0, 0.25, 1.0, 0.25])[:, None]
    n, at_60 = resample_observations(clip, confidence, 30.0, 60.0)
    np.testing.assert_allclose(n[:, 0, 0], [0, 0.2, 1, 0.2, 0, 0.2, 1])
    np.testing.assert_allclose(at_60[:, 0], [1, 0.625, 0.25, 0.625, 1, 0.625, 0.25])


# --- what supports a frame


def test_frames_within_half_a_second_of_an_observation_are_supported():
    confidence = np.zeros((100, 3))
    confidence[[20, 70], [0, 2]] = 0.5
    near = np.abs(np.arange(100)[:, None] - [20, 70]).min(1) <= 15
    np.testing.assert_array_equal(supported(confidence, 30.0), near)
    near = np.abs(np.arange(100)[:, None] - [20, 70]).min(1) <= 5
    np.testing.assert_array_equal(supported(confidence, 10.0), near)
    assert supported(np.ones((4, 1)), 30.0).all()
