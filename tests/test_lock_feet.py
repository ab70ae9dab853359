"""Feet held where they stand: laws of the lock on a walk that slides, and its edges."""

import dataclasses
import functools

import numpy as np
import pytest
from moving_body import moving_body, posed, resting_body
from scipy.spatial.transform import Rotation

from lift2to3.body import leg_length
from lift2to3.contact import CONTACT_POINTS, CONTACT_ROWS, STANDING_HEIGHT_M, contact_labels
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.first_pose import first_rest_offsets, first_rotations, measured_rest_offsets
from lift2to3.metrics import jitter
from lift2to3.motion import BodyMotion
from lift2to3.pipeline.foot_summary import foot_summary
from lift2to3.pipeline.lock_feet import LockConfig, lock_feet
from lift2to3.skeletons import FOOT_POINTS, INDEX, MIRROR, PARENTS, SMPL_22, rows_by_side
from lift2to3.walk import synthetic_walk

LEGS = rows_by_side("hip", "knee", "ankle").ravel()
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


@functools.cache
def walk(fps: float = 60.0, seconds: float = 5.0) -> tuple[BodyMotion, np.ndarray]:
    """A walking body, its feet within a few millimetres of standing still, and its contacts."""
    points = synthetic_walk(seconds, fps)
    prior, weight = load_body_prior(), np.ones(points.shape[:2])
    offsets = first_rest_offsets(points, prior)
    for _ in range(3):  # in millimetres, points outweigh the mean pose that joints are drawn to
        rotations = first_rotations(1e3 * points, weight, 1e3 * offsets, prior)
        offsets = measured_rest_offsets(points, weight, rotations, offsets, prior)
    body = BodyMotion(points[:, 0], rotations, offsets, fps, np.ones(len(points), bool))
    return body, contact_labels(points[:, CONTACT_ROWS], fps)


def sliding(body: BodyMotion, speed: float = 1.0) -> BodyMotion:
    """The root drifts by centimetres in every direction."""
    time = speed * np.arange(len(body.rotations)) / body.fps
    drift = np.stack(
        [0.04 * np.sin(1.3 * time), 0.03 * np.sin(1.9 * time + 1), 0.012 * np.sin(1.1 * time)], 1
    )
    return body._replace(root_translation=body.root_translation + drift)


def mirrored(body: BodyMotion) -> BodyMotion:
    """Seen in a mirror across the world's x."""
    flip = np.array([-1.0, 1.0, 1.0])
    rotations = body.rotations[:, MIRROR[: len(SMPL_22)]] * flip[:, None] * flip
    return body._replace(
        root_translation=body.root_translation * flip, rotations=rotations,
        rest_offsets=body.rest_offsets[MIRROR] * flip,
    )  # fmt: skip


def held_steps_mm(body: BodyMotion, contacts: np.ndarray) -> np.ndarray:
    points = posed(body)[1][:, CONTACT_ROWS]
    return 1e3 * np.linalg.norm(np.diff(points, axis=0), axis=-1)[contacts[1:] & contacts[:-1]]


def furthest_mm(first: BodyMotion, second: BodyMotion) -> float:
    return 1e3 * float(np.linalg.norm(posed(first)[1] - posed(second)[1], axis=-1).max())


# --- what is held


def test_feet_in_contact_stand_still_on_the_floor():
    body, contacts = walk()
    spoilt = sliding(body)
    locked = lock_feet(spoilt, contacts)
    assert np.median(held_steps_mm(spoilt, contacts)) > 0.5
    assert held_steps_mm(locked, contacts).max() < 1.0
    height = posed(locked)[1][:, CONTACT_ROWS, 2]
    off = np.abs(height - STANDING_HEIGHT_M)[contacts]
    assert off.max() < 0.003
    before, after = foot_summary(spoilt, contacts), foot_summary(locked, contacts)
    assert after.sliding_mm < 0.05 * before.sliding_mm
    assert after.penetration_mm < 0.1 * before.penetration_mm and after.floating_mm < 0.1 * before.floating_mm
    assert after.contact_share == before.contact_share


def test_own_labels_do_nearly_as_well():
    body, contacts = walk()
    spoilt = sliding(body)
    before, after = foot_summary(spoilt, contacts), foot_summary(lock_feet(spoilt), contacts)
    assert after.sliding_mm < 0.3 * before.sliding_mm


def test_a_flat_foot_is_one_rigid_foot():
    body, contacts = walk()
    points = posed(lock_feet(sliding(body), contacts))[1]
    original = posed(body)[1]
    for heel, toe in (("left_heel", "left_big_toe"), ("right_heel", "right_big_toe")):
        length, own = (
            np.linalg.norm(p[:, INDEX[toe]] - p[:, INDEX[heel]], axis=-1) for p in (points, original)
        )
        np.testing.assert_allclose(length, own, atol=1e-9)


# --- what is kept


def test_a_motion_without_contact_comes_back_as_it_is():
    body, contacts = walk()
    for locked in (
        lock_feet(body, np.zeros_like(contacts)),
        lock_feet(body._replace(root_translation=body.root_translation + [0, 0, 1.0])),
    ):
        np.testing.assert_array_equal(locked.rotations, body.rotations)
    np.testing.assert_array_equal(
        lock_feet(body, np.zeros_like(contacts)).root_translation, body.root_translation
    )
    straight = resting_body(40)._replace(root_translation=np.tile([0.0, 0.0, 2.0], (40, 1)))
    np.testing.assert_array_equal(lock_feet(straight).rotations, straight.rotations)
    wild = moving_body()._replace(valid=np.ones(120, bool))
    locked = lock_feet(wild, np.zeros((120, 4), bool))
    assert all(np.array_equal(a, b) for a, b in zip(locked, wild, strict=True))


def test_only_legs_and_root_change_and_bones_keep_their_lengths():
    body, contacts = walk()
    spoilt = sliding(body)
    locked = lock_feet(spoilt, contacts)
    others = np.setdiff1d(np.arange(len(SMPL_22)), LEGS)
    np.testing.assert_array_equal(locked.rotations[:, others], spoilt.rotations[:, others])
    np.testing.assert_array_equal(locked.rest_offsets, spoilt.rest_offsets)
    turns = locked.rotations[:, LEGS].reshape(-1, 3, 3)
    np.testing.assert_allclose(
        turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (len(turns), 1, 1)), atol=1e-9
    )
    assert (np.linalg.det(turns) > 0).all()
    assert not np.array_equal(locked.rotations, spoilt.rotations)


def test_steps_keep_their_height_and_length():
    body, contacts = walk()
    spoilt = sliding(body)
    before, after = posed(spoilt)[1], posed(lock_feet(spoilt, contacts))[1]
    for name in ("left_big_toe", "right_big_toe"):
        column, toe, ankle = (
            contacts[:, CONTACT_POINTS.index(name)],
            INDEX[name],
            PARENTS[PARENTS[INDEX[name]]],
        )
        runs = np.split(np.arange(len(column)), np.flatnonzero(np.diff(column.astype(int))) + 1)
        stands = [run for run in runs if column[run[0]] and 0 < run[0] and run[-1] < len(column) - 1]
        assert len(stands) >= 3
        places = [np.array([np.median(p[run, toe, :2], axis=0) for run in stands]) for p in (before, after)]
        lengths = [np.linalg.norm(np.diff(place, axis=0), axis=-1) for place in places]
        np.testing.assert_allclose(*lengths, atol=0.006)
        for first, second in zip(stands, stands[1:], strict=False):
            swing = slice(first[-1], second[0])
            heights = [np.ptp(p[swing, ankle, 2] - p[swing, 0, 2]) for p in (posed(body)[1], after)]
            assert abs(heights[0] - heights[1]) < 0.012


def test_a_walk_that_does_not_slide_hardly_changes():
    body, contacts = walk()
    locked = lock_feet(body, contacts)
    points, original = posed(locked)[1], posed(body)[1]
    assert 1e3 * np.linalg.norm(points - original, axis=-1).mean() < 6
    forward = [np.ptp(p[:, ANKLES] - p[:, [0]], axis=0) for p in (points, original)]
    np.testing.assert_allclose(*forward, atol=0.01)


def test_nothing_pops():
    body, contacts = walk()
    spoilt = sliding(body)
    locked = lock_feet(spoilt, contacts)
    points, before = posed(locked)[1], posed(spoilt)[1]
    assert jitter(points, body.fps).mean() < 1.1 * jitter(before, body.fps).mean()
    acceleration = [np.linalg.norm(np.diff(p, 2, axis=0), axis=-1) for p in (points, before)]
    assert acceleration[0].max() < 1.1 * acceleration[1].max()
    assert np.quantile(acceleration[0], 0.99) < 1.1 * np.quantile(acceleration[1], 0.99)
    correction = np.linalg.norm(np.diff(points - before, axis=0), axis=-1) * body.fps
    assert correction.max() < 1.2 and np.quantile(correction, 0.99) < 0.6


def test_feet_keep_their_orientation_but_for_a_few_degrees():
    body, contacts = walk()
    spoilt = sliding(body)
    frames, before = (posed(b)[0][:, ANKLES] for b in (lock_feet(spoilt, contacts), spoilt))
    turned = Rotation.from_matrix((before.swapaxes(-1, -2) @ frames).reshape(-1, 3, 3)).magnitude()
    assert np.degrees(turned).max() < 8
    toes = contacts & [False, True, False, True]
    single = posed(lock_feet(spoilt, toes))[0][:, ANKLES]
    np.testing.assert_allclose(single, before, atol=1e-9)


# --- laws


def test_locking_twice_is_locking_once():
    body, contacts = walk()
    once = lock_feet(sliding(body), contacts)
    assert furthest_mm(lock_feet(once, contacts), once) < 1.5
    once = lock_feet(sliding(body))
    assert 1e3 * np.linalg.norm(posed(lock_feet(once))[1] - posed(once)[1], axis=-1).mean() < 2.0


def test_a_mirrored_motion_is_locked_in_mirror_image():
    body, contacts = walk()
    spoilt = sliding(body)
    columns = [CONTACT_POINTS.index(n) for n in ("right_heel", "right_big_toe", "left_heel", "left_big_toe")]
    ours = mirrored(lock_feet(spoilt, contacts))
    theirs = lock_feet(mirrored(spoilt), contacts[:, columns])
    np.testing.assert_allclose(theirs.rotations, ours.rotations, atol=1e-9)
    np.testing.assert_allclose(theirs.root_translation, ours.root_translation, atol=1e-9)


def test_turning_the_world_turns_the_result():
    body, contacts = walk()
    spoilt = sliding(body)
    turn, move = Rotation.from_euler("z", 1.1).as_matrix(), np.array([3.0, -2.0, 0.0])

    def moved(body: BodyMotion) -> BodyMotion:
        rotations = body.rotations.copy()
        rotations[:, 0] = turn @ rotations[:, 0]
        return body._replace(root_translation=body.root_translation @ turn.T + move, rotations=rotations)

    assert furthest_mm(lock_feet(moved(spoilt), contacts), moved(lock_feet(spoilt, contacts))) < 1e-5


@pytest.mark.parametrize("fps", [24.0, 30.0, 50.0, 240.0])
def test_any_rate_holds_feet(fps):
    body, contacts = walk(fps)
    spoilt = sliding(body)
    locked = lock_feet(spoilt, contacts)
    assert held_steps_mm(locked, contacts).max() < 1.0
    assert foot_summary(locked, contacts).sliding_mm < 0.1 * foot_summary(spoilt, contacts).sliding_mm


def test_rates_agree():
    body, contacts = walk(120.0)
    fast = lock_feet(sliding(body), contacts)
    half = body._replace(
        root_translation=body.root_translation[::2], rotations=body.rotations[::2], fps=60.0,
        valid=body.valid[::2],
    )  # fmt: skip
    slow = lock_feet(sliding(half), contacts[::2])
    apart = 1e3 * np.linalg.norm(posed(fast)[1][::2] - posed(slow)[1], axis=-1)
    assert apart.mean() < 1 and apart.max() < 12


def test_single_precision_stays_and_is_enough():
    body, contacts = walk()
    spoilt = sliding(body)
    single = spoilt._replace(
        **{
            name: getattr(spoilt, name).astype(np.float32)
            for name in ("root_translation", "rotations", "rest_offsets")
        }
    )
    locked = lock_feet(single, contacts)
    assert locked.rotations.dtype == locked.root_translation.dtype == np.float32
    assert furthest_mm(locked, lock_feet(spoilt, contacts)) < 0.1


# --- edges


def standing(frames: int, fps: float = 30.0) -> BodyMotion:
    """Upright with knees a little bent and flat feet a little over the floor, the root swaying."""
    bent = {}
    for side in ("left", "right"):
        bent |= {f"{side}_hip": Rotation.from_euler("x", -0.2), f"{side}_knee": Rotation.from_euler("x", 0.4)}
        bent |= {f"{side}_ankle": Rotation.from_euler("x", -0.2)}
    body = resting_body(frames, **bent)._replace(fps=fps)
    lowest = posed(body)[1][0, CONTACT_ROWS, 2].min()
    time = np.arange(frames)[:, None] / fps
    sway = np.concatenate([0.03 * np.sin(time), 0.02 * np.cos(1.3 * time), 0.02 + 0 * time - lowest], 1)
    return body._replace(root_translation=body.root_translation + sway)


@pytest.mark.parametrize("frames", [1, 2, 3, 20, 200])
def test_contact_may_fill_the_whole_clip(frames):
    body, all_of_it = standing(frames), np.ones((frames, 4), bool)
    locked = lock_feet(body, all_of_it)
    if frames >= 3:
        points = posed(locked)[1][:, CONTACT_ROWS]
        assert np.ptp(points, axis=0).max() < 1e-4
        np.testing.assert_allclose(points[..., 2], np.tile(STANDING_HEIGHT_M, (frames, 1)), atol=1e-4)
    assert np.isfinite(locked.rotations).all() and np.isfinite(locked.root_translation).all()


def test_contact_in_the_middle_fades_on_both_sides_and_no_farther():
    body = standing(300)
    contacts = np.zeros((300, 4), bool)
    contacts[140:160] = True
    locked = lock_feet(body, contacts)
    changed = (locked.rotations != body.rotations).any((1, 2, 3))
    assert changed[140:160].all() and not changed[:110].any() and not changed[190:].any()


def test_frames_that_are_not_valid_stay_as_they_are():
    body, contacts = walk()
    valid = np.ones(len(contacts), bool)
    valid[100:130] = False
    spoilt = sliding(body)._replace(valid=valid)
    locked = lock_feet(spoilt, contacts)
    np.testing.assert_array_equal(locked.rotations[100:130], spoilt.rotations[100:130])
    np.testing.assert_array_equal(locked.root_translation[100:130], spoilt.root_translation[100:130])
    assert held_steps_mm(locked, contacts & valid[:, None]).max() < 1.0
    far = np.where(valid, 0.0, 5.0)[:, None]  # nor does it matter where they are
    elsewhere = lock_feet(spoilt._replace(root_translation=spoilt.root_translation + far), contacts)
    np.testing.assert_allclose(elsewhere.rotations[valid], locked.rotations[valid], atol=1e-12)


def moved_by(body: BodyMotion, where: slice, shift: list[float]) -> BodyMotion:
    root = body.root_translation.copy()
    root[where] += shift
    return body._replace(root_translation=root)


def test_a_foot_is_held_where_it_mostly_stands():
    body, contacts = lock_feet(standing(100), np.ones((100, 4), bool)), np.ones((100, 4), bool)
    points = posed(lock_feet(moved_by(body, slice(85, 100), [0.03, 0, 0]), contacts))[1]
    apart = points[:, CONTACT_ROWS] - posed(body)[1][:, CONTACT_ROWS]
    assert np.linalg.norm(apart, axis=-1).max() < 0.001


def test_a_foot_that_rises_is_let_go_and_a_moment_s_contact_is_none():
    body, contacts = standing(120), np.ones((120, 4), bool)
    jump = moved_by(body, slice(50, 70), [0, 0, 0.15])
    lift = posed(lock_feet(jump, contacts))[1][60, CONTACT_ROWS, 2] - STANDING_HEIGHT_M
    np.testing.assert_allclose(lift, 0.15, atol=0.03)
    contacts[:] = False
    contacts[60] = True
    np.testing.assert_array_equal(lock_feet(body, contacts).rotations, body.rotations)


def test_a_short_swing_keeps_the_correction_and_a_long_one_loses_it():
    body, config = moved_by(standing(150), slice(None), [0, 0, 0.015]), LockConfig(pelvis_share=0.0)
    for gap, kept in ((10, 1.0), (60, 0.0)):
        contacts = np.ones((150, 4), bool)
        contacts[75 - gap // 2 : 75 + gap // 2] = False
        shift = (posed(lock_feet(body, contacts, config))[1] - posed(body)[1])[:, ANKLES]
        assert (shift[30, :, 2] < -0.015).all()
        np.testing.assert_allclose(shift[75, :, 2], kept * shift[30, :, 2], atol=0.001)


def test_a_foot_out_of_reach_brings_the_pelvis_down():
    body = resting_body(90)  # straight legs
    lowest = posed(body)[1][0, CONTACT_ROWS, 2].min()
    body = body._replace(root_translation=body.root_translation + [0, 0, 0.06 - lowest])
    contacts = np.zeros((90, 4), bool)
    contacts[30:60] = True
    for share in (0.0, 1.0):
        locked = lock_feet(body, contacts, LockConfig(pelvis_share=share))
        points = posed(locked)[1]
        height = points[30:60, CONTACT_ROWS, 2]
        np.testing.assert_allclose(height, np.tile(STANDING_HEIGHT_M, (30, 1)), atol=1e-3)
        down = body.root_translation[:, 2] - locked.root_translation[:, 2]
        leg = np.linalg.norm(points[:, ANKLES] - points[:, [INDEX["left_hip"], INDEX["right_hip"]]], axis=-1)
        assert leg[45].max() == pytest.approx(leg_length(body.rest_offsets), abs=0.002)  # and no farther
        assert 0.04 < down[45] < 0.06 and np.abs(np.diff(down, 2)).max() < 0.008


def test_a_foot_far_out_of_reach_falls_short():
    body = resting_body(60)._replace(root_translation=np.tile([0.0, 0.0, 3.0], (60, 1)))
    locked = lock_feet(body, np.ones((60, 4), bool), LockConfig(pelvis_share=0.0))
    assert np.isfinite(locked.rotations).all()
    assert (body.root_translation - locked.root_translation)[:, 2].max() == pytest.approx(0.15)
    points = posed(locked)[1]
    leg = np.linalg.norm(points[:, INDEX["left_ankle"]] - points[:, INDEX["left_hip"]], axis=-1)
    assert leg.max() <= leg_length(body.rest_offsets) + 1e-9


def test_a_straight_leg_that_must_shorten_bends_its_knee_forward():
    body = resting_body(60)  # faces -y
    lowest = posed(body)[1][0, CONTACT_ROWS, 2].min()
    body = body._replace(root_translation=body.root_translation - [0, 0, 0.04 + lowest])
    locked = lock_feet(body, np.ones((60, 4), bool), LockConfig(pelvis_share=0.0))
    moved = posed(locked)[1] - posed(body)[1]
    for knee in (INDEX["left_knee"], INDEX["right_knee"]):
        assert (moved[:, knee, 1] < -0.08).all() and np.abs(moved[:, knee, 0]).max() < 0.02
    assert foot_summary(locked).penetration_mm < 1e-3 < 30 < foot_summary(body).penetration_mm


def test_a_foot_that_makes_a_step_within_one_run_is_let_go():
    body = standing(120)
    step = np.clip((np.arange(120) / 30 - 1.5) / 0.6, 0, 1)[:, None] * [0.5, 0, 0]
    walked = body._replace(root_translation=body.root_translation + step)
    locked = lock_feet(walked, np.ones((120, 4), bool))
    assert np.linalg.norm(posed(locked)[1] - posed(walked)[1], axis=-1).max() < 0.15


# --- the summary


def test_summary_of_a_foot_that_slides_floats_and_sinks():
    body = standing(40, fps=60.0)
    still = lock_feet(body, np.ones((40, 4), bool))
    assert foot_summary(still, np.ones((40, 4), bool)) == pytest.approx((0, 0, 0, 1), abs=0.02)
    slide = np.arange(40)[:, None] * [0.001, 0, 0]
    for rise, floats in ((0.02, 20), (-0.025, 0)):
        moved = still._replace(root_translation=still.root_translation + slide + [0, 0, rise])
        sinks = 1e3 * np.maximum(-posed(moved)[1][:, FOOT_POINTS, 2].min(1), 0).mean()
        found = foot_summary(moved, np.ones((40, 4), bool))
        assert found == pytest.approx((2.0, sinks, floats, 1.0), abs=0.02) and (sinks > 9) == (rise < 0)
    half = np.zeros((40, 4), bool)
    half[:20, :2] = True
    assert foot_summary(still, half).contact_share == pytest.approx(0.25)
    nothing = foot_summary(still, np.zeros((40, 4), bool))
    assert np.isnan(nothing.sliding_mm) and np.isnan(nothing.floating_mm) and nothing.penetration_mm == 0


def test_bad_input_is_refused_with_the_reason():
    body, contacts = walk()
    with pytest.raises(ValueError, match=r"one column for each of left_heel.*found \(300, 3\)"):
        lock_feet(body, contacts[:, :3])
    with pytest.raises(ValueError, match="fps"):
        lock_feet(body._replace(fps=0.0), contacts)
    with pytest.raises(ValueError, match="contacts"):
        foot_summary(body, contacts[1:])


def test_config_is_made_of_positive_numbers():
    numbers = dataclasses.asdict(LockConfig())
    numbers |= numbers.pop("contact")
    assert all(value > 0 for value in numbers.values())
