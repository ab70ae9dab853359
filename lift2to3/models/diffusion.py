"""The diffusion process, written once for every denoiser: schedule, noising, DDIM sampling.

Continuous time t in [0, 1], cosine schedule (Nichol and Dhariwal 2021): ``x_t = α x_0 + σ ε`` with
``α = cos(πt/2)``, ``σ = sin(πt/2)``. Denoisers predict x_0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

Result = TypeVar("Result")


def alpha_sigma(t: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Signal and noise level at time t; their squares sum to 1."""
    return jnp.cos(t * np.pi / 2), jnp.sin(t * np.pi / 2)


def add_noise(
    x0: Float[Array, "batch ..."], noise: Float[Array, "batch ..."], t: Float[Array, "batch"]
) -> Float[Array, "batch ..."]:
    """``x_t`` of the forward process; pure noise at t = 1."""
    alpha, sigma = (level.reshape(-1, *(1,) * (x0.ndim - 1)) for level in alpha_sigma(t))
    return alpha * x0 + sigma * noise


def draw_times(key: PRNGKeyArray, batch: int, noisiest: float) -> Float[Array, "batch"]:
    """Training times: uniform, but a share ``noisiest`` of them at t = 1.

    The first sampling step starts from pure noise and decides most of the result, so it is worth
    more of a small training budget than its measure of zero.
    """
    choose, draw = jax.random.split(key)
    uniform = jax.random.uniform(draw, (batch,))
    return jnp.where(jax.random.uniform(choose, (batch,)) < noisiest, 1.0, uniform)


def ddim(
    denoise: Callable[[Array, Array], tuple[Array, Result]], noise: Float[Array, "batch ..."], steps: int
) -> Result:
    """Deterministic sampling (Song et al. 2021, η = 0) from pure noise in ``steps`` even steps.

    Args:
        denoise: ``(x_t, t) -> (x_0, result)``. Whatever must hold at each step (Mocap-2-to-3
            sec. 3.5: triangulate and reproject) is part of it; ``result`` is what comes of it.
        noise: standard normal.
        steps: 1 or more, static.

    Returns:
        The last step's ``result``.
    """
    times = jnp.linspace(1.0, 0.0, steps + 1, dtype=noise.dtype)
    shape = (-1, *(1,) * (noise.ndim - 1))

    def step(x: Array, pair: Array) -> tuple[Array, Result]:
        now, then = (jnp.broadcast_to(t, noise.shape[:1]) for t in pair)
        x0, result = denoise(x, now)
        alpha, sigma = (level.reshape(shape) for level in alpha_sigma(now))
        guess = (x - alpha * x0) / jnp.maximum(sigma, 1e-6)
        return add_noise(x0, guess, then), result

    # a scan compiles its body once, however many steps there are
    _, results = jax.lax.scan(step, noise, jnp.stack([times[:-1], times[1:]], axis=-1))
    return jax.tree.map(lambda by_step: by_step[-1], results)
