"""Every detector's layout: the same walk comes back out of each, and what is no layout is refused."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keypoint_files import (
    FPS,
    FRAMES,
    OTHER,
    SIZE,
    WALK,
    as_openpose,
    csv_text,
    film,
    flat,
    folder,
    instance,
    same,
    scored,
    ultralytics_frame,
    written,
)

from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.skeletons import SKELETONS, get_skeleton


def wide_csv(separator: str = ",", style: str = "{}_{}") -> str:
    joints = SKELETONS["coco17"].joints
    order = [*range(16, -1, -1)]  # the columns' order means nothing
    head = ["frame", *(style.format(joints[j], axis) for j in order for axis in ("x", "y", "score"))]
    return csv_text(
        [head, *([i, *scored(xy)[order].ravel().tolist()] for i, xy in enumerate(WALK))], separator
    )


def long_csv() -> str:
    joints = SKELETONS["coco17"].joints
    rows = [
        [i, joint, *point, 0.9]
        for i, xy in enumerate(WALK)
        for joint, point in zip(joints, xy.tolist(), strict=True)
    ]
    return csv_text([["frame", "joint", "x", "y", "confidence"], *rows[::-1]])


def dlc_csv() -> str:
    joints = SKELETONS["coco17"].joints
    head = [
        ["scorer", *["net"] * 51],
        ["bodyparts", *(j for j in joints for _ in "xyl")],
        ["coords", *["x", "y", "likelihood"] * 17],
    ]
    return csv_text([*head, *([i, *flat(xy)] for i, xy in enumerate(WALK))])


def sports2d_trc() -> str:
    names = [
        name
        for name in (
            "RHip",
            "RKnee",
            "RAnkle",
            "LHip",
            "LKnee",
            "LAnkle",
            "Nose",
            "RShoulder",
            "RElbow",
            "RWrist",
            "LShoulder",
            "LElbow",
            "LWrist",
        )
    ]
    coco = SKELETONS["coco17"].joints
    long = {"R": "right", "L": "left"}
    rows = [coco.index("nose" if n == "Nose" else f"{long[n[0]]}_{n[1:].lower()}") for n in names]
    lines = [
        "PathFileType\t4\t(X/Y/Z)\ta.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"30\t30\t{FRAMES}\t{len(names)}\tm\t30\t1\t{FRAMES}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{a}{i}" for i in range(13) for a in "XYZ"),
    ]
    for i, xy in enumerate(WALK):
        lines.append(f"{i + 1}\t{i / 30:.5f}\t" + "\t".join(f"{x:.4f}\t{y:.4f}\t0" for x, y in xy[rows]))
    return "\r\n".join(lines) + "\r\n"


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "own": lambda p: written(
        p / "a.json", {"skeleton": "coco17", "fps": 30, "keypoints": scored(WALK).tolist()}
    ),
    "own with a byte order mark": lambda p: written(
        p / "a.json", "\ufeff" + json.dumps({"keypoints": WALK.tolist()})
    ),
    "coco results": lambda p: written(
        p / "a.json",
        [{"image_id": i, "category_id": 1, "keypoints": flat(xy), "score": 0.9} for i, xy in enumerate(WALK)],
    ),
    "coco annotations": lambda p: written(
        p / "a.json",
        {
            "images": [{"id": 7 * i % 40 + 100, "file_name": f"v/f_{i:05d}.png"} for i in range(FRAMES)],
            "annotations": [
                {"image_id": 7 * i % 40 + 100, "keypoints": flat(xy, 2), "num_keypoints": 17}
                for i, xy in enumerate(WALK)
            ],
        },
    ),
    "coco-vid": lambda p: written(
        p / "a.json",
        {
            "videos": [{"id": 1, "fps": 30}],
            "images": [
                {"id": 500 - i, "video_id": 1, "frame_id": i, "file_name": f"{500 - i}.jpg"}
                for i in range(FRAMES)
            ],
            "annotations": [{"image_id": 500 - i, "keypoints": flat(xy)} for i, xy in enumerate(WALK)],
        },
    ),
    "alphapose": lambda p: written(
        p / "a.json",
        [
            {"image_id": f"{i}.jpg", "keypoints": flat(xy), "score": 2.9, "idx": [0.0]}
            for i, xy in enumerate(WALK)
        ],
    ),
    "alphapose cmu": lambda p: written(
        p / "a.json", {f"{i}.jpg": as_openpose(xy) for i, xy in enumerate(WALK)}
    ),
    "alphapose open": lambda p: written(
        p / "a.json", {f"{i}.jpg": {"bodies": [{"joints": flat(xy)}]} for i, xy in enumerate(WALK)}
    ),
    "mmpose": lambda p: written(
        p / "a.json",
        {
            "meta_info": {},
            "instance_info": [{"frame_id": i, "instances": [instance(xy)]} for i, xy in enumerate(WALK)],
        },
    ),
    "mmpose with names": lambda p: written(
        p / "a.json",
        {
            "meta_info": {"keypoint_id2name": dict(enumerate(SKELETONS["coco17"].joints))},
            "instance_info": [{"frame_id": i, "instances": [instance(xy)]} for i, xy in enumerate(WALK)],
        },
    ),
    "mmpose predictions": lambda p: written(p / "a.json", {"predictions": [[[instance(xy)]] for xy in WALK]}),
    "mmpose version 0": lambda p: written(
        p / "a.json", [[{"bbox": [1, 2, 3, 4, 1], "keypoints": scored(xy).tolist()}] for xy in WALK]
    ),
    "mmpose arrays": lambda p: written(
        p / "a.json",
        [
            {"frame_id": i, "instances": {"keypoints": [xy.tolist()], "keypoint_scores": [[0.9] * 17]}}
            for i, xy in enumerate(WALK)
        ],
    ),
    "mmpose folder": lambda p: folder(
        p / "f", {f"{i:06d}.json": [instance(xy)] for i, xy in enumerate(WALK)}
    ),
    "openpose": lambda p: folder(
        p / "f", {f"v_{i:012d}_keypoints.json": as_openpose(xy) for i, xy in enumerate(WALK)}
    ),
    "openpose 1.0": lambda p: folder(
        p / "f", {f"v_{i}.json": as_openpose(xy, "pose_keypoints") for i, xy in enumerate(WALK)}
    ),
    "openpose with mac files": lambda p: folder(
        p / "f",
        {
            f"{dot}{i}.json": "\x00\x05" if dot else as_openpose(xy)
            for i, xy in enumerate(WALK)
            for dot in ("", "._")
        },
    ),
    "ultralytics": lambda p: written(p / "a.json", [ultralytics_frame(xy) for xy in WALK]),
    "ultralytics folder": lambda p: folder(
        p / "f", {f"v_{i}.json": ultralytics_frame(xy) for i, xy in enumerate(WALK)}
    ),
    "ultralytics labels": lambda p: folder(
        p / "f",
        {
            f"v_{i}.txt": "0 .5 .5 .1 .1 "
            + " ".join(f"{x / 1920:.8f} {y / 1080:.8f} 0.9" for x, y in xy)
            + "\r\n"
            for i, xy in enumerate(WALK)
        },
    ),
    "rtmlib": lambda p: (
        np.savez(p / "a.npz", keypoints=WALK[:, None], scores=np.full((FRAMES, 1, 17), 0.9)),
        p / "a.npz",
    )[1],
    "wide csv": lambda p: written(p / "a.csv", wide_csv()),
    "wide csv of a spreadsheet": lambda p: written(
        p / "a.csv", "\ufeff" + wide_csv(";", "{} {}").replace("score", "conf").replace("\n", "\r\n")
    ),
    "long csv": lambda p: written(p / "a.csv", long_csv()),
    "deeplabcut csv": lambda p: written(p / "a.csv", dlc_csv()),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_walk_comes_back(tmp_path: Path, layout: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no (skeleton|frame rate) stated")
        found = read_keypoints(LAYOUTS[layout](tmp_path), size=SIZE)
    same(found)
    assert found.skeleton.name == "coco17"
    assert (found.confidence >= 0.9).all()


@pytest.mark.parametrize("layout", ["coco-vid", "mmpose with names", "wide csv", "deeplabcut csv"])
def test_what_a_file_states_is_not_asked_for(tmp_path: Path, layout: str) -> None:
    fps = None if layout == "coco-vid" else FPS
    skeleton = "coco17" if layout == "coco-vid" else None
    same(read_keypoints(LAYOUTS[layout](tmp_path), skeleton, fps))  # any warning is an error here


def test_sports2d_in_pixels_names_its_joints_and_its_rate(tmp_path: Path) -> None:
    found = read_keypoints(written(tmp_path / "a_px.trc", sports2d_trc()))
    assert found.fps == 30 and found.first_frame == 0
    assert found.skeleton.name == "coco17"
    seen = found.confidence > 0
    assert np.count_nonzero(seen[0]) == 13
    np.testing.assert_allclose(found.xy_px[seen], WALK[seen], atol=1e-3)
    with pytest.raises(ValueError, match="3D markers; wanted keypoints in the picture"):
        read_keypoints(written(tmp_path / "b.trc", sports2d_trc().replace("\t0\t", "\t0.9\t")))


@pytest.mark.parametrize("name", ["coco_wholebody133", "halpe136", "openpose18"])
def test_formats_with_face_and_hands_and_old_ones(tmp_path: Path, name: str) -> None:
    xy = film(name)
    rows = [
        {"image_id": i, "keypoints": np.nan_to_num(scored(frame)).ravel().tolist()}
        for i, frame in enumerate(xy)
    ]
    path = written(tmp_path / "a.json", rows)
    with pytest.warns(UserWarning, match=f"took {name}"):
        found = read_keypoints(path, None, FPS)
    np.testing.assert_array_equal(found.confidence > 0, np.isfinite(xy[..., 0]))
    assert read_keypoints(found.save(tmp_path / "b.npz")).skeleton == get_skeleton(name)


# --- bad files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("frame,x,y\n1,2,3\n", "headings frame, x, y; wanted columns such as frame, nose_x"),
        ("frame,nose_x,nose_y,hip_x,hip_y\n1,2,3,a,5\n", "row 1 has 'a'; wanted a number"),
        ("scorer,a,a\nbodyparts,nose,nose\n", "wanted scorer, bodyparts and coords"),
        ("joint,x,y\nnose,1,2\n", "no frame in the headings"),
        ("x\n", "1 rows; wanted headings"),
        ("PathFileType", "1 rows; wanted headings"),
    ],
)
def test_csv_that_is_no_table_of_joints(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_keypoints(written(tmp_path / "a.csv", content), "coco17", FPS)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            [ultralytics_frame(WALK[0])[0], ultralytics_frame(OTHER[0])[0]],
            "2 people in one list without their frames",
        ),
        ([{"frame_id": 1, "instances": []}, {"instances": []}], "entry 1 has no frame_id and others do"),
        ([{"frame_id": 0, "instances": ["a"]}], "frame 0 holds 'a'; wanted people with keypoints"),
        ([{"image_id": 0, "keypoints": {"a": [1]}}], "keypoints are a; wanted x, y and visible"),
        ({"images": 3, "annotations": [{"image_id": 0, "keypoints": [1, 2, 1]}]}, "images are no list of id"),
        (
            {"images": [{"id": 5}], "annotations": [{"image_id": 0, "keypoints": [1, 2, 1]}]},
            "which images do not list",
        ),
        ({"0.jpg": {"people": [{"pose_keypoints_2d": "abc"}]}}, "not a list of x, y, confidence"),
        ([[[[[[[[{"x": 1, "y": 2}]]]]]]]], "no keypoints in it"),
    ],
)
def test_json_that_cannot_be_understood(tmp_path: Path, table: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_keypoints(written(tmp_path / "a.json", table), "coco17", FPS)


def test_a_format_can_be_forced(tmp_path: Path) -> None:
    path = LAYOUTS["mmpose"](tmp_path)
    same(read_keypoints(path, "coco17", FPS, format="mmpose"))
    with pytest.raises(ValueError, match="unknown format 'mmpoze' of keypoints; known: own, openpose"):
        read_keypoints(path, "coco17", FPS, format="mmpoze")
    with pytest.raises(ValueError, match="not what coco writes"):
        read_keypoints(path, "coco17", FPS, format="coco")
