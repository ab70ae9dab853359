"""A small valid file for each public reader: what `tools.fuzz_readers` changes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lift2to3.array_files import load_json
from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.convert.read_body import read_body
from lift2to3.data.mocap import MocapClip
from lift2to3.data.packed import read_packed, write_packed
from lift2to3.formats.cameras.read import read_camera
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.formats.motions.amass import read_amass_npz, read_smpl_npz, write_smpl_npz
from lift2to3.formats.motions.bvh import read_bvh, write_bvh
from lift2to3.formats.object_files import load_objects
from lift2to3.formats.safe_pickle import load_pickle
from lift2to3.motion import BodyMotion, load_body_motion, load_motion
from lift2to3.skeletons import CANONICAL, PARENTS, load_skeleton
from lift2to3.smpl import load_body_model

Kind = Literal["json", "npz", "npy", "pickle", "zlib", "bytes"]
"""How a value is written: a tree, arrays by name, one array, a pickled value, that compressed, as it is."""


class Example(NamedTuple):
    """A valid file: its name, how its value is written, the value, and who reads it."""

    file: str
    kind: Kind
    value: Any
    read: Callable[[Path], Any]


FRAMES = 6


def _body() -> BodyMotion:
    """A standing person; every point 0.1 m from its parent."""
    offsets = np.where(PARENTS[:, None] < 0, 0.0, [[0.0, 0.1, 0.0]])
    return BodyMotion(
        np.full((FRAMES, 3), 1.0),
        np.tile(np.eye(3), (FRAMES, 22, 1, 1)),
        offsets,
        30.0,
        np.ones(FRAMES, bool),
    )


def _bytes(folder: Path, name: str, write: Callable[[Path], Any]) -> bytes:
    write(folder / name)
    return (folder / name).read_bytes()


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    return dict(np.load(io.BytesIO(content)))


def _pack(path: Path) -> None:
    """A clip of mocap of two joints."""
    clip = MocapClip(
        clip="walk", subject="me", family="two", fps=30.0, uneven_floor=False, joint_names=("a", "b"),
        parents=np.array([-1, 0]), rest_offsets=np.ones((2, 3), np.float32),
        root_translation=np.ones((FRAMES, 3), np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (FRAMES, 2, 1)),
        points_world=np.ones((FRAMES, 38, 3), np.float32), contacts=np.ones((FRAMES, 4), bool),
    )  # fmt: skip
    write_packed(path, [clip])


def _torch_file() -> bytes:
    """A tensor (2, 3), as PyTorch stores it."""
    index = (
        b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n"
        b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tRs."
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/data.pkl", index)
        archive.writestr("x/data/0", np.arange(6, dtype=np.float32).tobytes())
    return file.getvalue()


def _smpl_model(vertices: int = 8) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    parents = np.array([-1, *PARENTS[1:22], 20, 21])
    return {
        "v_template": draw.normal(size=(vertices, 3)), "shapedirs": draw.normal(size=(vertices, 3, 10)),
        "posedirs": draw.normal(size=(vertices, 3, 207)),
        "J_regressor": np.full((24, vertices), 1 / vertices),
        "weights": np.full((vertices, 24), 1 / 24), "kintree_table": np.stack([parents, np.arange(24)]),
        "f": np.array([[0, 1, 2], [2, 3, 4]]),
    }  # fmt: skip


def valid_files(folder: Path) -> dict[str, Example]:
    """The valid files by the name of who reads them; ``folder`` is used for writing."""
    draw = np.random.default_rng(0)
    points = np.concatenate([draw.uniform(100, 700, (FRAMES, 17, 2)), np.full((FRAMES, 17, 1), 0.5)], -1)
    people = [frame.ravel().tolist() for frame in points]
    camera = {
        "K": [[900.0, 0, 640], [0, 900, 360], [0, 0, 1]], "R": [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]],
        "t": [0.0, 1.5, 4.0], "size": [1280, 720], "dist": [0.0] * 5, "direction": "world_to_camera",
    }  # fmt: skip
    toml = (
        '[cam_01]\nname = "cam_01"\nsize = [1280.0, 720.0]\n'
        "matrix = [[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]\n"
        "distortions = [0.0, 0.0, 0.0, 0.0]\nrotation = [1.57, 0.0, 0.0]\ntranslation = [0.0, 1.5, 4.0]\n"
        "fisheye = false\n"
    )
    body, quarter = _body(), np.zeros((FRAMES, 72))
    wham = {
        1: {
            "pose_world": quarter, "pose": quarter, "trans_world": np.ones((FRAMES, 3)),
            "trans": np.ones((FRAMES, 3)), "betas": np.zeros((FRAMES, 10)), "frame_ids": np.arange(FRAMES),
        }
    }  # fmt: skip
    person = {
        "global_orient": np.eye(3)[None],
        "body_pose": np.tile(np.eye(3), (23, 1, 1)),
        "betas": np.zeros(10),
    }
    phalp = {
        f"{n:05d}.jpg": {
            "time": n, "tid": [1], "tracked_time": [0], "smpl": [person], "camera": [np.ones(3)],
            "size": [[720, 1280]],
        }
        for n in range(FRAMES)
    }  # fmt: skip
    side = {"global_orient": np.zeros((FRAMES, 3)), "body_pose": np.zeros((FRAMES, 63)),
            "betas": np.zeros((FRAMES, 10)), "transl": np.ones((FRAMES, 3))}  # fmt: skip
    gvhmr = {
        "smpl_params_global": side,
        "smpl_params_incam": side,
        "K_fullimg": np.tile(np.eye(3), (FRAMES, 1, 1)),
    }
    plain = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": [1, "x", None, (2.5, b"y")],
        "c": {1, 2},
        3: np.float64(1),
    }
    motion = _arrays(_bytes(folder, "motion.npz", body.motion()._replace(body=None).save))
    bvh = _bytes(folder, "walk_01.bvh", lambda path: write_bvh(path, body))
    smpl = _arrays(_bytes(folder, "smpl.npz", lambda path: write_smpl_npz(path, body)))
    weights = _bytes(
        folder,
        "w.safetensors",
        lambda path: save_weights(path, {"w": np.ones((3, 4))}, {"frames": 64}, notes="x"),
    )

    def seen(path: Path) -> Any:
        return read_body(path, fps=30.0)

    def detections(path: Path) -> Any:
        return read_keypoints(path, "coco17", 30.0)

    def frame_file(path: Path) -> Any:
        path.with_name("f_1.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": people[1]}]}))
        return read_keypoints(path.parent, "coco17", 30.0)

    table = {"skeleton": "coco17", "fps": 30.0, "keypoints": points.tolist()}
    coco = [{"image_id": n, "category_id": 1, "score": 1.0, "keypoints": p} for n, p in enumerate(people)]
    mmpose = [
        {"frame_id": n, "instances": [{"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist()}]}
        for n, p in enumerate(points)
    ]
    npz = {
        "xy": points[..., :2],
        "confidence": points[..., 2],
        "skeleton": np.array("coco17"),
        "fps": np.array(30.0),
    }
    skeleton = {"name": "mine", "joints": [{"name": name} for name in CANONICAL[:5]]}
    arrays = {key: np.array(value) for key, value in camera.items()}
    return {
        "json": Example("a.json", "json", camera, load_json),
        "keypoints.json": Example("a.json", "json", table, read_keypoints),
        "keypoints.coco": Example("a.json", "json", coco, detections),
        "keypoints.mmpose": Example("a.json", "json", mmpose, detections),
        "keypoints.openpose": Example(
            "frames/f_0.json", "json", {"people": [{"pose_keypoints_2d": people[0]}]}, frame_file
        ),
        "keypoints.npz": Example("a.npz", "npz", npz, read_keypoints),
        "keypoints.npy": Example("a.npy", "npy", points, detections),
        "camera.json": Example("a.json", "json", camera, read_camera),
        "camera.npz": Example("a.npz", "npz", arrays, read_camera),
        "camera.toml": Example("a.toml", "bytes", toml.encode(), read_camera),
        "skeleton": Example("a.json", "json", skeleton, load_skeleton),
        "motion": Example("motion.npz", "npz", motion, load_motion),
        "body": Example("b.npz", "npz", _arrays(_bytes(folder, "b.npz", body.save)), load_body_motion),
        "bvh": Example("a.bvh", "bytes", bvh, read_bvh),
        "packed": Example(
            "p.npz", "npz", _arrays(_bytes(folder, "p.npz", _pack)), lambda p: read_packed([p])
        ),
        "smpl_npz": Example("a.npz", "npz", smpl, read_smpl_npz),
        "amass_npz": Example("a.npz", "npz", smpl, read_amass_npz),
        "pickle": Example("a.pkl", "pickle", plain, load_pickle),
        "objects": Example("a.pkl", "pickle", plain, load_objects),
        "objects.zlib": Example("a.pkl", "zlib", plain, load_objects),
        "objects.pt": Example("a.pt", "bytes", _torch_file(), load_objects),
        "result.gvhmr": Example("a.pkl", "pickle", gvhmr, seen),
        "result.wham": Example("a.pkl", "pickle", wham, seen),
        "result.phalp": Example("a.pkl", "zlib", phalp, seen),
        "model.npz": Example("m.npz", "npz", _smpl_model(), load_body_model),
        "model.pkl": Example("m.pkl", "pickle", _smpl_model(), load_body_model),
        "weights": Example("w.safetensors", "bytes", weights, load_weights),
    }
