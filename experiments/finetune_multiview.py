"""Finetune the multi-view denoiser G_MV from G_2D (Mocap-2-to-3 sec. 3.2 to 3.4).

    python experiments/finetune_multiview.py --data DIR --pretrained runs/g2d/g2d.safetensors --run runs/gmv

writes ``runs/gmv/small.safetensors``, which ``lift2to3 lift --weights`` takes. The same command
resumes a run that was stopped; ``--max-minutes`` stops it cleanly.
"""

import dataclasses
from pathlib import Path

import tyro

from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.data.windows import WindowConfig, window_batches
from lift2to3.models.denoiser import DenoiserConfig, build, warm_start
from lift2to3.training.evaluate import window_validator
from lift2to3.training.losses import LossConfig, multiview_loss
from lift2to3.training.loop import LoopConfig, train
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, for how long.

    Attributes:
        data: a prepared folder (its train split) or the packed npz of the train split.
        val: likewise, watched only; None watches the train set alone.
        run: the run folder; a run that is there already goes on.
        pretrained: weights to start from, G_2D's or another G_MV's; None starts from scratch.
        name: of the weights file.
    """

    data: Path
    val: Path | None = None
    run: Path = Path("runs/gmv")
    pretrained: Path | None = None
    name: str = "small"
    model: DenoiserConfig = DenoiserConfig()
    windows: WindowConfig = WindowConfig(frames=64, batch=32)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig()


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    loss = dataclasses.replace(
        config.loss,
        multiview=dataclasses.replace(
            config.loss.multiview, pointmap_resolution=config.model.pointmap_resolution
        ),
    )
    clips = load_clips(config.data, None if config.data.suffix == ".npz" else "train")
    clips = [clip for clip in clips if not clip.uneven_floor]  # the floor must be where it is said to be
    watched = {"train": clips}
    if config.val is not None:
        watched["val"] = load_clips(config.val, None if config.val.suffix == ".npz" else "val")
    graph, params = build(config.model, config.loop.seed)
    if config.pretrained is not None:
        params, new = warm_start(params, load_weights(config.pretrained).params)
        print(f"{len(params) - len(new)} parameters from {config.pretrained}, {len(new)} new")
    frames = config.windows.frames

    def batches(start: int):
        for batch in window_batches(clips, config.windows, config.loop.seed, start):
            yield {name: batch[name] for name in ("points_world", "frames_valid")}

    state = train(
        multiview_loss(graph, frames, loss), params, batches, config.run, config.loop,
        dataclasses.asdict(config), window_validator(graph, watched, frames, loss),
    )  # fmt: skip
    shipped = {
        "model": dataclasses.asdict(config.model),
        "multiview": dataclasses.asdict(loss.multiview),
        "frames": frames,
    }
    return save_weights(config.run / f"{config.name}.safetensors", state.ema, shipped,
                        steps=str(int(state.step)))  # fmt: skip


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
