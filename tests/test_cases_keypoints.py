"""Keypoint files as people have them, with known truth: read right, or refused in one sentence."""

from __future__ import annotations

import json
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from lift2to3 import cli
from lift2to3.convert.read_body import read_body
from lift2to3.formats.keypoints.read import read_keypoints, read_people
from lift2to3.motion import load_body_motion


@pytest.fixture(scope="module")
def cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    with tarfile.open(shared_data / "cases" / "cases.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "cases"


@pytest.fixture(scope="module")
def truth(cases: Path) -> dict[int, np.ndarray]:
    """The walk's true pixels by number of joints."""
    names = {17: "coco17_kp.json", 26: "base_halpe26.json"}
    tables = {joints: json.loads((cases / name).read_text()) for joints, name in names.items()}
    return {joints: np.array(table["keypoints"])[..., :2] for joints, table in tables.items()}


def read(path: Path, **given):
    """What is read, and what was said but for what no file of these states."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = read_keypoints(path, **given)
    texts = [str(w.message) for w in said]
    return found, [text for text in texts if not text.startswith(("no skeleton stated", "no frame rate"))]


def right(found, truth: dict[int, np.ndarray], frames: int, missing_frames: int = 0) -> None:
    """Every joint that is seen lies where it does in truth, in the frame with its number."""
    true = truth[found.xy_px.shape[1]][found.first_frame :][: len(found.xy_px)]
    seen = found.confidence > 0
    assert len(found.xy_px) == frames
    assert np.count_nonzero(~seen.any(axis=1)) == missing_frames
    np.testing.assert_allclose(found.xy_px[seen], true[seen], atol=2.0)  # a frame is 7 px


# name: frames, of them missing, first number
READ = {
    "zeros_own.json": (120, 0, 0), "zeros.npy": (120, 0, 0), "zeros.npz": (120, 0, 0),
    "zeros_mmpose.json": (120, 0, 0), "zeros_mmpose_c1.json": (120, 0, 0),
    "coco_flags_null.json": (120, 0, 0), "coco_images_reversed.json": (120, 0, 0),
    "coco_images_shuffled.json": (120, 0, 0), "names_with_time.json": (120, 40, 0),
    "names_with_ms.json": (120, 40, 0), "names_roboflow.json": (120, 0, 0),
    "names_without_ending_clip.json": (120, 40, 0), "names_without_ending_shot.json": (120, 40, 0),
    "alphapose_from_10.json": (110, 0, 10), "alphapose_from_0.json": (120, 0, 0),
    "late_person.json": (110, 0, 10), "late_person_mmpose.json": (120, 10, 0),
    "people_null": (120, 18, 0), "instances_null.json": (120, 1, 0), "instance_null.json": (120, 1, 0),
    "instances_one_dict.json": (120, 0, 0), "frame_id_null.json": (120, 0, 0),
    "mmpose_text.json": (120, 0, 0), "list_of_null.json": (120, 0, 0),
    "keypoints_triples.json": (120, 0, 0), "pose2sim_empty_dict": (120, 6, 0),
    "row_keypoints_null.json": (120, 0, 0), "row_keypoints_empty.json": (120, 0, 0),
    "row_without_keypoints.json": (120, 0, 0), "keypoint_scores_null.json": (120, 0, 0),
    "kp_bom.json": (120, 0, 0), "unpadded_names": (120, 0, 0), "mac_dotfiles": (120, 0, 0),
    "alphapose_idx_list.json": (120, 17, 0), "person_all_nan": (120, 40, 0),
    "alphapose_open.json": (120, 0, 0), "alphapose_cmu.json": (120, 0, 0),
    "image_id_int_and_text.json": (120, 0, 0), "gepc (person id -> frame).json": (120, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_read_frame_for_frame_without_a_word(cases: Path, truth, name: str) -> None:
    frames, missing, first = READ[name]
    found, said = read(cases / name)
    assert found.first_frame == first and not said
    right(found, truth, frames, missing)


@pytest.mark.parametrize("name", ["zeros_own.json", "zeros.npy", "zeros.npz", "zeros_mmpose_c1.json"])
def test_zeros_are_missing_in_every_format_alike(cases: Path, name: str) -> None:
    found, _ = read(cases / name)
    assert np.count_nonzero(found.confidence == 0) == 120


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("names_with_score.json", "several numbers; took the one that is 0 there for the frame's, not 101"),
        ("rtmpose_scores.json", "scores run to 7, as RTMPose's SimCC gives them; 100% of them are above 1"),
        ("rtmpose_mixed.json", "scores run to 1.6"),
        ("scores_percent.json", "scores run to 93: taken as percent"),
        ("ultralytics.json", "no frame numbers; took every entry for the next frame"),
    ],
)  # fmt: skip
def test_read_aloud(cases: Path, truth, name: str, words: str) -> None:
    found, said = read(cases / name)
    assert len(said) == 1 and words in said[0]
    right(found, truth, 120)
    assert found.confidence.min() > 0.8


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("coco_two_videos.json", "images of 2 videos (1, 2); wanted one video"),
        ("frame_id_all_0.json", "frame_id is 0 in all 120 entries"),
        ("image_id_null.json", "entry 0 is of image None"),
        ("openpose_v10", "25 joints of no stated skeleton; pass --skeleton, one of: body25, body25b"),
        ("mediapipe_over_1.json", "look normalised"),
        ("mediapipe_over_1_high.json", "look normalised"),
        ("people_list_person", "no person in any of its 3 frames"),
        ("null.json", "no keypoints in it"),
        ("empty_list.json", "no keypoints in it"),
        ("annotations_null.json", "no keypoints in it"),
    ],
)  # fmt: skip
def test_refused_in_one_sentence(cases: Path, tmp_path: Path, capsys, name: str, words: str) -> None:
    camera = str(cases / "camera.json")
    assert cli.main(["lift", str(cases / name), "--camera", camera, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said and len(said) < 600


def test_every_second_frame_is_of_the_order_of_the_names(cases: Path, truth) -> None:
    found, said = read(cases / "coco_frame_step.json")
    assert not said
    np.testing.assert_allclose(found.xy_px, truth[17][::5], atol=2e-3)


def test_openpose_of_version_1_0(cases: Path, truth) -> None:
    found, said = read(cases / "openpose_v10", skeleton="body25")
    assert len(found.xy_px) == 120 and not said
    seen = (found.confidence > 0)[:, 0]
    np.testing.assert_allclose(found.xy_px[seen, 0], truth[17][seen, 0], atol=6.0)  # the nose


def test_rows_of_one_frame_are_joined(cases: Path, truth) -> None:
    found, said = read(cases / "frame_id_twice.json", person="2")
    np.testing.assert_allclose(found.xy_px, truth[17][:60], atol=2e-3)
    found, said = read(cases / "frame_id_twice.json")
    assert len(said) == 1 and "several people in 60 of 60 frames: 1 (60 frames), 2 (60 frames)" in said[0]
    np.testing.assert_allclose(found.xy_px, truth[17][:60] + 300, atol=2e-3)


def true_people(cases: Path) -> dict[int, np.ndarray]:
    """Two people who pass each other: pixels by id."""
    rows = json.loads((cases / "ids_alphapose.json").read_text())
    by_id = {who: np.array([row["keypoints"] for row in rows if row["idx"] == who]) for who in (1, 2)}
    return {who: points.reshape(120, 17, 3)[..., :2] for who, points in by_id.items()}


@pytest.mark.parametrize("name", ["ids_alphapose.json", "ids_mmpose.json", "ids_openpose"])
def test_ids_are_followed(cases: Path, name: str) -> None:
    true = true_people(cases)
    for who in (1, 2):
        found, said = read(cases / name, person=who)
        np.testing.assert_allclose(found.xy_px, true[who], atol=2e-3)
        assert not said
    found, said = read(cases / name)
    assert len(said) == 1 and "followed 1 (--person chooses another" in said[0]
    np.testing.assert_allclose(found.xy_px, true[1], atol=2e-3)
    with pytest.raises(ValueError, match=r"no person 3; found 1 \(120 frames\), 2 \(120 frames\)"):
        read_keypoints(cases / name, person="3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        people = read_people(cases / name)
    assert {who: len(people[who].xy_px) for who in people} == {"1": 120, "2": 120}


def test_who_has_no_id_is_linked_and_the_crossing_told(cases: Path) -> None:
    true = true_people(cases)
    for person, who, missing in ((None, 2, 0), (1, 2, 0), (2, 1, 8)):
        found, said = read(cases / "ids_slots", person=person)
        assert "and another cross in frames" in said[-1] and "see there" in said[-1]
        first, last = (int(word) for word in said[-1].split("frames ")[1].split(" and")[0].split(" to "))
        assert 50 <= first < 58 < last <= 70
        seen = found.confidence > 0
        assert np.count_nonzero(~seen.any(axis=1)) == missing
        np.testing.assert_allclose(found.xy_px[seen], true[who][seen], atol=2e-3)


# --- first frames and rates


def feet(cases: Path, out: Path, motion: str, keypoints: str, *flags: str) -> int:
    files = [str(cases / motion), str(cases / keypoints), "--camera", str(cases / "camera.json")]
    given = ["--skeleton", "halpe26", "--fps", "30"] if keypoints.startswith("alphapose") else []
    return cli.main(["feet", *files, "--out", str(out), *given, *flags])


def test_who_enters_late_is_refined_frame_for_frame(cases: Path, tmp_path: Path) -> None:
    bodies = []
    for keypoints in ("alphapose_from_0.json", "alphapose_from_10.json"):
        assert feet(cases, tmp_path / "out", "wham_late.pkl", keypoints) == 0
        bodies.append(load_body_motion(tmp_path / "out" / "body.npz"))
    assert [body.first_frame for body in bodies] == [10, 10]
    np.testing.assert_array_equal(bodies[0].rotations, bodies[1].rotations)
    times = np.loadtxt(tmp_path / "out" / "contacts.csv", delimiter=",", skiprows=1)[:, 0]
    np.testing.assert_allclose(times, np.arange(10, 100) / 30, atol=1e-6)


def test_a_stated_rate_is_not_overridden(cases: Path, tmp_path: Path, capsys) -> None:
    assert feet(cases, tmp_path / "out", "amass_120hz_1s.npz", "kp30_halpe.json") == 2
    said = capsys.readouterr().err
    assert (
        "amass_120hz_1s.npz states 120 frames per second, the keypoints 30" in said and "--resample" in said
    )
    assert not (tmp_path / "out" / "body.npz").exists()


def test_asked_for_the_motion_comes_to_the_keypoints_rate(cases: Path, tmp_path: Path) -> None:
    assert feet(cases, tmp_path / "out", "amass_120hz.npz", "kp30_halpe.json", "--resample") == 0
    body = load_body_motion(tmp_path / "out" / "body.npz")
    true = read_body(cases / "amass_120hz.npz").body
    assert body.fps == 30 and len(body.valid) == len(true.valid) // 4
    np.testing.assert_allclose(body.root_translation, true.root_translation[::4], atol=1e-5)
