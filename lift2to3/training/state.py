"""The training state and the one jitted step, sharded over every device there is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from lift2to3.models.params import Params
from lift2to3.training.losses import LossFn, Scalars


@dataclasses.dataclass(frozen=True)
class OptimiserConfig:
    """AdamW, linear warm-up, cosine to ``final_share`` of the peak, clipped gradients, EMA.

    Attributes:
        steps: length of the schedule.
        ema: decay of the averaged weights; early on it is (1 + step) / (10 + step).
    """

    steps: int = 20_000
    learning_rate: float = 8e-4
    warmup_steps: int = 300
    final_share: float = 0.02
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema: float = 0.9985

    def transform(self) -> optax.GradientTransformation:
        """The optax chain."""
        schedule = optax.warmup_cosine_decay_schedule(
            0.0, self.learning_rate, min(self.warmup_steps, self.steps // 2), self.steps,
            end_value=self.final_share * self.learning_rate,
        )  # fmt: skip
        decays = lambda params: {path: leaf.ndim > 1 for path, leaf in params.items()}  # noqa: E731
        return optax.chain(
            optax.clip_by_global_norm(self.clip_norm),
            optax.adamw(schedule, b2=0.98, weight_decay=self.weight_decay, mask=decays),
        )


class TrainState(NamedTuple):
    """Everything a step changes. ``ema`` is what gets evaluated and shipped."""

    params: Params
    ema: Params
    opt_state: optax.OptState
    step: Int[Array, ""]


Step = Callable[[TrainState, dict[str, Array]], tuple[TrainState, Scalars]]


def data_mesh() -> Mesh:
    """One ``data`` axis over all devices of all hosts."""
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def initial_state(params: Params, optimiser: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """Step 0, replicated over the mesh; the caller's arrays are copied, never donated."""
    replicated = NamedSharding(mesh, PartitionSpec())
    copy = lambda tree: jax.device_put(jax.tree.map(lambda x: jnp.array(x, copy=True), tree), replicated)  # noqa: E731
    return TrainState(
        copy(params), copy(params), copy(optimiser.init(params)), copy(jnp.zeros((), jnp.int32))
    )


def shard_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, Array]:
    """This host's part of a batch onto its devices, split along the first axis.

    Raises:
        ValueError: the batch does not divide by the number of devices.
    """
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    rows = len(next(iter(batch.values()))) * jax.process_count()
    if rows % mesh.size:
        raise ValueError(f"a batch of {rows} over {mesh.size} devices: wanted a multiple of {mesh.size}")
    return {name: jax.make_array_from_process_local_data(sharding, leaf) for name, leaf in batch.items()}


def make_step(loss_fn: LossFn, optimiser: optax.GradientTransformation, seed: int, ema: float) -> Step:
    """The jitted training step; its randomness is a function of (seed, step) alone.

    The batch is split over the mesh and the loss is a mean over it, so XLA itself puts the
    gradient's all-reduce where it belongs: no axis name, the same code on one device and many.
    """

    def step(state: TrainState, batch: dict[str, Array]) -> tuple[TrainState, Scalars]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        (loss, scalars), gradient = jax.value_and_grad(loss_fn, has_aux=True)(state.params, batch, key)
        updates, opt_state = optimiser.update(gradient, state.opt_state, state.params)
        params: Any = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(ema, (1.0 + state.step) / (10.0 + state.step))
        averaged = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, state.ema, params)
        scalars = {"loss": loss, **scalars, "gradient_norm": optax.tree.norm(gradient)}
        return TrainState(params, averaged, opt_state, state.step + 1), scalars

    return jax.jit(step, donate_argnums=0)
