"""Every metric on the fixed validation protocol, for the lifter and two reference rows.

    python experiments/evaluate.py --data DIR --cameras cameras.json --split val --out scores.json

About 10 minutes on 2 CPU cores for the whole table; ``--limit 10`` takes every 7th clip or so.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from protocol import Noise, Trial, load_rigs, trials
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lift2to3 import Camera, Keypoints, Lifter
from lift2to3.data.augment import heading
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip
from lift2to3.geometry.cameras import View
from lift2to3.geometry.ground import guess_person
from lift2to3.geometry.rotations import yaw_matrix
from lift2to3.metrics import UNITS, Scores, combine, evaluate_motion
from lift2to3.pipeline.observations import canonical_observations
from lift2to3.skeletons import CANONICAL, INDEX, get_skeleton

Method = Callable[[Keypoints, Camera], np.ndarray]
"""Keypoints and camera → (time, canonical, 3) metres."""

MethodName = Literal["lift", "feet unrefined", "1 step", "2 steps", "8 steps", "stiff"]


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        data: a prepared folder with that split and, for the stiff baseline's mean pose, train.
        cameras: json list of real calibrations.
        split: which clips.
        weights: shipped name or file.
        skeletons: 2D formats; errors are over each format's own joints.
        noises: ground-truth 2D, detector-like noise, or both.
        methods: the lifter, the same without the foot lifter (formats with heels and toes) or with so many
            sampling steps, the stiff baseline.
        steps, samples: of the lifter; None is the shipped default.
        limit: at most so many clips, evenly chosen; None is all of them.
        out: json to write.
    """

    data: Path
    cameras: Path
    split: Literal["train", "val"] = "val"
    weights: str = "small"
    skeletons: tuple[str, ...] = ("smpl22", "coco17", "h36m17")
    noises: tuple[Noise, ...] = ("gt", "noisy")
    methods: tuple[MethodName, ...] = ("lift", "stiff")
    steps: int | None = None
    samples: int = 1
    limit: int | None = None
    out: Path | None = None


def mean_pose(clips: Sequence[MocapClip]) -> np.ndarray:
    """The mean of all poses, pelvis at the origin horizontally, facing +y. (canonical, 3) metres."""
    total, frames = np.zeros((len(CANONICAL), 3)), 0
    for clip in clips:
        along_floor = clip.points_world[:, INDEX["pelvis"], None] * np.array([1, 1, 0], np.float32)
        points = jnp.asarray(clip.points_world - along_floor)
        facing = jnp.einsum("tij,tpj->tpi", yaw_matrix(-heading(points)), points)
        total, frames = total + np.asarray(facing.sum(0)), frames + len(points)
    return total / frames


def stiff(pose: np.ndarray) -> Method:
    """The mean pose, facing the camera, at each frame's own ground guess."""

    @jax.jit
    def guess(view: View, n: jax.Array, seen: jax.Array) -> jax.Array:
        alone = jax.vmap(lambda n, seen: guess_person(view, n[None], seen[None]).ground_world)
        return alone(n, seen)

    def lift(keypoints: Keypoints, camera: Camera) -> np.ndarray:
        n, confidence = canonical_observations(keypoints, camera)
        pad = -len(n) % 512  # few lengths to compile for
        padded = np.pad(n, ((0, pad), (0, 0), (0, 0))), np.pad(confidence > 0, ((0, pad), (0, 0)))
        view = View(jnp.asarray(camera.R), jnp.asarray(camera.t))
        ground = np.asarray(guess(view, *map(jnp.asarray, padded)))
        known = np.flatnonzero((confidence > 0).any(-1))
        ground = ground[known[np.abs(np.arange(len(n))[:, None] - known).argmin(1)]]
        toward = camera.centre[:2] - ground[:, :2]
        yaw = np.arctan2(-toward[:, 0], toward[:, 1])
        return np.einsum("tij,pj->tpi", np.asarray(yaw_matrix(jnp.asarray(yaw))), pose) + ground[:, None]

    return lift


def score(method: Method, trial: Trial, skeleton: str, noise: Noise) -> Scores:
    """All metrics of one trial, over the format's joints; contacts from the true toes and heels."""
    predicted = method(trial.keypoints(skeleton, noise), trial.camera)
    true = trial.clip.points_world
    rows = [row for row in get_skeleton(skeleton).rows.tolist() if row >= 0]
    return evaluate_motion(
        predicted[:, rows],
        true[:, rows],
        [CANONICAL[row] for row in rows],
        trial.clip.fps,
        feet=(_feet(predicted), _feet(true)),
    )


def _feet(points: np.ndarray) -> np.ndarray:
    rows = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("big_toe", "heel")]
    return points[:, rows]


def evaluate(config: Config) -> list[dict[str, object]]:
    """One row of scores per method, format and noise."""
    clips = load_clips(config.data, config.split)
    if config.limit is not None and config.limit < len(clips):
        clips = [clips[i] for i in np.linspace(0, len(clips) - 1, config.limit).round().astype(int)]
    lifter = Lifter.from_pretrained(config.weights)
    methods: dict[str, Method] = {
        "lift": lambda k, c: lifter.lift(k, c, config.steps, config.samples).joints_world,
        "feet unrefined": lambda k, c: lifter.lift(k, c, feet=False).joints_world,
        "1 step": lambda k, c: lifter.lift(k, c, steps=1).joints_world,
        "2 steps": lambda k, c: lifter.lift(k, c, steps=2).joints_world,
        "8 steps": lambda k, c: lifter.lift(k, c, steps=8).joints_world,
        "stiff": stiff(mean_pose(load_clips(config.data, "train"))),
    }
    every = list(trials(clips, load_rigs(config.cameras)))
    rows: list[dict[str, object]] = []
    for method in config.methods:
        for noise in config.noises:
            for skeleton in config.skeletons:
                start = time.monotonic()
                what = f"{method}, {skeleton}, {noise}"
                scores = combine(
                    score(methods[method], trial, skeleton, noise)
                    for trial in track(every, what, transient=True)
                )
                seconds = time.monotonic() - start
                numbers = {name: value if np.isfinite(value) else None for name, value in scores.items()}
                rows.append(
                    {"method": method, "skeleton": skeleton, "noise": noise, **numbers, "seconds": seconds}
                )
    return rows


SHOWN = ("pa_mpjpe", "mpjpe", "abs_mpjpe", "w_mpjpe_100", "wa_mpjpe_100", "root_error", "rte", "accel",
         "jitter", "jitter_true", "foot_sliding", "n_mpjpe_foot")  # fmt: skip


def table(rows: Sequence[dict[str, object]], title: str) -> Table:
    """The rows as a table, a metric a column with its unit."""
    out = Table("method", "2D", "format", *(f"{name}\n{UNITS.get(name, '')}" for name in SHOWN), title=title)
    for row in rows:
        numbers = (f"{row[name]:.1f}" if row.get(name) is not None else "–" for name in SHOWN)
        out.add_row(str(row["method"]), str(row["noise"]), str(row["skeleton"]), *numbers)
    return out


if __name__ == "__main__":
    config = tyro.cli(Config, description=__doc__)
    rows = evaluate(config)
    Console(width=170).print(table(rows, f"{config.split}, weights {config.weights}, protocol 1"))
    if config.out is not None:
        config.out.write_text(
            json.dumps({"config": dataclasses.asdict(config), "rows": rows}, indent=1, default=str)
        )
