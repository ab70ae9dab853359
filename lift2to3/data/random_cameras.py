"""Random real-looking cameras around a clip, drawn on the device inside the jitted step."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.geometry.cameras import View, look_at


@dataclasses.dataclass(frozen=True)
class CameraConfig:
    """Ranges of real rigs (DESIGN section 8): metres and degrees, drawn uniformly.

    Attributes:
        height_m: above the floor.
        pitch_deg: of the optical axis, downward positive.
        roll_deg: largest roll to either side.
        distance_m: horizontal distance to the person, drawn log-uniformly.
        off_axis: the person stands up to this far (normalised image units) beside the axis.
    """

    height_m: tuple[float, float] = (0.4, 3.4)
    pitch_deg: tuple[float, float] = (-15.0, 53.0)
    roll_deg: float = 7.0
    distance_m: tuple[float, float] = (2.0, 12.0)
    off_axis: float = 0.35


def random_view(key: PRNGKeyArray, points_world: Float[Array, "time joints 3"], config: CameraConfig) -> View:
    """One camera that sees the clip's canonical points, metres.

    Height, distance, azimuth and roll are as drawn, the pitch such that the person is in the
    picture, a little off its middle.
    """
    keys = jax.random.split(key, 6)
    centre = points_world.mean((0, 1))
    reach = jnp.sqrt(((points_world - centre[None, None])[..., :2] ** 2).sum(-1)).max()
    height = jax.random.uniform(keys[0], minval=config.height_m[0], maxval=config.height_m[1])
    near, far = np.log(config.distance_m[0]), np.log(config.distance_m[1])
    distance = jnp.exp(jax.random.uniform(keys[1], minval=near, maxval=far))
    distance = jnp.maximum(distance, reach + 1.0)  # nobody walks through the lens
    azimuth = jax.random.uniform(keys[2], maxval=2 * np.pi)
    offset = distance * jnp.stack([jnp.cos(azimuth), jnp.sin(azimuth)])
    position = jnp.append(centre[:2] + offset, height)
    lateral = distance * config.off_axis * jax.random.uniform(keys[3], minval=-1.0)
    aside = lateral * jnp.stack([-jnp.sin(azimuth), jnp.cos(azimuth)])
    level = jnp.arctan2(height - centre[2], distance)  # the pitch that looks at the person's middle
    slack = np.arctan(config.off_axis)
    pitch = level + slack * jax.random.uniform(keys[4], minval=-1.0)
    pitch = pitch.clip(*np.radians(config.pitch_deg))
    target = jnp.append(centre[:2] + aside, height - distance * jnp.tan(pitch))
    roll = np.radians(config.roll_deg) * jax.random.uniform(keys[5], minval=-1.0)
    return look_at(position, target, roll)


def inside_image(n: Float[Array, "time joints 2"], key: PRNGKeyArray) -> Bool[Array, "time joints"]:
    """Which points a random image border leaves visible: real clips cut people off at times.

    The border's half-width is drawn between those of fields of view of 29° and 85°.
    """
    low, high = np.tan(np.radians(np.array([29.0, 85.0])) / 2)
    keys = jax.random.split(key)
    half = jax.random.uniform(keys[0], (1, 1, 2), minval=low, maxval=high)
    # most people are framed whole: the border is widened to hold the clip three times in four
    extent = jnp.abs(n).max((0, 1), keepdims=True) * 1.02
    half = jnp.where(jax.random.uniform(keys[1]) < 0.75, jnp.maximum(half, extent), half)
    return (jnp.abs(n) < half).all(-1)
