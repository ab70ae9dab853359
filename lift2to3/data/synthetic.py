"""Motion made, not captured (DESIGN section 8): what an hour of mocap of standing people lacks.

All of it works on canonical points on the device, one clip at a time, and is called by
`lift2to3.data.augment`. Shares of 0, the default, leave no trace.

A body that is tipped over must meet the floor as bodies do, or the motion teaches that contact says
nothing of place: flesh lies between the floor and the joint, the lowest part carries the body, and
what carries it does not slide.
"""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from lift2to3.data.smooth_noise import smooth_noise
from lift2to3.geometry.rotations import matrix_from_axis_angle, yaw_matrix
from lift2to3.skeletons import CANONICAL, INDEX

Points = Float[Array, "time joints 3"]

_FLESH_M = {  # the last word or two of a canonical name → metres
    "pelvis": 0.09, "hip": 0.09, "spine1": 0.09, "spine2": 0.10, "spine3": 0.10, "neck": 0.06,
    "collar": 0.07, "shoulder": 0.06, "elbow": 0.04, "wrist": 0.03, "hand": 0.02, "knee": 0.05,
    "ankle": 0.03, "head": 0.09, "ear": 0.01,
}  # fmt: skip
FLESH_M: Final = np.array([_FLESH_M.get(name.split("_")[-1], 0.0) for name in CANONICAL], np.float32)
"""How far over the floor each canonical point is when its part of the body lies on it, metres.

The soles, the nose, the eyes and the head's top are on the skin."""

_CARRIES_M = 0.02  # parts up to about this much higher than the lowest one bear weight as well


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """How much of the training motion is made. A share of 0 switches a thing off.

    Attributes:
        laid: share of clips that are tipped over and laid on the floor.
        tilt_deg: how far those are tipped from upright, least and most, every direction of the body's
            axis between them alike. Hardly tipped ones would be standing people on the tip of a toe.
        roll_over_deg: deviation of the slow turning that comes on top, about any axis.
        wide: share of the clips with turned joints (`AugmentConfig.turn`) whose limits are wider.
        wide_factor: how many times.
    """

    laid: float = 0.0
    tilt_deg: tuple[float, float] = (45.0, 135.0)
    roll_over_deg: float = 20.0
    wide: float = 0.0
    wide_factor: float = 2.5


class Support(NamedTuple):
    """How a motion meets the floor.

    Attributes:
        height_m: of the body's lowest skin over the floor, below 0 where it is sunk in.
        step_m: how far the part that carries the body (in the air: the lowest) goes, x and y, from
            each frame to the next; 0 is a foot that stands.
    """

    height_m: Float[Array, "time"]
    step_m: Float[Array, "steps 2"]


def support_of(points: Points) -> Support:
    """How a motion, world z up, metres, meets the floor z = 0."""
    height = points[..., 2] - jnp.asarray(FLESH_M, points.dtype)[None]
    lowest = height.min(-1)
    carries = jax.nn.softmax((lowest[:, None] - height) / _CARRIES_M, axis=-1)[:-1]
    step = jnp.einsum("tp,tpc->tc", carries, points[1:, :, :2] - points[:-1, :, :2])
    return Support(lowest, step)


def set_down(points: Points, support: Support) -> Points:
    """Shift every frame as a whole until the motion meets the floor as ``support`` says.

    The pose is untouched; the first frame stays where it is in x and y.
    """
    found = support_of(points)
    up = support.height_m - found.height_m
    along = jnp.cumsum(support.step_m - found.step_m, axis=0)
    along = jnp.concatenate([jnp.zeros_like(along[:1]), along])
    return points + jnp.concatenate([along, up[:, None]], axis=-1)[:, None]


def random_tilt(key: PRNGKeyArray, tilt_deg: tuple[float, float]) -> Float[Array, "3 3"]:
    """A rotation that tips the upright by an angle within limits, towards any side, after any yaw.

    The tipped upright is evenly spread over the part of the sphere that the limits leave.
    """
    keys = jax.random.split(key, 3)
    low, high = np.cos(np.radians(tilt_deg[1])), np.cos(np.radians(tilt_deg[0]))
    tilt = jnp.arccos(jax.random.uniform(keys[0], minval=low, maxval=high))
    first, last = (jax.random.uniform(k, maxval=2 * np.pi) for k in keys[1:])
    tip = matrix_from_axis_angle(jnp.stack([tilt, jnp.zeros_like(tilt), jnp.zeros_like(tilt)]))
    return yaw_matrix(last) @ tip @ yaw_matrix(first)


def lay_on_floor(key: PRNGKeyArray, points: Points, config: SyntheticConfig) -> Points:
    """The motion tipped over about the pelvis, and lying, rolling and crawling on the floor.

    The lowest skin is on the floor in every frame, and what lies there does not slide: the body goes
    where its limbs push it. The first frame's pelvis stays where it is in x and y. Points are in the
    world, z up, metres, the floor at z = 0.
    """
    tip, turn = jax.random.split(key)
    wander = np.radians(config.roll_over_deg) * smooth_noise(turn, len(points), (3,))
    rotation = matrix_from_axis_angle(wander) @ random_tilt(tip, config.tilt_deg)[None]
    pelvis = points[:, INDEX["pelvis"], None]
    tipped = pelvis + jnp.einsum("tij,tpj->tpi", rotation, points - pelvis)
    rest = Support(jnp.zeros_like(tipped[:, 0, 0]), jnp.zeros_like(tipped[1:, 0, :2]))
    return set_down(tipped, rest)
