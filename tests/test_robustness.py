"""Disturbances do what they say, known errors have known calibration, and the command runs to its page."""

import json
import warnings

import numpy as np
import pytest
from test_protocol import RIGS
from tiny import camera, mocap_clip, walk

from experiments import evaluate, protocol
from experiments.robustness import calibration, disturbances, page
from experiments.robustness import measure as robustness
from lift2to3 import Camera, Keypoints, Motion
from lift2to3.data.packed import write_packed
from lift2to3.skeletons import CANONICAL, INDEX, SMPL_22

CURVES = disturbances.CURVES


@pytest.fixture(scope="module")
def trial():
    clip, filmed = mocap_clip(walk(150)), camera(centre=(2.0, -7.0, 1.6))
    pixels = protocol.inside_picture(filmed, clip.points_world)
    assert np.isfinite(pixels).all()
    return next(protocol.trials([clip], RIGS, 1))._replace(camera=filmed, pixels=pixels)


def draws(curve: str = "noise") -> np.random.Generator:
    return np.random.default_rng([0, *map(ord, curve)])


def disturbed(trial, curve: str, level: float):
    return CURVES[curve].disturb(trial, level, draws(curve))


def moved(trial, curve: str, level: float) -> np.ndarray:
    """Pixels off the clean ones where both are seen. (time, joints, 2)"""
    return disturbed(trial, curve, level).pixels - trial.pixels


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


# --- disturbances


@pytest.mark.parametrize(
    ("curve", "level"), [*((name, 0) for name in CURVES if 0 in CURVES[name].levels), ("fps", 30)]
)
def test_without_a_disturbance_the_trial_is_as_it_was(trial, curve, level):
    assert level in CURVES[curve].levels
    made = disturbed(trial, curve, level)
    np.testing.assert_array_equal(made.pixels, trial.pixels)
    for field in ("K", "R", "t"):
        np.testing.assert_allclose(getattr(made.camera, field), getattr(trial.camera, field), atol=1e-12)
    np.testing.assert_array_equal(made.clip.points_world, trial.clip.points_world)


@pytest.mark.parametrize("curve", ["noise", "bias"])
def test_noise_has_its_rms_and_levels_scale_the_same_draws(trial, curve):
    five, ten = moved(trial, curve, 5), moved(trial, curve, 10)
    tolerance = 0.03 if curve == "noise" else 0.25  # of 44 numbers and of 6600
    assert np.sqrt(np.nanmean(five**2)) == pytest.approx(5, rel=tolerance)
    np.testing.assert_allclose(ten, 2 * five, atol=1e-9)
    over_time = np.nanstd(five, axis=0).mean()
    assert over_time == pytest.approx(5, rel=0.1) if curve == "noise" else over_time < 1e-9


def test_joints_are_missing_in_their_share_and_more_joints_at_higher_levels(trial):
    missing = [np.isnan(disturbed(trial, "missing", level).pixels[..., 0]) for level in (20, 40, 60)]
    for share, hidden in zip((0.2, 0.4, 0.6), missing, strict=True):
        assert hidden.mean() == pytest.approx(share, abs=0.03)
        assert np.ptp(hidden.mean(0)) < 0.4 and np.ptp(hidden.mean(1)) < 0.9, "random in joints and frames"
    assert not (missing[0] & ~missing[1]).any() and not (missing[1] & ~missing[2]).any()


def test_legs_are_hidden_in_runs(trial):
    below = np.array([any(part in name for part in ("knee", "ankle", "foot")) for name in SMPL_22])
    assert below.sum() == 6
    before = np.zeros(len(trial.pixels), bool)
    for share in (20, 40, 60, 80, 100):
        hidden = disturbed(trial, "legs", share).keypoints("smpl22", "gt").confidence == 0
        assert not hidden[:, ~below].any()
        frames = hidden[:, below].any(1)
        assert (hidden[:, below].all(1) == frames).all()
        assert frames.sum() == round(share / 100 * len(frames)) and not (before & ~frames).any()
        runs = np.count_nonzero(np.diff(frames.astype(int), prepend=0) == 1)
        assert frames.sum() / runs > 6, "knees come and go over half a second"
        before = frames


def test_a_focal_error_multiplies_the_focal_lengths_alone(trial):
    made = disturbed(trial, "focal", -20)
    wanted = trial.camera.K.copy()
    wanted[0, 0] *= 0.8
    wanted[1, 1] *= 0.8
    np.testing.assert_allclose(made.camera.K, wanted)
    np.testing.assert_array_equal(made.camera.R, trial.camera.R)


@pytest.mark.parametrize("degrees", [-5.0, 1.0, 3.0])
def test_tilt_turns_the_camera_about_its_own_x_axis_where_it_stands(trial, degrees):
    true, told = trial.camera, disturbed(trial, "tilt", degrees).camera
    np.testing.assert_allclose(told.centre, true.centre, atol=1e-9)
    np.testing.assert_allclose(told.R[0], true.R[0], atol=1e-12)
    assert angle_deg(told.R[2], true.R[2]) == pytest.approx(abs(degrees))
    assert np.sign(told.R[2, 2] - true.R[2, 2]) == np.sign(degrees), "positive looks further up"


def test_a_wrong_ground_height_moves_the_centre_by_exactly_that(trial):
    told = disturbed(trial, "ground", -20).camera
    np.testing.assert_allclose(told.centre - trial.camera.centre, [0, 0, -0.2], atol=1e-9)
    np.testing.assert_array_equal(told.R, trial.camera.R)


@pytest.mark.parametrize("curve", ["focal", "tilt", "ground"])
def test_a_wrongly_told_camera_changes_neither_picture_nor_truth(trial, curve):
    made = disturbed(trial, curve, CURVES[curve].levels[-1])
    np.testing.assert_array_equal(made.pixels, trial.pixels)
    np.testing.assert_array_equal(made.clip.points_world, trial.clip.points_world)


@pytest.mark.parametrize("fps", [10, 24, 120])
def test_another_frame_rate_shows_the_same_motion_at_its_own_times(trial, fps):
    def motion(rate: float, frames: int) -> np.ndarray:
        time = np.arange(frames)[:, None, None] / rate
        return walk(2)[:1] + 0.1 * np.sin(2 * np.pi * 0.7 * time + np.arange(3)) * np.ones((1, 38, 1))

    clip = mocap_clip(motion(30, 91))
    made = disturbances.filmed_at(next(protocol.trials([clip], RIGS, 1))._replace(camera=trial.camera), fps)
    wanted = motion(fps, 3 * fps + 1)
    assert made.keypoints("smpl22", "gt").fps == fps and made.clip.points_world.shape == wanted.shape
    np.testing.assert_allclose(made.clip.points_world, wanted, atol=2e-4)
    seen = np.isfinite(made.pixels)
    assert seen.mean() > 0.9
    projected = trial.camera.project(made.clip.points_world)
    np.testing.assert_allclose(made.pixels[seen], projected[seen])


@pytest.mark.parametrize(("distance", "height"), [(2.0, 1.5), (12.0, 1.5), (4.0, 0.3), (4.0, 3.5)])
def test_cameras_stand_where_the_curve_says(trial, distance, height):
    made = disturbances.filmed_from(trial, distance, height)
    pelvis = made.clip.points_world[:, INDEX["pelvis"], :2]
    middle = trial.clip.points_world[75, INDEX["pelvis"], :2]
    assert np.linalg.norm(made.camera.centre[:2] - middle) == pytest.approx(distance, abs=1e-5)
    assert made.camera.centre[2] == pytest.approx(height, abs=1e-5)
    np.testing.assert_allclose(made.camera.project(np.array([*middle, 0.9])), (959.5, 539.5), atol=0.01)
    away = np.linalg.norm(pelvis - middle, axis=-1)
    assert 0.9 < away.max() <= 1.0, "as much of the clip as stays within a metre"
    bearing = made.camera.centre[:2] - middle, trial.camera.centre[:2] - middle
    assert bearing[0] @ bearing[1] == pytest.approx(np.prod(np.linalg.norm(bearing, axis=-1)))


def test_the_further_away_the_smaller_the_person(trial):
    tall = {}
    for distance in (3, 6, 12):
        made = disturbed(trial, "distance", distance)
        y = made.pixels[..., 1]
        tall[distance] = float(np.median(y.max(1) - y.min(1)))
    assert tall[3] / tall[6] == pytest.approx(2, rel=0.1) and tall[6] / tall[12] == pytest.approx(2, rel=0.1)
    noise = disturbed(trial, "distance_noisy", 6).pixels - disturbed(trial, "distance", 6).pixels
    assert np.nanstd(noise) == pytest.approx(3, rel=0.1)


def test_draws_are_of_the_seed_the_clip_and_the_curve(trial):
    def first(seed, trial, curve):
        return disturbances.draws_of(seed, trial, curve).random()

    other = trial._replace(clip=trial.clip._replace(clip="other"))
    assert first(0, trial, "noise") == first(0, trial, "noise")
    values = [
        first(0, trial, "noise"),
        first(1, trial, "noise"),
        first(0, other, "noise"),
        first(0, trial, "bias"),
    ]
    assert len(set(values)) == 4


def test_picked_frames_are_the_trial_s_own(trial):
    part = trial.at(slice(20, 50))
    np.testing.assert_array_equal(part.pixels, trial.pixels[20:50])
    np.testing.assert_array_equal(part.clip.points_world, trial.clip.points_world[20:50])
    for made in (part, disturbances.filmed_at(part, 60), disturbances.filmed_from(part, 4, 1.5)):
        per_frame = ("root_translation", "rotations", "points_world", "contacts")
        lengths = {len(getattr(made.clip, field)) for field in per_frame}
        assert lengths | {len(made.noise_px), len(made.missed)} == {len(made.pixels)}


# --- scores


def test_a_curve_s_rows_are_its_trials_pooled(trial):
    every = [trial, trial.at(slice(0, 60))]
    rows = robustness.measure("fps", cardboard, every, 0)
    for row in (rows[0], rows[-1]):
        made = [disturbances.filmed_at(one, row["level"]) for one in every]
        scores = [evaluate.score(cardboard, one, "smpl22", "gt") for one in made]
        for metric in page.METRICS:
            weights = [score.counts[metric] for score in scores]
            pooled = np.average([score[metric] for score in scores], weights=weights)
            assert row[metric] == pytest.approx(pooled)
    assert [row["seen"] for row in rows] == pytest.approx([1.0] * len(rows))


def cardboard(keypoints: Keypoints, camera: Camera) -> Motion:
    """A method for tests: everything at the depth of the world's origin, where the rays pass."""
    n = camera.normalise(keypoints.xy_px)
    points_cam = camera.t[2] * np.concatenate([n, np.ones_like(n[..., :1])], axis=-1)
    joints = np.full((len(n), len(CANONICAL), 3), np.nan, np.float32)
    joints[:, :22] = (points_cam - camera.t) @ camera.R
    valid = np.isfinite(joints).all(-1)
    spread = np.linspace(0.1, 0.2, valid.size, dtype=np.float32).reshape(valid.shape)
    return Motion(joints, CANONICAL, keypoints.fps, valid, spread)


def test_refusals_and_warnings_are_counted_and_in_no_error(trial):
    def moody(keypoints: Keypoints, camera: Camera) -> Motion:
        if camera.centre[2] < trial.camera.centre[2] - 0.15:
            raise ValueError("too low")
        if camera.centre[2] > trial.camera.centre[2] + 0.15:
            warnings.warn("rather high", stacklevel=1)
        return cardboard(keypoints, camera)

    rows = robustness.measure("ground", moody, [trial], 0)
    assert [row["level"] for row in rows] == list(CURVES["ground"].levels)
    assert [len(row["refused"]) for row in rows] == [1, 0, 0, 0, 0, 0, 0]
    assert [row["warned"] for row in rows] == [0, 0, 0, 0, 0, 0, 1]
    assert rows[0]["mpjpe"] is None and rows[0]["refused"] == ["too low"]
    assert all(row["mpjpe"] > 0 for row in rows[1:])
    assert "not every level" in page.fact(CURVES["ground"], rows)
    text = "\n".join(page.curve_part("ground", {"moody": rows}, 400.0))
    assert "| -20 | moody | – |" in text


def test_facts_are_read_off_the_curves():
    def rows(levels, mpjpe):
        return [{"level": x, "mpjpe": y, "abs_mpjpe": 10 * y} for x, y in zip(levels, mpjpe, strict=True)]

    missing = CURVES["missing"]._replace(levels=(0, 10, 20))
    grown = page.fact(missing, rows((0, 10, 20), (50, 80, 120)))
    assert grown == (
        "MPJPE is 50 mm, at 20 % 120 mm; it doubles at 15 %. "
        "Abs-MPJPE is 500 mm, at 20 % 1200 mm; it doubles at 15 %."
    )
    assert "it does not double" in page.fact(missing, rows((0, 10, 20), (50, 80, 99)))
    tilt = page.fact(CURVES["tilt"], rows((-5, -3, -1, 0, 1, 3, 5), (90, 70, 56, 50, 54, 60, 70)))
    assert tilt == (
        "an error of 1° adds 50 mm to Abs-MPJPE and 5 mm to MPJPE, one of 5° adds 300 mm to Abs-MPJPE and "
        "30 mm to MPJPE (mean of both directions)."
    )
    rate = page.fact(CURVES["fps"]._replace(levels=(10, 30)), rows((10, 30), (60, 50)))
    assert rate.startswith("MPJPE is least, 50 mm at 30 fps, and greatest, 60 mm at 10 fps.")


# --- calibration


def normal(scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Distances of errors along a line and their σ, which differs from point to point."""
    generator = np.random.default_rng(seed)
    spread = generator.uniform(0.01, 0.1, (4000, 5))
    return np.abs(scale * spread * generator.standard_normal((4000, 5))), spread


def test_normal_errors_are_within_as_often_as_expected():
    for sigmas, share in ((0.674490, 0.5), (1, 0.682689), (1.959964, 0.95)):  # tables of the normal law
        assert calibration.expected_within(sigmas) == pytest.approx(share, abs=1e-5)
    found = calibration.calibration(*normal())
    for k in calibration.SIGMAS:
        assert found["within"][f"{k:g}"] == pytest.approx(calibration.expected_within(k), abs=0.01)
    for key in ("factor_50", "factor_95", "rms_ratio"):
        assert found[key] == pytest.approx(1, rel=0.02)
    assert 0.3 < found["rank"] < 0.95 and found["rank_in_joint"] == pytest.approx(found["rank"], abs=0.05)


def test_a_spread_too_small_is_told_by_its_factor():
    found = calibration.calibration(*normal(scale=3.0))
    for key in ("factor_50", "factor_95", "rms_ratio"):
        assert found[key] == pytest.approx(3, rel=0.02)
    assert found["within"]["1"] == pytest.approx(calibration.expected_within(1 / 3), abs=0.01)


def test_rank_correlation_says_whether_the_spread_knows():
    error, spread = normal()
    assert calibration.calibration(np.exp(spread), spread)["rank"] == pytest.approx(1)
    assert calibration.calibration(1 / spread, spread)["rank_in_joint"] == pytest.approx(-1)
    assert abs(calibration.calibration(error, spread[::-1])["rank"]) < 0.03
    assert calibration.calibration(error, np.full_like(spread, 0.1))["rank"] is None
    joints = np.arange(1.0, 6.0) * np.ones((50, 1))  # knows which joints, not when
    wobble = np.random.default_rng(0).permuted(np.linspace(0, 0.1, 50)[:, None] * np.ones((1, 5)), axis=0)
    alike = calibration.calibration(joints + wobble, joints + wobble[::-1] * 0.1)
    assert alike["rank"] > 0.9 and abs(alike["rank_in_joint"]) < 0.3


def test_what_is_missing_is_left_out_of_the_calibration():
    error, spread = normal()
    holed = error.copy()
    holed[::2] = np.nan
    assert calibration.calibration(holed, spread) == calibration.calibration(error[1::2], spread[1::2])
    assert calibration.calibration(error * np.nan, spread) == {"points": 0}


def test_hip_aligned_errors_know_nothing_of_where_the_person_stands(trial):
    def elsewhere(keypoints: Keypoints, camera: Camera) -> Motion:
        points = trial.clip.points_world + np.array([0.3, 0.4, 0], np.float32)
        return Motion(
            points, CANONICAL, 30.0, np.ones(points.shape[:2], bool), np.full(points.shape[:2], 0.1)
        )

    rows = {(row["frame"], row["group"]): row for row in calibration.calibrate(elsewhere, [trial], "gt")}
    assert set(rows) == {(frame, group) for frame in ("world", "hips") for group in calibration.GROUPS}
    for group, names in calibration.GROUPS.items():
        assert rows["world", group]["points"] == len(names) * len(trial.pixels)
        assert rows["world", group]["median_error_mm"] == pytest.approx(500, abs=1e-2)
        assert rows["world", group]["median_spread_mm"] == pytest.approx(100)
        assert set(rows["world", group]["within"].values()) == {0.0}
        assert rows["hips", group]["median_error_mm"] == pytest.approx(0, abs=1e-3)
        assert set(rows["hips", group]["within"].values()) == {1.0}
        assert 0 < rows["world", group]["along_ray"] < 1
    parts = [name for group, names in calibration.GROUPS.items() if group != "all" for name in names]
    assert sorted(parts) == sorted(SMPL_22)


# --- the command


@pytest.fixture
def config(tmp_path):
    write_packed(tmp_path / "val", [mocap_clip(walk(60), "walk_1"), mocap_clip(walk(45), "walk_2")])
    (tmp_path / "cameras.json").write_text(json.dumps(RIGS))
    return robustness.Config(
        data=tmp_path, cameras=tmp_path / "cameras.json", limit=1, frames=40, samples=3,
        out=tmp_path / "out" / "robustness.json", docs=tmp_path / "docs",
    )  # fmt: skip


def test_the_command_measures_everything_once_and_writes_its_page(config, monkeypatch):
    asked = []

    def load(name: str, *_: object, samples: int = 1):
        asked.append((name, samples))
        return cardboard

    monkeypatch.setattr(robustness, "load_method", load)
    two = robustness.dataclasses.replace(config, methods=("lift", "stiff"))
    first = robustness.dataclasses.replace(two, only=("noise", "tilt"), methods=("lift",), docs=None)
    assert set(robustness.main(first)["curves"]) == {"noise", "tilt"} and not config.docs.exists()
    results = robustness.main(two)
    assert asked.count(("lift", 1)) == len(CURVES) + 2 and asked.count(("stiff", 1)) == len(CURVES)
    assert asked.count(("lift", 3)) == 2
    assert json.loads(config.out.read_text()) == results
    assert results["about"]["frames"] == [40] and len(results["about"]["clips"]) == 1
    for name, curve in CURVES.items():
        for rows in results["curves"][name].values():
            assert [row["level"] for row in rows] == list(curve.levels)
            assert all(row["mpjpe"] > 0 and not row["refused"] for row in rows)
    tilt = [row["abs_mpjpe"] for row in results["curves"]["tilt"]["lift"]]
    assert tilt[0] > tilt[3] + 50 < tilt[-1]
    assert set(results["calibration"]) == {
        "1 sample, gt",
        "1 sample, noisy",
        "3 samples, gt",
        "3 samples, noisy",
    }
    written = (config.docs / "robustness.md").read_text()
    for curve in CURVES.values():
        assert f"### {curve.title}" in written
    assert "| 15 |" in written and "| normal |" in written and "hip-aligned" in written
    assert (config.docs / "robustness.png").read_bytes().startswith(b"\x89PNG")

    asked.clear()
    (config.docs / "robustness.md").unlink()
    assert robustness.main(two) == results and not asked, "all of it was there"
    assert (config.docs / "robustness.md").read_text() == written


def test_results_of_something_else_are_not_gone_on_from(config, monkeypatch):
    monkeypatch.setattr(robustness, "load_method", lambda *_, **__: cardboard)
    small = robustness.dataclasses.replace(config, only=("ground",), docs=None)
    robustness.main(small)
    with pytest.raises(ValueError, match=r"another seed.*--out"):
        robustness.main(robustness.dataclasses.replace(small, seed=1))
    with pytest.raises(ValueError, match=r"another clips"):
        robustness.main(robustness.dataclasses.replace(small, limit=2))


def test_unknown_curves_are_named(config):
    with pytest.raises(SystemExit, match=r"no curve wind; wanted some of: noise.*calibration"):
        robustness.main(robustness.dataclasses.replace(config, only=("noise", "wind")))
