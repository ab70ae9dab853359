"""The network's building blocks against plain references."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lift2to3.models.layers import (
    Attention,
    Dense,
    Mlp,
    attend,
    attend_nearby,
    matmul,
    normalise,
    rotary,
)
from lift2to3.models.pointmap import PointmapEncoder

INPUTS, OUTPUTS = 24, 16


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def twins(half: bool) -> tuple[Dense, nnx.Linear]:
    """Our layer and Flax's, with the same numbers in them."""
    ours = Dense(INPUTS, OUTPUTS, half=half, rngs=nnx.Rngs(0))
    theirs = nnx.Linear(INPUTS, OUTPUTS, rngs=nnx.Rngs(1))
    ours.bias[...] = jnp.asarray(random(OUTPUTS, seed=1))
    theirs.kernel[...], theirs.bias[...] = ours.kernel[...], ours.bias[...]
    return ours, theirs


def value_and_gradients(layer: nnx.Module, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """The layer's output, and a weighted sum's gradient by input, kernel and bias."""
    graph, params = nnx.split(layer)
    pull = jnp.asarray(random(*x.shape[:-1], OUTPUTS, seed=2))

    @jax.jit
    def run(params, x):
        def energy(params, x):
            out = nnx.merge(graph, params)(x)
            return (pull * out).sum(), out

        (_, out), gradients = jax.value_and_grad(energy, (0, 1), has_aux=True)(params, x)
        return out, gradients[1], gradients[0]["kernel"][...], gradients[0]["bias"][...]

    return tuple(np.asarray(part) for part in run(params, x))


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_dense_is_flax_s_linear_in_value_and_gradients(batch):
    x = random(*batch, INPUTS)
    for ours, theirs in zip(*(value_and_gradients(layer, x) for layer in twins(half=False)), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_dense_in_half_precision_is_close_and_gives_single_precision():
    x = random(40, INPUTS)
    for ours, theirs in zip(*(value_and_gradients(layer, x) for layer in twins(half=True)), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=0.02 * np.abs(theirs).max())


def test_half_precision_is_in_both_backward_products_too():
    # 1 + 2⁻⁹ is 1 in bfloat16: gradients of a half product see the rounded factors
    x, w = np.full((2, 3), 1 + 2**-9, np.float32), np.full((3, 2), 1 + 2**-9, np.float32)
    by_x, by_w = jax.jit(jax.grad(lambda x, w: matmul(x, w, True).sum(), (0, 1)))(x, w)
    np.testing.assert_array_equal(by_x, 2.0)
    np.testing.assert_array_equal(by_w, 2.0)


def test_a_zeroed_dense_says_nothing_but_learns():
    layer = Dense(INPUTS, OUTPUTS, half=False, zero=True, rngs=nnx.Rngs(0))
    out, by_x, by_kernel, _ = value_and_gradients(layer, random(5, INPUTS))
    assert (out == 0).all() and (by_x == 0).all() and (by_kernel != 0).all()


def test_fresh_layers_keep_the_scale_of_what_they_are_given():
    layer = Dense(256, 256, half=False, rngs=nnx.Rngs(0))
    assert 0.7 < float(layer(jnp.asarray(random(200, 256))).std()) < 1.1


def test_normalise_is_flax_s_layer_norm_without_parameters():
    x = 3 * random(4, 5, INPUTS) + 2
    norm = nnx.LayerNorm(INPUTS, use_bias=False, use_scale=False, epsilon=1e-6, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(normalise(jnp.asarray(x)), norm(jnp.asarray(x)), atol=1e-5)


def slow_attention(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """One query and head at a time; (tokens, heads, depth)."""
    out = np.zeros((*query.shape[:2], value.shape[-1]))
    for q in range(len(query)):
        for head in range(query.shape[1]):
            scores = np.array([query[q, head] @ k / np.sqrt(query.shape[2]) for k in key[:, head]])
            weights = np.exp(scores) / np.exp(scores).sum()
            out[q, head] = sum(weight * v for weight, v in zip(weights, value[:, head], strict=True))
    return out


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_attention_is_the_written_formula(batch):
    query, key, value = (random(*batch, tokens, 2, 4, seed=k) for k, tokens in enumerate((5, 7, 7)))
    found = np.asarray(jax.jit(attend)(query, key, value)).reshape(-1, 5, 2, 4)
    for row, parts in enumerate(
        zip(*(x.reshape(-1, *x.shape[-3:]) for x in (query, key, value)), strict=True)
    ):
        np.testing.assert_allclose(found[row], slow_attention(*parts), atol=1e-5)


nearby = jax.jit(attend_nearby, static_argnums=4)
REACH = 3


def clips(tokens: int, batch: int = 2) -> tuple[np.ndarray, ...]:
    """Queries, keys and values, and which tokens are present: about two in three."""
    present = np.random.default_rng(tokens).random((batch, tokens)) < 0.65
    return (*(random(batch, tokens, 2, 4, seed=k) for k in range(3)), present)


@pytest.mark.parametrize("tokens", [1, 3 * REACH, 3 * REACH + 1, 4 * REACH, 5 * REACH + 2])
def test_attention_nearby_is_attention_to_the_present_tokens_within_reach(tokens):
    query, key, value, present = clips(tokens)
    found = np.asarray(nearby(query, key, value, present, REACH))
    assert found.shape == query.shape and np.isfinite(found).all()
    for clip, here in enumerate(present):
        for token in range(tokens):
            near = np.flatnonzero(here & (np.abs(np.arange(tokens) - token) <= REACH))
            if near.size:
                expected = slow_attention(query[clip, token : token + 1], key[clip, near], value[clip, near])
                np.testing.assert_allclose(found[clip, token], expected[0], atol=1e-5)


@pytest.mark.parametrize("more", [1, REACH, 2 * REACH + 1])
def test_attention_nearby_does_not_depend_on_where_its_blocks_lie(more):
    tokens = 4 * REACH
    query, key, value, present = clips(tokens)
    front = [np.concatenate([random(2, more, 2, 4, seed=9), x], axis=1) for x in (query, key, value)]
    shifted = nearby(*front, np.pad(present, ((0, 0), (more, 0))), REACH)
    some = np.stack([np.convolve(here, np.ones(2 * REACH + 1), "same") > 0 for here in present])
    expected = np.asarray(nearby(query, key, value, present, REACH))
    np.testing.assert_allclose(np.asarray(shifted)[:, more:][some], expected[some], atol=1e-6)


@pytest.mark.parametrize("tokens", [2 * REACH, 5 * REACH + 1])
def test_absent_and_distant_tokens_say_nothing_and_learn_nothing(tokens):
    query, key, value, present = clips(tokens)
    present[:, ::2] = True  # so that every token has somebody to attend to
    before = nearby(query, key, value, present, REACH)
    wild = np.where(present[..., None, None], value, 1e6), np.where(present[..., None, None], key, 1e3)
    np.testing.assert_array_equal(nearby(query, wild[1], wild[0], present, REACH), before)
    slope = jax.jit(jax.grad(lambda v: nearby(query, key, v, present, REACH)[:, 0].sum()))(value)
    reached = np.abs(slope).max((0, 2, 3)) > 0
    np.testing.assert_array_equal(reached, present.any(0) & (np.arange(tokens) <= REACH))


def test_where_nobody_is_present_attention_and_its_gradient_are_finite():
    *parts, present = clips(4 * REACH)
    slopes = jax.jit(jax.grad(lambda *parts: (nearby(*parts, REACH) ** 2).sum(), (0, 1, 2)))
    for shown in (present, np.zeros_like(present)):
        assert np.isfinite(nearby(*parts, shown, REACH)).all()
        assert all(np.isfinite(slope).all() for slope in slopes(*parts, shown))


@pytest.mark.parametrize("tokens", [REACH + 1, 20])
def test_the_attention_layer_s_reach_leaves_short_clips_alone_and_cuts_long_ones(tokens):
    near, everywhere = (
        Attention(8, 2, rope=True, reach=reach, half=False, rngs=nnx.Rngs(0)) for reach in (REACH, None)
    )
    x = jnp.asarray(random(2, tokens, 8))
    within, whole = jax.jit(lambda x: (near(x), everywhere(x)))(x)
    difference = float(np.abs(within - whole).max())
    assert difference < 1e-6 if tokens == REACH + 1 else difference > 1e-3


@pytest.mark.parametrize("tokens", [7, 20])
def test_the_attention_layer_hears_present_tokens_only(tokens):
    layer = Attention(8, 2, rope=True, reach=REACH, half=False, rngs=nnx.Rngs(0))
    run = jax.jit(lambda x, present: layer(x, present=present))
    x, present = random(2, tokens, 8), np.arange(tokens)[None].repeat(2, 0) < tokens - 2
    wild = np.where(present[..., None], x, 50.0)
    before = run(x, present)
    np.testing.assert_allclose(run(wild, present)[:, :-2], before[:, :-2], atol=1e-6)
    assert np.abs(run(wild, np.ones_like(present)) - before)[:, :-2].max() > 1e-3


@pytest.mark.parametrize("rope", [False, True])
def test_the_attention_layer_is_its_parts_put_together(rope):
    layer = Attention(8, 2, context_width=6, rope=rope, half=False, rngs=nnx.Rngs(0))

    @jax.jit
    def parts(x, context):
        key_value = layer.key_value(context)
        query, key, value = (
            rows.reshape(3, -1, 2, 4) for rows in (layer.query(x), key_value[..., :8], key_value[..., 8:])
        )
        return (rotary(query), rotary(key), value) if rope else (query, key, value)

    x, context = random(3, 5, 8), random(3, 7, 6, seed=1)
    attended = [slow_attention(*row) for row in zip(*map(np.asarray, parts(x, context)), strict=True)]
    expected = np.reshape(attended, (3, 5, 8)) @ np.asarray(layer.out.kernel[...])
    np.testing.assert_allclose(jax.jit(layer.__call__)(x, context), expected, atol=1e-5)


def test_rotary_attention_sees_only_how_far_apart_tokens_are():
    tokens = 9
    query, key = (np.broadcast_to(random(1, 1, 8, seed=k), (tokens, 1, 8)) for k in (0, 1))
    turned = [np.asarray(jax.jit(rotary)(x))[:, 0] for x in (query, key)]
    scores = turned[0] @ turned[1].T
    for distance in range(1 - tokens, tokens):
        np.testing.assert_allclose(np.diag(scores, distance), np.diag(scores, distance)[0], atol=1e-5)
    assert np.ptp(scores[0]) > 0.1
    np.testing.assert_allclose(np.linalg.norm(turned[0], axis=-1), np.linalg.norm(query[0]), rtol=1e-5)
    np.testing.assert_allclose(turned[0][0], query[0, 0], atol=1e-7)


def test_attention_without_rotary_does_not_care_for_order():
    x = jnp.asarray(random(5, 8))
    order = np.array([3, 1, 4, 0, 2])
    plain, rope = (Attention(8, 2, rope=rope, half=False, rngs=nnx.Rngs(0)) for rope in (False, True))
    there, back = (jax.jit(lambda x: (plain(x), rope(x)))(rows) for rows in (x, x[order]))
    np.testing.assert_allclose(back[0], there[0][order], atol=1e-6)
    assert np.abs(back[1] - there[1][order]).max() > 1e-4


def test_mlp_is_two_dense_layers_with_gelu_between():
    layer = Mlp(6, 12, 4, half=False, rngs=nnx.Rngs(0))
    x = jnp.asarray(random(3, 6))
    hidden = x @ layer.up.kernel[...]
    np.testing.assert_allclose(layer(x), jax.nn.gelu(hidden) @ layer.down.kernel[...], atol=1e-6)


@pytest.mark.parametrize(("resolution", "cells"), [(16, 1), (24, 4), (32, 4)])
def test_pointmaps_become_a_few_tokens(resolution, cells):
    encoder = jax.eval_shape(lambda: PointmapEncoder(4, rngs=nnx.Rngs(0)))
    shape = (2, 3, resolution, resolution, 3)
    tokens = jax.eval_shape(lambda e, x: e(x), encoder, jax.ShapeDtypeStruct(shape, jnp.float32))
    assert tokens.shape == (2, 3, cells, 32)


def test_the_pointmap_encoder_is_a_resnet_18():
    state = jax.eval_shape(lambda: nnx.state(PointmapEncoder(64, rngs=nnx.Rngs(0))))
    kernels = [leaf for path, leaf in nnx.to_flat_state(state) if path[-1] == "kernel"]
    three_by_three = [kernel for kernel in kernels if kernel.shape[:2] == (3, 3)]
    assert len(three_by_three) == 17  # and the classifier that it does not need makes 18
    assert sum(kernel.size for kernel in kernels) == pytest.approx(11.2e6, rel=0.01)
