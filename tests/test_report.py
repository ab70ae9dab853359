"""The report page: its numbers, what it says of damaged motions, and that it plays in a real browser."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, find_chromium

from lift2to3.demo_clip import load_demo_clip
from lift2to3.geometry.cameras import Camera
from lift2to3.motion import Keypoints, Motion, as_keypoints
from lift2to3.report.bone_lengths import bone_lengths
from lift2to3.report.page import build_page, template, write_report
from lift2to3.report.summary import reprojection_error
from lift2to3.skeletons import CANONICAL, Skeleton, get_skeleton
from lift2to3.walk import synthetic_walk

READY = "document.documentElement.dataset.ready === 'yes'"


def lifted(points: np.ndarray, fps: float = 30.0, noise_m: float = 0.01) -> Motion:
    """The points as a lift might return them: a little off, all valid."""
    noise = np.random.default_rng(0).normal(0, noise_m, points.shape)
    shape = points.shape[:2]
    spread = np.full(shape, 0.03, np.float32)
    return Motion((points + noise).astype(np.float32), CANONICAL, fps, np.ones(shape, bool), spread)


@pytest.fixture
def clip() -> tuple[Motion, Keypoints, Camera]:
    keypoints, camera, truth = load_demo_clip()
    return lifted(truth), keypoints, camera


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
    data = data_of(build_page(motion, keypoints, camera))
    wanted = np.where(motion.valid[..., None], motion.joints_world, np.nan)
    np.testing.assert_allclose(data["world"] + data["middle"], wanted, atol=6e-4)
    np.testing.assert_allclose(data["projected"], camera.project(wanted), atol=0.06)
    np.testing.assert_allclose(data["observed"], keypoints.xy_px, atol=0.06)
    error = reprojection_error(motion._replace(joints_world=wanted), keypoints, camera)
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
    data = data_of(build_page(shifted, keypoints, moved))
    assert np.isnan(data["world"][7, 3]).all()
    wanted = motion.joints_world[50]
    np.testing.assert_allclose(data["world"][50] + data["middle"] - away, wanted, atol=6e-4)


def test_contacts_and_sliding_are_the_feet_s(clip: tuple[Motion, Keypoints, Camera]) -> None:
    _, keypoints, camera = clip
    truth = load_demo_clip()[2]
    data = data_of(build_page(lifted(truth, noise_m=0), keypoints, camera))
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
    assert np.nanmax(data["foot_sliding"]) < 10 and np.isnan(data["foot_sliding"][0]).all()


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
    data = data_of(build_page(tall, keypoints, camera, "A walk", ["the guess is rough"], [("rte", "1 %")]))
    assert data["remarks"][0] == "the guess is rough" and data["rows"] == [["rte", "1 %"]]
    said = " ".join(data["remarks"])
    assert "misses the keypoints" in said and "thigh 65 cm (ordinary: 35 to 50)" in said


def test_ten_minutes_at_60_fps_stay_under_30_mb(clip: tuple[Motion, Keypoints, Camera]) -> None:
    frames = 1800  # half a minute; the rest is more of the same
    motion = lifted(synthetic_walk(frames / 60, 60.0, start_xy=(0.0, 4.0)), 60.0, noise_m=0.02)
    pixels = clip[2].project(motion.joints_world)
    pixels += np.random.default_rng(1).normal(0, 4, pixels.shape)
    page = build_page(motion, as_keypoints(pixels, None, "canonical", 60.0), clip[2])
    own = len(template())
    assert own + 20 * (len(page) - own) < 30e6


# --- what goes wrong


def test_a_name_cannot_break_out_of_the_page(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    evil = "</script><script>alert(1)</script>"
    joints = (evil, *keypoints.skeleton.joints[1:])
    skeleton = Skeleton(evil, joints, keypoints.skeleton.canonical)
    page = build_page(motion, keypoints._replace(skeleton=skeleton), camera, evil, [evil])
    assert evil not in page and page.count("</script>") == 2
    assert data_of(page)["observed_names"][0] == evil


def test_the_page_names_nothing_outside_of_itself() -> None:
    text = template()
    assert not re.search(r"https?://|@import|url\(|<link[^>]+stylesheet|src=", text)
    assert "default-src 'none'" in text


def test_foreign_records_are_refused(clip: tuple[Motion, Keypoints, Camera]) -> None:
    motion, keypoints, camera = clip
    with pytest.raises(ValueError, match="180 frames of motion but 179 of keypoints"):
        build_page(motion, keypoints._replace(xy_px=keypoints.xy_px[:-1]), camera)
    headless = Motion(
        motion.joints_world[:, :4], CANONICAL[:4], 30.0, motion.valid[:, :4], motion.spread[:, :4]
    )
    with pytest.raises(ValueError, match="has no head among its 4 joints"):
        build_page(headless, keypoints, camera)


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


def damaged(motion: Motion, how: str) -> Motion:
    match how:
        case "one valid frame":
            motion.valid[:90] = motion.valid[91:] = False
        case "no valid frame":
            motion.valid[:] = False
        case "NaN joints":
            motion.joints_world[np.random.default_rng(2).random(motion.valid.shape) < 0.5] = np.nan
        case "no feet":
            motion.valid[:, [CANONICAL.index(f"{side}_{p}") for side in ("left", "right")
                             for p in ("heel", "big_toe")]] = False  # fmt: skip
        case "behind the camera":
            motion = motion._replace(joints_world=motion.joints_world - np.array([0, 30, 0], np.float32))
    return motion


DAMAGES = ("one valid frame", "no valid frame", "NaN joints", "no feet", "behind the camera")


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_motions_make_a_page(clip: tuple[Motion, Keypoints, Camera], how: str) -> None:
    motion = damaged(clip[0], how)
    data = data_of(build_page(motion, *clip[1:]))
    np.testing.assert_array_equal(
        np.isnan(data["world"][..., 0]), ~(motion.valid & np.isfinite(motion.joints_world[..., 0]))
    )
    if "valid frame" in how:
        assert any("frames have no motion" in remark for remark in data["remarks"])


# --- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: install one, or name it in $CHROMIUM")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def frame_of(browser: Browser) -> int:
    return int(browser.evaluate("document.getElementById('frame').value"))


def colours_of(browser: Browser, selector: str) -> int:
    """How many different colours a canvas shows."""
    return browser.evaluate(f"""(() => {{
        const canvas = document.querySelector("{selector}");
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext("2d", {{willReadFrequently: true}});
        context.drawImage(canvas, 0, 0);
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size;
    }})()""")


@pytest.fixture
def page(browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path) -> Browser:
    browser.errors.clear()
    browser.requests.clear()
    path = write_report(*clip, tmp_path / "report.html", "A walk", ["the guess is rough"])
    browser.open(path)
    browser.wait_for(READY)
    return browser


def test_it_draws_everything_and_fetches_nothing(page: Browser) -> None:
    page.wait_for("document.getElementById('clock').textContent !== ''")
    assert page.evaluate("document.getElementById('title').textContent") == "A walk"
    assert "the guess is rough" in page.evaluate("document.getElementById('remarks').textContent")
    assert colours_of(page, "#space canvas") > 30
    assert colours_of(page, "#image canvas") > 10
    charts = page.evaluate("document.querySelectorAll('#charts canvas').length")
    assert charts == 7
    for number in range(charts):
        assert page.evaluate(f"document.querySelectorAll('#charts canvas')[{number}].width > 500")
    assert page.evaluate("document.querySelectorAll('#bones tr').length") == 9
    assert len(page.requests) == 1 and page.requests[0].startswith("file:")
    assert page.errors == []


def test_it_plays_at_the_clip_s_rate_and_stops_at_its_end(page: Browser) -> None:
    page.evaluate("document.getElementById('play').click()")
    page.wait_for("Number(document.getElementById('frame').value) > 0")
    measured = page.evaluate("""new Promise((done) => {
        const slider = document.getElementById("frame");
        const [start, first] = [performance.now(), Number(slider.value)];
        const look = () => performance.now() - start < 1500 ? requestAnimationFrame(look)
            : done((Number(slider.value) - first) / (performance.now() - start) * 1000);
        look();
    })""")
    assert measured == pytest.approx(30, rel=0.15)
    page.evaluate("[...document.getElementById('speeds').children].at(-1).click()")
    page.wait_for("document.getElementById('play').textContent === 'Play'", timeout_s=30)
    assert frame_of(page) == 179
    page.press(" ", " ")  # again from the start
    page.wait_for("document.getElementById('play').textContent === 'Pause'")
    page.wait_for("Number(document.getElementById('frame').value) < 170")
    page.press(" ", " ")
    assert page.evaluate("document.getElementById('play').textContent") == "Play"
    assert page.errors == []


def test_slider_keys_and_charts_set_the_frame(page: Browser) -> None:
    before = page.evaluate("document.querySelector('#space canvas').toDataURL()")
    page.evaluate(
        "(s => { s.value = 100; s.dispatchEvent(new Event('input')) })(document.getElementById('frame'))"
    )
    page.wait_for("document.getElementById('clock').textContent.includes('frame 100')")
    assert page.evaluate("document.querySelector('#space canvas').toDataURL()") != before
    for key, frame in (("ArrowRight", 101), ("ArrowLeft", 100), ("End", 179), ("Home", 0), ("ArrowLeft", 0)):
        page.press(key)
        page.wait_for(f"document.getElementById('clock').textContent.endsWith('frame {frame}')")
    x, y = page.evaluate("""(() => {
        const chart = document.querySelector("#charts canvas");
        chart.scrollIntoView({block: "center"});
        const box = chart.getBoundingClientRect();
        return [box.left + 96 + (box.width - 110) / 2, box.top + 30];
    })()""")
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    page.wait_for("Math.abs(document.getElementById('frame').value - 89.5) < 2")
    assert page.errors == []


def test_the_view_turns_zooms_and_keeps_to_presets(page: Browser) -> None:
    page.evaluate("window.scrollTo(0, 0)")
    looks = [page.evaluate("document.querySelector('#space canvas').toDataURL()")]

    def look(what: str) -> None:
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        looks.append(page.evaluate("document.querySelector('#space canvas').toDataURL()"))
        assert looks[-1] not in looks[:-1], f"{what} changed nothing"

    x, y = page.evaluate("""(() => {
        const box = document.querySelector("#space canvas").getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    })()""")
    page.mouse("mousePressed", x, y)
    page.mouse("mouseMoved", x + 60, y + 20)
    page.mouse("mouseReleased", x + 60, y + 20)
    look("dragging")
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=200)
    look("the wheel")
    for view in ("overview", "camera", "front", "side", "top"):
        page.evaluate(f"document.querySelector('[data-view={view}]').click()")
        look(view)
    for option in ("uncertain", "follow"):
        page.evaluate(f"document.getElementById('{option}').click()")
        look(option)
    assert page.errors == []


def test_dark_and_narrow_pages_are_drawn_too(page: Browser) -> None:
    light = colours_of(page, "#space canvas")
    page.prefer("dark")
    page.resize(420, 800)
    page.wait_for("document.querySelector('#space canvas').width < 420")
    assert colours_of(page, "#space canvas") > 0.3 * light
    assert page.evaluate("document.documentElement.scrollWidth <= 420")
    page.prefer("light")
    page.resize(1400, 1000)
    assert page.errors == []


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_motions_play(
    browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path, how: str
) -> None:
    browser.errors.clear()
    browser.open(write_report(damaged(clip[0], how), *clip[1:], tmp_path / "report.html"))
    browser.wait_for(READY)
    browser.evaluate("document.getElementById('play').click()")
    browser.wait_for("Number(document.getElementById('frame').value) > 5")
    for view in ("overview", "camera", "top"):
        browser.evaluate(f"document.querySelector('[data-view={view}]').click()")
    browser.evaluate("document.getElementById('closer').click()")
    browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert browser.errors == []


def test_a_format_without_feet_plays(
    browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path
) -> None:
    browser.errors.clear()
    motion, _, camera = clip
    pixels = camera.project(motion.joints_world[:, get_skeleton("coco17").rows])
    path = write_report(motion, as_keypoints(pixels, None, "coco17", 30.0), camera, tmp_path / "report.html")
    browser.open(path)
    browser.wait_for(READY)
    assert browser.errors == []
