"""The methods that can be compared, by name, behind one signature: keypoints and camera → motion."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, assert_never, get_args

from experiments.stiff import Stiff, mean_pose
from lift2to3 import Camera, Keypoints, Lifter, Motion
from lift2to3.data.dataset import load_clips
from lift2to3.pipeline.refine_body import optimise

Lift = Callable[[Keypoints, Camera], Motion]

MethodName = Literal[
    "lift", "feet unrefined", "1 step", "2 steps", "8 steps",
    "regressor", "smplify", "lift + smplify", "stiff",
]  # fmt: skip
METHODS: tuple[MethodName, ...] = get_args(MethodName)


@dataclasses.dataclass(frozen=True)
class Compared:
    """What methods are compared on, and which weights they have.

    Attributes:
        data: a prepared folder with that split and, for the stiff baseline's mean pose, train.
        cameras: json list of real calibrations.
        split: which clips.
        weights: of the lifter, a shipped name or a file.
        regressor: weights of the direct regressor, likewise.
    """

    data: Path
    cameras: Path
    split: Literal["train", "val"] = "val"
    weights: str = "small"
    regressor: str = "regressor"


_lifter = functools.cache(Lifter.from_pretrained)


def quietly(lifter: Lifter, **how: Any) -> Lift:
    """A lifter as a method to be measured: whatever its motions look like, none is refused or warned of."""

    def lift(keypoints: Keypoints, camera: Camera) -> Motion:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return lifter.lift(keypoints, camera, force=True, **how)

    return lift


def load_method(
    name: MethodName,
    data: Path | None = None,
    weights: str = "small",
    regressor: str = "regressor",
    steps: int | None = None,
    samples: int = 1,
) -> Lift:
    """The method of that name, ready to call; nothing that others need is loaded.

    Args:
        name: the lifter; the same without the foot lifter (formats with heels and toes) or with this many
            sampling steps; the direct regressor; optimisation from keypoints alone, or from the lifter's
            motion; the mean pose.
        data: a prepared folder with a train split: the mean pose is of it.
        weights: of the lifter, a shipped name or a file.
        regressor: weights of the regressor, likewise.
        steps: of the lifter where the name does not say it; None is the shipped default.
        samples: of the lifter.

    Raises:
        ValueError: no such weights, or no data where they are needed.
        FileNotFoundError: no such file.
    """
    match name:
        case "lift":
            return quietly(_lifter(weights), steps=steps, samples=samples)
        case "feet unrefined":
            return quietly(_lifter(weights), steps=steps, samples=samples, feet=False)
        case "1 step" | "2 steps" | "8 steps":
            return quietly(_lifter(weights), steps=int(name.split()[0]), samples=samples)
        case "regressor":
            return quietly(_lifter(regressor))
        case "smplify":
            return optimise
        case "lift + smplify":
            return quietly(_lifter(weights), steps=steps, samples=samples, refine=True)
        case "stiff":
            if data is None:
                raise ValueError(
                    "the stiff baseline is of the train split's mean pose: wanted data, found None"
                )
            return Stiff(mean_pose(load_clips(data, "train"))).lift
        case _:
            assert_never(name)
