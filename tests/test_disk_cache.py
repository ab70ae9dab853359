"""What JAX traces is kept on disk: traced once, the same value from then on, never a stale or damaged one."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.disk_cache import Kept

ROW, TABLE = np.arange(3, dtype=np.float32), {"a": np.full((2, 3), 2.0, np.float32)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """A place of this test's own, as `use_disk_cache` would choose it; the folder of traces."""
    before = jax.config.values["jax_compilation_cache_dir"]
    monkeypatch.setenv("LIFT2TO3_CACHE", str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "jax"))
    yield tmp_path / "traced"
    jax.config.update("jax_compilation_cache_dir", before)


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self, single: bool = False):
        self.single, self.traced = single, 0

    def __call__(self, row, table):
        self.traced += 1
        product = row[None] * table["a"]
        return product if self.single else (product, row.sum())


@pytest.mark.parametrize("single", [False, True])
def test_a_kept_function_is_traced_once_and_returns_the_same(cache, single):
    for wanted_traces in (1, 0):  # another object stands for another process
        function = Counted(single)
        kept = Kept(function, "counted")
        found, plain = kept(ROW, TABLE), Counted(single)(jnp.asarray(ROW), TABLE)
        kept(ROW, TABLE)
        assert function.traced == wanted_traces
        jax.tree.map(np.testing.assert_array_equal, found, plain)
    assert len(list(cache.iterdir())) == 1


class Pair(NamedTuple):
    first: jax.Array
    second: jax.Array


def test_a_named_tuple_comes_back_plain(cache):
    for _ in range(2):
        found = Kept(lambda row, table: Pair(2 * row, table["a"]), "pair")(ROW, TABLE)
        np.testing.assert_array_equal(found[0], 2 * ROW)
        np.testing.assert_array_equal(found[1], TABLE["a"])


def test_an_argument_that_is_not_used_may_be_left_out_of_the_program(cache):
    for _ in range(2):
        np.testing.assert_array_equal(Kept(lambda row, table: table["a"] + 1, "unused")(ROW, TABLE), 3.0)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:-1] + b"!"])
def test_a_damaged_trace_is_made_anew(cache, damage):
    for _ in range(2):
        function = Counted()
        found = Kept(function, "counted")(ROW, TABLE)
        assert function.traced == 1
        np.testing.assert_array_equal(found[0], ROW * TABLE["a"])
        (path,) = cache.iterdir()
        path.write_bytes(damage(path.read_bytes()))


def test_another_name_shape_or_setting_is_another_trace(cache):
    Kept(Counted(), "counted")(ROW, TABLE)
    for changed in ("name", "shape", "setting"):
        function = Counted()
        table = {"a": np.ones((5, 3), np.float32)} if changed == "shape" else TABLE
        jax.config.update("jax_default_matmul_precision", "highest" if changed == "setting" else None)
        Kept(function, changed if changed == "name" else "counted")(ROW, table)
        jax.config.update("jax_default_matmul_precision", None)
        assert function.traced == 1, changed


@pytest.mark.parametrize("why", ["no name", "the user's own cache"])
def test_without_a_name_or_a_place_of_ours_nothing_is_kept(cache, monkeypatch, why):
    if why != "no name":
        monkeypatch.setenv("LIFT2TO3_CACHE", str(cache.parent / "elsewhere"))
    found = Kept(Counted(), None if why == "no name" else "counted")(ROW, TABLE)
    np.testing.assert_array_equal(found[0], ROW * TABLE["a"])
    assert not cache.exists()
    assert not (cache.parent / "elsewhere").exists()
