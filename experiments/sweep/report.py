"""The sweep's results as one table, one plot and one json: what is done, what failed, what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.sweep.plot import draw
from experiments.sweep.results import (
    Curve,
    Result,
    cost_of,
    curve_of,
    result_at,
    share_of_steps,
)
from experiments.sweep.rows import (
    POINTMAP_PAIRS,
    ROWS,
    Size,
    Task,
    finetuning_config,
    needs,
    recipe_of,
    seeds_of,
)
from lift2to3.data.windows import WindowConfig
from lift2to3.training.state import OptimiserConfig
from lift2to3.whole_file import whole_file

SHOWN = {
    "pa_mpjpe": "PA-MPJPE", "mpjpe": "MPJPE", "abs_mpjpe": "Abs-MPJPE",
    "root_error": "root", "accel": "accel",
}  # fmt: skip
_COMPARED = ("mpjpe", "abs_mpjpe")


def mean_and_spread(values: Sequence[float]) -> str:
    """Mean ± the largest distance of a value from it; one value stands alone."""
    mean = float(np.mean(values))
    return f"{mean:.1f}" + (f" ± {np.abs(np.array(values) - mean).max():.1f}" if len(values) > 1 else "")


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def table_lines(rows: Sequence[str], size: Size, run: Path) -> list[list[str]]:
    """The table as text, a header first: a line per row and format."""
    results = {row: [result_at(row, seed, size, run) for seed in seeds_of(row, size)] for row in ROWS}
    header = ["row", "2D", "seeds"]
    header += [f"{name}, {noise}" for noise in ("gt", "noisy") for name in SHOWN.values()]
    header += ["against", *(f"Δ {SHOWN[name]}, gt" for name in _COMPARED), "steps", "minutes", "on"]
    lines = [header]
    for row in rows:
        trained = needs(Task("score", row, 0), size)
        assert trained is not None
        config = finetuning_config(trained.row, 0, size, Path(), Path(), None)
        costs = [cost_of(trained._replace(seed=seed), run) for seed in seeds_of(row, size)]
        shared = "" if trained.row == row else f"as {trained.row}"
        minutes = shared or f"{np.mean([minutes for minutes, _ in costs]):.1f}"
        cost = [f"{config.loop.optimiser.steps}", minutes, costs[0][1]]
        for skeleton in ROWS[row].skeletons:
            done = [result for result in results[row] if result.missing is None]
            cells = []
            for noise in ("gt", "noisy"):
                for name in SHOWN:
                    values = _finite([result.scores[skeleton, noise][name] for result in done])
                    cells.append(mean_and_spread(values) if values else "–")
            other = ROWS[row].against if row != "full" else ""
            changes = [
                _change(results[row], results[other], skeleton, name) if other else "" for name in _COMPARED
            ]
            count = len(seeds_of(row, size))
            seeds = f"{len(done)}" if len(done) == count else f"{len(done)} of {count}"
            if any((result.missing or "").startswith("failed") for result in results[row]):
                seeds += ", failed"
            lines.append([row, skeleton, seeds, *cells, other, *changes, *cost])
    return lines


def _change(these: Sequence[Result], others: Sequence[Result], skeleton: str, name: str) -> str:
    """Mean difference over the seeds that both have."""
    pairs = [
        (a.scores[skeleton, "gt"][name], b.scores[skeleton, "gt"][name])
        for a, b in zip(these, others, strict=False)
        if (skeleton, "gt") in a.scores and (skeleton, "gt") in b.scores
    ]
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    return f"{np.mean(differences):+.1f}" if differences else "–"


def missing_lines(rows: Sequence[str], size: Size, run: Path) -> list[str]:
    """A line for each row and seed without scores, with the reason."""
    return [
        f"{row}, seed {seed}: {missing}"
        for row in rows
        for seed in seeds_of(row, size)
        if (missing := result_at(row, seed, size, run).missing) is not None
    ]


def convergence_lines(size: Size, run: Path) -> list[str]:
    """Whether pointmaps halve the steps to the same movement error, pair by pair and seed by seed."""
    lines = []
    for with_it, without in POINTMAP_PAIRS:
        for seed in sorted({*seeds_of(with_it, size)} & {*seeds_of(without, size)}):
            ours, theirs = (curve_of(row, seed, size, run) for row in (with_it, without))
            if not (_whole(ours, with_it, size) and _whole(theirs, without, size)):
                lines.append(f"“{with_it}” and “{without}”, seed {seed}: not both trained to the end")
                continue
            share = share_of_steps(ours, theirs)
            reached = "never" if share is None else f"at {100 * share:.0f} % of the steps"
            verdict = "holds" if share is not None and share < 0.5 else "does not hold"
            lines.append(
                f"“{with_it}”, seed {seed}: without pointmaps the run ends at {theirs[-1][1]:.0f} mm; with "
                f"them that is reached {reached}, and the end is {ours[-1][1]:.0f} mm: the claim {verdict}"
            )
    once, twice = (curve_of(row, 0, size, run) for row in ("full", "without pointmaps, twice the steps"))
    if _whole(once, "full", size) and _whole(twice, "without pointmaps, twice the steps", size):
        verdict = "holds" if once[-1][1] <= twice[-1][1] else "does not hold"
        lines.append(
            "As in the paper's table, half the steps with pointmaps against all of them without, seed 0: "
            f"{once[-1][1]:.0f} mm against {twice[-1][1]:.0f} mm: the claim {verdict}"
        )
    return lines


def _whole(curve: Curve, row: str, size: Size) -> bool:
    steps = recipe_of(row, size).budgets * size.finetuning[1].steps
    return bool(curve) and curve[-1][0] == steps


_PAGE = """\
# What each design choice buys

Written by `experiments.sweep --size {size_name}`; its rows are defined in `experiments/sweep/rows.py`.

Every row is the same model, training and scoring but for what its name says. Model: {depth} blocks × {width}.
Pretraining: {pretraining}. Finetuning: {finetuning} (“twice the steps”: twice as many).
Scored on {clips} × {cameras} of protocol 1. All runs together took {minutes:.0f} core-minutes.

Errors in mm, accel in m/s²; gt and noisy are the protocol's 2D. ± is the largest distance of a seed from
the mean of the seeds, each with its own pretraining, batches and noise; a row of one seed is seed 0. Δ is
the mean difference from the row “against” over the seeds that both have (negative: better than it). A
difference smaller than the spread between seeds says nothing. Minutes are of finetuning alone, by the clock
of a machine that may have done other work beside it.

{table}

{missing}## Do pointmaps halve the training?

The paper's claim: with ground pointmaps the model gets to the movement error of the one without in less
than half of its steps. The error here is the root's: one-step samples of the averaged weights on fixed
validation windows with exact 2D. Each run's learning rate falls to the end of its own steps, which makes
an early crossing harder. “paper-like” is without our billboard and foot hits, which may tell what the
pointmaps tell.

{claim}

![Errors of every row, and the validation root error over the steps]({plot})
"""


def markdown(rows: Sequence[str], size: Size, size_name: str, run: Path, plot: str) -> str:
    """The page: what was done, the table, the claim, the plot."""
    header, *body = table_lines(rows, size, run)
    table = ["| " + " | ".join(header) + " |", "|---|---|" + "---:|" * (len(header) - 2)]
    table += ["| " + " | ".join(line) + " |" for line in body]
    costs = [
        json.loads(line) for path in run.glob("*/*/cost.jsonl") for line in path.read_text().splitlines()
    ]
    missing = missing_lines(rows, size, run)
    return _PAGE.format(
        size_name=size_name,
        depth=size.model.depth,
        width=size.model.width,
        pretraining=_length(*size.pretraining),
        finetuning=_length(*size.finetuning),
        clips="all validation clips" if size.clips is None else f"{size.clips} validation clips",
        cameras=f"{size.cameras} camera{'s' * (size.cameras != 1)}",
        minutes=sum(cost["seconds"] * cost["cores"] for cost in costs) / 60,
        table="\n".join(table),
        missing="".join(
            ["## Rows without scores\n\n", *(f"- {m}\n" for m in missing), "\n"] if missing else []
        ),
        claim="\n".join(f"- {line}." for line in convergence_lines(size, run)),
        plot=plot,
    )


def _length(windows: WindowConfig, optimiser: OptimiserConfig) -> str:
    return f"{optimiser.steps} steps of {windows.batch} windows of {windows.frames} frames"


def write_report(
    rows: Sequence[str], size: Size, run: Path, size_name: str, write: Path | None, console: Console
) -> None:
    """Show the table; write the json of all into the run folder and, if asked for, the page with its plot."""
    header, *body = table_lines(rows, size, run)
    shown = [
        0,
        1,
        2,
        *(header.index(f"{name}, {noise}") for noise in ("gt", "noisy") for name in SHOWN.values()),
    ]
    table = Table(*(header[k].replace(", ", "\n") for k in shown))
    for line in body:
        table.add_row(*(line[k] for k in shown))
    console.print(table)
    for line in [*missing_lines(rows, size, run), *convergence_lines(size, run)]:
        console.print(line, markup=False)
    everything: Mapping[str, Any] = {
        row: [
            {
                "seed": seed,
                "missing": (found := result_at(row, seed, size, run)).missing,
                "scores": list(found.scores.values()),
                "curve": curve_of(row, seed, size, run),
                "minutes": cost_of(needs(Task("score", row, seed), size), run)[0],
            }
            for seed in seeds_of(row, size)
        ]
        for row in rows
    }
    run.mkdir(parents=True, exist_ok=True)
    (run / "ablation.json").write_text(json.dumps(everything, indent=1))
    if write is not None:
        plot = write.with_suffix(".png")
        draw(rows, size, run, plot)
        with whole_file(write) as part:
            part.write_text(markdown(rows, size, size_name, run, plot.name))
