"""One device or eight: the same step. Its gradient is a mean over the batch, whoever computes it."""

import dataclasses

import jax
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from tiny import MODEL, MULTIVIEW, mocap_clip, quick_compilation, walk

from lift2to3.data.windows import WindowConfig
from lift2to3.models.denoiser import Denoiser
from lift2to3.models.params import build
from lift2to3.training.batches import training_batches
from lift2to3.training.losses import LossConfig, multiview_loss
from lift2to3.training.state import data_mesh, initial_state, make_step, shard_batch

FRAMES = 8


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


def batches(size: int = 8):
    windows = WindowConfig(frames=FRAMES, batch=size, reader="numpy")
    return training_batches([mocap_clip(walk(96)), mocap_clip(walk(60, speed_mps=0.8))], windows, seed=0)(0)


@pytest.fixture(scope="module")
def trained():
    """Parameters and logged scalars of two steps, by number of devices; unaugmented: that compiles long."""
    graph, params = build(Denoiser, dataclasses.replace(MODEL, pointmaps=False))
    optimiser = optax.sgd(0.02)  # Adam's first steps are signs, and rounding turns some
    step = make_step(
        multiview_loss(graph, FRAMES, LossConfig(velocity=0.0, multiview=MULTIVIEW)),
        optimiser,
        seed=0,
        ema=0.9,
    )
    # (no velocity term: between frames that hardly differ, rounding decides the sign of an L1 gradient)
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        crop = lambda key, raw, valid, donor, frames, config: (raw[:frames], valid[:frames])  # noqa: E731
        patch.setattr("lift2to3.training.losses.augment", crop)
        for devices in (1, 8):
            mesh = Mesh(np.array(jax.devices()[:devices]), ("data",))
            state, logged, stream = initial_state(params, optimiser, mesh), [], batches()
            for _ in range(2):
                state, scalars = step(state, shard_batch(next(stream), mesh))
                logged.append(jax.device_get(scalars))
            results[devices] = (jax.device_get(state), logged, state)
    return results


@pytest.mark.parametrize(
    ("name", "rounding"), [("loss", 1e-5), ("movement", 1e-5), ("gradient_norm", 1e-4)]
)  # an L1 loss has a gradient of ±1: where an error is nearly 0, rounding turns it over
def test_one_and_eight_devices_agree_on_what_is_logged(trained, name, rounding):
    for alone, together in zip(trained[1][1], trained[8][1], strict=True):
        assert float(alone[name]) > 0
        assert float(together[name]) == pytest.approx(float(alone[name]), rel=rounding)


def test_one_and_eight_devices_agree_on_the_parameters(trained):
    alone, together = trained[1][0], trained[8][0]
    assert alone.step == together.step == 2
    assert max(np.abs(leaf - alone.ema[name]).max() for name, leaf in alone.params.items()) > 2e-4
    for name, leaf in alone.params.items():
        np.testing.assert_allclose(together.params[name], leaf, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(together.ema[name], alone.ema[name], atol=1e-5, err_msg=name)


def test_the_work_is_shared_and_the_parameters_are_everywhere(trained):
    assert data_mesh().size == 8
    batch = shard_batch(next(batches()), data_mesh())
    for leaf in batch.values():
        assert [shard.data.shape[0] for shard in leaf.addressable_shards] == [1] * 8
    for leaf in trained[8][2].params.values():
        assert len(leaf.sharding.device_set) == 8 and leaf.is_fully_replicated


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="a batch of 12 over 8 devices: wanted a multiple of 8"):
        shard_batch(next(batches(12)), data_mesh())
