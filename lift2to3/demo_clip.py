"""The embedded clip of `lift2to3 demo`: a synthetic walk as a detector would have seen it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from lift2to3.array_files import load_arrays
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints, as_keypoints

DEMO_CLIP = Path(__file__).with_suffix(".npz")


def load_demo_clip() -> tuple[Keypoints, Camera, Float[np.ndarray, "time 38 3"]]:
    """Six seconds at 30 fps of a person walking a bend, made by ``tools/make_demo_clip.py``.

    Returns:
        The noisy COCO-WholeBody-23 keypoints in pixels of a 1920×1080 image, some missing; the camera,
        about 5 m away; and the canonical points in truth, world metres, z up, floor z = 0.
    """
    clip = load_arrays(DEMO_CLIP, needed=("xy_px", "confidence", "fps", "K", "R", "t", "size", "dist"))
    camera = Camera(clip["K"], clip["R"], clip["t"], clip["size"], clip["dist"])
    keypoints = as_keypoints(clip["xy_px"], clip["confidence"], "coco_wholebody23", float(clip["fps"]))
    return keypoints, camera, clip["points_world"]
