"""The check against real cameras: its arithmetic on known answers, and a run over the real capture."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from tiny import unjudged, weights_file

from lift2to3.motion import Motion, load_arrays
from lift2to3.skeletons import CANONICAL
from lift2to3.walk import synthetic_walk

TOOL = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "real_check.py"))


def lifted(points: np.ndarray) -> Motion:
    shape = points.shape[:2]
    return Motion(
        points.astype(np.float32), CANONICAL, 60.0, np.ones(shape, bool), np.zeros(shape, np.float32)
    )


@pytest.mark.parametrize(("shift_m", "expected_mm"), [((0, 0, 0), 0.0), ((0.3, 0, 0.4), 500.0)])
def test_a_shifted_motion_errs_by_the_shift_alone(shift_m, expected_mm):
    truth = synthetic_walk(1.0, 60)
    rows = [1, 2, 4, 5, 7, 8, 28, 29]
    scores = TOOL["compare"](lifted(truth + np.array(shift_m)), rows, truth[:, rows], 1.0)
    assert scores["root_error_m"] == pytest.approx(expected_mm / 1000, abs=1e-6)
    assert scores["abs_mpjpe_mm"] == pytest.approx(expected_mm, abs=1e-3)
    assert scores["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert scores["lowest_foot_m"] == pytest.approx(0.01 + shift_m[2], abs=0.005)


def test_the_triangulated_points_have_their_canonical_names(shared_data):
    capture = load_arrays(shared_data / "real_capture" / "balancing.npz")
    named = {
        str(n): CANONICAL[row]
        for n, row in zip(capture["xyz_names"], TOOL["canonical_rows"](capture), strict=True)
    }
    assert named["RHip"] == "right_hip" and named["LBigToe"] == "left_big_toe" and named["Head"] == "head_top"
    assert len(set(named.values())) == 21


@pytest.mark.filterwarnings("ignore:.* is where no body reaches:UserWarning")  # detectors err
def test_it_runs_over_all_four_cameras(shared_data, tmp_path):
    config = TOOL["Config"](
        shared_data / "real_capture", tmp_path / "out", str(weights_file(tmp_path)), steps=1
    )
    with unjudged():
        results = TOOL["main"](config)
    assert list(results) == ["cam_01", "cam_02", "cam_03", "cam_04"]
    assert json.loads((config.out / "real_check.json").read_text()) == results
    for camera, scores in results.items():
        assert all(np.isfinite(value) for value in scores.values())
        assert (config.out / f"{camera}.png").stat().st_size > 10_000
        assert (config.out / f"{camera}.npz").is_file()
