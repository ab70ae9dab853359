"""Pickles: arrays and plain containers come out of them, nothing in them runs, damage is a ValueError."""

import builtins
import functools
import io
import os
import pickle
import struct
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lift2to3.formats import safe_pickle
from lift2to3.formats.safe_pickle import load_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
OLD_MODULES = {"builtins": "__builtin__", "copyreg": "copy_reg", "scipy.sparse._csc": "scipy.sparse.csc"}


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 with the NumPy and SciPy of its time wrote: text and arrays as byte strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        raw = value.encode("latin1") if isinstance(value, str) else value
        if not self.bin:
            self.write(pickle.STRING + repr(raw)[1:].encode() + b"\n")
        elif len(raw) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = OLD_MODULES.get(obj.__module__, obj.__module__).replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{obj.__qualname__}\n".encode())
        self.memoize(obj)

    dispatch |= {str: save_string, bytes: save_string, types.FunctionType: save_global}


def python2_pickle(value: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol).dump(value)
    return file.getvalue()


class Ch:
    """What chumpy's array keeps when it is pickled."""

    def __init__(self, x: np.ndarray):
        self.__dict__ |= {"x": x, "_dirty_vars": {"x"}, "_itr": None, "_depends_on_deps": {}}


class Select(Ch):
    """What a slice of a chumpy array keeps."""

    def __init__(self, a: Ch, idxs: np.ndarray, shape: tuple[int, ...]):
        self.__dict__ |= {"a": a, "idxs": idxs, "preferred_shape": shape, "_dirty_vars": set()}


Ch.__module__, Select.__module__ = "chumpy.ch", "chumpy.reordering"


class Calls:
    """Pickled, it is a call of this function; also an attempt to set attributes of what comes back."""

    def __init__(self, function: Any, *given: Any, state: Any = None):
        self.parts = (function, given) if state is None else (function, given, state)

    def __reduce__(self):
        return self.parts


@pytest.fixture
def read(tmp_path):
    def load(content: bytes) -> Any:
        path = tmp_path / "some.pkl"
        path.write_bytes(content)
        return load_pickle(path)

    return load


def same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        fits = isinstance(second, np.ndarray) and first.shape == second.shape and first.dtype == second.dtype
        return fits and all(map(same, first.ravel().tolist(), second.ravel().tolist()))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return type(first) is type(second) and len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and (first == second or first != first)


# --- what comes out

ARRAYS = st.sampled_from(["<f8", ">f4", "<i8", ">u2", "|u1", "|b1", "<c16", "|S3", "<U4"]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | ARRAYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(value=VALUES, protocol=st.sampled_from(PROTOCOLS), fortran=st.booleans())
def test_arrays_and_containers_come_back_as_they_were(tmp_path_factory, value, protocol, fortran):
    if fortran and isinstance(value, np.ndarray):
        value = np.asfortranarray(value)
    path = tmp_path_factory.getbasetemp() / "value.pkl"
    path.write_bytes(pickle.dumps((value, {1, 2}), protocol))
    assert same(load_pickle(path)[0], value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_axes_in_any_order_numpy_numbers_and_objects(read, protocol):
    turned = np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2)
    mixed = np.array([{"a": 1}, None, "b"], dtype=object)
    found = read(pickle.dumps([turned, np.float32(2.5), mixed], protocol))
    assert same(found[0], turned) and found[1] == 2.5
    assert found[2].dtype == object and found[2].tolist() == mixed.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("layout", ["csc_matrix", "csr_matrix", "csc_array", "csr_array"])
def test_sparse_matrices_come_out_dense(read, layout, protocol):
    dense = np.random.default_rng(0).normal(size=(4, 6)) * (np.arange(6) % 3 == 0)
    found = read(pickle.dumps(getattr(scipy.sparse, layout)(dense), protocol))
    np.testing.assert_array_equal(found, dense)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_python_2_files_with_chumpy_and_scipy_are_read_without_either(read, protocol):
    values, dense = np.random.default_rng(0).normal(size=(2, 5, 3)), np.diag([1.0, 0, 3])
    index = np.arange(30).reshape(2, 5, 3)[:, 1:4, :2]
    stored = {
        "bs_style": "lbs",
        "text": "\xe9' \n\\",
        "shapedirs": Ch(values),
        "chosen": Select(Ch(values), index.ravel(), index.shape),
        "J_regressor": scipy.sparse.csc_matrix(dense),
        "f": np.arange(6, dtype=np.uint32).reshape(2, 3),
    }
    content = python2_pickle(stored, protocol)
    for name in (b"chumpy.ch\nCh", b"numpy.core.multiarray\n_reconstruct", b"scipy.sparse.csc\ncsc_matrix"):
        assert name in content
    found = read(content)
    assert found["bs_style"] == "lbs" and found["text"] == stored["text"]
    np.testing.assert_array_equal(found["shapedirs"], values)
    np.testing.assert_array_equal(found["chosen"], values[:, 1:4, :2])
    np.testing.assert_array_equal(found["J_regressor"], dense)
    assert same(found["f"], stored["f"])


# --- what is refused


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "given", "name"),
    [
        (os.system, ("touch {}",), f"{os.system.__module__}.system"),
        (eval, ("open({!r}, 'w')",), "eval"),
        (exec, ("open({!r}, 'w')",), "exec"),
        (builtins.getattr, ("", "join"), "getattr"),
        (functools.partial, (print, "{}"), "functools.partial"),
        (Path, ("{}",), "pathlib"),
        (bytearray, (10**12,), "bytearray"),
        (np.memmap, ("{}", "u1", "w+", 0, (9,)), "numpy.*memmap"),
        (np.load, ("{}",), "numpy.*load"),
    ],
)
def test_nothing_runs_and_the_name_is_told(tmp_path, read, function, given, name, protocol):
    marker = tmp_path / "ran"
    call = Calls(function, *(g.format(str(marker)) if isinstance(g, str) else g for g in given))
    inside_an_array = np.array([call, 1], dtype=object)
    for value in (call, {"v_template": [call]}, inside_an_array):
        with pytest.raises(ValueError, match=rf"some.pkl: the pickle asks for .*{name}.* could run code"):
            read(pickle.dumps(value, protocol))
    assert not marker.exists()


@pytest.mark.parametrize(
    "opcode", [b"cos\nsystem\n", b"(S'x'\nios\nsystem\n", b"\x8c\x02os\x8c\x06system\x93"]
)
def test_every_opcode_that_names_something_is_checked(read, opcode):
    with pytest.raises(ValueError, match="asks for os.system"):
        read(b"\x80\x04" + opcode + b".")


@pytest.mark.parametrize("opcode", [b"\x82\x01", b"\x83\x01\x00", b"Pmine\n", b"]Q"])
def test_nothing_outside_the_file_is_reached(read, opcode):
    with pytest.raises(ValueError, match="asks for"):
        read(b"\x80\x02" + opcode + b".")


@pytest.mark.parametrize("name", sorted(safe_pickle._KNOWN))
def test_a_known_name_is_no_value_and_cannot_be_changed(read, name):
    module, attribute = name.rsplit(".", 1)
    mention = b"\x80\x02c" + f"{module}\n{attribute}\n".encode()
    kind = safe_pickle._KNOWN[name]
    before = dict(vars(kind))
    for state in ({"given": 1}, (None, {"value": 1, "__new__": 2})):
        with pytest.raises(ValueError, match="some.pkl"):
            read(mention + pickle.dumps(state, 2)[2:-1] + b"b.")
    with pytest.raises(ValueError, match="some.pkl"):
        read(mention + b".")
    assert dict(vars(kind)) == before


def test_an_array_of_another_class_or_kind_is_refused(read):
    structured = np.zeros(2, dtype=[("a", "f4"), ("b", "i4")])
    with pytest.raises(ValueError, match="dtype 'V8'; wanted numbers"):
        read(pickle.dumps(structured, 2))
    with pytest.raises(ValueError, match="asks for numpy.*matrix"):
        read(pickle.dumps(np.array([1.0]).view(np.recarray).view(np.matrix), 2))


# --- what is damaged


def big_claims() -> dict[str, bytes]:
    """Short files that claim to need much memory or never end."""
    sparse = scipy.sparse.csc_matrix((10**6, 10**6))
    itself: list = []
    itself.append(itself)
    small = pickle.dumps(np.zeros(3), 2)
    assert b"K\x03\x85" in small  # its shape
    return {
        "a bytearray of 2⁴⁰ bytes": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
        "bytes of 2⁶² bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
        "a memo of 2³¹ entries": b"\x80\x02]r" + struct.pack("<I", 2**31) + b"a.",
        "an array of 2⁶⁰ numbers": small.replace(b"K\x03\x85", b"\x8a\x08" + b"\x10" * 8 + b"\x85"),
        "a sparse matrix of 10¹² entries": pickle.dumps(sparse, 2),
        "a list in itself": pickle.dumps(itself, 2),
    }


@pytest.mark.parametrize("claim", big_claims())
def test_a_short_file_cannot_claim_much_memory(read, claim):
    with pytest.raises(ValueError, match="some.pkl"):
        read(big_claims()[claim])


def test_a_list_used_often_is_converted_once(read):
    laughs: list = []
    for _ in range(60):
        laughs = [laughs, laughs]
    found = read(pickle.dumps(laughs, 2))
    assert found[0] is found[1] and found[0][0] is found[1][1]


GOOD = python2_pickle(
    {"a": np.arange(3.0), "b": scipy.sparse.csc_matrix(np.eye(2)), "c": Ch(np.ones(2)), "d": [1, "x", None]}
)
PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, np.ndarray):
        return value.dtype != object or all(map(is_plain, value.ravel().tolist()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_plain, value))
    return isinstance(value, PLAIN)


def reads_plain_or_refuses(content: bytes, folder: Path) -> None:
    path = folder / "fuzz.pkl"
    path.write_bytes(content)
    try:
        value = load_pickle(path)
    except ValueError as error:
        assert "fuzz.pkl" in str(error)
    else:
        assert is_plain(value)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_plain_or_refused(tmp_path_factory, content):
    reads_plain_or_refuses(content, tmp_path_factory.getbasetemp())


@settings(max_examples=250, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.integers(0, len(GOOD)),
    cut=st.booleans(),
)
def test_a_damaged_file_is_plain_or_refused(tmp_path_factory, changes, end, cut):
    content = bytearray(GOOD)
    for place, byte in changes:
        content[place] = byte
    reads_plain_or_refuses(bytes(content[:end] if cut else content), tmp_path_factory.getbasetemp())


def test_no_file_is_no_value_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pickle(tmp_path / "none.pkl")
