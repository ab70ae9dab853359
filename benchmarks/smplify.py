"""How fast the optimisation baseline's solver is beside SciPy's, on the same problems from the same poses.

    python benchmarks/smplify.py

A problem is 120 frames of 22 joints' rotations, the root's place and the bones' shape (8,289 unknowns), as
`lift2to3.pipeline.refine_body` makes it from noisy keypoints of a walk, where its search ends. SciPy's
`least_squares` gets the exact Jacobian as a sparse matrix (columns of frames that share no residual are
differentiated at once) and the settings that were fastest: "trf" with "lsmr" at its own tolerances, unscaled
unknowns, done when a step lowers the cost by less than 1e-4 of it. Ours goes on to 1e-5. Five minutes on two
CPU cores; ``--problems 2`` tries it. To hold there: 3 s a problem, and a tenth of SciPy's time at equal or
lower cost.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix

from lift2to3 import Camera, Keypoints, as_keypoints
from lift2to3.conventions import MODEL_FPS
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.pose_problem import (
    SHAPES,
    UNKNOWNS,
    Posed,
    PosePrior,
    Problem,
    Weights,
    residuals,
    stepped,
)
from lift2to3.fit.pose_solver import solve
from lift2to3.fit.smplify_search import search
from lift2to3.fit.smplify_terms import (
    SmplifyConfig,
    pose_prior,
    seen_clip,
    shape_precision,
    weights_at,
    window_problem,
)
from lift2to3.geometry.cameras import View, look_at
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.pipeline.canonical_clip import canonical_clip
from lift2to3.pipeline.refine_body import optimise
from lift2to3.skeletons import get_skeleton
from lift2to3.walk import synthetic_walk

FRAMES = 120
SETTLED, SCIPY_SETTLED = 1e-5, 1e-4
SPAN = {"planted": 2, "rates": 2, "changes": 3, "shape": 0}
"""Frames that a residual of this term depends on, where it is not one."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        problems: walks of different people, paths and cameras.
        repeats: of our solver's timing; SciPy runs once.
        noise_px: deviation of the keypoints' errors.
        out: a json file for the figures; None prints only.
    """

    problems: int = 12
    repeats: int = 3
    noise_px: float = 4.0
    out: Path | None = None


def filmed_walk(seed: int, noise_px: float) -> tuple[Keypoints, Camera]:
    """Noisy keypoints of somebody who walks, and the camera."""
    draw = np.random.default_rng(seed)
    points = synthetic_walk(
        FRAMES / MODEL_FPS, MODEL_FPS, draw.uniform(1.55, 1.9), draw.uniform(0.8, 1.6),
        draw.choice([-1, 1]) * draw.uniform(2, 8), (0.0, 0.0), draw.uniform(0, 2 * np.pi),
    )  # fmt: skip
    middle = points.mean((0, 1))
    azimuth = draw.uniform(0, 2 * np.pi)
    centre = middle + 7.0 * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    centre[2] = draw.uniform(0.8, 2.5)
    rotation = np.asarray(look_at(jnp.asarray(centre), jnp.asarray(middle), 0.0).cam_from_world, float)
    u, _, vt = np.linalg.svd(rotation)  # single precision → orthonormal
    K = np.array([[1200.0, 0, 960], [0, 1200.0, 540], [0, 0, 1]])
    camera = Camera(K, u @ vt, -(u @ vt) @ centre, (1920, 1080))
    pixels = camera.project(points) + noise_px * draw.standard_normal((*points.shape[:2], 2))
    rows = get_skeleton("smpl22").rows
    return as_keypoints(pixels[:, rows], skeleton="smpl22", fps=MODEL_FPS), camera


class Task(NamedTuple):
    """A start, and what is to be made least from there."""

    posed: Posed
    problem: Problem
    weights: Weights


def task_of(prior: PosePrior, keypoints: Keypoints, camera: Camera) -> Task:
    """The first problem that the baseline solves at full rate, begun where its search ends."""
    config, bones = SmplifyConfig(), load_body_prior().rest_offsets.astype(float)
    seen = canonical_clip(keypoints, camera, MultiViewConfig())
    clip = seen_clip(View(*map(jnp.asarray, seen.view)), seen.n, seen.confidence, config)
    poses, shape = search(clip, bones, prior, config)
    problem = window_problem(clip, np.arange(FRAMES), clip.standing, bones, shape_precision(config), config)
    return Task(poses.at(np.arange(FRAMES), shape), problem, weights_at(config, MODEL_FPS, config.robust))


# --- SciPy's side

Errors = Callable[[np.ndarray], np.ndarray]
Slopes = Callable[[np.ndarray], csr_matrix]


def as_scipy_wants(task: Task, prior: PosePrior) -> tuple[Errors, Slopes]:
    """The residuals, and their sparse Jacobian, as functions of a step away from the task's poses.

    A frame's residuals reach two frames ahead at most: unknowns of every third frame are differentiated
    together, so that 3 · 69 + 9 directions give the whole Jacobian. Entries that are always 0 are left out.
    """
    unknowns, shapes = FRAMES * UNKNOWNS, len(SHAPES)

    def by_term(step: jax.Array) -> dict[str, jax.Array]:
        moved = stepped(task.posed, step[:unknowns].reshape(FRAMES, UNKNOWNS), step[unknowns:])
        return residuals(moved, task.problem, prior, task.weights)

    errors = jax.jit(lambda step: jnp.concatenate([part.ravel() for part in by_term(step).values()]))
    seeds = np.zeros((3 * UNKNOWNS + shapes, unknowns + shapes), np.float32)
    column = np.arange(unknowns)
    seeds[column // UNKNOWNS % 3 * UNKNOWNS + column % UNKNOWNS, column] = 1
    seeds[3 * UNKNOWNS + np.arange(shapes), unknowns + np.arange(shapes)] = 1
    along = jax.jit(lambda step: jax.vmap(lambda seed: jax.jvp(errors, (step,), (seed,))[1])(seeds))

    first, span = [], []  # frame of each residual, and how many it depends on
    for name, part in by_term(jnp.zeros(unknowns + shapes)).items():
        frames = (
            np.arange(part.size) // max(1, part.size // len(part)) if name != "shape" else np.zeros(shapes)
        )
        first.append(frames.astype(int))
        span.append(np.full(part.size, SPAN.get(name, 1)))
    first, span = np.concatenate(first), np.concatenate(span)
    draw = np.random.default_rng(0)
    tried = [np.asarray(along(0.02 * draw.standard_normal(unknowns + shapes, np.float32))) for _ in range(2)]
    seed_of, row = np.nonzero(np.abs(tried).max(0))
    ahead = (seed_of // UNKNOWNS - first[row]) % 3
    of_shape = seed_of >= 3 * UNKNOWNS
    kept = of_shape | (ahead < span[row])
    assert kept.all(), "a residual depends on frames that it should not"
    columns = np.where(
        of_shape, unknowns + seed_of - 3 * UNKNOWNS, (first[row] + ahead) * UNKNOWNS + seed_of % UNKNOWNS
    )
    size = len(first), unknowns + shapes

    def slopes(step: np.ndarray) -> csr_matrix:
        values = np.asarray(along(jnp.asarray(step, jnp.float32)), float)[seed_of, row]
        return csr_matrix((values, (row, columns)), size)

    return lambda step: np.asarray(errors(jnp.asarray(step, jnp.float32)), float), slopes


# --- both


class Result(NamedTuple):
    """Of one problem: half the residuals' sum of squares where each ends, seconds, and steps tried."""

    start_cost: float
    our_cost: float
    scipy_cost: float
    our_seconds: float
    scipy_seconds: float
    our_steps: int
    scipy_steps: int


def compare(task: Task, prior: PosePrior, config: Config) -> Result:
    """Solve one problem with both; everything is compiled before its time is taken."""

    def ours() -> tuple[float, int]:
        _, energy, steps = solve(task.posed, task.problem, prior, task.weights, 200, SETTLED)
        return float(energy), int(steps)

    ours()
    taken = []
    for _ in range(config.repeats):
        begin = time.perf_counter()
        cost, steps = ours()
        taken.append(time.perf_counter() - begin)
    errors, slopes = as_scipy_wants(task, prior)
    zero = np.zeros(FRAMES * UNKNOWNS + len(SHAPES))
    start_cost = 0.5 * float((errors(zero) ** 2).sum())
    begin = time.perf_counter()
    theirs = least_squares(
        errors, zero, slopes,  # pyright: ignore[reportArgumentType]: a callable is one of the Jacobian's kinds
        tr_solver="lsmr", ftol=SCIPY_SETTLED, xtol=1e-12, gtol=1e-12,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    return Result(start_cost, cost, theirs.cost, float(np.median(taken)), seconds, steps, theirs.nfev)


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main(config: Config) -> dict[str, float]:
    """Measure and print."""
    console, prior = Console(width=120), pose_prior(SmplifyConfig())
    walks = [filmed_walk(seed, config.noise_px) for seed in range(config.problems)]
    first_lift = timed(lambda: optimise(*walks[0]))
    lifts = [timed(lambda walk=walk: optimise(*walk)) for walk in walks]
    table = Table(
        "problem", "cost at start", "ours", "SciPy", "ours, s", "SciPy, s", "ratio", "ours, steps",
        "SciPy, steps",
        title=f"{FRAMES} frames, {FRAMES * UNKNOWNS + len(SHAPES)} unknowns",
    )  # fmt: skip
    results = []
    for number, walk in enumerate(track(walks, "solving", transient=True)):
        one = compare(task_of(prior, *walk), prior, config)
        results.append(one)
        table.add_row(
            str(number), f"{one.start_cost:.1f}", f"{one.our_cost:.2f}", f"{one.scipy_cost:.2f}",
            f"{one.our_seconds:.3f}", f"{one.scipy_seconds:.2f}",
            f"{one.our_seconds / one.scipy_seconds:.4f}",
            str(one.our_steps), str(one.scipy_steps),
        )  # fmt: skip
    console.print(table)
    figures = {
        "problems": len(results),
        "our_seconds_median": np.median([one.our_seconds for one in results]),
        "our_seconds_worst": np.max([one.our_seconds for one in results]),
        "scipy_seconds_median": np.median([one.scipy_seconds for one in results]),
        "ratio_median": np.median([one.our_seconds / one.scipy_seconds for one in results]),
        "ratio_worst": np.max([one.our_seconds / one.scipy_seconds for one in results]),
        "cost_ratio_median": np.median([one.our_cost / one.scipy_cost for one in results]),
        "cost_ratio_worst": np.max([one.our_cost / one.scipy_cost for one in results]),
        "first_lift_s": first_lift,
        "warm_lift_s": np.median(lifts),
    }
    figures = {name: round(float(value), 4) for name, value in figures.items()}
    console.print(figures)
    if config.out is not None:
        rows = [one._asdict() for one in results]
        config.out.write_text(json.dumps({"figures": figures, "problems": rows}, indent=1) + "\n")
    return figures


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
