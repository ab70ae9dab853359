"""``lift2to3 doctor`` names what is wrong by its cause, and lets what is right alone."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from lift2to3 import cli
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import as_keypoints
from lift2to3.pipeline.setup_report import said_findings

TABLE = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "doctor_table.py"))
MISTAKES, SETUPS = TABLE["MISTAKES"], list(TABLE["walks"]())
SEES_TWO_STRIDES = {"60 fps declared as 30": 3, "mirrored video": 3}
"""Of four set-ups: of some walks too little is in the picture."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_comes_first(name: str) -> None:
    plant, right = MISTAKES[name]
    first = [TABLE["first_finding"](*plant(setup)) for setup in SETUPS]
    assert sum(finding in right for finding in first) >= SEES_TWO_STRIDES.get(name, len(SETUPS)), first


def test_right_setups_are_let_alone() -> None:
    for setup in SETUPS:
        assert said_findings(setup.film(), setup.camera) == []


def test_real_detections_are_let_alone(shared_data: Path) -> None:
    capture = np.load(shared_data / "real_capture" / "balancing.npz")
    cameras = [Camera(*(capture[key][i] for key in ("K", "R", "t", "size", "dist"))) for i in range(4)]
    for i, camera in enumerate(cameras):
        detections = capture["kpts_associated"][i, :, 0]
        keypoints = as_keypoints(detections[..., :2], detections[..., 2].clip(0, 1), "body25b", 60.0)
        assert said_findings(keypoints, camera) == []
    for path in sorted((shared_data / "video").glob("*_mediapipe33.npz")):
        found = np.load(path)
        camera = cameras[int(path.name.split("cam0")[1][0]) - 1]
        keypoints = as_keypoints(found["xy"], found["conf"].clip(0, 1), "mediapipe33", float(found["fps"]))
        assert said_findings(keypoints, camera) == []


def test_the_command_prints_rows_and_ends_with_2_where_lift_would_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = SETUPS[0]
    keypoints = setup.film()
    files = [
        str(keypoints.save(tmp_path / "keypoints.json")),
        str(setup.camera.save(tmp_path / "camera.json")),
    ]
    assert cli.main(["doctor", *files]) == 0
    said = capsys.readouterr().out
    for words in (
        "halpe26, 26 joints",
        "fps",
        "1.60 m over the floor",
        "69° by 42°",
        "nothing wrong",
        "measures 1.",
    ):
        assert words in said
    assert cli.main(["doctor", files[0]]) == 0
    wrong, camera = MISTAKES["millimetres"][0](setup)
    files = [str(wrong.save(tmp_path / "a.json")), str(camera.save(tmp_path / "b.json"))]
    with pytest.raises(SystemExit) as stop:
        cli.main(["doctor", *files])
    assert stop.value.code == 2
    assert "--unit mm" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["doctor", *files, "--unit", "mm"]) == 0
    assert "nothing wrong" in capsys.readouterr().out
