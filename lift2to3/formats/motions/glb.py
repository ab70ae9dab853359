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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.body import BODY_JOINTS
from lift2to3.formats.motions.figure_mesh import SkinnedMesh, figure_mesh, rest_positions
from lift2to3.formats.motions.file_axes import FileBody, body_in_file, quaternions_xyzw
from lift2to3.motion import BodyMotion
from lift2to3.resample import runs_of_true
from lift2to3.skeletons import CANONICAL, PARENTS
from lift2to3.whole_file import whole_file

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_COMPONENT: Final = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
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
    return _write(Path(path), {"figure": body}, mesh)


def write_people_glb(path: str | Path, people: Mapping[str, BodyMotion]) -> Path:
    """Write several people into one scene and one animation, in time by the numbers of their first frames.

    Raises:
        ValueError: nobody, or a body that cannot be written (see `check_body`).
    """
    if not people:
        raise ValueError("glb: nobody to write; wanted one body or more")
    return _write(Path(path), people, None)


def _write(path: Path, people: Mapping[str, BodyMotion], mesh: SkinnedMesh | None) -> Path:
    buffer = _Buffer()
    nodes: list[dict[str, Any]] = []
    scene, meshes, skins, samplers, channels, extras = [], [], [], [], [], []
    first = min(body.first_frame for body in people.values())
    for name, body in people.items():
        written = body_in_file(body, "y")
        skin_mesh = figure_mesh(np.asarray(body.rest_offsets, float)) if mesh is None else mesh
        _check_mesh(skin_mesh)
        pelvis = len(nodes)
        nodes += _joint_nodes(body, pelvis)
        rest_root = nodes[pelvis]["translation"]
        scene += [pelvis, len(nodes)]
        nodes.append({"name": name, "mesh": len(meshes), "skin": len(skins)})
        meshes.append(_mesh(skin_mesh, rest_root, buffer))
        skins.append(_skin(body, rest_root, pelvis, buffer))
        moves = _animation(written, body, pelvis, body.first_frame - first, len(samplers), buffer)
        samplers += moves["samplers"]
        channels += moves["channels"]
        extras.append(moves["extras"])
    animation = {"name": "motion", "samplers": samplers, "channels": channels}
    gltf = {
        "asset": {"version": "2.0", "generator": "lift2to3"},
        "scene": 0,
        "scenes": [{"nodes": scene}],
        "nodes": nodes,
        "meshes": meshes,
        "materials": [_MATERIAL],
        "skins": skins,
        "animations": [animation | {"extras": extras[0] if len(extras) == 1 else {"people": extras}}],
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
    return Path(path)


def _joint_nodes(body: BodyMotion, pelvis: int) -> list[dict[str, Any]]:
    """The joints at rest, the lowest one on the floor; nodes are numbered as our rows, after the pelvis's."""
    offsets = np.asarray(body.rest_offsets, float)
    nodes: list[dict[str, Any]] = []
    for row, name in enumerate(BODY_JOINTS):
        below = np.flatnonzero(PARENTS == row).tolist()
        children = [pelvis + r for r in below if r < len(BODY_JOINTS)]
        riders = {CANONICAL[r]: offsets[r].tolist() for r in below if r >= len(BODY_JOINTS)}
        node: dict[str, Any] = {"name": name, "translation": offsets[row].tolist()}
        node |= {"children": children} if children else {}
        node |= {"extras": {"points": riders}} if riders else {}
        nodes.append(node)
    nodes[0]["translation"] = [0.0, -float(rest_positions(offsets)[:, 1].min()), 0.0]
    return nodes


def _check_mesh(mesh: SkinnedMesh) -> None:
    for name, values in mesh._asdict().items():
        if not np.isfinite(values).all():
            raise ValueError(f"mesh: {name} has numbers that are not finite; wanted finite ones")
    for name, count in (("joints", len(BODY_JOINTS)), ("triangles", len(mesh.positions))):
        rows = getattr(mesh, name)
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
    return {"name": "figure", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}


def _skin(body: BodyMotion, rest_root: list[float], pelvis: int, buffer: _Buffer) -> dict[str, Any]:
    inverse = np.tile(np.eye(4, dtype="<f4"), (len(BODY_JOINTS), 1, 1))
    # matrices are stored by columns: the translation is the last row here
    inverse[:, 3, :3] = -(rest_positions(np.asarray(body.rest_offsets, float)) + rest_root)
    return {
        "skeleton": pelvis,
        "joints": list(range(pelvis, pelvis + len(BODY_JOINTS))),
        "inverseBindMatrices": buffer.add(inverse, "MAT4"),
    }


def _animation(
    written: FileBody, body: BodyMotion, pelvis: int, late: int, sampler: int, buffer: _Buffer
) -> dict[str, Any]:
    """Samplers and channels of a body that comes in so many frames late."""
    times = ((late + np.arange(len(written.rotations))) / float(body.fps)).astype("<f4")
    if (np.diff(times) <= 0).any():
        raise ValueError(
            f"glb: {len(times)} frames at {body.fps:g} fps cannot be told apart in glTF's single-precision "
            "times; cut the clip in pieces"
        )
    at = buffer.add(times, "SCALAR", bounds=True)
    outputs = [("translation", 0, buffer.add(written.root_translation.astype("<f4"), "VEC3"))]
    for row, xyzw in enumerate(quaternions_xyzw(written.rotations).astype("<f4").swapaxes(0, 1)):
        outputs.append(("rotation", row, buffer.add(np.ascontiguousarray(xyzw), "VEC4")))
    return {
        "samplers": [{"input": at, "output": output, "interpolation": "LINEAR"} for _, _, output in outputs],
        "channels": [
            {"sampler": sampler + number, "target": {"node": pelvis + node, "path": path}}
            for number, (path, node, _) in enumerate(outputs)
        ],
        "extras": {"fps": float(body.fps), "valid_runs": runs_of_true(np.asarray(body.valid, bool)).tolist()},
    }
