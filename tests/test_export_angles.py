"""Angles out: the .mot's definitions one joint at a time, and SMPL's npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from moving_body import differences, moving_body, posed, resting_body
from scipy.spatial.transform import Rotation
from written_files import read_mot

from lift2to3.body import BODY_JOINTS
from lift2to3.formats.motions.amass import PELVIS_AT_REST_M, read_smpl_npz, write_smpl_npz
from lift2to3.formats.motions.mot import joint_angles, write_mot
from lift2to3.motion import BodyMotion, load_arrays

LEFT_ARM_DOWN = Rotation.from_euler("z", -90, degrees=True)
RIGHT_ARM_DOWN = Rotation.from_euler("z", 90, degrees=True)


def turn(axis: str, degrees: float) -> Rotation:
    """About one of the body's axes: x left, y up, z forward."""
    return Rotation.from_euler(axis, degrees, degrees=True)


def angles_of(**turned: Rotation) -> dict[str, float]:
    """Columns of a body at rest, arms hanging, but for these joints (turned after the arms' hanging)."""
    joints = {"left_shoulder": LEFT_ARM_DOWN, "right_shoulder": RIGHT_ARM_DOWN}
    for name, rotation in turned.items():
        joints[name] = rotation * joints[name] if name in joints else rotation
    found = joint_angles(resting_body(**joints))
    return dict(zip(found.names, found.values[0], strict=True))


def test_everything_is_zero_where_the_arms_hang_but_the_place_and_the_heading() -> None:
    angles = angles_of()
    assert angles.pop("pelvis_ty") == pytest.approx(0.95)
    assert angles.pop("pelvis_rotation") == pytest.approx(-90)  # at rest it faces our -y, OpenSim's z
    np.testing.assert_allclose(list(angles.values()), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("joint", "rotation", "column", "value"),
    [
        ("right_hip", turn("x", -30), "hip_flexion_r", 30),  # the thigh swings forward
        ("left_hip", turn("x", -30), "hip_flexion_l", 30),
        ("right_hip", turn("z", -20), "hip_adduction_r", -20),  # ... out to its side
        ("left_hip", turn("z", -20), "hip_adduction_l", 20),
        ("right_hip", turn("y", 15), "hip_rotation_r", 15),  # toes inwards
        ("left_hip", turn("y", -15), "hip_rotation_l", 15),
        ("right_knee", turn("x", 60), "knee_angle_r", 60),
        ("left_knee", turn("x", 60), "knee_angle_l", 60),
        ("right_ankle", turn("x", -12), "ankle_angle_r", 12),  # toes up
        ("left_ankle", turn("x", -12), "ankle_angle_l", 12),
        ("right_ankle", turn("z", 8), "subtalar_angle_r", 8),  # the sole looks to the middle
        ("left_ankle", turn("z", -8), "subtalar_angle_l", 8),
        ("left_foot", turn("x", -25), "mtp_angle_l", 25),
        ("spine2", turn("x", 10), "lumbar_extension", -10),  # leaning forward
        ("spine1", turn("y", 10), "lumbar_rotation", 10),  # to the left
        ("spine3", turn("z", 10), "lumbar_bending", 10),  # to the right
        ("neck", turn("x", 10), "neck_extension", -10),
        ("right_shoulder", turn("x", -40), "arm_flex_r", 40),
        ("left_shoulder", turn("x", -40), "arm_flex_l", 40),
        ("right_shoulder", turn("z", -30), "arm_add_r", -30),  # abducted: back towards the T-pose
        ("left_shoulder", turn("z", 30), "arm_add_l", -30),
        ("right_elbow", turn("y", 90), "elbow_flex_r", 90),  # in the T-pose the forearm comes forward
        ("left_elbow", turn("y", -90), "elbow_flex_l", 90),
        ("right_elbow", turn("x", 20), "pro_sup_r", 20),
        ("left_elbow", turn("x", 20), "pro_sup_l", 20),
        ("right_wrist", turn("z", 25), "wrist_flex_r", 25),  # in the T-pose the palm looks down
        ("left_wrist", turn("z", -25), "wrist_flex_l", 25),
    ],
)  # fmt: skip
def test_one_joint_turns_one_column(joint: str, rotation: Rotation, column: str, value: float) -> None:
    before, after = angles_of(), angles_of(**{joint: rotation})
    changed = {name: after[name] - before[name] for name in after if abs(after[name] - before[name]) > 1e-6}
    assert changed.pop(column) == pytest.approx(value)
    assert not changed


def test_a_pelvis_that_faces_x_has_rotation_zero_and_tilts_about_its_own_sides() -> None:
    body = resting_body()
    facing_x = Rotation.from_euler("z", 90, degrees=True).as_matrix() @ body.rotations[:, 0]
    for bent, column, value in (
        (turn("x", 10), "pelvis_tilt", -10),  # the top leans forward
        (turn("z", 10), "pelvis_list", 10),  # to the right
        (turn("y", 10), "pelvis_rotation", 10),  # to the left
    ):
        turns = body.rotations.copy()
        turns[:, 0] = facing_x @ bent.as_matrix()
        found = joint_angles(body._replace(rotations=turns))
        pelvis = dict(zip(found.names[:3], found.values[0, :3], strict=True))
        assert pelvis.pop(column) == pytest.approx(value)
        np.testing.assert_allclose(list(pelvis.values()), 0, atol=1e-9)


def test_a_mot_comes_back_as_it_was_and_without_jumps(tmp_path: Path) -> None:
    body = moving_body(200, 59.94, turns_rad=0.6)
    wanted, back = joint_angles(body), read_mot(write_mot(tmp_path / "clip.mot", body))
    assert list(back.columns) == ["time", *wanted.names]
    values = back.to_numpy()
    np.testing.assert_allclose(values[:, 1:], wanted.values, atol=1e-6)
    np.testing.assert_allclose(values[:, 0], np.arange(200) / 59.94, atol=1e-8)
    assert np.abs(np.diff(values[:, 1:], axis=0)).max() < 90


def test_hip_angles_hold_the_whole_rotation() -> None:
    """The model's order about z, x, y in OpenSim's axes gives back the joint's matrix."""
    body = moving_body(40)
    found = joint_angles(body)
    columns = [found.names.index(f"hip_{name}_r") for name in ("flexion", "adduction", "rotation")]
    local = Rotation.from_euler("ZXY", found.values[:, columns], degrees=True).as_matrix()
    axes = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    back = axes.T @ local @ axes
    np.testing.assert_allclose(back, body.rotations[:, BODY_JOINTS.index("right_hip")], atol=1e-6)


# --- SMPL's npz


@pytest.mark.parametrize(("model", "numbers"), [("smplh", 156), ("smpl", 72)])
def test_an_npz_comes_back_as_it_was(tmp_path: Path, model, numbers: int) -> None:
    body = moving_body(fps=59.94, turns_rad=1.5)
    path = write_smpl_npz(tmp_path / "clip.npz", body, model)
    fields = load_arrays(path)
    assert fields["poses"].shape == (120, numbers)
    assert fields["trans"].shape == (120, 3)
    assert not fields["betas"].any() and not fields["poses"][:, 66:].any()
    assert (str(fields["gender"]), float(fields["mocap_framerate"])) == ("neutral", 59.94)
    back = read_smpl_npz(path)
    millimetres, degrees = differences(body, back, points=38)
    assert millimetres < 0.01
    assert degrees < 1e-3
    assert back.fps == 59.94
    np.testing.assert_array_equal(back.valid, body.valid)


def test_smpl_itself_would_put_the_pelvis_where_it_is(tmp_path: Path) -> None:
    """SMPL turns its template about joint 0, then adds trans: joint 0 itself only moves."""
    body = moving_body()
    fields = load_arrays(write_smpl_npz(tmp_path / "clip.npz", body))
    pelvis = np.array(PELVIS_AT_REST_M) + fields["trans"]
    np.testing.assert_allclose(pelvis, posed(body)[1][:, 0], atol=1e-6)
    knee = Rotation.from_rotvec(fields["poses"][:, 12:15]).as_matrix()
    np.testing.assert_allclose(knee, body.rotations[:, 4], atol=1e-5)


def test_an_npz_of_others_is_refused_with_the_keys_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    np.savez(path, trans=np.zeros((4, 3)), poses=np.zeros((4, 156)), mocap_framerate=30.0)
    with pytest.raises(ValueError, match="no pelvis_at_rest, rest_offsets, valid"):
        read_smpl_npz(path)
    fields = load_arrays(write_smpl_npz(path, moving_body(20)))
    for key, value, message in (
        ("poses", fields["poses"][:, :66], r"poses is \(20, 66\); wanted \(time, 156\)"),
        ("trans", fields["trans"][1:], r"trans is \(19, 3\)"),
        ("trans", fields["trans"] * np.nan, "trans is not finite"),
    ):
        np.savez(path, **{**fields, key: value})
        with pytest.raises(ValueError, match=message):
            read_smpl_npz(path)


@pytest.mark.parametrize("write", [write_mot, write_smpl_npz])
def test_a_body_that_cannot_be_written_is_refused(tmp_path: Path, write) -> None:
    body: BodyMotion = moving_body(20)
    offsets = body.rest_offsets.copy()
    offsets[5] = 0
    with pytest.raises(ValueError, match="bones without length: right_hip to right_knee"):
        write(tmp_path / "clip", body._replace(rest_offsets=offsets))
    assert not list(tmp_path.iterdir())
