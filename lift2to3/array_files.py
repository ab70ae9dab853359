"""Named arrays in files: read without running anything in them, written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.whole_file import whole_file

_PICKLED = "it holds pickled Python objects, which can run code when opened; save plain arrays"


def load_arrays(
    path: str | Path,
    needed: Sequence[str] = (),
    only: Sequence[str] | None = None,
    largest: int | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz``; pickled objects are refused, whoever wrote them.

    Args:
        path: the file, told by its content.
        needed: keys that must be there.
        only: keys to read where they are there; others, maybe pickled tables, stay unread; None reads all.
        largest: bytes that the arrays may unpack to, in all; a short file can claim any size.

    Raises:
        ValueError: no npz, damaged, an array with pickled objects, one too large, or a needed key is absent.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start == b"\x93NUMPY":
            raise ValueError(f"{path}: a bare .npy array; wanted an .npz of named arrays")
        if start[:1] == b"\x80":
            raise ValueError(f"{path}: {_PICKLED}")
        if start[:2] != b"PK":
            raise ValueError(f"{path}: not an npz file; wanted an .npz of named arrays")
        try:
            archive = np.load(file, allow_pickle=False)
            keys = [key for key in archive.files if only is None or key in only]
            sizes = {entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.zip.infolist()}
            size = sum(sizes[key] for key in keys)
            arrays = {key: archive[key] for key in keys} if largest is None or size <= largest else {}
        except Exception as error:  # a damaged archive ends in many kinds of error
            why = _PICKLED if "Object arrays" in str(error) else f"a damaged npz ({error})"
            raise ValueError(f"{path}: {why}") from error
    if largest is not None and size > largest:
        raise ValueError(f"{path}: unpacks to {size / 2**30:.3g} GB; wanted at most {largest / 2**30:.3g}")
    require_keys(dict.fromkeys(archive.files, True), needed, path)
    return arrays


def array_names(path: str | Path) -> list[str]:
    """Names of the arrays of an ``.npz``; none where the file is something else.

    Raises:
        ValueError: a damaged zip.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
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
            f"{', '.join(map(str, found)) or 'none'}"
        )


def load_json(path: str | Path) -> Any:
    """What a json file holds.

    Raises:
        ValueError: not json.
        FileNotFoundError: there is no such file.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
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
