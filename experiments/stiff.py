"""The stiff baseline: one pose that never changes, carried to where the person stands in each frame."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lift2to3.data.augment import heading
from lift2to3.data.mocap import MocapClip
from lift2to3.geometry.cameras import Camera, View
from lift2to3.geometry.ground import guess_person
from lift2to3.geometry.rotations import yaw_matrix
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.observations import observe
from lift2to3.pipeline.windows import supported
from lift2to3.skeletons import CANONICAL, INDEX

_PIECE = 512  # frames are padded to multiples of it: few lengths to compile for


def mean_pose(clips: Sequence[MocapClip]) -> Float[np.ndarray, "joints 3"]:
    """The mean of all poses, pelvis at the origin horizontally, facing +y, metres."""
    total, frames = np.zeros((len(CANONICAL), 3)), 0
    for clip in clips:
        along_floor = clip.points_world[:, INDEX["pelvis"], None] * np.array([1, 1, 0], np.float32)
        points = jnp.asarray(clip.points_world - along_floor)
        facing = jnp.einsum("tij,tpj->tpi", yaw_matrix(-heading(points)), points)
        total, frames = total + np.asarray(facing.sum(0)), frames + len(points)
    return total / frames


class Stiff:
    """The same pose in every frame, facing the camera, at the frame's own ground guess.

    Args:
        pose: feet on z = 0, pelvis at the origin horizontally, facing +y, as `mean_pose` has it.
    """

    def __init__(self, pose: Float[np.ndarray, "joints 3"]):
        """Nothing to load or check."""
        self.pose = pose

    def lift(self, keypoints: Keypoints, camera: Camera) -> Motion:
        """As `lift2to3.Lifter.lift`; a frame that shows nothing stands where the nearest one does."""
        observed = observe(keypoints, camera)
        n, confidence = observed.n, observed.confidence
        pad = -len(n) % _PIECE
        padded = np.pad(n, ((0, pad), (0, 0), (0, 0))), np.pad(confidence > 0, ((0, pad), (0, 0)))
        ground = np.asarray(_ground_per_frame(camera.view, *map(jnp.asarray, padded)))
        known = np.flatnonzero((confidence > 0).any(-1))
        ground = ground[known[np.abs(np.arange(len(n))[:, None] - known).argmin(1)]]
        toward = camera.centre[:2] - ground[:, :2]
        yaw = np.arctan2(-toward[:, 0], toward[:, 1])
        turned = np.einsum("tij,pj->tpi", np.asarray(yaw_matrix(jnp.asarray(yaw))), self.pose)
        points = (turned + ground[:, None]).astype(np.float32)
        seen = supported(keypoints.confidence, keypoints.fps)
        points[~seen] = np.nan
        valid = np.repeat(seen[:, None], len(CANONICAL), axis=1)
        return Motion(points, CANONICAL, keypoints.fps, valid, np.full(valid.shape, np.nan, np.float32))


@jax.jit
def _ground_per_frame(view: View, n: jax.Array, seen: jax.Array) -> jax.Array:
    alone = jax.vmap(lambda n, seen: guess_person(view, n[None], seen[None]).ground_world)
    return alone(n, seen)
