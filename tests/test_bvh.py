"""BVH reading and forward kinematics: laws first, then every way a file can be broken."""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift2to3.body import forward_kinematics, tree_levels
from lift2to3.formats.motions.bvh import read_bvh

GOOD = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 0 5 0
    }
  }
  JOINT Leg
  {
    OFFSET 1 -2 0
    CHANNELS 3 Zrotation Yrotation Xrotation
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 2 3 10 20 30 40 50 60 0 0 0
4 5 6 0 0 90 0 0 0 -10 0 0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "clip.bvh"
    path.write_text(text)
    return path


def test_names_tree_offsets_and_rate_are_the_files_own(tmp_path: Path) -> None:
    bvh = read_bvh(write(tmp_path, GOOD), metres_per_unit=0.01)
    assert bvh.joint_names == ("Hips", "Spine", "Leg")
    assert bvh.parents.tolist() == [-1, 0, 0]
    np.testing.assert_allclose(bvh.rest_offsets, [[0, 0, 0], [0, 0.1, 0], [0.01, -0.02, 0]])
    assert bvh.end_parents.tolist() == [1]
    np.testing.assert_allclose(bvh.end_offsets, [[0, 0.05, 0]])
    np.testing.assert_allclose(bvh.root_translation, [[0.01, 0.02, 0.03], [0.04, 0.05, 0.06]])
    assert bvh.fps == 30.0
    assert bvh.joint_translations is None


def test_channels_multiply_from_left_to_right(tmp_path: Path) -> None:
    bvh = read_bvh(write(tmp_path, GOOD))
    wanted = Rotation.from_euler("ZYX", [[10, 20, 30], [40, 50, 60], [0, 0, 0]], degrees=True)
    np.testing.assert_allclose(bvh.rotations[0], wanted.as_matrix(), atol=1e-12)


@pytest.mark.parametrize("order", list(itertools.permutations("XYZ")), ids="".join)
def test_any_channel_order_gives_the_same_motion(tmp_path: Path, order: tuple[str, str, str]) -> None:
    rotations = Rotation.random(8, random_state=0)
    translation = np.random.default_rng(1).normal(size=(4, 3))
    angles = rotations.as_euler("".join(order), degrees=True).reshape(4, 2, 3)
    positions = translation[:, ["XYZ".index(axis) for axis in order[::-1]]]
    channels = " ".join(f"{axis}rotation" for axis in order)
    place = " ".join(f"{axis}position" for axis in order[::-1])
    frames = np.concatenate([angles[:, 0], positions, angles[:, 1]], axis=1)
    bvh = read_bvh(write(tmp_path, two_joints(f"6 {channels} {place}", f"3 {channels}", frames)))
    np.testing.assert_allclose(bvh.rotations.reshape(8, 3, 3), rotations.as_matrix(), atol=1e-7)
    np.testing.assert_allclose(bvh.root_translation, translation, atol=1e-9)


def test_a_subset_of_channels_leaves_the_other_axes_at_rest(tmp_path: Path) -> None:
    frames = np.array([[7.0, 30.0, 9.0], [8.0, 60.0, 9.5]])
    bvh = read_bvh(write(tmp_path, two_joints("1 Yposition", "2 Yrotation Xposition", frames)))
    np.testing.assert_allclose(bvh.root_translation, [[0.5, 7, 0], [0.5, 8, 0]])
    np.testing.assert_allclose(bvh.rotations[:, 0], np.broadcast_to(np.eye(3), (2, 3, 3)))
    turned = Rotation.from_euler("Y", [[30], [60]], degrees=True).as_matrix()
    np.testing.assert_allclose(bvh.rotations[:, 1], turned, atol=1e-12)
    assert bvh.joint_translations is not None
    np.testing.assert_allclose(bvh.joint_translations[:, 1], [[9, 1, 0], [9.5, 1, 0]])


def two_joints(root_channels: str, joint_channels: str, frames: np.ndarray) -> str:
    rows = "\n".join(" ".join(f"{value:.12f}" for value in frame) for frame in frames)
    return (
        f"HIERARCHY\nROOT a\n{{\nOFFSET 0.5 0 0\nCHANNELS {root_channels}\nJOINT b\n{{\nOFFSET 0 1 0\n"
        f"CHANNELS {joint_channels}\nEnd Site\n{{\nOFFSET 0 1 0\n}}\n}}\n}}\n"
        f"MOTION\nFrames: {len(frames)}\nFrame Time: 0.01\n{rows}\n"
    )


def test_braces_on_the_same_line_and_blank_lines_read_the_same(tmp_path: Path) -> None:
    squeezed = GOOD.replace("\n{", " {").replace("MOTION\n", "MOTION\n\n").replace("\n", "\r\n") + "\n\n"
    plain, other = read_bvh(write(tmp_path, GOOD)), read_bvh(write(tmp_path, squeezed))
    np.testing.assert_array_equal(plain.rotations, other.rotations)
    assert plain.joint_names == other.joint_names


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "Yrotation Xrotation\n    End",
            "Yrotation Wrotation\n    End",
            "line 9: unknown channel 'Wrotation'",
        ),
        (
            "Zrotation Yrotation Xrotation\n    End",
            "Zrotation Zrotation Xrotation\n    End",
            "line 9: channel",
        ),
        ("CHANNELS 3", "CHANNELS three", "line 9: CHANNELS of Spine: wanted how many"),
        ("MOTION\n", "", r"line 21: wanted MOTION"),
        ("40 50 60 0 0 0", "40 50 60 0 0", "line 24: frame 0 has 11 values, the CHANNELS add up to 12"),
        ("-10 0 0", "-10 0 0 0", "line 25: frame 1 has 13 values"),
        ("-10 0 0", "-10 x 0", "line 25: frame 1"),
        ("-10 0 0", "-10 nan 0", "line 25: frame 1 is not finite"),
        ("0.0333333", "0", "line 23: Frame Time: wanted seconds above 0"),
        ("0.0333333", "fast", "line 23: Frame Time: wanted a number"),
        ("Frames: 2", "Frames: 0", "line 22: Frames: wanted 1 or more"),
        ("Frames: 2", "Frames: 3", "says 3, the file has 2"),
        ("Frames: 2", "Frames: 1", "line 25: Frames: says 1, the file has 2"),
        ("Frames: 2\n", "", "line 22: wanted 'Frames: …'"),
        ("  }\n}\nMOTION", "}\nMOTION", "the file ends where '}' should stand"),
        ("  }\n}\nMOTION", "  }\n}\n}\nMOTION", r"line 21: .*one '}' too many"),
        ("OFFSET 0 10 0", "OFFSET 0 ten 0", "line 8: OFFSET of Spine: wanted a number, found 'ten'"),
        ("    OFFSET 0 10 0\n", "", "line 6: joint 'Spine' has no OFFSET"),
        ("JOINT Leg", "JOINT Spine", "line 15: joint 'Spine' stands there twice"),
        ("JOINT Leg", "JOIN Leg", "line 15: wanted OFFSET, CHANNELS, JOINT"),
        ("HIERARCHY", "SOLIDS", "line 1: wanted 'HIERARCHY', found 'SOLIDS'"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ValueError, match=message):
        read_bvh(write(tmp_path, GOOD.replace(old, new, 1)))


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.4, 0.7, 0.9, 0.99])
def test_a_truncated_file_is_refused_with_a_line(tmp_path: Path, keep: float) -> None:
    with pytest.raises(ValueError, match=r"clip\.bvh, line \d+"):
        read_bvh(write(tmp_path, GOOD[: int(keep * len(GOOD)) - 2]))


def random_tree(seed: int, joints: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    parents = np.array([-1, *(generator.integers(row) for row in range(1, joints))])
    rotations = Rotation.random(5 * joints, random_state=seed).as_matrix().reshape(5, joints, 3, 3)
    return parents, generator.normal(size=(joints, 3)), rotations, generator.normal(size=(5, 3))


def test_forward_kinematics_equals_the_walk_from_root_to_joint() -> None:
    parents, offsets, rotations, root = random_tree(0)
    frames, positions = forward_kinematics(parents, offsets, rotations, root)
    for joint in range(len(parents)):
        chain = [joint]
        while parents[chain[0]] >= 0:
            chain.insert(0, int(parents[chain[0]]))
        frame, position = rotations[:, chain[0]], root
        for row in chain[1:]:
            position = position + frame @ offsets[row]
            frame = frame @ rotations[:, row]
        np.testing.assert_allclose(frames[:, joint], frame, atol=1e-12)
        np.testing.assert_allclose(positions[:, joint], position, atol=1e-12)


def test_local_rotations_come_back_from_the_global_frames() -> None:
    parents, offsets, rotations, root = random_tree(1)
    frames, _ = forward_kinematics(parents, offsets, rotations, root)
    local = np.swapaxes(frames[:, parents[1:]], -1, -2) @ frames[:, 1:]
    np.testing.assert_allclose(local, rotations[:, 1:], atol=1e-12)


def test_turning_the_root_turns_the_whole_body() -> None:
    parents, offsets, rotations, root = random_tree(2)
    turn = Rotation.from_euler("zyx", [1, 2, 3]).as_matrix()
    turned = rotations.copy()
    turned[:, 0] = turn @ turned[:, 0]
    frames, positions = forward_kinematics(parents, offsets, rotations, root)
    moved_frames, moved = forward_kinematics(parents, offsets, turned, root @ turn.T + 5.0)
    np.testing.assert_allclose(moved, positions @ turn.T + 5.0, atol=1e-12)
    np.testing.assert_allclose(moved_frames, turn @ frames, atol=1e-12)


def test_the_order_of_joints_does_not_matter() -> None:
    parents, offsets, rotations, root = random_tree(3)
    order = np.random.default_rng(3).permutation(len(parents))
    back = np.argsort(order)
    moved = np.array([-1 if parents[old] < 0 else back[parents[old]] for old in order])
    _, plain = forward_kinematics(parents, offsets, rotations, root)
    _, mixed = forward_kinematics(moved, offsets[order], rotations[:, order], root)
    np.testing.assert_allclose(mixed, plain[:, order], atol=1e-12)


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_forward_kinematics_takes_any_batch_axes_and_jax_equals_numpy(
    float64: None, batch: tuple[int, ...]
) -> None:
    parents, offsets, rotations, root = random_tree(4)
    rotations = np.broadcast_to(rotations[0], (*batch, *rotations.shape[1:])).copy()
    root = np.broadcast_to(root[0], (*batch, 3)).copy()
    plain = forward_kinematics(parents, offsets, rotations, root)
    traced = jax.jit(lambda o, r, t: forward_kinematics(parents, o, r, t))(offsets, rotations, root)
    assert isinstance(plain[1], np.ndarray)
    assert plain[1].shape == (*batch, len(parents), 3)
    for numpy_result, jax_result in zip(plain, traced, strict=True):
        np.testing.assert_allclose(jax_result, numpy_result, atol=1e-8)


def test_forward_kinematics_has_the_gradient_of_finite_differences(float64: None) -> None:
    parents, offsets, rotations, root = random_tree(5)

    def height(offsets: jax.Array) -> jax.Array:
        return jnp.sum(
            forward_kinematics(parents, offsets, jnp.asarray(rotations), jnp.asarray(root))[1] ** 2
        )

    gradient = jax.grad(height)(jnp.asarray(offsets))
    step = np.zeros_like(offsets)
    step[3, 1] = 1e-6
    difference = (height(jnp.asarray(offsets + step)) - height(jnp.asarray(offsets - step))) / 2e-6
    np.testing.assert_allclose(gradient[3, 1], difference, rtol=1e-6)


@pytest.mark.parametrize("parents", [[-1, 2, 1], [-1, 5], [0, 1], [-1, -1]])
def test_parents_that_are_not_one_tree_are_refused(parents: list[int]) -> None:
    with pytest.raises(ValueError, match="parents"):
        forward_kinematics(parents, np.zeros((len(parents), 3)), np.zeros((len(parents), 3, 3)), np.zeros(3))


def test_tree_levels_hold_every_joint_once() -> None:
    parents = random_tree(6, joints=20)[0]
    assert sorted(np.concatenate(tree_levels(parents)).tolist()) == list(range(20))
