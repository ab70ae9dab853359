"""How fast and how exactly `fit_body` poses a body.

    python benchmarks/fit_body.py --data DIR

Speed on a synthetic walk; exactness on a prepared folder's val clips (``tools/prepare_mocap.py``): the
error that a rigid body adds to true points, and how far its rotations are from the mocap's own, twist
included. Two minutes on two CPU cores. To hold there: 120 frames in 1.5 s once compiled, 8 mm, 6 degrees.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip
from lift2to3.fit.fit_body import fit_body
from lift2to3.motion import Motion
from lift2to3.skeletons import CANONICAL, INDEX, SMPL_22
from lift2to3.walk import synthetic_walk

FPS = 30.0
LIMBS = [
    INDEX[f"{side}_{joint}"]
    for side in ("left", "right")
    for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
]


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time and to score.

    Attributes:
        data: a prepared folder with a val split; None times only.
        clips: at most this many of them, evenly chosen; None for all.
        repeats: of the timing.
        out: a json file for the figures; None prints only.
    """

    data: Path | None = None
    clips: int | None = None
    repeats: int = 7
    out: Path | None = None


def as_motion(points: np.ndarray) -> Motion:
    """True points as if a lifter had found them."""
    shape = points.shape[:2]
    return Motion(
        points.astype(np.float32), CANONICAL, FPS, np.ones(shape, bool), np.zeros(shape, np.float32)
    )


def seconds_of(frames: int, repeats: int) -> tuple[float, float]:
    """First call (compilation included), and the median of later ones."""
    motion = as_motion(synthetic_walk(frames / FPS)[:frames])
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        fit_body(motion)
        taken.append(time.perf_counter() - start)
    return taken[0], statistics.median(taken[1:])


def errors(clip: MocapClip) -> tuple[np.ndarray, np.ndarray]:
    """Of the 22 joints, over the clip: position in mm and rotation in degrees."""
    truth = body_motion(clip)
    true_frames, _ = truth.posed()
    body = fit_body(as_motion(clip.points_world))
    frames, points = body.posed()
    apart = np.linalg.norm(points[:, : len(SMPL_22)] - clip.points_world[:, : len(SMPL_22)], axis=-1)
    trace = np.einsum("tjki,tjki->tj", np.asarray(frames), np.asarray(true_frames))
    return 1e3 * apart.mean(0), np.degrees(np.arccos(((trace - 1) / 2).clip(-1, 1))).mean(0)


def main(config: Config) -> dict[str, float]:
    """Measure and print."""
    first, warm = seconds_of(120, config.repeats)
    figures = {"first_call_s": first, "warm_120_frames_s": warm}
    console = Console()
    table = Table("joint", "mm", "degrees", title="fit_body on true points")
    if config.data is not None:
        clips = load_clips(config.data, "val")
        clips = clips[:: max(1, len(clips) // config.clips)] if config.clips else clips
        per_clip = [errors(clip) for clip in track(clips, "fitting", transient=True)]
        distance, angle = (np.mean(part, axis=0) for part in zip(*per_clip, strict=True))
        figures |= {"clips": len(clips), "joints_mm": distance.mean(), "limbs_deg": angle[LIMBS].mean(),
                    "all_joints_deg": angle.mean()}  # fmt: skip
        for name, mm, degrees in zip(SMPL_22, distance, angle, strict=True):
            table.add_row(name, f"{mm:.1f}", f"{degrees:.1f}")
        console.print(table)
    figures = {name: round(float(value), 3) for name, value in figures.items()}
    console.print(figures)
    if config.out is not None:
        config.out.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
