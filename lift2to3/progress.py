"""How far a long step is: a bar on a terminal, elsewhere a line every few seconds; of short steps nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress

QUIET_S: Final = 2.0
"""Steps shorter than this say nothing."""

EVERY_S: Final = 3.0
"""Between lines; of a step that takes hours they come farther apart, about 30 for each tenfold of time."""


ProgressCallback = Callable[..., None]
"""Called with (done, total) as parts of a step get done: windows, clips, frames.

`progress`'s takes a note too, a few words such as the loss, and the phase that comes next."""


@contextmanager
def progress(phase: str, start: int = 0, show: bool = True) -> Iterator[ProgressCallback]:
    """Show on stderr how far the block is, in percent, and how long it still takes.

        with progress("lifting") as advance:
            lift(keypoints, camera, progress=advance)

    Args:
        phase: what is done, such as "lifting".
        start: how much was done before, which says nothing of the speed.
        show: False says nothing at all.
    """
    bar, began, over, line = _bar(), time.monotonic(), threading.Event(), ""
    name = phase
    task = bar.add_task(phase, total=None, completed=start, note="") if bar else None

    def advance(done: int, total: int, note: str = "", phase: str = "") -> None:
        nonlocal line, name, began, start
        if phase and phase != name:
            name, began, start = phase, time.monotonic(), 0
        if bar and task is not None:
            bar.update(task, completed=done, total=total, note=note, description=name)
        left = (time.monotonic() - began) * (total - done) / max(done - start, 1)
        line = f"{name} {100 * done / max(total, 1):.0f} %, {_duration(left)} left  {note}".rstrip()

    def tell() -> None:
        wait = QUIET_S
        while not over.wait(wait):
            if bar:
                return bar.start()
            spent = time.monotonic() - began
            print(line or f"{name}, {_duration(spent)} so far", file=sys.stderr, flush=True)
            wait = max(EVERY_S, spent / 15)

    shown = threading.Thread(target=tell, daemon=True)
    if not show:
        over.set()
    shown.start()
    try:
        yield advance
    finally:
        over.set()
        shown.join()
        if bar and bar.live.is_started:
            bar.stop()


def _bar() -> Progress | None:
    """Where there is a terminal, and rich."""
    try:
        from rich.console import Console
        from rich.progress import Progress, TextColumn
    except ImportError:
        return None
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[note]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True) if sys.stderr.isatty() else None


def _duration(seconds: float) -> str:
    """Rounded to what one wants to know: 12 s, 4 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
