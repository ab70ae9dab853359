"""Protocol 2: what the fixed validation protocol hardly has – rare motion, input and cameras.

    python -m experiments.rare_protocol --data DIR --cameras cameras.json --weights runs/gmv/small.safetensors

About 3 minutes on 2 CPU cores. Version 1 of nine sets, each drawn as in `protocol` with its real cameras:

- acrobatics, animals: train clips of `RARE_SUBJECTS`. Recipes are compared on them after training with
  ``experiments.train finetune --leave-out-subjects 29 49 88 90``; released weights (and what starts
  from them) have seen these clips, and can only be compared with weights that have too.
- dives: val's dive-rolls and ducks.
- floor, inverted: val clips tipped over and laid on the floor (`lift2to3.data.synthetic`), lying and crawling
  or with the head downwards. The same code makes motion for training, so a gain here alone says little.
- no face, no legs: val clips in COCO-17 with the face's five points, or knees and ankles, never seen.
- rolled, low: val clips, cameras turned by 15–45° about the optical axis, or 0.3–0.8 m over the floor.

A trial that the method refuses (`lift` does where the feet are over the horizon, as a handstand's before a
low camera are) is counted and left out of the means: the refusal depends on the input, not on the weights.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from experiments.evaluate import score
from experiments.methods import Lift, MethodName, load_method
from experiments.protocol import Noise, Trial, load_rigs, trials
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip
from lift2to3.data.synthetic import SyntheticConfig, lay_on_floor
from lift2to3.scores import Scores, combine
from lift2to3.skeletons import INDEX

SEED: Final = 2
RARE_SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "acrobatics": ("49", "88", "90"),
    "animals": ("29",),
}
"""Set → CMU subjects of the train split whose motion is rare."""

DIVES: Final = tuple(f"127_{take}" for take in (23, 24, 29, 30, 31, 32, 37, 38))
LONGEST_FRAMES: Final = 300
"""Of a clip its middle 10 seconds are used: long clips would only repeat themselves."""

_TIPPED: Final[Mapping[str, SyntheticConfig]] = {
    "floor": SyntheticConfig(tilt_deg=(50.0, 120.0)),
    "inverted": SyntheticConfig(tilt_deg=(120.0, 180.0)),
}
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_LEGS = ("left_knee", "right_knee", "left_ankle", "right_ankle")


class RareSet(NamedTuple):
    """Trials of one kind, and the keypoint format they are lifted from."""

    name: str
    skeleton: str
    trials: list[Trial]


def middle(clip: MocapClip) -> MocapClip:
    """The clip's middle frames, at most `LONGEST_FRAMES`."""
    first = max(0, (len(clip.points_world) - LONGEST_FRAMES) // 2)
    rows = slice(first, first + LONGEST_FRAMES)
    return clip._replace(
        root_translation=clip.root_translation[rows],
        rotations=clip.rotations[rows],
        points_world=clip.points_world[rows],
        contacts=clip.contacts[rows],
    )


def laid(clip: MocapClip, kind: str) -> MocapClip:
    """A clip tipped over and laid on the floor; its draw depends on nothing but its name.

    Only its points are; its rotations stay the standing clip's, its contacts are said to be none.
    """
    key = jax.random.key(SEED)
    for letter in f"{clip.clip} {kind}":
        key = jax.random.fold_in(key, ord(letter))
    points = lay_on_floor(key, jnp.asarray(clip.points_world, jnp.float32), _TIPPED[kind])
    return clip._replace(
        clip=f"{clip.clip} {kind}",
        points_world=np.asarray(points, clip.points_world.dtype),
        contacts=np.zeros_like(clip.contacts),
    )


def hide(trial: Trial, names: Sequence[str]) -> Trial:
    """The same trial with some canonical points never seen."""
    pixels = trial.pixels.copy()
    pixels[:, [INDEX[name] for name in names]] = np.nan
    return trial._replace(pixels=pixels)


def odd_rigs(rigs: Sequence[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """The same calibrations, low over the floor (``height_m``) or rolled (``roll_deg``).

    Raises:
        ValueError: another field.
    """
    generator = np.random.default_rng([SEED, *map(ord, field)])
    match field:
        case "height_m":
            drawn = generator.uniform(0.3, 0.8, len(rigs))
        case "roll_deg":
            drawn = generator.uniform(15.0, 45.0, len(rigs)) * generator.choice([-1.0, 1.0], len(rigs))
        case _:
            raise ValueError(f"wanted height_m or roll_deg, found {field!r}")
    return [rig | {field: float(value)} for rig, value in zip(rigs, drawn, strict=True)]


def some(clips: Sequence[MocapClip], limit: int | None) -> list[MocapClip]:
    """At most so many clips, evenly chosen in the order of their names."""
    ordered = sorted(clips, key=lambda clip: clip.clip)
    if limit is None or limit >= len(ordered):
        return ordered
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, limit).round().astype(int)]


def rare_sets(
    train: Sequence[MocapClip], val: Sequence[MocapClip], rigs: Sequence[dict[str, Any]], limit: int | None
) -> Iterator[RareSet]:
    """Every set of protocol 2, one camera a clip.

    Args:
        train: the train split's clips, of which `RARE_SUBJECTS` on even floors are used.
        val: the val split's.
        rigs: real calibrations.
        limit: at most so many clips of a set, evenly chosen; None is all of them.
    """

    def seen(clips: Sequence[MocapClip], by: Sequence[dict[str, Any]] = rigs) -> list[Trial]:
        return list(trials([middle(clip) for clip in clips], by, cameras=1))

    for name, subjects in RARE_SUBJECTS.items():
        clips = [clip for clip in train if clip.subject in subjects and not clip.uneven_floor]
        yield RareSet(name, "smpl22", seen(some(clips, limit)))
    yield RareSet("dives", "smpl22", seen(some([clip for clip in val if clip.clip in DIVES], limit)))
    everyday = some(val, limit)
    for kind in _TIPPED:
        yield RareSet(kind, "smpl22", seen([laid(middle(clip), kind) for clip in everyday]))
    plain = seen(everyday)
    yield RareSet("no face", "coco17", [hide(trial, _FACE) for trial in plain])
    yield RareSet("no legs", "coco17", [hide(trial, _LEGS) for trial in plain])
    yield RareSet("rolled", "smpl22", seen(everyday, odd_rigs(rigs, "roll_deg")))
    yield RareSet("low", "smpl22", seen(everyday, odd_rigs(rigs, "height_m")))


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        data: a prepared folder with both splits.
        cameras: json list of real calibrations.
        weights: of the lifter, a shipped name or a file.
        methods: what `methods.load_method` knows.
        noises: ground-truth 2D, detector-like noise, or both.
        limit: at most so many clips of a set, evenly chosen; None is all of them.
        out: json to write.
    """

    data: Path
    cameras: Path
    weights: str = "small"
    methods: tuple[MethodName, ...] = ("lift",)
    noises: tuple[Noise, ...] = ("gt", "noisy")
    limit: int | None = 25
    out: Path | None = None


def _scored(lift: Lift, every: Iterable[Trial], skeleton: str, noise: Noise) -> tuple[list[Scores], int]:
    """Scores of the trials that the method takes, and how many it refuses as no upright setup at all."""
    scores: list[Scores] = []
    refused = 0
    for trial in every:
        try:
            scores.append(score(lift, trial, skeleton, noise))
        except ValueError:  # feet over the horizon, where a low camera sees a handstand
            refused += 1
    return scores, refused


def evaluate(config: Config) -> list[dict[str, object]]:
    """One row of scores per method, set and noise, and per method and noise the sets' mean."""
    train, val = (load_clips(config.data, split) for split in ("train", "val"))
    sets = [s for s in rare_sets(train, val, load_rigs(config.cameras), config.limit) if s.trials]
    rows: list[dict[str, object]] = []
    for method in config.methods:
        lift = load_method(method, config.data, config.weights)
        for noise in config.noises:
            means = []
            for name, skeleton, every in sets:
                watched = track(every, f"{method}, {name}, {noise}", transient=True)
                scores, refused = _scored(lift, watched, skeleton, noise)
                of_set: dict[str, object] = {"method": method, "set": name, "noise": noise}
                if scores:
                    means.append(combine(scores))
                    of_set |= {key: v if np.isfinite(v) else None for key, v in means[-1].items()}
                rows.append(of_set | {"trials": len(scores), "refused": refused})
            totals = {
                key: sum(int(str(row[key])) for row in rows[-len(sets) :]) for key in ("trials", "refused")
            }
            shared = {key: float(np.mean([scores[key] for scores in means])) for key in SHOWN}
            rows.append({"method": method, "set": "mean of sets", "noise": noise, **totals, **shared})
    return rows


SHOWN: Final = ("pa_mpjpe", "mpjpe", "abs_mpjpe", "root_error", "accel")


def table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    """The rows as a table, a metric a column, mm (accel m/s²)."""
    out = Table("method", "2D", "set", "trials", "refused", *SHOWN, title=title)
    for row in rows:
        numbers = (f"{row[name]:.1f}" if row.get(name) is not None else "–" for name in SHOWN)
        out.add_row(
            row["method"], row["noise"], row["set"], str(row["trials"]), str(row["refused"]), *numbers
        )
    return out


if __name__ == "__main__":
    config = tyro.cli(Config, description=__doc__)
    rows = evaluate(config)
    Console(width=120).print(table(rows, f"weights {config.weights}, protocol 2"))
    if config.out is not None:
        config.out.write_text(
            json.dumps({"config": dataclasses.asdict(config), "rows": rows}, indent=1, default=str)
        )
