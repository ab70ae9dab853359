"""Triangulation: exact rays give the point back, noisy ones what least squares says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.geometry.cameras import View, look_at, project, ray_directions
from lift2to3.geometry.triangulation import RIDGE, triangulate

pytestmark = pytest.mark.usefixtures("float64")

BATCHES = [(), (1,), (3, 1, 2)]
POINTS = 5
aim, solve = jax.jit(look_at), jax.jit(triangulate)


@jax.jit
def film(views, points):
    """Image points of world points (*batch, points, 3) in every view."""
    shape = (*views.translation.shape[:-1], *points.shape[-2:])
    return project(views, jnp.broadcast_to(points[..., None, :, :], shape))


def ring(*batch: int, views: int = 4, seed: int = 0) -> View:
    """Cameras around the origin, some metres away."""
    draw = np.random.default_rng(seed)
    angle = draw.uniform(0, 0.5, (*batch, views)) + 2 * np.pi * np.arange(views) / views
    away = draw.uniform(2.5, 6, (*batch, views))
    height = draw.uniform(0.4, 3, (*batch, views))
    centre = np.stack([away * np.cos(angle), away * np.sin(angle), height], -1)
    return aim(centre, draw.normal(0, 0.3, centre.shape))


def scene(*batch: int, noise: float = 0.0) -> tuple[View, np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(len(batch))
    points = draw.normal(0, 0.7, (*batch, POINTS, 3)) + [0, 0, 0.9]
    views = ring(*batch)
    weights = draw.uniform(0.2, 2, (*batch, 4, POINTS))
    n = film(views, points)
    return views, points, n + noise * draw.normal(size=n.shape), weights


def least_squares(views: View, n: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The same problem by NumPy, point by point: weighted distances to the rays, and the ridge."""
    rotation, centres = np.asarray(views.cam_from_world), np.asarray(views.centre)
    middle = centres.mean(0)
    out = []
    for point in range(n.shape[1]):
        rows, values = [np.sqrt(RIDGE) * np.eye(3)], [np.sqrt(RIDGE) * middle]
        for view in range(len(n)):
            ray = rotation[view].T @ [*n[view, point], 1.0]
            off = np.eye(3) - np.outer(ray, ray) / (ray @ ray)
            rows.append(np.sqrt(weights[view, point]) * off)
            values.append(np.sqrt(weights[view, point]) * off @ centres[view])
        out.append(np.linalg.lstsq(np.concatenate(rows), np.concatenate(values), rcond=None)[0])
    return np.stack(out)


def direct_linear_transform(views: View, n: np.ndarray) -> np.ndarray:
    """The textbook's DLT: the null vector of x·P₃ − P₁ and y·P₃ − P₂ over all views."""
    camera = np.concatenate([views.cam_from_world, np.asarray(views.translation)[..., None]], -1)
    out = []
    for point in range(n.shape[1]):
        rows = [n[v, point, a] * camera[v, 2] - camera[v, a] for v in range(len(n)) for a in (0, 1)]
        null = np.linalg.svd(np.stack(rows))[2][-1]
        out.append(null[:3] / null[3])
    return np.stack(out)


@pytest.mark.parametrize("batch", BATCHES)
def test_exact_rays_give_the_points_back(batch):
    views, points, n, weights = scene(*batch)
    found, spread = solve(views, n, weights)
    assert found.shape == (*batch, POINTS, 3) and spread.shape == (*batch, POINTS)
    np.testing.assert_allclose(found, points, atol=1e-5)  # the ridge's pull: a few micrometres
    np.testing.assert_allclose(spread, 0, atol=1e-5)


def test_without_noise_it_is_the_direct_linear_transform():
    views, _, n, weights = scene()
    found, _ = solve(views, n, weights)
    np.testing.assert_allclose(found, direct_linear_transform(views, n), atol=1e-5)


def test_with_noise_it_is_weighted_least_squares():
    views, points, n, weights = scene(noise=0.02)
    found, _ = solve(views, n, weights)
    assert np.abs(found - points).max() > 1e-2
    np.testing.assert_allclose(found, least_squares(views, n, weights), atol=1e-8)


def test_spread_is_the_weighted_rms_distance_to_the_rays():
    views, _, n, weights = scene(noise=0.02)
    found, spread = (np.asarray(part) for part in solve(views, n, weights))
    ray = np.array(ray_directions(views, jnp.asarray(n)))
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    distance = np.linalg.norm(np.cross(found - np.asarray(views.centre)[:, None], ray), axis=-1)
    expected = np.sqrt((weights * distance**2).sum(0) / weights.sum(0))
    np.testing.assert_allclose(spread, expected, atol=1e-8)


def test_a_ray_of_weight_zero_is_left_out():
    views, points, n, weights = scene()
    weights[2] = 0.0
    n = n.at[2].set(99.0)
    found, spread = solve(views, n, weights)
    np.testing.assert_allclose(found, points, atol=2e-5)
    np.testing.assert_allclose(spread, 0, atol=2e-5)
    other, _ = solve(views, n.at[2].set(-3.0), weights)
    np.testing.assert_allclose(other, found, atol=1e-8)


def test_a_heavier_ray_is_followed_more_closely():
    views, _, n, weights = scene(noise=0.05)
    heavy = np.where(np.arange(4)[:, None] == 1, 1e3, weights)
    light, followed = (np.asarray(solve(views, n, w)[0]) for w in (weights, heavy))

    def miss(points):
        return np.abs(film(views, points)[1] - n[1]).max()

    assert miss(followed) < 0.05 * miss(light)


def test_common_weights_cancel():
    views, _, n, weights = scene(noise=0.02)
    once, thrice = (solve(views, n, factor * weights) for factor in (1, 3))
    np.testing.assert_allclose(once[0], thrice[0], atol=1e-5)  # but for the ridge
    np.testing.assert_allclose(once[1], thrice[1], atol=1e-5)


def test_moving_turning_and_scaling_the_world_moves_the_points_with_it():
    views, _, n, weights = scene(noise=0.02)
    shift, factor = np.array([300.0, -40, 5]), 2.5
    turn = np.asarray(look_at(jnp.asarray([1.0, 2, 3]), jnp.zeros(3)).cam_from_world)
    centre = factor * np.asarray(views.centre) @ turn.T + shift
    rotation = np.asarray(views.cam_from_world) @ turn.T
    moved = View(jnp.asarray(rotation), jnp.asarray(-np.einsum("vij,vj->vi", rotation, centre)))
    found, spread = solve(views, n, weights)
    there, spread_there = solve(moved, n, weights)
    np.testing.assert_allclose(there, factor * np.asarray(found) @ turn.T + shift, atol=1e-8)
    np.testing.assert_allclose(spread_there, factor * np.asarray(spread), atol=1e-8)


def test_gradients_are_the_finite_differences():
    views, _, n, weights = scene(noise=0.05)
    pull = jnp.asarray(np.random.default_rng(5).normal(size=(POINTS, 3)))

    def energy(n, weights):
        points, spread = triangulate(views, n, weights)
        return (pull * points).sum() + spread.sum()

    gradients = jax.jit(jax.grad(energy, (0, 1)))(n, weights)
    value, step = jax.jit(energy), 1e-6
    for k, gradient in enumerate(gradients):
        towards = np.random.default_rng(k).normal(size=gradient.shape)
        ahead, behind = ([n, weights] for _ in range(2))
        ahead[k], behind[k] = ahead[k] + step * towards, behind[k] - step * towards
        numeric = (value(*ahead) - value(*behind)) / (2 * step)
        np.testing.assert_allclose((gradient * towards).sum(), numeric, rtol=1e-7)


def test_gradients_are_finite_where_all_rays_meet_and_where_none_counts():
    gradient = jax.jit(jax.grad(lambda n, views, w: sum(x.sum() for x in triangulate(views, n, w))))
    views, _, n, weights = scene()
    for w in (weights, 0 * weights):
        assert np.isfinite(gradient(n, views, w)).all()


def test_single_precision_is_good_to_a_tenth_of_a_millimetre():
    views, points, n, weights = scene()
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (views, n, weights))
    np.testing.assert_allclose(solve(*single)[0], points, atol=1e-4)
