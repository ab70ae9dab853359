"""Where `smplify` starts: every window solved coarsely from four headings, the best sequence kept."""

from __future__ import annotations

from typing import Final

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from lift2to3.body import BODY_JOINTS
from lift2to3.conventions import MODEL_FPS
from lift2to3.fit.pose_problem import SHAPES, Posed, PosePrior, of_numpy
from lift2to3.fit.pose_solver import solve
from lift2to3.fit.pose_windows import Poses, even_starts, joined, points_at, poses_at_rate
from lift2to3.fit.smplify_terms import SeenClip, SmplifyConfig, shape_precision, weights_at, window_problem
from lift2to3.resample import bridge_gaps
from lift2to3.skeletons import INDEX

_HEADINGS: Final = 4
_TORSO: Final = [
    INDEX[name]
    for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "pelvis", "mid_hip", "spine1",
                 "spine2", "spine3", "neck", "mid_shoulder")
]  # fmt: skip
_WORLD_FROM_BODY: Final = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""A body that stands upright in the world and faces -y."""
_SEAM_M: Final = 0.1  # two windows' coarse poses of one frame that differ so much cost as one deviation
_SETTLED: Final = 1e-3


def search(
    clip: SeenClip, bones: Float[np.ndarray, "38 3"], prior: PosePrior, config: SmplifyConfig
) -> tuple[Poses, Float[np.ndarray, " shapes"]]:
    """Poses of the whole clip at full rate, and the shape of its bones.

    Every window may face anywhere. Of all sequences of headings the one is kept whose windows' energies
    and seams sum to least; the shape is the mean over its windows.
    """
    starts = even_starts(len(clip.n), config.window_frames, config.overlap_frames)
    found: list[Posed] = []
    energies, seams = [], []
    before = np.zeros(0)
    for window, start in enumerate(starts.tolist()):
        index = _coarse_index(start, config)
        posed, energy = _coarse(clip, index, first_poses(clip, index), bones, prior, config)
        points = np.stack([_points(one, bones, prior, config) for one in _each(posed)])
        if window:
            seams.append(_seam_costs(before, points, start - int(starts[window - 1]), config.coarse_stride))
        found.append(posed)
        energies.append(energy)
        before = points
    chosen = cheapest_path(energies, seams)
    kept = [_each(posed)[heading] for posed, heading in zip(found, chosen, strict=True)]
    share = np.minimum(len(clip.n) - starts, config.window_frames)
    shape = np.average([posed.shape for posed in kept], axis=0, weights=share)
    return joined([_full_rate(posed, config) for posed in kept], starts, len(clip.n)), shape


def common_shape(
    clip: SeenClip,
    poses: Poses,
    bones: Float[np.ndarray, "38 3"],
    prior: PosePrior,
    config: SmplifyConfig,
) -> Float[np.ndarray, " shapes"]:
    """The shape of a start's bones that explains the keypoints, the mean over the clip's windows."""
    starts = even_starts(len(clip.n), config.window_frames, config.overlap_frames)
    shapes = []
    for start in starts.tolist():
        index = _coarse_index(start, config)
        begin = Posed(*(part[None] for part in poses.at(index, np.zeros(len(SHAPES)))))
        posed, _ = _coarse(clip, index, begin, bones, prior, config, started=True)
        shapes.append(np.asarray(posed.shape[0], float))
    return np.average(shapes, axis=0, weights=np.minimum(len(clip.n) - starts, config.window_frames))


def _coarse_index(start: int, config: SmplifyConfig) -> Int[np.ndarray, " time"]:
    """The frames of a window that take part in the search."""
    return start + np.arange(0, config.window_frames, config.coarse_stride)


def _coarse(
    clip: SeenClip,
    index: Int[np.ndarray, " time"],
    begin: Posed,
    bones: Float[np.ndarray, "38 3"],
    prior: PosePrior,
    config: SmplifyConfig,
    started: bool = False,
) -> tuple[Posed, Float[np.ndarray, " headings"]]:
    """A window solved from several poses (a leading axis), at fewer frames a second; and the energies."""
    standing = clip.standing[index.clip(0, len(clip.n) - 1)]
    problem = window_problem(clip, index, standing, bones, shape_precision(config, started), config)
    weights = weights_at(config, MODEL_FPS / config.coarse_stride, config.coarse_robust)
    found = [solve(one, problem, prior, weights, config.coarse_iterations, _SETTLED) for one in _each(begin)]
    posed = [jax.device_get(one) for one, _, _ in found]
    energies = np.array([energy for _, energy, _ in found])
    return of_numpy(Posed, *map(np.stack, zip(*posed, strict=True))), energies


def _each(posed: Posed) -> list[Posed]:
    """By heading."""
    return [Posed(*(part[heading] for part in posed)) for heading in range(len(posed.shape))]


def _full_rate(posed: Posed, config: SmplifyConfig) -> Poses:
    """Every frame of a window's coarse solution."""
    poses = Poses(*(np.asarray(part, float) for part in posed[:3]))
    return poses_at_rate(poses, MODEL_FPS / config.coarse_stride, MODEL_FPS, config.window_frames)


def _points(
    posed: Posed, bones: Float[np.ndarray, "38 3"], prior: PosePrior, config: SmplifyConfig
) -> Float[np.ndarray, "window 38 3"]:
    whole = of_numpy(Posed, *_full_rate(posed, config), np.asarray(posed.shape))
    return points_at(whole, np.asarray(prior.mean_rotations, float), bones)


def first_poses(clip: SeenClip, index: Int[np.ndarray, " time"]) -> Posed:
    """The mean pose where the torso is seen, facing the camera and turned by a quarter, half, … turn.

    Returns:
        With a leading axis of the four headings.
    """
    within = index.clip(0, len(clip.n) - 1)
    weight = clip.confidence * (clip.confidence > 0)
    torso = np.zeros_like(weight)
    torso[:, _TORSO] = weight[:, _TORSO]
    weight = np.where(torso.any(1, keepdims=True), torso, weight)
    total = weight.sum(1)
    middle = (clip.n * weight[..., None]).sum(1) / np.where(total > 0, total, 1.0)[:, None]
    middle = bridge_gaps(middle, total > 0)[within]
    axes, translation = (np.asarray(part, float) for part in clip.view)
    rays = np.concatenate([middle, np.ones_like(middle[:, :1])], axis=1) @ axes  # of depth 1
    root = -translation @ axes + clip.depth_m[within, None] * rays
    away = root[:, :2].mean(0)  # the camera stands over the frame's origin
    facing = np.arctan2(-away[0], away[1])  # from -y, which the upright body faces
    yaws = facing + np.arange(_HEADINGS) * 2 * np.pi / _HEADINGS
    rotations = Rotation.from_rotvec(np.outer(yaws, [0, 0, 1])).as_matrix() @ _WORLD_FROM_BODY
    time = len(index)
    parts = (
        np.zeros((_HEADINGS, time, len(BODY_JOINTS) - 1, 3)),
        np.broadcast_to(rotations[:, None], (_HEADINGS, time, 3, 3)),
        np.broadcast_to(root, (_HEADINGS, time, 3)),
        np.zeros((_HEADINGS, len(SHAPES))),
    )
    return of_numpy(Posed, *parts)


def _seam_costs(
    before: Float[np.ndarray, "headings window 38 3"],
    after: Float[np.ndarray, "headings window 38 3"],
    gap: int,
    stride: int,
) -> Float[np.ndarray, "headings headings"]:
    """How little each heading of a window (column) goes on from each of the one before, as an energy."""
    joints = len(BODY_JOINTS)
    ends, begins = before[:, gap:, :joints], after[:, : after.shape[1] - gap, :joints]
    apart = ((ends[:, None] - begins[None]) ** 2).sum((-1, -2)).sum(-1)
    return 0.5 * apart / stride / _SEAM_M**2


def cheapest_path(
    energies: list[Float[np.ndarray, " headings"]], seams: list[Float[np.ndarray, "headings headings"]]
) -> list[int]:
    """One choice per window such that energies and the seams between neighbours are least (Viterbi)."""
    cost, steps = energies[0], []
    for energy, seam in zip(energies[1:], seams, strict=True):
        through = cost[:, None] + seam
        steps.append(through.argmin(0))
        cost = through.min(0) + energy
    chosen = [int(cost.argmin())]
    for step in reversed(steps):
        chosen.append(int(step[chosen[-1]]))
    return chosen[::-1]
