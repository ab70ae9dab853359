"""What a first run costs, and a second: whole commands in fresh processes, on an empty and on a filled cache.

    python benchmarks/first_run.py

Wall and CPU seconds (user and system, of all threads) are medians of ``--repeats`` runs; on a busy machine
the latter are the steadier. Two minutes on two CPU cores for one run each. The limits to hold, on two idle
cores: a demo's first lift, compilation included, in 8 s; a 6 s clip from the command to its files in 4 s,
once compiled; the first ``--refine`` in 15 s; ``--help`` in 0.7 s.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import tyro
from rich.console import Console
from rich.table import Table

from lift2to3.demo_clip import load_demo_clip
from lift2to3.formats.cameras.read import write_camera
from lift2to3.formats.keypoints.read import write_keypoints


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        weights: a shipped checkpoint's name or a file.
        repeats: runs per median.
        out: a json file for the figures; None prints only.
    """

    weights: str = "small"
    repeats: int = 3
    out: Path | None = None


class Run(NamedTuple):
    """A process: seconds until its end, of CPU, programs compiled, seconds that it says it lifted in."""

    wall: float
    cpu: float
    compiled: float
    lifted: float


def run(arguments: list[str], cache: Path, empty: bool) -> Run:
    """A fresh Python; its byte code is kept, as pip keeps it."""
    if empty:
        shutil.rmtree(cache, ignore_errors=True)
    before = compiled_programs(cache)
    environment = os.environ | {"LIFT2TO3_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": ""}
    environment["PYTHONPYCACHEPREFIX"] = str(cache.with_name("byte_code"))
    start, used = time.perf_counter(), sum(os.times()[2:4])
    command = [sys.executable, *arguments]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    wall, cpu = time.perf_counter() - start, sum(os.times()[2:4]) - used
    lifted = re.search(r"lifted in +([\d.]+) s", said)
    return Run(wall, cpu, compiled_programs(cache) - before, float(lifted[1]) if lifted else float("nan"))


def compiled_programs(cache: Path) -> int:
    """How many are kept."""
    return len(list((cache / "jax").glob("*-cache")))


def main(config: Config) -> dict[str, Run]:
    """Time everything, print the table and return the figures."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        cache, (keypoints, camera, _) = Path(folder) / "cache", load_demo_clip()  # 6 s
        clip = str(write_keypoints(keypoints, Path(folder) / "clip.npz"))
        out = ["--out", str(Path(folder) / "out"), "--weights", config.weights]
        seen_by = ["--camera", str(write_camera(camera, Path(folder) / "camera.json"))]
        lift = ["-m", "lift2to3", "lift", clip, *seen_by, *out]
        commands = {
            "lift2to3 demo": ["-m", "lift2to3", "demo", *out],
            "lift2to3 lift, 6 s clip": lift,
            "lift2to3 lift --refine, 6 s clip": [*lift, "--refine"],
        }
        alone = {"lift2to3 --help": ["-m", "lift2to3", "--help"]}
        alone |= {f"import {name}": ["-c", f"import {name}"] for name in ("lift2to3", "jax")}
        run(commands["lift2to3 lift --refine, 6 s clip"], cache, empty=True)  # writes the byte code
        for name, arguments in commands.items():
            for state in ("empty cache", "full cache"):
                runs = [run(arguments, cache, state == "empty cache") for _ in range(config.repeats)]
                figures[f"{name}, {state}"] = median(runs)
        for name, arguments in alone.items():
            figures[name] = median([run(arguments, cache, empty=False) for _ in range(config.repeats)])
    print_figures(figures, config)
    if config.out is not None:
        config.out.write_text(
            json.dumps({name: one._asdict() for name, one in figures.items()}, indent=2) + "\n"
        )
    return figures


def median(runs: list[Run]) -> Run:
    """Figure by figure."""
    return Run(*map(statistics.median, zip(*runs, strict=True)))


def print_figures(figures: dict[str, Run], config: Config) -> None:
    """The table."""
    table = Table(title=f"fresh processes on {os.cpu_count()} CPU cores, weights {config.weights}")
    for heading in ("what", "wall s", "CPU s", "programs compiled", "lifted in s"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for name, one in figures.items():
        lifted = "" if one.lifted != one.lifted else f"{one.lifted:.1f}"
        table.add_row(name, f"{one.wall:.2f}", f"{one.cpu:.2f}", f"{one.compiled:g}", lifted)
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
