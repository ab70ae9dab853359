"""Qualisys' calibration, exported as xml or .qca.txt: ``calibration/cameras/camera``.

``transform`` has the camera's place x, y, z in mm and the rows r11 … r33 of the rotation from world into the
camera's axes, with y up and z backwards. ``intrinsic`` counts in 64ths of a pixel, distortion too;
``fov_video`` (else ``fov_marker``) is the part of the sensor in the picture, its last row and column
included. A camera is picked by its serial number. The world is z up.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.cameras.found import FoundCamera

_SUBPIXELS: Final = 64.0


def recognises(table: Any) -> bool:
    """Xml with cameras that have an ``intrinsic``."""
    return isinstance(table, ElementTree.Element) and table.find(".//cameras/camera/intrinsic") is not None


def read(table: ElementTree.Element, path: Path) -> list[FoundCamera]:
    """Every camera with intrinsics.

    Raises:
        ValueError: an attribute is missing or no number; a video that is shown turned.
    """
    cameras = table.findall(".//cameras/camera")
    return [_camera(camera, path) for camera in cameras if camera.find("intrinsic") is not None]


def _camera(camera: ElementTree.Element, path: Path) -> FoundCamera:
    name = camera.get("serial") or camera.get("id") or ""
    where = f"{path}: camera {name}"
    turned = camera.get("viewrotation", "0")
    if turned not in ("0", ""):
        raise ValueError(
            f"{where}: its view is turned by {turned}°, which K does not know; export the video unturned, or "
            "calibrate with the view turned back"
        )
    part = camera.find("fov_video")
    part = camera.find("fov_marker") if part is None else part
    left, top, right, bottom = _numbers(part, ("left", "top", "right", "bottom"), where)
    inner = camera.find("intrinsic")
    fx, fy, cx, cy = _numbers(inner, ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV"), where)
    skew = float(_attributes(inner).get("skew", 0))
    radial = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2")
    k3 = float(_attributes(inner).get("radialDistortion3", 0)) / _SUBPIXELS
    place = camera.find("transform")
    centre = np.array(_numbers(place, ("x", "y", "z"), where))
    rows = [f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)]
    R = np.diag([1.0, -1.0, -1.0]) @ np.reshape(_numbers(place, rows, where), (3, 3))
    fx, fy, cx, cy, skew = (value / _SUBPIXELS for value in (fx, fy, cx, cy, skew))
    return FoundCamera(
        names=(name,),
        K=[[fx, skew, cx - left], [0, fy, cy - top], [0, 0, 1]],
        size=[_side(left, right), _side(top, bottom)],
        dist=[*(value / _SUBPIXELS for value in _numbers(inner, radial, where)), k3],
        R=R,
        t=-R @ centre,
        direction="world_to_camera",
        unit="mm",
        up="z",
    )


def _side(first: float, last: float) -> float:
    """1919 is the last of 1920 columns; some converters write the number of columns."""
    side = last - first
    return side + side % 2


def _attributes(element: ElementTree.Element | None) -> Mapping[str, str]:
    return {} if element is None else element.attrib


def _numbers(element: ElementTree.Element | None, names: Any, where: str) -> list[float]:
    found = _attributes(element)
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(
            f"{where}: no {', '.join(missing)}; wanted Qualisys' calibration with its video cameras"
        )
    try:
        return [float(found[name]) for name in names]
    except ValueError as error:
        raise ValueError(f"{where}: {error}; wanted numbers") from error
