"""Text that comes out of anyone's files, made fit for a message: short, of one line, nothing but letters."""

from __future__ import annotations

import reprlib
from typing import Any, Final

LONGEST_QUOTE: Final = 200
"""Characters of a value that a message quotes."""

LONGEST_MESSAGE: Final = 1200
"""Characters of a message in all; its middle is left out beyond."""


class _Short(reprlib.Repr):
    """A value's ``repr`` without looking at all of it: one that is nested or shared has no end otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = LONGEST_QUOTE


_SHORT: Final = _Short()


def quoted(value: Any) -> str:
    """A value as a message quotes it: its ``repr``, at most `LONGEST_QUOTE` characters of it."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # integers of thousands of digits have no text
        text = f"a {type(value).__name__}"
    return shortened(printable(text), LONGEST_QUOTE)


def listed(names: Any) -> str:
    """Names that a file gave, with commas between, as far as `LONGEST_QUOTE`; "none" where there are none."""
    text, length = [], 0
    for name in names:
        text.append(name[:LONGEST_QUOTE] if isinstance(name, str) else quoted(name))
        length += len(text[-1]) + 2
        if length > LONGEST_QUOTE:
            break
    return shortened(printable(", ".join(text)), LONGEST_QUOTE) or "none"


def printable(text: str) -> str:
    """The text with all that is not written, such as a terminal's commands, escaped as in Python.

    Line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def shortened(text: str, most: int) -> str:
    """The text, its middle left out where it is longer."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]} … {text[-end:]}"


def message(text: str) -> str:
    """What an error or a warning says, in one line of at most `LONGEST_MESSAGE` printable characters."""
    start, end = text[: 4 * LONGEST_MESSAGE], text[-4 * LONGEST_MESSAGE :]
    text = text if len(text) <= len(start) else f"{start} {end}"
    return shortened(printable(" ".join(text.split())), LONGEST_MESSAGE)
