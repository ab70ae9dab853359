"""Around the multi-view denoiser: what it is told of a clip, and how its views become 3D.

Everything here is for one clip; `jax.vmap` gives the batch. Training and lifting both go through
these functions, so that inference meets what training saw.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.conventions import MISSING_CONFIDENCE, TRUSTED_CONFIDENCE
from lift2to3.geometry.cameras import View, project, ray_directions
from lift2to3.geometry.ground import foot_hits, ground_pointmap, guess_person
from lift2to3.geometry.rigs import Frame, Rig, canonical_frame, unturned_frame, virtual_rig
from lift2to3.geometry.rotations import sixd_from_matrix
from lift2to3.geometry.triangulation import triangulate
from lift2to3.models.denoiser import Condition
from lift2to3.representation import decode, decode_coupled, encode, encode_coupled


@dataclasses.dataclass(frozen=True)
class MultiViewConfig:
    """How views are set up and put together.

    Attributes:
        views: the real camera and this many less one virtual ones. With 1 there is nothing to
            triangulate: a point then lies where its ray meets the `billboard`, and the spread is 0.
        pointmap_resolution: as the denoiser's.
        observed_share: how far fully confident observations replace the denoiser's own view 0.
        observed_frames: standard deviation of the time filter on what they change in it.
        observed_weight: weight of a fully confident observed ray beside the virtual ones' 1.
        decoupled: local pose and global movement (eq. 1); False is the ablation.
        canonical: lift in `canonical_frame`; False is the ablation, in `unturned_frame`, where the
            result depends on how the user turned the world about z.
        consistent: each sampling step goes on from what its views triangulate to, reprojected
            (Mocap-2-to-3 sec. 3.5); False is the ablation: every view is denoised on its own and
            only the last step's are triangulated. Training does not look at it, and one step has
            nothing to go on to.
    """

    views: int = 4
    pointmap_resolution: int = 24
    observed_share: float = 0.9
    observed_frames: float = 1.0
    observed_weight: float = 2.0
    decoupled: bool = True
    canonical: bool = True
    consistent: bool = True


LATER_SWITCHES: Final = {"canonical": True, "consistent": True}
"""Fields of `MultiViewConfig` that older weights files do not name, with what those were trained with."""


def frame_of(view: View, config: MultiViewConfig) -> tuple[Frame, View]:
    """The frame that clips of this camera are lifted in, and the camera expressed in it."""
    return (canonical_frame if config.canonical else unturned_frame)(view)


def to_movement(
    n: Float[Array, "view time joints 2"], seen: Array, rig: Rig, config: MultiViewConfig
) -> Float[Array, "view time channels"]:
    """Image points of every view in the representation that the denoiser works in."""
    return (encode if config.decoupled else encode_coupled)(n, seen, rig)


def to_image(
    x: Float[Array, "view time channels"], rig: Rig, config: MultiViewConfig
) -> Float[Array, "view time joints 2"]:
    """Inverse of `to_movement`."""
    return (decode if config.decoupled else decode_coupled)(x, rig)


def project_to_views(points: Float[Array, "time joints 3"], rig: Rig) -> Float[Array, "view time joints 2"]:
    """Normalised image points of a motion in every view of the rig."""
    flat = points.reshape(1, -1, 3)
    n = project(rig.views, jnp.broadcast_to(flat, (len(rig.aim_depth_m), *flat.shape[1:])))
    return n.reshape(-1, *points.shape[:2], 2)


def billboard(view: View, n: Float[Array, "time joints 2"], rig: Rig) -> Float[Array, "time joints 3"]:
    """The person as a flat upright billboard at the guess: observed rays carried to that plane.

    Right in all but depth, metres, pitch and roll taken out: a foot under the floor here means that
    the person stands nearer. Seen from the virtual views it is the start that the denoiser corrects.
    """
    directions = ray_directions(view, n.reshape(-1, 2)).reshape(*n.shape[:2], 3)
    away = (rig.aim_world - view.centre)[:2]
    distance = jnp.sqrt((away**2).sum() + 1e-6)
    forward = away / distance
    sideways = jnp.stack([forward[1], -forward[0]])
    depth = distance / jnp.maximum(directions[..., :2] @ forward, 0.1)
    beside = (depth * (directions[..., :2] @ sideways)).clip(-6.0, 6.0)
    above = (view.centre[2] + depth * directions[..., 2]).clip(-4.0, 6.0)
    x, y = (rig.aim_world[axis] + beside * sideways[axis] for axis in (0, 1))
    return jnp.stack([x, y, above], -1)


def presence(confidence: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """How far a keypoint is there: 0 up to `MISSING_CONFIDENCE`, 1 from `TRUSTED_CONFIDENCE` on; smooth."""
    share = (confidence - MISSING_CONFIDENCE) / (TRUSTED_CONFIDENCE - MISSING_CONFIDENCE)
    share = share.clip(0.0, 1.0)
    return share**2 * (3 - 2 * share)


def set_up(
    view: View,
    n: Float[Array, "time joints 2"],
    confidence: Float[Array, "time joints"],
    config: MultiViewConfig,
) -> tuple[Rig, Condition]:
    """First guess, virtual cameras, and all that the denoiser is told of one clip.

    The view is the real camera in the frame of `frame_of`; ``n`` are observed normalised image points,
    anything where the confidence (0–1) is 0. As that falls, a keypoint's part in all of it goes to that of a
    missing one (`presence`).
    """
    seen = presence(confidence)
    n = jnp.where((seen > 0)[..., None], n, 0.0)
    guess = guess_person(view, n, seen)
    rig = virtual_rig(view, guess, config.views)
    flat = project_to_views(billboard(view, n, rig), rig)
    of_views = lambda of_real: jnp.zeros((config.views, *of_real.shape)).at[0].set(of_real)  # noqa: E731
    observed, confidence_views = (
        to_movement(of_views(n), of_views(seen), rig, config),
        of_views(seen * confidence),
    )
    camera = jnp.concatenate(
        [sixd_from_matrix(rig.views.cam_from_world), rig.centres_from_guess / 5.0], axis=-1
    )
    ground = jnp.broadcast_to(guess.ground_world, (config.views, 3))
    pointmap = ground_pointmap(rig.views, rig.aim_n, ground, config.pointmap_resolution)
    flat = to_movement(flat, jnp.broadcast_to(seen, flat.shape[:-1]), rig, config)
    feet = foot_hits(view, n, seen, guess.ground_world)
    return rig, Condition(observed, confidence_views, camera, flat, feet, pointmap)


def lift_views(
    x: Float[Array, "view time channels"],
    n: Float[Array, "time joints 2"],
    confidence: Float[Array, "time joints"],
    rig: Rig,
    config: MultiViewConfig,
) -> tuple[Float[Array, "time joints 3"], Float[Array, "time joints"]]:
    """Predicted views → 3D (Mocap-2-to-3 sec. 3.5); the observed rays take view 0's place.

    They do so low-passed: where a joint is comes from the picture, how it trembles from the prior,
    since a detector's jitter is larger than the denoiser's.

    Returns:
        Points in the rig's frame and their spread (rms distance to the rays), metres. A single view's
        points lie on the `billboard`, with spread 0.
    """
    predicted = to_image(x, rig, config)
    confidence = presence(confidence) * confidence
    seen = confidence[..., None]
    change = seen * (jnp.where(seen > 0, n, 0.0) - predicted[0])
    smooth = _gaussian_filter(len(n), config.observed_frames)
    first = predicted[0] + config.observed_share * jnp.einsum("ts,sjc->tjc", smooth, change)
    if config.views == 1:
        view = View(rig.views.cam_from_world[0], rig.views.translation[0])
        return billboard(view, first, rig), jnp.zeros_like(confidence)
    views = jnp.concatenate([first[None], predicted[1:]])
    weights = jnp.ones(views.shape[:-1]).at[0].add((config.observed_weight - 1) * confidence)
    flat = views.reshape(len(views), -1, 2)
    points, spread = triangulate(rig.views, flat, weights.reshape(len(views), -1))
    return points.reshape(*n.shape[:2], 3), spread.reshape(n.shape[:2])


def _gaussian_filter(frames: int, deviation: float) -> Float[Array, "time time"]:
    """Rows average over time with Gaussian weights (deviation in frames) that sum to 1 at the ends too."""
    apart = np.arange(frames)[:, None] - np.arange(frames)
    weights = np.exp(-0.5 * (apart / max(deviation, 1e-3)) ** 2)
    return jnp.asarray(weights / weights.sum(1, keepdims=True), jnp.float32)


def make_consistent(
    points: Float[Array, "time joints 3"], rig: Rig, config: MultiViewConfig
) -> Float[Array, "view time channels"]:
    """The movement of every view that these 3D points have: reproject and re-encode."""
    n = project_to_views(points, rig)
    return to_movement(n, jnp.ones(n.shape[:-1], bool), rig, config)
