"""The report page in a real browser: it plays, nothing is cut, hidden or struck through, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, find_chromium
from report_clips import DAMAGES, damaged, first_frames, lifted, lifted_clip

from lift2to3.demo_clip import load_demo_clip
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.motion import Motion
from lift2to3.report.page import write_report
from lift2to3.skeletons import get_skeleton

READY = "document.documentElement.dataset.ready === 'yes'"


@pytest.fixture
def clip() -> tuple[Motion, Keypoints, Camera]:
    return lifted_clip()


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
    return opened(browser, write_report(*clip, tmp_path / "report.html", "A walk", ["the guess is rough"]))


def opened(browser: Browser, path: Path, width: int = 1400) -> Browser:
    browser.errors.clear()
    browser.requests.clear()
    browser.resize(width, 1000)
    browser.open(path)
    browser.wait_for(READY)
    drawn(browser)
    return browser


def drawn(browser: Browser) -> None:
    """Two repaints later."""
    browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def go_to(browser: Browser, frame: int) -> None:
    slider = "document.getElementById('frame')"
    browser.evaluate(f"{slider}.value = {frame}; {slider}.dispatchEvent(new Event('input'))")
    browser.wait_for(f"document.getElementById('clock').textContent.endsWith('frame {frame}')")


def opacity_of(browser: Browser, chart: str) -> np.ndarray:
    """A chart's pixels beside its scale, 0 to 1. (height, width)"""
    width, alpha = browser.evaluate(f"""(() => {{
        const head = [...document.querySelectorAll("#charts .head")]
            .find((head) => head.firstChild.textContent === "{chart}");
        const canvas = head.nextSibling, left = 100, width = canvas.width - left - 14;
        const context = new OffscreenCanvas(width, canvas.height).getContext("2d");
        context.drawImage(canvas, -left, 0);
        const pixels = context.getImageData(0, 0, width, canvas.height).data;
        return [width, [...pixels.filter((_, i) => i % 4 === 3)]];
    }})()""")
    return np.array(alpha).reshape(-1, width) / 255


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
    go_to(page, 100)
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
        drawn(page)
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


@pytest.mark.parametrize("width", [1400, 420])
def test_the_time_cursor_passes_behind_the_titles(page: Browser, width: int) -> None:
    page.resize(width, 1000)
    frames = (3, 20, 60)  # under the left end of each title, and farther right
    for frame in frames:
        go_to(page, frame)
        over_titles, over_charts = page.evaluate("""(() => {
            const cursor = document.getElementById("playhead");
            cursor.style.pointerEvents = "auto";
            const top = (box, y) => {
                document.documentElement.scrollTop += box.top - 300;
                const x = cursor.getBoundingClientRect().left;
                const at = document.querySelector("#charts").getBoundingClientRect().top;
                return document.elementsFromPoint(Math.floor(x), at + y)[0];
            };
            const inner = (element) => element.getBoundingClientRect().top + element.offsetHeight / 2
                - document.querySelector("#charts").getBoundingClientRect().top;
            const hits = (selector) => [...document.querySelectorAll(selector)]
                .map((element) => top(element.getBoundingClientRect(), inner(element)) === cursor);
            const found = [hits("#charts .head"), hits("#charts canvas").slice(0, -1)];
            cursor.style.pointerEvents = "";
            return found;
        })()""")
        assert over_titles and not any(over_titles), f"frame {frame}"
        assert all(over_charts), f"frame {frame}"


def test_every_line_in_space_is_in_the_legend(page: Browser) -> None:
    page.evaluate("""(() => {
        const stroke = CanvasRenderingContext2D.prototype.stroke;
        const solid = (colour) => Object.assign(new OffscreenCanvas(1, 1).getContext("2d"),
            {fillStyle: colour}).fillStyle;
        window.strokes = new Set();
        CanvasRenderingContext2D.prototype.stroke = function () {
            if (this.canvas.closest("#space")) strokes.add(solid(this.strokeStyle));
            stroke.call(this);
        };
        const style = getComputedStyle(document.documentElement);
        window.named = (name) => solid(style.getPropertyValue("--" + name).trim());
        window.keys = new Set([...document.querySelectorAll("#space figcaption .key")].flatMap((key) => {
            const {backgroundColor, borderTopColor} = getComputedStyle(key);
            return [solid(backgroundColor), solid(borderTopColor)];
        }));
        for (const name of ["grid", "panel"]) keys.add(named(name));  // "Grid in metres"; a limb's outline
    })()""")
    page.evaluate("document.querySelector('[data-view=overview]').click()")
    go_to(page, 90)
    drawn(page)
    assert page.evaluate("[...strokes].filter((colour) => !keys.has(colour))") == []
    assert page.evaluate("strokes.has(named('muted')) && keys.has(named('muted'))"), "no camera"
    page.evaluate("document.querySelector('[data-view=person]').click()")
    for frame in (0, 30):  # the camera stands beside the viewer here: its edges would cross the person
        go_to(page, frame)
        drawn(page)
        page.evaluate("strokes.clear()")
        page.evaluate("document.querySelector('[data-view=person]').click()")
        drawn(page)
        assert page.evaluate("strokes.size > 3 && !strokes.has(named('muted'))")
    assert page.errors == []


def test_dark_and_narrow_pages_are_drawn_too(page: Browser) -> None:
    light = colours_of(page, "#space canvas")
    page.prefer("dark")
    page.resize(420, 800)
    page.wait_for("document.querySelector('#space canvas').width < 420")
    assert colours_of(page, "#space canvas") > 0.3 * light
    page.prefer("light")
    assert page.errors == []


@pytest.mark.parametrize("how", ["whole", "no valid frame"])
def test_at_420_px_nothing_is_cut_and_nothing_is_blank(
    browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path, how: str
) -> None:
    rows = [("joint error, each frame aligned (PA-MPJPE)", "29.6 mm"), ("lifted in", "4.2 s, all included")]
    title = "a_clip_whose_name_has_no_blank_at_which_a_line_could_end.keypoints"
    path = write_report(damaged(clip[0], how), *clip[1:], tmp_path / "report.html", title, rows=rows)
    opened(browser, path, 420)
    assert browser.evaluate("document.documentElement.scrollWidth") == 420
    cut = browser.evaluate("""[...document.querySelectorAll("body *")]
        .filter((element) => element.clientWidth && element.scrollWidth > element.clientWidth + 1)
        .map((element) => element.outerHTML.slice(0, 80))""")
    assert cut == []
    outside = browser.evaluate("""[...document.querySelectorAll("td, th, dd, button, canvas, span")]
        .filter((element) => element.offsetParent && element.getBoundingClientRect().right > 408)
        .map((element) => element.outerHTML.slice(0, 80))""")
    assert outside == []
    blank = browser.evaluate("""[...document.querySelectorAll("canvas")].filter((canvas) => {
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return !canvas.offsetParent || !pixels.some((value) => value);
    }).length""")
    assert blank == 0
    if how == "whole":  # no empty bands over and under the image, and a person large enough to see
        canvas = browser.evaluate("[image => [image.clientWidth, image.clientHeight]][0]"
                                  "(document.querySelector('#image canvas'))")  # fmt: skip
        assert canvas[1] < 0.75 * canvas[0]
        assert browser.evaluate("document.getElementById('closer').getAttribute('aria-pressed')") == "true"


def test_half_an_hour_is_an_envelope_and_ten_seconds_are_lines(browser: Browser, tmp_path: Path) -> None:
    def half_an_hour(part: Any) -> Any:
        return np.tile(part, (300, *[1] * (part.ndim - 1))) if isinstance(part, np.ndarray) else part

    motion = lifted(load_demo_clip()[2][::3], 10.0, noise_m=0)
    opened(browser, write_report(Motion(*map(half_an_hour, motion)), None, None, tmp_path / "report.html"))
    assert not browser.evaluate("document.getElementById('envelope').hidden")
    height = opacity_of(browser, "Foot height")
    assert np.mean(height[height > 0] < 0.7) > 0.6, "a solid band"
    assert np.mean((height > 0.7).any(0)) > 0.9, "no line through it"
    assert np.mean((height > 0).sum(0) > 30) > 0.9, "no band from lowest to highest"
    bars = opacity_of(browser, "Contact with the floor")[5:8]
    assert 0.2 < bars.mean() < 0.8 and np.mean(bars == 1) < 0.2
    browser.evaluate("[...document.getElementById('spans').children].at(-2).click()")
    assert browser.evaluate("document.querySelector('#spans [aria-pressed=true]').textContent") == "10 s"
    drawn(browser)
    assert browser.evaluate("document.getElementById('envelope').hidden")
    assert np.mean((opacity_of(browser, "Foot height") > 0).sum(0)) < 20
    assert browser.errors == []


@pytest.mark.parametrize("frames", [1, 2, 180])
def test_a_motion_alone_plays(
    browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path, frames: int
) -> None:
    motion = first_frames(clip[0], frames)
    opened(browser, write_report(motion, None, None, tmp_path / "report.html"))
    assert colours_of(browser, "#space canvas") > 30
    shown = "[...document.querySelectorAll('{}')].filter((e) => e.offsetParent).length"
    assert browser.evaluate(shown.format("#image, [data-view=camera], #error-bars")) == 0
    assert browser.evaluate(shown.format("#charts canvas")) == 5
    for view in ("overview", "front", "side", "top", "person"):
        browser.evaluate(f"document.querySelector('[data-view={view}]').click()")
    browser.press("End")
    browser.wait_for(f"document.getElementById('clock').textContent.endsWith('frame {frames - 1}')")
    assert "NaN" not in browser.evaluate("document.body.innerText")
    assert browser.errors == []


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_motions_play(
    browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path, how: str
) -> None:
    opened(browser, write_report(damaged(clip[0], how), *clip[1:], tmp_path / "report.html"))
    browser.evaluate("document.getElementById('play').click()")
    browser.wait_for("Number(document.getElementById('frame').value) > 5")
    for view in ("overview", "camera", "top"):
        browser.evaluate(f"document.querySelector('[data-view={view}]').click()")
    browser.evaluate("document.getElementById('closer').click()")
    drawn(browser)
    assert browser.errors == []


def test_a_format_without_feet_plays(
    browser: Browser, clip: tuple[Motion, Keypoints, Camera], tmp_path: Path
) -> None:
    motion, _, camera = clip
    pixels = camera.project(motion.joints_world[:, get_skeleton("coco17").rows])
    path = write_report(motion, as_keypoints(pixels, None, "coco17", 30.0), camera, tmp_path / "report.html")
    opened(browser, path)
    assert browser.errors == []
