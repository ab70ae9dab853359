"""Calibrations of other programs: one known camera, written in each program's layout, comes back."""

from __future__ import annotations

import json
import pickle
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lift2to3.formats.cameras.read import read_camera, read_intrinsics
from lift2to3.geometry.cameras import Camera

K = np.array([[1400.0, 0, 950], [0, 1410, 545], [0, 0, 1]])
DIST = np.array([-0.1, 0.02, 1e-3, -2e-3, 0.003])
FISHEYE = np.array([0.05, 0.01, -0.003, 0.0005])
SIZE = (1920, 1080)
R = cv2.Rodrigues(np.array([1.6, 0.3, -0.2]))[0]
CENTRE = np.array([0.4, -5.0, 1.6])
T = -R @ CENTRE
RVEC = cv2.Rodrigues(R)[0].ravel()
Y_DOWN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Rotation of our world into one whose y points down."""
POINTS = np.random.default_rng(0).normal([0, 0, 0.9], 0.4, (50, 3))

Write = Callable[[Path], Path | str]
WRITERS: dict[str, Write] = {}


def writes(function: Write) -> Write:
    WRITERS[function.__name__] = function
    return function


def saved(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def as_json(path: Path, table: Any) -> Path:
    return saved(path, json.dumps(table, default=np.ndarray.tolist))


def own(**change: Any) -> dict[str, Any]:
    table = {"K": K, "R": R, "t": T, "size": SIZE, "dist": DIST, "direction": "world_to_camera"}
    return {key: value for key, value in (table | change).items() if value is not None}


def turned(up: str) -> dict[str, Any]:
    """R of the same camera in a world of another up axis: t stays."""
    rows = np.zeros((3, 3))
    rows[2, "xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    rows[0, 0 if up[-1] != "x" else 1] = 1.0
    rows[1] = np.cross(rows[2], rows[0])
    return {"R": R @ rows}


TOML = """
[{section}]
name = "{name}"
size = [1920.0, 1080.0]
matrix = {K}
distortions = {dist}
rotation = {rotation}
translation = {t}
"""


def toml(
    section: str = "cam_01", name: str = "left", scale: float = 1.0, rotation: Any = RVEC, t: Any = T
) -> str:
    return TOML.format(
        section=section,
        name=name,
        K=K.tolist(),
        dist=DIST.tolist(),
        rotation=np.asarray(rotation).tolist(),
        t=(scale * t).tolist(),
    )


OTHER = {"rotation": [0.1, 0.2, 0.3], "t": np.array([1.0, 2, 3])}


@writes
def ours(folder: Path) -> Path:
    return as_json(folder / "camera.json", own())


@writes
def ours_with_a_byte_order_mark(folder: Path) -> Path:
    path = as_json(folder / "camera.json", own())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return path


@writes
def ours_in_utf_16(folder: Path) -> Path:
    path = as_json(folder / "camera.json", own())
    path.write_bytes(path.read_text().encode("utf-16"))
    return path


@writes
def ours_in_a_list(folder: Path) -> str:
    return f"{as_json(folder / 'cameras.json', [own(t=[0, 0, 4]), own()])}:1"


@writes
def ours_by_name(folder: Path) -> str:
    return f"{as_json(folder / 'cameras.json', {'left': own(t=[0, 0, 4]), 'right hand': own()})}:right hand"


@writes
def ours_y_up_in_centimetres(folder: Path) -> Path:
    return as_json(folder / "camera.json", own(**turned("y"), t=100 * T, unit="cm", up="y"))


@writes
def a_pose_in_millimetres_x_up(folder: Path) -> Path:
    R_file = turned("x")["R"]
    pose = {"R": R_file.T, "t": 1000 * (-R_file.T @ T), "direction": "camera_to_world"}
    return as_json(folder / "camera.json", own(**pose, units="mm", up_axis="X"))


@writes
def opencv_s_words_in_json(folder: Path) -> Path:
    table = {
        "camera_matrix": K,
        "dist_coeffs": DIST,
        "rvec": RVEC[:, None],
        "tvec": T[:, None],
        "image_size": SIZE,
    }
    return as_json(folder / "camera.json", table)


@writes
def a_matrix_of_world_to_camera(folder: Path) -> Path:
    table = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "width": 1920, "height": 1080}
    pose = np.block([[R, T[:, None]], [np.zeros((1, 3)), 1]])
    return as_json(folder / "camera.json", table | {"distortion": DIST, "w2c": pose})


@writes
def a_matrix_of_camera_to_world(folder: Path) -> Path:
    pose = np.concatenate([R.T, CENTRE[:, None]], 1)
    return as_json(folder / "camera.json", {"K": K, "size": SIZE, "distCoef": DIST, "c2w": pose})


@writes
def flat_matrices(folder: Path) -> Path:
    return as_json(folder / "camera.json", own(K=K.ravel(), R=R.ravel(), size="1920x1080"))


@writes
def pose2sim(folder: Path) -> Path:
    return saved(folder / "Calib.toml", toml() + "fisheye = false\n[metadata]\nadjusted = false\n")


@writes
def pose2sim_by_section(folder: Path) -> str:
    return f"{saved(folder / 'Calib.toml', toml('cam_01', 'A', **OTHER) + toml('cam_02', 'B'))}:cam_02"


@writes
def pose2sim_by_name(folder: Path) -> str:
    text = toml("cam_01", "A", **OTHER) + toml("cam_02", "Camera_000_synchronized")
    return f"{saved(folder / 'Calib.toml', text)}:Camera_000_synchronized"


@writes
def toml_with_a_byte_order_mark_and_another_ending(folder: Path) -> Path:
    path = folder / "calibration.txt"
    path.write_bytes(b"\xef\xbb\xbf" + toml().replace("\n", "\r\n").encode())
    return path


@writes
def caliscope(folder: Path) -> Path:
    return saved(
        folder / "config.toml", toml() + "port = 3\nrotation_count = 0\nexposure = -4\ngrid_count = 20\n"
    )


MATRIX = "!!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: d\n   data: [ {data} ]\n"


def matrix(values: np.ndarray) -> str:
    values = np.atleast_2d(values)
    numbers = ",\n       ".join(f"{v:.17g}" for v in values.ravel())
    return MATRIX.format(rows=values.shape[0], cols=values.shape[1], data=numbers)


@writes
def opencv_yml(folder: Path) -> Path:
    text = (
        '%YAML:1.0\n---\ncalibration_time: "Fri 08 Nov 2024 10:12:13"\nnframes: 20\nimage_width: 1920\n'
        f"image_height: 1080\nboard_width: 9\nflags: 0\nfisheye_model: 0\ncamera_matrix: {matrix(K)}"
        f"distortion_coefficients: {matrix(DIST[:, None])}"
        f"rvec: {matrix(RVEC[:, None])}tvec: {matrix(T[:, None])}"
    )
    return saved(folder / "camera.yml", text)


def storage(path: Path) -> Path:
    """As OpenCV itself writes it, by the ending."""
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for key, value in {"camera_matrix": K, "distortion_coefficients": DIST, "R": R, "T": T[:, None]}.items():
        file.write(key, value)
    file.write("image_width", 1920)
    file.write("image_height", 1080)
    file.release()
    return path


@writes
def opencv_s_own_yml(folder: Path) -> Path:
    return storage(folder / "camera.yml")


@writes
def opencv_s_own_xml(folder: Path) -> Path:
    return storage(folder / "camera.xml")


@writes
def opencv_s_own_json(folder: Path) -> Path:
    return storage(folder / "camera.json")


def easymocap_files(folder: Path, sizes: bool = True, lens: str = "dist") -> Path:
    folder.mkdir(exist_ok=True)
    inner = cv2.FileStorage(str(folder / "intri.yml"), cv2.FILE_STORAGE_WRITE)
    outer = cv2.FileStorage(str(folder / "extri.yml"), cv2.FILE_STORAGE_WRITE)
    for file in (inner, outer):
        file.startWriteStruct("names", cv2.FileNode_SEQ)
        for name in ("1", "07"):
            file.write("", name)
        file.endWriteStruct()
    for name, place in (("1", np.array([1.0, 2, 3])), ("07", T)):
        inner.write(f"K_{name}", K)
        inner.write(f"{lens}_{name}", DIST[None])
        if sizes:
            inner.write(f"H_{name}", 1080)
            inner.write(f"W_{name}", 1920)
        outer.write(f"R_{name}", RVEC[:, None])
        outer.write(f"Rot_{name}", R)
        outer.write(f"T_{name}", place[:, None])
    inner.release()
    outer.release()
    return folder


@writes
def easymocap_intri(folder: Path) -> str:
    return f"{easymocap_files(folder / 'a')}/intri.yml:07"


@writes
def easymocap_extri(folder: Path) -> str:
    return f"{easymocap_files(folder / 'a', lens='D')}/extri.yml:07"


@writes
def easymocap_folder(folder: Path) -> str:
    return f"{easymocap_files(folder / 'a')}:07"


def qualisys_text(model: str = "Miqus Video", turned: int = 0) -> str:
    rows = np.diag([1.0, -1, -1]) @ R
    centre = 1000 * CENTRE
    transform = " ".join(f'r{i + 1}{j + 1}="{rows[i, j]:.17g}"' for i in range(3) for j in range(3))
    k, d = 64 * K, 64 * DIST
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<calibration created="2024-02-01" qtm-version="2024.1" source="a.qca" type="regular">
  <results std-dev="0.5" min-max-diff="1.0"/>
  <cameras>
    <camera serial="11111" model="Arqus"><fov_marker left="0" top="0" right="1" bottom="1"/></camera>
    <camera active="1" avg-residual="0.4" serial="26578" model="{model}" viewrotation="{turned}">
      <fov_marker left="0" top="0" right="1919" bottom="1079"/>
      <fov_video left="0" top="0" right="1919" bottom="1079"/>
      <transform x="{centre[0]:.17g}" y="{centre[1]:.17g}" z="{centre[2]:.17g}" {transform}/>
      <intrinsic focallength="9.0" focalLengthU="{k[0, 0]}" focalLengthV="{k[1, 1]}" centerPointU="{k[0, 2]}"
        centerPointV="{k[1, 2]}" skew="0.0" radialDistortion1="{d[0]:.17g}" radialDistortion2="{d[1]:.17g}"
        tangentalDistortion1="{d[2]:.17g}" tangentalDistortion2="{d[3]:.17g}"
        radialDistortion3="{d[4]:.17g}"/>
    </camera>
  </cameras>
</calibration>"""


@writes
def qualisys_xml(folder: Path) -> str:
    return f"{saved(folder / 'calibration.xml', qualisys_text())}:26578"


@writes
def qualisys_txt(folder: Path) -> Path:
    return saved(folder / "calibration.qca.txt", qualisys_text())


def opencap_table() -> dict[str, Any]:
    board = R @ Y_DOWN.T
    return {
        "distortion": DIST[None], "intrinsicMat": K, "imageSize": np.array([[1080.0], [1920.0]]),
        "rotation": board,
        "translation": 1000 * T[:, None], "rotation_EulerAngles": cv2.Rodrigues(board)[0],
    }  # fmt: skip


@writes
def opencap_pickle(folder: Path) -> Path:
    (folder / "cameraIntrinsicsExtrinsics.pickle").write_bytes(pickle.dumps(opencap_table(), protocol=4))
    return folder / "cameraIntrinsicsExtrinsics.pickle"


@writes
def opencap_json(folder: Path) -> Path:
    return as_json(folder / "camera.json", opencap_table())


@writes
def panoptic(folder: Path) -> str:
    camera = {"type": "hd", "resolution": SIZE, "panel": 0, "node": 15, "K": K, "distCoef": DIST}
    place = {"R": R @ Y_DOWN.T, "t": 100 * T[:, None]}
    table = {
        "calibDataSource": "160224_calib_norm",
        "cameras": [camera | place | {"name": "00_14", "t": [[1], [2], [3]]}],
    }
    table["cameras"].append(camera | place | {"name": "00_15"})
    return f"{as_json(folder / 'calibration.json', table)}:00_15"


def colmap(folder: Path, model: str, values: list[float], binary: bool) -> str:
    w = np.sqrt(max(0.0, 1 + np.trace(R))) / 2
    q = [w, *(np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]]) / (4 * w))]
    models = [
        "SIMPLE_PINHOLE",
        "PINHOLE",
        "SIMPLE_RADIAL",
        "RADIAL",
        "OPENCV",
        "OPENCV_FISHEYE",
        "FULL_OPENCV",
        "FOV",
    ]
    name = "cam a/frame 0001.jpg"
    if binary:
        head = struct.pack("<Q", 1) + struct.pack("<iiQQ", 7, models.index(model), *SIZE)
        (folder / "cameras.bin").write_bytes(head + struct.pack(f"<{len(values)}d", *values))
        images = struct.pack("<Q", 2)
        for label, place in (("other.jpg", [1.0, 2, 3]), (name, T)):
            images += struct.pack("<i7di", 1, *q, *place, 7) + label.encode() + b"\0"
            images += struct.pack("<Q", 2) + struct.pack("<ddqddq", 1.0, 2.0, -1, 3.0, 4.0, 5)
        (folder / "images.bin").write_bytes(images)
    else:
        numbers = " ".join(map(repr, map(float, values)))
        saved(folder / "cameras.txt", f"# Camera list\n#   CAMERA_ID, MODEL\n7 {model} 1920 1080 {numbers}\n")
        rows = [(1, q, [1.0, 2, 3], "other.jpg"), (2, q, T, name)]
        lines = [
            f"{i} {' '.join(map(repr, map(float, [*a, *b])))} 7 {c}\n1.0 2.0 -1\n" for i, a, b, c in rows
        ]
        saved(folder / "images.txt", "# Image list\n" + "".join(lines))
    return f"{folder}:{name}"


def colmap_values(dist: np.ndarray) -> list[float]:
    return [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *dist]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.filterwarnings("ignore:.*OpenCap's world")
def test_the_camera_comes_back(tmp_path: Path, write: Write) -> None:
    read = read_camera(write(tmp_path))
    true = Camera(K, R, T, SIZE, DIST)
    np.testing.assert_allclose(read.centre, CENTRE, atol=1e-6)
    np.testing.assert_allclose(read.project(POINTS), true.project(POINTS), atol=1e-3)
    assert read.size == SIZE


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("model", ["OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV", "PINHOLE"])
def test_colmap_models(tmp_path: Path, binary: bool, model: str) -> None:
    dist = {"OPENCV": DIST[:4], "OPENCV_FISHEYE": FISHEYE, "FULL_OPENCV": np.array([*DIST, 0.1, 0.01, 1e-3])}
    lens = dist.get(model, np.zeros(0))
    path = colmap(tmp_path, model, colmap_values(lens), binary)
    read = read_camera(path)
    true = Camera(K, R, T, SIZE, lens, fisheye=model == "OPENCV_FISHEYE")
    np.testing.assert_allclose(read.project(POINTS), true.project(POINTS), atol=1e-6)


@pytest.mark.parametrize("model", ["SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"])
def test_colmap_models_of_one_focal_length(tmp_path: Path, model: str) -> None:
    values = [1400.0, 950.5, 545.5, *DIST[: ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL").index(model)]]
    read = read_camera(colmap(tmp_path, model, values, binary=True))
    true = Camera(
        [[1400, 0, 950], [0, 1400, 545], [0, 0, 1]], R, T, SIZE, np.pad(values[3:], (0, 7 - len(values)))
    )
    np.testing.assert_allclose(read.project(POINTS), true.project(POINTS), atol=1e-6)


def test_human36m(tmp_path: Path, shared_data: Path) -> None:
    entry = json.loads((shared_data / "cameras.json").read_text())[0]
    table = {
        "intrinsics": {entry["cam"]: {"calibration_matrix": entry["K"], "distortion": entry["dist"]}},
        "extrinsics": {
            "S1": {entry["cam"]: {"R": entry["R"], "t": [[1000 * value] for value in entry["t"]]}},
            "S5": {entry["cam"]: {"R": entry["R"], "t": [[1], [2], [3]]}},
        },
    }
    read = read_camera(f"{as_json(tmp_path / 'camera-parameters.json', table)}:S1/{entry['cam']}")
    np.testing.assert_allclose(read.centre, entry["centre"], atol=1e-6)
    assert list(read.size) == entry["size"]


ROS = """image_width: 1920
image_height: 1080
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [1400.0, 0.0, 950.0, 0.0, 1410.0, 545.0, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.1, 2e-2, 0.001, -2.e-03, 0.003]
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [1400, 0, 950, 0, 0, 1410, 545, 0, 0, 0, 1, 0]}
"""
KALIBR = """cam0:
  cam_overlaps: [1]
  camera_model: pinhole
  distortion_coeffs: [0.05, 0.01, -0.003, 0.0005]
  distortion_model: equidistant
  intrinsics: [1400.0, 1410.0, 950.0, 545.0]
  resolution: [1920, 1080]
  rostopic: /cam0/image_raw
"""


def test_a_lens_alone_is_read_as_intrinsics_and_refused_as_a_camera(tmp_path: Path) -> None:
    path = saved(tmp_path / "camera_info.yaml", ROS)
    lens = read_intrinsics(path)
    np.testing.assert_array_equal(lens.K, K)
    np.testing.assert_allclose(lens.dist, DIST)
    assert (lens.size, lens.fisheye) == (SIZE, False)
    with pytest.raises(
        ValueError, match="only the lens .* not where the camera stands; .* lift2to3 calibrate"
    ):
        read_camera(path)
    kalibr = read_intrinsics(saved(tmp_path / "camchain.yaml", KALIBR))
    np.testing.assert_array_equal(kalibr.K, K)
    np.testing.assert_array_equal(kalibr.dist, FISHEYE)
    assert kalibr.fisheye


@pytest.mark.parametrize(
    "change",
    [
        {"fisheye": True}, {"model": "OPENCV_FISHEYE"}, {"distortion_model": "equidistant"},
        {"camera_model": "Kannala-Brandt"}, {"lens_model": "fisheye"}, {"fisheye": "true"},
    ],
)  # fmt: skip
def test_a_fisheye_is_never_read_as_an_ordinary_lens(tmp_path: Path, change: dict[str, Any]) -> None:
    read = read_camera(as_json(tmp_path / "a.json", own(dist=FISHEYE, **change)))
    true = Camera(K, R, T, SIZE, FISHEYE, fisheye=True)
    np.testing.assert_allclose(read.project(POINTS), true.project(POINTS), atol=1e-9)
    again = read_camera(read.save(tmp_path / "b.json"))
    assert again.fisheye


@pytest.mark.parametrize("word", ["omnidirectional", "mei", "double_sphere", "ftheta", "unified"])
def test_lenses_that_nobody_knows_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(ValueError, match=f"distortion_model is '{word}'; wanted OpenCV's ordinary lens"):
        read_camera(as_json(tmp_path / "a.json", own(distortion_model=word)))
    with pytest.raises(ValueError, match="wanted OpenCV's ordinary lens or its fisheye"):
        read_camera(as_json(tmp_path / "a.json", own(model="omni")))
    with pytest.raises(ValueError, match="lens model FOV of other.jpg; wanted one of OpenCV's"):
        read_camera(colmap(tmp_path, "FOV", [*colmap_values(np.zeros(0)), 0.9], binary=True))


@pytest.mark.parametrize(
    "key", ["dist", "distCoef", "distortion", "distortion_coefficients", "dist_coeffs", "D"]
)
def test_the_lens_is_known_under_all_its_names(tmp_path: Path, key: str) -> None:
    table = own(dist=None) | {key: DIST}
    np.testing.assert_array_equal(read_camera(as_json(tmp_path / "a.json", table)).dist, DIST)


def test_unknown_keys_are_named(tmp_path: Path) -> None:
    path = as_json(tmp_path / "a.json", own(dist=None, lens_coefs=DIST, k_1=0.2))
    with pytest.warns(UserWarning, match=r"a\.json: left out what is not known: lens_coefs, k_1"):
        read_camera(path)


@pytest.mark.parametrize(
    ("dist", "read"),
    [
        ([0.1], [0.1, 0, 0, 0]), ([0.1, 0.02], [0.1, 0.02, 0, 0]),
        ([[0.1, 0, 0, 0, 0.3]], [0.1, 0, 0, 0, 0.3]),
        ([0.1, 0, 0, 0, 0, 0], [0.1, 0, 0, 0]), ([0.1, 0.2, 0, 0, 0.3, 0], [0.1, 0.2, 0, 0, 0.3]),
    ],
)  # fmt: skip
def test_coefficients_of_other_lengths_that_mean_the_same(
    tmp_path: Path, dist: Any, read: list[float]
) -> None:
    np.testing.assert_array_equal(read_camera(as_json(tmp_path / "a.json", own(dist=dist))).dist, read)


@pytest.mark.parametrize("dist", [[0.1, 0.2, 0.3], [0.1, 0, 0, 0, 0, 0.2], [0.1, 0, 0, 0, 0, 0, 0.5]])
def test_coefficients_that_nobody_can_place_are_refused(tmp_path: Path, dist: list[float]) -> None:
    with pytest.raises(ValueError, match="dist: wanted 4, 5, 8, 12 or 14"):
        read_camera(as_json(tmp_path / "a.json", own(dist=dist)))


@pytest.mark.parametrize("up", ["x", "y", "z", "-x", "-y", "-z"])
def test_up_and_unit_and_floor_are_changed_where_they_are_told(tmp_path: Path, up: str) -> None:
    path = as_json(tmp_path / "a.json", own(**turned(up), t=1000 * T))
    np.testing.assert_allclose(read_camera(path, unit="mm", up=up).centre, CENTRE, atol=1e-9)
    lower = read_camera(path, unit="mm", up=up, floor=0.4)
    np.testing.assert_allclose(lower.centre, CENTRE - [0, 0, 0.4], atol=1e-9)
    np.testing.assert_allclose(
        lower.project(POINTS - [0, 0, 0.4]), read_camera(path, unit="mm", up=up).project(POINTS)
    )


def test_the_size_is_asked_for_and_given(tmp_path: Path) -> None:
    path = f"{easymocap_files(tmp_path / 'a', sizes=False)}:07"
    with pytest.raises(ValueError, match="camera: no size; wanted .*: --size 1920x1080"):
        read_camera(path)
    assert read_camera(path, size="1920x1080").size == SIZE
    with pytest.raises(ValueError, match="states size 1920x1080, --size 1280x720; wanted one"):
        read_camera(as_json(tmp_path / "a.json", own()), size="1280x720")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yml", "%YAML:1.0\n---\na: 1\n", "no camera in it"),
        ("a.yml", "a: &x [1]\nb: *x\n", "nested 1 deep or with references|nested"),
        ("a.yml", "[" * 5000, "not readable json|nested"),
        ("a.yml", "a: " + "[" * 5000, "nested 5000 deep"),
        ("a.yml", "- " * 3000 + "1", "nested"),
        ("a.yml", "a: !!python/object/apply:os.system [ls]\n", "not readable yaml"),
        ("a.xml", "<a><b></a>", "not readable xml"),
        ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "entities of its own"),
        ("a.xml", "<calibration/>", "no camera in it"),
        ("a.txt", "hello", "no camera in it"),
        ("a", "", "no camera in it"),
        ("a.json", "[" * 100_000, "not readable json"),
        ("a.json", '{"K": {"a": 1}, "R": 1, "t": 1, "size": 5}', "a.json: "),
        ("a.json", '{"K": [[1e999]], "R": [1,2,3], "t": [1,2,3], "size": [5, 5]}', "a.json: "),
        ("cameras.txt", "1 OPENCV 10 10 1 2 3\n", "no images.txt beside"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*left out what is not known", "ignore:no camera direction")
def test_what_is_no_calibration_is_refused_in_words(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_camera(saved(tmp_path / name, text))


@pytest.mark.parametrize("cut", [9, 30, 60, 100])
def test_a_cut_colmap_model_is_refused(tmp_path: Path, cut: int) -> None:
    colmap(tmp_path, "OPENCV", colmap_values(DIST[:4]), binary=True)
    path = tmp_path / "images.bin"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match="damaged COLMAP model|no camera"):
        read_camera(f"{tmp_path}:other.jpg")


def test_a_turned_qualisys_view_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its view is turned by 90°"):
        read_camera(saved(tmp_path / "a.xml", qualisys_text(turned=90)))


def test_a_half_of_easymocap_is_refused(tmp_path: Path) -> None:
    (easymocap_files(tmp_path / "a") / "extri.yml").unlink()
    with pytest.raises(ValueError, match=r"wanted extri\.yml beside it"):
        read_camera(f"{tmp_path / 'a' / 'intri.yml'}:07")


def test_of_many_cameras_a_few_are_listed(tmp_path: Path) -> None:
    path = as_json(tmp_path / "a.json", [own() for _ in range(300)])
    with pytest.raises(ValueError, match=r"300 cameras, 0, 1, .*, 11, …; pick one: a\.json:0$"):
        read_camera(path)


# --- the cases at hand


@pytest.fixture(scope="session")
def cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cases")
    with tarfile.open(shared_data / "cases" / "cases.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    yield folder / "cases" / "cams"


@pytest.mark.parametrize(
    "name",
    [
        "bom.toml", "c_bom.json", "pose2sim.toml", "pose2sim_pick_by_name.toml:Camera_000_synchronized",
        "k_flat.json",
        "r_flat.json", "t_column.json", "size_text.json", "unit_mm.json", "list_of_cameras.json:1",
        "dict_of_cameras (by name).json:cam2",
    ],
)  # fmt: skip
def test_layouts_that_people_have(cases: Path, name: str) -> None:
    read = read_camera(f"{cases / name}")
    np.testing.assert_allclose(read.centre, [0, -6, 1.6], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("distcoef.json", 5), ("distCoef (panoptic).json", 5), ("dist_nested.toml", 5), ("dist_six.toml", 4),
        ("dist_one (anipose k1 only).toml", 4),
    ],
)  # fmt: skip
def test_lenses_that_people_have(cases: Path, name: str, numbers: int) -> None:
    dist = read_camera(cases / name).dist
    assert dist is not None and dist.shape == (numbers,) and dist[0] != 0


@pytest.mark.parametrize(
    "name",
    [
        "fisheye_real.json",
        "fisheye_key.json",
        "model_key.json",
        "distortion_model_key.json",
        "fisheye_true.toml",
        "fisheye_word.toml",
    ],
)
def test_fisheyes_that_people_have(cases: Path, name: str) -> None:
    assert read_camera(cases / name).fisheye
