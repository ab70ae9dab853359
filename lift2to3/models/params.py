"""A model's parameters: NNX modules split into a static definition and a flat dictionary, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

Params = dict[str, Array]
"""Parameters as a flat dictionary: ``blocks.0.time_attention.query.kernel`` → array."""


def split(model: nnx.Module) -> tuple[nnx.GraphDef, dict[str, Any]]:
    """A module as its static definition and a flat dictionary of parameters."""
    graph, state = nnx.split(model)
    flat = {".".join(map(str, path)): leaf.get_value() for path, leaf in nnx.to_flat_state(state)}
    return graph, flat


def merge(graph: nnx.GraphDef, params: Params) -> nnx.Module:
    """Inverse of `split`; cheap, meant for use inside a jitted function."""
    flat: dict[tuple[Any, ...], nnx.Variable[Any]] = {
        tuple(int(word) if word.isdigit() else word for word in path.split(".")): nnx.Param(leaf)
        for path, leaf in params.items()
    }
    return nnx.merge(graph, nnx.from_flat_state(flat))


def describe(
    module: Callable[..., nnx.Module], config: Any
) -> tuple[nnx.GraphDef, dict[str, jax.ShapeDtypeStruct]]:
    """``module(config)``'s static definition and the shapes of its parameters, without computing any."""
    graphs = []

    def flat() -> dict[str, Any]:
        graph, params = split(module(config, rngs=_OneKey(jax.random.key(0))))
        graphs.append(graph)
        return params

    shapes = jax.eval_shape(flat)
    return graphs[0], shapes


class _OneKey(nnx.Rngs):
    """The same key for every parameter: where none is drawn, deriving keys is most of the time."""

    def __init__(self, key: PRNGKeyArray):
        self.params = lambda: key


def build(module: Callable[..., nnx.Module], config: Any, seed: int = 0) -> tuple[nnx.GraphDef, Params]:
    """A freshly initialised ``module(config)``, split."""
    graph, _ = describe(module, config)

    def draw() -> Params:
        key = jax.random.key(seed, impl="rbg")  # compiles in a third of the default's time
        return split(module(config, rngs=nnx.Rngs(params=key)))[1]

    # one compilation for all of it: drawing each array by itself costs a minute on a busy laptop
    return graph, jax.jit(draw)()


def shape_differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Parameters that are missing, unknown or of another shape than wanted, in words."""
    first, second = ({name: np.shape(leaf) for name, leaf in part.items()} for part in (found, wanted))
    return [
        f"{name}: found {first.get(name, 'nothing')}, wanted {second.get(name, 'nothing')}"
        for name in sorted(first | second)
        if first.get(name) != second.get(name)
    ]


def warm_start(params: Params, pretrained: Mapping[str, Array | np.ndarray]) -> tuple[Params, list[str]]:
    """Take every parameter of G_2D by path; what only G_MV has keeps its initial value.

    Returns:
        The parameters, and the paths that were not in ``pretrained`` (new at finetuning).

    Raises:
        ValueError: a shared path with another shape, or a pretrained path that has no place here.
    """
    wrong = shape_differences(pretrained, {path: params[path] for path in pretrained if path in params})
    if wrong:
        raise ValueError(
            "the pretrained checkpoint is of another configuration: " + "; ".join(wrong[:4])
            + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        )  # fmt: skip
    shared = {path: jnp.asarray(leaf) for path, leaf in pretrained.items()}
    return {**params, **shared}, sorted(set(params) - set(pretrained))
