"""Read thousands of damaged and hostile files with every public reader, and report what no reader may do.

    python -m tools.fuzz_readers --mutations 1000
    python -m tools.fuzz_readers --readers camera.npz --first 417 --mutations 1 --keep runs/fuzz

For each reader a small valid file is made (`tools.valid_files`) and changed (`tools.changed_files`): cut,
bits flipped, NUL bytes, values of other types, NaN, huge numbers, deep nesting, a million people, archives
that unpack to too much. A reader may return a value, raise ValueError with a sentence that names the file, or
OSError; anything else is reported, as is a file that takes over 2 s of the processor or 1 GB. What hangs for
ten minutes ends the run with a traceback and stays in the folder.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import tyro

from tools.changed_files import changed
from tools.valid_files import Example, valid_files

SLOW_SECONDS = 2.0
LARGE_BYTES = 2**30
_HANGS_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Config:
    """What to read.

    Attributes:
        mutations: changed files a reader.
        first: the first change's number.
        readers: names as the report prints them; all where none is given.
        keep: folder for the files that something was found with.
    """

    mutations: int = 1000
    first: int = 0
    readers: tuple[str, ...] = ()
    keep: Path | None = None


class Finding(NamedTuple):
    """What a reader may not do."""

    reader: str
    number: int
    what: str


def fuzz(name: str, example: Example, numbers: range, folder: Path) -> list[Finding]:
    """Read the changed files of these numbers; what a reader may not do comes back, its files stay."""
    found = []
    path = folder / name / example.file
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path.write_bytes(changed(example, number))
        what = _read(example, path)
        if what:
            found.append(Finding(name, number, what))
            path.rename(folder / f"{name}-{number}{path.suffix}")
    return found


def _read(example: Example, path: Path) -> str:
    """What is wrong with reading the file, or nothing."""
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start, what = time.process_time(), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", UserWarning)
            example.read(path)
    except ValueError as error:
        text = str(error)
        if type(error) is not ValueError or path.parent.name not in text or "\n" in text or len(text) > 1500:
            what = f"{type(error).__name__}: {text[:300]!r}"
    except OSError as error:
        what = "" if error.filename else f"{type(error).__name__} without a file: {error}"
    except BaseException as error:
        what = f"{type(error).__name__}: {str(error)[:300]!r}"
    seconds, grown = time.process_time() - start, _memory("VmHWM") - before
    if seconds > SLOW_SECONDS:
        what += f" took {seconds:.1f} s"
    if grown > LARGE_BYTES:
        what += f" took {grown / 2**30:.1f} GB"
    return what


def _memory(which: str) -> int:
    """Bytes of the process, now (VmRSS) or at most (VmHWM); of Linux alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


def main(config: Config) -> int:
    """Search and print what was found; returns 1 where something was."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz_")) if config.keep is None else config.keep
    folder.mkdir(parents=True, exist_ok=True)
    files = valid_files(folder)
    unknown = set(config.readers) - set(files)
    if unknown:
        raise SystemExit(f"no reader {', '.join(sorted(unknown))}; wanted some of {', '.join(files)}")
    count = 0
    for name in config.readers or files:
        example, start = files[name], time.perf_counter()
        (folder / name).mkdir(exist_ok=True)
        found = []
        for number in range(config.first, config.first + config.mutations):
            faulthandler.dump_traceback_later(_HANGS_SECONDS, exit=True)
            found += fuzz(name, example, range(number, number + 1), folder)
        faulthandler.cancel_dump_traceback_later()
        print(
            f"{name:20} {config.mutations} files, {len(found)} found, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
        for finding in found:
            print(f"  {finding.number}: {finding.what}", flush=True)
        count += len(found)
    print(f"{count} found; files are in {folder}")
    return min(count, 1)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Config, description=__doc__)))
