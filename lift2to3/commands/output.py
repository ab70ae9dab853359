"""What commands write and print: folders that can take files, tables of facts, warnings."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from lift2to3.quoting import message, printable
from lift2to3.whole_file import whole_text

Rows = Sequence[tuple[str, str]]
"""What a report shows: a name and what was measured."""


def prepare_folder(out: Path, *names: str) -> None:
    """Make the folder and see that these files can be written there.

    Raises:
        ValueError: something is in the way, or writing is not allowed.
    """
    in_the_way = next((path for path in (out, *out.parents) if path.exists()), out)
    if in_the_way.exists() and not in_the_way.is_dir():
        raise ValueError(f"--out {out}: the file {in_the_way} is in the way; wanted a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise ValueError(
            f"--out {out}: cannot write there ({error.strerror}); choose another folder"
        ) from error
    for name in names:
        if (out / name).is_dir():
            raise ValueError(f"--out {out}: a folder named {name} is in the way of the file")


def print_report(title: str, rows: Rows, warnings: Sequence[str], path: Path | None = None) -> None:
    """A table of facts and the warnings under it, on the terminal and, where there is a path, into a file."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=printable(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    for name, value in rows:
        table.add_row(printable(name), printable(value))
    with nullcontext() if path is None else whole_text(path) as file:
        for console in [Console()] + ([Console(file=file, width=100)] if file is not None else []):
            console.print(table, markup=False, highlight=False)
            print_warnings(warnings, console)


def print_warnings(warnings: Sequence[str], console=None) -> None:
    """Each in a line of its own."""
    from rich.console import Console

    for text in warnings:
        (console or Console()).print(
            f"Warning: {message(text)}", markup=False, highlight=False, soft_wrap=True
        )


def print_written(paths: Sequence[Path]) -> None:
    """Wrote a, b and c."""
    *others, last = map(str, paths)
    print(printable(f"Wrote {', '.join(others)} and {last}" if others else f"Wrote {last}"))
