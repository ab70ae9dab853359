"""The lifter: 2D keypoints and a calibrated camera in, absolute 3D motion in metres out.

The way the data takes: pixels → normalised image points of the canonical set, at 30 fps → the
camera's canonical frame → overlapping windows → sampled and triangulated → blended → the user's
world and rate → feet refined, where the keypoints show them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array, Float

from lift2to3.checkpoint import check_shapes, config_from_dict, load_weights
from lift2to3.disk_cache import use_disk_cache
from lift2to3.geometry.cameras import Camera
from lift2to3.models.denoiser import DenoiserConfig, describe
from lift2to3.models.multiview import LATER_SWITCHES, MultiViewConfig
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
from lift2to3.pipeline.sample import compiled_sampler
from lift2to3.pipeline.spread import SpreadCalibration, calibrated
from lift2to3.pipeline.windows import blend, window_starts
from lift2to3.representation import CHANNELS
from lift2to3.weights_folder import weights_path

DEFAULT_WEIGHTS = "small"
DEFAULT_STEPS = 1


class Lifter:
    """A multi-view denoiser with its configuration, ready to lift.

    Args:
        params: parameters by path.
        model: the denoiser's configuration, which must be that of the parameters.
        multiview: how its views are set up.
        frames: length of a window at 30 fps, as trained.
        mirror: average each prediction with that of the mirrored observations; twice the work.
        spread: how raw spreads become expected errors; None leaves them raw.

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
        spread: SpreadCalibration | None = None,
    ):
        """Check the parameters against the model that the configuration describes."""
        self.model, self.multiview, self.frames, self.mirror = model, multiview, frames, mirror
        self.spread = spread
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
        path = weights_path(weights)
        loaded = load_weights(path)
        missing = {"model", "multiview", "frames"} - set(loaded.config)
        if missing:
            raise ValueError(
                f"{path}: no {', '.join(sorted(missing))} in its config: these are not a lifter's weights "
                "(G_2D's? finetune them first)"
            )
        model = config_from_dict(DenoiserConfig, loaded.config["model"], str(path))
        told = LATER_SWITCHES | loaded.config["multiview"]
        multiview = config_from_dict(MultiViewConfig, told, str(path))
        told = loaded.config.get("spread")
        spread = None if told is None else config_from_dict(SpreadCalibration, told, str(path))
        return cls(loaded.params, model, multiview, int(loaded.config["frames"]), spread=spread)

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
            samples: how many motions to sample; their mean is returned.
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
        clip = canonical_clip(keypoints, camera, self.multiview)
        feet = feet and shows_feet(keypoints.skeleton)
        with ThreadPoolExecutor(max_workers=1) as beside:
            if feet:  # what a first lift compiles for them is compiled beside the sampler
                beside.submit(lambda: shipped_refiner().compile_for(len(clip.n)))
            points, spread = self._sample(clip, steps, samples, seed, progress)
        motion = as_motion(points, spread, clip, keypoints)
        if self.spread is not None:
            motion = calibrated(motion, camera, self.spread)
        return shipped_refiner().refine_points(motion, keypoints, camera) if feet else motion

    def _sample(
        self, clip: CanonicalClip, steps: int, samples: int, seed: int, progress: Progress | None
    ) -> tuple[Float[np.ndarray, "time joints 3"], Float[np.ndarray, "time joints"]]:
        """Points and raw spread in the frame of the lift, at the model's rate.

        The spread is over samples and rays: the root of the samples' variance and the mean square distance
        of the rays that each is made of.
        """
        count, frames = len(window_starts(len(clip.n), self.frames)), len(clip.n)
        total, square = np.zeros(0), np.zeros(0)
        for sample in range(samples):
            parts = self._lifted_windows(clip, steps, [seed, sample])
            mean = blend(watched(parts, progress, sample * count, samples * count), frames)
            total, square = (total + mean, square + mean**2) if sample else (mean, mean**2)
        points = total[..., :3] / samples
        variance = (square[..., :3] - samples * points**2).clip(0.0).sum(-1) / max(samples - 1, 1)
        return points, np.sqrt(variance + square[..., 3] / samples)

    def _lifted_windows(self, clip: CanonicalClip, steps: int, seed: list[int]) -> Iterator[Part]:
        """Each window's first frame, and its points and spread side by side."""
        sampler = compiled_sampler(self.graph, steps, self.mirror, self.multiview)
        # noise belongs to the clip's frames, not to windows: overlapping windows share it
        frames = window_starts(len(clip.n), self.frames)[-1] + self.frames
        shape = (frames, self.multiview.views, CHANNELS)
        noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        for part in cut(clip, self.frames):
            start = noise[part.rows].swapaxes(1, 2)
            points, spread = sampler(self.params, clip.view, part.n, part.confidence, start)
            both = np.concatenate([points, np.asarray(spread)[..., None]], axis=-1)
            yield from zip(part.starts, both, strict=False)


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
