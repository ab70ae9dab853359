"""What a 2D detector does to true keypoints: bias per joint, jitter, misses, formats, cut-offs."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.skeletons import CANONICAL, SKELETONS

TRAINED_FORMATS = (
    "canonical", "smpl22", "smpl22", "smpl24", "coco17", "coco17", "coco_wholebody23", "halpe26",
    "body25", "body25b", "body25b", "h36m17", "h36m17", "mediapipe33",
)  # fmt: skip
_PRESENT = np.stack([SKELETONS[name].present for name in TRAINED_FORMATS])


def _named(*parts: str) -> np.ndarray:
    return np.array([any(part in name for part in parts) for name in CANONICAL])


_LEGS = _named("knee", "ankle", "foot", "heel", "toe")
_ARMS = _named("elbow", "wrist", "hand")
_LOOSE = np.where(_named("hip", "pelvis", "spine", "collar", "head", "neck"), 1.6, 1.0)
"""Detectors place hips, the trunk's points and the head's less exactly."""


@dataclasses.dataclass(frozen=True)
class NoiseConfig:
    """Sizes are in box half-sides (half the person's height, roughly 0.85 m).

    Attributes:
        clean: share of clips whose points are exact (ground-truth 2D is an input too); limbs, frames
            and a format's absent joints are hidden from these as well.
        jitter: largest standard deviation of the noise per frame.
        bias: largest standard deviation of each joint's constant offset over the clip.
        drop_joint: largest probability of a joint missing in a frame.
        drop_span: probability of legs or arms hidden for a while.
        drop_frames: probability of a run of frames with nothing detected.
        drop_format: probability that a format's absent joints are hidden (else all are shown).
    """

    clean: float = 0.35
    jitter: float = 0.02
    bias: float = 0.045
    drop_joint: float = 0.10
    drop_span: float = 0.10
    drop_frames: float = 0.08
    drop_format: float = 0.95


def _span(key: PRNGKeyArray, frames: int, chance: float) -> Bool[Array, "time"]:
    """A random run of frames (an eighth to all of the clip), with the given probability."""
    keys = jax.random.split(key, 3)
    length = jax.random.uniform(keys[0], minval=0.12, maxval=1.0) ** 2 * frames
    start = jax.random.uniform(keys[1]) * frames - length / 2
    inside = (jnp.arange(frames) >= start) & (jnp.arange(frames) < start + length)
    return inside & (jax.random.uniform(keys[2]) < chance)


def detect(
    key: PRNGKeyArray,
    n: Float[Array, "time joints 2"],
    visible: Bool[Array, "time joints"],
    config: NoiseConfig,
) -> tuple[Float[Array, "time joints 2"], Float[Array, "time joints"]]:
    """Noisy observations, and their confidence, 0 where missing, of true normalised image points ``n``.

    ``visible`` are those inside the image.
    """
    frames, joints = n.shape[:2]
    keys = jax.random.split(key, 14)
    box = ((n.max(1) - n.min(1)) / 2).max(-1)[:, None, None]
    noisy = jax.random.uniform(keys[0]) >= config.clean
    level = jnp.where(noisy, jax.random.uniform(keys[1], (2,)) ** 1.5, 0.0)
    loose = jnp.asarray(_LOOSE, n.dtype)[None, :, None]
    jitter = config.jitter * level[0] * loose * box * jax.random.normal(keys[2], n.shape)
    # heavy tails: one detection in fifty is several times worse, and a good detector knows it
    wild = jax.random.uniform(keys[3], (frames, joints)) < 0.02
    jitter = jitter * jnp.where(wild, 4.0, 1.0)[..., None]
    bias = config.bias * level[1] * loose * box * jax.random.normal(keys[4], (1, joints, 2))
    chance = config.drop_joint * jax.random.uniform(keys[6]) ** 2
    drop = (jax.random.uniform(keys[5], (frames, joints)) < chance) & noisy
    legs = _span(keys[7], frames, config.drop_span)[:, None] & _LEGS[None]
    arms = _span(keys[8], frames, config.drop_span)[:, None] & _ARMS[None]
    nothing = _span(keys[9], frames, config.drop_frames)[:, None]
    format_row = jax.random.randint(keys[10], (), 0, len(TRAINED_FORMATS))
    absent = ~jnp.asarray(_PRESENT)[format_row]
    absent = (absent & (jax.random.uniform(keys[11]) < config.drop_format))[None]
    seen = visible & ~drop & ~legs & ~arms & ~nothing & ~absent
    # half of the noisy clips come with confidences that say something about the error
    error = jnp.sqrt((jitter**2).sum(-1)) / jnp.maximum(box[..., 0] * config.jitter, 1e-9)
    told = jnp.exp(-error / 2) * jax.random.uniform(keys[12], (frames, joints), minval=0.7)
    speaks = noisy & (jax.random.uniform(keys[13]) < 0.5)
    confidence = jnp.where(speaks, told.clip(0.05, 1.0), 1.0)
    return n + jitter + bias, jnp.where(seen, confidence, 0.0)
