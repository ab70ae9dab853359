"""What is wrong with a set-up is named by its cause, and what is right is left alone."""

from __future__ import annotations

import dataclasses
import json
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.formats.cameras.read import read_camera
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.geometry.cameras import Camera, look_at
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.observations import observe
from lift2to3.pipeline.check_setup import check_setup
from lift2to3.pipeline.findings import Finding, setup_findings
from lift2to3.resample import nearest_rotations
from lift2to3.skeletons import get_skeleton
from lift2to3.walk import synthetic_walk

SIZE = (1920, 1080)
K = np.array([[1400.0, 0, 960], [0, 1400, 540], [0, 0, 1]])
PLACES = {
    "front": ((0.0, -6.0, 1.6), (0.0, 0.0, 0.9)),
    "high": ((5.0, -6.0, 3.2), (0.0, 0.0, 0.8)),
    "low": ((-5.0, 2.0, 0.9), (0.0, 0.0, 0.8)),
    "behind": ((-4.5, 5.0, 2.2), (0.0, 0.0, 1.0)),
}
FORMATS = ("halpe26", "coco17", "body25")


def camera(place: str = "front", K: np.ndarray = K, size: tuple[int, int] = SIZE, **fields: object) -> Camera:
    centre, target = (jnp.asarray(point) for point in PLACES[place])
    R = nearest_rotations(np.asarray(look_at(centre, target).cam_from_world, float))
    return Camera(K, R, -R @ np.asarray(PLACES[place][0]), size, **fields)  # type: ignore[arg-type]


def walk(**person: float) -> np.ndarray:
    return synthetic_walk(**{"seconds": 3.0, "start_xy": (-1.8, 0.0)} | person)  # type: ignore[arg-type]


def film(points: np.ndarray, camera: Camera, skeleton: str = "halpe26") -> Keypoints:
    rows = get_skeleton(skeleton).rows
    pixels = np.where((rows >= 0)[:, None], camera.project(points)[:, rows], np.nan)
    return as_keypoints(pixels, skeleton=skeleton, fps=30)


def found(keypoints: Keypoints, camera: Camera) -> list[Finding]:
    return setup_findings(keypoints, camera, observe(keypoints, camera))


def placed(camera: Camera, R: np.ndarray, t: np.ndarray) -> Camera:
    return dataclasses.replace(camera, R=R, t=t)


Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Rotation of our world into one with y up."""
Mistake = Callable[[Keypoints, Camera], tuple[Keypoints, Camera]]
MISTAKES: dict[str, tuple[Mistake, str, str]] = {
    # what is done to a right set-up, what is found, and what mends it
    "millimetres": (lambda k, c: (k, placed(c, c.R, 1000 * c.t)), "unit", "--unit mm"),
    "centimetres": (lambda k, c: (k, placed(c, c.R, 100 * c.t)), "unit", "--unit cm"),
    "y up": (lambda k, c: (k, placed(c, c.R @ Y_UP.T, c.t)), "up", "--up y"),
    "y down": (lambda k, c: (k, placed(c, c.R @ Y_UP, c.t)), "up", "--up -y"),
    "y up in mm": (lambda k, c: (k, placed(c, c.R @ Y_UP.T, 1000 * c.t)), "unit", "--unit mm --up y"),
    "centre as t": (lambda k, c: (k, placed(c, c.R, c.centre)), "centre", "t = -R @ centre"),
    "R transposed": (lambda k, c: (k, placed(c, c.R.T, c.t)), "transposed", "write R.T"),
    "a pose": (lambda k, c: (k, placed(c, c.R.T, c.centre)), "direction", "--direction camera_to_world"),
    "half the resolution": (
        lambda k, c: (k._replace(xy_px=0.5 * k.xy_px), c),
        "resolution",
        "K of the video's own",
    ),
    "upside down": (
        lambda k, c: (k._replace(xy_px=np.array(SIZE) - 1 - k.xy_px), c),
        "roll",
        "turn R with the picture",
    ),
    "normalised": (lambda k, c: (k._replace(xy_px=k.xy_px / SIZE), c), "normalised", "multiply x"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_its_cause(name: str, place: str) -> None:
    mistake, cause, cure = MISTAKES[name]
    right, skeleton = camera(place), FORMATS[list(PLACES).index(place) % len(FORMATS)]
    wrong = found(*mistake(film(walk(), right, skeleton), right))
    assert wrong and wrong[0].name == cause, wrong
    assert cure in wrong[0].cure
    assert len(wrong) == 1, "one cause, not five warnings"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("skeleton", "stature_m"), list(zip(FORMATS, (1.5, 1.73, 1.9), strict=True)))
def test_what_is_right_is_left_alone(place: str, skeleton: str, stature_m: float) -> None:
    right = camera(place)
    assert found(film(walk(stature_m=stature_m), right, skeleton), right) == []


def test_the_real_capture_is_left_alone(shared_data: Path) -> None:
    capture = np.load(shared_data / "real_capture" / "balancing.npz")
    for i in range(4):
        seen = Camera(*(capture[key][i] for key in ("K", "R", "t", "size", "dist")))
        detections = capture["kpts_associated"][i, :, 0]
        keypoints = as_keypoints(detections[..., :2], detections[..., 2].clip(0, 1), "body25b", 60.0)
        assert found(keypoints, seen) == []


@pytest.mark.parametrize("turned", ["roll90", "roll180"])
def test_a_turned_picture_with_a_turned_calibration_is_right(cases: Path, turned: str) -> None:
    assert (
        found(read_keypoints(cases / f"{turned}_kp.json"), read_camera(cases / f"camera_{turned}.json")) == []
    )


def test_a_few_wild_keypoints_are_no_wrong_calibration(cases: Path) -> None:
    right = read_camera(cases / "camera.json")
    for name in ("wrist_600px_conf005.json", "desk_low_confidence.json"):
        assert found(read_keypoints(cases / name), right) == []
    keypoints = film(walk(), right)
    keypoints.xy_px[20:50, 10] += 600.0
    assert found(keypoints, right) == []


# --- the picture


@pytest.mark.parametrize("times", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("skeleton", FORMATS)
def test_keypoints_of_a_larger_picture(times: float, skeleton: str) -> None:
    right = camera()
    small = dataclasses.replace(
        right, K=np.diag([1 / times, 1 / times, 1]) @ K, size=[round(side / times) for side in SIZE]
    )
    wrong = found(film(walk(speed_mps=1.6, start_xy=(-2.4, 0.0)), right, skeleton), small)
    assert wrong[0].name == "resolution"
    assert "K" in wrong[0].text and "resolution" in wrong[0].text


PORTRAIT_K = np.array([[1400.0, 0, 540], [0, 1400, 960], [0, 0, 1]])


def test_a_portrait_video_with_a_landscape_calibration() -> None:
    portrait = camera(K=PORTRAIT_K, size=(1080, 1920))
    keypoints = film(walk(start_xy=(-0.6, 0.0)), portrait)
    for size in (SIZE, (1080, 1920)):
        wrong = found(keypoints, camera(size=size))
        assert wrong[0].name == "portrait" and wrong[0].severe
        assert "turned by 90° against its calibration of 1920×1080" in wrong[0].text


@pytest.mark.parametrize("place", PLACES)
def test_size_as_height_and_width(place: str) -> None:
    right = camera(place)
    wrong = found(film(walk(), right), camera(place, size=(1080, 1920)))
    assert wrong[0].name == "size"
    assert "wanted size as (width, height): [1920, 1080]" in wrong[0].text


def test_a_principal_point_far_from_the_middle() -> None:
    cropped = camera(K=np.array([[1400.0, 0, 500], [0, 1400, 540], [0, 0, 1]]))
    [warned] = found(film(walk(), cropped), cropped)
    assert warned.name == "principal_point" and not warned.severe
    assert "(500, 540) lies far from the middle" in warned.text


@pytest.mark.parametrize(
    ("dist", "fisheye"),
    [([-0.35, 0.1, 1e-3, 1e-3, -0.02], False), ([-0.5, 0, 0, 0], False), ([-0.3, 0.02, 0, 0], True)],
)
def test_keypoints_beyond_the_lens_are_missing_aloud(dist: list[float], fisheye: bool) -> None:
    wide = np.array([[700.0, 0, 960], [0, 700, 540], [0, 0, 1]])
    folding = camera(K=wide, dist=dist, fisheye=fisheye)
    keypoints = film(walk(), folding)
    keypoints.xy_px[10:20, 10] = (1900.0, 1000.0)
    wrong = [finding for finding in found(keypoints, folding) if finding.name == "lens_range"]
    assert len(wrong) == 1 and "count as missing" in wrong[0].text
    observed = observe(keypoints, folding)
    lost = get_skeleton("halpe26").rows[10]
    assert (observed.confidence[10:20, lost] == 0).all() and (observed.confidence[20:, lost] > 0).all()


# --- the floor and the person


@pytest.mark.parametrize("stature_m", [0.8, 1.0, 1.15])
@pytest.mark.parametrize("place", PLACES)
def test_a_child_is_told_its_stature(place: str, stature_m: float) -> None:
    right = camera(place)
    wrong = found(film(walk(stature_m=stature_m), right), right)
    assert len(wrong) == 1 and not wrong[0].severe
    told = float(wrong[0].text.split("--stature ")[1].split(")")[0])
    assert told == pytest.approx(stature_m, rel=0.12)


@pytest.mark.parametrize("share", [0.75, 1.25])
@pytest.mark.parametrize("place", PLACES)
def test_a_floor_at_another_height_is_told(place: str, share: float) -> None:
    right = camera(place)
    height = right.centre[2]
    wrong_floor = placed(right, right.R, right.t + right.R[:, 2] * height * (1 - share))
    assert wrong_floor.centre[2] == pytest.approx(share * height)
    wrong = found(film(walk(stature_m=1.7), right), wrong_floor)
    assert [finding.name for finding in wrong] == ["scale"]
    told = float(wrong[0].text.split("--floor ")[1].split(")")[0])
    assert told == pytest.approx((share - 1) * height, abs=0.15 * height)


# --- refused, or warned


def test_the_severe_is_refused_and_the_rest_is_said() -> None:
    right = camera()
    keypoints = film(walk(), right)
    metres = placed(right, right.R, 1000 * right.t)
    with pytest.raises(ValueError, match=r"t is in millimetres: --unit mm$"):
        check_setup(keypoints, metres, observe(keypoints, metres))
    child = film(walk(stature_m=1.0), right)
    with pytest.warns(UserWarning, match="--stature"):
        check_setup(child, right, observe(child, right))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_setup(keypoints, right, observe(keypoints, right))


# --- the cases at hand


@pytest.fixture(scope="session")
def cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    with tarfile.open(shared_data / "cases" / "cases.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "cases"


@pytest.mark.parametrize("keypoints", ["base_halpe26.json", "coco17_kp.json"])
@pytest.mark.parametrize(
    ("name", "cause", "cure"),
    [
        ("camera_mm.json", "unit", "--unit mm"),
        ("cams/anipose_mm.toml", "unit", "--unit mm"),
        ("cams/freemocap.toml", "unit", "--unit mm"),
        ("camera_yup.json", "up", "--up y"),
        ("cams/anipose_first_camera_world.toml", "first_camera", "board on the floor"),
        ("cams/size_as_h_w.toml", "size", "[1920, 1080]"),
    ],
)
def test_calibrations_that_people_have(cases: Path, keypoints: str, name: str, cause: str, cure: str) -> None:
    wrong = found(read_keypoints(cases / keypoints), read_camera(cases / name))
    assert [finding.name for finding in wrong] == [cause]
    assert cure in wrong[0].cure


def test_what_is_told_mends_it(cases: Path) -> None:
    keypoints = read_keypoints(cases / "base_halpe26.json")
    assert found(keypoints, read_camera(cases / "camera_mm.json", unit="mm")) == []
    assert found(keypoints, read_camera(cases / "cams/freemocap.toml", unit="mm")) == []
    assert found(keypoints, read_camera(cases / "camera_yup.json", up="y")) == []
    assert (
        found(read_keypoints(cases / "fisheye_kp.json"), read_camera(cases / "cams/fisheye_real.json")) == []
    )
    assert found(read_keypoints(cases / "distcoef_kp.json"), read_camera(cases / "cams/distcoef.json")) == []
    with pytest.raises(ValueError, match="look normalised to 0–1; wanted pixels"):
        read_keypoints(cases / "mediapipe_over_1.json")


def test_cameras_of_all_data_sets_are_in_the_ordinary(shared_data: Path) -> None:
    for entry in json.loads((shared_data / "cameras.json").read_text())[::8]:
        seen = Camera(*(entry[field] for field in ("K", "R", "t", "size", "dist")))
        off = np.abs(seen.K[:2, 2] / seen.size - 0.5).max()
        assert off < 0.04
