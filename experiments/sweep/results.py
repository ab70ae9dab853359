"""What the sweep's folders hold: scores, costs and curves of what is done, reasons for what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from experiments.sweep.rows import Size, Task, folder_of, needs, result_of

Curve = list[tuple[int, float]]
"""(step, validation root error in mm) as logged."""


class Result(NamedTuple):
    """What is known of a row at one seed: its scores per format and noise, or why there are none."""

    scores: dict[tuple[str, str], dict[str, float | None]]
    missing: str | None


def result_at(row: str, seed: int, size: Size, run: Path) -> Result:
    """A row's scores at a seed, or what became of them."""
    task: Task | None = Task("score", row, seed)
    path = result_of(task, run)
    if path.exists():
        scores = json.loads(path.read_text())
        return Result({(one["skeleton"], one["noise"]): one for one in scores}, None)
    while task is not None:
        marker = folder_of(task, run) / "failed.txt"
        if marker.exists():
            return Result({}, f"failed ({task}): {marker.read_text()}")
        task = needs(task, size)
    return Result({}, "not done")


def _json_lines(path: Path) -> list[dict[str, Any]]:
    """What a file holds, a line each; nothing if it is not there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def cost_of(task: Task | None, run: Path) -> tuple[float, str]:
    """Minutes that a task took, over all times it ran, and on what."""
    lines = [] if task is None else _json_lines(folder_of(task, run) / "cost.jsonl")
    if not lines:
        return 0.0, "–"
    cores, device = lines[-1]["cores"], lines[-1]["device"]
    where = f"{cores} core{'s' * (cores != 1)}" if device == "cpu" else device
    return sum(line["seconds"] for line in lines) / 60, where


def curve_of(row: str, seed: int, size: Size, run: Path) -> Curve:
    """The validation root error of a row's finetuning, step by step; empty where there is no log."""
    task = needs(Task("score", row, seed), size)
    lines = [] if task is None else _json_lines(folder_of(task, run) / "metrics.jsonl")
    error = "val_val_root_error"
    # a run that was stopped and resumed logs some steps twice: the later ones count
    return sorted({line["step"]: line[error] for line in lines if error in line}.items())


def share_of_steps(with_it: Curve, without: Curve) -> float | None:
    """At what share of its steps the first curve reaches the second one's last error; None: never."""
    goal = without[-1][1]
    reached = [step for step, error in with_it if error <= goal]
    return reached[0] / with_it[-1][0] if reached else None
