"""Lifting by the public API, with a tiny random model: everything but how good the motion is."""

import dataclasses
import warnings

import numpy as np
import pytest
from tiny import (
    FRAMES,
    MULTIVIEW,
    SIZE,
    K,
    camera,
    config,
    film,
    quick_compilation,
    random_params,
    unjudged,
    walk,
    weights_file,
)

import lift2to3 as l23
from lift2to3.checkpoint import save_weights
from lift2to3.models.multiview import LATER_SWITCHES
from lift2to3.pipeline import canonical_clip
from lift2to3.pipeline import lift as lift_module
from lift2to3.pipeline.window_models import compiled, devices_for
from lift2to3.skeletons import CANONICAL, MIRROR, SKELETONS

STEPS = 2
RATES = (24, 25, 29.97, 50, 59.94, 60, 120, 240)


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation(), unjudged():
        yield


@pytest.fixture(scope="module")
def lifter(tmp_path_factory) -> l23.Lifter:
    return l23.Lifter.from_pretrained(weights_file(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def lift(lifter):
    return lambda keypoints, camera, steps=STEPS, **kwargs: lifter.lift(
        keypoints, camera, steps=steps, **kwargs
    )


@pytest.fixture(scope="module")
def still(lift) -> tuple[l23.Keypoints, l23.Motion]:
    """The clip and its motion that others are held against."""
    keypoints = film(walk(), camera())
    return keypoints, lift(keypoints, camera())


def distance_mm(a: np.ndarray, b: np.ndarray) -> float:
    return 1e3 * float(np.linalg.norm(a - b, axis=-1).max())


def test_a_motion_is_the_canonical_set_in_metres(still):
    motion = still[1]
    assert motion.joints_world.shape == (48, len(CANONICAL), 3)
    assert motion.joints_world.dtype == np.float32
    assert motion.joint_names == CANONICAL
    assert motion.fps == 30
    assert motion.valid.shape == motion.spread.shape == (48, len(CANONICAL))
    assert motion.valid.all() and np.isfinite(motion.joints_world).all()
    assert (motion.spread >= 0).all() and motion.spread.max() < 10
    pelvis = motion.joints_world[:, CANONICAL.index("pelvis")]
    assert np.linalg.norm(pelvis.mean(0) - walk()[:, 0].mean(0)) < 3, "somewhere near the person"


@pytest.mark.parametrize("fps", RATES)
def test_a_clip_comes_back_frame_for_frame_at_its_own_rate(lift, fps):
    frames = round(1.6 * fps)
    motion = lift(film(walk(frames, fps), camera(), fps=fps), camera())
    assert motion.fps == fps
    assert len(motion.joints_world) == frames
    assert np.isfinite(motion.joints_world).all()


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_every_format_is_lifted_to_the_full_set(lift, skeleton):
    motion = lift(film(walk(), camera(), skeleton), camera())
    assert np.isfinite(motion.joints_world).all()
    assert motion.as_skeleton("h36m17").shape == (48, 17, 3)


@pytest.mark.parametrize(("turn_rad", "shift"), [(2.0, (30.0, -20.0)), (-0.7, (0.0, 0.0)), (0.0, (3.0, 4.0))])
def test_turning_and_shifting_the_world_moves_the_result_exactly_so(lift, still, turn_rad, shift):
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    turn, offset = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), np.array([*shift, 0])
    before = camera()
    moved = l23.Camera(K, before.R @ turn.T, before.t - before.R @ turn.T @ offset, SIZE)
    expected = still[1].joints_world @ turn.T + offset
    assert distance_mm(lift(still[0], moved).joints_world, expected) < 1.0


def test_only_the_rays_count_not_the_camera_s_resolution(lift, still):
    keypoints, motion = still
    twice = l23.Camera(np.diag([2, 3, 1]) @ K, camera().R, camera().t, (2560, 2160))
    scaled = l23.as_keypoints(keypoints.xy_px * [2, 3])
    assert distance_mm(lift(scaled, twice).joints_world, motion.joints_world) < 1.0


def test_lens_distortion_is_taken_out(lift, still):
    bent = camera(dist=[-0.29, 0.19, 6e-4, -4e-4, -0.058])
    assert np.nanmax(np.abs(film(walk(), bent).xy_px - still[0].xy_px)) > 1
    assert distance_mm(lift(film(walk(), bent), bent).joints_world, still[1].joints_world) < 1.0


def test_missing_joints_and_frames_are_filled_in(lift, still):
    xy = still[0].xy_px.copy()
    xy[:, 9] = np.nan  # a wrist that is never seen
    xy[5:12] = np.nan
    xy[15, 11:] = np.nan
    motion = lift(l23.as_keypoints(xy), camera())
    assert motion.valid.all() and np.isfinite(motion.joints_world).all() and np.isfinite(motion.spread).all()
    assert distance_mm(motion.joints_world, still[1].joints_world) > 1


@pytest.mark.parametrize("nowhere", [(-1, -1), (0, 0), (65535, 65535), (-2000, 400), (4000, 4000)])
def test_what_detectors_write_for_nowhere_is_lifted_as_missing(lift, still, nowhere):
    """With full confidence; what only the camera's picture tells is said with joint and share."""
    xy = still[0].xy_px.copy()
    xy[5:17, 9] = nowhere
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "keypoints far outside")  # is in found.warnings
        found = lift(l23.as_keypoints(xy, np.ones((48, 17))), camera())
    told = [text for text in found.warnings if "far outside the" in text]
    assert ["left_wrist in 25 %" in text for text in told] == (
        [True] if abs(nowhere[0]) in (2000, 4000) else []
    )
    xy[5:17, 9] = np.nan
    np.testing.assert_array_equal(
        found.joints_world, lift(l23.as_keypoints(xy, np.ones((48, 17))), camera()).joints_world
    )


def test_what_a_missing_keypoint_reads_does_not_matter(lift, still):
    xy, confidence = still[0].xy_px.copy(), np.ones((48, 17))
    confidence[5:9, 3:7] = 0
    results = []
    for value in (np.nan, 0.0, 1e6):
        xy[5:9, 3:7] = value
        results.append(lift(l23.as_keypoints(xy, confidence), camera()).joints_world)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_frames_far_from_any_observation_are_not_made_up(lift, still):
    xy = still[0].xy_px.copy()
    xy[5:43] = np.nan
    motion = lift(l23.as_keypoints(xy), camera())
    far = np.zeros(48, bool)
    far[20:28] = True  # more than half a second from frames 4 and 43
    np.testing.assert_array_equal(motion.valid, np.broadcast_to(~far[:, None], motion.valid.shape))
    np.testing.assert_array_equal(np.isnan(motion.joints_world).all(-1), ~motion.valid)


def test_confidence_weighs_the_observations(lift, still):
    sure = still[1].joints_world
    doubtful = lift(l23.as_keypoints(still[0].xy_px, np.full((48, 17), 0.2)), camera()).joints_world
    assert distance_mm(sure, doubtful) > 1
    off_px = {}
    for trust in (1.0, 0.1):
        confidence = np.ones((48, 17))
        confidence[:, 10] = trust
        wrist = lift(l23.as_keypoints(still[0].xy_px, confidence), camera()).as_skeleton("coco17")[:, 10]
        off_px[trust] = np.median(np.linalg.norm(camera().project(wrist) - still[0].xy_px[:, 10], axis=-1))
    assert off_px[1.0] < 0.7 * off_px[0.1], "a trusted ray is kept to more closely"


def test_the_seed_alone_decides_the_sample(lift, still):
    np.testing.assert_array_equal(lift(still[0], camera()).joints_world, still[1].joints_world)
    other = lift(still[0], camera(), seed=1).joints_world
    assert distance_mm(other, still[1].joints_world) > 0.1


def test_several_samples_give_their_mean_and_spread(lift, still):
    every = lift(still[0], camera(), samples=3)
    assert every.joints_world.shape == (48, len(CANONICAL), 3)
    assert (every.spread > 0).all()
    assert not np.allclose(every.spread, still[1].spread)
    same = lift(still[0], camera(), samples=3)
    np.testing.assert_array_equal(every.joints_world, same.joints_world)


def test_progress_counts_windows_up_to_all_of_them(lift, still):
    seen = []
    lift(still[0], camera(), samples=2, progress=lambda *count: seen.append(count))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_long_clip_takes_several_calls(lift, monkeypatch):
    monkeypatch.setattr(canonical_clip, "CALL_SIZES", (1, 2))
    seen, keypoints = [], film(walk(112), camera())
    long = lift(keypoints, camera(), progress=lambda *count: seen.append(count))
    assert seen == [(done, 6) for done in range(1, 7)]
    assert long.joints_world.shape == (112, len(CANONICAL), 3)
    start = lift(l23.as_keypoints(keypoints.xy_px[:48]), camera())
    # smoothing sees two frames ahead, into the third window
    assert distance_mm(start.joints_world[:29], long.joints_world[:29]) < 0.1, "the same two windows"


@pytest.mark.parametrize("frames", [2, 5, FRAMES - 1, FRAMES, FRAMES + 1])
def test_clips_of_any_length_are_lifted(lift, frames):
    motion = lift(film(walk(frames), camera()), camera())
    assert motion.joints_world.shape == (frames, len(CANONICAL), 3)
    assert np.isfinite(motion.joints_world).all()


def test_the_sampler_is_compiled_once_for_all_clips_lifters_and_cameras(lift, still, tmp_path, monkeypatch):
    used = []
    spy = lambda *which: used.append(compiled(*which)) or used[-1]  # noqa: E731
    monkeypatch.setattr(lift_module, "compiled", spy)
    lift(still[0], camera())
    compilations = used[0]._cache_size()
    lift(film(walk(44), camera()), camera())
    other, elsewhere = l23.Lifter.from_pretrained(weights_file(tmp_path)), camera((3, -3, 2))
    other.lift(film(walk(), elsewhere, "body25"), elsewhere, steps=STEPS)
    assert len(used) == 3 and used[0] is used[1] is used[2]
    assert used[0]._cache_size() == compilations


def test_windows_are_spread_over_all_devices(lifter, monkeypatch):
    assert [devices_for(count) for count in (1, 2, 3, 4, 7, 8, 100)] == [1, 2, 2, 4, 4, 8, 8]
    keypoints = film(walk(FRAMES * 6), camera())
    used = []
    spy = lambda model, devices: used.append(devices) or compiled(model, devices)  # noqa: E731
    monkeypatch.setattr(lift_module, "compiled", spy)
    spread = lifter.lift(keypoints, camera(), steps=STEPS)
    monkeypatch.setattr(lift_module, "devices_for", lambda windows: 1)
    alone = lifter.lift(keypoints, camera(), steps=STEPS)
    assert used == [8, 1]
    assert distance_mm(spread.joints_world, alone.joints_world) < 0.1
    np.testing.assert_allclose(spread.spread, alone.spread, atol=1e-4)


def test_more_steps_are_another_sample_of_the_same_motion(lift, still):
    one = lift(still[0], camera(), steps=1)
    assert np.isfinite(one.joints_world).all()
    assert distance_mm(one.joints_world, still[1].joints_world) > 0.1


def changed(lifter, **multiview: object) -> l23.Lifter:
    """The same weights, set up or sampled another way."""
    return lifter.changed(multiview=dataclasses.replace(lifter.model.multiview, **multiview))


def test_views_on_their_own_differ_only_where_a_step_goes_on_from_another(lifter, still):
    apart = changed(lifter, consistent=False)
    one, other = (each.lift(still[0], camera(), steps=1).joints_world for each in (lifter, apart))
    np.testing.assert_allclose(one, other, atol=1e-5)  # two compilations round differently
    several = apart.lift(still[0], camera(), steps=STEPS).joints_world
    assert np.isfinite(several).all() and distance_mm(several, still[1].joints_world) > 0.1


def test_one_view_keeps_its_rays_and_has_no_spread(lifter, still):
    motion = changed(lifter, views=1).lift(still[0], camera(), steps=STEPS)
    assert (motion.spread == 0).all()
    off_px = np.linalg.norm(camera().project(motion.as_skeleton("coco17")) - still[0].xy_px, axis=-1)
    # a random denoiser's own view has a tenth of a say, and jumps about more than a window's filter takes
    assert np.median(off_px) < 60


def test_without_the_canonical_frame_a_turned_world_is_another_problem(lifter, still):
    turned = changed(lifter, canonical=False)
    here = turned.lift(still[0], camera(), steps=STEPS).joints_world
    for turn_deg, moves in ((0, False), (130, True)):
        angle = np.radians(turn_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        shift, before = np.array([30.0, -20.0, 0.0]), camera()
        there = l23.Camera(K, before.R @ turn.T, before.t - before.R @ turn.T @ shift, SIZE)
        found = turned.lift(still[0], there, steps=STEPS).joints_world
        assert (distance_mm(found, here @ turn.T + shift) > 1) == moves


def test_weights_from_before_these_switches_load_as_they_were_trained(lifter, still, tmp_path):
    told = {key: value for key, value in MULTIVIEW.__dict__.items() if key not in LATER_SWITCHES}
    assert len(told) < len(MULTIVIEW.__dict__)
    path = save_weights(tmp_path / "old.safetensors", random_params(), config() | {"multiview": told})
    old = l23.Lifter.from_pretrained(path)
    assert old.model == lifter.model
    np.testing.assert_array_equal(
        old.lift(still[0], camera(), steps=STEPS).joints_world, still[1].joints_world
    )


def test_mirroring_the_picture_mirrors_the_motion(lifter, still):
    both = lifter.changed(mirror=True)
    motion = both.lift(still[0], camera(), steps=STEPS)
    alone = lifter.changed(mirror=False)
    assert distance_mm(motion.joints_world, alone.lift(still[0], camera(), steps=STEPS).joints_world) > 1
    flip, before = np.diag([-1.0, 1, 1]), camera()
    mirrored = l23.Camera(K, flip @ before.R @ flip, flip @ before.t, SIZE)
    people = (walk() @ flip)[:, MIRROR]
    expected = (motion.joints_world @ flip)[:, MIRROR]
    assert distance_mm(both.lift(film(people, mirrored), mirrored, steps=STEPS).joints_world, expected) < 1.0


def test_a_lifted_motion_survives_its_file(still, tmp_path):
    motion = still[1]
    back = l23.load_motion(motion.save(tmp_path / "motion.npz"))
    assert back.joint_names == motion.joint_names and back.fps == motion.fps
    for field in ("joints_world", "valid", "spread"):
        np.testing.assert_array_equal(getattr(back, field), getattr(motion, field))


def test_lift_loads_its_weights_once(tmp_path, monkeypatch):
    path, loads = weights_file(tmp_path), []
    load = lift_module.load_weights
    monkeypatch.setattr(lift_module, "load_weights", lambda name: loads.append(name) or load(name))
    keypoints = film(walk(), camera())
    first, second = (l23.lift(keypoints, camera(), steps=STEPS, weights=path) for _ in range(2))
    assert loads == [path]
    np.testing.assert_array_equal(first.joints_world, second.joints_world)


def test_tiny_weights_are_not_a_name_that_lift_knows():
    with pytest.raises(ValueError, match="unknown weights 'tiny'"):
        l23.Lifter.from_pretrained("tiny")
