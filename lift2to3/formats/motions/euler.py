"""Euler angles of rotations over time: continuous, and right at gimbal lock."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

_LOCKED: Final = 1e-6
"""Cosine of the middle angle under which the first and the last turn about one and the same axis."""


def euler_degrees(
    matrices: Float[np.ndarray, "time joints 3 3"], order: str
) -> Float[np.ndarray, "time joints 3"]:
    """Angles (a, b, c) in degrees with ``R = R_first(a) @ R_second(b) @ R_third(c)``.

    Two triples give each rotation; the one nearer to the frame before is taken, and angles go on past
    ±180, so that a player may interpolate them. At gimbal lock the first angle stays what it was and
    the last takes up the rest.

    Args:
        matrices: rotations, double precision.
        order: three different axes, as ``ZXY``.

    Raises:
        ValueError: an order of other letters.
    """
    if sorted(order) != ["X", "Y", "Z"]:
        raise ValueError(f"order: wanted X, Y and Z once each, as ZXY, found {order!r}")
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    second, third = matrices[..., j, :], matrices[..., k, :]
    first = np.arctan2(-sign * second[..., k], third[..., k])
    # at gimbal lock the first angle stays that of the frame before (at the start, the first known)
    known = np.hypot(second[..., k], third[..., k]) > _LOCKED
    last_known = np.maximum.accumulate(np.where(known, np.arange(len(first))[:, None], -1), axis=0)
    held = np.where(last_known >= 0, last_known, known.argmax(axis=0))
    first = np.take_along_axis(first, held, axis=0)
    # what the first turn leaves: well conditioned at gimbal lock too, whatever the first angle is
    cos, sin = np.cos(first)[..., None], np.sin(first)[..., None]
    rest_second, rest_third = cos * second + sign * sin * third, cos * third - sign * sin * second
    middle = np.arctan2(sign * matrices[..., i, k], rest_third[..., k])
    last = np.arctan2(sign * rest_second[..., i], rest_second[..., j])
    angles = _nearest_branch(np.stack([first, middle, last], axis=-1))
    return np.rad2deg(np.unwrap(angles, axis=0))


def _nearest_branch(angles: Float[np.ndarray, "time joints 3"]) -> Float[np.ndarray, "time joints 3"]:
    """Of (a, b, c) and (a + π, π − b, c + π) the one nearer to the frame before's.

    Whether a step changes the branch does not depend on the branch it comes from, so the choice is a
    running parity.
    """
    other = np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], axis=-1)

    def step(to: np.ndarray) -> np.ndarray:
        turned = (to[1:] - angles[:-1] + np.pi) % (2 * np.pi) - np.pi
        return (turned**2).sum(axis=-1)

    changes = np.cumsum(step(other) < step(angles), axis=0) % 2 == 1
    changes = np.concatenate([np.zeros((1, angles.shape[1]), bool), changes])
    return np.where(changes[..., None], other, angles)
