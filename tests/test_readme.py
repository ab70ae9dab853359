"""What the README and the pages of docs say is so: their tree, commands, code, tables and figures."""

import functools
import inspect
import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny import weights_file

import lift2to3 as l23
from lift2to3.convert.export import FORMATS as EXPORTS
from lift2to3.motion import Motion
from lift2to3.pipeline import check_result
from lift2to3.skeletons import SKELETONS, SMPL_22
from lift2to3.walk import synthetic_walk

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))}
RESULTS, USAGE, FORMATS, FILES = (PAGES[f"{name}.md"] for name in ("results", "usage", "formats", "files"))
SCORES = json.loads((ROOT / "lift2to3" / "weights" / "small.scores.json").read_text())
HAS_GIT = (ROOT / ".git").exists()
HAS_WEIGHTS = (ROOT / "lift2to3" / "weights" / "small.safetensors").exists()


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


COMMANDS = [
    line
    for text in (README, *PAGES.values())
    for block in blocks("bash", text)
    for line in block.splitlines()
    if line.strip()
]


@pytest.mark.skipif(not HAS_GIT, reason="not a git checkout: which files are the project's is unknown")
def test_the_tree_is_that_of_the_files():
    tree = runpy.run_path(str(ROOT / ".ci" / "file_tree.py"))["tree"]
    shown = FILES.split("<!-- tree:begin -->")[1].split("<!-- tree:end -->")[0].strip().splitlines()
    wanted = tree().splitlines()
    assert [line for line in wanted if line not in shown] == [], "run: python .ci/file_tree.py --write"
    assert shown == wanted, "run: python .ci/file_tree.py --write"


@pytest.fixture
def help_of(monkeypatch, capsys) -> Callable[..., str]:
    """What a program prints for ``--help``; run in this process, which has imported jax already."""

    def run(program: str, *arguments: str) -> str:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", [program, *arguments, "--help"])
        with pytest.raises(SystemExit) as stopped:
            if program.endswith(".py"):
                runpy.run_path(str(ROOT / program), run_name="__main__")
            else:
                monkeypatch.delitem(sys.modules, program, raising=False)  # or runpy warns
                runpy.run_module(program, run_name="__main__")
        assert not stopped.value.code
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_every_command_exists_with_these_flags(command, help_of):
    words = command.split()
    match words[0]:
        case "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
            return
        case "pip":
            extra = re.search(r"\[(\w+)\]", command)
            assert extra is None or re.search(
                rf"^{extra[1]} =", (ROOT / "setup.cfg").read_text(), re.MULTILINE
            )
            return
        case "python" if words[1] == "-m":
            subcommand = [word for word in words[3:4] if not word.startswith("-")]
            text = help_of(words[2], *subcommand)
        case "python":
            assert (ROOT / words[1]).is_file()
            text = help_of(words[1])
        case "lift2to3":
            text = help_of("lift2to3", words[1])
        case _:
            pytest.fail(f"no such program: {command}")
    for flag in re.findall(r" (--[\w-]+)", command):
        assert re.search(rf"{flag}\b", text), f"{flag} is no flag of {words[:2]}"


def write_walk(folder: Path) -> None:
    """``walk.npy`` and ``walk_halpe.npy`` as the README's own camera would have seen a walk at 25 fps."""
    points = synthetic_walk(3.0, 25, turn_radius_m=3.0, start_xy=(-1.5, 4.5), heading_rad=-0.5)
    for name, skeleton in (("walk.npy", "coco17"), ("walk_halpe.npy", "halpe26")):
        x, y, z = np.moveaxis(points[:, SKELETONS[skeleton].rows], -1, 0)
        np.save(folder / name, np.stack([1400 * x / y + 960, 1400 * (1.6 - z) / y + 540], -1))


@pytest.fixture(scope="module")
def readme_names(tmp_path_factory) -> Iterator[dict[str, object]]:
    """What the README's code leaves behind, in a folder where the pages' code then runs as well."""
    folder = tmp_path_factory.mktemp("readme")
    write_walk(folder)
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        if not HAS_WEIGHTS:  # of random weights nothing can be judged
            weights = weights_file(folder)
            patch.setattr(l23, "lift", functools.partial(l23.lift, weights=weights, force=True))
        for code in blocks("python", README):
            exec(compile(code, "README.md", "exec"), names)
        yield names


def test_the_readme_s_code_runs_and_leaves_its_files(readme_names):
    motion = readme_names["motion"]
    assert isinstance(motion, Motion) and motion.joints_world.shape == (75, 38, 3)
    for written in ("walk_3d.npz", "walk_3d.body.npz", "out/walk.bvh", "out/walk.glb"):
        assert Path(written).is_file()


@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if blocks("python", text)])
def test_a_page_s_code_runs_after_the_readme_s(page, readme_names, capsys):
    if not HAS_WEIGHTS:
        pytest.skip("without shipped weights random ones stand in for the README's lift alone")
    names = dict(readme_names)
    for code in blocks("python", PAGES[page]):
        exec(compile(code, page, "exec"), names)
    said = capsys.readouterr().out
    if page == "formats.md":
        assert "(75, 22, 3, 3) (38, 3)" in said
        files = ("keypoints.npz", "camera.json")
    else:
        assert "Motion(75 frames, 3.0 s at 25 fps, 38 points)" in said
        files = ("walk.npz", "walk.body.npz")
        body, refined = names["body"], names["refined"]
        assert isinstance(body, l23.BodyMotion) and isinstance(refined, l23.BodyMotion)
        ankles = [SMPL_22.index(f"{side}_ankle") for side in ("left", "right")]
        others = np.delete(np.arange(len(SMPL_22)), ankles)
        np.testing.assert_array_equal(refined.rotations[:, others], body.rotations[:, others])
    assert all(Path(written).is_file() for written in files)


def test_code_that_needs_a_licensed_file_imports_what_there_is():
    unrun = [code for text in (README, *PAGES.values()) for code in blocks("python no-run", text)]
    assert unrun
    for code in unrun:
        imports = [line for line in code.splitlines() if line.startswith("from ")]
        assert imports
        exec("\n".join(imports), {})


def test_the_readme_is_read_in_three_minutes():
    assert len(README.splitlines()) <= 150


def test_links_lead_somewhere():
    for name, text in (("../README.md", README), *PAGES.items()):
        folder = (ROOT / "docs" / name).parent
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
            path = folder / target if target else ROOT / "docs" / name
            assert path.is_file(), f"{name}: {target}"
            heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in [
                re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads
            ]


def test_every_format_stands_in_the_table():
    table = FORMATS.split("## Keypoint formats")[1].split("\n## ")[0]
    for skeleton in SKELETONS.values():
        row = next(line for line in table.splitlines() if f"`{skeleton.name}`" in line)
        assert str(len(skeleton.joints)) in row
    exports = FORMATS.split("## Files for other programs")[1]
    assert all(f"`{name}`" in exports for name in EXPORTS)


def test_every_field_of_a_motion_and_a_body_stands_in_a_table():
    for field in Motion._fields:
        assert f"`motion.{field}`" in README
    points, body = FORMATS.split("## motion.npz")[1].split("## body.npz")
    assert all(f"`{field}`" in points for field in Motion._fields if field != "body")
    assert all(f"`{field}`" in body for field in l23.BodyMotion._fields)


def test_every_option_of_lift_stands_in_the_table_with_its_default():
    table = USAGE.split("## Refine")[0]
    for name, option in inspect.signature(l23.lift).parameters.items():
        if option.kind is inspect.Parameter.KEYWORD_ONLY:
            default = f'"{option.default}"' if isinstance(option.default, str) else option.default
            assert f"| `{name}={default}` |" in table


def test_the_headline_figures_are_the_measured_ones():
    methods, kinds = (
        {"lift": "`lift`", "lift + smplify": "`lift --refine`"},
        {"gt": "exact", "noisy": "noisy"},
    )
    rows = [row for row in SCORES["methods"]["rows"] if row["method"] in methods]
    assert len(rows) == 4
    for row in rows:
        figures = (row[name] for name in ("pa_mpjpe", "mpjpe", "abs_mpjpe", "foot_sliding"))
        cells = (kinds[row["noise"]], methods[row["method"]], *(f"{value:.1f}" for value in figures))
        assert f"| {' | '.join(cells)} |" in README


def test_what_refinement_is_said_to_gain_is_what_was_measured():
    score = {(row["method"], row["noise"]): row for row in SCORES["methods"]["rows"]}

    def gain(name: str, noise: str) -> float:
        refined, lifted = score["lift + smplify", noise][name], score["lift", noise][name]
        return 100 * (1 - refined / lifted)

    gains = [gain(name, noise) for name in ("pa_mpjpe", "mpjpe", "abs_mpjpe") for noise in ("gt", "noisy")]
    assert f"{min(gains):.0f} to {max(gains):.0f} % off the position errors" in " ".join(USAGE.split())
    assert "half of the sliding" in " ".join(USAGE.split())
    assert all(45 < gain("foot_sliding", noise) < 60 for noise in ("gt", "noisy"))


def test_what_a_wrong_camera_is_said_to_cost_is_what_was_measured():
    text, page = " ".join(README.split()), PAGES["robustness.md"]
    tilt, height = re.search(r"1° of wrong tilt costs about ([\d.]+) m at 5 m", text), re.search(
        r"5 cm of wrong camera height about ([\d.]+) m", text
    )  # fmt: skip
    measured = re.search(r"Tilt.* 1° adds (\d+) mm", page), re.search(r"height.* 5 cm adds (\d+) mm", page)
    assert tilt and height and all(measured)
    assert [float(tilt[1]), float(height[1])] == [
        pytest.approx(int(found[1]) / 1000, abs=0.01) for found in measured if found
    ]
    shares = re.search(r"1 sample, gt, world: (\d+) % of the points lie within 1 σ .*?, (\d+) %", page)
    assert shares and f"{shares[1]} % of the points lie within it and {shares[2]} % within twice it" in text


def test_the_limits_of_a_result_are_those_that_are_checked():
    text = " ".join(USAGE.split())
    far, tall, miss = (
        re.search(pattern, text)
        for pattern in (
            r"more than (\d+) m away",
            r"taller than (\d+) m",
            r"by more than (\d+) % of the person",
        )
    )
    assert far and tall and miss
    checked = check_result._FARTHEST_M, check_result._TALLEST_M, 100 * check_result._LARGEST_MISS
    assert (float(far[1]), float(tall[1]), float(miss[1])) == checked
    assert f"{check_result.__name__}.{check_result.ImpossibleMotion.__name__}" in text


def test_no_figure_is_promised_without_its_table():
    assert "(docs/results.md)" in README
    for weights in ("small", "foot"):
        assert f"<!-- {weights}:begin -->" in RESULTS and f"<!-- {weights}:end -->" in RESULTS


def test_the_licence_and_the_data_s_terms_are_there():
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "obtained from mocap.cs.cmu.edu" in README and "NSF EIA-0196217" in README
