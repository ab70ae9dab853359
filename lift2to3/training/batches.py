"""What the loop is fed from mocap clips: this host's share of the windows, as the losses want them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import jax
import numpy as np

from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import Stream, WindowConfig, window_batches
from lift2to3.training.loop import Batches

USED: Final = ("points_world", "frames_valid")
"""What the losses of points look at of a batch."""


def host_batches(
    read: Callable[..., Iterator[dict[str, np.ndarray]]], clips: Sequence, config: WindowConfig, seed: int
) -> Batches:
    """This host's share of what ``read`` (of `lift2to3.data.windows`) makes of the clips, from any step on.

    With several hosts (after ``jax.distributed.initialize``) ``config.batch`` is that of each.
    """
    return lambda start: read(clips, config, Stream(seed, start, jax.process_index(), jax.process_count()))


def training_batches(clips: Sequence[MocapClip], config: WindowConfig, seed: int) -> Batches:
    """`host_batches` of the clips whose floor is where it is said to be."""
    batches = host_batches(window_batches, [clip for clip in clips if not clip.uneven_floor], config, seed)
    return lambda start: ({name: batch[name] for name in USED} for batch in batches(start))
