"""The border: what comes in is checked and put in one form, what goes out survives a file."""

import pickle

import numpy as np
import pytest
from moving_body import moving_body, moving_points

from lift2to3 import Camera, guarded_files
from lift2to3.array_files import array_names, load_arrays
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.keypoints import Keypoints, as_keypoints, without_far_outside
from lift2to3.motion import BodyMotion, Motion, check_belongs, load_body_motion, load_motion, motion_hash
from lift2to3.skeletons import CANONICAL, INDEX, SKELETONS, Skeleton


def clip(frames: int = 5, joints: int = 17) -> np.ndarray:
    return np.random.default_rng(0).uniform(100, 900, (frames, joints, 2))


def motion(frames: int = 4) -> Motion:
    draw = np.random.default_rng(1)
    joints = draw.normal(size=(frames, len(CANONICAL), 3)).astype(np.float32)
    valid = draw.random((frames, len(CANONICAL))) > 0.2
    joints[~valid] = np.nan
    return Motion(joints, CANONICAL, 59.94, valid, np.abs(joints[..., 0]) / 100)


# --- keypoints in


def test_keypoints_keep_what_was_seen():
    xy = clip()
    keypoints = as_keypoints(xy.tolist(), fps=25)
    np.testing.assert_array_equal(keypoints.xy_px, xy)
    assert (keypoints.confidence == 1).all()
    assert keypoints.skeleton is SKELETONS["coco17"]
    assert keypoints.fps == 25.0


def test_missing_is_one_thing_however_it_was_written():
    xy, confidence = clip(), np.full((5, 17), 0.5)
    xy[0, 0] = np.nan
    xy[1, 1, 0] = np.inf
    confidence[2, 2] = 0
    confidence[3, 3] = np.nan
    keypoints = as_keypoints(xy, confidence)
    for frame in range(4):
        assert np.isnan(keypoints.xy_px[frame, frame]).all()
        assert keypoints.confidence[frame, frame] == 0
    assert np.isfinite(keypoints.xy_px).all(-1).sum() == 5 * 17 - 4


@pytest.mark.parametrize("nowhere", [(0, 0), (-1, -1), (65535, 65535), (40, 65535), (np.nan, 3), (np.inf, 3)])
@pytest.mark.parametrize("confidence", [None, 1.0, 0.01])
def test_what_detectors_write_for_a_missed_joint_is_missing(nowhere, confidence):
    xy = clip()
    xy[2, 5] = nowhere
    seen = as_keypoints(xy, None if confidence is None else np.full((5, 17), confidence))
    assert np.isnan(seen.xy_px[2, 5]).all() and seen.confidence[2, 5] == 0
    assert np.count_nonzero(seen.confidence) == 5 * 17 - 1


@pytest.mark.parametrize("edge", [(0, 40), (40, 0), (-1, 40), (-3, -3)])
def test_a_joint_at_the_picture_s_edge_is_seen(edge):
    xy = clip()
    xy[2, 5] = edge
    np.testing.assert_array_equal(as_keypoints(xy).xy_px[2, 5], edge)


def test_frames_are_found_by_their_numbers():
    xy = clip()
    seen = as_keypoints(xy, first_frame=10)
    found = seen.at(np.arange(8, 13))
    assert (found.first_frame, len(found.xy_px)) == (8, 5)
    assert np.isnan(found.xy_px[:2]).all() and not found.confidence[:2].any()
    np.testing.assert_array_equal(found.xy_px[2:], xy[:3])
    np.testing.assert_array_equal(seen.at(np.arange(12, 15)).xy_px, xy[2:])
    with pytest.raises(ValueError, match="wanted consecutive numbers"):
        seen.at([3, 5])


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_the_first_frame_s_number_is_kept(tmp_path, ending):
    seen = as_keypoints(clip(), first_frame=10)
    assert read_keypoints(seen.save(tmp_path / f"a{ending}")).first_frame == 10
    assert load_motion(motion()._replace(first_frame=10).save(tmp_path / "b.npz")).first_frame == 10
    np.testing.assert_allclose(motion()._replace(first_frame=10).times_s, np.arange(10, 14) / 59.94)


SIZE = (1920, 1080)


@pytest.mark.parametrize("place", [(-600, 300), (300, -481), (2500, 300), (300, 1600), (-9999, -9999)])
def test_joints_far_outside_the_picture_are_missing_aloud(place):
    xy = clip()
    xy[1:3, 5] = place
    with pytest.warns(UserWarning, match="outside the 1920×1080 picture .* missing: left_shoulder in 40 %"):
        left = without_far_outside(as_keypoints(xy), SIZE)
    assert np.isnan(left.xy_px[1:3, 5]).all() and np.count_nonzero(left.confidence == 0) == 2
    np.testing.assert_array_equal(left.xy_px[3:], xy[3:])


def test_joints_a_little_outside_stay_and_so_does_a_picture_of_another_size():
    xy = clip()
    xy[1, 5], xy[2, 5] = (-300, 300), (300, 1300)
    seen = as_keypoints(xy)
    assert without_far_outside(seen, SIZE) is seen
    elsewhere = as_keypoints(xy + 4000)
    assert without_far_outside(elsewhere, SIZE) is elsewhere


def test_the_caller_keeps_his_arrays():
    xy, confidence = clip(), np.ones((5, 17))
    confidence[0, 0] = 0
    before = xy.copy()
    as_keypoints(xy, confidence)
    np.testing.assert_array_equal(xy, before)


def test_a_format_of_ones_own():
    own = Skeleton("mine", ("a", "b"), ("nose", None))
    assert as_keypoints(clip(3, 2), skeleton=own).skeleton is own


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"xy": np.ones((17, 2))}, r"wanted \(time, joints, 2\) pixels, found \(17, 2\)"),
        ({"xy": np.ones((5, 17, 3))}, r"found \(5, 17, 3\); pass xy\[\.\.\., :2\] and confidence"),
        ({"xy": clip(5, 25)}, "25 joints, skeleton 'coco17' has 17; with 25 joints: body25, body25b"),
        ({"xy": clip(5, 18)}, "no built-in format fits: pass lift2to3.load_skeleton"),
        ({"xy": clip(), "skeleton": "coco"}, "unknown skeleton 'coco'"),
        ({"xy": clip(1)}, "2 frames or more, found 1"),
        ({"xy": clip(0)}, "2 frames or more, found 0"),
        ({"xy": clip(), "fps": 0}, "fps is 0; wanted 1 to 1,000 frames per second"),
        ({"xy": clip(), "fps": -30.0}, "fps is -30"),
        ({"xy": clip(), "fps": float("nan")}, "fps is nan"),
        ({"xy": clip(), "confidence": np.ones(17)}, r"wanted \(5, 17\) like the keypoints, found \(17,\)"),
        ({"xy": clip(), "confidence": np.full((5, 17), 87.0)}, "wanted 0–1, found 87 to 87"),
        ({"xy": clip(), "confidence": np.full((5, 17), -1.0)}, "wanted 0–1, found -1"),
        ({"xy": np.full((5, 17, 2), np.nan)}, "every joint of every frame is missing"),
        ({"xy": clip(), "confidence": np.zeros((5, 17))}, "every joint of every frame is missing"),
        ({"xy": clip() / 1000}, "look normalised to 0–1; wanted pixels"),
    ],
)
def test_bad_keypoints_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        as_keypoints(**arguments)


# --- motion out


@pytest.mark.parametrize("name", SKELETONS)
def test_as_skeleton_reorders_by_meaning(name):
    lifted, skeleton = motion(), SKELETONS[name]
    out = lifted.as_skeleton(name)
    assert out.shape == (4, len(skeleton.joints), 3)
    for joint, meaning in enumerate(skeleton.canonical):
        expected = np.full((4, 3), np.nan) if meaning is None else lifted.joints_world[:, INDEX[meaning]]
        np.testing.assert_array_equal(out[:, joint], expected)


def test_save_and_load_are_inverses(tmp_path):
    before = motion()
    path = before.save(tmp_path / "deep" / "motion.npz")
    after = load_motion(path)
    assert after.joint_names == before.joint_names
    assert after.fps == before.fps
    for field in ("joints_world", "valid", "spread"):
        np.testing.assert_array_equal(getattr(after, field), getattr(before, field))
        assert getattr(after, field).dtype == getattr(before, field).dtype


def test_the_file_names_its_fields_and_leaves_no_litter(tmp_path):
    path = motion().save(tmp_path / "walk.take2")
    assert path == tmp_path / "walk.take2.npz"
    assert list(tmp_path.iterdir()) == [path]
    arrays = load_arrays(path)
    assert set(arrays) == {
        "joints_world", "joint_names", "fps", "valid", "spread", "warnings", "refined", "frame",
    }  # fmt: skip
    assert str(arrays["frame"]) == "world, z up, metres"


def test_warnings_are_kept_and_older_files_have_none(tmp_path):
    said = ("4 joints are never seen", "the camera looks down: √2")
    assert load_motion(motion()._replace(warnings=said).save(tmp_path / "new")).warnings == said
    fields = {
        key: value for key, value in motion()._asdict().items() if key not in ("warnings", "refined", "body")
    }
    np.savez(tmp_path / "old.npz", **fields)
    assert load_motion(tmp_path / "old.npz").warnings == ()


def test_a_failed_save_leaves_the_older_file(tmp_path):
    path = motion().save(tmp_path / "motion")
    broken = motion()._replace(joint_names=(object(),))
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        broken.save(path)
    assert list(tmp_path.iterdir()) == [path]
    load_motion(path)


# --- a body and its motion


def test_a_body_comes_back_and_older_files_name_no_motion(tmp_path):
    before = moving_body(20)._replace(points_hash=motion_hash(motion()))
    after = load_body_motion(before.save(tmp_path / "body"))
    for field in BodyMotion._fields:
        np.testing.assert_array_equal(getattr(after, field), getattr(before, field))
    fields = {key: value for key, value in before._asdict().items() if key != "points_hash"}
    np.savez(tmp_path / "old.npz", **fields)
    assert load_body_motion(tmp_path / "old.npz").points_hash == ""


def test_the_hash_is_that_of_points_and_rate_and_survives_a_file(tmp_path):
    points = motion()
    of_points = motion_hash(points)
    assert of_points == motion_hash(load_motion(points.save(tmp_path / "motion")))
    assert of_points == motion_hash(points._replace(spread=points.spread + 1, warnings=("told",)))
    moved = points.joints_world.copy()
    moved[2, 3, 1] = np.nextafter(moved[2, 3, 1], np.float32(9))
    moved = np.where(np.isnan(moved), np.float32(0), moved)
    others = points._replace(joints_world=moved), points._replace(fps=60.0)
    assert len({of_points, *map(motion_hash, others)}) == 3


def test_a_body_belongs_to_its_motion_alone():
    points = moving_points(60)
    body = moving_body(60)
    check_belongs(body, points)  # of another origin: length and rate must do
    body = body._replace(points_hash=motion_hash(points))
    check_belongs(body, points)
    for other, message in (
        (moving_points(61), "has 60 frames, the motion 61; wanted the body of this very motion: keep"),
        (moving_points(60, 25.0), "has 30 frames per second, the motion 25"),
        (moving_points(60, seed=1), f"found for the points {body.points_hash}, the motion's are "),
    ):
        with pytest.raises(ValueError, match=message):
            check_belongs(body, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"valid": None}, "no valid; wanted the keys root_translation, rotations, .*, valid, found"),
        ({"rotations": np.zeros((20, 24, 3, 3))}, r"rotations is \(20, 24, 3, 3\), wanted \(20, 22, 3, 3\)"),
        ({"rotations": np.zeros((20, 22, 3, 3))}, "the matrix of pelvis in frame 0 is not a rotation"),
        ({"rest_offsets": np.full((38, 3), np.nan)}, "rest offset of pelvis is not finite"),
        ({"root_translation": np.array(0.0)}, r"root_translation is \(\), wanted \(0, 3\)"),
        ({"root_translation": np.full((20, 3), "a")}, "root_translation holds <U1, wanted numbers"),
        ({"fps": "fast"}, "fps is fast; wanted 1 to 1,000 frames per second"),
        ({"fps": np.inf}, "fps is inf; wanted"),
    ],
)
def test_a_body_file_with_wrong_fields_is_refused(tmp_path, change, message):
    fields = moving_body(20)._asdict() | change
    np.savez(tmp_path / "body.npz", **{key: value for key, value in fields.items() if value is not None})
    with pytest.raises(ValueError, match=rf"body\.npz: {message}"):
        load_body_motion(tmp_path / "body.npz")


# --- what a notebook shows


def test_records_print_one_line():
    seen = as_keypoints(clip(180), np.where(np.arange(17) < 2, 0.0, 1.0) * np.ones((180, 1)), fps=30)
    R = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    K = [[960, 0, 960], [0, 960, 540], [0, 0, 1]]
    for record, line in (
        (seen, "Keypoints(180 frames, 6.0 s at 30 fps, coco17, 12 % missing)"),
        (motion(180), "Motion(180 frames, 3.0 s at 59.94 fps, 38 points)"),
        (
            motion()._replace(warnings=("a", "b", "c")),
            "Motion(4 frames, 0.1 s at 59.94 fps, 38 points, 3 warnings)",
        ),
        (moving_body(180), "BodyMotion(180 frames, 6.0 s at 30 fps)"),
        (
            Camera(K, R, [0, 1.6, 4], (1920, 1080)),
            "Camera(1920x1080, 1.6 m over the floor, looking 0° down, 90° wide)",
        ),
        (
            Camera(K, R, [0, 1.6, 4], (1920, 1080), [0.1, 0, 0, 0]),
            "Camera(1920x1080, 1.6 m over the floor, looking 0° down, 90° wide, distorted)",
        ),
    ):
        assert repr(record) == line


def test_what_is_not_yet_checked_prints_too():
    assert repr(motion()._replace(fps=0.0)) == "Motion(4 frames, nan s at 0 fps, 38 points)"
    nothing = np.zeros(())
    assert (
        repr(BodyMotion(nothing, nothing, nothing, 30.0, nothing)) == "BodyMotion(0 frames, 0.0 s at 30 fps)"
    )
    empty = Keypoints(np.zeros((0, 17, 2)), np.ones((0, 17)), SKELETONS["coco17"], 30.0)
    assert repr(empty) == "Keypoints(0 frames, 0.0 s at 30 fps, coco17, 0 % missing)"


# --- files that are not what they should be


def test_only_what_is_asked_for_is_read_and_no_more_than_allowed(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez(path, small=np.ones(3), table=np.array([{"runs": "code"}], dtype=object))
    assert list(load_arrays(path, only=("small", "absent"))) == ["small"]
    assert sorted(array_names(path)) == ["small", "table"]
    with pytest.raises(ValueError, match="no absent; wanted the keys absent, found small, table"):
        load_arrays(path, needed=("absent",), only=("small",))
    monkeypatch.setattr(guarded_files, "most_unpacked", lambda file_bytes: 100)
    with pytest.raises(ValueError, match="unpacks to .* GB from .* bytes; wanted at most"):
        load_arrays(path, only=("small",))
    assert array_names(tmp_path.joinpath("b").write_bytes(b"hello") and tmp_path / "b") == []


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, joints_world=np.array([{"runs": "code"}], dtype=object))
    with pytest.raises(ValueError, match=r"objects\.npz: it holds pickled Python objects"):
        load_arrays(path)
    path.write_bytes(pickle.dumps({"joints_world": 1}))
    with pytest.raises(ValueError, match="it holds pickled Python objects"):
        load_arrays(path)


def test_other_files_are_named_for_what_they_are(tmp_path):
    path = tmp_path / "a.npz"
    for content, message in ((b"", "not an npz"), (b"hello", "not an npz"), (b"PK\x03\x04junk", "damaged")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_arrays(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"a bare \.npy array"):
        load_arrays(path)
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "absent.npz")


def test_a_truncated_file_is_refused(tmp_path):
    path = motion().save(tmp_path / "motion")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="a damaged npz"):
        load_motion(path)


def test_a_bit_flip_is_refused(tmp_path):
    path = motion(50).save(tmp_path / "motion")
    content = bytearray(path.read_bytes())
    content[400] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a damaged npz"):
        load_motion(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": None}, "no fps; wanted the keys joints_world, joint_names, fps, valid, spread, found"),
        ({"joint_names": CANONICAL[:3]}, "with 3 joint names; wanted"),
        ({"joints_world": np.zeros((4, 38))}, r"joints_world is \(4, 38\)"),
        ({"valid": np.ones((3, 38), bool)}, r"valid \(3, 38\) and spread \(4, 38\) must be \(4, 38\)"),
        ({"fps": np.zeros(2)}, r"fps is \[0.0, 0.0\]; wanted 1 to 1,000 frames per second"),
        ({"fps": -1.0}, r"fps is -1.0; wanted 1 to 1,000 frames per second"),
    ],
)
def test_a_motion_file_with_wrong_fields_is_refused(tmp_path, change, message):
    fields = motion()._asdict() | change
    path = tmp_path / "motion.npz"
    np.savez(path, **{key: value for key, value in fields.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        load_motion(path)
