"""Every metric on the fixed validation protocol, for the lifter and its baselines.

    python -m experiments.evaluate --data DIR --cameras cameras.json --split val --out scores.json

About 10 minutes on 2 CPU cores for the whole table; ``--limit 10`` takes about every 7th clip.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from experiments.methods import Compared, Lift, MethodName, load_method
from experiments.protocol import Noise, Trial, evenly, load_rigs, trials
from lift2to3.data.dataset import load_clips
from lift2to3.scores import UNITS, Scores, combine, evaluate_motion
from lift2to3.skeletons import CANONICAL, get_skeleton, rows_by_side


@dataclasses.dataclass(frozen=True)
class Config(Compared):
    """What to measure.

    Attributes:
        skeletons: 2D formats; errors are over each format's own joints.
        noises: ground-truth 2D, detector-like noise, or both.
        methods: what `experiments.methods.load_method` knows.
        steps, samples: of the lifter; None is the shipped default.
        limit: at most this many clips, evenly chosen; None is all of them.
        cameras_per_clip: how many of the protocol's four, from the first.
        out: json to write.
    """

    skeletons: tuple[str, ...] = ("smpl22", "coco17", "h36m17")
    noises: tuple[Noise, ...] = ("gt", "noisy")
    methods: tuple[MethodName, ...] = ("lift", "stiff")
    steps: int | None = None
    samples: int = 1
    limit: int | None = None
    cameras_per_clip: int = 4
    out: Path | None = None


def score(lift: Lift, trial: Trial, skeleton: str, noise: Noise) -> Scores:
    """All metrics of one trial, over the format's joints; contacts from the true toes and heels."""
    predicted = lift(trial.keypoints(skeleton, noise), trial.camera).joints_world
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
    return points[:, rows_by_side("big_toe", "heel").ravel()]


def finite_or_none(scores: Mapping[str, float]) -> dict[str, float | None]:
    """The scores as json has them: None where nothing could be measured."""
    return {name: value if np.isfinite(value) else None for name, value in scores.items()}


def evaluate(config: Config) -> list[dict[str, object]]:
    """One row of scores per method, format and noise."""
    clips = evenly(load_clips(config.data, config.split), config.limit)
    chosen = list(trials(clips, load_rigs(config.cameras), config.cameras_per_clip))
    rows: list[dict[str, object]] = []
    for method in config.methods:
        lift = load_method(
            method, config.data, config.weights, config.regressor, config.steps, config.samples
        )
        for noise in config.noises:
            for skeleton in config.skeletons:
                start = time.monotonic()
                what = f"{method}, {skeleton}, {noise}"
                scores = combine(
                    score(lift, trial, skeleton, noise) for trial in track(chosen, what, transient=True)
                )
                seconds = time.monotonic() - start
                case = {"method": method, "skeleton": skeleton, "noise": noise}
                rows.append({**case, **finite_or_none(scores), "seconds": seconds})
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
