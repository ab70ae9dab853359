"""OpenCV's two lens models: pixels to rays and back, and how far out each of them means anything.

The ordinary lens (Brown–Conrady, with OpenCV's rational, thin-prism and tilt terms) moves a point at distance
r from the axis, in normalised coordinates, to r (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶).
The fisheye lens (Kannala and Brandt 2006, ``cv2.fisheye``) moves a ray at the angle θ from the axis to
θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸). Both grow up to a first turning point only. Past it the lens folds: two
rays meet in one pixel, and no pixel further out has any ray, whatever a formula or an iteration returns.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from jaxtyping import Float

FISHEYE_TERMS: Final = 4
_WIDEST: Final = np.radians(85.0)
"""Rays further than this from the axis have no useful normalised image point, (x, y) / z."""
_SLOPE_LEFT: Final = 0.05
"""Share of the lens's slope on the axis that must be left: just before the fold a pixel is worth metres."""
_WITHIN_PX: Final = 1e-3
_HALVINGS: Final = 60
_ROUNDS: Final = 25


def lens_range(dist: np.ndarray | None, fisheye: bool = False) -> float:
    """Distance from the axis, in normalised coordinates, up to which a lens has an inverse; inf = everywhere.

    A polynomial's smallest positive root: of the slope of the distorted radius, less what must be left of it,
    and of its denominator.

    Args:
        dist: OpenCV's coefficients, or None.
        fisheye: the fisheye model; its range is at most tan 85°.
    """
    if fisheye:
        k = np.zeros(FISHEYE_TERMS) if dist is None else dist
        slope = np.array([1 - _SLOPE_LEFT, *k * np.arange(3, 2 * len(k) + 2, 2)])  # in θ², lowest first
        return float(np.tan(min(_first_root(slope) ** 0.5, _WIDEST)))
    if dist is None:
        return float("inf")
    over, under = _radial(dist)
    powers = np.polynomial.polynomial
    # d/dr of r·over/under, times under², in s = r²: over·under + 2s (over'·under − over·under')
    change = powers.polysub(
        powers.polymul(powers.polyder(over), under), powers.polymul(over, powers.polyder(under))
    )
    square = powers.polymul(under, under)
    slope = powers.polyadd(powers.polymul(over, under), powers.polymul([0.0, 2.0], change))
    return float(min(_first_root(powers.polysub(slope, _SLOPE_LEFT * square)), _first_root(under)) ** 0.5)


def undistort(
    points_px: Float[np.ndarray, "points 2"], K: np.ndarray, dist: np.ndarray | None, fisheye: bool = False
) -> Float[np.ndarray, "points 2"]:
    """Pixels → normalised image points; NaN where no ray of the lens comes out there.

    Args:
        points_px: finite pixels.
        K: intrinsics.
        dist: OpenCV's coefficients, or None.
        fisheye: the fisheye model.
    """
    if fisheye:
        return _undistort_fisheye(points_px, K, dist)
    if dist is None:
        return _opencv_inverse(points_px, K, dist)
    reach = lens_range(dist)
    n = _opencv_inverse(points_px, K, dist)
    wrong = np.flatnonzero(~_comes_back(n, points_px, K, dist, reach))
    if wrong.size:
        again = _newton(points_px[wrong], K, dist, reach)
        again[~_comes_back(again, points_px[wrong], K, dist, reach)] = np.nan
        n[wrong] = again
    return n


def distort(
    points_cam: Float[np.ndarray, "points 3"], K: np.ndarray, dist: np.ndarray | None, fisheye: bool = False
) -> Float[np.ndarray, "points 2"]:
    """Points in front of a camera, in its axes → pixels; NaN where the lens does not reach."""
    none = np.zeros(3)
    if fisheye:
        k = np.zeros(FISHEYE_TERMS) if dist is None else dist
        pixels = cv2.fisheye.projectPoints(points_cam[:, None], none, none, K, k)[0].reshape(-1, 2)
    else:
        pixels = cv2.projectPoints(points_cam, none, none, K, dist)[0].reshape(-1, 2)
    reach = lens_range(dist, fisheye)
    if np.isfinite(reach):
        pixels[np.hypot(points_cam[:, 0], points_cam[:, 1]) > reach * points_cam[:, 2]] = np.nan
    return pixels


def _first_root(coefficients: np.ndarray) -> float:
    """Smallest positive real root of a polynomial, lowest power first; inf where there is none."""
    trimmed = np.trim_zeros(np.asarray(coefficients, np.float64), "b")
    if len(trimmed) < 2:
        return float("inf")
    roots = np.roots(trimmed[::-1])
    real = roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return float(real.min()) if real.size else float("inf")


def _radial(dist: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator of the radial factor in r², lowest power first."""
    k = np.zeros(8)
    k[: min(len(dist), 8)] = dist[:8]
    return np.array([1.0, k[0], k[1], k[4]]), np.array([1.0, k[5], k[6], k[7]])


def _opencv_inverse(points_px: np.ndarray, K: np.ndarray, dist: np.ndarray | None) -> np.ndarray:
    """OpenCV's inverse of the lens, iterated until exact: its default of 5 rounds is 0.02 px off."""
    stop = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-10)
    iterate = getattr(cv2, "undistortPointsIter", None)  # OpenCV 4's name for it
    if iterate is not None:
        return iterate(points_px[:, None], K, dist, None, None, stop).reshape(-1, 2)
    return cv2.undistortPoints(points_px[:, None], K, dist, criteria=stop).reshape(-1, 2)


def _comes_back(
    n: np.ndarray, points_px: np.ndarray, K: np.ndarray, dist: np.ndarray, reach: float
) -> np.ndarray:
    fits = np.isfinite(n).all(-1) & (np.hypot(*np.nan_to_num(n, nan=np.inf).T) <= reach)
    if fits.any():
        again = _project(n[fits], K, dist)[0]
        fits[fits] = np.linalg.norm(again - points_px[fits], axis=-1) < _WITHIN_PX
    return fits


def _project(n: np.ndarray, K: np.ndarray, dist: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of normalised points, and their derivatives by them (points, 2, 2)."""
    none = np.zeros(3)
    points = np.concatenate([n, np.ones_like(n[:, :1])], -1)
    pixels, jacobian = cv2.projectPoints(points, none, none, K, dist)
    return pixels.reshape(-1, 2), jacobian.reshape(len(n), 2, -1)[:, :, 3:5]  # by the translation's x and y


def _newton(points_px: np.ndarray, K: np.ndarray, dist: np.ndarray, reach: float) -> np.ndarray:
    """Newton's iteration from the radial inverse, kept within the range."""
    flat = (points_px - K[:2, 2]) / K[[0, 1], [0, 1]]
    far = np.linalg.norm(flat, axis=-1)
    over, under = _radial(dist)
    values = np.polynomial.polynomial.polyval
    r = np.linspace(0.0, min(reach, 10.0 + 2 * float(far.max())), 4096)
    distorted = r * values(r**2, over) / values(r**2, under)
    n = flat * (np.interp(far, distorted, r) / np.maximum(far, 1e-12))[:, None]
    for _ in range(_ROUNDS):
        pixels, slope = _project(n, K, dist)
        step = np.linalg.solve(slope + 1e-12 * np.eye(2), (points_px - pixels)[..., None])[..., 0]
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        n = n + step * np.minimum(1.0, 0.3 / np.maximum(length, 1e-12))
        n = n * np.minimum(1.0, reach / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-12))
    return n


def _undistort_fisheye(points_px: np.ndarray, K: np.ndarray, dist: np.ndarray | None) -> np.ndarray:
    """The angle of each pixel by bisection of the model's growing part."""
    k = np.zeros(FISHEYE_TERMS) if dist is None else dist
    flat = (points_px - K[:2, 2]) / K[[0, 1], [0, 1]]
    far = np.linalg.norm(flat, axis=-1)
    widest = np.arctan(lens_range(k, fisheye=True))

    def distorted(angle: np.ndarray) -> np.ndarray:
        return angle * np.polynomial.polynomial.polyval(angle**2, np.array([1.0, *k]))

    low, high = np.zeros_like(far), np.full_like(far, widest)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = distorted(middle) > far
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    angle = 0.5 * (low + high)
    n = flat * np.where(far > 1e-12, np.tan(angle) / np.maximum(far, 1e-12), 1.0)[:, None]
    n[far > distorted(np.full_like(far, widest))] = np.nan
    return n
