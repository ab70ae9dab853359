"""Other programs' results, in files of their very layouts: the body and the camera stand where theirs do.

The reference is the body model itself, posed in the frames of each file.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from moving_body import moving_body
from saved_objects import Reduced, Tensor, joblib_stream, joblib_zlib, npy_of_object, torch_zip
from scipy.spatial.transform import Rotation

from lift2to3 import guarded_files
from lift2to3.body import BODY_JOINTS, pose_body
from lift2to3.convert.read_body import SeenBody, read_body
from lift2to3.convert.rest_skeleton import ordinary_rest
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.formats.motions.amass import read_amass_npz, write_smpl_npz
from lift2to3.geometry.ground import FOOT_HEIGHT_M
from lift2to3.skeletons import FOOT_POINTS, INDEX, MIRROR, PARENTS
from lift2to3.smpl import JOINT_NAMES, load_body_model, pose_joints

TIME = 8
COLUMNS = {"smpl": 10, "smplh": 16, "smplx": 20}
PELVIS = np.array([0.01, -0.3, 0.02])
Z_FROM_Y_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
Z_FROM_LEVEL_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """A file of each kind, one vertex a joint; the shapes move the pelvis too."""
    draw = np.random.default_rng(5)
    offsets = load_body_prior().rest_offsets.astype(float)
    paths = {}
    for kind, names in JOINT_NAMES.items():
        count = len(names)
        parents = np.array([-1, *PARENTS[1:22], *([20] * (count - 22))])
        rest = np.tile(PELVIS, (count, 1))
        for row in range(1, count):
            rest[row] = rest[parents[row]] + (offsets[row] if row < 22 else 0.01)
        rest[1:] += draw.normal(size=(count - 1, 3)) * 0.02  # no T-pose
        paths[kind] = tmp_path_factory.mktemp("model") / f"{kind}.npz"
        np.savez(
            paths[kind], v_template=rest, shapedirs=draw.normal(size=(count, 3, COLUMNS[kind])) * 0.01,
            posedirs=np.zeros((count, 3, 9 * (count - 1))), J_regressor=np.eye(count), weights=np.eye(count),
            kintree_table=np.stack([parents, np.arange(count)]), f=np.array([[0, 1, 2]]),
        )  # fmt: skip
    return paths


class Pose(NamedTuple):
    """A body in one frame: axis angles of 22 joints, SMPL's translation, one shape."""

    vectors: np.ndarray
    translation: np.ndarray
    betas: np.ndarray

    def matrices(self) -> np.ndarray:
        return Rotation.from_rotvec(self.vectors.reshape(-1, 3)).as_matrix().reshape(-1, 22, 3, 3)

    def joints(self, path: Path) -> np.ndarray:
        """The 22 joints by SMPL's formula, of a file with one vertex a joint."""
        with np.load(path) as model:
            rest = model["v_template"] + model["shapedirs"][..., : len(self.betas)] @ self.betas
        turns = self.matrices()
        frames, places = [turns[:, 0]], [rest[0] + self.translation]
        for row in range(1, 22):
            parent = PARENTS[row]
            places.append(places[parent] + frames[parent] @ (rest[row] - rest[parent]))
            frames.append(frames[parent] @ turns[:, row])
        return np.stack(places, axis=1)


def person(seed: int = 0, frames: int = TIME, betas: int = 10) -> tuple[Pose, Pose]:
    """One body in two frames that have nothing to do with each other: a world and the camera."""
    draw = np.random.default_rng(seed)
    body = draw.normal(size=(frames, 21, 3)) * 0.4
    shape = draw.normal(size=betas)

    def stand(place: list[float]) -> Pose:
        roots = Rotation.random(frames, random_state=draw).as_rotvec()[:, None]
        places = np.array(place) + draw.normal(size=(frames, 3)) * 0.3
        return Pose(np.concatenate([roots, body], axis=1), places, shape)

    return stand([0, 1, 0]), stand([0, 0, 4])


def single(array: np.ndarray) -> Tensor:
    return Tensor(np.asarray(array, np.float32))


# --- the files


def gvhmr(world: Pose, camera: Pose) -> dict[str, Any]:
    def params(pose: Pose) -> dict[str, Any]:
        return {
            "body_pose": single(pose.vectors[:, 1:].reshape(-1, 63)),
            "betas": single(np.tile(pose.betas, (len(pose.vectors), 1))),
            "global_orient": single(pose.vectors[:, 0]),
            "transl": single(pose.translation),
        }

    frames = len(world.vectors)
    lens = np.array([[2203.0, 0, 960], [0, 2203, 540], [0, 0, 1]], np.float32)
    logits = single(np.zeros((1, frames, 6)))
    return {
        "smpl_params_global": params(world),
        "smpl_params_incam": params(camera),
        "K_fullimg": Tensor(np.tile(lens, (frames, 1, 1))),
        "net_outputs": {"static_conf_logits": logits, "model_output": {"pred_context": logits}},
    }


def wham_person(world: Pose, camera: Pose, hips: np.ndarray, frames: np.ndarray) -> dict[str, Any]:
    def pose(of: Pose) -> np.ndarray:
        hands = np.zeros((len(of.vectors), 6))
        return np.concatenate([of.vectors.reshape(-1, 66), hands], axis=1).astype(np.float32)

    return {
        "pose": pose(camera), "trans": camera.translation.astype(np.float32),
        "pose_world": pose(world), "trans_world": hips.astype(np.float32),
        "betas": np.tile(camera.betas, (len(frames), 1)).astype(np.float32),
        "verts": np.zeros((len(frames), 9, 3), np.float32), "frame_ids": frames,
    }  # fmt: skip


def wham(world: Pose, camera: Pose, hips: np.ndarray, frames: np.ndarray | None = None) -> Any:
    frames = np.arange(len(world.vectors)) if frames is None else frames
    return defaultdict(dict, {0: wham_person(world, camera, hips, frames)})


def tram_person(camera: Pose, frames: np.ndarray) -> dict[str, Any]:
    hands = np.tile(np.eye(3), (len(frames), 2, 1, 1))
    return {
        "pred_cam": single(np.ones((len(frames), 3))),
        "pred_pose": single(np.zeros((len(frames), 144))),
        "pred_shape": single(np.tile(camera.betas, (len(frames), 1))),
        "pred_rotmat": single(np.concatenate([camera.matrices(), hands], axis=1)),
        "pred_trans": single(camera.translation[:, None]),
        "frame": Tensor(frames),
    }


def tram_cameras(count: int) -> dict[str, Any]:
    turns = Rotation.from_rotvec(np.linspace(0, 1, count)[:, None] * [0.1, 0.7, -0.2]).as_matrix()
    places = np.linspace(0, 1, count)[:, None] * [1.0, 0.2, 2.0]
    return {
        "pred_cam_R": turns.astype(np.float32), "pred_cam_T": places.astype(np.float32),
        "img_focal": np.float64(1300.0), "img_center": np.array([960.0, 540.0]),
    }  # fmt: skip


def tram_folder(folder: Path, people: dict[int, dict[str, Any]], cameras: dict[str, Any]) -> Path:
    (folder / "hps").mkdir(parents=True)
    for name, values in people.items():
        (folder / f"hps/hps_track_{name}.npy").write_bytes(npy_of_object(values))
    (folder / "camera.npy").write_bytes(npy_of_object(cameras))
    return folder


def phalp(tracks: dict[int, tuple[Pose, list[int]]], ghosts: dict[int, list[int]], last: int) -> Any:
    """Frames 0 to ``last``; ghosts are frames in which a track is alive but not seen."""
    frames = {}
    for time in range(last + 1):
        entry: dict[str, Any] = {"time": time, "shot": 0, "frame_path": f"img/{time:06d}.jpg"}
        columns = (
            "tracked_ids", "tracked_bbox", "tid", "bbox", "tracked_time", "size", "img_name", "smpl",
            "camera", "embedding", "mask",
        )  # fmt: skip
        entry |= {key: [] for key in columns}
        for name, (pose, seen) in tracks.items():
            ghost = time in ghosts.get(name, [])
            if time not in seen and not ghost:
                continue
            row = 0 if ghost else seen.index(time)
            turns = pose.matrices()[row].astype(np.float32)
            hands = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
            entry["tid"].append(name)
            entry["bbox"].append(np.zeros(4))
            entry["tracked_time"].append(3 if ghost else 0)
            entry["size"].append([1080, 1920])
            entry["img_name"].append(f"{time:06d}.jpg")
            entry["camera"].append(pose.translation[row].astype(np.float32))
            entry["embedding"].append(single(np.zeros(5)))
            entry["mask"].append([{"size": [1080, 1920], "counts": "abc"}])
            entry["smpl"].append({
                "global_orient": turns[:1], "body_pose": np.concatenate([turns[1:], hands]),
                "betas": pose.betas.astype(np.float32),
            })  # fmt: skip
        frames[entry["frame_path"]] = entry
    return frames


@pytest.fixture
def save(tmp_path) -> Callable[..., Path]:
    def write(content: bytes, name: str = "result.bin") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_the_reference_is_the_body_model(models):
    pose, _ = person(betas=10)
    model = load_body_model(models["smplx"])
    joints = np.asarray(pose_joints(model, pose.betas, pose.matrices(), pose.translation))
    np.testing.assert_allclose(pose.joints(models["smplx"]), joints[:, :22], atol=1e-5)


# --- where the body and the camera stand


def joints_of(seen: SeenBody) -> np.ndarray:
    body = seen.body
    return body.posed()[1][:, :22]


def in_camera(seen: SeenBody) -> np.ndarray:
    assert seen.cam_from_world is not None and seen.cam_translation is not None
    turned = np.einsum("tij,tpj->tpi", seen.cam_from_world, joints_of(seen))
    return turned + seen.cam_translation[:, None]


def stands_as(seen: SeenBody, world: np.ndarray) -> None:
    """As in this world (z up), but for the height of the floor, which is under the soles."""
    shift = joints_of(seen) - world
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:1, :1], shift.shape), atol=1e-5)
    np.testing.assert_allclose(shift[..., :2], 0, atol=1e-5)
    body = seen.body
    points = body.posed()[1]
    soles = (np.asarray(points)[:, list(FOOT_POINTS), 2] - FOOT_HEIGHT_M).min(axis=1)
    assert np.percentile(soles, 5) == pytest.approx(0, abs=1e-6)


def test_gvhmr(save, models):
    world, camera = person()
    seen = read_body(save(torch_zip(gvhmr(world, camera))), body_model=models["smplx"])
    stands_as(seen, world.joints(models["smplx"]) @ Z_FROM_Y_UP.T)
    np.testing.assert_allclose(in_camera(seen), camera.joints(models["smplx"]), atol=1e-5)
    assert seen.body.fps == 30 and seen.body.valid.all() and seen.frames.tolist() == list(range(TIME))
    assert seen.K is not None and seen.K[0, 0] == 2203


def test_wham_places_the_middle_of_the_hips_in_the_world(save, models):
    world, camera = person(1)
    posed = world.joints(models["smpl"])
    path = save(joblib_stream(wham(world, camera, posed[:, 1:3].mean(axis=1))))
    seen = read_body(path, fps=25, body_model=models["smpl"])
    stands_as(seen, posed @ Z_FROM_Y_UP.T)
    np.testing.assert_allclose(in_camera(seen), camera.joints(models["smpl"]), atol=1e-5)
    assert seen.body.fps == 25 and seen.K is None


@pytest.mark.parametrize("as_folder", [True, False])
def test_tram(tmp_path, models, as_folder):
    _, camera = person(2)
    frames, cameras = np.arange(3, 3 + TIME), tram_cameras(20)
    path = tram_folder(tmp_path / "clip", {0: tram_person(camera, frames)}, cameras)
    with pytest.warns(UserWarning, match="the camera, in its first frame, is taken to be level"):
        seen = read_body(
            path if as_folder else path / "hps/hps_track_0.npy", fps=30, body_model=models["smpl"]
        )
    posed = camera.joints(models["smpl"])
    turns, places = cameras["pred_cam_R"][frames], cameras["pred_cam_T"][frames]
    world = np.einsum("tij,tpj->tpi", turns, posed) + places[:, None]
    stands_as(seen, world @ Z_FROM_LEVEL_CAMERA.T)
    np.testing.assert_allclose(in_camera(seen), posed, atol=1e-5)
    assert seen.frames.tolist() == frames.tolist()
    np.testing.assert_allclose(seen.K, [[1300, 0, 960], [0, 1300, 540], [0, 0, 1]])


def test_phalp(save, models):
    _, camera = person(3)
    far = camera._replace(translation=camera.translation * [1, 1, 10])
    path = save(joblib_zlib(phalp({4: (far, list(range(TIME)))}, {}, TIME)))
    with pytest.warns(UserWarning, match="gravity is not in it; the camera is taken to be level"):
        seen = read_body(path, fps=24, body_model=models["smpl"])
    posed = far.joints(models["smpl"])
    stands_as(seen, posed @ Z_FROM_LEVEL_CAMERA.T)
    np.testing.assert_allclose(in_camera(seen), posed, atol=1e-5)
    # PHALP's own projection: into the padded square, in halves of its side, then back to the image
    square = (5000 / 256 * posed[..., :2] / posed[..., 2:] + 0.5) * 1920
    assert seen.K is not None
    image = in_camera(seen) @ seen.K.T
    np.testing.assert_allclose(image[..., :2] / image[..., 2:], square - [0, 420], rtol=1e-5, atol=0.02)


AMASS = {
    "AMASS": ("smplh", 16, 156, "mocap_framerate"),
    "AMASS, SMPL-X": ("smplx", 10, 165, "mocap_frame_rate"),
    "SMPL": ("smpl", 10, 72, "mocap_framerate"),
}


@pytest.mark.parametrize("layout", AMASS)
def test_amass_stands_as_it_stands(tmp_path, models, layout):
    kind, betas, numbers, rate = AMASS[layout]
    world, _ = person(4, betas=betas)
    poses = np.concatenate([world.vectors.reshape(TIME, 66), np.zeros((TIME, numbers - 66))], axis=1)
    np.savez(
        tmp_path / "a.npz", allow_pickle=True, poses=poses, trans=world.translation, betas=world.betas,
        gender=np.array("neutral"), labels_obs=np.array([{"LFHD": 1}], dtype=object), **{rate: 120.0},
    )  # fmt: skip
    seen = read_body(tmp_path / "a.npz", body_model=models[kind])
    np.testing.assert_allclose(joints_of(seen), world.joints(models[kind]), atol=1e-5)
    assert seen.body.fps == 120 and seen.cam_from_world is None and seen.K is None
    assert read_amass_npz(tmp_path / "a.npz").model == kind


def test_amass_in_two_parts_and_without_a_rate(tmp_path, models):
    world, _ = person(6)
    parts = {"root_orient": world.vectors[:, 0], "pose_body": world.vectors[:, 1:].reshape(TIME, 63)}
    np.savez(
        tmp_path / "a.npz", **parts, trans=world.translation, betas=world.betas, surface_model_type="smplx"
    )
    with pytest.raises(ValueError, match="does not say the video's rate; pass fps"):
        read_body(tmp_path / "a.npz")
    seen = read_body(tmp_path / "a.npz", fps=60, body_model=models["smplx"])
    np.testing.assert_allclose(joints_of(seen), world.joints(models["smplx"]), atol=1e-5)


@pytest.mark.parametrize(
    "write", [lambda body, path: body.save(path), lambda body, path: write_smpl_npz(path, body)]
)
def test_our_own_files(tmp_path, write):
    body = moving_body(frames=20)
    path = write(body, tmp_path / "own.npz")
    seen = read_body(path)
    points = [b.posed()[1] for b in (body, seen.body)]
    np.testing.assert_allclose(points[1], points[0], atol=1e-5)
    np.testing.assert_array_equal(seen.body.valid, body.valid)
    assert seen.cam_from_world is None and len(seen.frames) == 20
    assert read_body(path, fps=50).body.fps == 50


# --- without a model file


def test_without_a_model_the_mean_body_stands_for_the_person(save):
    world, camera = person(7)
    seen = read_body(save(torch_zip(gvhmr(world, camera))))
    np.testing.assert_allclose(in_camera(seen)[:, 0], camera.translation + [0.003, -0.351, 0.012], atol=1e-5)
    np.testing.assert_allclose(seen.body.rotations[:, 1:], world.matrices()[:, 1:], atol=1e-6)
    hips = world.translation + [0, 0.1, 0]
    path = save(joblib_stream(wham(world, camera, hips)))
    seen = read_body(path, fps=30)
    middle = joints_of(seen)[:, 1:3].mean(axis=1)
    np.testing.assert_allclose((middle - hips @ Z_FROM_Y_UP.T)[:, :2], 0, atol=1e-5)
    pelvis = camera.translation + [-0.00179506, -0.22333382, 0.02821918]
    np.testing.assert_allclose(in_camera(seen)[:, 0], pelvis, atol=1e-5)


@pytest.mark.parametrize("template", ["smpl", "smplx"])
def test_ordinary_proportions_are_symmetric_and_stand_as_the_template(template):
    rest = ordinary_rest(template).rest_offsets
    prior = load_body_prior().rest_offsets
    np.testing.assert_allclose(rest[MIRROR] * [-1, 1, 1], rest, atol=1e-6)
    joints = [row for row in range(22)]
    np.testing.assert_allclose(
        np.linalg.norm(rest[joints], axis=1), np.linalg.norm(prior[joints], axis=1), atol=1e-6
    )
    standing = np.tile(np.eye(3), (1, 22, 1, 1))
    points = np.asarray(pose_body(rest, standing, np.zeros((1, 3)))[1])[0]
    hip, knee, ankle, foot, toe, heel = (
        points[INDEX[f"left_{name}"]] for name in ("hip", "knee", "ankle", "foot", "big_toe", "heel")
    )
    assert hip[0] < knee[0] and ankle[2] < knee[2]  # astride, the shins lean back
    assert heel[2] < ankle[2] < foot[2] < toe[2] and heel[0] < ankle[0] < foot[0]  # the feet point outwards


# --- frames that are not there


def test_frames_between_are_filled_and_not_valid(save, models):
    world, camera = person(8, frames=4)
    frames = np.array([10, 11, 15, 16])
    hips = world.joints(models["smpl"])[:, 1:3].mean(axis=1)
    seen = read_body(
        save(joblib_stream(wham(world, camera, hips, frames))), fps=30, body_model=models["smpl"]
    )
    assert seen.frames.tolist() == [10, 11, 12, 13, 14, 15, 16]
    assert seen.body.valid.tolist() == [True, True, False, False, False, True, True]
    assert seen.cam_from_world is not None and seen.cam_translation is not None
    there = seen._replace(
        body=seen.body._replace(
            rotations=seen.body.rotations[seen.body.valid],
            root_translation=seen.body.root_translation[seen.body.valid],
        ),
        cam_from_world=seen.cam_from_world[seen.body.valid],
        cam_translation=seen.cam_translation[seen.body.valid],
    )
    np.testing.assert_allclose(in_camera(there), camera.joints(models["smpl"]), atol=1e-5)
    for turns in (seen.body.rotations, seen.cam_from_world[:, None]):
        np.testing.assert_allclose(
            turns @ turns.swapaxes(-1, -2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-9
        )
        steps = turns[1:5].swapaxes(-1, -2) @ turns[2:6]  # an even speed from 11 to 15
        np.testing.assert_allclose(steps, np.broadcast_to(steps[:1], steps.shape), atol=1e-6)
    np.testing.assert_allclose(np.diff(seen.body.root_translation[1:6], n=2, axis=0), 0, atol=1e-9)


def test_a_short_file_cannot_claim_a_long_clip(save):
    world, camera = person(8, frames=2)
    path = save(joblib_stream(wham(world, camera, world.translation, np.array([0, 10**9]))))
    with pytest.raises(ValueError, match="2 frames between 0 and 1000000000; wanted a person seen in one"):
        read_body(path, fps=30)


# --- several people


def test_the_longest_track_is_taken_and_the_others_are_named(save):
    short, long = person(9, frames=3), person(10, frames=6)
    people = {
        "4": wham_person(*short, short[0].translation, np.arange(3)),
        7: wham_person(*long, long[0].translation, np.arange(6)),
    }
    path = save(joblib_stream(people))
    with pytest.warns(UserWarning, match=r"2 people; taken: track 7, .* of 7 \(6 frames\), 4 \(3 frames\)"):
        assert len(read_body(path, fps=30).frames) == 6
    for track in ("4", 4):
        assert len(read_body(path, track, fps=30).frames) == 3
    with pytest.raises(ValueError, match=r"no track 'x'; wanted one of 7 \(6 frames\), 4 \(3 frames\)"):
        read_body(path, "x", fps=30)


def test_phalp_s_guesses_of_people_out_of_sight_are_left_out(save, models):
    _, camera = person(11, frames=5)
    other = person(12, frames=2)[1]
    found = phalp({1: (camera, [0, 1, 4, 5, 6]), 2: (other, [2, 3])}, {1: [2, 3], 2: [4, 5, 6, 7]}, 8)
    two = pytest.warns(UserWarning, match=r"taken: track 1, .*2 \(2 frames\)")
    with pytest.warns(UserWarning, match="gravity"), two:
        seen = read_body(save(joblib_zlib(found)), fps=30, body_model=models["smpl"])
    assert seen.body.valid.tolist() == [True, True, False, False, True, True, True]
    np.testing.assert_allclose(in_camera(seen)[seen.body.valid], camera.joints(models["smpl"]), atol=1e-5)


def test_tram_s_tracks_are_its_files(tmp_path):
    poses = {0: person(13, frames=3)[1], 3: person(14, frames=5)[1]}
    people = {name: tram_person(pose, np.arange(len(pose.vectors))) for name, pose in poses.items()}
    folder = tram_folder(tmp_path / "clip", people, tram_cameras(6))
    two = pytest.warns(UserWarning, match=r"taken: track 3, .*0 \(3 frames\)")
    with pytest.warns(UserWarning, match="gravity"), two:
        assert len(read_body(folder, fps=30).frames) == 5
    with pytest.warns(UserWarning, match="gravity"):
        assert len(read_body(folder, 0, fps=30).frames) == 3
    with pytest.raises(ValueError, match="no track 1; wanted one of 3"):
        read_body(folder, 1, fps=30)
    with pytest.raises(ValueError, match="no track 1; wanted one of 3"):
        read_body(folder / "hps/hps_track_3.npy", 1, fps=30)


def test_a_shape_that_varies_is_told(save):
    world, camera = person(15)
    found = wham(world, camera, world.translation)
    found[0]["betas"] = np.linspace(-2, 2, TIME)[:, None] * np.ones(10)
    with pytest.warns(UserWarning, match="0.betas varies by 1.3 units from frame to frame; taken: the mean"):
        read_body(save(joblib_stream(found)), fps=30)


# --- what is refused

WRITE: dict[str, Callable[[Any], bytes]] = {
    "gvhmr": torch_zip, "wham": joblib_stream, "phalp": joblib_zlib, "tram": npy_of_object,
    "cameras": npy_of_object,
}  # fmt: skip


def good(program: str) -> Any:
    world, camera = person(20)
    return {
        "gvhmr": lambda: gvhmr(world, camera),
        "wham": lambda: wham(world, camera, world.translation),
        "phalp": lambda: phalp({1: (camera, list(range(TIME)))}, {}, TIME),
        "tram": lambda: tram_person(camera, np.arange(TIME)),
        "cameras": lambda: tram_cameras(TIME),
    }[program]()


def read_changed(program: str, value: Any, folder: Path) -> SeenBody:
    """Read a file of this value; TRAM's stands in its folder."""
    if program in ("tram", "cameras"):
        person_, cameras = (value, good("cameras")) if program == "tram" else (good("tram"), value)
        path = tram_folder(folder / "clip", {0: person_}, cameras)
    else:
        path = folder / "result.bin"
        path.write_bytes(WRITE[program](value))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gravity")
        return read_body(path, fps=30)


def holder(program: str, value: Any, key: str) -> tuple[dict[str, Any], str]:
    """The dict that holds a key: ``a.b`` lies in another, PHALP's in each frame."""
    if program == "wham":
        value = value[0]
    if program == "phalp":
        value = value["img/000002.jpg"]
    while "." in key:
        first, key = key.split(".", 1)
        value = value[first]
        value = value[0] if isinstance(value, list) else value
    return value, key


KEYS = {
    "gvhmr": [
        "smpl_params_incam", "K_fullimg", "smpl_params_global.betas", "smpl_params_global.body_pose",
        "smpl_params_incam.global_orient", "smpl_params_incam.transl",
    ],
    "wham": ["pose_world", "trans_world", "pose", "trans", "betas", "frame_ids"],
    "tram": ["pred_shape", "pred_trans", "frame"],
    "cameras": ["pred_cam_R", "pred_cam_T", "img_focal", "img_center"],
    "phalp": [
        "time", "tid", "tracked_time", "camera", "size", "smpl.body_pose", "smpl.betas", "smpl.global_orient",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("program", "key"), [(p, key) for p, keys in KEYS.items() for key in keys])
def test_a_missing_key_is_named(tmp_path, program, key):
    value = good(program)
    inside, last = holder(program, value, key)
    del inside[last]
    with pytest.raises(ValueError, match=rf": no (pred_rotmat, )?{last}; wanted .*found"):
        read_changed(program, value, tmp_path)


def spoilt(array: np.ndarray, how: str) -> np.ndarray:
    array = np.array(array, dtype=array.dtype)
    if how == "nan":
        array.flat[array.size // 2] = np.nan
    elif how == "shear":
        array[..., 0, :] *= 1.1
    elif how == "mirror":
        array[..., 0] *= -1
    else:
        array = array[:-1] if array.ndim else array[None]
    return array


SPOILT = [
    ("gvhmr", "smpl_params_global.global_orient", "nan", "global_orient is not finite"),
    ("gvhmr", "smpl_params_incam.transl", "nan", "transl is not finite"),
    ("gvhmr", "smpl_params_global.transl", "short", r"transl is \(7, 3\); wanted \(8, 3\)"),
    ("gvhmr", "smpl_params_global.body_pose", "short", r"K_fullimg is \(8, 3, 3\); wanted \(7, 3, 3\)"),
    ("gvhmr", "K_fullimg", "nan", "K_fullimg is not finite"),
    ("wham", "pose_world", "nan", "pose_world is not finite at"),
    ("wham", "pose", "short", r"pose is \(7, 72\); wanted \(8, any\)"),
    ("wham", "frame_ids", "short", r"wanted \(7, any\)"),
    ("wham", "betas", "nan", "betas is not finite"),
    ("tram", "pred_rotmat", "nan", "pred_rotmat is not finite"),
    ("tram", "pred_rotmat", "shear", r"pred_rotmat at \[\d, \d+\] is not a rotation"),
    ("tram", "pred_rotmat", "mirror", "is not a rotation; wanted orthonormal columns and determinant"),
    ("tram", "pred_trans", "short", r"pred_trans is \(7, 1, 3\); wanted \(8, 1, 3\)"),
    ("cameras", "pred_cam_R", "shear", "pred_cam_R at .* is not a rotation"),
    ("cameras", "pred_cam_R", "short", "7 cameras; hps_track_0.npy has frame 7"),
    ("cameras", "img_center", "short", r"img_center is \(1,\); wanted \(2\)"),
    ("phalp", "smpl.global_orient", "shear", "smpl.global_orient at .* is not a rotation"),
    ("phalp", "smpl.body_pose", "nan", "smpl.body_pose is not finite"),
    ("phalp", "smpl.body_pose", "short", "smpl.body_pose: all input arrays must have the same shape"),
    ("phalp", "camera", "short", "lists of several lengths"),
]


@pytest.mark.parametrize(("program", "key", "how", "message"), SPOILT)
def test_values_that_cannot_be_are_refused(tmp_path, program, key, how, message):
    value = good(program)
    inside, last = holder(program, value, key)
    was = inside[last]
    if isinstance(was, list):
        inside[last] = was[:-1]
    else:
        changed = spoilt(np.asarray(was.array if isinstance(was, Tensor) else was), how)
        inside[last] = Tensor(changed) if isinstance(was, Tensor) else changed
    with pytest.raises(ValueError, match=message):
        read_changed(program, value, tmp_path)


@pytest.mark.parametrize(
    ("program", "key", "new", "message"),
    [
        ("gvhmr", "smpl_params_incam", 3, "smpl_params_incam is a int; wanted a dict"),
        ("gvhmr", "smpl_params_global.betas", ["x"], "betas holds no numbers"),
        ("wham", "frame_ids", np.zeros(0), "is empty; wanted a person in one frame or more"),
        ("wham", "frame_ids", np.arange(TIME)[::-1], "must be whole, from 0 and ascending"),
        ("wham", "frame_ids", np.arange(TIME) + 0.5, "must be whole"),
        ("wham", "pose", "text", "pose holds no numbers"),
        ("tram", "frame", np.zeros(TIME), "must be whole, from 0 and ascending, each once"),
        ("phalp", "tid", 4, "holds no lists; wanted one entry a track"),
        ("phalp", "tid", ["x"], "tid holds no numbers"),
        ("phalp", "time", "x", "time holds no numbers"),
        ("phalp", "smpl", [None], "smpl is a NoneType; wanted a dict"),
    ],
)
def test_values_of_another_kind_are_refused(tmp_path, program, key, new, message):
    value = good(program)
    inside, last = holder(program, value, key)
    inside[last] = new
    with pytest.raises(ValueError, match=message):
        read_changed(program, value, tmp_path)


def test_a_zoom_is_refused(tmp_path):
    found = good("gvhmr")
    found["K_fullimg"].array[-1, 0, 0] *= 2
    with pytest.raises(ValueError, match="K_fullimg changes over the 8 frames; wanted one lens without zoom"):
        read_changed("gvhmr", found, tmp_path)


def test_the_good_files_are_read(tmp_path):
    for program in WRITE:
        assert (
            len(
                read_changed(
                    program, good(program), tmp_path / program if program in ("tram", "cameras") else tmp_path
                ).frames
            )
            == TIME
        )


@pytest.mark.parametrize("program", WRITE)
def test_nothing_in_a_result_runs(tmp_path, program):
    marker = tmp_path / "ran"
    value = good(program) | {"extra": Reduced(os.system, f"touch {marker}")}
    with pytest.raises(ValueError, match="asks for .*system, which is not read because it could run code"):
        read_changed(program, value, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (joblib_stream({"a": 1}), r"no body motion in it \(a dict of a\); wanted a result of GVHMR"),
        (joblib_stream([1, 2]), r"no body motion in it \(a list\)"),
        (joblib_stream({}), r"no body motion in it"),
        (npy_of_object(good("cameras")), r"not camera.npy: pass its folder\): no pred_rotmat"),
        (b"PK\x03\x04", "a damaged file"),
        (b"text", "not a pickle"),
        (joblib_stream(phalp({}, {}, 2)), "nobody is in it"),
    ],
)
def test_files_that_are_none_of_them(save, content, message):
    with pytest.raises(ValueError, match=message):
        read_body(save(content), fps=30)


def test_a_rate_a_folder_a_camera_and_the_right_model_are_wanted(save, tmp_path, models):
    path = save(joblib_stream(good("wham")))
    with pytest.raises(ValueError, match="does not say the video's rate; pass fps"):
        read_body(path)
    with pytest.raises(ValueError, match="fps is 0; wanted 1 to 1,000 frames per second"):
        read_body(path, fps=0)
    with pytest.raises(ValueError, match="is a smplx model; .* holds smpl parameters"):
        read_body(path, fps=30, body_model=models["smplx"])
    with pytest.raises(FileNotFoundError):
        read_body(tmp_path / "none.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no hps/hps_track_0.npy in it; wanted TRAM's"):
        read_body(tmp_path / "empty")
    folder = tram_folder(tmp_path / "clip", {0: good("tram")}, good("cameras"))
    (folder / "camera.npy").unlink()
    with pytest.raises(ValueError, match="no camera.npy at .*clip/camera.npy; TRAM writes one"):
        read_body(folder, fps=30)


def npz(path: Path, **fields: Any) -> Path:
    np.savez(path, **fields)
    return path


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"poses": np.zeros((3, 156)), "betas": np.zeros(16)},
            "no trans; wanted the keys trans, betas, found poses",
        ),
        (
            {"trans": np.zeros((3, 3)), "betas": np.zeros(16)},
            "which has no poses: no root_orient, pose_body",
        ),
        (
            {"poses": np.zeros((3, 60)), "trans": np.zeros((3, 3)), "betas": np.zeros(9)},
            r"poses is \(3, 60\)",
        ),
        ({"poses": np.zeros((0, 72)), "trans": np.zeros((0, 3)), "betas": np.zeros(9)}, "wanted .1 or more"),
        ({"poses": np.zeros((3, 72)), "trans": np.zeros((4, 3)), "betas": np.zeros(9)}, r"trans is \(4, 3\)"),
        ({"poses": np.full((3, 72), np.nan), "trans": np.zeros((3, 3)), "betas": np.zeros(9)}, "not finite"),
        (
            {"poses": np.array([{}], dtype=object), "trans": np.zeros((1, 3)), "betas": np.zeros(9)},
            "pickled Python objects",
        ),
    ],
)
def test_an_npz_that_is_no_motion_is_refused(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        read_body(npz(tmp_path / "a.npz", **fields), fps=30)


def test_an_npz_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    path = npz(
        tmp_path / "a.npz", poses=np.zeros((99, 72)), trans=np.zeros((99, 3)), betas=np.zeros(10), fps=30
    )
    assert len(read_body(path).frames) == 99
    monkeypatch.setattr(guarded_files, "most_unpacked", lambda file_bytes: 99 * 72 * 8)
    with pytest.raises(ValueError, match="unpacks to .* GB from .* bytes; wanted at most"):
        read_body(path)


def test_an_npz_holds_one_person(tmp_path):
    path = moving_body(frames=5).save(tmp_path / "own.npz")
    assert len(read_body(path, track=0).frames) == 5
    with pytest.raises(ValueError, match="no track 3; an npz of motion holds one person"):
        read_body(path, track=3)


def test_the_joints_are_in_smpl_s_order():
    assert JOINT_NAMES["smpl"][:22] == JOINT_NAMES["smplx"][:22] == BODY_JOINTS
