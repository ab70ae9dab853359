"""Every format's joints stand in the published order, written out here a second time."""

import json
from pathlib import Path

import numpy as np
import pytest

from lift2to3.skeletons import (
    BONES,
    CANONICAL,
    INDEX,
    MIRROR,
    PARENTS,
    SKELETONS,
    TREE_ORDER,
    Skeleton,
    get_skeleton,
    load_skeleton,
    mirror_name,
)

COCO = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
FEET = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
SMPL = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot "
    "right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist"
)
# Joint names as the formats' own documents list them, in index order.
PUBLISHED = {
    "coco17": COCO,
    "coco_wholebody23": f"{COCO} {FEET}",
    "halpe26": (
        f"{COCO} head neck mid_hip left_big_toe right_big_toe left_small_toe right_small_toe "
        "left_heel right_heel"
    ),
    "body25": (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip "
        "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye "
        f"right_ear left_ear {FEET}"
    ),
    "body25b": f"{COCO} neck head {FEET}",
    "h36m17": (
        "hip right_hip right_knee right_foot left_hip left_knee left_foot spine thorax nose head "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
    ),
    "mediapipe33": (
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
        "right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
        "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
    ),
    "smpl22": SMPL,
    "smpl24": f"{SMPL} left_hand right_hand",
}
# Where a format's own name means another canonical point.
MEANS = {
    ("halpe26", "head"): "head_top",
    ("halpe26", "neck"): "mid_shoulder",
    ("body25", "neck"): "mid_shoulder",
    ("body25b", "head"): "head_top",
    ("h36m17", "hip"): "mid_hip",
    ("h36m17", "left_foot"): "left_ankle",
    ("h36m17", "right_foot"): "right_ankle",
    ("h36m17", "spine"): "spine2",
    ("h36m17", "thorax"): "mid_shoulder",
    ("h36m17", "head"): "head_top",
    ("mediapipe33", "left_foot_index"): "left_big_toe",
    ("mediapipe33", "right_foot_index"): "right_big_toe",
}


def test_every_published_format_is_known():
    assert set(SKELETONS) == {*PUBLISHED, "canonical"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_joints_stand_in_published_order(name):
    assert SKELETONS[name].joints == tuple(PUBLISHED[name].split())


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_joint_means_the_right_canonical_point(name):
    skeleton = SKELETONS[name]
    for joint, meaning in zip(skeleton.joints, skeleton.canonical, strict=True):
        expected = MEANS.get((name, joint), joint if joint in INDEX else None)
        assert meaning == expected, joint


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("canonical", 38), ("coco17", 17), ("coco_wholebody23", 23), ("halpe26", 26), ("body25", 25),
        ("body25b", 25), ("h36m17", 17), ("mediapipe33", 33), ("smpl22", 22), ("smpl24", 24),
    ],
)  # fmt: skip
def test_counts(name, count):
    skeleton = SKELETONS[name]
    assert len(skeleton.joints) == len(skeleton.canonical) == len(skeleton.rows) == count
    assert skeleton.present.sum() == (skeleton.rows >= 0).sum()


@pytest.mark.parametrize("name", SKELETONS)
def test_mirror_is_an_involution_that_swaps_sides(name):
    skeleton = SKELETONS[name]
    mirror = skeleton.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(mirror)))
    for joint, other in enumerate(mirror):
        assert skeleton.joints[other] == mirror_name(skeleton.joints[joint])


def test_canonical_mirror_keeps_the_tree():
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(len(CANONICAL)))
    for row, parent in enumerate(PARENTS):
        mirrored_parent = -1 if parent < 0 else MIRROR[parent]
        assert PARENTS[MIRROR[row]] == mirrored_parent


def test_tree_has_one_root_and_parents_come_first_in_tree_order():
    assert [CANONICAL[row] for row in np.flatnonzero(PARENTS < 0)] == ["pelvis"]
    assert sorted(TREE_ORDER) == list(range(len(CANONICAL)))
    placed = {-1}
    for row in TREE_ORDER:
        assert PARENTS[row] in placed
        placed.add(row)
    assert len(BONES) == len(CANONICAL) - 1


def test_smpl_rows_are_the_first_canonical_rows():
    np.testing.assert_array_equal(SKELETONS["smpl22"].rows, np.arange(22))


def test_get_skeleton_takes_a_name_or_a_skeleton():
    assert get_skeleton("coco17") is SKELETONS["coco17"]
    own = Skeleton("mine", ("nose",), ("nose",))
    assert get_skeleton(own) is own
    with pytest.raises(ValueError, match="unknown skeleton 'coco18'; known: canonical, smpl22"):
        get_skeleton("coco18")


def write_table(folder: Path, joints: object) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps({"name": "mine", "joints": joints}))
    return path


def test_own_format_from_json(tmp_path):
    joints = [
        {"name": "hip_l", "canonical": "left_hip"},
        {"name": "nose"},
        {"name": "stick", "canonical": None},
        {"name": "hip_r", "canonical": "right_hip"},
    ]
    skeleton = load_skeleton(write_table(tmp_path, joints))
    assert skeleton.name == "mine"
    assert skeleton.joints == ("hip_l", "nose", "stick", "hip_r")
    assert skeleton.canonical == ("left_hip", "nose", None, "right_hip")
    np.testing.assert_array_equal(skeleton.mirror, [3, 1, 2, 0])
    assert skeleton.present.sum() == 3


def test_a_one_sided_format_says_that_it_has_no_mirror(tmp_path):
    skeleton = load_skeleton(write_table(tmp_path, [{"name": "left_knee"}, {"name": "nose"}]))
    with pytest.raises(ValueError, match="cannot be mirrored: left_knee has no twin"):
        _ = skeleton.mirror


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (
            [{"name": "knee_l", "canonical": "left_kneecap"}, {"name": "x"}],
            "'left_kneecap', 'x' not canonical",
        ),
        ([{"name": "knee_l", "canonical": ["left_knee"]}], "not canonical"),
        ([{"name": "nose"}, {"name": "nose", "canonical": None}], "joint nose stands there more than once"),
        ([{"name": "a", "canonical": "nose"}, {"name": "nose"}], "canonical point nose stands there more"),
        ([{"canonical": "nose"}], "not a skeleton table"),
        (["nose"], "not a skeleton table"),
        (None, "not a skeleton table"),
        ([], "no joints"),
    ],
)
def test_bad_tables_are_refused(tmp_path, joints, message):
    with pytest.raises(ValueError, match=message):
        load_skeleton(write_table(tmp_path, joints))


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[1, 2]", b"3"])
def test_files_that_are_no_tables_are_refused(tmp_path, content):
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.json: not a skeleton table"):
        load_skeleton(path)
