"""How long each format takes to write a ten-minute clip, and how much memory.

    python benchmarks/export.py

Every figure is of a fresh process that reads a posed body and writes one format (or all), so that its
peak memory is its own; loading the package, about 300 MB, is in the peak and not in the seconds. The row
``points`` is of a motion as `lift` leaves it: a body is fitted to it first, then all formats are written.
On a busy machine read the processor's seconds. About four minutes on two CPU cores. The limits to hold at
30 fps: 30 s and 1.5 GB, for all formats from points too.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from lift2to3.body import BODY_JOINTS
from lift2to3.convert.export import FORMATS, export, read_motion_file
from lift2to3.motion import BodyMotion, Motion
from lift2to3.skeletons import CANONICAL, PARENTS
from lift2to3.walk import synthetic_walk


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        minutes: length of the clip.
        rates: frames per second.
        formats: names; ``all`` for every one in one process, ``points`` for the same from points.
        clip: a posed body's or motion's npz to write instead, and print this process's figures as json.
        out: a json file for the figures; None prints only.
    """

    minutes: float = 10.0
    rates: tuple[float, ...] = (30.0, 60.0)
    formats: tuple[str, ...] = (*FORMATS, "all", "points")
    clip: Path | None = None
    out: Path | None = None


def turning_body(seconds: float, fps: float) -> BodyMotion:
    """Every joint turns smoothly at random; bones of 10 to 30 cm that point anywhere."""
    draw = np.random.default_rng(0)
    frames = round(seconds * fps)
    vectors = gaussian_filter1d(draw.normal(size=(frames, len(BODY_JOINTS), 3)), 0.3 * fps, axis=0)
    turns = Rotation.from_rotvec((vectors / vectors.std()).reshape(-1, 3)).as_matrix()
    bones = draw.normal(size=(len(CANONICAL), 3))
    bones *= draw.uniform(0.1, 0.3, (len(CANONICAL), 1)) / np.linalg.norm(bones, axis=1, keepdims=True)
    bones[PARENTS < 0] = 0
    return BodyMotion(
        (np.cumsum(draw.normal(size=(frames, 3)) / fps, axis=0) + [0, 0, 1]).astype(np.float32),
        turns.reshape(frames, -1, 3, 3).astype(np.float32),
        bones.astype(np.float32),
        fps,
        np.ones(frames, bool),
    )


def walking_points(seconds: float, fps: float) -> Motion:
    """Someone who walks in circles, every point shaken by a centimetre; each minute starts over."""
    walk = synthetic_walk(min(seconds, 60.0), fps, turn_radius_m=2.0)
    points = np.resize(walk, (round(seconds * fps), *walk.shape[1:]))
    points = points + np.random.default_rng(0).normal(scale=0.01, size=points.shape)
    shape = points.shape[:2]
    return Motion(
        points.astype(np.float32), CANONICAL, fps, np.ones(shape, bool), np.full(shape, 0.01, np.float32)
    )


def peak_memory_mb() -> float:
    """The most that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def write_clip(clip: Path, name: str) -> dict[str, float]:
    """Seconds, those until the last window was fitted, peak memory and size of one export in this process."""
    motion = read_motion_file(clip)
    with tempfile.TemporaryDirectory() as folder:
        clocks = [(time.perf_counter(), time.process_time())]
        files = export(
            motion, folder, "clip", FORMATS if name in ("all", "points") else [name],
            progress=lambda done, total: clocks.append((time.perf_counter(), time.process_time())),
        )  # fmt: skip
        start, fitted, end = clocks[0], clocks[-1], (time.perf_counter(), time.process_time())
        return {
            "seconds": end[0] - start[0],
            "processor_seconds": end[1] - start[1],
            "fit_seconds": fitted[0] - start[0],
            "fit_processor_seconds": fitted[1] - start[1],
            "peak_mb": peak_memory_mb(),
            "file_mb": sum(file.stat().st_size for file in files) / 1e6,
        }


def main(config: Config) -> dict[str, dict[str, float]]:
    """Time everything, print the table and return the figures."""
    figures: dict[str, dict[str, float]] = {}
    if config.clip is not None:
        figures = {name: write_clip(config.clip, name) for name in config.formats}
        print(json.dumps(figures))
        return figures
    table = Table(title=f"{config.minutes:g} minutes of motion on {os.cpu_count()} CPU cores")
    for heading in ("what", "seconds", "of them fit", "processor s", "of them fit", "peak MB", "file MB"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for fps in config.rates:
        with tempfile.TemporaryDirectory() as folder:
            body = turning_body(60 * config.minutes, fps).save(Path(folder) / "body.npz")
            points = walking_points(60 * config.minutes, fps).save(Path(folder) / "points.npz")
            for name in config.formats:
                clip = points if name == "points" else body
                command = [sys.executable, __file__, "--clip", str(clip), "--formats", name]
                run = subprocess.run(command, check=True, capture_output=True, text=True)
                figure = json.loads(run.stdout)[name]
                figures[f"{name} at {fps:g} fps"] = figure
                table.add_row(
                    f"{name} at {fps:g} fps", f"{figure['seconds']:.2f}", f"{figure['fit_seconds']:.2f}",
                    f"{figure['processor_seconds']:.2f}", f"{figure['fit_processor_seconds']:.2f}",
                    f"{figure['peak_mb']:.0f}", f"{figure['file_mb']:.1f}",
                )  # fmt: skip
    Console().print(table)
    if config.out is not None:
        config.out.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
