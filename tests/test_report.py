"""The report page: its numbers, and what it says of damaged motions and of motions alone."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_body import moving_body
from report_clips import DAMAGES, damaged, first_frames, lifted, lifted_clip

from lift2to3.body import pose_body
from lift2to3.demo_clip import load_demo_clip
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.motion import BodyMotion, Motion
from lift2to3.pipeline.foot_summary import foot_summary
from lift2to3.pipeline.lock_feet import LockConfig
from lift2to3.report.bone_lengths import bone_lengths
from lift2to3.report.page import report_html, template, write_report
from lift2to3.skeletons import CANONICAL, Skeleton
from lift2to3.summary import foot_contacts, reprojection_error, summarise
from lift2to3.walk import synthetic_walk

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def clip() -> tuple[Motion, Keypoints, Camera]:
    return lifted_clip()


def data_of(page: str) -> dict[str, Any]:
    """What the page holds, packed arrays unpacked."""
    found = re.search(r'<script type="application/json" id="clip">(.*?)</script>', page, re.DOTALL)
    assert found
    return {
        key: unpack(value) if isinstance(value, dict) and "data" in value else value
        for key, value in json.loads(found[1]).items()
    }


def unpack(packed: dict[str, Any]) -> np.ndarray:
    planes = np.frombuffer(gzip.decompress(base64.b64decode(packed["data"])), np.uint8)
    steps = planes.reshape(2, -1).T.copy().view("<i2").reshape(-1, packed["shape"][0])
    whole = np.add.accumulate(steps, axis=1, dtype=np.int16).T.reshape(packed["shape"])
    return np.where(whole == -32768, np.nan, whole * packed["unit"])


def test_the_page_is_written_without_loading_what_draws_pictures():
    code = (
        "import sys, lift2to3.report.page; print([m for m in sys.modules if m.split('.')[0] == 'matplotlib'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- numbers


def test_the_page_holds_the_motion_to_the_millimetre(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    motion.valid[20:30] = False
    motion.joints_world[40, 5] = np.nan
    data = data_of(report_html(motion, keypoints, camera))
    wanted = np.where(motion.valid[..., None], motion.joints_world, np.nan)
    np.testing.assert_allclose(data["world"] + data["middle"], wanted, atol=6e-4)
    np.testing.assert_allclose(data["projected"], camera.project(wanted), atol=0.06)
    np.testing.assert_allclose(data["observed"], keypoints.xy_px, atol=0.06)
    error = reprojection_error(motion, keypoints, camera.project(wanted))
    np.testing.assert_allclose(data["error"], error, atol=0.06)
    np.testing.assert_allclose(data["error_by_time"][0, 0], np.nanmedian(error[0]), rtol=0.1)
    assert (data["frames"], data["fps"], tuple(data["size"])) == (180, 30.0, camera.size)
    assert not {"mid_hip", "left_eye"} & {data["names"][child] for _, child, _ in data["sticks"]}


def test_a_world_far_from_its_origin_loses_no_precision(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    away = np.array([3000.0, -9000.0, 0.0])
    moved = Camera(camera.K, camera.R, camera.t - camera.R @ away, camera.size, camera.dist)
    shifted = motion._replace(joints_world=motion.joints_world.astype(np.float64) + away)
    shifted.joints_world[7, 3] = 1e7  # a wild point must not cost the others theirs
    data = data_of(report_html(shifted, keypoints, moved))
    assert np.isnan(data["world"][7, 3]).all()
    wanted = motion.joints_world[50]
    np.testing.assert_allclose(data["world"][50] + data["middle"] - away, wanted, atol=6e-4)


def test_contacts_and_sliding_are_the_feet_s(clip: tuple[Motion, Keypoints, Camera]) -> None:
    _, keypoints, camera = clip
    truth = load_demo_clip()[2]
    data = data_of(report_html(lifted(truth, noise_m=0), keypoints, camera))
    assert data["contact_points"][0] == "left_heel" and data["contact"].shape == (180, 4)
    stands = np.zeros((180, 4), bool)
    for column, first, last, x, y in data["footprints"]:
        stands[first : last + 1, column] = True
        name = data["contact_points"][column]
        np.testing.assert_allclose(
            truth[first : last + 1, CANONICAL.index(name), :2].mean(0), [x, y], atol=2e-3
        )
    np.testing.assert_array_equal(stands, data["contact"] == 1)
    assert 0.2 < stands.mean() < 0.8
    assert np.nanmax(data["foot_sliding"]) < 14 and np.isnan(data["foot_sliding"][0]).all()


def points_of(body: BodyMotion) -> np.ndarray:
    arrays = (body.rest_offsets, body.rotations, body.root_translation)
    return np.array(pose_body(*(array.astype(float) for array in arrays))[1])


def test_foot_sliding_is_one_figure_of_one_definition(clip: tuple[Motion, Keypoints, Camera]) -> None:
    body = moving_body(frames=90, turns_rad=0.15)
    body = body._replace(root_translation=body.root_translation * np.float32([0.2, 0.2, 1.0]))
    points = points_of(body)
    points[..., 2] -= np.min(points[..., 2])
    motion = lifted(points, noise_m=0)._replace(valid=np.tile(body.valid[:, None], (1, 38)))
    lowered = body._replace(root_translation=body.root_translation + (points - points_of(body))[:, 0])
    feet = foot_contacts(motion._replace(joints_world=np.where(motion.valid[..., None], points, np.nan)))
    assert feet.contact.any()
    shown = summarise(motion).sliding_mm
    assert shown == pytest.approx(foot_summary(lowered, feet.contact).sliding_mm, rel=1e-4)
    data = data_of(report_html(motion))
    assert [value for name, value, _ in data["facts"] if "sliding" in name] == [f"{shown:.1f}\u00a0mm"]
    assert np.nanmean(feet.sliding_mm) == pytest.approx(shown)


def test_head_and_spread_are_said_as_what_they_are(clip: tuple[Motion, Keypoints, Camera]) -> None:
    page = report_html(*clip)
    facts = {name: (value, remark) for name, value, remark in data_of(page)["facts"]}
    top = clip[0].joints_world[:, CANONICAL.index("head_top"), 2].max()
    value, remark = facts["Top of the head"]
    assert value == f"{top:.2f}\u00a0m" and "over the floor" in remark
    words = " ".join(template().split())
    assert "not the person's stature" in words and not re.search("head height", page, re.IGNORECASE)
    shares = re.search(r"(\d+) % of the points lie within it and (\d+) % within twice it", README)
    assert shares and "does not know of a wrong camera calibration" in words
    within, twice = shares.groups()
    assert re.search(rf"{within} % of the points .* lie within it and {twice} % within twice it", words)
    contact = LockConfig().contact
    assert (
        f"begins under {100 * contact.begin_height_m:.1f} cm and {contact.begin_speed_m_per_s:.2f} m/s, and "
        f"lasts under {100 * contact.hold_height_m:.0f} cm and {contact.hold_speed_m_per_s:.2f} m/s"
    ) in words


def test_a_motion_alone_makes_a_page(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    data = data_of(report_html(motion))
    np.testing.assert_allclose(data["world"] + data["middle"], motion.joints_world, atol=6e-4)
    assert [name for name, _, _ in data["facts"]] == [
        "Path walked", "Top of the head", "Lowest foot", "Foot sliding", "Spread"
    ]  # fmt: skip
    assert data["camera"] is None and not {"projected", "error", "size"} & data.keys()
    for half in (data_of(report_html(motion, keypoints)), data_of(report_html(motion, None, camera))):
        assert "projected" not in half and half["contact"].shape == (180, 4)
    for frames in (1, 2, 3):
        short = data_of(report_html(first_frames(motion, frames)))
        assert short["foot_sliding"].shape == (frames, 2)
    with pytest.raises(ValueError, match="no frames; wanted one or more"):
        report_html(first_frames(motion, 0))


def test_bones_of_a_rigid_walker_are_plausible_and_a_giant_s_are_not() -> None:
    walk = lifted(synthetic_walk(3.0), noise_m=0)
    table = {bone["name"]: bone for bone in bone_lengths(walk)}
    thigh = table["thigh"]
    assert thigh["left_cm"] == pytest.approx(43.0, abs=0.1) == thigh["right_cm"]
    assert thigh["variation"] < 1e-3
    assert {bone["verdict"] for bone in table.values()} == {"plausible"}
    giant = bone_lengths(walk._replace(joints_world=2 * walk.joints_world))
    assert {bone["verdict"] for bone in giant} == {"long"}
    dwarf = bone_lengths(walk._replace(joints_world=0.4 * walk.joints_world))
    assert {bone["verdict"] for bone in dwarf} == {"short"}
    trembling = bone_lengths(lifted(synthetic_walk(3.0), noise_m=0.05))
    assert next(bone for bone in trembling if bone["name"] == "forearm")["verdict"] == "varies"
    walk.valid[:] = False
    assert {bone["verdict"] for bone in bone_lengths(walk)} == {"not measured"}


def test_what_looks_wrong_is_said_at_the_top(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    tall = motion._replace(joints_world=motion.joints_world * np.float32(1.5))
    data = data_of(report_html(tall, keypoints, camera, "A walk", ["the guess is rough"], [("rte", "1 %")]))
    assert data["remarks"][0] == "the guess is rough" and data["rows"] == [["rte", "1 %"]]
    said = " ".join(data["remarks"])
    assert "misses the keypoints" in said and "thigh 65 cm (ordinary: 35 to 50)" in said


def test_ten_minutes_at_60_fps_stay_under_30_mb(clip: tuple[Motion, Keypoints, Camera]) -> None:
    frames = 1800  # half a minute; the rest is more of the same
    motion = lifted(synthetic_walk(frames / 60, 60.0, start_xy=(0.0, 4.0)), 60.0, noise_m=0.02)
    pixels = clip[2].project(motion.joints_world)
    pixels += np.random.default_rng(1).normal(0, 4, pixels.shape)
    page = report_html(motion, as_keypoints(pixels, None, "canonical", 60.0), clip[2])
    own = len(template())
    assert own + 20 * (len(page) - own) < 30e6


# --- what goes wrong


def test_a_name_cannot_break_out_of_the_page(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    evil = "</script><script>alert(1)</script>"
    joints = (evil, *keypoints.skeleton.joints[1:])
    skeleton = Skeleton(evil, joints, keypoints.skeleton.canonical)
    page = report_html(motion, keypoints._replace(skeleton=skeleton), camera, evil, [evil])
    assert evil not in page and page.count("</script>") == 2
    assert data_of(page)["observed_names"][0] == evil


def test_the_page_names_nothing_outside_of_itself() -> None:
    text = template()
    assert not re.search(r"https?://|@import|url\(|<link[^>]+stylesheet|src=", text)
    assert "default-src 'none'" in text


def test_foreign_records_are_refused(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    with pytest.raises(ValueError, match="180 frames of motion but 179 of keypoints"):
        report_html(motion, keypoints._replace(xy_px=keypoints.xy_px[:-1]), camera)
    headless = Motion(
        motion.joints_world[:, :4], CANONICAL[:4], 30.0, motion.valid[:, :4], motion.spread[:, :4]
    )
    with pytest.raises(ValueError, match="has no head among its 4 joints"):
        report_html(headless, keypoints, camera)


def test_nothing_half_written_stays(
    clip: tuple[Motion, Keypoints, Camera], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(*clip, tmp_path / "report.html")
    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_text", _full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_report(*clip, path, "another")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def _full_disk(path: Path, text: str, **_: Any) -> int:
    path.write_bytes(text[:1000].encode())
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_motions_make_a_page(clip: tuple[Motion, Keypoints, Camera], how: str) -> None:
    motion = damaged(clip[0], how)
    data = data_of(report_html(motion, *clip[1:]))
    np.testing.assert_array_equal(
        np.isnan(data["world"][..., 0]), ~(motion.valid & np.isfinite(motion.joints_world[..., 0]))
    )
    if "valid frame" in how:
        assert any("frames have no motion" in remark for remark in data["remarks"])
