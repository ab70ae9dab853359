"""Human3.6M's cameras as json: ``intrinsics`` by camera, ``extrinsics`` by subject and camera.

``intrinsics[camera]`` has ``calibration_matrix`` and ``distortion`` (OpenCV's five numbers),
``extrinsics[subject] [camera]`` has ``R`` and ``t``, world to camera, mm, z up. A camera is picked as
``S1/54138969``. The size is not in the file but known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lift2to3.formats.cameras.found import FoundCamera

_SIZES: Final = {
    "54138969": (1000, 1002), "55011271": (1000, 1000), "58860488": (1000, 1000), "60457274": (1000, 1002),
}  # fmt: skip


def recognises(table: Any) -> bool:
    """``intrinsics`` and ``extrinsics``, tables both."""
    return isinstance(table, dict) and all(
        isinstance(table.get(key), dict) for key in ("intrinsics", "extrinsics")
    )


def read(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """Every camera of every subject.

    Raises:
        ValueError: tables of another shape.
    """
    found = []
    for subject, cameras in table["extrinsics"].items():
        for name, place in cameras.items() if isinstance(cameras, dict) else ():
            lens = table["intrinsics"].get(name)
            if not isinstance(lens, dict) or not isinstance(place, dict):
                raise ValueError(f"{path}: no intrinsics of camera {name}; wanted Human3.6M's json")
            found.append(
                FoundCamera(
                    names=(f"{subject}/{name}", f"{subject}.{name}"),
                    K=lens.get("calibration_matrix"),
                    dist=lens.get("distortion"),
                    size=_SIZES.get(str(name)),
                    R=place.get("R"),
                    t=place.get("t"),
                    direction="world_to_camera",
                    unit="mm",
                    up="z",
                )
            )
    if not found:
        raise ValueError(f"{path}: no camera in its extrinsics; wanted them by subject and camera")
    return found
