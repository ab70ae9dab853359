"""The rows of the ablation sweep: what each changes, their sizes, and which of them share a training."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from experiments.train import Finetuning, Pretraining
from lift2to3.data.detector_noise import NoiseConfig
from lift2to3.data.windows import WindowConfig
from lift2to3.models.denoiser import DenoiserConfig
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.training.loop import LoopConfig
from lift2to3.training.losses import LossConfig
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One model, from its data to its samples: all that a row may change.

    Attributes:
        model, multiview, noise: of pretraining, finetuning and lifting.
        budgets: finetuning steps, in the size's budgets.
        pretrained: finetuned from a G_2D; else from scratch.
        pretrain_every, finetune_every: every nth training subject is seen; 1 is all.
        sampling_steps: DDIM steps of lifting.
    """

    model: DenoiserConfig = DenoiserConfig()
    multiview: MultiViewConfig = MultiViewConfig()
    noise: NoiseConfig = NoiseConfig()
    budgets: int = 1
    pretrained: bool = True
    pretrain_every: int = 1
    finetune_every: int = 1
    sampling_steps: int = 1


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        changes: of the full `Recipe`, by `override`.
        seeds: how many, from 0.
        against: the row that its differences are from.
        skeletons: 2D formats it is scored on.
    """

    changes: Mapping[str, Any]
    seeds: int = 1
    against: str = "full"
    skeletons: tuple[str, ...] = ("smpl22",)


BOTH = ("smpl22", "coco17")
PAPER_LIKE = {"billboard": False, "foot_hits": False}

ROWS: dict[str, Row] = {
    "full": Row({}, 2, skeletons=BOTH),
    # the paper's Table 3
    "without decoupling": Row({"multiview": {"decoupled": False}}, 2),
    "without pointmaps": Row({"model": {"pointmaps": False}}, 2),
    "twice the steps": Row({"budgets": 2}),
    "without pointmaps, twice the steps": Row(
        {"model": {"pointmaps": False}, "budgets": 2}, against="twice the steps"
    ),
    "half the subjects": Row({"pretrain_every": 2, "finetune_every": 2}),
    "half the subjects, 2D of all": Row({"finetune_every": 2}, against="half the subjects"),
    # the same question without the inputs that the paper's model does not have
    "paper-like": Row({"model": PAPER_LIKE}, 2),
    "paper-like, without pointmaps": Row({"model": PAPER_LIKE | {"pointmaps": False}}, 2, "paper-like"),
    # ours
    "1 view": Row({"multiview": {"views": 1}}),
    "2 views": Row({"multiview": {"views": 2}}),
    "6 views": Row({"multiview": {"views": 6}}),
    "without the canonical frame": Row({"multiview": {"canonical": False}}),
    "without format masking": Row({"noise": {"drop_format": 0.0}}, skeletons=BOTH),
    "without pretraining": Row({"pretrained": False}, 2),
    # sampling alone
    "2 sampling steps": Row({"sampling_steps": 2}, 2),
    "5 sampling steps": Row({"sampling_steps": 5}, 2),
    "10 sampling steps": Row({"sampling_steps": 10}, 2),
    "20 sampling steps": Row({"sampling_steps": 20}, 2),
    "5 steps, not consistent": Row(
        {"sampling_steps": 5, "multiview": {"consistent": False}}, 2, "5 sampling steps"
    ),
    "20 steps, not consistent": Row(
        {"sampling_steps": 20, "multiview": {"consistent": False}}, 2, "20 sampling steps"
    ),
}
"""Row → what differs from the full model (4 views, one sampling step, everything on)."""

POINTMAP_PAIRS = (
    ("full", "without pointmaps"),
    ("twice the steps", "without pointmaps, twice the steps"),
    ("paper-like", "paper-like, without pointmaps"),
)
"""With and without, of the convergence claim."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the models are, how long they train, and how much they are scored on.

    Attributes:
        model: what the rows change.
        pretraining, finetuning: windows and one budget of each.
        curve_points: how often a finetuning's validation error is logged.
        watch_windows: windows it is of.
        clips, cameras: of the validation protocol; None is every clip.
        seeds: at most this many of each row.
    """

    model: DenoiserConfig
    pretraining: tuple[WindowConfig, OptimiserConfig]
    finetuning: tuple[WindowConfig, OptimiserConfig]
    curve_points: int = 25
    watch_windows: int = 96
    clips: int | None = None
    cameras: int = 4
    seeds: int = 2


SizeName = Literal["smoke", "small", "full"]
_SMOKE = OptimiserConfig(steps=2, warmup_steps=1)
SIZES: dict[SizeName, Size] = {
    "smoke": Size(
        DenoiserConfig(
            width=16, depth=1, heads=2, mlp_ratio=1, pointmap_width=4, pointmap_resolution=16, half=False
        ),
        (WindowConfig(frames=16, batch=8), _SMOKE),
        (WindowConfig(frames=16, batch=8), _SMOKE),
        curve_points=2, watch_windows=8, clips=2, cameras=1, seeds=1,
    ),
    "small": Size(
        DenoiserConfig(width=128, depth=3),
        (
            WindowConfig(frames=32, batch=32),
            OptimiserConfig(steps=300, warmup_steps=50, learning_rate=1e-3, ema=0.98),
        ),
        (
            WindowConfig(frames=32, batch=16),
            OptimiserConfig(steps=400, warmup_steps=50, learning_rate=1e-3, ema=0.98),
        ),
        clips=20, cameras=1,
    ),
    "full": Size(
        DenoiserConfig(),
        (WindowConfig(frames=64, batch=64), Pretraining.loop.optimiser),
        (WindowConfig(frames=64, batch=16), Finetuning.loop.optimiser),
        curve_points=50,
    ),
}  # fmt: skip


def override(config: Any, changes: Mapping[str, Any]) -> Any:
    """A nested frozen config with some fields replaced; a mapping goes into the config of that name."""
    return dataclasses.replace(
        config,
        **{
            name: override(getattr(config, name), value) if isinstance(value, Mapping) else value
            for name, value in changes.items()
        },
    )


def recipe_of(row: str, size: Size) -> Recipe:
    """A row's recipe at a size."""
    resolution = size.model.pointmap_resolution
    full = Recipe(size.model, MultiViewConfig(pointmap_resolution=resolution))
    return override(full, ROWS[row].changes)


def seeds_of(row: str, size: Size) -> range:
    """The seeds of a row at a size."""
    return range(min(ROWS[row].seeds, size.seeds))


def finetuning_of(recipe: Recipe) -> Recipe:
    """What finetuning sees of a recipe: rows with the same share their weights."""
    return override(recipe, {"sampling_steps": 1, "multiview": {"consistent": True}})


def pretraining_of(recipe: Recipe) -> Recipe:
    """What pretraining sees of a recipe: a G_2D has one view and no idea of cameras and ground."""
    return override(
        finetuning_of(recipe),
        {
            "model": {"multi_view": False, "pointmaps": True, "billboard": True, "foot_hits": True},
            "multiview": {"views": 4, "canonical": True},
            "budgets": 1, "pretrained": True, "finetune_every": 1,
        },
    )  # fmt: skip


def pretraining_config(row: str, seed: int, size: Size, data: Path, run: Path) -> Pretraining:
    """A row's pretraining."""
    recipe = pretraining_of(recipe_of(row, size))
    windows, optimiser = size.pretraining
    interval = max(1, optimiser.steps // 4)
    return Pretraining(
        data=data,
        every_subject=recipe.pretrain_every,
        run=run,
        model=recipe.model,
        windows=windows,
        loss=LossConfig(multiview=recipe.multiview, noise=recipe.noise),
        loop=LoopConfig(optimiser, checkpoint_every=interval, seed=seed),
    )


def finetuning_config(
    row: str, seed: int, size: Size, data: Path, run: Path, pretrained: Path | None
) -> Finetuning:
    """A row's finetuning."""
    recipe = finetuning_of(recipe_of(row, size))
    windows, optimiser = size.finetuning
    optimiser = dataclasses.replace(optimiser, steps=recipe.budgets * optimiser.steps)
    interval = max(1, optimiser.steps // size.curve_points)
    return Finetuning(
        data=data,
        every_subject=recipe.finetune_every,
        watch=("val",),
        watch_windows=size.watch_windows,
        run=run,
        pretrained=pretrained,
        name="gmv",
        model=recipe.model,
        windows=windows,
        loss=LossConfig(multiview=recipe.multiview, noise=recipe.noise),
        loop=LoopConfig(
            optimiser, log_every=interval, validate_every=interval, checkpoint_every=4 * interval, seed=seed
        ),
    )


class Task(NamedTuple):
    """One thing to do: train a model, or score a row. The name is that of the first row that needs it."""

    kind: Literal["pretrain", "finetune", "score"]
    row: str
    seed: int

    def __str__(self) -> str:
        """As it stands in lists and logs."""
        return f"{self.kind} {self.row}, seed {self.seed}"


def folder_of(task: Task, run: Path) -> Path:
    """Where a task leaves its results and its log."""
    return run / task.kind / f"{re.sub('[^a-z0-9]+', '-', task.row.lower())}-seed{task.seed}"


def result_of(task: Task, run: Path) -> Path:
    """The file that says a task is done."""
    names = {"pretrain": "g2d.safetensors", "finetune": "gmv.safetensors", "score": "scores.json"}
    return folder_of(task, run) / names[task.kind]


def needs(task: Task, size: Size) -> Task | None:
    """What must be done before: a score needs its finetuning, that its pretraining if it has one."""
    recipe = recipe_of(task.row, size)
    match task.kind:
        case "score":
            return Task("finetune", _first_with(finetuning_of, recipe, size), task.seed)
        case "finetune":
            if not recipe.pretrained:
                return None
            return Task("pretrain", _first_with(pretraining_of, recipe, size), task.seed)
        case "pretrain":
            return None


def _first_with(part: Any, recipe: Recipe, size: Size) -> str:
    return next(row for row in ROWS if part(recipe_of(row, size)) == part(recipe))


def tasks_of(rows: tuple[str, ...], size: Size) -> list[Task]:
    """Everything to do for these rows, each once, what is needed before what needs it."""

    def chain(task: Task | None) -> Iterator[Task]:
        if task is not None:
            yield from chain(needs(task, size))
            yield task

    scores = [Task("score", row, seed) for row in rows for seed in seeds_of(row, size)]
    return list(dict.fromkeys(task for score in scores for task in chain(score)))
