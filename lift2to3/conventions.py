"""What every part of lift2to3 agrees on: frames, units, axis order, rates.

World      right-handed, metres, **z up, the ground is z = 0**.
Camera     OpenCV axes (x right, y down, z forward): ``x_cam = R_cam_from_world @ x_world + t``.
Pixel      (0, 0) is the *centre* of the top-left pixel, as in ``cv2.projectPoints``.
Normalised ``n = (x_cam / z_cam, y_cam / z_cam)``: what is left of a pixel once the intrinsics
           and the lens distortion are taken out. Models and solvers see no pixels; the records at the
           border, files and pictures do.
Axes       every array is laid out ``batch view time joints coord`` (any prefix may be absent).
Rotations  matrices inside; 6D is the first two *columns*; quaternions are wxyz.
Missing    NaN or confidence 0 at the border, a boolean ``valid`` mask inside.
"""

from typing import Final

MODEL_FPS: Final = 30.0
"""Models see motion at this rate; the edge resamples in and out."""

SLOWEST_FPS: Final = 1.0
FASTEST_FPS: Final = 1000.0
"""Rates that a clip may have: work and memory go with how far it is from the models' own."""

FARTHEST_PX: Final = 1e6
"""No picture's keypoint has a larger coordinate."""

NEAR_M: Final = 0.1
"""Points nearer to a camera plane than this (metres) are projected as if they were here."""

MISSING_CONFIDENCE: Final = 0.05
TRUSTED_CONFIDENCE: Final = 0.15
"""A keypoint up to the first is missing, from the second on fully there; in between it comes in smoothly."""

GROUND_NORMAL: Final = (0.0, 0.0, 1.0)
