"""`loss_fn(params, batch, key) -> (loss, scalars)` for G_2D, G_MV and the regressor, made from their configs.

A batch is raw 3D windows; augmentation, cameras, projection and detection happen here, on the
device, so that no two epochs see the same example and the host only ships points.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.conventions import MODEL_FPS
from lift2to3.data.augment import AugmentConfig, augment
from lift2to3.data.detector_noise import NoiseConfig, detect
from lift2to3.data.random_cameras import CameraConfig, inside_image, random_view
from lift2to3.geometry.cameras import project, to_camera
from lift2to3.geometry.rigs import Rig
from lift2to3.models.denoiser import Condition
from lift2to3.models.diffusion import add_noise, draw_times
from lift2to3.models.multiview import (
    MultiViewConfig,
    frame_of,
    lift_views,
    make_consistent,
    project_to_views,
    set_up,
    to_movement,
)
from lift2to3.models.params import Params, merge
from lift2to3.models.regressor import predict_points, regressor_input
from lift2to3.representation import JOINTS
from lift2to3.skeletons import INDEX

Scalars = dict[str, Array]
LossFn = Callable[[Params, dict[str, Array], PRNGKeyArray], tuple[Array, Scalars]]

_HIPS = jnp.array([INDEX["left_hip"], INDEX["right_hip"]])
_SAFE_DEPTH_M = 0.4  # nearer to a virtual camera than this a projection is no target
POINT_TERMS: Final = ("relative", "root", "velocity")
"""What `points_losses` returns and `LossConfig` weighs."""


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the objective, and what examples are made of.

    Attributes:
        noisiest: share of G_2D's examples at diffusion time 1.
        own: share of G_MV's second passes that start from the result of the first.
        movement: weight of the x0 loss (pose, movement and their velocities).
        relative, root, velocity: weights of the L1 losses on the triangulated 3D points (metres,
            metres, metres per second); 0 trains on the movement alone.
    """

    noisiest: float = 0.25
    own: float = 0.7
    movement: float = 0.3
    relative: float = 5.0
    root: float = 1.5
    velocity: float = 0.2
    multiview: MultiViewConfig = MultiViewConfig()
    augment: AugmentConfig = AugmentConfig()
    cameras: CameraConfig = CameraConfig()
    noise: NoiseConfig = NoiseConfig()


class Example(NamedTuple):
    """One training example (or a batch of them), in the real camera's frame (`frame_of`)."""

    points: Float[Array, "time joints 3"]
    valid: Bool[Array, "time"]
    n: Float[Array, "time joints 2"]
    confidence: Float[Array, "time joints"]
    rig: Rig
    condition: Condition
    x0: Float[Array, "view time channels"]
    safe: Bool[Array, "time"]


def masked_mean(values: Float[Array, "..."], mask: Array) -> Float[Array, ""]:
    """Mean over where ``mask`` (broadcast from the left) is true; 0 if it is nowhere."""
    mask = mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim))
    total = jnp.broadcast_to(mask, values.shape).sum()
    return jnp.where(mask, values, 0.0).sum() / jnp.maximum(total, 1)


def weighted_sum(scalars: Scalars, weights: object, names: Sequence[str]) -> Float[Array, ""]:
    """The scalars of these names, each times the weight that the config has under the same name."""
    return jnp.stack([getattr(weights, name) * scalars[name] for name in names]).sum()


def make_example(
    key: PRNGKeyArray,
    raw: Float[Array, "raw joints 3"],
    raw_valid: Bool[Array, "raw"],
    donor: Float[Array, "raw joints 3"],
    frames: int,
    config: LossConfig,
) -> Example:
    """Augment one raw window, film it with a random camera, detect, and set the views up."""
    keys = jax.random.split(key, 4)
    points, valid = augment(keys[0], raw, raw_valid, donor, frames, config.augment)
    view = random_view(keys[1], points, config.cameras)
    frame, view = frame_of(view, config.multiview)
    points = frame.from_world(points.reshape(-1, 3)).reshape(points.shape)
    n = project(view, points.reshape(-1, 3)).reshape(*points.shape[:2], 2)
    noisy, confidence = detect(keys[2], n, inside_image(n, keys[3]), config.noise)
    confidence = confidence * valid[:, None]
    rig, condition = set_up(view, noisy, confidence, config.multiview)
    n_views = project_to_views(points, rig)
    x0 = to_movement(n_views, jnp.ones(n_views.shape[:-1], bool), rig, config.multiview)
    in_views = jnp.broadcast_to(points.reshape(1, -1, 3), (config.multiview.views, points[..., 0].size, 3))
    depth = to_camera(rig.views, in_views)[..., 2].reshape(n_views.shape[:-1])
    safe = (depth > _SAFE_DEPTH_M).all((0, 2)) & valid
    return Example(points, valid, noisy, confidence, rig, condition, x0, safe)


def make_examples(batch: dict[str, Array], key: PRNGKeyArray, frames: int, config: LossConfig) -> Example:
    """A batch of examples; each clip's neighbour in the batch lends it an upper body."""
    raw, valid = batch["points_world"], batch["frames_valid"]
    keys = jax.random.split(key, len(raw))
    one = lambda key, raw, valid, donor: make_example(key, raw, valid, donor, frames, config)  # noqa: E731
    return jax.vmap(one)(keys, raw, valid, jnp.roll(raw, 1, axis=0))


def movement_loss(
    predicted: Float[Array, "batch view time channels"], x0: Array, safe: Bool[Array, "batch time"]
) -> Float[Array, ""]:
    """L1 on local pose, global movement and the change of both from frame to frame."""
    mask = jnp.broadcast_to(safe[:, None], predicted.shape[:3])
    both = mask[..., 1:] & mask[..., :-1]
    error = predicted - x0
    step = 5.0 * (error[:, :, 1:] - error[:, :, :-1])
    pose, movement = error[..., : 2 * JOINTS], error[..., 2 * JOINTS :]
    return (
        masked_mean(jnp.abs(pose), mask)
        + masked_mean(jnp.abs(movement), mask)
        + masked_mean(jnp.abs(step), both)
    )


def points_losses(
    points: Float[Array, "batch time joints 3"], truth: Array, valid: Bool[Array, "batch time"]
) -> Scalars:
    """L1 on the 3D points: hip-relative, root, velocity; and the error in millimetres to watch."""
    root, true_root = (p[:, :, _HIPS].mean(2, keepdims=True) for p in (points, truth))
    relative = (points - root) - (truth - true_root)
    both = valid[:, 1:] & valid[:, :-1]
    velocity = MODEL_FPS * ((points - truth)[:, 1:] - (points - truth)[:, :-1])
    return {
        "relative": masked_mean(jnp.abs(relative), valid),
        "root": masked_mean(jnp.abs(root - true_root), valid),
        "velocity": masked_mean(jnp.abs(velocity), both),
        "mpjpe_mm": 1e3 * masked_mean(jnp.linalg.norm(relative[:, :, :22] + 1e-9, axis=-1), valid),
        "root_mm": 1e3 * masked_mean(jnp.linalg.norm(root - true_root + 1e-9, axis=-1), valid),
    }


def multiview_loss(graph: nnx.GraphDef, frames: int, config: LossConfig) -> LossFn:
    """Loss of the multi-view denoiser: x0 plus L1 on the triangulated points (DESIGN section 7).

    Every example is seen as sampling sees it: first at t = 1, where there is nothing but noise, then
    at a random t. A share `LossConfig.own` of these second passes starts from the first one's result,
    made consistent as in sampling, instead of the truth: what a sampler's later steps really get.
    """
    lift = jax.vmap(functools.partial(lift_views, config=config.multiview))
    consistent = jax.vmap(functools.partial(make_consistent, config=config.multiview))

    def losses(predicted: Array, example: Example) -> tuple[Array, Scalars, Array]:
        points, _ = lift(predicted, example.n, example.confidence, example.rig)
        scalars = points_losses(points, example.points, example.safe)
        scalars["movement"] = movement_loss(predicted, example.x0, example.safe)
        return weighted_sum(scalars, config, ("movement", *POINT_TERMS)), scalars, points

    def loss_fn(params: Params, batch: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Scalars]:
        make, draw, pick, noise = jax.random.split(key, 4)
        example = make_examples(batch, make, frames, config)
        denoiser, count = merge(graph, params), len(example.x0)
        start = jax.random.normal(noise, example.x0.shape)
        first, first_scalars, points = losses(denoiser(start, jnp.ones(count), example.condition), example)
        own = jax.random.uniform(pick, (count,)) < config.own
        reached = jax.lax.stop_gradient(consistent(points, example.rig))
        x0 = jnp.where(own[:, None, None, None], reached, example.x0)
        t = jax.random.uniform(draw, (count,))
        second, second_scalars, _ = losses(denoiser(add_noise(x0, start, t), t, example.condition), example)
        scalars = first_scalars | {f"second_{name}": second_scalars[name] for name in ("mpjpe_mm", "root_mm")}
        return (first + second) / 2, scalars

    return loss_fn


def single_view_loss(graph: nnx.GraphDef, frames: int, config: LossConfig) -> LossFn:
    """Loss of G_2D (Mocap-2-to-3 sec. 3.1): x0 of one random view of each clip.

    Half of the examples are pure generation, half are told a detector's view of the same motion:
    the task that view 0 of the multi-view model will have.
    """

    def loss_fn(params: Params, batch: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Scalars]:
        make, draw, noise, pick, tell = jax.random.split(key, 5)
        example = make_examples(batch, make, frames, config)
        count = len(example.x0)
        told = jax.random.uniform(tell, (count,)) < 0.5
        view = jnp.where(told, 0, jax.random.randint(pick, (count,), 0, config.multiview.views))
        x0 = jnp.take_along_axis(example.x0, view[:, None, None, None], axis=1)
        condition = example.condition._replace(
            observed=example.condition.observed[:, :1],
            confidence=example.condition.confidence[:, :1] * told[:, None, None, None],
        )
        t = draw_times(draw, count, config.noisiest)
        noisy = add_noise(x0, jax.random.normal(noise, x0.shape), t)
        loss = movement_loss(merge(graph, params)(noisy, t, condition), x0, example.safe)
        return loss, {"movement": loss}

    return loss_fn


def regressed_points(graph: nnx.GraphDef, params: Params, example: Example) -> Array:
    """What the regressor makes of a batch of examples: (batch, time, joints, 3) in their frames, metres."""
    frame, told = jax.vmap(regressor_input)(example.n, example.rig, example.condition)
    return predict_points(graph, params, frame, told)


def regressor_loss(graph: nnx.GraphDef, frames: int, config: LossConfig) -> LossFn:
    """L1 on the 3D points: hip-relative, root and velocity."""

    def loss_fn(params: Params, batch: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Scalars]:
        example = make_examples(batch, key, frames, config)
        scalars = points_losses(regressed_points(graph, params, example), example.points, example.safe)
        return weighted_sum(scalars, config, POINT_TERMS), scalars

    return loss_fn
