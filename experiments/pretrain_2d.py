"""Pretrain the single-view 2D motion denoiser G_2D (Mocap-2-to-3 sec. 3.1).

    python experiments/pretrain_2d.py --data DIR_OR_NPZ --run runs/g2d

writes ``runs/g2d/g2d.safetensors``, which ``finetune_multiview.py --pretrained`` starts from. The
same command resumes a run that was stopped; ``--max-minutes`` stops it cleanly.
"""

import dataclasses
from pathlib import Path

import tyro

from lift2to3.checkpoint import save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.data.windows import WindowConfig, window_batches
from lift2to3.models.denoiser import DenoiserConfig, build
from lift2to3.training.losses import LossConfig, single_view_loss
from lift2to3.training.loop import LoopConfig, train
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, for how long.

    Attributes:
        data: a prepared folder or packed npz (``tools/prepare_mocap.py``).
        run: the run folder; a run that is there already goes on.
    """

    data: Path
    run: Path = Path("runs/g2d")
    model: DenoiserConfig = DenoiserConfig(multi_view=False, pointmaps=False)
    windows: WindowConfig = WindowConfig(frames=64, batch=64)
    loss: LossConfig = LossConfig()
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=4_000))


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    clips = load_clips(config.data, None if config.data.suffix == ".npz" else "train")
    clips = [clip for clip in clips if not clip.uneven_floor]  # the floor must be where it is said to be
    graph, params = build(dataclasses.replace(config.model, multi_view=False), config.loop.seed)
    loss_fn = single_view_loss(graph, config.windows.frames, config.loss)

    def batches(start: int):
        for batch in window_batches(clips, config.windows, config.loop.seed, start):
            yield {name: batch[name] for name in ("points_world", "frames_valid")}

    state = train(loss_fn, params, batches, config.run, config.loop, dataclasses.asdict(config))
    model = dataclasses.asdict(dataclasses.replace(config.model, multi_view=False))
    return save_weights(config.run / "g2d.safetensors", state.ema, {"model": model}, half=False,
                        steps=str(int(state.step)))  # fmt: skip


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
