"""Feet put right by their 2D keypoints (FootMR): anyone's body motion in, the same with refined ankles out.

The way the data takes: foot points in the person's box, knees and ankles in the camera's frame, at 30 fps →
the foot lifter → each ankle's correction, in the foot's own frame → back to the clip's rate → onto the
ankles. Nothing but the ankles turns; what hangs on them follows.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d
from scipy.spatial.transform import Rotation

from lift2to3.body import pose_body
from lift2to3.checkpoint import check_shapes, config_from_dict, load_weights
from lift2to3.conventions import MODEL_FPS, NEAR_M
from lift2to3.disk_cache import Kept, use_disk_cache
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.first_pose import first_rest_offsets, first_rotations, measured_rest_offsets
from lift2to3.geometry.cameras import Camera, View
from lift2to3.geometry.rigs import unroll
from lift2to3.geometry.rotations import matrix_from_6d, sixd_from_matrix
from lift2to3.keypoints import Keypoints
from lift2to3.models.foot_lifter import (
    FootInput,
    FootLifter,
    FootLifterConfig,
    in_camera_frame,
    mirror_frames,
    mirror_input,
    shapes_of_input,
    soles_in_box,
)
from lift2to3.models.params import Params, describe, merge
from lift2to3.motion import BodyMotion, Motion, check_body
from lift2to3.observations import Observations
from lift2to3.pipeline.check_foot_input import check_feet, check_keypoints, check_views, warn_if_swapped
from lift2to3.pipeline.clean_observations import cleaned
from lift2to3.representation import FOOT_ROWS, in_box, person_box
from lift2to3.resample import bridge_gaps, resample_linearly, resample_rotations
from lift2to3.skeletons import rows_by_side
from lift2to3.weights_folder import WEIGHTS_FOLDER

FOOT_WEIGHTS: Final = WEIGHTS_FOLDER / "foot.safetensors"

Feet = Float[np.ndarray, "time feet 3 3"]
"""Rotations of both feet (or knees), left and right."""

_HIPS, _KNEES, _ANKLES = rows_by_side("hip", "knee", "ankle").T
_SOLES: Final = rows_by_side("heel", "foot", "big_toe", "small_toe")
_UPPER_BODY: Final = rows_by_side("hip", "shoulder").ravel()
_TRUST_SHIN: Final = 0.002  # square metres: a heel and toes say more about a foot than its shin does
_CALL_FRAMES: Final = (120, 480, 2160)
"""Frames per call: few shapes, so that few are ever compiled."""


@dataclasses.dataclass(frozen=True)
class RefineConfig:
    """What counts as seen.

    Attributes:
        confidence: keypoints up to this are missing (FootMR's threshold).
        mirror: average with what the mirrored clip gives; twice the work.
        smooth_s: deviation of the Gaussian that smooths the corrections in time.
        evidence_s: an ankle without a seen heel or toe for longer than this to either side is left as
            it was.
    """

    confidence: float = 0.5
    mirror: bool = True
    smooth_s: float = 0.033
    evidence_s: float = 1.0


class FootRefiner:
    """A trained foot lifter, ready to refine.

    Args:
        params: parameters by path.
        model: the lifter's configuration, which must be that of the parameters.
        config: what counts as seen.

    Raises:
        ValueError: parameters of another configuration.
    """

    def __init__(
        self,
        params: Mapping[str, Array | np.ndarray],
        model: FootLifterConfig,
        config: RefineConfig | None = None,
    ):
        """Check the parameters against the model that the configuration describes."""
        self.model, self.config = model, config or RefineConfig()
        graph, wanted = describe(FootLifter, model)
        check_shapes(params, wanted, "foot lifter")
        self.params = jax.device_put(dict(params))

        def ankles(params: Params, given: FootInput) -> Array:
            lifter = merge(graph, params)
            if self.config.mirror:
                given = jax.tree.map(lambda *both: jnp.concatenate(both), given, mirror_input(given))
            refined = in_camera_frame(matrix_from_6d(lifter(given)), given.knees, model)
            if not self.config.mirror:
                return refined
            ours, theirs = jnp.split(refined, 2)
            return matrix_from_6d(sixd_from_matrix(ours + mirror_frames(theirs)))

        self._ankles = Kept(ankles, f"ankles {model} {self.config}")

    @classmethod
    def from_pretrained(cls, weights: str | Path = FOOT_WEIGHTS) -> FootRefiner:
        """Load the shipped weights, or a file that ``experiments.train foot`` wrote.

        Raises:
            ValueError: a damaged or foreign file.
            FileNotFoundError: no such file.
        """
        loaded = load_weights(weights)
        if "foot_lifter" not in loaded.config:
            raise ValueError(
                f"{weights}: no foot_lifter in its config: these are not a foot lifter's weights"
            )
        model = config_from_dict(FootLifterConfig, loaded.config["foot_lifter"], str(weights))
        return cls(loaded.params, model)

    def refine(
        self,
        body: BodyMotion,
        keypoints: Keypoints,
        camera: Camera,
        views: View | None = None,
        floor: bool = True,
    ) -> BodyMotion:
        """The same motion with refined ankles; every other number of it stays bit-identical.

        Args:
            body: anyone's body motion, frame for frame that of the keypoints.
            keypoints: of a format with heels and toes; its other points say where the person is.
            camera: the calibrated camera that saw them.
            views: rotation (time, 3, 3) and translation (time, 3) of a camera that moves; else those of
                ``camera``.
            floor: whether the body's world is known to be upright; False for a body in a camera of which
                nobody knows how it is tilted.

        Raises:
            ValueError: a body with broken rotations or without feet; keypoints of another length or
                rate, or of a format without heels and toes; views of another length, or that are none.
        """
        check_body(body)
        check_feet(body.rest_offsets)
        check_keypoints(keypoints, len(body.rotations), body.fps)
        if views is not None:
            check_views(views, len(body.rotations))
        frames, points = body.posed()
        views = _still(camera, len(frames)) if views is None else views
        offsets, observed = body.rest_offsets.astype(float), cleaned(keypoints, camera)
        corrections = self.corrections(frames, points, offsets, body.valid, observed, views, floor)
        rotations = body.rotations.copy()
        rotations[:, _ANKLES] = (body.rotations[:, _ANKLES] @ corrections).astype(rotations.dtype)
        return body._replace(rotations=rotations)

    def refine_points(self, motion: Motion, observed: Observations, camera: Camera) -> Motion:
        """A lifted motion with refined feet about its own ankles; other points stay bit-identical.

        A lift's foot has another shape in every frame: what comes back is one foot, its mean over the clip
        drawn to ordinary proportions, as the refined ankle and the lift's own ball of the foot turn it.

        Args:
            motion: the canonical points, as `lift2to3.lift` returns them.
            observed: what it was lifted from, of a format with heels and toes.
            camera: their camera.
        """
        valid = np.asarray(np.isfinite(motion.joints_world).all((1, 2)) & motion.valid.all(1))
        if not valid.any():
            return motion
        known = np.flatnonzero(valid)
        nearest = known[np.interp(np.arange(len(valid)), known, np.arange(len(known))).round().astype(int)]
        points = motion.joints_world[nearest].astype(float)
        weight, prior = np.ones(points.shape[:2]), load_body_prior()
        offsets = first_rest_offsets(points[valid], prior)
        local = first_rotations(points, weight, offsets, prior, trust_parent=_TRUST_SHIN)
        offsets = measured_rest_offsets(points[valid], weight[valid], local[valid], offsets, prior)
        frames = np.asarray(pose_body(offsets, local, points[:, 0])[0])
        views = _still(camera, len(frames))
        local[:, _ANKLES] @= self.corrections(frames, points, offsets, valid, observed, views)
        posed = np.asarray(pose_body(offsets, local, points[:, 0])[1])
        joints = motion.joints_world.copy()
        for ankle, sole in zip(_ANKLES, _SOLES, strict=True):
            foot = points[:, [ankle]] + posed[:, sole] - posed[:, [ankle]]
            joints[:, sole] = np.where(valid[:, None, None], foot, joints[:, sole])
        return motion._replace(joints_world=joints, refined=(*motion.refined, "feet"))

    def corrections(
        self,
        frames: Float[np.ndarray, "time 22 3 3"],
        points: Float[np.ndarray, "time 38 3"],
        rest_offsets: Float[np.ndarray, "38 3"],
        valid: Bool[np.ndarray, "time"],
        observed: Observations,
        views: View,
        floor: bool = True,
    ) -> Feet:
        """How each ankle is to turn, in the foot's own frame: refined = initial · correction.

        Args:
            frames: the joints' frames in the world.
            points: the canonical points there, metres.
            rest_offsets: the body's bones, metres; of the feet an ordinary shape will do.
            valid: frames with a body.
            observed: what the camera saw.
            views: where the camera is in each frame.
            floor: whether the world's up and floor are known.
        """
        n, confidence, fps = observed.n, observed.confidence, observed.fps
        rotation, translation = np.asarray(views.cam_from_world), np.asarray(views.translation)
        if floor:
            turn = unroll(rotation)
            rotation, translation = turn @ rotation, np.einsum("tij,tj->ti", turn, translation)
            n = np.einsum("tij,tpj->tpi", turn[:, :2, :2], n)
        seen_from = np.einsum("tij,tpj->tpi", rotation, points) + translation[:, None]
        expected = seen_from[..., :2] / np.maximum(seen_from[..., 2:], NEAR_M)
        warn_if_swapped(n, confidence > 0, expected)
        box = _bridged_box(n, confidence > 0, expected)
        up, height = rotation[:, :, 2], points[:, _ANKLES, 2]
        legs = np.einsum("tij,tljk->tlik", rotation, frames[:, np.r_[_HIPS, _KNEES, _ANKLES]])
        shown = dataclasses.replace(observed, n=n).only(valid).at_model_rate
        feet, shown = shown.n[:, FOOT_ROWS], shown.confidence[:, FOOT_ROWS]
        times, model_times = np.arange(len(frames)) / fps, np.arange(len(feet)) / MODEL_FPS
        box, depth, up, height = (
            resample_linearly(values, times, model_times)
            for values in (box, seen_from[:, _ANKLES, 2], up, height)
        )
        if not floor:
            up, height = np.zeros_like(up), np.zeros_like(height)
        hips, knees, ankles = np.split(resample_rotations(legs, times, model_times), 3, axis=1)
        seen = shown > self.config.confidence
        where = np.where(seen[..., None], in_box(feet, box), 0.0)
        soles, present = soles_in_box(rest_offsets, depth, box), np.ones(len(feet), bool)
        given = FootInput(where, seen, box, hips, knees, ankles, soles, up, height, present)  # type: ignore[arg-type]
        corrections = ankles.swapaxes(-1, -2) @ self._refined(given)
        share = _evidence(seen, round(self.config.evidence_s * MODEL_FPS))
        smooth = self.config.smooth_s * MODEL_FPS
        vectors = Rotation.from_matrix(corrections.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 2, 3)
        vectors = gaussian_filter1d(vectors, smooth, axis=0, mode="nearest") * share[..., None]
        corrections = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(-1, 2, 3, 3)
        corrections = resample_rotations(corrections, model_times, times)
        corrections[~valid] = np.eye(3)
        return corrections

    def compile_for(self, frames: int) -> int:
        """Compile for clips of so many frames at 30 fps, where that is not done; frames of a call."""
        context = self.model.depth * self.model.reach
        longest = max(_CALL_FRAMES[-1], 3 * context)  # a far-reaching model still keeps a third of a piece
        size = next((size for size in _CALL_FRAMES if size >= frames), longest)
        use_disk_cache()
        self._ankles.compiled(self.params, shapes_of_input(1, size))
        return size

    def _refined(self, given: FootInput) -> Feet:
        """Ankles of a whole clip, piece by piece; however it is cut, the result is the same."""
        count, context = len(given.seen), self.model.depth * self.model.reach
        size = self.compile_for(count)
        if size >= count:
            return self._piece(given, 0, size)[:count]
        keep = size - 2 * context
        starts = range(0, count, keep)
        pieces = [self._piece(given, start - context, size) for start in starts]
        return np.concatenate([piece[context : context + keep] for piece in pieces])[:count]

    def _piece(self, given: FootInput, start: int, size: int) -> Feet:
        index = np.arange(start, start + size)
        within = index.clip(0, len(given.seen) - 1)
        piece = jax.tree.map(lambda part: part[within][None].astype(_DTYPES[part.dtype.kind]), given)
        piece = piece._replace(present=(index == within)[None])
        return np.asarray(self._ankles(self.params, piece), float)[0]


_DTYPES: Final = {"f": np.float32, "b": np.bool_}


def refine_feet(
    motion: BodyMotion, foot_keypoints: Keypoints, camera: Camera, views: View | None = None
) -> BodyMotion:
    """`FootRefiner.refine` with the shipped weights, which are loaded once per process."""
    return shipped_refiner().refine(motion, foot_keypoints, camera, views)


@functools.cache
def shipped_refiner() -> FootRefiner:
    """The refiner with the shipped weights."""
    return FootRefiner.from_pretrained()


# --- what the lifter sees, and what becomes of its answer


def _still(camera: Camera, frames: int) -> View:
    """A camera that stands, in each frame."""
    still = (part.astype(np.float32)[None] for part in (camera.R, camera.t))
    return View(*(np.repeat(part, frames, axis=0) for part in still))  # type: ignore[arg-type]


def _bridged_box(
    n: Float[np.ndarray, "time 38 2"],
    seen: Bool[np.ndarray, "time 38"],
    expected: Float[np.ndarray, "time 38 2"],
) -> Float[np.ndarray, "time 3"]:
    """The person's box: around all points ever seen, each carried over the frames that lack it.

    Keypoints of feet and nothing else say little of the person; then it is around the motion's points.
    """
    if not seen[:, _UPPER_BODY].any():
        return np.asarray(person_box(expected, np.ones(seen.shape, bool)))
    return np.asarray(person_box(bridge_gaps(n, seen), np.broadcast_to(seen.any(0), seen.shape)))


def _evidence(seen: Bool[np.ndarray, "time 8"], reach: int) -> Float[np.ndarray, "time feet"]:
    """1 near frames that show a heel or toe of the foot, 0 where there is none within ``reach`` frames."""
    shown = seen.reshape(-1, 2, 4)[:, :, 1:].any(-1).astype(float)
    half = max(reach // 2, 1)
    near = maximum_filter1d(shown, 2 * half + 1, axis=0, mode="nearest")
    return uniform_filter1d(near, 2 * half + 1, axis=0, mode="nearest").clip(0.0, 1.0)
