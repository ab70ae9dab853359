"""What is in files that we wrote, by others' readers: ezc3d, trc-data-reader, pandas, pygltflib."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import ezc3d
import numpy as np
import pandas
from pygltflib import GLTF2
from scipy.spatial.transform import Rotation
from trc import TRCData

from lift2to3.body import BODY_JOINTS, JOINT_PARENTS, forward_kinematics
from lift2to3.formats.motions.bvh import read_bvh as read_tree
from lift2to3.skeletons import CANONICAL, INDEX

WORLD_FROM_FILE = {"z": np.eye(3), "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])}
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
TIPS = {
    "head": "head_top", "left_foot": "left_big_toe", "right_foot": "right_big_toe",
    "left_wrist": "left_hand", "right_wrist": "right_hand",
}  # fmt: skip


class Markers(NamedTuple):
    """Points in our world, metres; NaN where missing."""

    points: np.ndarray
    names: tuple[str, ...]
    fps: float

    @property
    def valid(self) -> np.ndarray:
        return np.isfinite(self.points).all(axis=-1)


def read_trc(path: Path, up: str = "y") -> Markers:
    table = TRCData()
    table.load(str(path))
    points = np.stack([np.array(table[name], float) for name in table["Markers"]], axis=1)
    points = METRES[table["Units"]] * points @ WORLD_FROM_FILE[up].T
    return Markers(points, tuple(table["Markers"]), table["DataRate"])


def read_c3d(path: Path) -> Markers:
    clip = ezc3d.c3d(str(path))
    fields = {key: field["value"] for key, field in clip["parameters"]["POINT"].items() if key[0] != "_"}
    points = clip["data"]["points"][:3].transpose(2, 1, 0)
    points[clip["data"]["meta_points"]["residuals"][0].T < 0] = np.nan
    up = fields["Y_SCREEN"][0][1:].lower()
    points = METRES[fields["UNITS"][0]] * points @ WORLD_FROM_FILE[up].T
    return Markers(points, tuple(fields["LABELS"]), float(fields["RATE"][0]))


def read_csv(path: Path) -> Markers:
    table = pandas.read_csv(path)
    names = [heading.removesuffix("_x_m") for heading in table.columns if heading.endswith("_x_m")]
    assert list(table.columns) == ["time_s", *(f"{name}_{axis}_m" for name in names for axis in "xyz")]
    seconds = table["time_s"].to_numpy()
    points = table.iloc[:, 1:].to_numpy().reshape(len(table), -1, 3)
    return Markers(points, tuple(names), (len(table) - 1) / (seconds[-1] - seconds[0]))


def read_json(path: Path) -> Markers:
    table = json.loads(path.read_text())
    points = [[[np.nan] * 3 if point is None else point for point in frame] for frame in table["joints"]]
    return Markers(np.array(points, float), tuple(table["joint_names"]), table["fps"])


def read_mot(path: Path) -> pandas.DataFrame:
    """The columns of a .mot, time first; its header is checked."""
    head = path.read_text().splitlines()[:6]
    table = pandas.read_csv(path, sep="\t", skiprows=6)
    rows, columns = table.shape
    wanted = [
        "Coordinates",
        "version=1",
        f"nRows={rows}",
        f"nColumns={columns}",
        "inDegrees=yes",
        "endheader",
    ]
    assert head == wanted and table.columns[0] == "time"
    return table


class Posed(NamedTuple):
    """SMPL's 22 joints as a file poses them, in our world; points are NaN where the file has none."""

    frames: np.ndarray  # each joint's axes, a T-pose's aligned. (time, 22, 3, 3)
    points: np.ndarray  # metres. (time, 38, 3)
    fps: float
    valid: np.ndarray


def _posed(
    names: list[str], parents: list[int], offsets: np.ndarray, rotations: np.ndarray, root: np.ndarray,
    riders: dict[str, tuple[str, np.ndarray]], up: str,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Forward kinematics in the file's axes, turned into ours; ``riders``: point → joint and place there."""
    frames, joints = forward_kinematics(parents, offsets, rotations, root)
    assert sorted(names) == sorted(BODY_JOINTS)
    for name, parent in zip(names, parents, strict=True):
        assert parent == -1 or names[parent] == BODY_JOINTS[JOINT_PARENTS[BODY_JOINTS.index(name)]]
    points = np.full((len(root), len(CANONICAL), 3), np.nan)
    for row, name in enumerate(names):
        points[:, INDEX[name]] = joints[:, row]
    for point, (joint, place) in riders.items():
        row = names.index(joint)
        points[:, INDEX[point]] = joints[:, row] + frames[:, row] @ place
    world = WORLD_FROM_FILE[up]
    rest = np.eye(3) if up == "y" else WORLD_FROM_FILE["y"]  # upright in the file at rest → along our y
    frames = world @ np.asarray(frames)[:, [names.index(name) for name in BODY_JOINTS]] @ rest
    return frames, points @ world.T


def read_bvh(path: Path, up: str = "y", metres_per_unit: float = 1.0) -> Posed:
    """The hierarchy is read by our own reader, which others' files and hand-written ones test."""
    bvh = read_tree(path, metres_per_unit)
    assert bvh.joint_translations is None
    names = list(bvh.joint_names)
    ends = {names[row]: place for row, place in zip(bvh.end_parents, bvh.end_offsets, strict=True)}
    riders = {TIPS[joint]: (joint, place) for joint, place in ends.items()}
    frames, points = _posed(
        names, bvh.parents.tolist(), bvh.rest_offsets, bvh.rotations, bvh.root_translation, riders, up
    )
    return Posed(frames, points, bvh.fps, np.ones(len(points), bool))


class Clip(NamedTuple):
    """The first skin's joints and the first animation of a GLB, in its axes: metres, y up."""

    names: list[str]
    parents: list[int]
    offsets: np.ndarray
    riders: dict[str, tuple[str, np.ndarray]]
    times_s: np.ndarray
    rotations_xyzw: np.ndarray
    root_translation: np.ndarray
    fps: float
    valid: np.ndarray


COMPONENTS = {5121: "u1", 5123: "u2", 5125: "u4", 5126: "f4"}
ITEMS = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}


def glb_array(gltf: GLTF2, number: int) -> np.ndarray:
    """An accessor's values."""
    accessor = gltf.accessors[number]
    start = (gltf.bufferViews[accessor.bufferView].byteOffset or 0) + (accessor.byteOffset or 0)
    shape = (accessor.count, *ITEMS[accessor.type])
    dtype = np.dtype("<" + COMPONENTS[accessor.componentType])
    return np.frombuffer(gltf.binary_blob(), dtype, int(np.prod(shape)), start).reshape(shape)


def read_glb_clip(path: Path) -> Clip:
    gltf = GLTF2().load(str(path))
    assert gltf is not None
    nodes, joints, animation = gltf.nodes, gltf.skins[0].joints, gltf.animations[0]
    parent = {child: node for node in joints for child in nodes[node].children or []}
    keys = {
        (channel.target.node, channel.target.path): animation.samplers[channel.sampler]
        for channel in animation.channels
    }
    (times,) = {sampler.input for sampler in keys.values()}
    root = next(node for node in joints if node not in parent)
    times_s = glb_array(gltf, times)
    valid = np.zeros(len(times_s), bool)
    for start, stop in animation.extras["valid_runs"]:
        valid[start:stop] = True
    rotations = [glb_array(gltf, keys[node, "rotation"].output) for node in joints]
    return Clip(
        names=[nodes[node].name for node in joints],
        parents=[joints.index(parent[node]) if node in parent else -1 for node in joints],
        offsets=np.array([nodes[node].translation for node in joints], float),
        riders={
            point: (nodes[node].name, np.array(place))
            for node in joints
            for point, place in (nodes[node].extras or {}).get("points", {}).items()
        },
        times_s=times_s,
        rotations_xyzw=np.stack(rotations, axis=1).astype(float),
        root_translation=glb_array(gltf, keys[root, "translation"].output).astype(float),
        fps=animation.extras["fps"],
        valid=valid,
    )


def read_glb(path: Path) -> Posed:
    clip = read_glb_clip(path)
    turns = Rotation.from_quat(clip.rotations_xyzw.reshape(-1, 4)).as_matrix()
    turns = turns.reshape(*clip.rotations_xyzw.shape[:2], 3, 3)
    frames, points = _posed(
        clip.names, clip.parents, clip.offsets, turns, clip.root_translation, clip.riders, "y"
    )
    return Posed(frames, points, clip.fps, clip.valid)
