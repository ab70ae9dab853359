"""Finetune the multi-view denoiser G_MV from G_2D (Mocap-2-to-3 sec. 3.2 to 3.4).

    python experiments/finetune_multiview.py --data DIR --pretrained runs/g2d/g2d.safetensors --run runs/gmv

writes ``runs/gmv/small.safetensors``, which ``lift2to3 lift --weights`` takes. The same command
resumes a run that was stopped; ``--loop.max-minutes`` stops it cleanly. What the shipped weights
took, and what they reach, is in their model card, ``lift2to3/weights/small.md``.
"""

import dataclasses
from pathlib import Path

import jax
import tyro
from pretrain_2d import training_clips

from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.data.windows import WindowConfig
from lift2to3.models.denoiser import DenoiserConfig, build, warm_start
from lift2to3.training.batches import training_batches
from lift2to3.training.evaluate import window_validator
from lift2to3.training.loop import LoopConfig, train
from lift2to3.training.losses import LossConfig, multiview_loss
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, for how long.

    Attributes:
        data: a prepared folder (``tools/prepare_mocap.py``) with a train split.
        every_subject: train on every so-manieth subject alone, in the order of their names; 1 is all.
        leave_out_subjects: train without these, so that recipes can be compared on them
            (``rare_protocol.py``); a release trains on all.
        watch: splits whose error is logged now and then; nothing is chosen by it.
        watch_windows: how many windows of each.
        run: the run folder; a run that is there already goes on.
        pretrained: weights to start from, G_2D's or another G_MV's; None starts from scratch.
        name: of the weights file.
        distributed: one of several hosts: call ``jax.distributed.initialize`` first.
    """

    data: Path
    every_subject: int = 1
    leave_out_subjects: tuple[str, ...] = ()
    watch: tuple[str, ...] = ("train", "val")
    watch_windows: int = 96
    run: Path = Path("runs/gmv")
    pretrained: Path | None = None
    name: str = "small"
    model: DenoiserConfig = DenoiserConfig()
    windows: WindowConfig = WindowConfig(frames=64, batch=16)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=10_000, warmup_steps=200))
    distributed: bool = False


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    if config.distributed:
        jax.distributed.initialize()
    resolution = config.model.pointmap_resolution
    multiview = dataclasses.replace(config.loss.multiview, pointmap_resolution=resolution)
    loss = dataclasses.replace(config.loss, multiview=multiview)
    clips = training_clips(config.data, config.every_subject, config.leave_out_subjects)
    graph, params = build(config.model, config.loop.seed)
    if config.pretrained is not None:
        params, new = warm_start(params, load_weights(config.pretrained).params)
        print(f"{len(params) - len(new)} parameters from {config.pretrained}, {len(new)} new")
    frames = config.windows.frames
    watched = {split: load_clips(config.data, split) for split in config.watch}
    state = train(
        multiview_loss(graph, frames, loss),
        params,
        training_batches(clips, config.windows, config.loop.seed),
        config.run,
        config.loop,
        dataclasses.asdict(config),
        window_validator(graph, watched, frames, loss, config.watch_windows) if watched else None,
    )
    shipped = {
        "model": dataclasses.asdict(config.model),
        "multiview": dataclasses.asdict(multiview),
        "frames": frames,
    }
    path = config.run / f"{config.name}.safetensors"
    return save_weights(path, state.ema, shipped, steps=str(int(state.step)))


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
