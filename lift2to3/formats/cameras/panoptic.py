"""CMU Panoptic's ``calibration_NAME.json``: ``cameras``, each with name, resolution, K, distCoef, R and t.

World to camera, centimetres, the world's y pointing down. A camera is picked by its name, such as ``00_15``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lift2to3.formats.cameras.found import FoundCamera, camera_of_table


def recognises(table: Any) -> bool:
    """``calibDataSource``, or cameras with a panel and a node."""
    if not isinstance(table, dict) or not isinstance(table.get("cameras"), list):
        return False
    first = next((entry for entry in table["cameras"] if isinstance(entry, dict)), {})
    return "calibDataSource" in table or {"panel", "node", "distCoef"} <= first.keys()


def read(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """Every camera."""
    found = []
    for entry in table["cameras"]:
        if isinstance(entry, dict):
            entry = {key: value for key, value in entry.items() if key not in ("panel", "node")}
            where = f"{path}: camera {entry.get('name')}"
            found.append(camera_of_table(entry, where, direction="world_to_camera", unit="cm", up="-y"))
    return found
