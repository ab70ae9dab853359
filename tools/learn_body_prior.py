"""Learn from mocap how bodies are built and bent: writes lift2to3/weights/body.safetensors.

    python tools/learn_body_prior.py --data DIR

A few seconds over a prepared folder (``tools/prepare_mocap.py``). The file holds the proportions of
our skeleton at rest, and a Gaussian over the joints' rotations with their ranges; `fit_body` uses both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from lift2to3.body import REFERENCE_LEG_M, leg_length
from lift2to3.checkpoint import save_weights
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.fit.body_prior import BODY_PRIOR
from lift2to3.fit.first_pose import symmetric
from lift2to3.motion import BodyMotion
from lift2to3.resample import nearest_rotations
from lift2to3.skeletons import MIRROR


@dataclasses.dataclass(frozen=True)
class Config:
    """Where the mocap is, and what of it counts."""

    data: Path
    out: Path = BODY_PRIOR
    family: str = "cmu31"
    """Only clips on this skeleton: retargeted ones have another spine."""
    every: int = 4
    """Frames between samples."""
    tail: float = 0.005
    """Share of frames beyond each joint limit."""


def mirrored(rotations: np.ndarray) -> np.ndarray:
    """Local rotations of the mirror image, (time, joints, 3, 3); x points to the left at rest."""
    flip = np.array([-1.0, 1.0, 1.0])
    return flip[:, None] * rotations[:, MIRROR[: rotations.shape[1]]] * flip


def mean_rest_offsets(motions: Sequence[BodyMotion]) -> np.ndarray:
    """Proportions at the reference leg, the same on both sides. (38, 3) metres"""
    offsets = np.mean([m.rest_offsets * (REFERENCE_LEG_M / leg_length(m.rest_offsets)) for m in motions], 0)
    return symmetric(offsets)


def main(config: Config) -> Path:
    """Learn and write."""
    clips = [clip for clip in load_clips(config.data, "train") if clip.family == config.family]
    motions = [body_motion(clip) for clip in clips]
    rotations = np.concatenate([motion.rotations[:: config.every, 1:] for motion in motions])
    whole = np.concatenate([np.broadcast_to(np.eye(3), (len(rotations), 1, 3, 3)), rotations], axis=1)
    both = np.concatenate([whole, mirrored(whole)])[:, 1:]
    mean = nearest_rotations(both.mean(0))
    tangent = Rotation.from_matrix((mean.swapaxes(1, 2) @ both).reshape(-1, 3, 3)).as_rotvec()
    tangent = tangent.reshape(len(both), -1)
    low, high = np.quantile(tangent, [config.tail, 1 - config.tail], axis=0)
    return save_weights(
        config.out,
        {
            "rest_offsets": mean_rest_offsets(motions).astype(np.float32),
            "mean_rotations": mean.astype(np.float32),
            "tangent_mean": tangent.mean(0).astype(np.float32),
            "tangent_covariance": np.cov(tangent.T).astype(np.float32),
            "tangent_low": low.astype(np.float32),
            "tangent_high": high.astype(np.float32),
        },
        {"reference_leg_m": REFERENCE_LEG_M},
        half=False,
        clips=str(len(clips)),
        frames=str(len(rotations)),
    )


if __name__ == "__main__":
    print(main(tyro.cli(Config, description=__doc__)))
