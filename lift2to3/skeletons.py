"""One canonical set of named body points; every 2D/3D keypoint format is a view of it.

The canonical set is SMPL's 22 body joints plus the points that 2D detectors add (face, feet, head
top, hands) and the two mid-points that several formats use as joints. A format is a `Skeleton`:
its own joint names in their published order, and for each the canonical point it means
(``None`` where the canonical set has no such point: ignored on input, NaN on output).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from lift2to3.guarded_files import guarded, read_text
from lift2to3.quoting import listed, quoted

SMPL_22: Final = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar",
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist",
)  # fmt: skip

CANONICAL: Final = (
    *SMPL_22,
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "head_top",
    "left_heel", "right_heel", "left_big_toe", "right_big_toe", "left_small_toe",
    "right_small_toe", "left_hand", "right_hand", "mid_hip", "mid_shoulder",
)  # fmt: skip
"""Names of the canonical points, in array order."""

_PARENT: Final[Mapping[str, str]] = {
    "spine1": "pelvis", "mid_hip": "pelvis", "spine2": "spine1", "spine3": "spine2", "neck": "spine3",
    "mid_shoulder": "spine3", "head": "neck", "head_top": "head", "nose": "head",
} | {
    f"{side}_{point}": parent.format(side=side)
    for side in ("left", "right")
    for point, parent in {
        "hip": "pelvis", "knee": "{side}_hip", "ankle": "{side}_knee", "foot": "{side}_ankle",
        "heel": "{side}_ankle", "big_toe": "{side}_foot", "small_toe": "{side}_foot",
        "collar": "spine3", "shoulder": "{side}_collar", "elbow": "{side}_shoulder",
        "wrist": "{side}_elbow", "hand": "{side}_wrist", "eye": "head", "ear": "head",
    }.items()
}  # fmt: skip

INDEX: Final[Mapping[str, int]] = {name: i for i, name in enumerate(CANONICAL)}
"""Canonical name → row in every canonical array."""


def rows_by_side(*points: str) -> np.ndarray:
    """Canonical rows of the left side's points and of the right side's. (2, points)"""
    return np.array([[INDEX[f"{side}_{point}"] for point in points] for side in ("left", "right")])


def mirror_name(name: str) -> str:
    """The same point on the body's other side: ``left_knee`` ↔ ``right_knee``."""
    swap = {"left": "right", "right": "left"}
    return "_".join(swap.get(word, word) for word in name.split("_"))


PARENTS: Final = np.array([INDEX[_PARENT[n]] if n in _PARENT else -1 for n in CANONICAL])
"""Parent row of every canonical point; -1 for the pelvis. Parents do not always come first."""


def _depth(row: int) -> int:
    return 0 if PARENTS[row] < 0 else 1 + _depth(int(PARENTS[row]))


TREE_ORDER: Final = tuple(sorted(range(len(CANONICAL)), key=_depth))
"""Canonical rows sorted so that a parent always stands before its children."""

BONES: Final = tuple((int(PARENTS[row]), row) for row in TREE_ORDER if PARENTS[row] >= 0)
"""(parent, child) rows: what a stick figure draws and what a bone length is measured along."""

_NOT_DRAWN: Final = {"mid_hip", "mid_shoulder", "left_eye", "right_eye", "left_ear", "right_ear"}


def stick_bones(names: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """(parent, child, side) of the bones a stick figure shows, as rows of ``names``."""
    row = {name: i for i, name in enumerate(names)}
    bones = []
    for parent, child in ((CANONICAL[a], CANONICAL[b]) for a, b in BONES):
        if child not in _NOT_DRAWN and parent in row and child in row:
            side = child.split("_")[0]
            bones.append((row[parent], row[child], side if side in ("left", "right") else "middle"))
    return bones


MIRROR: Final = np.array([INDEX[mirror_name(name)] for name in CANONICAL], dtype=np.int32)
"""Row of the same point on the body's other side (an involution)."""

REFLECT_X: Final = np.array([-1.0, 1.0, 1.0], np.float32)
"""What mirrors coordinates, x being across."""

FOOT_POINTS: Final = tuple(rows_by_side("ankle", "heel", "foot", "big_toe", "small_toe").ravel().tolist())
"""Rows that can touch the ground in ordinary motion, ankle included (the only one COCO-17 has)."""


class Skeleton(NamedTuple):
    """A keypoint format: its joint names in order and the canonical point each one means."""

    name: str
    joints: tuple[str, ...]
    canonical: tuple[str | None, ...]

    @property
    def rows(self) -> np.ndarray:
        """Canonical row per joint, -1 where the canonical set has no such point. (joints,)"""
        return np.array([-1 if name is None else INDEX[name] for name in self.canonical])

    @property
    def mirror(self) -> np.ndarray:
        """Index of the same joint on the other side. (joints,)

        Read from the canonical point where there is one, else from the joint's own name.

        Raises:
            ValueError: a sided joint whose other side the format lacks.
        """
        keys = [c or f"other_{joint}" for c, joint in zip(self.canonical, self.joints, strict=True)]
        twins = [mirror_name(key) for key in keys]
        place = {key: i for i, key in reversed(list(enumerate(keys)))}
        lone = [joint for joint, twin in zip(self.joints, twins, strict=True) if twin not in place]
        if lone:
            raise ValueError(f"skeleton {self.name!r} cannot be mirrored: {listed(lone)} has no twin")
        return np.array([place[twin] for twin in twins])

    @property
    def present(self) -> np.ndarray:
        """Which canonical points this format can show. (canonical,) bool"""
        present = np.zeros(len(CANONICAL), dtype=bool)
        present[[row for row in self.rows if row >= 0]] = True
        return present


def _both(*points: str, first: str = "left") -> tuple[str, ...]:
    """Names of left/right pairs, alternating sides: ``_both("knee")`` → left_knee, right_knee."""
    second = "right" if first == "left" else "left"
    return tuple(f"{side}_{point}" for point in points for side in (first, second))


def _side(side: str, *points: str) -> tuple[str, ...]:
    return tuple(f"{side}_{point}" for point in points)


def _same(name: str, joints: tuple[str, ...], **other: str | None) -> Skeleton:
    """A format whose joint names are canonical, but for those given in ``other``."""
    return Skeleton(name, joints, tuple(other.get(joint, joint) for joint in joints))


_COCO_17 = ("nose", *_both("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
_FEET = tuple(f"{side}_{p}" for side in ("left", "right") for p in ("big_toe", "small_toe", "heel"))
_MEDIAPIPE_FACE = tuple(f"{s}_eye{part}" for s in ("left", "right") for part in ("_inner", "", "_outer"))
_FACE_AND_HANDS = (
    *(f"face_{i}" for i in range(68)),
    *(f"{side}_hand_{i}" for side in ("left", "right") for i in range(21)),
)
_BODY_25 = (
    "nose", "neck", *_side("right", "shoulder", "elbow", "wrist"),
    *_side("left", "shoulder", "elbow", "wrist"), "mid_hip", *_side("right", "hip", "knee", "ankle"),
    *_side("left", "hip", "knee", "ankle"), *_both("eye", "ear", first="right"), *_FEET,
)  # fmt: skip
_H36M_17 = (
    "hip", *_side("right", "hip", "knee", "foot"), *_side("left", "hip", "knee", "foot"), "spine",
    "thorax", "nose", "head", *_side("left", "shoulder", "elbow", "wrist"),
    *_side("right", "shoulder", "elbow", "wrist"),
)  # fmt: skip
_MEDIAPIPE_33 = (
    "nose", *_MEDIAPIPE_FACE, *_both("ear"), "mouth_left", "mouth_right",
    *_both("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
    *_both("hip", "knee", "ankle", "heel", "foot_index"),
)  # fmt: skip
_MEDIAPIPE_OTHER = *_both("eye_inner", "eye_outer", "pinky", "index", "thumb"), "mouth_left", "mouth_right"

SKELETONS: Final[Mapping[str, Skeleton]] = {
    skeleton.name: skeleton
    for skeleton in (
        _same("canonical", CANONICAL),
        _same("smpl22", SMPL_22),
        _same("smpl24", (*SMPL_22, "left_hand", "right_hand")),
        _same("coco17", _COCO_17),
        _same("coco_wholebody23", (*_COCO_17, *_FEET)),  # COCO-WholeBody, its first 23: body and feet
        _same(  # "head" is the top of the head, "neck" the mid-point of the shoulders
            "halpe26",
            (*_COCO_17, "head", "neck", "mid_hip", *_both("big_toe", "small_toe", "heel")),
            head="head_top",
            neck="mid_shoulder",
        ),
        _same("body25", _BODY_25, neck="mid_shoulder"),
        # its "neck" lies at the base of the neck (measured on real detections), "head" is the top
        _same("body25b", (*_COCO_17, "neck", "head", *_FEET), head="head_top"),
        _same(
            "h36m17", _H36M_17, hip="mid_hip", right_foot="right_ankle", left_foot="left_ankle",
            spine="spine2", thorax="mid_shoulder", head="head_top",
        ),
        _same(
            "mediapipe33", _MEDIAPIPE_33, **dict.fromkeys(_MEDIAPIPE_OTHER),
            left_foot_index="left_big_toe", right_foot_index="right_big_toe",
        ),
    )
}  # fmt: skip
"""Every built-in format by name."""


ALSO_READ: Final[Mapping[str, Skeleton]] = {
    skeleton.name: skeleton
    for skeleton in (
        _same(  # all of COCO-WholeBody
            "coco_wholebody133",
            (
                *_COCO_17,
                *_side("left", "big_toe", "small_toe", "heel"),
                *_side("right", "big_toe", "small_toe", "heel"),
                *_FACE_AND_HANDS,
            ),
            **dict.fromkeys(_FACE_AND_HANDS),
        ),
        _same(  # all of Halpe
            "halpe136",
            (*_COCO_17, "head", "neck", "mid_hip", *_both("big_toe", "small_toe", "heel"), *_FACE_AND_HANDS),
            head="head_top",
            neck="mid_shoulder",
            **dict.fromkeys(_FACE_AND_HANDS),
        ),  # fmt: skip
        _same(  # OpenPose's COCO model, the default of its first versions
            "openpose18",
            (
                "nose",
                "neck",
                *_side("right", "shoulder", "elbow", "wrist"),
                *_side("left", "shoulder", "elbow", "wrist"),
                *_side("right", "hip", "knee", "ankle"),
                *_side("left", "hip", "knee", "ankle"),
                *_both("eye", "ear", first="right"),
            ),
            neck="mid_shoulder",
        ),  # fmt: skip
    )
}
"""Formats with face and hands, and an old one: read, but neither trained on nor written."""


def get_skeleton(skeleton: str | Skeleton) -> Skeleton:
    """The built-in format of that name, or the given one itself.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    known = {**SKELETONS, **ALSO_READ}
    if skeleton not in known:
        raise ValueError(
            f"unknown skeleton {quoted(skeleton)}; known: {', '.join(known)}. "
            "For a format of your own pass lift2to3.load_skeleton('mine.json')."
        )
    return known[skeleton]


@guarded
def load_skeleton(path: str | Path) -> Skeleton:
    """Read a user's format: ``{"name": …, "joints": [{"name": …, "canonical": … | null}, …]}``.

    ``canonical`` may be left out where the joint's own name is canonical.

    Raises:
        ValueError: not such a file, a joint twice, or an unknown canonical name (all are listed).
    """
    path = Path(path)
    try:
        table = json.loads(read_text(path))
        name = str(table["name"])
        joints = tuple(str(joint["name"]) for joint in table["joints"])
        meanings = [joint.get("canonical", joint["name"]) for joint in table["joints"]]
        canonical = tuple(None if meaning is None else str(meaning) for meaning in meanings)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path}: not a skeleton table ({type(error).__name__}: {error}); wanted "
            '{"name": "mine", "joints": [{"name": "hip_l", "canonical": "left_hip"}, …]}'
        ) from error
    if not joints:
        raise ValueError(f"{path}: no joints; wanted one entry per joint, in the format's order")
    unknown = [c for c in canonical if c is not None and c not in INDEX]
    if unknown:
        raise ValueError(
            f"{path}: {listed(map(quoted, unknown))} not canonical; wanted null or one of: "
            + ", ".join(CANONICAL)
        )
    for what, names in (("joint", joints), ("canonical point", [c for c in canonical if c])):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(f"{path}: {what} {listed(twice)} stands there more than once")
    return Skeleton(name, joints, canonical)
