"""Lenses: pixels and rays are inverses where a lens has an inverse, and missing where it has none."""

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from lift2to3.geometry.cameras import Camera
from lift2to3.geometry.lens import distort, lens_range, undistort

K = np.array([[900.0, 0, 960], [0, 900, 540], [0, 0, 1]])
WIDE = np.array([[620.0, 0, 960], [0, 620, 540], [0, 0, 1]])
FISHEYE = np.array([0.05, 0.01, -0.003, 0.0005])
FOLDING = {
    "corners": [-0.28, 0.07, 0, 0, -0.007],
    "a third": [-0.35, 0.1, 1e-3, 1e-3, -0.02],
    "rational": [0.3, -0.1, 1e-3, 1e-3, 0.01, 0.5, 0.02, 1e-3],
    "tilted": [-0.4, 0.15, 1e-3, -1e-3, -0.03, 0, 0, 0, 1e-3, 1e-3, 1e-3, 1e-3, 0.01, 0.02],
}


def grid(columns: int = 41, rows: int = 23) -> np.ndarray:
    """Pixels over the whole picture, corners included."""
    return np.stack(np.meshgrid(np.linspace(0, 1919, columns), np.linspace(0, 1079, rows)), -1).reshape(-1, 2)


def rays(n: np.ndarray) -> np.ndarray:
    return np.concatenate([n, np.ones_like(n[:, :1])], -1)


@pytest.mark.parametrize("dist", FOLDING.values(), ids=FOLDING)
def test_what_has_a_ray_comes_back_and_what_has_none_is_missing(dist):
    dist = np.array(dist, float)
    pixels = grid()
    n = undistort(pixels, K, dist)
    seen = np.isfinite(n).all(-1)
    assert 0.01 < 1 - seen.mean() < 0.5
    np.testing.assert_allclose(distort(rays(n[seen]), K, dist), pixels[seen], atol=1e-3)
    # every pixel that any ray within the range reaches, densely
    angle, radius = np.meshgrid(np.linspace(0, 2 * np.pi, 1500), np.linspace(0, lens_range(dist), 700))
    reached = distort(
        rays(np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1, 2)), K, dist
    )
    away = cKDTree(reached[np.isfinite(reached).all(-1)]).query(pixels)[0]
    assert away[seen].max() < 3
    assert (away[~seen] > 0.1).all()


@pytest.mark.parametrize(
    ("dist", "expected"),
    [
        ([0, 0, 0, 0], np.inf),
        ([0.1, 0.02, 0, 0, 0.003], np.inf),
        # r − 0.3 r³ has the slope 0.05 at r² = 0.95 / 0.9, whatever the tangential terms
        ([-0.3, 0, 0, 0], np.sqrt(0.95 / 0.9)),
        ([-0.3, 0, 2e-3, -1e-3], np.sqrt(0.95 / 0.9)),
        ([0, 0, 0, 0, 0, -0.25, 0, 0], 2.0),  # the denominator's root comes first
    ],
)
def test_the_range_is_the_polynomial_s_root(dist, expected):
    assert lens_range(np.array(dist, float)) == pytest.approx(expected)


def test_the_slope_at_the_end_of_the_range_is_what_must_be_left():
    for dist in map(np.array, FOLDING.values()):
        bare = np.zeros(8)
        bare[[0, 1, 4, *range(5, min(len(dist), 8))]] = dist[[0, 1, 4, *range(5, min(len(dist), 8))]]
        end, step = lens_range(bare), 1e-6
        low, high = (
            cv2.projectPoints(np.array([[r, 0.0, 1.0]]), np.zeros(3), np.zeros(3), np.eye(3), bare)[
                0
            ].ravel()[0]
            for r in (end - step, end)
        )
        assert (high - low) / step == pytest.approx(0.05, abs=1e-3)


def test_a_fisheye_s_pixels_come_back():
    camera = Camera(WIDE, np.eye(3), np.zeros(3), (1920, 1080), FISHEYE, fisheye=True)
    pixels = grid()
    n = camera.normalise(pixels)
    seen = np.isfinite(n).all(-1)
    assert 0.95 < seen.mean() < 1  # its corners see further than 85° from the axis
    np.testing.assert_allclose(camera.project(rays(n[seen])), pixels[seen], atol=1e-8)
    inner = np.linalg.norm(pixels - WIDE[:2, 2], axis=-1) < 700
    opencv = cv2.fisheye.undistortPoints(pixels[inner][:, None], WIDE, FISHEYE).reshape(-1, 2)
    np.testing.assert_allclose(n[inner], opencv, atol=1e-5)


def test_a_fisheye_is_equidistant_without_coefficients():
    camera = Camera(WIDE, np.eye(3), np.zeros(3), (1920, 1080), fisheye=True)
    angle = np.radians([0.0, 10, 45, 80])
    pixels = np.stack([960 + 620 * angle, 0 * angle + 540], -1)
    np.testing.assert_allclose(camera.normalise(pixels)[:, 0], np.tan(angle), atol=1e-9)


def test_a_point_beyond_the_lens_is_not_folded_into_the_picture():
    dist = np.array(FOLDING["a third"])
    out = lens_range(dist) + 0.5
    folded, _ = cv2.projectPoints(np.array([[out, 0, 1.0]]), np.zeros(3), np.zeros(3), K, dist)
    assert 0 < folded.ravel()[0] < 1919, "OpenCV puts it into the picture"
    assert np.isnan(distort(np.array([[out, 0, 1.0]]), K, dist)).all()


def test_a_fisheye_wants_four_numbers():
    with pytest.raises(ValueError, match="a fisheye lens wants OpenCV's 4 finite coefficients"):
        Camera(WIDE, np.eye(3), np.zeros(3), (1920, 1080), [0.1, 0, 0, 0, 0], fisheye=True)
