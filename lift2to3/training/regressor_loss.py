"""`loss_fn(params, batch, key) -> (loss, scalars)` of the direct regressor, and how its runs are watched.

Examples, and weights and terms on the 3D points, are the multi-view denoiser's
(`lift2to3.training.losses`); of `LossConfig` what concerns x0 is not used.
"""

from __future__ import annotations

import jax
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

from lift2to3.models.params import Params
from lift2to3.models.regressor import predict_points, regressor_input
from lift2to3.training.losses import (
    POINT_TERMS,
    Example,
    LossConfig,
    LossFn,
    Scalars,
    make_examples,
    points_losses,
    weighted_sum,
)


def regressed_points(graph: nnx.GraphDef, params: Params, example: Example) -> Array:
    """What the regressor makes of a batch of examples: (batch, time, joints, 3) in their frames, metres."""
    frame, told = jax.vmap(regressor_input)(example.n, example.rig, example.condition)
    return predict_points(graph, params, frame, told)


def regressor_loss(graph: nnx.GraphDef, frames: int, config: LossConfig) -> LossFn:
    """L1 on the 3D points: hip-relative, root and velocity."""

    def loss_fn(params: Params, batch: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Scalars]:
        example = make_examples(batch, key, frames, config)
        scalars = points_losses(regressed_points(graph, params, example), example.points, example.safe)
        return weighted_sum(scalars, config, POINT_TERMS), scalars

    return loss_fn
