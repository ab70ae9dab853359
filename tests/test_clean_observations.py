"""Keypoints that no body explains are left out, swapped limbs are swapped back, and clean clips stay."""

import dataclasses

import numpy as np
import pytest
from tiny import camera, film, walk

from lift2to3 import Keypoints, as_keypoints
from lift2to3.cli import main
from lift2to3.observations import Observations, observe
from lift2to3.pipeline.clean_observations import clean, cleaned
from lift2to3.skeletons import INDEX, rows_by_side

FRAMES = 90
LEGS = rows_by_side("knee", "ankle", "heel", "big_toe", "small_toe")
ARMS = rows_by_side("shoulder", "elbow", "wrist")


def seen(skeleton: str = "halpe26", fps: float = 30.0) -> Observations:
    return observe(film(walk(FRAMES, fps), camera(), skeleton, fps), camera())


def moved(observed: Observations, joint: str, by: float, frames: slice) -> Observations:
    n = observed.n.copy()
    n[frames, INDEX[joint]] += by * np.array([0.8, -0.6])
    return dataclasses.replace(observed, n=n)


def swapped(observed: Observations, rows: np.ndarray, frames: slice) -> Observations:
    n = observed.n.copy()
    n[frames, rows] = observed.n[frames, rows[::-1]]
    return dataclasses.replace(observed, n=n)


@pytest.mark.parametrize("fps", [15.0, 30.0, 59.94, 120.0])
@pytest.mark.parametrize("skeleton", ["halpe26", "coco17", "smpl22", "h36m17", "mediapipe33"])
def test_a_clean_clip_stays_as_it_is(skeleton, fps):
    observed = seen(skeleton, fps)
    assert clean(observed) == (observed, ())


@pytest.mark.parametrize("frames", [slice(40, 41), slice(20, 60), slice(0, FRAMES)])
@pytest.mark.parametrize("joint", ["left_wrist", "right_ankle", "left_elbow", "right_hip", "nose"])
def test_a_point_far_off_is_left_out_and_named_with_its_frames(joint, frames):
    observed = seen()
    cleaned, (line,) = clean(moved(observed, joint, 0.6, frames))
    assert (cleaned.confidence[frames, INDEX[joint]] == 0).all()
    expected = observed.confidence.copy()
    expected[frames, INDEX[joint]] = 0
    np.testing.assert_array_equal(cleaned.confidence, expected)
    np.testing.assert_array_equal(cleaned.n[expected > 0], observed.n[expected > 0])
    count = len(range(FRAMES)[frames])
    assert line.startswith(f"{joint} is where no body reaches in ")
    assert ("frame 40" if count == 1 else f"{count} frames ({frames.start} to {frames.stop - 1})") in line


@pytest.mark.parametrize("stretch", ["one frame", "middle", "start", "end"])
@pytest.mark.parametrize("limb", ["legs", "arms"])
def test_a_limb_that_changes_places_is_swapped_back(limb, stretch):
    observed, rows = seen(), {"legs": LEGS, "arms": ARMS}[limb]
    # where left and right meet in the picture nobody can tell them apart: begin and end where they do not
    apart = np.linalg.norm(observed.n[:, rows[0]] - observed.n[:, rows[1]], axis=-1).sum(1)
    first, last = (low + int(apart[low : low + 20].argmax()) for low in (20, 50))
    frames = {
        "one frame": slice(first, first + 1),
        "middle": slice(first, last),
        "start": slice(0, first),
        "end": slice(last, FRAMES),
    }[stretch]
    cleaned, (line,) = clean(swapped(observed, rows, frames))
    np.testing.assert_array_equal(cleaned.n, observed.n)
    assert f"left and right {limb} change places in " in line


def test_hips_stay_where_only_what_hangs_on_them_is_swapped():
    observed = seen()
    cleaned, _ = clean(swapped(observed, LEGS, slice(30, 60)))
    hips = rows_by_side("hip").ravel()
    np.testing.assert_array_equal(cleaned.n[:, hips], observed.n[:, hips])


def test_a_gap_is_no_jump():
    observed = seen()
    confidence = observed.confidence.copy()
    confidence[30:60] = 0
    observed = dataclasses.replace(observed, confidence=confidence)
    assert clean(observed)[1] == ()


@pytest.mark.parametrize("joints", [["left_wrist"], ["left_wrist", "left_elbow"], ["nose", "left_eye"]])
def test_too_few_points_to_judge_stay(joints):
    observed = seen()
    confidence = np.zeros_like(observed.confidence)
    confidence[:, [INDEX[joint] for joint in joints]] = 1
    observed = dataclasses.replace(observed, confidence=confidence)
    assert clean(observed)[1] == ()


def test_two_frames_are_enough_for_a_point_far_off():
    keypoints = film(walk(FRAMES), camera(), "halpe26")
    observed = observe(as_keypoints(keypoints.xy_px[:2], None, "halpe26", 30.0), camera())
    assert clean(observed)[1] == ()
    assert "left_wrist" in clean(moved(observed, "left_wrist", 0.6, slice(0, 1)))[1][0]


def wrist_off() -> Keypoints:
    """A walk whose first frame has the number 100, its left wrist far off in frame 140."""
    keypoints = film(walk(FRAMES), camera(), "halpe26")
    xy = keypoints.xy_px.copy()
    xy[40, keypoints.skeleton.rows == INDEX["left_wrist"]] += 600
    return as_keypoints(xy, None, "halpe26", 30.0, first_frame=100)


def test_frames_are_counted_as_in_the_video():
    with pytest.warns(UserWarning, match="left_wrist is where no body reaches in frame 140;"):
        cleaned(wrist_off(), camera())


def test_the_doctor_tells_of_it_too(tmp_path, capsys):
    keypoints, at = wrist_off().save(tmp_path / "kp.npz"), camera().save(tmp_path / "camera.json")
    assert main(["doctor", str(keypoints), str(at)]) == 0
    assert "left_wrist is where no body reaches in frame 140" in " ".join(capsys.readouterr().out.split())
