"""2D `Keypoints`, the record at the border on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
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
    """

    xy_px: np.ndarray
    confidence: np.ndarray
    skeleton: Skeleton
    fps: float

    def save(self, path: str | Path) -> Path:
        """Write ``.npz`` or our ``.json``, by the ending; `lift2to3.read_keypoints` gives back the same.

        Of a format of the user's own only the name is written; reading asks for it again.

        Raises:
            ValueError: another ending.
        """
        fields: dict[str, Any] = {"skeleton": self.skeleton.name, "fps": self.fps}
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


def as_keypoints(
    xy: ArrayLike,
    confidence: ArrayLike | None = None,
    skeleton: str | Skeleton = "coco17",
    fps: float = 30.0,
) -> Keypoints:
    """Check 2D keypoints and put them in one form.

    Args:
        xy: (time, joints, 2) pixels; NaN = missing. (0, 0) with confidence 0, as detectors write
            for a missed joint, is missing too.
        confidence: (time, joints) in 0–1, or None for 1 wherever xy is finite and not exactly (0, 0).
        skeleton: a built-in format's name or a `Skeleton`.
        fps: frames per second of the clip.

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
    if confidence is None:
        confidence = (xy != 0).any(-1).astype(np.float64)
    confidence = np.array(confidence, dtype=np.float64)
    if confidence.shape != xy.shape[:2]:
        raise ValueError(f"confidence: wanted {xy.shape[:2]} like the keypoints, found {confidence.shape}")
    confidence = np.nan_to_num(confidence, nan=0.0)
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(
            f"confidence: wanted 0–1, found {confidence.min():.3g} to {confidence.max():.3g}; scale it"
        )
    seen = np.isfinite(xy).all(-1) & (confidence > 0)
    if not seen.any():
        raise ValueError("keypoints: every joint of every frame is missing; nothing to lift")
    if np.abs(xy[seen]).max() <= 1.5:
        raise ValueError(
            f"keypoints run from {xy[seen].min():.2f} to {xy[seen].max():.2f}: they look normalised to "
            "0–1; wanted pixels (multiply by the image's width and height)"
        )
    if np.abs(xy[seen]).max() > FARTHEST_PX:
        far = np.where(seen, np.abs(xy).max(-1), 0.0)
        frame, joint = np.unravel_index(far.argmax(), far.shape)
        raise ValueError(
            f"keypoints: {skeleton.joints[joint]} in frame {frame} lies at {far.max():.3g} px; wanted pixels "
            f"of a picture (under {FARTHEST_PX:,.0f}), or NaN where it is missing"
        )
    xy[~seen] = np.nan
    confidence[~seen] = 0.0
    return Keypoints(xy, confidence, skeleton, fps)


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
