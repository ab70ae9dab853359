"""Augmentation of posed bodies on the device: what `lift2to3.data.augment` does to points, on rotations.

The foot lifter learns rotations, so its clips are varied as rotations and posed afterwards: nothing has
to be found back from points.
"""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.body import BODY_JOINTS, pose_body
from lift2to3.data.augment import (
    TURN_LIMIT_DEG,
    AugmentConfig,
    maybe,
    random_bone_scale,
    random_rate,
    warp_time,
)
from lift2to3.data.smooth_noise import smooth_noise
from lift2to3.geometry.rotations import matrix_from_axis_angle, matrix_from_quaternion
from lift2to3.skeletons import INDEX, MIRROR, REFLECT_X, rows_by_side

_TURN_LIMIT_RAD: Final = np.radians(
    np.array([TURN_LIMIT_DEG.get(name, 0.0) for name in BODY_JOINTS], np.float32)
)
_ANKLES, _BALLS = rows_by_side("ankle", "foot").T


class Body(NamedTuple):
    """A posed clip on the device: the arrays of a `lift2to3.motion.BodyMotion`."""

    rotations: Float[Array, "time 22 3 3"]
    root_translation: Float[Array, "time 3"]
    rest_offsets: Float[Array, "38 3"]

    def posed(self) -> tuple[Float[Array, "time 22 3 3"], Float[Array, "time 38 3"]]:
        """The joints' frames and the canonical points in the world."""
        frames, points = pose_body(self.rest_offsets[None], self.rotations, self.root_translation)
        return jnp.asarray(frames), jnp.asarray(points)


@dataclasses.dataclass(frozen=True)
class FootTurnConfig:
    """Feet beyond what mocap has: dancers', sitters', sprawlers'. Angles are deviations in degrees.

    Attributes:
        share: of clips whose ankles turn.
        flexion_deg: up and down, half of it held over the clip, half wandering.
        other_deg: inwards, outwards, on edge; likewise.
        ball_deg: bend of the forefoot.
        root: share of clips turned as a whole by a random rotation, head over heels (FootMR sec. 3).
    """

    share: float = 0.25
    flexion_deg: float = 28.0
    other_deg: float = 13.0
    ball_deg: float = 10.0
    root: float = 0.3


def mirror_body(body: Body) -> Body:
    """Swap the body's sides by reflecting x."""
    side = jnp.asarray(REFLECT_X)
    joints = MIRROR[: len(BODY_JOINTS)]
    flip = side[:, None] * side[None]
    return Body(
        body.rotations[:, joints] * flip[None, None],
        body.root_translation * side[None],
        body.rest_offsets[MIRROR] * side[None],
    )


def scale_body(body: Body, scale: Float[Array, "38"]) -> Body:
    """Scale each point's offset from its parent; the root's path by the legs' mean scale."""
    leg = (scale[INDEX["left_knee"]] + scale[INDEX["left_ankle"]]) / 2
    return body._replace(
        root_translation=leg * body.root_translation, rest_offsets=scale[:, None] * body.rest_offsets
    )


def turn_body(body: Body, axis_angle: Float[Array, "time 22 3"]) -> Body:
    """Turn every joint by an extra rotation, given in its own frame."""
    return body._replace(rotations=body.rotations @ matrix_from_axis_angle(axis_angle))


def _foot_turns(key: PRNGKeyArray, frames: int, config: FootTurnConfig) -> Float[Array, "time 22 3"]:
    held_key, wander_key, ball_key = jax.random.split(key, 3)
    size = jnp.radians(jnp.array([config.flexion_deg, config.other_deg, config.other_deg]))
    held = jax.random.normal(held_key, (1, 2, 3))
    both = (held + smooth_noise(wander_key, frames, (2, 3))) / np.sqrt(2)
    bend = np.radians(config.ball_deg) * smooth_noise(ball_key, frames, (2,))
    axis_angle = jnp.zeros((frames, len(BODY_JOINTS), 3)).at[:, _ANKLES].set(size[None, None] * both)
    return axis_angle.at[:, _BALLS, 0].set(bend)


def turn_root(body: Body, rotation: Float[Array, "3 3"]) -> Body:
    """Turn the whole clip about the middle of its path."""
    middle = body.root_translation.mean(0, keepdims=True)
    rotations = body.rotations.at[:, 0].set(jnp.einsum("ij,tjk->tik", rotation, body.rotations[:, 0]))
    return body._replace(
        rotations=rotations, root_translation=middle + (body.root_translation - middle) @ rotation.T
    )


def augment_body(
    key: PRNGKeyArray,
    quaternions: Float[Array, "raw 22 4"],
    root_translation: Float[Array, "raw 3"],
    rest_offsets: Float[Array, "38 3"],
    valid: Bool[Array, "raw"],
    frames: int,
    config: AugmentConfig,
    feet: FootTurnConfig,
) -> tuple[Body, Bool[Array, "time"]]:
    """One clip's augmentation and which of its frames are real. Heading is left to the random camera.

    Lengths are metres; quaternions are wxyz of each joint relative to its parent, without sign jumps;
    frames are ``valid`` that are real (short clips are padded). Of the config, splicing upper bodies is
    left out: feet do not depend on it.
    """
    keys = jax.random.split(key, 10)
    rate = random_rate(keys[0], config)
    warped, real = warp_time(quaternions, valid, frames, rate)
    root, _ = warp_time(root_translation[:, None], valid, frames, rate)
    body = Body(matrix_from_quaternion(warped), root[:, 0], rest_offsets)
    limits = jnp.asarray(_TURN_LIMIT_RAD)[None, :, None]
    joints = limits / 2 * smooth_noise(keys[1], frames, (len(BODY_JOINTS), 3))
    body = maybe(keys[2], config.turn, turn_body(body, joints), body)
    body = maybe(keys[3], feet.share, turn_body(body, _foot_turns(keys[4], frames, feet)), body)
    body = maybe(keys[5], config.mirror, mirror_body(body), body)
    body = scale_body(body, random_bone_scale(keys[6], config))
    any_way = matrix_from_quaternion(jax.random.normal(keys[7], (4,)))  # uniform over all rotations
    return maybe(keys[8], feet.root, turn_root(body, any_way), body), real
