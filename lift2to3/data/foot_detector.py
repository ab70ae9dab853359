"""What a detector makes of feet: noisy points in the person's box, some of them missing."""

from __future__ import annotations

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.data.random_cameras import inside_image
from lift2to3.geometry.cameras import View, project
from lift2to3.representation import FOOT_ROWS, in_box, person_box
from lift2to3.skeletons import CANONICAL, PARENTS, SKELETONS, TREE_ORDER

FOOT_FORMATS: Final = ("body25", "body25b", "canonical", "coco_wholebody23", "halpe26", "mediapipe33")
"""Formats that show heels and toes."""

_PRESENT: Final = np.stack([SKELETONS[name].present for name in FOOT_FORMATS])


@dataclasses.dataclass(frozen=True)
class FootDetectorConfig:
    """Lengths are deviations in metres at the foot; each clip draws its own share of them.

    Attributes:
        clean: share of clips with exact points; legs may be hidden in these as well.
        jitter_m, bias_m: from frame to frame; held over the clip, each point its own.
        together: how far a clip's share of the bias is its share of the jitter: a detector that trembles is
            off as well, and trembling can be seen.
        peak_m, peaks: rare detections that are far off, and how rare.
        drop: a joint is missing in this share of frames, and what hangs on it.
        hide: probability that both legs are hidden for `hide_frames`.
        box: deviation of the box's centre and side over its side: formats and detectors differ in it.
    """

    clean: float = 0.15
    jitter_m: float = 0.020
    bias_m: float = 0.030
    together: float = 0.5
    peak_m: float = 0.024
    peaks: float = 0.02
    drop: float = 0.03
    hide: float = 0.06
    hide_frames: tuple[int, int] = (15, 90)
    box: float = 0.02


def detect_feet(
    key: PRNGKeyArray, view: View, points_world: Float[Array, "time 38 3"], config: FootDetectorConfig
) -> tuple[Float[Array, "time 8 2"], Bool[Array, "time 8"], Float[Array, "time 3"]]:
    """Foot points in the person's box, which of them are seen, and the box, of canonical points in metres."""
    frames, joints = points_world.shape[:2]
    keys = jax.random.split(key, 12)
    noisy = jax.random.uniform(keys[0]) >= config.clean
    level = noisy * jax.random.uniform(keys[1], (2,))
    level = level.at[1].set(config.together * level[0] + (1 - config.together) * level[1])
    jitter = config.jitter_m * level[0] * jax.random.normal(keys[2], points_world.shape)
    wild = noisy & (jax.random.uniform(keys[3], (frames, joints, 1)) < config.peaks)
    jitter = jitter + wild * config.peak_m * jax.random.normal(keys[4], points_world.shape)
    bias = config.bias_m * level[1] * jax.random.normal(keys[5], (1, joints, 3))
    moved = points_world + jitter + bias
    n = project(view, moved.reshape(-1, 3)).reshape(frames, joints, 2)
    inside = inside_image(n, keys[6])
    shape = jax.random.randint(keys[7], (), 0, len(FOOT_FORMATS))
    listed = jnp.asarray(_PRESENT)[shape][None]
    box = jnp.asarray(person_box(n, inside & listed))
    held = config.box * jax.random.normal(keys[8], (1, 3)) * box[:, 2:]
    box = box + held * noisy
    dropped = _dropped(keys[9], frames, noisy * config.drop)
    seen = inside & listed & ~dropped & ~_hidden(keys[10], frames, config)
    return jnp.asarray(in_box(n[:, FOOT_ROWS], box)), seen[:, FOOT_ROWS], box


def _dropped(key: PRNGKeyArray, frames: int, chance: Array) -> Bool[Array, "time 38"]:
    """Joints missing at random, with everything that hangs on them."""
    own = jax.random.uniform(key, (frames, len(CANONICAL))) < chance
    out = [own[:, 0]] * len(CANONICAL)
    for row in TREE_ORDER:
        parent = int(PARENTS[row])
        out[row] = own[:, row] | (out[parent] if parent > 0 else False)
    return jnp.stack(out, axis=1)


def _hidden(key: PRNGKeyArray, frames: int, config: FootDetectorConfig) -> Bool[Array, "time 1"]:
    """A run of frames in which the legs are out of sight, now and then."""
    keys = jax.random.split(key, 3)
    low, high = config.hide_frames
    length = jax.random.randint(keys[0], (), low, high + 1)
    start = jax.random.randint(keys[1], (), -low, frames)
    frame = jnp.arange(frames)
    inside = (frame >= start) & (frame < start + length)
    return (inside & (jax.random.uniform(keys[2]) < config.hide))[:, None]
