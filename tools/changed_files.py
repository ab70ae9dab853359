"""Changes of valid files that readers must bear; each follows from its number alone."""

from __future__ import annotations

import copy
import io
import json
import math
import pickle
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, assert_never

import numpy as np

from tools.valid_files import FRAMES, Example, Kind

_DEEP, _MANY = "\x02deep\x02", "\x02many\x02"
"""Stand in a json's tree for what no encoder writes: nesting without end, a list of a million."""

_LARGEST_TEXT = 4_000_000

_SCALARS: tuple[Any, ...] = (
    None, True, 0, -1, 5, 2**63, 10**400, 1e308, -1e308, 5e-324, math.nan, math.inf, "", "x" * 100_000, "\0",
    "\x1b[31mred", "=1+1", "5", [], {}, [[]], [None], {"a": {"b": []}}, [1, "x"], [[1, 2], [3]],
)  # fmt: skip


def _shared(levels: int) -> Any:
    value: Any = (1, 2)
    for _ in range(levels):
        value = (value, value)
    return value


def _hostile(draw: np.random.Generator, kind: Kind) -> Any:
    choices: list[Callable[[], Any]] = [lambda: copy.deepcopy(_SCALARS[draw.integers(len(_SCALARS))])] * 6
    if kind == "json":
        choices += [lambda: _DEEP]
    else:
        choices += [
            lambda: _shared(40),
            lambda: {(1, 2)},
            lambda: {_shared(2): 1},
            lambda: np.full(3, np.nan),
        ]
        choices += [lambda: _changed_array(np.ones((FRAMES, 3)), draw)] * 4
    return choices[draw.integers(len(choices))]()


def _changed_tree(tree: Any, draw: np.random.Generator, kind: Kind) -> Any:
    """A copy in which one value, somewhere, is another, or is gone, or is there a million times."""
    tree = copy.deepcopy(tree)
    holder: Any = None
    key: Any = None
    value = tree
    while isinstance(value, dict | list) and len(value) and (holder is None or draw.random() < 0.8):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        holder, key = value, keys[draw.integers(len(keys))]
        value = holder[key]
    if holder is None:
        return _hostile(draw, kind)
    how = draw.random()
    if how < 0.1:
        del holder[key]
    elif how < 0.12 and isinstance(holder, list):
        holder[key] = {_MANY: value} if kind == "json" else value
        if kind != "json":
            holder *= 100_000
    elif how < 0.5 and isinstance(value, np.ndarray):
        holder[key] = _changed_array(value, draw)
    else:
        holder[key] = _hostile(draw, kind)
    return tree


def _changed_array(array: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Of another type, shape, or with other numbers."""
    how = draw.integers(4)
    if how == 0:
        types = ("f2", "f4", "f8", "longdouble", "c16", "?", "u1", "i8", "U3", "S3", "M8[s]", "O", "V4")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return array.astype(types[draw.integers(len(types))])
            except (ValueError, TypeError):
                return np.zeros(array.shape, "V4")
    if how == 1:
        if not array.ndim:
            return np.array([array, array])
        shapes = (array.ravel(), array[None], array[:0], array[..., :1], np.array(5.0), np.zeros((0, 10**9)))
        return shapes[draw.integers(len(shapes))]
    value = (np.nan, np.inf, -np.inf, 1e308, 1e-308, 1e12, -1.0, 0.0, 2.0**53)[draw.integers(9)]
    changed = np.array(array, np.float64 if array.dtype.kind in "biuf" else array.dtype, copy=True)
    if changed.dtype.kind == "f":
        one = int(draw.integers(max(changed.size, 1)))
        changed.reshape(-1)[slice(None) if how == 2 else slice(one, one + 1)] = value
    return changed


def _changed_arrays(arrays: Mapping[str, np.ndarray], draw: np.random.Generator) -> dict[str, np.ndarray]:
    keys = sorted(arrays)
    key, other = keys[draw.integers(len(keys))], keys[draw.integers(len(keys))]
    how = draw.integers(6)
    if how == 0:
        return {name: array for name, array in arrays.items() if name != key}
    if how == 1:
        return dict(arrays) | {key: arrays[other]}
    return dict(arrays) | {key: _changed_array(arrays[key], draw)}


def _changed_bytes(content: bytes, draw: np.random.Generator) -> bytes:
    """Cut, flipped, overwritten, doubled or filled with NUL bytes somewhere."""
    data = bytearray(content)
    at, length = int(draw.integers(len(data))), int(draw.integers(1, 40))
    how = draw.integers(7)
    if how == 0:
        return bytes(data[:at])
    if how == 1:
        return bytes(data[:at] + data[at : at + length] * 2 + data[at + length :])
    if how == 2:
        return bytes(data[:at] + data[at + length :])
    if how == 3:
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif how == 4:
        data[at : at + length] = draw.bytes(len(data[at : at + length]))
    elif how == 5:  # a number in a text, most often
        digits = [place for place, byte in enumerate(data) if 48 <= byte <= 57] or [at]
        place = digits[draw.integers(len(digits))]
        others = (b"9" * 30, b"-1", b"1e308", b"nan", b"0", b"1e-300", b"x" * 99)
        data[place : place + 1] = others[draw.integers(len(others))]
    else:
        for place in draw.integers(len(data), size=3):
            data[place] ^= 1 << int(draw.integers(8))
    return bytes(data)


def written(kind: Kind, value: Any) -> bytes:
    """The value as a file's content."""
    if kind == "bytes":
        return value
    if kind == "json":
        text = json.dumps(value)
        if (at := text.find(json.dumps({_MANY: 0})[:-2])) >= 0:
            start = at + len(json.dumps({_MANY: 0})) - 2
            _, end = json.JSONDecoder().raw_decode(text, start)
            item = text[start:end]
            count = min(1_000_000, _LARGEST_TEXT // (len(item) + 1))
            text = text[:at] + ",".join([item] * count) + text[end + 1 :]
        return text.replace(json.dumps(_DEEP), "[" * 100_000).encode()
    file = io.BytesIO()
    if kind == "npz":
        np.savez_compressed(file, allow_pickle=True, **value)
    elif kind == "npy":
        np.save(file, value, allow_pickle=True)
    elif kind == "pickle" or kind == "zlib":
        pickle.dump(value, file, protocol=2)
    else:
        assert_never(kind)
    return zlib.compress(file.getvalue()) if kind == "zlib" else file.getvalue()


def _bomb(example: Example) -> bytes:
    """The file with more zeros in it than so small a file may hold."""
    zeros = np.zeros(5 * 2**26, np.uint8)
    if example.kind == "zlib":
        return zlib.compress(zeros.tobytes(), 1)
    file = io.BytesIO(written("npz", example.value))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("more.npy", "w") as entry:
            np.lib.format.write_array(entry, zeros)
    return file.getvalue()


def changed(example: Example, number: int) -> bytes:
    """The file of a change's number."""
    draw = np.random.default_rng(number)
    if number == 0 and example.kind in ("npz", "zlib"):
        return _bomb(example)
    if example.kind == "bytes" or draw.random() < 0.4:
        return _changed_bytes(written(example.kind, example.value), draw)
    if example.kind == "npz":
        return written("npz", _changed_arrays(example.value, draw))
    if example.kind == "npy":
        return written("npy", _changed_array(example.value, draw))
    return written(example.kind, _changed_tree(example.value, draw, example.kind))
