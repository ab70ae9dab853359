"""Measure what `Motion.spread` has to be for a lifter's weights, and store it in their file.

    python -m experiments.calibrate_spread --data DIR --cameras cameras.json --write

Two minutes on 2 CPU cores. The errors are of training clips, which the weights have seen and which are
therefore lifted better than others; `experiments.robustness` says what the result is worth on validation
clips. Without ``--write`` the numbers are only shown. The parameters in the file stay as they are.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from experiments.methods import Lift, quietly
from experiments.protocol import Trial, evenly, load_rigs, trials
from lift2to3 import Lifter
from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.pipeline.spread import SpreadCalibration, expected_error, fit_spread, spread_terms
from lift2to3.weights_folder import WEIGHTS_FOLDER

FORMATS = ("smpl22", "coco17", "h36m17")


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure on.

    Attributes:
        data: a prepared folder with a train split.
        cameras: json list of real calibrations.
        weights: the file that is measured, and written to.
        clips: at most this many of the training clips on even floors, evenly chosen.
        views: cameras a clip.
        frames: at most this many of a clip, its middle ones.
        write: store the calibration in the weights' config.
    """

    data: Path
    cameras: Path
    weights: Path = WEIGHTS_FOLDER / "small.safetensors"
    clips: int = 24
    views: int = 2
    frames: int = 120
    write: bool = False


def train_trials(config: Config) -> list[Trial]:
    """The clips' middles, each in its cameras."""
    clips = [clip for clip in load_clips(config.data, "train") if not clip.uneven_floor]
    chosen = trials(evenly(clips, config.clips), load_rigs(config.cameras), config.views)
    return [trial.middle(config.frames) for trial in chosen]


def measured(lift: Lift, chosen: Sequence[Trial]) -> tuple[np.ndarray, np.ndarray]:
    """Errors and spread terms of every frame, (frames, canonical[, 2]), of a method with raw spreads.

    Every trial is lifted from true and from noisy keypoints, in formats that take turns.
    """
    errors, terms = [], []
    for index, trial in enumerate(track(chosen, "lifting", transient=True, console=Console(stderr=True))):
        for noise in ("gt", "noisy"):
            motion = lift(trial.keypoints(FORMATS[index % len(FORMATS)], noise), trial.camera)
            errors.append(np.linalg.norm(motion.joints_world - trial.clip.points_world, axis=-1))
            terms.append(spread_terms(motion, trial.camera))
    return np.concatenate(errors).astype(float), np.concatenate(terms)


def store(path: Path, calibration: SpreadCalibration) -> None:
    """Put the calibration in the file's config, its parameters untouched."""
    loaded = load_weights(path)
    half = all(np.array_equal(leaf, leaf.astype(np.float16)) for leaf in loaded.params.values())
    config = loaded.config | {"spread": dataclasses.asdict(calibration)}
    save_weights(path, loaded.params, config, half, **loaded.notes)


def main(config: Config) -> SpreadCalibration:
    """Fit, show and, if asked to, store."""
    lifter = Lifter.from_pretrained(config.weights)
    lifter.spread = None
    error, terms = measured(quietly(lifter), train_trials(config))
    calibration = fit_spread(error, terms)
    spread = expected_error(terms, calibration)
    within = ", ".join(f"{100 * np.mean(error <= k * spread):.1f} % within {k} σ" for k in (1, 2, 3))
    console = Console(soft_wrap=True)
    console.print(f"{len(error)} frames, rms {1000 * np.sqrt(np.mean(error**2)):.0f} mm: {within}")
    console.print(f"across {calibration.across:.2f}, along {calibration.along:.2f}, floors in mm:")
    console.print(", ".join(f"{1000 * floor:.0f}" for floor in calibration.floor_m))
    if config.write:
        store(config.weights, calibration)
    return calibration


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
