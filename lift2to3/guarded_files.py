"""What all readers of files share: how much a file may hold, and which errors leave a reader.

A file may come from anyone. It may claim any size, nest without end and hold any type anywhere, so that the
errors it causes cannot all be foreseen where they arise. Whatever arises, `guarded` lets out of a reader
only ValueError with a sentence that names the file, and the system's own OSError.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import numpy as np

from lift2to3.quoting import message

LARGEST_FILE: Final = 2**32
"""Bytes of a file that is read (4 GB)."""

LARGEST_UNPACKED: Final = 2**31
"""Bytes that compressed content may unpack to (2 GB)."""

_SMALL: Final = 2**28
_LARGEST_RATIO: Final = 20

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


def most_unpacked(file_bytes: int) -> int:
    """Bytes that may be made of a file's content: a short file can claim any size.

    256 MB of any file and 20 times its own size more, up to `LARGEST_UNPACKED`; its own size in any case.
    """
    return max(file_bytes, min(LARGEST_UNPACKED, _SMALL + _LARGEST_RATIO * file_bytes))


def check_unpacked(path: str | Path, unpacked: int, file_bytes: int) -> None:
    """See that what is made of a file's content is no more than `most_unpacked`.

    Raises:
        ValueError: it is; the message gives both.
    """
    most = most_unpacked(file_bytes)
    if unpacked > most:
        raise ValueError(
            f"{path}: unpacks to {unpacked / 2**30:.3g} GB from {file_bytes} bytes; wanted at most "
            f"{most / 2**30:.3g} GB (save it without what is not needed, a body's vertices above all)"
        )


def file_size(path: str | Path) -> int:
    """Bytes of a file that can be read.

    Raises:
        ValueError: no ordinary file (a folder, a pipe), or more than `LARGEST_FILE`.
        FileNotFoundError: there is no such file.
    """
    size = os.stat(path).st_size
    if not Path(path).is_file():
        raise ValueError(
            f"{path}: {'a folder' if Path(path).is_dir() else 'a device or pipe'}; wanted a file"
        )
    if size > LARGEST_FILE:
        raise ValueError(
            f"{path}: {size / 2**30:.3g} GB; wanted at most {LARGEST_FILE / 2**30:.3g} GB: save it in "
            "parts, or without what is not needed"
        )
    return size


def read_content(path: str | Path) -> bytes:
    """All bytes of a file; errors as `file_size`."""
    file_size(path)
    return Path(path).read_bytes()


def read_text(path: str | Path) -> str:
    """A file's text, in UTF-8; errors as `file_size`, and ValueError where it is not UTF-8."""
    try:
        return read_content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text in UTF-8 ({error}); save it as UTF-8") from error


def guarded(reader: Callable[Parameters, Value]) -> Callable[Parameters, Value]:
    """A reader out of which nothing comes but its value, ValueError that names the file, and OSError.

    Args:
        reader: its first parameter is the file's path.
    """
    first = next(iter(inspect.signature(reader).parameters))

    @functools.wraps(reader)
    def read(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Value:
        path = args[0] if args else kwargs.get(first, "")
        try:
            with np.errstate(all="ignore"):  # what overflows is found by the checks that follow
                return reader(*args, **kwargs)
        except Warning:  # one that the caller made an error
            raise
        except OSError as error:
            if isinstance(error, IsADirectoryError | NotADirectoryError):
                raise ValueError(message(f"{path}: {error.strerror}; wanted a file")) from error
            raise
        except Exception as error:
            text = _told(error, path)
            if type(error) is ValueError and text == str(error):
                raise
            raise ValueError(text) from error

    return read


def _told(error: Exception, path: object) -> str:
    """The error in a sentence that names the file."""
    text = str(error)
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        name = Path(str(path)).name
        return message(text if name and name in text else f"{path}: {text}")
    why = type(error).__name__ + (f": {text[:2000]}" if text else "")
    return message(f"{path}: damaged, or not what its name says ({why}); write it again, or copy it again")
