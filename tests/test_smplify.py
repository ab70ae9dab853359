"""The optimisation baseline: laws of its energy and its solver, and people found from their keypoints."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from jax.flatten_util import ravel_pytree
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from tiny import camera, film, walk

import lift2to3 as l23
from lift2to3.fit import pose_solver
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.pose_linear import Linear, jacobian_of, linearise
from lift2to3.fit.pose_problem import (
    RATES,
    SHAPES,
    UNKNOWNS,
    Posed,
    PosePrior,
    Problem,
    Weights,
    points_of,
    residuals,
    stepped,
)
from lift2to3.fit.pose_windows import even_starts, fade_in
from lift2to3.fit.smplify_search import cheapest_path
from lift2to3.fit.smplify_terms import SmplifyConfig, pose_prior, shape_precision, weights_at
from lift2to3.geometry.cameras import View
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.pipeline.refine_body import optimise, refine_body
from lift2to3.skeletons import CANONICAL, INDEX

CONFIG = SmplifyConfig(window_frames=32, overlap_frames=8)
FRAMES = 6  # of the small problem; the last one only fills it up
SMALL = FRAMES * UNKNOWNS + len(SHAPES)
WORLD_FROM_BODY = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    with tiny.quick_compilation():
        yield


# --- laws of the energy


def small_problem() -> tuple[Posed, Problem, PosePrior]:
    """Poses and a problem in which every term pulls, in single precision."""
    draw = np.random.default_rng(0)
    prior = pose_prior(CONFIG)
    turns = Rotation.from_rotvec(np.outer(np.linspace(0.3, 1.0, FRAMES), [0, 0, 1])).as_matrix()
    parts = (
        np.asarray(prior.mean).reshape(21, 3) + 0.5 * draw.standard_normal((FRAMES, 21, 3)),
        turns @ WORLD_FROM_BODY,
        [0, 4.0, 0.8] + 0.05 * draw.standard_normal((FRAMES, 3)),  # low: some points are under the floor
        0.1 * draw.standard_normal(len(SHAPES)),
    )
    posed = Posed(*(jnp.asarray(part, jnp.float32) for part in parts))
    bones = jnp.asarray(load_body_prior().rest_offsets, jnp.float32)
    points = np.asarray(points_of(posed, prior, bones))
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # looks along +y
    view = View(jnp.asarray(level, jnp.float32), jnp.asarray([0, 1.5, 0], jnp.float32))
    seen = (points @ level.T + [0, 1.5, 0])[..., :2] / points[..., 1:2]
    real = np.arange(FRAMES) < FRAMES - 1
    shape = FRAMES, len(CANONICAL)
    terms = (
        bones,
        seen + 0.02 * draw.standard_normal(seen.shape),
        2000 * draw.random(shape) * (draw.random(shape) < 0.7) * real[:, None],
        points + 0.1 * draw.standard_normal(points.shape),
        20 * draw.random(shape) * real[:, None],
        50 * draw.random(shape) * real[:, None],
        300 * draw.random((FRAMES - 1, 4)) * real[1:, None],
        0.1 * draw.standard_normal((FRAMES - 1, RATES)),
        real,
        shape_precision(CONFIG),
    )
    return posed, Problem(view, *(jnp.asarray(term, jnp.float32) for term in terms)), prior


def moved(posed: Posed, step: jax.Array) -> Posed:
    """All unknowns in one vector: the frames' and, at the end, the shape's."""
    return stepped(posed, step[: -len(SHAPES)].reshape(FRAMES, UNKNOWNS), step[-len(SHAPES) :])


def dense(linear: Linear) -> tuple[np.ndarray, np.ndarray]:
    """The normal equations' whole matrix and the gradient."""
    matrix = np.zeros((SMALL, SMALL))
    rows = [slice(t * UNKNOWNS, (t + 1) * UNKNOWNS) for t in range(FRAMES)]
    rows.append(slice(FRAMES * UNKNOWNS, None))
    placed = [(t, t, linear.block[t]) for t in range(FRAMES)]
    placed += [(t + 1, t, block) for t, block in enumerate(linear.near)]
    placed += [(t + 2, t, block) for t, block in enumerate(linear.far)]
    placed += [(FRAMES, t, block.T) for t, block in enumerate(linear.border)]
    placed.append((FRAMES, FRAMES, linear.corner))
    for row, column, block in placed:
        matrix[rows[row], rows[column]] = block
        matrix[rows[column], rows[row]] = np.asarray(block).T
    return matrix, np.concatenate([np.ravel(linear.gradient), linear.shape_gradient])


@jax.jit
def stacked(step: jax.Array, posed: Posed, problem: Problem, prior: PosePrior, weights: Weights) -> jax.Array:
    """All residuals of `small_problem`, a step away from its poses."""
    return ravel_pytree(residuals(moved(posed, step), problem, prior, weights))[0]


slopes = jax.jit(jax.jacfwd(stacked))
linear_of = jax.jit(linearise)
WEIGHTS = weights_at(CONFIG, 30.0, 3.0)
HERE = np.zeros(SMALL, np.float32)


def test_gradient_and_normal_equations_are_those_of_the_residuals():
    problem = small_problem()
    errors, jacobian = stacked(HERE, *problem, WEIGHTS), slopes(HERE, *problem, WEIGHTS)
    linear = linear_of(*problem, WEIGHTS)
    _, gradient = dense(linear)
    expected = np.asarray(jacobian, float).T @ np.asarray(errors, float)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())
    assert float(linear.energy) == pytest.approx(0.5 * float((errors**2).sum()), rel=1e-5)

    quadratic = WEIGHTS._replace(robust=1e15, robust_floor=1e15)  # where Gauss–Newton is exact
    jacobian = np.asarray(slopes(HERE, *problem, quadratic), float)
    matrix, _ = dense(linear_of(*problem, quadratic))
    expected = jacobian.T @ jacobian
    scale = np.sqrt(np.maximum(np.diag(expected), 1e-6))  # of what a frame that only fills up lacks: 0
    np.testing.assert_allclose(matrix / np.outer(scale, scale), expected / np.outer(scale, scale), atol=1e-4)
    assert np.abs(matrix[-len(SHAPES) :, : -len(SHAPES)]).max() > 1, "the bones are coupled to the poses"


@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_a_step_solves_the_damped_normal_equations(damping):
    linear = linear_of(*small_problem(), WEIGHTS)
    step, shape_step = jax.jit(pose_solver._solve)(linear, damping)
    matrix, gradient = dense(linear)
    added = damping * np.diag(matrix) + np.where(np.arange(SMALL) < FRAMES * UNKNOWNS, 1e-2, 0.0)
    expected = np.linalg.solve(matrix + np.diag(added), -gradient)
    found = np.concatenate([np.ravel(step), shape_step])
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_the_spread_is_laplace_s():
    posed, problem, prior = small_problem()
    spread = pose_solver.spread_of(posed, problem, prior, WEIGHTS)
    matrix, _ = dense(linear_of(posed, problem, prior, WEIGHTS))
    matrix += np.diag(np.where(np.arange(SMALL) < FRAMES * UNKNOWNS, 1e-2, 0.0))
    _, own = jax.jit(jacobian_of)(posed, prior, problem.rest_offsets)
    covariance = np.linalg.inv(matrix)
    for frame in (0, FRAMES - 2):
        columns = np.r_[frame * UNKNOWNS + np.arange(UNKNOWNS), FRAMES * UNKNOWNS : SMALL]
        of_frame = covariance[np.ix_(columns, columns)]
        variance = np.einsum("pin,nm,pim->p", own[frame], of_frame, own[frame])
        np.testing.assert_allclose(spread[frame], np.sqrt(variance), rtol=0.2)
        assert np.mean(spread[frame] / np.sqrt(variance)) == pytest.approx(1.0, abs=0.05)


def test_steps_lower_the_energy_to_a_minimum_from_which_a_general_solver_finds_no_lower_one():
    posed, problem, prior = small_problem()
    solve = lambda steps: pose_solver.solve(posed, problem, prior, WEIGHTS, steps, 0.0)  # noqa: E731
    energies = [float(solve(steps)[1]) for steps in (0, 1, 4, 60)]
    assert energies == sorted(energies, reverse=True) and energies[-1] < 0.3 * energies[0]
    best, energy, _ = solve(200)
    known = best, problem, prior, WEIGHTS
    as_double = lambda f: lambda x: np.asarray(f(jnp.asarray(x, jnp.float32), *known), float)  # noqa: E731
    theirs = least_squares(
        as_double(stacked), HERE, as_double(slopes),  # pyright: ignore[reportArgumentType]
        method="lm", max_nfev=6,
    )  # fmt: skip
    assert float(energy) < (1 + 1e-4) * theirs.cost


# --- windows


def test_the_cheapest_path_is_the_best_of_all_paths():
    draw = np.random.default_rng(1)
    energies, seams = list(draw.random((4, 3))), list(draw.random((3, 3, 3)))

    def cost(path: tuple[int, ...]) -> float:
        turns = zip(seams, path[:-1], path[1:], strict=True)
        return sum(each[i] for each, i in zip(energies, path, strict=True)) + sum(
            s[a, b] for s, a, b in turns
        )

    assert cheapest_path(energies, seams) == list(min(itertools.product(range(3), repeat=4), key=cost))


@pytest.mark.parametrize("frames", [1, 32, 33, 56, 57, 200])
def test_windows_cover_the_clip_and_fade_into_one_another(frames):
    starts = even_starts(frames, CONFIG.window_frames, CONFIG.overlap_frames)
    line = np.arange(frames + CONFIG.window_frames, dtype=float)
    whole, solved = np.zeros(frames), 0
    for start in starts.tolist():
        assert start == 0 or solved - start >= CONFIG.overlap_frames
        fade_in(whole, line[start : start + CONFIG.window_frames], start, solved)
        solved = start + CONFIG.window_frames
    np.testing.assert_allclose(whole, line[:frames], atol=1e-9)


# --- people


def lift(keypoints: Keypoints, start: Motion | None = None) -> Motion:
    if start is None:
        return optimise(keypoints, camera(), CONFIG)
    return refine_body(start, keypoints, camera(), CONFIG).motion(start.spread)


def as_start(points: np.ndarray) -> Motion:
    known = np.ones(points.shape[:2], bool)
    return Motion(points.astype(np.float32), CANONICAL, 30.0, known, np.zeros(known.shape, np.float32))


def turned(points: np.ndarray, yaw_rad: float) -> np.ndarray:
    """About the vertical through the world's origin."""
    return points @ Rotation.from_rotvec([0, 0, yaw_rad]).as_matrix().T


def facing(points: np.ndarray) -> np.ndarray:
    """Unit vector from the body's left to its right in each frame, along the floor."""
    across = (points[:, INDEX["right_hip"]] - points[:, INDEX["left_hip"]])[:, :2]
    return across / np.linalg.norm(across, axis=-1, keepdims=True)


def error_m(motion: Motion, points: np.ndarray) -> float:
    return float(np.linalg.norm(motion.joints_world - points, axis=-1)[:, :22].mean())


@pytest.mark.parametrize("yaw_deg", [10, 100, 190, 280])
def test_a_walk_is_found_whichever_way_it_goes(yaw_deg):
    points = turned(walk(32), np.radians(yaw_deg))
    found = lift(film(points, camera(), "smpl22"))
    assert (facing(found.joints_world) * facing(points)).sum(-1).mean() > 0.95
    assert error_m(found, points) < 0.15


def test_a_long_clip_with_a_gap_at_another_rate():
    points = walk(60, fps=15.0)
    keypoints = film(points, camera(), "coco17", fps=15.0)
    xy = keypoints.xy_px.copy()
    xy[20:44] = np.nan
    found = lift(l23.as_keypoints(xy, fps=15.0))
    valid = np.ones(60, bool)
    valid[27:37] = False  # more than half a second from frames 19 and 44
    np.testing.assert_array_equal(found.valid, np.repeat(valid[:, None], len(CANONICAL), axis=1))
    np.testing.assert_array_equal(np.isnan(found.joints_world).any(-1), ~found.valid)
    assert found.fps == 15.0 and found.spread.shape == found.valid.shape
    assert error_m(found._replace(joints_world=found.joints_world[valid]), points[valid]) < 0.25
    spread = found.spread.mean(1)
    assert spread[30:34].min() > spread[:15].max(), "nothing is known of the middle of the gap"


def test_a_start_is_where_the_search_begins():
    points = turned(walk(32), 0.3)
    keypoints = film(points, camera(), "smpl22")
    found = lift(keypoints, as_start(points))
    assert error_m(found, points) < 0.06
    middle = points[:, :1] * [1, 1, 0]
    back = (points - middle) * [-1, -1, 1] + middle  # the same person, facing the other way
    found = lift(keypoints, as_start(back))
    assert (facing(found.joints_world) * facing(points)).sum(-1).mean() < -0.5


def test_a_start_of_another_length_is_refused():
    keypoints = film(walk(32), camera(), "smpl22")
    with pytest.raises(ValueError, match="the motion has 30 frames, the keypoints 32; wanted a motion"):
        lift(keypoints, as_start(walk(30)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window_frames": 30}, "window_frames 30: wanted a multiple of the coarse_stride, which is 4"),
        ({"coarse_stride": 0}, "coarse_stride"),
        ({"overlap_frames": 61}, "overlap_frames 61: wanted 1 to half the window's 120"),
        ({"overlap_frames": 0}, "overlap_frames 0"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        SmplifyConfig(**fields)
