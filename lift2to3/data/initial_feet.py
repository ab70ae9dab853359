"""How estimators of whole bodies err at the feet: what the foot lifter is trained to put right.

They see an ankle and no sole, so feet stay near the rest pose, move too little and too slowly, and are
off by an angle of their own; the shins above them are off too (FootMR secs. 1 and 3).
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from lift2to3.conventions import MODEL_FPS
from lift2to3.data.smooth_noise import smooth_noise
from lift2to3.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle


@dataclasses.dataclass(frozen=True)
class InitialErrorConfig:
    """Each clip draws its own sizes, uniformly from 0 to these; angles are deviations in degrees.

    The defaults are about as large as what the lifter's own, unrefined feet are off by on training clips
    (``experiments.feet.measure``).

    Attributes:
        exact: share of clips whose feet and shins are right already.
        absent: share of the other clips that lack an error, for each error by itself. Else a lifter learns
            that feet which look natural are right, whatever the keypoints say.
        toward_rest: share of the way to the rest pose, a foot at right angles to its shin.
        low_pass_s: deviation of the Gaussian that slows the ankle down, seconds.
        bias_deg: held over the clip.
        wander_deg: changing within a second.
        jitter_deg: from frame to frame.
        knee_bias_deg, knee_wander_deg, knee_jitter_deg: of the shin's frame, which carries the foot along.
    """

    exact: float = 0.1
    absent: float = 0.3
    toward_rest: float = 1.0
    low_pass_s: float = 0.3
    bias_deg: float = 20.0
    wander_deg: float = 14.0
    jitter_deg: float = 6.0
    knee_bias_deg: float = 14.0
    knee_wander_deg: float = 11.0
    knee_jitter_deg: float = 5.0


def corrupt_feet(
    key: PRNGKeyArray,
    knees: Float[Array, "time feet 3 3"],
    ankles: Float[Array, "time feet 3 3"],
    config: InitialErrorConfig,
) -> tuple[Float[Array, "time feet 3 3"], Float[Array, "time feet 3 3"]]:
    """Knee and ankle frames as an estimator of whole bodies would give them.

    True ones are the shins' and the feet's in any common frame; left, right.
    """
    frames, feet = knees.shape[:2]
    keys = jax.random.split(key, 8)
    wrong = jax.random.uniform(keys[0]) >= config.exact
    there = jax.random.uniform(keys[5], (8,)) >= config.absent
    size = jax.random.uniform(keys[1], (8,)) * wrong * there
    local = axis_angle_from_matrix(jnp.einsum("tfji,tfjk->tfik", knees, ankles))
    local = (1 - config.toward_rest * size[0]) * _low_passed(local, config.low_pass_s * size[1] * MODEL_FPS)

    def drawn(
        key: PRNGKeyArray, jitter_key: PRNGKeyArray, held: Array, wander: Array, jitter: Array
    ) -> Float[Array, "time feet 3"]:
        held_key, wander_key = jax.random.split(key)
        error = held * jax.random.normal(held_key, (1, feet, 3))
        error = error + wander * smooth_noise(wander_key, frames, (feet, 3))
        error = error + jitter * jax.random.normal(jitter_key, error.shape)
        return jnp.radians(error) / np.sqrt(3)

    error = drawn(
        keys[2], keys[3], config.bias_deg * size[2], config.wander_deg * size[3], config.jitter_deg * size[4]
    )
    tilt = drawn(
        keys[4], keys[6], config.knee_bias_deg * size[5], config.knee_wander_deg * size[6],
        config.knee_jitter_deg * size[7],
    )  # fmt: skip
    knees = knees @ matrix_from_axis_angle(tilt)
    return knees, knees @ matrix_from_axis_angle(local) @ matrix_from_axis_angle(error)


@dataclasses.dataclass(frozen=True)
class FloorErrorConfig:
    """How far off the floor is told. Each clip draws its own sizes, uniformly from 0 to these deviations.

    Attributes:
        unknown: share of clips of which no floor is known.
        tilt_deg: of the world's up.
        height_m, wander_m: of the ankles' height, held over the clip and changing within a second.
    """

    unknown: float = 0.2
    tilt_deg: float = 4.0
    height_m: float = 0.06
    wander_m: float = 0.02


def tell_floor(
    key: PRNGKeyArray, up: Float[Array, "3"], height_m: Float[Array, "time feet"], config: FloorErrorConfig
) -> tuple[Float[Array, "time 3"], Float[Array, "time feet"]]:
    """The world's up and the ankles' heights as an estimated motion has them; 0 where unknown.

    True ones are the up in the camera's axes, and the heights over the floor.
    """
    keys = jax.random.split(key, 5)
    size = jax.random.uniform(keys[0], (3,))
    known = jax.random.uniform(keys[1]) >= config.unknown
    tilt = jnp.radians(config.tilt_deg * size[0]) / np.sqrt(3) * jax.random.normal(keys[2], (3,))
    held = config.height_m * size[1] * jax.random.normal(keys[3])
    wander = config.wander_m * size[2] * smooth_noise(keys[4], len(height_m), height_m.shape[1:])
    up = known * (matrix_from_axis_angle(tilt) @ up)
    return jnp.broadcast_to(up[None], (len(height_m), 3)), known * (height_m + held + wander)


def _low_passed(values: Float[Array, "time feet 3"], deviation: Array) -> Float[Array, "time feet 3"]:
    """Gaussian mean over time with weights that sum to 1 at the ends too; deviation in frames."""
    frame = jnp.arange(len(values), dtype=values.dtype)
    away = (frame[:, None] - frame[None]) / jnp.maximum(deviation, 1e-3)
    weight = jnp.exp(-0.5 * jnp.minimum(away**2, 80.0)) * (jnp.abs(away) < 12)
    return jnp.einsum("st,tfi->sfi", weight / weight.sum(1, keepdims=True), values)
