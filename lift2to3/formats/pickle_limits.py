"""How much may be made of a pickle, which can ask for what it holds once again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

_left: ContextVar[int] = ContextVar("bytes that may still be made of the file")


@contextmanager
def limited(most: int) -> Iterator[None]:
    """In the block, `spend` counts up to so many bytes."""
    token = _left.set(most)
    try:
        yield
    finally:
        _left.reset(token)


def spend(count: int) -> None:
    """Count bytes that are about to be made.

    Raises:
        ValueError: more, in all, than the block allows.
    """
    left = _left.get() - count
    if left < 0:
        raise ValueError("more is made of it than a file of this size may hold")
    _left.set(left)


def check_size(value: Any, most: int) -> None:
    """See how large a value is as one array or text: what is in it many times counts as often.

    Raises:
        ValueError: more than ``most`` bytes.
    """
    total = _size(value, {})
    if total > most:
        raise ValueError(
            f"it makes {total / 2**30:.3g} GB; wanted at most {most / 2**30:.3g} GB of a file of this size"
        )


def _size(value: Any, known: dict[int, int]) -> int:
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.nbytes
    if isinstance(value, (str, bytes)):
        return len(value)
    if not isinstance(value, (dict, list, tuple, set, frozenset, np.ndarray)):
        return 8
    if id(value) not in known:
        parts = (*value, *value.values()) if isinstance(value, dict) else value
        parts = parts.ravel().tolist() if isinstance(parts, np.ndarray) else parts
        known[id(value)] = 8 + sum(_size(part, known) for part in parts)
    return known[id(value)]
