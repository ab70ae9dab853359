"""What goes wrong in a lift's input, and how much of it is tried: the curves of `experiments.robustness`.

A disturbance turns a trial of the fixed protocol (`experiments.protocol`) into another one. What it draws at
random is scaled by the level, so that the levels of a curve differ in nothing else.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from experiments.protocol import Trial, aimed_camera, inside_picture
from lift2to3 import Camera
from lift2to3.resample import resample_points
from lift2to3.skeletons import INDEX, rows_by_side

LEGS = rows_by_side("knee", "ankle", "foot").ravel()
OCCLUSION_S = 0.5
"""How slowly hidden legs come and go."""
FOCAL_PX, SIZE_PX = 1100.0, (1920, 1080)
"""Of the cameras at a distance and height: 82° × 52°."""
AIM_M, DISTANCE_M, HEIGHT_M, FAR_NOISE_PX = 0.9, 4.0, 1.5, 3.0
WITHIN_M = 1.0

Disturb = Callable[[Trial, float, np.random.Generator], Trial]
"""A trial, how badly it is disturbed in the curve's unit, and a source of draws."""


def with_noise(trial: Trial, sigma_px: float, draws: np.random.Generator) -> Trial:
    """Gaussian noise on every coordinate, new in every frame."""
    return trial._replace(pixels=trial.pixels + sigma_px * draws.standard_normal(trial.pixels.shape))


def with_bias(trial: Trial, sigma_px: float, draws: np.random.Generator) -> Trial:
    """A Gaussian offset of each joint that stays the same over the clip."""
    offset = sigma_px * draws.standard_normal((1, *trial.pixels.shape[1:]))
    return trial._replace(pixels=trial.pixels + offset)


def with_missing(trial: Trial, percent: float, draws: np.random.Generator) -> Trial:
    """This share of all joints missing, each frame and joint by itself; more of them contain fewer."""
    hidden = draws.random(trial.pixels.shape[:2]) < percent / 100
    return trial._replace(pixels=np.where(hidden[..., None], np.nan, trial.pixels))


def without_legs(trial: Trial, percent: float, draws: np.random.Generator) -> Trial:
    """Knees and all below hidden in this share of the frames, in runs: where a slow random curve is low."""
    curve = gaussian_filter1d(draws.standard_normal(len(trial.pixels)), OCCLUSION_S * trial.clip.fps)
    hidden = curve.argsort()[: round(percent / 100 * len(curve))]
    pixels = trial.pixels.copy()
    pixels[hidden[:, None], LEGS] = np.nan
    return trial._replace(pixels=pixels)


def refocused(camera: Camera, percent: float) -> Camera:
    """The camera with focal lengths longer by this much."""
    factor = 1 + percent / 100
    return dataclasses.replace(camera, K=camera.K * np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]]))


def tilted(camera: Camera, degrees: float) -> Camera:
    """The camera turned about its own x axis where it stands: upwards for a positive angle."""
    R = Rotation.from_euler("x", -degrees, degrees=True).as_matrix() @ camera.R
    return dataclasses.replace(camera, R=R, t=-R @ camera.centre)


def raised(camera: Camera, cm: float) -> Camera:
    """The camera higher by this much above the floor."""
    return dataclasses.replace(camera, t=camera.t - camera.R @ np.array([0.0, 0.0, cm / 100]))


def wrong(change: Callable[[Camera, float], Camera]) -> Disturb:
    """The picture is the true camera's; the method is given a changed one."""
    return lambda trial, level, _: trial._replace(camera=change(trial.camera, level))


def filmed_at(trial: Trial, fps: float) -> Trial:
    """The clip at another frame rate: its points by a cubic spline, all else of the nearest frame."""
    own = trial.clip.fps
    count = int(np.floor((len(trial.pixels) - 1) / own * fps + 1e-6)) + 1
    points = resample_points(trial.clip.points_world.astype(float), own, fps, count).astype(np.float32)
    trial = trial.at(np.round(np.arange(count) / fps * own).astype(int))
    clip = trial.clip._replace(fps=fps, points_world=points)
    return trial._replace(clip=clip, pixels=inside_picture(trial.camera, points))


def standing_camera(
    middle: Float[np.ndarray, "2"], direction: Float[np.ndarray, "2"], distance_m: float, height_m: float
) -> Camera:
    """A camera at a distance from a place on the floor, in a direction from it, aimed 0.9 m above it."""
    away = direction / np.linalg.norm(direction)
    centre = np.array([*(middle + distance_m * away), height_m])
    width, height = SIZE_PX
    K = np.array([[FOCAL_PX, 0, (width - 1) / 2], [0, FOCAL_PX, (height - 1) / 2], [0, 0, 1]])
    return aimed_camera(K, SIZE_PX, centre, np.array([*middle, AIM_M]))


def filmed_from(trial: Trial, distance_m: float, height_m: float) -> Trial:
    """The clip's middle stretch seen by `standing_camera`, from the trial's own camera's side.

    The stretch is of the frames around the middle one in which the pelvis stays within 1 m of where it
    is then: so much may the distance differ from what the curve says.
    """
    pelvis = trial.clip.points_world[:, INDEX["pelvis"], :2].astype(float)
    middle = len(pelvis) // 2
    away = np.flatnonzero(np.linalg.norm(pelvis - pelvis[middle], axis=-1) > WITHIN_M).tolist()
    first = max((frame + 1 for frame in away if frame < middle), default=0)
    last = min((frame for frame in away if frame > middle), default=len(pelvis))
    trial = trial.at(slice(first, last))
    camera = standing_camera(pelvis[middle], trial.camera.centre[:2] - pelvis[middle], distance_m, height_m)
    return trial._replace(camera=camera, pixels=inside_picture(camera, trial.clip.points_world))


class Curve(NamedTuple):
    """One disturbance and how much of it is tried.

    Attributes:
        title, unit: of the level.
        levels: in that unit.
        disturb: what is done to a trial.
        kind: whether it grows from 0, errs to both sides of 0, or is a setting without a right value.
        accel: whether the picture shows the acceleration's error too.
    """

    title: str
    unit: str
    levels: tuple[float, ...]
    disturb: Disturb
    kind: Literal["growing", "two-sided", "setting"] = "growing"
    accel: bool = False


_PIXELS, _DISTANCES = (0, 1, 2, 4, 6, 10, 15), (2, 3, 4, 6, 8, 12)
_BOTH = (-20, -10, -5, 0, 5, 10, 20)
CURVES: dict[str, Curve] = {
    "noise": Curve("Keypoint noise", "px", _PIXELS, with_noise, accel=True),
    "missing": Curve("Missing joints", "%", (0, 5, 10, 20, 40, 60), with_missing, accel=True),
    "legs": Curve("Legs hidden", "% of frames", (0, 20, 40, 60, 80, 100), without_legs, accel=True),
    "bias": Curve("Bias of each joint", "px", _PIXELS, with_bias),
    "focal": Curve("Focal length told wrong", "%", _BOTH, wrong(refocused), "two-sided"),
    "tilt": Curve("Tilt told wrong (+: upwards)", "°", (-5, -3, -1, 0, 1, 3, 5), wrong(tilted), "two-sided"),
    "ground": Curve("Camera height told wrong (+: too high)", "cm", _BOTH, wrong(raised), "two-sided"),
    "fps": Curve("Frame rate", "fps", (10, 15, 24, 30, 60, 120), lambda t, x, _: filmed_at(t, x), "setting"),
    "distance": Curve(
        "Distance", "m", _DISTANCES, lambda t, x, _: filmed_from(t, x, HEIGHT_M), "setting"
    ),
    "distance_noisy": Curve(
        f"Distance, with noise of {FAR_NOISE_PX:.0f} px", "m", _DISTANCES,
        lambda t, x, draws: with_noise(filmed_from(t, x, HEIGHT_M), FAR_NOISE_PX, draws), "setting",
    ),
    "height": Curve(
        "Camera height", "m", (0.3, 0.7, 1.2, 1.8, 2.5, 3.5),
        lambda t, x, _: filmed_from(t, DISTANCE_M, x), "setting",
    ),
}  # fmt: skip


def draws_of(seed: int, trial: Trial, curve: str) -> np.random.Generator:
    """The same draws for all levels and methods: they depend on the seed, the clip and the curve alone."""
    return np.random.default_rng([seed, *map(ord, f"{trial.clip.clip} {curve}")])
