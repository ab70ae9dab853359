"""How right refined feet are: the foot lifter beside the initial feet and a baseline without learning.

    python experiments/evaluate_feet.py --data DIR --cameras cameras.json --out feet.json

Clips and cameras are those of the fixed protocol (`protocol.py`). The initial body is the true one as an
estimator of whole bodies would have it: feet and shins err as `ESTIMATED` says, the forefoot is straight,
the bones have ordinary proportions in the person's size. "Held": ankles are off by a constant angle and by
nothing else, so that only the keypoints give them away. "Lifted": the initial body is a real estimate, the
lifter's own without its last step. "Extreme" clips are turned over by a random rotation and their feet
pointed by 40° to 60° or turned inwards by 30°.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.spatial.transform import Rotation

from experiments.feet.ik import FootIkConfig, bend_feet
from experiments.protocol import Trial, inside_picture, load_rigs, trials
from lift2to3 import BodyMotion, Camera, Keypoints, Lifter, as_keypoints, fit_body
from lift2to3.body import REFERENCE_LEG_M, leg_length, local_rotations, pose_body
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.data.initial_feet import InitialErrorConfig, corrupt_feet
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.metrics import Scores, ajae, combine, evaluate_pck, n_mpjpe_foot, tally
from lift2to3.pipeline.refine_feet import FOOT_WEIGHTS, FootRefiner
from lift2to3.skeletons import INDEX, get_skeleton

Method = Callable[[BodyMotion, Keypoints, Camera], BodyMotion]
"""The signature of `lift2to3.pipeline.refine_feet.refine_feet`."""

Case = Literal["estimated", "held", "lifted", "right already", "no foot keypoints", "extreme"]
FootNoise = Literal["gt", "feet", "noisy"]
FORMAT = "halpe26"
_KNEES, _ANKLES, _BALLS = ([INDEX[f"left_{j}"], INDEX[f"right_{j}"]] for j in ("knee", "ankle", "foot"))
_SOLES = np.array([[INDEX[f"{s}_{p}"] for p in ("heel", "big_toe", "small_toe")] for s in ("left", "right")])

ESTIMATED = InitialErrorConfig(
    exact=0.0, absent=0.0, toward_rest=1.0, low_pass_s=0.3, bias_deg=10.0, wander_deg=8.0, jitter_deg=2.5,
    knee_bias_deg=4.0, knee_wander_deg=3.0, knee_jitter_deg=0.0,
)  # fmt: skip
"""How feet and shins of an estimated body err in this comparison, whatever a lifter was trained on."""

HELD_DEG = 20.0
"""By how much held ankles are off, each about an axis of its own."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        data: a prepared folder with that split.
        cameras: json list of real calibrations.
        split: which clips.
        weights: a file that ``train_foot_lifter.py`` wrote; the shipped ones by default.
        cameras_per_clip: the first so many of the protocol's.
        limit: at most so many clips, evenly chosen; None is all of them.
        noises: 2D as it is; with the errors of a foot detector (`with_foot_noise`); with the protocol's,
            which are two to three times larger at the feet.
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


class Scene(NamedTuple):
    """One clip in one camera: what is true, what is known."""

    true: BodyMotion
    true_points: np.ndarray
    true_px: np.ndarray
    initial: BodyMotion
    keypoints: Keypoints
    camera: Camera


_corrupt = jax.jit(corrupt_feet, static_argnums=3)
_lifter = functools.cache(Lifter.from_pretrained)


def estimated(true: BodyMotion, errors: InitialErrorConfig, seed: list[int]) -> BodyMotion:
    """The body as an estimator of whole bodies would have it."""
    frames, _ = map(np.asarray, pose_body(true.rest_offsets, true.rotations, true.root_translation))
    padded = np.concatenate([frames, np.repeat(frames[-1:], -len(frames) % 256, 0)])  # few lengths to compile
    key = jax.random.key(np.random.default_rng(seed).integers(2**31))
    knees, ankles = _corrupt(key, jnp.asarray(padded[:, _KNEES]), jnp.asarray(padded[:, _ANKLES]), errors)
    frames[:, _KNEES], frames[:, _ANKLES] = knees[: len(frames)], ankles[: len(frames)]
    return ordinary(true._replace(rotations=local_rotations(frames)))


def held_off(true: BodyMotion, seed: list[int]) -> BodyMotion:
    """The true body, but that each ankle is off by `HELD_DEG` about an axis of its own, all clip long."""
    axes = np.random.default_rng([*seed, 2]).standard_normal((2, 3))
    turns = np.radians(HELD_DEG) * axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    rotations = true.rotations.copy()
    rotations[:, _ANKLES] = rotations[:, _ANKLES] @ Rotation.from_rotvec(turns).as_matrix()
    return ordinary(true._replace(rotations=rotations))


def ordinary(body: BodyMotion) -> BodyMotion:
    """The body with bones of ordinary proportions, in the person's size, and straight forefeet."""
    offsets = load_body_prior().rest_offsets * (leg_length(body.rest_offsets) / REFERENCE_LEG_M)
    rotations = body.rotations.copy()
    rotations[:, _BALLS] = np.eye(3)
    return body._replace(rotations=rotations, rest_offsets=offsets.astype(float))


def pointed(true: BodyMotion, seed: list[int]) -> BodyMotion:
    """The clip turned over, feet pointed (or, one in three, turned inwards)."""
    generator = np.random.default_rng(seed)
    middle = true.root_translation.mean(0)
    turn = Rotation.from_quat(generator.standard_normal(4)).as_matrix()
    rotations = true.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    for side, ankle in zip((1, -1), _ANKLES, strict=True):
        flexion, inwards = generator.uniform(40, 60), side * 30
        angle = (0, -inwards, 0) if generator.random() < 1 / 3 else (flexion, 0, 0)
        rotations[:, ankle] = rotations[:, ankle] @ Rotation.from_rotvec(np.radians(angle)).as_matrix()
    root = middle + (true.root_translation - middle) @ turn.T
    return true._replace(rotations=rotations, root_translation=root)


def scene(trial: Trial, camera_index: int, case: Case, noise: FootNoise, errors: InitialErrorConfig) -> Scene:
    """The trial as one case."""
    true = body_motion(trial.clip)
    seed = [camera_index, *map(ord, trial.clip.clip)]
    points, pixels = trial.clip.points_world.astype(float), trial.pixels
    if case == "extreme":
        true = pointed(true, seed)
        _, points = map(np.asarray, pose_body(true.rest_offsets, true.rotations, true.root_translation))
        pixels = inside_picture(trial.camera, points)
    if case == "right already":
        errors = dataclasses.replace(errors, exact=1.0)
    keypoints = trial._replace(pixels=pixels).keypoints(FORMAT, "gt" if noise == "feet" else noise)
    if noise == "feet":
        keypoints = with_foot_noise(keypoints, points, trial.camera, seed)
    if case == "no foot keypoints":
        keypoints = without_feet(keypoints)
    match case:
        case "lifted":
            initial = fit_body(_lifter().lift(keypoints, trial.camera, feet=False))
        case "held":
            initial = held_off(true, seed)
        case _:
            initial = estimated(true, errors, seed)
    return Scene(true, points, pixels, initial, keypoints, trial.camera)


def with_foot_noise(keypoints: Keypoints, points: np.ndarray, camera: Camera, seed: list[int]) -> Keypoints:
    """Errors of a foot detector: 10 mm held, 5 mm jitter, 24 mm now and then; 3 % missing."""
    generator = np.random.default_rng([*seed, 1])
    moved = points + 0.010 * generator.standard_normal((1, *points.shape[1:]))
    wild = generator.random((*points.shape[:2], 1)) < 0.02
    moved += np.where(wild, 0.024, 0.005) * generator.standard_normal(points.shape)
    xy = inside_picture(camera, moved)[:, get_skeleton(FORMAT).rows]
    missed = generator.random(xy.shape[:2]) < 0.03
    return as_keypoints(np.where(missed[..., None], np.nan, xy), skeleton=FORMAT, fps=keypoints.fps)


def without_feet(keypoints: Keypoints) -> Keypoints:
    """The same with ankles, heels and toes missing."""
    feet = np.array(
        [any(p in joint for p in ("ankle", "heel", "toe")) for joint in keypoints.skeleton.joints]
    )
    confidence = np.where(feet[None], 0.0, keypoints.confidence)
    return as_keypoints(keypoints.xy_px, confidence, keypoints.skeleton, keypoints.fps)


def score(predicted: BodyMotion, scene: Scene) -> Scores:
    """The foot metrics of one scene, what of AJAE is constant, and the distance from the initial ankles."""
    frames, points = map(
        np.asarray, pose_body(predicted.rest_offsets, predicted.rotations, predicted.root_translation)
    )
    true_frames = np.asarray(
        pose_body(scene.true.rest_offsets, scene.true.rotations, scene.true.root_translation)[0]
    )
    angles = ajae(frames[:, _ANKLES], true_frames[:, _ANKLES])
    changed = ajae(predicted.rotations[:, _ANKLES], scene.initial.rotations[:, _ANKLES])
    rows = get_skeleton(FORMAT).rows
    pck = evaluate_pck(scene.camera.project(points)[:, rows], scene.true_px[:, rows], get_skeleton(FORMAT))
    return Scores(
        {
            "ajae": tally(angles),
            "ajae_constant": tally(constant_error(frames[:, _ANKLES], true_frames[:, _ANKLES])),
            "n_mpjpe_foot": tally(n_mpjpe_foot(points[:, _SOLES], scene.true_points[:, _SOLES])),
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
    frames, _ = map(np.asarray, pose_body(initial.rest_offsets, initial.rotations, initial.root_translation))
    true, _ = map(
        np.asarray, pose_body(scene.true.rest_offsets, scene.true.rotations, scene.true.root_translation)
    )
    rotations = initial.rotations.copy()
    rotations[:, _ANKLES] = frames[:, _KNEES].swapaxes(-1, -2) @ true[:, _ANKLES]
    return initial._replace(rotations=rotations)


def scenes(config: Config, case: Case, noise: FootNoise) -> Iterator[Scene]:
    """Every trial as this case."""
    clips = load_clips(config.data, config.split)
    if config.limit is not None and config.limit < len(clips):
        clips = [clips[i] for i in np.linspace(0, len(clips) - 1, config.limit).round().astype(int)]
    every = list(trials(clips, load_rigs(config.cameras), config.cameras_per_clip))
    for number, trial in enumerate(track(every, f"{case}, {noise}", console=Console(stderr=True))):
        yield scene(trial, number % config.cameras_per_clip, case, noise, config.initial)


def tune(config: Config) -> None:
    """Print the baseline's error over a grid of its numbers."""
    known = [s for noise in config.noises for s in scenes(config, "estimated", noise)]
    for keypoints_s in (0.03, 0.06):
        for turns_s in (0.06, 0.12):
            for prior in (0.03, 0.05, 0.08, 0.12):
                ik = FootIkConfig(keypoints_s, turns_s, prior)
                error = combine(score(bend_feet(s.initial, s.keypoints, s.camera, ik), s) for s in known)
                print(f"keypoints {keypoints_s} s, turns {turns_s} s, prior {prior}: {error['ajae']:.2f}°")


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
        told = {"split": config.split, "cameras_per_clip": config.cameras_per_clip, "limit": config.limit}
        config.out.write_text(json.dumps(told | {"rows": rows}, indent=1))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
