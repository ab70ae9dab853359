"""The synthetic person walks as people do: rigid, upright, left on the left, feet planted."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from lift2to3.demo_clip import DEMO_CLIP, load_demo_clip
from lift2to3.motion import load_arrays
from lift2to3.skeletons import BONES, CANONICAL, FOOT_POINTS, INDEX
from lift2to3.walk import synthetic_walk

STRAIGHT = float("inf")
RIGID = [b for b in BONES if CANONICAL[b[1]] not in ("left_hip", "right_hip", "mid_hip", "mid_shoulder")]


def named(points: np.ndarray, name: str) -> np.ndarray:
    return points[:, INDEX[name]]


@pytest.fixture(scope="module", params=[(1.25, 4.0), (0.7, -3.0), (1.8, STRAIGHT)], ids=str)
def walk(request) -> np.ndarray:
    speed_mps, radius_m = request.param
    return synthetic_walk(4, 60, speed_mps=speed_mps, turn_radius_m=radius_m)


def test_shape_and_rate():
    assert synthetic_walk(2.5, 24).shape == (60, len(CANONICAL), 3)
    twice = synthetic_walk(2.5, 48)
    np.testing.assert_allclose(twice[::2], synthetic_walk(2.5, 24), atol=1e-9)


def test_bones_keep_their_lengths(walk):
    for parent, child in RIGID:
        length = np.linalg.norm(walk[:, child] - walk[:, parent], axis=-1)
        tolerance = 0.02 if "spine" in CANONICAL[child] else 1e-9  # the trunk twists between two frames
        assert np.ptp(length) <= tolerance * length.mean(), CANONICAL[child]


def test_sides_mirror_each_other(walk):
    for name in CANONICAL:
        if name.startswith("left_"):
            other = name.replace("left", "right")
            lengths = [
                np.linalg.norm(named(walk, n) - walk[:, parent], axis=-1).mean()
                for n in (name, other)
                for parent in [dict(map(reversed, BONES))[INDEX[n]]]
            ]
            assert lengths[0] == pytest.approx(lengths[1], rel=1e-2), name


def test_left_is_left_and_the_face_looks_ahead(walk):
    ahead = np.gradient(named(walk, "mid_hip"), axis=0) * [1, 1, 0]
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    left = np.stack([-ahead[:, 1], ahead[:, 0], 0 * ahead[:, 0]], -1)
    for point in ("hip", "shoulder", "ear", "elbow"):
        across = named(walk, f"left_{point}") - named(walk, f"right_{point}")
        assert ((across * left).sum(-1) > 0.1).all(), point
    assert (((named(walk, "nose") - named(walk, "head")) * ahead).sum(-1) > 0.08).all()
    for side in ("left", "right"):
        toes = named(walk, f"{side}_big_toe") - named(walk, f"{side}_heel")
        assert ((toes * ahead).sum(-1) > 0).all()
        knee = named(walk, f"{side}_knee") - 0.5 * (named(walk, f"{side}_hip") + named(walk, f"{side}_ankle"))
        assert ((knee * ahead).sum(-1) > 0).all(), "knees bend forward"


def test_feet_stand_on_the_floor_and_do_not_slide(walk):
    soles = walk[:, FOOT_POINTS]
    assert soles[..., 2].min() > 0
    lowest = soles[..., 2].min(1)
    assert lowest.max() < 0.02, "a foot always carries the body"
    for side in ("left", "right"):
        for point in ("heel", "big_toe"):
            track = named(walk, f"{side}_{point}")
            standing = track[:, 2] < track[:, 2].min() + 0.001
            assert 0.2 < standing.mean() < 0.8
            slid = np.linalg.norm(np.diff(track, axis=0)[standing[1:] & standing[:-1]], axis=-1)
            assert slid.max() < 0.01, (side, point)
        fast = np.linalg.norm(np.diff(named(walk, f"{side}_ankle"), axis=0), axis=-1) * 60 > 2.0
        assert named(walk, f"{side}_big_toe")[1:][fast, 2].min() > 0.015, "the swinging foot clears the floor"


@pytest.mark.parametrize("stature_m", [1.2, 1.73, 1.95])
def test_stature_scales_the_person(stature_m):
    walk = synthetic_walk(3, stature_m=stature_m, speed_mps=1.0)
    assert 0.97 < walk[..., 2].max() / stature_m < 1.0


def test_speed_path_start_and_heading_are_as_asked():
    walk = synthetic_walk(
        8, 30, speed_mps=1.1, turn_radius_m=STRAIGHT, start_xy=(2.0, -1.0), heading_rad=np.pi / 2
    )
    hips = named(walk, "mid_hip")
    np.testing.assert_allclose(hips[0, :2], [2, -1], atol=0.03)
    np.testing.assert_allclose((hips[-1] - hips[0])[:2], [0, 1.1 * (8 - 1 / 30)], atol=0.05)


@pytest.mark.parametrize(("radius_m", "sign"), [(3.0, 1), (-3.0, -1)])
def test_the_path_is_the_asked_circle(radius_m, sign):
    hips = named(synthetic_walk(10, 30, turn_radius_m=radius_m), "mid_hip")
    distance = np.linalg.norm(hips[:, :2] - [0, radius_m], axis=-1)
    assert np.abs(distance - 3.0).max() < 0.04
    turned = np.cross(hips[1] - hips[0], hips[60] - hips[59])[2]
    assert np.sign(turned) == sign


def test_the_motion_is_smooth(walk):
    acceleration = np.linalg.norm(np.diff(walk, 2, axis=0), axis=-1) * 60**2
    assert acceleration[:, INDEX["mid_hip"]].max() < 6
    assert acceleration.max() < 200  # the heel strike at 1.8 m/s


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fps": 0}, "fps: wanted"),
        ({"seconds": 0.01}, "seconds: wanted 0.066"),
        ({"stature_m": 17.3}, "stature_m: wanted 0.8 to 2.3, found 17.3"),
        ({"speed_mps": 5}, "speed_mps: wanted 0.4 to 2.2, found 5"),
        ({"turn_radius_m": 0}, "turn_radius_m: wanted 1.5 to inf, found 0"),
        ({"seconds": float("nan")}, "seconds: wanted"),
    ],
)
def test_bad_walks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic_walk(**arguments)


def test_the_demo_clip_is_what_its_camera_saw_of_its_truth():
    keypoints, camera, truth = load_demo_clip()
    assert keypoints.xy_px.shape == (180, 23, 2) and truth.shape == (180, len(CANONICAL), 3)
    assert camera.centre[2] == pytest.approx(1.6) and camera.dist is not None
    error_px = np.linalg.norm(keypoints.xy_px - camera.project(truth[:, keypoints.skeleton.rows]), axis=-1)
    assert 1 < np.nanmedian(error_px) < 8 and np.nanmax(error_px) < 30
    assert 0.9 < (keypoints.confidence > 0).mean() < 0.99
    assert (keypoints.confidence[120:124] == 0).all()
    distance_m = np.linalg.norm(truth[:, 0] - camera.centre, axis=-1)
    assert distance_m.min() > 3.5 and distance_m.max() < 9


def test_the_demo_clip_is_its_tool_s_output(tmp_path):
    path = tmp_path / "clip.npz"
    tool = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "make_demo_clip.py"))
    tool["main"](tool["Config"](out=path))
    made, shipped = load_arrays(path), load_arrays(DEMO_CLIP)
    assert made.keys() == shipped.keys()
    for name in made:
        np.testing.assert_allclose(made[name], shipped[name], rtol=1e-5, atol=1e-4, err_msg=name)
    assert DEMO_CLIP.stat().st_size < 200_000
