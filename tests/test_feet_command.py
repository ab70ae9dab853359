"""`lift2to3 feet` with the shipped weights: what it writes, whose files it takes, how right the feet are."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from moving_body import resting_body
from saved_objects import torch_zip
from scipy.spatial.transform import Rotation
from test_smpl_results import gvhmr, person

import lift2to3 as l23
from lift2to3 import cli
from lift2to3.contact import CONTACT_POINTS
from lift2to3.formats.cameras.read import write_camera
from lift2to3.formats.keypoints.read import write_keypoints
from lift2to3.metrics import ajae
from lift2to3.pipeline.refine_feet import FOOT_WEIGHTS
from lift2to3.skeletons import INDEX, get_skeleton
from lift2to3.walk import synthetic_walk

FPS, FRAMES = 30.0, 90
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
CAMERA = l23.Camera(
    K=[[1400, 0, 960], [0, 1400, 540], [0, 0, 1]], R=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    t=[0, 1.5, 0], size=(1920, 1080),
)  # fmt: skip


@pytest.fixture(scope="module")
def walk() -> l23.BodyMotion:
    """A walk as a posed body."""
    points = synthetic_walk(FRAMES / FPS, FPS, turn_radius_m=2.0, start_xy=(0.0, 4.0)).astype(np.float32)
    valid = np.ones(points.shape[:2], bool)
    names = get_skeleton("canonical").joints
    return l23.fit_body(l23.Motion(points, names, FPS, valid, np.zeros(valid.shape, np.float32)))


def seen(body: l23.BodyMotion, skeleton: str = "halpe26") -> l23.Keypoints:
    points = body.posed()[1]
    xy = CAMERA.project(points)[:, get_skeleton(skeleton).rows]
    return l23.as_keypoints(xy, skeleton=skeleton, fps=body.fps)


def turned(body: l23.BodyMotion, *degrees: float) -> l23.BodyMotion:
    """The body with both ankles off by an angle held over the clip."""
    rotations = body.rotations.copy()
    rotations[:, ANKLES] = rotations[:, ANKLES] @ Rotation.from_rotvec(np.radians(degrees)).as_matrix()
    return body._replace(rotations=rotations)


def off(body: l23.BodyMotion, true: l23.BodyMotion) -> float:
    """Mean angle of the ankles' frames in the world from the true ones."""
    frames = [b.posed()[0] for b in (body, true)]
    return float(ajae(frames[0][:, ANKLES], frames[1][:, ANKLES]).mean())


@pytest.mark.parametrize("degrees", [(20.0, 0.0, 0.0), (-15.0, 5.0, 5.0), (0.0, 18.0, 0.0)])
def test_feet_that_are_off_come_back(walk, degrees):
    spoilt = turned(walk, *degrees)
    refined = l23.refine_feet(spoilt, seen(walk), CAMERA)
    assert off(refined, walk) < 0.5 * off(spoilt, walk)


def test_feet_that_are_right_stay(walk):
    assert off(l23.refine_feet(walk, seen(walk), CAMERA), walk) < 5.0


def test_the_weights_are_small_and_have_a_card():
    assert FOOT_WEIGHTS.stat().st_size <= 8e6
    card = FOOT_WEIGHTS.with_suffix(".md").read_text()
    assert "licence" in card.lower() and len(card) > 300


@pytest.fixture
def files(tmp_path: Path, walk) -> dict[str, str]:
    return {
        "body": str(turned(walk, 20.0, 0.0, 0.0).save(tmp_path / "body.npz")),
        "keypoints": str(write_keypoints(seen(walk), tmp_path / "keypoints.npz")),
        "camera": str(write_camera(CAMERA, tmp_path / "camera.json")),
        "out": str(tmp_path / "out"),
    }


def test_the_command_writes_a_body_contacts_and_a_report(files, walk, capsys):
    assert (
        cli.main(
            ["feet", files["body"], files["keypoints"], "--camera", files["camera"], "--out", files["out"]]
        )
        == 0
    )
    out = Path(files["out"])
    refined, given = l23.load_body_motion(out / "body.npz"), l23.load_body_motion(files["body"])
    assert off(refined, walk) < 0.5 * off(given, walk)
    others = [row for row in range(22) if row not in ANKLES]
    np.testing.assert_array_equal(refined.rotations[:, others], given.rotations[:, others])
    np.testing.assert_array_equal(refined.root_translation, given.root_translation)
    rows = list(csv.DictReader((out / "contacts.csv").read_text().splitlines()))
    assert len(rows) == FRAMES and set(CONTACT_POINTS) < set(rows[0])
    assert {row["left_heel"] for row in rows} == {"0", "1"}
    said = capsys.readouterr().out
    for words in ("left ankle turned", "sliding in contact", "→"):
        assert words in said and words in (out / "feet.txt").read_text()


def test_lock_holds_standing_feet_still(files):
    arguments = [
        "feet",
        files["body"],
        files["keypoints"],
        "--camera",
        files["camera"],
        "--out",
        files["out"],
    ]
    assert cli.main([*arguments, "--lock"]) == 0
    text = (Path(files["out"]) / "feet.txt").read_text()
    after = float(text.split("sliding in contact")[1].split("→")[1].split()[0])
    assert after < 0.5


def test_a_lift_s_points_get_a_body_first(files, walk, tmp_path):
    points = np.asarray(walk.posed()[1], np.float32)
    valid = np.ones(points.shape[:2], bool)
    names = get_skeleton("canonical").joints
    motion = l23.Motion(points, names, FPS, valid, np.zeros(valid.shape, np.float32))
    path = str(motion.save(tmp_path / "lifted.npz"))
    assert (
        cli.main(["feet", path, files["keypoints"], "--camera", files["camera"], "--out", files["out"]]) == 0
    )
    assert off(l23.load_body_motion(Path(files["out"]) / "body.npz"), walk) < 8.0


def test_a_gvhmr_result_brings_its_own_camera(tmp_path, files, walk):
    result = tmp_path / "hmr4d_results.pt"
    result.write_bytes(torch_zip(gvhmr(*person())))
    frames = len(person()[0].vectors)
    keypoints = seen(resting_body(frames)._replace(root_translation=np.tile([0.0, 4.0, 0.95], (frames, 1))))
    path = str(write_keypoints(keypoints, tmp_path / "few.npz"))
    assert cli.main(["feet", str(result), path, "--out", files["out"]]) == 0
    assert len(l23.load_body_motion(Path(files["out"]) / "body.npz").valid) == frames


def error_of(capsys, *arguments: str) -> str:
    assert cli.main(["feet", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("lift2to3: error: ")
    return said[0]


def test_a_body_without_a_camera_wants_one(files, capsys):
    said = error_of(capsys, files["body"], files["keypoints"], "--out", files["out"])
    assert "does not hold its camera" in said and "--camera" in said


def test_keypoints_of_a_shorter_video_are_refused(files, walk, tmp_path, capsys):
    few = seen(walk)
    few = few._replace(xy_px=few.xy_px[:50], confidence=few.confidence[:50])
    path = str(write_keypoints(few, tmp_path / "few.npz"))
    said = error_of(capsys, files["body"], path, "--camera", files["camera"], "--out", files["out"])
    assert "reaches frame 89" in said and "50 frames" in said


def test_a_format_without_feet_is_refused(files, walk, tmp_path, capsys):
    path = str(write_keypoints(seen(walk, "coco17"), tmp_path / "coco.npz"))
    said = error_of(capsys, files["body"], path, "--camera", files["camera"], "--out", files["out"])
    assert "'coco17'" in said and "halpe26" in said
