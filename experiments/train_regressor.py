"""Train the direct regressor, the baseline that goes from one view's keypoints straight to 3D points.

    python experiments/train_regressor.py --data DIR --run runs/regressor

writes ``runs/regressor/regressor.safetensors``, which `lift2to3.pipeline.regressor.Regressor` takes. The
same command resumes a run that was stopped; ``--loop.max-minutes`` stops it cleanly. Data, examples and
weights of the loss are those of ``finetune_multiview.py``; a step costs a fraction of its.
"""

import dataclasses
from pathlib import Path

import jax
import tyro

from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.dataset import load_clips
from lift2to3.data.windows import WindowConfig
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.models.params import build, warm_start
from lift2to3.models.regressor import Regressor, RegressorConfig
from lift2to3.training.batches import training_batches
from lift2to3.training.loop import LoopConfig, train
from lift2to3.training.losses import LossConfig
from lift2to3.training.regressor_loss import regressor_loss, regressor_validator
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, for how long.

    Attributes:
        data: a prepared folder (``tools/prepare_mocap.py``) with a train split.
        watch: splits whose error is logged now and then; nothing is chosen by it.
        run: the run folder; a run that is there already goes on.
        pretrained: a regressor's weights to start from; None starts from scratch.
        name: of the weights file.
        distributed: one of several hosts: call ``jax.distributed.initialize`` first.
    """

    data: Path
    watch: tuple[str, ...] = ("train", "val")
    run: Path = Path("runs/regressor")
    pretrained: Path | None = None
    name: str = "regressor"
    model: RegressorConfig = RegressorConfig()
    windows: WindowConfig = WindowConfig(frames=64, batch=32)
    loss: LossConfig = LossConfig(multiview=MultiViewConfig(views=1))
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=20_000))
    distributed: bool = False


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    if config.distributed:
        jax.distributed.initialize()
    graph, params = build(Regressor, config.model, config.loop.seed)
    if config.pretrained is not None:
        params, _ = warm_start(params, load_weights(config.pretrained).params)
    frames = config.windows.frames
    watched = {split: load_clips(config.data, split) for split in config.watch}
    state = train(
        regressor_loss(graph, frames, config.loss),
        params,
        training_batches(load_clips(config.data, "train"), config.windows, config.loop.seed),
        config.run,
        config.loop,
        dataclasses.asdict(config),
        regressor_validator(graph, watched, frames, config.loss) if watched else None,
    )
    shipped = {
        "regressor": dataclasses.asdict(config.model),
        "multiview": dataclasses.asdict(config.loss.multiview),
        "frames": frames,
    }
    path = config.run / f"{config.name}.safetensors"
    return save_weights(path, state.ema, shipped, steps=str(int(state.step)))


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
