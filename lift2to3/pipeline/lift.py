"""The lifter: 2D keypoints and a calibrated camera in, absolute 3D motion in metres out.

The way the data takes: pixels → normalised image points of the canonical set, at 30 fps → the
camera's canonical frame → overlapping windows → sampled and triangulated → blended → the user's
world and rate → feet refined, where the keypoints show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.signal import savgol_filter

from lift2to3.checkpoint import check_shapes, config_from_dict, load_weights
from lift2to3.conventions import MODEL_FPS
from lift2to3.geometry.cameras import Camera, View
from lift2to3.geometry.rigs import canonical_frame
from lift2to3.models.denoiser import DenoiserConfig, describe
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.motion import Keypoints, Motion
from lift2to3.pipeline.check_setup import check_setup
from lift2to3.pipeline.disk_cache import use_disk_cache
from lift2to3.pipeline.observations import canonical_observations
from lift2to3.pipeline.refine_feet import shipped_refiner, shows_feet
from lift2to3.pipeline.sample import compiled_sampler
from lift2to3.pipeline.windows import blend, resample_observations, resample_points, supported, window_starts
from lift2to3.representation import CHANNELS
from lift2to3.skeletons import CANONICAL

WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights"
DEFAULT_WEIGHTS = "small"
DEFAULT_STEPS = 1
_SMOOTHED_FRAMES = 5  # at 30 fps: takes the seams of 4-frame tokens away, changes true motion by under 1 mm
_CALL_SIZES = (1, 2, 4)
"""Windows per call: few shapes, so that few are ever compiled; more would cost memory, not save time."""

_canonical_frame = jax.jit(canonical_frame)

Progress = Callable[[int, int], None]
"""Called with (windows done, windows in all)."""

Part = tuple[int, Float[np.ndarray, "window joints 4"]]


class Lifter:
    """A multi-view denoiser with its configuration, ready to lift.

    Args:
        params: parameters by path.
        model: the denoiser's configuration, which must be that of the parameters.
        multiview: how its views are set up.
        frames: length of a window at 30 fps, as trained.
        mirror: average each prediction with that of the mirrored observations; twice the work.

    Raises:
        ValueError: parameters of another configuration.
    """

    def __init__(
        self,
        params: Mapping[str, Array | np.ndarray],
        model: DenoiserConfig,
        multiview: MultiViewConfig,
        frames: int,
        mirror: bool = True,
    ):
        """Check the parameters against the model that the configuration describes."""
        self.model, self.multiview, self.frames, self.mirror = model, multiview, frames, mirror
        self.graph, wanted = describe(model)
        check_shapes(params, wanted, "lifter")
        self.params = jax.device_put(dict(params))

    @classmethod
    def from_pretrained(cls, weights: str | Path = DEFAULT_WEIGHTS) -> Lifter:
        """Load shipped weights by name, or a file that ``finetune_multiview.py`` wrote.

        Raises:
            ValueError: an unknown name (the known ones are listed), or a damaged or foreign file.
            FileNotFoundError: no such file.
        """
        path = Path(weights)
        if path.suffix != ".safetensors":
            path = WEIGHTS_FOLDER / f"{weights}.safetensors"
            if not path.is_file():
                known = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors"))
                raise ValueError(
                    f"unknown weights {str(weights)!r}; shipped: {', '.join(known) or 'none'}. "
                    "For a file of your own give its path, ending in .safetensors."
                )
        loaded = load_weights(path)
        missing = {"model", "multiview", "frames"} - set(loaded.config)
        if missing:
            raise ValueError(
                f"{path}: no {', '.join(sorted(missing))} in its config: these are not a lifter's weights "
                "(G_2D's? finetune them first)"
            )
        model = config_from_dict(DenoiserConfig, loaded.config["model"], str(path))
        multiview = config_from_dict(MultiViewConfig, loaded.config["multiview"], str(path))
        return cls(loaded.params, model, multiview, int(loaded.config["frames"]))

    def lift(
        self,
        keypoints: Keypoints,
        camera: Camera,
        steps: int | None = None,
        samples: int = 1,
        seed: int = 0,
        progress: Progress | None = None,
        feet: bool = True,
    ) -> Motion:
        """Absolute 3D motion of the person whose keypoints these are.

        Args:
            keypoints: what `lift2to3.as_keypoints` returns.
            camera: the camera that saw them; its extrinsics define the world.
            steps: denoising steps; None for the default.
            samples: how many motions to sample; their mean is returned, their standard deviation
                is the spread.
            seed: of the samples.
            progress: called as windows get done.
            feet: refine the feet (`lift2to3.pipeline.refine_feet`) where the format shows heels and toes.

        Raises:
            ValueError: camera and keypoints that cannot belong together, or steps or samples < 1.
        """
        steps = DEFAULT_STEPS if steps is None else steps
        if steps < 1 or samples < 1:
            raise ValueError(f"steps and samples: wanted 1 or more, found {steps} and {samples}")
        use_disk_cache()
        n, confidence = canonical_observations(keypoints, camera)
        check_setup(camera, n, confidence)
        n, confidence = resample_observations(n, confidence, keypoints.fps, MODEL_FPS)
        frame, view = jax.device_get(_canonical_frame(View(jnp.asarray(camera.R), jnp.asarray(camera.t))))
        windows = _Windows(view, n.astype(np.float32), confidence.astype(np.float32), self.frames)
        points, spread = self._sample(windows, steps, samples, seed, progress)
        if len(points) >= _SMOOTHED_FRAMES:
            points = savgol_filter(points, _SMOOTHED_FRAMES, polyorder=2, axis=0)
        points = points @ frame.world_from_frame.T.astype(float) + frame.origin_world
        count = len(keypoints.xy_px)
        points = resample_points(points, MODEL_FPS, keypoints.fps, count).astype(np.float32)
        spread = resample_points(spread, MODEL_FPS, keypoints.fps, count).clip(0.0).astype(np.float32)
        valid = np.repeat(supported(keypoints.confidence, keypoints.fps)[:, None], len(CANONICAL), axis=1)
        points[~valid] = np.nan
        motion = Motion(points, CANONICAL, keypoints.fps, valid, spread)
        if feet and shows_feet(keypoints.skeleton):
            return shipped_refiner().refine_points(motion, keypoints, camera)
        return motion

    def _sample(
        self, windows: _Windows, steps: int, samples: int, seed: int, progress: Progress | None
    ) -> tuple[Float[np.ndarray, "time joints 3"], Float[np.ndarray, "time joints"]]:
        """Points and spread in the canonical frame, at the model's rate."""
        count, frames = len(windows.starts), len(windows.n)
        total, square = np.zeros(0), np.zeros(0)
        for sample in range(samples):
            parts = self._lifted_windows(windows, steps, [seed, sample])
            if progress is not None:
                parts = _watched(parts, progress, sample * count, samples * count)
            mean = blend(parts, frames)
            if samples == 1:
                return mean[..., :3], mean[..., 3]
            total, square = (total + mean, square + mean**2) if sample else (mean, mean**2)
        points = total[..., :3] / samples
        variance = (square[..., :3] - samples * points**2).clip(0.0).sum(-1) / (samples - 1)
        return points, np.sqrt(variance)

    def _lifted_windows(self, windows: _Windows, steps: int, seed: list[int]) -> Iterator[Part]:
        """Each window's first frame, and its points and spread side by side."""
        sampler = compiled_sampler(self.graph, steps, self.mirror, self.multiview)
        # noise belongs to the clip's frames, not to windows: overlapping windows share it
        shape = (windows.index.max() + 1, self.multiview.views, CHANNELS)
        noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        count = len(windows.starts)
        per_call = next(size for size in _CALL_SIZES if size >= min(count, _CALL_SIZES[-1]))
        for first in range(0, count, per_call):
            # the last call is filled up with its last window: every call has the same shape
            rows = windows.index[np.minimum(np.arange(first, first + per_call), count - 1)]
            seen = rows < len(windows.n)
            within = rows.clip(0, len(windows.n) - 1)
            points, spread = sampler(
                self.params,
                windows.view,
                jnp.asarray(windows.n[within]),
                jnp.asarray(windows.confidence[within] * seen[..., None]),
                jnp.asarray(noise[rows].swapaxes(1, 2)),
            )
            parts = np.concatenate([points, np.asarray(spread)[..., None]], axis=-1)
            yield from zip(windows.starts[first : first + per_call].tolist(), parts, strict=False)


class _Windows:
    """A clip's observations at the model's rate, and how it is cut."""

    def __init__(
        self,
        view: View,
        n: Float[np.ndarray, "time joints 2"],
        confidence: Float[np.ndarray, "time joints"],
        window: int,
    ):
        self.view = View(jnp.asarray(view.cam_from_world), jnp.asarray(view.translation))
        self.n, self.confidence = n, confidence
        self.starts = window_starts(len(n), window)
        self.index = self.starts[:, None] + np.arange(window)


def _watched(parts: Iterator[Part], progress: Progress, done: int, every: int) -> Iterator[Part]:
    """The same parts, with progress told after each."""
    for part in parts:
        yield part
        done += 1
        progress(done, every)


_default: dict[str, Lifter] = {}


def lift(
    keypoints: Keypoints,
    camera: Camera,
    steps: int | None = None,
    samples: int = 1,
    seed: int = 0,
    weights: str | Path = DEFAULT_WEIGHTS,
    progress: Progress | None = None,
    feet: bool = True,
) -> Motion:
    """`Lifter.lift` with shipped weights, which are loaded once per process."""
    if str(weights) not in _default:
        _default[str(weights)] = Lifter.from_pretrained(weights)
    return _default[str(weights)].lift(keypoints, camera, steps, samples, seed, progress, feet)
