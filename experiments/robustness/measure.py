"""What is measured, where it is kept, and going on from there."""

import dataclasses
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import track

from experiments.evaluate import score
from experiments.methods import Lift, MethodName, load_method
from experiments.protocol import Noise, Trial, load_rigs, trials
from experiments.robustness.calibration import FORMAT, calibrate
from experiments.robustness.disturbances import CURVES, draws_of, picked
from experiments.robustness.page import CALIBRATION, METRICS, page
from experiments.robustness.plot import draw
from lift2to3.data.dataset import load_clips
from lift2to3.metrics import combine
from lift2to3.skeletons import INDEX
from lift2to3.whole_file import whole_file

Report = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        data: a prepared folder with that split and, for the stiff baseline's mean pose, train.
        cameras: json list of real calibrations.
        split: which clips.
        weights: of the lifter, a shipped name or a file.
        regressor: weights of the direct regressor, likewise.
        methods: what `methods.load_method` knows; a curve each. Calibration is of the lifter alone.
        only: these curves, "calibration" among them; all by default.
        limit: at most so many clips, evenly chosen.
        frames: at most so many frames a clip, its middle ones: no clip counts for more than 8 s.
        samples: of the calibration's second part.
        seed: of the disturbances.
        out: json to write and to go on from.
        docs: a folder for ``robustness.md`` and ``robustness.png``; None writes neither.
    """

    data: Path
    cameras: Path
    split: Literal["train", "val"] = "val"
    weights: str = "small"
    regressor: str = "regressor"
    methods: tuple[MethodName, ...] = ("lift",)
    only: tuple[str, ...] = (*CURVES, CALIBRATION)
    limit: int = 16
    frames: int = 240
    samples: int = 8
    seed: int = 0
    out: Path = Path("runs/robustness.json")
    docs: Path | None = None


def base_trials(config: Config) -> list[Trial]:
    """The trials that every curve starts from."""
    clips = load_clips(config.data, config.split)
    if config.limit < len(clips):
        clips = [clips[i] for i in np.linspace(0, len(clips) - 1, config.limit).round().astype(int)]
    every = trials(clips, load_rigs(config.cameras), cameras=1)
    starts = ((trial, max(0, len(trial.pixels) - config.frames) // 2) for trial in every)
    return [picked(trial, slice(first, first + config.frames)) for trial, first in starts]


def attempt(lift: Lift, trial: Trial) -> Report:
    """One lift's scores, or why there are none, and whether the method warned."""
    seen = float((trial.keypoints(FORMAT, "gt").confidence > 0).mean())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            scores, refusal = score(lift, trial, FORMAT, "gt"), None
        except ValueError as error:
            scores, refusal = None, str(error)
    return {"seen": seen, "scores": scores, "warned": bool(caught), "refusal": refusal}


def measure(name: str, lift: Lift, every: Sequence[Trial], seed: int, what: str = "") -> list[Report]:
    """A row of pooled scores for each level.

    Returns:
        Beside the metrics (None where nothing could be measured) the share of joints that the method was
        shown, and how many clips it warned of or refused; refused clips are in no error.
    """
    curve = CURVES[name]
    lifted: dict[float, list[Report]] = {level: [] for level in curve.levels}
    steps = [(level, trial) for level in curve.levels for trial in every]
    for level, trial in track(steps, what or name, transient=True, console=Console(stderr=True)):
        lifted[level].append(attempt(lift, curve.disturb(trial, level, draws_of(seed, trial, name))))
    rows = []
    for level, clips in lifted.items():
        scores = combine(clip["scores"] for clip in clips if clip["scores"] is not None)
        numbers = {metric: scores.get(metric, float("nan")) for metric in METRICS}
        rows.append(
            {"level": level}
            | {metric: value if np.isfinite(value) else None for metric, value in numbers.items()}
            | {"seen": float(np.mean([clip["seen"] for clip in clips]))}
            | {"warned": sum(clip["warned"] for clip in clips)}
            | {"refused": [clip["refusal"] for clip in clips if clip["refusal"]]}
        )
    return rows


def about(config: Config, every: Sequence[Trial]) -> Report:
    """What the results are of: results of anything else are not gone on from."""
    tall, near = [], []
    for trial in every:
        y = trial.pixels[np.isfinite(trial.pixels).any((1, 2)), :, 1]
        tall.append(float(np.median(np.nanmax(y, 1) - np.nanmin(y, 1))))
        pelvis = trial.clip.points_world[:, INDEX["pelvis"], :2] - trial.camera.centre[:2]
        near.append(float(np.median(np.linalg.norm(pelvis, axis=-1))))
    names = ("split", "weights", "regressor", "seed", "samples")
    return {name: getattr(config, name) for name in names} | {
        "clips": [trial.clip.clip for trial in every],
        "frames": [len(trial.pixels) for trial in every],
        "person_px": tall,
        "distance_m": near,
        "camera_height_m": [float(trial.camera.centre[2]) for trial in every],
    }


def load_results(config: Config, every: Sequence[Trial]) -> Report:
    """Results to go on from: those of ``--out``, or none yet.

    Raises:
        ValueError: the file holds results of something else.
    """
    here = json.loads(json.dumps(about(config, every)))
    if not config.out.exists():
        return {"about": here, "curves": {}, CALIBRATION: {}}
    results = json.loads(config.out.read_text())
    there = results.get("about", {}) if isinstance(results, dict) else {}
    other = [name for name in here if there.get(name) != here[name]]
    if other:
        raise ValueError(
            f"{config.out} holds results with another {', '.join(other)}; wanted results to go on from: "
            "give another --out, or move the file away"
        )
    return results


def save_results(results: Report, path: Path) -> None:
    """Write the json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(json.dumps(results, indent=1))


def main(config: Config) -> Report:
    """Measure what is not measured yet; write the json after each curve and, at the end, the page."""
    known = (*CURVES, CALIBRATION)
    if unknown := set(config.only) - set(known):
        raise SystemExit(f"--only: no curve {', '.join(sorted(unknown))}; wanted some of: {', '.join(known)}")
    every = base_trials(config)
    results = load_results(config, every)
    for name in (name for name in CURVES if name in config.only):
        for method in config.methods:
            rows = results["curves"].setdefault(name, {})
            if [row["level"] for row in rows.get(method, [])] == list(CURVES[name].levels):
                continue
            lift = load_method(method, config.data, config.weights, config.regressor)
            rows[method] = measure(name, lift, every, config.seed, f"{name}, {method}")
            save_results(results, config.out)
    for case, samples, noise in calibration_cases(config):
        if CALIBRATION in config.only and case not in results[CALIBRATION]:
            lift = load_method("lift", config.data, config.weights, samples=samples)
            results[CALIBRATION][case] = calibrate(lift, every, noise, f"{CALIBRATION}, {case}")
            save_results(results, config.out)
    if config.docs is not None:
        config.docs.mkdir(parents=True, exist_ok=True)
        with whole_file(config.docs / "robustness.md") as part:
            part.write_text("\n".join(page(results)))
        draw(results, config.docs / "robustness.png")
    return results


def calibration_cases(config: Config) -> Iterator[tuple[str, int, Noise]]:
    """(name, samples of the lifter, 2D) of each part of the calibration."""
    for samples in (1, config.samples):
        for noise in ("gt", "noisy"):
            yield f"{samples} sample{'s' if samples > 1 else ''}, {noise}", samples, noise
