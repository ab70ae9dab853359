"""How fast feet are refined here, and how time and memory grow with the clip.

    python benchmarks/refine_feet.py

The limits to hold, on two cores: 2,000 frames a second once compiled, memory that the clip's length leaves
nearly alone (the clip itself takes 1 kB a frame).
"""

from __future__ import annotations

import dataclasses
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

import lift2to3 as l23
from lift2to3.pipeline.refine_feet import FOOT_WEIGHTS, FootRefiner
from lift2to3.skeletons import get_skeleton
from lift2to3.walk import synthetic_walk

FPS = 30.0


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        weights: a foot lifter's file.
        repeats: runs per median.
        minutes: lengths of the clips, ascending.
        out: a json file for the figures; None prints only.
    """

    weights: Path = FOOT_WEIGHTS
    repeats: int = 3
    minutes: tuple[float, ...] = (4 / 60, 1, 5, 10)
    out: Path | None = None


def walking_body() -> tuple[l23.BodyMotion, l23.Keypoints, l23.Camera]:
    """Four seconds of a walk as a body, and its keypoints with feet."""
    camera = l23.Camera(
        K=[[1400, 0, 960], [0, 1400, 540], [0, 0, 1]], R=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        t=[0, 1.5, 0], size=(1920, 1080),
    )  # fmt: skip
    points = synthetic_walk(4.0, FPS, turn_radius_m=2.0, start_xy=(0.0, 4.0)).astype(np.float32)
    valid = np.ones(points.shape[:2], bool)
    names = get_skeleton("canonical").joints
    body = l23.fit_body(l23.Motion(points, names, FPS, valid, np.zeros(valid.shape, np.float32)))
    _, posed = body.posed()
    xy = camera.project(np.asarray(posed))[:, get_skeleton("halpe26").rows]
    return body, l23.as_keypoints(xy, skeleton="halpe26", fps=FPS), camera


def longer(
    body: l23.BodyMotion, keypoints: l23.Keypoints, frames: int
) -> tuple[l23.BodyMotion, l23.Keypoints]:
    """The clip over and over, up to this many frames."""
    index = np.arange(frames) % len(body.valid)
    fields = ("root_translation", "rotations", "valid")
    repeated = body._replace(**{name: getattr(body, name)[index] for name in fields})
    return repeated, keypoints._replace(xy_px=keypoints.xy_px[index], confidence=keypoints.confidence[index])


def main(config: Config) -> dict[str, float]:
    """Time every length, print the table and return the figures."""
    refiner = FootRefiner.from_pretrained(config.weights)
    body, keypoints, camera = walking_body()
    table = Table("clip", "frames/s", "seconds", "first call, s", "peak MB")
    figures: dict[str, float] = {}
    for minutes in config.minutes:
        clip = longer(body, keypoints, round(minutes * 60 * FPS))
        seconds = []
        for _ in range(config.repeats + 1):
            start = time.perf_counter()
            refiner.refine(*clip, camera)
            seconds.append(time.perf_counter() - start)
        middle = statistics.median(seconds[1:])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        rate, name = len(clip[0].valid) / middle, f"{minutes * 60:.0f} s"
        table.add_row(name, f"{rate:.0f}", f"{middle:.2f}", f"{seconds[0]:.2f}", f"{peak:.0f}")
        figures |= {f"{name} frames per second": rate, f"{name} peak_mb": peak}
    Console().print(table)
    if config.out is not None:
        config.out.write_text(json.dumps(figures, indent=1))
    return figures


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
