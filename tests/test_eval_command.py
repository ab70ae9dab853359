"""`lift2to3 eval`: known answers from every kind of file, and errors for what cannot be compared."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_body import moving_body, posed
from saved_objects import joblib_stream, npy_of_object, torch_zip
from scipy.spatial.transform import Rotation
from test_smpl_results import gvhmr, person, wham

from lift2to3 import cli
from lift2to3.compare.files import compare_files
from lift2to3.compare.motions import COUNTED, UNITS, compare_motions
from lift2to3.compare.read import Reading
from lift2to3.compare.world_points import WorldPoints, as_world_points, resampled, world_points
from lift2to3.convert.read_body import read_body
from lift2to3.convert.rest_skeleton import ordinary_rest
from lift2to3.formats.cameras.read import write_camera
from lift2to3.formats.keypoints.read import write_keypoints
from lift2to3.formats.motions.amass import write_smpl_npz
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.metrics import DEFINITIONS
from lift2to3.motion import BodyMotion, Motion
from lift2to3.skeletons import CANONICAL, INDEX, SKELETONS, SMPL_22
from lift2to3.walk import synthetic_walk

FRAMES = 60
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


def motion_of(points: np.ndarray, fps: float = 30.0) -> Motion:
    valid = np.isfinite(points).all(-1)
    return Motion(points.astype(np.float32), CANONICAL, fps, valid, np.zeros(valid.shape, np.float32))


def standing_body(frames: int = FRAMES, fps: float = 30.0) -> BodyMotion:
    """A body that sways, its feet about the floor."""
    body = moving_body(frames, fps, turns_rad=0.2)
    low = np.median(posed(body)[1][:, [INDEX["left_heel"], INDEX["right_heel"]], 2].min(1)) - 0.01
    return body._replace(root_translation=body.root_translation - np.float32([0, 0, low]))


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    return synthetic_walk(FRAMES / 30.0, 30.0)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> Callable[..., tuple[str, dict]]:
    """Runs the command; what it printed, and the json that it wrote."""
    monkeypatch.setenv("COLUMNS", "120")

    def command(*arguments: object) -> tuple[str, dict[str, Any]]:
        out = tmp_path / "scores" / "scores.json"
        assert cli.main(["eval", *map(str, arguments), "--out", str(out)]) == 0
        return capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))

    return command


@pytest.fixture
def error_of(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line that the command ends in."""

    def command(*arguments: object) -> str:
        assert cli.main(["eval", *map(str, arguments)]) == 2
        said = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
        assert len(said) == 1 and said[0].startswith("lift2to3: error: ")
        return said[0]

    return command


def value(record: dict[str, Any], name: str) -> float:
    return record["overall"][name]["value"]


# --- what is compared and how it is told


def test_a_shifted_motion_s_scores(tmp_path: Path, walk: np.ndarray, run) -> None:
    predicted = motion_of(walk + [0.01, 0, 0]).save(tmp_path / "lifted.npz")
    said, record = run(predicted, motion_of(walk).save(tmp_path / "walk.npz"))
    for name in ("abs_mpjpe", "root_error", "root_error_first"):
        assert value(record, name) == pytest.approx(10.0, abs=1e-3)
    for name in ("mpjpe", "pa_mpjpe", "w_mpjpe_100", "wa_mpjpe_100", "wa_mpjpe_full", "rte", "n_mpjpe_foot"):
        assert value(record, name) == pytest.approx(0.0, abs=1e-3), name
    assert value(record, "contact_f1") == 1.0
    assert "Warning" not in said and record["warnings"] == []
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip()}
    assert rows["abs_mpjpe"][1:] == ["10.00", "mm", "60", "frames"]
    assert rows["contact_f1"][1:3] == ["1.000", "fraction"]
    assert record["definitions"] == DEFINITIONS and record["joints"] == list(CANONICAL)
    assert record["frames"] == FRAMES and set(record["clips"]) == {"walk"}
    assert record["clips"]["walk"]["fps"] == 30 and record["clips"]["walk"]["scores"] == record["overall"]
    for name, entry in record["overall"].items():
        assert entry["unit"] == UNITS[name] and entry["of"] == COUNTED.get(name, "frames")
    counts = {name: entry["count"] for name, entry in record["overall"].items()}
    assert (counts["mpjpe"], counts["accel"], counts["jitter"], counts["root_error_first"]) == (60, 58, 57, 1)
    assert counts["n_mpjpe_foot"] == 2 * FRAMES


def test_identical_bodies_have_no_error() -> None:
    body = standing_body()
    scores = compare_motions(body, body).scores
    assert set(scores) >= {"ajae", "n_mpjpe_foot", "mpjpe"}
    for name, score in scores.items():
        assert name.startswith(("jitter", "foot_", "contact")) or abs(score) < 1e-5, name
    assert scores["jitter"] == scores["jitter_true"] > 0
    assert scores.counts["ajae"] == 2 * np.count_nonzero(body.valid)  # two feet; the gap is in no score
    assert scores.counts["mpjpe"] == np.count_nonzero(body.valid)


def test_turned_ankles_are_seen_in_the_world(tmp_path: Path, run) -> None:
    true = standing_body()
    rotations = true.rotations.copy()
    rotations[:, ANKLES[0]] = rotations[:, ANKLES[0]] @ Rotation.from_rotvec([0.2, 0, 0]).as_matrix()
    rotations[:, ANKLES[1]] = rotations[:, ANKLES[1]] @ Rotation.from_rotvec([0, 0.1, 0]).as_matrix()
    predicted = true._replace(rotations=rotations).save(tmp_path / "feet.npz")
    _, record = run(predicted, true.save(tmp_path / "body.npz"))
    assert value(record, "ajae") == pytest.approx(np.degrees(0.15), rel=1e-4)
    _, record = run(predicted, motion_of(posed(true)[1]).save(tmp_path / "points.npz"))
    assert "ajae" not in record["overall"]  # points have no rotations


def test_known_creep_and_a_lost_contact() -> None:
    true = np.tile(synthetic_walk(1.0, 30.0)[:1], (40, 1, 1))
    rows = [INDEX[name] for name in ("left_heel", "left_big_toe", "right_heel", "right_big_toe")]
    true[:, rows, 2] = 0.01
    predicted = true.copy()
    predicted[:, rows[:2], 0] += 0.002 * np.arange(40)[:, None]  # the left foot creeps: 2 mm a frame
    predicted[:, rows[2:], 2] += 0.1  # the right one hangs 10 cm over the floor
    scores = compare_motions(motion_of(predicted), motion_of(true)).scores
    assert scores["foot_sliding"] == pytest.approx(1.0, rel=1e-3)
    assert scores["contact_f1"] == pytest.approx(2 / 3)  # half of the contacts are found, none is invented
    assert scores["foot_floating"] - scores["foot_floating_true"] == pytest.approx(50.0, abs=3.0)
    sunk = motion_of(predicted - [0, 0, 0.03])
    depth = compare_motions(sunk, motion_of(true)).scores
    assert depth["foot_penetration"] == pytest.approx(20.0, rel=1e-3) and depth["foot_penetration_true"] == 0


def test_only_the_joints_asked_for(tmp_path: Path, walk: np.ndarray, run) -> None:
    predicted = walk.copy()
    predicted[:, INDEX["left_hand"]] += 0.38
    predicted[:, INDEX["left_heel"], 0] += 0.01 * np.sin(np.arange(FRAMES))
    paths = motion_of(predicted).save(tmp_path / "p.npz"), motion_of(walk).save(tmp_path / "t.npz")
    _, every = run(*paths)
    _, some = run(*paths, "--joints", "coco17")
    assert value(every, "abs_mpjpe") > 10 and value(some, "abs_mpjpe") == pytest.approx(0, abs=1e-3)
    assert set(some["joints"]) == set(SKELETONS["coco17"].joints)
    assert value(some, "n_mpjpe_foot") == value(every, "n_mpjpe_foot") > 0.5  # feet come from all joints


# --- folders


def test_folders_are_matched_by_name(tmp_path: Path, walk: np.ndarray, run, error_of) -> None:
    predicted, true = tmp_path / "predicted", tmp_path / "true"
    true.mkdir()
    for name, frames, shift in (("a", 60, 0.01), ("b", 30, 0.04)):
        motion_of(walk[:frames] + [shift, 0, 0]).save(predicted / f"{name}.npz")
        np.save(true / f"{name}.npy", walk[:frames])
    (true / "readme.txt").write_text("not a clip")
    said, record = run(predicted, true, "--truth-skeleton", "canonical")
    assert [record["clips"][name]["frames"] for name in ("a", "b")] == [60, 30]
    assert record["clips"]["b"]["scores"]["abs_mpjpe"]["value"] == pytest.approx(40, abs=1e-3)
    assert value(record, "abs_mpjpe") == pytest.approx((60 * 10 + 30 * 40) / 90, abs=1e-3)  # frame-weighted
    assert record["overall"]["root_error_first"]["count"] == 2
    row = next(line.split() for line in said.splitlines() if line.strip().startswith("abs_mpjpe"))
    assert row[1:4] == ["20.00", "10.00", "40.00"]
    (predicted / "b.npz").rename(predicted / "c.npz")
    line = error_of(predicted, true, "--truth-skeleton", "canonical")
    assert "no prediction of b, 1 of 2 clips" in line and "--missing skip" in line
    said, record = run(predicted, true, "--truth-skeleton", "canonical", "--missing", "skip")
    assert record["clips_missing"] == ["b"] and record["clips_without_truth"] == ["c"]
    assert "1 clips have no prediction and are in no score: b" in said
    assert "1 predictions have no truth and are in no score: c" in said
    assert value(record, "abs_mpjpe") == pytest.approx(10, abs=1e-3)
    (predicted / "a.npz").unlink()
    assert "no prediction of a, b" in error_of(predicted, true, "--missing", "skip")


def test_folders_that_leave_a_question(tmp_path: Path, walk: np.ndarray, error_of) -> None:
    folder, other = tmp_path / "one", tmp_path / "two"
    motion_of(walk).save(folder / "a.npz")
    other.mkdir()
    assert "no clips in it" in error_of(folder, other)
    assert "is a folder of clips" in error_of(folder, folder / "a.npz")
    np.save(other / "a.npy", walk)
    motion_of(walk).save(other / "a.npz")
    assert "a.npy and a.npz are both clip a" in error_of(folder, other)
    assert "no such file or folder" in error_of(folder, tmp_path / "none")


def test_clips_of_different_joints_are_not_pooled(tmp_path: Path, walk: np.ndarray, error_of, run) -> None:
    predicted, true = tmp_path / "p", tmp_path / "t"
    predicted.mkdir()
    for name, skeleton in (("a", "smpl22"), ("b", "canonical")):
        np.savez(predicted / name, joints=walk[:, SKELETONS[skeleton].rows], skeleton=skeleton)
        motion_of(walk).save(true / f"{name}.npz")
    assert "a is compared on 22 joints, clip b on 38" in error_of(predicted, true)
    assert run(predicted, true, "--joints", "smpl22")[1]["joints"] == list(SMPL_22)


# --- kinds of files


@pytest.mark.parametrize("kind", ["npy", "npz", "npz with more"])
def test_plain_arrays(tmp_path: Path, walk: np.ndarray, kind: str, run) -> None:
    joints = walk[:, SKELETONS["h36m17"].rows] + [0.0, 0.02, 0.0]
    path = tmp_path / f"joints.{kind[:3]}"
    flags: list[str] = ["--skeleton", "h36m17"]
    if kind == "npy":
        np.save(path, joints)
    elif kind == "npz":
        np.savez(path, pose=joints, fps=30, skeleton="h36m17", scores=np.ones((60, 17)))
        flags = []
    else:
        np.savez(path, pose=joints, root_relative=joints - joints[:, :1])
        flags += ["--key", "pose", "--fps", "30"]
    _, record = run(path, motion_of(walk).save(tmp_path / "walk.npz"), *flags)
    assert value(record, "abs_mpjpe") == pytest.approx(20, abs=1e-3)
    assert "mid_hip" in record["joints"] and len(record["joints"]) == 17
    assert "foot_sliding" not in record["overall"]  # no heels, no toes


def test_a_rate_that_one_does_not_state_is_the_other_s(
    tmp_path: Path, walk: np.ndarray, run, error_of
) -> None:
    np.save(tmp_path / "plain.npy", walk)
    stated = motion_of(walk, 25.0).save(tmp_path / "stated.npz")
    for pair in ((tmp_path / "plain.npy", stated), (stated, tmp_path / "plain.npy")):
        assert run(*pair, "--skeleton", "canonical")[1]["clips"][pair[1].stem]["fps"] == 25
    both = [tmp_path / "plain.npy"] * 2
    assert "does not state its frames per second" in error_of(*both, "--skeleton", "canonical")
    assert run(*both, "--skeleton", "canonical", "--truth-fps", "50")[1]["clips"]["plain"]["fps"] == 50
    assert "states 25 frames per second, given are 30" in error_of(stated, stated, "--fps", "30")


def seen_as(path: Path, camera: Camera) -> np.ndarray:
    """A result's points where ``camera`` sees them as its own did."""
    found = read_body(path)
    world = posed(found.body)[1]
    in_camera = np.einsum("tij,tpj->tpi", found.cam_from_world, world) + found.cam_translation[:, None]
    return (in_camera - camera.t) @ camera.R


CAMERA = Camera(
    K=[[1000, 0, 960], [0, 1000, 540], [0, 0, 1]],
    R=Rotation.from_euler("zxy", [4, -100, 30], degrees=True).as_matrix(),
    t=[0.3, 1.2, -0.4], size=(1920, 1080),
)  # fmt: skip


def test_a_result_in_a_world_of_its_own_is_placed_by_the_camera(tmp_path: Path, run, error_of) -> None:
    world, seen = person(frames=12)
    result = tmp_path / "hmr4d_results.pt"
    result.write_bytes(torch_zip(gvhmr(world, seen)))
    truth = tmp_path / "true.npy"
    np.save(truth, seen_as(result, CAMERA))
    camera = write_camera(CAMERA, tmp_path / "camera.json")
    said, record = run(result, truth, "--truth-skeleton", "canonical", "--camera", camera)
    assert value(record, "abs_mpjpe") == pytest.approx(0, abs=1e-6)
    assert "world is its own" not in said
    said, record = run(result, truth, "--truth-skeleton", "canonical")
    assert value(record, "abs_mpjpe") > 100 and value(record, "pa_mpjpe") == pytest.approx(0, abs=1e-6)
    assert "Warning: the prediction's world is its own" in said
    assert "world is its own" not in run(result, result)[0]
    line = error_of(truth, result, "--skeleton", "canonical", "--camera", camera)
    assert "the prediction holds no camera of its own" in line


def test_ankles_are_compared_as_the_camera_sees_them(tmp_path: Path, run) -> None:
    result = tmp_path / "hmr4d_results.pt"
    result.write_bytes(torch_zip(gvhmr(*person(frames=12))))
    found = read_body(result)
    rotations = np.array(found.body.rotations)
    rotations[:, 0] = CAMERA.R.T @ found.cam_from_world @ rotations[:, 0]
    rotations[:, ANKLES] = rotations[:, ANKLES] @ Rotation.from_rotvec([0, 0.2, 0]).as_matrix()
    pelvis = seen_as(result, CAMERA)[:, INDEX["pelvis"]]
    truth = found.body._replace(rotations=rotations, root_translation=pelvis).save(tmp_path / "true.npz")
    camera = write_camera(CAMERA, tmp_path / "camera.json")
    assert value(run(result, truth, "--camera", camera)[1], "ajae") == pytest.approx(np.degrees(0.2))
    assert value(run(result, truth)[1], "ajae") > 20  # two worlds


def test_a_track_stands_on_its_frames_of_the_video(tmp_path: Path, run) -> None:
    world, seen = person(frames=8)
    result = tmp_path / "wham_output.pkl"
    result.write_bytes(joblib_stream(wham(world, seen, world.translation, np.arange(3, 11))))
    body = read_body(result, fps=30).body
    truth = np.full((14, 38, 3), 1.0) * np.arange(14)[:, None, None]
    truth[3:11] = posed(body)[1]
    motion_of(truth).save(tmp_path / "true.npz")
    said, record = run(result, tmp_path / "true.npz")  # WHAM's file states no rate
    assert record["clips"]["true"]["frames"] == 14 and record["overall"]["abs_mpjpe"]["count"] == 8
    assert value(record, "abs_mpjpe") == pytest.approx(0, abs=1e-3)
    assert "lacks 42.9% of the truth's joints, 6 frames wholly" in said


def test_smpl_s_rest_and_ours_are_told_apart(tmp_path: Path, run) -> None:
    ours = standing_body(20)
    theirs = ours._replace(rest_offsets=ordinary_rest("smpl").rest_offsets)
    with pytest.warns(UserWarning, match="at rest the two bodies' feet point .*° apart"):
        compare_motions(theirs, ours)
    write_smpl_npz(tmp_path / "ours_amass.npz", ours)
    said, record = run(tmp_path / "ours_amass.npz", ours.save(tmp_path / "ours.npz"))
    assert value(record, "ajae") == pytest.approx(0, abs=1e-3) and "apart" not in said


def film(points: np.ndarray, skeleton: str) -> Keypoints:
    flat = points[:, SKELETONS[skeleton].rows][..., [0, 2]] * 400 + 1000
    return as_keypoints(flat, skeleton=skeleton, fps=30)


def test_2d_keypoints(tmp_path: Path, walk: np.ndarray, run, error_of) -> None:
    true, predicted = film(walk, "halpe26"), film(walk, "halpe26")
    box = (true.xy_px.max(1) - true.xy_px.min(1)).max(1)
    heel = true.skeleton.joints.index("left_heel")
    predicted.xy_px[:, heel, 0] += 0.07 * box
    predicted.xy_px[:15, 0] = np.nan  # a nose that is not found is wrong
    np.save(tmp_path / "p.npy", predicted.xy_px)
    truth = write_keypoints(true, tmp_path / "t.json")
    said, record = run(tmp_path / "p.npy", truth, "--skeleton", "halpe26")
    assert value(record, "pck_foot@0.05") == pytest.approx(5 / 6) and value(record, "pck_foot@0.1") == 1
    assert value(record, "pck_body@0.05") == pytest.approx(1 - 15 / (60 * 20))
    assert record["overall"]["pck_body@0.05"]["of"] == "joints in frames" and "Warning" not in said
    np.savez(tmp_path / "coco.npz", xy=film(walk, "coco17").xy_px)
    _, record = run(tmp_path / "coco.npz", truth, "--skeleton", "coco17")
    assert dict.fromkeys(record["overall"]) == dict.fromkeys(["pck_body@0.05", "pck_body@0.1"])
    assert value(record, "pck_body@0.05") == 1 and len(record["joints"]) == 17
    assert "2D keypoints, the other 3D joints" in error_of(
        tmp_path / "p.npy", motion_of(walk).save(tmp_path / "m.npz"), "--skeleton", "halpe26"
    )
    short = write_keypoints(film(walk[:50], "halpe26"), tmp_path / "short.json")
    assert "50 frames, the truth 60" in error_of(short, truth)


def test_openpose_frames_are_one_clip(tmp_path: Path, walk: np.ndarray, run) -> None:
    keypoints = film(walk[:4], "body25")
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(keypoints.xy_px):
        flat = np.concatenate([frame, np.ones((25, 1))], 1).ravel().tolist()
        (tmp_path / "frames" / f"{number}_keypoints.json").write_text(
            json.dumps({"people": [{"pose_keypoints_2d": flat}]})
        )
    truth = write_keypoints(keypoints, tmp_path / "t.npz")
    assert value(run(tmp_path / "frames", truth, "--skeleton", "body25")[1], "pck_foot@0.05") == 1


# --- rates and lengths


def test_rates_are_brought_together_only_when_asked(tmp_path: Path, run, error_of) -> None:
    fast, slow = synthetic_walk(2.0, 60.0), synthetic_walk(2.0, 30.0)
    paths = motion_of(fast, 60).save(tmp_path / "fast.npz"), motion_of(slow).save(tmp_path / "slow.npz")
    line = error_of(*paths)
    assert "60 frames per second (120 frames), the truth 30 (60 frames)" in line and "--resample" in line
    _, record = run(*paths, "--resample")
    assert value(record, "abs_mpjpe") < 1 and record["clips"]["slow"]["fps"] == 30 and record["resample"]
    short = motion_of(fast[:100], 60).save(tmp_path / "short.npz")
    assert "lasts 1.667 s (100 frames at 60 fps), the truth 2.000 s" in error_of(
        short, paths[1], "--resample"
    )
    assert "has 100 frames, the truth 120" in error_of(short, paths[0])


def test_resampling_keeps_gaps_and_makes_nothing_up() -> None:
    body = standing_body(60, 60.0)
    body = body._replace(root_translation=np.linspace([0, 0, 1], [1, 0.5, 1], 60))  # smooth
    every = world_points(body)
    half = resampled(every, 30.0, 30)
    np.testing.assert_allclose(half.points_world, every.points_world[::2], atol=1e-9)  # NaN where it was NaN
    assert every.ankles is not None and half.ankles is not None
    np.testing.assert_allclose(half.ankles, every.ankles[::2], atol=1e-6)
    back = resampled(half, 60.0, 60)
    assert back.ankles is not None
    assert np.isnan(back.points_world[59]).all() and np.isnan(back.ankles[59]).all()  # past the last frame
    known = np.isfinite(back.points_world).all((1, 2))
    np.testing.assert_array_equal(np.flatnonzero(~known), [*range(19, 28), 59])  # 20 to 26 were missing
    assert np.abs(back.points_world - every.points_world)[known].max() < 0.01
    angle = np.swapaxes(back.ankles[known], -1, -2) @ every.ankles[known]
    assert np.degrees(Rotation.from_matrix(angle.reshape(-1, 3, 3)).magnitude()).max() < 3


def test_a_constant_speed_survives_any_rate() -> None:
    times = np.arange(50) / 25.0
    points = np.zeros((50, 22, 3)) + times[:, None, None] * [1.0, 0.5, 0.0]
    new = resampled(WorldPoints(points, SMPL_22, 25.0), 29.97, 58).points_world
    np.testing.assert_allclose(new[:, 0, 0], np.arange(58) / 29.97, atol=1e-9)


# --- bad input


def test_missing_predictions_are_told(walk: np.ndarray) -> None:
    predicted = walk.copy()
    predicted[10:16] = np.nan
    predicted[30, :19] = np.nan
    with pytest.warns(UserWarning, match=r"lacks 10\.8% of the truth's joints, 6 frames wholly"):
        scores = compare_motions(motion_of(predicted), motion_of(walk)).scores
    assert scores.counts["abs_mpjpe"] == FRAMES - 6


def test_a_world_without_a_floor_at_0_has_no_contacts(walk: np.ndarray) -> None:
    with pytest.warns(UserWarning, match=r"feet are 0\.9\d m over z = 0.*left out"):
        scores = compare_motions(motion_of(walk), motion_of(walk + [0, 0, 0.9])).scores
    assert "contact_f1" not in scores and "foot_penetration" not in scores and "foot_sliding" in scores


def test_motions_that_cannot_be_compared(walk: np.ndarray) -> None:
    true = motion_of(walk)
    face = as_points(walk, ("nose", "left_eye"))
    for predicted, words in (
        (motion_of(1000 * walk), "they look like millimetres; wanted metres, divide by 1000"),
        (motion_of(100 * walk), "they look like centimetres"),
        (motion_of(np.full_like(walk, np.nan)), "every one is missing"),
        (motion_of(walk[:0]), "every one is missing"),
        (true._replace(fps=0.0), "fps is 0.0"),
        (motion_of(walk[:40]), "has 40 frames, the truth 60"),
        (face, "left_hip and right_hip among the joints of both, found nose, left_eye"),
        (as_points(walk, ("pelvis",))._replace(joint_names=("other",)), "found none"),
        (true._replace(joint_names=CANONICAL[:5]), r"\(60, 38, 3\) with 5 names"),
    ):
        with pytest.raises(ValueError, match=words):
            compare_motions(predicted, true)
    hipless = walk.copy()
    hipless[:, INDEX["left_hip"]] = np.nan
    with pytest.warns(UserWarning, match="lacks"), pytest.raises(ValueError, match="no frame has both hips"):
        compare_motions(motion_of(hipless), true)
    with pytest.raises(ValueError, match="coco17: nose, left_eye, .*not in both"):
        compare_motions(as_points(walk, SMPL_22), true, joints="coco17")
    with pytest.raises(ValueError, match="unknown skeleton 'coco18'"):
        compare_motions(true, true, joints="coco18")


def as_points(walk: np.ndarray, names: tuple[str, ...]) -> WorldPoints:
    return WorldPoints(walk[:, [INDEX[name] for name in names]], names, 30.0)


def test_arrays_that_are_no_joints(walk: np.ndarray) -> None:
    for array, words in (
        (walk[:, :21], r"\(60, 21, 3\) float64; wanted numbers \(time, 22, 3\)"),
        (walk[:, :22, :2], r"wanted numbers \(time, 22, 3\)"),
        (walk[:, :22].astype(str), "wanted numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            as_world_points(array, "smpl22", 30.0)


def test_files_that_cannot_be_read(tmp_path: Path, walk: np.ndarray, error_of) -> None:
    true = motion_of(walk).save(tmp_path / "true.npz")
    (tmp_path / "objects.npy").write_bytes(npy_of_object({"joints": 1}))
    (tmp_path / "code.pkl").write_bytes(pickle.dumps(Path))
    np.savez(tmp_path / "objects.npz", joints=np.array([{}], object))
    np.savez(tmp_path / "several.npz", first=walk, second=walk, fps=30)
    np.savez(tmp_path / "rate.npz", joints=walk, fps="thirty")
    np.savez(tmp_path / "stated.npz", joints=walk, fps=30, skeleton="canonical")
    np.save(tmp_path / "bare.npy", walk[:, :22])
    np.save(tmp_path / "odd.npy", walk[:, :5])
    (tmp_path / "damaged.npy").write_bytes((tmp_path / "bare.npy").read_bytes()[:-100])
    (tmp_path / "damaged.npz").write_bytes(true.read_bytes()[:1000])
    for name, flags, words in (
        ("objects.npy", (), "no body motion in it"),
        ("code.pkl", (), "code.pkl"),
        ("objects.npz", (), "pickled Python objects"),
        ("several.npz", ("--skeleton", "canonical"), "first (60, 38, 3), second (60, 38, 3)"),
        ("several.npz", ("--skeleton", "canonical", "--key", "third"), "'third' given"),
        ("rate.npz", ("--skeleton", "canonical"), "wanted one number, frames per second"),
        ("stated.npz", ("--skeleton", "smpl22"), "states skeleton 'canonical', given is 'smpl22'"),
        ("bare.npy", (), "--skeleton (--truth-skeleton), one of smpl22"),
        ("odd.npy", (), "a table of your own as json"),
        ("bare.npy", ("--skeleton", "coco17"), "(60, 22, 3) float64; wanted numbers (time, 17, 3)"),
        ("damaged.npy", ("--skeleton", "smpl22"), "damaged.npy"),
        ("damaged.npz", (), "damaged.npz"),
    ):
        line = error_of(tmp_path / name, true, *flags)
        assert words in line and name in line, line
    assert "unknown skeleton 'nonsense'" in error_of(true, true, "--joints", "nonsense")


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path, walk: np.ndarray, error_of) -> None:
    true = motion_of(walk).save(tmp_path / "true.npz")
    (tmp_path / "taken" / "s.json").mkdir(parents=True)
    assert "in the way" in error_of(true, true, "--out", tmp_path / "taken" / "s.json")
    assert "40 frames" in error_of(
        motion_of(walk[:40]).save(tmp_path / "short.npz"), true, "--out", tmp_path / "out" / "s.json"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_is_a_shell_of_the_function(tmp_path: Path, walk: np.ndarray, run) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "p.npy", walk + 0.01 * rng.normal(size=walk.shape))
    true = motion_of(walk).save(tmp_path / "true.npz")
    comparison = compare_files(tmp_path / "p.npy", true, Reading(skeleton="canonical"))
    _, record = run(tmp_path / "p.npy", true, "--skeleton", "canonical")
    assert {name: entry["value"] for name, entry in record["overall"].items()} == dict(comparison.overall)
    direct = compare_motions(as_world_points(np.load(tmp_path / "p.npy"), "canonical", 30.0), motion_of(walk))
    assert dict(direct.scores) == dict(comparison.overall)


def test_nan_scores_are_null(tmp_path: Path, walk: np.ndarray, run) -> None:
    one = motion_of(walk[:1]).save(tmp_path / "one.npz")
    said, record = run(one, one)
    assert record["overall"]["accel"] == {"value": None, "unit": "m/s²", "count": 0, "of": "frames"}
    assert "–" in next(line for line in said.splitlines() if "accel" in line)


def test_every_score_has_its_unit(walk: np.ndarray) -> None:
    body = standing_body()
    scores = compare_motions(body, body).scores
    assert set(scores) | {name for name in UNITS if name.startswith("pck_")} == set(UNITS)
