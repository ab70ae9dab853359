"""Augmentation of 3D clips on the device: one clip in, one clip out; `jax.vmap` gives the batch.

All of it works on canonical points, so it needs no rotations and any mocap source can use it.
"""

from __future__ import annotations

import dataclasses
from typing import Final, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.body import ANCESTORS
from lift2to3.data.smooth_noise import smooth_noise
from lift2to3.data.synthetic import SyntheticConfig, lay_on_floor, set_down, support_of
from lift2to3.geometry.rotations import matrix_from_axis_angle, yaw_matrix
from lift2to3.skeletons import CANONICAL, INDEX, MIRROR, PARENTS, TREE_ORDER

Points = Float[Array, "time joints 3"]
Varied = TypeVar("Varied")

_LEFT_HIP, _RIGHT_HIP, _PELVIS = INDEX["left_hip"], INDEX["right_hip"], INDEX["pelvis"]
_UPPER = ANCESTORS[:, _PELVIS] & ~ANCESTORS[:, _LEFT_HIP] & ~ANCESTORS[:, _RIGHT_HIP]
_UPPER[[_LEFT_HIP, _RIGHT_HIP, INDEX["mid_hip"]]] = False
TURN_LIMIT_DEG: Final = {  # PoseAug-like, small enough to stay plausible
    "spine1": 12.0, "spine3": 12.0, "neck": 20.0,
    "left_shoulder": 35.0, "right_shoulder": 35.0, "left_elbow": 25.0, "right_elbow": 25.0,
    "left_wrist": 20.0, "right_wrist": 20.0, "left_hip": 12.0, "right_hip": 12.0,
    "left_knee": 8.0, "right_knee": 8.0, "left_ankle": 12.0, "right_ankle": 12.0,
}  # fmt: skip
"""Joint → its largest random turn in degrees."""

_TURN_ORDER = sorted(TURN_LIMIT_DEG, key=lambda name: -ANCESTORS[:, INDEX[name]].sum())
_BELOW = ANCESTORS[:, [INDEX[name] for name in _TURN_ORDER]].T  # who moves when the joint turns


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """How clips are varied. A probability of 0 (or a range of 0) switches a thing off.

    Attributes:
        mirror: probability of swapping left and right.
        body_scale: the whole body is scaled by up to this share.
        bone_scale: each bone (left and right alike) by up to this share on top.
        time_warp: slowest and fastest playback.
        splice: probability of taking the upper body from another clip of the batch.
        turn: probability of slowly varying random turns of joints.
        synthetic: motion that no clip shows; all of it off.
    """

    mirror: float = 0.5
    body_scale: float = 0.15
    bone_scale: float = 0.06
    time_warp: tuple[float, float] = (0.8, 1.25)
    splice: float = 0.15
    turn: float = 0.4
    synthetic: SyntheticConfig = SyntheticConfig()


UNCHANGED: Final = AugmentConfig(mirror=0, body_scale=0, bone_scale=0, time_warp=(1, 1), splice=0, turn=0)
"""Clips as they were recorded."""


def random_rate(key: PRNGKeyArray, config: AugmentConfig) -> Float[Array, ""]:
    """How many times as fast a clip is played; `warp_time` takes it."""
    slow, fast = config.time_warp
    return jnp.exp(jax.random.uniform(key, minval=np.log(slow), maxval=np.log(fast)))


def maybe(key: PRNGKeyArray, chance: float, changed: Varied, original: Varied) -> Varied:
    """The changed clip with this probability: arrays, or records of them."""
    chosen = jax.random.uniform(key) < chance
    return jax.tree.map(lambda new, old: jnp.where(chosen, new, old), changed, original)


def warp_time(
    values: Float[Array, "raw joints numbers"],
    valid: Bool[Array, "raw"],
    frames: int,
    rate: Float[Array, ""],
) -> tuple[Float[Array, "time joints numbers"], Bool[Array, "time"]]:
    """``frames`` frames at ``rate`` times the speed, by linear interpolation from the clip's start.

    Past the clip's end its last frame is held, and not valid.
    """
    wanted = jnp.arange(frames) * rate
    position = wanted.clip(0, len(values) - 1.001)
    low = position.astype(jnp.int32)
    part = (position - low)[:, None, None]
    real = valid[low] & valid[low + 1] & (wanted <= len(values) - 1)
    return values[low] * (1 - part) + values[low + 1] * part, real


def mirror(points: Points) -> Points:
    """Swap the body's sides by reflecting x; a left step becomes a right step."""
    return points[:, MIRROR].at[..., 0].multiply(-1.0)


def scale_bones(points: Points, scale: Float[Array, "joints"]) -> Points:
    """Scale each point's offset from its parent; the pelvis path by the legs' mean scale.

    The floor stays the floor: the body is lifted or lowered by how much its legs changed.
    """
    leg = (scale[INDEX["left_knee"]] + scale[INDEX["left_ankle"]]) / 2
    out = [points[:, 0]] * len(CANONICAL)
    out[_PELVIS] = points[:, _PELVIS] * leg
    for row in TREE_ORDER:
        parent = int(PARENTS[row])
        if parent >= 0:
            out[row] = out[parent] + scale[row] * (points[:, row] - points[:, parent])
    scaled = jnp.stack(out, axis=1)
    # what the sole hovers or sinks because the foot's own bones scaled otherwise
    drift = scaled[..., 2].min() - leg * points[..., 2].min()
    return scaled.at[..., 2].add(-drift)


def random_bone_scale(key: PRNGKeyArray, config: AugmentConfig) -> Float[Array, "joints"]:
    """One scale per bone, the same left and right: a body scale times small changes."""
    whole, bones = jax.random.split(key)
    body = 1 + config.body_scale * jax.random.uniform(whole, minval=-1.0)
    each = config.bone_scale * jax.random.uniform(bones, (len(CANONICAL),), minval=-1.0)
    return body * (1 + jnp.minimum(each, each[MIRROR]))


def heading(points: Points) -> Float[Array, "time"]:
    """The way the pelvis faces, as a yaw angle in radians (0 = along +y), from the hips' line."""
    across = points[:, _RIGHT_HIP] - points[:, _LEFT_HIP]
    return jnp.arctan2(across[:, 1], across[:, 0])


def splice_upper(points: Points, donor: Points) -> Points:
    """The lower body of one clip with the upper body of another, turned to face the same way."""
    turn = jnp.unwrap(heading(points)) - jnp.unwrap(heading(donor))
    offset = donor - donor[:, _PELVIS, None]
    turned = jnp.einsum("tij,tpj->tpi", yaw_matrix(turn), offset)
    return jnp.where(_UPPER[None, :, None], points[:, _PELVIS, None] + turned, points)


def turn_joints(points: Points, key: PRNGKeyArray, widen: Float[Array, ""] | float = 1.0) -> Points:
    """Turn every joint's limb by a slowly varying random rotation within ``widen`` `TURN_LIMIT_DEG`.

    Afterwards the clip is lifted so that nothing sinks below where its lowest point was.
    """
    limits = widen * jnp.radians(jnp.array([TURN_LIMIT_DEG[name] for name in _TURN_ORDER]))[:, None]
    rotations = matrix_from_axis_angle(
        smooth_noise(key, len(points), (len(_TURN_ORDER), 3)) * limits[None] / 2
    )
    lowest = points[..., 2].min(-1)
    for k, name in enumerate(_TURN_ORDER):
        pivot = points[:, INDEX[name], None]
        turned = pivot + jnp.einsum("tij,tpj->tpi", rotations[:, k], points - pivot)
        points = jnp.where(_BELOW[k][None, :, None], turned, points)
    sunk = jnp.minimum(points[..., 2].min(-1) - lowest, 0.0)
    # one lift for the whole clip keeps the motion's own vertical movement
    return points.at[..., 2].add(-sunk.min())


def augment(
    key: PRNGKeyArray,
    points: Float[Array, "raw joints 3"],
    valid: Bool[Array, "raw"],
    donor: Float[Array, "raw joints 3"],
    frames: int,
    config: AugmentConfig,
) -> tuple[Points, Bool[Array, "time"]]:
    """One clip's augmentation; yaw is left to the random camera, which comes from any side.

    Points are in the world, metres, those of ``donor`` another clip's for the upper body; frames are
    ``valid`` that are real (short clips are padded).
    """
    keys = jax.random.split(key, 8)
    rate = random_rate(keys[0], config)
    donor, _ = warp_time(donor, valid, frames, rate)
    points, valid = warp_time(points, valid, frames, rate)
    points = maybe(keys[1], config.splice, splice_upper(points, donor), points)
    made = config.synthetic
    if made.wide > 0:
        # wherever the wide turns took the feet, the floor holds the body as it did before
        wide = jax.random.uniform(keys[6]) < made.wide
        turned = turn_joints(points, keys[3], jnp.where(wide, made.wide_factor, 1.0))
        turned = jnp.where(wide, set_down(turned, support_of(points)), turned)
    else:
        turned = turn_joints(points, keys[3])
    points = maybe(keys[2], config.turn, turned, points)
    points = maybe(keys[4], config.mirror, mirror(points), points)
    points = scale_bones(points, random_bone_scale(keys[5], config))
    if made.laid > 0:
        chance, lay = jax.random.split(keys[7])
        points = maybe(chance, made.laid, lay_on_floor(lay, points, made), points)
    return points, valid
