"""Points out: TRC, C3D, csv and json say the same to independent readers (`written_files`)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from moving_body import moving_points
from trc import TRCData
from written_files import Markers, read_c3d, read_csv, read_json, read_trc

from lift2to3.formats.motions.c3d import write_c3d
from lift2to3.formats.motions.tables import write_csv, write_json
from lift2to3.formats.motions.trc import write_trc
from lift2to3.motion import Motion
from lift2to3.skeletons import CANONICAL

Write, Read = Callable[..., Path], Callable[..., Markers]
FORMATS: dict[str, tuple[Write, Read]] = {
    "trc": (write_trc, read_trc),
    "c3d": (write_c3d, read_c3d),
    "csv": (write_csv, read_csv),
    "json": (write_json, read_json),
}
RATES = [24.0, 25.0, 29.97, 30000 / 1001, 30.0, 50.0, 59.94, 60.0, 120.0, 240.0]


def check_same(back: Markers, motion: Motion) -> None:
    np.testing.assert_array_equal(back.valid, motion.valid)
    assert back.names == motion.joint_names
    np.testing.assert_allclose(back.points, motion.joints_world, atol=1e-5)  # NaN equals NaN


@pytest.mark.parametrize("name", FORMATS)
def test_points_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    write, read = FORMATS[name]
    motion = moving_points()
    check_same(read(write(tmp_path / f"clip.{name}", motion)), motion)


@pytest.mark.parametrize("up", ["y", "z"])
def test_either_axis_may_point_up(tmp_path: Path, up) -> None:
    motion = moving_points()
    check_same(read_c3d(write_c3d(tmp_path / "clip.c3d", motion, up)), motion)
    for unit in ("m", "cm", "mm"):
        path = write_trc(tmp_path / "clip.trc", motion, up, unit)
        check_same(read_trc(path, up), motion)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("name", FORMATS)
def test_rates_come_back_frame_for_frame(tmp_path: Path, name: str, fps: float) -> None:
    write, read = FORMATS[name]
    motion = moving_points(20, fps)
    back = read(write(tmp_path / f"clip.{name}", motion))
    assert back.fps == pytest.approx(fps, rel=1e-7)
    assert len(back.points) == 20


# --- other readers


@pytest.mark.parametrize(("up", "rows", "sign"), [("y", [0, 2, 1], [1, 1, -1]), ("z", [0, 1, 2], [1, 1, 1])])
def test_an_independent_library_reads_the_trc(tmp_path: Path, up, rows: list[int], sign: list[int]) -> None:
    motion = moving_points()
    table = TRCData()
    table.load(str(write_trc(tmp_path / "my clip.trc", motion, up, "mm")))
    assert (table["DataRate"], table["NumFrames"], table["NumMarkers"]) == (30.0, 60, 38)
    assert (table["Units"], table["Markers"], table["FileName"]) == ("mm", list(CANONICAL), "my clip.trc")
    np.testing.assert_array_equal(table["Frame#"], np.arange(60) + 1)
    np.testing.assert_allclose(table["Time"], np.arange(60) / 30, atol=1e-6)
    points = np.stack([np.array(table[name], float) for name in CANONICAL], axis=1)
    np.testing.assert_allclose(points, 1e3 * motion.joints_world[..., rows] * sign, atol=2e-3)


@pytest.mark.parametrize(("up", "rows", "sign"), [("y", [0, 2, 1], [1, 1, -1]), ("z", [0, 1, 2], [1, 1, 1])])
def test_an_independent_library_reads_the_c3d(tmp_path: Path, up, rows: list[int], sign: list[int]) -> None:
    motion = moving_points()
    clip = ezc3d.c3d(str(write_c3d(tmp_path / "clip.c3d", motion, up)))
    point = {
        key: field["value"] for key, field in clip["parameters"]["POINT"].items() if key != "__METADATA__"
    }
    assert (point["UNITS"], point["LABELS"]) == (["mm"], list(CANONICAL))
    assert (point["X_SCREEN"], point["Y_SCREEN"]) == (["+X"], ["+" + up.upper()])
    assert (point["USED"], point["FRAMES"], point["RATE"]) == (38, 60, 30.0)
    points = clip["data"]["points"][:3].transpose(2, 1, 0)
    np.testing.assert_allclose(points, 1e3 * motion.joints_world[..., rows] * sign, atol=2e-3)
    residuals = clip["data"]["meta_points"]["residuals"][0].T
    np.testing.assert_array_equal(residuals, np.where(motion.valid, 0.0, -1.0))


@pytest.mark.parametrize("frames", [65_535, 65_536, 70_000, 140_000])
def test_a_c3d_may_be_longer_than_its_header_can_say(tmp_path: Path, frames: int) -> None:
    draw = np.random.default_rng(0).normal(size=(frames, 1, 3)).astype(np.float32)
    valid = np.ones((frames, 1), bool)
    motion = Motion(draw, ("pelvis",), 120.0, valid, np.zeros((frames, 1)))
    path = write_c3d(tmp_path / "long.c3d", motion)
    check_same(read_c3d(path), motion)
    points = ezc3d.c3d(str(path))["data"]["points"]
    assert points.shape == (4, 1, frames)
    np.testing.assert_allclose(points[:3, 0].T, 1e3 * draw[:, 0], atol=2e-3)


def test_the_csv_has_a_heading_per_number_and_empty_cells_for_what_is_missing(tmp_path: Path) -> None:
    motion = moving_points()
    with write_csv(tmp_path / "clip.csv", motion).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["time_s", "pelvis_x_m", "pelvis_y_m", "pelvis_z_m"]
    assert len(rows) == 60
    for frame, row in enumerate(rows):
        assert float(row["time_s"]) == pytest.approx(frame / 30, abs=1e-8)
        cell = row["left_knee_z_m"]
        if motion.valid[frame, 4]:
            assert float(cell) == pytest.approx(motion.joints_world[frame, 4, 2], abs=1e-6)
        else:
            assert cell == ""


def test_the_json_says_its_frame_and_has_null_for_what_is_missing(tmp_path: Path) -> None:
    motion = moving_points()
    path = write_json(tmp_path / "clip.json", motion)
    table = json.loads(path.read_text())
    assert list(table) == ["fps", "frame", "joint_names", "joints", "spread_m"]
    assert table["frame"] == "world, z up, metres, floor z = 0"
    nulls = np.array([[point is None for point in frame] for frame in table["joints"]])
    np.testing.assert_array_equal(nulls, ~motion.valid)
    np.testing.assert_allclose(np.array(table["spread_m"], float), motion.spread, atol=1e-6)  # None: NaN


# --- what cannot be written


@pytest.mark.parametrize("name", FORMATS)
def test_points_that_cannot_be_written_are_refused(tmp_path: Path, name: str) -> None:
    write, path, motion = FORMATS[name][0], tmp_path / f"clip.{name}", moving_points(20)
    bad = motion.joints_world.copy()
    frame = int(np.flatnonzero(motion.valid[:, 4])[0])
    bad[frame, 4] = np.nan
    with pytest.raises(ValueError, match=f"left_knee in frame {frame} is valid but not finite"):
        write(path, motion._replace(joints_world=bad))
    one = np.zeros_like(motion.valid)
    one[frame, 4] = True
    with pytest.raises(ValueError, match="1 valid frames; wanted 2 or more"):
        write(path, motion._replace(valid=one))
    with pytest.raises(ValueError, match="wanted 1 to 1,000 frames per second"):
        write(path, motion._replace(fps=0.0))
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "no" / path.name, motion)
    assert not list(tmp_path.iterdir())
