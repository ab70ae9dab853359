"""Calibrations as text: json, toml, yaml and xml, each read without running anything in it."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

_LARGEST: Final = 2**22
_DEEPEST: Final = 40


def read_text(path: Path) -> str:
    """A file's text, with or without a byte order mark.

    Raises:
        ValueError: larger than any calibration, or no text.
    """
    size = path.stat().st_size
    if size > _LARGEST:
        raise ValueError(
            f"{path}: {size / 2**20:.3g} MB; wanted a calibration, at most {_LARGEST / 2**20:.0f} MB"
        )
    content = path.read_bytes()
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a calibration file that is known here (no text: {error})") from error


def parse(text: str, path: Path) -> Any:
    """The value of a json, toml, yaml or xml text, told by its content; xml is an Element.

    Raises:
        ValueError: none of them; the message is that of the one it looks most like.
    """
    start = text.lstrip()[:1]
    if start == "<":
        return _xml(text, path)
    table = re.match(r"\s*(#.*\s+)*\[+[\w\"' .-]+\]+\s*(#.*)?$", text, re.MULTILINE)
    if path.suffix == ".toml" or (table and path.suffix not in (".json", ".yml", ".yaml")):
        return _toml(text, path)
    if start in ("{", "[") and not text.lstrip().startswith("%"):
        return _json(text, path)
    if path.suffix == ".json":
        return _json(text, path)
    return _yaml(text, path)


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable json ({error})") from error


def _toml(text: str, path: Path) -> Any:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path}: not readable toml ({error})") from error


def _xml(text: str, path: Path) -> ElementTree.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError(f"{path}: xml that defines entities of its own; wanted a plain calibration")
    try:
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise ValueError(f"{path}: not readable xml ({error})") from error


class _Loader(yaml.SafeLoader):
    """Plain values only, and OpenCV's matrices."""


def _matrix(loader: _Loader, node: yaml.Node) -> Any:
    assert isinstance(node, yaml.MappingNode)
    return matrix_of(loader.construct_mapping(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix)
_Loader.add_constructor("tag:yaml.org,2002:opencv-nd-matrix", _matrix)


def _yaml(text: str, path: Path) -> Any:
    text = re.sub(r"^%YAML[: ].*$", "", text, count=1, flags=re.MULTILINE)  # OpenCV's directive is no YAML
    text = re.sub(r"^(\s*\w+):(?=[^\s/])", r"\1: ", text, flags=re.MULTILINE)  # nor is its `rows:3`
    text = re.sub(r"(?<=[\s\[,])([+-]?\d+\.?\d*e[+-]?\d+)(?=[\s\],]|$)", _as_float, text)  # 1e-05, 1.e-05
    depth = _depth(text)
    if depth > _DEEPEST or re.search(r"[\s\[,]\*\w", text):
        raise ValueError(f"{path}: yaml nested {depth} deep or with references; wanted a plain calibration")
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not readable yaml ({' '.join(str(error).split())})") from error


def _as_float(found: re.Match[str]) -> str:
    return repr(float(found[0]))


def _depth(text: str) -> int:
    """The deepest nesting of brackets, or of indentation."""
    deepest = depth = 0
    for character in re.sub(r"[^\[\]{}]", "", text):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    indents = {len(line) - len(line.lstrip()) for line in text.splitlines()[:10_000] if line.strip()}
    dashes = max(
        (line.count("- ") for line in text.splitlines() if line.lstrip().startswith("- -")), default=0
    )
    return max(deepest, len(indents), dashes)


def matrix_of(table: Any) -> Any:
    """``{rows, cols, data}`` or ``{sizes, data}`` as an array; anything else as it is."""
    if isinstance(table, dict) and (
        {"rows", "cols", "data"} <= table.keys() or {"sizes", "data"} <= table.keys()
    ):
        try:
            sizes = table["sizes"] if "sizes" in table else (table["rows"], table["cols"])
            return np.array(table["data"], dtype=np.float64).reshape([int(side) for side in sizes])
        except (TypeError, ValueError, OverflowError):
            return table
    return table


def matrix_of_xml(element: ElementTree.Element) -> Any:
    """An element of OpenCV's xml: a matrix, a number, a list of numbers or a word."""
    if element.find("data") is not None:
        words = {child.tag: (child.text or "").split() for child in element}
        sizes = words.get("sizes") or [*words.get("rows", ()), *words.get("cols", ())]
        return matrix_of({"sizes": sizes, "data": words["data"]})
    if len(element):
        return {child.tag: matrix_of_xml(child) for child in element}
    words = (element.text or "").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return " ".join(words)
    return numbers[0] if len(numbers) == 1 else numbers
