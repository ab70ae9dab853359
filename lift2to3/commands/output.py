"""What commands write and print: folders that can take files, tables of facts, warnings."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from lift2to3.quoting import message, printable

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


def print_report(title: str, rows: Rows, warnings: Sequence[str], file: IO[str] | None = None) -> None:
    """A table of facts and the warnings under it, on the terminal or into a text file."""
    from rich.console import Console
    from rich.table import Table

    console = Console() if file is None else Console(file=file, width=100)
    table = Table(
        title=printable(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    for name, value in rows:
        table.add_row(printable(name), printable(value))
    console.print(table, markup=False, highlight=False)
    print_warnings(warnings, console)


def print_warnings(warnings: Sequence[str], console=None) -> None:
    """Each in a line of its own."""
    from rich.console import Console

    for text in warnings:
        (console or Console()).print(
            f"Warning: {message(text)}", markup=False, highlight=False, soft_wrap=True
        )


def write_report_text(path: Path, title: str, rows: Rows, warnings: Sequence[str]) -> None:
    """`print_report` into a file, which appears whole or not at all."""
    from lift2to3.whole_file import whole_file

    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        print_report(title, rows, warnings, file)


def print_written(paths: Sequence[Path]) -> None:
    """Wrote a, b and c."""
    *others, last = map(str, paths)
    print(printable(f"Wrote {', '.join(others)} and {last}" if others else f"Wrote {last}"))
