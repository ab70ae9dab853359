"""Who is who in a file of several people: by ids, or linked over time and told."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from keypoint_files import (
    CAMERA,
    FPS,
    FRAMES,
    OTHER,
    WALK,
    flat,
    folder,
    instance,
    same,
    ultralytics_frame,
    written,
)
from moving_body import moving_body

import lift2to3 as l23
from lift2to3 import cli
from lift2to3.formats.keypoints.read import read_keypoints, read_people
from lift2to3.formats.motions.glb import write_people_glb
from lift2to3.walk import synthetic_walk


def two_people(path: Path, layout: str, named: bool) -> Path:
    """Two people who cross; their order in the file changes."""
    frames = [[(1, WALK[i]), (2, OTHER[i])][:: 1 if i % 3 else -1] for i in range(FRAMES)]
    key = {
        "coco": "track_id",
        "alphapose": "idx",
        "mmpose": "track_id",
        "openpose": "person_id",
        "ultralytics": "track_id",
    }[layout]

    def who(n: int) -> dict[str, Any]:
        return {key: [n] if layout == "openpose" else n} if named else {}

    rows = [(i, n, xy) for i, people in enumerate(frames) for n, xy in people]
    if layout in ("coco", "alphapose"):
        image = "{}" if layout == "coco" else "{}.jpg"
        table = [
            {"image_id": image.format(i), "keypoints": flat(xy, 0.9 if n == 1 else 0.8), **who(n)}
            for i, n, xy in rows
        ]
    elif layout == "mmpose":
        table = [
            {"frame_id": i, "instances": [instance(xy, 0.9 if n == 1 else 0.8, **who(n)) for n, xy in people]}
            for i, people in enumerate(frames)
        ]
    elif layout == "ultralytics":
        table = [
            [person for n, xy in people for person in ultralytics_frame(xy, **who(n))] for people in frames
        ]
    else:
        return folder(
            path / "f",
            {
                f"v_{i}.json": {
                    "people": [
                        {"pose_keypoints_2d": flat(xy, 0.5 if n == 1 else 0.4), **who(n)} for n, xy in people
                    ]
                }
                for i, people in enumerate(frames)
            },
        )
    return written(path / "a.json", table)


TRACKED = ["coco", "alphapose", "mmpose", "openpose", "ultralytics"]


@pytest.mark.parametrize("layout", TRACKED)
def test_ids_say_who_is_who(tmp_path: Path, layout: str) -> None:
    path = two_people(tmp_path, layout, named=True)
    for n, xy in ((1, WALK), (2, OTHER)):
        same(read_keypoints(path, "coco17", FPS, person=n), xy)
    with pytest.warns(UserWarning, match=r"several people in 40 of 40 frames: .* followed 1"):
        same(read_keypoints(path, "coco17", FPS))
    people = read_people(path, "coco17", FPS)
    same(people["1"])
    same(people["2"], OTHER)


@pytest.mark.parametrize("layout", TRACKED)
def test_without_ids_people_are_linked_and_the_crossing_told(tmp_path: Path, layout: str) -> None:
    path = two_people(tmp_path, layout, named=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        people = read_people(path, "coco17", FPS)
        one = read_keypoints(path, "coco17", FPS, person=2)
    assert sorted(people) == ["1", "2"]
    found = {
        n: WALK if np.abs(keypoints.xy_px[0] - WALK[0]).max() < 1 else OTHER
        for n, keypoints in people.items()
    }
    assert found["1"] is not found["2"]
    for n, keypoints in people.items():
        same(keypoints, found[n])
    same(one, found["2"])
    assert any("and another cross in frames" in str(w.message) for w in said)


def test_who_leaves_and_comes_back_is_one_person_and_a_flash_nobody(tmp_path: Path) -> None:
    rows = [{"image_id": i, "keypoints": flat(WALK[i])} for i in range(FRAMES) if not 10 <= i < 18]
    rows += [{"image_id": i, "keypoints": flat(OTHER[i] + [0, -300], 0.5)} for i in range(8, 20)]
    rows.append({"image_id": 30, "keypoints": flat(WALK[30] + 700, 1.0)})
    path = written(tmp_path / "a.json", rows)
    with pytest.warns(
        UserWarning, match=r"several people in 5 of 40 frames: 1 \(32 frames\), 2 \(12 frames\), 3"
    ):
        found = read_keypoints(path, "coco17", FPS)
    there = found.confidence.any(axis=1)
    assert np.flatnonzero(~there).tolist() == list(range(10, 18))
    np.testing.assert_allclose(found.xy_px[there], WALK[there], atol=1e-3)
    with pytest.warns(UserWarning, match=r"left out who is seen in fewer than 15 frames: 2 \(12 frames\), 3"):
        assert list(read_people(path, "coco17", FPS)) == ["1"]


def test_two_ids_of_one_person_are_told_and_joined_on_request(tmp_path: Path) -> None:
    rows = [
        {"image_id": i, "keypoints": flat(WALK[i]), "track_id": 1 if i < 25 else 5} for i in range(FRAMES)
    ]
    path = written(tmp_path / "a.json", rows)
    with pytest.warns(UserWarning, match=r"several ids: 1 \(25 frames\), 5 \(15 frames\); followed 1"):
        assert read_keypoints(path, "coco17", FPS).confidence.any(axis=1).sum() == 25
    same(read_keypoints(path, "coco17", FPS, person="1,5"))


def test_one_id_for_all_is_none(tmp_path: Path) -> None:
    rows = [
        {"image_id": i, "keypoints": flat(xy[i]), "track_id": 0}
        for i in range(FRAMES)
        for xy in (WALK, OTHER + 9)
    ]
    with pytest.warns(UserWarning, match="several people in 40 of 40 frames|another cross in frames"):
        found = read_keypoints(written(tmp_path / "a.json", rows), "coco17", FPS)
    assert min(np.abs(found.xy_px - xy).max() for xy in (WALK, OTHER + 9)) < 1e-3


def test_somebody_else_later_is_told(tmp_path: Path) -> None:
    rows = [
        {"image_id": i, "keypoints": flat(WALK[i] + (0 if i < 20 else [900, 100]))} for i in range(FRAMES)
    ]
    with pytest.warns(UserWarning, match="somewhere else in frame 20 than in frame 19; two people, or a cut"):
        read_keypoints(written(tmp_path / "a.json", rows), "coco17", FPS)


# --- everybody in one world


@pytest.fixture
def camera_file(tmp_path: Path) -> str:
    return str(l23.write_camera(CAMERA, tmp_path / "camera.json"))


@pytest.mark.slow
def test_everybody_is_lifted_into_one_world(tmp_path: Path, camera_file: str, capsys: Any) -> None:
    path = two_people(tmp_path, "mmpose", named=True)
    out = tmp_path / "out"
    given = ["--camera", camera_file, "--out", str(out), "--skeleton", "coco17", "--fps", "30", "--no-feet"]
    assert cli.main(["lift", str(path), *given, "--person", "all"]) == 0
    said = capsys.readouterr().out
    assert "person 1" in said and "person 2" in said
    for who, start, heading in ((1, (-1.0, 5.0), 0.0), (2, (1.0, 5.6), np.pi)):
        motion = l23.load_motion(out / f"person_{who}" / "motion.npz")
        true = synthetic_walk(FRAMES / FPS, FPS, turn_radius_m=np.inf, start_xy=start, heading_rad=heading)
        assert np.linalg.norm(motion.joints_world[:, 0] - true[:, 0], axis=-1).mean() < 0.3
        assert (out / f"person_{who}" / "report.html").exists()
    assert (out / "report.html").read_text().count('"others":[{') == 1
    scene = pygltflib.GLTF2().load(str(out / "people.glb"))
    assert [node.name for node in scene.nodes if node.skin is not None] == ["person 1", "person 2"]
    assert len(scene.animations) == 1 and len(scene.animations[0].channels) == 2 * 23
    assert {channel.target.node for channel in scene.animations[0].channels} == {*range(22), *range(23, 45)}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--person", "9"], "no person 9; found 1 (40 frames), 2 (40 frames)"),
        (["--person", "all", "--overlay", "a.mp4"], "--overlay shows one person"),
        (["--format", "cocoa"], "unknown format 'cocoa' of keypoints; known: own, openpose"),
    ],
)
def test_a_person_or_format_that_is_not_there_is_refused(
    tmp_path: Path, camera_file: str, capsys: Any, flags: list[str], words: str
) -> None:
    path = two_people(tmp_path, "mmpose", named=True)
    given = ["--camera", camera_file, "--out", str(tmp_path / "out")]
    assert cli.main(["lift", str(path), *given, *flags]) == 2
    assert words in capsys.readouterr().err


def test_people_enter_a_glb_in_time(tmp_path: Path) -> None:
    bodies = {"a": moving_body(frames=12), "b": moving_body(frames=12)._replace(first_frame=6)}
    path = write_people_glb(tmp_path / "b.glb", bodies)
    scene = pygltflib.GLTF2().load(str(path))
    starts = {scene.accessors[sampler.input].min[0] for sampler in scene.animations[0].samplers}
    assert sorted(starts) == pytest.approx([0.0, 6 / bodies["a"].fps])
    assert [skin.skeleton for skin in scene.skins] == [0, 23]
