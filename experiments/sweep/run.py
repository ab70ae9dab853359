"""The sweep's tasks: what each does and depends on, and doing all that are left."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import time
from pathlib import Path
from typing import Any, Literal

import jax
import tyro
from rich.console import Console

from experiments.evaluate import finite_or_none, score
from experiments.methods import quietly
from experiments.protocol import evenly, load_rigs, trials
from experiments.sweep.launch import run_inline, run_local, submit_slurm
from experiments.sweep.report import write_report
from experiments.sweep.rows import (
    ROWS,
    SIZES,
    Size,
    SizeName,
    Task,
    finetuning_config,
    folder_of,
    needs,
    pretraining_config,
    recipe_of,
    result_of,
    tasks_of,
)
from experiments.train import main as train
from lift2to3 import Lifter
from lift2to3.data.dataset import load_clips
from lift2to3.disk_cache import use_disk_cache
from lift2to3.scores import combine
from lift2to3.whole_file import whole_file

NOISES = ("gt", "noisy")


@dataclasses.dataclass(frozen=True)
class Config:
    """What to do, where, and how much of it at once.

    Attributes:
        data: a prepared folder with train and val splits.
        cameras: json list of real calibrations, for the evaluation.
        run: the folder of all runs, scores and logs; what is done there is not done again.
        size: of models, trainings and evaluation (`experiments.sweep.rows.SIZES`).
        only: these rows; all by default.
        steps: finetuning steps of one budget, in place of the size's.
        launcher: "local" starts a process a task, "slurm" a batch job a task, "inline" does one after
            the other in this process, "report" does nothing but write what is done.
        jobs: processes at once (local). On a CPU each gets its share of the cores.
        gpus: devices for them, one each; then ``jobs`` is their number.
        slurm: options of every batch job, as in ``#SBATCH``; needs the ``sweep`` extra (submitit).
        write: the table as Markdown; its plot goes beside it as png.
        task: kind, row and seed: do this task alone. What launchers start.
    """

    data: Path
    cameras: Path
    run: Path = Path("runs/sweep")
    size: SizeName = "small"
    only: tuple[str, ...] = ()
    steps: int | None = None
    launcher: Literal["local", "slurm", "inline", "report"] = "local"
    jobs: int = 1
    gpus: tuple[int, ...] = ()
    slurm: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    write: Path | None = None
    task: tuple[Literal["pretrain", "finetune", "score"], str, int] | None = None


def size_of(config: Config) -> Size:
    """The size that was asked for."""
    size = SIZES[config.size]
    if config.steps is None:
        return size
    windows, optimiser = size.finetuning
    return dataclasses.replace(size, finetuning=(windows, dataclasses.replace(optimiser, steps=config.steps)))


def training_of(task: Task, config: Config) -> Any:
    """The configuration of a task that trains."""
    folder, size = folder_of(task, config.run), size_of(config)
    if task.kind == "pretrain":
        return pretraining_config(task.row, task.seed, size, config.data, folder)
    before = needs(task, size)
    pretrained = None if before is None else result_of(before, config.run)
    return finetuning_config(task.row, task.seed, size, config.data, folder, pretrained)


def description_of(task: Task, config: Config) -> dict[str, Any]:
    """All that a task's result depends on, as json has it."""
    size = size_of(config)
    if task.kind != "score":
        whole = dataclasses.asdict(training_of(task, config))
        return json.loads(json.dumps({k: v for k, v in whole.items() if k != "run"}, default=str))
    asked = {
        "recipe": dataclasses.asdict(recipe_of(task.row, size)),
        "skeletons": ROWS[task.row].skeletons,
        "noises": NOISES, "clips": size.clips, "cameras_per_clip": size.cameras,
        "data": config.data, "cameras": config.cameras,
    }  # fmt: skip
    return json.loads(json.dumps(asked, default=str))


def check_unchanged(task: Task, config: Config) -> None:
    """Hold a task's folder against what is asked for now.

    Raises:
        ValueError: it holds something else's results; the settings that differ are named.
    """
    path = folder_of(task, config.run) / "task.json"
    if not path.exists():
        return
    there, asked = (_flat(d) for d in (json.loads(path.read_text()), description_of(task, config)))
    if there == asked:
        return
    differ = [k for k in sorted(there | asked) if there.get(k) != asked.get(k)]
    differences = "; ".join(f"{k}: {there.get(k)} there, {asked.get(k)} asked for" for k in differ[:3])
    more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
    raise ValueError(
        f"{path.parent} holds a run of another configuration ({differences}{more}); "
        "give another --run, or remove that folder"
    )


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested json as path → leaf."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {k: v for name, value in values.items() for k, v in _flat(value, f"{prefix}{name}.").items()}


def score_row(task: Task, config: Config) -> list[dict[str, Any]]:
    """A row's metrics on the validation protocol: one dictionary per format and noise."""
    size, row = size_of(config), ROWS[task.row]
    recipe, before = recipe_of(task.row, size), needs(task, size)
    assert before is not None
    trained = Lifter.from_pretrained(result_of(before, config.run))
    lifter = trained.changed(multiview=recipe.multiview)
    clips = evenly(load_clips(config.data, "val"), size.clips)
    chosen = list(trials(clips, load_rigs(config.cameras), size.cameras))
    lift = quietly(lifter, steps=recipe.sampling_steps, feet=False)
    rows = []
    for skeleton in row.skeletons:
        for noise in NOISES:
            scores = combine(score(lift, trial, skeleton, noise) for trial in chosen)
            rows.append({"skeleton": skeleton, "noise": noise, **finite_or_none(scores)})
    return rows


def do(task: Task, config: Config) -> None:
    """Do one task in this process, unless it is done; an error is left in its folder and raised again.

    Raises:
        ValueError: the folder holds a run of another configuration.
        FileNotFoundError: what the task needs is not there.
    """
    folder, result = folder_of(task, config.run), result_of(task, config.run)
    check_unchanged(task, config)
    if result.exists():
        return
    before = needs(task, size_of(config))
    if before is not None and not result_of(before, config.run).exists():
        raise FileNotFoundError(f"{task}: {before} must be done first; {result_of(before, config.run)}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_text(json.dumps(description_of(task, config), indent=1))
    (folder / "failed.txt").unlink(missing_ok=True)
    use_disk_cache()
    jax.config.update("jax_disable_most_optimizations", config.size == "smoke")  # it compiles, mostly
    start = time.monotonic()
    try:
        match task.kind:
            case "pretrain" | "finetune":
                train(training_of(task, config))
            case "score":
                scores = score_row(task, config)
                with whole_file(result) as part:
                    part.write_text(json.dumps(scores, indent=1))
    except Exception as error:
        (folder / "failed.txt").write_text(f"{type(error).__name__}: {error}")
        raise
    finally:
        cost = {"seconds": time.monotonic() - start, "cores": _cores(), "device": jax.devices()[0].platform}
        with (folder / "cost.jsonl").open("a") as log:  # a line each time it ran
            log.write(json.dumps(cost) + "\n")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command_of(task: Task, config: Config) -> list[str]:
    """The arguments with which ``experiments.sweep`` does one task."""
    return [
        "--data", str(config.data), "--cameras", str(config.cameras), "--run", str(config.run),
        "--size", config.size, *(["--steps", str(config.steps)] if config.steps is not None else []),
        "--task", task.kind, task.row, str(task.seed),
    ]  # fmt: skip


def main(config: Config) -> None:
    """Do the tasks of the rows that are asked for, and write what is done.

    Raises:
        ValueError: an unknown row, or folders that hold runs of another configuration.
    """
    unknown = set(config.only) - set(ROWS)
    if unknown:
        raise ValueError(f"--only: no row {', '.join(sorted(unknown))}; wanted some of: {', '.join(ROWS)}")
    if config.task is not None:
        return do(Task(*config.task), config)
    rows, size = config.only or tuple(ROWS), size_of(config)
    tasks = tasks_of(rows, size)
    for task in tasks:
        check_unchanged(task, config)
    left = [task for task in tasks if not result_of(task, config.run).exists()]
    before = {task: found for task in left if (found := needs(task, size)) is not None and found in left}
    folders = {task: folder_of(task, config.run) for task in left}
    commands = {task: command_of(task, config) for task in left}
    console = Console()
    console.print(f"{len(tasks) - len(left)} of {len(tasks)} tasks are done in {config.run}")
    match config.launcher:
        case "inline":
            run_inline(left, before, functools.partial(do, config=config), console)
        case "local":
            run_local(left, before, commands, folders, config.jobs, config.gpus, console)
        case "slurm":
            submit_slurm(left, before, functools.partial(do, config=config), folders, config.slurm, console)
            console.print("when they are done, --launcher report writes the table")
            return
        case "report":
            pass
    asked = config.size if config.steps is None else f"{config.size} --steps {config.steps}"
    write_report(rows, size, config.run, asked, config.write, console)
