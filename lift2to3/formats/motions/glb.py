"""GLB (binary glTF 2.0) of a posed body: a skinned figure that plays the motion.

Metres and y up, as the standard demands: our z becomes its y. The figure at rest is a T-pose on the
floor that looks along z. Nodes are SMPL's 22 joints by name; the animation moves the pelvis and turns
every joint. Quaternions are xyzw and keep their sign along time. What glTF has no place for stands in
``extras``: the frame rate and the runs of valid frames on the animation, and on each joint the points
that ride on it. Filled-in frames play like the others.

Source: Khronos, glTF 2.0 Specification, sections 3 and 4 (https://registry.khronos.org/glTF).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from lift2to3.body import BODY_JOINTS
from lift2to3.formats.motions.figure_mesh import SkinnedMesh, figure_mesh, rest_positions, skinned
from lift2to3.formats.motions.joint_tree import (
    JointTree,
    body_from_tree,
    quaternions_xyzw,
    tree_from_body,
)
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import CANONICAL, INDEX, PARENTS
from lift2to3.whole_file import whole_file

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_COMPONENT: Final = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_ITEMS: Final = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}
_VERTICES, _TRIANGLES = 34962, 34963
_MATERIAL: Final = {
    "name": "figure",
    "pbrMetallicRoughness": {
        "baseColorFactor": [0.55, 0.65, 0.75, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8,
    },
}  # fmt: skip


class _Buffer:
    """The binary chunk as it grows: each array becomes an accessor with its own view."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: np.ndarray, kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Append an array of a little-endian type; returns the accessor's number."""
        component = next(c for c, dtype in _COMPONENT.items() if np.dtype(dtype) == array.dtype)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes}
        accessor: dict[str, Any] = {"bufferView": len(self.views), "componentType": component}
        accessor |= {"count": len(array), "type": kind}
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.views.append(view if target is None else view | {"target": target})
        self.accessors.append(accessor)
        self.data += array.tobytes()
        self.data += bytes(-len(self.data) % 4)
        return len(self.accessors) - 1


def write_glb(path: str | Path, body: BodyMotion, mesh: SkinnedMesh | None = None) -> Path:
    """Write a GLB file; it appears whole or not at all.

    Args:
        path: the file.
        body: the motion.
        mesh: a skin for this body's bones, as `lift2to3.convert.person_mesh` makes it; None for the
            plain figure of `figure_mesh`.

    Raises:
        ValueError: a body that cannot be written (see `check_body`), or a mesh that cannot.
    """
    path = Path(path)
    tree = tree_from_body(body, "y")
    if mesh is None:
        mesh = skinned(figure_mesh(np.asarray(body.rest_offsets, float)))
    _check_mesh(mesh)
    buffer = _Buffer()
    nodes = _joint_nodes(tree, body)
    nodes.append({"name": "figure", "mesh": 0, "skin": 0})
    gltf = {
        "asset": {"version": "2.0", "generator": "lift2to3"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(nodes) - 1]}],
        "nodes": nodes,
        "meshes": [_mesh(mesh, nodes[0]["translation"], buffer)],
        "materials": [_MATERIAL],
        "skins": [_skin(body, nodes[0]["translation"], buffer)],
        "animations": [_animation(tree, body, buffer)],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(buffer.data)
    with whole_file(path) as part, part.open("wb") as file:
        file.write(struct.pack("<5I", _MAGIC, 2, length, len(text), _JSON))
        file.write(text)
        file.write(struct.pack("<2I", len(buffer.data), _BIN))
        file.write(buffer.data)
    return path


def _joint_nodes(tree: JointTree, body: BodyMotion) -> list[dict[str, Any]]:
    """The joints at rest, the lowest one on the floor; the numbers of the nodes are our rows."""
    offsets = np.asarray(body.rest_offsets, float)
    nodes: list[dict[str, Any]] = []
    for row, name in enumerate(BODY_JOINTS):
        children = [child for child, parent in enumerate(tree.parents) if parent == name]
        riders = {
            CANONICAL[r]: offsets[r].tolist()
            for r in range(len(BODY_JOINTS), len(CANONICAL))
            if PARENTS[r] == row
        }
        node: dict[str, Any] = {"name": name, "translation": offsets[row].tolist()}
        node |= {"children": children} if children else {}
        node |= {"extras": {"points": riders}} if riders else {}
        nodes.append(node)
    nodes[0]["translation"] = [0.0, -float(rest_positions(offsets)[:, 1].min()), 0.0]
    return nodes


def _check_mesh(mesh: SkinnedMesh) -> None:
    vertices = len(mesh.positions)
    for name, values in mesh._asdict().items():
        if not np.isfinite(values).all():
            raise ValueError(f"mesh: {name} has numbers that are not finite; wanted finite ones")
    for name, rows, count in (
        ("joints", mesh.joints, len(BODY_JOINTS)),
        ("triangles", mesh.triangles, vertices),
    ):
        if rows.size == 0 or rows.min() < 0 or rows.max() >= count:
            found = f"{rows.min()} to {rows.max()}" if rows.size else "none"
            raise ValueError(f"mesh: {name}: found rows {found}, wanted 0 to {count - 1}")
    sums, least = mesh.weights.sum(axis=1), mesh.weights.min()
    if np.abs(sums - 1).max() > 1e-6 or least < 0:
        raise ValueError(
            f"mesh: weights from {least:.3g} up, in sum {sums.min():.6g} to {sums.max():.6g} a vertex; "
            "wanted shares that sum to 1"
        )


def _mesh(mesh: SkinnedMesh, rest_root: list[float], buffer: _Buffer) -> dict[str, Any]:
    attributes = {
        "POSITION": buffer.add((mesh.positions + rest_root).astype("<f4"), "VEC3", _VERTICES, bounds=True),
        "NORMAL": buffer.add(mesh.normals.astype("<f4"), "VEC3", _VERTICES),
        "JOINTS_0": buffer.add(mesh.joints.astype("<u1"), "VEC4", _VERTICES),
        "WEIGHTS_0": buffer.add(mesh.weights.astype("<f4"), "VEC4", _VERTICES),
    }
    rows = "<u2" if len(mesh.positions) < 65536 else "<u4"  # 65535 itself is no vertex in glTF
    indices = buffer.add(mesh.triangles.astype(rows).ravel(), "SCALAR", _TRIANGLES)
    return {
        "name": "figure",
        "primitives": [{"attributes": attributes, "indices": indices, "material": 0}],
    }


def _skin(body: BodyMotion, rest_root: list[float], buffer: _Buffer) -> dict[str, Any]:
    inverse = np.tile(np.eye(4, dtype="<f4"), (len(BODY_JOINTS), 1, 1))
    # matrices are stored by columns: the translation is the last row here
    inverse[:, 3, :3] = -(rest_positions(np.asarray(body.rest_offsets, float)) + rest_root)
    return {
        "skeleton": 0,
        "joints": list(range(len(BODY_JOINTS))),
        "inverseBindMatrices": buffer.add(inverse, "MAT4"),
    }


def _animation(tree: JointTree, body: BodyMotion, buffer: _Buffer) -> dict[str, Any]:
    times = (np.arange(len(tree.rotations)) / tree.fps).astype("<f4")
    if (np.diff(times) <= 0).any():
        raise ValueError(
            f"glb: {len(times)} frames at {tree.fps:g} fps cannot be told apart in glTF's single-precision "
            "times; cut the clip in pieces"
        )
    at = buffer.add(times, "SCALAR", bounds=True)
    outputs = [("translation", 0, buffer.add(tree.root_translation.astype("<f4"), "VEC3"))]
    turns = quaternions_xyzw(tree.rotations).astype("<f4")
    for row in range(len(BODY_JOINTS)):
        outputs.append(("rotation", row, buffer.add(np.ascontiguousarray(turns[:, row]), "VEC4")))
    return {
        "name": "motion",
        "samplers": [{"input": at, "output": output, "interpolation": "LINEAR"} for _, _, output in outputs],
        "channels": [
            {"sampler": number, "target": {"node": node, "path": path}}
            for number, (path, node, _) in enumerate(outputs)
        ],
        "extras": {"fps": tree.fps, "valid_runs": _runs(np.asarray(body.valid, bool))},
    }


def _runs(valid: Bool[np.ndarray, " time"]) -> list[list[int]]:
    """First frame and the frame after the last of each run of valid frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(int), [0]])))
    return edges.reshape(-1, 2).tolist()


# --- reading


class GlbClip(NamedTuple):
    """The joints of a GLB's first skin and their first animation, in the file's axes: metres, y up.

    Attributes:
        joint_names: names of the skin's nodes.
        parents: the name of each joint's parent; None for the root.
        rest_translations: (joints, 3) from the parent.
        riding_points: point → its offset in the frame of the joint that carries it (from extras).
        times_s: (time,) of the keys.
        rotations_xyzw: (time, joints, 4) relative to the parent.
        root_translation: (time, 3).
        fps: from extras, or else from the times.
        valid: (time,) from extras; all where they say nothing.
    """

    joint_names: tuple[str, ...]
    parents: tuple[str | None, ...]
    rest_translations: np.ndarray
    riding_points: dict[str, np.ndarray]
    times_s: np.ndarray
    rotations_xyzw: np.ndarray
    root_translation: np.ndarray
    fps: float
    valid: np.ndarray


def read_glb(path: str | Path) -> GlbClip:
    """Read the joints and the motion of a skinned GLB such as `write_glb` makes.

    Raises:
        ValueError: no GLB, a damaged one, or one without such an animation.
    """
    path = Path(path)
    gltf, binary = _read_chunks(path)
    try:
        return _clip(gltf, binary)
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{path}: wanted a skin with an animation of its joints; the file's json does not fit "
            f"({type(error).__name__}: {error})"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_chunks(path: Path) -> tuple[Any, bytes]:
    data = path.read_bytes()
    if len(data) < 20 or data[:4] != b"glTF":
        raise ValueError(f"{path}: not a GLB file; wanted one that begins with 'glTF'")
    _, version, length, json_length, kind = struct.unpack_from("<5I", data)
    if version != 2 or kind != _JSON:
        raise ValueError(f"{path}: glTF version {version}; wanted version 2 with a JSON chunk first")
    if length != len(data):
        raise ValueError(f"{path}: cut short or damaged: its header says {length} bytes, found {len(data)}")
    start = 20 + json_length
    if start + 8 > len(data):
        raise ValueError(f"{path}: damaged: the binary chunk is missing")
    binary_length, kind = struct.unpack_from("<2I", data, start)
    if kind != _BIN or start + 8 + binary_length > len(data):
        raise ValueError(f"{path}: damaged: the binary chunk is not whole")
    try:
        gltf = json.loads(data[20:start])
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: damaged: its json cannot be read ({error})") from error
    return gltf, data[start + 8 : start + 8 + binary_length]


def _clip(gltf: Any, binary: bytes) -> GlbClip:
    nodes, joints = gltf["nodes"], gltf["skins"][0]["joints"]
    names = [str(nodes[node]["name"]) for node in joints]
    parent = {child: nodes[node]["name"] for node in joints for child in nodes[node].get("children", ())}
    animation = gltf["animations"][0]
    keys = {
        (channel["target"]["node"], channel["target"]["path"]): animation["samplers"][channel["sampler"]]
        for channel in animation["channels"]
    }
    inputs = {sampler["input"] for sampler in keys.values()}
    if len(inputs) != 1:
        raise ValueError(f"wanted one set of times for all joints, found {len(inputs)}")
    times = _array(gltf, binary, inputs.pop()).astype(float)
    if times.ndim != 1 or len(times) < 2 or not (np.diff(times) > 0).all():
        raise ValueError("wanted two or more ascending times")
    root = next(node for node in joints if node not in parent)
    turns = [_array(gltf, binary, keys[node, "rotation"]["output"]) for node in joints]
    place = _array(gltf, binary, keys[root, "translation"]["output"]).astype(float)
    if place.shape != (len(times), 3) or any(turn.shape != (len(times), 4) for turn in turns):
        raise ValueError("wanted a rotation of every joint and a translation of the root at every time")
    extras = animation.get("extras", {})
    valid = np.zeros(len(times), bool)
    for start, stop in extras.get("valid_runs", [[0, len(times)]]):
        valid[start:stop] = True
    return GlbClip(
        joint_names=tuple(names),
        parents=tuple(parent.get(node) for node in joints),
        rest_translations=np.array([nodes[node].get("translation", [0, 0, 0]) for node in joints], float),
        riding_points=_riding_points(nodes),
        times_s=times,
        rotations_xyzw=np.stack(turns, axis=1).astype(float),
        root_translation=place,
        fps=float(extras.get("fps", (len(times) - 1) / (times[-1] - times[0]))),
        valid=valid,
    )


def _riding_points(nodes: Any) -> dict[str, Float[np.ndarray, "3"]]:
    points = {}
    for node in nodes:
        for name, offset in node.get("extras", {}).get("points", {}).items():
            points[name] = np.array(offset, float).reshape(3)
    return points


def _array(gltf: Any, binary: bytes, number: int) -> np.ndarray:
    accessor = gltf["accessors"][number]
    view = gltf["bufferViews"][accessor["bufferView"]]
    dtype, item = np.dtype(_COMPONENT[accessor["componentType"]]), _ITEMS[accessor["type"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    shape = (accessor["count"], *item)
    need = int(np.prod(shape)) * dtype.itemsize
    packed = view.get("byteStride", dtype.itemsize * int(np.prod(item))) == dtype.itemsize * int(
        np.prod(item)
    )
    if "sparse" in accessor or not packed:
        raise ValueError(f"accessor {number}: sparse or interleaved; wanted packed values")
    if start < 0 or accessor["count"] < 0 or start + need > len(binary):
        raise ValueError(f"damaged: accessor {number} lies outside of the binary chunk")
    values = np.frombuffer(binary, dtype, int(np.prod(shape)), start).reshape(shape)
    if not np.isfinite(values).all():
        raise ValueError(f"accessor {number} is not finite; wanted numbers")
    return values


def read_body_glb(path: str | Path) -> BodyMotion:
    """Read what `write_glb` wrote back into our world.

    Raises:
        ValueError: no such file; see `read_glb`, and another skeleton than SMPL's 22 joints.
    """
    clip = read_glb(path)
    length = np.linalg.norm(clip.rotations_xyzw, axis=-1)
    if (np.abs(length - 1) > 1e-3).any():
        raise ValueError(f"{path}: quaternions of length {length.min():.3g} to {length.max():.3g}; wanted 1")
    turns = Rotation.from_quat(clip.rotations_xyzw.reshape(-1, 4)).as_matrix()
    tree = JointTree(
        clip.joint_names, clip.parents, clip.rest_translations, {},
        turns.reshape(*length.shape, 3, 3), clip.root_translation, clip.fps,
    )  # fmt: skip
    body = body_from_tree(tree, "y", str(path), clip.valid)
    for name, offset in clip.riding_points.items():
        if name in INDEX:
            body.rest_offsets[INDEX[name]] = offset
    return body
