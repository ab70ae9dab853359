"""What is kept from process to process: traced and compiled functions, which a second run need not make."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jax
import jax.export

from lift2to3.whole_file import whole_file

_PACKAGE: Final = Path(__file__).parent


def use_disk_cache() -> None:
    """Keep compiled functions on disk from process to process, unless the user chose a place.

    The folder is ``$LIFT2TO3_CACHE``, else ``~/.cache/lift2to3``; an unwritable one is passed over.
    """
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    folder = _folder() / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _folder() -> Path:
    return Path(os.environ.get("LIFT2TO3_CACHE") or Path.home() / ".cache" / "lift2to3")


class Kept:
    """A compiled function; where `use_disk_cache` found a place, what JAX traces of it is kept there too.

    Tracing a model takes longer than lifting a short clip with it. What is kept counts for these very sources
    of the package, this JAX and its settings, and is made anew where it cannot be read.

    Args:
        function: of arrays in tuples and dictionaries; it returns an array, or a tuple of them (a named one
            comes back plain).
        name: of all that it depends on beside its arguments and the package's sources; None where these are
            not all, and no trace is kept.
    """

    def __init__(self, function: Callable[..., Any], name: str | None):
        """Nothing is traced yet."""
        self._function, self._name = function, name
        self._compiled: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """The function's value."""
        return self.compiled(*arguments)(*arguments)

    def compiled(self, *arguments: Any) -> Callable[..., Any]:
        """Compiled for such arguments, or for their shapes and types."""
        leaves, tree = jax.tree.flatten(arguments)
        shapes = tuple((leaf.shape, leaf.dtype.name) for leaf in leaves)
        key = (tree, shapes, jax.config.jax_default_device)  # type: ignore[attr-defined]
        if key not in self._compiled:
            function = self._function
            on_disk = jax.config.values["jax_compilation_cache_dir"] == str(_folder() / "jax")
            if on_disk and self._name is not None:
                told = f"{self._name} {key} {jax.default_backend()} {jax.config.values}"
                path = _folder() / "traced" / hashlib.sha256(_sources() + told.encode()).hexdigest()

                def plain(*leaves: Any) -> Any:
                    value = self._function(*jax.tree.unflatten(tree, leaves))
                    return tuple(value) if isinstance(value, tuple) else value

                traced = _traced(plain, leaves, path)
                function = lambda *given: traced.call(*jax.tree.leaves(given))  # noqa: E731
            self._compiled[key] = jax.jit(function).lower(*arguments).compile()
        return self._compiled[key]


@functools.cache
def _sources() -> bytes:
    """A digest of the package's sources and JAX's version."""
    digest = hashlib.sha256(jax.__version__.encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def _traced(function: Callable[..., Any], leaves: list[Any], path: Path) -> jax.export.Exported:
    """Read from the file, else traced and written there."""
    try:
        digest, exported = path.read_bytes().split(b"\n", 1)
        if digest.decode() == hashlib.sha256(exported).hexdigest():
            return jax.export.deserialize(bytearray(exported))
    except (OSError, ValueError):
        pass
    traced = jax.export.export(jax.jit(function))(*leaves)
    exported = bytes(traced.serialize())
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(hashlib.sha256(exported).hexdigest().encode() + b"\n" + exported)
    return traced
