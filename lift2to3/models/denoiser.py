"""The denoisers: `G_2D` for one view, `G_MV` for four. One class, one trunk; G_MV adds modules.

A token covers `patch` frames of one view. Each block: rotary attention over time, in G_MV
attention over the views of a token and cross-attention to the view's ground pointmap, then an
MLP; layer norms are scaled, shifted and gated by the diffusion time. What G_MV adds ends in a
zero-initialised layer, so that before finetuning it computes exactly what G_2D does, per view.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from lift2to3.models.layers import Attention, Dense, Mlp, TransformerConfig, normalise
from lift2to3.models.pointmap import PointmapEncoder
from lift2to3.representation import CHANNELS, JOINTS
from lift2to3.skeletons import FOOT_POINTS


@dataclasses.dataclass(frozen=True)
class DenoiserConfig(TransformerConfig):
    """Size and switches of a denoiser.

    Attributes:
        patch: frames that one token covers; a clip's length must be a multiple of it.
        multi_view: False is G_2D, True is G_MV.
        pointmaps: cross-attention to ground pointmaps (G_MV only; off for the ablation).
        pointmap_width: channels of the ResNet-18's first stage.
        pointmap_resolution: points along a pointmap's side.
        billboard: G_MV also sees the person as a flat billboard at the guess, in every view, and
            its prediction may start from there.
        foot_hits: G_MV also sees where on the ground each foot would be if it stood.
    """

    patch: int = 4
    multi_view: bool = True
    pointmaps: bool = True
    pointmap_width: int = 8
    pointmap_resolution: int = 24
    billboard: bool = True
    foot_hits: bool = True


class Condition(NamedTuple):
    """What a denoiser knows beside the noisy motion. G_2D looks at the first two only.

    Attributes:
        observed: (*batch, view, time, channels) encoded observations, 0 where there is none.
        confidence: (*batch, view, time, joints) in 0–1; 0 = not observed (every virtual view).
        camera: (*batch, view, 9) rotation as 6D, centre relative to the guess over 5 m.
        billboard: (*batch, view, time, channels) encoded views of the observations carried to an
            upright plane at the guess; pose 0 where not observed.
        feet: (*batch, time, feet, 2) `lift2to3.geometry.ground.foot_hits`.
        pointmap: (*batch, view, resolution, resolution, 3).
    """

    observed: Float[Array, "*batch view time channels"]
    confidence: Float[Array, "*batch view time joints"]
    camera: Float[Array, "*batch view 9"]
    billboard: Float[Array, "*batch view time channels"]
    feet: Float[Array, "*batch time feet 2"]
    pointmap: Float[Array, "*batch view resolution resolution 3"]


def time_features(t: Float[Array, "*batch"], width: int) -> Float[Array, "*batch width"]:
    """Sinusoids of the diffusion time in [0, 1]."""
    rates = 2 * np.pi * np.exp(np.linspace(0, np.log(200.0), width // 2))
    angle = t[..., None] * jnp.asarray(rates, t.dtype).reshape(*(1,) * t.ndim, -1)
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Block(nnx.Module):
    """One transformer block over (batch, view, token, width)."""

    def __init__(self, config: DenoiserConfig, pointmap_width: int, *, rngs: nnx.Rngs):
        """Modules in the order the data takes through them."""
        width, half = config.width, config.half
        self.time_attention = Attention(width, config.heads, rope=True, half=half, rngs=rngs)
        self.mlp = Mlp(width, config.mlp_ratio * width, width, half=half, rngs=rngs)
        self.modulation = nnx.Param(jnp.zeros((6, width)))
        new = {"zero_out": True, "half": half, "rngs": rngs}
        self.view_attention = Attention(width, config.heads, **new) if config.multi_view else None
        grounded = config.multi_view and config.pointmaps
        self.pointmap_attention = (
            Attention(width, config.heads, context_width=pointmap_width, **new) if grounded else None
        )

    def __call__(
        self,
        h: Float[Array, "batch view token width"],
        modulation: Float[Array, "batch 6 width"],
        ground: Float[Array, "batch view cells ground_width"] | None,
    ) -> Float[Array, "batch view token width"]:
        """``modulation`` is the shared one of the diffusion time; the block adds its own table."""
        table = (modulation + self.modulation[...][None])[:, :, None, None, :]
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = (table[:, k] for k in range(6))
        h = h + (1 + gate) * self.time_attention(normalise(h) * (1 + scale) + shift)
        if self.view_attention is not None:
            across = self.view_attention(normalise(h).swapaxes(1, 2))
            h = h + across.swapaxes(1, 2)
        if self.pointmap_attention is not None and ground is not None:
            h = h + self.pointmap_attention(normalise(h), ground)
        return h + (1 + mlp_gate) * self.mlp(normalise(h) * (1 + mlp_scale) + mlp_shift)


class Denoiser(nnx.Module):
    """Predicts the clean motion x0 of every view from noisy motion and what was observed."""

    def __init__(self, config: DenoiserConfig, *, rngs: nnx.Rngs):
        """Everything under a name that only G_MV has is new at finetuning; the rest is shared."""
        width, half, patch = config.width, config.half, config.patch
        self.config = config
        self.tokenise = Dense(patch * (CHANNELS + JOINTS), width, half=half, rngs=rngs)
        self.time_mlp = Mlp(width, width, width, half=half, rngs=rngs)
        self.modulation = Dense(width, 6 * width, half=half, zero=True, rngs=rngs)
        multi, new = config.multi_view, {"zero": True, "half": half, "rngs": rngs}
        self.camera_mlp = Mlp(9, width, width, **new) if multi else None
        flat = multi and config.billboard
        self.billboard = Dense(patch * CHANNELS, width, **new) if flat else None
        self.feet = Dense(patch * 2 * len(FOOT_POINTS), width, **new) if multi and config.foot_hits else None
        self.skip = Dense(patch * CHANNELS, patch * CHANNELS, **new) if flat else None
        grounded = multi and config.pointmaps
        self.pointmap = PointmapEncoder(config.pointmap_width, rngs=rngs) if grounded else None
        ground_width = 0 if self.pointmap is None else self.pointmap.width_out
        self.blocks = nnx.List([Block(config, ground_width, rngs=rngs) for _ in range(config.depth)])
        self.head = Dense(width, patch * CHANNELS, half=half, zero=True, rngs=rngs)

    def __call__(
        self,
        noisy: Float[Array, "batch view time channels"],
        t: Float[Array, "batch"],
        condition: Condition,
    ) -> Float[Array, "batch view time channels"]:
        """x0 of every view.

        Observed joints enter clean, in place of their noisy values; the mask says which.

        Raises:
            ValueError: the number of frames is not a multiple of the patch.
        """
        batch, views, frames, _ = noisy.shape
        patch = self.config.patch
        if frames % patch:
            raise ValueError(f"{frames} frames: wanted a multiple of the denoiser's patch of {patch}")
        seen = _channel_mask(condition.confidence)
        x = jnp.where(seen, condition.observed, noisy)
        x = jnp.concatenate([x, condition.confidence], axis=-1)
        h = self.tokenise(x.reshape(batch, views, frames // patch, -1))
        if self.camera_mlp is not None:
            h = h + self.camera_mlp(condition.camera)[:, :, None, :]
        flat = condition.billboard.reshape(batch, views, frames // patch, -1)
        if self.billboard is not None:
            h = h + self.billboard(flat)
        if self.feet is not None:
            h = h + self.feet(condition.feet.reshape(batch, 1, frames // patch, -1))
        ground = None if self.pointmap is None else self.pointmap(condition.pointmap)
        emb = jax.nn.silu(self.time_mlp(time_features(t, self.config.width)))
        modulation = self.modulation(emb).reshape(batch, 6, self.config.width)
        for block in self.blocks:
            h = block(h, modulation, ground)
        out = self.head(normalise(h))
        if self.skip is not None:
            out = out + self.skip(flat)
        return out.reshape(batch, views, frames, CHANNELS)


def _channel_mask(confidence: Float[Array, "*batch joints"]) -> Array:
    """Which packed channels are observed: both of a seen joint, the movement's where any joint is."""
    seen = confidence > 0
    movement = jnp.broadcast_to(seen.any(-1, keepdims=True), (*seen.shape[:-1], CHANNELS - 2 * JOINTS))
    return jnp.concatenate([jnp.repeat(seen, 2, axis=-1), movement], axis=-1)
