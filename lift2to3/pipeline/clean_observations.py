"""Keypoints that no body can explain, found by time and bone lengths before anything is lifted.

A detector now and then puts a joint onto another object, or takes the left limb for the right one, and is
sure of it. What is left out or swapped back here is far outside what people do; the rest the lifter weighs.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import median_filter

from lift2to3.fit.body_prior import load_body_prior
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, without_far_outside
from lift2to3.observations import Observations, observe
from lift2to3.skeletons import CANONICAL, INDEX, PARENTS, TREE_ORDER, rows_by_side

_SLACK: Final = 2.5
"""A bone may look this many times longer than the body's size in the picture says, pointing at the camera."""
_TORSO: Final = tuple(
    INDEX[name]
    for name in (
        "pelvis", "mid_hip", "left_hip", "right_hip", "spine1", "spine2", "spine3", "neck", "mid_shoulder",
        "left_collar", "right_collar", "left_shoulder", "right_shoulder",
    )
)  # fmt: skip
_TORSO_M: Final = 0.7  # from a torso's middle to any of its points, generously
_LOOSE_M: Final = 0.05  # detectors' points are not joint centres
_SHORT_M: Final = 0.1  # shorter bones say little of the size
_SIZE_S: Final = 1.0  # the body's apparent size changes slower than this
_SPIKE_S: Final = 0.1  # a point that is elsewhere before and after, within this time, has jumped
_SPIKE_M: Final = 0.35
_FASTEST_M_PER_S: Final = 15.0  # hands and feet in sports
_LIMBS: Final = {
    "arms": (rows_by_side("elbow", "wrist", "hand", "shoulder", "eye", "ear"), 3),
    "legs": (rows_by_side("knee", "ankle", "foot", "heel", "big_toe", "small_toe", "hip"), 6),
}
"""Joints that detectors swap together, and how many of them tell when: the others may stay."""
_SWAP_M: Final = 0.6
"""Left and right have changed places where that shortens the way of all joints together by this."""
_SWAP_FPS: Final = 14.0  # at lower rates people turn round between two frames
_GAP_S: Final = 0.15


def cleaned(keypoints: Keypoints, camera: Camera) -> Observations:
    """Keypoints normalised and `clean`, those far outside the picture missing; warns of what is mended."""
    keypoints = without_far_outside(keypoints, camera.size)
    observed, told = clean(observe(keypoints, camera), keypoints.first_frame)
    for text in told:
        warnings.warn(text, stacklevel=2)
    return observed


def clean(observed: Observations, first_frame: int = 0) -> tuple[Observations, tuple[str, ...]]:
    """Without points that no body explains, and with left and right where they belong.

    Args:
        observed: of one person, at the clip's own rate.
        first_frame: the number of its first frame, by which sentences count.

    Returns:
        The same with those points missing and stretches swapped back, and a sentence for each joint or limb
        that this was done to, which names it and the frames.
    """
    told = []
    n, confidence = observed.n.copy(), observed.confidence.copy()
    scale = _apparent_size(n, confidence > 0, observed.fps)
    for limb, (rows, leading) in _LIMBS.items():
        swapped = _swapped(n[:, rows], confidence[:, rows] > 0, leading, scale, observed.fps)
        if swapped.any():
            mask = swapped[:, None]
            confidence[:, rows] = np.where(mask, confidence[:, rows[::-1]], confidence[:, rows])
            n[:, rows] = np.where(mask[..., None], n[:, rows[::-1]], n[:, rows])
            where = _frames(np.asarray(swapped.any(1)), first_frame)
            told.append(f"left and right {limb} change places in {where}: they are swapped back there")
    wrong = _unreachable(n, confidence > 0, scale)
    wrong |= _spikes(n, (confidence > 0) & ~wrong, scale, observed.fps)
    for row in np.flatnonzero(wrong.any(0)):
        where = _frames(wrong[:, row], first_frame)
        told.append(f"{CANONICAL[row]} is where no body reaches in {where}; it is left out there")
    if not told:
        return observed, ()
    confidence[wrong] = 0.0
    n[wrong] = 0.0
    return dataclasses.replace(observed, n=n, confidence=confidence), tuple(told)


def _frames(mask: Bool[np.ndarray, " time"], first_frame: int) -> str:
    """As a person says it: ``frame 7``, ``12 frames (40 to 51)``, ``9 frames (3 to 88, 4 stretches)``."""
    at = first_frame + np.flatnonzero(mask)
    if len(at) == 1:
        return f"frame {at[0]}"
    stretches = 1 + int((np.diff(at) > 1).sum())
    return f"{len(at)} frames ({at[0]} to {at[-1]}{f', {stretches} stretches' if stretches > 1 else ''})"


def _along_bones() -> Float[np.ndarray, "38 38"]:
    """How far any two points of an ordinary body are apart along its bones, metres."""
    bones = np.linalg.norm(load_body_prior().rest_offsets.astype(float), axis=-1)
    apart = np.zeros((len(bones), len(bones)))
    for place, row in enumerate(TREE_ORDER):
        if place:
            known = list(TREE_ORDER[:place])
            apart[row, known] = apart[known, row] = apart[PARENTS[row], known] + bones[row]
    return apart


def _apparent_size(
    n: Float[np.ndarray, "time 38 2"], seen: Bool[np.ndarray, "time 38"], fps: float
) -> Float[np.ndarray, " time"]:
    """Image size of a metre at the person, by the bones that look longest; NaN where no bone is seen."""
    apart = _along_bones()
    given = np.asarray(seen.any(0))
    pairs = [(row, above) for row in TREE_ORDER if (above := _above(row, given)) is not None]
    rows, above = np.array([pair for pair in pairs if apart[pair] > _SHORT_M], int).reshape(-1, 2).T
    lengths = apart[rows, above]
    apparent = np.linalg.norm(n[:, rows] - n[:, above], axis=-1) / lengths
    apparent[~(seen[:, rows] & seen[:, above])] = np.nan
    known = np.isfinite(apparent).any(1)
    if not known.any():
        return np.full(len(n), np.nan)
    size = np.full(len(n), np.nan)
    size[known] = np.nanquantile(apparent[known], 0.7, axis=1)
    size = np.interp(np.arange(len(n)), np.flatnonzero(known), size[known])
    return median_filter(size, 2 * round(_SIZE_S * fps / 2) + 1, mode="nearest")


def _above(row: int, given: Bool[np.ndarray, "38"]) -> int | None:
    """The nearest point above this one that is given."""
    while PARENTS[row] >= 0:
        row = int(PARENTS[row])
        if given[row]:
            return row
    return None


def _unreachable(
    n: Float[np.ndarray, "time 38 2"], seen: Bool[np.ndarray, "time 38"], scale: Float[np.ndarray, " time"]
) -> Bool[np.ndarray, "time 38"]:
    """Points farther from the nearest good point than the bones in between allow.

    From the torso outwards: where an elbow is wrong, the wrist is held against the shoulder.
    """
    torso, apart = list(_TORSO), _along_bones()
    middle = np.full((len(n), 2), np.nan)
    some = seen[:, torso].any(1)
    middle[some] = np.nanmedian(np.where(seen[some][:, torso, None], n[some][:, torso], np.nan), axis=1)
    good, frames, order = np.zeros_like(seen), np.arange(len(n)), [*torso, *TREE_ORDER]
    order = list(dict.fromkeys(order))
    for place, row in enumerate(order):
        from_, reach = middle, np.full(len(n), _TORSO_M)
        if row not in _TORSO:
            near = np.array(sorted(order[:place], key=lambda other: apart[row, other]))
            nearest = near[good[:, near].argmax(1)]
            known = good[:, near].any(1, keepdims=True)
            from_, reach = np.where(known, n[frames, nearest], np.nan), apart[row, nearest]
        off = np.linalg.norm(n[:, row] - from_, axis=-1)
        good[:, row] = seen[:, row] & ~(off > _SLACK * (reach + _LOOSE_M) * scale)  # NaN is good
    return seen & ~good


def _spikes(
    n: Float[np.ndarray, "time 38 2"],
    seen: Bool[np.ndarray, "time 38"],
    scale: Float[np.ndarray, " time"],
    fps: float,
) -> Bool[np.ndarray, "time 38"]:
    """Points that are elsewhere just before and after."""
    reach = max(round(_SPIKE_S / 2 * fps), 1)
    padded = np.pad(np.where(seen[..., None], n, np.nan), [(reach, reach), (0, 0), (0, 0)], "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    enough = np.isfinite(around[:, :, 0]).sum(-1) > reach
    usual = np.full(n.shape, np.nan)
    usual[enough] = np.nanmedian(around[enough], axis=-1)
    limit = max(_SPIKE_M, _FASTEST_M_PER_S / fps) * scale
    return seen & (np.linalg.norm(n - usual, axis=-1) > limit[:, None])


def _swapped(
    pairs: Float[np.ndarray, "time 2 points 2"],
    seen: Bool[np.ndarray, "time 2 points"],
    leading: int,
    scale: Float[np.ndarray, " time"],
    fps: float,
) -> Bool[np.ndarray, "time points"]:
    """Where a limb's left and right have changed places; in the lesser part of the clip, if they ever do.

    Then all joints jump at once, and taking left for right makes the jump small. The ``leading`` points tell
    when; each of the others goes with them if that shortens its own way.
    """
    count = len(pairs)
    none = np.zeros(seen[:, 0].shape, bool)
    if fps < _SWAP_FPS or count < 2:
        return none
    both, frames = np.asarray(seen.all(1)), np.arange(count)[:, None]
    last = np.maximum.accumulate(np.where(both, frames, -count), axis=0)[:-1]
    before = np.take_along_axis(pairs, last.clip(0)[:, None, :, None], axis=0)
    usable = both[1:] & (frames[1:] - last <= 1 + _GAP_S * fps)
    way = lambda now: np.linalg.norm(now - before, axis=-1).sum(1) / scale[1:, None] * usable  # noqa: E731
    kept, exchanged = way(pairs[1:]), way(pairs[1:, ::-1])
    gain = (kept - exchanged)[:, :leading].sum(1)
    rest = exchanged[:, :leading].sum(1)
    flips = (gain > _SWAP_M) & (rest < gain / 2) & (usable[:, :leading].sum(1) >= 2)  # False of NaN
    swapped = np.concatenate([[False], np.cumsum(flips) % 2 == 1])
    swapped = ~swapped if 2 * swapped.sum() > count else swapped
    together = (kept - exchanged)[flips].sum(0) > 0
    together[:leading] = True
    return swapped[:, None] & together
