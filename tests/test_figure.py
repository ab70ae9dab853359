"""The summary's numbers on motions with known answers, and the picture of whole and damaged motions."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.figure import Figure

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.motion import Motion
from lift2to3.report import figure
from lift2to3.report.figure import draw_motion
from lift2to3.skeletons import CANONICAL, INDEX, get_skeleton
from lift2to3.summary import path_length, summarise

FPS = 30.0
HEIGHT_M = {
    "head_top": 1.7, "head": 1.55, "nose": 1.6, "neck": 1.45, "shoulder": 1.42, "collar": 1.4,
    "mid_shoulder": 1.42, "eye": 1.62, "ear": 1.6, "elbow": 1.15, "wrist": 0.9, "hand": 0.82,
    "spine1": 1.05, "spine2": 1.15, "spine3": 1.3, "pelvis": 0.95, "hip": 0.9, "mid_hip": 0.9,
    "knee": 0.5, "ankle": 0.08, "heel": 0.02, "foot": 0.02, "big_toe": 0.01, "small_toe": 0.01,
}  # fmt: skip


def standing(time: int = 60, speed: float = 0.0) -> Motion:
    """A stiff person of 1.7 m who slides along +x at ``speed`` m/s, facing +x."""
    side = np.array([("left" in name) - float("right" in name) for name in CANONICAL])
    ahead = np.array([0.15 * ("toe" in name) + 0.1 * (name == "nose") for name in CANONICAL])
    height = [HEIGHT_M[name.removeprefix("left_").removeprefix("right_")] for name in CANONICAL]
    points = np.tile(np.stack([ahead, 0.15 * side, height], -1), (time, 1, 1))
    points[..., 0] += speed * np.arange(time)[:, None] / FPS
    shape = points.shape[:2]
    return Motion(
        points.astype(np.float32), CANONICAL, FPS, np.ones(shape, bool), np.full(shape, 0.02, np.float32)
    )


@pytest.fixture
def camera() -> Camera:
    R = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # 5 m in front of the origin, 1.2 m high, along +y
    return Camera([[900, 0, 640], [0, 900, 360], [0, 0, 1]], R, -R @ [0, -5, 1.2], (1280, 720))


def seen_by(camera: Camera, motion: Motion, skeleton: str = "coco17") -> Keypoints:
    points = motion.joints_world[:, get_skeleton(skeleton).rows]
    return as_keypoints(camera.project(points), None, skeleton, motion.fps)


# --- summary


def test_a_known_motion_in_numbers(camera: Camera) -> None:
    motion = standing(61, speed=1.0)
    summary = summarise(motion, seen_by(camera, motion), camera)
    assert (summary.frames, summary.fps) == (61, 30.0)
    assert summary.seconds == pytest.approx(61 / 30)
    assert summary.path_m == pytest.approx(2.0, abs=1e-5)
    assert summary.pelvis_height_m == pytest.approx((0.95, 0.95))
    assert summary.head_height_m == pytest.approx((1.7, 1.7))  # the top, not the joint
    assert summary.foot_height_m == pytest.approx((0.01, 0.01), abs=1e-6)
    assert summary.contact_fraction == 1
    assert summary.reprojection_px == pytest.approx(0, abs=1e-2)
    assert summary.spread_m == pytest.approx(0.02)
    assert summary.missing_fraction == 0
    assert summary.outside_fraction == 0
    assert summary.warnings == ()


def test_jitter_adds_little_to_the_path() -> None:
    path = np.zeros((300, 3))
    path[:, 0] = np.arange(300) / 60
    noisy = path + 0.02 * np.random.default_rng(0).normal(size=path.shape)
    assert path_length(path, 60.0) == pytest.approx(path[-1, 0])
    assert path_length(noisy, 60.0) == pytest.approx(path[-1, 0], rel=0.1)
    assert np.linalg.norm(np.diff(noisy[:, :2], axis=0), axis=-1).sum() > 2 * path[-1, 0]


def test_a_gap_in_the_path_is_crossed_straight() -> None:
    path = np.zeros((90, 3))
    path[:, 1] = np.arange(90) / 30
    path[40:50] = np.nan
    assert path_length(path, 30.0) == pytest.approx(path[-1, 1], rel=0.02)
    assert np.isnan(path_length(np.full((5, 3), np.nan), 30.0))


def shifted(motion: Motion, offset: list[float]) -> Motion:
    return motion._replace(joints_world=motion.joints_world + np.array(offset, np.float32))


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        ([0, 0, 0.2], "feet float"),
        ([0, 0, -0.2], "feet sink"),
        ([8, 0, 0], "outside the image in 100%"),
        ([0, -20, 0], "outside the image in 100%"),  # behind the camera
        ([0, 0, 3], "camera in metres"),
        ([0.3, 0, 0], "misses the keypoints"),
    ],
)
def test_what_looks_wrong_is_said(camera: Camera, offset: list[float], words: str) -> None:
    motion = standing()
    wrong = summarise(shifted(motion, offset), seen_by(camera, motion), camera)
    assert any(words in warning for warning in wrong.warnings), wrong.warnings


def test_missing_data_is_counted(camera: Camera) -> None:
    motion = standing()
    keypoints = seen_by(camera, motion)
    keypoints.xy_px[:, ::2] = np.nan
    keypoints.confidence[:, ::2] = 0
    motion.valid[:6] = False
    motion.joints_world[:6] = np.nan
    summary = summarise(motion, keypoints, camera)
    assert summary.missing_fraction == pytest.approx(9 / 17)
    assert any("keypoints are missing" in warning for warning in summary.warnings)
    assert any("10% of the frames have no motion" in warning for warning in summary.warnings)
    assert summary.reprojection_px == pytest.approx(0, abs=1e-2)


def test_points_no_format_can_show_do_not_count_as_missing(camera: Camera) -> None:
    motion = standing()
    points = motion.as_skeleton("mediapipe33")
    keypoints = as_keypoints(camera.project(points), None, "mediapipe33", FPS)
    assert summarise(motion, keypoints, camera).missing_fraction == 0


def test_frames_must_match(camera: Camera) -> None:
    motion = standing()
    with pytest.raises(ValueError, match="60 frames of motion but 59"):
        summarise(motion, seen_by(camera, standing(59)), camera)


# --- picture


def read(path: Path) -> np.ndarray:
    return matplotlib.image.imread(path)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
def test_the_picture_shows_both_sides_in_their_colours(
    tmp_path: Path, camera: Camera, size: tuple[int, int]
) -> None:
    camera = Camera([[900, 0, size[0] / 2], [0, 900, size[1] / 2], [0, 0, 1]], camera.R, camera.t, size)
    motion = standing(90, speed=1.0)
    picture = read(draw_motion(motion, seen_by(camera, motion), camera, tmp_path / "motion.png"))
    assert picture.shape == (1100, 1650, 4)
    red, green, blue = np.moveaxis(picture[..., :3], -1, 0)
    assert np.count_nonzero(blue > red + 0.3) > 2000
    assert np.count_nonzero(red > blue + 0.3) > 2000
    assert [file.name for file in tmp_path.iterdir()] == ["motion.png"]
    assert matplotlib.pyplot.get_fignums() == []


def damaged(kind: str) -> Motion:
    motion = standing(40, speed=0.5)
    if kind == "missing joints":
        motion.valid[:, [INDEX["left_knee"], INDEX["head_top"]]] = False
    elif kind == "missing frames":
        motion.valid[:15] = False
        motion.joints_world[20:25] = np.nan
    elif kind == "one frame":
        motion.valid[1:] = False
    elif kind == "still":
        motion.joints_world[:] = motion.joints_world[0]
    elif kind == "behind the camera":
        motion = shifted(motion, [0, -20, 0])
    elif kind == "far":
        motion = shifted(motion, [500, 900, 0])
    else:
        motion = shifted(motion, [0, -5, 0])  # right under the camera
    return motion


@pytest.mark.parametrize(
    "kind",
    [
        "missing joints",
        "missing frames",
        "one frame",
        "still",
        "behind the camera",
        "far",
        "under the camera",
    ],
)
def test_a_damaged_motion_is_drawn_without_a_warning(
    tmp_path: Path,
    camera: Camera,
    kind: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figure, "_DPI", 20)
    keypoints = seen_by(camera, standing(40))
    draw_motion(damaged(kind), keypoints, camera, tmp_path / "motion.png")
    assert caplog.records == []  # matplotlib logs what it cannot fit


def test_nothing_to_draw_is_an_error(tmp_path: Path, camera: Camera) -> None:
    motion = standing()
    motion.valid[:] = False
    with pytest.raises(ValueError, match="no frame of the motion"):
        draw_motion(motion, seen_by(camera, standing()), camera, tmp_path / "motion.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extent", [(0.1, 3.0), (30.0, 1.0), (1e-3, 1e-3)])
def test_a_metre_is_the_same_both_ways(extent: tuple[float, float]) -> None:
    axes = Figure(figsize=(7, 4)).add_subplot()
    corners = np.array([[0.0, 0.0], extent]) + 5.0
    figure._fit(axes, corners, low=(np.inf, np.inf), high=(-np.inf, -np.inf))
    box = axes.get_window_extent()
    pixels_per_metre = box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim())
    assert pixels_per_metre[0] == pytest.approx(pixels_per_metre[1], rel=1e-6)
    assert (np.array([axes.get_xlim(), axes.get_ylim()])[:, 0] < corners[0]).all()
    assert (np.array([axes.get_xlim(), axes.get_ylim()])[:, 1] > corners[1]).all()


def test_perspective_keeps_up_and_makes_far_things_small() -> None:
    flatten = figure._perspective(np.array([1.0, 2.0, 0.8]), np.array([0.0, -4.0, 1.0]), 3.0)
    np.testing.assert_allclose(flatten(np.array([1.0, 2.0, 0.8])), 0, atol=1e-12)
    feet = np.array([[1.0, -1.0, 0.0], [1.0, 5.0, 0.0]])  # near and far from the camera's side
    heads = feet + [0, 0, 1.7]
    tall = (flatten(heads) - flatten(feet))[:, 1]
    assert tall[0] > tall[1] > 0
