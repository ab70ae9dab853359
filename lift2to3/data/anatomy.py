"""Where the canonical points sit on a mocap skeleton: joint name tables and rigid offsets.

Mocap has joints, detectors have noses, ears, heels and toes. Each canonical point rides rigidly on
one joint: `place_points` says on which and where. Both CMU families stand upright at rest with every
frame aligned to the file's axes: x to the person's left, y up, z forward. The offsets below are in
these axes, in metres for a leg (hip to ankle) of `REFERENCE_LEG_M`, and grow with the leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lift2to3.body import REFERENCE_LEG_M
from lift2to3.formats.motions.bvh import Bvh
from lift2to3.skeletons import CANONICAL, INDEX, mirror_name

_HEAD: Final[Mapping[str, tuple[float, float, float]]] = {
    "head_top": (0.0, 0.11, 0.0),
    "nose": (0.0, -0.03, 0.11),
    "left_eye": (0.032, 0.0, 0.09),
    "left_ear": (0.075, -0.015, 0.005),
}
"""From the middle of the head (CMU's head End Site), in the head's frame: left, up, forward."""

_TOES: Final[Mapping[str, tuple[float, float, float]]] = {
    "left_big_toe": (-0.03, 0.0, 0.01),
    "left_small_toe": (0.04, 0.0, -0.03),
}
"""From the tip of the foot's bone, in the toes' frame: left, up, forward along the sole."""

HEEL_BACK_M: Final = 0.05
"""The heel lies this far behind the ankle, and below it by `DEFAULT_HEEL_DROP_M` or a fitted drop."""

DEFAULT_HEEL_DROP_M: Final = 0.036

_PELVIS_FROM_HIPS: Final = (0.0, 0.101, -0.047)
"""The pelvis joint from the middle of the hip joints, where the file's root is another point."""


class Family(NamedTuple):
    """One way of naming and building a skeleton.

    Attributes:
        name: for messages and records.
        roles: canonical-like part → the joint that plays it, left side only: `joint` mirrors.
        mirror: prefix of left names and of right names.
        extra: other joint names the family has, which carry no canonical point.
        head_middle: middle of the head in the head's frame (metres for the reference leg), or None
            for the head's End Site.
        toe_length: from the bone's end to the tip of the toes, along the sole; for skeletons that
            end at the ball of the foot.
        sole_lift: raises that skeleton's ball and toes to the height of a real foot's joints.
    """

    name: str
    roles: Mapping[str, str]
    mirror: tuple[str, str]
    extra: tuple[str, ...]
    head_middle: tuple[float, float, float] | None = None
    toe_length: float = 0.0
    sole_lift: float = 0.0

    def joint(self, role: str) -> str:
        """The joint that plays a role (``left_knee``). KeyError where the family has none: ask `plays`."""
        if role in self.roles:
            return self.roles[role]
        return self._mirrored(self.roles[_left(role)])

    def plays(self, role: str) -> bool:
        """Whether some joint of the family plays the role."""
        return role in self.roles or _left(role) in self.roles

    def _mirrored(self, joint: str) -> str:
        return self.mirror[1] + joint.removeprefix(self.mirror[0])

    @property
    def needed(self) -> frozenset[str]:
        """Every joint that plays a role, of both sides."""
        mirrored = {self._mirrored(j) for role, j in self.roles.items() if role.startswith("left_")}
        return frozenset({*self.roles.values(), *mirrored})


_FINGERS = tuple(
    f"{side}{finger}{bone}"
    for side in "lr"
    for finger in ("Thumb", "Index", "Mid", "Ring", "Pinky")
    for bone in (1, 2)
)

FAMILIES: Final = (
    # CMU's own skeleton. `LeftHand` only twists: it is a point on the forearm; the wrist, where the
    # hand bends, is `LeftFingerBase` (upper arm to forearm 1.0 then, as in people; 0.7 otherwise).
    Family(
        "cmu31",
        {
            "root": "Hips", "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "neck_base": "Neck",
            "neck": "Neck1", "head": "Head", "left_hip": "LeftUpLeg", "left_knee": "LeftLeg",
            "left_ankle": "LeftFoot", "left_ball": "LeftToeBase", "left_clavicle": "LeftShoulder",
            "left_shoulder": "LeftArm", "left_elbow": "LeftForeArm", "left_wrist": "LeftFingerBase",
            "left_knuckles": "LeftHandIndex1",
        },
        ("Left", "Right"),
        ("LowerBack", "LeftHand", "RightHand", "LHipJoint", "RHipJoint", "LThumb", "RThumb"),
    ),
    # The same recordings retargeted to one generic figure. Its root lies below the hip joints.
    Family(
        "cmu43",
        {
            "spine1": "abdomen", "spine2": "chest", "neck_base": "neck", "neck": "neck", "head": "head",
            "root": "hip", "left_hip": "lThigh", "left_knee": "lShin", "left_ankle": "lFoot",
            "left_clavicle": "lCollar", "left_shoulder": "lShldr", "left_elbow": "lForeArm",
            "left_wrist": "lHand", "left_knuckles": "lMid1",
        },
        ("l", "r"),
        ("lButtock", "rButtock", "leftEye", "rightEye", *_FINGERS),
        head_middle=(0.0, 0.085, 0.0),
        toe_length=0.0625,
        sole_lift=0.01,
    ),
)  # fmt: skip


def find_family(joint_names: tuple[str, ...]) -> Family:
    """The family whose table knows every one of these joints.

    Raises:
        ValueError: none does; the message names the joints that the nearest table does not know,
            and those it misses.
    """
    names = set(joint_names)
    family = max(FAMILIES, key=lambda f: len({*f.needed, *f.extra} & names))
    unknown = [name for name in joint_names if name not in family.needed and name not in family.extra]
    missing = sorted(family.needed - names)
    if unknown or missing:
        raise ValueError(
            f"skeleton: nearest to family {family.name!r}, but "
            + "; ".join(
                f"{what}: {', '.join(joints)}"
                for what, joints in (("joints it does not know", unknown), ("joints missing", missing))
                if joints
            )
        )
    return family


_Placed = dict[str, tuple[int, np.ndarray]]
"""Canonical name → the row it rides on and its offset there."""


def _left(role: str) -> str:
    return role.replace("right_", "left_", 1)


class Placement(NamedTuple):
    """Canonical points as rigid passengers of joints: ``position[row] + frame[row] @ offset``.

    Attributes:
        rows: the joint each canonical point rides on.
        offsets: metres, in that joint's frame.
        scale: this skeleton's leg over `REFERENCE_LEG_M`.
        sole_up: the sole's upward direction in the left and right ankle's frame.
        sole_forward: the sole's forward direction, likewise.
    """

    rows: Int[np.ndarray, "canonical"]
    offsets: Float[np.ndarray, "canonical 3"]
    scale: float
    sole_up: Float[np.ndarray, "2 3"]
    sole_forward: Float[np.ndarray, "2 3"]


def place_points(bvh: Bvh, family: Family) -> Placement:
    """Where each canonical point rides. The mid-points are placed, but better taken as means."""
    rest, head = _Rest(bvh, family), family.head_middle
    placed = {name: (rest.row(name), np.zeros(3)) for name in CANONICAL if family.plays(name)}
    # spine3 a third of the way from spine2 to the neck's base (SMPL: 58 % of the trunk)
    placed["spine3"] = placed["mid_shoulder"] = rest.row("spine2"), 0.35 * rest.bone("neck_base")
    hips = 0.5 * (rest.between("root", "left_hip") + rest.between("root", "right_hip"))
    placed["mid_hip"] = rest.row("root"), hips
    if not family.plays("pelvis"):
        placed["pelvis"] = rest.row("root"), hips + np.multiply(rest.scale, _PELVIS_FROM_HIPS)
    middle = rest.end("head") if head is None else np.multiply(rest.scale, head)
    for name, offset in _both_sides(_HEAD):
        placed[name] = rest.row("head"), middle + np.multiply(rest.scale, offset)
    soles = []
    for side in ("left", "right"):
        placed[f"{side}_collar"] = rest.row(f"{side}_clavicle"), 0.5 * rest.bone(f"{side}_shoulder")
        knuckles = rest.bone(f"{side}_knuckles") + rest.end(f"{side}_knuckles")
        placed[f"{side}_hand"] = rest.row(f"{side}_wrist"), knuckles
        feet, sole = _place_foot(rest, side)
        placed |= feet
        soles.append(sole)
    return Placement(
        rows=np.array([placed[name][0] for name in CANONICAL]),
        offsets=np.array([placed[name][1] for name in CANONICAL]),
        scale=rest.scale,
        sole_up=np.array([up for up, _ in soles]),
        sole_forward=np.array([forward for _, forward in soles]),
    )


class _Rest:
    """A skeleton at rest, addressed by roles. Every frame is the file's: x left, y up, z forward."""

    def __init__(self, bvh: Bvh, family: Family) -> None:
        self.family = family
        self._row = {name: i for i, name in enumerate(bvh.joint_names)}
        self._offsets, self._parents = bvh.rest_offsets, bvh.parents
        self._ends = dict(zip(bvh.end_parents.tolist(), bvh.end_offsets, strict=True))
        bones = [self.bone(f"{side}_{role}") for side in ("left", "right") for role in ("knee", "ankle")]
        self.scale = float(sum(map(np.linalg.norm, bones)) / 2 / REFERENCE_LEG_M)

    def row(self, role: str) -> int:
        return self._row[self.family.joint(role)]

    def bone(self, role: str) -> np.ndarray:
        """From the joint's parent to the joint, metres."""
        return self._offsets[self.row(role)]

    def end(self, role: str) -> np.ndarray:
        """From the joint to its End Site, metres; zero without one."""
        return self._ends.get(self.row(role), np.zeros(3))

    def between(self, ancestor: str, role: str) -> np.ndarray:
        """From one joint to a descendant of it, metres."""
        total, row = np.zeros(3), self.row(role)
        while row != self.row(ancestor):
            total, row = total + self._offsets[row], self._parents[row]
        return total


def _both_sides(
    table: Mapping[str, tuple[float, float, float]],
) -> list[tuple[str, tuple[float, float, float]]]:
    """The table's points, and the mirror images of its left ones."""
    mirrored = [
        (mirror_name(name), (-x, y, z)) for name, (x, y, z) in table.items() if name.startswith("left_")
    ]
    return [*table.items(), *mirrored]


def _place_foot(rest: _Rest, side: str) -> tuple[_Placed, tuple[np.ndarray, np.ndarray]]:
    """Ball, toes and heel, and the sole's (up, forward).

    A standing person's shin is upright over a flat foot, so the sole's up is the shin's direction at
    rest (legs splay at rest, and the feet with them); its forward is that of the foot's bone.
    """
    ankle, ball = f"{side}_ankle", f"{side}_ball"
    has_ball = rest.family.plays(ball)
    bone = rest.bone(ball) if has_ball else rest.end(ankle)
    sole = sole_axes(-rest.bone(ankle), bone)
    axes = rest.scale * sole
    lift = axes @ (0.0, rest.family.sole_lift, 0.0)
    toes, ball_at = (ball, np.zeros(3)) if has_ball else (ankle, bone + lift)
    tip = rest.end(toes) + lift + axes @ (0.0, 0.0, rest.family.toe_length)
    placed = {
        name: (rest.row(toes), tip + axes @ offset)
        for name, offset in _both_sides(_TOES)
        if name.startswith(side)
    }
    placed[f"{side}_foot"] = (rest.row(toes), ball_at)
    placed[f"{side}_heel"] = (rest.row(ankle), axes @ (0.0, -DEFAULT_HEEL_DROP_M, -HEEL_BACK_M))
    return placed, (sole[:, 1], sole[:, 2])


def sole_axes(up: Float[np.ndarray, "3"], toward_ball: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Left, up and forward of a sole as columns, from the shin's direction over a flat foot."""
    up = up / np.linalg.norm(up)
    forward = toward_ball - (toward_ball @ up) * up
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(up, forward), up, forward], axis=1)


def with_heel_drop(placement: Placement, drop_m: float) -> Placement:
    """The placement with both heels ``drop_m`` (unscaled) below the ankle along the sole's up."""
    offsets = placement.offsets.copy()
    for side, name in enumerate(("left_heel", "right_heel")):
        back = -placement.scale * HEEL_BACK_M * placement.sole_forward[side]
        offsets[INDEX[name]] = back - drop_m * placement.sole_up[side]
    return placement._replace(offsets=offsets)
