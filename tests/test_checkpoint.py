"""Weights files and run states come back as they were written, or are refused with the reason."""

import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from safetensors.numpy import save_file

from lift2to3.checkpoint import RunCheckpoints, check_shapes, config_from_dict, load_weights, save_weights

CONFIG = {"frames": 64, "model": {"width": 16}}
DRAW = np.random.default_rng(0)
PARAMS = {"head.kernel": DRAW.normal(size=(3, 4)).astype(np.float32), "head.bias": np.zeros(4, np.float32)}


@pytest.fixture
def path(tmp_path):
    return save_weights(tmp_path / "small.safetensors", PARAMS, CONFIG, steps="7", data="a walk")


# --- weights


@pytest.mark.parametrize("half", [False, True])
def test_weights_come_back_as_they_were_written(tmp_path, half):
    path = save_weights(tmp_path / "deep" / "w.safetensors", PARAMS, CONFIG, half=half, data="a walk")
    loaded = load_weights(path)
    assert loaded.config == CONFIG
    assert loaded.notes == {"data": "a walk"}
    assert loaded.params.keys() == PARAMS.keys()
    for name, leaf in PARAMS.items():
        assert loaded.params[name].dtype == np.float32
        stored = leaf.astype(np.float16) if half else leaf
        np.testing.assert_array_equal(loaded.params[name], stored)


def test_half_precision_is_half_the_size(tmp_path):
    params = {"w": DRAW.normal(size=(64, 64)).astype(np.float32)}
    half, full = (
        save_weights(tmp_path / f"{half}.safetensors", params, {}, half=half).stat().st_size
        for half in (True, False)
    )
    assert full - half == 64 * 64 * 2


def test_everyone_may_read_the_weights(path):
    assert path.stat().st_mode & 0o777 == 0o644


def test_device_arrays_can_be_saved(tmp_path):
    path = save_weights(tmp_path / "w.safetensors", {"w": jnp.arange(3.0)}, {}, half=False)
    np.testing.assert_array_equal(load_weights(path).params["w"], [0, 1, 2])


def test_any_changed_byte_is_refused_or_harmless(path):
    """Header or tensors: a changed file either raises ValueError or still holds the very same weights."""
    content, before, refused = path.read_bytes(), load_weights(path), 0
    for place in range(len(content)):
        for flip in (1, 32, 255):
            path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
            try:
                after = load_weights(path)
            except ValueError as error:
                assert "small.safetensors" in str(error)
                refused += 1
            else:
                assert after.config == before.config
                for name, leaf in before.params.items():
                    np.testing.assert_array_equal(after.params[name], leaf)
    assert refused > 2.5 * len(content)


@pytest.mark.parametrize("what", ["tensor", "config"])
def test_an_edited_file_is_told_by_its_checksum(path, what):
    content = bytearray(path.read_bytes())
    place = len(content) - 2 if what == "tensor" else content.index(b"64")
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"small\.safetensors: .* checksum .* edited or damaged"):
        load_weights(path)


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_a_truncated_file_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"small\.safetensors: not a whole safetensors file .* cut short"):
        load_weights(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(PARAMS, path)
    with pytest.raises(ValueError, match="format None, wanted 'lift2to3-weights-1'; not weights of this"):
        load_weights(path)
    save_file(PARAMS, path, metadata={"format": "lift2to3-weights-1"})
    with pytest.raises(ValueError, match="checksum"):
        load_weights(path)
    with pytest.raises(FileNotFoundError, match="no such weights file"):
        load_weights(tmp_path / "absent.safetensors")


def test_an_interrupted_write_leaves_the_older_file_and_no_litter(path, monkeypatch):
    before = path.read_bytes()

    def interrupted(arrays, part, metadata):
        part.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr("lift2to3.checkpoint.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_weights(path, PARAMS, CONFIG)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@dataclasses.dataclass(frozen=True)
class Size:
    width: int = 1
    rates: tuple[float, ...] = ()


def test_a_config_is_rebuilt_from_json():
    assert config_from_dict(Size, {"width": 3, "rates": [1.0, 2.0]}, "w") == Size(3, (1.0, 2.0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 3}, r"w: its config is not a Size of this version: unknown \[\], missing \['rates'\]"),
        ({"width": 3, "rates": [], "depth": 1}, r"unknown \['depth'\], missing \[\]"),
        ({}, r"missing \['rates', 'width'\]"),
    ],
)
def test_a_config_of_another_version_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        config_from_dict(Size, values, "w")


def test_parameters_of_another_model_are_refused():
    check_shapes(PARAMS, PARAMS, "w")
    wanted = {"head.kernel": np.zeros((3, 5)), "tail": np.zeros(2)}
    with pytest.raises(ValueError, match="another model configuration") as error:
        check_shapes(PARAMS, wanted, "w.safetensors")
    assert str(error.value).startswith("w.safetensors: ")
    for part in (
        "3 parameters differ", "head.kernel: found (3, 4), wanted (3, 5)",
        "head.bias: found (4,), wanted nothing", "tail: found nothing, wanted (2,)",
    ):  # fmt: skip
        assert part in str(error.value)


# --- run states


def state(step: float, devices: int = 8) -> dict[str, object]:
    sharding = NamedSharding(Mesh(jax.devices()[:devices], ("data",)), PartitionSpec())
    draw = np.random.default_rng(int(step))
    return jax.device_put(
        {"w": draw.normal(size=(5, 3)).astype(np.float32), "nested": (np.int32(step), np.float32(1 / 3))},
        sharding,
    )


def assert_same(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype and a.sharding == b.sharding
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def saved(tmp_path):
    """A folder after three states were saved."""
    checkpoints = RunCheckpoints(tmp_path / "states", keep=2)
    for step in (5, 10, 15):
        checkpoints.save(step, state(step))
    checkpoints.close()
    return tmp_path / "states"


def reopened(folder):
    return RunCheckpoints(folder, keep=2)


def test_the_newest_state_comes_back_exactly(saved):
    checkpoints = reopened(saved)
    assert checkpoints.latest == 15
    assert_same(checkpoints.restore(state(0)), state(15))
    assert_same(checkpoints.restore(state(0), step=10), state(10))


def test_only_the_newest_states_are_kept(saved):
    assert sorted(os.listdir(saved)) == ["10", "10.sha256.json", "15", "15.sha256.json"]
    with pytest.raises(FileNotFoundError, match="no saved training state to resume from"):
        reopened(saved).restore(state(0), step=5)


def test_a_state_moves_between_eight_devices_and_one(saved):
    checkpoints = reopened(saved)
    alone = checkpoints.restore(state(0, devices=1))
    assert_same(alone, state(15, devices=1))
    checkpoints.save(20, alone)
    assert_same(reopened(saved).restore(state(0, devices=8)), state(15, devices=8))


def test_every_damaged_or_missing_file_of_a_state_is_refused(saved):
    files = sorted(f for f in (saved / "15").rglob("*") if f.is_file() and f.stat().st_size)
    assert len(files) > 2
    checkpoints = reopened(saved)
    for file in files:
        content = file.read_bytes()
        half = len(content) // 2
        file.write_bytes(content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :])
        message = "15: 1 files are damaged or missing .*; delete this folder to resume from an earlier"
        with pytest.raises(ValueError, match=message):
            checkpoints.restore(state(0))
        file.unlink()
        with pytest.raises(ValueError, match=file.name):
            checkpoints.restore(state(0))
        file.write_bytes(content)
    assert_same(checkpoints.restore(state(0)), state(15))


def test_after_deleting_a_damaged_state_the_earlier_one_is_resumed(saved):
    for file in sorted((saved / "15").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (saved / "15").rmdir()
    checkpoints = reopened(saved)
    assert checkpoints.latest == 10
    assert_same(checkpoints.restore(state(0)), state(10))


def test_with_nothing_saved_there_is_nothing_to_resume(tmp_path):
    checkpoints = RunCheckpoints(tmp_path / "states")
    assert checkpoints.latest is None
    with pytest.raises(FileNotFoundError, match="no saved training state to resume from"):
        checkpoints.restore(state(0))


def test_a_state_without_its_manifest_was_never_saved(saved):
    (saved / "15.sha256.json").unlink()
    with pytest.warns(
        UserWarning, match="the saving of step 15 was cut off, it has no manifest: going on from 10"
    ):
        checkpoints = reopened(saved)
    assert checkpoints.latest == 10
    assert_same(checkpoints.restore(state(0)), state(10))
    with pytest.raises(FileNotFoundError, match=r"15\.sha256\.json"):
        checkpoints.restore(state(0), step=15)
    checkpoints.save(12, state(12))  # earlier than the one that was cut off
    checkpoints.close()
    assert sorted(os.listdir(saved)) == ["10", "10.sha256.json", "12", "12.sha256.json"]
    assert_same(reopened(saved).restore(state(0)), state(12))


def test_where_no_state_has_a_manifest_one_starts_anew(saved):
    for manifest in saved.glob("*.sha256.json"):
        manifest.unlink()
    with pytest.warns(UserWarning, match=r"step 1., 1. was cut off, it has no manifest: starting anew"):
        assert reopened(saved).latest is None


@pytest.mark.parametrize("content", ["{", "[1]", "\0"])
def test_a_damaged_manifest_is_named(saved, content):
    (saved / "15.sha256.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"15\.sha256\.json: .* delete (it|this file) to resume from an earlier"
    ):
        reopened(saved).restore(state(0))
