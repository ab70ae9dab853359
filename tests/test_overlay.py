"""The video overlay: drawn where the camera sees the points, whole or not at all, on no foreign video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.motion import Motion
from lift2to3.report.overlay import draw_overlay
from lift2to3.skeletons import CANONICAL, get_skeleton
from lift2to3.walk import synthetic_walk

SIZE, FPS, FRAMES = (320, 180), 24.0, 12
GREY = 110


@pytest.fixture
def camera() -> Camera:
    R = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # at (0, -4, 1) along +y, with a strong lens
    K = [[220, 0, 160], [0, 220, 90], [0, 0, 1]]
    return Camera(K, R, -R @ [0, -4, 1.0], SIZE, [-0.25, 0.08, 0, 0])


@pytest.fixture
def motion() -> Motion:
    points = synthetic_walk(FRAMES / FPS, FPS, turn_radius_m=5, start_xy=(-0.3, 0.5))
    shape = points.shape[:2]
    return Motion(points.astype(np.float32), CANONICAL, FPS, np.ones(shape, bool), np.full(shape, 0.02))


@pytest.fixture
def keypoints(camera: Camera, motion: Motion) -> Keypoints:
    points = motion.joints_world[:, get_skeleton("coco17").rows]
    return as_keypoints(camera.project(points), None, "coco17", FPS)


def write_video(path: Path, frames: int = FRAMES, size: tuple[int, int] = SIZE, fps: float = 25.0) -> Path:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    for _ in range(frames):
        video.write(np.full((size[1], size[0], 3), GREY, np.uint8))
    video.release()
    return path


def pictures(path: Path) -> tuple[np.ndarray, float]:
    video = cv2.VideoCapture(str(path))
    found = []
    while (read := video.read())[0]:
        found.append(read[1])
    return np.stack(found), video.get(cv2.CAP_PROP_FPS)


def test_points_lie_where_the_distorting_camera_sees_them(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints
) -> None:
    done = []
    out = draw_overlay(
        motion, keypoints, camera, write_video(tmp_path / "in.mp4"), tmp_path / "out.mp4",
        progress=lambda frame, every: done.append((frame, every)),
    )  # fmt: skip
    drawn, fps = pictures(out)
    assert drawn.shape == (FRAMES, SIZE[1], SIZE[0], 3) and fps == pytest.approx(25.0)
    assert done == [(frame + 1, FRAMES) for frame in range(FRAMES)]
    for frame in range(FRAMES):
        touched = np.abs(drawn[frame].astype(int) - GREY).max(-1) > 40
        for x, y in np.rint(keypoints.xy_px[frame]).astype(int):
            assert touched[y - 1 : y + 2, x - 1 : x + 2].any(), (frame, x, y)
        assert not touched[:, :40].any()  # nobody there
    left, right = (
        np.rint(camera.project(motion.joints_world[6, CANONICAL.index(f"{side}_knee")])).astype(int)
        for side in ("left", "right")
    )
    assert left.tolist() != right.tolist()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_what_is_missing_is_not_drawn(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints
) -> None:
    motion.valid[3] = False
    keypoints.xy_px[3] = np.nan
    motion.joints_world[4, :] = np.nan
    keypoints.xy_px[4] = np.nan
    motion.joints_world[5, 0] = 1e6
    drawn, _ = pictures(
        draw_overlay(motion, keypoints, camera, write_video(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    )
    touched = (np.abs(drawn.astype(int) - GREY).max(-1) > 40).any((1, 2))
    assert touched.tolist() == [frame not in (3, 4) for frame in range(FRAMES)]


@pytest.mark.parametrize("frames", [FRAMES - 1, FRAMES + 1, 3, 40])
def test_another_length_is_refused_and_nothing_stays(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints, frames: int
) -> None:
    video = write_video(tmp_path / "in.mp4", frames)
    with pytest.raises(ValueError, match=rf"frames, the keypoints {FRAMES}; wanted one frame of video"):
        draw_overlay(motion, keypoints, camera, video, tmp_path / "out.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["in.mp4"]


def test_foreign_and_unreadable_videos_are_refused(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints
) -> None:
    large = write_video(tmp_path / "large.mp4", size=(640, 360))
    with pytest.raises(ValueError, match="640×360 px, the camera's image 320×180"):
        draw_overlay(motion, keypoints, camera, large, tmp_path / "out.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match="OpenCV cannot read this as a video"):
        draw_overlay(motion, keypoints, camera, tmp_path / "text.mp4", tmp_path / "out.mp4")
    with pytest.raises(FileNotFoundError):
        draw_overlay(motion, keypoints, camera, tmp_path / "no.mp4", tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_the_output_is_an_mp4_and_not_the_input(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints
) -> None:
    video = write_video(tmp_path / "in.mp4")
    before = video.read_bytes()
    with pytest.raises(ValueError, match="this is the video itself"):
        draw_overlay(motion, keypoints, camera, video, video)
    with pytest.raises(ValueError, match="written as .mp4"):
        draw_overlay(motion, keypoints, camera, video, tmp_path / "out.avi")
    assert video.read_bytes() == before


def test_records_of_different_lengths_are_refused(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints
) -> None:
    short = keypoints._replace(xy_px=keypoints.xy_px[:-1])
    with pytest.raises(ValueError, match="12 frames of motion but 11 of keypoints"):
        draw_overlay(motion, short, camera, tmp_path / "in.mp4", tmp_path / "out.mp4")


@pytest.mark.parametrize("after", [0, 3])
def test_a_clip_that_starts_late_is_drawn_at_its_frames_of_the_whole_video(
    tmp_path: Path, camera: Camera, motion: Motion, keypoints: Keypoints, after: int
) -> None:
    late = keypoints._replace(first_frame=7)
    whole = write_video(tmp_path / "in.mp4", 7 + FRAMES + after)
    drawn, _ = pictures(draw_overlay(motion, late, camera, whole, tmp_path / "out.mp4"))
    alone, _ = pictures(
        draw_overlay(motion, keypoints, camera, write_video(tmp_path / "cut.mp4"), tmp_path / "b.mp4")
    )
    assert len(drawn) == 7 + FRAMES + after
    touched = [(np.abs(picture.astype(int) - GREY) > 40).any() for picture in drawn]
    assert touched == [False] * 7 + [True] * FRAMES + [False] * after
    close = np.abs(drawn[7 : 7 + FRAMES].astype(int) - alone) <= 40  # compressed in other groups
    assert close.mean() > 0.999
    with pytest.raises(ValueError, match="from number 30 on; wanted one frame"):
        draw_overlay(motion, keypoints._replace(first_frame=30), camera, whole, tmp_path / "c.mp4")
