"""The loop stops, resumes and complains as it should; a tiny model learns a walk for real."""

import dataclasses
import itertools
import json
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from tiny import MODEL, mocap_clip, quick_compilation, walk

from experiments import train as experiment
from lift2to3 import Lifter
from lift2to3.checkpoint import RunCheckpoints, load_weights
from lift2to3.data.augment import AugmentConfig
from lift2to3.data.detector_noise import NoiseConfig
from lift2to3.data.packed import write_packed
from lift2to3.data.windows import WindowConfig
from lift2to3.models.denoiser import Denoiser, DenoiserConfig
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.models.params import build
from lift2to3.training.batches import training_batches
from lift2to3.training.loop import LoopConfig, NonFiniteLoss, train
from lift2to3.training.losses import (
    LossConfig,
    make_examples,
    masked_mean,
    movement_loss,
    multiview_loss,
    points_losses,
)
from lift2to3.training.state import OptimiserConfig, initial_state, make_step


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


# --- the loop, on a line through points


def line_loss(params, batch, key):
    """Depends on the batch and on the key, as real losses do."""
    wanted = batch["y"] + 0.1 * jax.random.normal(key, batch["y"].shape)
    error = batch["x"] @ params["w"] + params["b"][None] - wanted
    return (error**2).mean(), {"error": jnp.abs(error).mean()}


def line_batches(first: int, stop: int | None = None, poison: int | None = None):
    """Batches that depend on the step alone; ``stop`` pulls the plug, ``poison`` holds a NaN."""
    for step in itertools.count(first):
        if step == stop:
            raise KeyboardInterrupt
        x = np.random.default_rng(step).normal(size=(8, 3)).astype(np.float32)
        x[0, 0] = np.nan if step == poison else x[0, 0]
        yield {"x": x, "y": (x @ np.array([[1.0], [2], [3]])).astype(np.float32)}


def start() -> dict[str, jax.Array]:
    return {"w": jnp.zeros((3, 1)), "b": jnp.zeros(1)}


def loop(**changes: object) -> LoopConfig:
    optimiser = OptimiserConfig(steps=6, learning_rate=0.1, warmup_steps=1)
    plain = {"optimiser": optimiser, "log_every": 1, "checkpoint_every": 3, "progress": False}
    return LoopConfig(**plain | changes)


def run(folder: Path, batches=line_batches, **changes):
    return train(line_loss, start(), batches, folder, loop(**changes))


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_same(found, wanted) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Six steps without a stop."""
    folder = tmp_path_factory.mktemp("straight")
    return folder, run(folder)


def test_a_run_folder_explains_itself(straight, tmp_path):
    folder, state = straight
    assert int(state.step) == 6
    config = json.loads((folder / "config.json").read_text())
    assert config["loop"]["optimiser"]["steps"] == 6
    code = json.loads((folder / "code.json").read_text())
    head = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    assert code["commit"] == subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    assert "diff" in code and code["jax"] == jax.__version__
    logged = lines(folder)
    assert [line["step"] for line in logged] == [1, 2, 3, 4, 5, 6]
    for line in logged:
        assert {"loss", "error", "gradient_norm", "seconds_per_step"} < set(line)
    described = train(line_loss, start(), line_batches, tmp_path, loop(), {"data": "points"})
    assert json.loads((tmp_path / "config.json").read_text())["data"] == "points"
    assert_same(described, state)


def test_training_moves_parameters_and_averages_lag_behind(straight):
    state = straight[1]
    assert np.abs(state.params["w"]).max() > 0.05
    assert 0 < np.abs(state.ema["w"]).max() < np.abs(state.params["w"]).max()


def test_a_resumed_run_is_the_run_that_never_stopped(straight, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, lambda first: line_batches(first, stop=4))
    assert RunCheckpoints(tmp_path / "checkpoints").latest == 3
    asked = []
    resumed = run(tmp_path, lambda first: asked.append(first) or line_batches(first))
    assert asked == [3]
    assert_same(resumed, straight[1])
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 4, 5, 6]


def test_a_finished_run_is_left_as_it_is(straight):
    folder, state = straight
    before = (folder / "metrics.jsonl").read_text()
    assert_same(run(folder), state)
    assert (folder / "metrics.jsonl").read_text() == before


def test_a_changed_config_keeps_its_predecessor(tmp_path):
    run(tmp_path, max_minutes=0)
    run(tmp_path)
    assert len(list(tmp_path.glob("config.before-*.json"))) == 1
    assert json.loads((tmp_path / "config.json").read_text())["loop"]["max_minutes"] is None


def test_the_time_limit_stops_cleanly_and_can_be_resumed(straight, tmp_path):
    stopped = run(tmp_path, max_minutes=0)
    assert int(stopped.step) == 1
    assert RunCheckpoints(tmp_path / "checkpoints").latest == 1
    assert [line["step"] for line in lines(tmp_path)] == [1]
    assert_same(run(tmp_path), straight[1])


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_steps(tmp_path):
    poisoned = lambda first: line_batches(first, poison=4)  # noqa: E731
    with pytest.raises(NonFiniteLoss, match=r"not finite between steps 4 and 5: .*nan.*last good state"):
        run(tmp_path, poisoned)
    assert RunCheckpoints(tmp_path / "checkpoints").latest == 3


def test_nothing_is_saved_unseen_however_rarely_it_is_logged(tmp_path):
    poisoned = lambda first: line_batches(first, poison=4)  # noqa: E731
    with pytest.raises(NonFiniteLoss, match="between steps 3 and 6"):
        run(tmp_path, poisoned, log_every=1000)
    assert RunCheckpoints(tmp_path / "checkpoints").latest == 3


def test_validation_sees_the_averaged_weights_and_is_logged(tmp_path):
    seen = []
    state = train(
        line_loss, start(), line_batches, tmp_path, loop(validate_every=4), None,
        lambda params: seen.append(params["w"]) or {"mpjpe": float(len(seen))},
    )  # fmt: skip
    np.testing.assert_array_equal(seen[-1], state.ema["w"])
    logged = {line["step"]: line["val_mpjpe"] for line in lines(tmp_path) if "val_mpjpe" in line}
    assert logged == {4: 1.0, 6: 2.0}


def test_seeds_train_differently(straight, tmp_path):
    other = run(tmp_path, seed=1)
    assert np.abs(other.params["w"] - straight[1].params["w"]).max() > 1e-5


# --- losses


def test_a_masked_mean_divides_by_the_mask():
    values = jnp.arange(12.0).reshape(2, 3, 2)
    mask = jnp.array([[True, False, False], [True, True, False]])
    assert masked_mean(values, mask) == pytest.approx(np.mean([0, 1, 6, 7, 8, 9]))
    assert masked_mean(values, mask[..., None]) == pytest.approx(np.mean([0, 1, 6, 7, 8, 9]))
    assert masked_mean(values, jnp.zeros((2, 3), bool)) == 0
    poisoned = values.at[0, 1].set(jnp.nan)
    gradient = jax.grad(lambda v: masked_mean(v, mask))(poisoned)
    np.testing.assert_allclose(gradient, np.where(mask[..., None], 1 / 6, 0) * np.ones(2))


def test_frames_that_are_no_data_change_no_loss():
    draw = np.random.default_rng(0)
    x0, predicted = draw.normal(size=(2, 2, 4, 10, 79)).astype(np.float32)
    points, truth = draw.normal(size=(2, 2, 10, 38, 3)).astype(np.float32)
    valid = np.arange(10) < np.array([[7], [10]])

    @jax.jit
    def losses(predicted, x0, points, truth, valid):
        return {"movement": movement_loss(predicted, x0, valid)} | points_losses(points, truth, valid)

    def with_garbage(array, time_axis):
        known = valid.reshape(2, *(1,) * (time_axis - 1), 10, *(1,) * (array.ndim - time_axis - 1))
        return np.where(known, array, np.float32(1e3) + array)

    clean = losses(predicted, x0, points, truth, valid)
    padded = losses(with_garbage(predicted, 2), x0, with_garbage(points, 1), truth, valid)
    fewer = losses(predicted, x0, points, truth, valid & (np.arange(10) != 3))
    for name, loss in clean.items():
        assert float(padded[name]) == pytest.approx(float(loss), rel=1e-5)
        assert float(fewer[name]) != pytest.approx(float(loss), rel=1e-5)


# --- a real model


def clips() -> list:
    """Three people on their ways."""
    people = ((1.25, 4.0, 1.73), (0.9, -3.0, 1.6), (1.5, 8.0, 1.85))
    return [
        mocap_clip(walk(96, speed_mps=speed, turn_radius_m=radius, stature_m=stature), name=f"walk_{stature}")
        for speed, radius, stature in people
    ]


STILL = LossConfig(
    noisiest=1.0, multiview=MultiViewConfig(pointmap_resolution=4),
    augment=AugmentConfig(mirror=0, body_scale=0, bone_scale=0, time_warp=(1, 1), splice=0, turn=0),
    noise=NoiseConfig(clean=1.0, drop_joint=0, drop_span=0, drop_frames=0, drop_format=0),
)  # fmt: skip


@pytest.fixture
def one_device(monkeypatch) -> Mesh:
    """A model this small is trained fastest by one; several have a test file to themselves."""
    mesh = Mesh(np.array(jax.devices()[:1]), ("data",))
    monkeypatch.setattr("lift2to3.training.loop.data_mesh", lambda: mesh)
    return mesh


@pytest.mark.slow
def test_a_tiny_model_is_pretrained_and_finetuned_and_its_losses_fall(one_device, tmp_path):
    for split, people in (("train", clips()), ("val", clips()[:1])):
        write_packed(tmp_path / split, people)
    shared = {
        "data": tmp_path,
        "windows": WindowConfig(frames=16, batch=8, reader="numpy"),
        "loss": dataclasses.replace(STILL, noisiest=0.2),
        "loop": LoopConfig(
            OptimiserConfig(steps=40, learning_rate=1e-2, warmup_steps=4, ema=0.8),
            log_every=1, validate_every=1000, progress=False,
        ),
    }  # fmt: skip
    model = dataclasses.replace(MODEL, width=32, pointmaps=False)
    g2d = experiment.main(experiment.Pretraining(run=tmp_path / "g2d", model=model, **shared))
    gmv = tmp_path / "gmv"
    tiny = experiment.main(
        experiment.Finetuning(run=gmv, pretrained=g2d, name="tiny", model=model, watch=("val",), **shared)
    )
    for run_folder in (tmp_path / "g2d", gmv):
        loss = [line["loss"] for line in lines(run_folder) if "loss" in line]
        assert len(loss) == 40
        assert np.mean(loss[-10:]) < 0.85 * np.mean(loss[:5]), f"{run_folder.name}: {loss}"
    scores = lines(gmv)[-1]
    assert {"val_val_mpjpe", "val_val_pa_mpjpe", "val_val_abs_mpjpe", "val_val_root_error"} < set(scores)
    assert 20 < scores["val_val_mpjpe"] < 1000
    # the pelvis's error and the pose's can cancel or add up in a joint, no more
    gap = abs(scores["val_val_abs_mpjpe"] - scores["val_val_root_error"])
    assert scores["val_val_root_error"] > 1 and gap < scores["val_val_mpjpe"] + 1e-3
    before, after = (load_weights(path).params["tokenise.kernel"] for path in (g2d, tiny))
    assert 0 < np.abs(after - before).mean() < np.abs(before).mean(), "it started from G_2D"
    assert Lifter.from_pretrained(tiny).model.frames == 16


def test_every_second_subject_is_half_of_them(tmp_path):
    people = [
        clip._replace(subject=subject, clip=f"{subject}_{clip.clip}")
        for subject in ("b", "a", "d", "c")
        for clip in clips()[:2]
    ]
    write_packed(tmp_path / "train", people)
    found = {
        every: [clip.subject for clip in experiment.training_clips(tmp_path, every)] for every in (1, 2, 9)
    }
    assert sorted(found[1]) == list("aabbccdd")
    assert sorted(found[2]) == list("aacc") and sorted(found[9]) == list("aa")
    with pytest.raises(ValueError, match="every_subject: wanted 1 .* found 0"):
        experiment.training_clips(tmp_path, 0)


def test_subjects_can_be_left_out_and_must_be_there(tmp_path):
    people = [clips()[0]._replace(subject=subject, clip=subject) for subject in "abcd"]
    write_packed(tmp_path / "train", people)
    left = lambda every, *out: [c.subject for c in experiment.training_clips(tmp_path, every, out)]  # noqa: E731
    assert left(1) == list("abcd") and left(1, "b", "d") == list("ac") and left(2, "a") == list("bd")
    with pytest.raises(ValueError, match="no e in .* found a, b, c, d"):
        left(1, "b", "e")
    with pytest.raises(ValueError, match="all 4 subjects"):
        left(1, *"abcd")


def test_an_example_is_in_the_frame_that_its_views_are_set_up_in():
    windows = WindowConfig(frames=8, batch=2, reader="numpy")
    batch = jax.tree.map(jnp.asarray, next(training_batches(clips(), windows, seed=0)(0)))
    turned = dataclasses.replace(STILL, multiview=dataclasses.replace(STILL.multiview, canonical=False))
    example = jax.jit(lambda batch, key: make_examples(batch, key, 8, turned))(batch, jax.random.key(0))
    real = example.rig.views.cam_from_world[:, 0]
    assert np.abs(real[:, 2, 0]).max() > 0.05, "the camera looks along no axis of its frame"
    np.testing.assert_allclose(example.rig.views.centre[:, 0, :2], 0, atol=1e-5)
    seen = jnp.einsum("bij,btpj->btpi", real, example.points - example.rig.views.centre[:, None, None, 0])
    np.testing.assert_allclose(seen[..., :2] / seen[..., 2:], example.n, atol=1e-4)


@pytest.fixture(scope="module")
def make():
    """Two windows and a key → two examples, without augmentation and noise."""
    windows = WindowConfig(frames=8, batch=2, reader="numpy")
    batch = jax.tree.map(jnp.asarray, next(training_batches(clips(), windows, seed=0)(0)))
    compiled = jax.jit(lambda batch, key: make_examples(batch, key, 8, STILL))
    return lambda seed: compiled(batch, jax.random.key(seed))


def test_examples_follow_from_their_key_alone(make):
    first, again, other = (make(seed) for seed in (0, 0, 1))
    assert_same(first, again)
    assert np.abs(first.n - other.n).max() > 0.01
    assert first.x0.shape[:3] == (2, 4, 8) and np.isfinite(first.x0).all()
    assert ((first.confidence >= 0) & (first.confidence <= 1)).all()


def test_second_passes_start_from_the_first_one_s_result_where_asked(make, monkeypatch):
    example = make(1)
    monkeypatch.setattr("lift2to3.training.losses.make_examples", lambda *_: example)
    graph, params = build(Denoiser, dataclasses.replace(MODEL, width=16, pointmaps=False))
    generator = np.random.default_rng(0)  # its last layers start at 0: what goes in would not matter
    params = {name: leaf + 0.1 * generator.normal(size=leaf.shape) for name, leaf in params.items()}
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
    truth, own = (
        jax.jit(multiview_loss(graph, 8, dataclasses.replace(STILL, own=share)))(
            params, {}, jax.random.key(0)
        )
        for share in (0.0, 1.0)
    )
    assert own[1]["mpjpe_mm"] == truth[1]["mpjpe_mm"], "the first pass is the same"
    assert own[1]["second_mpjpe_mm"] != truth[1]["second_mpjpe_mm"]
    assert own[0] != truth[0]


@pytest.mark.slow
def test_one_batch_is_learnt_to_a_few_millimetres(make, one_device, monkeypatch):
    example, steps = make(3), 250
    monkeypatch.setattr("lift2to3.training.losses.make_examples", lambda *_: example)
    model = DenoiserConfig(
        width=64, depth=1, heads=2, mlp_ratio=2, patch=2, pointmaps=False, pointmap_resolution=4, half=False
    )
    graph, params = build(Denoiser, model)
    loss_fn, key = multiview_loss(graph, 8, STILL), jax.random.key(0)
    optimiser = OptimiserConfig(steps=steps, learning_rate=6e-3, warmup_steps=20, weight_decay=0).transform()
    step = make_step(lambda params, batch, _: loss_fn(params, batch, key), optimiser, 0, 0.99)
    state, errors = initial_state(params, optimiser, one_device), []
    for _ in range(steps):
        state, scalars = step(state, {})
        errors.append(scalars["mpjpe_mm"])
    assert errors[0] > 50
    assert errors[-1] < 5
