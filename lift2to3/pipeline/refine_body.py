"""The optimisation baseline: poses that explain the keypoints best, as SMPLify does, with time and a floor.

After "Keep it SMPL" (Bogo et al. 2016), on our own skeleton: robust reprojection, a learned Gaussian over
poses, joint limits; and what a clip and a calibrated camera add: smoothness, a floor that holds standing feet
at their height and in their place, one set of bones for the whole clip. The size of a body seen by one camera
is known by its feet on the floor, and otherwise by the spread of statures (`SmplifyConfig.size_share`).

A person may face anywhere: every window of a clip is solved coarsely from four headings, the sequence of
windows of least energy whose ends meet is kept, and then solved at full rate.
"""

from __future__ import annotations

from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from lift2to3.body import pose_body
from lift2to3.contact import CONTACT_ROWS, contact_labels
from lift2to3.conventions import MODEL_FPS
from lift2to3.disk_cache import use_disk_cache
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.fit_body import fit_body
from lift2to3.fit.smplify_problem import SHAPES, Posed, rest_offsets
from lift2to3.fit.smplify_search import common_shape, search
from lift2to3.fit.smplify_solver import solve, spread_of
from lift2to3.fit.smplify_terms import (
    SeenClip,
    SmplifyConfig,
    pose_prior,
    seen_clip,
    shape_precision,
    weights_at,
    window_problem,
)
from lift2to3.fit.smplify_windows import Poses, even_starts, fade_in, points_at, poses_at_rate, poses_of
from lift2to3.geometry.cameras import Camera, View
from lift2to3.geometry.rigs import Frame
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.motion import Keypoints, Motion
from lift2to3.pipeline.canonical_clip import Progress, as_motion, canonical_clip
from lift2to3.resample import resample_points

_MET_M: Final = 0.02  # how firmly a window begins where the last one ended
_FIXED: Final = 1e8  # precision of a shape that is no unknown


class Smplify:
    """Lifts by optimisation; the signature is `lift2to3.Lifter`'s.

    Args:
        config: weights, and how the search goes.
    """

    def __init__(self, config: SmplifyConfig | None = None):
        """Nothing but the pose prior is loaded."""
        self.config = config or SmplifyConfig()
        self.prior = pose_prior(self.config)

    def lift(
        self,
        keypoints: Keypoints,
        camera: Camera,
        start: Motion | None = None,
        progress: Progress | None = None,
    ) -> Motion:
        """Absolute 3D motion of the person whose keypoints these are.

        The spread is that of the energy's Gaussian approximation at its minimum (Laplace's): what
        keypoints, prior and smoothness leave open once the heading is right. A start's own spread is kept.

        Args:
            keypoints: what `lift2to3.as_keypoints` returns.
            camera: the camera that saw them; its extrinsics define the world.
            start: a motion of these keypoints, such as a lifter's: its points are where the search would
                end, and pull as firmly as their spread and `SmplifyConfig.start_m` say.
            progress: called as windows get done, after the search.

        Raises:
            ValueError: camera and keypoints that cannot belong together, or a start of another length.
        """
        use_disk_cache()
        if start is not None and len(start.joints_world) != len(keypoints.xy_px):
            raise ValueError(
                f"the start has {len(start.joints_world)} frames, the keypoints {len(keypoints.xy_px)}; "
                "wanted a motion lifted from these keypoints"
            )
        seen = canonical_clip(keypoints, camera, MultiViewConfig())
        clip = seen_clip(View(*map(jnp.asarray, seen.view)), seen.n, seen.confidence, self.config)
        if start is None:
            bones = load_body_prior().rest_offsets.astype(float)
            poses, shape = search(clip, bones, self.prior, self.config)
        else:
            clip, poses, bones = self._started(clip, _in_frame(start, seen.frame))
            shape = common_shape(clip, poses, bones, self.prior, self.config)
        precision = shape_precision(self.config, start is not None)
        found = self._refined(clip, poses, bones, shape, precision, progress)
        motion = as_motion(*found, seen, keypoints)
        return motion if start is None else motion._replace(spread=start.spread)

    def _started(self, clip: SeenClip, start: Motion) -> tuple[SeenClip, Poses, np.ndarray]:
        """A body fitted to a motion in the clip's frame, and the clip drawn to its points."""
        body, count = fit_body(start), len(clip.n)
        rotations, root = body.rotations.astype(float), body.root_translation.astype(float)
        poses = poses_of(rotations, root, np.asarray(self.prior.mean_rotations, float))
        poses = poses_at_rate(poses, body.fps, MODEL_FPS, count)
        bones = body.rest_offsets.astype(float)
        _, points = pose_body(bones, rotations, root)
        points = np.where(start.valid[..., None], start.joints_world, points)
        weight = start.valid / (self.config.start_m**2 + np.nan_to_num(start.spread) ** 2)
        targets, weight = (resample_points(part, body.fps, MODEL_FPS, count) for part in (points, weight))
        return clip._replace(targets=targets, target_weight=weight.clip(0.0)), poses, bones

    def _refined(
        self,
        clip: SeenClip,
        poses: Poses,
        bones: np.ndarray,
        shape: np.ndarray,
        precision: np.ndarray,
        progress: Progress | None,
    ) -> tuple[Float[np.ndarray, "time 38 3"], Float[np.ndarray, "time 38"]]:
        """Points and their spread, solved window by window at full rate.

        The bones are unknowns where one window is the whole clip.
        """
        config = self.config
        starts = even_starts(len(clip.n), config.window_frames, config.overlap_frames)
        if len(starts) > 1:
            bones = np.asarray(rest_offsets(bones, shape))
            shape, precision = np.zeros(len(SHAPES)), np.full(len(SHAPES), _FIXED)
        points, spread = np.zeros((*clip.n.shape[:2], 3)), np.zeros(clip.n.shape[:2])
        solved = 0  # frames so far
        for done, start in enumerate(starts.tolist(), 1):
            index = start + np.arange(config.window_frames)
            posed = poses.at(index, shape)
            found = self._rounds(_meeting(clip, points, start, solved), index, posed, bones, precision)
            for whole, piece in zip((points, spread), found, strict=True):
                fade_in(whole, np.asarray(piece, float), start, solved)
            solved = start + config.window_frames
            if progress is not None:
                progress(done, len(starts))
        return points, spread

    def _rounds(
        self, clip: SeenClip, index: np.ndarray, posed: Posed, bones: np.ndarray, precision: np.ndarray
    ) -> tuple[np.ndarray, Array]:
        """A window's points and their spread; contacts are told anew in each round."""
        weights = weights_at(self.config, MODEL_FPS, self.config.robust)
        standing = clip.standing[index.clip(0, len(clip.n) - 1)]
        mean = np.asarray(self.prior.mean_rotations, float)
        for _ in range(self.config.rounds):
            problem = window_problem(clip, index, standing, bones, precision, self.config)
            posed, _, _ = solve(posed, problem, self.prior, weights, self.config.iterations)
            points = points_at(posed, mean, bones)
            standing = contact_labels(points[:, CONTACT_ROWS], MODEL_FPS, self.config.contact)
        return points, spread_of(posed, problem, self.prior, weights)


def _meeting(clip: SeenClip, points: Float[np.ndarray, "time 38 3"], start: int, solved: int) -> SeenClip:
    """The clip, drawn to what is solved already in the first half of a window's overlap with it."""
    rows = slice(start, start + max(solved - start, 0) // 2)
    targets, weight = clip.targets.copy(), clip.target_weight.copy()
    targets[rows], weight[rows] = points[rows], _MET_M**-2.0
    return clip._replace(targets=targets, target_weight=weight)


def _in_frame(motion: Motion, frame: Frame) -> Motion:
    """A motion of the world in the camera's canonical frame."""
    turn = np.asarray(frame.world_from_frame, float)
    points = (motion.joints_world.astype(float) - np.asarray(frame.origin_world, float)) @ turn
    return motion._replace(joints_world=points)
