"""The canonical frame, and the rig of the real camera with its virtual ones around the person."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.geometry.cameras import View, look_at, to_camera
from lift2to3.geometry.ground import PersonGuess
from lift2to3.geometry.rotations import yaw_matrix

VIRTUAL_HEIGHT_M = 1.2
AIM_HEIGHT_M = 0.9
NEAREST_M, FARTHEST_M = 2.5, 6.0
CLEARANCE_M = 2.0
"""A virtual camera stays this far outside the path of a person who walks about."""
LARGEST_M = 12.0
_LEVEL = 1e-3
"""Up, in a picture's plane, or the optical axis on the ground: shorter, and it looks straight down or up."""


class Frame(NamedTuple):
    """A z-up frame on the ground: ``x_world = world_from_frame @ x_frame + origin_world``."""

    world_from_frame: Float[Array, "*batch 3 3"]
    origin_world: Float[Array, "*batch 3"]

    def to_world(self, points: Float[Array, "*batch points 3"]) -> Float[Array, "*batch points 3"]:
        """Points of this frame in the world, metres."""
        rotated = jnp.einsum("...ij,...pj->...pi", self.world_from_frame, points)
        return rotated + self.origin_world[..., None, :]

    def from_world(self, points: Float[Array, "*batch points 3"]) -> Float[Array, "*batch points 3"]:
        """World points in this frame, metres."""
        return jnp.einsum(
            "...ji,...pj->...pi", self.world_from_frame, points - self.origin_world[..., None, :]
        )


def canonical_frame(view: View) -> tuple[Frame, View]:
    """The frame a lift happens in (DESIGN section 3), and the camera expressed in it.

    Its origin lies on the ground right under the camera, z up, +y along the optical axis's
    horizontal direction (looking straight down or up: the image's up vector instead). The camera
    is then its height, pitch and roll: nothing of where the user put the world is left.
    """
    forward = view.cam_from_world[..., 2, :2]
    image_up = -view.cam_from_world[..., 1, :2]
    length = jnp.sqrt((forward**2).sum(-1, keepdims=True) + 1e-20)
    heading = jnp.where(length > _LEVEL, forward, image_up)
    yaw = jnp.arctan2(-heading[..., 0], heading[..., 1])  # the turn about z that takes +y to heading
    return _frame_under(view, yaw_matrix(yaw))


def unroll(cam_from_world: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """The turn about the optical axis that makes the world's up the picture's up: camera from camera.

    Turned with its points, a camera sees the same rays; models, which look at boxes along the picture's axes,
    then meet people upright in it, however the camera hung. One that looks straight down or up has no roll.
    """
    up = cam_from_world[..., :2, 2]
    length = np.linalg.norm(up, axis=-1, keepdims=True)
    direction = np.where(length > _LEVEL, up / np.maximum(length, _LEVEL), [0.0, -1.0])
    sin, cos = -direction[..., 0], -direction[..., 1]
    turn = np.broadcast_to(np.eye(3), cam_from_world.shape).copy()
    turn[..., 0, 0], turn[..., 0, 1], turn[..., 1, 0], turn[..., 1, 1] = cos, -sin, sin, cos
    return turn


def unturned_frame(view: View) -> tuple[Frame, View]:
    """The ablation of the canonical frame: its origin, under the camera, but the world's own axes.

    Which way the camera faces in the world then stays in what a denoiser is told of the rig and in the
    pointmaps (and the guess, a median along each axis, moves a little with the axes). Where the camera
    stands does not: all is relative to the guess in either frame.
    """
    eye = jnp.eye(3, dtype=view.translation.dtype)
    return _frame_under(view, jnp.broadcast_to(eye, view.cam_from_world.shape))


def _frame_under(view: View, world_from_frame: Float[Array, "*batch 3 3"]) -> tuple[Frame, View]:
    """The frame with these axes on the ground under the camera, and the camera in it."""
    centre = view.centre
    origin = centre.at[..., 2].set(0.0)
    cam_from_frame = view.cam_from_world @ world_from_frame
    translation = -jnp.einsum("...ij,...j->...i", cam_from_frame, centre - origin)
    return Frame(world_from_frame, origin), View(cam_from_frame, translation)


class Rig(NamedTuple):
    """The real camera (view 0) and the virtual ones, all aimed at the person guess.

    Attributes:
        views: batch axes ``*batch view``.
        aim_world: (*batch, 3) the point 0.9 m above the guess.
        aim_n: (*batch, view, 2) where each view sees it, normalised.
        aim_depth_m: (*batch, view) its depth in each view.
    """

    views: View
    aim_world: Float[Array, "*batch 3"]
    aim_n: Float[Array, "*batch view 2"]
    aim_depth_m: Float[Array, "*batch view"]

    @property
    def centres_from_guess(self) -> Float[Array, "*batch view 3"]:
        """Each camera's position relative to the person guess on the ground, metres."""
        return self.views.centre - self.aim_world.at[..., 2].set(0.0)[..., None, :]


def virtual_rig(view: View, guess: PersonGuess, count: int = 4) -> Rig:
    """Stand ``count - 1`` virtual cameras around the guess, evenly in azimuth from the real one.

    They are 1.2 m high, at the real camera's horizontal distance clipped to 2.5–6 m, or farther
    where the person walks about (a walker must not pass through a camera), aimed 0.9 m up. With a
    ``count`` of 1 there is the real camera alone; with 2 they stand at a right angle, since opposite
    cameras look along the same lines and triangulate no depth.

    Raises:
        ValueError: a ``count`` below 1.
    """
    if count < 1:
        raise ValueError(f"views: wanted 1 or more, found {count}; the real camera is one of them")
    centre, ground = view.centre, guess.ground_world
    aim = ground.at[..., 2].add(AIM_HEIGHT_M)
    away = (centre - ground)[..., :2]
    distance = jnp.sqrt((away**2).sum(-1) + 1e-12)
    # right above the person there is no azimuth: stand behind, seen along the frame's +y
    apart = distance > 1e-2
    azimuth = jnp.arctan2(jnp.where(apart, away[..., 1], -1.0), jnp.where(apart, away[..., 0], 0.0))
    radius = jnp.maximum(distance.clip(NEAREST_M, FARTHEST_M), guess.reach_m + CLEARANCE_M)
    radius = radius.clip(NEAREST_M, LARGEST_M)[..., None]
    angles = [np.pi / 2] if count == 2 else [2 * np.pi * k / count for k in range(1, count)]
    none = jnp.zeros((*azimuth.shape, 0), azimuth.dtype)
    angle = jnp.stack([azimuth + angle for angle in angles], -1) if angles else none
    offset = jnp.stack(
        [radius * jnp.cos(angle), radius * jnp.sin(angle), jnp.full_like(angle, VIRTUAL_HEIGHT_M)], -1
    )
    target = jnp.broadcast_to(aim[..., None, :], offset.shape)
    virtual = look_at(ground[..., None, :] + offset, target)
    views = View(
        jnp.concatenate([view.cam_from_world[..., None, :, :], virtual.cam_from_world], axis=-3),
        jnp.concatenate([view.translation[..., None, :], virtual.translation], axis=-2),
    )
    aim_cam = to_camera(
        views, jnp.broadcast_to(aim[..., None, None, :], (*views.translation.shape[:-1], 1, 3))
    )
    depth = jnp.maximum(aim_cam[..., 0, 2], 0.5)
    return Rig(views, aim, aim_cam[..., 0, :2] / depth[..., None], depth)
