"""The reported spread: known laws of error are found again, and the shipped weights know their own errors."""

import tarfile

import numpy as np
import pytest
from tiny import (
    FRAMES,
    MODEL,
    MULTIVIEW,
    camera,
    config,
    film,
    mocap_clip,
    quick_compilation,
    random_params,
    unjudged,
    walk,
)

from experiments import calibrate_spread, protocol
from lift2to3 import Lifter, Motion
from lift2to3.checkpoint import load_weights, save_weights
from lift2to3.data.mocap import read_bvh_clip
from lift2to3.pipeline.canonical_clip import canonical_clip
from lift2to3.pipeline.spread import (
    LEAST_HEIGHT_M,
    SpreadCalibration,
    calibrated,
    expected_error,
    fit_spread,
    spread_terms,
)
from lift2to3.pipeline.window_models import DenoisedWindows
from lift2to3.skeletons import CANONICAL
from lift2to3.weights_folder import WEIGHTS_FOLDER

POINTS = len(CANONICAL)
KNOWN = SpreadCalibration(tuple(np.linspace(0.03, 0.12, POINTS).tolist()), 0.8, 1.3)


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with quick_compilation():
        yield


def motion(raw: float | np.ndarray = 0.02, frames: int = 20) -> Motion:
    points = walk(frames).astype(np.float32)
    spread = np.broadcast_to(np.asarray(raw, np.float32), points.shape[:2])
    return Motion(points, CANONICAL, 30.0, np.ones(points.shape[:2], bool), spread)


# --- the model


def test_a_known_law_of_errors_is_found_again():
    draws = np.random.default_rng(0)
    frame = np.exp(draws.normal(np.log(0.04), 0.8, (4000, 1)))
    terms = np.stack([frame * np.ones(POINTS), frame * draws.uniform(0.5, 8, (4000, POINTS))], axis=-1)
    sigma = np.sqrt(np.square(KNOWN.floor_m) + ((np.array([KNOWN.across, KNOWN.along]) * terms) ** 2).sum(-1))
    direction = draws.standard_normal((4000, POINTS, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    errors = (sigma * draws.standard_normal(sigma.shape))[..., None] * direction
    errors[::50] = np.nan  # no truth there
    found = fit_spread(np.linalg.norm(errors, axis=-1), terms)
    np.testing.assert_allclose(found.floor_m, KNOWN.floor_m, rtol=0.15)
    assert found.along == pytest.approx(KNOWN.along, rel=0.03) and found.across == pytest.approx(0.8, abs=0.5)
    np.testing.assert_allclose(expected_error(terms, found), sigma, rtol=0.12)


def test_the_fitted_square_is_the_mean_square_whatever_the_law():
    draws = np.random.default_rng(1)
    terms = np.zeros((5000, POINTS, 2))
    terms[..., 1] = draws.uniform(0.05, 0.5, (5000, 1))
    heavy = draws.standard_t(5, terms.shape[:2]) * terms[..., 1]  # of variance 5/3
    spread = expected_error(terms, fit_spread(np.abs(heavy), terms))
    assert np.mean(heavy**2 / spread**2) == pytest.approx(1, rel=0.01)
    assert np.median(spread / terms[..., 1]) == pytest.approx(np.sqrt(5 / 3), rel=0.05)


def test_the_terms_are_the_frame_s_rays_and_their_reach_along_the_ray():
    raw = np.linspace(0.01, 0.03, 20)[:, None] * np.linspace(1, 2, POINTS)
    one = motion(raw)
    terms = spread_terms(one, camera(centre=(0.7, -5.0, 2.0)))
    frame = np.sqrt((raw**2).mean(1))
    np.testing.assert_allclose(terms[..., 0], np.repeat(frame[:, None], POINTS, 1), rtol=1e-6)
    distance = np.linalg.norm(one.joints_world - [0.7, -5.0, 2.0], axis=-1)
    np.testing.assert_allclose(terms[..., 1], frame[:, None] * distance / 2.0, rtol=1e-5)


def test_the_spread_grows_with_the_rays_with_distance_and_towards_the_floor():
    def of(raw: float = 0.02, distance: float = 5.0, height: float = 1.5) -> np.ndarray:
        return calibrated(motion(raw), camera(centre=(0.7, -distance, height)), KNOWN).spread

    assert of().shape == (20, POINTS) and of().dtype == np.float32
    np.testing.assert_allclose(of(raw=0.0), np.tile(KNOWN.floor_m, (20, 1)), rtol=1e-6)
    assert (of() > of(raw=0.01)).all()
    assert (of(distance=8.0) > of()).all() and (of(height=0.6) > of()).all()
    np.testing.assert_allclose(of(height=0.01), of(height=LEAST_HEIGHT_M), rtol=0.03)


def test_points_that_are_not_valid_have_no_spread():
    holed = motion()
    holed.joints_world[3:6] = np.nan
    spread = calibrated(holed, camera(), KNOWN).spread
    assert np.isnan(spread[3:6]).all() and np.isfinite(np.delete(spread, np.s_[3:6], 0)).all()


def test_what_is_no_calibration_is_refused():
    with pytest.raises(ValueError, match=r"wanted 38 floors.*found 3 floors"):
        SpreadCalibration((0.1, 0.1, 0.1), 1.0, 1.0)
    with pytest.raises(ValueError, match=r"above 0; found 38 floors, the least number being -1"):
        SpreadCalibration(KNOWN.floor_m, 1.0, -1.0)
    with pytest.raises(ValueError, match=r"38 points, found 5 points"):
        fit_spread(np.ones((4, 5)), np.ones((4, 5, 2)))
    with pytest.raises(ValueError, match=r"0 samples without a gap"):
        fit_spread(np.full((4, POINTS), np.nan), np.ones((4, POINTS, 2)))


# --- in the lifter


def test_weights_carry_their_calibration_and_older_ones_stay_raw(tmp_path):
    path = save_weights(tmp_path / "tiny.safetensors", random_params(), config())
    before = path.read_bytes()
    raw = Lifter.from_pretrained(path)
    assert raw.spread is None
    calibrate_spread.store(path, KNOWN)
    assert path.read_bytes() != before
    lifter = Lifter.from_pretrained(path)
    assert lifter.spread == KNOWN
    for name, leaf in load_weights(path).params.items():
        np.testing.assert_array_equal(leaf, np.asarray(raw.params[name]))
    filmed = camera()
    keypoints = film(walk(40), filmed)
    with unjudged():
        plain, told = raw.lift(keypoints, filmed), lifter.lift(keypoints, filmed)
    np.testing.assert_array_equal(told.joints_world, plain.joints_world)
    np.testing.assert_array_equal(told.spread, calibrated(plain, filmed, KNOWN).spread)


def test_the_raw_spread_is_that_of_the_samples_and_their_rays(monkeypatch):
    lifter = Lifter(DenoisedWindows(MODEL, MULTIVIEW, FRAMES), random_params())
    filmed = camera()
    clip = canonical_clip(film(walk(FRAMES), filmed), filmed, MULTIVIEW)
    parts = np.random.default_rng(0).standard_normal((3, FRAMES, POINTS, 4))
    parts[..., 3] **= 2
    monkeypatch.setattr(lifter, "_windows", lambda model, clip, seed: iter([(0, parts[seed[1]])]))
    for samples in (1, 3):
        points, spread = lifter._sample(lifter.model, clip, samples, 0, None)
        every, rays = parts[:samples, ..., :3], parts[:samples, ..., 3]
        variance = every.var(0, ddof=1).sum(-1) if samples > 1 else 0.0
        np.testing.assert_allclose(points, every.mean(0), atol=1e-9)
        np.testing.assert_allclose(spread, np.sqrt(variance + (rays**2).mean(0)), atol=1e-9)


def test_the_calibration_is_measured_from_training_clips_on_even_floors(tmp_path, monkeypatch):
    from test_protocol import RIGS

    tool = calibrate_spread
    clips = [mocap_clip(walk(50), f"walk_{i}")._replace(uneven_floor=i == 1) for i in range(3)]
    asked = []
    monkeypatch.setattr(tool, "load_clips", lambda folder, split: asked.append(split) or clips)
    monkeypatch.setattr(tool, "load_rigs", lambda path: RIGS)
    every = tool.train_trials(tool.Config(tmp_path, tmp_path, clips=5, views=2, frames=20))
    assert asked == ["train"] and [trial.clip.clip for trial in every] == ["walk_0"] * 2 + ["walk_2"] * 2
    assert {len(trial.pixels) for trial in every} == {20}
    np.testing.assert_array_equal(every[0].clip.points_world, clips[0].points_world[15:35])


def test_the_shipped_weights_carry_their_calibration():
    told = load_weights(WEIGHTS_FOLDER / "small.safetensors").config["spread"]
    assert Lifter.from_pretrained().spread == SpreadCalibration(**told | {"floor_m": tuple(told["floor_m"])})
    assert 0.03 < np.median(told["floor_m"]) < 0.15 and 0.3 < told["along"] < 3


def test_the_shipped_weights_spread_holds_on_people_they_have_not_seen(shared_data, tmp_path):
    names = ["02_01", "09_04", "127_08"]
    with tarfile.open(shared_data / "cmu30" / "val.tar.xz") as archive:
        archive.extractall(tmp_path, [f"val/{name}.bvh" for name in names], filter="data")
    clips = [read_bvh_clip(tmp_path / "val" / f"{name}.bvh") for name in names]
    lifter, error, spread = Lifter.from_pretrained(), [], []
    for trial in protocol.trials(clips, protocol.load_rigs(shared_data / "cameras.json"), 1):
        found = lifter.lift(trial.keypoints("smpl22", "gt"), trial.camera)
        error.append(np.linalg.norm(found.joints_world - trial.clip.points_world, axis=-1)[:, :22])
        spread.append(found.spread[:, :22])
    ratio = np.concatenate(error) / np.concatenate(spread)
    assert 0.5 < (ratio <= 1).mean() < 0.95 and 0.8 < (ratio <= 2).mean()
    assert 0.3 < np.median(ratio) < 1.2, "of normal errors 0.67"
