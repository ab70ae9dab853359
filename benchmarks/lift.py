"""How fast `lift` is here, how its time grows with the clip, and how much memory it takes.

    python benchmarks/lift.py

Times are medians of ``--repeats`` runs in one process, so that their ratios mean something on a busy
machine too. Two to five minutes on two CPU cores. The limits to hold, on two cores: 120 frames warm in
1.5 s, ten minutes of motion in linear time and flat memory up to 1 GB (whole commands, the first time and
later: ``benchmarks/first_run.py``). ``--minutes 1 --repeats 2`` is the shortest run.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import lift2to3 as l23
from lift2to3.skeletons import get_skeleton
from lift2to3.walk import synthetic_walk

FPS = 30.0


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        weights: a shipped checkpoint's name or a file.
        repeats: runs per median; long clips get fewer.
        minutes: lengths of the long clips, ascending.
        out: a json file for the figures; None prints only.
    """

    weights: str = "small"
    repeats: int = 7
    minutes: tuple[float, ...] = (1, 2, 5, 10)
    out: Path | None = None


def filmed_walk(seconds: float) -> tuple[l23.Keypoints, l23.Camera]:
    """A person walking in circles, 4 to 8 m before a full-HD camera; exact COCO-17 keypoints.

    The person starts over each minute: so the walk itself counts little in the peak memory.
    """
    camera = l23.Camera(
        K=[[1400, 0, 960], [0, 1400, 540], [0, 0, 1]],
        R=[[1, 0, 0], [0, -np.sin(0.1), -np.cos(0.1)], [0, np.cos(0.1), -np.sin(0.1)]],
        t=[0, np.cos(0.1) * 1.5, np.sin(0.1) * 1.5],
        size=(1920, 1080),
    )  # 1.5 m over the origin, looking along y and 0.1 rad down
    points = synthetic_walk(min(seconds, 60.0), FPS, turn_radius_m=2.0, start_xy=(0.0, 4.0))
    xy = camera.project(points[:, get_skeleton("coco17").rows])
    return l23.as_keypoints(np.resize(xy, (round(seconds * FPS), 17, 2)), fps=FPS), camera


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """The middle of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_memory_mb() -> float:
    """The most that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def main(config: Config) -> dict[str, float]:
    """Time everything, print the table and return the figures in seconds and MB."""
    lifter = l23.Lifter.from_pretrained(config.weights)
    keypoints, camera = filmed_walk(4.0)
    figures: dict[str, float] = {}

    def lift_short(steps: int | None = None) -> Callable[[], object]:
        return lambda: lifter.lift(keypoints, camera, steps=steps)

    figures["first_call"] = median_seconds(lift_short(), 1)
    figures["warm_120_frames"] = median_seconds(lift_short(), config.repeats)
    lift_short(steps=2)()
    figures["warm_120_frames_2_steps"] = median_seconds(lift_short(steps=2), config.repeats)
    figures["peak_short_mb"] = peak_memory_mb()
    for minutes in config.minutes:
        lift_long = functools.partial(lifter.lift, *filmed_walk(60 * minutes))
        if minutes == config.minutes[0]:
            lift_long()  # compiles for a full batch of windows
        figures[f"minutes_{minutes:g}"] = median_seconds(lift_long, 3 if minutes <= 2 else 1)
        figures[f"peak_{minutes:g}_minutes_mb"] = peak_memory_mb()
    print_figures(figures, config)
    if config.out is not None:
        config.out.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def print_figures(figures: dict[str, float], config: Config) -> None:
    """The table; ratios compare figures of this very run."""
    table = Table(title=f"lift on {os.cpu_count()} CPU cores, weights {config.weights}")
    for heading in ("what", "seconds", "peak MB", "ratio"):
        table.add_column(heading, justify="left" if heading == "what" else "right")

    def row(what: str, seconds: str, peak: str = "", ratio: str = "") -> None:
        table.add_row(what, f"{figures[seconds]:.2f}", peak and f"{figures[peak]:.0f}", ratio)

    warm, first = figures["warm_120_frames"], config.minutes[0]
    row("120 frames, first call", "first_call", ratio=f"{figures['first_call'] / warm:.1f} × warm")
    row("120 frames, warm", "warm_120_frames", "peak_short_mb", f"{4 / warm:.1f} × real time")
    row(
        "120 frames, 2 steps",
        "warm_120_frames_2_steps",
        ratio=f"{figures['warm_120_frames_2_steps'] / warm:.2f} × warm",
    )
    for minutes in config.minutes:
        growth = figures[f"minutes_{minutes:g}"] / figures[f"minutes_{first:g}"] / (minutes / first)
        row(
            f"{minutes:g} min of motion",
            f"minutes_{minutes:g}",
            f"peak_{minutes:g}_minutes_mb",
            f"{growth:.2f} × linear",
        )
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
