"""MediaPipe's landmarks, and what movement reads: DeepLabCut, SLEAP and LightningPose."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import (
    FPS,
    FRAMES,
    LANDMARKS,
    SIZE,
    WALK,
    csv_text,
    same,
    written,
)

import lift2to3 as l23
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.skeletons import SKELETONS


def mediapipe_frames(share: np.ndarray = LANDMARKS / SIZE) -> list[list[dict[str, float]]]:
    known = np.nan_to_num(share, nan=0.4)
    return [[{"x": x, "y": y, "z": -0.1, "visibility": 0.8} for x, y in frame.tolist()] for frame in known]


@pytest.mark.parametrize(
    "content",
    [
        lambda: mediapipe_frames(),
        lambda: [{"landmarks": frame} for frame in mediapipe_frames()],
        lambda: [
            {"frame": i, "pose_landmarks": [frame], "pose_world_landmarks": [frame]}
            for i, frame in enumerate(mediapipe_frames())
        ],
        lambda: {
            "frames": [{"pose_landmarks": {"landmark": frame}} for frame in mediapipe_frames()],
            "width": 1920,
            "height": 1080,
            "fps": 30,
        },
        lambda: {str(i): frame for i, frame in enumerate(mediapipe_frames())},
        lambda: mediapipe_frames(LANDMARKS),
    ],
)
def test_mediapipe_landmarks(tmp_path: Path, content: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no (skeleton|frame rate) stated")
        found = read_keypoints(written(tmp_path / "a.json", content()), size=SIZE)
    known = np.isfinite(LANDMARKS[0, :, 0])
    np.testing.assert_allclose(found.xy_px[:, known], LANDMARKS[:, known], atol=1e-6)
    assert found.skeleton.name == "mediapipe33" and np.allclose(found.confidence, 0.8)


def test_mediapipe_without_a_size_or_of_the_world_alone_is_refused_in_words(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", mediapipe_frames())
    with pytest.raises(
        ValueError, match="shares of the picture's width and height; wanted its size in pixels"
    ):
        read_keypoints(path, "mediapipe33", FPS)
    world = [{"pose_world_landmarks": frame} for frame in mediapipe_frames(LANDMARKS / 1000 - 0.8)]
    with pytest.raises(ValueError, match="only world landmarks, metres about the hips"):
        read_keypoints(written(tmp_path / "b.json", world), "mediapipe33", FPS, size=SIZE)
    np.save(tmp_path / "c.npy", np.nan_to_num(LANDMARKS / 1000 - LANDMARKS[:, 23:24] / 1000, nan=0.1))
    with pytest.raises(ValueError, match="metres about the hips, such as MediaPipe's world landmarks"):
        read_keypoints(tmp_path / "c.npy", "mediapipe33", FPS)


@pytest.mark.parametrize("last", ["xyz", "xyzv"])
def test_mediapipe_arrays(tmp_path: Path, last: str) -> None:
    known = np.nan_to_num(LANDMARKS, nan=300.0)
    columns = {
        "x": known[..., 0],
        "y": known[..., 1],
        "z": np.full((FRAMES, 33), -0.2),
        "v": np.full((FRAMES, 33), 0.7),
    }
    np.save(tmp_path / "a.npy", np.stack([columns[c] for c in last], axis=-1))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = read_keypoints(tmp_path / "a.npy", "mediapipe33", FPS)
    np.testing.assert_array_equal(found.xy_px, known)
    assert np.unique(found.confidence).tolist() == ([0.7] if last == "xyzv" else [1.0])
    assert [str(w.message) for w in said if "depth" in str(w.message)] == (
        [] if last == "xyzv" else [str(said[0].message)]
    )


@pytest.mark.parametrize("style", ["x{0},y{0},z{0},v{0}", "{1}_x,{1}_y,{1}_z,{1}_visibility", "long"])
def test_mediapipe_csv(tmp_path: Path, style: str) -> None:
    joints = [name.upper() for name in SKELETONS["mediapipe33"].joints]
    frames = [[[p["x"], p["y"], p["z"], p["visibility"]] for p in frame] for frame in mediapipe_frames()]
    if style == "long":
        rows = [[i, j, *point] for i, frame in enumerate(frames) for j, point in enumerate(frame)]
        text = csv_text([["frame", "landmark_id", "x", "y", "z", "visibility"], *rows])
    else:
        head = [
            "frame_number",
            *(c for j, name in enumerate(joints) for c in style.format(j, name).split(",")),
        ]
        text = csv_text([head, *([i, *np.ravel(frame).tolist()] for i, frame in enumerate(frames))])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no skeleton stated")
        found = read_keypoints(written(tmp_path / "a.csv", text), None, FPS, size=SIZE)
    known = np.isfinite(LANDMARKS[0, :, 0])
    np.testing.assert_allclose(found.xy_px[:, known], LANDMARKS[:, known], atol=1e-6)


# --- DeepLabCut, SLEAP, LightningPose through movement


@pytest.fixture
def dataset() -> Iterator[Any]:
    pytest.importorskip("xarray")
    from lift2to3.formats.keypoints.tracking import as_dataset

    yield as_dataset(l23.as_keypoints(WALK, np.full(WALK.shape[:2], 0.9), fps=FPS, first_frame=10))


def test_a_movement_dataset_and_back(tmp_path: Path, dataset: Any) -> None:
    pytest.importorskip("netCDF4")
    pytest.importorskip("movement")
    dataset.to_netcdf(tmp_path / "a.nc")
    same(read_keypoints(tmp_path / "a.nc"), first=10)


@pytest.mark.parametrize("program", ["deeplabcut", "sleap", "lightningpose"])
def test_files_that_movement_writes(tmp_path: Path, dataset: Any, program: str) -> None:
    save_poses = pytest.importorskip("movement.io.save_poses")
    path = tmp_path / {"deeplabcut": "a.h5", "sleap": "a.analysis.h5", "lightningpose": "a.csv"}[program]
    if program == "deeplabcut":
        save_poses.to_dlc_file(dataset, path, split_individuals=False)
    elif program == "sleap":
        save_poses.to_sleap_analysis_file(dataset, path)
    else:
        save_poses.to_lp_file(dataset, path)
        path = next(tmp_path.glob("*.csv"))
    for format in (None, program):
        found = read_keypoints(path, None, FPS, format=format)
        np.testing.assert_allclose(found.xy_px, WALK, atol=1e-3)
        assert found.skeleton.name == "coco17"


def test_without_movement_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "movement.io", None)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(ValueError, match=r"not installed; pip install 'lift2to3\[movement\]'"):
        read_keypoints(tmp_path / "a.h5")
