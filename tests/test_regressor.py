"""The direct regressor: what it is told and starts as, its way through clips and worlds, that it learns."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from tiny import (
    FRAMES,
    SIZE,
    K,
    camera,
    film,
    mocap_clip,
    quick_compilation,
    unjudged,
    walk,
    weights_file,
)

import lift2to3 as l23
from experiments import train
from lift2to3.checkpoint import save_weights
from lift2to3.data.packed import write_packed
from lift2to3.data.windows import WindowConfig
from lift2to3.geometry.cameras import View, project
from lift2to3.models.multiview import MultiViewConfig, billboard, frame_of, set_up
from lift2to3.models.params import build, describe
from lift2to3.models.regressor import (
    Regressor,
    RegressorConfig,
    flatten,
    person_frame,
    predict_points,
    regressor_input,
)
from lift2to3.observations import observe
from lift2to3.pipeline.refine_feet import FootRefiner
from lift2to3.pipeline.window_models import DenoisedWindows, RegressedWindows
from lift2to3.skeletons import CANONICAL, INDEX, MIRROR, rows_by_side
from lift2to3.training.loop import LoopConfig
from lift2to3.training.losses import Example, LossConfig
from lift2to3.training.state import OptimiserConfig

MODEL = RegressorConfig(width=16, depth=1, heads=2, mlp_ratio=1, pointmap_width=4, half=False)
MULTIVIEW = MultiViewConfig(views=1, pointmap_resolution=16)


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation(), unjudged():
        yield


def random_params(model: RegressorConfig = MODEL) -> dict[str, np.ndarray]:
    """Parameters none of which is 0."""
    draw = np.random.default_rng(0)
    return {
        name: 0.1 * draw.standard_normal(leaf.shape, np.float32)
        for name, leaf in describe(Regressor, model)[1].items()
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    config = {"regressor": MODEL.__dict__, "multiview": MULTIVIEW.__dict__, "frames": FRAMES}
    return save_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors", random_params(), config)


@pytest.fixture(scope="module")
def regressor(file) -> l23.Lifter:
    return l23.Lifter.from_pretrained(file)


@pytest.fixture(scope="module")
def still(regressor) -> tuple[l23.Keypoints, l23.Motion]:
    """The clip and its motion that others are held against."""
    keypoints = film(walk(), camera())
    return keypoints, regressor.lift(keypoints, camera())


def observed(keypoints: l23.Keypoints, camera: l23.Camera) -> tuple[np.ndarray, np.ndarray]:
    seen = observe(keypoints, camera)
    return seen.n, seen.confidence


def distance_mm(a: np.ndarray, b: np.ndarray) -> float:
    return 1e3 * float(np.linalg.norm(a - b, axis=-1).max())


# --- what it is told


@pytest.fixture(scope="module", params=[1, 4])
def setup(request):
    """A clip's rig and condition, of one view and of four."""
    seen_by = camera((3.0, -4.0, 2.0))
    n, confidence = (jnp.asarray(x, jnp.float32) for x in observed(film(walk(8), seen_by), seen_by))
    config = MultiViewConfig(views=request.param, pointmap_resolution=16)
    _, view = frame_of(View(jnp.asarray(seen_by.R), jnp.asarray(seen_by.t)), config)
    rig, condition = jax.jit(lambda v, n, c: set_up(v, n, c, config))(view, n, confidence)
    return view, n, confidence, rig, condition


def test_it_predicts_at_the_aim_looking_away_from_the_camera(setup):
    view, _, _, rig, _ = setup
    frame = person_frame(rig)
    here = frame.from_world(jnp.stack([rig.aim_world, view.centre]))
    np.testing.assert_allclose(here[0], 0, atol=1e-5)
    assert here[1, 1] < -3 and abs(here[1, 0]) < 1e-4, "the camera stands on −y"
    right = frame.from_world((rig.aim_world + view.cam_from_world[0])[None])[0]
    assert right[0] > 0.9, "+x is to the right in the picture"


def test_the_billboard_is_told_in_metres_in_the_plane_that_it_predicts_from(setup):
    view, n, confidence, rig, condition = setup
    frame, told = regressor_input(n, rig, condition)
    flat = frame.from_world(billboard(view, n, rig).reshape(-1, 3)).reshape(*n.shape[:2], 3)
    seen = np.asarray(confidence > 0)
    assert 0 < seen.sum() < seen.size
    np.testing.assert_allclose(flat[..., 1][seen], 0, atol=1e-4)
    points = told.billboard.at[:, 0].set(0) + told.billboard[:, :1]
    not_root = seen & (np.arange(len(CANONICAL)) != 0)
    np.testing.assert_allclose(points[not_root], flat[..., ::2][not_root], atol=1e-4)
    assert (told.billboard[~(seen | (np.arange(len(CANONICAL)) == 0))] == 0).all()
    np.testing.assert_array_equal(told.confidence, confidence)


def test_flattened_points_move_with_their_root_alone():
    points = jnp.asarray(np.random.default_rng(0).standard_normal((3, len(CANONICAL), 2)), jnp.float32)
    every = jnp.ones(points.shape[:2], bool)
    first, moved = flatten(points, every), flatten(points + 2.0, every)
    np.testing.assert_allclose((moved - first)[:, 0], 2.0, atol=1e-5)
    np.testing.assert_allclose((moved - first)[:, 1:], 0.0, atol=1e-5)
    hips = rows_by_side("hip")[:, 0]
    alone = flatten(points, jnp.zeros_like(every).at[:, hips].set(True).at[:, INDEX["nose"]].set(True))
    np.testing.assert_allclose(alone[:, 0], points[:, hips].mean(1), atol=1e-6)
    nose = flatten(points, jnp.zeros_like(every).at[:, INDEX["nose"]].set(True))
    np.testing.assert_allclose(nose[:, 0], points[:, INDEX["nose"]], atol=1e-6)
    assert (flatten(points, ~every) == 0).all()


def small(**switches: bool) -> RegressorConfig:
    return dataclasses.replace(MODEL, **switches)


def batch_of_one(setup):
    _, n, _, rig, condition = setup
    return jax.tree.map(lambda leaf: leaf[None], regressor_input(n, rig, condition))


def test_untrained_it_puts_everything_at_the_guess_or_on_the_billboard(setup):
    view, n, confidence, rig, _ = setup
    points = predict_points(*build(Regressor, small(billboard=False, pointmap=False)), *batch_of_one(setup))
    assert points.shape == (1, 8, len(CANONICAL), 3)
    np.testing.assert_allclose(points, jnp.broadcast_to(rig.aim_world, points.shape), atol=1e-5)
    points = np.asarray(predict_points(*build(Regressor, MODEL), *batch_of_one(setup)))[0]
    seen = np.asarray(confidence > 0)
    np.testing.assert_allclose(points[seen], billboard(view, n, rig)[seen], atol=1e-4)


@pytest.mark.parametrize("away_m", [-1.5, 2.0])
def test_carried_away_along_the_root_s_ray_every_point_stays_on_its_own(setup, away_m):
    view, n, confidence, _, _ = setup
    graph, params = build(Regressor, small(pointmap=False))
    bias = np.zeros((MODEL.patch, len(CANONICAL), 3), np.float32)
    bias[:, INDEX["pelvis"], 1] = away_m
    params = params | {"head.bias": jnp.asarray(bias.ravel())}
    frame, told = batch_of_one(setup)
    points = predict_points(graph, params, frame, told)[0]
    seen = np.asarray(confidence > 0)
    here = frame.from_world(points.reshape(1, -1, 3)).reshape(points.shape)
    np.testing.assert_allclose(here[..., 1][seen], away_m, atol=1e-4)
    found = project(view, points.reshape(-1, 3)).reshape(n.shape)
    np.testing.assert_allclose(found[seen], n[seen], atol=1e-4)


@pytest.mark.parametrize(("switch", "field"), [("billboard", "billboard"), ("pointmap", "pointmap")])
def test_what_is_switched_off_is_not_looked_at(setup, switch, field):
    frame, told = batch_of_one(setup)
    other = told._replace(**{field: getattr(told, field) + 1})
    for on in (True, False):
        graph, _ = describe(Regressor, small(**{switch: on}))
        params = {name: jnp.asarray(leaf) for name, leaf in random_params(small(**{switch: on})).items()}
        first, second = (np.asarray(predict_points(graph, params, frame, what)) for what in (told, other))
        assert (distance_mm(first, second) > 0.1) == on


# --- clips


@pytest.mark.parametrize("fps", [25, 30, 120])
def test_a_clip_comes_back_frame_for_frame_at_its_own_rate(regressor, fps):
    frames = round(1.6 * fps)
    motion = regressor.lift(film(walk(frames, fps), camera(), fps=fps), camera())
    assert motion.fps == fps and motion.joint_names == CANONICAL
    assert motion.joints_world.shape == (frames, len(CANONICAL), 3)
    assert motion.joints_world.dtype == np.float32
    assert np.isfinite(motion.joints_world).all() and motion.valid.all()


@pytest.mark.parametrize("frames", [2, 5, FRAMES, FRAMES + 1, 150])
def test_clips_of_any_length_are_lifted(regressor, frames):
    seen = []
    keypoints = film(walk(frames), camera())
    motion = regressor.lift(keypoints, camera(), progress=lambda *count: seen.append(count))
    assert motion.joints_world.shape == (frames, len(CANONICAL), 3)
    assert np.isfinite(motion.joints_world).all()
    assert seen == [(done, len(seen)) for done in range(1, len(seen) + 1)] and seen


def test_a_long_clip_is_its_windows_blended(regressor, still):
    keypoints = film(walk(112), camera())
    long = regressor.lift(keypoints, camera()).joints_world
    start = regressor.lift(l23.as_keypoints(keypoints.xy_px[:48]), camera()).joints_world
    # smoothing sees two frames ahead, into the third window
    assert distance_mm(start[:29], long[:29]) < 0.1, "the same two windows"


@pytest.mark.parametrize(("turn_rad", "shift"), [(2.0, (30.0, -20.0)), (-0.7, (0.0, 0.0))])
def test_turning_and_shifting_the_world_moves_the_result_exactly_so(regressor, still, turn_rad, shift):
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    turn, offset = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), np.array([*shift, 0])
    before = camera()
    moved = l23.Camera(K, before.R @ turn.T, before.t - before.R @ turn.T @ offset, SIZE)
    expected = still[1].joints_world @ turn.T + offset
    assert distance_mm(regressor.lift(still[0], moved).joints_world, expected) < 1.0


def test_mirroring_the_picture_mirrors_the_motion(regressor, still):
    alone = regressor.changed(mirror=False)
    motion = still[1].joints_world
    assert distance_mm(motion, alone.lift(still[0], camera()).joints_world) > 1
    flip, before = np.diag([-1.0, 1, 1]), camera()
    mirrored = l23.Camera(K, flip @ before.R @ flip, flip @ before.t, SIZE)
    found = regressor.lift(film((walk() @ flip)[:, MIRROR], mirrored), mirrored).joints_world
    assert distance_mm(found, (motion @ flip)[:, MIRROR]) < 1.0


def test_missing_joints_are_filled_in_and_far_frames_are_not(regressor, still):
    xy = still[0].xy_px.copy()
    xy[:, 9] = np.nan  # a wrist that is never seen
    xy[5:43] = np.nan
    confidence, results = np.isfinite(xy).all(-1) * 1.0, []
    for value in (np.nan, 0.0, 1e6):
        shown = np.where(confidence[..., None] > 0, xy, value)
        results.append(regressor.lift(l23.as_keypoints(shown, confidence), camera()))
    far = np.zeros(48, bool)
    far[20:28] = True  # more than half a second from frames 4 and 43
    np.testing.assert_array_equal(results[0].valid, np.broadcast_to(~far[:, None], results[0].valid.shape))
    np.testing.assert_array_equal(np.isnan(results[0].joints_world).all(-1), ~results[0].valid)
    for other in results[1:]:
        np.testing.assert_array_equal(other.joints_world, results[0].joints_world)


def test_feet_are_refined_where_the_format_shows_them(regressor, still, monkeypatch):
    class Refiner(FootRefiner):
        def __init__(self):
            pass

        def compile_for(self, frames):
            return frames

        def refine_points(self, motion, observed, camera):
            return motion._replace(spread=np.ones_like(motion.spread))

    monkeypatch.setattr("lift2to3.pipeline.lift.shipped_refiner", Refiner)
    keypoints = film(walk(), camera(), "halpe26")
    assert (regressor.lift(keypoints, camera()).spread == 1).all()
    assert np.isnan(regressor.lift(keypoints, camera(), feet=False).spread).all(), "it does not know"
    assert np.isnan(regressor.lift(still[0], camera()).spread).all(), "no heels, no toes"


def test_a_lifter_takes_a_foot_refiner_of_one_s_own(regressor):
    class Refiner(FootRefiner):
        def __init__(self):
            pass

        def compile_for(self, frames):
            return frames

        def refine_points(self, motion, observed, camera):
            return motion._replace(spread=np.full_like(motion.spread, len(observed.n)))

    own = l23.Lifter(regressor.model, regressor.params, refiner=Refiner())
    assert (own.lift(film(walk(), camera(), "halpe26"), camera()).spread == len(walk())).all()


def test_what_does_not_sample_refuses_steps_and_samples(regressor, still):
    for asked in ({"steps": 2}, {"samples": 2}):
        with pytest.raises(ValueError, match="these weights predict in one call and draw nothing"):
            regressor.lift(still[0], camera(), **asked)


# --- files


def test_a_file_says_which_model_it_is_of(file, tmp_path):
    assert isinstance(l23.Lifter.from_pretrained(file).model, RegressedWindows)
    assert isinstance(l23.Lifter.from_pretrained(weights_file(tmp_path)).model, DenoisedWindows)


def test_parameters_of_another_size_are_refused(regressor):
    wider = RegressorConfig(width=32, depth=1, heads=2, mlp_ratio=1, pointmap_width=4, half=False)
    with pytest.raises(ValueError, match="lifter: the weights are of another model configuration"):
        l23.Lifter(RegressedWindows(wider, MULTIVIEW, FRAMES), regressor.params)


def test_a_window_that_is_no_whole_number_of_tokens_is_refused(regressor):
    odd = regressor.changed(frames=30)
    with pytest.raises(ValueError, match="30 frames: wanted a multiple of the regressor's patch of 4"):
        odd.lift(film(walk(), camera()), camera())


# --- learning


def examples(frames: int = 16) -> Example:
    """A walk from four sides, as training has it."""
    points = jnp.asarray(walk(frames), jnp.float32)

    @jax.jit
    def make(view: View, n: jax.Array, confidence: jax.Array) -> Example:
        frame, view = frame_of(view, MULTIVIEW)
        rig, condition = set_up(view, n, confidence, MULTIVIEW)
        here = frame.from_world(points.reshape(-1, 3)).reshape(points.shape)
        every = jnp.ones(frames, bool)
        return Example(here, every, n, confidence, rig, condition, condition.observed, every)

    made = []
    for centre in ((4.0, -2.0, 1.5), (-1.0, 5.0, 0.8), (0.5, -4.0, 3.0), (-5.0, -1.0, 1.2)):
        seen_by = camera(centre)
        n, confidence = observed(film(walk(frames), seen_by, "body25"), seen_by)
        view = View(jnp.asarray(seen_by.R, jnp.float32), jnp.asarray(seen_by.t, jnp.float32))
        made.append(make(view, jnp.asarray(n, jnp.float32), jnp.asarray(confidence, jnp.float32)))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)


def test_it_learns_a_few_windows_and_its_file_lifts_them(tmp_path, monkeypatch):
    known = examples()
    one_device = Mesh(np.array(jax.devices()[:1]), ("data",))
    monkeypatch.setattr("lift2to3.training.loop.data_mesh", lambda: one_device)
    monkeypatch.setattr("lift2to3.training.losses.make_examples", lambda *_: known)
    write_packed(tmp_path / "train", [mocap_clip(walk(100))])
    config = train.RegressorTraining(
        data=tmp_path, watch=(), run=tmp_path / "run",
        model=dataclasses.replace(MODEL, width=64, mlp_ratio=2, pointmap=False),
        windows=WindowConfig(frames=16, batch=4, reader="numpy"),
        loss=LossConfig(multiview=MULTIVIEW),
        loop=LoopConfig(
            OptimiserConfig(steps=600, learning_rate=4e-3, warmup_steps=30, weight_decay=0, ema=0.9),
            log_every=20, progress=False,
        ),
    )  # fmt: skip
    path = train.main(config)
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert logged[0]["mpjpe_mm"] > 100
    assert logged[-1]["mpjpe_mm"] < 40 and logged[-1]["root_mm"] < 40
    assert logged[-1]["loss"] < 0.3 * logged[0]["loss"]
    seen_by = camera((4.0, -2.0, 1.5))
    trained = l23.Lifter.from_pretrained(path).changed(mirror=False)  # it was not taught mirrored windows
    motion = trained.lift(film(walk(16), seen_by, "body25"), seen_by, feet=False)
    error = 1e3 * np.linalg.norm(motion.joints_world - walk(16), axis=-1)
    assert error.mean() < 30
