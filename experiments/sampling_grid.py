"""Choose the sampling defaults: the protocol on training clips, over a grid of settings.

    python -m experiments.sampling_grid --data DIR --cameras cameras.json

On training clips, so that the validation table stays clean of the choice. About 5 minutes on 2 CPU cores.
"""

import dataclasses
import itertools
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from experiments.evaluate import SHOWN, score
from experiments.methods import quietly
from experiments.protocol import evenly, load_rigs, trials
from lift2to3 import Lifter
from lift2to3.data.dataset import load_clips
from lift2to3.scores import UNITS, combine


@dataclasses.dataclass(frozen=True)
class Config:
    """The grid, and what it is measured on.

    Attributes:
        data: a prepared folder.
        cameras: json list of real calibrations.
        split: which clips; train, unless there is a third split to spare.
        weights: shipped name or file.
        skeleton: the 2D format.
        clips, views: how many clips, evenly chosen, and cameras for each.
        steps, shares, filters: DDIM steps, `MultiViewConfig.observed_share` and `observed_frames`.
    """

    data: Path
    cameras: Path
    split: str = "train"
    weights: str = "small"
    skeleton: str = "smpl22"
    clips: int = 16
    views: int = 1
    steps: tuple[int, ...] = (1, 2)
    shares: tuple[float, ...] = (0.9,)
    filters: tuple[float, ...] = (0.0, 0.7, 1.0, 1.5)


def main(config: Config) -> None:
    """Print a row per setting."""
    clips = [clip for clip in load_clips(config.data, config.split) if not clip.uneven_floor]
    chosen = list(trials(evenly(clips, config.clips), load_rigs(config.cameras), config.views))
    trained = Lifter.from_pretrained(config.weights)
    shown = SHOWN[:3] + ("root_error", "accel", "jitter", "jitter_true")
    table = Table("steps", "share", "filter", "2D", *(f"{name}\n{UNITS.get(name, '')}" for name in shown))
    for share, frames, steps in itertools.product(config.shares, config.filters, config.steps):
        how = dataclasses.replace(trained.model.multiview, observed_share=share, observed_frames=frames)
        lift = quietly(trained.changed(multiview=how, steps=steps))
        for noise in ("gt", "noisy"):
            what = f"{steps} steps, share {share}, filter {frames}, {noise}"
            scores = combine(
                score(lift, trial, config.skeleton, noise) for trial in track(chosen, what, transient=True)
            )
            table.add_row(f"{steps}", f"{share}", f"{frames}", noise, *(f"{scores[n]:.1f}" for n in shown))
    Console(width=140).print(table)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
