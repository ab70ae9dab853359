"""The direct regressor behind the lifter's signature: the same way in and out, one network call between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from lift2to3.checkpoint import check_shapes, config_from_dict, load_weights
from lift2to3.disk_cache import use_disk_cache
from lift2to3.geometry.cameras import Camera, View
from lift2to3.models.denoiser import Params
from lift2to3.models.multiview import MultiViewConfig, set_up
from lift2to3.models.regressor import RegressorConfig, describe_regressor, predict_points, regressor_input
from lift2to3.motion import Keypoints, Motion
from lift2to3.pipeline.canonical_clip import (
    CanonicalClip,
    Part,
    Progress,
    as_motion,
    canonical_clip,
    cut,
    watched,
)
from lift2to3.pipeline.refine_feet import shipped_refiner, shows_feet
from lift2to3.pipeline.sample import clips_seen_by, mirror_points
from lift2to3.pipeline.windows import blend, window_starts
from lift2to3.weights_folder import weights_path

DEFAULT_WEIGHTS = "regressor"

Predictor = Callable[[Params, View, Array, Array], Array]


class Regressor:
    """A direct regressor with its configuration, ready to lift.

    Args:
        params: parameters by path.
        model: the regressor's configuration, which must be that of the parameters.
        multiview: how its view is set up.
        frames: length of a window at 30 fps, as trained.
        mirror: average each prediction with that of the mirrored observations; twice the work.

    Raises:
        ValueError: parameters of another configuration.
    """

    def __init__(
        self,
        params: Mapping[str, Array | np.ndarray],
        model: RegressorConfig,
        multiview: MultiViewConfig,
        frames: int,
        mirror: bool = True,
    ):
        """Check the parameters against the model that the configuration describes."""
        self.model, self.multiview, self.frames, self.mirror = model, multiview, frames, mirror
        self.graph, wanted = describe_regressor(model)
        check_shapes(params, wanted, "regressor")
        self.params = jax.device_put(dict(params))

    @classmethod
    def from_pretrained(cls, weights: str | Path = DEFAULT_WEIGHTS) -> Regressor:
        """Load shipped weights by name, or a file that ``experiments.train regressor`` wrote.

        Raises:
            ValueError: an unknown name (the known ones are listed), or a damaged or foreign file.
            FileNotFoundError: no such file.
        """
        path = weights_path(weights)
        loaded = load_weights(path)
        missing = {"regressor", "multiview", "frames"} - set(loaded.config)
        if missing:
            raise ValueError(
                f"{path}: no {', '.join(sorted(missing))} in its config: these are not a direct regressor's "
                "weights (experiments.train regressor writes them)"
            )
        model = config_from_dict(RegressorConfig, loaded.config["regressor"], str(path))
        multiview = config_from_dict(MultiViewConfig, loaded.config["multiview"], str(path))
        return cls(loaded.params, model, multiview, int(loaded.config["frames"]))

    def lift(
        self, keypoints: Keypoints, camera: Camera, progress: Progress | None = None, feet: bool = True
    ) -> Motion:
        """As `lift2to3.Lifter.lift`; the spread is 0, since nothing here says how sure it is.

        Args:
            keypoints: what `lift2to3.as_keypoints` returns.
            camera: the camera that saw them; its extrinsics define the world.
            progress: called as windows get done.
            feet: refine the feet, as the lifter does, where the format shows heels and toes.

        Raises:
            ValueError: camera and keypoints that cannot belong together.
        """
        use_disk_cache()
        clip = canonical_clip(keypoints, camera, self.multiview)
        count = len(window_starts(len(clip.n), self.frames))
        points = blend(watched(self._windows(clip), progress, 0, count), len(clip.n))
        motion = as_motion(points, np.zeros(points.shape[:2]), clip, keypoints)
        if feet and shows_feet(keypoints.skeleton):
            return shipped_refiner().refine_points(motion, keypoints, camera)
        return motion

    def _windows(self, clip: CanonicalClip) -> Iterator[Part]:
        """Each window's first frame and points."""
        predict = compiled_predictor(self.graph, self.mirror, self.multiview)
        view = View(jnp.asarray(clip.view.cam_from_world), jnp.asarray(clip.view.translation))
        for part in cut(clip, self.frames):
            points = predict(self.params, view, jnp.asarray(part.n), jnp.asarray(part.confidence))
            yield from zip(part.starts, np.asarray(points), strict=False)


def predict_windows(
    graph: nnx.GraphDef,
    params: Params,
    view: View,
    n: Float[Array, "batch time joints 2"],
    confidence: Float[Array, "batch time joints"],
    mirror: bool,
    config: MultiViewConfig,
) -> Float[Array, "batch time joints 3"]:
    """Windows of observed image points → 3D points in the frame that the camera is in.

    Args:
        graph: the regressor's static part.
        params: its parameters.
        view: the camera in its frame (`lift2to3.models.multiview.frame_of`), the same for every window.
        n: observed normalised image points; anything where the confidence is 0.
        confidence: 0–1.
        mirror: average with what the mirrored observations give.
        config: how the view is set up.
    """
    views, n, confidence = clips_seen_by(view, n, confidence, mirror)
    rig, condition = jax.vmap(functools.partial(set_up, config=config))(views, n, confidence)
    points = predict_points(graph, params, *jax.vmap(regressor_input)(n, rig, condition))
    if not mirror:
        return points
    ours, theirs = jnp.split(points, 2)
    return (ours + mirror_points(theirs)) / 2


@functools.lru_cache(maxsize=32)
def compiled_predictor(graph: nnx.GraphDef, mirror: bool, config: MultiViewConfig) -> Predictor:
    """`predict_windows` jitted for one model, shared by every regressor in the process."""

    def predict(params: Params, view: View, n: Array, confidence: Array) -> Array:
        return predict_windows(graph, params, view, n, confidence, mirror, config)

    return jax.jit(predict)
