"""Pretrain the single-view 2D motion denoiser G_2D (Mocap-2-to-3 sec. 3.1).

    python experiments/pretrain_2d.py --data DIR --run runs/g2d

writes ``runs/g2d/g2d.safetensors``, which ``finetune_multiview.py --pretrained`` starts from. The
same command resumes a run that was stopped; ``--loop.max-minutes`` stops it cleanly. The shipped
weights' 1,100 steps took 15 minutes on 2 busy CPU cores, to a loss of 0.44.
"""

import dataclasses
from pathlib import Path

import jax
import tyro

from lift2to3.checkpoint import save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import WindowConfig
from lift2to3.models.denoiser import Denoiser, DenoiserConfig
from lift2to3.models.params import build
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
        run: the run folder; a run that is there already goes on.
        distributed: one of several hosts: call ``jax.distributed.initialize`` first.
    """

    data: Path
    every_subject: int = 1
    run: Path = Path("runs/g2d")
    model: DenoiserConfig = DenoiserConfig(multi_view=False)
    windows: WindowConfig = WindowConfig(frames=64, batch=64)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(
        optimiser=OptimiserConfig(steps=1_100, warmup_steps=100, learning_rate=1e-3)
    )
    distributed: bool = False


def training_clips(data: Path, every_subject: int) -> list[MocapClip]:
    """The train split's clips of every so-manieth subject.

    Raises:
        ValueError: ``every_subject`` is below 1.
    """
    if every_subject < 1:
        raise ValueError(f"every_subject: wanted 1 (all of them) or more, found {every_subject}")
    clips = load_clips(data, "train")
    subjects = set(sorted({clip.subject for clip in clips})[::every_subject])
    return [clip for clip in clips if clip.subject in subjects]


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    if config.distributed:
        jax.distributed.initialize()
    model = dataclasses.replace(config.model, multi_view=False)
    graph, params = build(Denoiser, model, config.loop.seed)
    state = train(
        single_view_loss(graph, config.windows.frames, config.loss),
        params,
        training_batches(training_clips(config.data, config.every_subject), config.windows, config.loop.seed),
        config.run,
        config.loop,
        dataclasses.asdict(config),
    )
    shipped = {"model": dataclasses.asdict(model)}
    path = config.run / "g2d.safetensors"
    return save_weights(path, state.ema, shipped, half=False, steps=str(int(state.step)))


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
