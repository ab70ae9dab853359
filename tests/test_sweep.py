"""The ablation sweep: what its rows change and share, how tasks are launched, what it makes of results."""

import dataclasses
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest
from rich.console import Console
from test_protocol import RIGS
from tiny import mocap_clip, quick_compilation, walk

from experiments.sweep import launch, report, results, rows
from experiments.sweep import run as sweep
from lift2to3 import Lifter
from lift2to3.data.packed import write_packed
from lift2to3.models.denoiser import Denoiser
from lift2to3.models.params import describe
from lift2to3.skeletons import CANONICAL
from lift2to3.training.losses import multiview_loss

SMOKE = rows.SIZES["smoke"]
Task = rows.Task


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=300)


# --- the grid


@pytest.mark.parametrize("row", [row for row in rows.ROWS if row != "full"])
def test_every_row_differs_from_the_full_model_in_what_it_names_alone(row):
    full, recipe = rows.recipe_of("full", SMOKE), rows.recipe_of(row, SMOKE)
    assert recipe != full
    assert rows.override(full, rows.ROWS[row].changes) == recipe
    assert rows.ROWS[row].against in rows.ROWS
    for field in dataclasses.fields(recipe):
        if field.name not in rows.ROWS[row].changes:
            assert getattr(recipe, field.name) == getattr(full, field.name)


def test_overriding_goes_into_nested_configs_and_refuses_what_is_not_there():
    recipe = rows.Recipe()
    changed = rows.override(recipe, {"model": {"depth": 2}, "budgets": 3})
    assert (changed.model.depth, changed.model.width, changed.budgets) == (2, recipe.model.width, 3)
    assert recipe == rows.Recipe()
    with pytest.raises(TypeError, match="heights"):
        rows.override(recipe, {"model": {"heights": 2}})


def test_rows_that_differ_in_sampling_alone_share_their_weights():
    for row in ("2 sampling steps", "20 sampling steps", "5 steps, not consistent"):
        assert rows.needs(Task("score", row, 1), SMOKE) == Task("finetune", "full", 1)
    assert rows.needs(Task("score", "1 view", 0), SMOKE) == Task("finetune", "1 view", 0)


@pytest.mark.parametrize(
    ("row", "pretrained"),
    [
        ("without pointmaps", "full"),  # G_2D has none of what these rows take away
        ("paper-like, without pointmaps", "full"),
        ("6 views", "full"),
        ("without the canonical frame", "full"),
        ("half the subjects, 2D of all", "full"),
        ("twice the steps", "full"),
        ("half the subjects", "half the subjects"),
        ("without decoupling", "without decoupling"),
        ("without format masking", "without format masking"),
        ("without pretraining", None),
    ],
)
def test_pretraining_is_shared_where_it_sees_no_difference(row, pretrained):
    wanted = None if pretrained is None else Task("pretrain", pretrained, 0)
    assert rows.needs(Task("finetune", row, 0), SMOKE) == wanted


def test_everything_is_done_once_and_after_what_it_needs():
    tasks = rows.tasks_of(tuple(rows.ROWS), SMOKE)
    assert len(set(tasks)) == len(tasks)
    assert len({rows.folder_of(task, Path("run")) for task in tasks}) == len(tasks)
    for place, task in enumerate(tasks):
        assert rows.needs(task, SMOKE) is None or rows.needs(task, SMOKE) in tasks[:place]
    assert sum(task.kind == "score" for task in tasks) == len(rows.ROWS)
    small = rows.tasks_of(tuple(rows.ROWS), rows.SIZES["small"])
    assert sum(row.seeds for row in rows.ROWS.values()) == sum(task.kind == "score" for task in small)


def test_what_is_trained_is_what_the_row_says():
    def config(row: str):
        return rows.finetuning_config(row, 3, SMOKE, Path("data"), Path("run"), None)

    full = config("full")
    assert full.loop.seed == 3 and full.model == SMOKE.model
    assert config("twice the steps").loop.optimiser.steps == 2 * full.loop.optimiser.steps
    assert config("half the subjects").every_subject == 2 and full.every_subject == 1
    assert not config("without pointmaps").model.pointmaps
    assert not config("without decoupling").loss.multiview.decoupled
    assert config("without format masking").loss.noise.drop_format == 0
    before = rows.pretraining_config("half the subjects, 2D of all", 0, SMOKE, Path("data"), Path("run"))
    assert before.every_subject == 1 and config("half the subjects, 2D of all").every_subject == 2


RECIPES = {row: rows.finetuning_of(rows.recipe_of(row, SMOKE)) for row in rows.ROWS}
MODELS = {(recipe.model, recipe.multiview): row for row, recipe in reversed(RECIPES.items())}


@pytest.mark.parametrize("row", sorted(MODELS.values()))
def test_every_kind_of_model_has_a_loss_and_a_gradient(row):
    config = rows.finetuning_config(row, 0, SMOKE, Path("data"), Path("run"), None)
    graph, params = describe(Denoiser, config.model)
    count, frames = config.windows.batch, config.windows.frames
    batch = {
        "points_world": jax.ShapeDtypeStruct(
            (count, config.windows.raw_frames, len(CANONICAL), 3), "float32"
        ),
        "frames_valid": jax.ShapeDtypeStruct((count, config.windows.raw_frames), bool),
    }
    loss = multiview_loss(graph, frames, config.loss)
    gradient, scalars = jax.eval_shape(jax.grad(loss, has_aux=True), params, batch, jax.random.key(0))
    assert {name: leaf.shape for name, leaf in gradient.items()} == {k: v.shape for k, v in params.items()}
    assert "root_mm" in scalars


# --- launchers


def chain(*names: str) -> tuple[list, dict]:
    """Tasks that each need the one before."""
    tasks = [Task("score", name, 0) for name in names]
    return tasks, dict(zip(tasks[1:], tasks[:-1], strict=True))


def test_inline_a_failed_task_stops_those_alone_that_need_it(console):
    tasks, before = chain("a", "b", "c")
    tasks += [Task("score", "d", 0)]
    done = []

    def do(task):
        if task.row == "b":
            raise RuntimeError("no luck")
        done.append(task.row)

    launch.run_inline(tasks, before, do, console)
    assert done == ["a", "d"]
    assert "no luck" in console.file.getvalue()


SCRIPT = """
import os, sys, time
from pathlib import Path
name, folder, what = sys.argv[1:]
with open(folder + "/order.txt", "a") as log:
    print("start", name, os.environ.get("CUDA_VISIBLE_DEVICES"), len(os.sched_getaffinity(0)), file=log)
print("working on", name, flush=True)
if what == "fail":
    sys.exit("out of luck")
time.sleep(60 if what == "hang" else 0.3)
with open(folder + "/order.txt", "a") as log:
    print("end", name, file=log)
"""


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """`run_local` with a script in place of the sweep: what it did is in order.txt."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    monkeypatch.setattr(launch, "PROGRAM", (sys.executable, str(script)))

    def run(tasks, before, console, what=None, jobs=2, gpus=()):
        commands = {task: [task.row, str(tmp_path), (what or {}).get(task.row, "work")] for task in tasks}
        folders = {task: tmp_path / task.row for task in tasks}
        launch.run_local(tasks, before, commands, folders, jobs, gpus, console)
        return [line.split() for line in (tmp_path / "order.txt").read_text().splitlines()]

    return run


def test_locally_tasks_run_at_once_and_after_what_they_need(scripted, console):
    tasks, before = chain("a", "b")
    lines = scripted([*tasks, Task("score", "c", 0)], before, console)
    order = [tuple(line[:2]) for line in lines]
    assert set(order[:2]) == {("start", "a"), ("start", "c")}
    assert order.index(("end", "a")) < order.index(("start", "b"))
    assert len(order) == 6


def test_locally_each_gets_its_device(scripted, console):
    tasks = [Task("score", name, 0) for name in "abc"]
    lines = scripted(tasks, {}, console, jobs=1, gpus=(4, 7))
    started = [line[2] for line in lines if line[0] == "start"]
    assert sorted(started[:2]) == ["4", "7"] and started[2] in ("4", "7")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be chosen here")
def test_locally_each_gets_its_share_of_the_cores(scripted, console):
    cores = len(os.sched_getaffinity(0))
    lines = scripted([Task("score", name, 0) for name in "ab"], {}, console)
    shares = [int(line[3]) for line in lines if line[0] == "start"]
    assert sum(shares) == max(cores, 2)


def test_locally_a_failed_task_is_marked_and_the_others_go_on(scripted, console, tmp_path):
    tasks, before = chain("a", "b", "c")
    lines = scripted([*tasks, Task("score", "d", 0)], before, console, {"b": "fail"})
    ended = {line[1] for line in lines if line[0] == "end"}
    assert ended == {"a", "d"}
    assert (tmp_path / "b" / "failed.txt").read_text() == "exit code 1: out of luck"
    assert (tmp_path / "a" / "log.txt").read_text() == "working on a\n"
    assert "out of luck" in console.file.getvalue()


@pytest.fixture
def interruptible():
    """Python's own handling of Ctrl-C, which a job in a shell's background starts without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_interrupted_it_leaves_no_process_behind(scripted, console, monkeypatch, tmp_path, number, raised):
    started = []
    start = launch._start
    monkeypatch.setattr(launch, "_start", lambda *rest: started.append(start(*rest)) or started[-1])

    def interrupt(folder):
        if (tmp_path / "order.txt").exists():
            signal.raise_signal(number)
        return ""

    monkeypatch.setattr(launch, "_steps", interrupt)
    since = time.monotonic()
    with pytest.raises(raised):
        scripted([Task("score", name, 0) for name in "abc"], {}, console, dict.fromkeys("abc", "hang"))
    assert len(started) == 2 and all(process.poll() is not None for process in started)
    assert time.monotonic() - since < 20
    assert not list(tmp_path.glob("*/failed.txt"))


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A Slurm that takes every job and runs none; returns where it notes the scripts that it was given."""
    pytest.importorskip("submitit", reason="no submitit here: pip install '.[sweep]'")
    noted, folder = tmp_path / "noted.txt", tmp_path / "bin"
    folder.mkdir()
    count = f'$(wc -l < {noted} | tr -d " ")'
    programs = {
        "sbatch": f'echo "$1" >> {noted}\necho "Submitted batch job {count}7"',
        "srun": 'while [ "$1" != "--output" ]; do shift; done\nshift 2\nexec "$@"',
    }
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return noted


def test_slurm_jobs_wait_for_what_they_need(slurm, console, tmp_path):
    tasks, before = chain("a", "b")
    folders = {task: tmp_path / "my runs" / task.row for task in tasks}
    numbers = launch.submit_slurm(
        tasks, before, print, folders, ["--gres=gpu:1", "--time=24:00:00", "--exclusive"], console
    )
    assert list(numbers.values()) == ["17", "27"]
    scripts = [(folders[t] / f"{n}_submission.sh").read_text() for t, n in numbers.items()]
    for script, name in zip(scripts, ("score-a", "score-b"), strict=True):
        for option in (
            "gres=gpu:1",
            "time=24:00:00",
            "exclusive",
            f"job-name={name}",
            "kill-on-invalid-dep=yes",
        ):
            assert f"\n#SBATCH --{option}\n" in script
    assert "--dependency" not in scripts[0] and "\n#SBATCH --dependency=afterok:17\n" in scripts[1]


def test_slurm_s_own_time_limit_holds_where_none_is_asked_for(slurm, console, tmp_path):
    (task,), _ = chain("a")
    launch.submit_slurm([task], {}, print, {task: tmp_path / "a"}, [], console)
    assert "--time" not in (tmp_path / "a" / "17_submission.sh").read_text()


def test_a_slurm_job_does_its_task(slurm, console, tmp_path, monkeypatch):
    (task,), _ = chain("a")
    monkeypatch.chdir(Path(__file__).parents[1])  # where `python -m experiments.sweep` is run
    do = functools.partial(print, "this is", flush=True)
    launch.submit_slurm([task], {}, do, {task: tmp_path / "a"}, [], console)
    job = {"SLURM_JOB_ID": "17", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"}
    job |= {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "here"}
    command = ["sh", str(tmp_path / "a" / "17_submission.sh")]
    told = subprocess.run(command, env=os.environ | job, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "this is score a, seed 0" in told.stdout


def test_slurm_that_is_not_there_or_refuses_is_told(slurm, console, tmp_path, monkeypatch):
    tasks, before = chain("a")
    rest = (tasks, before, print, {tasks[0]: tmp_path / "a"}, [], console)
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'no such partition' >&2\nexit 1\n")
    with pytest.raises(ValueError, match="score a, seed 0: .*no such partition"):
        launch.submit_slurm(*rest)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="srun"):
        launch.submit_slurm(*rest)


def test_slurm_without_submitit_says_what_to_install(console, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ValueError, match=r"pip install '\.\[sweep\]'"):
        launch.submit_slurm([], {}, print, {}, [], console)


# --- what is made of results


def test_the_share_of_steps_is_where_the_curve_first_gets_there():
    without = [(10, 400.0), (20, 300.0), (30, 250.0), (40, 260.0)]
    quick = [(10, 390.0), (20, 259.0), (30, 270.0), (40, 200.0)]
    assert results.share_of_steps(quick, without) == 0.5
    assert results.share_of_steps(without, quick) is None
    assert results.share_of_steps(without, without) == 0.75


def test_mean_and_spread_of_seeds():
    assert report.mean_and_spread([100.0]) == "100.0"
    assert report.mean_and_spread([99.0, 101.0]) == "100.0 ± 1.0"
    assert report.mean_and_spread([99.0, 99.0, 102.0]) == "100.0 ± 2.0"


def write_results(run: Path, row: str, seed: int, error: float, curve: list[tuple[int, float]]) -> None:
    """A row's results as if it had been trained: every error ``error``, noisy twice that."""
    names = report.SHOWN
    task = Task("score", row, seed)
    trained = rows.needs(task, SMOKE)
    for one in (task, trained):
        rows.folder_of(one, run).mkdir(parents=True, exist_ok=True)
    scores = [
        {"skeleton": skeleton, "noise": noise} | dict.fromkeys(names, error * factor)
        for skeleton in rows.ROWS[row].skeletons
        for noise, factor in (("gt", 1), ("noisy", 2))
    ]
    rows.result_of(task, run).write_text(json.dumps(scores))
    folder = rows.folder_of(trained, run)
    folder.joinpath("metrics.jsonl").write_text(
        "".join(json.dumps({"step": step, "val_val_root_error": e}) + "\n" for step, e in curve)
    )
    cost = {"seconds": 60.0, "cores": 2, "device": "cpu"}
    folder.joinpath("cost.jsonl").write_text(2 * (json.dumps(cost) + "\n"))


TWO_SEEDS = dataclasses.replace(SMOKE, seeds=2)


def test_the_table_has_means_over_seeds_differences_costs_and_failures(tmp_path):
    for seed, error in enumerate((100.0, 104.0)):
        write_results(tmp_path, "full", seed, error, [(1, 500.0), (2, 300.0)])
    write_results(tmp_path, "1 view", 0, 150.0, [])
    failed = rows.folder_of(Task("finetune", "6 views", 0), tmp_path)
    failed.mkdir(parents=True)
    (failed / "failed.txt").write_text("MemoryError: too many views")
    chosen = ("full", "1 view", "6 views", "2 views")
    header, *lines = report.table_lines(chosen, TWO_SEEDS, tmp_path)
    found = [dict(zip(header, line, strict=True)) for line in lines]
    assert [(line["row"], line["2D"]) for line in found] == [
        ("full", "smpl22"), ("full", "coco17"), ("1 view", "smpl22"), ("6 views", "smpl22"),
        ("2 views", "smpl22"),
    ]  # fmt: skip
    full, _, one, six, two = found
    assert full["MPJPE, gt"] == "102.0 ± 2.0" and full["accel, noisy"] == "204.0 ± 4.0"
    assert one["MPJPE, gt"] == "150.0" and one["Δ MPJPE, gt"] == "+50.0", "against the same seed"
    assert full["minutes"] == "2.0" and full["on"] == "2 cores" and full["steps"] == "2"
    assert six["seeds"] == "0 of 1, failed" and six["MPJPE, gt"] == "–"
    assert two["seeds"] == "0 of 1"
    assert report.missing_lines(chosen, SMOKE, tmp_path) == [
        "6 views, seed 0: failed (finetune 6 views, seed 0): MemoryError: too many views",
        "2 views, seed 0: not done",
    ]


def test_the_claim_is_judged_seed_by_seed_and_only_of_whole_runs(tmp_path):
    half = dataclasses.replace(SMOKE.finetuning[1], steps=4)
    size = dataclasses.replace(TWO_SEEDS, finetuning=(SMOKE.finetuning[0], half))
    slow, quick = [(1, 500.0), (2, 450.0), (4, 300.0)], [(1, 290.0), (2, 280.0), (4, 100.0)]
    write_results(tmp_path, "full", 0, 1.0, quick)
    write_results(tmp_path, "without pointmaps", 0, 1.0, slow)
    write_results(tmp_path, "full", 1, 1.0, slow)
    write_results(tmp_path, "without pointmaps", 1, 1.0, quick)
    write_results(tmp_path, "twice the steps", 0, 1.0, quick)
    first, second, third, *_ = report.convergence_lines(size, tmp_path)
    assert "reached at 25 % of the steps" in first and first.endswith("the claim holds")
    assert "reached never" in second and second.endswith("the claim does not hold")
    assert third.endswith("not both trained to the end")


def test_a_step_that_was_logged_twice_counts_as_the_later_run_had_it(tmp_path):
    write_results(tmp_path, "full", 0, 1.0, [(1, 5.0), (2, 4.0), (1, 3.0), (2, 2.0)])
    assert report.curve_of("full", 0, SMOKE, tmp_path) == [(1, 3.0), (2, 2.0)]


# --- the command


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A smoke sweep of two people's walks."""
    folder = tmp_path_factory.mktemp("sweep")
    clips = [
        mocap_clip(walk(90, speed_mps=speed), name=f"walk_{speed}")._replace(subject=f"{speed}")
        for speed in (0.8, 1.3)
    ]
    for split in ("train", "val"):
        write_packed(folder / "data" / f"{split}.npz", clips)
    (folder / "cameras.json").write_text(json.dumps(RIGS))
    return sweep.Config(
        folder / "data", folder / "cameras.json", folder / "run", "smoke", launcher="inline",
        write=folder / "page.md",
    )  # fmt: skip


def test_an_unknown_row_is_refused_with_the_known_ones(config):
    with pytest.raises(ValueError, match="no row twelve views; wanted some of: full, "):
        sweep.main(dataclasses.replace(config, only=("twelve views",)))


def test_a_child_is_told_everything_that_matters(config):
    task = Task("finetune", "paper-like, without pointmaps", 1)
    asked = dataclasses.replace(config, steps=7)
    parsed = sweep.tyro.cli(sweep.Config, args=sweep.command_of(task, asked))
    assert Task(*parsed.task) == task
    assert sweep.description_of(task, parsed) == sweep.description_of(task, asked)


def test_a_folder_of_another_configuration_is_no_place_to_go_on(config, tmp_path):
    task, asked = Task("finetune", "full", 0), dataclasses.replace(config, run=tmp_path)
    folder = rows.folder_of(task, tmp_path)
    folder.mkdir(parents=True)
    (folder / "task.json").write_text(json.dumps(sweep.description_of(task, asked)))
    sweep.check_unchanged(task, asked)
    with pytest.raises(ValueError, match=r"loop.optimiser.steps.*: 2 there, 5 asked for.*another --run"):
        sweep.main(dataclasses.replace(asked, steps=5))


def test_what_a_task_needs_must_be_there(config, tmp_path):
    with pytest.raises(FileNotFoundError, match="pretrain full, seed 0 must be done first"):
        sweep.do(Task("finetune", "full", 0), dataclasses.replace(config, run=tmp_path))


@pytest.mark.slow
def test_a_smoke_sweep_trains_scores_and_writes_and_does_nothing_twice(config, monkeypatch, capsys):
    broken = rows.Row({"model": {"heads": 3}})
    monkeypatch.setitem(rows.ROWS, "broken", broken)
    chosen = ("full", "1 view", "5 steps, not consistent", "broken")
    asked = dataclasses.replace(config, only=chosen)
    sweep.main(asked)
    said = capsys.readouterr().out
    assert "0 of 9 tasks are done" in said and "failed: pretrain broken, seed 0" in said
    everything = json.loads((config.run / "ablation.json").read_text())
    for row in chosen[:3]:
        (one,) = everything[row]
        assert one["missing"] is None and one["minutes"] > 0
        assert [step for step, _ in one["curve"]] == [1, 2]
        assert all(0 < scores["abs_mpjpe"] < 10_000 for scores in one["scores"])
        formats = {(scores["skeleton"], scores["noise"]) for scores in one["scores"]}
        assert formats == {(s, n) for s in rows.ROWS[row].skeletons for n in ("gt", "noisy")}
    full, flat, apart = (everything[row][0]["scores"][0]["abs_mpjpe"] for row in chosen[:3])
    assert len({full, flat, apart}) == 3, "rows are not the same model, sampled the same way"
    assert re.match(r"failed \(pretrain broken, seed 0\): \w+Error: .", everything["broken"][0]["missing"])
    lifter = Lifter.from_pretrained(rows.result_of(Task("finetune", "1 view", 0), config.run))
    assert lifter.model.multiview.views == 1 and lifter.model.frames == SMOKE.finetuning[0].frames
    page = config.write.read_text()
    assert "| 1 view | smpl22 | 1 |" in page and "| broken | smpl22 | 0 of 1, failed |" in page
    assert "](page.png)" in page and config.write.with_name("page.png").stat().st_size > 10_000

    before = {path: path.stat().st_mtime_ns for path in config.run.rglob("*.safetensors")}
    sweep.main(dataclasses.replace(asked, only=chosen[:3]))
    assert "6 of 6 tasks are done" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in config.run.rglob("*.safetensors")} == before
