"""The diffusion process, written once for every denoiser: schedule, noising, DDIM sampling.

Continuous time t in [0, 1], cosine schedule (Nichol and Dhariwal 2021): ``x_t = α x_0 + σ ε`` with
``α = cos(πt/2)``, ``σ = sin(πt/2)``. Denoisers predict x_0.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

Denoise = Callable[[Array, Array], Array]
"""``denoise(x_t, t) -> x_0``; x has any shape (batch, …), t is (batch,)."""


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


def ddim(denoise: Denoise, noise: Float[Array, "batch ..."], steps: int) -> Float[Array, "batch ..."]:
    """Deterministic sampling (Song et al. 2021, η = 0) from pure noise in ``steps`` even steps.

    Whatever must hold at each step (Mocap-2-to-3 sec. 3.5: triangulate and reproject) is part of
    ``denoise``. Returns the last predicted x_0.
    """
    times = jnp.linspace(1.0, 0.0, steps + 1, dtype=noise.dtype)

    def step(x: Array, pair: Array) -> tuple[Array, None]:
        now, then = (jnp.broadcast_to(t, noise.shape[:1]) for t in pair)
        x0 = denoise(x, now)
        shape = (-1, *(1,) * (x.ndim - 1))
        alpha, sigma = (level.reshape(shape) for level in alpha_sigma(now))
        guess = (x - alpha * x0) / jnp.maximum(sigma, 1e-6)
        return add_noise(x0, guess, then), None

    # at t = 0, x is x_0 itself; steps is small and static, scan compiles the body once
    final, _ = jax.lax.scan(step, noise, jnp.stack([times[:-1], times[1:]], axis=-1))
    return final
