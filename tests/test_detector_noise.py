"""The made-up detector: clean where told, missing where the confidence is 0, true to formats."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3.data.detector_noise import TRAINED_FORMATS, NoiseConfig, detect
from lift2to3.skeletons import CANONICAL, SKELETONS

CLIPS, FRAMES, JOINTS = 60, 24, len(CANONICAL)
OFF = NoiseConfig(clean=1, jitter=0, bias=0, drop_joint=0, drop_span=0, drop_frames=0, drop_format=0)
LEGS = np.array([any(w in name for w in ("knee", "ankle", "foot", "heel", "toe")) for name in CANONICAL])
ARMS = np.array([any(w in name for w in ("elbow", "wrist", "hand")) for name in CANONICAL])


def truth() -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.2, 0.2, (CLIPS, FRAMES, JOINTS, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def watch():
    """Many clips at once: noisy points and confidences of a config."""
    many = jax.vmap(detect, (0, 0, 0, None))  # not jitted: each config would compile anew
    keys = jax.random.split(jax.random.key(0), CLIPS)

    def run(config: NoiseConfig, n: np.ndarray | None = None, visible: np.ndarray | None = None):
        n = truth() if n is None else n
        visible = np.ones(n.shape[:-1], bool) if visible is None else visible
        return tuple(np.asarray(part) for part in many(keys, jnp.asarray(n), jnp.asarray(visible), config))

    return run


def test_a_clean_detector_tells_the_truth(watch):
    n, confidence = watch(dataclasses.replace(OFF, jitter=0.02, bias=0.05, drop_joint=0.3))
    np.testing.assert_array_equal(n, truth())
    np.testing.assert_array_equal(confidence, 1)


def test_noise_of_size_zero_is_none(watch):
    n, confidence = watch(dataclasses.replace(OFF, clean=0))
    np.testing.assert_array_equal(n, truth())
    assert (confidence > 0).all()


def test_confidence_is_zero_exactly_outside_the_image_when_nothing_else_is_hidden(watch):
    visible = np.random.default_rng(1).random((CLIPS, FRAMES, JOINTS)) < 0.7
    for clean in (0, 1):
        _, confidence = watch(dataclasses.replace(OFF, clean=clean, jitter=0.02), visible=visible)
        np.testing.assert_array_equal(confidence > 0, visible)


def test_confidences_lie_between_0_and_1_and_points_are_finite(watch):
    n, confidence = watch(NoiseConfig())
    assert np.isfinite(n).all()
    assert confidence.min() == 0 and confidence.max() == 1
    told = (confidence > 0) & (confidence < 1)
    assert 0.05 <= confidence[told].min()


def test_formats_hide_exactly_their_absent_joints(watch):
    _, confidence = watch(dataclasses.replace(OFF, drop_format=1))
    shown = {tuple(SKELETONS[name].present) for name in TRAINED_FORMATS}
    found = {tuple(clip) for clip in (confidence > 0).all(1)}
    assert found <= shown and len(found) > len(shown) / 2
    np.testing.assert_array_equal((confidence > 0).any(1), (confidence > 0).all(1))


def test_hidden_limbs_are_hidden_whole_and_for_one_run_of_frames(watch):
    _, confidence = watch(dataclasses.replace(OFF, drop_span=1))
    seen = confidence > 0
    for limb in (LEGS, ARMS):
        some, every = seen[..., limb].any(-1), seen[..., limb].all(-1)
        np.testing.assert_array_equal(some, every)
        edges = np.abs(np.diff(some.astype(int), axis=1)).sum(1)
        assert (edges <= 2).all() and (~some).any(1).mean() > 0.8
    assert seen[..., ~LEGS & ~ARMS].all()


def test_undetected_frames_are_one_run_of_whole_frames(watch):
    _, confidence = watch(dataclasses.replace(OFF, drop_frames=1))
    seen = confidence > 0
    np.testing.assert_array_equal(seen.any(-1), seen.all(-1))
    assert (np.abs(np.diff(seen[..., 0].astype(int), axis=1)).sum(1) <= 2).all()
    assert (~seen[..., 0]).any(1).mean() > 0.8


def test_joints_go_missing_up_to_as_often_as_asked(watch):
    _, confidence = watch(dataclasses.replace(OFF, clean=0, drop_joint=0.3))
    missing = (confidence == 0).mean((1, 2))
    assert 0.02 < missing.mean() < 0.2 and missing.max() < 0.35


def test_a_bias_is_constant_over_the_clip_and_jitter_is_not(watch):
    still = truth()[:, :1].repeat(FRAMES, 1)
    biased, _ = watch(dataclasses.replace(OFF, clean=0, bias=0.05), still)
    shaken, _ = watch(dataclasses.replace(OFF, clean=0, jitter=0.05), still)
    np.testing.assert_allclose((biased - still).std(1), 0, atol=1e-6)
    assert np.abs(biased - still).mean() > 1e-4
    assert (shaken - still).std(1).mean() > 1e-4
    assert np.abs((shaken - still).mean((1, 2, 3))).max() < 1e-2


def test_noise_grows_with_the_person_in_the_picture(watch):
    config = dataclasses.replace(OFF, clean=0, jitter=0.02, bias=0.05)
    small, large = (watch(config, factor * truth())[0] - factor * truth() for factor in (1, 4))
    np.testing.assert_allclose(large, 4 * small, atol=1e-5)


def test_low_confidence_means_large_error(watch):
    n, confidence = watch(dataclasses.replace(OFF, clean=0, jitter=0.05))
    error = np.linalg.norm(n - truth(), axis=-1)
    speaking = (confidence < 1).any((1, 2)) & (error.mean((1, 2)) > 1e-3)
    assert 0.2 < speaking.mean() < 0.8
    low = np.median(confidence[speaking])
    unsure = confidence[speaking] < low
    assert error[speaking][unsure].mean() > 1.2 * error[speaking][~unsure].mean()


def test_one_clip_s_detection_is_no_other_clip_s_business(watch):
    n, config = truth(), NoiseConfig()
    changed = n.copy()
    changed[0] = 5.0
    for one, other in zip(watch(config, n), watch(config, changed), strict=True):
        np.testing.assert_array_equal(one[1:], other[1:])
