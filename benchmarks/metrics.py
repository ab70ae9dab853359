"""How fast the metrics are: ten minutes of motion, and as many frames in short clips.

    python benchmarks/metrics.py

The limit to hold: all scores of 10 minutes (18,000 frames at 30 fps, 38 points) in under 2 s on two cores.

The metrics are NumPy in float64. Beside them stands what the dearest one, ``pa_mpjpe``, costs jitted by JAX
in float64: in ten minutes of motion that saves a tenth of a second, and every new length of clip is compiled
again, for longer than NumPy takes over the ten minutes. So nothing is jitted, and nothing forces JAX's global
switch to float64 on a user.

The loops are the tests' reference (``tests/test_metrics_reference.py``) on fewer frames; their time is
linear. Where other programs run, compare CPU seconds, of all threads together.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from lift2to3.compare.motions import compare_motions
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.metrics import pa_mpjpe
from lift2to3.motion import BodyMotion
from lift2to3.scores import combine, evaluate_motion
from lift2to3.skeletons import CANONICAL
from lift2to3.walk import synthetic_walk

FPS = 30.0
REFERENCE = Path(__file__).parents[1] / "tests" / "test_metrics_reference.py"


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        minutes: of the long clip.
        clips, frames: how many short ones of how many frames.
        loop_frames: of the clip that the loops are timed on.
        repeats: runs per median.
        out: a json file for the figures; None prints only.
    """

    minutes: float = 10.0
    clips: int = 74
    frames: int = 240
    loop_frames: int = 300
    repeats: int = 5
    out: Path | None = None


def walking_pair(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """A walk and a guess of it, both (time, 38, 3) metres: a walk of a minute, over and over."""
    rng = np.random.default_rng(0)
    minute = synthetic_walk(min(frames / FPS, 60.0), FPS, turn_radius_m=3.0)
    true = minute[np.arange(frames) % len(minute)]
    return true + 0.03 * rng.normal(size=true.shape), true


def body_of(frames: int, seed: int) -> BodyMotion:
    """A body that turns at random; only its cost matters here."""
    rng = np.random.default_rng(seed)
    turns = np.linalg.qr(rng.normal(size=(frames, 22, 3, 3)))[0]
    turns *= np.sign(np.linalg.det(turns))[..., None, None]
    root = 0.01 * rng.normal(size=(frames, 3)).cumsum(0)
    return BodyMotion(root, turns, load_body_prior().rest_offsets, FPS, np.ones(frames, bool))


@jax.jit
def jitted_pa_mpjpe(predicted: jax.Array, true: jax.Array) -> jax.Array:
    """`lift2to3.metrics.pa_mpjpe` of points without gaps, as one compiled function."""
    source = predicted - predicted.mean(1, keepdims=True)
    target = true - true.mean(1, keepdims=True)
    covariance = jnp.einsum("tpi,tpj->tij", target, source)
    left, singular, right = jnp.linalg.svd(covariance)
    sign = jnp.ones_like(singular).at[:, 2].set(jnp.sign(jnp.linalg.det(left) * jnp.linalg.det(right)))
    rotation = jnp.einsum("tij,tj,tjk->tik", left, sign, right)
    scale = (singular * sign).sum(-1) / (source**2).sum((1, 2))
    moved = scale[:, None, None] * jnp.einsum("tij,tpj->tpi", rotation, source)
    return 1000.0 * jnp.linalg.norm(moved - target, axis=-1).mean(-1)


class Timing(NamedTuple):
    """Medians over runs, seconds."""

    wall: float
    cpu: float


def seconds(run: Callable[[], Any], repeats: int) -> Timing:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return Timing(*(statistics.median(column) for column in zip(*times, strict=True)))


def reference() -> ModuleType:
    """The tests' loops."""
    spec = importlib.util.spec_from_file_location("reference", REFERENCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(config: Config) -> dict[str, dict[str, float]]:
    """Time everything in one run, print the table and return the figures."""
    frames = round(config.minutes * 60 * FPS)
    long, short, few = (walking_pair(count) for count in (frames, config.frames, config.loop_frames))
    bodies = body_of(frames, 0), body_of(frames, 0)
    minutes = f"{config.minutes:g} min"
    figures = {
        f"{minutes}, scores of points": seconds(
            lambda: evaluate_motion(*long, CANONICAL, FPS), config.repeats
        ),
        f"{minutes}, compare_motions of bodies": seconds(lambda: compare_motions(*bodies), config.repeats),
        f"{config.clips} clips of {config.frames} frames": seconds(
            lambda: combine(evaluate_motion(*short, CANONICAL, FPS) for _ in range(config.clips)),
            config.repeats,
        ),
        f"{minutes}, pa_mpjpe": seconds(lambda: pa_mpjpe(*long), config.repeats),
    }
    with jax.enable_x64(True):
        pair = tuple(jnp.asarray(points) for points in long)
        first = seconds(lambda: jitted_pa_mpjpe(*pair).block_until_ready(), 1)
        figures[f"{minutes}, pa_mpjpe jitted"] = seconds(
            lambda: jitted_pa_mpjpe(*pair).block_until_ready(), config.repeats
        )
        figures[f"{minutes}, pa_mpjpe jitted, first call"] = first
        np.testing.assert_allclose(jitted_pa_mpjpe(*pair), pa_mpjpe(*long), rtol=1e-9)
    loops = seconds(lambda: reference().slow_values(*few, FPS), 1)
    vector = seconds(lambda: evaluate_motion(*few, CANONICAL, FPS), config.repeats)
    figures |= {
        f"{config.loop_frames} frames, loops": loops,
        f"{config.loop_frames} frames, scores of points": vector,
    }
    table = Table("what", "seconds", "CPU seconds")
    for name, value in figures.items():
        table.add_row(name, f"{value.wall:.3f}", f"{value.cpu:.3f}")
    Console().print(table)
    Console().print(f"loops take {loops.cpu / vector.cpu:.0f} times as long")
    record = {name: value._asdict() for name, value in figures.items()}
    if config.out is not None:
        config.out.write_text(json.dumps(record, indent=1))
    return record


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
