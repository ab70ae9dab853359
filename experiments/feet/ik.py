"""The baseline of the foot lifter: no learning, the ankle bent until the foot's points reproject best.

Keypoints are low-passed; each frame's ankle turns by Gauss–Newton so that heel and toes, hung on the
observed ankle at the body's depth, meet their keypoints, drawn to the initial rotation; the rotations
are low-passed again. Its three numbers were chosen on training clips (``feet.evaluate --tune-ik``).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from lift2to3 import BodyMotion, Camera, Keypoints
from lift2to3.observations import observe
from lift2to3.skeletons import rows_by_side

_POINTS = ("heel", "big_toe", "small_toe")


@dataclasses.dataclass(frozen=True)
class FootIkConfig:
    """Three numbers and a count.

    Attributes:
        keypoints_s, rotations_s: deviations of the two Gaussians in time, seconds.
        prior_rad: how far the ankle may turn, beside a point's 1 cm.
        iterations: Gauss–Newton steps.
    """

    keypoints_s: float = 0.03
    rotations_s: float = 0.06
    prior_rad: float = 0.05
    iterations: int = 8


def bend_feet(
    body: BodyMotion, keypoints: Keypoints, camera: Camera, config: FootIkConfig | None = None
) -> BodyMotion:
    """The same motion with both ankles bent to the keypoints; the signature of `refine_feet`."""
    config = config or FootIkConfig()
    observed = observe(keypoints, camera)
    n, confidence = observed.n, observed.confidence
    frames, points = body.posed()
    rotations = body.rotations.copy()
    for ankle, ball, *rows in rows_by_side("ankle", "foot", *_POINTS).tolist():
        observed, seen = _low_passed(
            n[:, [ankle, *rows]], confidence[:, [ankle, *rows]] > 0, config, body.fps
        )
        reach = np.stack(
            [body.rest_offsets[row] + (body.rest_offsets[ball] if row != rows[0] else 0) for row in rows]
        )
        at = points[:, ankle] @ camera.R.T + camera.t
        depth = at[:, 2:]
        on_ray = np.concatenate([observed[:, 0] * depth, depth], axis=1)
        at = np.where(seen[:, :1], on_ray, at)
        first = camera.R @ frames[:, ankle]
        turn = _bent(first, at, reach, observed[:, 1:], seen[:, 1:], config)
        turn = gaussian_filter1d(turn, max(config.rotations_s * body.fps, 1e-3), axis=0)
        rotations[:, ankle] = rotations[:, ankle] @ Rotation.from_rotvec(turn).as_matrix()
    return body._replace(rotations=rotations)


def _low_passed(
    n: np.ndarray, seen: np.ndarray, config: FootIkConfig, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means over neighbours in time that are seen; where none is, unseen."""
    deviation = max(config.keypoints_s * fps, 1e-3)
    weight = gaussian_filter1d(seen.astype(float), deviation, axis=0)
    total = gaussian_filter1d(np.where(seen[..., None], n, 0.0), deviation, axis=0)
    return total / np.maximum(weight, 1e-9)[..., None], weight > 0.2


def _bent(
    first: Float[np.ndarray, "time 3 3"],
    at: Float[np.ndarray, "time 3"],
    reach: Float[np.ndarray, "points 3"],
    observed: Float[np.ndarray, "time points 2"],
    seen: np.ndarray,
    config: FootIkConfig,
) -> Float[np.ndarray, "time 3"]:
    """Axis angles in the foot's own frame that bring its points onto the observed ones."""
    turn = np.zeros((len(first), 3))
    weight = (seen * (at[:, 2:] / 0.01))[..., None]  # one centimetre at the foot's depth
    for _ in range(config.iterations):
        rotation = first @ Rotation.from_rotvec(turn).as_matrix()
        point = at[:, None] + np.einsum("tij,pj->tpi", rotation, reach)
        z = np.maximum(point[..., 2:], 0.1)
        residual = weight * (point[..., :2] / z - observed)
        # d point = rotation · (δ × reach), δ a small turn in the foot's frame
        columns = [np.einsum("tij,pj->tpi", rotation, np.cross(axis, reach)) for axis in np.eye(3)]
        slopes = np.stack([(c[..., :2] - point[..., :2] / z * c[..., 2:]) / z for c in columns], axis=-1)
        slopes = (weight[..., None] * slopes).reshape(len(first), -1, 3)
        normal = slopes.swapaxes(1, 2) @ slopes + np.eye(3) / config.prior_rad**2
        gradient = (
            np.einsum("tri,tr->ti", slopes, residual.reshape(len(first), -1)) + turn / config.prior_rad**2
        )
        step = np.linalg.solve(normal, gradient[..., None])[..., 0]
        step /= np.maximum(np.linalg.norm(step, axis=1, keepdims=True) / 0.5, 1.0)
        turn = (Rotation.from_rotvec(turn) * Rotation.from_rotvec(-step)).as_rotvec()
    return turn
