"""Compiled functions kept from process to process: the second run of a command need not compile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax


def use_disk_cache() -> None:
    """Keep compiled functions on disk from process to process, unless the user chose a place.

    The folder is ``$LIFT2TO3_CACHE``, else ``~/.cache/lift2to3``; an unwritable one is passed over.
    """
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    folder = Path(os.environ.get("LIFT2TO3_CACHE") or Path.home() / ".cache" / "lift2to3") / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def fast_jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit`, compiled in two thirds of the time on CPUs: what is run a few times need not be perfect.

    The matrix products, most of the work, are library calls there and as fast as ever.
    """
    options = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=options)
