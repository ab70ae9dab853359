"""Pickles, also in other programs' files: arrays and containers come out, nothing runs, damage is told."""

import builtins
import bz2
import collections
import functools
import gzip
import io
import lzma
import os
import pickle
import struct
import tracemalloc
import types
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from saved_objects import (
    FROM_BYTES,
    REBUILD,
    NumpyArrayWrapper,
    Reduced,
    Storage,
    Tensor,
    joblib_stream,
    joblib_zlib,
    legacy_torch,
    named,
    npy_of_object,
    pickled,
    torch_zip,
)

from lift2to3.formats import object_files
from lift2to3.formats.object_files import load_objects
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


@pytest.mark.parametrize("load", [load_pickle, load_objects])
@pytest.mark.parametrize("name", sorted(object_files._ObjectReader.known))
def test_a_known_name_is_no_value_and_cannot_be_changed(tmp_path, name, load):
    def read(content: bytes) -> Any:
        (tmp_path / "some.pkl").write_bytes(content)
        return load(tmp_path / "some.pkl")

    module, attribute = name.rsplit(".", 1)
    mention = b"\x80\x02c" + f"{module}\n{attribute}\n".encode()
    kind = object_files._ObjectReader.known[name]
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
    def laughs(levels: int) -> bytes:
        laugh: list = []
        for _ in range(levels):
            laugh = [laugh, laugh]
        return pickle.dumps(laugh, 2)

    found = read(laughs(20))
    assert found[0] is found[1] and found[0][0] is found[1][1]
    with pytest.raises(ValueError, match="makes .* GB; wanted at most 0.25 GB"):
        read(laughs(60))


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


@pytest.mark.parametrize("load", [load_pickle, load_objects])
def test_no_file_is_no_value_error(tmp_path, load):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.pkl")


# --- other programs' files


@pytest.fixture
def read_objects(tmp_path):
    def load(content: bytes) -> Any:
        path = tmp_path / "some.pt"
        path.write_bytes(content)
        return load_objects(path)

    return load


WRITERS = {
    "pickle": pickled,
    "joblib": joblib_stream,
    "joblib, zlib": joblib_zlib,
    "joblib, gzip": lambda value: gzip.compress(joblib_stream(value)),
    "joblib, bz2": lambda value: bz2.compress(joblib_stream(value)),
    "joblib, xz": lambda value: lzma.compress(joblib_stream(value)),
    "joblib, lzma": lambda value: lzma.compress(joblib_stream(value), lzma.FORMAT_ALONE),
    "PyTorch": torch_zip,
    "PyTorch before 1.6": legacy_torch,
    "npy": npy_of_object,
}


@settings(max_examples=120, deadline=None)
@given(value=VALUES, writer=st.sampled_from(sorted(WRITERS)), fortran=st.booleans())
def test_arrays_come_back_from_every_layout(tmp_path_factory, value, writer, fortran):
    if fortran and isinstance(value, np.ndarray):
        value = np.asfortranarray(value)
    path = tmp_path_factory.getbasetemp() / "value.bin"
    path.write_bytes(WRITERS[writer]([value, {"x": value}]))
    found = load_objects(path)
    assert same(found[0], value) and same(found[1]["x"], value)


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?"]),
    shape=array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    writer=st.sampled_from(sorted(WRITERS)),
    data=st.data(),
)
def test_tensors_come_back_from_every_layout(tmp_path_factory, kind, shape, writer, data):
    array = data.draw(arrays(kind, shape))
    path = tmp_path_factory.getbasetemp() / "tensor.bin"
    path.write_bytes(WRITERS[writer]({"t": Tensor(array), "in": [Tensor(array), None, (1, "x")]}))
    found = load_objects(path)
    assert same(found, {"t": array, "in": [array, None, (1, "x")]})


@pytest.mark.parametrize("writer", WRITERS)
def test_a_tensor_may_be_any_view_of_its_storage(read_objects, writer):
    flat = np.arange(24.0, dtype=np.float32)
    views = {
        "turned": flat.reshape(2, 3, 4).transpose(2, 0, 1),
        "part": flat[5:17].reshape(3, 4)[:, 1:3],
        "stepped": flat[1::5],
        "expanded": np.broadcast_to(flat[3:6], (4, 3)),
        "one": flat[7:8].reshape(()),
    }
    found = read_objects(WRITERS[writer]({name: Tensor(view, flat) for name, view in views.items()}))
    for name, view in views.items():
        np.testing.assert_array_equal(found[name], view)


@pytest.mark.parametrize("writer", WRITERS)
def test_an_array_stored_by_columns_comes_back(read_objects, writer):
    by_columns = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))
    np.testing.assert_array_equal(read_objects(WRITERS[writer]([by_columns]))[0], by_columns)


def test_bfloat16_is_the_upper_half_of_a_float32(read_objects):
    exact = np.array([1.5, -2.25, 0.0, 3e38], np.float32).view(np.uint32) >> 16
    flat = exact.astype(np.uint16)
    pid = ("storage", named("torch", "BFloat16Storage"), "0", "cpu", 4)
    content = torch_zip(Reduced(REBUILD, Storage(flat, "0", pid), 0, (4,), (1,), False, {}))
    np.testing.assert_array_equal(read_objects(content), (exact << 16).astype(np.uint32).view(np.float32))


def test_bytes_in_the_other_order(read_objects):
    array = np.arange(5, dtype=np.int32)
    content = torch_zip(Tensor(array), **{"byteorder": b"big", "data/0": array.astype(">i4").tobytes()})
    np.testing.assert_array_equal(read_objects(content), array)
    np.testing.assert_array_equal(read_objects(torch_zip(Tensor(array), byteorder=None)), array)


def test_joblib_before_1_2_did_not_align_its_arrays(read_objects):
    array = np.arange(6.0).reshape(2, 3)
    wrapper = NumpyArrayWrapper(array)
    del wrapper.numpy_array_alignment_bytes
    np.testing.assert_array_equal(read_objects(pickled(wrapper, 3)[:-1] + array.tobytes() + b"."), array)


def test_dicts_with_an_order_or_a_default_are_dicts(read_objects):
    value = collections.defaultdict(dict, {3: collections.OrderedDict(a=1)})
    for protocol in PROTOCOLS:
        assert read_objects(pickle.dumps(value, protocol)) == {3: {"a": 1}}
    pairs = b"\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R."  # Python 2's
    assert read_objects(pairs) == {"a": 1}


RUNS = {
    "in the objects": lambda call: {"betas": call},
    "in an array of objects": lambda call: np.array([call, 1], dtype=object),
    "as a tensor's storage": lambda call: Reduced(REBUILD, call, 0, (1,), (1,), False, {}),
    "in a storage's bytes": lambda call: Reduced(
        REBUILD, Reduced(FROM_BYTES, legacy_torch(call)), 0, (1,), (1,), False, {}
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("where", RUNS)
def test_nothing_runs_in_any_layout(tmp_path, read_objects, writer, where):
    marker = tmp_path / "ran"
    call = Reduced(os.system, f"touch {marker}")
    with pytest.raises(ValueError, match=rf"some.pt: .*asks for {os.system.__module__}.system"):
        read_objects(WRITERS[writer](RUNS[where](call)))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("pid", "message"),
    [
        (("storage", named("torch", "FloatStorage"), "0", "cpu", 2**60), "buffer is smaller"),
        (("storage", named("torch", "FloatStorage"), "0", "cpu", -9), "asks for the storage"),
        (("storage", named("torch", "FloatStorage"), "../version", "cpu", 1), "some.pt"),
        (("storage", named("torch", "FloatStorage"), "none", "cpu", 1), "no item named"),
        (("storage", "FloatStorage", "0", "cpu", 1), "asks for the storage"),
        (("storage", named("torch", "FloatStorage"), "0", "cpu", 1, ("0", 0, 1)), "asks for the storage"),
        (("module", named("torch", "FloatStorage"), "0", "cpu", 1), "asks for the storage"),
        ("0", "asks for the object outside"),
    ],
)
def test_a_storage_is_in_its_file_or_refused(read_objects, pid, message):
    content = torch_zip(
        Reduced(REBUILD, Storage(np.zeros(4, np.float32), "0", pid), 0, (1,), (1,), False, {})
    )
    with pytest.raises(ValueError, match=message):
        read_objects(content)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (2**60,), (0,)), (0, (2**20, 2**20), (0, 0)), (0, (5,), (1,)), (4, (1,), (1,)), (-1, (1,), (1,)),
        (0, (2,), (-1,)), (0, (2, 2), (1,)), (0, ("x",), (1,)), (0, (3, 2), (2, 1)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("writer", ["PyTorch", "npy"])
def test_a_tensor_lies_within_its_storage(read_objects, writer, offset, shape, strides):
    tensor = Tensor(np.zeros(4, np.float32))
    tensor.place = lambda: (offset, shape, strides)
    with pytest.raises(ValueError, match="some.pt: not a"):
        read_objects(WRITERS[writer](tensor))


def test_bytes_that_are_used_often_are_there_once(read_objects):
    content = legacy_torch(Storage(np.zeros(2**17), "1"))
    tensors = [
        Reduced(REBUILD, Reduced(FROM_BYTES, content), 0, (2**17,), (1,), False, {}) for _ in range(200)
    ]
    packed = pickled(tensors)
    tracemalloc.start()
    found = read_objects(packed)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 200 and found[199].shape == (2**17,)
    assert most < 8 * 2**20


def test_a_zip_that_is_larger_inside_than_outside_is_refused(read_objects):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", pickle.dumps(0))
        archive.writestr("x/data/0", bytes(10**6))
    with pytest.raises(ValueError, match="compressed entries"):
        read_objects(packed.getvalue())
    content = torch_zip(Tensor(np.zeros(1000)))
    start = content.index(b"PK\x01\x02")  # the directory lists one entry many times
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = len(archive.infolist())
    end = content.rindex(b"PK\x05\x06")
    listed = content[start:end] * 3
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3 * entries, 3 * entries, len(listed), start, 0)
    with pytest.raises(ValueError, match="larger than the file"):
        read_objects(content[:start] + listed + tail)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_what_unpacks_to_too_much_is_refused_before_it_is_there(read_objects, monkeypatch, pack):
    monkeypatch.setattr(object_files, "most_unpacked", lambda file_bytes: 2**20)
    content = pack(bytes(50 * 2**20))
    tracemalloc.start()
    with pytest.raises(ValueError, match="unpacks to more than 0.000977 GB"):
        read_objects(content)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20 * 2**20


def test_the_limit_itself_is_no_bomb(read_objects, monkeypatch):
    stream = joblib_stream(np.zeros(100))
    monkeypatch.setattr(object_files, "most_unpacked", lambda file_bytes: len(stream))
    for pack in (zlib.compress, gzip.compress, bz2.compress, lzma.compress):
        np.testing.assert_array_equal(read_objects(pack(stream)), np.zeros(100))
        with pytest.raises(ValueError, match="ends early|damaged"):
            read_objects(pack(stream)[:-9])


def claims(shape: tuple[int, ...]) -> bytes:
    """A joblib stream with an array of this shape and no bytes behind it."""
    wrapper = NumpyArrayWrapper(np.zeros(0))
    wrapper.shape = shape
    return pickled(wrapper) + b"\x01\xff"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (claims((2**40,)), "of 8796093022208 bytes of which 0"),
        (claims((2**62, 2**62)), "an array of .* bytes"),
        (claims((-1,)), "an array of shape"),
        (joblib_stream(np.zeros(3))[:-9], "of which"),
        (b"\x04\x22\x4d\x18" + b"x" * 40, "lz4"),
        (b"PK\x03\x04damaged", "PyTorch file, or a damaged one"),
        (npy_of_object(1)[:-3], "an npy file, or a damaged one"),
        (b"\x93NUMPY\x09\x00", "an npy file"),
        (b"", "not a pickle"),
    ],
)
def test_damage_is_told(read_objects, content, message):
    with pytest.raises(ValueError, match=message):
        read_objects(content)


def test_an_npy_of_numbers_and_one_that_claims_more_than_it_has(read_objects):
    file = io.BytesIO()
    np.save(file, np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    np.testing.assert_array_equal(read_objects(file.getvalue()), np.arange(6.0).reshape(2, 3))
    with pytest.raises(ValueError, match="of which"):
        read_objects(file.getvalue().replace(b"(2, 3)", b"(9, 9)"))
    file = io.BytesIO()
    np.save(file, np.zeros(2, dtype=[("a", "f4")]))
    with pytest.raises(ValueError, match="wanted numbers"):
        read_objects(file.getvalue())


GOOD_FILES = {
    name: write({"a": Tensor(np.arange(6.0).reshape(2, 3)), "b": np.arange(4), "c": ["x", None]})
    for name, write in WRITERS.items()
}


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(GOOD_FILES)), data=st.data(), cut=st.booleans())
def test_any_damaged_file_is_plain_or_refused(tmp_path_factory, name, data, cut):
    content = bytearray(GOOD_FILES[name])
    place = st.integers(0, len(content) - 1)
    for at, byte in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=4)):
        content[at] = byte
    path = tmp_path_factory.getbasetemp() / "fuzz.pkl"
    path.write_bytes(content[: data.draw(place)] if cut else content)
    try:
        value = load_objects(path)
    except ValueError as error:
        assert "fuzz.pkl" in str(error)
    else:
        assert is_plain(value)
