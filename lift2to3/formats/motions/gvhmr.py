"""GVHMR's ``hmr4d_results.pt``: one person's SMPL-X parameters in a gravity-aligned world and in the camera.

Layout (zju3dv/GVHMR, ``tools/demo/demo.py`` and ``gvhmr_pl_demo.py``): a PyTorch file of a dict. Tensors:

``smpl_params_global``  ``global_orient`` (time, 3) and ``body_pose`` (time, 63) axis angles, ``betas``
    (time, 10), ``transl`` (time, 3) metres: SMPL-X's own, in a world with y up ("ay") that starts where
    it likes; its lowest joint (not sole) is at y = 0.
``smpl_params_incam``   the same body in each frame's camera, OpenCV's axes. ``body_pose`` and ``betas``
    are the same as in the world.
``K_fullimg``           (time, 3, 3) intrinsics, pixels; the program assumes a diagonal field of view of 53°.
``net_outputs``         not read.

The two are estimated apart: the camera that sees the one where the other stands follows from them in each
frame, and shakes a little even where the real one stood. One row is one frame of the video. The network
takes every video to be 30 fps, and its demo copies the frames without resampling.
Shen et al. 2024, "World-Grounded Human Motion Recovery via Gravity-View Coordinates".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.formats.motions.smpl_results import (
    BODY_JOINTS,
    Fields,
    Root,
    SmplResult,
    as_fields,
    choose_track,
)

_WORLD, _CAMERA = "smpl_params_global", "smpl_params_incam"
_KEYS = ("global_orient", "body_pose", "betas", "transl")
_FPS = 30.0


def is_gvhmr(found: Any) -> bool:
    """Whether a file's value is such a result, maybe an incomplete one."""
    return isinstance(found, dict) and (_WORLD in found or _CAMERA in found)


def gvhmr_result(found: Any, path: str | Path, track: str | int | None = None) -> SmplResult:
    """The result of `formats.object_files.load_objects`'s value.

    Raises:
        ValueError: a key is missing, or holds something else than the layout above says.
    """
    fields = as_fields(found, path, "GVHMR's result", (_WORLD, _CAMERA, "K_fullimg"))
    world, camera = (as_fields(fields[key], path, key, _KEYS, f"{key}.") for key in (_WORLD, _CAMERA))
    body_pose = world.matrices_from_vectors("body_pose", BODY_JOINTS)
    frames = len(body_pose)
    choose_track({0: frames}, track, path)
    intrinsics = fields.numbers("K_fullimg", (frames, 3, 3))
    if not np.allclose(intrinsics, intrinsics[:1], rtol=1e-4):
        raise ValueError(f"{path}: K_fullimg changes over the {frames} frames; wanted one lens without zoom")
    return SmplResult(
        body_pose=body_pose,
        betas=world.shape("betas"),
        frames=np.arange(frames),
        in_world=_root(world, frames),
        in_camera=_root(camera, frames),
        up="y",
        K=intrinsics[0],
        fps=_FPS,
        model="smplx",
    )


def _root(params: Fields, frames: int) -> Root:
    rotations = params.matrices_from_vectors("global_orient", 1, frames)
    return Root(rotations[:, 0], params.numbers("transl", (frames, 3)))
