"""The validation protocol gives the same cameras, pixels and noise to everyone, for ever."""

import json

import numpy as np
import pytest
from tiny import mocap_clip, walk, weights_file

from experiments import evaluate, protocol
from lift2to3 import Motion
from lift2to3.data.packed import write_packed
from lift2to3.skeletons import CANONICAL, INDEX, SMPL_22, get_skeleton

RIGS = [
    {
        "K": [[1145, 0, 512], [0, 1144, 515], [0, 0, 1]],
        "size": [1000, 1002],
        "height_m": 1.6,
        "roll_deg": 1.5,
    },
    {"K": [[1500, 0, 960], [0, 1500, 540], [0, 0, 1]], "size": [1920, 1080], "height_m": 3.1, "roll_deg": -4},
    {"K": [[700, 0, 640], [0, 700, 360], [0, 0, 1]], "size": [1280, 720], "height_m": 0.5, "roll_deg": 0},
]


def clips() -> list:
    return [mocap_clip(walk(150, speed_mps=speed), name=f"walk_{speed}") for speed in (0.8, 1.3)]


@pytest.fixture(scope="module")
def trials() -> list:
    return list(protocol.trials(clips(), RIGS))


def assert_same(first, second) -> None:
    for field in ("K", "R", "t"):
        np.testing.assert_array_equal(getattr(first.camera, field), getattr(second.camera, field))
    for field in ("pixels", "noise_px", "missed"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_every_clip_is_seen_by_four_cameras(trials):
    assert [trial.clip.clip for trial in trials] == ["walk_0.8"] * 4 + ["walk_1.3"] * 4
    assert len({tuple(trial.camera.centre) for trial in trials}) == 8


def test_two_calls_give_the_same(trials):
    for first, second in zip(trials, protocol.trials(clips(), RIGS), strict=True):
        assert_same(first, second)


def test_a_clip_s_draws_depend_on_nothing_but_its_name(trials):
    alone = list(protocol.trials(clips()[1:], RIGS))
    for first, second in zip(trials[4:], alone, strict=True):
        assert_same(first, second)
    renamed = next(iter(protocol.trials([clips()[0]._replace(clip="run")], RIGS)))
    assert np.abs(renamed.camera.t - trials[0].camera.t).max() > 1e-3


def test_cameras_are_real_calibrations_aimed_at_the_clip(trials):
    for trial in trials:
        rig = next(rig for rig in RIGS if tuple(rig["size"]) == trial.camera.size)
        np.testing.assert_array_equal(trial.camera.K, rig["K"])
        assert trial.camera.centre[2] == pytest.approx(rig["height_m"], abs=1e-4)
        assert np.isfinite(trial.pixels).all(-1).mean() >= 0.98
        points = trial.clip.points_world
        distance = np.linalg.norm((points.reshape(-1, 3).mean(0) - trial.camera.centre)[:2])
        assert 2.5 < distance < 20


def test_pixels_are_the_clip_s_projection_and_nothing_outside_the_image(trials):
    for trial in trials:
        projected = trial.camera.project(trial.clip.points_world)
        seen = np.isfinite(trial.pixels).all(-1)
        np.testing.assert_allclose(trial.pixels[seen], projected[seen])
        assert (trial.pixels[seen] >= -0.5).all()
        assert (trial.pixels[seen] <= np.array(trial.camera.size) - 0.5).all()


def test_noise_is_as_documented(trials):
    bias, jitter, missed = [], [], []
    for trial in trials:
        tall = np.nanmedian(np.nanmax(trial.pixels[..., 1], 1) - np.nanmin(trial.pixels[..., 1], 1))
        bias.append(trial.noise_px.mean(0) / tall)
        jitter.append((trial.noise_px - trial.noise_px.mean(0)) / tall)
        missed.append(trial.missed)
    assert np.std(bias) == pytest.approx(0.012, rel=0.1)
    assert np.std(np.concatenate(jitter)) == pytest.approx(0.008, rel=0.05)
    assert np.mean(missed) == pytest.approx(0.03, abs=0.004)


def test_keypoints_are_the_trial_s_pixels_in_a_format(trials):
    trial, rows = trials[0], get_skeleton("coco17").rows
    clean, noisy = (trial.keypoints("coco17", noise) for noise in ("gt", "noisy"))
    np.testing.assert_array_equal(clean.xy_px, trial.pixels[:, rows])
    assert clean.fps == 30 and clean.skeleton.name == "coco17"
    missing = trial.missed[:, rows] | np.isnan(trial.pixels[:, rows]).any(-1)
    np.testing.assert_array_equal(noisy.confidence == 0, missing)
    moved = (noisy.xy_px - clean.xy_px)[~missing]
    np.testing.assert_allclose(moved, trial.noise_px[:, rows][~missing], atol=1e-9)


# --- scores


@pytest.mark.parametrize("skeleton", ["smpl22", "mediapipe33"])
def test_scores_are_over_the_format_s_own_joints(trials, skeleton):
    true = trials[0].clip.points_world
    off = np.zeros_like(true)
    off[:, INDEX["mid_shoulder"]] = 1.0  # in neither format
    valid = np.ones(true.shape[:2], bool)
    motion = Motion(true + off, CANONICAL, 30.0, valid, np.zeros(valid.shape))
    scores = evaluate.score(lambda *_: motion, trials[0], skeleton, "gt")
    assert scores["mpjpe"] == pytest.approx(0, abs=1e-3) == scores["abs_mpjpe"]
    assert "mid_shoulder" not in SMPL_22


def test_the_whole_table_is_evaluated(tmp_path):
    for split in ("train", "val"):
        write_packed(tmp_path / split, clips())
    (tmp_path / "cameras.json").write_text(json.dumps(RIGS))
    config = evaluate.Config(
        data=tmp_path, cameras=tmp_path / "cameras.json", weights=str(weights_file(tmp_path)),
        skeletons=("coco17", "smpl22"), noises=("gt",), methods=("stiff",), limit=1,
    )  # fmt: skip
    rows = evaluate.evaluate(config)
    assert [(row["method"], row["skeleton"], row["noise"]) for row in rows] == [
        ("stiff", "coco17", "gt"), ("stiff", "smpl22", "gt"),
    ]  # fmt: skip
    for row in rows:
        assert 20 < row["pa_mpjpe"] < row["mpjpe"] < row["abs_mpjpe"] < 1500
    assert evaluate.table(rows, "title").row_count == 2
