"""The diffusion process: its levels, and that sampling with an exact denoiser is exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.models.diffusion import add_noise, alpha_sigma, ddim, draw_times

pytestmark = pytest.mark.usefixtures("float64")

MEAN, DEVIATION = 1.5, 0.4


def exact_denoiser(x, t):
    """E[x0 | x_t] for x0 normal with `MEAN` and `DEVIATION`; also its result."""
    alpha, sigma = (level[:, None] for level in alpha_sigma(t))
    gain = alpha * DEVIATION**2 / (alpha**2 * DEVIATION**2 + sigma**2)
    x0 = MEAN + gain * (x - alpha * MEAN)
    return x0, x0


def test_signal_and_noise_share_one_unit_of_variance():
    alpha, sigma = alpha_sigma(jnp.linspace(0, 1, 101))
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, atol=1e-12)
    assert (np.diff(alpha) < 0).all() and (np.diff(sigma) > 0).all()
    np.testing.assert_allclose([alpha[0], sigma[0], alpha[-1], sigma[-1]], [1, 0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("rest", [(), (5,), (3, 2, 4)])
def test_noising_is_all_signal_at_0_and_all_noise_at_1(rest):
    draw = np.random.default_rng(0)
    x0, noise = (jnp.asarray(draw.normal(size=(3, *rest))) for _ in range(2))
    noised = add_noise(x0, noise, jnp.asarray([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(noised[0], x0[0], atol=1e-12)
    np.testing.assert_allclose(noised[1], (x0[1] + noise[1]) / np.sqrt(2), atol=1e-12)
    np.testing.assert_allclose(noised[2], noise[2], atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_denoiser_that_knows_is_believed(steps):
    truth = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4)))
    found = ddim(lambda x, t: (truth, 2 * truth), jnp.ones_like(truth), steps)
    np.testing.assert_allclose(found, 2 * truth, atol=1e-12)


def test_each_step_gets_what_the_one_before_left():
    noise, truth, steps = jnp.full((2, 3), 0.7), 0.3, 4
    visited, times = [], []

    def note(x, t):
        visited.append(np.asarray(x))
        times.append(float(t[0]))

    def denoise(x, t):
        jax.debug.callback(note, x, t, ordered=True)
        return jnp.full_like(x, truth), x

    ddim(denoise, noise, steps)
    jax.effects_barrier()
    np.testing.assert_allclose(times, 1 - np.arange(steps) / steps, atol=1e-12)
    # with the same x0 at each step the noise stays what it was: the forward process, backwards
    expected = [add_noise(jnp.full_like(noise, truth), noise, jnp.full(2, t)) for t in times]
    np.testing.assert_allclose(visited, expected, atol=1e-8)


def test_one_step_is_the_denoiser_s_answer_to_pure_noise():
    noise = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3)))
    x_t, t = ddim(lambda x, t: (0 * x, (x, t)), noise, 1)
    np.testing.assert_array_equal(x_t, noise)
    np.testing.assert_array_equal(t, 1)


def test_many_steps_of_the_exact_denoiser_turn_a_normal_into_the_target_s():
    # the probability flow of a normal target is linear: noise z must end at mean + deviation · z
    noise = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4000)))
    samples = np.asarray(ddim(exact_denoiser, noise, 400))
    np.testing.assert_allclose(samples, MEAN + DEVIATION * np.asarray(noise), atol=0.02)
    assert samples.mean() == pytest.approx(MEAN, abs=0.02)
    assert samples.std() == pytest.approx(DEVIATION, abs=0.02)


def test_one_step_of_the_exact_denoiser_is_the_mean():
    samples = ddim(exact_denoiser, jnp.asarray(np.random.default_rng(0).normal(size=(1, 50))), 1)
    np.testing.assert_allclose(samples, MEAN, atol=1e-8)


def test_sampling_is_differentiable():
    gradient = jax.grad(lambda noise: ddim(exact_denoiser, noise, 3).sum())(jnp.ones((2, 3)))
    assert np.isfinite(gradient).all() and (gradient > 0).all()


def test_training_times_are_uniform_but_for_the_noisiest():
    times = np.asarray(draw_times(jax.random.key(0), 20_000, 0.3))
    assert (times == 1).mean() == pytest.approx(0.3, abs=0.02)
    rest = times[times < 1]
    assert rest.min() >= 0 and np.quantile(rest, [0.25, 0.5, 0.75]) == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.02
    )
    assert (np.asarray(draw_times(jax.random.key(0), 100, 1.0)) == 1).all()
    assert (np.asarray(draw_times(jax.random.key(0), 100, 0.0)) < 1).all()
