"""BVH out: what comes back is what went in, the rest pose and the angles are those that programs expect."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_body import differences, moving_body, posed, resting_body
from scipy.spatial.transform import Rotation
from written_files import read_bvh as read_posed

from lift2to3.body import BODY_JOINTS, forward_kinematics
from lift2to3.formats.motions import bvh as bvh_module
from lift2to3.formats.motions.bvh import read_bvh, write_bvh
from lift2to3.formats.motions.euler import euler_degrees
from lift2to3.formats.motions.file_axes import TIPS
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import INDEX

RATES = [24.0, 25.0, 29.97, 30000 / 1001, 30.0, 50.0, 59.94, 60000 / 1001, 60.0, 120.0, 240.0]
ORDERS = ["".join(order) for order in itertools.permutations("XYZ")]


@pytest.mark.parametrize("metres_per_unit", [1.0, 0.01])
@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_bvh_comes_back_as_it_was(tmp_path: Path, up, order: str, metres_per_unit: float) -> None:
    body = moving_body(turns_rad=1.5)
    path = write_bvh(tmp_path / "clip.bvh", body, up, metres_per_unit, order)
    back = read_posed(path, up, metres_per_unit)
    millimetres, degrees = differences(body, back)
    assert millimetres < 0.01
    assert degrees < 1e-4
    for point in ("head_top", "left_big_toe", "right_hand"):
        np.testing.assert_allclose(back.points[:, INDEX[point]], posed(body)[1][:, INDEX[point]], atol=1e-5)


@pytest.mark.parametrize("fps", RATES)
def test_rates_come_back_frame_for_frame(tmp_path: Path, fps: float) -> None:
    body = moving_body(50, fps)
    back = read_bvh(write_bvh(tmp_path / "clip.bvh", body))
    assert back.fps == fps
    assert len(back.rotations) == 50


@pytest.mark.parametrize(
    ("spelled", "fps"),
    [
        ("0.0333333", 30), ("0.033333", 30), ("0.0333", 30), (".0083333", 120), ("8.33333e-3", 120),
        ("0.0416667", 24), ("0.04", 25), ("0.033367", 30000 / 1001), ("0.0333667", 30000 / 1001),
        ("0.01668", 60000 / 1001), ("0.0166833", 60000 / 1001), ("0.0167", 60), ("0.016667", 60),
        ("0.0166666", 60), ("0.041708", 24000 / 1001), ("0.03030303", 33), ("0.0312345678", 1 / 0.0312345678),
    ],
)  # fmt: skip
def test_a_frame_time_means_the_rate_that_its_digits_can_tell(tmp_path: Path, spelled: str, fps: float):
    path = write_bvh(tmp_path / "clip.bvh", moving_body(20))
    text = path.read_text().splitlines()
    row = next(i for i, line in enumerate(text) if line.startswith("Frame Time"))
    text[row] = f"Frame Time: {spelled}"
    path.write_text("\n".join(text))
    assert read_bvh(path).fps == pytest.approx(fps, rel=1e-9)


@pytest.mark.parametrize(
    ("up", "upwards", "forwards"), [("y", [0, 1, 0], [0, 0, 1]), ("z", [0, 0, 1], [0, -1, 0])]
)
def test_the_rest_pose_is_a_t_pose_that_stands_upright(tmp_path: Path, up, upwards, forwards) -> None:
    bvh = read_bvh(write_bvh(tmp_path / "clip.bvh", moving_body(), up))
    still = np.tile(np.eye(3), (len(bvh.joint_names), 1, 1))
    rest = forward_kinematics(bvh.parents, bvh.rest_offsets, still, np.zeros(3))[1]
    at = dict(zip(bvh.joint_names, rest, strict=True))
    np.testing.assert_array_equal(bvh.rest_offsets[0], 0)
    assert at["left_wrist"][0] > 0.5 > -0.5 > at["right_wrist"][0]
    assert at["head"] @ upwards > 0.5
    assert at["left_ankle"] @ upwards < -0.8
    assert (at["left_foot"] - at["left_ankle"]) @ forwards > 0.1
    leaves = {bvh.joint_names[row] for row in bvh.end_parents}
    assert leaves == set(TIPS)
    assert set(bvh.joint_names) == set(BODY_JOINTS)


def test_a_body_at_rest_has_all_angles_zero(tmp_path: Path) -> None:
    for up in ("y", "z"):
        path = write_bvh(tmp_path / "clip.bvh", resting_body(), up)
        frame = np.array(path.read_text().splitlines()[-1].split(), float)
        np.testing.assert_allclose(frame[3:], 0, atol=1e-6)
        np.testing.assert_allclose(frame[:3], [0, 0.95, 0] if up == "y" else [0, 0, 0.95], atol=1e-6)


# --- angles


def about(order: str, angles: np.ndarray) -> np.ndarray:
    """Matrices of angles in degrees. (time, joints, 3) → (time, joints, 3, 3)"""
    flat = Rotation.from_euler(order, angles.reshape(-1, 3), degrees=True)  # capitals: moving axes
    return flat.as_matrix().reshape(*angles.shape, 3)


@settings(deadline=None, max_examples=60)
@given(
    order=st.sampled_from(ORDERS),
    seed=st.integers(0, 10_000),
    middle=st.sampled_from([None, 90.0, -90.0, 90 - 1e-9, 90 + 1e-5, -90 + 1e-7]),
)
def test_angles_give_the_rotation_at_gimbal_lock_too(order: str, seed: int, middle: float | None) -> None:
    angles = np.random.default_rng(seed).uniform(-180, 180, (7, 2, 3))
    if middle is not None:
        angles[seed % 7 :, :, 1] = middle
    wanted = about(order, angles)
    np.testing.assert_allclose(about(order, euler_degrees(wanted, order)), wanted, atol=3e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_angles_go_on_without_jumps(order: str) -> None:
    """Three turns about each axis, the middle one through ±90° in each: a step of 3° stays one of 3°."""
    turn = np.arange(0, 1080, 3.0)
    for axis in range(3):
        angles = np.zeros((len(turn), 1, 3)) + [10.0, 5.0, 20.0]
        angles[:, 0, axis] += turn
        found = euler_degrees(about(order, angles), order)
        np.testing.assert_allclose(found - found[:1], angles - angles[:1], atol=1e-5)


def test_a_body_that_turns_like_a_body_has_no_jumps(tmp_path: Path) -> None:
    path = write_bvh(tmp_path / "clip.bvh", moving_body(300, turns_rad=0.6))
    rows = [line.split() for line in path.read_text().splitlines()[-300:]]
    assert np.abs(np.diff(np.array(rows, float)[:, 3:], axis=0)).max() < 90


def test_unknown_orders_are_refused(tmp_path: Path) -> None:
    for order in ("ZXZ", "zxy", "ZX", ""):
        with pytest.raises(ValueError, match="wanted X, Y and Z once each"):
            write_bvh(tmp_path / "clip.bvh", moving_body(20), order=order)
    assert not list(tmp_path.iterdir())


# --- what cannot be written or read


def broken(body: BodyMotion, field: str, at: tuple[int, ...] | int, value: object) -> BodyMotion:
    array = np.array(getattr(body, field))
    array[at] = value
    return body._replace(**{field: array})


BAD = {
    "rotations of left_knee is not finite in frame 3": ("rotations", (3, 4, 0, 0), np.nan),
    "root_translation is not finite in frame 2": ("root_translation", (2, 1), np.inf),
    "rest offset of nose is not finite": ("rest_offsets", (22, 0), np.nan),
    "bones without length: pelvis to left_hip; wanted 1 mm": ("rest_offsets", 1, 0.0),
    "the matrix of pelvis in frame 1 is not a rotation": ("rotations", (1, 0), -np.eye(3)),
    "the matrix of head in frame 0 is not a rotation": ("rotations", (0, 15), np.zeros((3, 3))),
    "1 valid frames; wanted 2 or more": ("valid", slice(1, None), False),
}


@pytest.mark.parametrize("message", BAD)
def test_a_body_that_cannot_be_written_is_refused(tmp_path: Path, message: str) -> None:
    body = moving_body(20)
    with pytest.raises(ValueError, match=message):
        write_bvh(tmp_path / "clip.bvh", broken(body, *BAD[message]))
    assert not list(tmp_path.iterdir())


def test_shapes_and_rates_that_are_none_are_refused(tmp_path: Path) -> None:
    body = moving_body(20)
    for fps in (0.0, -30.0, np.nan):
        with pytest.raises(ValueError, match="wanted 1 to 1,000 frames per second"):
            write_bvh(tmp_path / "clip.bvh", body._replace(fps=fps))
    with pytest.raises(ValueError, match=r"rotations is \(19, 22, 3, 3\), wanted \(20, 22, 3, 3\)"):
        write_bvh(tmp_path / "clip.bvh", body._replace(rotations=body.rotations[1:]))


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.bvh"
    path.write_text("mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bvh_module, "write_rows", full)
    with pytest.raises(OSError, match="No space left"):
        write_bvh(path, moving_body(20))
    assert [file.name for file in tmp_path.iterdir()] == ["clip.bvh"]
    assert path.read_text() == "mine"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bvh(tmp_path_factory.mktemp("fuzz") / "clip.bvh", moving_body(4))


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_damaged_files_end_in_a_clear_error(written: Path, data: st.DataObject) -> None:
    text = written.read_text()
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 60))
    put = data.draw(
        st.one_of(st.text(max_size=12), st.sampled_from(["}", "nan", "1e400", "JOINT x {", "MOTION"]))
    )
    damaged = written.with_name("damaged.bvh")
    damaged.write_text(text[:start] + put + text[start + length :], encoding="utf-8", errors="replace")
    try:
        read_bvh(damaged)
    except ValueError as error:
        assert "damaged.bvh" in str(error)
