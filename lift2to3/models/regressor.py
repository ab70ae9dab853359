"""The direct regressor: one view's keypoints → 3D points, by the denoiser's trunk and without diffusion.

What MotionBERT (Zhu et al. 2023) and Ray3D (Zhan et al. 2022) do: the root's position and the
root-relative pose of every frame at once, no motion prior, no other views, no triangulation. It is told
all that the multi-view denoiser is told (`lift2to3.models.multiview.set_up`), so that a comparison of
the two is about what they predict. What the denoiser sees of the billboard from its four sides, the
regressor sees as the billboard's points in metres; what triangulation does for the denoiser, keeping the
person on the observed rays, starting from the billboard along the root's ray does for it.
"""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from lift2to3.geometry.cameras import View
from lift2to3.geometry.rigs import Frame, Rig
from lift2to3.geometry.rotations import yaw_matrix
from lift2to3.models.denoiser import Block, Condition, DenoiserConfig
from lift2to3.models.layers import Attention, Dense, Mlp, TransformerConfig, normalise
from lift2to3.models.multiview import billboard
from lift2to3.models.params import Params, merge
from lift2to3.models.pointmap import PointmapEncoder
from lift2to3.representation import CHANNELS, JOINTS
from lift2to3.skeletons import FOOT_POINTS, INDEX

_ROOT: Final = INDEX["pelvis"]
_NEAREST_M: Final = 0.5
_NEAR_ROOT: Final = np.array([INDEX[name] for name in ("pelvis", "mid_hip", "left_hip", "right_hip")])


@dataclasses.dataclass(frozen=True)
class RegressorConfig(TransformerConfig):
    """Size and switches of the direct regressor.

    Attributes:
        patch: frames that one token covers; a clip's length must be a multiple of it.
        pointmap: cross-attention to the view's ground pointmap.
        pointmap_width: channels of the ResNet-18's first stage.
        billboard: the person as a flat billboard at the guess is told, and the prediction starts there:
            what is predicted is how far from it the root stands along its ray, and small corrections.
    """

    patch: int = 4
    pointmap: bool = True
    pointmap_width: int = 8
    billboard: bool = True


class RegressorInput(NamedTuple):
    """What the regressor is told of a clip: view 0 of `Condition`, and the billboard in metres.

    Attributes:
        observed: (*batch, time, channels) encoded observations, 0 where there is none.
        confidence: (*batch, time, joints) in 0–1; 0 = not observed.
        camera: (*batch, 9) rotation as 6D, centre relative to the guess over 5 m.
        billboard: (*batch, time, joints, 2) points of the billboard, aside and up, as `flatten` has them.
        centre: (*batch, 3) the camera's centre in `person_frame`; ``camera`` tells the same.
        feet: (*batch, time, feet, 2) `lift2to3.geometry.ground.foot_hits`.
        pointmap: (*batch, resolution, resolution, 3).
    """

    observed: Float[Array, "*batch time channels"]
    confidence: Float[Array, "*batch time joints"]
    camera: Float[Array, "*batch 9"]
    billboard: Float[Array, "*batch time joints 2"]
    centre: Float[Array, "*batch 3"]
    feet: Float[Array, "*batch time feet 2"]
    pointmap: Float[Array, "*batch resolution resolution 3"]


def person_frame(rig: Rig) -> Frame:
    """The frame that the regressor predicts in: at the rig's aim, 0.9 m above the guess, z up, +y away.

    Away from the real camera along the ground; +x is to the right in the picture. The billboard is its
    x-z plane.
    """
    away = (rig.aim_world - rig.views.centre[..., 0, :])[..., :2]
    apart = jnp.sqrt((away**2).sum(-1) + 1e-12) > 1e-2  # right under the camera: the frame's own +y
    yaw = jnp.arctan2(-jnp.where(apart, away[..., 0], 0.0), jnp.where(apart, away[..., 1], 1.0))
    return Frame(yaw_matrix(yaw), rig.aim_world)


def flatten(points: Float[Array, "time joints axes"], seen: Array) -> Float[Array, "time joints axes"]:
    """Root's place in the root's row, the others relative to it; 0 where not seen.

    The root is the mean of the pelvis and hips that are seen, or of all that is seen without them.
    """
    near = jnp.zeros_like(seen).at[:, _NEAR_ROOT].set(True) & seen
    near = jnp.where(near.any(-1, keepdims=True), near, seen)[..., None]
    root = jnp.where(near, points, 0.0).sum(1) / jnp.maximum(near.sum(1), 1)
    return jnp.where(seen[..., None], points - root[:, None], 0.0).at[:, _ROOT].set(root)


def regressor_input(
    n: Float[Array, "time joints 2"], rig: Rig, condition: Condition
) -> tuple[Frame, RegressorInput]:
    """The frame to predict in and what is told, for one clip; `jax.vmap` gives the batch.

    Takes observed normalised image points, anything where the confidence is 0, and the rig, with any number
    of views, and condition of `set_up`.
    """
    seen = condition.confidence[0] > 0
    view = View(rig.views.cam_from_world[0], rig.views.translation[0])
    frame = person_frame(rig)
    flat = billboard(view, jnp.where(seen[..., None], n, 0.0), rig)
    flat = frame.from_world(flat.reshape(-1, 3)).reshape(flat.shape)[..., ::2]
    return frame, RegressorInput(
        condition.observed[0],
        condition.confidence[0],
        condition.camera[0],
        flatten(flat, seen),
        frame.from_world(view.centre[None])[0],
        condition.feet,
        condition.pointmap[0],
    )


class Regressor(nnx.Module):
    """Predicts a clip's 3D points from one view of it."""

    def __init__(self, config: RegressorConfig, *, rngs: nnx.Rngs):
        """The denoiser's layers, without what is for the diffusion time and for other views."""
        width, half, patch = config.width, config.half, config.patch
        trunk = DenoiserConfig(
            width=width, heads=config.heads, mlp_ratio=config.mlp_ratio, multi_view=False, half=half
        )
        self.config = config
        told = CHANNELS + JOINTS + 2 * len(FOOT_POINTS) + (2 * JOINTS if config.billboard else 0)
        self.tokenise = Dense(patch * told, width, half=half, rngs=rngs)
        self.camera_mlp = Mlp(9, width, width, half=half, rngs=rngs)
        self.blocks = nnx.List([Block(trunk, 0, rngs=rngs) for _ in range(config.depth)])
        self.pointmap = PointmapEncoder(config.pointmap_width, rngs=rngs) if config.pointmap else None
        ground_width = 0 if self.pointmap is None else self.pointmap.width_out
        new = {"context_width": ground_width, "zero_out": True, "half": half, "rngs": rngs}
        grounded = range(config.depth if config.pointmap else 0)
        self.pointmap_attention = nnx.List([Attention(width, config.heads, **new) for _ in grounded])
        self.head = Dense(width, patch * 3 * JOINTS, half=half, zero=True, rngs=rngs)
        flat = {"half": half, "zero": True, "rngs": rngs}
        self.skip = Dense(patch * 2 * JOINTS, patch * 3 * JOINTS, **flat) if config.billboard else None

    def __call__(self, told: RegressorInput) -> Float[Array, "batch time joints 3"]:
        """The points in `person_frame`, metres.

        Raises:
            ValueError: the number of frames is not a multiple of the patch.
        """
        batch, frames, _ = told.confidence.shape
        patch = self.config.patch
        if frames % patch:
            raise ValueError(f"{frames} frames: wanted a multiple of the regressor's patch of {patch}")
        tokens = lambda x: x.reshape(batch, frames // patch, -1)  # noqa: E731
        per_frame = [told.observed, told.confidence, told.feet.reshape(batch, frames, -1)]
        if self.skip is not None:
            per_frame.append(told.billboard.reshape(batch, frames, -1))
        h = self.tokenise(tokens(jnp.concatenate(per_frame, axis=-1)))
        h = (h + self.camera_mlp(told.camera)[:, None])[:, None]  # the one view
        ground = None if self.pointmap is None else self.pointmap(told.pointmap)[:, None]
        still = jnp.zeros((batch, 6, self.config.width))  # a block's own table is all its modulation
        for layer, block in enumerate(self.blocks):
            h = block(h, still, None)
            if ground is not None:
                h = h + self.pointmap_attention[layer](normalise(h), ground)
        out = self.head(normalise(h[:, 0]))
        if self.skip is not None:
            out = out + self.skip(tokens(told.billboard))
        pose = out.reshape(batch, frames, JOINTS, 3)
        if self.skip is not None:
            pose = pose + _billboard_at(told, pose[:, :, _ROOT, 1])
        root = pose[:, :, _ROOT, None]
        return pose.at[:, :, _ROOT].set(0.0) + root


def _billboard_at(
    told: RegressorInput, away_m: Float[Array, "batch time"]
) -> Float[Array, "batch time joints 3"]:
    """The billboard carried ``away_m`` from the camera along its root's ray, growing as it goes.

    Less that distance itself: root's place in the root's row, the others relative to it.
    """
    distance = jnp.maximum(-told.centre[:, 1], _NEAREST_M)[:, None]
    growth = jnp.maximum(1 + away_m / distance, 0.1)[..., None, None]
    camera = jnp.zeros((len(growth), 1, JOINTS, 2)).at[:, 0, _ROOT].set(told.centre[:, ::2])
    flat = camera + growth * (told.billboard - camera)
    return jnp.stack([flat[..., 0], jnp.zeros_like(flat[..., 0]), flat[..., 1]], axis=-1)


def predict_points(
    graph: nnx.GraphDef, params: Params, frame: Frame, told: RegressorInput
) -> Float[Array, "batch time joints 3"]:
    """A batch of clips' points, metres, in the frame that their rigs are in, from `regressor_input`'s."""
    points = merge(graph, params)(told)
    return frame.to_world(points.reshape(len(points), -1, 3)).reshape(points.shape)
