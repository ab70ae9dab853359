"""The training loop: one for every model. Batches in, a run folder out; resumes where it stopped.

A run folder holds ``config.json`` (what was asked for), ``code.json`` (the commit it ran from),
``metrics.jsonl`` (one line per logged step) and ``checkpoints/``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lift2to3.checkpoint import RunCheckpoints
from lift2to3.models.params import Params
from lift2to3.progress import progress
from lift2to3.training.losses import LossFn
from lift2to3.training.state import (
    OptimiserConfig,
    TrainState,
    data_mesh,
    initial_state,
    make_step,
    shard_batch,
)

Batches = Callable[[int], Iterator[dict[str, np.ndarray]]]
"""Given the step to start at, the batches from there on (see `lift2to3.data.windows`)."""
Validate = Callable[[Params], dict[str, float]]


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """How a run goes on and when it stops.

    Attributes:
        max_minutes: stop cleanly after this long (of this process), whatever is left; None = never.
        log_every, validate_every, checkpoint_every: in steps.
        seed: of everything random in the run, together with the step.
        progress: show how far it is, on stderr.
    """

    optimiser: OptimiserConfig = OptimiserConfig()
    max_minutes: float | None = None
    log_every: int = 25
    validate_every: int = 500
    checkpoint_every: int = 500
    seed: int = 0
    progress: bool = True


class NonFiniteLoss(RuntimeError):
    """The loss or the gradient stopped being a number."""


def train(
    loss_fn: LossFn,
    params: Params,
    batches: Batches,
    folder: str | Path,
    config: LoopConfig,
    describe: dict[str, Any] | None = None,
    validate: Validate | None = None,
) -> TrainState:
    """Train until the schedule or the time is over; returns the state (its ``ema`` is the result).

    Args:
        loss_fn: ``(params, batch, key) -> (loss, scalars)``.
        params: where to start if the folder holds no state yet.
        batches: this host's batches from a given step on.
        folder: the run folder.
        config: schedule, stopping, logging.
        describe: written into ``config.json`` beside the loop's own.
        validate: called with the averaged weights now and then; its numbers are logged.

    Raises:
        NonFiniteLoss: a loss or gradient norm is not finite; names the steps it lies between.
    """
    folder = Path(folder)
    mesh, optimiser = data_mesh(), config.optimiser.transform()
    checkpoints = RunCheckpoints(folder / "checkpoints")
    state = initial_state(params, optimiser, mesh)
    if checkpoints.latest is not None:  # 1. own last state; 2. what the caller gave (warm start or scratch)
        state = checkpoints.restore(state)
    _describe_run(folder, {"loop": dataclasses.asdict(config), **(describe or {})})
    step_fn = make_step(loss_fn, optimiser, config.seed, config.optimiser.ema)
    first, last = int(state.step), config.optimiser.steps
    stop_at = math.inf if config.max_minutes is None else time.monotonic() + 60 * config.max_minutes
    good, since, waiting = first, time.monotonic(), []
    source = batches(first)
    with (
        contextlib.closing(checkpoints),
        (folder / "metrics.jsonl").open("a") as log,
        progress("training", first, config.progress) as advance,
    ):
        for step in range(first, last):
            state, scalars = step_fn(state, shard_batch(next(source), mesh))
            waiting.append(scalars)
            done, over = step + 1, time.monotonic() > stop_at
            ends = done == last or over
            saves = done % config.checkpoint_every == 0 or ends
            if done % config.log_every == 0 or saves:  # what is saved is finite
                means = _means(waiting)
                if not all(map(math.isfinite, means.values())):
                    raise NonFiniteLoss(
                        f"not finite between steps {good} and {done}: {means}; the last good state is in "
                        f"{checkpoints.folder}; try a lower learning rate or a smaller clip norm"
                    )
                seconds, good, waiting = (time.monotonic() - since) / len(waiting), done, []
                _write(log, {"step": done, "seconds_per_step": round(seconds, 4), **means})
                advance(done, last, _line(means))
                since = time.monotonic()
            if validate is not None and (done % config.validate_every == 0 or ends):
                _write(log, {"step": done, **{f"val_{k}": v for k, v in validate(state.ema).items()}})
                since = time.monotonic()
            if saves:
                checkpoints.save(done, state)
                since = time.monotonic()
            if over:
                break
    return state


def _means(scalars: list[dict[str, jax.Array]]) -> dict[str, float]:
    fetched = jax.device_get(scalars)
    return {name: float(np.mean([one[name] for one in fetched])) for name in fetched[0]}


def _write(log: Any, values: dict[str, float]) -> None:
    if jax.process_index() == 0:
        rounded = {name: round(v, 6) if isinstance(v, float) else v for name, v in values.items()}
        log.write(json.dumps(rounded) + "\n")
        log.flush()


def _describe_run(folder: Path, config: dict[str, Any]) -> None:
    """What this run is, in json; an earlier description of the same folder is kept beside it."""
    if jax.process_index() != 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=1, default=str)
    path = folder / "config.json"
    if path.exists() and path.read_text() != text:
        path.rename(folder / f"config.before-{int(time.time())}.json")
    path.write_text(text)
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        git = ["git", "-C", str(Path(__file__).parent)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        diff = subprocess.run([*git, "diff", "HEAD"], capture_output=True, text=True, check=True)
        code = {"commit": commit.stdout.strip(), "diff": diff.stdout, "jax": jax.__version__}
        (folder / "code.json").write_text(json.dumps(code, indent=1))


def _line(means: dict[str, float]) -> str:
    shown = {k: v for k, v in means.items() if k in ("loss", "mpjpe_mm", "root_mm")}
    return "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
