r"""Turn folders or archives of motion capture into training clips.

    python tools/prepare_mocap.py --source bvh \
        --input train=../shared/data/cmu30/train.tar.xz val=../shared/data/cmu30/val.tar.xz \
        --manifest ../shared/data/cmu30/manifest.csv --out data --packed data

writes an ArrayRecord data set (``--out``, needs the ``data`` extra) and packed ``.npz`` files
(``--packed``, for machines with NumPy only), and prints what went in and what was left out. Either
may be left out. 76 minutes of motion take about 26 s on one CPU core.
`lift2to3.data.dataset.load_clips(FOLDER, "train")` reads both forms.
"""

from __future__ import annotations

import csv
import dataclasses
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, assert_never

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lift2to3.data.dataset import write_dataset
from lift2to3.data.mocap import MocapClip, read_bvh_clip
from lift2to3.data.packed import write_packed


@dataclasses.dataclass(frozen=True)
class PrepareConfig:
    """What to read and where to write.

    Attributes:
        input: one ``SPLIT=PATH`` each: a folder (searched with its subfolders) or a .tar, .tar.gz or
            .tar.xz archive. A bare PATH is split "train".
        source: the kind of files. bvh: y up, floor at y = 0, a CMU skeleton.
        out: folder for the ArrayRecord data set.
        packed: folder for ``SPLIT.npz``.
        shards: files per split of the packed form.
        manifest: csv with columns clip, subject and (optional) uneven_floor; without it the subject is
            what stands before a file name's first underscore.
        metres_per_unit: length of the files' unit: 0.01 for centimetres.
        min_seconds: shorter clips are dropped.
    """

    input: tuple[str, ...]
    source: Literal["bvh"] = "bvh"
    out: Path | None = None
    packed: Path | None = None
    shards: int = 1
    manifest: Path | None = None
    metres_per_unit: float = 1.0
    min_seconds: float = 0.5


class Reading(NamedTuple):
    """One split: its clips, why files were left out, and what was warned of."""

    clips: list[MocapClip]
    dropped: dict[str, str]
    warned: list[str]


def main(config: PrepareConfig) -> int:
    """Prepare the clips; returns the exit status."""
    console = Console()
    if config.out is None and config.packed is None:
        raise ValueError("nowhere to write: give --out (ArrayRecord), --packed (npz), or both")
    inputs = parse_inputs(config.input)
    manifest = read_manifest(config.manifest) if config.manifest else {}
    readings = {split: read_split(split, path, config, manifest, console) for split, path in inputs.items()}
    console.print(summary(readings))
    for reading in readings.values():
        for line in (*(f"dropped {clip}: {why}" for clip, why in reading.dropped.items()), *reading.warned):
            console.print(line, style="yellow", markup=False)
    empty = [split for split, reading in readings.items() if not reading.clips]
    if empty:
        console.print(f"no clip left for {', '.join(empty)}: nothing written", style="red")
        return 1
    check_subjects(readings, console)
    with console.status("writing"):
        if config.out is not None:
            written = write_dataset(config.out, {split: r.clips for split, r in readings.items()})
            console.print(f"wrote {written}", markup=False)
        if config.packed is not None:
            for split, reading in readings.items():
                for path in write_packed(config.packed / split, reading.clips, config.shards):
                    console.print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)", markup=False)
    return 0


def parse_inputs(inputs: tuple[str, ...]) -> dict[str, Path]:
    """``("train=a", "val=b")`` → paths by split. ValueError: a split twice, or no such path."""
    paths: dict[str, Path] = {}
    for text in inputs:
        split, equals, path = text.partition("=")
        split, path = (split, path) if equals else ("train", text)
        if split in paths:
            raise ValueError(f"--input: split {split!r} stands there twice; put its files in one folder")
        if not Path(path).exists():
            raise ValueError(f"--input: no such file or folder: {path}")
        paths[split] = Path(path)
    return paths


def read_manifest(path: Path) -> dict[str, dict[str, str]]:
    """The csv's rows by clip. ValueError: a column that is needed is not there."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = {"clip", "subject"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}; found {reader.fieldnames}")
        return {row["clip"]: row for row in reader}


@contextmanager
def unpacked(path: Path, console: Console) -> Iterator[Path]:
    """A folder of the files: the given one, or a temporary one that an archive is unpacked to."""
    if path.is_dir():
        yield path
        return
    if not tarfile.is_tarfile(path):
        raise ValueError(f"--input: {path} is neither a folder nor a tar archive")
    with tempfile.TemporaryDirectory() as folder:
        with console.status(f"unpacking {path.name}"), tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)


def read_split(
    split: str, path: Path, config: PrepareConfig, manifest: Mapping[str, Mapping[str, str]], console: Console
) -> Reading:
    """Read every file of one input."""
    reading = Reading([], {}, [])
    with unpacked(path, console) as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        files = sorted(folder.rglob(f"*.{config.source}"))
        for file in track(files, f"reading {split}", console=console, transient=True):
            row = manifest.get(file.stem, {})
            try:
                clip = read_clip(file, config, row)
            except ValueError as error:
                reading.dropped[file.stem] = str(error).replace(f"{folder}/", "")
                continue
            if clip.seconds < config.min_seconds:
                reading.dropped[file.stem] = f"{clip.seconds:.2f} s, under {config.min_seconds:g} s"
            elif any(clip.clip == other.clip for other in reading.clips):
                reading.dropped[str(file.relative_to(folder))] = "another file has the same name"
            else:
                reading.clips.append(clip)
    reading.warned.extend(str(warning.message) for warning in caught)
    return reading


def read_clip(file: Path, config: PrepareConfig, row: Mapping[str, str]) -> MocapClip:
    """One file as a record, with what the manifest knows of it."""
    match config.source:
        case "bvh":
            return read_bvh_clip(
                file,
                subject=row.get("subject"),
                uneven_floor=row.get("uneven_floor", "0") == "1",
                metres_per_unit=config.metres_per_unit,
            )
        case unknown:
            assert_never(unknown)


def summary(readings: Mapping[str, Reading]) -> Table:
    """A row per split: clips, minutes, subjects, families, contact share, dropped."""
    table = Table(title="mocap", title_justify="left")
    for column in ("split", "clips", "minutes", "subjects", "families", "in contact", "dropped"):
        table.add_column(column, justify="left" if column in ("split", "families") else "right")
    for split, reading in readings.items():
        frames = sum(len(clip.contacts) for clip in reading.clips)
        contact = sum(clip.contacts.any(axis=1).sum() for clip in reading.clips)
        families = sorted({clip.family for clip in reading.clips})
        table.add_row(
            split,
            str(len(reading.clips)),
            f"{sum(clip.seconds for clip in reading.clips) / 60:.1f}",
            str(len({clip.subject for clip in reading.clips})),
            ", ".join(f"{f} {sum(clip.family == f for clip in reading.clips)}" for f in families),
            f"{100 * contact / max(frames, 1):.0f} %",
            str(len(reading.dropped)),
        )
    return table


def check_subjects(readings: Mapping[str, Reading], console: Console) -> None:
    """Say so where a subject is in more than one split: scores on such a split flatter."""
    subjects = {split: {clip.subject for clip in r.clips} for split, r in readings.items()}
    for split, others in subjects.items():
        shared = {s for other, names in subjects.items() if other > split for s in names & others}
        if shared:
            console.print(
                f"subjects of {split} in another split too: {', '.join(sorted(shared))}", style="yellow"
            )


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(PrepareConfig, description=__doc__)))
    except (ValueError, ImportError, OSError) as error:
        sys.exit(f"prepare_mocap: {error}")
