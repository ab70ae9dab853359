"""Pretrain the single-view 2D motion denoiser G_2D (Mocap-2-to-3 sec. 3.1).

    python experiments/pretrain_2d.py --data DIR --run runs/g2d

writes ``runs/g2d/g2d.safetensors``, which ``finetune_multiview.py --pretrained`` starts from. The
same command resumes a run that was stopped; ``--loop.max-minutes`` stops it cleanly. The shipped
weights' 1,100 steps took 15 minutes on 2 busy CPU cores, to a loss of 0.44.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import tyro

from lift2to3.checkpoint import save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import WindowConfig
from lift2to3.models.denoiser import DenoiserConfig, build
from lift2to3.training.batches import training_batches
from lift2to3.training.loop import LoopConfig, train
from lift2to3.training.losses import LossConfig, single_view_loss
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, for how long.

    Attributes:
        data: a prepared folder (``tools/prepare_mocap.py``) with a train split.
        every_subject: train on every so-manieth subject alone, in the order of their names; 1 is all.
        leave_out_subjects: train without these; what is compared on them is compared fairly.
        run: the run folder; a run that is there already goes on.
        distributed: one of several hosts: call ``jax.distributed.initialize`` first.
    """

    data: Path
    every_subject: int = 1
    leave_out_subjects: tuple[str, ...] = ()
    run: Path = Path("runs/g2d")
    model: DenoiserConfig = DenoiserConfig(multi_view=False)
    windows: WindowConfig = WindowConfig(frames=64, batch=64)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(
        optimiser=OptimiserConfig(steps=1_100, warmup_steps=100, learning_rate=1e-3)
    )
    distributed: bool = False


def training_clips(data: Path, every_subject: int, leave_out: Sequence[str] = ()) -> list[MocapClip]:
    """The train split's clips of every so-manieth subject, those of ``leave_out`` left out first.

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


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    if config.distributed:
        jax.distributed.initialize()
    model = dataclasses.replace(config.model, multi_view=False)
    clips = training_clips(config.data, config.every_subject, config.leave_out_subjects)
    graph, params = build(model, config.loop.seed)
    state = train(
        single_view_loss(graph, config.windows.frames, config.loss),
        params,
        training_batches(clips, config.windows, config.loop.seed),
        config.run,
        config.loop,
        dataclasses.asdict(config),
    )
    shipped = {"model": dataclasses.asdict(model)}
    path = config.run / "g2d.safetensors"
    return save_weights(path, state.ema, shipped, half=False, steps=str(int(state.step)))


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
