"""A person walking, made from a few curves: no data file, no licence, any length.

The feet are planted first: footprints along a circular path, the heel rolling down, the ball rolling
up, a swing between. The pelvis rides above at the height that the legs reach, the knees follow from
hip and ankle, trunk and arms counter the pelvis. So nothing slides and nothing sinks, by construction.
Body frames here are (forward, left, up).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from lift2to3.skeletons import CANONICAL

_Track = Float[np.ndarray, "time 3"]
_Frames = Float[np.ndarray, "time 3 3"]
_Curve = Float[np.ndarray, " time"]

_STATURE_M: Final = 1.73
"""Sum of the heights below, floor to head top: the person that the lengths here describe."""
_THIGH_M: Final = 0.43
_SHANK_M: Final = 0.41
_HIP_LEFT_M: Final = 0.092
_UPPER_ARM_M: Final = 0.285
_FOREARM_M: Final = 0.265

_FOOT: Final = {"heel": (-0.05, 0.0, -0.042), "foot": (0.115, 0.0, -0.037)}
"""From the ankle in the foot's frame; the ankle stands `_ANKLE_UP_M` over the floor."""
_TOES: Final = {"big_toe": (0.078, -0.028, -0.008), "small_toe": (0.035, 0.042, -0.008)}
"""From the ball (SMPL's foot joint) of the left foot."""
_ANKLE_UP_M: Final = 0.055
_SPINE: Final = (
    # point, its parent, offset, share of the way from the pelvis's to the thorax's rotation
    ("pelvis", "mid_hip", (-0.045, 0.0, 0.100), 0.0),
    ("spine1", "pelvis", (-0.004, 0.0, 0.116), 0.0),
    ("spine2", "spine1", (0.002, 0.0, 0.117), 0.4),
    ("spine3", "spine2", (0.003, 0.0, 0.043), 0.7),
    ("neck", "spine3", (0.005, 0.0, 0.165), 1.0),
    ("head", "neck", (0.012, 0.0, 0.090), 1.0),
)
_HEAD: Final = {
    "head_top": (-0.02, 0.0, 0.204), "nose": (0.100, 0.0, 0.072), "left_eye": (0.076, 0.032, 0.102),
    "right_eye": (0.076, -0.032, 0.102), "left_ear": (-0.008, 0.075, 0.078),
    "right_ear": (-0.008, -0.075, 0.078),
}  # fmt: skip
_COLLAR: Final = (0.0, 0.090, 0.100)
_SHOULDER: Final = (0.0, 0.100, 0.022)

_TOE_OFF: Final = 0.57
"""Share of a stride, from one heel strike to the same foot's next, at which the foot leaves."""
_UNDER_THE_BODY: Final = 0.222
"""Share of the stride at which the body passes over the standing ankle."""
_FOOT_PITCH = PchipInterpolator(  # toes up is positive, degrees
    [0.00, 0.09, 0.31, 0.42, 0.53, _TOE_OFF, 0.68, 0.80, 0.89, 0.96, 1.00],
    [19.0, 0.0, 0.0, -10.0, -36.0, -50.0, -64.0, -14.0, 12.0, 20.0, 19.0],
)
_TOE_PITCH = PchipInterpolator(  # the toes lie flat until the foot leaves
    [0.00, 0.09, _TOE_OFF, 0.63, 0.72, 0.80, 0.89, 0.96, 1.00],
    [19.0, 0.0, 0.0, -4.0, -10.0, -3.0, 14.0, 21.0, 19.0],
)


def synthetic_walk(
    seconds: float = 6.0,
    fps: float = 30.0,
    stature_m: float = 1.73,
    speed_mps: float = 1.25,
    turn_radius_m: float = 4.0,
    start_xy: tuple[float, float] = (0.0, 0.0),
    heading_rad: float = 0.0,
) -> Float[np.ndarray, "time 38 3"]:
    """The canonical points of a person walking along a circle's arc on the floor.

    Args:
        seconds: length of the clip, from the left heel's strike on.
        fps: frames per second.
        stature_m: floor to head top, standing.
        speed_mps: along the path, metres per second.
        turn_radius_m: of the path; positive turns left, negative right, ``inf`` goes straight.
        start_xy: where the body's middle starts, world metres.
        heading_rad: first walking direction, from world x towards y.

    Returns:
        World metres, z up, floor z = 0; every point valid.

    Raises:
        ValueError: a length or speed that no walking person has.
    """
    for name, value, low, high in (
        ("fps", fps, 1, 1000),
        ("seconds", seconds, 2 / fps if fps > 0 else 0, 1e5),
        ("stature_m", stature_m, 0.8, 2.3),
        ("speed_mps", speed_mps, 0.4, 2.2),
        ("turn_radius_m", abs(turn_radius_m), 1.5, np.inf),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name}: wanted {low:g} to {high:g}, found {value:g}")
    scale = stature_m / _STATURE_M
    walk = _Walk(speed_mps / scale, scale / turn_radius_m, heading_rad)
    points = walk.points(np.arange(round(seconds * fps)) / fps)
    return points * scale + np.array([*start_xy, 0.0])


class _Walk:
    """One walk of a person of `_STATURE_M`; lengths are scaled by the caller."""

    def __init__(self, speed: float, curvature: float, heading: float) -> None:
        self.speed, self.curvature, self.heading = speed, curvature, heading
        self.stride_m = 1.32 * np.sqrt(speed / 1.3)  # faster walks take longer and quicker strides
        self.stride_s = self.stride_m / speed

    def points(self, time_s: _Curve) -> Float[np.ndarray, "time 38 3"]:
        phase = time_s / self.stride_s
        swing = 2 * np.pi * phase  # 0 where the left heel strikes
        path, heading = self.path(self.speed * time_s)
        left = _axes(heading)[..., 1]
        pelvis = _axes(heading - np.radians(5) * np.cos(swing), np.radians(3.5) * np.cos(swing - 1.0), 0.05)
        thorax = _axes(heading + np.radians(5) * np.cos(swing), -np.radians(1) * np.cos(swing - 1.0), 0.04)
        mid_hip = path + 0.02 * np.cos(swing - 1.9)[:, None] * left
        track = {"mid_hip": mid_hip}
        feet = {side: self.foot(phase, side) for side in ("left", "right")}
        for side, (ankle, _, _) in feet.items():
            track[f"{side}_ankle"] = ankle
        bob = 0.015 * np.cos(2 * (swing - 1.55))
        track["mid_hip"] = mid_hip + _upwards(_pelvis_height(track, pelvis, bob))
        _add_legs(track, pelvis, feet)
        _add_trunk(track, pelvis, thorax, _axes(heading, 0 * heading, 0.02))
        _add_arms(track, thorax, swing)
        return np.stack([track[name] for name in CANONICAL], axis=1)

    def path(self, distance: _Curve) -> tuple[_Track, _Curve]:
        """Position on the floor and heading after this distance along the arc, metres."""
        turned = self.curvature * distance
        chord, towards = distance * np.sinc(turned / (2 * np.pi)), self.heading + turned / 2
        position = np.stack([chord * np.cos(towards), chord * np.sin(towards), 0 * chord], -1)
        return position, self.heading + turned

    def foot(self, phase: _Curve, side: str) -> tuple[_Track, _Frames, _Frames]:
        """Ankle, the foot's axes and the toes' axes over the strides of one side."""
        stride, within = np.divmod(phase + (0.0 if side == "left" else 0.5), 1.0)
        if side == "right":
            stride = stride - 0.5
        swing = np.clip((within - _TOE_OFF) / (1 - _TOE_OFF), 0, 1)
        stance = self.stance_ankle(stride, np.minimum(within, _TOE_OFF), side)
        ankle = np.where(within[:, None] < _TOE_OFF, stance, self.swing_ankle(stride, swing, side))
        heading = self.footprint(stride, side)[1]
        heading = heading + swing * (self.footprint(stride + 1, side)[1] - heading)
        level = 0 * heading
        foot = _axes(heading, level, -np.radians(_FOOT_PITCH(within)))
        toes = _axes(heading, level, -np.radians(_TOE_PITCH(within)))
        return ankle, foot, toes

    def footprint(self, stride: _Curve, side: str) -> tuple[_Track, _Curve]:
        """Where the ankle of the flat foot stands (at floor height) and where the foot points."""
        position, heading = self.path(self.stride_m * (stride + _UNDER_THE_BODY))
        outwards = 1.0 if side == "left" else -1.0
        return position + 0.055 * outwards * _axes(heading)[..., 1], heading + 0.1 * outwards

    def stance_ankle(self, stride: _Curve, within: _Curve, side: str) -> _Track:
        """The ankle while the foot rolls over its heel, stands, and rolls over its ball."""
        position, heading = self.footprint(stride, side)
        pitch = np.radians(_FOOT_PITCH(within))
        pivot = np.where(pitch[:, None] > 0, _FOOT["heel"], _FOOT["foot"])
        flat = pivot + np.array([0.0, 0.0, _ANKLE_UP_M])
        rolled = flat - np.einsum("tij,tj->ti", _axes(0 * pitch, 0 * pitch, -pitch), pivot)
        return position + np.einsum("tij,tj->ti", _axes(heading), rolled)

    def swing_ankle(self, stride: _Curve, swing: _Curve, side: str) -> _Track:
        """From leaving to the next strike: a cubic that meets both ends' position and velocity."""
        end, step = np.full_like(stride, _TOE_OFF), 1e-4
        first, last = self.stance_ankle(stride, end, side), self.stance_ankle(stride + 1, 0 * end, side)
        per_swing = (1 - _TOE_OFF) / step
        first_speed = (first - self.stance_ankle(stride, end - step, side)) * per_swing
        last_speed = (self.stance_ankle(stride + 1, 0 * end + step, side) - last) * per_swing
        u = swing[:, None]
        lift = _upwards(1.3 * swing**2 * (1 - swing) ** 3)  # clears the toes early in the swing
        return (
            (1 + 2 * u) * (1 - u) ** 2 * first + u * (1 - u) ** 2 * first_speed
            + u**2 * (3 - 2 * u) * last + u**2 * (u - 1) * last_speed + lift
        )  # fmt: skip


def _axes(yaw: _Curve, roll: _Curve | float = 0.0, pitch: _Curve | float = 0.0) -> _Frames:
    """World from body axes; yaw turns left, roll lifts the left side, pitch leans forward (radians)."""
    yaw, roll, pitch = np.broadcast_arrays(yaw, roll, pitch)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(*rows: np.ndarray) -> np.ndarray:
        return np.stack(rows, -1).reshape(*yaw.shape, 3, 3)

    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = matrix(cos, -sin, zero, sin, cos, zero, zero, zero, one)
    cos, sin = np.cos(roll), np.sin(roll)
    tilt = matrix(one, zero, zero, zero, cos, -sin, zero, sin, cos)
    cos, sin = np.cos(pitch), np.sin(pitch)
    return turn @ tilt @ matrix(cos, zero, sin, zero, one, zero, -sin, zero, cos)


def _upwards(height: _Curve) -> _Track:
    return height[:, None] * np.array([0.0, 0.0, 1.0])


def _pelvis_height(track: dict[str, _Track], pelvis: _Frames, bob: _Curve) -> _Curve:
    """The height of the hips' middle: as high as both legs reach in every frame, plus the bob."""
    longest = 0.996 * (_THIGH_M + _SHANK_M)  # no knee is ever quite straight
    room = np.inf
    for side, left in (("left", _HIP_LEFT_M), ("right", -_HIP_LEFT_M)):
        hip = track["mid_hip"] + pelvis @ np.array([0.0, left, 0.0])
        leg = track[f"{side}_ankle"] - hip
        reach = leg[:, 2] + np.sqrt(np.maximum(longest**2 - (leg[:, :2] ** 2).sum(-1), 0))
        room = min(room, float((reach - bob).min()))
    return room + bob


def _add_legs(
    track: dict[str, _Track], pelvis: _Frames, feet: dict[str, tuple[_Track, _Frames, _Frames]]
) -> None:
    for side, (ankle, foot, toes) in feet.items():
        outwards = 1.0 if side == "left" else -1.0
        hip = track["mid_hip"] + pelvis @ np.array([0.0, outwards * _HIP_LEFT_M, 0.0])
        forward = pelvis[..., 0] + foot[..., 0] * [1, 1, 0]
        track[f"{side}_hip"] = hip
        track[f"{side}_knee"] = _knee(hip, ankle, forward)
        for point, offset in _FOOT.items():
            track[f"{side}_{point}"] = ankle + foot @ np.array(offset)
        for point, offset in _TOES.items():
            track[f"{side}_{point}"] = track[f"{side}_foot"] + toes @ np.multiply(offset, (1, outwards, 1))


def _knee(hip: _Track, ankle: _Track, forward: _Track) -> _Track:
    """The knee of a leg of known lengths, bent forward."""
    leg = ankle - hip
    length = np.linalg.norm(leg, axis=-1, keepdims=True)
    along = leg / length
    bend = forward - (forward * along).sum(-1, keepdims=True) * along
    bend = bend / np.linalg.norm(bend, axis=-1, keepdims=True)
    down = (_THIGH_M**2 - _SHANK_M**2 + length**2) / (2 * length)
    return hip + down * along + np.sqrt(np.maximum(_THIGH_M**2 - down**2, 0)) * bend


def _add_trunk(track: dict[str, _Track], pelvis: _Frames, thorax: _Frames, head: _Frames) -> None:
    for point, parent, offset, share in _SPINE:
        between = (1 - share) * pelvis + share * thorax
        track[point] = track[parent] + between @ np.array(offset)
    for point, offset in _HEAD.items():
        track[point] = track["head"] + head @ np.array(offset)


def _add_arms(track: dict[str, _Track], thorax: _Frames, swing: _Curve) -> None:
    """Each arm swings against its own leg, the elbow bending a little later."""
    for side, outwards, forth in (("left", 1.0, -np.cos(swing)), ("right", -1.0, np.cos(swing))):
        collar = track["spine3"] + thorax @ np.multiply(_COLLAR, (1, outwards, 1))
        shoulder = collar + thorax @ np.multiply(_SHOULDER, (1, outwards, 1))
        late = np.cos(swing - 0.5) * (1 if side == "right" else -1)
        flexed = np.radians(-2 + 19 * forth)
        bent = flexed + np.radians(24 + 12 * late)
        upper, fore = (
            thorax @ _axes(0 * flexed, outwards * spread, -angle) @ np.array([0.0, 0.0, -1.0])
            for spread, angle in ((np.radians(9), flexed), (np.radians(1), bent))
        )
        track[f"{side}_collar"], track[f"{side}_shoulder"] = collar, shoulder
        track[f"{side}_elbow"] = shoulder + _UPPER_ARM_M * upper
        track[f"{side}_wrist"] = track[f"{side}_elbow"] + _FOREARM_M * fore
        track[f"{side}_hand"] = track[f"{side}_wrist"] + 0.075 * fore
    track["mid_shoulder"] = 0.5 * (track["left_shoulder"] + track["right_shoulder"])
