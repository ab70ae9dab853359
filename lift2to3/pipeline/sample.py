"""Sampling the views of a few windows and triangulating them, in one jitted call."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from lift2to3.geometry.cameras import View
from lift2to3.models.denoiser import Params, merge
from lift2to3.models.diffusion import ddim
from lift2to3.models.multiview import MultiViewConfig, lift_views, make_consistent, set_up

Sampler = Callable[[Params, View, Array, Array, Array], tuple[Array, Array]]


def sample_windows(
    graph: nnx.GraphDef,
    params: Params,
    view: View,
    n: Float[Array, "batch time joints 2"],
    confidence: Float[Array, "batch time joints"],
    noise: Float[Array, "batch view time channels"],
    steps: int,
    config: MultiViewConfig,
) -> tuple[Float[Array, "batch time joints 3"], Float[Array, "batch time joints"]]:
    """Windows of observed image points → 3D points in the camera's frame of reference.

    Each DDIM step predicts every view's clean motion, triangulates it with the observed rays,
    projects the points back into the views and goes on from there (Mocap-2-to-3 sec. 3.5).

    Args:
        graph: the denoiser's static part.
        params: its parameters.
        view: the real camera in its canonical frame, the same for every window.
        n: observed normalised image points; anything where the confidence is 0.
        confidence: 0–1.
        noise: standard normal, where sampling starts.
        steps: DDIM steps.
        config: views and weights.

    Returns:
        Points and their spread (rms distance to the rays that make them), metres.
    """
    denoiser = merge(graph, params)
    rig, condition = jax.vmap(lambda n, c: set_up(view, n, c, config))(n, confidence)

    def denoise(x: Array, t: Array) -> tuple[Array, tuple[Array, Array]]:
        predicted = denoiser(x, t, condition)
        points, spread = jax.vmap(lambda *clip: lift_views(*clip, config))(predicted, n, confidence, rig)
        consistent = jax.vmap(lambda p, r: make_consistent(p, r, config))(points, rig)
        return consistent, (points, spread)

    return ddim(denoise, noise, steps)


@functools.lru_cache(maxsize=32)
def compiled_sampler(graph: nnx.GraphDef, steps: int, config: MultiViewConfig) -> Sampler:
    """`sample_windows` jitted for one model and step count, shared by every lifter in the process."""

    def sample(params: Params, view: View, n: Array, confidence: Array, noise: Array) -> tuple[Array, Array]:
        return sample_windows(graph, params, view, n, confidence, noise, steps, config)

    return jax.jit(sample)
