"""Clips in one or a few ``.npz`` files that NumPy alone can read: for machines with nothing else.

Points are stored as 16-bit steps of 0.1 mm from the root, quaternions as 16-bit steps of 1/32767,
both as differences from frame to frame, which deflate well. A point comes back within 0.05 mm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from lift2to3.array_files import load_arrays, save_arrays
from lift2to3.data.mocap import MocapClip
from lift2to3.guarded_files import guarded

_VERSION: Final = 1
_POINT_STEP_M: Final = 1e-4
_ROTATION_STEP: Final = 1.0 / 32767.0
_ONE_A_CLIP: Final = ("clip", "subject", "family", "fps", "uneven_floor")
_KEYS: Final = ("version", *_ONE_A_CLIP, "frames", "root", "points")


def write_packed(path: str | Path, clips: Sequence[MocapClip], shards: int = 1) -> list[Path]:
    """Write clips to ``NAME.npz``, or to ``NAME-00000-of-00003.npz``… ; returns the files written.

    Clips go to the shards in turn, so that these are about equally large. A file appears whole or not
    at all.

    Raises:
        ValueError: no clips, fewer clips than shards, or a point more than 3.2 m from its root.
    """
    path = Path(path).with_suffix(".npz")
    if not clips or not 1 <= shards <= len(clips):
        raise ValueError(f"packing: wanted 1 to {len(clips)} shards of at least a clip each, found {shards}")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for shard in range(shards):
        name = path if shards == 1 else path.with_name(f"{path.stem}-{shard:05d}-of-{shards:05d}.npz")
        written.append(save_arrays(name, **_pack(clips[shard::shards])))
    return written


def read_packed(paths: Iterable[str | Path]) -> list[MocapClip]:
    """Read the clips of all these files.

    Raises:
        ValueError: a file that `write_packed` did not write, or of another version.
    """
    clips: list[MocapClip] = []
    for path in paths:
        clips += _read_file(path)
    return clips


@guarded
def _read_file(path: str | Path) -> list[MocapClip]:
    arrays = load_arrays(path, needed=_KEYS)
    if int(arrays["version"]) != _VERSION:
        raise ValueError(f"{path}: packed clips of version {arrays['version']}; wanted {_VERSION}")
    return _unpack(arrays)


def _pack(clips: Sequence[MocapClip]) -> dict[str, np.ndarray]:
    points = [clip.points_world - clip.root_translation[:, None] for clip in clips]
    reach = max(float(np.abs(p).max()) for p in points)
    if not reach < 32767 * _POINT_STEP_M:
        raise ValueError(f"packing: a point lies {reach:.1f} m from the root; wanted under 3.2 m")
    packed = {
        "version": np.array(_VERSION),
        **{name: np.array([getattr(clip, name) for clip in clips]) for name in _ONE_A_CLIP},
        "frames": np.array([len(clip.points_world) for clip in clips]),
        "root": np.concatenate([clip.root_translation for clip in clips]),
        "points": _differences(np.concatenate(points), _POINT_STEP_M),
        "contacts": np.packbits(np.concatenate([clip.contacts for clip in clips])),
    }
    for family, members in _by_family(clips).items():
        packed[f"{family}.joint_names"] = np.array(members[0].joint_names)
        packed[f"{family}.parents"] = members[0].parents
        packed[f"{family}.rest_offsets"] = np.stack([clip.rest_offsets for clip in members])
        rotations = np.concatenate([clip.rotations for clip in members])
        packed[f"{family}.rotations"] = _differences(rotations, _ROTATION_STEP)
    return packed


def _by_family(clips: Sequence[MocapClip]) -> dict[str, list[MocapClip]]:
    members: dict[str, list[MocapClip]] = {}
    for clip in clips:
        first = members.setdefault(clip.family, [clip])[0]
        if clip.joint_names != first.joint_names or not np.array_equal(clip.parents, first.parents):
            raise ValueError(f"packing: {clip.clip} and {first.clip} are of one family with other joints")
        if clip is not first:
            members[clip.family].append(clip)
    return members


def _unpack(arrays: dict[str, np.ndarray]) -> list[MocapClip]:
    root = arrays["root"]
    points = _sums(arrays["points"], _POINT_STEP_M) + root[:, None]
    contacts = np.unpackbits(arrays["contacts"], count=4 * len(root)).reshape(-1, 4).astype(bool)
    families = set(arrays["family"].tolist())
    rotations = {family: _sums(arrays[f"{family}.rotations"], _ROTATION_STEP) for family in families}
    read_frames, read_clips = dict.fromkeys(families, 0), dict.fromkeys(families, 0)
    clips, start = [], 0
    for i, frames in enumerate(arrays["frames"].tolist()):
        family, rows = str(arrays["family"][i]), slice(start, start + frames)
        first = read_frames[family]
        clips.append(
            MocapClip(
                clip=str(arrays["clip"][i]),
                subject=str(arrays["subject"][i]),
                family=family,
                fps=float(arrays["fps"][i]),
                uneven_floor=bool(arrays["uneven_floor"][i]),
                joint_names=tuple(arrays[f"{family}.joint_names"].tolist()),
                parents=arrays[f"{family}.parents"],
                rest_offsets=arrays[f"{family}.rest_offsets"][read_clips[family]],
                root_translation=root[rows],
                rotations=rotations[family][first : first + frames],
                points_world=points[rows],
                contacts=contacts[rows],
            )
        )
        start += frames
        read_frames[family] += frames
        read_clips[family] += 1
    return clips


def _differences(values: Float[np.ndarray, "time *rest"], step: float) -> Int[np.ndarray, "time *rest"]:
    """Rounded to steps, then differences along time. They wrap around at 16 bits; the sums wrap back."""
    steps = np.round(values / step).astype(np.int16)
    return np.diff(steps, axis=0, prepend=np.zeros_like(steps[:1]))


def _sums(differences: Int[np.ndarray, "time *rest"], step: float) -> Float[np.ndarray, "time *rest"]:
    return np.cumsum(differences, axis=0, dtype=np.int16).astype(np.float32) * np.float32(step)
