"""The camera's laws: projecting and taking rays are inverses, and impossible cameras are refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.conventions import NEAR_M
from lift2to3.geometry.cameras import Camera, View, look_at, project, ray_directions, to_camera
from lift2to3.resample import nearest_rotations

K = np.array([[1100.0, 0, 650], [0, 1090.0, 350], [0, 0, 1]])
LENS = np.array([-0.29, 0.19, 6e-4, -4e-4, -0.058])  # as strong as any lens of the data folder
SIZE = (1280, 720)


def extrinsics(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    centre = draw.uniform([-4, -6, 0.5], [4, -3, 3])
    view = look_at(jnp.asarray(centre), jnp.asarray(draw.normal(0, 0.2, 3)), jnp.asarray(draw.normal(0, 0.1)))
    rotation = nearest_rotations(np.asarray(view.cam_from_world, np.float64))
    return rotation, -rotation @ centre


def camera(seed: int = 0, dist: np.ndarray | None = LENS) -> Camera:
    return Camera(K, *extrinsics(seed), SIZE, dist)


def pixels() -> np.ndarray:
    """A grid over the whole image, corners included."""
    return np.stack(np.meshgrid(np.linspace(0, 1279, 17), np.linspace(0, 719, 9)), -1)


def unproject(camera: Camera, keypoints_px: np.ndarray, depth_m: float) -> np.ndarray:
    n = camera.normalise(keypoints_px)
    points_cam = depth_m * np.concatenate([n, np.ones_like(n[..., :1])], -1)
    return (points_cam - camera.t) @ camera.R


# --- laws of Camera


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("dist", "within_px"), [(None, 1e-8), (LENS[:4], 1e-3), (LENS, 1e-3)])
@pytest.mark.parametrize("depth_m", [0.2, 4.0, 100.0])
def test_project_inverts_normalise(seed, dist, within_px, depth_m):
    seen = camera(seed, dist)
    back = seen.project(unproject(seen, pixels(), depth_m))
    np.testing.assert_allclose(back, pixels(), rtol=0, atol=within_px)


def test_every_real_calibration_is_accepted_and_invertible(shared_data):
    for entry in json.loads((shared_data / "cameras.json").read_text()):
        seen = Camera(*(entry[field] for field in ("K", "R", "t", "size", "dist")))
        width, height = seen.size
        grid = np.stack(np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9)), -1)
        np.testing.assert_allclose(seen.project(unproject(seen, grid, 3.0)), grid, rtol=0, atol=1e-3)
        np.testing.assert_allclose(seen.centre, entry["centre"], atol=1e-3)


def test_project_is_the_written_pinhole_formula():
    seen = camera(dist=None)
    points = np.random.default_rng(0).normal(0, 0.5, (4, 5, 3))
    homogeneous = (points @ seen.R.T + seen.t) @ K.T
    np.testing.assert_allclose(seen.project(points), homogeneous[..., :2] / homogeneous[..., 2:], atol=1e-9)


def test_a_camera_s_centre_lies_at_its_own_origin():
    seen = camera(3)
    np.testing.assert_allclose(seen.R @ seen.centre + seen.t, 0, atol=1e-12)


def test_missing_stays_missing():
    seen, grid = camera(), pixels()
    grid[2, 3, 0] = np.nan
    n = seen.normalise(grid)
    assert np.isnan(n[2, 3]).all()
    assert np.isfinite(np.delete(n.reshape(-1, 2), 2 * 17 + 3, axis=0)).all()
    assert np.isnan(seen.normalise(np.full((2, 3, 2), np.nan))).all()
    assert np.isnan(seen.project(np.full((2, 3), np.nan))).all()


def test_points_behind_are_missing():
    seen = camera()
    behind = seen.centre - seen.R[2]
    before = seen.centre + seen.R[2]
    out = seen.project(np.stack([behind, before]))
    assert np.isnan(out[0]).all()
    np.testing.assert_allclose(out[1], K[:2, 2], atol=1e-9)


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_leading_axes_pass_through(batch):
    seen = camera()
    points = np.zeros((*batch, 3))
    assert seen.project(points).shape == (*batch, 2)
    assert seen.normalise(np.full((*batch, 2), 300.0)).shape == (*batch, 2)


def test_no_distortion_is_written_in_three_ways():
    plain = camera(dist=None)
    for dist in ([], np.zeros(5)):
        np.testing.assert_allclose(
            camera(dist=dist).normalise(pixels()), plain.normalise(pixels()), atol=1e-12
        )


def test_lists_and_column_vectors_are_taken():
    rotation, t = extrinsics()
    seen = Camera(K.tolist(), rotation.tolist(), t[:, None], list(SIZE), LENS[None])
    np.testing.assert_array_equal(seen.t, t)
    assert seen.size == SIZE


# --- laws of View


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_a_ray_s_points_project_back(float64, batch):
    draw = np.random.default_rng(len(batch))
    view = look_at(jnp.asarray(draw.normal([0, -5, 1.6], 0.5, (*batch, 3))), jnp.zeros((*batch, 3)))
    n = jnp.asarray(draw.uniform(-0.7, 0.7, (*batch, 6, 2)))
    for depth_m in (0.11, 3.0, 1e3):
        points = view.centre[..., None, :] + depth_m * ray_directions(view, n)
        np.testing.assert_allclose(project(view, points), n, atol=1e-8)
        np.testing.assert_allclose(to_camera(view, points)[..., 2], depth_m, rtol=1e-10)


def test_view_and_camera_agree(float64):
    seen = camera(2)
    points = jnp.asarray(np.random.default_rng(0).normal(0, 0.5, (7, 3)))
    n = project(View(jnp.asarray(seen.R), jnp.asarray(seen.t)), points)
    np.testing.assert_allclose(n, seen.normalise(seen.project(np.asarray(points))), atol=1e-6)
    np.testing.assert_allclose(seen.view.centre, seen.centre, atol=1e-6)


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_look_at(float64, batch):
    draw = np.random.default_rng(7)
    centre = jnp.asarray(draw.normal([0, -5, 1.6], 0.5, (*batch, 3)))
    target = jnp.asarray(draw.normal(0, 0.5, (*batch, 3)))
    view = look_at(centre, target)
    rotation = np.asarray(view.cam_from_world)
    np.testing.assert_allclose(
        rotation @ np.swapaxes(rotation, -1, -2), np.broadcast_to(np.eye(3), rotation.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-12)
    np.testing.assert_allclose(view.centre, centre, atol=1e-12)
    np.testing.assert_allclose(project(view, target[..., None, :]), 0, atol=1e-12)
    assert np.allclose(rotation[..., 0, 2], 0, atol=1e-12), "the x axis is level"
    assert (rotation[..., 1, 2] < 0).all(), "image down is world down"


def test_roll_turns_the_image_about_its_axis(float64):
    centre, target, angle = jnp.asarray([1.0, -5, 1.6]), jnp.asarray([0.0, 0, 1]), 0.3
    points = jnp.asarray(np.random.default_rng(0).normal(0, 0.5, (5, 3)))
    level, rolled = (project(look_at(centre, target, roll), points) for roll in (0.0, angle))
    cos, sin = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(rolled, level @ np.array([[cos, -sin], [sin, cos]]), atol=1e-12)


def test_points_at_the_lens_project_finitely_with_finite_gradients():
    view = View(jnp.eye(3), jnp.zeros(3))
    points = jnp.asarray([[0.1, 0.2, 0.0], [0.1, 0.2, -1.0], [0.0, 0.0, NEAR_M / 2]])
    value, gradient = jax.value_and_grad(lambda p: project(view, p).sum())(points)
    assert np.isfinite(value) and np.isfinite(gradient).all()


# --- cameras that cannot be


def changed(matrix: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    matrix = matrix.copy()
    matrix[row, column] = value
    return matrix


MIRROR = np.diag([1.0, -1.0, 1.0])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"K": changed(K, 0, 0, np.nan)}, "camera K is not finite"),
        ({"K": changed(K, 0, 0, -1000)}, "camera K: wanted .* positive focal"),
        ({"K": changed(K, 2, 0, 650)}, "camera K: wanted"),
        ({"K": changed(K, 1, 0, 2)}, "camera K: wanted"),
        ({"K": K.T}, "camera K: wanted"),
        ({"K": changed(K, 0, 1, 9)}, "a skew of 9 px"),
        ({"K": K[:2]}, r"camera K: wanted shape \(3, 3\), found \(2, 3\)"),
        ({"K": "K"}, "camera K: wanted"),
        ({"K": np.diag([2, 2, 1]) @ K}, r"principal point \(1300, 700\) lies outside the 1280×720 image"),
        ({"K": changed(K, 0, 2, -3)}, "principal point"),
        ({"size": (720, 320)}, r"principal point \(650, 350\) lies outside the 720×320"),
        ({"size": (0, 720)}, "camera size: wanted"),
        ({"size": (1280, 720, 3)}, "camera size: wanted shape"),
        ({"size": (1280, np.nan)}, "camera size is not finite"),
        ({"R": np.eye(3) * 1.01}, "not a rotation: R Rᵀ differs from the identity by 0.02"),
        ({"R": changed(np.eye(3), 0, 0, np.inf)}, "camera R is not finite"),
        ({"R": np.zeros(3)}, r"camera R: wanted shape \(3, 3\), found \(3,\)"),
        ({"R": MIRROR}, "determinant -1 .* OpenGL or Blender"),
        ({"t": [0, 0, np.nan]}, "camera t is not finite"),
        ({"t": [0, 0]}, r"camera t: wanted shape \(3,\), found \(2,\)"),
        ({"dist": [0.1, 0.2]}, r"camera dist: wanted 4, 5, 8, 12 or 14 finite .* found \[0.1, 0.2\]"),
        ({"dist": [np.nan] * 5}, "camera dist: wanted"),
        ({"dist": "none"}, "camera dist: wanted"),
    ],
)
def test_impossible_cameras_are_refused(fields, message):
    rotation, t = extrinsics()
    arguments = {"K": K, "R": rotation, "t": t, "size": SIZE, "dist": None} | fields
    with pytest.raises(ValueError, match=message):
        Camera(**arguments)
