"""Local pose and global movement: encode and decode are inverses, in units of about one."""

import jax
import numpy as np
import pytest

from lift2to3.geometry.cameras import View
from lift2to3.geometry.rigs import Rig
from lift2to3.representation import (
    CHANNELS,
    JOINTS,
    Movement2D,
    decode,
    decode_coupled,
    encode,
    encode_coupled,
    pack,
    unpack,
)
from lift2to3.skeletons import INDEX, SKELETONS

pytestmark = pytest.mark.usefixtures("float64")

BATCHES = [(), (1,), (3, 1, 2)]
VIEWS, FRAMES = 3, 4
write, read = jax.jit(encode), jax.jit(decode)
write_coupled, read_coupled = jax.jit(encode_coupled), jax.jit(decode_coupled)


def scene(*batch: int, seed: int = 0) -> tuple[np.ndarray, Rig]:
    """Image points of something as large as a person, and where each view aims."""
    draw = np.random.default_rng(seed)
    every = (*batch, VIEWS)
    depth = draw.uniform(2, 9, every)
    aim_n = draw.normal(0, 0.2, (*every, 2))
    views = View(np.zeros((*every, 3, 3)), np.zeros((*every, 3)))
    person = draw.normal(0, 0.45, (*every, FRAMES, JOINTS, 2)) + draw.normal(0, 0.4, (*every, FRAMES, 1, 2))
    n = aim_n[..., None, None, :] + person / depth[..., None, None, None]
    return n, Rig(views, np.zeros((*batch, 3)), aim_n, depth)


def all_of(n: np.ndarray) -> np.ndarray:
    return np.ones(n.shape[:-1], bool)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("there", "back"), [(write, read), (write_coupled, read_coupled)], ids=["eq. 1", "coupled"]
)
def test_decode_inverts_encode(batch, there, back):
    n, rig = scene(*batch)
    x = there(n, all_of(n), rig)
    assert x.shape == (*batch, VIEWS, FRAMES, CHANNELS)
    np.testing.assert_allclose(back(x, rig), n, atol=1e-8)


@pytest.mark.parametrize("batch", BATCHES)
def test_encode_inverts_decode(batch):
    n, rig = scene(*batch)
    x = write(n, all_of(n), rig)
    np.testing.assert_allclose(write(read(x, rig), all_of(n), rig), x, atol=1e-8)


@pytest.mark.parametrize("skeleton", list(SKELETONS))
def test_every_format_s_points_come_back(skeleton):
    n, rig = scene()
    valid = all_of(n) & SKELETONS[skeleton].present
    hidden = np.where(valid[..., None], n, np.nan)
    x = write(hidden, valid, rig)
    np.testing.assert_allclose(np.asarray(read(x, rig))[valid], n[valid], atol=1e-8)


@pytest.mark.parametrize(
    ("shown", "root"),
    [
        (("pelvis", "mid_hip", "left_hip", "nose"), ("pelvis",)),
        (("mid_hip", "left_hip", "nose"), ("mid_hip",)),
        (("left_hip", "right_hip", "nose"), ("left_hip", "right_hip")),
        (("right_hip", "nose"), ("right_hip",)),
        (("left_knee", "nose"), ("left_knee", "nose")),
    ],
)
def test_the_root_is_the_best_hip_point_seen(shown, root):
    n, rig = scene()
    valid = np.zeros(n.shape[:-1], bool)
    valid[..., [INDEX[name] for name in shown]] = True
    movement = unpack(write(n, valid, rig))
    expected = n[..., [INDEX[name] for name in root], :].mean(-2) - rig.aim_n[:, None]
    np.testing.assert_allclose(movement.root, expected * rig.aim_depth_m[:, None, None], atol=1e-8)


def test_eq_1_in_words():
    n, rig = scene()
    movement = unpack(write(n, all_of(n), rig))
    side = (n.max(-2) - n.min(-2)).max(-1) / 2  # half of the box's longer side
    np.testing.assert_allclose(movement.pose, (n - n[..., :1, :]) / side[..., None, None], atol=1e-8)
    ratio = np.exp(movement.log_scale) * 0.85 / (side * rig.aim_depth_m[:, None])
    np.testing.assert_allclose(ratio, 1, atol=1e-8)


@pytest.mark.parametrize("batch", BATCHES)
def test_unpack_inverts_pack(batch):
    draw = np.random.default_rng(0)
    shapes = ((*batch, JOINTS, 2), (*batch, 2), batch)
    movement = Movement2D(*(draw.normal(size=shape) for shape in shapes))
    packed = jax.jit(pack)(movement)
    assert packed.shape == (*batch, CHANNELS)
    for back, part in zip(jax.jit(unpack)(packed), movement, strict=True):
        np.testing.assert_allclose(back, part, atol=1e-12)


def test_a_person_s_pose_does_not_depend_on_where_and_how_large_they_are():
    n, rig = scene()
    here, there = (unpack(write(m, all_of(n), rig)) for m in (n, 0.5 * n + np.array([0.3, -0.1])))
    np.testing.assert_allclose(there.pose, here.pose, atol=1e-8)
    np.testing.assert_allclose(there.log_scale - here.log_scale, np.log(0.5), atol=1e-8)


def test_a_camera_twice_as_far_sees_the_same_movement():
    n, rig = scene()
    far = rig._replace(aim_depth_m=2 * rig.aim_depth_m)
    aim = rig.aim_n[:, None, None]
    np.testing.assert_allclose(
        write(aim + (n - aim) / 2, all_of(n), far), write(n, all_of(n), rig), atol=1e-8
    )


@pytest.mark.parametrize("there", [write, write_coupled], ids=["eq. 1", "coupled"])
def test_missing_points_and_frames_are_finite_and_their_values_mean_nothing(there):
    n, rig = scene()
    valid = np.random.default_rng(1).random(n.shape[:-1]) < 0.3
    valid[:, 1] = False
    valid[:, 2] = np.arange(JOINTS) == INDEX["nose"]
    clean, dirty = (there(np.where(valid[..., None], n, value), valid, rig) for value in (0.0, np.nan))
    assert np.isfinite(clean).all()
    np.testing.assert_array_equal(clean, dirty)
    np.testing.assert_array_equal(clean[:, 1], 0, err_msg="an empty frame is all zero")
    pose = unpack(clean).pose
    np.testing.assert_array_equal(np.asarray(pose)[~valid], 0)


def test_gradients_are_finite_with_missing_points_and_for_wild_samples():
    n, rig = scene()
    valid = np.random.default_rng(1).random(n.shape[:-1]) < 0.3
    valid[:, 1] = False
    gradient = jax.jit(jax.grad(lambda n, valid, rig: (encode(n, valid, rig) ** 2).sum()))(n, valid, rig)
    assert np.isfinite(gradient).all()
    wild = 1e3 * np.random.default_rng(2).normal(size=(VIEWS, FRAMES, CHANNELS))
    value, gradient = jax.jit(jax.value_and_grad(lambda x, rig: (decode(x, rig) ** 2).sum()))(wild, rig)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_coupled_channels_leave_the_movement_empty():
    n, rig = scene()
    movement = unpack(write_coupled(n, all_of(n), rig))
    np.testing.assert_array_equal(movement.root, 0)
    np.testing.assert_array_equal(movement.log_scale, 0)
