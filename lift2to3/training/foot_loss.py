"""`loss_fn(params, batch, key)` of the foot lifter: clips posed, filmed and detected on the device.

A batch is windows of rotations. Each is varied, posed by forward kinematics and projected; its feet are
then told as an estimator of whole bodies would have them, and the lifter is to find the true ones back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.data.augment import UNCHANGED, AugmentConfig
from lift2to3.data.augment_body import FootTurnConfig, augment_body
from lift2to3.data.foot_detector import FootDetectorConfig, detect_feet
from lift2to3.data.initial_feet import FloorErrorConfig, InitialErrorConfig, corrupt_feet, tell_floor
from lift2to3.data.random_cameras import CameraConfig, random_view
from lift2to3.data.windows import Stream, WindowConfig, body_window_batches
from lift2to3.geometry.cameras import to_camera
from lift2to3.geometry.rotations import geodesic_angle, matrix_from_6d, sixd_from_matrix
from lift2to3.models.foot_lifter import (
    FootInput,
    FootLifterConfig,
    in_camera_frame,
    in_own_frame,
    soles_in_box,
)
from lift2to3.models.params import Params, merge
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import rows_by_side
from lift2to3.training.loop import Validate
from lift2to3.training.losses import LossFn, Scalars, masked_mean, weighted_sum

_HIPS, _KNEES, _ANKLES = rows_by_side("hip", "knee", "ankle").T


@dataclasses.dataclass(frozen=True)
class FootLossConfig:
    """Weights of the objective, and what examples are made of.

    Attributes:
        angle: weight of the rotations' chordal distance.
        velocity: of the error's change from frame to frame.
        six: of L1 on the 6D numbers, which keeps them of length one.
        size: deviation of the told foot's size, relative.
    """

    angle: float = 1.0
    velocity: float = 1.0
    six: float = 0.2
    size: float = 0.08
    augment: AugmentConfig = AugmentConfig()
    turns: FootTurnConfig = FootTurnConfig()
    cameras: CameraConfig = CameraConfig()
    detector: FootDetectorConfig = FootDetectorConfig()
    initial: InitialErrorConfig = InitialErrorConfig()
    floor: FloorErrorConfig = FloorErrorConfig()


def make_foot_example(
    key: PRNGKeyArray,
    batch: dict[str, Array],
    donor: Float[Array, "38 3"],
    frames: int,
    config: FootLossConfig,
) -> tuple[FootInput, Float[Array, "time feet 3 3"]]:
    """One clip's input and its true ankles in the camera's frame.

    Nobody knows a person's feet from their keypoints: the foot that the lifter is told of is another
    person's (``donor``), in this one's size, at a depth that is somewhat off.
    """
    keys = jax.random.split(key, 6)
    body, present = augment_body(
        keys[0], batch["quaternions"], batch["root_translation"], batch["rest_offsets"],
        batch["frames_valid"], frames, config.augment, config.turns,
    )  # fmt: skip
    world, points = body.posed()
    view = random_view(keys[1], points, config.cameras)
    legs = jnp.einsum("ij,tljk->tlik", view.cam_from_world, world[:, np.r_[_HIPS, _KNEES, _ANKLES]])
    hips, knees, ankles = legs[:, :2], legs[:, 2:4], legs[:, 4:]
    seen_points, seen, box = detect_feet(keys[2], view, points, config.detector)
    first_knees, first_ankles = corrupt_feet(keys[3], knees, ankles, config.initial)
    size = _leg(body.rest_offsets) / _leg(donor) * jnp.exp(config.size * jax.random.normal(keys[4]))
    depth = to_camera(view, points[:, _ANKLES].reshape(-1, 3))[:, 2].reshape(-1, 2)
    soles = jnp.asarray(soles_in_box(size * donor, depth, box))
    up, height = tell_floor(keys[5], view.cam_from_world[:, 2], points[:, _ANKLES, 2], config.floor)
    seen = seen & present[:, None]
    given = FootInput(seen_points, seen, box, hips, first_knees, first_ankles, soles, up, height, present)
    return given, ankles


def _leg(rest_offsets: Float[Array, "38 3"]) -> Float[Array, ""]:
    return jnp.linalg.norm(rest_offsets[np.r_[_KNEES, _ANKLES]], axis=-1).sum()


def make_foot_examples(
    key: PRNGKeyArray, batch: dict[str, Array], frames: int, config: FootLossConfig
) -> tuple[FootInput, Float[Array, "batch time feet 3 3"]]:
    """A batch of examples; each clip's neighbour in the batch lends it its feet."""
    one = lambda key, item, donor: make_foot_example(key, item, donor, frames, config)  # noqa: E731
    keys = jax.random.split(key, len(batch["frames_valid"]))
    return jax.vmap(one)(keys, batch, jnp.roll(batch["rest_offsets"], 1, axis=0))


def foot_loss(graph: nnx.GraphDef, frames: int, model: FootLifterConfig, config: FootLossConfig) -> LossFn:
    """Loss of the foot lifter: how far its ankles' rotations are from the true ones."""

    def loss_fn(params: Params, batch: dict[str, Array], key: PRNGKeyArray) -> tuple[Array, Scalars]:
        make, drop = jax.random.split(key)
        given, ankles = make_foot_examples(make, batch, frames, config)
        true = in_own_frame(ankles, given.knees, model)
        six = merge(graph, params)(given, drop)
        error = matrix_from_6d(six) - true
        both = given.present[:, 1:] & given.present[:, :-1]
        step = error[:, 1:] - error[:, :-1]
        scalars = {
            "angle": masked_mean(_chordal(error), given.present),
            "velocity": masked_mean(_chordal(step), both),
            "six": masked_mean(jnp.abs(six - sixd_from_matrix(true)), given.present),
        }
        loss = weighted_sum(scalars, config, tuple(scalars))
        scalars["ajae_deg"] = jnp.degrees(
            masked_mean(geodesic_angle(matrix_from_6d(six), true), given.present)
        )
        return loss, scalars

    return loss_fn


def _chordal(difference: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """Frobenius norm over √2: the angle in radians, where that is small."""
    return jnp.sqrt((difference**2).sum((-1, -2)) / 2 + 1e-8)


def foot_validator(
    graph: nnx.GraphDef,
    bodies: Mapping[str, Sequence[BodyMotion]],
    frames: int,
    model: FootLifterConfig,
    config: FootLossConfig,
    windows: int = 128,
) -> Validate:
    """Mean ankle angle error, degrees, of initial and refined feet on fixed windows per set of clips.

    Clips are as recorded, on upright bodies; cameras, detections and initial errors are as in training.
    """
    config = dataclasses.replace(config, augment=UNCHANGED, turns=FootTurnConfig(share=0, root=0))
    size = WindowConfig(frames=frames, batch=windows, reader="numpy")
    make = jax.jit(lambda key, batch: make_foot_examples(key, batch, frames, config))
    sets = {}
    for name, group in bodies.items():
        batch = next(body_window_batches(group, size, Stream(seed=0)))
        sets[name] = make(jax.random.key(0), {key: jnp.asarray(part) for key, part in batch.items()})

    @jax.jit
    def angles(params: Params, given: FootInput, true: Array) -> tuple[Array, Array]:
        refined = in_camera_frame(matrix_from_6d(merge(graph, params)(given)), given.knees, model)
        return geodesic_angle(refined, true), geodesic_angle(given.ankles, true)

    def validate(params: Params) -> dict[str, float]:
        scores = {}
        for name, (given, true) in sets.items():
            keep: Bool[np.ndarray, "batch time"] = np.asarray(given.present)
            for what, angle in zip(("ajae", "ajae_initial"), angles(params, given, true), strict=True):
                scores[f"{name}_{what}"] = float(np.degrees(np.asarray(angle)[keep]).mean())
        return scores

    return validate
