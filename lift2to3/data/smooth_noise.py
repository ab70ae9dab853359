"""Numbers that wander smoothly in time: the one source of slow variation in made and varied motion."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


def smooth_noise(key: PRNGKeyArray, frames: int, shape: tuple[int, ...]) -> Float[Array, "time *rest"]:
    """Numbers that wander about 0 (deviation 1), about one knot a second at 30 fps, eased in between."""
    knots = 3 + frames // 30
    drawn = jax.random.normal(key, (knots, *shape))
    position = jnp.linspace(0, knots - 1.001, frames)
    low = position.astype(jnp.int32)
    part = position - low
    ease = (part * part * (3 - 2 * part)).reshape(-1, *(1,) * len(shape))
    return drawn[low] * (1 - ease) + drawn[low + 1] * ease
