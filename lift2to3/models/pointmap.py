"""ResNet-18 (He et al. 2016) over ground pointmaps → a few tokens per view (Mocap-2-to-3 sec. 3.4)."""

from __future__ import annotations

import jax
from flax import nnx
from jaxtyping import Array, Float


class _Conv(nnx.Module):
    """3×3 or 1×1 convolution and group norm (batch statistics would differ from train to lift)."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(
            inputs, outputs, (size, size), strides=(stride, stride), use_bias=False, rngs=rngs
        )
        self.norm = nnx.GroupNorm(outputs, num_groups=min(8, outputs // 4), rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.norm(self.conv(x))


class _BasicBlock(nnx.Module):
    """ResNet's basic block: two 3×3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, rngs: nnx.Rngs):
        self.first = _Conv(inputs, outputs, 3, stride, rngs=rngs)
        self.second = _Conv(outputs, outputs, 3, 1, rngs=rngs)
        changes = stride != 1 or inputs != outputs
        self.shortcut = _Conv(inputs, outputs, 1, stride, rngs=rngs) if changes else None

    def __call__(self, x: Array) -> Array:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return jax.nn.relu(self.second(jax.nn.relu(self.first(x))) + shortcut)


class PointmapEncoder(nnx.Module):
    """ResNet-18's four stages of two blocks each; width is that of the first stage (64 in the paper's)."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        """The stem is a stride-2 3×3 convolution: pointmaps are far smaller than photographs."""
        self.stem = _Conv(3, width, 3, 2, rngs=rngs)
        blocks, inputs = [], width
        for stage in range(4):
            outputs = width * 2**stage
            for block in range(2):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(_BasicBlock(inputs, outputs, stride, rngs=rngs))
                inputs = outputs
        self.blocks = nnx.List(blocks)
        self.width_out = inputs

    def __call__(
        self, pointmap: Float[Array, "*batch height width 3"]
    ) -> Float[Array, "*batch tokens width_out"]:
        """One token per cell of the last feature map: (resolution / 16, rounded up)² of them."""
        x = jax.nn.relu(self.stem(pointmap.reshape(-1, *pointmap.shape[-3:])))
        for block in self.blocks:
            x = block(x)
        return x.reshape(*pointmap.shape[:-3], -1, x.shape[-1])
