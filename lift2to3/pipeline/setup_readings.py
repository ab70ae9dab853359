"""Other readings of the same calibration: what a user may have meant, tried against the keypoints.

A reading undoes one common mistake, such as millimetres taken for metres. Where the camera as it was given
does not go together with the keypoints and one reading does, that mistake is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.observations import Observations, observe
from lift2to3.pipeline.setup_measures import SetupFit, chosen_frames, measure_setup

_STANDING: Final = 0.38
"""Of `SetupFit.lean`: at most so far from upright is a reading that explains something."""
_RATIO: Final = (0.52, 1.45)
_TURN_DEG: Final = 25.0
_WITHIN: Final = 1.02
_UPS: Final = {"y": (0, 1, 0), "-y": (0, -1, 0), "x": (1, 0, 0), "-x": (-1, 0, 0), "-z": (0, 0, -1)}
_SCALES: Final = (2.0, 1.5, 3.0, 4 / 3, 2.25, 4.0, 0.5, 2 / 3, 1 / 3, 0.75, 4 / 9, 0.25)
"""Of video modes to one another: 720, 1080, 1440 and 2160 rows, and halves; the commoner ones first."""


class Reading(NamedTuple):
    """One mistake undone.

    Attributes:
        name: of the mistake.
        cause: it in words, which follow "it looks as if".
        cure: what mends it.
        camera: as it would be.
        scale: what the keypoints' pixels are divided by.
        rare: how much better than others it must fit to be named.
    """

    name: str
    cause: str
    cure: str
    camera: Camera
    scale: float = 1.0
    rare: float = 0.0


class Explained(NamedTuple):
    """A reading, and how well it fits."""

    reading: Reading
    fit: SetupFit


def measure(keypoints: Keypoints, camera: Camera, scale: float = 1.0) -> SetupFit:
    """`measure_setup` of a clip, its pixels divided by ``scale``."""
    return measure_observed(camera, observe(keypoints._replace(xy_px=keypoints.xy_px / scale), camera))


def measure_observed(camera: Camera, observed: Observations) -> SetupFit:
    """`measure_setup` of a clip that is observed already."""
    frames = chosen_frames(len(observed.n))
    return measure_setup(camera, observed.n[frames], observed.confidence[frames])


def goes_together(fit: SetupFit) -> bool:
    """Whether a reading shows an ordinary person who stands on the floor."""
    return (
        fit.height_m > 0.05
        and fit.landing > 0.9
        and _RATIO[0] < fit.ratio < _RATIO[1]
        and fit.lean < _STANDING
        and abs(fit.turn_deg) < _TURN_DEG
    )


def explain(keypoints: Keypoints, camera: Camera, observed: Observations) -> Explained | None:
    """The reading that goes best together with the keypoints, or None."""
    frames = chosen_frames(len(observed.n))
    n, confidence = observed.n[frames], observed.confidence[frames]
    best, least = None, np.inf
    for reading in readings(camera, reach(keypoints, camera)):
        changed = reading.scale != 1.0 or not np.array_equal(reading.camera.K, camera.K)
        fit = (
            measure(keypoints, reading.camera, reading.scale)
            if changed
            else measure_setup(reading.camera, n, confidence)
        )
        off = abs(np.log(max(fit.ratio, 1e-9))) + fit.lean + abs(fit.turn_deg) / 90 + reading.rare
        if goes_together(fit) and off < least:
            best, least = Explained(reading, fit), off
    return best


def reach(keypoints: Keypoints, camera: Camera) -> float:
    """How far the keypoints go right or down, of the picture's width or height; strays are left out."""
    seen = keypoints.xy_px[keypoints.confidence > 0]
    return float((np.quantile(seen, 0.998, axis=0) / np.array(camera.size)).max())


def readings(camera: Camera, reached: float) -> Iterator[Reading]:
    """Every mistake that is looked for, undone.

    Args:
        camera: as it was given.
        reached: `reach` of the keypoints.
    """
    yield from _units(camera)
    R, t = camera.R, camera.t
    yield Reading(
        "centre", "t is the camera's position", "wanted t = -R @ centre, such that x_cam = R @ x_world + t",
        _placed(camera, R, -R @ t),
    )  # fmt: skip
    yield Reading(
        "direction",
        "R and t are of the other direction (camera to world for world to camera, or the reverse)",
        "--direction camera_to_world (where the file states a direction, correct it)",
        _placed(camera, R.T, -R.T @ t),
        rare=0.05,
    )
    yield Reading(
        "transposed",
        "R is transposed",
        "wanted R world to camera (its rows are the camera's axes in the world): write R.T",
        _placed(camera, R.T, t),
        rare=0.05,
    )
    for up, axis in _UPS.items():
        yield Reading("up", f"the world has {_spoken(up)} up", f"--up {up}", _upped(camera, axis), rare=0.05)
        for unit, factor in (("mm", 1e-3), ("cm", 1e-2)):
            both = _upped(dataclasses.replace(camera, t=camera.t * factor), axis)
            cause = f"the world is in {_SPELLED[unit]} and has {_spoken(up)} up"
            yield Reading("unit", cause, f"--unit {unit} --up {up}", both, rare=0.15)
    for quarter in (1, 2, 3):
        yield Reading(
            "roll", f"the picture is turned by {90 * quarter}° against R",
            "turn R with the picture (or the picture back): R is of the picture as it was before",
            _rolled(camera, quarter), rare=0.05,
        )  # fmt: skip
        if quarter != 2:
            yield Reading(
                "roll",
                f"the picture is turned by {90 * quarter}° against its calibration, K and R",
                "turn the keypoints back, or K, size and R with the picture",
                _rolled(_turned(camera, quarter), quarter),
                rare=0.2,
            )
    for i, scale in enumerate(_SCALES):
        if reached / scale > _WITHIN or (scale > 1 and reached <= 1):
            continue  # such a picture would not hold them, or they are within this one
        yield Reading(
            "resolution", f"the keypoints are of a picture {scale:.3g} times as large as K's",
            "wanted K of the video's own resolution: multiply fx, fy, cx, cy (and size) by that, or "
            "calibrate at it",
            camera, scale=scale, rare=0.1 + 0.02 * i,
        )  # fmt: skip


_SPELLED: Final = {"mm": "millimetres", "cm": "centimetres"}


def _units(camera: Camera) -> Iterator[Reading]:
    for unit, factor in (("mm", 1e-3), ("cm", 1e-2)):
        yield Reading(
            "unit",
            f"t is in {_SPELLED[unit]}",
            f"--unit {unit}",
            dataclasses.replace(camera, t=camera.t * factor),
        )


def _spoken(up: str) -> str:
    return up if len(up) == 1 else f"−{up[1]}"


def _placed(camera: Camera, R: np.ndarray, t: np.ndarray) -> Camera:
    return dataclasses.replace(camera, R=R, t=t)


def _upped(camera: Camera, axis: tuple[int, ...]) -> Camera:
    """The camera in its world with this axis up, turned z up."""
    up = np.array(axis, float)
    aside = np.array([0.0, 1, 0]) if abs(up[0]) else np.array([1.0, 0, 0])
    turn = np.stack([aside, np.cross(up, aside), up])
    return _placed(camera, camera.R @ turn.T, camera.t)


def _turned(camera: Camera, quarter: int) -> Camera:
    """K and size of the picture turned by 90° (1, to the right) or 270° (3); a lens's distortion as it is."""
    (fx, fy), (cx, cy), (width, height) = np.diag(camera.K)[:2], camera.K[:2, 2], camera.size
    centre = (height - 1 - cy, cx) if quarter == 1 else (cy, width - 1 - cx)
    K = np.array([[fy, 0, centre[0]], [0, fx, centre[1]], [0, 0, 1]])
    return dataclasses.replace(camera, K=K, size=(height, width))


def _rolled(camera: Camera, quarter: int) -> Camera:
    """R and t of the picture turned with its axes."""
    cos, sin = np.cos(quarter * np.pi / 2), np.sin(quarter * np.pi / 2)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return _placed(camera, turn @ camera.R, turn @ camera.t)
