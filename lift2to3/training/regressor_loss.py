"""`loss_fn(params, batch, key) -> (loss, scalars)` of the direct regressor, and how its runs are watched.

Examples, and weights and terms on the 3D points, are the multi-view denoiser's
(`lift2to3.training.losses`); of `LossConfig` what concerns x0 is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

from lift2to3.data.mocap import MocapClip
from lift2to3.models.params import Params
from lift2to3.models.regressor import predict_points, regressor_input
from lift2to3.training.evaluate import points_validator
from lift2to3.training.loop import Validate
from lift2to3.training.losses import Example, LossConfig, LossFn, Scalars, make_examples, points_losses


def regressed_points(graph: nnx.GraphDef, params: Params, example: Example) -> Array:
    """What the regressor makes of a batch of examples: (batch, time, joints, 3) in their frames, metres."""
    frame, told = jax.vmap(regressor_input)(example.n, example.rig, example.condition)
    return predict_points(graph, params, frame, told)


def regressor_loss(graph: nnx.GraphDef, frames: int, config: LossConfig) -> LossFn:
    """L1 on the 3D points: hip-relative, root and velocity."""

    def loss_fn(params: Params, batch: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Scalars]:
        example = make_examples(batch, key, frames, config)
        scalars = points_losses(regressed_points(graph, params, example), example.points, example.safe)
        weights = {"relative": config.relative, "root": config.root, "velocity": config.velocity}
        return jnp.stack([weight * scalars[name] for name, weight in weights.items()]).sum(), scalars

    return loss_fn


def regressor_validator(
    graph: nnx.GraphDef,
    clips: Mapping[str, Sequence[MocapClip]],
    frames: int,
    config: LossConfig,
    windows: int = 96,
    seed: int = 0,
) -> Validate:
    """As `lift2to3.training.evaluate.window_validator`, of the regressor."""
    predict = lambda params, example: regressed_points(graph, params, example)  # noqa: E731
    return points_validator(predict, clips, frames, config, windows, seed)
