"""OpenCap's ``cameraIntrinsicsExtrinsics.pickle`` (or the same as json), one camera a file.

``intrinsicMat`` (3, 3), ``distortion`` (1, 5), ``imageSize`` (height, width), ``rotation`` (3, 3) and
``translation`` (3, 1) mm from the checkerboard's axes into the camera's; ``rotation_EulerAngles`` is in
truth the Rodrigues vector. The board hangs on a wall, so the world's y points down, and its origin is the
board's corner: how high that is over the floor stands in no file.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.formats.cameras.found import FoundCamera


def recognises(table: Any) -> bool:
    """``intrinsicMat``."""
    return isinstance(table, dict) and "intrinsicMat" in table


def read(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """The one camera."""
    try:
        size = np.asarray(table.get("imageSize"), dtype=np.float64).reshape(-1)[::-1]
    except (TypeError, ValueError):
        size = table.get("imageSize")
    placed = table.get("rotation") is not None and table.get("translation") is not None
    if placed:
        warnings.warn(
            f"{path}: OpenCap's world starts at the board's corner, not on the floor; its y points down "
            "(--floor Z says how high the floor is in that world turned z up, metres; --up changes the axis)",
            stacklevel=2,
        )
    return [
        FoundCamera(
            K=table["intrinsicMat"],
            dist=table.get("distortion"),
            size=size,
            R=table.get("rotation"),
            t=table.get("translation"),
            direction="world_to_camera",
            unit="mm",
            up="-y",
        )
    ]
