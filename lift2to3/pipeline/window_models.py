"""Window models: a few windows of observations in one jitted call → 3D points and how sure they are.

Whatever lifts windows – the multi-view denoiser by sampling, the direct regressor in one pass – looks the
same from outside, so that one driver (`lift2to3.pipeline.lift`) serves them all.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float

from lift2to3.disk_cache import Kept
from lift2to3.geometry.cameras import View
from lift2to3.models.denoiser import Denoiser, DenoiserConfig
from lift2to3.models.diffusion import ddim
from lift2to3.models.multiview import MultiViewConfig, lift_views, make_consistent, set_up
from lift2to3.models.params import Params, describe, merge
from lift2to3.models.regressor import Regressor, RegressorConfig, predict_points, regressor_input
from lift2to3.representation import CHANNELS
from lift2to3.skeletons import MIRROR

_describe = functools.cache(describe)


@runtime_checkable
class WindowModel(Protocol):
    """A few windows at a time: view, image points, confidence → points and spread. Hashable: compiled once.

    Attributes:
        multiview: says which frame clips are lifted in (`lift2to3.models.multiview.frame_of`).
        frames: length of a window at 30 fps.
        noise_shape: of the standard normal numbers that it takes for each of the clip's frames.
        shapes: of its parameters, by path.
    """

    @property
    def multiview(self) -> MultiViewConfig: ...  # noqa: D102

    @property
    def frames(self) -> int: ...  # noqa: D102

    @property
    def noise_shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]: ...  # noqa: D102

    def __call__(
        self,
        params: Params,
        view: View,
        n: Float[Array, "batch time joints 2"],
        confidence: Float[Array, "batch time joints"],
        noise: Float[Array, "batch time *noise_shape"],
    ) -> tuple[Float[Array, "batch time joints 3"], Float[Array, "batch time joints"]]:
        """Points in the camera's frame of reference and their spread, metres; NaN where it is unknown.

        Args:
            params: by path.
            view: the real camera in its frame (`frame_of`), the same for every window.
            n: observed normalised image points; anything where the confidence is 0.
            confidence: 0–1.
            noise: standard normal; overlapping windows share it.
        """
        ...


@dataclasses.dataclass(frozen=True)
class DenoisedWindows:
    """The multi-view denoiser, sampled (Mocap-2-to-3 sec. 3.5).

    Each DDIM step predicts every view's clean motion, triangulates it with the observed rays, projects the
    points back into the views and goes on from there; with `MultiViewConfig.consistent` off it goes on from
    the prediction itself. The spread is the points' rms distance to the rays that make them.

    Attributes:
        model: the denoiser's configuration.
        multiview: how its views are set up.
        frames: length of a window at 30 fps, as trained.
        mirror: average each prediction with that of the mirrored observations; twice the work.
        steps: DDIM steps.
    """

    model: DenoiserConfig
    multiview: MultiViewConfig
    frames: int
    mirror: bool = True
    steps: int = 1

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """A movement for each view."""
        return (self.multiview.views, CHANNELS)

    @property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Of the parameters, by path."""
        return _describe(Denoiser, self.model)[1]

    def __call__(
        self, params: Params, view: View, n: Array, confidence: Array, noise: Array
    ) -> tuple[Array, Array]:
        """As `WindowModel` says."""
        denoiser = merge(_describe(Denoiser, self.model)[0], params)
        views, n, confidence = clips_seen_by(view, n, confidence, self.mirror)
        noise = noise.swapaxes(1, 2)
        noise = jnp.concatenate([noise, noise]) if self.mirror else noise
        rig, condition = jax.vmap(functools.partial(set_up, config=self.multiview))(views, n, confidence)
        lift = jax.vmap(functools.partial(lift_views, config=self.multiview))
        reproject = jax.vmap(functools.partial(make_consistent, config=self.multiview))

        def denoise(x: Array, t: Array) -> tuple[Array, tuple[Array, Array]]:
            predicted = denoiser(x, t, condition)
            points, spread = lift(predicted, n, confidence, rig)
            if self.mirror:
                mean = _mean_of_mirrored(points)
                points = jnp.concatenate([mean, mirror_points(mean)])
            return reproject(points, rig) if self.multiview.consistent else predicted, (points, spread)

        points, spread = ddim(denoise, noise, self.steps)
        half = len(points) // 2 if self.mirror else len(points)
        return points[:half], spread[:half]


@dataclasses.dataclass(frozen=True)
class RegressedWindows:
    """The direct regressor: one pass, and nothing that says how sure it is.

    Attributes:
        model: the regressor's configuration.
        multiview: how its view is set up.
        frames: length of a window at 30 fps, as trained.
        mirror: average each prediction with that of the mirrored observations; twice the work.
    """

    model: RegressorConfig
    multiview: MultiViewConfig
    frames: int
    mirror: bool = True

    noise_shape = (0,)

    @property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Of the parameters, by path."""
        return _describe(Regressor, self.model)[1]

    def __call__(
        self, params: Params, view: View, n: Array, confidence: Array, noise: Array
    ) -> tuple[Array, Array]:
        """As `WindowModel` says."""
        graph, unknown = _describe(Regressor, self.model)[0], jnp.full(confidence.shape, jnp.nan)
        views, n, confidence = clips_seen_by(view, n, confidence, self.mirror)
        rig, condition = jax.vmap(functools.partial(set_up, config=self.multiview))(views, n, confidence)
        points = predict_points(graph, params, *jax.vmap(regressor_input)(n, rig, condition))
        return _mean_of_mirrored(points) if self.mirror else points, unknown


@functools.lru_cache(maxsize=32)
def compiled(model: WindowModel, devices: int = 1) -> Callable[..., tuple[Array, Array]]:
    """A window model jitted, its windows spread over so many devices; shared by all lifters there are."""
    if devices == 1:
        return Kept(model, repr(model) if type(model) in (DenoisedWindows, RegressedWindows) else None)
    mesh = jax.make_mesh(
        (devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.local_devices()[:devices]
    )
    one, each = PartitionSpec(), PartitionSpec("data")
    spread = jax.shard_map(  # each device has its own windows: nothing is exchanged
        model, mesh=mesh, in_specs=(one, one, each, each, each), out_specs=each, check_vma=False
    )
    return jax.jit(spread)


def devices_for(windows: int) -> int:
    """How many of this process's devices so many windows are spread over: a power of two, none left idle."""
    return 1 << (min(jax.local_device_count(), windows).bit_length() - 1)


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


def _mean_of_mirrored(points: Float[Array, "clip time joints 3"]) -> Float[Array, "batch time joints 3"]:
    """The windows' points averaged with those of their mirrored selves, which follow them."""
    ours, theirs = jnp.split(points, 2)
    return (ours + mirror_points(theirs)) / 2
