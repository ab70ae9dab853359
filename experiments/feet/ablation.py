"""What each idea of the foot lifter buys: the same short training without it, one row each.

    python -m experiments.feet.ablation --data DIR --cameras cameras.json --run runs/foot_ablation

A row that is done is not trained again, and ``--only`` takes some rows: several processes may share the
work. The table is of all rows that are done, on validation clips (`experiments.feet.evaluate`).
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from experiments.feet.evaluate import Config as Evaluation
from experiments.feet.evaluate import measure
from experiments.feet.scenes import ESTIMATED, Case, FootNoise
from experiments.train import FootTraining
from experiments.train import main as train
from lift2to3.data.augment_body import FootTurnConfig
from lift2to3.data.foot_detector import FootDetectorConfig
from lift2to3.data.initial_feet import InitialErrorConfig
from lift2to3.data.windows import WindowConfig
from lift2to3.models.foot_lifter import FootLifterConfig
from lift2to3.pipeline.refine_feet import FootRefiner
from lift2to3.training.foot_loss import FootLossConfig
from lift2to3.training.loop import LoopConfig
from lift2to3.training.state import OptimiserConfig

SMALL = FootLifterConfig(width=128, depth=3)
ROWS: dict[str, dict[str, Any]] = {
    "full": {},
    "full, other seed": {"seed": 1},
    "direct, not residual": {"model": {"residual": False}},
    "rotations of the camera's frame": {"model": {"frame": "global"}},
    "no root rotation": {"turns": {"root": 0.0}},
    "every root rotated": {"turns": {"root": 1.0}},
    "no knees": {"model": {"knees": False}},
    "no floor": {"model": {"floor": False}},
    "no least-squares bend": {"model": {"bend": False}},
    "nor initial ankles": {"model": {"bend": False, "initial_ankles": False}},
    "initial errors smaller, always together": {"initial": vars(ESTIMATED) | {"exact": 0.12}},
    "keypoint errors smaller, jitter says nothing": {
        "detector": {"clean": 0.2, "jitter_m": 0.014, "bias_m": 0.02, "together": 0.0}
    },
}
"""Row → what differs: of the model, of the training clips, the seed."""

_CASES: tuple[Case, ...] = ("estimated", "held", "extreme")
_NOISES: tuple[FootNoise, ...] = ("gt", "feet")


@dataclasses.dataclass(frozen=True)
class Config:
    """How long, and which.

    Attributes:
        data: a prepared folder with train and val splits.
        cameras: json list of real calibrations, for the evaluation.
        run: the folder of all rows.
        only: these rows; all by default.
        steps, batch: of each row's training.
        limit: validation clips a row is scored on.
        out: json to write, of all rows that are done.
    """

    data: Path
    cameras: Path
    run: Path = Path("runs/foot_ablation")
    only: tuple[str, ...] = tuple(ROWS)
    steps: int = 1000
    batch: int = 16
    limit: int = 20
    out: Path | None = None


def folder_of(name: str, config: Config) -> Path:
    """Where a row's run and scores are."""
    return config.run / name.replace(" ", "_").replace(",", "")


def train_and_score(name: str, config: Config) -> list[dict[str, Any]]:
    """One row's scores, read from its folder if they are there."""
    folder = folder_of(name, config)
    done = folder / "scores.json"
    if done.exists():
        return json.loads(done.read_text())
    changes = ROWS[name]
    weights = train(
        FootTraining(
            data=config.data,
            watch=(),
            run=folder,
            model=dataclasses.replace(SMALL, **changes.get("model", {})),
            windows=WindowConfig(frames=120, batch=config.batch),
            loss=FootLossConfig(
                turns=FootTurnConfig(**changes.get("turns", {})),
                initial=InitialErrorConfig(**changes.get("initial", {})),
                detector=FootDetectorConfig(**changes.get("detector", {})),
            ),
            loop=LoopConfig(
                OptimiserConfig(steps=config.steps, learning_rate=1e-3, warmup_steps=100, ema=0.99),
                seed=changes.get("seed", 0),
            ),
        )
    )
    scores = measure(
        Evaluation(
            config.data, config.cameras, cameras_per_clip=1, limit=config.limit, noises=_NOISES, cases=_CASES,
            bound=False,
        ),
        {"refined": FootRefiner.from_pretrained(weights).refine},
    )  # fmt: skip
    done.write_text(json.dumps(scores, indent=1))
    return scores


def main(config: Config) -> None:
    """Train and score the rows, print the table."""
    unknown = set(config.only) - set(ROWS)
    if unknown:
        raise SystemExit(f"--only: no row {', '.join(sorted(unknown))}; wanted some of: {', '.join(ROWS)}")
    for name in config.only:
        train_and_score(name, config)
    table = Table("row", *(f"{case}, {noise}" for case in _CASES for noise in _NOISES))
    done = [name for name in ROWS if (folder_of(name, config) / "scores.json").exists()]
    for name in done:
        table.add_row(name, *(f"{row['ajae']:.1f}" for row in train_and_score(name, config)))
    Console(width=110).print("AJAE in degrees", table)
    if config.out is not None:
        config.out.write_text(json.dumps({name: train_and_score(name, config) for name in done}, indent=1))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
