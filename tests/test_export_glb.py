"""GLB out: an independent reader finds what went in, and the file is glTF by the standard."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh
from moving_body import differences, moving_body
from scipy.spatial.transform import Rotation
from written_files import COMPONENTS, ITEMS, read_glb, read_glb_clip

from lift2to3.body import BODY_JOINTS
from lift2to3.formats.motions.figure_mesh import SkinnedMesh, figure_mesh, rest_positions
from lift2to3.formats.motions.glb import write_glb, write_people_glb


def test_a_glb_comes_back_as_it_was(tmp_path: Path) -> None:
    body = moving_body(turns_rad=1.5)
    back = read_glb(write_glb(tmp_path / "clip.glb", body))
    millimetres, degrees = differences(body, back, points=38)
    assert millimetres < 0.01
    assert degrees < 1e-3
    np.testing.assert_array_equal(back.valid, body.valid)


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 120.0, 240.0])
def test_rates_come_back_frame_for_frame(tmp_path: Path, fps: float) -> None:
    path = write_glb(tmp_path / "clip.glb", moving_body(50, fps))
    clip = read_glb_clip(path)
    assert clip.fps == fps
    np.testing.assert_allclose(clip.times_s, np.arange(50) / fps, atol=1e-6)


def test_quaternions_keep_their_sign_along_time(tmp_path: Path) -> None:
    turns = read_glb_clip(write_glb(tmp_path / "clip.glb", moving_body(300, turns_rad=2.0))).rotations_xyzw
    assert ((turns[1:] * turns[:-1]).sum(axis=-1) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(turns, axis=-1), 1, atol=1e-6)


# --- the standard


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_glb(tmp_path_factory.mktemp("glb") / "clip.glb", moving_body(40))


def opened(path: Path) -> tuple[dict, list[np.ndarray]]:
    """The json and every accessor's values, read by the standard's words alone."""
    data = path.read_bytes()
    magic, version, length, json_length, kind = struct.unpack_from("<4s4I", data)
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), 0x4E4F534A)
    assert json_length % 4 == 0
    binary_length, kind = struct.unpack_from("<2I", data, 20 + json_length)
    assert kind == 0x004E4942 and binary_length % 4 == 0 and 28 + json_length + binary_length == length
    gltf, binary = json.loads(data[20 : 20 + json_length]), data[28 + json_length :]
    assert gltf["buffers"] == [{"byteLength": binary_length}]
    arrays = []
    for accessor in gltf["accessors"]:
        view = gltf["bufferViews"][accessor["bufferView"]]
        dtype = np.dtype("<" + COMPONENTS[accessor["componentType"]])
        count = accessor["count"] * int(np.prod(ITEMS[accessor["type"]]))
        assert view["byteOffset"] % 4 == 0 and view["byteLength"] == count * dtype.itemsize
        assert view["byteOffset"] + view["byteLength"] <= binary_length
        values = np.frombuffer(binary, dtype, count, view["byteOffset"]).reshape(accessor["count"], -1)
        if "min" in accessor:
            np.testing.assert_array_equal(values.min(0), np.array(accessor["min"], dtype))
            np.testing.assert_array_equal(values.max(0), np.array(accessor["max"], dtype))
        arrays.append(values)
    return gltf, arrays


def test_the_file_is_what_the_standard_asks_for(written: Path) -> None:
    gltf, arrays = opened(written)
    primitive = gltf["meshes"][0]["primitives"][0]
    attributes = {name: arrays[number] for name, number in primitive["attributes"].items()}
    assert "min" in gltf["accessors"][primitive["attributes"]["POSITION"]]
    assert len({len(values) for values in attributes.values()}) == 1
    assert arrays[primitive["indices"]].max() < len(attributes["POSITION"])
    np.testing.assert_allclose(np.linalg.norm(attributes["NORMAL"], axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(attributes["WEIGHTS_0"].sum(axis=1), 1)
    assert attributes["JOINTS_0"].max() < len(gltf["skins"][0]["joints"])
    animation = gltf["animations"][0]
    targets = [(c["target"]["node"], c["target"]["path"]) for c in animation["channels"]]
    assert len(targets) == len(set(targets)) == 1 + len(BODY_JOINTS)
    for sampler in animation["samplers"]:
        assert "min" in gltf["accessors"][sampler["input"]]
        assert len(arrays[sampler["input"]]) == len(arrays[sampler["output"]])
        assert (np.diff(arrays[sampler["input"]][:, 0]) > 0).all()


def test_the_bind_matrices_undo_the_rest_pose_and_the_figure_stands_on_the_floor(written: Path) -> None:
    gltf, arrays = opened(written)
    inverse = arrays[gltf["skins"][0]["inverseBindMatrices"]].reshape(-1, 4, 4).swapaxes(1, 2)
    place = [np.array(node.get("translation", [0, 0, 0])) for node in gltf["nodes"]]
    for number, node in enumerate(gltf["nodes"]):
        for child in node.get("children", []):
            assert child > number
            place[child] = place[child] + place[number]
    for number, joint in enumerate(gltf["skins"][0]["joints"]):
        np.testing.assert_allclose(inverse[number] @ [*place[joint], 1], [0, 0, 0, 1], atol=1e-6)
    assert min(at[1] for at in place[: len(BODY_JOINTS)]) == pytest.approx(0, abs=1e-9)


def test_the_figure_is_closed_and_its_faces_look_outwards() -> None:
    offsets = np.asarray(moving_body(10).rest_offsets, float)
    mesh = figure_mesh(offsets)
    a, b, c = (mesh.positions[mesh.triangles[:, corner]] for corner in range(3))
    normals = mesh.normals[mesh.triangles].sum(axis=1)
    assert (np.einsum("ti,ti->t", np.cross(b - a, c - a), normals) > 0).all()
    edges = np.sort(mesh.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    near = np.linalg.norm(mesh.positions - rest_positions(offsets)[mesh.joints[:, 0]], axis=1)
    assert near.max() < 0.55


def blended_mesh(copies: int = 1) -> SkinnedMesh:
    """The figure's vertices shared among four joints at random."""
    mesh = figure_mesh(np.asarray(moving_body(40).rest_offsets, float))
    draw = np.random.default_rng(0)
    vertices = copies * len(mesh.positions)
    joints = np.argsort(draw.random((vertices, len(BODY_JOINTS))), axis=1)[:, :4]
    weights = draw.multinomial(1024, [0.4, 0.3, 0.2, 0.1], vertices) / 1024
    offsets = len(mesh.positions) * np.arange(copies)[:, None, None]
    return SkinnedMesh(
        np.tile(mesh.positions, (copies, 1)), np.tile(mesh.normals, (copies, 1)),
        np.where(weights > 0, joints, 0), weights, (mesh.triangles + offsets).reshape(-1, 3),
    )  # fmt: skip


@pytest.mark.parametrize("copies", [1, 70])
def test_a_given_mesh_is_written_as_it_is(tmp_path: Path, copies: int) -> None:
    body, mesh = moving_body(40), blended_mesh(copies)
    assert (len(mesh.positions) > 65535) == (copies == 70)  # beyond what 16-bit indices reach
    gltf, arrays = opened(write_glb(tmp_path / "clip.glb", body, mesh))
    primitive = gltf["meshes"][0]["primitives"][0]
    found = {name: arrays[number] for name, number in primitive["attributes"].items()}
    rest = rest_positions(np.asarray(body.rest_offsets, float))
    np.testing.assert_allclose(found["POSITION"], mesh.positions - [0, rest[:, 1].min(), 0], atol=1e-6)
    np.testing.assert_allclose(found["NORMAL"], mesh.normals, atol=1e-6)
    np.testing.assert_array_equal(found["JOINTS_0"], mesh.joints)
    np.testing.assert_array_equal(found["WEIGHTS_0"], mesh.weights)
    np.testing.assert_array_equal(arrays[primitive["indices"]].reshape(-1, 3), mesh.triangles)


def test_a_mesh_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    mesh = blended_mesh()
    for wrong, message in (
        (mesh._replace(positions=mesh.positions + np.inf), "positions has numbers that are not finite"),
        (mesh._replace(joints=mesh.joints + 1), "joints: found rows 1 to 22, wanted 0 to 21"),
        (mesh._replace(triangles=mesh.triangles[:0]), "triangles: found rows none"),
        (mesh._replace(weights=mesh.weights * 0.9), "wanted shares that sum to 1"),
        (mesh._replace(weights=mesh.weights * [3, 1, 1, -1]), "wanted shares that sum to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            write_glb(tmp_path / "clip.glb", moving_body(40), wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mesh", ["figure", "given"])
def test_the_khronos_validator_finds_nothing(tmp_path: Path, mesh: str) -> None:
    """Needs `npm install gltf-validator`; NODE_PATH says where its node_modules is."""
    written = write_glb(tmp_path / "clip.glb", moving_body(40), blended_mesh() if mesh == "given" else None)
    node = shutil.which("node")
    if node is None or not os.environ.get("NODE_PATH"):
        pytest.skip("no gltf-validator: npm install gltf-validator and set NODE_PATH to its node_modules")
    script = (
        "require('gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[1])))"
        ".then(report => console.log(JSON.stringify(report.issues)))"
    )
    run = subprocess.run([node, "-e", script, str(written)], capture_output=True, text=True, check=True)
    issues = json.loads(run.stdout)
    assert issues["messages"] == []


def test_an_independent_library_reads_nodes_and_mesh(written: Path) -> None:
    scene = trimesh.load(written)
    offsets = np.asarray(moving_body(40).rest_offsets, float)
    rest = rest_positions(offsets)
    floor = [0, -rest[:, 1].min(), 0]
    for name, at in zip(BODY_JOINTS, rest + floor, strict=True):
        np.testing.assert_allclose(scene.graph[name][0][:3, 3], at, atol=1e-6)
    (mesh,) = scene.geometry.values()
    np.testing.assert_allclose(mesh.bounds, figure_bounds(offsets) + floor, atol=1e-6)
    assert len(mesh.faces) == len(figure_mesh(offsets).triangles)


def figure_bounds(offsets: np.ndarray) -> np.ndarray:
    positions = figure_mesh(offsets).positions
    return np.stack([positions.min(0), positions.max(0)])


# --- what cannot be written


def test_a_body_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    body = moving_body(20)
    bent = np.array(body.rotations)
    bent[3, 4] = np.nan
    with pytest.raises(ValueError, match="rotations of left_knee is not finite in frame 3"):
        write_glb(tmp_path / "clip.glb", body._replace(rotations=bent))
    with pytest.raises(ValueError, match="fps is 1e.45; wanted 1 to 1,000"):
        write_glb(tmp_path / "clip.glb", moving_body(20, fps=1e45))
    late = moving_body(20)._replace(first_frame=2**30)
    with pytest.raises(ValueError, match="cannot be told apart"):
        write_people_glb(tmp_path / "clip.glb", {"one": moving_body(20), "other": late})
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_glb(tmp_path / "no" / "clip.glb", moving_body(20))


def test_rotations_in_the_file_are_the_joints_own(tmp_path: Path) -> None:
    body = moving_body(30)
    clip = read_glb_clip(write_glb(tmp_path / "clip.glb", body))
    for row in range(1, len(BODY_JOINTS)):
        np.testing.assert_allclose(
            Rotation.from_quat(clip.rotations_xyzw[:, row]).as_matrix(), body.rotations[:, row], atol=1e-5
        )
    np.testing.assert_allclose(clip.root_translation[:, 1], body.root_translation[:, 2], atol=1e-6)
