"""What the README says is so: its tree, its commands, its code, its tables."""

import functools
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny import weights_file

import lift2to3 as l23
from lift2to3.motion import Motion
from lift2to3.skeletons import SKELETONS
from lift2to3.walk import synthetic_walk

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()
TRAINING = (ROOT / "docs" / "training.md").read_text()
HAS_GIT = (ROOT / ".git").exists()
HAS_WEIGHTS = (ROOT / "lift2to3" / "weights" / "small.safetensors").exists()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


COMMANDS = [
    line
    for text in (README, RESULTS, TRAINING)
    for block in blocks("bash", text)
    for line in block.splitlines()
    if line.strip()
]


@pytest.mark.skipif(not HAS_GIT, reason="not a git checkout: which files are the project's is unknown")
def test_the_tree_is_that_of_the_files():
    tree = runpy.run_path(str(ROOT / ".ci" / "readme_tree.py"))["tree"]
    shown = README.split("<!-- tree:begin -->")[1].split("<!-- tree:end -->")[0].strip().splitlines()
    wanted = tree().splitlines()
    assert [line for line in wanted if line not in shown] == [], "run: python .ci/readme_tree.py --write"
    assert shown == wanted, "run: python .ci/readme_tree.py --write"


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


def test_code_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    if not HAS_WEIGHTS:
        tiny_weights = weights_file(tmp_path)
        monkeypatch.setattr(l23, "lift", functools.partial(l23.lift, weights=tiny_weights))
    write_walk(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), names)
    said = capsys.readouterr().out
    assert "(75, 38, 3)" in said and "(75, 22, 3, 3) (38, 3)" in said
    for written in ("walk_3d.npz", "out/walk.bvh", "out/walk.glb"):
        assert (tmp_path / written).is_file()


def test_code_that_needs_a_licensed_file_imports_what_there_is():
    for code in blocks("python no-run"):
        imports = [line for line in code.splitlines() if line.startswith("from ")]
        assert imports
        exec("\n".join(imports), {})


def test_every_format_stands_in_the_table():
    table = README.split("### Keypoint formats")[1].split("\n## ")[0]
    for skeleton in SKELETONS.values():
        row = next(line for line in table.splitlines() if f"`{skeleton.name}`" in line)
        assert str(len(skeleton.joints)) in row


def test_every_field_of_a_motion_stands_in_the_table():
    for field in Motion._fields:
        assert f"`motion.{field}`" in README


def test_no_figure_is_promised_without_its_table():
    assert "(docs/results.md)" in README
    for weights in ("small", "foot"):
        assert f"<!-- {weights}:begin -->" in RESULTS and f"<!-- {weights}:end -->" in RESULTS


def test_the_licence_and_the_data_s_terms_are_there():
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "obtained from mocap.cs.cmu.edu" in README and "NSF EIA-0196217" in README
