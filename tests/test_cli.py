"""The commands: what they write and print, and that every user's error is one line and code 2."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from moving_body import moving_body

import lift2to3
from lift2to3 import cli
from lift2to3.demo_clip import load_demo_clip
from lift2to3.formats.cameras.read import write_camera
from lift2to3.formats.keypoints.read import write_keypoints
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion, load_motion
from lift2to3.pipeline import lift as lift_module
from lift2to3.report import figure, viewer
from lift2to3.skeletons import CANONICAL


class StandIn:
    """A lifter that knows the truth of the demo clip, 1 cm to the side."""

    calls: list[dict[str, Any]] = []

    @classmethod
    def from_pretrained(cls, weights: str) -> StandIn:
        cls.calls.append({"weights": weights})
        return cls()

    def lift(self, keypoints: Keypoints, camera: Camera, **options: Any) -> Motion:
        options.pop("progress")(1, 1)
        self.calls[-1].update(options)
        warnings.warn("the guess is rough", stacklevel=1)  # as a lifter does; the command reads the motion's
        truth = load_demo_clip()[2] + [0.01, 0.0, 0.0]
        shape = truth.shape[:2]
        return Motion(
            truth.astype(np.float32), CANONICAL, keypoints.fps, np.ones(shape, bool), np.full(shape, 0.03),
            warnings=("the guess is rough",),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr(lift_module, "Lifter", StandIn)
    monkeypatch.setattr(StandIn, "calls", [])
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(figure, "_DPI", 20)
    return StandIn.calls


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[str, str]:
    """The demo clip as files: keypoints and camera."""
    keypoints, camera, _ = load_demo_clip()
    paths = write_keypoints(keypoints, tmp_path / "walk.json"), write_camera(camera, tmp_path / "camera.json")
    return str(paths[0]), str(paths[1])


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends in."""
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()
    lines = [line for line in said if line.startswith("lift2to3: error: ")]
    assert len(lines) == 1 and "Traceback" not in "".join(said)
    return lines[0]


def test_lift_writes_motion_and_picture_and_sums_up(
    tmp_path: Path, inputs: tuple[str, str], calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    keypoints, camera = inputs
    arguments = ["lift", keypoints, "--camera", camera, "--out", str(out), "--seed", "3", "--samples", "2"]
    arguments.append("--no-feet")
    assert cli.main(arguments) == 0
    assert sorted(file.name for file in out.iterdir()) == ["motion.npz", "motion.png", "report.html"]
    motion = load_motion(out / "motion.npz")
    assert motion.joint_names == CANONICAL
    how = {
        "steps": None,
        "samples": 2,
        "seed": 3,
        "feet": False,
        "refine": False,
        "stature": None,
        "force": False,
    }
    assert calls == [{"weights": "small", **how}]
    said = capsys.readouterr().out
    for words in (
        "path walked",
        "top of the head",
        "lowest foot",
        "foot sliding",
        "reprojection",
        "uncertainty",
        "3.0 cm",
    ):
        assert words in said
    assert "Warning: the guess is rough" in said
    assert len(said.splitlines()) < 24  # one screen


def test_a_body_that_was_found_is_written_and_an_older_one_goes(
    tmp_path: Path, inputs: tuple[str, str], calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["lift", inputs[0], "--camera", inputs[1], "--out", str(tmp_path / "out")]
    body, lift = moving_body(load_demo_clip()[2].shape[0]), StandIn.lift

    def refined(self: StandIn, keypoints: Keypoints, camera: Camera, **options: Any) -> Motion:
        lift(self, keypoints, camera, **options)
        return body._replace(fps=keypoints.fps).motion()

    monkeypatch.setattr(StandIn, "lift", refined)
    assert cli.main([*arguments, "--refine"]) == 0
    assert calls[-1]["refine"] and (tmp_path / "out" / "body.npz").is_file()
    monkeypatch.setattr(StandIn, "lift", lift)
    assert cli.main(arguments) == 0
    assert not (tmp_path / "out" / "body.npz").exists(), "it was the motion's before this one"


def test_unstated_things_are_said(
    tmp_path: Path, inputs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints, camera, _ = load_demo_clip()
    np.savez(tmp_path / "bare.npz", xy=keypoints.xy_px, confidence=keypoints.confidence)
    table = json.loads(Path(inputs[1]).read_text())
    del table["direction"]
    (tmp_path / "bare.json").write_text(json.dumps(table))
    arguments = ["lift", str(tmp_path / "bare.npz"), "--camera", str(tmp_path / "bare.json")]
    assert cli.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "Warning: no skeleton stated: took coco_wholebody23" in said
    assert "Warning: no frame rate stated: took 30" in said
    assert "Warning: no camera direction stated: took world_to_camera" in said
    flags = ["--skeleton", "coco_wholebody23", "--fps", "30", "--direction", "world_to_camera"]
    assert cli.main([*arguments, "--out", str(tmp_path / "out"), *flags]) == 0
    assert "Warning: no " not in capsys.readouterr().out


def test_a_format_of_ones_own(tmp_path: Path, inputs: tuple[str, str]) -> None:
    keypoints, _, _ = load_demo_clip()
    np.savez(tmp_path / "mine.npz", xy=keypoints.xy_px, fps=30)
    joints = [{"name": f"p{i}", "canonical": name} for i, name in enumerate(keypoints.skeleton.canonical)]
    (tmp_path / "mine.json").write_text(json.dumps({"name": "mine", "joints": joints}))
    arguments = ["lift", str(tmp_path / "mine.npz"), "--camera", inputs[1], "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--skeleton", str(tmp_path / "mine.json")]) == 0


def test_demo_measures_itself_against_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo"]) == 0
    said = capsys.readouterr().out
    report = (tmp_path / "lift2to3_demo" / "report.txt").read_text(encoding="utf-8")
    written = sorted(file.name for file in (tmp_path / "lift2to3_demo").iterdir())
    assert written == ["motion.npz", "motion.png", "report.html", "report.txt"]
    page = (tmp_path / "lift2to3_demo" / "report.html").read_text(encoding="utf-8")
    assert "the guess is rough" in page and "joint error in the world" in page and "mpjpe" not in page
    for text in (said, report):
        rows = {line.split("  ")[0]: line for line in text.splitlines()}
        assert "10.0 mm" in rows["joint error in the world"]
        assert "0.0 mm" in rows["joint error, hips aligned (MPJPE)"]


def write_video(path: Path, size: tuple[int, int], frames: int) -> Path:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, size)
    for _ in range(frames):
        video.write(np.full((size[1], size[0], 3), 90, np.uint8))
    video.release()
    return path


def small_inputs(folder: Path) -> tuple[str, str]:
    """The demo clip at a sixth of its resolution, so that its video is small."""
    keypoints, camera, _ = load_demo_clip()
    K = np.diag([1 / 6, 1 / 6, 1.0]) @ camera.K
    write_camera(Camera(K, camera.R, camera.t, (320, 180), camera.dist), folder / "small.json")
    write_keypoints(keypoints._replace(xy_px=keypoints.xy_px / 6), folder / "small_walk.json")
    return str(folder / "small_walk.json"), str(folder / "small.json")


def test_the_video_comes_back_with_the_skeleton_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints, camera = small_inputs(tmp_path)
    video = write_video(tmp_path / "walk.mp4", (320, 180), 180)
    out = tmp_path / "out"
    arguments = ["lift", keypoints, "--camera", camera, "--out", str(out), "--overlay", str(video)]
    assert cli.main(arguments) == 0
    names = ["motion.npz", "motion.png", "overlay.mp4", "report.html"]
    assert sorted(file.name for file in out.iterdir()) == names
    assert "overlay.mp4" in capsys.readouterr().out.splitlines()[-1]


def test_a_foreign_video_is_refused_before_lifting(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints, camera = small_inputs(tmp_path)
    arguments = ["lift", keypoints, "--camera", camera, "--out", str(tmp_path / "out"), "--overlay"]
    assert "no.mp4: no such video" in error_of(capsys, *arguments, str(tmp_path / "no.mp4"))
    short = write_video(tmp_path / "short.mp4", (320, 180), 20)
    assert "about 20 frames, the keypoints 180" in error_of(capsys, *arguments, str(short))
    large = write_video(tmp_path / "large.mp4", (640, 360), 20)
    assert "640×360 px, the camera's image 320×180" in error_of(capsys, *arguments, str(large))
    assert calls == [] and not (tmp_path / "out").exists()


class StandInViewer:
    """Serves nothing."""

    shown: list[tuple[Motion, Camera | None, int]] = []
    address = "http://127.0.0.1:8080"

    def __init__(self, *what: Any) -> None:
        self.shown.append(what)

    def run(self) -> None:
        """Interrupted at once."""


def test_view_serves_the_motion(
    tmp_path: Path,
    inputs: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(viewer, "Viewer", StandInViewer)
    monkeypatch.setattr(StandInViewer, "shown", [])
    truth = load_demo_clip()[2]
    shape = truth.shape[:2]
    motion = Motion(truth.astype(np.float32), CANONICAL, 30.0, np.ones(shape, bool), np.zeros(shape))
    path = motion.save(tmp_path / "motion.npz")
    assert cli.main(["view", str(path), "--camera", inputs[1], "--port", "9000"]) == 0
    assert "Open http://127.0.0.1:8080" in capsys.readouterr().out
    [(shown, camera, port)] = StandInViewer.shown
    assert port == 9000 and isinstance(camera, Camera)
    np.testing.assert_array_equal(shown.joints_world, motion.joints_world)
    assert "no such file" in error_of(capsys, "view", str(tmp_path / "no.npz"))


def test_user_errors_are_one_line(
    tmp_path: Path, inputs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints, camera = inputs
    out = str(tmp_path / "out")
    for arguments, words in (
        (("no.npz", "--camera", camera), "no.npz: no such file"),
        ((keypoints, "--camera", "no.json"), "no.json: no such file"),
        ((keypoints, "--camera", camera, "--fps", "25"), "states 30 frames per second, the argument 25"),
        ((keypoints, "--camera", camera, "--skeleton", "coco18"), "unknown skeleton 'coco18'; known: "),
        ((camera, "--camera", camera), "no keypoints in it"),
        ((keypoints, "--camera", keypoints), "no camera in it (found"),
        (
            (keypoints, "--camera", camera, "--direction", "camera_to_world"),
            "states direction world_to_camera",
        ),
    ):
        assert words in error_of(capsys, "lift", *arguments, "--out", out)
    assert not Path(out).exists()


def test_folder_problems_are_found_before_lifting(
    tmp_path: Path,
    inputs: tuple[str, str],
    calls: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "motion.png").mkdir(parents=True)
    arguments = ["lift", inputs[0], "--camera", inputs[1], "--out"]
    assert "file is in the way" in error_of(capsys, *arguments, str(tmp_path / "file"))
    assert "file is in the way" in error_of(capsys, *arguments, str(tmp_path / "file" / "out"))
    assert "motion.png is in the way" in error_of(capsys, *arguments, str(tmp_path / "taken"))

    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")  # root, who may run the tests, is never refused

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert "cannot write there (Permission denied)" in error_of(capsys, *arguments, str(tmp_path / "locked"))
    assert "cannot write there" in error_of(capsys, "demo", "--out", str(tmp_path / "locked"))
    assert calls == []
    assert (tmp_path / "file").read_text() == "mine"


def test_an_error_of_the_lift_is_one_line(
    tmp_path: Path,
    inputs: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("the camera looks\n  at the sky")

    monkeypatch.setattr(StandIn, "lift", fail)
    line = error_of(capsys, "lift", inputs[0], "--camera", inputs[1], "--out", str(tmp_path / "out"))
    assert line == "lift2to3: error: the camera looks at the sky"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["lift"],
        ["lift", "a.npz", "--out", "o"],
        ["lift", "a.npz", "--camera", "c", "--out", "o", "--steps", "x"],
        ["eval", "a.npz"],
        ["eval", "a.npz", "b.npz", "--missing", "often"],
    ],
)
def test_wrong_flags_end_in_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize(
    "command, flags",
    [
        ("lift", "KEYPOINTS --camera --out --skeleton --fps --weights --steps --seed --overlay"),
        (
            "eval",
            "PRED TRUTH --skeleton --truth-skeleton --fps --truth-fps --joints --resample --missing --camera "
            "--key --truth-key --track --body-model --truth-body-model --out",
        ),
    ],
)
def test_help_names_every_flag(command: str, flags: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for flag in flags.split():
        assert flag in said


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, types; package = types.ModuleType('lift2to3');"  # without the package's own imports
        f"package.__path__ = {list(lift2to3.__path__)!r}; sys.modules['lift2to3'] = package;"
        "import lift2to3.cli; print([m for m in ('jax', 'cv2', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
