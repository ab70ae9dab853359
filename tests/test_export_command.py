"""`lift2to3 export`: which files it writes, what it says, and that every user's error is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from moving_body import differences, moving_body, moving_points, posed
from written_files import Markers, read_bvh, read_c3d, read_csv, read_glb, read_json, read_mot, read_trc

from lift2to3 import cli
from lift2to3.convert import export as export_module
from lift2to3.convert.export import ENDINGS, FORMATS, export, points_of, read_motion_file
from lift2to3.fit import fit_body as fit_body_module
from lift2to3.formats.motions import glb
from lift2to3.formats.motions.amass import read_smpl_npz
from lift2to3.motion import BodyMotion, Motion


@pytest.fixture
def body_file(tmp_path: Path) -> Path:
    return moving_body(40, 59.94).save(tmp_path / "walk.npz")


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["export", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("lift2to3: error: ")
    return said[0]


def test_every_format_is_written_and_read_again(
    tmp_path: Path, body_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, body = tmp_path / "deep" / "out", moving_body(40, 59.94)
    assert cli.main(["export", str(body_file), "--to", "all", "--out", str(out)]) == 0
    assert sorted(file.name for file in out.iterdir()) == sorted("walk" + ENDINGS[name] for name in FORMATS)
    bodies = {
        "walk.bvh": read_bvh, "walk.glb": read_glb, "walk_amass.npz": read_smpl_npz,
        "walk_smpl.npz": read_smpl_npz,
    }  # fmt: skip
    for name, read in bodies.items():
        back = read(out / name)
        assert max(differences(body, back)) < 0.01, name
        assert back.fps == 59.94
    points = points_of(body)
    readers: dict[str, Callable[..., Markers]] = {
        "trc": read_trc, "c3d": read_c3d, "csv": read_csv, "json": read_json,
    }  # fmt: skip
    for ending, read in readers.items():
        markers = read(out / f"walk.{ending}")
        np.testing.assert_allclose(markers.points, points.joints_world, atol=1e-4)
        np.testing.assert_array_equal(markers.valid, points.valid)
    assert len(read_mot(out / "walk.mot")) == 40
    said = capsys.readouterr().out
    assert "Warning: 5 of 40 frames have no support: bvh, glb, mot, amass, smpl hold filled-in poses" in said
    assert f"Wrote {out / 'walk.bvh'}, {out / 'walk.glb'}" in said


def test_points_of_a_body_are_missing_where_nothing_supports_the_frame() -> None:
    body = moving_body(40)
    points = points_of(body)
    np.testing.assert_array_equal(points.valid, np.repeat(body.valid[:, None], 38, axis=1))
    assert np.isnan(points.joints_world[~body.valid]).all()
    np.testing.assert_allclose(points.joints_world[body.valid], posed(body)[1][body.valid], atol=1e-5)


def test_axis_and_unit_are_the_users(tmp_path: Path, body_file: Path) -> None:
    arguments = ["export", str(body_file), "--to", "trc,bvh", "--out", str(tmp_path)]
    assert cli.main([*arguments, "--up", "z", "--unit", "cm"]) == 0
    body = moving_body(40, 59.94)
    assert max(differences(body, read_bvh(tmp_path / "walk.bvh", "z", 0.01))) < 0.01
    assert "\tcm\t" in (tmp_path / "walk.trc").read_text().splitlines()[2]
    np.testing.assert_allclose(
        read_trc(tmp_path / "walk.trc", "z").points, points_of(body).joints_world, atol=1e-4
    )
    assert cli.main(arguments) == 0
    assert max(differences(body, read_bvh(tmp_path / "walk.bvh", "y"))) < 0.01


def test_points_get_a_body_only_where_a_format_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted: list[Motion] = []

    def fit(motion: Motion, progress: Callable[[int, int], None]) -> BodyMotion:
        progress(1, 1)
        fitted.append(motion)
        return moving_body(60)

    monkeypatch.setattr(fit_body_module, "fit_body", fit)
    path = moving_points().save(tmp_path / "points.npz")
    assert cli.main(["export", str(path), "--to", "trc,csv", "--out", str(tmp_path)]) == 0
    assert not fitted
    assert capsys.readouterr().out.startswith("Wrote")
    assert cli.main(["export", str(path), "--to", "bvh,trc", "--out", str(tmp_path)]) == 0
    assert len(fitted) == 1
    assert max(differences(moving_body(60), read_bvh(tmp_path / "points.bvh"))) < 0.01
    np.testing.assert_array_equal(read_trc(tmp_path / "points.trc").valid, moving_points().valid)


def test_user_errors_are_one_line(
    tmp_path: Path, body_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "walk.bvh").mkdir(parents=True)
    np.savez(tmp_path / "other.npz", x=1)
    source = str(body_file)
    for arguments, words in (
        ((source, "--to", "fbx"), "formats: found 'fbx'; wanted one or more of bvh,glb,trc"),
        ((source, "--to", ","), "formats: found none"),
        (("no.npz", "--to", "bvh"), "no.npz: no such file"),
        ((str(tmp_path / "file"), "--to", "bvh"), "not an npz file"),
        ((str(tmp_path / "other.npz"), "--to", "bvh"), "no joints_world"),
        ((source, "--to", "bvh", "--out", str(tmp_path / "file")), "is in the way; wanted a folder"),
        ((source, "--to", "bvh", "--out", str(tmp_path / "taken")), "a folder named walk.bvh is in the way"),
    ):
        assert words in error_of(capsys, *arguments)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_said_and_left_alone(
    tmp_path: Path, body_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")  # root, who may run the tests, is never refused

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    out = tmp_path / "locked"
    assert "cannot write there (Permission denied)" in error_of(
        capsys, str(body_file), "--to", "glb", "--out", str(out)
    )
    assert not list(out.iterdir())


def test_a_disk_that_gets_full_leaves_whole_files_only(
    tmp_path: Path, body_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(glb, "struct", SimpleNamespace(pack=full))  # after the temporary file is opened
    out = tmp_path / "out"
    line = error_of(capsys, str(body_file), "--to", "bvh,glb", "--out", str(out))
    assert line.endswith("no space left on device")
    assert [file.name for file in out.iterdir()] == ["walk.bvh"]
    assert max(differences(moving_body(40, 59.94), read_bvh(out / "walk.bvh"))) < 0.01


@pytest.mark.parametrize("formats", [["bvh"], ["csv"], ["trc", "glb"]])
def test_a_motion_that_cannot_be_written_is_refused_before_anything_is(
    tmp_path: Path, formats: list[str]
) -> None:
    body = moving_body(20)
    one = np.arange(20) == 3
    with pytest.raises(ValueError, match="1 valid frames; wanted 2 or more"):
        export(body._replace(valid=one), tmp_path / "out", "walk", formats)
    bent = body.rotations.copy()
    bent[1, 1] = np.nan
    with pytest.raises(ValueError, match="rotations of left_hip is not finite in frame 1"):
        export(body._replace(rotations=bent), tmp_path / "out", "walk", formats)
    assert not (tmp_path / "out").exists()


def test_a_motion_of_one_valid_frame_is_refused_before_it_is_fitted(tmp_path: Path) -> None:
    motion = moving_points(20)
    valid = motion.valid & (np.arange(20) == 2)[:, None]
    with pytest.raises(ValueError, match="1 valid frames; wanted 2 or more"):
        export(motion._replace(valid=valid), tmp_path, "walk", ["bvh"])


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    for formats, options in (([], {}), (["fbx"], {}), (["bvh"], {"unit": "in"}), (["bvh"], {"up": "x"})):
        with pytest.raises((ValueError, TypeError)):
            export(moving_body(20), tmp_path, "walk", formats, **options)
    assert export_module.as_formats(["trc", "bvh", "trc"]) == ("trc", "bvh")


def test_a_file_says_itself_whether_it_holds_points_or_a_body(tmp_path: Path, body_file: Path) -> None:
    assert isinstance(read_motion_file(body_file), BodyMotion)
    assert isinstance(read_motion_file(moving_points().save(tmp_path / "points.npz")), Motion)


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for flag in ("MOTION", "--to", "--out", "--up", "--unit", "amass", "c3d"):
        assert flag in said
