"""Python objects saved by other programs, read without running anything in them and without those programs.

Told apart by content: pickles, joblib's (plain or compressed), PyTorch's ``.pt`` and NumPy's ``.npy`` of
objects. Arrays and tensors come out as NumPy arrays, views of the file's bytes. What each layout is:

joblib    A pickle in whose stream each array's bytes follow the record that describes it, after one byte
          that counts the padding and the padding. The whole may be a zlib, gzip, bz2, xz or lzma stream.
PyTorch   ``torch.save`` since 1.6: a zip of stored (never compressed) entries, ``…/data.pkl`` with the
          objects, ``…/data/0``, ``…/data/1`` … with the tensors' numbers, ``…/byteorder``. A tensor is
          an offset, a shape and strides into one of them. Before 1.6, and for tensors inside ordinary
          pickles: five pickles (a magic number, a version, the byte order, the objects, the keys), then
          for each key a count (int64) and the numbers.
NumPy     A header, then a pickle of the array.
"""

from __future__ import annotations

import bz2
import io
import lzma
import math
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.pickle_limits import spend
from lift2to3.formats.safe_pickle import (
    KNOWN,
    Dtype,
    ForbiddenError,
    Inert,
    Reader,
    array_from_bytes,
    plain_objects,
)
from lift2to3.guarded_files import guarded, most_unpacked, read_content
from lift2to3.quoting import quoted


@guarded
def load_objects(path: str | Path) -> Any:
    """The file's value, of None, numbers, strings, bytes, list, tuple, dict, set and arrays only.

    Raises:
        ValueError: none of the layouts above, a damaged file, one that names anything but arrays and
            plain containers, or one of which more is made than `guarded_files.most_unpacked`.
        FileNotFoundError: there is no such file.
    """
    content = read_content(path)
    if content.startswith(_LZ4):
        raise ValueError(f"{path}: compressed by lz4, which is not read; save it again with compress=3")
    for start, unpacker in _UNPACKERS.items():
        if content.startswith(start):
            unpacked = _unpacked(content, unpacker, path)
            read = _ObjectReader(_Stream(unpacked)).load
            return plain_objects(path, read, "a compressed joblib file", len(unpacked))
    size = len(content)
    if content.startswith(b"PK"):
        return plain_objects(path, lambda: _torch_zip(content), "a PyTorch file", size)
    if content.startswith(b"\x93NUMPY"):
        return plain_objects(path, lambda: _npy(_Stream(content)), "an npy file", size)
    return plain_objects(path, lambda: _pickle_or_torch(_Stream(content)), "a pickle", size)


_LZMA_MEMORY: Final = 2**28
"""Bytes that unpacking may take beside the result; the strongest setting takes a quarter."""

_LZ4: Final = b"\x04\x22\x4d\x18"
_UNPACKERS: Final[Mapping[bytes, Callable[[], Any]]] = {
    b"\x78\x01": zlib.decompressobj, b"\x78\x5e": zlib.decompressobj,
    b"\x78\x9c": zlib.decompressobj, b"\x78\xda": zlib.decompressobj,
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31), b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    b"\x5d\x00\x00": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
}  # fmt: skip
"""How compressed streams start → what unpacks them (``decompress(data, most)``, then ``eof``)."""


def _unpacked(content: bytes, unpacker: Callable[[], Any], path: str | Path) -> bytes:
    """The stream unpacked, piece by piece, as far as the limit and no further."""
    unpack, most = unpacker(), most_unpacked(len(content))
    pieces, found, rest = [], 0, content
    while not unpack.eof:
        try:
            piece = unpack.decompress(rest, min(_PIECE, most + 1 - found))
        except Exception as error:  # each library has its own
            raise ValueError(f"{path}: a damaged compressed file ({error})") from error
        rest = getattr(unpack, "unconsumed_tail", b"")  # zlib's; the others keep theirs themselves
        found += len(piece)
        if found > most:
            raise ValueError(
                f"{path}: unpacks to more than {most / 2**30:.3g} GB from {len(content)} bytes; wanted less "
                "(save it without what is not needed, the vertices above all)"
            )
        if not (piece or unpack.eof or rest):
            raise ValueError(f"{path}: a compressed file that ends early; copy it again")
        pieces.append(piece)
    return b"".join(pieces)


_PIECE: Final = 2**24


class _Stream(io.BytesIO):
    """Bytes to read, of which parts can be had without a copy."""

    def __init__(self, content: bytes):
        super().__init__(content)
        self.content = memoryview(content)

    def view(self, count: int) -> memoryview:
        """The next ``count`` bytes."""
        start = self.tell()
        data = self.content[start : start + count] if 0 <= count < 2**63 else self.content[:0]
        if len(data) != count:
            raise ValueError(f"an array of {count} bytes of which {len(data)} are there")
        self.seek(start + count)
        return data


class _JoblibArray(Inert):
    """``NumpyArrayWrapper``: its state describes the array; the bytes follow in the stream."""

    array: Any = None

    def take(self, file: _Stream) -> None:
        """Read the array from where the stream is."""
        dtype, shape = self.state["dtype"], self.state["shape"]
        if not isinstance(dtype, Dtype) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError(f"an array of shape {quoted(shape)} and dtype {quoted(dtype)}")
        kind = dtype.dtype()
        if kind.hasobject:
            self.array = _ObjectReader(file).load()
            return
        if self.state.get("numpy_array_alignment_bytes") is not None:
            file.read(file.view(1)[0])
        count = math.prod(shape) * kind.itemsize
        fortran = self.state["order"] == "F"
        self.array = array_from_bytes(file.view(count), dtype, shape, fortran, lambda part: part)

    def value(self, plain: Callable[[Any], Any]) -> Any:
        return plain(self.array) if isinstance(self.array, Inert) else self.array


class _Storage(Inert):
    """A flat run of numbers: (NumPy's type code, how many); its bytes come later."""

    data: bytes | memoryview | None = None
    big_endian = False

    def code(self) -> str:
        return "u2" if self.given[0] == "bfloat16" else self.given[0]

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        if self.data is None:
            raise ValueError("a tensor whose numbers are not in the file")
        flat = np.frombuffer(
            self.data, np.dtype((">" if self.big_endian else "<") + self.code()), self.given[1]
        )
        if self.given[0] == "bfloat16":
            spend(4 * len(flat))
            flat = (flat.astype(np.uint32) << 16).view(np.float32)  # it is the upper half of a float32
        return flat


class _StorageFromBytes(Inert):
    """``torch.storage._load_from_bytes(…)``: a whole PyTorch file of one storage."""

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        storage = _torch_legacy(_Stream(self.given[0]))
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without numbers")
        return storage.value(plain)


class _Tensor(Inert):
    """``_rebuild_tensor_v2(storage, offset, shape, strides, …)``."""

    def value(self, plain: Callable[[Any], Any]) -> np.ndarray:
        storage, offset, shape, strides = self.given[:4]
        flat = plain(storage)
        if not isinstance(storage, (_Storage, _StorageFromBytes)):
            raise ValueError(f"a tensor of {type(storage).__name__}")
        if not all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides)):
            raise ValueError(f"a tensor of shape {quoted(shape)} and strides {quoted(strides)}")
        count = math.prod(shape)
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if count and last >= len(flat):
            raise ValueError(f"a tensor of shape {quoted(shape)} in {len(flat)} stored numbers")
        spend(count * flat.itemsize)
        if not count:
            return np.zeros(shape, flat.dtype)
        steps = [step * flat.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)


class _StorageKind(Inert):
    """``torch.FloatStorage`` and its like, named as an argument."""

    code: str


_STORAGES: Final = {
    "Double": "f8", "Float": "f4", "Half": "f2", "BFloat16": "bfloat16", "Long": "i8", "Int": "i4",
    "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip


_BUILD: Final = Reader.dispatch[pickle.BUILD[0]]


class _ObjectReader(Reader):
    """Also knows joblib's arrays and PyTorch's tensors."""

    known = KNOWN | {
        "joblib.numpy_pickle.NumpyArrayWrapper": _JoblibArray,
        "torch._utils._rebuild_tensor_v2": _Tensor,
        "torch.storage._load_from_bytes": _StorageFromBytes,
        **{
            f"torch.{name}Storage": type(f"_{name}Storage", (_StorageKind,), {"code": code})
            for name, code in _STORAGES.items()
        },
    }

    def __init__(self, file: _Stream, storages: dict[str, _Storage] | None = None):
        """``storages``, where the file has any outside the pickle, is filled with those it asks for."""
        super().__init__(file)
        self.file, self.storages = file, storages

    def persistent_load(self, pid: Any) -> Any:
        if self.storages is None or not (isinstance(pid, tuple) and len(pid) in (5, 6)):
            return super().persistent_load(pid)
        what, kind, key, _, count, *view = pid
        known = isinstance(kind, type) and issubclass(kind, _StorageKind) and type(key) is str
        counted = isinstance(count, int) and count >= 0
        if what != "storage" or not known or not counted or view not in ([], [None]):
            raise ForbiddenError(f"the storage {quoted(pid)}")
        if key not in self.storages:
            made = _Storage(kind.code, count)
            assert isinstance(made, _Storage)
            self.storages[key] = made
        return self.storages[key]

    def build(self: Any) -> None:
        """Python's own; a joblib array's bytes stand right behind it."""
        _BUILD(self)
        if isinstance(self.stack[-1], _JoblibArray):
            self.stack[-1].take(self.file)

    dispatch = Reader.dispatch | {pickle.BUILD[0]: build}


class _Found(Inert):
    """An array as it is, or the one object that an array holds."""

    def value(self, plain: Callable[[Any], Any]) -> Any:
        found = self.given[0]
        return plain(found).item() if isinstance(found, Inert) else found


def _npy(file: _Stream) -> Any:
    """A header and an array's numbers or pickle. An object alone comes out itself."""
    formats = np.lib.format
    read = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    shape, fortran, dtype = read[formats.read_magic(file)](file)
    if dtype.kind == "O":
        array = _ObjectReader(file).load()
        return array if shape else _Found(array)
    if dtype.kind not in "biufcSU":
        raise ValueError(f"an array of dtype {dtype}; wanted numbers, strings or plain objects")
    flat = np.frombuffer(file.view(math.prod(shape) * dtype.itemsize), dtype)
    return _Found(flat.reshape(shape, order="F" if fortran else "C"))


def _torch_zip(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("compressed entries; PyTorch stores them as they are")
        if sum(entry.file_size for entry in entries) > len(content):
            raise ValueError("entries larger than the file")
        names = [entry.filename for entry in entries]
        index = [name for name in names if name.endswith("/data.pkl")]
        if len(index) != 1:
            raise ValueError(f"{len(index)} entries named data.pkl; wanted one")
        folder = index[0].removesuffix("data.pkl")
        is_big = f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") == b"big"
        storages: dict[str, _Storage] = {}
        value = _ObjectReader(_Stream(archive.read(index[0])), storages).load()
        for key, storage in storages.items():
            storage.big_endian, storage.data = is_big, archive.read(f"{folder}data/{key}")
    return value


_TORCH_MAGIC: Final = 0x1950A86A20F9469CFC6C


def _pickle_or_torch(file: _Stream) -> Any:
    value = _ObjectReader(file).load()
    if value != _TORCH_MAGIC:
        return value
    file.seek(0)
    return _torch_legacy(file)


def _torch_legacy(file: _Stream) -> Any:
    """PyTorch's layout before 1.6."""
    storages: dict[str, _Storage] = {}
    magic, version, machine = (_ObjectReader(file).load() for _ in range(3))
    if magic != _TORCH_MAGIC or version != 1001:
        raise ValueError(f"a PyTorch stream that starts with {quoted(magic)}, {quoted(version)}")
    value = _ObjectReader(file, storages).load()
    for key in _ObjectReader(file).load():
        storage = storages[key]
        storage.big_endian = not machine["little_endian"]
        count = int.from_bytes(file.view(8), "big" if storage.big_endian else "little")
        if count != storage.given[1]:
            raise ValueError(f"a storage of {count} numbers where {storage.given[1]} are wanted")
        storage.data = file.view(count * np.dtype(storage.code()).itemsize)
    return value
