"""Watching a run: the error of one-step samples on fixed windows that no augmentation touches.

A quick look during training, in the same frame as the loss. The numbers to report come from whole
clips through the lifter (``experiments.evaluate``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from lift2to3.data.augment import UNCHANGED
from lift2to3.data.detector_noise import NoiseConfig
from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import Stream, WindowConfig, window_batches
from lift2to3.metrics import abs_mpjpe, mpjpe, pa_mpjpe, root_error
from lift2to3.models.multiview import lift_views
from lift2to3.models.params import Params, merge
from lift2to3.skeletons import INDEX, SMPL_22
from lift2to3.training.batches import USED
from lift2to3.training.loop import Validate
from lift2to3.training.losses import Example, LossConfig, make_examples

_HIPS = (INDEX["left_hip"], INDEX["right_hip"])
_CLEAN = NoiseConfig(clean=1.0, drop_joint=0, drop_span=0, drop_frames=0, drop_format=0)


def one_step_points(graph: nnx.GraphDef, config: LossConfig, params: Params, example: Example) -> Array:
    """What the multi-view denoiser makes of a batch of examples in one step of sampling, seed 0.

    (batch, time, joints, 3) in their frames, metres.
    """
    noise = jax.random.normal(jax.random.key(0), example.x0.shape)
    x0 = merge(graph, params)(noise, jnp.ones(len(noise)), example.condition)
    lift = jax.vmap(functools.partial(lift_views, config=config.multiview))
    return lift(x0, example.n, example.confidence, example.rig)[0]


def points_validator(
    predict: Callable[[Params, Example], Array],
    clips: Mapping[str, Sequence[MocapClip]],
    frames: int,
    config: LossConfig,
    windows: int = 96,
) -> Validate:
    """A function of the parameters that gives PA-MPJPE, MPJPE, Abs-MPJPE and root error (mm) by set.

    Args:
        predict: parameters and examples → points in the examples' frames, metres.
        clips: sets by name, such as val and train: the gap between them is worth watching.
        frames: of a window.
        config: of the run; augmentation and noise are switched off here.
        windows: how many of each set, drawn with seed 0 like the cameras.
    """
    config = dataclasses.replace(config, augment=UNCHANGED, noise=_CLEAN)
    size = WindowConfig(frames=frames, batch=windows, reader="numpy")
    make = jax.jit(lambda batch, key: make_examples(batch, key, frames, config))
    sets: dict[str, Example] = {}
    for name, group in clips.items():
        batch = next(window_batches(group, size, Stream(seed=0)))
        sets[name] = make({key: jnp.asarray(batch[key]) for key in USED}, jax.random.key(0))
    predict = jax.jit(predict)

    def validate(params: Params) -> dict[str, float]:
        scores = {}
        for name, example in sets.items():
            body = slice(len(SMPL_22))
            points, truth = (np.asarray(p)[:, :, body] for p in (predict(params, example), example.points))
            keep = np.asarray(example.safe)
            points, truth = points[keep], truth[keep]
            scores[f"{name}_pa_mpjpe"] = float(pa_mpjpe(points, truth).mean())
            scores[f"{name}_mpjpe"] = float(mpjpe(points, truth, _HIPS).mean())
            scores[f"{name}_abs_mpjpe"] = float(abs_mpjpe(points, truth).mean())
            root, true_root = (p[:, _HIPS].mean(1) for p in (points, truth))
            scores[f"{name}_root_error"] = float(root_error(root, true_root).mean())
        return scores

    return validate
