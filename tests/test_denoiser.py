"""G_2D and G_MV: what is shared, what is new, and that the new changes nothing before finetuning."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.models.denoiser import Condition, Denoiser, DenoiserConfig, time_features
from lift2to3.models.params import Params, build, describe, merge, split, warm_start
from lift2to3.representation import CHANNELS, JOINTS
from lift2to3.skeletons import FOOT_POINTS

BATCH, VIEWS, FRAMES = 2, 4, 6
TINY = DenoiserConfig(
    width=16, depth=2, heads=2, mlp_ratio=2, patch=2, pointmap_width=4, pointmap_resolution=16, half=False
)
SINGLE = dataclasses.replace(TINY, multi_view=False)
NO_POINTMAPS = dataclasses.replace(TINY, pointmaps=False)
BARE = dataclasses.replace(TINY, pointmaps=False, billboard=False, foot_hits=False)


def shaken(params: Params, size: float = 0.2, seed: int = 0) -> Params:
    """The parameters after "training": no layer is zero any more."""
    draw = np.random.default_rng(seed)
    return {
        path: leaf + size * draw.normal(size=leaf.shape).astype(np.float32) for path, leaf in params.items()
    }


def inputs(seed: int = 0, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray, Condition]:
    """Noisy motion, times, and a condition: half of view 0's joints are observed."""
    draw = np.random.default_rng(seed)
    normal = lambda *shape: draw.normal(size=shape).astype(np.float32)  # noqa: E731
    every = (BATCH, VIEWS, frames)
    confidence = np.zeros((*every, JOINTS), np.float32)
    confidence[:, 0] = draw.random((BATCH, frames, JOINTS)) < 0.5
    pointmap = normal(BATCH, VIEWS, TINY.pointmap_resolution, TINY.pointmap_resolution, 3)
    condition = Condition(
        normal(*every, CHANNELS),
        confidence,
        normal(BATCH, VIEWS, 9),
        normal(*every, CHANNELS),
        normal(BATCH, frames, len(FOOT_POINTS), 2),
        pointmap,
    )
    return normal(*every, CHANNELS), draw.random(BATCH).astype(np.float32), condition


class Model:
    """A denoiser's static part, its fresh parameters, and the compiled call."""

    def __init__(self, config: DenoiserConfig) -> None:
        self.graph, self.fresh = build(Denoiser, config)
        compiled = jax.jit(lambda params, *inputs: merge(self.graph, params)(*inputs))
        self.run = lambda params, *inputs: np.asarray(compiled(params, *inputs))


@pytest.fixture(scope="module")
def single() -> Model:
    return Model(SINGLE)


@pytest.fixture(scope="module")
def multi() -> Model:
    return Model(TINY)


@pytest.fixture(scope="module")
def without_pointmaps() -> Model:
    return Model(NO_POINTMAPS)


NEW = ("camera_mlp.", "billboard.", "skip.", "feet.", "pointmap.", "view_attention.", "pointmap_attention.")
"""What only G_MV has; its name's first part, or its first part within a block."""


def is_new(path: str) -> bool:
    within = path.split(".", 2)[2] if path.startswith("blocks.") else path
    return within.startswith(NEW)


# --- what is shared and what is new


def test_the_single_view_denoiser_is_the_trunk_and_nothing_else(single):
    assert {path.split(".")[0] for path in single.fresh} == {
        "tokenise", "time_mlp", "modulation", "blocks", "head",
    }  # fmt: skip
    within = {path.split(".")[2] for path in single.fresh if path.startswith("blocks.")}
    assert within == {"time_attention", "mlp", "modulation"}
    assert not any(is_new(path) for path in single.fresh)


def test_warm_start_takes_the_whole_trunk_and_lists_what_is_new(single, multi):
    trained = shaken(single.fresh)
    params, new = warm_start(multi.fresh, trained)
    assert set(new) == {path for path in multi.fresh if is_new(path)}
    assert set(params) == set(multi.fresh)
    for path, leaf in params.items():
        np.testing.assert_array_equal(leaf, multi.fresh[path] if path in new else trained[path], err_msg=path)
    found = {prefix for prefix in NEW for path in new if is_new(path) and prefix in path}
    assert found == set(NEW)


@pytest.mark.parametrize("config", [TINY, NO_POINTMAPS, BARE], ids=["all", "no pointmaps", "bare"])
def test_switches_take_their_parameters_away(config):
    paths = describe(Denoiser, config)[1]
    parts = ".".join(paths)
    assert ("pointmap" in parts) == config.pointmaps
    assert ("billboard" in parts) == ("skip" in parts) == config.billboard
    assert ("feet" in parts) == config.foot_hits
    assert "view_attention" in parts and "camera_mlp" in parts


@pytest.mark.parametrize("which", ["multi", "without_pointmaps"])
def test_before_finetuning_every_view_of_the_multi_view_denoiser_is_the_single_view_one(
    which, single, request
):
    multi = request.getfixturevalue(which)
    trained = shaken(single.fresh)
    params, _ = warm_start(multi.fresh, trained)
    noisy, t, condition = inputs()
    expected = single.run(trained, noisy, t, condition)
    assert expected.std() > 0.1
    np.testing.assert_allclose(multi.run(params, noisy, t, condition), expected, atol=1e-5)


def test_the_single_view_denoiser_treats_each_view_alone(single):
    trained = shaken(single.fresh)
    noisy, t, condition = inputs()
    together = single.run(trained, noisy, t, condition)
    others = jnp.asarray(noisy).at[:, 1:].set(9.0)
    blind = condition._replace(
        camera=0 * condition.camera,
        billboard=0 * condition.billboard,
        feet=0 * condition.feet,
        pointmap=0 * condition.pointmap,
    )
    np.testing.assert_allclose(single.run(trained, others, t, blind)[:, 0], together[:, 0], atol=1e-5)


def test_everything_new_can_learn_from_the_first_step_on(single, multi):
    params, new = warm_start(multi.fresh, shaken(single.fresh))
    energy = lambda params, *inputs: (merge(multi.graph, params)(*inputs) ** 2).sum()  # noqa: E731
    gradients = jax.jit(jax.grad(energy))(params, *inputs())
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    ends = (
        "view_attention.out.kernel",
        "pointmap_attention.out.kernel",
        "camera_mlp.down.kernel",
        "billboard.kernel",
        "skip.kernel",
        "feet.kernel",
    )
    for path in new:
        assert path.endswith(ends) == bool(np.abs(gradients[path]).max() > 0) or path.endswith("bias"), path


@pytest.mark.parametrize("prefix", NEW)
def test_each_addition_reaches_every_view_once_trained(prefix, single, multi):
    params, _ = warm_start(multi.fresh, shaken(single.fresh))
    if prefix == "pointmap.":  # it speaks through the attention to it
        params |= shaken({path: leaf for path, leaf in params.items() if "pointmap_attention." in path})
    before = multi.run(params, *inputs())
    params |= shaken({path: leaf for path, leaf in params.items() if is_new(path) and prefix in f".{path}"})
    change = np.abs(multi.run(params, *inputs()) - before).max((0, 2, 3))
    assert change.min() > 1e-4


def test_trained_views_talk_to_each_other_but_clips_do_not(multi):
    params = shaken(multi.fresh)
    noisy, t, condition = inputs()
    before = multi.run(params, noisy, t, condition)
    after = multi.run(params, jnp.asarray(noisy).at[0, 3].add(1.0), t, condition)
    assert np.abs(after - before)[0].max((1, 2)).min() > 1e-4
    np.testing.assert_array_equal(after[1], before[1])


def test_a_checkpoint_of_another_size_is_refused(single, multi):
    wide = {path: jnp.concatenate([leaf, leaf], axis=-1) for path, leaf in single.fresh.items()}
    with pytest.raises(ValueError, match=r"another configuration: .* found .* wanted .*and \d+ more"):
        warm_start(multi.fresh, wide)


def test_a_checkpoint_with_parts_that_have_no_place_is_refused(single, multi):
    with pytest.raises(ValueError, match="wanted nothing"):
        warm_start(single.fresh, multi.fresh)


def test_split_inverts_merge(single):
    params = shaken(single.fresh)
    graph, again = split(merge(single.graph, params))
    assert graph == single.graph and again.keys() == params.keys()
    for path in params:
        np.testing.assert_array_equal(again[path], params[path])


# --- what the denoiser looks at


def test_the_noisy_values_of_observed_joints_do_not_matter_and_all_others_do(multi):
    params = shaken(multi.fresh)
    noisy, t, condition = inputs()
    before = multi.run(params, noisy, t, condition)
    seen = np.repeat(condition.confidence > 0, 2, axis=-1)
    masked = np.concatenate([seen, np.broadcast_to(seen.any(-1, keepdims=True), (*seen.shape[:-1], 3))], -1)
    np.testing.assert_array_equal(multi.run(params, np.where(masked, 99.0, noisy), t, condition), before)
    hidden = condition._replace(observed=np.where(masked, condition.observed, 99.0))
    np.testing.assert_array_equal(multi.run(params, noisy, t, hidden), before)
    for changed in (np.where(masked, noisy, noisy + 1), noisy + 1):
        assert np.abs(multi.run(params, changed, t, condition) - before).max() > 1e-2
    seen_else = condition._replace(observed=np.where(masked, condition.observed + 1, 0))
    assert np.abs(multi.run(params, noisy, t, seen_else) - before).max() > 1e-2


def test_confidence_and_diffusion_time_matter(multi):
    params = shaken(multi.fresh)
    noisy, t, condition = inputs()
    before = multi.run(params, noisy, t, condition)
    unsure = condition._replace(confidence=condition.confidence / 2)
    assert np.abs(multi.run(params, noisy, t, unsure) - before).max() > 1e-3
    assert np.abs(multi.run(params, noisy, 1 - t, condition) - before).max() > 1e-3


def test_time_features_tell_any_two_times_apart():
    times = jnp.linspace(0, 1, 201)
    features = np.asarray(time_features(times, 32))
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1) + 9 * np.eye(201)
    assert features.shape == (201, 32) and distance.min() > 0.3


@pytest.mark.parametrize("frames", [2, 4, 10, 64])
def test_a_clip_may_be_of_any_length(multi, frames):
    shape = jax.eval_shape(merge(multi.graph, multi.fresh), *inputs(frames=frames)).shape
    assert shape == (BATCH, VIEWS, frames, CHANNELS)


def test_a_clip_that_does_not_fill_its_tokens_is_refused(multi):
    with pytest.raises(ValueError, match="7 frames: wanted a multiple of the denoiser's patch of 2"):
        jax.eval_shape(merge(multi.graph, multi.fresh), *inputs(frames=7))


def test_half_precision_is_close(multi):
    graph, _ = describe(Denoiser, dataclasses.replace(TINY, half=True))
    params = shaken(multi.fresh, 0.05)
    half = np.asarray(jax.jit(lambda params, *inputs: merge(graph, params)(*inputs))(params, *inputs()))
    full = multi.run(params, *inputs())
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.1 * np.abs(full).std())
