"""Train a model: ``pretrain-2d`` and ``finetune`` make the lifter, ``regressor`` and ``foot`` the others.

    python -m experiments.train pretrain-2d --data DIR --run runs/g2d
    python -m experiments.train finetune --data DIR --pretrained runs/g2d/g2d.safetensors --run runs/gmv
    python -m experiments.train regressor --data DIR --run runs/regressor
    python -m experiments.train foot --data DIR --run runs/foot

Each writes ``RUN/NAME.safetensors``. The same command resumes a run that was stopped;
``--loop.max-minutes`` stops it cleanly. What the shipped weights took, and what they reach, is in their
model cards, ``lift2to3/weights/*.md``; see docs/training.md.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import tyro

from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import WindowConfig, body_window_batches
from lift2to3.models.denoiser import Denoiser, DenoiserConfig
from lift2to3.models.foot_lifter import FootLifter, FootLifterConfig
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.models.params import Params, build, warm_start
from lift2to3.models.regressor import Regressor, RegressorConfig
from lift2to3.motion import BodyMotion
from lift2to3.training.batches import host_batches, training_batches
from lift2to3.training.evaluate import one_step_points, points_validator
from lift2to3.training.foot_loss import FootLossConfig, foot_loss, foot_validator
from lift2to3.training.loop import Batches, LoopConfig, Validate, train
from lift2to3.training.losses import (
    LossConfig,
    LossFn,
    multiview_loss,
    regressed_points,
    regressor_loss,
    single_view_loss,
)
from lift2to3.training.state import OptimiserConfig


class Parts(NamedTuple):
    """What a training is made of, beside the loop.

    Attributes:
        params: where it starts from scratch.
        loss: ``(params, batch, key) -> (loss, scalars)``.
        batches: this host's, from a given step on.
        validate: the error of the averaged weights on the watched splits.
        shipped: the config in the weights file: what whoever loads it must know.
        half: write the weights in half precision.
    """

    params: Params
    loss: LossFn
    batches: Batches
    validate: Validate | None
    shipped: dict[str, Any]
    half: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """What is common to all trainings.

    Attributes:
        data: a prepared folder (``tools/prepare_mocap.py``) with a train split.
        every_subject: train on every nth subject alone, in the order of their names; 1 is all.
        leave_out_subjects: train without these, so that recipes can be compared on them
            (``experiments.rare_protocol``); a release trains on all.
        run: the run folder; a run that is there already resumes.
        pretrained: weights to start from; None starts from scratch.
        name: of the weights file.
        distributed: one of several hosts: call ``jax.distributed.initialize`` first.
    """

    data: Path
    every_subject: int = 1
    leave_out_subjects: tuple[str, ...] = ()
    run: Path
    pretrained: Path | None = None
    name: str
    windows: WindowConfig
    loop: LoopConfig
    distributed: bool = False

    def parts(self) -> Parts:
        """Model, loss, batches and what is watched."""
        raise NotImplementedError

    def clips(self) -> list[MocapClip]:
        """What is trained on."""
        return training_clips(self.data, self.every_subject, self.leave_out_subjects)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watched(Training):
    """A training whose error is watched.

    Attributes:
        watch: splits whose error is logged now and then; nothing is chosen by it.
        watch_windows: how many windows of each.
    """

    watch: tuple[str, ...] = ("train", "val")
    watch_windows: int = 96

    def watched(self) -> dict[str, list[MocapClip]]:
        """The watched splits' clips."""
        return {split: load_clips(self.data, split) for split in self.watch}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pretraining(Training):
    """Pretrain the single-view 2D motion denoiser G_2D (Mocap-2-to-3 sec. 3.1).

    ``finetune --pretrained`` starts from its file. The shipped weights' 1,100 steps took 15 minutes on 2 busy
    CPU cores, to a loss of 0.44.
    """

    run: Path = Path("runs/g2d")
    name: str = "g2d"
    model: DenoiserConfig = DenoiserConfig(multi_view=False)
    windows: WindowConfig = WindowConfig(frames=64, batch=64)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(
        optimiser=OptimiserConfig(steps=1_100, warmup_steps=100, learning_rate=1e-3)
    )

    def parts(self) -> Parts:
        """As `Training.parts`."""
        model = dataclasses.replace(self.model, multi_view=False)
        graph, params = build(Denoiser, model, self.loop.seed)
        return Parts(
            params,
            single_view_loss(graph, self.windows.frames, self.loss),
            training_batches(self.clips(), self.windows, self.loop.seed),
            None,
            {"model": dataclasses.asdict(model)},
            half=False,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetuning(Watched):
    """Finetune the multi-view denoiser G_MV from G_2D or another G_MV (Mocap-2-to-3 sec. 3.2 to 3.4).

    Its file is what ``lift2to3 lift --weights`` takes.
    """

    run: Path = Path("runs/gmv")
    name: str = "small"
    model: DenoiserConfig = DenoiserConfig()
    windows: WindowConfig = WindowConfig(frames=64, batch=16)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=10_000, warmup_steps=200))

    def parts(self) -> Parts:
        """As `Training.parts`."""
        multiview = dataclasses.replace(
            self.loss.multiview, pointmap_resolution=self.model.pointmap_resolution
        )
        loss = dataclasses.replace(self.loss, multiview=multiview)
        graph, params = build(Denoiser, self.model, self.loop.seed)
        points = functools.partial(one_step_points, graph, loss)
        frames, watched = self.windows.frames, self.watched()
        return Parts(
            params,
            multiview_loss(graph, frames, loss),
            training_batches(self.clips(), self.windows, self.loop.seed),
            points_validator(points, watched, frames, loss, self.watch_windows) if watched else None,
            {
                "model": dataclasses.asdict(self.model),
                "multiview": dataclasses.asdict(multiview),
                "frames": frames,
            },
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegressorTraining(Watched):
    """Train the direct regressor, the baseline that goes from one view's keypoints straight to 3D points.

    Data, examples and weights of the loss are those of ``finetune``; a step costs a fraction of its. Its file
    is what `lift2to3.pipeline.regressor.Regressor` takes.
    """

    run: Path = Path("runs/regressor")
    name: str = "regressor"
    model: RegressorConfig = RegressorConfig()
    windows: WindowConfig = WindowConfig(frames=64, batch=32)
    loss: LossConfig = LossConfig(multiview=MultiViewConfig(views=1))
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=20_000))

    def parts(self) -> Parts:
        """As `Training.parts`."""
        graph, params = build(Regressor, self.model, self.loop.seed)
        points = functools.partial(regressed_points, graph)
        frames, watched = self.windows.frames, self.watched()
        return Parts(
            params,
            regressor_loss(graph, frames, self.loss),
            training_batches(self.clips(), self.windows, self.loop.seed),
            points_validator(points, watched, frames, self.loss, self.watch_windows) if watched else None,
            {
                "regressor": dataclasses.asdict(self.model),
                "multiview": dataclasses.asdict(self.loss.multiview),
                "frames": frames,
            },
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FootTraining(Watched):
    """Train the foot lifter (FootMR): 2D foot keypoints and an initial body motion → refined ankles.

    Its file is what ``lift2to3 feet --weights`` takes. On a CPU it is a quarter faster with a device per
    core: ``XLA_FLAGS=--xla_force_host_platform_device_count=2`` in the environment.
    """

    run: Path = Path("runs/foot")
    name: str = "foot"
    watch_windows: int = 128
    model: FootLifterConfig = FootLifterConfig()
    windows: WindowConfig = WindowConfig(frames=120, batch=16)
    loss: FootLossConfig = FootLossConfig()
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=9_000, learning_rate=7e-4))

    def parts(self) -> Parts:
        """As `Training.parts`."""
        graph, params = build(FootLifter, self.model, self.loop.seed)
        frames = self.windows.frames
        watched = {split: trusted_bodies(clips) for split, clips in self.watched().items()}
        validate = foot_validator(graph, watched, frames, self.model, self.loss, self.watch_windows)
        return Parts(
            params,
            foot_loss(graph, frames, self.model, self.loss),
            host_batches(body_window_batches, trusted_bodies(self.clips()), self.windows, self.loop.seed),
            validate if watched else None,
            {"foot_lifter": dataclasses.asdict(self.model)},
        )


def training_clips(data: Path, every_subject: int = 1, leave_out: Sequence[str] = ()) -> list[MocapClip]:
    """The train split's clips of every nth subject, those of ``leave_out`` left out first.

    Raises:
        ValueError: ``every_subject`` is below 1, a subject to leave out is not there, or none is left.
    """
    if every_subject < 1:
        raise ValueError(f"every_subject: wanted 1 (all of them) or more, found {every_subject}")
    clips = load_clips(data, "train")
    subjects = sorted({clip.subject for clip in clips})
    unknown = sorted(set(leave_out) - set(subjects))
    if unknown:
        raise ValueError(
            f"leave_out_subjects: no {', '.join(unknown)} in {data}'s train split; "
            f"found {', '.join(subjects)}"
        )
    kept = set([subject for subject in subjects if subject not in leave_out][::every_subject])
    if not kept:
        raise ValueError(f"leave_out_subjects: all {len(subjects)} subjects of {data} are left out")
    return [clip for clip in clips if clip.subject in kept]


def trusted_bodies(clips: Sequence[MocapClip]) -> list[BodyMotion]:
    """The clips whose feet are an example, as posed bodies."""
    return [body_motion(clip) for clip in clips if clip.feet_trusted]


def main(config: Training) -> Path:
    """Train and write the averaged weights; returns their path."""
    if config.distributed:
        jax.distributed.initialize()
    params, loss, batches, validate, shipped, half = config.parts()
    if config.pretrained is not None:
        params, new = warm_start(params, load_weights(config.pretrained).params)
        print(f"{len(params) - len(new)} parameters from {config.pretrained}, {len(new)} new")
    described = dataclasses.asdict(config)
    state = train(loss, params, batches, config.run, config.loop, described, validate)
    path = config.run / f"{config.name}.safetensors"
    return save_weights(path, state.ema, shipped, half=half, steps=str(int(state.step)))


COMMANDS: dict[str, type[Training]] = {
    "pretrain-2d": Pretraining,
    "finetune": Finetuning,
    "regressor": RegressorTraining,
    "foot": FootTraining,
}

if __name__ == "__main__":
    print(main(tyro.extras.subcommand_cli_from_dict(COMMANDS, description=__doc__)))
