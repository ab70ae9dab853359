"""Weights as one safetensors file with its config and checksum; run states through Orbax.

Neither format notices a flipped bit by itself, so both are hashed here and checked on loading.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lift2to3.array_files import load_json
from lift2to3.guarded_files import guarded
from lift2to3.models.params import shape_differences
from lift2to3.whole_file import whole_file

FORMAT = "lift2to3-weights-1"
ConfigType = TypeVar("ConfigType")
StateType = TypeVar("StateType")


class Weights(NamedTuple):
    """What a weights file holds: parameters by path, the config they fit, and notes as text."""

    params: dict[str, np.ndarray]
    config: dict[str, Any]
    notes: dict[str, str]


def _digest(params: dict[str, np.ndarray], config: str) -> str:
    digest = hashlib.sha256(config.encode())
    for path in sorted(params):
        leaf = np.ascontiguousarray(params[path])
        digest.update(f"{path}{leaf.dtype}{leaf.shape}".encode())
        digest.update(leaf.tobytes())
    return digest.hexdigest()


def save_weights(
    path: str | Path,
    params: dict[str, Any],
    config: dict[str, Any],
    half: bool = True,
    **notes: str,
) -> Path:
    """Write parameters, their config and notes as one file, whole or not at all.

    Args:
        path: ends in ``.safetensors``.
        params: arrays by path.
        config: what a loader needs to build the model; must be json.
        half: store as float16.
        notes: free text for people (what it was trained on, for how long).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(leaf) for name, leaf in params.items()}
    if half:
        arrays = {name: leaf.astype(np.float16) for name, leaf in arrays.items()}
    text = json.dumps(config, sort_keys=True)
    metadata = {"format": FORMAT, "config": text, "sha256": _digest(arrays, text), **notes}
    with whole_file(path) as part:
        try:
            save_file(arrays, part, metadata=metadata)
        except SafetensorError as error:  # a full disk, in its words
            raise OSError(f"{path}: could not be written ({error})") from error
        part.chmod(0o644)  # safetensors writes for the owner alone
    return path


@guarded
def load_weights(path: str | Path) -> Weights:
    """Read and check what `save_weights` wrote; parameters come back as float32.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, truncated, or changed since it was written.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, OSError) as error:
        raise ValueError(
            f"{path}: not a whole safetensors file ({error}); it was cut short or is something else: "
            "copy or download it again"
        ) from error
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path}: format {metadata.get('format')!r}, wanted {FORMAT!r}; not weights of this library"
        )
    found = _digest(arrays, metadata.get("config", ""))
    if found != metadata.get("sha256"):
        raise ValueError(
            f"{path}: its contents have the checksum {found[:12]}…, the file says "
            f"{str(metadata.get('sha256'))[:12]}…; it was edited or damaged: copy or download it again"
        )
    params = {name: leaf.astype(np.float32) for name, leaf in arrays.items()}
    notes = {key: text for key, text in metadata.items() if key not in ("format", "config", "sha256")}
    return Weights(params, json.loads(metadata["config"]), notes)


def config_from_dict(kind: type[ConfigType], values: dict[str, Any], where: str) -> ConfigType:
    """Build a (flat) frozen dataclass config from json.

    Raises:
        ValueError: the values belong to another version's or model's config.
    """
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if set(values) != known:
        raise ValueError(
            f"{where}: its config is not a {kind.__name__} of this version: "
            f"unknown {sorted(set(values) - known)}, missing {sorted(known - set(values))}"
        )
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})


def check_shapes(params: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> None:
    """Hold loaded parameters against those of the model they are for.

    Raises:
        ValueError: a parameter is missing, unknown or of another shape; the first few are named.
    """
    wrong = shape_differences(params, wanted)
    if wrong:
        raise ValueError(
            f"{where}: the weights are of another model configuration ({len(wrong)} parameters differ): "
            + "; ".join(wrong[:3])
        )


class RunCheckpoints:
    """The training states of one run folder: the newest few, hashed, restored whole or refused.

    A state counts as saved when its manifest is there, which is written last: one without was cut off while
    it was saved, and is passed over, with a warning.
    """

    def __init__(self, folder: str | Path, keep: int = 2):
        """``folder`` is made if it is not there; only the newest ``keep`` states stay."""
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self.folder = Path(folder).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._manager = ocp.CheckpointManager(
            self.folder, options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        )
        self._unsaved = [step for step in self._manager.all_steps() if not self._manifest(step).exists()]
        if self._unsaved:
            cut_off = ", ".join(map(str, self._unsaved))
            earlier = "starting anew" if self.latest is None else f"going on from {self.latest}"
            warnings.warn(
                f"{self.folder}: the saving of step {cut_off} was cut off, it has no manifest: {earlier}",
                stacklevel=2,
            )

    @property
    def latest(self) -> int | None:
        """The newest step that was saved whole, or None."""
        return max((step for step in self._manager.all_steps() if step not in self._unsaved), default=None)

    def save(self, step: int, state: Any) -> None:
        """Write a state; returns when it is on disk with its manifest."""
        if step == self.latest:
            return
        while self._unsaved:  # Orbax saves no step before one that is there
            self._manager.delete(self._unsaved.pop())
        self._manager.save(step, args=self._ocp.args.StandardSave(state))
        self._manager.wait_until_finished()
        if jax.process_index() == 0:
            manifest = self._manifest(step)
            with whole_file(manifest) as part:
                part.write_text(json.dumps(self._hashes(step), indent=1))
            for old in self.folder.glob("*.sha256.json"):
                if not (self.folder / old.name.split(".")[0]).is_dir():
                    old.unlink()

    def restore(self, like: StateType, step: int | None = None) -> StateType:
        """Read the newest (or the given) state into the shape and sharding of ``like``.

        Raises:
            FileNotFoundError: the folder holds no state, or the given one has no manifest.
            ValueError: files are missing or changed since they were written.
        """
        step = self.latest if step is None else step
        if step is None or not (self.folder / str(step)).is_dir():
            raise FileNotFoundError(f"{self.folder}: no saved training state to resume from")
        manifest = self._manifest(step)
        try:
            written, found = load_json(manifest), self._hashes(step)
        except ValueError as error:
            raise ValueError(f"{error}; delete this file to resume from an earlier state") from error
        if not isinstance(written, dict):
            raise ValueError(f"{manifest}: lists no files; delete it to resume from an earlier state")
        changed = sorted(k for k in set(written) | set(found) if written.get(k) != found.get(k))
        if changed:
            raise ValueError(
                f"{self.folder / str(step)}: {len(changed)} files are damaged or missing "
                f"({changed[0]} first); delete this folder to resume from an earlier state"
            )
        target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like)
        state: Any = self._manager.restore(step, args=self._ocp.args.StandardRestore(target))
        return state

    def _manifest(self, step: int) -> Path:
        return self.folder / f"{step}.sha256.json"

    def _hashes(self, step: int) -> dict[str, str]:
        root = self.folder / str(step)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    def close(self) -> None:
        """Let go of the folder."""
        self._manager.close()
