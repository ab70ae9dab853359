"""Feet that stand still: leg inverse kinematics that holds a posed body's feet where they touch the floor.

Every run of contact has one place on the floor, heel and toe of a flat foot one placed foot. The pelvis
takes up what the feet need in common, the legs the rest; between contacts the correction fades, so
steps keep their height and length. Bones keep their lengths, feet their world orientation but for the
few degrees that a flat foot needs.
"""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from lift2to3.contact import CONTACT_ROWS, LIFTED_CONTACT, STANDING_HEIGHT_M, ContactConfig
from lift2to3.motion import BodyMotion
from lift2to3.pipeline.foot_summary import HEEL_TOE, body_contacts
from lift2to3.resample import runs_of_true
from lift2to3.skeletons import INDEX, rows_by_side

_LEGS: Final = rows_by_side("hip", "knee", "ankle")

_PLACE_SWEEPS: Final = 30
_SAME_PLACE_M: Final = 0.003  # distances below count as this: the mean there, the median beyond
_RATE_SECONDS: Final = 0.05
_RATE_KEPT: Final = 0.5  # all of it overshoots in the swing, none of it jerks
_ROUNDING_M: Final = 1e-6
_FAINT: Final = 0.05  # contact as far away as this share of one foot's hardly moves the pelvis

_Track = Float[np.ndarray, "time 3"]
_Frames = Float[np.ndarray, "time 3 3"]
_Curve = Float[np.ndarray, " time"]
_Mask = Bool[np.ndarray, " time"]
_Contacts = Bool[np.ndarray, "time points"]


@dataclasses.dataclass(frozen=True)
class LockConfig:
    """How feet are held.

    Attributes:
        shortest_seconds: contact shorter than this is not held.
        rise_m: a point that rises by more than this over its run's place has left the floor.
        stray_m: a point that strays farther than this from its run's place has made a step.
        fade_seconds: in which a correction comes and goes beside a contact; in a swing shorter than
            twice this it passes straight from one contact's to the next one's.
        contact: thresholds of the labels, where none are given.
        pelvis_share: how much of what the feet need in common the pelvis follows, 0 to 1.
        pelvis_seconds: deviation of the Gaussian that smooths the pelvis's way.
        straightest: the leg's reach over the sum of thigh and shin, unless it was straighter before.
        drop_m: how far the pelvis may come down for feet that are out of reach; beyond, a foot falls
            short of its place.
    """

    shortest_seconds: float = 0.05
    rise_m: float = 0.04
    stray_m: float = 0.12
    fade_seconds: float = 0.25
    contact: ContactConfig = LIFTED_CONTACT
    pelvis_share: float = 1.0
    pelvis_seconds: float = 0.15
    straightest: float = 0.998
    drop_m: float = 0.15


def lock_feet(
    body: BodyMotion, contacts: _Contacts | None = None, config: LockConfig | None = None
) -> BodyMotion:
    """Hold feet in contact where they stand.

    Hips, knees, ankles and the root change; every other rotation stays as it is, to the bit, and so do
    frames that are not valid: a gap ends a contact without a fade. The floor is z = 0, on which points
    stand at `STANDING_HEIGHT_M`.

    Args:
        body: any motion of our skeleton.
        contacts: of `CONTACT_POINTS`; None labels the motion's own points.
        config: thresholds and times.

    Raises:
        ValueError: contacts of another shape than the motion's, or an fps that is not above 0.
    """
    config = config or LockConfig()
    frames, points = body.posed()
    contacts = body_contacts(body, points, contacts, config.contact)
    feet = [_placed_foot(side, points, contacts, body.fps, config) for side in (0, 1)]
    shift = _pelvis_shift(points, feet, body.fps, config)
    rotations = np.asarray(body.rotations).copy()
    moved = (shift != 0).any(1) & body.valid
    for leg, foot in zip(_LEGS, feet, strict=True):
        rows = np.flatnonzero(((shift != 0) | (foot.shift != 0) | (foot.turn != 0)).any(1) & body.valid)
        there = _Foot(*(values[rows] for values in foot))
        rotations[rows[:, None], leg] = _bent_leg(leg, frames[rows], points[rows], there, shift[rows], config)
    root = np.where(moved[:, None], body.root_translation + shift, body.root_translation)
    return body._replace(root_translation=root.astype(body.root_translation.dtype), rotations=rotations)


# --- where feet stand


class _Foot(NamedTuple):
    """How one foot must move.

    Attributes:
        shift: of the ankle in the world, metres.
        turn: of the foot in the world, a rotation vector.
        standing: whether heel or toe is held.
    """

    shift: _Track
    turn: _Track
    standing: _Mask


def _placed_foot(
    side: int,
    points: Float[np.ndarray, "time 38 3"],
    contacts: Bool[np.ndarray, "time 4"],
    fps: float,
    config: LockConfig,
) -> _Foot:
    """One foot put on the places of its runs of contact, and on its way between them."""
    ankle = points[:, _LEGS[side][2]]
    heel_toe = points[:, CONTACT_ROWS[HEEL_TOE[side]]]
    runs = [
        _runs_in_place(heel_toe[:, i], contacts[:, row], fps, config) for i, row in enumerate(HEEL_TOE[side])
    ]
    heights = STANDING_HEIGHT_M[HEEL_TOE[side]]
    goals = _rigid_places(heel_toe, runs, heights)
    held = np.stack([run >= 0 for run in runs], 1)
    both, standing = held[:, 0] & held[:, 1], held[:, 0] | held[:, 1]
    turn = np.zeros_like(ankle)
    turn[both] = _turn_between(heel_toe[both, 1] - heel_toe[both, 0], goals[both, 1] - goals[both, 0])
    turn = _bridged(turn, both, fps, config.fade_seconds)
    turned = Rotation.from_rotvec(turn).as_matrix()
    wanted = goals - np.einsum("tij,tpj->tpi", turned, heel_toe - ankle[:, None])
    shift = np.zeros_like(ankle)
    shift[standing] = np.mean(wanted[standing], axis=1, where=held[standing, :, None]) - ankle[standing]
    return _Foot(_bridged(shift, standing, fps, config.fade_seconds), turn, standing)


def _runs_in_place(point: _Track, contact: _Mask, fps: float, config: LockConfig) -> Int[np.ndarray, " time"]:
    """The number of the run of contact in which a point is held in a frame, -1 for none.

    A run in which the point strays is cut where it moves fastest in the run's middle half.
    """
    runs = _numbered(contact)
    risen = point[:, 2] > _places(point, runs)[runs, 2] + config.rise_m
    held = contact & ~risen
    half_gap, shortest = round(0.5 * config.fade_seconds * fps), config.shortest_seconds * fps
    speed = np.linalg.norm(np.gradient(point, axis=0), axis=-1) if len(point) > 1 else np.zeros(len(point))
    while held.any():
        runs = _numbered(held)
        from_place = (point - _places(point, runs)[runs])[:, :2]
        strayed = held & (np.linalg.norm(from_place, axis=-1) > config.stray_m)
        if not strayed.any():
            break
        for first, end in runs_of_true(held)[np.unique(runs[strayed])]:
            quarter = (end - first) // 4
            step = first + quarter + int(speed[first + quarter : end - quarter].argmax())
            held[max(first, step - half_gap) : min(end, step + half_gap + 1)] = False
    for first, end in runs_of_true(held):
        if end - first < shortest:
            held[first:end] = False
    return _numbered(held)


def _numbered(mask: _Mask) -> Int[np.ndarray, " time"]:
    """The number of the run of True that a frame belongs to, -1 outside."""
    begins = mask & ~np.concatenate([[False], mask[:-1]])
    return np.where(mask, np.cumsum(begins) - 1, -1)


def _places(point: _Track, runs: Int[np.ndarray, " time"]) -> Float[np.ndarray, "runs 3"]:
    """Where a point mostly is in each run: the place from which its distances are least in sum.

    One row more than there are runs, so that -1 may stand for a frame outside of them.
    """
    inside = runs >= 0
    of, there = runs[inside], point[inside]
    count = int(runs.max(initial=-1)) + 1
    weight = np.ones(len(of))
    places = np.zeros((count + 1, 3))
    for _ in range(_PLACE_SWEEPS):
        sums = np.stack([np.bincount(of, weight * there[:, axis], count) for axis in range(3)], -1)
        places[:count] = sums / np.bincount(of, weight, count)[:, None]
        weight = 1 / np.maximum(np.linalg.norm(there - places[of], axis=-1), _SAME_PLACE_M)
    return places


def _rigid_places(
    heel_toe: Float[np.ndarray, "time 2 3"],
    runs: list[Int[np.ndarray, " time"]],
    heights: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "time 2 3"]:
    """Where heel and toe are held in each frame: as far apart as they are on the foot, where both are."""
    heels, toes = (_places(heel_toe[:, i], run) for i, run in enumerate(runs))
    heels[:, 2], toes[:, 2] = heights
    both = (runs[0] >= 0) & (runs[1] >= 0)
    pairs, of = np.unique(np.stack(runs, 1)[both], axis=0, return_inverse=True)
    length = np.linalg.norm(heel_toe[both, 1] - heel_toe[both, 0], axis=-1)
    length = np.bincount(of.ravel(), length, len(pairs)) / np.bincount(of.ravel(), minlength=len(pairs))
    flat = np.sqrt(np.maximum(length**2 - (heights[1] - heights[0]) ** 2, 0))
    for _ in range(_PLACE_SWEEPS if len(pairs) else 0):
        apart = (toes[pairs[:, 1]] - heels[pairs[:, 0]])[:, :2]
        distance = np.maximum(np.linalg.norm(apart, axis=-1), _SAME_PLACE_M)
        fix = 0.5 * (1 - flat / distance)[:, None] * apart
        for places, column, sign in ((heels, 0, 1.0), (toes, 1, -1.0)):
            times = np.bincount(pairs[:, column], minlength=len(places))
            for axis in (0, 1):
                move = np.bincount(pairs[:, column], fix[:, axis], len(places))
                places[:, axis] += sign * move / np.maximum(times, 1)
    return np.stack([heels[runs[0]], toes[runs[1]]], axis=1)


# --- how corrections come and go


def _neighbours(mask: _Mask) -> tuple[Int[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    """The last frame of True up to each frame (-1: none), and the first from it on (their number: none)."""
    frame = np.arange(len(mask))
    before = np.maximum.accumulate(np.where(mask, frame, -1))
    return before, np.minimum.accumulate(np.where(mask, frame, len(mask))[::-1])[::-1]


def _bridged(values: _Track, known: _Mask, fps: float, fade_seconds: float) -> _Track:
    """Fill frames that are not known: from one known run to the next, or to 0 where that is far.

    Fifth-order curves (of least jerk) that meet the known runs in value and rate.
    """
    frame, frames = np.arange(len(known)), len(known)
    if not known.any():
        return np.zeros_like(values)
    before, after = _neighbours(known)
    start, end = before.clip(0), after.clip(0, frames - 1)
    leaving, arriving = _rates_at_ends(values, known, fps)
    span = np.where((before >= 0) & (after < frames), (after - before) / fps, np.inf)
    through = span <= 2 * fade_seconds
    seconds = np.where(through, span, fade_seconds)
    since = np.where(before >= 0, np.minimum((frame - before) / fps, seconds), seconds)
    until = np.where(after < frames, np.minimum((after - frame) / fps, seconds), seconds)
    whole = np.maximum(seconds, 1 / fps)
    going, coming = _quintic(since / whole), _quintic(1 - until / whole)
    filled = (
        going[0][:, None] * values[start] + (going[1] * seconds)[:, None] * leaving[start]
        + coming[2][:, None] * values[end] + (coming[3] * seconds)[:, None] * arriving[end]
    )  # fmt: skip
    return np.where(known[:, None], values, filled)


def _quintic(s: _Curve) -> tuple[_Curve, _Curve, _Curve, _Curve]:
    """Weights of value and rate at 0, and of value and rate at 1; no acceleration at either end."""
    return (
        1 - s**3 * (10 - 15 * s + 6 * s**2), s - s**3 * (6 - 8 * s + 3 * s**2),
        s**3 * (10 - 15 * s + 6 * s**2), -(s**3) * (4 - 7 * s + 3 * s**2),
    )  # fmt: skip


def _rates_at_ends(values: _Track, known: _Mask, fps: float) -> tuple[_Track, _Track]:
    """What is kept of the change per second, over the last and the next moment of a known frame's run."""
    frame, back = np.arange(len(known)), max(1, round(_RATE_SECONDS * fps))
    before, after = _neighbours(~known)
    rates = []
    for other in (np.maximum(frame - back, before + 1), np.minimum(frame + back, after - 1)):
        other = np.where(known, other, frame)
        steps = frame - other
        rates.append(_RATE_KEPT * (values - values[other]) * (fps * steps / np.maximum(steps**2, 1))[:, None])
    return rates[0], rates[1]


# --- the leg and the pelvis


def _pelvis_shift(
    points: Float[np.ndarray, "time 38 3"], feet: list[_Foot], fps: float, config: LockConfig
) -> _Track:
    """What feet that stand need in common, smoothed; and down as far as they are out of the legs' reach."""
    deviation = max(config.pelvis_seconds * fps, 1e-3)
    held = sum(foot.standing.astype(float) for foot in feet)
    carried = sum(foot.shift * foot.standing[:, None] for foot in feet)
    share = config.pelvis_share / (gaussian_filter1d(held, deviation) + _FAINT)
    shift = share[:, None] * gaussian_filter1d(carried, deviation, axis=0)
    missing = np.zeros(len(points))
    for leg, foot in zip(_LEGS, feet, strict=True):
        line = points[:, leg[2]] + foot.shift - points[:, leg[0]] - shift
        upright = _reach(points[:, leg], config) ** 2 - (line[:, :2] ** 2).sum(-1)
        down = -line[:, 2] - np.sqrt(np.maximum(upright, 0))
        missing = np.maximum(missing, np.where(upright > 0, down - _ROUNDING_M, 0).clip(0, config.drop_m))
    around = max(1, round(config.pelvis_seconds * fps))
    missing = gaussian_filter1d(maximum_filter1d(missing, 2 * around + 1), around / 3, radius=around)
    shift[:, 2] -= missing
    return shift


def _reach(leg: Float[np.ndarray, "time 3 3"], config: LockConfig) -> _Curve:
    """The longest that hip to ankle may become."""
    straight = np.linalg.norm(np.diff(leg, axis=1), axis=-1).sum(1)
    return np.maximum(config.straightest * straight, np.linalg.norm(leg[:, 2] - leg[:, 0], axis=-1))


def _bent_leg(
    leg: Int[np.ndarray, "3"],
    frames: Float[np.ndarray, "time 22 3 3"],
    points: Float[np.ndarray, "time 38 3"],
    foot: _Foot,
    shift: _Track,
    config: LockConfig,
) -> Float[np.ndarray, "time 3 3 3"]:
    """Rotations of hip, knee and ankle that take the ankle to its place and turn the foot.

    The leg is swung as a whole and bent in the knee's own plane; where it was straight, that of the
    thigh's forward axis.
    """
    hip, knee, ankle = (points[:, row] for row in leg)
    thigh, shin, line = knee - hip, ankle - knee, ankle - hip
    wanted = line + foot.shift - shift
    swung = Rotation.from_rotvec(_turn_between(line, wanted)).as_matrix()
    thigh_m, shin_m = _length(thigh), _length(shin)
    distance = np.clip(
        _length(wanted), np.abs(thigh_m - shin_m) + 1e-3, _reach(points[:, leg], config)[:, None]
    )
    along = wanted / _length(wanted)
    # the knee's height over the line from hip to ankle keeps its direction; what is added points forward
    old_down = (thigh * line).sum(-1, keepdims=True) / _length(line)
    bend = _times(swung, thigh) - old_down * along
    down = (thigh_m**2 - shin_m**2 + distance**2) / (2 * distance)
    out = np.sqrt(np.maximum(thigh_m**2 - down**2, 0))
    forward = _times(swung, frames[:, leg[0], :, 2])
    forward = forward - (forward * along).sum(-1, keepdims=True) * along
    pole = bend + np.maximum(out - _length(bend), 1e-9) * forward / _length(forward)
    new_thigh = down * along + out * pole / _length(pole)
    new_shin = distance * along - new_thigh
    bent = [
        Rotation.from_rotvec(_turn_between(_times(swung, old), new)).as_matrix() @ swung @ frames[:, row]
        for old, new, row in ((thigh, new_thigh, leg[0]), (shin, new_shin, leg[1]))
    ]
    bent.append(Rotation.from_rotvec(foot.turn).as_matrix() @ frames[:, leg[2]])
    above = [frames[:, INDEX["pelvis"]], *bent[:2]]
    return np.stack([parent.swapaxes(-1, -2) @ own for parent, own in zip(above, bent, strict=True)], axis=1)


def _length(vectors: _Track) -> Float[np.ndarray, "time 1"]:
    return np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _times(matrices: _Frames, vectors: _Track) -> _Track:
    return np.einsum("tij,tj->ti", matrices, vectors)


def _turn_between(start: _Track, end: _Track) -> _Track:
    """The smallest rotation that takes one direction to another, as a rotation vector."""
    cross, dot = np.cross(start, end), (start * end).sum(-1)
    sine = np.linalg.norm(cross, axis=-1)
    return cross * (np.arctan2(sine, dot) / np.maximum(sine, 1e-300))[:, None]
