"""The files of a lift, and the step that lifts and writes the first of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from lift2to3.progress import progress
from lift2to3.told import gathered_warnings

if TYPE_CHECKING:
    from lift2to3.geometry.cameras import Camera
    from lift2to3.keypoints import Keypoints
    from lift2to3.motion import Motion

MOTION_FILE, BODY_FILE, PICTURE_FILE = "motion.npz", "body.npz", "motion.png"
PAGE_FILE, TEXT_FILE, OVERLAY_FILE = "report.html", "report.txt", "overlay.mp4"


def lift_and_write(
    keypoints: Keypoints, camera: Camera, out: Path, weights: str, **how: float | bool | None
) -> tuple[Motion, list[str], float]:
    """The motion; what is in ``out`` of it (motion, body where it has one, picture); seconds of lifting."""
    from lift2to3.pipeline.lift import Lifter

    start = time.perf_counter()
    with gathered_warnings(), progress("lifting") as advance:  # they are in motion.warnings
        motion = Lifter.from_pretrained(weights).lift(keypoints, camera, progress=advance, **how)  # type: ignore[arg-type]
    seconds = time.perf_counter() - start
    (out / BODY_FILE).unlink(missing_ok=True)  # an earlier lift's
    motion.save(out / MOTION_FILE)
    from lift2to3.report.figure import draw_motion  # only here: what is wrong with the input need not wait

    draw_motion(motion, keypoints, camera, out / PICTURE_FILE)
    return motion, [MOTION_FILE, *([BODY_FILE] if motion.body is not None else []), PICTURE_FILE], seconds
