"""Train the foot lifter (FootMR): 2D foot keypoints and an initial body motion → refined ankles.

    python experiments/train_foot_lifter.py --data DIR --run runs/foot

writes ``runs/foot/foot.safetensors``, which ``lift2to3 feet --weights`` takes. The same command resumes
a run that was stopped; ``--loop.max-minutes`` stops it cleanly. On a CPU it is a quarter faster with a
device per core: ``XLA_FLAGS=--xla_force_host_platform_device_count=2`` in the environment. What the shipped
weights took, and what they reach, is in their model card, ``lift2to3/weights/foot.md``.
"""

import dataclasses
from pathlib import Path

import jax
import tyro

from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.data.windows import WindowConfig
from lift2to3.models.foot_lifter import FootLifter, FootLifterConfig
from lift2to3.models.params import build, warm_start
from lift2to3.motion import BodyMotion
from lift2to3.training.foot_loss import FootLossConfig, foot_batches, foot_loss, foot_validator
from lift2to3.training.loop import LoopConfig, train
from lift2to3.training.state import OptimiserConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to train, on what, for how long.

    Attributes:
        data: a prepared folder (``tools/prepare_mocap.py``) with a train split.
        watch: splits whose error is logged now and then; nothing is chosen by it.
        run: the run folder; a run that is there already goes on.
        pretrained: a foot lifter's weights to start from; None starts from scratch.
        name: of the weights file.
        distributed: one of several hosts: call ``jax.distributed.initialize`` first.
    """

    data: Path
    watch: tuple[str, ...] = ("train", "val")
    run: Path = Path("runs/foot")
    pretrained: Path | None = None
    name: str = "foot"
    model: FootLifterConfig = FootLifterConfig()
    windows: WindowConfig = WindowConfig(frames=120, batch=16)
    loss: FootLossConfig = FootLossConfig()
    loop: LoopConfig = LoopConfig(optimiser=OptimiserConfig(steps=9_000, learning_rate=7e-4))
    distributed: bool = False


def trusted_bodies(data: Path, split: str) -> list[BodyMotion]:
    """A split's clips as posed bodies, without skating feet, equipment and uneven floors."""
    clips = load_clips(data, split)
    return [body_motion(clip) for clip in clips if clip.contacts_trusted and clip.subject != "01"]


def main(config: Config) -> Path:
    """Train and write the averaged weights; returns their path."""
    if config.distributed:
        jax.distributed.initialize()
    graph, params = build(FootLifter, config.model, config.loop.seed)
    if config.pretrained is not None:
        params, _ = warm_start(params, load_weights(config.pretrained).params)
    frames = config.windows.frames
    watched = {split: trusted_bodies(config.data, split) for split in config.watch}
    bodies = watched["train"] if "train" in watched else trusted_bodies(config.data, "train")
    state = train(
        foot_loss(graph, frames, config.model, config.loss),
        params,
        foot_batches(bodies, config.windows, config.loop.seed),
        config.run,
        config.loop,
        dataclasses.asdict(config),
        foot_validator(graph, watched, frames, config.model, config.loss) if watched else None,
    )
    path = config.run / f"{config.name}.safetensors"
    shipped = {"foot_lifter": dataclasses.asdict(config.model)}
    return save_weights(path, state.ema, shipped, steps=str(int(state.step)))


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
