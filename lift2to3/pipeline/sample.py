"""Sampling the views of a few windows and triangulating them, in one jitted call."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from lift2to3.disk_cache import fast_jit
from lift2to3.geometry.cameras import View
from lift2to3.models.denoiser import Params, merge
from lift2to3.models.diffusion import ddim
from lift2to3.models.multiview import MultiViewConfig, lift_views, make_consistent, set_up
from lift2to3.skeletons import MIRROR

Sampler = Callable[..., tuple[Array, Array]]
"""Of parameters, view, image points, confidence and noise, as in `sample_windows`: points and spread."""


def mirror_points(points: Float[Array, "*batch joints coord"]) -> Float[Array, "*batch joints coord"]:
    """Left and right swapped by reflecting x: of 3D points in a canonical frame, or of image points."""
    return jnp.take(points, jnp.asarray(MIRROR), axis=-2).at[..., 0].multiply(-1.0)


def mirror_view(view: View) -> View:
    """The camera that sees mirrored points where `mirror_points` puts the seen ones: roll turned over."""
    flip = jnp.array([-1.0, 1.0, 1.0], view.translation.dtype)
    return View(flip[:, None] * view.cam_from_world * flip[None, :], flip * view.translation)


def clips_seen_by(
    view: View,
    n: Float[Array, "batch time joints 2"],
    confidence: Float[Array, "batch time joints"],
    mirror: bool,
) -> tuple[View, Float[Array, "clip time joints 2"], Float[Array, "clip time joints"]]:
    """The one camera for each window; with ``mirror``, followed by the mirrored windows and cameras."""
    for_each = lambda one: jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(n), *leaf.shape)), one)  # noqa: E731
    if not mirror:
        return for_each(view), n, confidence
    views = jax.tree.map(lambda *both: jnp.concatenate(both), for_each(view), for_each(mirror_view(view)))
    other = jnp.take(confidence, jnp.asarray(MIRROR), axis=-1)
    return views, jnp.concatenate([n, mirror_points(n)]), jnp.concatenate([confidence, other])


def sample_windows(
    graph: nnx.GraphDef,
    params: Params,
    view: View,
    n: Float[Array, "batch time joints 2"],
    confidence: Float[Array, "batch time joints"],
    noise: Float[Array, "batch view time channels"],
    steps: int,
    mirror: bool,
    config: MultiViewConfig,
) -> tuple[Float[Array, "batch time joints 3"], Float[Array, "batch time joints"]]:
    """Windows of observed image points → 3D points in the camera's frame of reference.

    Each DDIM step predicts every view's clean motion, triangulates it with the observed rays,
    projects the points back into the views and goes on from there (Mocap-2-to-3 sec. 3.5); with
    `MultiViewConfig.consistent` off it goes on from the prediction itself.

    Args:
        graph: the denoiser's static part.
        params: its parameters.
        view: the real camera in its frame (`frame_of`), the same for every window.
        n: observed normalised image points; anything where the confidence is 0.
        confidence: 0–1.
        noise: standard normal, where sampling starts.
        steps: DDIM steps.
        mirror: at each step, average with what the mirrored observations give.
        config: views and weights.

    Returns:
        Points and their spread (rms distance to the rays that make them), metres.
    """
    denoiser = merge(graph, params)
    views, n, confidence = clips_seen_by(view, n, confidence, mirror)
    noise = jnp.concatenate([noise, noise]) if mirror else noise
    rig, condition = jax.vmap(functools.partial(set_up, config=config))(views, n, confidence)
    lift = jax.vmap(functools.partial(lift_views, config=config))
    reproject = jax.vmap(functools.partial(make_consistent, config=config))

    def denoise(x: Array, t: Array) -> tuple[Array, tuple[Array, Array]]:
        predicted = denoiser(x, t, condition)
        points, spread = lift(predicted, n, confidence, rig)
        if mirror:
            ours, theirs = jnp.split(points, 2)
            mean = (ours + mirror_points(theirs)) / 2
            points = jnp.concatenate([mean, mirror_points(mean)])
        return reproject(points, rig) if config.consistent else predicted, (points, spread)

    points, spread = ddim(denoise, noise, steps)
    half = len(points) // 2 if mirror else len(points)
    return points[:half], spread[:half]


@functools.lru_cache(maxsize=32)
def compiled_sampler(graph: nnx.GraphDef, steps: int, mirror: bool, config: MultiViewConfig) -> Sampler:
    """`sample_windows` jitted for one model and way of sampling, shared by every lifter in the process."""

    def sample(params: Params, view: View, n: Array, confidence: Array, noise: Array) -> tuple[Array, Array]:
        return sample_windows(graph, params, view, n, confidence, noise, steps, mirror, config)

    return fast_jit(sample)
