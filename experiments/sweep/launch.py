"""How the sweep's tasks get done: in this process, in several local ones, or as Slurm jobs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.sweep.rows import Task

PROGRAM = (sys.executable, "-m", "experiments.sweep")
_POLL_S = 0.2
_STOP_S = 10.0

Before = Mapping[Task, Task]
"""Task → the one that must be done before it; tasks that need nothing that is left are not there."""


def run_inline(tasks: Sequence[Task], before: Before, do: Callable[[Task], None], console: Console) -> None:
    """One after the other, in order; a task that fails stops those alone that need it."""
    failed: set[Task] = set()
    with _progress(len(tasks), console) as show:
        for done, task in enumerate(tasks):
            show(done, str(task))
            if before.get(task) in failed:
                failed.add(task)
                continue
            try:
                do(task)
            except Exception as error:
                failed.add(task)
                console.print(f"failed: {task}: {error}", style="red", markup=False)
        show(len(tasks), "")


def run_local(
    tasks: Sequence[Task],
    before: Before,
    commands: Mapping[Task, Sequence[str]],
    folders: Mapping[Task, Path],
    jobs: int,
    gpus: Sequence[int],
    console: Console,
) -> None:
    """Several processes at once, each with its share of the cores or its GPU, its log in its folder.

    Interrupted, it stops its processes before it goes; what they were doing resumes next time.

    Raises:
        ValueError: ``jobs`` below 1.
    """
    if jobs < 1:
        raise ValueError(f"--jobs: wanted 1 or more, found {jobs}")
    slots = len(gpus) or jobs
    waiting, failed, finished = list(tasks), set[Task](), 0
    running: dict[int, tuple[Task, subprocess.Popen[bytes]]] = {}
    with _progress(len(tasks), console) as show, _stopping(running):
        while waiting or running:
            for slot, (task, process) in list(running.items()):
                if process.poll() is not None:
                    del running[slot]
                    finished += 1
                    if process.returncode:
                        failed.add(task)
                        why = _mark_failed(folders[task], process.returncode)
                        console.print(f"failed: {task}: {why}", style="red", markup=False)
            for task in [task for task in waiting if before.get(task) in failed]:
                waiting.remove(task)
                failed.add(task)
                finished += 1
            undone = {*waiting, *(task for task, _ in running.values())}
            ready = [task for task in waiting if before.get(task) not in undone]
            for slot, task in zip([s for s in range(slots) if s not in running], ready, strict=False):
                waiting.remove(task)
                running[slot] = task, _start(commands[task], folders[task], slot, slots, gpus)
            show(finished, "; ".join(f"{task}{_steps(folders[task])}" for task, _ in running.values()))
            time.sleep(_POLL_S)


def _start(
    command: Sequence[str], folder: Path, slot: int, slots: int, gpus: Sequence[int]
) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | ({"CUDA_VISIBLE_DEVICES": str(gpus[slot])} if gpus else {})
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [*PROGRAM, *command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True,  # Ctrl+C reaches this process, which stops the others
        )  # fmt: skip
    if slots > 1 and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        share = cores[slot::slots] or [cores[slot % len(cores)]]
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process.pid, share)
    return process


@contextlib.contextmanager
def _stopping(running: Mapping[int, tuple[Task, subprocess.Popen[bytes]]]) -> Iterator[None]:
    """However the block is left, by SIGTERM too, no process outlives it."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        processes = [process for _, process in running.values()]
        for process in processes:
            process.send_signal(signal.SIGINT)
        until = time.monotonic() + _STOP_S
        for process in processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _mark_failed(folder: Path, code: int) -> str:
    """Why a process failed, kept in its folder: what it left there itself, or the last line of its log."""
    marker = folder / "failed.txt"
    if not marker.exists():
        lines = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
        marker.write_text(f"exit code {code}: {lines[-1] if lines else 'nothing in its log'}")
    return marker.read_text()


def _steps(folder: Path) -> str:
    """How far a training is, from the last line that it logged."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    with contextlib.suppress(ValueError, IndexError, KeyError):
        return f" ({json.loads(lines[-1])['step']} steps)"
    return ""


@contextlib.contextmanager
def _progress(total: int, console: Console) -> Iterator[Callable[[int, str], None]]:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as bar:
        line = bar.add_task("", total=total)
        yield lambda done, text: bar.update(line, completed=done, description=text)


def submit_slurm(
    tasks: Sequence[Task],
    before: Before,
    do: Callable[[Task], None],
    folders: Mapping[Task, Path],
    options: Sequence[str],
    console: Console,
) -> dict[Task, str]:
    """Submit a job for each task through submitit; each waits for what it needs. Returns the job numbers.

    A task's folder holds its job's script, pickled call and log.

    Raises:
        ValueError: no submitit, no Slurm, or ``sbatch`` refuses a job.
    """
    try:
        import submitit
    except ImportError as error:
        raise ValueError("--launcher slurm needs submitit: pip install '.[sweep]'") from error
    split = [option.removeprefix("--").partition("=") for option in options]
    asked = {name: value if equals else True for name, equals, value in split}
    numbers: dict[Task, str] = {}
    for task in tasks:
        waits = {"dependency": f"afterok:{numbers[before[task]]}"} if task in before else {}
        # a job whose need has failed would wait for ever
        more = {"kill-on-invalid-dep": "yes"} | waits | asked
        try:
            executor = submitit.SlurmExecutor(folders[task])
            executor.update_parameters(
                job_name=f"{task.kind}-{folders[task].name}", time=None, stderr_to_stdout=True,
                additional_parameters=more,
            )  # fmt: skip
            numbers[task] = executor.submit(do, task).job_id
        except (RuntimeError, OSError) as error:
            raise ValueError(f"--launcher slurm: {task}: {error}") from error
        console.print(f"{numbers[task]}  {task}", markup=False)
    return numbers
