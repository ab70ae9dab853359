"""Mocap records: families, canonical points, forms on disk, and what real clips must look like."""

import runpy
import sys
import tarfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift2to3.body import forward_kinematics
from lift2to3.contact import CONTACT_POINTS
from lift2to3.data.anatomy import FAMILIES, Family, find_family, place_points
from lift2to3.data.dataset import load_clips, write_dataset
from lift2to3.data.mocap import (
    WORLD_FROM_Y_UP,
    MocapClip,
    at_model_rate,
    clip_from_bvh,
    matrices_from_quaternions,
    quaternions_from_matrices,
    read_bvh_clip,
)
from lift2to3.data.packed import read_packed, write_packed
from lift2to3.formats.motions.bvh import Bvh
from lift2to3.skeletons import CANONICAL, INDEX, MIRROR

# name: (parent, offset in metres); the left half of a symmetric figure, the right one is its mirror image
_TRUNK = {
    "Hips": (None, (0, 0, 0)), "LowerBack": ("Hips", (0, 0, 0)), "Spine": ("LowerBack", (0, 0.115, 0)),
    "Spine1": ("Spine", (0, 0.115, 0)), "Neck": ("Spine1", (0, 0.116, 0)),
    "Neck1": ("Neck", (0, 0.1, 0)), "Head": ("Neck1", (0, 0.1, 0)),
}  # fmt: skip
_LEFT = {
    "LHipJoint": ("Hips", (0, 0, 0)), "LeftUpLeg": ("LHipJoint", (0.08, -0.1, 0)),
    "LeftLeg": ("LeftUpLeg", (0, -0.41, 0)), "LeftFoot": ("LeftLeg", (0, -0.42, 0)),
    "LeftToeBase": ("LeftFoot", (0, -0.03, 0.12)), "LeftShoulder": ("Spine1", (0, 0.116, 0)),
    "LeftArm": ("LeftShoulder", (0.19, 0.06, 0)), "LeftForeArm": ("LeftArm", (0.29, 0, 0)),
    "LeftHand": ("LeftForeArm", (0.2, 0, 0)), "LeftFingerBase": ("LeftHand", (0.1, 0, 0)),
    "LeftHandIndex1": ("LeftFingerBase", (0.04, 0, 0)),
}  # fmt: skip
_ENDS = {"Head": (0, 0.1, 0), "LeftToeBase": (0, 0, 0.065), "LeftHandIndex1": (0.03, 0, 0)}


def figure(turns: np.ndarray | None = None, fps: float = 30.0, frames: int = 40) -> Bvh:
    """A standing figure; ``turns`` (time, joints, 3, 3) poses it."""
    right = {flip(name): (flip(parent), (-x, y, z)) for name, (parent, (x, y, z)) in _LEFT.items()}
    table = {**_TRUNK, **_LEFT, **right}
    names = tuple(table)
    ends = {**_ENDS, **{flip(n): (-x, y, z) for n, (x, y, z) in _ENDS.items() if n.startswith("Left")}}
    if turns is None:
        turns = np.broadcast_to(np.eye(3), (frames, len(names), 3, 3)).copy()
    return Bvh(
        joint_names=names,
        parents=np.array([-1 if parent is None else names.index(parent) for parent, _ in table.values()]),
        rest_offsets=np.array([offset for _, offset in table.values()], dtype=float),
        end_parents=np.array([names.index(name) for name in ends]),
        end_offsets=np.array(list(ends.values()), dtype=float),
        rotations=turns,
        root_translation=np.tile([0.3, 0.98, -0.2], (len(turns), 1)),
        joint_translations=None,
        fps=fps,
    )


def flip(name: str) -> str:
    """The right joint of a left one."""
    if name.startswith("Left"):
        return "Right" + name.removeprefix("Left")
    return "R" + name[1:] if name == "LHipJoint" else name


def random_turns(seed: int, frames: int = 40, joints: int = 29) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(scale=0.03, size=(frames, joints, 3)).cumsum(axis=0)
    return Rotation.from_rotvec(steps.reshape(-1, 3)).as_matrix().reshape(frames, joints, 3, 3)


def test_the_world_is_reached_by_a_rotation_that_puts_y_up() -> None:
    assert np.linalg.det(WORLD_FROM_Y_UP) == 1.0
    np.testing.assert_array_equal(WORLD_FROM_Y_UP @ [0, 1, 0], [0, 0, 1])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_role_of_a_family_has_a_mirror_and_the_table_finds_itself(family: Family) -> None:
    for role in family.roles:
        if role.startswith("left_"):
            left, right = family.joint(role), family.joint(role.replace("left", "right"))
            assert left != right and {left, right} <= family.needed
    assert find_family(tuple(sorted(family.needed))) is family


def test_an_unknown_joint_name_is_named() -> None:
    names = [name.replace("LeftLeg", "LeftShank") for name in figure().joint_names]
    with pytest.raises(ValueError, match="does not know: LeftShank; joints missing: LeftLeg"):
        find_family(tuple(names))
    with pytest.raises(ValueError, match="does not know: Tail"):
        find_family((*figure().joint_names, "Tail"))


def test_a_standing_figure_has_its_points_where_a_person_has_them() -> None:
    clip = clip_from_bvh(figure(), "stand", "me")
    point = dict(zip(CANONICAL, clip.points_world[0], strict=True))
    left, forward = np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    for name in CANONICAL:
        if name.startswith("left_"):
            assert (point[name] - point[name.replace("left", "right")]) @ left > 0.05, name
    assert 0.09 < (point["nose"] - point["head"]) @ forward < 0.13
    assert 0.2 < (point["left_big_toe"] - point["left_heel"]) @ forward < 0.28
    assert (point["left_small_toe"] - point["left_big_toe"]) @ left > 0.05
    assert 1.68 < point["head_top"][2] < 1.80
    assert point["mid_hip"][2] < point["pelvis"][2] < point["spine1"][2] < point["spine2"][2]
    assert point["spine2"][2] < point["spine3"][2] < point["neck"][2] < point["head"][2] < point["nose"][2]
    for foot in ("heel", "big_toe", "small_toe"):
        assert -0.005 < point[f"left_{foot}"][2] < 0.03, foot
    assert clip.contacts.all()


def test_a_symmetric_figure_has_symmetric_points() -> None:
    points = clip_from_bvh(figure(), "stand", "me").points_world - [0.3, 0.2, 0.0]
    np.testing.assert_allclose(points[:, MIRROR] * [-1, 1, 1], points, atol=1e-6)


def test_points_ride_rigidly_and_joints_follow_forward_kinematics() -> None:
    clip = clip_from_bvh(figure(random_turns(0)), "move", "me")
    local = matrices_from_quaternions(clip.rotations)
    _, joints = forward_kinematics(clip.parents, clip.rest_offsets, local, clip.root_translation)
    row = {name: i for i, name in enumerate(clip.joint_names)}
    for point, joint in (("pelvis", "Hips"), ("left_wrist", "LeftFingerBase"), ("right_knee", "RightLeg")):
        np.testing.assert_allclose(clip.points_world[:, INDEX[point]], joints[:, row[joint]], atol=1e-5)
    pairs = (("nose", "head"), ("left_ear", "right_eye"), ("right_heel", "right_ankle"))
    for first, second in pairs:
        apart = clip.points_world[:, INDEX[first]] - clip.points_world[:, INDEX[second]]
        assert np.ptp(np.linalg.norm(apart, axis=1)) < 1e-5


def test_heels_are_fitted_to_the_floor_where_feet_stand() -> None:
    bvh = figure()
    raised = bvh._replace(root_translation=bvh.root_translation + [0.0, 0.01, 0.0])
    for source in (bvh, raised):
        heel = clip_from_bvh(source, "stand", "me").points_world[:, INDEX["left_heel"], 2]
        np.testing.assert_allclose(heel, 0.012, atol=1e-5)
    airborne = bvh._replace(root_translation=bvh.root_translation + [0.0, 0.5, 0.0])
    clip = clip_from_bvh(airborne, "jump", "me")
    down = clip.points_world[:, INDEX["left_ankle"], 2] - clip.points_world[:, INDEX["left_heel"], 2]
    np.testing.assert_allclose(down, 0.036, atol=1e-5)
    assert not clip.contacts.any()


def test_a_collapsed_thorax_is_warned_of_and_stretching_bones_refused() -> None:
    bvh = figure()
    thorax = [bvh.joint_names.index(name) for name in ("Neck", "LeftShoulder", "RightShoulder")]
    offsets = bvh.rest_offsets.copy()
    offsets[thorax] = 0.0
    with pytest.warns(UserWarning, match="short: Neck, LeftShoulder, RightShoulder have OFFSET 0 0 0"):
        clip_from_bvh(bvh._replace(rest_offsets=offsets), "short", "me")
    stretching = np.broadcast_to(bvh.rest_offsets, (40, *bvh.rest_offsets.shape)).copy()
    with pytest.raises(ValueError, match="position channels"):
        clip_from_bvh(bvh._replace(joint_translations=stretching), "stretch", "me")


def test_feet_are_an_example_where_contacts_are_and_nobody_climbs() -> None:
    clip = clip_from_bvh(figure(), "02_01", "02")
    assert clip.family == "cmu31" and clip.feet_trusted
    assert not clip._replace(uneven_floor=True).feet_trusted
    assert not clip._replace(subject="01").feet_trusted and clip._replace(subject="01").contacts_trusted
    assert clip._replace(subject="01", family="another source").feet_trusted


def test_quaternions_and_matrices_are_inverses_without_sign_jumps() -> None:
    turns = random_turns(1, frames=300)
    quaternions = quaternions_from_matrices(turns)
    np.testing.assert_allclose(matrices_from_quaternions(quaternions), turns, atol=1e-12)
    assert np.sum(quaternions[1:] * quaternions[:-1], axis=-1).min() > 0.9


@pytest.mark.parametrize(("fps", "frames"), [(120.0, 161), (60.0, 81), (24.0, 33), (30.0, 41), (25.0, 34)])
def test_resampling_a_steady_motion_gives_the_steady_motion(fps: float, frames: int) -> None:
    def motion(rate: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        time = np.arange(count) / rate
        half = 0.5 * time
        turn = np.stack([np.cos(half), 0 * time, np.sin(half), 0 * time], axis=-1)[:, None]
        return turn, np.stack([time, 2 * time, 0 * time], axis=-1)

    turn, root = at_model_rate(*motion(fps, frames), fps)
    wanted_turn, wanted_root = motion(30.0, len(root))
    assert len(root) == int((frames - 1) / fps * 30.0 + 1e-9) + 1
    np.testing.assert_allclose(turn, wanted_turn, atol=1e-6)
    np.testing.assert_allclose(root, wanted_root, atol=1e-12)


def some_clips(count: int = 5) -> list[MocapClip]:
    return [
        clip_from_bvh(
            figure(random_turns(seed, frames=20 + 7 * seed)), f"clip_{seed}", str(seed % 2), seed == 3
        )
        for seed in range(count)
    ]


def assert_same_clips(found: list[MocapClip], wanted: list[MocapClip], tolerance: float) -> None:
    assert sorted(clip.clip for clip in found) == sorted(clip.clip for clip in wanted)
    by_name = {clip.clip: clip for clip in found}
    for clip in wanted:
        for field, value in clip._asdict().items():
            other = getattr(by_name[clip.clip], field)
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                np.testing.assert_allclose(other, value, atol=tolerance, err_msg=field)
                assert other.dtype == value.dtype
            else:
                np.testing.assert_array_equal(other, value, err_msg=field)


@pytest.mark.parametrize("shards", [1, 2])
def test_packed_clips_come_back_within_a_tenth_of_a_millimetre(tmp_path: Path, shards: int) -> None:
    clips = some_clips()
    files = write_packed(tmp_path / "train", clips, shards)
    assert len(files) == shards
    assert_same_clips(load_clips(tmp_path, "train"), clips, 1e-4)
    assert_same_clips(load_clips(tmp_path / "train.npz"), clips, 1e-4)
    if shards == 2:
        files[0].unlink()
        with pytest.raises(ValueError, match="train-00000-of-00002.npz are missing"):
            load_clips(tmp_path, "train")


def test_files_that_are_no_clips_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", points=np.zeros(3))
    with pytest.raises(ValueError, match="no version"):
        read_packed([tmp_path / "other.npz"])
    with pytest.raises(ValueError, match=r"no val\.npz"):
        load_clips(tmp_path, "val")
    with pytest.raises(ValueError, match="needs split"):
        load_clips(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        load_clips(tmp_path / "nowhere", "val")
    with pytest.raises(ValueError, match="shards"):
        write_packed(tmp_path / "none", [])


def test_an_arrayrecord_data_set_is_written_and_read_without_tensorflow(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow_datasets")
    clips = some_clips(6)
    write_dataset(tmp_path, {"train": clips[:4], "val": clips[4:]})
    assert_same_clips(load_clips(tmp_path, "train"), clips[:4], 0.0)
    assert_same_clips(load_clips(tmp_path, "val"), clips[4:], 0.0)
    assert "tensorflow" not in sys.modules
    with pytest.raises(ValueError, match="Unknown split 'test'"):
        load_clips(tmp_path, "test")
    with pytest.raises(ValueError, match="there already"):
        write_dataset(tmp_path, {"train": clips})


def test_without_tensorflow_datasets_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    monkeypatch.delitem(sys.modules, "lift2to3.data.builder", raising=False)
    monkeypatch.delattr("lift2to3.data.builder", raising=False)
    with pytest.raises(ImportError, match=r"lift2to3\[data\]"):
        write_dataset(tmp_path, {"train": some_clips(1)})


@pytest.fixture(scope="module")
def real_files(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("val")
    with tarfile.open(shared_data / "cmu30" / "val.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_real_clips_stand_on_the_floor_and_look_ahead(real_files: Path) -> None:
    files = sorted(real_files.rglob("*.bvh"))[::4]
    clips = [read_bvh_clip(file) for file in files]
    assert {clip.family for clip in clips} == {"cmu31", "cmu43"}
    for family, tolerance in (("cmu31", 0.02), ("cmu43", 0.03)):  # retargeted feet fit less well
        points = np.concatenate([clip.points_world for clip in clips if clip.family == family])
        contacts = np.concatenate([clip.contacts for clip in clips if clip.family == family])
        at = {name: points[:, row] for name, row in INDEX.items()}
        for column, name in enumerate(CONTACT_POINTS):
            assert abs(np.median(at[name][contacts[:, column], 2])) < tolerance, (family, name)
        across = at["left_hip"] - at["right_hip"]
        forward = np.cross(across, at["neck"] - at["pelvis"])
        assert np.mean(np.sum((at["nose"] - at["head"]) * forward, axis=1) > 0) > 0.95
        assert np.mean(np.sum((at["left_ear"] - at["right_ear"]) * across, axis=1) > 0) > 0.95
        upright = at["neck"][:, 2] - at["pelvis"][:, 2] > 0.38
        standing = upright & (at["pelvis"][:, 2] > 0.88)
        assert 1.5 < np.median(at["head_top"][standing, 2]) < 1.85, family


@pytest.fixture(scope="module")
def prepare_mocap() -> SimpleNamespace:
    path = Path(__file__).parents[1] / "tools" / "prepare_mocap.py"
    return SimpleNamespace(**runpy.run_path(str(path)))


def test_the_tool_prepares_clips_and_says_what_it_dropped(
    prepare_mocap: SimpleNamespace, real_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    files = sorted(real_files.rglob("*.bvh"))[:3]
    for file in files:
        (folder / file.name).write_text(file.read_text())
    (folder / "broken.bvh").write_text(files[0].read_text()[:5000])
    (tmp_path / "manifest.csv").write_text(f"clip,subject,uneven_floor\n{files[0].stem},someone,1\n")
    config = prepare_mocap.PrepareConfig(
        input=(f"val={folder}",), packed=tmp_path / "packed", manifest=tmp_path / "manifest.csv"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prepare_mocap.main(config) == 0
    said = capsys.readouterr().out
    assert "dropped broken" in said and "line" in said
    clips = {clip.clip: clip for clip in load_clips(tmp_path / "packed", "val")}
    assert sorted(clips) == sorted(file.stem for file in files)
    assert clips[files[0].stem].subject == "someone" and clips[files[0].stem].uneven_floor
    assert not clips[files[1].stem].uneven_floor


def test_the_tool_fails_early_on_bad_arguments(prepare_mocap: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere to write"):
        prepare_mocap.main(prepare_mocap.PrepareConfig(input=(str(tmp_path),)))
    with pytest.raises(ValueError, match="no such file"):
        prepare_mocap.parse_inputs((f"val={tmp_path / 'absent'}",))
    with pytest.raises(ValueError, match="twice"):
        prepare_mocap.parse_inputs((f"val={tmp_path}", f"val={tmp_path}"))


def test_place_points_knows_every_canonical_point() -> None:
    placement = place_points(figure(), FAMILIES[0])
    assert placement.rows.shape == (len(CANONICAL),)
    assert np.isfinite(placement.offsets).all()
    np.testing.assert_allclose(placement.scale, 1.0)
