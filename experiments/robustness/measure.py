"""What is measured, and the file that it is kept in and continued from."""

import dataclasses
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from experiments.evaluate import finite_or_none, score
from experiments.methods import Compared, Lift, MethodName, load_method
from experiments.protocol import Noise, Trial, evenly, load_rigs, trials
from experiments.robustness.calibration import FORMAT, calibrate
from experiments.robustness.disturbances import CURVES, draws_of
from experiments.robustness.page import CALIBRATION, METRICS, page
from experiments.robustness.plot import draw
from lift2to3.data.dataset import load_clips
from lift2to3.scores import combine
from lift2to3.skeletons import INDEX
from lift2to3.whole_file import whole_file

Report = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Config(Compared):
    """What to measure.

    Attributes:
        methods: a curve each. Calibration is of the lifter alone.
        only: these curves, "calibration" among them; all by default.
        limit: at most this many clips, evenly chosen.
        frames: at most this many of a clip, its middle ones: no clip counts for more than 8 s.
        samples: of the calibration's second part.
        seed: of the disturbances.
        out: json to write and to continue.
        docs: a folder for ``robustness.md`` and ``robustness.png``; None writes neither.
    """

    methods: tuple[MethodName, ...] = ("lift",)
    only: tuple[str, ...] = (*CURVES, CALIBRATION)
    limit: int = 16
    frames: int = 240
    samples: int = 8
    seed: int = 0
    out: Path = Path("runs/robustness.json")
    docs: Path | None = None


def base_trials(config: Config) -> list[Trial]:
    """The trials that all curves start from."""
    clips = evenly(load_clips(config.data, config.split), config.limit)
    rigs = load_rigs(config.cameras)
    return [trial.middle(config.frames) for trial in trials(clips, rigs, cameras=1)]


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


def measure(name: str, lift: Lift, chosen: Sequence[Trial], seed: int, what: str = "") -> list[Report]:
    """A row of pooled scores for each level.

    Returns:
        Beside the metrics (None where nothing could be measured) the share of joints that the method was
        shown, and how many clips it warned of or refused; refused clips are in no error.
    """
    curve = CURVES[name]
    lifted: dict[float, list[Report]] = {level: [] for level in curve.levels}
    steps = [(level, trial) for level in curve.levels for trial in chosen]
    for level, trial in track(steps, what or name, transient=True, console=Console(stderr=True)):
        lifted[level].append(attempt(lift, curve.disturb(trial, level, draws_of(seed, trial, name))))
    rows = []
    for level, clips in lifted.items():
        scores = combine(clip["scores"] for clip in clips if clip["scores"] is not None)
        rows.append(
            {"level": level}
            | finite_or_none({metric: scores.get(metric, float("nan")) for metric in METRICS})
            | {"seen": float(np.mean([clip["seen"] for clip in clips]))}
            | {"warned": sum(clip["warned"] for clip in clips)}
            | {"refused": [clip["refusal"] for clip in clips if clip["refusal"]]}
        )
    return rows


def about(config: Config, chosen: Sequence[Trial]) -> Report:
    """What the results are of: results of anything else are not continued."""
    tall, near = [], []
    for trial in chosen:
        y = trial.pixels[np.isfinite(trial.pixels).any((1, 2)), :, 1]
        tall.append(float(np.median(np.nanmax(y, 1) - np.nanmin(y, 1))))
        pelvis = trial.clip.points_world[:, INDEX["pelvis"], :2] - trial.camera.centre[:2]
        near.append(float(np.median(np.linalg.norm(pelvis, axis=-1))))
    names = ("split", "weights", "regressor", "seed", "samples")
    return {name: getattr(config, name) for name in names} | {
        "clips": [trial.clip.clip for trial in chosen],
        "frames": [len(trial.pixels) for trial in chosen],
        "person_px": tall,
        "distance_m": near,
        "camera_height_m": [float(trial.camera.centre[2]) for trial in chosen],
    }


def load_results(config: Config, chosen: Sequence[Trial]) -> Report:
    """Results to continue: those of ``--out``, or none yet.

    Raises:
        ValueError: the file holds results of something else.
    """
    here = json.loads(json.dumps(about(config, chosen)))
    if not config.out.exists():
        return {"about": here, "curves": {}, CALIBRATION: {}}
    results = json.loads(config.out.read_text())
    there = results.get("about", {}) if isinstance(results, dict) else {}
    other = [name for name in here if there.get(name) != here[name]]
    if other:
        raise ValueError(
            f"{config.out} holds results with another {', '.join(other)}; wanted results to continue: "
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
    chosen = base_trials(config)
    results = load_results(config, chosen)
    for name in (name for name in CURVES if name in config.only):
        for method in config.methods:
            rows = results["curves"].setdefault(name, {})
            if [row["level"] for row in rows.get(method, [])] == list(CURVES[name].levels):
                continue
            lift = load_method(method, config.data, config.weights, config.regressor)
            rows[method] = measure(name, lift, chosen, config.seed, f"{name}, {method}")
            save_results(results, config.out)
    for case, samples, noise in calibration_cases(config):
        if CALIBRATION in config.only and case not in results[CALIBRATION]:
            lift = load_method("lift", config.data, config.weights, samples=samples)
            results[CALIBRATION][case] = calibrate(lift, chosen, noise, f"{CALIBRATION}, {case}")
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
