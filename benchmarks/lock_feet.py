"""How much sliding `lock_feet` takes away, and what it costs in joint error.

    python benchmarks/lock_feet.py --data DIR

Val clips of a prepared folder (``tools/prepare_mocap.py``) are spoilt as a lifter spoils them: the root
drifts slowly and every leg joint is turned by slow noise. Contacts are labelled on the spoilt motion;
sliding, penetration and floating are measured where the true feet stand. Half a minute on two CPU cores.
To hold: sliding 70 % less, joints nearer to the truth in the world, and within 1.5 mm hip-aligned.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.metrics import abs_mpjpe, jitter, mpjpe
from lift2to3.motion import BodyMotion
from lift2to3.pipeline.foot_summary import foot_summary
from lift2to3.pipeline.lock_feet import LockConfig, lock_feet
from lift2to3.skeletons import INDEX, SMPL_22

HIPS = [INDEX["left_hip"], INDEX["right_hip"]]
LEGS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "ankle")]


@dataclasses.dataclass(frozen=True)
class Config:
    """What to spoil, by how much, and how to lock it.

    Attributes:
        data: a prepared folder with a val split.
        clips: at most this many of them, evenly chosen; None for all with an even floor.
        drift_m: standard deviation of the root's drift, in each axis.
        leg_deg: standard deviation of every leg joint's noise, about each axis.
        smooth_seconds: deviation of the Gaussian that smooths both.
        lock: the lock's own settings.
        out: a json file for the figures; None prints only.
    """

    data: Path
    clips: int | None = None
    drift_m: float = 0.02
    leg_deg: float = 1.5
    smooth_seconds: float = 0.3
    lock: LockConfig = dataclasses.field(default_factory=LockConfig)
    out: Path | None = None


def smooth_noise(draw: np.random.Generator, shape: tuple[int, ...], frames: float) -> np.ndarray:
    """Of standard deviation 1, smoothed along the first axis."""
    around = round(4 * frames)
    noise = gaussian_filter1d(draw.standard_normal((shape[0] + 2 * around, *shape[1:])), frames, axis=0)
    return noise[around : around + shape[0]] * np.sqrt(2 * np.sqrt(np.pi) * frames)


def spoilt(body: BodyMotion, config: Config, seed: int) -> BodyMotion:
    """The motion with a drifting root and noisy legs."""
    draw = np.random.default_rng(seed)
    frames, smooth = len(body.rotations), config.smooth_seconds * body.fps
    vectors = np.radians(config.leg_deg) * smooth_noise(draw, (frames, len(LEGS), 3), smooth)
    rotations = body.rotations.copy()
    rotations[:, LEGS] @= (
        Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:2], 3, 3)
    )
    drift = config.drift_m * smooth_noise(draw, (frames, 3), smooth)
    return body._replace(rotations=rotations, root_translation=body.root_translation + drift)


def figures_of(body: BodyMotion, truth: BodyMotion, contacts: np.ndarray) -> dict[str, float]:
    """Of one clip."""
    points, true = (b.posed()[1] for b in (body, truth))
    joints = slice(len(SMPL_22))
    feet = foot_summary(body, contacts)
    legs = [*LEGS, INDEX["left_foot"], INDEX["right_foot"]]
    return {
        "sliding_mm": feet.sliding_mm,
        "penetration_mm": feet.penetration_mm,
        "floating_mm": feet.floating_mm,
        "abs_mpjpe_mm": float(abs_mpjpe(points[:, joints], true[:, joints]).mean()),
        "mpjpe_mm": float(mpjpe(points[:, joints], true[:, joints], HIPS).mean()),
        "legs_abs_mm": float(abs_mpjpe(points[:, legs], true[:, legs]).mean()),
        "jitter": float(jitter(points[:, joints], body.fps).mean()),
    }


def main(config: Config) -> dict[str, dict[str, float]]:
    """Measure and print."""
    clips = load_clips(config.data, "val")
    clips = [clip for clip in clips if clip.contacts_trusted and clip.contacts.any()]
    clips = clips[:: max(1, len(clips) // config.clips)] if config.clips else clips
    measured: dict[str, list[dict[str, float]]] = {"truth": [], "spoilt": [], "locked": []}
    seconds, frames = 0.0, []
    for seed, clip in enumerate(track(clips, "locking", transient=True)):
        truth = body_motion(clip)
        bad = spoilt(truth, config, seed)
        start = time.perf_counter()
        locked = lock_feet(bad, config=config.lock)
        seconds += time.perf_counter() - start
        frames.append(len(truth.rotations))
        for name, body in (("truth", truth), ("spoilt", bad), ("locked", locked)):
            measured[name].append(figures_of(body, truth, clip.contacts))
    figures = {
        name: {
            key: round(
                float(np.ma.average(np.ma.masked_invalid([row[key] for row in rows]), weights=frames)), 3
            )
            for key in rows[0]
        }
        for name, rows in measured.items()
    }
    table = Table(title=f"lock_feet on {len(clips)} clips, {sum(frames)} frames, {seconds:.2f} s")
    for heading in ("", *figures["truth"]):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in figures.items():
        table.add_row(name, *(f"{value:.2f}" for value in row.values()))
    Console(width=120).print(table)
    if config.out is not None:
        config.out.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
