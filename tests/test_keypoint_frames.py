"""Frames in the order that the file says, gaps kept, the missing missing, scores as confidence."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import (
    FPS,
    FRAMES,
    WALK,
    as_openpose,
    csv_text,
    flat,
    folder,
    instance,
    same,
    scored,
    ultralytics_frame,
    written,
)

import lift2to3 as l23
from lift2to3.formats.keypoints.frames import frame_numbers
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.formats.keypoints.scores import as_confidence
from lift2to3.skeletons import SKELETONS

# --- frames


def names_of(path: Path, *names: str, gone: tuple[int, ...] = ()) -> l23.Keypoints:
    rows = [{"image_id": name, "keypoints": flat(WALK[i])} for i, name in enumerate(names) if i not in gone]
    return read_keypoints(written(path / "a.json", rows), "coco17", FPS)


@pytest.mark.parametrize(
    "name",
    [
        "frame_{i:06d}.jpg",
        "{i}.png",
        "clip.mp4_{i:06d}",
        "shot.{i:04d}",
        "GOPR0042_{i:05d}.JPG",
        "cam1-{i}-1920x1080.png",
        "frame_{i:06d}_{ms}ms.jpg",
        "{ms}ms_frame_{i:06d}.jpg",
        "2024-05-01_{i:04d}.jpg",
        "a/b 2/{i:03d}.jpeg",
        "walk-{i:04d}_jpg.rf.{hash}.jpg",
        "{hash}_walk-{i:04d}.jpg",
        "t{t}_f{i}.webp",
    ],
)
def test_the_number_that_counts_up_orders_frames_and_gaps_stay(tmp_path: Path, name: str) -> None:
    hashes = np.random.default_rng(3).integers(2**60, size=FRAMES)
    names = [
        name.format(i=i, ms=round(1000 * i / 30), t=f"{i / 30:.3f}", hash=f"{hashes[i]:x}")
        for i in range(FRAMES)
    ]
    found = names_of(tmp_path, *names, gone=(5, 6, 20))
    there = np.ones(FRAMES, bool)
    there[[5, 6, 20]] = False
    np.testing.assert_array_equal(found.confidence.any(axis=1), there)
    np.testing.assert_allclose(found.xy_px[there], WALK[there], atol=1e-3)


@pytest.mark.parametrize("reverse", [True, False])
def test_the_order_of_the_file_means_nothing_where_names_have_numbers(tmp_path: Path, reverse: bool) -> None:
    order = np.arange(FRAMES)[::-1] if reverse else np.random.default_rng(0).permutation(FRAMES)
    rows = [{"image_id": f"f{i:03d}.jpg", "keypoints": flat(WALK[i])} for i in order]
    same(read_keypoints(written(tmp_path / "a.json", rows), "coco17", FPS))


def test_of_two_numbers_that_disagree_the_one_in_whose_order_people_move_least_is_taken_aloud(
    tmp_path: Path,
) -> None:
    quality = np.random.default_rng(0).permutation(FRAMES) + 50
    for order in (np.arange(FRAMES), np.argsort(quality)):
        rows = [{"image_id": f"q{quality[i]}_{i:03d}.jpg", "keypoints": flat(WALK[i])} for i in order]
        with pytest.warns(UserWarning, match="hold several numbers; took the one that is"):
            same(read_keypoints(written(tmp_path / "a.json", rows), "coco17", FPS))


def test_two_numbers_that_nothing_decides_between_are_refused_with_both(tmp_path: Path) -> None:
    quality = np.random.default_rng(0).permutation(FRAMES) + 50
    rows = [{"image_id": f"q{quality[i]}_{i:03d}.jpg", "keypoints": flat(WALK[0])} for i in range(FRAMES)]
    words = f"which number counts the frames. In q{quality[0]}_000.jpg they are {quality[0]} and 0"
    with pytest.raises(ValueError, match=words):
        read_keypoints(written(tmp_path / "a.json", rows), "coco17", FPS)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (["left.jpg", "right.jpg"], "wanted names with a number that counts up"),
        (["a1_01.jpg", "a2_01.jpg", "a1_02.jpg", "a2_02.jpg"], "frame 1 twice .*wanted one camera's frames"),
        ([3, 900000], "run from 3 to 900000 but there are only 2 frames"),
    ],
)
def test_frames_that_are_not_one_clip_s_are_refused(frames: list[int | str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        frame_numbers(frames, "a.json")


def test_numbers_in_steps_are_told() -> None:
    with pytest.warns(UserWarning, match=r"only every 5th frame is there \(0, 5, 10, …\)"):
        assert list(frame_numbers([0, 5, 10, 20], "a.json").values()) == [0, 5, 10, 20]


@pytest.mark.parametrize("first", [7, 100])
@pytest.mark.parametrize("layout", ["alphapose", "coco", "mmpose", "openpose", "csv"])
def test_the_first_frame_s_number_is_kept(tmp_path: Path, layout: str, first: int) -> None:
    numbered = list(enumerate(WALK, first))
    path = {
        "alphapose": lambda: written(
            tmp_path / "a.json", [{"image_id": f"{i}.jpg", "keypoints": flat(xy)} for i, xy in numbered]
        ),
        "coco": lambda: written(
            tmp_path / "a.json",
            {
                "images": [{"id": i + 9, "file_name": f"{i:05d}.jpg"} for i, _ in numbered],
                "annotations": [{"image_id": i + 9, "keypoints": flat(xy)} for i, xy in numbered],
            },
        ),
        "mmpose": lambda: written(
            tmp_path / "a.json", [{"frame_id": i, "instances": [instance(xy)]} for i, xy in numbered]
        ),
        "openpose": lambda: folder(tmp_path / "f", {f"v_{i}.json": as_openpose(xy) for i, xy in numbered}),
        "csv": lambda: written(
            tmp_path / "a.csv",
            csv_text(
                [
                    ["frame", *(f"{j}_{a}" for j in SKELETONS["coco17"].joints for a in "xy")],
                    *([i, *xy.ravel().tolist()] for i, xy in numbered),
                ]
            ),
        ),
    }[layout]()
    found = read_keypoints(path, "coco17", FPS)
    same(found, first=first)
    same(read_keypoints(found.save(tmp_path / "saved.json")), first=first)


def test_two_videos_in_one_file_are_refused(tmp_path: Path) -> None:
    images = [{"id": 40 * v + i, "video_id": v, "frame_id": i} for v in (1, 2) for i in range(FRAMES)]
    rows = [{"image_id": image["id"], "keypoints": flat(WALK[0])} for image in images]
    with pytest.raises(ValueError, match=r"images of 2 videos \(1, 2\)"):
        read_keypoints(written(tmp_path / "a.json", {"images": images, "annotations": rows}))
    for image in images:
        del image["video_id"]
    with pytest.raises(ValueError, match="40 frames stand in images more than once, such as 0"):
        read_keypoints(written(tmp_path / "b.json", {"images": images, "annotations": rows}))


# --- nobody, and what is missing


NOBODY = [
    None,
    {},
    {"pose_keypoints_2d": []},
    {"pose_keypoints_2d": None},
    {"pose_keypoints_2d": [0.0] * 51},
    {"pose_keypoints_2d": [float("nan")] * 51},
    {"pose_keypoints_2d": [-1.0] * 51},
]


@pytest.mark.parametrize("nobody", NOBODY)
def test_nobody_is_nobody_however_it_is_written(tmp_path: Path, nobody: Any) -> None:
    frames = {
        f"v_{i}.json": {"people": [nobody, *as_openpose(xy)["people"]] if i % 4 else [nobody]}
        for i, xy in enumerate(WALK)
    }
    found = read_keypoints(folder(tmp_path / "f", frames), "coco17", FPS)
    there = np.arange(FRAMES) % 4 > 0
    np.testing.assert_array_equal(found.confidence.any(axis=1), there)
    np.testing.assert_allclose(found.xy_px[there], WALK[there], atol=1e-3)


@pytest.mark.parametrize("nowhere", [(0, 0), (-1, -1), (65535, 65535), (float("nan"), float("nan"))])
@pytest.mark.parametrize("layout", ["own", "npy", "npz", "coco", "mmpose", "openpose", "ultralytics", "csv"])
def test_the_missing_is_missing_in_every_format(
    tmp_path: Path, layout: str, nowhere: tuple[float, float]
) -> None:
    xy = WALK.copy()
    xy[3:9, 5] = nowhere
    path = {
        "own": lambda: written(tmp_path / "a.json", {"keypoints": xy.tolist()}),
        "npy": lambda: (np.save(tmp_path / "a.npy", scored(xy, 1.0)), tmp_path / "a.npy")[1],
        "npz": lambda: (
            np.savez(tmp_path / "a.npz", xy=xy, confidence=np.ones(xy.shape[:2])),
            tmp_path / "a.npz",
        )[1],
        "coco": lambda: written(
            tmp_path / "a.json", [{"image_id": i, "keypoints": flat(p, 1.0)} for i, p in enumerate(xy)]
        ),
        "mmpose": lambda: written(tmp_path / "a.json", [{"instances": [instance(p, 1.0)]} for p in xy]),
        "openpose": lambda: folder(tmp_path / "f", {f"v_{i}.json": as_openpose(p) for i, p in enumerate(xy)}),
        "ultralytics": lambda: written(tmp_path / "a.json", [ultralytics_frame(p) for p in xy]),
        "csv": lambda: written(
            tmp_path / "a.csv",
            csv_text(
                [
                    ["frame", *(f"{j}_{a}" for j in SKELETONS["coco17"].joints for a in "xy")],
                    *([i, *p.ravel().tolist()] for i, p in enumerate(xy)),
                ]
            ),
        ),
    }[layout]()
    found = read_keypoints(path, "coco17", FPS)
    missing = np.zeros((FRAMES, 17), bool)
    missing[3:9, 5] = True
    np.testing.assert_array_equal(found.confidence == 0, missing)
    np.testing.assert_allclose(found.xy_px[~missing], WALK[~missing], atol=1e-3)


# --- scores


@pytest.mark.parametrize(
    ("scores", "detector", "wanted", "words"),
    [
        ([0, 1, 2], "flags", [0, 1, 1], None),
        ([0, 0.5, 1.04], "heatmap", [0, 0.5, 1], None),
        ([-0.4, 0.3, 6.8], "simcc", [0, 0.3, 1], "scores run to 6.8, as RTMPose's SimCC gives them"),
        ([0, 0.275, 0.55, 0.9], "openpose", [0, 0.5, 1, 1], None),
        ([0.2, 0.999], "visibility", [0.2, 0.999], None),
        ([0.1, 0.93], "keypoint", [0.1, 0.93], None),
        ([0, 45, 93], "unknown", [0, 0.45, 0.93], "scores run to 93: taken as percent"),
        ([np.nan, -1, 0.5], "unknown", [0, 0, 0.5], None),
    ],
)
def test_each_detector_s_scores_become_confidence(scores, detector, wanted, words) -> None:
    scores = np.array([*scores] * 40, float)
    scores[3 * 1 :][scores[3:] < -0.1] = 0.3 if detector == "simcc" else -1  # one below 0 in 120
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = as_confidence(scores, detector, "a.json")
    np.testing.assert_allclose(found[: len(wanted)], wanted)
    assert [words in str(w.message) for w in said] == ([True] if words else [])


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([0.2, 255.0], "scores run to 255; wanted 0 to 1"),
        ([-0.3, -0.2, 0.1], "below 0, down to -0.3.*is it a depth"),
    ],
)
def test_scores_that_are_none_are_refused(scores, words) -> None:
    with pytest.raises(ValueError, match=words):
        as_confidence(np.array(scores), "unknown", "a.json")
