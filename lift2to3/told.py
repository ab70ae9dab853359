"""What the user is told: warnings gathered, so that a result can keep them; records in notebooks."""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np


@contextmanager
def gathered_warnings() -> Iterator[list[str]]:
    """The texts of the user warnings that the block gives, each once; other warnings go their usual way."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield texts
        finally:
            texts += dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning))
    for warning in caught:
        if not issubclass(warning.category, UserWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def clip_length(values: np.ndarray, fps: float) -> str:
    """Of an array over time: frames and seconds, as records' lines tell it."""
    frames = (np.shape(values) or (0,))[0]
    return f"{frames} frames, {frames / fps if fps else float('nan'):.1f} s at {fps:.6g} fps"


def as_html(line: str, texts: Sequence[str] = ()) -> str:
    """A record's line for a notebook, its warnings under it."""
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    return f"<code>{html.escape(line)}</code>" + (f"<ul>{items}</ul>" if items else "")


def show(record: Any, *seen: Any) -> Any:
    """`lift2to3.report.show.show`, which lies above the records: found by its name when it is asked for."""
    return import_module("lift2to3.report.show").show(record, *seen)
