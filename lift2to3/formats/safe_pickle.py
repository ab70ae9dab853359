"""Pickles read without running anything in them: arrays and plain containers come out, or an error does.

A pickle is a program: it names functions of any module and has them called. Here each name stands for
an inert record of this file, which only keeps what the pickle hands it, or it ends the reading. Once all
is read, the records turn into NumPy arrays: from their stored bytes, never by code from the file.

Known names: NumPy's arrays and scalars, SciPy's compressed sparse matrices (read as dense arrays) and the
two chumpy arrays that SMPL's files hold (read as their stored values; chumpy need not be there).
`formats.object_files` adds joblib's and PyTorch's.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.pickle_limits import check_size, limited, spend
from lift2to3.guarded_files import guarded, most_unpacked, read_content
from lift2to3.quoting import message, quoted


@guarded
def load_pickle(path: str | Path) -> Any:
    """The pickle's value, of None, numbers, strings, bytes, list, tuple, dict, set and arrays only.

    Python 2's strings are read as latin-1. Arrays are read-only: they are views of the file's bytes.

    Raises:
        ValueError: not a pickle, a damaged one, or one that names anything else (the message says what).
        FileNotFoundError: there is no such file.
    """
    content = read_content(path)
    return plain_objects(path, lambda: Reader(io.BytesIO(content)).load(), "a pickle", len(content))


def plain_objects(path: str | Path, read: Callable[[], Any], kind: str, size: int) -> Any:
    """What ``read`` finds in a file, as plain containers and arrays; whatever goes wrong is a ValueError.

    Args:
        path: what the messages call the file.
        read: returns a `Reader`'s value.
        kind: what the file should be, with its article.
        size: bytes that are read. What is made of them, arrays that share their numbers and containers that
            hold one another many times counted in full, is at most `most_unpacked` of that.
    """
    most = most_unpacked(size)
    try:
        with limited(most):
            value = _plain(read(), {})
        check_size(value, most)
        return value
    except ForbiddenError as error:
        raise ValueError(
            f"{path}: the pickle asks for {error}, which is not read because it could run code; wanted "
            "NumPy arrays and plain containers only (save those, best as an npz)"
        ) from error
    except Exception as error:  # damaged opcodes end in nearly every kind of error
        why = message(f"{type(error).__name__}: {error}")
        raise ValueError(f"{path}: not {kind}, or a damaged one ({why})") from error


class ForbiddenError(Exception):
    """The name of what a pickle must not ask for."""


class Inert:
    """Keeps what the pickle gives it and does nothing."""

    given: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *given: Any) -> Inert:
        """Keep the arguments of what would be a call."""
        made = super().__new__(cls)
        made.given = given
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def value(self, plain: Callable[[Any], Any]) -> Any:
        """What it stands for; ``plain`` converts a part of it."""
        raise ValueError(f"{type(self).__name__.strip('_')} stands where a value should")


class NamedClass(Inert):
    """``numpy.ndarray``, ``object`` or a default's kind, named as an argument."""


class Dtype(Inert):
    """``numpy.dtype(code, align, copy)``, the byte order in its state."""

    def dtype(self) -> np.dtype:
        """Of numbers, strings or plain objects only."""
        code, order = self.given[0], self.state[1]
        if not re.fullmatch(r"[biufcSU]\d{1,6}|O8?", code):
            raise ValueError(f"an array of dtype {quoted(code)}; wanted numbers, strings or plain objects")
        return np.dtype(order + code if order in ("<", ">") else code)


class _Array(Inert):
    """``_reconstruct(ndarray, (0,), b"b")``, then (version, shape, dtype, Fortran order, bytes)."""

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        shape, dtype, fortran, data = self.state[-4:]
        return array_from_bytes(data, dtype, shape, fortran, plain)


class _FromBuffer(Inert):
    """An array of pickle protocol 5: (bytes, dtype, shape, order[, order of the axes])."""

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        data, dtype, shape, order, *axes = self.given
        array = array_from_bytes(data, dtype, shape, order == "F", plain)
        return array.transpose(*axes) if axes and axes[0] is not None else array


class _Scalar(Inert):
    """A NumPy number: (dtype, bytes)."""

    def value(self, plain: Callable[[Any], Any]) -> Any:
        dtype, data = self.given
        return array_from_bytes(data, dtype, (), False, plain)[()]


class _Sparse(Inert):
    """A compressed sparse matrix; its attributes are the state."""

    by_column = True

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        shape = self.state["_shape"] if "_shape" in self.state else self.state["shape"]
        rows, columns = plain(shape)
        if rows < 0 or columns < 0:
            raise ValueError(f"a sparse matrix of {rows} × {columns}")
        data, inner, starts = (plain(self.state[key]) for key in ("data", "indices", "indptr"))
        outer = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        if inner.min(initial=0) < 0 or not len(outer) == len(inner) == len(data):
            raise ValueError("a sparse matrix whose indices do not fit")
        spend(rows * columns * data.itemsize)
        dense = np.zeros((rows, columns), data.dtype)
        np.add.at(dense, (inner, outer) if self.by_column else (outer, inner), data)
        return dense


class _SparseByRow(_Sparse):
    by_column = False


class _Chumpy(Inert):
    """``chumpy.ch.Ch``: the array is its attribute ``x``."""

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        return np.asarray(plain(self.state["x"]))


class _ChumpySelect(Inert):
    """``chumpy.reordering.Select``: chosen entries of another, flattened, in a shape of their own."""

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        chosen = np.asarray(plain(self.state["a"])).ravel()[plain(self.state["idxs"])]
        shape = plain(self.state.get("preferred_shape"))
        return chosen if shape is None else chosen.reshape(shape)


class Reconstructor:
    """``copy_reg._reconstructor(class, object, None)``: an empty instance."""

    def __new__(cls, kind: Any, base: Any, state: Any) -> Any:
        """An instance of a known class, empty."""
        if not (isinstance(kind, type) and issubclass(kind, Inert)):
            raise ValueError(f"an instance of {quoted(kind)}")
        return kind()

    def __setstate__(self, state: Any) -> None:
        """Bars a pickle from setting attributes of the class itself."""


class _Dict(Reconstructor):
    """A dict with an order (of a list of pairs, or its items follow) or a default: an ordinary one."""

    def __new__(cls, start: Any = None) -> dict[Any, Any]:
        return {flat_key(key): item for key, item in start} if isinstance(start, list) else {}


class _Set(Reconstructor):
    """``set`` of a list."""

    def __new__(cls, start: Any = ()) -> set[Any]:
        return {flat_key(item) for item in start}


class _Encoded(Reconstructor):
    """``_codecs.encode(text, "latin1")`` and ``bytes()``: how Python 3 writes bytes for Python 2."""

    def __new__(cls, text: str = "", encoding: str = "latin1") -> bytes:
        if encoding != "latin1":
            raise ValueError(f"bytes encoded as {quoted(encoding)}; wanted 'latin1'")
        spend(len(text))
        return text.encode("latin1")


KNOWN: Final[dict[str, type]] = {
    "numpy.ndarray": NamedClass,
    "numpy.dtype": Dtype,
    **{
        f"{core}.{name}": kind
        for core in ("numpy.core", "numpy._core")  # NumPy 1 and 2
        for name, kind in {
            "multiarray._reconstruct": _Array,
            "multiarray.scalar": _Scalar,
            "numeric._frombuffer": _FromBuffer,
        }.items()
    },
    **{
        f"scipy.sparse.{old}{layout}.{layout}_{name}": kind
        for old in ("", "_")  # before SciPy 1.8 and since
        for layout, kind in (("csc", _Sparse), ("csr", _SparseByRow))
        for name in ("matrix", "array")
    },
    "chumpy.ch.Ch": _Chumpy,
    "chumpy.reordering.Select": _ChumpySelect,
    "_codecs.encode": _Encoded,
    "collections.OrderedDict": _Dict,
    "collections.defaultdict": _Dict,
    **{
        f"{module}.{name}": kind
        for builtins, copy in (("__builtin__", "copy_reg"), ("builtins", "copyreg"))  # Python 2 and 3
        for module, name, kind in (
            (builtins, "object", NamedClass),
            (builtins, "dict", NamedClass),
            (builtins, "list", NamedClass),
            (builtins, "bytes", _Encoded),
            (builtins, "set", _Set),
            (copy, "_reconstructor", Reconstructor),
        )
    },
}
"""What a pickle may name, and what it gets for it."""


def flat_key(key: Any) -> Any:
    """A key of a dict or a member of a set, as it is: a number, text, or a tuple of a few of these.

    Looking up a tuple takes as many steps as it has parts, each counted as often as it stands in another: of
    45 pairs in one another there is no end. Nor may keys be chosen that all hash alike, as huge integers can.

    Raises:
        ValueError: anything else.
    """
    parts = key if type(key) is tuple else (key,)
    if len(parts) <= _LONGEST_KEY and all(
        part is None
        or isinstance(part, (float, str, bytes, _Scalar))
        or (isinstance(part, int) and abs(part) < 2**61 - 1)
        for part in parts
    ):
        return key
    raise ValueError(f"a key of a dict that is {quoted(key)}; wanted numbers, text or a few of them")


_LONGEST_KEY: Final = 16


_DISPATCH: Final = pickle._Unpickler.dispatch


class Reader(pickle._Unpickler):
    """Python's own reader, each name looked up in the table above.

    The one written in Python, as the C one reserves whatever memory a damaged file claims to need.
    """

    dispatch = _DISPATCH | {pickle.BYTEARRAY8[0]: _DISPATCH[pickle.BINBYTES8[0]]}  # likewise

    def load_setitem(self: Any) -> None:
        """Python's own, the key seen to be flat."""
        flat_key(self.stack[-2])
        _DISPATCH[pickle.SETITEM[0]](self)

    def load_setitems(self: Any) -> None:
        """Likewise."""
        for key in self.stack[::2]:
            flat_key(key)
        _DISPATCH[pickle.SETITEMS[0]](self)

    def load_dict(self: Any) -> None:
        """Likewise."""
        for key in self.stack[::2]:
            flat_key(key)
        _DISPATCH[pickle.DICT[0]](self)

    def load_additems(self: Any) -> None:
        """Likewise."""
        for key in self.stack:
            flat_key(key)
        _DISPATCH[pickle.ADDITEMS[0]](self)

    def load_frozenset(self: Any) -> None:
        """Likewise."""
        for key in self.stack:
            flat_key(key)
        _DISPATCH[pickle.FROZENSET[0]](self)

    dispatch |= {
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.ADDITEMS[0]: load_additems,
        pickle.FROZENSET[0]: load_frozenset,
    }
    known: Mapping[str, type] = KNOWN

    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name; any other ends the reading."""
        if f"{module}.{name}" not in self.known:
            raise ForbiddenError(message(f"{module}.{name}"))
        return self.known[f"{module}.{name}"]

    def get_extension(self, code: int) -> Any:
        """Ends the reading."""
        raise ForbiddenError(f"the registered extension {code}")

    def persistent_load(self, pid: Any) -> Any:
        """Ends the reading."""
        raise ForbiddenError(f"the object outside the file {quoted(pid)}")


def array_from_bytes(
    data: Any, dtype: Any, shape: Any, fortran: Any, plain: Callable[[Any], Any]
) -> np.ndarray:
    """The array of these bytes; of a list of plain values where the dtype is object."""
    if not (isinstance(dtype, Dtype) and all(isinstance(n, int) and n >= 0 for n in shape)):
        raise ValueError(f"an array of shape {quoted(shape)} and dtype {quoted(dtype)}")
    kind = dtype.dtype()
    if kind.hasobject:
        spend(8 * len(data))
        flat = np.empty(len(data), object)
        for i, item in enumerate(plain(data)):
            flat[i] = item
    else:
        if isinstance(data, str):
            spend(len(data))
            data = data.encode("latin1")
        flat = np.frombuffer(data, kind) if len(data) else np.empty(0, kind)
    return flat.reshape(shape, order="F" if fortran else "C")


_UNFINISHED: Final = object()


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """The same with arrays for inert records; what is there twice is converted once."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return value
    if id(value) not in done:
        done[id(value)] = _UNFINISHED
        done[id(value)] = _converted(value, lambda part: _plain(part, done))
    if done[id(value)] is _UNFINISHED:
        raise ValueError("a value that contains itself")
    return done[id(value)]


def _converted(value: Any, plain: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {flat_key(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return type(value)(flat_key(plain(item)) for item in value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if isinstance(value, Inert):
        return value.value(plain)
    raise ValueError(f"{quoted(value)} stands where a value should")
