"""What a file of keypoints says, before it is checked: what the reader of every format returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Found(NamedTuple):
    """(time, joints, 2 or 3): x, y in pixels and confidence; format and rate where the file states them."""

    points: np.ndarray
    skeleton: str | None = None
    fps: float | None = None


def stated_rate(path: Path, fps: Any) -> float | None:
    """Frames per second as a number, or None where the file states none.

    Raises:
        ValueError: something else than a number.
    """
    if fps is None:
        return None
    try:
        return float(fps)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: fps is {fps!r}; wanted one number, frames per second") from error
