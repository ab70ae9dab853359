"""Metrics against their laws and hand-made cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lift2to3 import metrics
from lift2to3.geometry.similarity import fit_similarity
from lift2to3.scores import UNITS, Scores, combine, evaluate_motion, evaluate_pck
from lift2to3.skeletons import CANONICAL, INDEX, SKELETONS, SMPL_22

HIPS = [INDEX["left_hip"], INDEX["right_hip"]]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def random_pair(rng: np.random.Generator, time: int = 12, joints: int = 22) -> tuple[np.ndarray, np.ndarray]:
    true = rng.normal(size=(time, joints, 3)).cumsum(0) * 0.05 + rng.normal(size=(joints, 3))
    return true + 0.05 * rng.normal(size=true.shape), true


# --- laws


def test_identical_motions_have_no_error_but_their_jitter(rng: np.random.Generator) -> None:
    _, true = random_pair(rng, joints=len(CANONICAL), time=230)
    true[20:40, INDEX["left_heel"]] = true[20, INDEX["left_heel"]]  # else no foot ever stands
    scores = evaluate_motion(true, true, CANONICAL, 30.0)
    assert scores["jitter"] == scores["jitter_true"] > 0
    assert scores.counts["foot_sliding"] >= 19
    for name, value in scores.items():
        assert "jitter" in name or name == "foot_sliding" or abs(value) < 1e-6, name
    sliding = metrics.foot_sliding(true, true, 30.0)[20:39, INDEX["left_heel"]]
    np.testing.assert_array_equal(sliding, 0)


def test_a_shift_is_seen_in_the_world_only(rng: np.random.Generator) -> None:
    _, true = random_pair(rng)
    scores = evaluate_motion(true + [0.01, 0, 0], true, SMPL_22, 30.0)
    assert scores["abs_mpjpe"] == pytest.approx(10)
    assert scores["root_error"] == pytest.approx(10)
    assert scores["root_error_first"] == pytest.approx(10)
    for name in ("mpjpe", "pa_mpjpe", "w_mpjpe_100", "wa_mpjpe_100", "wa_mpjpe_full", "rte", "accel"):
        assert scores[name] == pytest.approx(0, abs=1e-6), name


def test_scaling_leaves_procrustes_error_zero(rng: np.random.Generator) -> None:
    _, true = random_pair(rng)
    assert metrics.pa_mpjpe(1.1 * true, true).max() < 1e-6
    assert metrics.wa_mpjpe(1.1 * true, true).max() < 1e-6
    assert metrics.w_mpjpe(1.1 * true, true).max() < 1e-6
    assert metrics.mpjpe(1.1 * true, true, HIPS).min() > 1


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_fitted_similarity_is_the_one_applied(rng: np.random.Generator, scale: float) -> None:
    source, rotation, translation = rng.normal(size=(9, 3)), random_rotation(rng), rng.normal(size=3)
    fitted = fit_similarity(source, scale * source @ rotation.T + translation)
    np.testing.assert_allclose(fitted.scale, scale, rtol=1e-10)
    np.testing.assert_allclose(fitted.rotation, rotation, atol=1e-10)
    np.testing.assert_allclose(fitted.translation, translation, atol=1e-10 * max(scale, 1))


@pytest.mark.parametrize("batch", [(), (1,), (3, 1, 2)])
def test_similarity_takes_any_batch(rng: np.random.Generator, batch: tuple[int, ...]) -> None:
    source, target = rng.normal(size=(*batch, 6, 3)), rng.normal(size=(*batch, 6, 3))
    moved = fit_similarity(source, target).apply(source)
    for index in np.ndindex(*batch):
        single = fit_similarity(source[index], target[index]).apply(source[index])
        np.testing.assert_allclose(moved[index], single, atol=1e-12)


def test_no_small_change_betters_the_fitted_similarity(rng: np.random.Generator) -> None:
    source, target = rng.normal(size=(7, 3)), rng.normal(size=(7, 3))
    fitted = fit_similarity(source, target)
    best = ((fitted.apply(source) - target) ** 2).sum()
    for _ in range(50):
        x, y, z = 1e-3 * rng.normal(size=3)
        small = np.eye(3) + np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        u, _, v = np.linalg.svd(small)
        near = fitted._replace(
            scale=fitted.scale * (1 + 1e-3 * rng.normal()),
            rotation=u @ v @ fitted.rotation,
            translation=fitted.translation + 1e-3 * rng.normal(size=3),
        )
        assert ((near.apply(source) - target) ** 2).sum() >= best


def test_procrustes_never_mirrors(rng: np.random.Generator) -> None:
    _, true = random_pair(rng)
    mirrored = true * [-1, 1, 1]
    rotation = fit_similarity(mirrored, true).rotation
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    assert metrics.pa_mpjpe(mirrored, true).min() > 10


def test_rigid_motion_of_the_path_leaves_rte_zero(rng: np.random.Generator) -> None:
    root = rng.normal(size=(40, 3)).cumsum(0)
    moved = root @ random_rotation(rng).T + [3.0, 1.0, -2.0]
    assert metrics.rte(moved, root).max() < 1e-9
    assert metrics.rte(1.2 * moved, root).max() > 1  # no scale


def test_pooling_clips_equals_measuring_their_frames_together(rng: np.random.Generator) -> None:
    pairs = [random_pair(rng, time) for time in (5, 40, 13)]
    pooled = combine(evaluate_motion(p, t, SMPL_22, 30.0) for p, t in pairs)
    frames = np.concatenate([metrics.pa_mpjpe(p, t) for p, t in pairs])
    steps = np.concatenate([metrics.accel(p, t, HIPS, 30.0) for p, t in pairs])
    assert pooled["pa_mpjpe"] == pytest.approx(frames.mean(), rel=1e-12)
    assert pooled["accel"] == pytest.approx(steps.mean(), rel=1e-12)
    assert pooled.counts["pa_mpjpe"] == 58
    assert pooled.counts["accel"] == 52
    assert pooled.counts["root_error_first"] == 3


# --- hand-made cases


def test_units_of_accel_and_jitter() -> None:
    steps = np.arange(8.0)
    true = np.zeros((8, 3, 3))
    parabola, cubic = true.copy(), true.copy()
    parabola[:, 2, 2] = 0.001 * steps**2 / 2  # second difference 1 mm/frame²
    cubic[..., 0] = (0.001 * steps**3 / 6)[:, None]  # third difference 1 mm/frame³
    accel = metrics.accel(parabola, true, [0, 1], 30.0)
    np.testing.assert_allclose(accel, 0.9 / 3)  # one joint of three
    np.testing.assert_allclose(metrics.jitter(cubic, 30.0), 2.7)  # 27 m/s³


def test_foot_sliding_counts_only_standing_points() -> None:
    true = np.zeros((5, 2, 3))
    true[:, 1, 0] = np.arange(5) * 0.02  # the second point swings
    predicted = true.copy()
    predicted[:, 0] = np.arange(5)[:, None] * [0.003, 0.0, 0.004]
    sliding = metrics.foot_sliding(predicted, true, 30.0)
    np.testing.assert_allclose(sliding[:, 0], 5.0)
    assert np.isnan(sliding[:, 1]).all()


def test_foot_sliding_does_not_depend_on_the_frame_rate() -> None:
    fast = np.zeros((9, 1, 3))
    fast[:, 0, 0] = np.arange(9) * 0.004  # 0.24 m/s at 60 fps: contact at both rates
    slow = metrics.foot_sliding(fast[::2], fast[::2], 30.0)
    np.testing.assert_allclose(metrics.foot_sliding(fast, fast, 60.0).mean(), slow.mean())


def test_foot_penetration_is_the_depth_of_the_lowest_point() -> None:
    height = np.array([[0.02, 0.01], [0.03, -0.004], [-0.01, -0.02], [np.nan, -0.005], [np.nan, np.nan]])
    depth = metrics.foot_penetration(height)
    np.testing.assert_allclose(depth, [0, 4, 20, 5, np.nan])
    assert depth[depth > 0].mean() == pytest.approx(29 / 3)
    np.testing.assert_allclose(
        metrics.foot_penetration(height - 1)[:4], 1000 - 1000 * np.nanmin(height[:4], 1)
    )


def test_foot_floating_is_what_the_lowest_point_lacks_to_stand() -> None:
    height = np.array(
        [[0.05, 0.02], [0.05, 0.05], [-0.01, 0.3], [0.04, np.nan], [np.nan, np.nan], [0.5, 0.5]]
    )
    contact = np.array([[1, 1], [0, 1], [1, 1], [1, 0], [1, 1], [0, 0]], bool)
    floating = metrics.foot_floating(height, contact, np.array([0.015, 0.01]))
    np.testing.assert_allclose(floating, [10, 35, 0, 25, np.nan, np.nan])
    np.testing.assert_allclose(metrics.foot_floating(height, contact)[:3], [20, 50, 0])


def test_root_errors_first_and_mean() -> None:
    true = np.zeros((2, 22, 3))
    predicted = true + np.array([0.3, 0.1])[:, None, None] * [0.0, 0.0, 1.0]
    scores = evaluate_motion(predicted, true, SMPL_22, 30.0)
    assert scores["root_error"] == pytest.approx(200)
    assert scores["root_error_first"] == pytest.approx(300)
    assert math.isnan(scores["rte"])  # the truth stands still: no path to be a part of


def test_rte_is_a_part_of_the_true_path() -> None:
    true = np.zeros((3, 3))
    true[:, 0] = [0, 1, 2]
    predicted = true.copy()
    predicted[:, 0] = [0, 1, 2.3]  # best rigid shift: 0.1 back
    np.testing.assert_allclose(metrics.rte(predicted, true), [5, 5, 10])


def test_ankle_angle_is_geodesic(rng: np.random.Generator) -> None:
    base = random_rotation(rng)
    for degrees in (0.0, 1e-5, 30.0, 90.0, 179.9, 180.0):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        assert metrics.ajae(base @ turn, base) == pytest.approx(degrees, abs=1e-7)


def test_foot_shape_error_ignores_place_and_size() -> None:
    foot = np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.17, 0.06, 0.0]])
    assert metrics.n_mpjpe_foot(0.7 * foot + [1, 2, 3], foot) == pytest.approx(0, abs=1e-9)
    bent = foot + [[0, 0, 0.01], [0, 0, 0.01], [0, 0, 0.01]]
    assert metrics.n_mpjpe_foot(bent, foot) == pytest.approx(0, abs=1e-9)
    assert metrics.n_mpjpe_foot(foot[:, [1, 0, 2]], foot) > 10  # a turned foot is an error


def test_contact_f1_pools_as_one_clip() -> None:
    true = np.array([[1, 1], [0, 1], [0, 0]], bool)
    found = np.array([[1, 0], [0, 1], [1, 0]], bool)
    hits, total = metrics.contact_f1(found, true)
    assert hits / total == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    both = combine([Scores({"contact_f1": (hits, total)})] * 2)
    assert both["contact_f1"] == pytest.approx(2 / 3)


def test_pck_against_the_tight_box() -> None:
    true = np.array([[[0.0, 0.0], [100.0, 50.0], [10.0, 10.0], [500.0, 500.0]]])
    visible = np.array([[True, True, True, False]])  # the last would make the box larger
    predicted = true + [[[4.9, 0.0], [0.0, 5.1], [np.nan, 0.0], [0.0, 0.0]]]
    hit = metrics.pck(predicted, true, 0.05, visible)
    np.testing.assert_array_equal(hit, [[1, 0, 0, np.nan]])


def test_pck_parts() -> None:
    skeleton = SKELETONS["coco_wholebody23"]
    true = np.stack(np.meshgrid(np.arange(23.0) * 10, np.arange(4.0)), -1).reshape(4, 23, 2)
    predicted = true.copy()
    predicted[:, skeleton.joints.index("left_heel")] += 400
    scores = evaluate_pck(predicted, true, skeleton, thresholds=(0.05, 0.1))
    assert scores["pck_body@0.05"] == 1
    assert scores["pck_foot@0.1"] == pytest.approx(5 / 6)
    assert "pck_hand@0.05" not in scores


def test_pck_s_box_is_that_of_joints_not_compared_too() -> None:
    skeleton = SKELETONS["coco17"]
    true = np.zeros((1, 17, 2))
    true[0, skeleton.joints.index("left_ankle")] = 200.0  # makes the box 200 px wide
    predicted = true + [9.0, 0.0]
    alone = np.array([name == "nose" for name in skeleton.joints])
    scores = evaluate_pck(predicted, true, skeleton, compared=alone)
    assert dict(scores) == {"pck_body@0.05": 1.0} and scores.counts == {"pck_body@0.05": 1.0}
    assert evaluate_pck(predicted * 1.2, true, skeleton, compared=~alone)["pck_body@0.05"] < 1


def test_a_turned_pose_is_an_error_of_orientation_alone(rng: np.random.Generator) -> None:
    _, true = random_pair(rng)
    scores = evaluate_motion(true @ random_rotation(rng).T, true, SMPL_22, 30.0)
    for name in ("pa_mpjpe", "w_mpjpe_100", "wa_mpjpe_100", "wa_mpjpe_full", "rte"):
        assert scores[name] == pytest.approx(0, abs=1e-6), name
    assert min(scores["mpjpe"], scores["abs_mpjpe"], scores["accel"]) > 1
    assert scores["jitter"] == pytest.approx(scores["jitter_true"], rel=1e-12)


def test_drift_shows_in_w_mpjpe_as_it_grows() -> None:
    true = np.random.default_rng(1).normal(size=(1, 22, 3)) + np.zeros((200, 1, 1))
    drift = np.arange(200.0)[:, None] * [0.002, 0.0, 0.0]  # 2 mm a frame
    error = metrics.w_mpjpe(true + drift[:, None], true)
    expected = np.tile(2.0 * np.arange(100) - 1.0, 2)  # fitted on the middle of frames 0 and 1
    np.testing.assert_allclose(error, np.abs(expected), atol=0.01)  # their extent grows by a little drift
    np.testing.assert_allclose(metrics.abs_mpjpe(true + drift[:, None], true), 2.0 * np.arange(200))


def test_joint_errors_over_some_joints_and_feet_from_all(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng, joints=len(CANONICAL))
    some = evaluate_motion(predicted, true, CANONICAL, 30.0, joints=SMPL_22)
    alone = evaluate_motion(predicted[:, :22], true[:, :22], SMPL_22, 30.0)
    every = evaluate_motion(predicted, true, CANONICAL, 30.0)
    assert {name: some[name] for name in alone} == pytest.approx(dict(alone), rel=1e-12)
    assert alone["pa_mpjpe"] != pytest.approx(every["pa_mpjpe"], rel=1e-3)
    assert some["n_mpjpe_foot"] == every["n_mpjpe_foot"]
    assert some.counts["foot_sliding"] == every.counts["foot_sliding"]


def test_heels_and_big_toes_are_enough_for_sliding(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng, joints=33)
    scores = evaluate_motion(predicted, true, SKELETONS["mediapipe33"], 30.0)
    assert "foot_sliding" in scores and "n_mpjpe_foot" not in scores  # MediaPipe shows no small toe


# --- missing data and degenerate input


def test_missing_points_are_removed_not_averaged(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng, time=30)
    holes = predicted.copy()
    holes[3] = np.nan
    holes[7, 5] = np.nan
    valid = np.ones((30, 22), bool)
    valid[11, 8] = False
    wild = predicted.copy()
    wild[11, 8] = 1e6  # masked: must not matter
    gone = np.isnan(holes).any(-1) | ~valid
    for name in ("mpjpe", "pa_mpjpe", "abs_mpjpe"):
        hips = (HIPS,) if name == "mpjpe" else ()
        function = getattr(metrics, name)
        frames = function(np.where(np.isnan(holes), holes, wild), true, *hips, valid)
        assert np.isnan(frames).tolist() == [t == 3 for t in range(30)]
        for t in (0, 7, 11):
            keep = ~gone[t]
            rows = [np.flatnonzero(keep).tolist().index(hip) for hip in HIPS]
            alone = function(predicted[t : t + 1, keep], true[t : t + 1, keep], *((rows,) if hips else ()))
            assert frames[t] == pytest.approx(alone[0], abs=1e-9)


def test_differences_do_not_bridge_a_gap(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng, time=20)
    valid = np.ones(20, bool)
    valid[9] = False
    accel = metrics.accel(predicted, true, HIPS, 30.0, valid)
    np.testing.assert_array_equal(np.isnan(accel), [t in (7, 8, 9) for t in range(18)])
    assert np.isnan(metrics.jitter(predicted, 30.0, valid)).sum() == 4


def test_a_frame_without_hips_has_no_mpjpe(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng)
    predicted[2, HIPS[0]] = np.nan
    assert np.isnan(metrics.mpjpe(predicted, true, HIPS)[2])
    assert np.isfinite(metrics.abs_mpjpe(predicted, true)[2])


def test_all_missing_measures_nothing_and_pools_as_nothing(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng)
    nothing = evaluate_motion(np.full_like(true, np.nan), true, SMPL_22, 30.0)
    assert all(math.isnan(value) for value in nothing.values())
    clip = evaluate_motion(predicted, true, SMPL_22, 30.0)
    pooled = combine([nothing, clip])
    np.testing.assert_equal(dict(pooled), dict(clip))  # NaN where neither measures (rate of no foot)


@pytest.mark.parametrize("points", [1, 2, 5])
def test_points_on_a_line_fit_without_a_warning(rng: np.random.Generator, points: int) -> None:
    line = np.arange(points)[:, None] * rng.normal(size=3) + 1.0
    fitted = fit_similarity(line, line @ random_rotation(rng).T - 2.0)
    np.testing.assert_allclose(fitted.apply(line), line @ fitted.rotation.T + fitted.translation, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(fitted.rotation), 1.0)
    np.testing.assert_allclose(fitted.scale, 1.0)


def test_one_frame_has_errors_but_no_differences(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng, time=1)
    scores = evaluate_motion(predicted, true, SMPL_22, 30.0)
    assert scores["mpjpe"] > 0
    assert math.isnan(scores["accel"])
    assert scores.counts["accel"] == 0


def test_feet_can_be_given_for_a_format_without_them() -> None:
    true, feet = np.zeros((4, 22, 3)), np.zeros((4, 4, 3))
    slide = feet + np.arange(4)[:, None, None] * [0.002, 0, 0]
    scores = evaluate_motion(true, true, SMPL_22, 30.0, feet=(slide, feet))
    assert scores["foot_sliding"] == pytest.approx(2.0)
    assert "foot_sliding" not in evaluate_motion(true, true, SMPL_22, 30.0)
    whole = np.zeros((4, len(CANONICAL), 3))  # given ones come before the format's own
    scores = evaluate_motion(whole, whole, CANONICAL, 30.0, feet=(slide, feet))
    assert scores["foot_sliding"] == pytest.approx(2.0)


def test_every_score_has_a_unit(rng: np.random.Generator) -> None:
    predicted, true = random_pair(rng, joints=len(CANONICAL))
    eye, contact = np.tile(np.eye(3), (12, 2, 1, 1)), np.ones((12, 2), bool)
    scores = evaluate_motion(predicted, true, CANONICAL, 30.0, contacts=(contact, contact), ankles=(eye, eye))
    assert set(scores) == set(UNITS)


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_format_can_be_evaluated(rng: np.random.Generator, name: str) -> None:
    skeleton = SKELETONS[name]
    predicted, true = random_pair(rng, joints=len(skeleton.joints))
    predicted[:, skeleton.rows < 0] = np.nan
    assert evaluate_motion(predicted, true, skeleton, 30.0)["pa_mpjpe"] > 0


def test_shapes_that_do_not_belong_together_are_named() -> None:
    with pytest.raises(ValueError, match="left_hip and right_hip for all 5"):
        evaluate_motion(np.zeros((3, 5, 3)), np.zeros((3, 5, 3)), SMPL_22, 30.0)
    with pytest.raises((ValueError, TypeError), match="valid"):  # TypeError: the tests' own shape checks
        metrics.abs_mpjpe(np.zeros((3, 5, 3)), np.zeros((3, 5, 3)), np.ones(4, bool))
