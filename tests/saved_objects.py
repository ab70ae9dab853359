"""Bytes as joblib, PyTorch and NumPy write them, without joblib and PyTorch, for the tests that read them.

Checked once against joblib 1.6, PyTorch 2.13 and NumPy 2.4: the same values give the same streams and the
same entries of a zip, byte for byte, but for the storages' names, which PyTorch takes from addresses.
"""

from __future__ import annotations

import io
import pickle
import zipfile
import zlib
from collections import OrderedDict
from typing import Any

import numpy as np


class Tensor:
    """What PyTorch's tensor keeps; the array may be any view of ``base``, a flat array."""

    def __init__(self, array: np.ndarray, base: np.ndarray | None = None):
        self.array = np.array(array, order="C") if base is None else array
        self.base = self.array.reshape(-1) if base is None else base

    def place(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Offset, shape and strides, in numbers."""
        start = self.array.__array_interface__["data"][0] - self.base.__array_interface__["data"][0]
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        return start // self.array.itemsize, self.array.shape, strides


class Storage:
    """A tensor's flat numbers, kept outside of the pickle; ``pid`` is what the pickle says of them."""

    def __init__(self, flat: np.ndarray, key: str, pid: Any = None):
        self.flat, self.key, self.pid = flat, key, pid


def named(module: str, name: str) -> Any:
    """Something that a pickle calls by this name."""
    return type(name, (), {"__module__": module, "__qualname__": name})


REBUILD = named("torch._utils", "_rebuild_tensor_v2")
FROM_BYTES = named("torch.storage", "_load_from_bytes")
STORAGE_OF = {
    np.dtype(code): named("torch", f"{name}Storage")
    for code, name in {
        "f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short", "i1": "Char",
        "u1": "Byte", "?": "Bool",
    }.items()
}  # fmt: skip


class NumpyArrayWrapper:
    """joblib's record of an array whose bytes follow."""

    def __init__(self, array: np.ndarray):
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        self.subclass = type(array)
        self.shape = array.shape
        self.order = "F" if fortran else "C"
        self.dtype = array.dtype
        self.allow_mmap = not array.dtype.hasobject
        self.numpy_array_alignment_bytes = 16


NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"
NumpyArrayWrapper.__qualname__ = "NumpyArrayWrapper"


class Reduced:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *given: Any):
        self.parts = (function, given)

    def __reduce__(self) -> Any:
        return self.parts


class ObjectPickler(pickle._Pickler):
    """Names need not exist; tensors stand in the pickle, or outside where ``storages`` is a dict."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(
        self, file: Any, protocol: int, storages: dict[str, np.ndarray] | None = None, legacy: bool = False
    ):
        super().__init__(file, protocol)
        self.storages, self.legacy = storages, legacy

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module, name = obj.__module__, name or obj.__qualname__
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    def save_tensor(self, tensor: Tensor) -> None:
        storage: Any = Storage(tensor.base, str(len(self.storages or ())))
        if self.storages is None:
            storage = Reduced(FROM_BYTES, legacy_torch(Storage(tensor.base, "94680708210048")))
        self.save_reduce(REBUILD, (storage, *tensor.place(), False, OrderedDict()), obj=tensor)

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        assert self.storages is not None
        self.storages[obj.key] = obj.flat
        if obj.pid is not None:
            return obj.pid
        pid = ("storage", STORAGE_OF[obj.flat.dtype], obj.key, "cpu", obj.flat.size)
        return (*pid, None) if self.legacy else pid

    dispatch |= {type: save_global, type(len): save_global, type(named): save_global, Tensor: save_tensor}


def pickled(
    value: Any, protocol: int = 4, storages: dict[str, np.ndarray] | None = None, legacy: bool = False
) -> bytes:
    file = io.BytesIO()
    ObjectPickler(file, protocol, storages, legacy).dump(value)
    return file.getvalue()


def legacy_torch(value: Any) -> bytes:
    """``torch.save(value, file, _use_new_zipfile_serialization=False)``."""
    storages: dict[str, np.ndarray] = {}
    machine = {
        "protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4},
    }  # fmt: skip
    parts = [pickled(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, machine)]
    parts.append(pickled(value, 2, storages, legacy=True))
    parts.append(pickled(list(storages), 2))
    parts += [np.int64(flat.size).tobytes() + flat.tobytes() for flat in storages.values()]
    return b"".join(parts)


def torch_zip(value: Any, folder: str = "hmr4d_results", **changed: bytes | None) -> bytes:
    """``torch.save(value, file)``; ``changed`` entries are other bytes, or left out."""
    storages: dict[str, np.ndarray] = {}
    entries: dict[str, bytes | None] = {
        "data.pkl": pickled(value, 2, storages), ".format_version": b"1", ".storage_alignment": b"64",
        "byteorder": b"little",
    }  # fmt: skip
    entries |= {f"data/{key}": flat.tobytes() for key, flat in storages.items()}
    entries |= {"version": b"3\n", ".data/serialization_id": b"0" * 40} | changed
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            if content is not None:
                archive.writestr(f"{folder}/{name}", content)
    return file.getvalue()


class JoblibPickler(ObjectPickler):
    """Writes each array's bytes behind its record."""

    dispatch = dict(ObjectPickler.dispatch)

    def __init__(self, file: io.BytesIO):
        super().__init__(file, pickle.DEFAULT_PROTOCOL)
        self.file = file

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if type(obj) is not np.ndarray:
            super().save(obj, save_persistent_id)
            return
        super().save(NumpyArrayWrapper(obj))
        self.framer.commit_frame(force=True)
        if obj.dtype.hasobject:
            self.file.write(pickle.dumps(obj, 5))
            return
        padding = 16 - (self.file.tell() + 1) % 16
        self.file.write(bytes([padding]) + b"\xff" * padding)
        self.file.write(obj.tobytes("A"))


def joblib_stream(value: Any) -> bytes:
    """``joblib.dump(value, file)``, before it is compressed."""
    file = io.BytesIO()
    JoblibPickler(file).dump(value)
    return file.getvalue()


def joblib_zlib(value: Any) -> bytes:
    """``joblib.dump(value, file, compress=3)``."""
    return zlib.compress(joblib_stream(value), 3)


def npy_of_object(value: Any) -> bytes:
    """``numpy.save(file, value)`` of a value that is no array."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    held = np.empty((), object)
    held[()] = value
    return file.getvalue() + pickled(held)
