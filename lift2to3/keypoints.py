"""2D `Keypoints`, the record at the border on the way in."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from lift2to3.array_files import save_fields
from lift2to3.conventions import FARTHEST_PX, FASTEST_FPS, SLOWEST_FPS
from lift2to3.quoting import message
from lift2to3.skeletons import SKELETONS, Skeleton, get_skeleton
from lift2to3.told import as_html, clip_length, show


class Keypoints(NamedTuple):
    """2D keypoints of one person in one camera, as `as_keypoints` checked them.

    Attributes:
        xy_px: (time, joints, 2) pixels; NaN where missing.
        confidence: (time, joints) in 0–1; exactly 0 where missing.
        skeleton: which joints, in which order.
        fps: frames per second.
        first_frame: the number that the clip's first row has in its video or file.
    """

    xy_px: np.ndarray
    confidence: np.ndarray
    skeleton: Skeleton
    fps: float
    first_frame: int = 0

    def at(self, frames: ArrayLike) -> Keypoints:
        """The same at these frames of the video, by their numbers; missing where the clip has no such row.

        Raises:
            ValueError: no frame at all, or numbers that do not count up one by one.
        """
        numbers = np.asarray(frames, dtype=int)
        if not numbers.size or (np.diff(numbers) != 1).any():
            raise ValueError(f"frames: wanted consecutive numbers, found {numbers.tolist()[:8]}")
        rows = numbers - self.first_frame
        there = (rows >= 0) & (rows < len(self.xy_px))
        rows = rows.clip(0, len(self.xy_px) - 1)
        return self._replace(
            xy_px=np.where(there[:, None, None], self.xy_px[rows], np.nan),
            confidence=np.where(there[:, None], self.confidence[rows], 0.0),
            first_frame=int(numbers[0]),
        )

    def save(self, path: str | Path) -> Path:
        """Write ``.npz`` or our ``.json``, by the ending; `lift2to3.read_keypoints` gives back the same.

        Of a format of the user's own only the name is written; reading asks for it again.

        Raises:
            ValueError: another ending.
        """
        fields: dict[str, Any] = {"skeleton": self.skeleton.name, "fps": self.fps}
        if self.first_frame:
            fields["first_frame"] = self.first_frame
        if Path(path).suffix != ".json":
            return save_fields(path, fields | {"xy": self.xy_px, "confidence": self.confidence})
        frames = [
            [[*point, c] if c > 0 else None for point, c in zip(*joints, strict=True)]
            for joints in zip(self.xy_px.tolist(), self.confidence.tolist(), strict=True)
        ]
        return save_fields(path, fields | {"keypoints": frames})

    def __repr__(self) -> str:
        """One line; so are the other records'."""
        unseen = np.asarray(self.confidence) <= 0
        missing = 100 * np.count_nonzero(unseen) / max(unseen.size, 1)
        length = clip_length(self.xy_px, self.fps)
        return f"Keypoints({length}, {self.skeleton.name}, {missing:.0f} % missing)"

    def _repr_html_(self) -> str:
        return as_html(repr(self))

    def show(self) -> Any:
        """A picture of it, in a notebook's cell or opened: `lift2to3.report.show.show`."""
        return show(self)


_UNSIGNED: Final = 65535
"""What -1 becomes in 16 bits."""
_NORMALISED: Final = (2.5, 0.95)
"""Where this share of all coordinates is no larger than that, they are no pixels."""
_CENTRED: Final = 0.25
"""Of coordinates about the hips at least this share is negative."""
_FAR_OUTSIDE: Final = 0.25
"""Of the picture's larger side: no detector sees a joint so far beyond its edge."""
_MOST_OUTSIDE: Final = 0.2
"""Where more of the joints lie there it is the camera or the picture that is another one."""


def is_missing(xy: Float[np.ndarray, "*batch 2"]) -> Bool[np.ndarray, "*batch"]:
    """Whether coordinates are what detectors write for a joint that they did not find.

    These are NaN or infinite, 0, 0 and -1, -1, and 65535, which is -1 in 16 bits.
    """
    nowhere = (xy == 0).all(axis=-1) | (xy == -1).all(axis=-1) | (xy == _UNSIGNED).any(axis=-1)
    return nowhere | ~np.isfinite(xy).all(axis=-1)


def looks_normalised(xy: Float[np.ndarray, "*batch 2"]) -> bool:
    """Whether nearly all of these are shares of a picture's width and height, or metres, and no pixels."""
    largest, share = _NORMALISED
    there = xy[~is_missing(xy)]
    return bool(len(there)) and bool((np.abs(there).max(axis=-1) <= largest).mean() >= share)


def far_outside(keypoints: Keypoints, size: tuple[int, int]) -> Bool[np.ndarray, "time joints"]:
    """Joints that lie so far outside a picture of that (width, height) that nobody can have seen them there.

    None do where many do: then the picture is of another size, which is another matter.
    """
    limit = _FAR_OUTSIDE * max(size)
    beyond = (keypoints.xy_px < -limit) | (keypoints.xy_px > np.array(size) + limit)
    outside = beyond.any(axis=-1) & (keypoints.confidence > 0)
    few = outside.sum() <= _MOST_OUTSIDE * np.count_nonzero(keypoints.confidence)
    return outside if few else np.zeros_like(outside)


def without_far_outside(keypoints: Keypoints, size: tuple[int, int]) -> Keypoints:
    """The same with the joints of `far_outside` missing, which a warning names with their share of frames."""
    outside = far_outside(keypoints, size)
    if not outside.any():
        return keypoints
    shares = dict(zip(keypoints.skeleton.joints, outside.mean(axis=0), strict=True))
    worst = sorted((name for name in shares if shares[name] > 0), key=lambda name: -shares[name])
    named = ", ".join(f"{name} in {100 * shares[name]:.2g} %" for name in worst[:6])
    more = f" and {len(worst) - 6} more joints" if len(worst) > 6 else ""
    warnings.warn(
        f"keypoints far outside the {size[0]}×{size[1]} picture are taken as missing: {named}{more} of the "
        "frames",
        stacklevel=2,
    )
    return keypoints._replace(
        xy_px=np.where(outside[..., None], np.nan, keypoints.xy_px),
        confidence=np.where(outside, 0.0, keypoints.confidence),
    )


def as_keypoints(
    xy: ArrayLike,
    confidence: ArrayLike | None = None,
    skeleton: str | Skeleton = "coco17",
    fps: float = 30.0,
    first_frame: int = 0,
) -> Keypoints:
    """Check 2D keypoints and put them in one form.

    Args:
        xy: (time, joints, 2) pixels. NaN is missing, and so is what detectors write for a joint that they
            did not find, whatever its confidence: `is_missing`.
        confidence: (time, joints) in 0–1, 0 = missing; or None for 1 wherever a joint is not missing.
        skeleton: a built-in format's name or a `Skeleton`.
        fps: frames per second of the clip.
        first_frame: the number of the first row in its video.

    Raises:
        ValueError: a shape, rate or range that cannot be right; the message says what would be.
    """
    skeleton = get_skeleton(skeleton)
    xy = np.array(xy, dtype=np.float64)
    if xy.ndim != 3 or xy.shape[-1] != 2:
        hint = "; pass xy[..., :2] and confidence=xy[..., 2]" if xy.ndim == 3 and xy.shape[-1] == 3 else ""
        raise ValueError(f"keypoints: wanted (time, joints, 2) pixels, found {xy.shape}{hint}")
    if xy.shape[1] != len(skeleton.joints):
        fits = [s.name for s in SKELETONS.values() if len(s.joints) == xy.shape[1]]
        raise ValueError(
            f"keypoints have {xy.shape[1]} joints, skeleton {skeleton.name!r} has "
            f"{len(skeleton.joints)}; "
            + (f"with {xy.shape[1]} joints: {', '.join(fits)}" if fits else "no built-in format fits: "
               "pass lift2to3.load_skeleton('mine.json')")
        )  # fmt: skip
    if len(xy) < 2:
        raise ValueError(f"keypoints: wanted a clip of 2 frames or more, found {len(xy)}")
    fps = as_rate(fps, "keypoints")
    missing = is_missing(xy)
    if confidence is None:
        confidence = (~missing).astype(np.float64)
    confidence = np.array(confidence, dtype=np.float64)
    if confidence.shape != xy.shape[:2]:
        raise ValueError(f"confidence: wanted {xy.shape[:2]} like the keypoints, found {confidence.shape}")
    confidence = np.nan_to_num(confidence, nan=0.0)
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(
            f"confidence: wanted 0–1, found {confidence.min():.3g} to {confidence.max():.3g}; scale it"
        )
    seen = ~missing & (confidence > 0)
    if not seen.any():
        raise ValueError("keypoints: every joint of every frame is missing; nothing to lift")
    _refuse_other_units(xy[seen])
    if np.abs(xy[seen]).max() > FARTHEST_PX:
        far = np.where(seen, np.abs(xy).max(-1), 0.0)
        frame, joint = np.unravel_index(far.argmax(), far.shape)
        raise ValueError(
            f"keypoints: {skeleton.joints[joint]} in frame {frame} lies at {far.max():.3g} px; wanted pixels "
            f"of a picture (under {FARTHEST_PX:,.0f}), or NaN where it is missing"
        )
    xy[~seen] = np.nan
    confidence[~seen] = 0.0
    return Keypoints(xy, confidence, skeleton, fps, int(first_frame))


def _refuse_other_units(xy: Float[np.ndarray, "seen 2"]) -> None:
    if not looks_normalised(xy):
        return
    low, high = np.percentile(xy, [0, 100])
    if (xy < 0).mean() > _CENTRED:
        raise ValueError(
            f"keypoints run from {low:.2f} to {high:.2f} about 0: they look like metres about the hips, such "
            "as MediaPipe's world landmarks; wanted the picture's own landmarks, in pixels"
        )
    raise ValueError(
        f"keypoints run from {low:.2f} to {high:.2f}: they look normalised to 0–1; wanted pixels (multiply "
        "by the image's width and height)"
    )


def as_rate(fps: ArrayLike, source: object) -> float:
    """Frames per second.

    Raises:
        ValueError: not one number of `SLOWEST_FPS` to `FASTEST_FPS`; ``source`` is what the message calls its
            origin.
    """
    value = np.asarray(fps)
    if value.ndim or value.dtype.kind not in "iuf" or not SLOWEST_FPS <= value <= FASTEST_FPS:
        found = message(str(value.tolist()))
        raise ValueError(
            f"{source}: fps is {found}; wanted {SLOWEST_FPS:g} to {FASTEST_FPS:,.0f} frames per second"
        )
    return float(value)
