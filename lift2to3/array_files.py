"""Named arrays in files: read without running anything in them, written whole or not at all."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from lift2to3.guarded_files import check_unpacked, file_size, guarded, read_text
from lift2to3.quoting import listed
from lift2to3.whole_file import whole_file

_PICKLED = "it holds pickled Python objects, which can run code when opened; save plain arrays"


@guarded
def load_arrays(
    path: str | Path, needed: Sequence[str] = (), only: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz``; pickled objects are refused, whoever wrote them.

    What they unpack to, the archive's directory says before anything is unpacked: no more than
    `guarded_files.most_unpacked`.

    Args:
        path: the file, told by its content.
        needed: keys that must be there.
        only: keys to read where they are there; others, maybe pickled tables, stay unread; None reads all.

    Raises:
        ValueError: no npz, damaged, an array with pickled objects, one too large, or a needed key is absent.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    size = file_size(path)
    with path.open("rb") as file:
        start = file.read(6)
        if start == b"\x93NUMPY":
            raise ValueError(f"{path}: a bare .npy array; wanted an .npz of named arrays")
        if start[:1] == b"\x80":
            raise ValueError(f"{path}: {_PICKLED}")
        if start[:2] != b"PK":
            raise ValueError(f"{path}: not an npz file; wanted an .npz of named arrays")
        try:
            archive = zipfile.ZipFile(file)
            names = {e.filename.removesuffix(".npy"): e for e in archive.infolist()}
            entries = {key: entry for key, entry in names.items() if only is None or key in only}
        except Exception as error:  # a damaged archive ends in many kinds of error
            raise ValueError(f"{path}: a damaged npz ({error}); copy it again") from error
        check_unpacked(path, sum(entry.file_size for entry in entries.values()), size)
        arrays = {key: _array_of_entry(archive, entry, path) for key, entry in entries.items()}
    require_keys(dict.fromkeys(names, True), needed, path)
    return arrays


def _array_of_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> np.ndarray:
    try:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("a compression that NumPy does not write")
        with archive.open(entry) as file:
            needed = _bytes_needed(file)
        if needed > entry.file_size:
            raise ValueError(
                f"{entry.filename} claims {needed} bytes of numbers, {entry.file_size} are there"
            )
        with archive.open(entry) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):  # which also has the checksum looked at
                raise ValueError(f"{entry.filename} goes on behind its array")
            return array
    except Exception as error:  # a damaged archive ends in many kinds of error
        why = _PICKLED if "Object arrays" in str(error) else f"a damaged npz ({error}); copy it again"
        raise ValueError(f"{path}: {why}") from error


def _bytes_needed(file: IO[bytes] | zipfile.ZipExtFile) -> int:
    """What the header there says of the numbers behind it; those without size count as a byte each."""
    formats = np.lib.format
    read = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    version = formats.read_magic(file)
    if version not in read:
        raise ValueError(f"a header of version {version}; wanted 1.0 or 2.0")
    shape, _, dtype = read[version](file)
    if dtype.kind == "c":
        raise ValueError("complex numbers; wanted real ones")
    return 0 if dtype.hasobject else math.prod(shape) * max(dtype.itemsize, 1)


@guarded
def load_array(path: str | Path) -> np.ndarray:
    """The array of an ``.npy``; pickled objects are refused.

    Raises:
        ValueError: no npy, one that claims more numbers than it has, or one of Python objects.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    size = file_size(path)
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise ValueError(f"{path}: an archive, not one array; give it the ending .npz")
        file.seek(0)
        try:
            needed = _bytes_needed(file)
            if needed > size:
                raise ValueError(f"it claims {needed} bytes of numbers, {size} are there")
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(
                f"{path}: not a plain .npy array ({error}); save numbers, not objects"
            ) from error


@guarded
def array_names(path: str | Path) -> list[str]:
    """Names of the arrays of an ``.npz``; none where the file is something else.

    Raises:
        ValueError: a damaged zip.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    file_size(path)
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return []
        try:
            names = zipfile.ZipFile(file).namelist()
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path}: a damaged file ({error}); copy it again") from error
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def require_keys(
    found: Mapping[Any, Any], needed: Sequence[str], source: object, optional: Sequence[str] = ()
) -> None:
    """See that the keys are there, and not None.

    Raises:
        ValueError: one is missing; the message lists what is wanted and what was found.
    """
    missing = [key for key in needed if found.get(key) is None]
    if missing:
        also = f" (and {', '.join(optional)}, if there)" if optional else ""
        raise ValueError(
            f"{source}: no {', '.join(missing)}; wanted the keys {', '.join(needed)}{also}, found "
            f"{listed(found)}"
        )


@guarded
def load_json(path: str | Path) -> Any:
    """What a json file holds.

    Raises:
        ValueError: not json.
        FileNotFoundError: there is no such file.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable json ({error})") from error


def save_arrays(path: Path, **fields: Any) -> Path:
    """Write an ``.npz`` of plain arrays."""
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **fields)
    return path


def save_fields(path: str | Path, fields: Mapping[str, Any]) -> Path:
    """Write ``.npz`` or ``.json`` by the path's ending, into a folder that is made where it does not exist.

    Raises:
        ValueError: another ending.
    """
    path = Path(path)
    if path.suffix not in (".npz", ".json"):
        raise ValueError(f"{path}: written as .npz or .json, not {path.suffix or 'without ending'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        return save_arrays(path, **fields)
    values = {k: json.dumps(v, default=np.ndarray.tolist, allow_nan=False) for k, v in fields.items()}
    with whole_file(path) as part:
        part.write_text("{\n" + ",\n".join(f' "{k}": {v}' for k, v in values.items()) + "\n}\n")
    return path
