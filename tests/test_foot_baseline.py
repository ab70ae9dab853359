"""What the foot lifter is measured by and against: its scenes, ankles bent by least squares."""

import dataclasses
import json

import numpy as np
import pytest
from moving_body import moving_body, posed
from scipy.spatial.transform import Rotation
from test_mocap import figure, random_turns
from test_protocol import RIGS
from tiny import camera, film, quick_compilation

from experiments import protocol
from experiments.feet import evaluate as evaluate_feet
from experiments.feet import ik as foot_ik
from experiments.feet import measure as measure_feet
from experiments.feet import scenes
from lift2to3 import BodyMotion, Camera, Keypoints, Lifter, Motion, as_keypoints
from lift2to3.checkpoint import save_weights
from lift2to3.data.body_rotations import body_motion
from lift2to3.data.initial_feet import InitialErrorConfig
from lift2to3.data.mocap import MocapClip, clip_from_bvh
from lift2to3.data.packed import write_packed
from lift2to3.models.foot_lifter import FootLifter, FootLifterConfig
from lift2to3.models.params import build
from lift2to3.scores import Scores
from lift2to3.skeletons import CANONICAL, INDEX

ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
FEET = ("ankle", "heel", "toe")
SHARP = foot_ik.FootIkConfig(keypoints_s=0.0, rotations_s=0.0, prior_rad=0.3)


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


# --- bending feet by least squares


def straight_footed(frames: int = 40, seed: int = 0) -> BodyMotion:
    """Somebody in smooth motion whose forefeet are straight, double precision."""
    body = moving_body(frames, seed=seed, turns_rad=0.35)
    rotations = body.rotations.astype(float)
    rotations[:, BALLS] = np.eye(3)
    root = np.tile([0.0, 0.0, 0.95], (frames, 1))
    return BodyMotion(root, rotations, body.rest_offsets.astype(float), 30.0, np.ones(frames, bool))


def turned(body: BodyMotion, degrees: float, axis: tuple[float, float, float] = (1, 0.3, -0.2)) -> BodyMotion:
    """The same with both ankles off by so much."""
    vector = np.radians(degrees) * np.array(axis) / np.linalg.norm(axis)
    rotations = body.rotations.copy()
    rotations[:, ANKLES] = rotations[:, ANKLES] @ Rotation.from_rotvec(vector).as_matrix()
    return body._replace(rotations=rotations)


def seen(body: BodyMotion) -> Keypoints:
    return film(posed(body)[1], camera(), "halpe26", body.fps)


def off(found: BodyMotion, true: BodyMotion) -> np.ndarray:
    """Degrees between the ankles of two motions. (time, 2)"""
    relative = found.rotations[:, ANKLES].swapaxes(-1, -2) @ true.rotations[:, ANKLES]
    return np.degrees(Rotation.from_matrix(relative.reshape(-1, 3, 3)).magnitude()).reshape(-1, 2)


@pytest.mark.parametrize("degrees", [10.0, 25.0])
def test_from_exact_keypoints_a_turned_ankle_is_found_again(degrees):
    true = straight_footed()
    wrong = turned(true, degrees)
    found = foot_ik.bend_feet(wrong, seen(true), camera(), dataclasses.replace(SHARP, prior_rad=10.0))
    assert off(wrong, true).min() > 0.9 * degrees
    assert np.median(off(found, true)) < 0.1 and off(found, true).max() < 2
    smoothed = foot_ik.bend_feet(wrong, seen(true), camera())
    assert off(smoothed, true).mean() < 0.6 * degrees, "with its chosen numbers it is careful"


def test_right_feet_stay_right_and_nothing_but_ankles_changes():
    true = straight_footed()
    found = foot_ik.bend_feet(true, seen(true), camera(), SHARP)
    assert off(found, true).max() < 1e-3
    for body in (true, turned(true, 20.0)):
        found = foot_ik.bend_feet(body, seen(true), camera())
        others = np.setdiff1d(np.arange(22), ANKLES)
        np.testing.assert_array_equal(found.rotations[:, others], body.rotations[:, others])
        for name in ("root_translation", "rest_offsets", "valid"):
            np.testing.assert_array_equal(getattr(found, name), getattr(body, name))


def test_feet_that_are_not_seen_stay_as_they_are():
    true = straight_footed()
    wrong, keypoints = turned(true, 20.0), scenes.without_feet(seen(true))
    np.testing.assert_allclose(
        foot_ik.bend_feet(wrong, keypoints, camera()).rotations, wrong.rotations, atol=1e-12
    )
    sides = [
        joint.startswith("left") and any(p in joint for p in FEET) for joint in keypoints.skeleton.joints
    ]
    xy = np.where(np.array(sides)[:, None], np.nan, seen(true).xy_px)
    half = foot_ik.bend_feet(wrong, as_keypoints(xy, None, "halpe26"), camera(), SHARP)
    assert off(half, wrong)[:, 0].max() < 1e-6 and off(half, true)[:, 1].mean() < 5


def test_the_prior_holds_the_ankle_and_the_low_passes_calm_it():
    true = straight_footed()
    wrong = turned(true, 20.0)
    left = [
        off(
            foot_ik.bend_feet(wrong, seen(true), camera(), dataclasses.replace(SHARP, prior_rad=p)), true
        ).mean()
        for p in (1.0, 0.1, 0.01)
    ]
    assert left[0] < left[1] < left[2] < 20.001
    shaken = seen(true)
    noise = 4 * np.random.default_rng(0).normal(size=shaken.xy_px.shape)
    shaken = as_keypoints(shaken.xy_px + noise, None, "halpe26")
    unrest = [
        off(*(found._replace(rotations=found.rotations[rows]) for rows in (slice(1, None), slice(-1)))).mean()
        for found in (foot_ik.bend_feet(true, shaken, camera(), c) for c in (SHARP, foot_ik.FootIkConfig()))
    ]
    assert unrest[1] < 0.5 * unrest[0]


# --- scenes and scores


def mocap(name: str = "clip_0", seed: int = 0) -> MocapClip:
    return clip_from_bvh(figure(random_turns(seed, frames=40)), name, "02")


@pytest.fixture(scope="module")
def trial():
    return next(iter(protocol.trials([mocap()], RIGS, 1)))


def scene(trial, case: str = "estimated", noise: str = "gt"):
    return scenes.scene(trial, 0, case, noise, InitialErrorConfig(exact=0.0))


def close(first: BodyMotion, second: BodyMotion) -> float:
    """Degrees between the ankles' frames in the world, at most."""
    frames = [posed(body)[0][:, ANKLES] for body in (first, second)]
    relative = frames[0].swapaxes(-1, -2) @ frames[1]
    return float(np.degrees(Rotation.from_matrix(relative.reshape(-1, 3, 3)).magnitude()).max())


@pytest.mark.parametrize("case", ["estimated", "extreme"])
def test_the_truth_has_no_error(trial, case):
    made = scene(trial, case)
    scores = evaluate_feet.score(made.true, made)
    assert isinstance(scores, Scores)
    assert scores["ajae"] == pytest.approx(0, abs=1e-3)
    assert scores["pck_foot@0.05"] == pytest.approx(1.0)
    assert scores["n_mpjpe_foot"] < 3  # the source's own feet bend a little against our tree
    initial = evaluate_feet.score(made.initial, made)
    assert initial["changed"] == pytest.approx(0, abs=1e-3) and initial["ajae"] > 3
    assert initial["pck_foot@0.05"] <= 1 and set(initial) == set(scores) == set(initial.counts)


def test_the_constant_error_is_what_stays_and_not_what_swings_about_the_truth():
    true = posed(straight_footed())[0][:, ANKLES]
    swing = 10.0 * np.resize([1.0, -1.0], len(true))
    for held, swinging in ((7.0, 0.0), (0.0, 1.0), (7.0, 1.0)):
        turns = np.radians(held + swinging * swing)[:, None, None] * np.array([0.0, 0.0, 1.0])
        off = Rotation.from_rotvec(np.repeat(turns, 2, axis=1).reshape(-1, 3)).as_matrix().reshape(true.shape)
        found = evaluate_feet.constant_error(true @ off, true)
        np.testing.assert_allclose(found, np.full(true.shape[:2], held), atol=1e-4)


def test_no_refinement_of_ankles_alone_beats_the_true_ones(trial):
    made = scene(trial)
    best = evaluate_feet.with_true_ankles(made.initial, made)
    assert evaluate_feet.score(best, made)["ajae"] == pytest.approx(0, abs=1e-3)
    others = np.setdiff1d(np.arange(22), ANKLES)
    np.testing.assert_array_equal(best.rotations[:, others], made.initial.rotations[:, others])


def test_initial_bodies_are_another_s_bones_in_this_size_with_straight_forefeet(trial):
    made, again = scene(trial), scene(trial)
    np.testing.assert_array_equal(made.initial.rotations, again.initial.rotations)
    np.testing.assert_allclose(
        made.initial.rotations[:, BALLS], np.broadcast_to(np.eye(3), (40, 2, 3, 3)), atol=1e-9
    )
    legs = [scenes.leg_length(body.rest_offsets) for body in (made.true, made.initial)]
    assert legs[1] == pytest.approx(legs[0], rel=1e-5)
    upper = [
        row for row in range(22) if row not in (*ANKLES, *BALLS, INDEX["left_knee"], INDEX["right_knee"])
    ]
    np.testing.assert_allclose(made.initial.rotations[:, upper], made.true.rotations[:, upper], atol=1e-5)
    np.testing.assert_array_equal(made.true.rotations, body_motion(trial.clip).rotations)


def test_cases_are_what_they_are_called(trial):
    right = scene(trial, "right already")
    assert close(right.initial, right.true) < 0.01 < 3 < close(scene(trial).initial, right.true)
    blind = scene(trial, "no foot keypoints").keypoints
    hidden = np.array([any(part in joint for part in FEET) for joint in blind.skeleton.joints])
    assert not blind.confidence[:, hidden].any() and blind.confidence[:, ~hidden].any(0).all()
    held = scene(trial, "held")
    relative = held.initial.rotations[:, ANKLES].swapaxes(-1, -2) @ held.true.rotations[:, ANKLES]
    turns = Rotation.from_matrix(relative.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 2, 3)
    np.testing.assert_allclose(turns, np.broadcast_to(turns[:1], turns.shape), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(turns, axis=-1), np.radians(scenes.HELD_DEG), atol=1e-5)
    assert np.linalg.norm(turns[0, 0] - turns[0, 1]) > 0.05, "each foot has its own axis"
    extreme = scene(trial, "extreme")
    ankles = extreme.true.rotations[:, ANKLES].swapaxes(-1, -2) @ right.true.rotations[:, ANKLES]
    angle = np.degrees(Rotation.from_matrix(ankles.reshape(-1, 3, 3)).magnitude())
    assert ((angle > 29.9) & (angle < 60.1)).all()
    np.testing.assert_allclose(
        extreme.camera.project(posed(extreme.true)[1])[np.isfinite(extreme.true_px)],
        extreme.true_px[np.isfinite(extreme.true_px)],
    )
    noisy = scene(trial, "estimated", "noisy").keypoints
    assert np.nanstd(noisy.xy_px - scene(trial).keypoints.xy_px) > 1


def test_lifted_feet_are_what_the_lifter_gives_without_its_last_step(trial, monkeypatch):
    asked = []

    class Stub(Lifter):
        def __init__(self):
            pass

        def lift(self, keypoints: Keypoints, camera: Camera, **how: bool) -> Motion:
            asked.append((keypoints, camera, how))
            points = trial.clip.points_world.astype(np.float32)
            valid = np.ones(points.shape[:2], bool)
            return Motion(points, CANONICAL, 30.0, valid, np.zeros(valid.shape, np.float32))

    monkeypatch.setattr(Lifter, "from_pretrained", Stub)
    scenes._lift.cache_clear()
    made = scene(trial, "lifted", "noisy")
    scenes._lift.cache_clear()
    assert asked == [(made.keypoints, trial.camera, {"feet": False, "force": True})]
    assert evaluate_feet.score(made.initial, made)["n_mpjpe_foot"] < 15, "a body fitted to the true points"


def test_standing_feet_are_as_far_off_level_as_they_stand():
    body = straight_footed()
    level = body._replace(rotations=np.broadcast_to(np.eye(3), body.rotations.shape).copy())
    level.rotations[:, 0] = Rotation.from_euler("x", 90, degrees=True).as_matrix()  # y up → z up
    assert measure_feet.standing_tilt([level]) == pytest.approx((0, 0), abs=1e-3)
    tilted = turned(level, 9.0, (1, 0, 0))
    tilted.rotations[20:] = turned(level, -3.0, (1, 0, 0)).rotations[20:]
    assert measure_feet.standing_tilt([tilted]) == pytest.approx((6, 3), abs=0.3)
    moving = level._replace(root_translation=np.linspace([0, 0, 1], [2, 0, 1], 40))
    assert measure_feet.standing_tilt([moving, tilted]) == measure_feet.standing_tilt([tilted])


def test_an_error_s_parts_are_told_apart():
    true = posed(straight_footed(600))[0][:, ANKLES]
    time = np.arange(600)[:, None, None] / 30
    courses = {
        0: np.full_like(time, 6.0),
        1: 6.0 * np.sin(2 * np.pi * time / 4),
        2: 6.0 * (-1.0) ** np.arange(600)[:, None, None],
    }
    for part, course in courses.items():
        turns = np.radians(course) * np.array([[0.6, 0.0, 0.8]])
        off = Rotation.from_rotvec(turns.repeat(2, 1).reshape(-1, 3)).as_matrix().reshape(true.shape)
        found = measure_feet.error_parts(true @ off, true, 30.0)
        deviation = np.sqrt((course**2).mean())
        assert found[part] == pytest.approx(deviation, rel=0.1)
        assert np.delete(found, part).max() < 0.15 * deviation


def test_the_table_is_measured_and_written(tmp_path, capsys):
    write_packed(tmp_path / "val", [mocap(), mocap("clip_1", 1)])
    (tmp_path / "cameras.json").write_text(json.dumps(RIGS))
    model = FootLifterConfig(width=8, depth=1, heads=2, mlp_ratio=1, reach=4, bend=False, half=False)
    weights = save_weights(
        tmp_path / "foot.safetensors", build(FootLifter, model)[1], {"foot_lifter": dataclasses.asdict(model)}
    )
    evaluate_feet.main(
        evaluate_feet.Config(
            data=tmp_path, cameras=tmp_path / "cameras.json", weights=weights, cameras_per_clip=1, limit=1,
            noises=("gt",), cases=("estimated", "no foot keypoints"), out=tmp_path / "out" / "feet.json",
        )
    )  # fmt: skip
    written = json.loads((tmp_path / "out" / "feet.json").read_text())
    rows = {(row["case"], row["method"]): row for row in written["rows"]}
    assert len(rows) == 8
    for case in ("estimated", "no foot keypoints"):
        initial, refined = rows[case, "initial"], rows[case, "refined"]
        assert refined["ajae"] == pytest.approx(initial["ajae"], abs=0.05), "a fresh lifter changes nothing"
        assert rows[case, "true ankles"]["ajae"] == pytest.approx(0, abs=1e-2)
    assert rows["estimated", "low-pass + IK"]["ajae"] < rows["estimated", "initial"]["ajae"]
    assert rows["no foot keypoints", "low-pass + IK"]["changed"] == pytest.approx(0, abs=1e-3)
    assert "low-pass + IK" in capsys.readouterr().out
