"""Rotations: conversions are inverses, gradients agree with finite differences, at 0 and π too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift2to3.geometry.rotations import (
    axis_angle_from_matrix,
    geodesic_angle,
    matrix_from_6d,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_matrix,
    sixd_from_matrix,
    yaw_matrix,
)

pytestmark = pytest.mark.usefixtures("float64")

BATCHES = [(), (1,), (3, 1, 2)]
ANGLES = [0.0, 1e-9, 1e-5, 1e-4, 1.0, 3.0, np.pi - 1e-6, np.pi]
AXES = np.concatenate([np.eye(3), np.random.default_rng(1).normal(size=(2, 3))])
AXES /= np.linalg.norm(AXES, axis=1, keepdims=True)
VECTORS = np.array(ANGLES)[:, None, None] * AXES
"""Axis-angle vectors, (angles, axes, 3): ordinary, tiny and next to half a turn."""


def random_rotations(*batch: int, seed: int = 0) -> np.ndarray:
    count = int(np.prod(batch))
    return Rotation.random(count, random_state=seed).as_matrix().reshape(*batch, 3, 3)


def both_jacobians(function, at: np.ndarray, step: float = 1e-6) -> tuple[np.ndarray, np.ndarray]:
    """Autodiff's and central differences', of many points (points, inputs); the input's axis last."""
    steps = step * np.eye(at.shape[1])[:, None]  # (inputs, 1, inputs)

    @jax.jit
    def both(at):
        up, down = function(jnp.stack([at[None] + steps, at[None] - steps]))
        return jax.vmap(jax.jacobian(function))(at), jnp.moveaxis((up - down) / (2 * step), 0, -1)

    return both(at)


@jax.jit
def through_numbers(matrix):
    """Each parametrisation of a matrix, and the matrix that it means."""
    six, axis_angle, quaternion = (
        convert(matrix) for convert in (sixd_from_matrix, axis_angle_from_matrix, quaternion_from_matrix)
    )
    return {
        "6D": (six, matrix_from_6d(six)),
        "axis-angle": (axis_angle, matrix_from_axis_angle(axis_angle)),
        "quaternion": (quaternion, matrix_from_quaternion(quaternion)),
    }


@pytest.mark.parametrize("batch", BATCHES)
def test_conversions_and_their_inverses(batch):
    matrix = random_rotations(*batch)
    for name, (numbers, back) in through_numbers(matrix).items():
        assert numbers.shape[:-1] == batch
        np.testing.assert_allclose(back, matrix, atol=1e-8, err_msg=name)


def test_any_angle_survives_the_way_through_a_matrix():
    matrix = jax.jit(matrix_from_axis_angle)(VECTORS)
    truth = Rotation.from_rotvec(VECTORS.reshape(-1, 3)).as_matrix().reshape(matrix.shape)
    np.testing.assert_allclose(matrix, truth, atol=1e-10)
    numbers = through_numbers(matrix)
    for name, (_, back) in numbers.items():
        np.testing.assert_allclose(back, matrix, atol=1e-8, err_msg=name)
    below_pi = np.array(ANGLES) < np.pi  # at π the axis may point either way
    np.testing.assert_allclose(numbers["axis-angle"][0][below_pi], VECTORS[below_pi], atol=1e-8)


def test_quaternions_are_wxyz_of_unit_length_with_w_positive():
    matrix = random_rotations(*VECTORS.shape[:2])
    expected = Rotation.from_matrix(matrix.reshape(-1, 3, 3)).as_quat(canonical=True)
    expected = np.roll(expected, 1, axis=1).reshape(*VECTORS.shape[:2], 4)
    np.testing.assert_allclose(through_numbers(matrix)["quaternion"][0], expected, atol=1e-8)


def test_a_quaternion_s_length_and_sign_mean_nothing():
    quaternion = np.random.default_rng(0).normal(size=(5, 4))
    turn = jax.jit(matrix_from_quaternion)
    for factor in (-1.0, 7.0):
        np.testing.assert_allclose(turn(factor * quaternion), turn(quaternion), atol=1e-12)


def test_6d_is_the_first_two_columns():
    matrix = random_rotations(*VECTORS.shape[:2])
    six = through_numbers(matrix)["6D"][0]
    np.testing.assert_array_equal(six[..., :3], matrix[..., 0])
    np.testing.assert_array_equal(six[..., 3:], matrix[..., 1])


def test_any_two_directions_make_a_rotation():
    six = np.random.default_rng(0).normal(size=(20, 6))
    matrix = np.asarray(jax.jit(matrix_from_6d)(six))
    identity = np.broadcast_to(np.eye(3), (20, 3, 3))
    np.testing.assert_allclose(np.swapaxes(matrix, 1, 2) @ matrix, identity, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-12)
    length = np.linalg.norm(six[:, :3], axis=1, keepdims=True)
    np.testing.assert_allclose(matrix[..., 0], six[:, :3] / length, atol=1e-12, err_msg="first column kept")
    # the second column stays in the plane of the two and on the given side
    np.testing.assert_allclose((matrix[..., 2] * six[:, 3:]).sum(1), 0, atol=1e-12)
    assert ((matrix[..., 1] * six[:, 3:]).sum(1) > 0).all()


def test_axis_angle_gradient_is_the_finite_difference():
    exact, numeric = both_jacobians(matrix_from_axis_angle, VECTORS.reshape(-1, 3))
    np.testing.assert_allclose(exact, numeric, atol=1e-8)


def test_6d_gradient_is_the_finite_difference():
    six = np.random.default_rng(3).uniform(0.3, 1, (4, 6)) * [1, -1, 1, 1, 1, -1]
    exact, numeric = both_jacobians(matrix_from_6d, six)
    np.testing.assert_allclose(exact, numeric, atol=1e-8)


def test_going_to_a_matrix_and_back_has_the_identity_s_gradient():
    def there_and_back(vector):
        return axis_angle_from_matrix(matrix_from_axis_angle(vector))

    below_pi = VECTORS[np.array(ANGLES) < 3.1].reshape(-1, 3)
    jacobian = jax.jit(jax.vmap(jax.jacobian(there_and_back)))(below_pi)
    np.testing.assert_allclose(jacobian, np.broadcast_to(np.eye(3), jacobian.shape), atol=1e-8)


def test_gradients_are_finite_at_rest_and_at_half_a_turn():
    def all_numbers(matrix):
        return [numbers for numbers, _ in through_numbers(matrix).values()]

    matrix = Rotation.from_rotvec(VECTORS[[0, -1]].reshape(-1, 3)).as_matrix()
    for jacobian in jax.jit(jax.vmap(jax.jacrev(all_numbers)))(matrix):
        assert np.isfinite(jacobian).all()


@pytest.mark.parametrize("batch", BATCHES)
def test_geodesic_angle_is_the_turn_between(batch):
    first = random_rotations(*batch)
    measure = jax.jit(geodesic_angle)
    for angle in (0.0, 1e-4, 2.0, np.pi):
        turned = first @ Rotation.from_rotvec(angle * AXES[4]).as_matrix()
        np.testing.assert_allclose(measure(first, turned), np.full(batch, angle), atol=1e-8)


def test_geodesic_angle_has_a_finite_gradient_at_no_turn_and_at_half_a_turn():
    matrix = Rotation.from_rotvec(VECTORS[[0, -1]].reshape(-1, 3)).as_matrix()
    identity = np.broadcast_to(np.eye(3), matrix.shape)
    gradient = jax.jit(jax.grad(lambda second: geodesic_angle(jnp.asarray(identity), second).sum()))(matrix)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("batch", BATCHES)
def test_yaw_turns_x_towards_y(batch):
    yaw = np.random.default_rng(0).uniform(-4, 4, batch)
    turned = np.asarray(jax.jit(yaw_matrix)(yaw))
    expected = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(batch)], -1)
    np.testing.assert_allclose(turned[..., 0], expected, atol=1e-12)
    np.testing.assert_allclose(turned[..., 2], np.broadcast_to([0.0, 0, 1], (*batch, 3)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turned), np.ones(batch), atol=1e-12)
