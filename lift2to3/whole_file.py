"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; it takes that name when the block ends without an error."""
    path = Path(path)
    _sweep(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        if error.filename is None:  # writing does not say where, a full disk above all
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


_ABANDONED_SECONDS: Final = 600.0


def _sweep(path: Path) -> None:
    """Remove what writers of this file left behind that were killed."""
    part = re.compile(rf"\.{re.escape(path.stem)}\.(\d+)\.part{re.escape(path.suffix)}")
    if not path.parent.is_dir():
        return
    for entry in os.scandir(path.parent):
        match = part.fullmatch(entry.name)
        if match is None or _runs(int(match[1])):
            continue
        with suppress(OSError):  # another process was faster
            if time.time() - entry.stat().st_mtime > _ABANDONED_SECONDS:  # else maybe another machine's
                os.unlink(entry.path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


@contextmanager
def whole_text(path: str | Path) -> Iterator[TextIO]:
    """A text file to write into, in UTF-8 with plain line ends, likewise."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file
