"""What pulls at the poses in `smplify`: its weights, what a clip's keypoints say, and a window's problem."""

from __future__ import annotations

import dataclasses
import functools
from typing import Final, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.ndimage import gaussian_filter1d, median_filter

from lift2to3.contact import CONTACT_POINTS, CONTACT_ROWS, ContactConfig, hysteresis
from lift2to3.conventions import MODEL_FPS
from lift2to3.fit.pose_problem import RATES, SHAPES, PosePrior, Problem, Weights, learned_prior, of_numpy
from lift2to3.fit.pose_windows import OVERLAP_FRAMES, WINDOW_FRAMES
from lift2to3.geometry.cameras import View
from lift2to3.geometry.ground import depth_from_size, foot_depths
from lift2to3.resample import bridge_gaps
from lift2to3.skeletons import CANONICAL, INDEX

_SIZE_FACTOR: Final = 1.35  # a ray whose floor point is this many times off what size says is no foot's
_STANDS_WITH: Final = {"heel": ("heel", "ankle"), "big_toe": ("big_toe", "small_toe", "foot")}
"""A contact point's kind → points that stand while it does; the first that was ever seen tells."""
_COMPILED_FRAMES: Final = 512  # what is compiled serves clips up to the next multiple of this
_SMOOTH_FRAMES: Final = 3.0  # deviation of the Gaussian under which a foot's speed in the picture is told


@dataclasses.dataclass(frozen=True)
class SmplifyConfig:
    """How firmly each term pulls, as standard deviations, and how the search goes.

    Tuned by hand, a number at a time, on clips of the mocap's train split, each seen by one camera of the
    validation protocol and half of them with its noise: PA-MPJPE, MPJPE and half of Abs-MPJPE, from keypoints
    alone. No clip of the val split took part.

    Attributes:
        keypoint_m: error of a keypoint of confidence 1, in metres at the person's distance: detectors err
            in proportion to the person's size in the picture.
        robust: an image error of this many deviations counts half; `coarse_robust` in the search.
        pose: weight of the pose prior beside one frame's keypoints.
        pose_floor_rad: added to every deviation of the prior: none of a pose's numbers is that sure.
        limit_rad: beyond a joint's range.
        turn_rate, root_turn_rate, step_rate: change of the joints' rotations and the pelvis's (rad/s), and
            of its place (m/s).
        turn_change, root_turn_change, step_change: accelerations, rad/s² and m/s².
        floor_m: height of a standing foot's point over where it should be.
        planted_m_per_s: its speed.
        robust_floor: a standing foot that is off by this many deviations counts half.
        under_floor_m: any point under the floor.
        size_share: logarithm of a body's size around the prior's, that is of statures.
        bone_share: logarithm of a body part's size beside the whole body's.
        start_m: of each point of a motion that is the start, beside its own spread.
        start_share: `bone_share` and `size_share` around the bones of such a start.
        static_m_per_s: a foot that moves less than this in the picture, at its distance, stands.
        contact: what stands, once there is an estimate in 3D.
        window_frames: solved at once, at 30 fps.
        overlap_frames: between windows.
        coarse_stride: every nth frame takes part in the search for the heading.
        coarse_iterations, iterations: steps of Levenberg–Marquardt, at most; the second in each round.
        rounds: of the full solve; contacts are labelled anew before each but the first.
    """

    keypoint_m: float = 0.02
    robust: float = 3.0
    coarse_robust: float = 10.0
    pose: float = 1.0
    pose_floor_rad: float = 0.05
    limit_rad: float = 0.1
    turn_rate: float = 4.0
    root_turn_rate: float = 4.0
    step_rate: float = 4.0
    turn_change: float = 40.0
    root_turn_change: float = 40.0
    step_change: float = 5.0
    floor_m: float = 0.02
    planted_m_per_s: float = 0.1
    robust_floor: float = 4.0
    under_floor_m: float = 0.02
    size_share: float = 0.045
    bone_share: float = 0.04
    start_m: float = 0.05
    start_share: float = 0.02
    static_m_per_s: float = 0.25
    contact: ContactConfig = ContactConfig(0.06, 0.3, 0.1, 0.5)
    window_frames: int = WINDOW_FRAMES
    overlap_frames: int = OVERLAP_FRAMES
    coarse_stride: int = 4
    coarse_iterations: int = 30
    iterations: int = 20
    rounds: int = 2

    def __post_init__(self) -> None:
        """Refuse windows that cannot be cut.

        Raises:
            ValueError: a window that the coarse stride does not divide, or overlaps out of range.
        """
        if self.coarse_stride < 1 or self.window_frames % self.coarse_stride:
            raise ValueError(
                f"window_frames {self.window_frames}: wanted a multiple of the coarse_stride, "
                f"which is {self.coarse_stride}"
            )
        if not 0 < self.overlap_frames <= self.window_frames // 2:
            raise ValueError(
                f"overlap_frames {self.overlap_frames}: wanted 1 to half the window's {self.window_frames}"
            )


class SeenClip(NamedTuple):
    """What the camera saw, at 30 fps, in its canonical frame.

    Attributes:
        depth_m: of the person along the optical axis, a first guess.
        standing: of `CONTACT_POINTS`, as far as the picture tells.
        targets, target_weight: places that points are drawn to, and how firmly; weight 0 for none.
    """

    n: Float[np.ndarray, "time 38 2"]
    confidence: Float[np.ndarray, "time 38"]
    view: View
    depth_m: Float[np.ndarray, " time"]
    standing: Bool[np.ndarray, "time 4"]
    targets: Float[np.ndarray, "time 38 3"]
    target_weight: Float[np.ndarray, "time 38"]


def seen_clip(
    view: View,
    n: Float[np.ndarray, "time 38 2"],
    confidence: Float[np.ndarray, "time 38"],
    config: SmplifyConfig,
) -> SeenClip:
    """Put together what is known before anything is solved."""
    depth = _guessed_depths(view, n, confidence > 0)
    standing = _standing_in_picture(n, confidence, depth, config.static_m_per_s)
    targets, weight = np.zeros((*n.shape[:2], 3)), np.zeros(n.shape[:2])
    return SeenClip(n, confidence, view, depth, standing, targets, weight)


@jax.jit
def _depths(view: View, n: Array, seen: Array) -> tuple[Array, Array, Array, Array]:
    return *depth_from_size(n, seen), *foot_depths(view, n, seen)


def _guessed_depths(
    view: View, n: Float[np.ndarray, "time 38 2"], seen: Bool[np.ndarray, "time 38"]
) -> Float[np.ndarray, " time"]:
    """By the body's apparent size, corrected by what the clip's feet on the floor say of this body."""
    frames = -len(n) % _COMPILED_FRAMES + len(n)
    image, mask = np.zeros((frames, *n.shape[1:]), np.float32), np.zeros((frames, n.shape[1]), bool)
    image[: len(n)], mask[: len(n)] = n, seen
    size, sized, feet, usable = (np.asarray(part)[: len(n)] for part in _depths(view, image, mask))
    size = size.astype(float)
    feet = np.where(usable, feet, np.inf).min(1)
    sized = sized > 0
    hit = np.isfinite(feet)
    if not sized.any():
        return bridge_gaps(np.where(hit, feet, 0.0).astype(float), hit)
    both = hit & sized
    ratio = np.median(feet[both] / size[both]) if both.any() else 1.0
    depth = bridge_gaps(size * np.clip(ratio, 1 / _SIZE_FACTOR, _SIZE_FACTOR), sized)
    return gaussian_filter1d(median_filter(depth, 15, mode="nearest"), 8.0, mode="nearest")


def _standing_in_picture(
    n: Float[np.ndarray, "time 38 2"],
    confidence: Float[np.ndarray, "time 38"],
    depth_m: Float[np.ndarray, " time"],
    static_m_per_s: float,
) -> Bool[np.ndarray, "time 4"]:
    """Contact points that hardly move in the picture: a foot in the air seldom does."""
    labels = np.zeros((len(n), len(CONTACT_POINTS)), bool)
    if len(n) < 2:
        return labels
    for column, point in enumerate(CONTACT_POINTS):
        side, kind = point.split("_", 1)
        rows = [INDEX[f"{side}_{name}"] for name in _STANDS_WITH[kind]]
        row = next((row for row in rows if (confidence[:, row] > 0).any()), None)
        if row is None:
            continue
        seen = confidence[:, row] > 0
        path = gaussian_filter1d(bridge_gaps(n[:, row], seen), _SMOOTH_FRAMES, axis=0, mode="nearest")
        speed = np.linalg.norm(np.gradient(path, axis=0), axis=1) * depth_m * MODEL_FPS
        labels[:, column] = hysteresis(speed < static_m_per_s, speed < 1.5 * static_m_per_s) & seen
    return labels


def pose_prior(config: SmplifyConfig) -> PosePrior:
    """The learned Gaussian, as firm as the configuration has it."""
    return learned_prior(config.pose, config.pose_floor_rad)


def weights_at(config: SmplifyConfig, fps: float, robust: float) -> Weights:
    """The configuration's deviations as weights of a problem at this frame rate."""
    rate, change = fps**-1.0, fps**-2.0
    return Weights(
        robust**2,
        config.robust_floor**2,
        config.pose / config.limit_rad**2,
        config.under_floor_m**-2.0,
        *((each * rate) ** -2.0 for each in (config.turn_rate, config.root_turn_rate, config.step_rate)),
        *((each * change) ** -2.0
          for each in (config.turn_change, config.root_turn_change, config.step_change)),
    )  # fmt: skip


def shape_precision(config: SmplifyConfig, started: bool = False) -> Float[np.ndarray, " shapes"]:
    """One over variance, in the order of `SHAPES`; around a start's bones, or ordinary ones."""
    size, part = config.size_share, config.bone_share
    if started:
        size = part = config.start_share
    return np.array([(size if name == "size" else part) ** -2.0 for name in SHAPES])


def window_problem(
    clip: SeenClip,
    index: Int[np.ndarray, " window"],
    standing: Bool[np.ndarray, "window 4"],
    bones: Float[np.ndarray, "38 3"],
    precision: Float[np.ndarray, " shapes"],
    config: SmplifyConfig,
) -> Problem:
    """The problem of some of a clip's frames, in even steps; frames past its end pull at nothing."""
    real = index < len(clip.n)
    within = index.clip(0, len(clip.n) - 1)
    seen_weight = clip.confidence[within] * (clip.depth_m[within] / config.keypoint_m)[:, None] ** 2
    standing = standing & real[:, None]
    on_floor = np.zeros((len(index), len(CANONICAL)))
    on_floor[:, CONTACT_ROWS] = standing / config.floor_m**2
    step_s = (index[1] - index[0]) / MODEL_FPS
    planted = (standing[1:] & standing[:-1]) / (config.planted_m_per_s * step_s) ** 2
    mask = real[:, None].astype(float)
    parts = (
        bones, clip.n[within], seen_weight * mask, clip.targets[within], clip.target_weight[within] * mask,
        on_floor, planted, np.zeros((len(planted), RATES)), real, precision,
    )  # fmt: skip
    return of_numpy(functools.partial(Problem, clip.view), *parts)
