"""Keypoint and camera files: what is written comes back, what others write is read, errors help."""

from __future__ import annotations

import json
import tarfile
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import lift2to3 as l23
from lift2to3.formats.cameras.read import read_camera, write_camera
from lift2to3.formats.keypoints.found import Detection, Detections
from lift2to3.formats.keypoints.people import one_person
from lift2to3.formats.keypoints.read import read_keypoints, write_keypoints
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.skeletons import Skeleton
from lift2to3.whole_file import whole_file

K = [[900.0, 0.0, 640.0], [0.0, 905.0, 360.0], [0.0, 0.0, 1.0]]


@pytest.fixture
def keypoints() -> Keypoints:
    rng = np.random.default_rng(0)
    xy = rng.uniform(100, 700, (6, 17, 2))
    xy[2, 5], xy[4] = np.nan, np.nan
    return as_keypoints(xy, rng.uniform(0.1, 1, (6, 17)), "coco17", fps=25.0)


@pytest.fixture
def camera() -> Camera:
    R, _ = cv2.Rodrigues(np.array([1.5, 0.4, -0.2]))
    return Camera(K, R, [0.1, 1.2, 4.0], (1280, 720), [-0.1, 0.01, 1e-4, 2e-4, 0.003])


def write_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def same(a: Keypoints, b: Keypoints) -> None:
    np.testing.assert_array_equal(a.xy_px, b.xy_px)
    np.testing.assert_array_equal(a.confidence, b.confidence)
    assert (a.skeleton, a.fps) == (b.skeleton, b.fps)


# --- keypoints: round trips


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_keypoints_come_back_exactly(tmp_path: Path, keypoints: Keypoints, ending: str) -> None:
    same(read_keypoints(write_keypoints(keypoints, tmp_path / f"walk{ending}")), keypoints)
    assert [file.name for file in tmp_path.iterdir()] == [f"walk{ending}"]  # no temporary file stays


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_records_save_themselves(tmp_path: Path, keypoints: Keypoints, camera: Camera, ending: str) -> None:
    same(l23.read_keypoints(keypoints.save(tmp_path / "new" / f"walk{ending}")), keypoints)
    same_camera(l23.read_camera(camera.save(tmp_path / "new" / f"camera{ending}")), camera)
    same(l23.read_keypoints(l23.write_keypoints(keypoints, tmp_path / f"walk{ending}")), keypoints)
    same_camera(l23.read_camera(l23.write_camera(camera, tmp_path / f"camera{ending}")), camera)


def test_keypoints_of_ones_own_format_come_back(tmp_path: Path) -> None:
    mine = Skeleton("mine", ("l_hip", "r_hip", "tail"), ("left_hip", "right_hip", None))
    keypoints = as_keypoints(np.full((3, 3, 2), 50.0), skeleton=mine, fps=50.0)
    path = write_keypoints(keypoints, tmp_path / "a.json")
    same(read_keypoints(path, mine), keypoints)
    with pytest.raises(ValueError, match="a.json: unknown skeleton 'mine'"):
        read_keypoints(path)


def test_arrays_of_every_layout_are_read(tmp_path: Path, keypoints: Keypoints) -> None:
    xy, confidence = keypoints.xy_px, keypoints.confidence
    packed = np.concatenate([xy, confidence[..., None]], -1)
    np.savez(tmp_path / "a.npz", xy=xy, confidence=confidence)
    np.savez(tmp_path / "b.npz", keypoints=packed, fps=25)
    np.savez(tmp_path / "c.npz", xy=xy.astype(np.float64), skeleton="coco17")
    np.save(tmp_path / "d.npy", packed)
    np.save(tmp_path / "e.npy", xy)
    for name in ("a.npz", "b.npz", "d.npy"):
        same(read_keypoints(tmp_path / name, "coco17", 25.0), keypoints)
    for name in ("c.npz", "e.npy"):
        read = read_keypoints(tmp_path / name, "coco17", 25.0)
        np.testing.assert_array_equal(read.xy_px, xy)
        assert set(np.unique(read.confidence)) == {0.0, 1.0}


def test_null_is_a_missing_joint_or_frame(tmp_path: Path) -> None:
    frame = [[10.0 * j, 5.0, 0.9] for j in range(17)]
    hole = [None, [None, None, 0], [30, 40], *frame[3:]]
    path = write_json(
        tmp_path / "a.json", {"fps": 60, "skeleton": "coco17", "keypoints": [frame, None, hole]}
    )
    keypoints = read_keypoints(path)
    assert keypoints.fps == 60
    assert np.isnan(keypoints.xy_px[1]).all()
    assert np.isnan(keypoints.xy_px[2, :2]).all()
    assert keypoints.confidence[2, :4].tolist() == [0, 0, 1, 0.9]


# --- keypoints: skeleton and rate


def test_what_is_not_stated_is_taken_aloud(tmp_path: Path, keypoints: Keypoints) -> None:
    np.save(tmp_path / "a.npy", keypoints.xy_px)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read = read_keypoints(tmp_path / "a.npy")
    assert (read.skeleton.name, read.fps) == ("coco17", 30.0)
    assert [str(w.message).split(":")[0] for w in said] == ["no skeleton stated", "no frame rate stated"]


def test_a_count_that_fits_several_formats_must_be_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((4, 25, 2), 50.0))
    with pytest.raises(ValueError, match="one of: body25, body25b"):
        read_keypoints(tmp_path / "a.npy", fps=30.0)
    np.save(tmp_path / "b.npy", np.full((4, 9, 2), 50.0))
    with pytest.raises(ValueError, match="your own table as json"):
        read_keypoints(tmp_path / "b.npy", fps=30.0)
    with pytest.raises(ValueError, match="b.npy: keypoints have 9 joints"):
        read_keypoints(tmp_path / "b.npy", "coco17", 30.0)


def test_file_and_argument_must_agree(tmp_path: Path, keypoints: Keypoints) -> None:
    path = write_keypoints(keypoints, tmp_path / "a.npz")
    same(read_keypoints(path, "coco17", 25.0), keypoints)
    with pytest.raises(ValueError, match="states 25 frames per second, the argument 30.*--fps"):
        read_keypoints(path, fps=30.0)
    with pytest.raises(ValueError, match="states skeleton 'coco17', the argument 'h36m17'.*--skeleton"):
        read_keypoints(path, "h36m17")


# --- keypoints: other tools' files


def openpose(path: Path, frames: dict[str, list[np.ndarray]]) -> Path:
    path.mkdir()
    for name, people in frames.items():
        table = {"version": 1.3, "people": [{"pose_keypoints_2d": p.ravel().tolist()} for p in people]}
        write_json(path / f"{name}.json", table)
    return path


def body(x: float, confidence: float = 0.8) -> np.ndarray:
    rows = np.arange(25.0)
    return np.stack([x + rows, 100 + 10 * rows, np.full(25, confidence)], -1)


def test_openpose_folder(tmp_path: Path) -> None:
    frames = {f"cam02_{i:012d}_keypoints": [body(100 + i)] for i in (3, 4, 6)}
    frames["cam02_000000000005_keypoints"] = []
    keypoints = read_keypoints(openpose(tmp_path / "json", frames), "body25", 60.0)
    np.testing.assert_array_equal(keypoints.xy_px[:, 0, 0], [103, 104, np.nan, 106])
    assert keypoints.confidence[0, 0] == 1.0  # 0.55 is as good as OpenPose's scores get


def test_openpose_frames_without_a_file_are_missing(tmp_path: Path) -> None:
    folder = openpose(tmp_path / "json", {f"f{i}": [body(i)] for i in (8, 9, 10, 14)})
    keypoints = read_keypoints(folder, "body25", 60.0)
    assert np.isnan(keypoints.xy_px[:, 0, 0]).tolist() == [False] * 3 + [True] * 3 + [False]


def test_two_cameras_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = openpose(tmp_path / "json", {f"cam{c}.{i:04d}": [body(i)] for c in (1, 2) for i in range(3)})
    with pytest.raises(ValueError, match="frame 0 twice .cam1.0000, cam2.0000.; wanted one camera"):
        read_keypoints(folder, "body25", 60.0)


def test_the_continuous_and_confident_person_is_followed() -> None:
    frames = {}
    for i in range(60):
        me, other = body(100 + 3 * i, 0.8), body(600 - 2 * i, 0.6)
        people = [other, me] if i % 2 else [me, other]  # the order means nothing
        if 20 <= i < 25:
            people = [other]  # missed: the other one must not stand in
        if i == 40:
            people.append(body(900, 1.0))  # a flash of something
        frames[i] = people
    with pytest.warns(UserWarning, match="clip: several people in 55 of 60 frames"):
        rows = [Detection(frame, person) for frame, people in frames.items() for person in people]
        track = one_person(Detections(rows, list(frames)), Path("clip")).points
    expected = np.array([np.nan if 20 <= i < 25 else 100 + 3 * i for i in range(60)])
    np.testing.assert_array_equal(track[:, 0, 0], expected)


def test_detection_lists(tmp_path: Path) -> None:
    alphapose = [
        {"image_id": f"{i}.jpg", "category_id": 1, "score": 2.9, "keypoints": body(i)[:17].ravel().tolist()}
        for i in (8, 9, 11)
    ]
    keypoints = read_keypoints(write_json(tmp_path / "a.json", alphapose), "coco17", 30.0)
    np.testing.assert_array_equal(keypoints.xy_px[:, 0, 0], [8, 9, np.nan, 11])
    flags = body(7, 2)[:17]
    flags[3, 2] = 0
    coco = {"annotations": [{"image_id": i, "keypoints": flags.ravel().tolist()} for i in (0, 1)]}
    keypoints = read_keypoints(write_json(tmp_path / "b.json", coco), "coco17", 30.0)
    assert keypoints.confidence[0, :4].tolist() == [1, 1, 1, 0]


def test_mmpose_predictions(tmp_path: Path) -> None:
    person = body(50)[:17]
    instance = {"keypoints": person[:, :2].tolist(), "keypoint_scores": [1.03, *person[1:, 2].tolist()]}
    rows = [{"frame_id": i, "instances": [instance] if i != 2 else []} for i in (1, 2, 3)]
    for content in ({"meta_info": {}, "instance_info": rows}, rows):
        keypoints = read_keypoints(write_json(tmp_path / "a.json", content), "coco17", 30.0)
        assert keypoints.confidence[:, :2].tolist() == [[1, 0.8], [0, 0], [1, 0.8]]


def test_real_openpose_folder_with_passers_by(tmp_path: Path, shared_data: Path) -> None:
    with tarfile.open(shared_data / "real_capture" / "openpose_json.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    truth = np.load(shared_data / "real_capture" / "balancing.npz")["kpts_associated"][:, :, 0]
    for camera in range(4):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*several people.*", UserWarning)
            keypoints = read_keypoints(tmp_path / "pose" / f"cam0{camera + 1}_json", "body25b", 60.0)
        seen = (keypoints.confidence > 0) & np.isfinite(truth[camera, :, :, 0])
        apart = np.linalg.norm(keypoints.xy_px - truth[camera, :, :, :2], axis=-1)
        assert (apart[seen] < 1.0).all()
        assert seen.any(1).mean() > 0.98


# --- keypoints: errors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"joints": []}, "no keypoints in it .found joints."),
        ([], "found a list"),
        ({"people": []}, "one frame of OpenPose; pass the folder"),
        ({"keypoints": []}, "hold no frame"),
        ({"keypoints": [[[1, 2]], [[1, 2], [3, 4]]]}, "frame 1 has 2 joints, the first one 1"),
        ({"keypoints": [[[1, 2, 1]], [[1, "x", 1]]]}, "frame 1, joint 0 is .1, 'x', 1."),
        ({"keypoints": [[[1, 2]]], "fps": "fast"}, "fps is 'fast'; wanted one number"),
        ({"keypoints": [[[1, 2]]], "skeleton": 3}, "skeleton is 3; wanted a format's name"),
        ([{"image_id": 1, "keypoints": [1, 2]}], "not a list of x, y, confidence"),
        ([{"image_id": 1, "keypoints": [0, 0, 0]}], "no person in any of its 1 frames"),
        (
            [{"image_id": 1, "keypoints": [1, 2, 1]}, {"image_id": 9999, "keypoints": [1, 2, 1]}],
            "frame numbers run from 1 to 9999",
        ),
        (
            [{"image_id": i, "keypoints": [1, 2, 1] * (i + 1)} for i in range(2)],
            r"people with \[1, 2\] joints",
        ),
    ],
)
def test_json_errors_say_what_was_found(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.json: .*{message}"):
        read_keypoints(write_json(tmp_path / "a.json", content), "coco17", 30.0)


def test_file_errors_say_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"keypoints": [[')
    (tmp_path / "a.txt").write_text("1 2 3")
    (tmp_path / "empty").mkdir()
    openpose(tmp_path / "not_openpose", {"f1": []})
    write_json(tmp_path / "not_openpose" / "f2.json", {"shapes": []})
    np.savez(tmp_path / "other.npz", poses=np.zeros(3))
    np.savez(tmp_path / "short.npz", xy=np.ones((4, 17, 2)), confidence=np.ones((3, 17)))
    np.savez(tmp_path / "pickled.npz", xy=np.array([{"a": 1}], dtype=object))
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object))
    np.save(tmp_path / "flat.npy", np.zeros((4, 34)))
    for name, message in {
        "broken.json": "not readable json",
        "a.txt": r"\.txt is not a keypoint format",
        "empty": "without .json files",
        "not_openpose": 'f2.json: no "people"',
        "other.npz": "found poses",
        "short.npz": r"confidence \(3, 17\)",
        "pickled.npz": "pickled",
        "pickled.npy": "not a plain .npy",
        "flat.npy": r"keypoints are \(4, 34\)",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_keypoints(tmp_path / name, "coco17", 30.0)
    for name in ("no.npz", "no.npy", "no.json", "no", "no.txt"):
        with pytest.raises(FileNotFoundError):
            read_keypoints(tmp_path / name, "coco17", 30.0)
    with pytest.raises(ValueError, match="written as .npz or .json"):
        write_keypoints(as_keypoints(np.full((2, 17, 2), 9.0)), tmp_path / "a.csv")


# --- cameras


def same_camera(a: Camera, b: Camera, atol: float = 0.0) -> None:
    for field in ("K", "R", "t"):
        np.testing.assert_allclose(getattr(a, field), getattr(b, field), rtol=0, atol=atol)
    assert a.size == b.size
    np.testing.assert_array_equal(a.dist, b.dist)


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("distorted", [True, False])
def test_camera_comes_back_exactly(tmp_path: Path, camera: Camera, ending: str, distorted: bool) -> None:
    camera = camera if distorted else Camera(camera.K, camera.R, camera.t, camera.size)
    path = write_camera(camera, tmp_path / f"camera{ending}")
    same_camera(read_camera(path), camera)
    same_camera(read_camera(path, "world_to_camera"), camera)


def test_a_pose_is_turned_into_extrinsics(tmp_path: Path, camera: Camera) -> None:
    pose = {"K": K, "R": camera.R.T.tolist(), "t": camera.centre.tolist(), "size": [1280, 720]}
    pose["dist"] = camera.dist.tolist()
    stated = write_json(tmp_path / "a.json", {**pose, "direction": "camera_to_world"})
    same_camera(read_camera(stated), camera, atol=1e-12)
    same_camera(read_camera(write_json(tmp_path / "b.json", pose), "camera_to_world"), camera, atol=1e-12)
    with pytest.raises(ValueError, match="states direction camera_to_world, the argument world_to_camera"):
        read_camera(stated, "world_to_camera")


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 3)])
def test_rotation_may_be_a_rodrigues_vector(tmp_path: Path, camera: Camera, shape: tuple[int, ...]) -> None:
    vector, _ = cv2.Rodrigues(camera.R)
    np.savez(
        tmp_path / "a.npz",
        K=K,
        R=vector.reshape(shape),
        t=camera.t.reshape(3, 1),
        size=camera.size,
        dist=camera.dist[None],
        direction="world_to_camera",
    )
    same_camera(read_camera(tmp_path / "a.npz"), camera, atol=1e-12)


def test_an_unstated_direction_is_taken_aloud(tmp_path: Path, camera: Camera) -> None:
    table = {"K": K, "R": camera.R.tolist(), "t": camera.t.tolist(), "size": [1280, 720], "dist": None}
    with pytest.warns(UserWarning, match="no camera direction stated: took world_to_camera"):
        read = read_camera(write_json(tmp_path / "a.json", table))
    np.testing.assert_array_equal(read.t, camera.t)


TOML = """
[cam_01]
size = [1280.0, 720.0]
matrix = [[900.0, 0.0, 640.0], [0.0, 905.0, 360.0], [0.0, 0.0, 1.0]]
distortions = [-0.1, 0.01, 0.0001, 0.0002]
rotation = [1.5, 0.4, -0.2]
translation = [0.1, 1.2, 4.0]
fisheye = false
[metadata]
error = 0.0
"""


def test_toml_calibration(tmp_path: Path, camera: Camera) -> None:
    path = tmp_path / "Calib.toml"
    path.write_text(TOML)
    read = read_camera(path)
    np.testing.assert_allclose(read.R, camera.R, atol=1e-12)
    np.testing.assert_array_equal(read.t, camera.t)
    path.write_text(
        TOML + TOML.replace("cam_01", "cam 02").split("[metadata]")[0].replace("cam 02", '"cam 02"')
    )
    np.testing.assert_array_equal(read_camera(f"{path}:cam 02").K, read_camera(f"{path}:cam_01").K)
    with pytest.raises(ValueError, match="2 cameras, cam_01, cam 02; pick one: Calib.toml:cam_01"):
        read_camera(path)
    with pytest.raises(ValueError, match="no camera 'cam_09'; found cam_01, cam 02"):
        read_camera(f"{path}:cam_09")
    path.write_text(TOML.replace("false", "true"))
    assert read_camera(path).fisheye
    path.write_text(TOML.replace("rotation", "rotations"))
    with pytest.raises(ValueError, match="camera cam_01: no rotation; wanted .*found size, matrix"):
        read_camera(path)
    path.write_text("[metadata]\nerror = 0")
    with pytest.raises(ValueError, match="no camera in it"):
        read_camera(path)


def test_real_calibration_sees_the_real_person(shared_data: Path) -> None:
    capture = np.load(shared_data / "real_capture" / "balancing.npz")
    for number in range(4):
        path = shared_data / "real_capture" / "Calib_qualisys.toml"
        camera = read_camera(f"{path}:cam_0{number + 1}")
        np.testing.assert_allclose(camera.R, capture["R"][number], atol=1e-6)
        np.testing.assert_allclose(camera.t, capture["t"][number], atol=1e-6)
        assert 0.3 < camera.centre[2] < 4  # z is up, the floor below


def test_camera_errors_say_what_was_found(tmp_path: Path, camera: Camera) -> None:
    good = {
        "K": K,
        "R": camera.R.tolist(),
        "t": [0, 1, 4],
        "size": [1280, 720],
        "direction": "world_to_camera",
    }
    for change, message in (
        ({"K": None, "t": None}, "camera: no K, t; wanted the keys K, R, t, size"),
        ({"direction": "w2c"}, "direction is 'w2c'; wanted one of world_to_camera, camera_to_world"),
        ({"R": [[1, 0], [0, 1]]}, r"R is \(2, 2\); wanted a \(3, 3\) matrix or a Rodrigues"),
        ({"R": "identity"}, "R holds something else than numbers"),
        ({"t": [1, 2]}, "camera t"),
        ({"t": [1, 2], "direction": "camera_to_world"}, "camera t"),
        ({"R": (2 * camera.R).tolist()}, "not a rotation"),
        ({"K": [[900, 0, 2000], [0, 900, 360], [0, 0, 1]]}, "principal point"),
        ({"size": [1280]}, "size"),
    ):
        with pytest.raises(ValueError, match=rf"a\.json: .*{message}"):
            read_camera(write_json(tmp_path / "a.json", {**good, **change}))
    for content, message in (("[1, 2]", "a list; wanted one camera"), ("{", "not readable json")):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_camera(tmp_path / "a.json")
    (tmp_path / "a.toml").write_text("[cam")
    (tmp_path / "a.yaml").write_text("a: 1")
    for name, message in (("a.toml", "not readable toml"), ("a.yaml", "no camera in it")):
        with pytest.raises(ValueError, match=message):
            read_camera(tmp_path / name)
    for name in ("no.json", "no.npz", "no.toml", "no"):
        with pytest.raises(FileNotFoundError):
            read_camera(tmp_path / name)
    with pytest.raises(ValueError, match="written as .npz or .json"):
        write_camera(camera, tmp_path / "a.xml")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")
    with pytest.raises(KeyError), whole_file(path) as part:
        part.write_text("half")
        raise KeyError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
