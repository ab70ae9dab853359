"""Prepared mocap on disk: `write_dataset` and `load_clips`.

Two forms hold the same clips: an ArrayRecord data set made by TensorFlow Datasets (which does not need
TensorFlow for it), and packed ``.npz`` files that need nothing but NumPy (`lift2to3.data.packed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from lift2to3.data.mocap import MocapClip
from lift2to3.data.packed import read_packed


def write_dataset(folder: str | Path, splits: Mapping[str, Sequence[MocapClip]]) -> Path:
    """Write clips as a TensorFlow Datasets data set, ``FOLDER/mocap/1.0.0``; returns that folder.

    Args:
        folder: made if need be.
        splits: split name → its clips; clip names are unique within a split.

    Raises:
        ValueError: a split without clips, or a data set of this version already there.
        ImportError: TensorFlow Datasets is not installed.
    """
    builder = _builder()
    empty = [split for split, clips in splits.items() if not clips]
    if empty or not splits:
        raise ValueError(f"data set: no clips for split {', '.join(empty) or '(no split given)'}")
    version = Path(folder) / builder.Mocap.name / str(builder.Mocap.VERSION)
    if version.exists():
        raise ValueError(f"{version} is there already; remove it or give another folder")
    builder.write(folder, splits)
    return version


def load_clips(path: str | Path, split: str | None = None) -> list[MocapClip]:
    """Read prepared clips, whichever form they are in.

    Args:
        path: a packed ``NAME.npz`` (or that name, where the file is in shards
            ``NAME-00000-of-00003.npz``…); or a folder with packed files named by split, or one that
            `write_dataset` wrote.
        split: "train" or "val"; needed with a folder, and only there.

    Raises:
        ValueError: neither of these is there, shards are missing, or the split is unknown.
        ImportError: an ArrayRecord data set without TensorFlow Datasets installed.
    """
    path = Path(path)
    if path.suffix == ".npz":
        if split is not None:
            raise ValueError(f"{path} is one split's file; split={split!r} goes with a folder")
        return read_packed(_packed_files(path))
    if not path.is_dir():
        raise ValueError(f"{path}: wanted a packed .npz or a folder of prepared clips; no such folder")
    if split is None:
        raise ValueError(f"{path}: a folder of prepared clips needs split='train' or split='val'")
    if _shards(path / f"{split}.npz") or (path / f"{split}.npz").is_file():
        return read_packed(_packed_files(path / f"{split}.npz"))
    infos = sorted([*path.glob("dataset_info.json"), *path.glob("mocap/*/dataset_info.json")])
    if not infos:
        found = ", ".join(sorted(p.name for p in path.iterdir())[:8]) or "nothing"
        raise ValueError(f"{path}: no {split}.npz and no mocap data set in there; found {found}")
    try:
        return _builder().read(infos[-1].parent, split)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{infos[-1].parent}: cannot read split {split!r}: {error}") from error


def _shards(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.stem}-[0-9]*-of-[0-9]*.npz"))


def _packed_files(path: Path) -> list[Path]:
    shards = _shards(path)
    if path.is_file() or not shards:
        return [path]
    count = int(shards[0].stem.rsplit("-", 1)[1])
    wanted = [path.with_name(f"{path.stem}-{i:05d}-of-{count:05d}.npz") for i in range(count)]
    if shards != wanted:
        missing = sorted({p.name for p in wanted} - {p.name for p in shards})
        raise ValueError(f"{path}: of its {count} shards {', '.join(missing) or 'none'} are missing")
    return wanted


def _builder() -> ModuleType:
    try:
        from lift2to3.data import builder
    except ImportError as error:
        raise ImportError(
            'an ArrayRecord data set needs TensorFlow Datasets: pip install "lift2to3[data]"; packed '
            ".npz files (tools/prepare_mocap.py --packed) need nothing"
        ) from error
    return builder
