"""What feet are like before anything refines them: how level mocap's stand, how far off a lift's are.

    python -m experiments.feet.measure --data DIR --cameras cameras.json

The first says how much "a standing foot is level" is worth, the second how large the errors are that the foot
lifter is trained on (`lift2to3.data.initial_feet.InitialErrorConfig`).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import tyro
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from experiments.feet.scenes import ANKLES, KNEES, SOLES
from experiments.methods import quietly
from experiments.protocol import evenly, load_rigs, trials
from lift2to3 import BodyMotion, Lifter, fit_body
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.dataset import load_clips
from lift2to3.data.mocap import MocapClip

_WANDER_S: Final = 0.17
"""Deviation of the Gaussian that parts what changes within a second from what changes frame to frame."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        data: a prepared folder with that split.
        cameras: json list of real calibrations.
        split: which clips; skating and uneven floors are left out.
        limit: lifts of at most this many clips, evenly chosen.
    """

    data: Path
    cameras: Path
    split: Literal["train", "val"] = "train"
    limit: int = 40


def standing_tilt(bodies: Sequence[BodyMotion]) -> tuple[float, float]:
    """Mean angle of the feet's up to the world's while heel and big toe move under 5 mm per 1/30 s.

    Returns:
        Degrees over all such frames, and of each clip's and foot's mean direction: what is constant of it.
    """
    angles, constant = [], []
    for body in bodies:
        frames, points = body.posed()
        for ankle, sole in zip(ANKLES, SOLES[:, :2], strict=True):
            moved = np.linalg.norm(np.diff(points[:, sole], axis=0), axis=-1) * body.fps / 30
            up = frames[1:][(moved < 0.005).all(1), ankle, 2]  # the world's, in the foot's frame
            if len(up) > 10:
                mean = up.mean(0) / np.linalg.norm(up.mean(0))
                angles.append(np.degrees(np.arccos(up[:, 1].clip(-1, 1))))
                constant.append(np.degrees(np.arccos(mean[1].clip(-1, 1))))
    return float(np.concatenate(angles).mean()), float(np.mean(constant))


def error_parts(
    found: Float[np.ndarray, "time feet 3 3"], true: Float[np.ndarray, "time feet 3 3"], fps: float
) -> Float[np.ndarray, "3"]:
    """Deviations of the error, over time, feet and axes: held, changing within a second, frame to frame.

    Degrees in the joint's own frame, of all three axes together: the units of `InitialErrorConfig`.
    """
    vectors = Rotation.from_matrix((true.swapaxes(-1, -2) @ found).reshape(-1, 3, 3)).as_rotvec(degrees=True)
    error = vectors.reshape(*true.shape[:2], 3)
    held = error.mean(0, keepdims=True)
    wander = gaussian_filter1d(error - held, _WANDER_S * fps, axis=0, mode="nearest")
    return np.array([np.sqrt((part**2).sum(-1).mean()) for part in (held, wander, error - held - wander)])


def lift_errors(clips: Sequence[MocapClip], config: Config) -> Table:
    """How far shins and, on them, ankles of unrefined lifts are off: medians of clips."""
    table = Table("2D", "joint", "held °", "within a second °", "frame to frame °")
    chosen = list(trials(clips, load_rigs(config.cameras), 1))
    lift = quietly(Lifter.from_pretrained(), feet=False)
    for noise in ("gt", "noisy"):
        parts = []
        for trial in track(chosen, f"lifts, {noise}", console=Console(stderr=True)):
            lifted = lift(trial.keypoints("halpe26", noise), trial.camera)
            found, true = (body.posed()[0] for body in (fit_body(lifted), body_motion(trial.clip)))
            shins = found[:, KNEES], true[:, KNEES]
            ankles = [x[:, KNEES].swapaxes(-1, -2) @ x[:, ANKLES] for x in (found, true)]
            parts.append([error_parts(*pair, fps=trial.clip.fps) for pair in (shins, ankles)])
        for joint, sizes in zip(("shin", "ankle on it"), np.median(parts, axis=0), strict=True):
            table.add_row(noise, joint, *(f"{size:.1f}" for size in sizes))
    return table


def main(config: Config) -> None:
    """Print both."""
    clips = load_clips(config.data, config.split)
    level = [clip for clip in clips if clip.contacts_trusted]
    tilt = standing_tilt([body_motion(clip) for clip in level])
    print("standing feet are {:.1f}° off level, {:.1f}° of it constant".format(*tilt))
    Console(width=110).print(lift_errors(evenly(level, config.limit), config))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
