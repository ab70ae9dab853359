"""EasyMocap's pair of files, intri.yml and extri.yml, beside each other: world to camera, metres, z up.

``names``, and of each camera ``K_name``, ``dist_name`` (``D_name`` in EasyVolcap) and maybe ``H_name``,
``W_name`` in the one; ``R_name`` (a Rodrigues vector), ``Rot_name`` (3, 3) and ``T_name`` in the other.
Older files have no size: it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lift2to3.formats.cameras.found import FoundCamera
from lift2to3.formats.cameras.text import matrix_of, parse, read_text

INTRINSIC: Final = "intri.yml"
EXTRINSIC: Final = "extri.yml"


def recognises(table: Any) -> bool:
    """``names`` beside keys that end in a name."""
    return (
        isinstance(table, dict)
        and isinstance(table.get("names"), list)
        and any(str(key).startswith(("K_", "R_", "Rot_", "T_")) for key in table)
    )


def read(table: dict[str, Any], path: Path) -> list[FoundCamera]:
    """The cameras of this file and of the other one beside it.

    Raises:
        ValueError: one of the two is not there, or has other cameras.
    """
    is_intrinsic = any(str(key).startswith("K_") for key in table)
    other = path.with_name(
        path.name.replace("intri", "extri") if is_intrinsic else path.name.replace("extri", "intri")
    )
    if not other.exists() or other == path:
        wanted = EXTRINSIC if is_intrinsic else INTRINSIC
        raise ValueError(f"{path}: EasyMocap's half of a calibration; wanted {wanted} beside it")
    beside = parse(read_text(other), other)
    if not recognises(beside):
        raise ValueError(f"{other}: not EasyMocap's; wanted the other half of {path.name}")
    inner, outer = (table, beside) if is_intrinsic else (beside, table)
    return [_camera(str(name), inner, outer) for name in inner["names"]]


def _camera(name: str, inner: dict[str, Any], outer: dict[str, Any]) -> FoundCamera:
    def of(tables: dict[str, Any], *keys: str) -> Any:
        return next((matrix_of(tables[f"{key}_{name}"]) for key in keys if f"{key}_{name}" in tables), None)

    height, width = of(inner, "H"), of(inner, "W")
    return FoundCamera(
        names=(name,),
        K=of(inner, "K"),
        dist=of(inner, "dist", "D"),
        size=None if height is None or width is None else [width, height],
        R=of(outer, "Rot", "R"),
        t=of(outer, "T"),
        direction="world_to_camera",
    )
