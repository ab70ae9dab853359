"""The foot lifter: what it starts as, what it looks at and what not; and that it learns."""

import copy
import dataclasses
import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from moving_body import moving_body, rest_offsets
from scipy.spatial.transform import Rotation
from test_mocap import figure, random_turns
from tiny import quick_compilation

from experiments import train
from lift2to3.checkpoint import load_weights
from lift2to3.data.augment import AugmentConfig
from lift2to3.data.augment_body import FootTurnConfig
from lift2to3.data.initial_feet import FloorErrorConfig, tell_floor
from lift2to3.data.mocap import MocapClip, clip_from_bvh
from lift2to3.data.packed import write_packed
from lift2to3.data.windows import Stream, WindowConfig, body_window_batches
from lift2to3.geometry.rotations import geodesic_angle, matrix_from_6d
from lift2to3.models.foot_lifter import (
    FootInput,
    FootLifter,
    FootLifterConfig,
    in_camera_frame,
    in_own_frame,
    mirror_frames,
    mirror_input,
    soles_in_box,
)
from lift2to3.models.params import Params, build, describe, merge
from lift2to3.pipeline.refine_feet import FootRefiner
from lift2to3.skeletons import INDEX
from lift2to3.training import foot_loss as foot_loss_module
from lift2to3.training.foot_loss import FootLossConfig, foot_loss, make_foot_examples
from lift2to3.training.loop import LoopConfig
from lift2to3.training.state import OptimiserConfig, initial_state, make_step

BATCH, FRAMES, REACH, DEPTH = 2, 20, 3, 2
TINY = FootLifterConfig(
    width=16,
    depth=DEPTH,
    heads=2,
    mlp_ratio=1,
    reach=REACH,
    frame="global",
    bend=False,
    floor=False,
    half=False,
)
HIDDEN = np.s_[:, 4:9]  # frames that show no foot at all


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


def turns(*shape: int, seed: int = 0, deg: float = 180.0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(int(np.prod(shape)), 3)) * np.radians(deg) / 3
    return Rotation.from_rotvec(vectors).as_matrix().reshape(*shape, 3, 3).astype(np.float32)


def given(frames: int = FRAMES, seed: int = 0) -> FootInput:
    """Random feet, some points of them and all of some frames unseen."""
    draw = np.random.default_rng(seed)
    seen = draw.random((BATCH, frames, 8)) < 0.7
    seen[HIDDEN] = False
    return FootInput(
        draw.uniform(-1, 1, (BATCH, frames, 8, 2)).astype(np.float32), seen,
        draw.normal(size=(BATCH, frames, 3)).astype(np.float32),
        *(turns(BATCH, frames, 2, seed=seed + k) for k in range(3)),
        draw.normal(scale=0.15, size=(BATCH, frames, 2, 3, 3)).astype(np.float32),
        turns(BATCH, frames, seed=seed + 3)[..., 0],
        draw.uniform(0, 0.3, (BATCH, frames, 2)).astype(np.float32),
        np.ones((BATCH, frames), bool),
    )  # fmt: skip


def shaken(params: Params, size: float = 0.2, seed: int = 0) -> Params:
    """The parameters after "training": no layer is zero any more."""
    draw = np.random.default_rng(seed)
    return {
        path: leaf + size * draw.normal(size=leaf.shape).astype(np.float32) for path, leaf in params.items()
    }


class Model:
    """A lifter's fresh and shaken parameters, and the compiled call."""

    def __init__(self, **changes: object) -> None:
        self.config = dataclasses.replace(TINY, **changes)
        self.graph, self.fresh = build(FootLifter, self.config)
        self.trained = shaken(self.fresh)
        compiled = jax.jit(lambda params, *inputs: merge(self.graph, params)(*inputs))
        self.run = lambda params, *inputs: np.asarray(compiled(params, *inputs))


@functools.cache
def model(**changes: object) -> Model:
    return Model(**changes)


def six(frames: np.ndarray) -> np.ndarray:
    return np.concatenate([frames[..., 0], frames[..., 1]], axis=-1)


def assert_same(found, wanted) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


# --- what it starts as


@pytest.mark.parametrize("changes", [{}, {"bend": True}, {"frame": "local"}], ids=str)
def test_a_fresh_lifter_returns_the_initial_ankles(changes):
    feet, fresh = given(), model(**changes)
    out = fresh.run(fresh.fresh, feet)
    if not changes.get("frame"):
        np.testing.assert_array_equal(out, six(feet.ankles))
    else:
        np.testing.assert_allclose(out, six(feet.knees.swapaxes(-1, -2) @ feet.ankles), atol=1e-6)


def test_a_fresh_lifter_that_predicts_directly_returns_the_identity():
    direct = model(residual=False)
    out = direct.run(direct.fresh, given())
    frames = np.asarray(matrix_from_6d(jnp.asarray(out)))
    np.testing.assert_array_equal(frames, np.broadcast_to(np.eye(3), (BATCH, FRAMES, 2, 3, 3)))


def test_the_description_is_that_of_what_is_built_and_seeds_differ():
    graph, shapes = describe(FootLifter, TINY)
    assert graph == model().graph
    assert {name: leaf.shape for name, leaf in shapes.items()} == {
        name: leaf.shape for name, leaf in model().fresh.items()
    }
    other = build(FootLifter, TINY, seed=1)[1]
    assert_same(build(FootLifter, TINY)[1], model().fresh)
    assert np.abs(other["embed.kernel"] - model().fresh["embed.kernel"]).max() > 0.1


@pytest.mark.parametrize("frame", ["global", "local"])
def test_frames_go_into_their_own_frame_and_back(frame):
    config = dataclasses.replace(TINY, frame=frame)
    parents, frames = (jnp.asarray(turns(4, 2, seed=seed)) for seed in (0, 1))
    own = in_own_frame(frames, parents, config)
    np.testing.assert_allclose(in_camera_frame(own, parents, config), frames, atol=1e-6)
    world = jnp.asarray(turns(1, 1, seed=2))
    moved = in_own_frame(world @ frames, world @ parents, config)
    np.testing.assert_allclose(moved, own if frame == "local" else world @ frames, atol=1e-6)


# --- what it looks at


@pytest.mark.parametrize("bend", [False, True])
def test_what_an_unseen_point_reads_does_not_matter_and_what_a_seen_one_reads_does(bend):
    lifter, feet = model(bend=bend), given()
    before = lifter.run(lifter.trained, feet)
    assert np.abs(before - six(feet.ankles)).max() > 0.1
    wild = np.where(feet.seen[..., None], feet.points, np.float32(1e4))
    np.testing.assert_array_equal(lifter.run(lifter.trained, feet._replace(points=wild)), before)
    for row in range(8):
        moved = feet.points.copy()
        moved[:, :, row] += 0.3
        assert np.abs(lifter.run(lifter.trained, feet._replace(points=moved)) - before).max() > 1e-4


def test_an_unseen_point_is_not_one_seen_at_the_middle():
    feet = given()
    zero = feet._replace(points=np.where(feet.seen[..., None], feet.points, np.float32(0)))
    all_seen = zero._replace(seen=np.ones_like(feet.seen))
    before, after = (model().run(model().trained, x) for x in (zero, all_seen))
    assert np.abs(after - before).max() > 1e-2


def test_the_box_matters():
    feet = given()
    before, after = (model().run(model().trained, x) for x in (feet, feet._replace(box=feet.box + 0.5)))
    assert np.abs(after - before).max() > 1e-2


@pytest.mark.parametrize(
    ("switch", "parts", "field"),
    [
        ("knees", ("knees.",), "knees"),
        ("initial_ankles", ("ankles.",), "ankles"),  # without the bend, which is one of these
        ("bend", ("bends.", "gates."), "soles"),
    ],
)
def test_a_switch_takes_its_input_away(switch, parts, field):
    having, without = model(**{switch: True}), model(**{switch: False})
    assert {part for part in parts for name in having.fresh if name.startswith(part)} == set(parts)
    assert {name for name in having.fresh if not name.startswith(parts)} == set(without.fresh)
    feet, other = given(), getattr(given(seed=7), field)
    for lifter, heard in ((having, True), (without, False)):
        before, after = (
            lifter.run(lifter.trained, x) - six(x.ankles) for x in (feet, feet._replace(**{field: other}))
        )
        change = np.abs(after - before).max()
        assert change > 1e-2 if heard else change < 1e-6


def test_hips_are_heard_in_the_local_frame_only():
    feet = given()
    for frame, heard in (("global", False), ("local", True)):
        lifter = model(frame=frame)
        before, after = (
            lifter.run(lifter.trained, x) for x in (feet, feet._replace(hips=turns(BATCH, FRAMES, 2, seed=8)))
        )
        assert (np.abs(after - before).max() > 1e-2) == heard


def test_in_the_local_frame_the_camera_s_roll_is_not_heard_through_rotations():
    roll = Rotation.from_rotvec([0.1, 0.4, 1.0]).as_matrix().astype(np.float32)
    feet = given()
    rolled = feet._replace(**{name: roll @ getattr(feet, name) for name in ("hips", "knees", "ankles")})
    for frame, heard in (("local", False), ("global", True)):
        lifter = model(frame=frame)
        before, after = (lifter.run(lifter.trained, x) for x in (feet, rolled))
        change = np.abs(after - before).max()
        assert change > 0.1 if heard else change < 1e-4


# --- the bend


def filmed_feet(turn_deg: float) -> tuple[FootInput, np.ndarray]:
    """Exact images of feet whose initial ankles are off by so much; and the true ankles."""
    draw, ankles = np.random.default_rng(0), turns(BATCH, FRAMES, 2, seed=1)
    offsets = jnp.asarray(rest_offsets(), jnp.float32)
    off = draw.normal(size=(BATCH * FRAMES * 2, 3))
    off *= np.radians(turn_deg) / np.linalg.norm(off, axis=1, keepdims=True)
    wrong = ankles @ Rotation.from_rotvec(off).as_matrix().reshape(ankles.shape).astype(np.float32)
    at = draw.uniform([-1, -1, 4], [1, 1, 7], (BATCH, FRAMES, 2, 3))
    box = np.concatenate([at.mean(2)[..., :2] / 6, np.full((BATCH, FRAMES, 1), 0.4)], axis=-1)
    soles = np.stack(
        [soles_in_box(offsets, jnp.asarray(at[b, ..., 2]), jnp.asarray(box[b])) for b in range(2)]
    )
    metres = soles * (at[..., None, None, 2] * box[..., None, None, None, 2]) / 2
    points = np.concatenate(
        [at[..., None, :], at[..., None, :] + np.einsum("btfij,btfpj->btfpi", ankles, metres)], 3
    )
    image = (points[..., :2] / points[..., 2:]).reshape(BATCH, FRAMES, 8, 2)
    inside = (image - box[..., None, :2]) / (box[..., None, 2:] / 2)
    feet = given()._replace(
        points=inside, seen=np.ones((BATCH, FRAMES, 8), bool), box=box, ankles=wrong, soles=soles
    )
    return FootInput(*(np.asarray(x, bool if x.dtype == bool else np.float32) for x in feet)), ankles


def test_soles_are_what_a_distant_camera_sees_of_an_ordinary_foot():
    offsets, box = jnp.asarray(rest_offsets(), jnp.float32), jnp.asarray([[0.1, -0.2, 0.04]])
    soles = np.asarray(soles_in_box(offsets, jnp.asarray([[50.0, 60.0]]), box))
    for side, name in enumerate(("left", "right")):
        ankle = np.array([0.0, 0.0, [50.0, 60.0][side]])
        heel, foot = (np.asarray(offsets)[INDEX[f"{name}_{p}"]] for p in ("heel", "foot"))
        toes = [foot + np.asarray(offsets)[INDEX[f"{name}_{p}_toe"]] for p in ("big", "small")]
        seen = [(ankle + p)[:2] / (ankle + p)[2] - ankle[:2] / ankle[2] for p in (*toes, heel)]
        np.testing.assert_allclose(soles[0, side, :, :2], np.array(seen) / 0.02, atol=0.01)


def test_the_bend_takes_wrong_ankles_most_of_the_way_to_what_is_seen():
    lifter = model(bend=True)
    open_gate = lifter.fresh | {"gates.0.bias": jnp.ones(12)}

    def left_over(turn_deg: float) -> float:
        feet, true = filmed_feet(turn_deg)
        bent = matrix_from_6d(jnp.asarray(lifter.run(open_gate, feet)))
        return float(np.degrees(np.median(geodesic_angle(bent, jnp.asarray(true)))))

    assert left_over(0.0) < 1.5  # perspective within the foot is left out
    assert left_over(10.0) < 4
    assert left_over(25.0) < 10


def test_there_is_no_bend_to_what_is_not_seen():
    lifter, feet = model(bend=True), given()
    change = lifter.run(lifter.fresh | {"gates.0.bias": jnp.ones(12)}, feet) - six(feet.ankles)
    np.testing.assert_allclose(change[HIDDEN], 0, atol=1e-6)
    assert np.isfinite(change).all() and np.abs(change).max() > 0.1


def test_laid_flat_a_sole_faces_the_floor_and_keeps_its_heading():
    lifter, draw = model(floor=True), np.random.default_rng(0)
    tilt = Rotation.from_rotvec(draw.uniform(-0.4, 0.4, (BATCH * FRAMES * 2, 3))).as_matrix()
    flat = turns(BATCH, FRAMES, 1, seed=3)
    feet = given()._replace(
        up=flat[:, :, 0, :, 1], ankles=(tilt.reshape(BATCH, FRAMES, 2, 3, 3) @ flat).astype(np.float32)
    )
    laid = np.asarray(matrix_from_6d(jnp.asarray(lifter.run(floor_gate_open(lifter), feet))))
    np.testing.assert_allclose(laid[..., :, 1], np.repeat(feet.up[:, :, None], 2, 2), atol=1e-4)
    turned = laid @ np.asarray(feet.ankles).swapaxes(-1, -2)
    axes = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_rotvec().reshape(*laid.shape[:-1])
    about_up = (axes * feet.up[:, :, None]).sum(-1)
    np.testing.assert_allclose(
        about_up, 0, atol=1e-4, err_msg="the least turn has no part about the vertical"
    )


def test_where_no_floor_is_known_nothing_is_laid_on_it():
    lifter = model(floor=True)
    nowhere = given()._replace(up=np.zeros_like(given().up), height=np.zeros_like(given().height))
    laid = lifter.run(floor_gate_open(lifter), nowhere)
    np.testing.assert_allclose(laid, six(nowhere.ankles), atol=1e-6)
    assert np.abs(lifter.run(floor_gate_open(lifter), given()) - six(given().ankles)).max() > 0.1


def floor_gate_open(lifter: Model) -> Params:
    return lifter.fresh | {"floor_gates.0.bias": jnp.ones(12)}


# --- how far it hears


def test_frames_beyond_depth_times_reach_have_no_influence():
    feet, changed = given(), given(seed=5)
    before = model().run(model().trained, feet)
    parts = [np.array(part) for part in feet]
    for part, other in zip(parts[:-1], changed[:-1], strict=True):
        part[:, -1] = other[:, -1]
    after = model().run(model().trained, FootInput(*parts))
    heard = np.abs(after - before).max((0, 2, 3)) > 0
    np.testing.assert_array_equal(heard, np.arange(FRAMES) >= FRAMES - 1 - DEPTH * REACH)


def test_absent_frames_say_nothing_and_where_a_clip_lies_does_not_matter():
    feet, front = given(), 5
    alone = model().run(model().trained, feet._replace(present=feet.present & (np.arange(FRAMES) < 15)))
    parts = [np.concatenate([np.array(b)[:, :front], np.array(a)[:, :-front]], 1)
             for a, b in zip(feet, given(seed=3), strict=True)]  # fmt: skip
    parts[-1] = np.broadcast_to(np.arange(FRAMES) >= front, (BATCH, FRAMES))
    later = model().run(model().trained, FootInput(*parts))
    np.testing.assert_allclose(later[:, front:], alone[:, : FRAMES - front], atol=2e-5)


def test_clips_of_a_batch_do_not_hear_each_other():
    feet, changed = given(), given(seed=5)
    before = model().run(model().trained, feet)
    mixed = FootInput(*(np.stack([a[0], b[1]]) for a, b in zip(feet, changed, strict=True)))
    after = model().run(model().trained, mixed)
    np.testing.assert_allclose(after[0], before[0], atol=1e-6)
    assert np.abs(after[1] - before[1]).max() > 0.1


def test_dropout_needs_a_key_and_follows_from_it():
    plain, dropping = model(), model(dropout=0.3)
    feet, keys = given(), [jax.random.key(k) for k in (0, 0, 1)]
    before = plain.run(plain.trained, feet)
    np.testing.assert_array_equal(dropping.run(plain.trained, feet), before)
    np.testing.assert_array_equal(plain.run(plain.trained, feet, keys[0]), before)
    first, again, other = (dropping.run(plain.trained, feet, key) for key in keys)
    np.testing.assert_array_equal(first, again)
    assert min(np.abs(first - other).max(), np.abs(first - before).max()) > 1e-2


def test_half_precision_is_close():
    half, feet = model(half=True), given()
    params = shaken(model().fresh, 0.05)
    full, rough = (lifter.run(params, feet) - six(feet.ankles) for lifter in (model(), half))
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, full, atol=0.1 * np.abs(full).std())


def test_gradients_are_finite_even_where_nothing_is_seen():
    nothing = given()._replace(seen=np.zeros((BATCH, FRAMES, 8), bool))
    lifter, true = model(bend=True), turns(BATCH, FRAMES, 2, seed=9)

    @jax.jit
    def gradients(params: Params, feet: FootInput) -> tuple[jax.Array, Params]:
        loss = lambda p: ((matrix_from_6d(merge(lifter.graph, p)(feet)) - true) ** 2).sum()  # noqa: E731
        return jax.value_and_grad(loss)(params)

    for params in (lifter.fresh, lifter.trained):
        for feet in (given(), nothing):
            loss, slopes = gradients(params, feet)
            assert np.isfinite(loss) and all(np.isfinite(slope).all() for slope in slopes.values())
            assert np.abs(slopes["head.kernel"]).max() > 1e-3
    silent = {name for name, slope in slopes.items() if not np.abs(slope).any()}
    assert silent >= {"embed.kernel", "embed.bias"}, "nothing was embedded"
    assert all(name.startswith(("embed", "bends", "gates")) for name in silent)


def test_the_floor_is_told_as_somebody_else_has_it():
    up, height = jnp.array([0.0, -1.0, 0.0]), jnp.tile(jnp.array([[0.1, 0.3]]), (40, 1))
    tell = jax.jit(jax.vmap(tell_floor, (0, None, None, None)), static_argnums=3)
    keys = jax.random.split(jax.random.key(0), 200)
    exact = tell(keys, up, height, FloorErrorConfig(unknown=0.0, tilt_deg=0, height_m=0, wander_m=0))
    np.testing.assert_allclose(exact[0], np.broadcast_to(up, (200, 40, 3)), atol=1e-6)
    np.testing.assert_allclose(exact[1], np.broadcast_to(height, (200, 40, 2)), atol=1e-6)
    ups, heights = map(np.asarray, tell(keys, up, height, FloorErrorConfig(unknown=0.5)))
    known = np.linalg.norm(ups, axis=-1) > 0.5
    assert 0.35 < known.mean() < 0.65 and (known == known[:, :1]).all()
    assert not heights[~known].any() and not ups[~known].any()
    tilt = np.degrees(np.arccos(np.clip(ups[known] @ np.asarray(up), -1, 1)))
    off = heights[known] - np.asarray(height)[0]
    assert 1 < tilt.mean() < 4 and 0.02 < off.std() < 0.05


# --- the objective

STILL = FootLossConfig(
    augment=AugmentConfig(mirror=0, body_scale=0, bone_scale=0, time_warp=(1, 1), splice=0, turn=0),
    turns=FootTurnConfig(share=0.5, root=0.5),
)
WINDOWS = WindowConfig(frames=16, batch=8, reader="numpy")


@jax.jit
def _examples(key, batch, clean, hide, size):
    config, detector = copy.copy(STILL), copy.copy(STILL.detector)
    for record, name, value in (  # numbers that are not known yet: one compilation for all of them
        (detector, "clean", clean), (detector, "hide", hide),
        (config, "size", size), (config, "detector", detector),
    ):  # fmt: skip
        object.__setattr__(record, name, value)
    return make_foot_examples(key, batch, WINDOWS.frames, config)


@functools.cache
def examples(exact: bool = False) -> tuple[FootInput, np.ndarray]:
    """A batch as it is trained on, of bodies in motion; ``exact``: flawless detections of their own feet."""
    bodies = [moving_body(60, seed=seed, turns_rad=0.4) for seed in (0, 1)]
    batch = jax.tree.map(jnp.asarray, next(body_window_batches(bodies, WINDOWS, Stream(seed=0))))
    usual = (STILL.detector.clean, STILL.detector.hide, STILL.size)
    return jax.tree.map(
        np.asarray, _examples(jax.random.key(0), batch, *((1.0, 0.0, 0.0) if exact else usual))
    )


def test_examples_are_rotations_and_points_in_a_box():
    feet, true = examples()
    for frames in (feet.hips, feet.knees, feet.ankles, true):
        identity = np.broadcast_to(np.eye(3), frames.shape)
        np.testing.assert_allclose(frames @ frames.swapaxes(-1, -2), identity, atol=1e-4)
    assert feet.present.all() and 0.5 < feet.seen.mean() < 1
    assert (np.abs(feet.points[feet.seen]) < 1.3).mean() > 0.95, (
        "feet lie in the box, but for what noise does"
    )


def test_examples_show_the_true_ankle_s_heel_where_its_rotation_has_it():
    feet, true = examples(exact=True)
    both = feet.points.reshape(*feet.points.shape[:2], 2, 4, 2)
    seen = feet.seen.reshape(both.shape[:-1])[..., [0, 3]].all(-1)
    found = (both[..., 3, :] - both[..., 0, :])[seen]
    point = (true @ feet.soles.swapaxes(-1, -2)).swapaxes(-1, -2)[..., 2, :]
    middle = feet.box[:, :, None, :2] + both[..., 0, :] * feet.box[:, :, None, 2:] / 2
    wanted = (point[..., :2] - middle * point[..., 2:])[seen]  # seen along the ray to the foot
    error = np.linalg.norm(found - wanted, axis=-1) / np.linalg.norm(point, axis=-1)[seen]
    assert seen.mean() > 0.5 and error.max() < 0.1, "but for the foot's own perspective"
    wrong = (feet.ankles @ feet.soles.swapaxes(-1, -2)).swapaxes(-1, -2)[..., 2, :]
    assert np.linalg.norm(wrong - point, axis=-1).mean() > 0.05 * np.linalg.norm(point, axis=-1).mean()


@pytest.fixture
def prepared(monkeypatch) -> dict[str, np.ndarray]:
    """A batch of finished examples, which the loss is given instead of making its own."""
    feet, true = examples()
    take = lambda _key, batch, *_: (FootInput(*(batch[n] for n in FootInput._fields)), batch["true"])  # noqa: E731
    monkeypatch.setattr(foot_loss_module, "make_foot_examples", take)
    batch = {**feet._asdict(), "true": true, "frames_valid": feet.present}
    return {name: jnp.asarray(part) for name, part in batch.items()}


@pytest.mark.parametrize("frame", ["global", "local"])
def test_the_truth_costs_nothing_and_errors_cost_what_they_are(prepared, frame):
    fresh = model(frame=frame)
    loss_fn = jax.jit(foot_loss(fresh.graph, WINDOWS.frames, fresh.config, STILL))
    run = lambda batch: loss_fn(fresh.fresh, batch, jax.random.key(0))  # noqa: E731
    right = run(prepared | {"ankles": prepared["true"]})
    assert right[0] < 1e-3 and right[1]["ajae_deg"] < 0.05
    for degrees in (1.0, 5.0):
        off = Rotation.from_rotvec([0, np.radians(degrees), 0]).as_matrix().astype(np.float32)
        _, scalars = run(prepared | {"ankles": prepared["true"] @ off})
        assert scalars["ajae_deg"] == pytest.approx(degrees, rel=0.01)
        assert scalars["angle"] == pytest.approx(np.radians(degrees), rel=0.02)
        assert scalars["velocity"] < scalars["angle"], "a constant error is moving with the foot only"
    absent = prepared["present"].at[:, 8:].set(False)
    wild = prepared["true"].at[:, 8:].set(jnp.eye(3))
    cut = run(prepared | {"ankles": wild, "present": absent})
    assert cut[1]["ajae_deg"] < 0.05, "frames that are not part of the clip do not count"


def test_weights_of_the_objective_weigh(prepared):
    weights = {"angle": 2.0, "velocity": 0.5, "six": 3.0}
    config = dataclasses.replace(STILL, **weights)
    loss, scalars = jax.jit(foot_loss(model().graph, WINDOWS.frames, TINY, config))(
        model().fresh, prepared, jax.random.key(0)
    )
    assert loss == pytest.approx(sum(float(scalars[name]) * w for name, w in weights.items()), rel=1e-5)


@pytest.fixture
def one_device(monkeypatch) -> Mesh:
    """A model this small is trained fastest by one."""
    mesh = Mesh(np.array(jax.devices()[:1]), ("data",))
    monkeypatch.setattr("lift2to3.training.loop.data_mesh", lambda: mesh)
    return mesh


@pytest.mark.slow
def test_one_batch_is_learnt_to_a_few_degrees(prepared, one_device):
    steps = 250
    config = FootLifterConfig(width=64, depth=1, heads=2, mlp_ratio=1, reach=8, half=False)
    graph, params = build(FootLifter, config)
    loss_fn = foot_loss(graph, WINDOWS.frames, config, STILL)
    optimiser = OptimiserConfig(steps=steps, learning_rate=3e-3, warmup_steps=20, weight_decay=0).transform()
    step = make_step(loss_fn, optimiser, 0, 0.99)
    state, errors = initial_state(params, optimiser, one_device), []
    for _ in range(steps):
        state, scalars = step(state, prepared)
        errors.append(float(scalars["ajae_deg"]))
    initial = float(jnp.degrees(geodesic_angle(prepared["ankles"], prepared["true"])).mean())
    assert errors[0] == pytest.approx(initial, rel=1e-3) and initial > 8
    assert errors[-1] < 3


# --- the script


def clips() -> list[MocapClip]:
    return [
        clip_from_bvh(figure(random_turns(seed, frames=60)), f"clip_{seed}", subject)
        for seed, subject in enumerate(("02", "03", "01"))
    ]


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_script_trains_and_its_weights_refine(one_device, tmp_path):
    for split in ("train", "val"):
        write_packed(tmp_path / split, clips())
    config = train.FootTraining(
        data=tmp_path, watch=("val",), run=tmp_path / "run", name="tiny", model=TINY,
        windows=WindowConfig(frames=16, batch=4, reader="numpy"),
        loop=LoopConfig(OptimiserConfig(steps=3, learning_rate=1e-3, warmup_steps=1), log_every=1,
                        progress=False),
    )  # fmt: skip
    path = train.main(config)
    assert path == tmp_path / "run" / "tiny.safetensors"
    logged = lines(tmp_path / "run")
    assert [line["step"] for line in logged] == [1, 2, 3, 3]
    assert all(np.isfinite(line["loss"]) and 1 < line["ajae_deg"] < 60 for line in logged[:3])
    assert {"val_val_ajae", "val_val_ajae_initial"} < set(logged[-1])
    assert logged[-1]["val_val_ajae"] == pytest.approx(logged[-1]["val_val_ajae_initial"], abs=5)
    refiner = FootRefiner.from_pretrained(path)
    assert refiner.model == TINY
    assert np.abs(refiner.params["head.kernel"]).max() > 0, "three steps have moved it"
    weights = load_weights(path)
    assert weights.notes["steps"] == "3"
    again = dataclasses.replace(config, run=tmp_path / "again", pretrained=path, watch=())
    train.main(again)
    fresh, pretrained = (lines(tmp_path / run)[0]["six"] for run in ("run", "again"))
    assert 0 < abs(pretrained - fresh) < 0.1 * fresh, "the same examples, from where the first run ended"


# --- the mirror


def test_mirroring_twice_is_nothing():
    once = jax.tree.map(jnp.asarray, given())
    twice = mirror_input(mirror_input(once))
    jax.tree.map(np.testing.assert_array_equal, twice, once)


@pytest.mark.parametrize("frame", ["global", "local"])
def test_the_refined_mirror_is_the_mirror_of_the_refined(frame):
    one = model(frame=frame, bend=True)
    refiner = FootRefiner(one.trained, one.config)
    clip = jax.tree.map(jnp.asarray, given())
    found = refiner._ankles(refiner.params, mirror_input(clip))
    np.testing.assert_allclose(found, mirror_frames(refiner._ankles(refiner.params, clip)), atol=2e-4)
    assert not np.allclose(found, refiner._ankles(refiner.params, clip), atol=0.1)
