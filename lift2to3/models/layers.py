"""Dense layers, norms and attention, laid out for speed on CPUs as well as accelerators."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """Size of a transformer, by width, depth, heads and the MLPs' hidden width over its own.

    Attributes:
        half: bfloat16 inputs to the matrix products (sums stay float32).
    """

    width: int = 256
    depth: int = 6
    heads: int = 4
    mlp_ratio: int = 3
    half: bool = True


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def matmul(x: Float[Array, "rows inputs"], w: Float[Array, "inputs outputs"], half: bool) -> Array:
    """``x @ w``; with ``half``, bfloat16 inputs and float32 sums, in both backward products too.

    On CPUs with bfloat16 units this is about twice as fast as float32; the plain gradient of a
    mixed product would fall back to float32.
    """
    return _product(x, w, half)


def _product(a: Array, b: Array, half: bool) -> Array:
    if half:
        a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jnp.dot(a, b, preferred_element_type=jnp.float32)


def _matmul_forward(x: Array, w: Array, half: bool) -> tuple[Array, tuple[Array, Array]]:
    return _product(x, w, half), (x, w)


def _matmul_backward(half: bool, saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, w = saved
    return _product(gradient, w.T, half), _product(x.T, gradient, half)


matmul.defvjp(_matmul_forward, _matmul_backward)


class Dense(nnx.Module):
    """``x @ kernel + bias`` over the last axis.

    Same as `flax.nnx.Linear` (a test holds them equal) but flattens the leading axes first: XLA's
    CPU backend is several times slower at the weight gradient over several batch axes.
    """

    def __init__(self, inputs: int, outputs: int, *, half: bool, zero: bool = False, rngs: nnx.Rngs):
        """``zero`` starts at 0, for branches that must change nothing at first."""
        bound = np.sqrt(3 / inputs)  # unit variance in, unit variance out; a uniform draw compiles fast
        shape = (inputs, outputs)
        kernel = (
            jnp.zeros(shape)
            if zero
            else jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound)
        )
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.half = half

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Apply over the last axis."""
        flat: Any = matmul(x.reshape(-1, x.shape[-1]), self.kernel[...], self.half)
        return (flat + self.bias[...][None]).reshape(*x.shape[:-1], flat.shape[-1])


def normalise(x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
    """Layer normalisation without parameters: scale and shift come from the condition."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-6)


def rotary(x: Float[Array, "*batch tokens heads depth"]) -> Float[Array, "*batch tokens heads depth"]:
    """Rotary position embedding (Su et al. 2021) by token index."""
    half = x.shape[-1] // 2
    rates = 1.0 / (100.0 ** (np.arange(half) / half))  # clips are tens to hundreds of tokens long
    angle = np.arange(x.shape[-3])[:, None, None] * rates
    shape = (*(1,) * (x.ndim - 3), *angle.shape)
    cos, sin = (jnp.asarray(part.reshape(shape), x.dtype) for part in (np.cos(angle), np.sin(angle)))
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def attend(
    query: Float[Array, "*batch queries heads depth"],
    key: Float[Array, "*batch keys heads depth"],
    value: Float[Array, "*batch keys heads depth"],
    shown: Array | None = None,
) -> Float[Array, "*batch queries heads depth"]:
    """Scaled dot-product attention over the token axis, to those tokens only that are ``shown``."""
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key) / np.sqrt(query.shape[-1])
    scores = scores if shown is None else jnp.where(shown, scores, _HIDDEN)
    return jnp.einsum("...hqk,...khd->...qhd", jax.nn.softmax(scores, axis=-1), value)


_HIDDEN: Final = -1e9
"""Score of a token that is not to be attended to."""


def attend_nearby(
    query: Float[Array, "batch tokens heads depth"],
    key: Float[Array, "batch tokens heads depth"],
    value: Float[Array, "batch tokens heads depth"],
    present: Bool[Array, "batch tokens"],
    reach: int,
) -> Float[Array, "batch tokens heads depth"]:
    """`attend` among present tokens at most ``reach`` apart; time and memory are linear in the tokens.

    Queries go block by block, each of ``reach`` tokens, and look at three blocks: their own and both
    neighbours. The result does not depend on where the blocks lie.
    """
    batch, tokens, heads, depth = query.shape
    if tokens <= 3 * reach:  # so few that blocks would be no less work
        apart = np.arange(tokens)[None] - np.arange(tokens)[:, None]
        shown = jnp.asarray(np.abs(apart) <= reach)[None, None] & present[:, None, None]
        return attend(query, key, value, shown)
    blocks = -(-tokens // reach)
    padding = blocks * reach - tokens
    query, key, value = (jnp.pad(x, ((0, 0), (0, padding), (0, 0), (0, 0))) for x in (query, key, value))
    present = jnp.pad(present, ((0, 0), (reach, reach + padding)))

    def three_blocks(x: Array) -> Array:
        parts = [x[:, i * reach : (i + blocks) * reach].reshape(batch, blocks, reach, -1) for i in range(3)]
        return jnp.concatenate(parts, axis=2)

    sides = ((0, 0), (reach, reach), (0, 0), (0, 0))
    key, value = (
        three_blocks(jnp.pad(x, sides)).reshape(batch, blocks, 3 * reach, heads, depth) for x in (key, value)
    )
    query = query.reshape(batch, blocks, reach, heads, depth)
    apart = np.arange(3 * reach)[None] - reach - np.arange(reach)[:, None]
    near = jnp.asarray(np.abs(apart) <= reach)[None, None, None]
    shown = three_blocks(present[..., None])[..., 0][:, :, None, None]
    out = attend(query, key, value, near & shown)
    return out.reshape(batch, blocks * reach, heads, depth)[:, :tokens]


class Attention(nnx.Module):
    """Multi-head attention from ``x`` to ``context`` (itself if none is given)."""

    def __init__(
        self, width: int, heads: int, *, context_width: int | None = None, rope: bool = False,
        reach: int | None = None, zero_out: bool = False, half: bool, rngs: nnx.Rngs,
    ):  # fmt: skip
        """``rope`` rotates queries and keys by token index; ``zero_out`` starts as a no-op.

        With ``reach`` a token attends to no token farther away than that.
        """
        context_width = context_width or width
        self.query = Dense(width, width, half=half, rngs=rngs)
        self.key_value = Dense(context_width, 2 * width, half=half, rngs=rngs)
        self.out = Dense(width, width, half=half, zero=zero_out, rngs=rngs)
        self.heads, self.rope, self.reach = heads, rope, reach

    def __call__(
        self,
        x: Float[Array, "*batch tokens width"],
        context: Float[Array, "*batch context_tokens context_width"] | None = None,
        present: Bool[Array, "*batch tokens"] | None = None,
    ) -> Float[Array, "*batch tokens width"]:
        """Attend along the second last axis; with a reach, to tokens that are present only."""
        context = x if context is None else context
        split = (self.heads, x.shape[-1] // self.heads)
        query = self.query(x).reshape(*x.shape[:-1], *split)
        key_value = self.key_value(context).reshape(*context.shape[:-1], 2, *split)
        key, value = key_value[..., 0, :, :], key_value[..., 1, :, :]
        if self.rope:
            query, key = rotary(query), rotary(key)
        if self.reach is None:
            return self.out(attend(query, key, value).reshape(x.shape))
        present = jnp.ones(x.shape[:-1], bool) if present is None else present
        return self.out(attend_nearby(query, key, value, present, self.reach).reshape(x.shape))


class Mlp(nnx.Module):
    """Two dense layers with GELU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, *, half: bool, zero: bool = False,
                 rngs: nnx.Rngs):  # fmt: skip
        """``zero`` starts the second layer at 0."""
        self.up = Dense(inputs, hidden, half=half, rngs=rngs)
        self.down = Dense(hidden, outputs, half=half, zero=zero, rngs=rngs)

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Apply over the last axis."""
        return self.down(jax.nn.gelu(self.up(x)))
