"""The user's calibrated camera, and the intrinsics-free `View` of it that everything inside uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from lift2to3.array_files import save_fields
from lift2to3.conventions import NEAR_M
from lift2to3.geometry.lens import FISHEYE_TERMS, distort, undistort
from lift2to3.quoting import quoted
from lift2to3.told import as_html, show


class View(NamedTuple):
    """A camera without intrinsics: ``x_cam = cam_from_world @ x_world + translation`` (metres)."""

    cam_from_world: Float[Array, "*batch 3 3"]
    translation: Float[Array, "*batch 3"]

    @property
    def centre(self) -> Float[Array, "*batch 3"]:
        """The camera's position in the world, metres."""
        return -jnp.einsum("...ji,...j->...i", self.cam_from_world, self.translation)


def look_at(
    centre: Float[Array, "*batch 3"],
    target: Float[Array, "*batch 3"],
    roll_rad: Float[Array, "*batch"] | float = 0.0,
) -> View:
    """A view at ``centre`` whose optical axis meets ``target``, its x axis level before the roll.

    Undefined where the target lies exactly above or below the centre.
    """
    forward = target - centre
    forward = forward / jnp.linalg.norm(forward, axis=-1, keepdims=True)
    # right = forward × up, with up = z
    right = jnp.stack([forward[..., 1], -forward[..., 0], jnp.zeros_like(forward[..., 0])], -1)
    right = right / jnp.linalg.norm(right, axis=-1, keepdims=True)
    down = jnp.cross(forward, right)
    roll_rad = jnp.broadcast_to(jnp.asarray(roll_rad, forward.dtype), forward.shape[:-1])
    cos, sin = jnp.cos(roll_rad)[..., None], jnp.sin(roll_rad)[..., None]
    right, down = cos * right + sin * down, cos * down - sin * right
    cam_from_world = jnp.stack([right, down, forward], axis=-2)
    return View(cam_from_world, -jnp.einsum("...ij,...j->...i", cam_from_world, centre))


def to_camera(view: View, points_world: Float[Array, "*batch points 3"]) -> Float[Array, "*batch points 3"]:
    """World points in the view's camera frame, metres."""
    rotated = jnp.einsum("...ij,...pj->...pi", view.cam_from_world, points_world)
    return rotated + view.translation[..., None, :]


def project(view: View, points_world: Float[Array, "*batch points 3"]) -> Float[Array, "*batch points 2"]:
    """Normalised image coordinates ``(x_cam, y_cam) / z_cam``; z is held at `NEAR_M` or more."""
    points_cam = to_camera(view, points_world)
    return points_cam[..., :2] / jnp.maximum(points_cam[..., 2:], NEAR_M)


def ray_directions(view: View, n: Float[Array, "*batch points 2"]) -> Float[Array, "*batch points 3"]:
    """World direction of each normalised image point's ray, scaled to unit depth (z_cam = 1)."""
    ray_cam = jnp.concatenate([n, jnp.ones_like(n[..., :1])], axis=-1)
    return jnp.einsum("...ji,...pj->...pi", view.cam_from_world, ray_cam)


_LARGEST: Final = 1e9
"""More than any camera's pixels or metres; beyond, squares overflow."""


def _array(name: str, value: object, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"camera {name}: wanted {shape} numbers, found {quoted(value)}") from error
    if array.shape != shape:
        raise ValueError(f"camera {name}: wanted shape {shape}, found {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"camera {name} is not finite: found {array.tolist()}")
    if np.abs(array).max() > _LARGEST:
        raise ValueError(f"camera {name}: wanted numbers up to {_LARGEST:.0g}, found {array.tolist()}")
    return array


def _check_rotation(R: np.ndarray) -> None:
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if off > 1e-3:
        raise ValueError(
            f"camera R is not a rotation: R Rᵀ differs from the identity by {off:.2g}; wanted an "
            "orthonormal 3×3 world-to-camera matrix (a Rodrigues vector goes through cv2.Rodrigues)"
        )
    if np.linalg.det(R) < 0:
        raise ValueError(
            "camera R has determinant -1 (a mirror, not a rotation); wanted +1: an axis is "
            "flipped, often y or z from an OpenGL or Blender camera; OpenCV has y down, z forward"
        )


def _check_intrinsics(K: np.ndarray, width: int, height: int) -> None:
    zeros = np.abs([K[1, 0], K[2, 0], K[2, 1], K[2, 2] - 1])
    if K[0, 0] <= 0 or K[1, 1] <= 0 or zeros.max() > 1e-6:
        raise ValueError(
            f"camera K: wanted [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels with positive focal "
            f"lengths, found {K.tolist()}"
        )
    if abs(K[0, 1]) > 1e-3 * K[0, 0]:
        raise ValueError(
            f"camera K has a skew of {K[0, 1]:.3g} px, which OpenCV's lens model would silently "
            "ignore; wanted K[0][1] = 0: calibrate without skew"
        )
    cx, cy = K[0, 2], K[1, 2]
    if not (0 <= cx <= width and 0 <= cy <= height):
        raise ValueError(
            f"camera K and size disagree: the principal point ({cx:.0f}, {cy:.0f}) lies outside "
            f"the {width}×{height} image; wanted K calibrated at this very resolution and size as "
            "(width, height)"
        )


def _lens(dist: ArrayLike, fisheye: bool) -> np.ndarray | None:
    try:
        lens = np.asarray(dist, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        lens = np.array([np.nan])
    if fisheye and (lens.size not in (0, FISHEYE_TERMS) or not np.isfinite(lens).all()):
        raise ValueError(f"camera dist: a fisheye lens wants OpenCV's 4 finite coefficients, found {dist!r}")
    if lens.size not in (0, 4, 5, 8, 12, 14) or not np.isfinite(lens).all():
        raise ValueError(
            f"camera dist: wanted 4, 5, 8, 12 or 14 finite OpenCV coefficients, found {quoted(dist)}"
        )
    return lens if lens.size else None


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Camera:
    """A calibrated camera: ``x_cam = R @ x_world + t``, world in metres, z up, floor at z = 0.

    Attributes:
        K: intrinsics in pixels, (3, 3).
        R: rotation of world into camera axes (OpenCV: x right, y down, z forward), (3, 3).
        t: translation in metres, (3,). Not the camera's position: that is ``-R.T @ t``.
        size: image width and height in pixels.
        dist: OpenCV lens distortion (4, 5, 8, 12 or 14 numbers; 4 of a fisheye lens), or None.
        fisheye: whether `dist` is that of `cv2.fisheye` (Kannala and Brandt), not of the ordinary lens.

    Raises:
        ValueError: values that no real camera has; the message says what was found and wanted.
    """

    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    size: tuple[int, int]
    dist: np.ndarray | None = None
    fisheye: bool = False

    def __init__(
        self,
        K: ArrayLike,
        R: ArrayLike,
        t: ArrayLike,
        size: Sequence[float] | np.ndarray,
        dist: ArrayLike | None = None,
        fisheye: bool = False,
    ) -> None:
        """Check and convert every field; anything NumPy can read as such an array is taken."""
        K, R = _array("K", K, (3, 3)), _array("R", R, (3, 3))
        t = _array("t", np.reshape(np.asarray(t, dtype=object), -1).tolist(), (3,))
        width, height = (int(side) for side in _array("size", size, (2,)))
        if min(width, height) <= 0:
            raise ValueError(f"camera size: wanted (width, height) in pixels, found {width}×{height}")
        _check_rotation(R)
        _check_intrinsics(K, width, height)
        lens = None if dist is None else _lens(dist, fisheye)
        fields = {"K": K, "R": R, "t": t, "size": (width, height), "dist": lens, "fisheye": bool(fisheye)}
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def save(self, path: str | Path) -> Path:
        """Write ``.json`` or ``.npz`` by the path's ending; `lift2to3.read_camera` gives back the same.

        Raises:
            ValueError: another ending.
        """
        fields = {"direction": "world_to_camera", "K": self.K, "R": self.R, "t": self.t, "size": self.size}
        fields |= {} if self.dist is None else {"dist": self.dist}
        return save_fields(path, fields | ({"fisheye": True} if self.fisheye else {}))

    def __repr__(self) -> str:
        """One line."""
        width, height = self.size
        down = np.degrees(np.arcsin(np.clip(-self.R[2, 2], -1, 1)))
        wide = np.degrees(np.ptp(np.arctan((np.array([0, width]) - self.K[0, 2]) / self.K[0, 0])))
        lens = ", fisheye" if self.fisheye else "" if self.dist is None else ", distorted"
        return (
            f"Camera({width}x{height}, {self.centre[2]:.1f} m over the floor, looking {round(down)}° down, "
            f"{round(wide)}° wide{lens})"
        )

    def _repr_html_(self) -> str:
        return as_html(repr(self))

    def show(self) -> Any:
        """A picture of it, in a notebook's cell or opened: `lift2to3.report.show.show`."""
        return show(self)

    @property
    def centre(self) -> np.ndarray:
        """The camera's position in the world, metres. (3,)"""
        return -self.R.T @ self.t

    @property
    def view(self) -> View:
        """The camera with intrinsics and distortion taken out."""
        return View(jnp.asarray(self.R), jnp.asarray(self.t))

    def normalise(self, keypoints_px: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) → undistorted normalised image coordinates (..., 2).

        NaN stays NaN, and where the lens folds before it reaches a pixel (`geometry.lens`) that is NaN too.
        """
        flat = np.asarray(keypoints_px, dtype=np.float64).reshape(-1, 2)
        out = np.full_like(flat, np.nan)
        seen = np.isfinite(flat).all(-1)
        if seen.any():
            out[seen] = undistort(flat[seen], self.K, self.dist, self.fisheye)
        return out.reshape(np.shape(keypoints_px))

    def project(self, points_world: np.ndarray) -> np.ndarray:
        """World points (..., 3), metres → distorted pixels (..., 2); NaN where no lens sees them."""
        flat = np.asarray(points_world, dtype=np.float64).reshape(-1, 3)
        points_cam = flat @ self.R.T + self.t
        out = np.full((len(flat), 2), np.nan)
        front = points_cam[:, 2] > 1e-6  # also False for NaN points
        if front.any():
            out[front] = distort(points_cam[front], self.K, self.dist, self.fisheye)
        return out.reshape(*np.shape(points_world)[:-1], 2)
