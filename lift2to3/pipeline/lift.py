"""The lifter: 2D keypoints and a calibrated camera in, absolute 3D motion in metres out.

The way the data takes: pixels → normalised image points of the canonical set, at 30 fps → the
camera's canonical frame → overlapping windows → points and spread → blended → the user's world and
rate → feet refined, where the keypoints show them → a posed body, where it is asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from lift2to3.checkpoint import check_shapes, config_from_dict, load_weights
from lift2to3.disk_cache import use_disk_cache
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.models.denoiser import DenoiserConfig
from lift2to3.models.multiview import LATER_SWITCHES, MultiViewConfig
from lift2to3.models.regressor import RegressorConfig
from lift2to3.motion import Motion
from lift2to3.pipeline.canonical_clip import CanonicalClip, Part, as_motion, canonical_clip, cut, watched
from lift2to3.pipeline.check_foot_input import shows_feet
from lift2to3.pipeline.check_result import ImpossibleMotion, check_result
from lift2to3.pipeline.refine_feet import FootRefiner, shipped_refiner
from lift2to3.pipeline.spread import SpreadCalibration, calibrated
from lift2to3.pipeline.stature import as_seen_by_adults, as_tall, check_stature
from lift2to3.pipeline.window_models import (
    DenoisedWindows,
    RegressedWindows,
    WindowModel,
    compiled,
    devices_for,
)
from lift2to3.pipeline.windows import blend, window_starts
from lift2to3.progress import ProgressCallback
from lift2to3.told import gathered_warnings
from lift2to3.weights_folder import weights_path

DEFAULT_WEIGHTS = "small"


class Lifter:
    """A window model and its parameters, ready to lift.

    Args:
        model: the multi-view denoiser, the direct regressor, or another window model.
        params: parameters by path.
        spread: how raw spreads become expected errors; None leaves them raw.
        refiner: of the feet; None is the shipped one, loaded when it is first needed.

    Raises:
        ValueError: parameters of another configuration.
    """

    def __init__(
        self,
        model: WindowModel,
        params: Mapping[str, Array | np.ndarray],
        spread: SpreadCalibration | None = None,
        refiner: FootRefiner | None = None,
    ):
        """Check the parameters against the model."""
        check_shapes(params, model.shapes, "lifter")
        self.model, self.spread, self.refiner = model, spread, refiner
        self.params = jax.device_put(dict(params))

    @classmethod
    def from_pretrained(cls, weights: str | Path = DEFAULT_WEIGHTS) -> Lifter:
        """Load shipped weights by name (small, regressor), or a file that ``experiments.train`` wrote.

        Raises:
            ValueError: an unknown name (the known ones are listed), or a damaged or foreign file.
            FileNotFoundError: no such file.
        """
        path = weights_path(weights)
        config, params = (loaded := load_weights(path)).config, loaded.params
        kind = next((kind for kind in _KINDS if kind in config), "model")
        missing = {kind, "multiview", "frames"} - set(config)
        if missing:
            raise ValueError(
                f"{path}: no {', '.join(sorted(missing))} in its config: these are not a lifter's weights "
                "(G_2D's? finetune them first)"
            )
        model_type, config_type = _KINDS[kind]
        read = functools.partial(config_from_dict, where=str(path))
        multiview = read(MultiViewConfig, LATER_SWITCHES | config["multiview"])
        spread = read(SpreadCalibration, config["spread"]) if "spread" in config else None
        model = model_type(read(config_type, config[kind]), multiview, int(config["frames"]))
        return cls(model, params, spread)

    def changed(self, **settings: Any) -> Lifter:
        """The same parameters used another way: fields of the window model; spreads are left raw."""
        model: Any = self.model
        return Lifter(dataclasses.replace(model, **settings), self.params, refiner=self.refiner)

    def lift(
        self,
        keypoints: Keypoints,
        camera: Camera,
        *,
        steps: int | None = None,
        samples: int = 1,
        seed: int = 0,
        feet: bool = True,
        refine: bool = False,
        stature: float | None = None,
        force: bool = False,
        progress: ProgressCallback | None = None,
    ) -> Motion:
        """Absolute 3D motion of the person whose keypoints these are.

        What looks wrong with the input or the result is a `UserWarning`, and kept in `Motion.warnings`.

        Args:
            keypoints: what `lift2to3.as_keypoints` returns.
            camera: the camera that saw them; its extrinsics define the world.
            steps: denoising steps; None for the default.
            samples: how many motions to sample; their mean is returned.
            seed: of the samples.
            feet: refine the feet (`lift2to3.pipeline.refine_feet`) where the format shows heels and toes.
            refine: then fit a posed body to the keypoints from there on (`lift2to3.pipeline.refine_body`):
                closer, smoother, slower; the motion's points are that body's, which it keeps.
            stature: of a child or someone else far from 1.7 m, metres (`lift2to3.pipeline.stature`).
            force: return a result that cannot be, such as a person of 4 m, instead of raising.
            progress: called as windows get done; while a body is refined with ``phase="refining"`` too.

        Raises:
            ValueError: camera and keypoints that cannot belong together, steps or samples < 1, or more than
                one of either where the model does not sample, or a stature that nobody has.
            ImpossibleMotion: a result that cannot be (`lift2to3.pipeline.check_result`).
        """
        model = self._sampling(steps, samples)
        check_stature(stature)
        camera = as_seen_by_adults(camera, stature)
        use_disk_cache()
        with gathered_warnings() as told:
            clip = canonical_clip(keypoints, camera, model.multiview)
            refiner = None
            if feet and shows_feet(keypoints.skeleton):
                refiner = self.refiner or shipped_refiner()
            with ThreadPoolExecutor(max_workers=1) as beside:
                if refiner is not None:  # what a first lift compiles for feet is compiled beside the sampler
                    beside.submit(refiner.compile_for, len(clip.n))
                points, spread = self._sample(model, clip, samples, seed, progress)
            motion = as_motion(points, spread, clip, keypoints)
            if self.spread is not None:
                motion = calibrated(motion, camera, self.spread)
            if refiner is not None:
                motion = refiner.refine_points(motion, clip.observed, camera)
            if refine:
                from lift2to3.pipeline.refine_body import refine_body  # most lifts need none of it

                refining = None if progress is None else functools.partial(progress, phase="refining")
                body = refine_body(motion, keypoints, camera, progress=refining)
                motion = body.motion(motion.spread)._replace(refined=(*motion.refined, "body"))
        try:
            told += check_result(motion, keypoints, camera)
        except ImpossibleMotion as error:
            if not force:
                raise ImpossibleMotion(". ".join([str(error), *told])) from None
            told.append(str(error))
        for text in told:
            warnings.warn(text, stacklevel=2)
        return as_tall(motion, stature)._replace(warnings=tuple(told))

    def _sampling(self, steps: int | None, samples: int) -> WindowModel:
        """The model, taking so many steps."""
        if samples < 1 or (steps is not None and steps < 1):
            raise ValueError(f"steps and samples: wanted 1 or more, found {steps} and {samples}")
        if isinstance(self.model, DenoisedWindows):
            return self.model if steps is None else dataclasses.replace(self.model, steps=steps)
        if samples > 1 or (steps or 1) > 1:
            raise ValueError(
                f"steps {steps} and samples {samples}: these weights predict in one call and draw nothing; "
                "leave both out"
            )
        return self.model

    def _sample(
        self,
        model: WindowModel,
        clip: CanonicalClip,
        samples: int,
        seed: int,
        progress: ProgressCallback | None,
    ) -> tuple[Float[np.ndarray, "time joints 3"], Float[np.ndarray, "time joints"]]:
        """Points and raw spread in the frame of the lift, at the model's rate.

        The spread is over samples and rays: the root of the samples' variance and the mean square distance
        of the rays that each is made of.
        """
        count, frames = len(window_starts(len(clip.n), model.frames)), len(clip.n)
        total, square = np.zeros(0), np.zeros(0)
        for sample in range(samples):
            parts = self._windows(model, clip, [seed, sample])
            mean = blend(watched(parts, progress, sample * count, samples * count), frames)
            total, square = (total + mean, square + mean**2) if sample else (mean, mean**2)
        points = total[..., :3] / samples
        variance = (square[..., :3] - samples * points**2).clip(0.0).sum(-1) / max(samples - 1, 1)
        return points, np.sqrt(variance + square[..., 3] / samples)

    def _windows(self, model: WindowModel, clip: CanonicalClip, seed: list[int]) -> Iterator[Part]:
        """Each window's first frame, and its points and spread side by side."""
        devices = devices_for(len(window_starts(len(clip.n), model.frames)))
        predict = compiled(model, devices)
        # noise belongs to the clip's frames, not to windows: overlapping windows share it
        frames = window_starts(len(clip.n), model.frames)[-1] + model.frames
        shape = (frames, *model.noise_shape)
        noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        for part in cut(clip, model.frames, devices):
            points, spread = predict(self.params, clip.view, part.n, part.confidence, noise[part.rows])
            both = np.concatenate([points, np.asarray(spread)[..., None]], axis=-1)
            yield from zip(part.starts, both, strict=False)


_KINDS = {"model": (DenoisedWindows, DenoiserConfig), "regressor": (RegressedWindows, RegressorConfig)}
"""What a weights file's config calls its model → the window model and its model's configuration."""

_pretrained = functools.cache(Lifter.from_pretrained)


def lift(
    keypoints: Keypoints,
    camera: Camera,
    *,
    weights: str | Path = DEFAULT_WEIGHTS,
    steps: int | None = None,
    samples: int = 1,
    seed: int = 0,
    feet: bool = True,
    refine: bool = False,
    stature: float | None = None,
    force: bool = False,
    progress: ProgressCallback | None = None,
) -> Motion:
    """`Lifter.lift` with shipped weights, which are loaded once per process."""
    return _pretrained(weights).lift(
        keypoints, camera, steps=steps, samples=samples, seed=seed, feet=feet, refine=refine,
        stature=stature, force=force, progress=progress,
    )  # fmt: skip
