"""The weights that ship lift a person well: the synthetic walk, which no training saw, clean 2D."""

import numpy as np
import pytest
from tiny import camera, film, walk

import lift2to3 as l23
from lift2to3.metrics import abs_mpjpe, mpjpe
from lift2to3.skeletons import INDEX, SMPL_22, rows_by_side
from lift2to3.weights_folder import WEIGHTS_FOLDER

MPJPE_MM = 50.0
ABS_MPJPE_MM = 90.0
DEEPEST_SOLE_MM = 100.0
"""How deep under the floor a foot may get."""

SHIPPED = ("small", "regressor")


@pytest.fixture(scope="module")
def lifted() -> tuple[np.ndarray, l23.Motion]:
    """The true points of a walk, and what comes of a detector's view of it."""
    points = walk(90)
    return points, l23.lift(film(points, camera(), "halpe26"), camera())


@pytest.mark.parametrize("name", SHIPPED)
def test_the_weights_are_small_and_have_a_card(name):
    weights = WEIGHTS_FOLDER / f"{name}.safetensors"
    assert weights.stat().st_size <= 20e6
    card = weights.with_suffix(".md").read_text()
    assert "licence" in card.lower() and len(card) > 300


@pytest.mark.parametrize("name", SHIPPED)
def test_a_walk_is_lifted_within_the_stated_errors(lifted, name):
    points, motion = lifted
    if name == "regressor":
        motion = l23.Lifter.from_pretrained("regressor").lift(film(points, camera(), "halpe26"), camera())
    assert motion.valid.all()
    body = slice(len(SMPL_22))
    found, true = motion.joints_world[:, body].astype(float), points[:, body]
    relative = mpjpe(found, true, (INDEX["left_hip"], INDEX["right_hip"])).mean()
    absolute = abs_mpjpe(found, true).mean()
    print(f"MPJPE {relative:.1f} mm, Abs-MPJPE {absolute:.1f} mm")
    assert relative < MPJPE_MM
    assert absolute < ABS_MPJPE_MM


@pytest.mark.parametrize("roll_deg", [-17, 45, 90, 180])
def test_turning_picture_and_rotation_changes_nothing(lifted, roll_deg):
    points, upright = lifted
    rolled = camera(roll_rad=np.radians(roll_deg))
    motion = l23.lift(film(points, rolled, "halpe26"), rolled)
    assert 1e3 * np.abs(motion.joints_world - upright.joints_world).max() < 1


def disturbed(points, joint: str, by_px: float, confidence: float) -> l23.Motion:
    """What comes of the walk with a joint of the picture moved, and its confidence."""
    keypoints = film(points, camera(), "halpe26")
    xy, told = keypoints.xy_px.copy(), keypoints.confidence.copy()
    row = np.flatnonzero(keypoints.skeleton.rows == INDEX[joint])[0]
    xy[:, row, 0] += by_px
    told[:, row] = confidence
    return l23.lift(l23.as_keypoints(xy, told, keypoints.skeleton, 30.0), camera(), force=True)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("joint", "by_px"), [("left_ankle", 60.0), ("right_wrist", 600.0), ("nose", -200.0)])
def test_a_wrong_keypoint_of_low_confidence_hardly_moves_the_person(lifted, joint, by_px):
    points, motion = lifted
    root = disturbed(points, joint, by_px, 0.05).joints_world[:, 0] - motion.joints_world[:, 0]
    assert np.linalg.norm(root, axis=-1).max() < 0.1


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("joint", ["left_ankle", "right_shoulder"])
def test_a_keypoint_goes_smoothly_as_its_confidence_falls(lifted, joint):
    points, _ = lifted
    falling = (0.0, 0.01, *np.arange(0.055, 0.156, 0.02), 0.3)
    found = [disturbed(points, joint, 30.0, confidence) for confidence in falling]
    steps = [
        np.linalg.norm(a.joints_world - b.joints_world, axis=-1).mean()
        for a, b in zip(found[1:], found[:-1], strict=True)
    ]
    whole = np.linalg.norm(found[-1].joints_world - found[0].joints_world, axis=-1).mean()
    assert steps[0] == 0 and steps[1] < 0.1 * whole and max(steps) < 0.5 * whole
    assert whole > 0.005


def test_the_feet_are_on_the_floor(lifted):
    soles = lifted[1].joints_world[:, rows_by_side("heel", "big_toe").ravel(), 2]
    assert 1e3 * soles.min() > -DEEPEST_SOLE_MM
    assert np.median(soles.min(1)) < 0.1


def test_the_person_has_the_picture_s_left_and_right(lifted):
    points, motion = lifted
    across = lambda p: p[:, INDEX["left_hip"]] - p[:, INDEX["right_hip"]]  # noqa: E731
    assert ((across(motion.joints_world) * across(points)).sum(-1) > 0).mean() > 0.9


def test_the_motion_lies_on_the_observed_rays(lifted):
    points, motion = lifted
    off_px = np.linalg.norm(camera().project(motion.joints_world) - camera().project(points), axis=-1)
    assert np.median(off_px) < 15
