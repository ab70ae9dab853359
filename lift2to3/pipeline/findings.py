"""What is wrong with keypoints and their camera, each as a `Finding`: asked before anything is lifted.

`setup_findings` is what `lift` refuses or warns by, and what ``lift2to3 doctor`` shows. The most specific
cause stands first: a wrong cause has many symptoms, and only the cause is named.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.observations import Observations
from lift2to3.pipeline.likelier_format import likelier_format
from lift2to3.pipeline.setup_measures import SetupFit
from lift2to3.pipeline.setup_readings import explain, goes_together, measure_observed, reach
from lift2to3.skeletons import FOOT_POINTS

_FARTHEST_M: Final = 35.0  # `depth_from_size` itself ends at 40
_FEW: Final = 0.1
"""Share of frames with a foot on the floor under which something must be wrong."""
ORDINARY: Final = (0.79, 1.2)
"""Of `SetupFit.ratio`: real motions of adults (1st to 98th percentile of held-out clips in real cameras)."""
_POSSIBLE: Final = (0.38, 1.66)
"""Children, people on the ground; outside something is wrong even if nothing explains it."""
_DOUBTFUL: Final = (0.7, 1.5)
"""Outside it is asked whether another reading explains it."""
_CORNER: Final = 0.55
"""Of the picture's sides: keypoints that never go further may be of a smaller picture."""
_STRAIGHTER_DEG: Final = 3.0
_BETTER: Final = 0.2
"""In size (as a logarithm) and lean: so much better must a reading be that a possible setup is doubted."""
_ASSUMED_M: Final = 1.7
_CHILD_M: Final = 1.25
"""Under it a child is likelier than a floor so far off."""
_TYPICAL: Final = 1.03
"""Of `SetupFit.ratio`: the median of adults, who are as tall as is assumed."""
_LIES: Final = 0.6
_OFF_MIDDLE: Final = 0.12
"""Of a picture's side: 254 real calibrations have their principal point within 0.03 of the middle."""
_BEYOND: Final = 0.03
_MANY: Final = 0.02
_LEAVES: Final = 0.15
_WORLD_IS_CAMERA: Final = 1e-3


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        name: of the mistake, in a word.
        sentence: what was found, and what is wanted.
        cure: the flag or step that mends it.
        severe: whether a lift would be far off, so that it is refused.
    """

    name: str
    sentence: str
    cure: str = ""
    severe: bool = False

    @property
    def text(self) -> str:
        """Both in one sentence."""
        return f"{self.sentence}: {self.cure}" if self.cure else self.sentence


def setup_findings(keypoints: Keypoints, camera: Camera, observed: Observations) -> list[Finding]:
    """Everything that is found, the likeliest cause first.

    Args:
        keypoints: as the user gave them.
        camera: likewise.
        observed: the one in the other, `lift2to3.observations.observe`.
    """
    normalised = normalised_pixels(keypoints, camera)
    if normalised is not None:
        return [normalised]
    no_place = nothing_to_place(observed)
    if no_place is not None:
        return [no_place]
    skeleton = another_format(keypoints)
    if skeleton is not None:
        return [skeleton]
    fit = measure_observed(camera, observed)
    shape = picture_of_another_shape(keypoints, camera, fit)
    causes = [shape, lens_that_folds(keypoints, camera)]
    if shape is None:
        placed = misplaced(keypoints, camera, observed, fit)
        if placed is None or placed.name == "camera":
            placed = picture_too_small(keypoints, camera, fit) or placed or wrong_scale(camera, fit)
        causes += [placed, principal_point_off(camera)]
    found = [cause for cause in causes if cause is not None]
    return sorted(found, key=lambda cause: not cause.severe)


def another_format(keypoints: Keypoints) -> Finding | None:
    """Keypoints whose limbs are no limbs in the stated format, and are in another one of as many joints."""
    name = likelier_format(keypoints)
    if name is None:
        return None
    return Finding(
        "skeleton",
        f"as {keypoints.skeleton.name} the limbs come out as no body has them, as {name} they are usual: the "
        "keypoints are of another format",
        f"--skeleton {name}",
        severe=True,
    )


def normalised_pixels(keypoints: Keypoints, camera: Camera) -> Finding | None:
    """Keypoints in 0–1 of the picture, or a little beyond."""
    seen = keypoints.xy_px[keypoints.confidence > 0]
    if min(camera.size) < 32 or np.quantile(np.abs(seen), 0.98) > 4.0:
        return None
    low, high = seen.min(), seen.max()
    return Finding(
        "normalised",
        f"keypoints run from {low:.2f} to {high:.2f} in a picture of {_size(camera)}: they look normalised "
        "to 0–1; "
        "wanted pixels",
        "multiply x by the picture's width and y by its height",
        severe=True,
    )


def nothing_to_place(observed: Observations) -> Finding | None:
    """No limb and no foot anywhere."""
    seen = observed.confidence > 0
    if not seen.any():
        return Finding(
            "lens", "no keypoint lies where the lens sees anything", "is this its calibration?", True
        )
    if seen[:, list(FOOT_POINTS)].any() or measure_sized(observed) > 0:
        return None
    return Finding(
        "nothing",
        "no foot and no two neighbouring joints are ever visible together: nothing says where the person "
        "is; wanted "
        "at least one limb or the torso in some frame",
        severe=True,
    )


def measure_sized(observed: Observations) -> float:
    """Share of the frames that are looked at in which two joints show the body's size."""
    upright = Camera(np.eye(3), np.eye(3), np.zeros(3), (2, 2))
    return measure_observed(upright, observed).sized


def picture_of_another_shape(keypoints: Keypoints, camera: Camera, fit: SetupFit) -> Finding | None:
    """Size as (height, width), a turned picture, or keypoints that reach far beyond it."""
    width, height = camera.size
    seen = keypoints.xy_px[keypoints.confidence > 0]
    beyond = _beyond(seen, width, height, _BEYOND)
    turned_k = _off_middle(camera, width, height) > _OFF_MIDDLE >= _off_middle(camera, height, width)
    if turned_k:
        if beyond > _MANY >= _beyond(seen, height, width) or goes_together(fit):
            return Finding(
                "size",
                f"the camera's size is {width}×{height}, but K's principal point ({camera.K[0, 2]:.0f}, "
                f"{camera.K[1, 2]:.0f}) and the keypoints are of a picture of {height}×{width}",
                f"wanted size as (width, height): [{height}, {width}]",
                severe=not goes_together(fit),
            )
        return _turned(camera, f"K's principal point is the middle of {height}×{width}")
    if beyond > _MANY >= _beyond(seen, height, width) and width != height and not goes_together(fit):
        x, y = np.quantile(seen, 0.98, axis=0)
        return _turned(camera, f"keypoints reach ({x:.0f}, {y:.0f}) in a picture of {_size(camera)}")
    return None


def picture_too_small(keypoints: Keypoints, camera: Camera, fit: SetupFit) -> Finding | None:
    """Keypoints that reach far beyond the calibration's picture, of a person who does not fit it."""
    width, height = camera.size
    seen = keypoints.xy_px[keypoints.confidence > 0]
    beyond = _beyond(seen, width, height)
    fits = ORDINARY[0] < fit.ratio < ORDINARY[1] and goes_together(fit)
    if beyond <= (_LEAVES if fits else _MANY):  # one who fits merely leaves the picture
        return None
    x, y = np.quantile(seen, 0.98, axis=0)
    return Finding(
        "resolution",
        f"{beyond:.0%} of the keypoints lie outside the picture of {_size(camera)}, up to ({x:.0f}, "
        f"{y:.0f}): K and "
        "size are of another resolution than the video, which is at least "
        f"{max(x / width, y / height):.2g} times as "
        "large",
        "calibrate at the video's resolution, or multiply fx, fy, cx, cy and size by the ratio of the two "
        "widths",
        severe=True,
    )


def _turned(camera: Camera, reach: str) -> Finding:
    width, height = camera.size
    return Finding(
        "portrait",
        f"{reach}: the video is turned by 90° against its calibration of "
        f"{max(width, height)}×{min(width, height)} "
        "(portrait and landscape)",
        "calibrate the video as it is stored, or turn the keypoints back to the calibration's picture",
        severe=True,
    )


def lens_that_folds(keypoints: Keypoints, camera: Camera) -> Finding | None:
    """Keypoints where the lens has no ray; they count as missing."""
    seen = keypoints.confidence > 0
    within = seen & (np.abs(keypoints.xy_px) < 4 * max(camera.size)).all(-1)
    lost = seen & ~np.isfinite(camera.normalise(np.where(within[..., None], keypoints.xy_px, np.nan))).all(-1)
    lost &= within
    if not lost.any():
        return None
    kind = "the fisheye lens sees further than 85° from its axis" if camera.fisheye else "the lens folds"
    return Finding(
        "lens_range",
        f"{lost.sum() / seen.sum():.1%} of the keypoints lie where {kind} (dist means nothing so far out); "
        "they count as missing",
        "calibrate with boards in the picture's corners, or with a fisheye model",
        severe=bool(lost.sum() > 0.5 * seen.sum()),
    )


def misplaced(keypoints: Keypoints, camera: Camera, observed: Observations, fit: SetupFit) -> Finding | None:
    """R, t, K and floor that do not go together with the keypoints, by the mistake that explains it."""
    impossible = fit.height_m <= 0.05 or fit.landing < _FEW or not (_POSSIBLE[0] < fit.ratio < _POSSIBLE[1])
    if np.isnan(fit.ratio):  # without feet or limbs that say it
        impossible = fit.height_m <= 0.05 or fit.landing < _FEW
    doubtful = fit.lean > _LIES or fit.ratio < _DOUBTFUL[0] or fit.ratio > _DOUBTFUL[1] or fit.landing < 0.5
    reached = reach(keypoints, camera)
    doubtful |= (reached > 1.0 or reached < _CORNER) and not (ORDINARY[0] < fit.ratio < ORDINARY[1])
    if not (impossible or doubtful):
        return None
    if np.abs(camera.R - np.eye(3)).max() < _WORLD_IS_CAMERA and np.abs(camera.t).max() < _WORLD_IS_CAMERA:
        return Finding(
            "first_camera",
            "R is the identity and t is 0: the world is this camera's own, and no floor is known in it",
            "calibrate with the board on the floor (FreeMoCap: the ground plane), or with lift2to3 calibrate",
            severe=True,
        )
    if np.isnan(fit.ratio) and not impossible:
        return None
    explained = explain(keypoints, camera, observed)
    if explained is not None:
        off = abs(np.log(fit.ratio)) + fit.lean if np.isfinite(fit.ratio) else np.inf
        better = off - abs(np.log(explained.fit.ratio)) - explained.fit.lean
        if explained.reading.name == "resolution" and reached < _CORNER and not impossible:
            straighter = abs(fit.turn_deg) - abs(explained.fit.turn_deg)
            better = better if straighter > _STRAIGHTER_DEG else 0.0  # else it may as well be the floor
        if impossible or better > _BETTER:
            reading = explained.reading
            severe = impossible or (fit.lean > _LIES and not ORDINARY[0] < fit.ratio < ORDINARY[1])
            cure = reading.cure
            if not severe and fit.ratio < ORDINARY[0] and fit.lean < _LIES:
                cure += f" (or, of a child, --stature {measured_stature(fit):.2f})"
            return Finding(reading.name, f"{_symptom(fit)}. It looks as if {reading.cause}", cure, severe)
    strange = fit.lean > _LIES and not ORDINARY[0] < fit.ratio < ORDINARY[1]
    return _unexplained(fit) if impossible or strange else None


def _symptom(fit: SetupFit) -> str:
    """What is seen to be wrong, without a cause."""
    if fit.height_m <= 0.05:
        return f"the camera stands {fit.height_m:.2f} m above the floor; wanted above 0.05 m"
    if fit.landing < _FEW:
        never = 100 * (1 - fit.landing)
        return f"in {never:.0f} % of the frames the rays through the feet never come down to the floor"
    if not ORDINARY[0] < fit.ratio < ORDINARY[1]:
        return f"the floor puts the person {fit.ratio:.2g} times as far away as an adult's size does"
    return "the person never stands upright in this world"


def _unexplained(fit: SetupFit) -> Finding:
    if fit.height_m <= 0.05:
        return Finding(
            "camera",
            f"the camera stands {fit.height_m:.2f} m above the floor; wanted above 0.05 m: the world must "
            "have z up, "
            "metres, and its floor at z = 0",
            "lift2to3 calibrate makes such a world",
            severe=True,
        )
    if fit.landing < _FEW:
        return Finding(
            "camera",
            f"in {100 * (1 - fit.landing):.0f} % of the frames the rays through the feet never come down "
            "to the floor "
            f"in front of the camera (height {fit.height_m:.2f} m); wanted feet under the horizon",
            "is R world-to-camera, z up, and the clip from this camera?",
            severe=True,
        )
    return Finding(
        "camera",
        f"the floor puts the person {fit.ratio:.2g} times as far away as an adult's size does; wanted "
        "about 1",
        "are t and the floor in metres, is K of this resolution, and the clip from this camera?",
        severe=not 0.24 < fit.ratio < 2.4,
    )


def wrong_scale(camera: Camera, fit: SetupFit) -> Finding | None:
    """A person who is no adult's size, or too far away to be seen."""
    if np.isnan(fit.ratio):
        if fit.size_depth_m > _FARTHEST_M and np.isnan(fit.landing):
            return Finding(
                "far",
                f"the person is too small in the picture to be within {_FARTHEST_M:.0f} m",
                "is K of this resolution?",
                severe=True,
            )
        return None
    if ORDINARY[0] < fit.ratio < ORDINARY[1] or fit.landing < 0.9 or fit.lean > _LIES:
        return None
    stature = measured_stature(fit)
    floor = fit.height_m * (1 - _TYPICAL / fit.ratio)
    side = "over" if floor > 0 else "under"
    not_zero = f"the floor is {abs(floor):.2f} m {side} z = 0 (--floor {floor:.2f})"
    who = "a child" if stature < 1.4 else "a small person" if stature < _ASSUMED_M else "a very tall person"
    other = f"the person is {who} (--stature {stature:.2f})"
    first, second = (other, not_zero) if stature < _CHILD_M else (not_zero, other)
    return Finding(
        "scale",
        f"on this floor the person measures {stature:.2f} m, which is no adult's usual size",
        f"either {first}, or {second}",
    )


def measured_stature(fit: SetupFit) -> float:
    """How tall the person is on this floor, metres, by the distance there and the apparent size."""
    return _ASSUMED_M * fit.ratio / _TYPICAL


def principal_point_off(camera: Camera) -> Finding | None:
    """K of a cropped picture, or of another one."""
    width, height = camera.size
    if _off_middle(camera, width, height) <= _OFF_MIDDLE:
        return None
    return Finding(
        "principal_point",
        f"K's principal point ({camera.K[0, 2]:.0f}, {camera.K[1, 2]:.0f}) lies far from the middle of the "
        "picture of "
        f"{_size(camera)}",
        "is K of this picture (resolution, crop, portrait or landscape), and size (width, height)?",
    )


def _size(camera: Camera) -> str:
    return f"{camera.size[0]}×{camera.size[1]}"


def _beyond(seen: np.ndarray, width: int, height: int, margin: float = _BEYOND) -> float:
    """Share of points outside a picture of this size, by more than a little."""
    margin = margin * max(width, height)
    outside = (seen < -margin) | (seen > np.array([width, height]) - 1 + margin)
    return float(outside.any(-1).mean())


def _off_middle(camera: Camera, width: int, height: int) -> float:
    """How far the principal point is from the middle of such a picture, in sides."""
    return float(np.abs(camera.K[:2, 2] / np.array([width, height]) - 0.5).max())
