"""Training input: an endless stream of motion windows, every batch a pure function of (seed, step).

Each clip is cut into slots of one window's length; an epoch visits every slot once, in an order of its
own, and crops a window at a random place of the slot. So windows fall evenly over time, long clips
come oftener than short ones, and no clip is left out. Only (clip, start) pairs are shuffled; a batch
is then gathered in one indexing of the frames, which lie in memory one clip after another.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from lift2to3.data.mocap import MocapClip, quaternions_from_matrices
from lift2to3.motion import BodyMotion

SLOWEST_WARP: Final = 1.25
"""The device may stretch time by up to this: it then needs that many times more frames of input."""


@dataclasses.dataclass(frozen=True)
class WindowConfig:
    """What `window_batches` yields.

    Attributes:
        frames: frames of a window that the model sees.
        batch: windows of a batch on this host.
        reader: "grain" (needs the ``data`` extra), "numpy" (a sampler of the same contract, another
            order), or "auto": Grain where it is installed. A run that is to be resumed elsewhere
            names its reader, because the two draw different windows for the same (seed, step).
    """

    frames: int = 80
    batch: int = 64
    reader: Literal["auto", "grain", "numpy"] = "auto"

    @property
    def raw_frames(self) -> int:
        """Frames of a window as it comes, so that time can be warped on the device."""
        return math.ceil(self.frames * SLOWEST_WARP) + 1


class Stream(NamedTuple):
    """Which batches are drawn.

    Attributes:
        seed: with the step it fixes a batch, whenever and wherever the stream starts.
        start_step: where a resumed run goes on.
        host: which of the ``hosts`` this is; they share out the slots, so none sees another's.
        hosts: number of processes that train together.
    """

    seed: int
    start_step: int = 0
    host: int = 0
    hosts: int = 1


class _Frames(NamedTuple):
    """Every clip's frames, one clip after another, and the slots to crop windows from."""

    of_frames: dict[str, np.ndarray]
    of_clips: dict[str, np.ndarray]
    clip_start: Int[np.ndarray, "clips"]
    clip_frames: Int[np.ndarray, "clips"]
    slots: Int[np.ndarray, "slots 3"]  # clip, first start, number of starts


def window_batches(
    clips: Sequence[MocapClip], config: WindowConfig, stream: Stream
) -> Iterator[dict[str, np.ndarray]]:
    """Batches of windows of clips, all at one rate, without end.

    Yields:
        ``points_world`` (batch, raw_frames, 38, 3) float32, metres, world z up;
        ``frames_valid`` (batch, raw_frames) bool, False where a clip shorter than the window holds its
        last frame; ``contacts`` (batch, raw_frames, 4) bool, False there; ``contacts_trusted``
        (batch,) bool.

    Raises:
        ValueError: no clips, clips of several rates, or fewer slots than hosts.
        ImportError: reader="grain" without Grain.
    """
    of_frames = [{"points_world": clip.points_world, "contacts": clip.contacts} for clip in clips]
    of_clips = [{"contacts_trusted": np.array(clip.contacts_trusted)} for clip in clips]
    rates = [clip.fps for clip in clips]
    batches = _batches(rates, of_frames, of_clips, config, stream)
    return (b | {"contacts": b["contacts"] & b["frames_valid"][..., None]} for b in batches)


def body_window_batches(
    bodies: Sequence[BodyMotion], config: WindowConfig, stream: Stream
) -> Iterator[dict[str, np.ndarray]]:
    """The same of posed bodies.

    Yields:
        ``quaternions`` (batch, raw_frames, 22, 4) wxyz of each joint relative to its parent, without
        sign jumps; ``root_translation`` (batch, raw_frames, 3) metres; ``rest_offsets`` (batch, 38, 3)
        metres; ``frames_valid`` as above.

    Raises:
        ValueError, ImportError: as `window_batches`.
    """
    of_frames = [
        {
            "quaternions": quaternions_from_matrices(body.rotations.astype(float)).astype(np.float32),
            "root_translation": body.root_translation.astype(np.float32),
        }
        for body in bodies
    ]
    of_clips = [{"rest_offsets": body.rest_offsets.astype(np.float32)} for body in bodies]
    rates = [body.fps for body in bodies]
    return _batches(rates, of_frames, of_clips, config, stream)


def _batches(
    rates: Sequence[float],
    of_frames: Sequence[Mapping[str, np.ndarray]],
    of_clips: Sequence[Mapping[str, np.ndarray]],
    config: WindowConfig,
    stream: Stream,
) -> Iterator[dict[str, np.ndarray]]:
    if not 0 <= stream.host < stream.hosts:
        raise ValueError(f"host: wanted 0 to {stream.hosts - 1}, found {stream.host}")
    if not of_frames:
        raise ValueError("windows: no clips to read from")
    if len(set(rates)) > 1:
        raise ValueError(f"windows: clips at {sorted(set(rates))} frames per second; wanted one rate")
    if min(config.frames, config.batch) < 1:
        raise ValueError(f"windows: wanted frames and batch above 0, found {config}")
    lengths = np.array([len(next(iter(arrays.values()))) for arrays in of_frames])
    frames = _Frames(
        of_frames={name: np.concatenate([arrays[name] for arrays in of_frames]) for name in of_frames[0]},
        of_clips={name: np.stack([arrays[name] for arrays in of_clips]) for name in of_clips[0]},
        clip_start=np.cumsum(lengths) - lengths,
        clip_frames=lengths,
        slots=_slots(lengths.tolist(), config),
    )
    if len(frames.slots) < stream.hosts:
        raise ValueError(f"hosts: {stream.hosts} of them cannot share {len(frames.slots)} slots of motion")
    installed = importlib.util.find_spec("grain") is not None
    if config.reader == "grain" and not installed:
        raise ImportError('reader="grain" needs Grain: pip install "lift2to3[data]", or reader="numpy"')
    readers = {"grain": _grain_batches, "numpy": _numpy_batches}
    readers["auto"] = readers["grain" if installed else "numpy"]
    return readers[config.reader](frames, config, stream)


def _slots(lengths: Sequence[int], config: WindowConfig) -> Int[np.ndarray, "slots 3"]:
    slots = []
    for clip, length in enumerate(lengths):
        starts = max(1, length - config.raw_frames + 1)
        count = min(starts, math.ceil(length / config.frames))
        edges = np.round(np.linspace(0, starts, count + 1)).astype(int)
        slots += [(clip, first, last - first) for first, last in zip(edges[:-1], edges[1:], strict=True)]
    return np.array(slots)


def _grain_batches(frames: _Frames, config: WindowConfig, stream: Stream) -> Iterator[dict[str, np.ndarray]]:
    import grain.python as grain  # not on a bare machine; slow to import

    def crop(slot: int, generator: np.random.Generator) -> tuple[int, int]:
        clip, first, count = frames.slots[slot].tolist()
        return clip, first + int(generator.integers(count))

    dataset = grain.MapDataset.range(len(frames.slots)).seed(stream.seed).shuffle()
    dataset = dataset[stream.host :: stream.hosts].repeat().random_map(crop).batch(config.batch)
    dataset = dataset.map(lambda drawn: _gather(frames, config, *drawn))

    for step in range(stream.start_step, len(dataset)):
        batch = dataset[step]
        assert batch is not None  # only a filter makes holes
        yield batch


def _numpy_batches(frames: _Frames, config: WindowConfig, stream: Stream) -> Iterator[dict[str, np.ndarray]]:
    seed, step, host, hosts = stream
    order: dict[int, np.ndarray] = {}  # of the epochs that the present batch touches
    length = len(range(host, len(frames.slots), hosts))
    while True:
        item = step * config.batch + np.arange(config.batch)
        epoch, place = np.divmod(item, length)
        order = {
            e: order[e] if e in order else _generator(seed, 0, e).permutation(len(frames.slots))[host::hosts]
            for e in range(int(epoch[0]), int(epoch[-1]) + 1)
        }
        slot = np.array([order[e][p] for e, p in zip(epoch.tolist(), place.tolist(), strict=True)])
        clip, first, count = frames.slots[slot].T
        start = first + _generator(seed, 1 + host, step).integers(count)
        yield _gather(frames, config, clip, start)
        step += 1


def _generator(seed: int, stream: int, counter: int) -> np.random.Generator:
    return np.random.default_rng([seed, stream, counter])


def _gather(
    frames: _Frames,
    config: WindowConfig,
    clip: Int[np.ndarray, "batch"],
    start: Int[np.ndarray, "batch"],
) -> dict[str, np.ndarray]:
    wanted = start[:, None] + np.arange(config.raw_frames)
    valid = wanted < frames.clip_frames[clip][:, None]
    held = np.minimum(wanted, frames.clip_frames[clip][:, None] - 1)
    rows = frames.clip_start[clip][:, None] + held
    return (
        {name: array[rows] for name, array in frames.of_frames.items()}
        | {name: array[clip] for name, array in frames.of_clips.items()}
        | {"frames_valid": valid}
    )
