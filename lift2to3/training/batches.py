"""What the loop is fed from mocap clips: this host's share of the windows, as the losses want them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import WindowConfig, window_batches
from lift2to3.training.loop import Batches

_USED = ("points_world", "frames_valid")


def training_batches(clips: Sequence[MocapClip], config: WindowConfig, seed: int) -> Batches:
    """Windows of the clips whose floor is where it is said to be, from any step on.

    With several hosts (after ``jax.distributed.initialize``) each reads its own share;
    ``config.batch`` is per host.
    """
    flat = [clip for clip in clips if not clip.uneven_floor]

    def batches(start: int) -> Iterator[dict[str, np.ndarray]]:
        stream = window_batches(flat, config, seed, start, jax.process_index(), jax.process_count())
        return ({name: batch[name] for name in _USED} for batch in stream)

    return batches
