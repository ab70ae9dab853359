"""How right refined feet are: the foot lifter beside the initial feet and a baseline without learning.

    python -m experiments.feet.evaluate --data DIR --cameras cameras.json --out feet.json

What the cases are is in `experiments.feet.scenes`.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tyro
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.spatial.transform import Rotation

from experiments.feet.ik import FootIkConfig, bend_feet
from experiments.feet.scenes import (
    ANKLES,
    ESTIMATED,
    FORMAT,
    KNEES,
    SOLES,
    Case,
    FootNoise,
    Scene,
    scene,
)
from experiments.protocol import evenly, load_rigs, trials
from lift2to3 import BodyMotion, Camera, Keypoints
from lift2to3.data.dataset import load_clips
from lift2to3.data.initial_feet import InitialErrorConfig
from lift2to3.metrics import ajae, n_mpjpe_foot
from lift2to3.pipeline.refine_feet import FOOT_WEIGHTS, FootRefiner
from lift2to3.scores import Scores, combine, evaluate_pck, tally
from lift2to3.skeletons import get_skeleton

Method = Callable[[BodyMotion, Keypoints, Camera], BodyMotion]
"""The signature of `lift2to3.pipeline.refine_feet.refine_feet`."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        data: a prepared folder with that split.
        cameras: json list of real calibrations.
        split: which clips.
        weights: a file that ``experiments.train foot`` wrote; the shipped ones by default.
        cameras_per_clip: how many of the protocol's four, from the first.
        limit: at most this many clips, evenly chosen; None is all of them.
        noises: 2D as it is; with a foot detector's errors (`experiments.feet.scenes.with_foot_noise`); with
            the protocol's, which are two to three times larger at the feet.
        cases: what the initial feet and the keypoints are like.
        initial: how feet of the cases "estimated", "extreme" and "no foot keypoints" err.
        floor: tell the lifter where the floor is.
        bound: also score the true ankles on the initial body, which nothing can beat.
        tune_ik: try a grid of the baseline's numbers instead (on ``--split train``).
        out: json to write.
    """

    data: Path
    cameras: Path
    split: Literal["train", "val"] = "val"
    weights: Path = FOOT_WEIGHTS
    cameras_per_clip: int = 2
    limit: int | None = None
    noises: tuple[FootNoise, ...] = ("gt", "feet", "noisy")
    cases: tuple[Case, ...] = get_args(Case)
    initial: InitialErrorConfig = ESTIMATED
    floor: bool = True
    bound: bool = True
    tune_ik: bool = False
    out: Path | None = None


def score(predicted: BodyMotion, scene: Scene) -> Scores:
    """The foot metrics of one scene, what of AJAE is constant, and the distance from the initial ankles."""
    frames, points = predicted.posed()
    true_frames, _ = scene.true.posed()
    angles = ajae(frames[:, ANKLES], true_frames[:, ANKLES])
    changed = ajae(predicted.rotations[:, ANKLES], scene.initial.rotations[:, ANKLES])
    rows = get_skeleton(FORMAT).rows
    pck = evaluate_pck(scene.camera.project(points)[:, rows], scene.true_px[:, rows], get_skeleton(FORMAT))
    return Scores(
        {
            "ajae": tally(angles),
            "ajae_constant": tally(constant_error(frames[:, ANKLES], true_frames[:, ANKLES])),
            "n_mpjpe_foot": tally(n_mpjpe_foot(points[:, SOLES], scene.true_points[:, SOLES])),
            "changed": tally(changed),
            "pck_foot@0.05": pck.tallies["pck_foot@0.05"],
        }
    )


def constant_error(
    predicted: Float[np.ndarray, "time feet 3 3"], true: Float[np.ndarray, "time feet 3 3"]
) -> Float[np.ndarray, "time feet"]:
    """Degrees of each foot's mean error over the clip, in its own frame, for every frame of it.

    Where a skeleton has its ankle's axes is a convention: a program's may differ from the mocap's by as much.
    """
    error = (true.swapaxes(-1, -2) @ predicted).reshape(-1, 3, 3)
    mean = Rotation.from_matrix(error).as_rotvec().reshape(*true.shape[:2], 3).mean(0)
    return np.broadcast_to(np.degrees(np.linalg.norm(mean, axis=-1)), true.shape[:2])


def with_true_ankles(initial: BodyMotion, scene: Scene) -> BodyMotion:
    """What no refinement of ankles alone can beat: the initial body with the true ankles' frames."""
    (frames, _), (true, _) = initial.posed(), scene.true.posed()
    rotations = initial.rotations.copy()
    rotations[:, ANKLES] = frames[:, KNEES].swapaxes(-1, -2) @ true[:, ANKLES]
    return initial._replace(rotations=rotations)


def scenes(config: Config, case: Case, noise: FootNoise) -> Iterator[Scene]:
    """Every trial as this case."""
    clips = evenly(load_clips(config.data, config.split), config.limit)
    chosen = list(trials(clips, load_rigs(config.cameras), config.cameras_per_clip))
    for number, trial in enumerate(track(chosen, f"{case}, {noise}", console=Console(stderr=True))):
        yield scene(trial, number % config.cameras_per_clip, case, noise, config.initial)


def tune(config: Config) -> None:
    """Print the baseline's error over a grid of its numbers."""
    known = [s for noise in config.noises for s in scenes(config, "estimated", noise)]
    for keypoints_s in (0.03, 0.06):
        for rotations_s in (0.06, 0.12):
            for prior in (0.03, 0.05, 0.08, 0.12):
                ik = FootIkConfig(keypoints_s, rotations_s, prior)
                error = combine(score(bend_feet(s.initial, s.keypoints, s.camera, ik), s) for s in known)
                tried = f"keypoints {keypoints_s} s, rotations {rotations_s} s, prior {prior}"
                print(f"{tried}: {error['ajae']:.2f}°")


def measure(config: Config, methods: Mapping[str, Method]) -> list[dict[str, Any]]:
    """A row of pooled scores for each case, noise and method."""
    rows = []
    for case in config.cases:
        for noise in config.noises:
            scored: dict[str, list[Scores]] = {name: [] for name in methods}
            for one in scenes(config, case, noise):
                for name, method in methods.items():
                    scored[name].append(score(method(one.initial, one.keypoints, one.camera), one))
                if config.bound:
                    scored.setdefault("true ankles", []).append(
                        score(with_true_ankles(one.initial, one), one)
                    )
            rows += [
                {"case": case, "noise": noise, "method": name, **combine(scores)}
                | {"median_ajae": float(np.median([s["ajae"] for s in scores]))}
                for name, scores in scored.items()
            ]
    return rows


def main(config: Config) -> None:
    """Measure, print the table, write the json."""
    if config.tune_ik:
        return tune(config)
    refiner = FootRefiner.from_pretrained(config.weights)
    rows = measure(
        config,
        {
            "initial": lambda body, *_: body,
            "low-pass + IK": bend_feet,
            "refined": functools.partial(refiner.refine, floor=config.floor),
        },
    )
    table = Table(
        "case", "2D", "method", "AJAE °", "constant °", "median of clips", "n_mpjpe_foot mm", "pck_foot@0.05",
        "changed °",
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row["case"], row["noise"], row["method"], f"{row['ajae']:.1f}", f"{row['ajae_constant']:.1f}",
            f"{row['median_ajae']:.1f}", f"{row['n_mpjpe_foot']:.1f}", f"{row['pck_foot@0.05']:.3f}",
            f"{row['changed']:.1f}",
        )  # fmt: skip
    Console(width=120).print(table)
    if config.out is not None:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        about = {"split": config.split, "cameras_per_clip": config.cameras_per_clip, "limit": config.limit}
        config.out.write_text(json.dumps(about | {"rows": rows}, indent=1))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
