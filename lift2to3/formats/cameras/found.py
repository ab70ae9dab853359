"""What a calibration file holds of one camera, as any format's reader found it, and the keys that say it.

Calibrations of all programs are tables of the same few things under other names. `camera_of_table` knows the
names; a format's own module adds what its layout means (unit, up axis, direction).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

K_KEYS: Final = (
    "K", "camera_matrix", "cameraMatrix", "Camera_Matrix", "matrix", "intrinsic_matrix", "intrinsics",
    "intrinsic", "calibration_matrix", "mtx",
)  # fmt: skip
DIST_KEYS: Final = (
    "dist", "distCoef", "distCoeff", "distCoeffs", "dist_coef", "dist_coefs", "dist_coeff", "dist_coeffs",
    "distortion", "distortions", "distortion_coefficients", "distortion_coeffs",
    "Distortion_Coefficients", "D",
)  # fmt: skip
R_KEYS: Final = ("R", "rotation_matrix", "rotation", "rot", "Rot", "rvec", "r_vec", "rotation_vector")
T_KEYS: Final = ("t", "T", "translation", "tvec", "t_vec", "translation_vector")
SIZE_KEYS: Final = ("size", "image_size", "imageSize", "img_size", "imgSize", "resolution", "frame_size")
_SIDES: Final = (
    ("width", "height"),
    ("image_width", "image_height"),
    ("image_Width", "image_Height"),
    ("w", "h"),
)
_NAME_KEYS: Final = ("name", "camera_name", "cam", "camera", "id", "serial")
_LENS_KEYS: Final = ("distortion_model", "camera_model", "lens_model", "model", "lens", "projection")
_UNIT_KEYS: Final = ("unit", "units", "length_unit")
_UP_KEYS: Final = ("up", "up_axis", "world_up")
_OPENCV_KEYS: Final = frozenset({"rvec", "tvec", "r_vec", "t_vec", "rotation_vector", "translation_vector"})
"""Only OpenCV calls them so: they say world to camera."""
_SAYS_NOTHING: Final = frozenset(
    "centre center position camera_position metadata comment error avg_reprojection_error rms type date "
    "adjusted calibration_time nframes flags frame skew".split()
)
"""Of keys that are known and change nothing: the place follows from R and t, skew is read from K."""
_ORDINARY: Final = frozenset(
    "pinhole perspective standard opencv brown brown_conrady brownconrady radtan plumb_bob "
    "rational_polynomial full_opencv simple_radial radial simple_pinhole none normal".split()
)
_FISHEYE: Final = frozenset(
    "fisheye opencv_fisheye equidistant kannala_brandt kannalabrandt kb kb4 equi".split()
)
_POSES: Final = dict.fromkeys(
    "extrinsic extrinsics extrinsic_matrix RT Rt w2c world_to_camera camera_from_world".split(),
    "world_to_camera",
) | dict.fromkeys("c2w camera_to_world world_from_camera".split(), "camera_to_world")
"""(3, 4) or (4, 4) matrices, and what they do."""
UNITS_M: Final = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_UNIT_WORDS: Final = {
    "m": "m", "metre": "m", "metres": "m", "meter": "m", "meters": "m", "cm": "cm", "centimetre": "cm",
    "centimetres": "cm", "centimeter": "cm", "centimeters": "cm", "mm": "mm", "millimetre": "mm",
    "millimetres": "mm", "millimeter": "mm", "millimeters": "mm",
}  # fmt: skip
UP_AXES: Final = ("x", "y", "z", "-x", "-y", "-z")


@dataclasses.dataclass(frozen=True)
class FoundCamera:
    """One camera as its file has it; numbers are unchecked, None where the file does not say.

    Attributes:
        names: by any of which it can be picked.
        K, size, dist, R, t: as in `lift2to3.geometry.cameras.Camera`; R may be a Rodrigues vector.
        direction: ``world_to_camera`` or ``camera_to_world``.
        fisheye: whether ``dist`` is that of the fisheye model.
        unit: of t, a key of `UNITS_M`.
        up: the world's up axis, one of `UP_AXES`.
        unknown: keys that nobody here knows.
    """

    names: tuple[str, ...] = ()
    K: Any = None
    size: Any = None
    dist: Any = None
    R: Any = None
    t: Any = None
    direction: str | None = None
    fisheye: bool = False
    unit: str | None = None
    up: str | None = None
    unknown: tuple[str, ...] = ()


def camera_of_table(
    table: Mapping[str, Any], where: str, names: tuple[str, ...] = (), **known: Any
) -> FoundCamera:
    """A camera from a table of its fields, by any of the names above.

    Args:
        table: key → value.
        where: what the messages call it.
        names: what the file calls the camera outside the table.
        known: fields of `FoundCamera` that the format says by itself.

    Raises:
        ValueError: a lens model, unit or axis that is not known.
    """
    taken: set[str] = set(_SAYS_NOTHING)

    def first(keys: tuple[str, ...]) -> Any:
        taken.update(keys)
        return next((table[key] for key in keys if table.get(key) is not None), None)

    own = tuple(str(table[key]) for key in _NAME_KEYS if isinstance(table.get(key), str | int))
    taken.update(_NAME_KEYS)
    K = first(K_KEYS)
    if K is None and {"fx", "fy", "cx", "cy"} <= table.keys():
        K = [[table["fx"], 0, table["cx"]], [0, table["fy"], table["cy"]], [0, 0, 1]]
    taken |= {"fx", "fy", "cx", "cy"} if K is not None else set()
    opencv = not _OPENCV_KEYS.isdisjoint(table)
    fields: dict[str, Any] = {
        "K": K, "dist": first(DIST_KEYS), "R": first(R_KEYS), "t": first(T_KEYS), "size": first(SIZE_KEYS),
        "direction": _direction(table, taken) or ("world_to_camera" if opencv else None),
        "fisheye": _is_fisheye(table, taken, where), "unit": _unit(first(_UNIT_KEYS), where),
        "up": up_axis(first(_UP_KEYS), where),
    }  # fmt: skip
    if fields["size"] is None:
        sides = next((pair for pair in _SIDES if set(pair) <= table.keys()), None)
        fields["size"] = None if sides is None else [table[side] for side in sides]
        taken.update(sides or ())
    _take_pose(table, taken, fields)
    left = tuple(
        str(key) for key, value in table.items() if key not in taken and value not in (None, 0, False, "")
    )
    fields |= {"names": tuple(dict.fromkeys((*names, *own))), "unknown": left} | known
    return FoundCamera(**fields)


def looks_like_camera(table: Any) -> bool:
    """Whether a value is a table with intrinsics in it."""
    return isinstance(table, dict) and (
        any(table.get(key) is not None for key in K_KEYS) or {"fx", "fy", "cx", "cy"} <= table.keys()
    )


def up_axis(value: Any, where: str) -> str | None:
    """``y``, ``+Y`` or ``y_up`` as one of `UP_AXES`.

    Raises:
        ValueError: something else.
    """
    if value is None:
        return None
    axis = (
        str(value).lower().replace("_", "").replace(" ", "").removesuffix("up").removeprefix("+").rstrip("-")
    )
    if axis not in UP_AXES:
        raise ValueError(f"{where}: up is {value!r}; wanted one of {', '.join(UP_AXES)}")
    return axis


def _unit(value: Any, where: str) -> str | None:
    if value is None:
        return None
    unit = _UNIT_WORDS.get(str(value).strip().lower())
    if unit is None:
        raise ValueError(f"{where}: unit is {value!r}; wanted m, cm or mm")
    return unit


def _direction(table: Mapping[str, Any], taken: set[str]) -> str | None:
    taken.add("direction")
    if table.get("direction") is not None:
        return str(table["direction"])
    word = str(table.get("convention") or "").replace("-", "_").replace(" ", "_")
    word = {"w2c": "world_to_camera", "c2w": "camera_to_world"}.get(word, word)
    if word in ("world_to_camera", "camera_to_world"):
        taken.add("convention")
        return word
    return None


def _is_fisheye(table: Mapping[str, Any], taken: set[str], where: str) -> bool:
    """What the file says of its lens.

    Raises:
        ValueError: a model that is neither of OpenCV's two.
    """
    taken.update(("fisheye", *_LENS_KEYS))
    stated = table.get("fisheye")
    if isinstance(stated, str) and stated.lower() in ("true", "false"):
        stated = stated.lower() == "true"
    said = bool(stated)
    for key in _LENS_KEYS:
        word = str(table.get(key) or "none").lower().replace("-", "_").replace(" ", "_")
        if word in _FISHEYE:
            said = True
        elif key != "model" and word not in _ORDINARY:
            raise ValueError(
                f"{where}: {key} is {table[key]!r}; wanted OpenCV's ordinary lens (pinhole, plumb_bob, "
                "rational_polynomial) or its fisheye (equidistant): calibrate with one of these"
            )
        elif word not in _ORDINARY and any(
            part in word for part in ("omni", "mei", "fov", "atan", "eucm", "ucm")
        ):
            raise ValueError(
                f"{where}: lens model {table[key]!r}; wanted OpenCV's ordinary lens or its fisheye"
            )
    return said


def _take_pose(table: Mapping[str, Any], taken: set[str], fields: dict[str, Any]) -> None:
    """R and t from a (3, 4) or (4, 4) matrix, where they do not stand by themselves."""
    for key, direction in _POSES.items():
        try:
            matrix = np.asarray(table.get(key), dtype=np.float64)
        except (TypeError, ValueError):
            continue
        if fields["R"] is None and fields["t"] is None and matrix.shape in ((3, 4), (4, 4)):
            fields |= {"R": matrix[:3, :3], "t": matrix[:3, 3], "direction": fields["direction"] or direction}
            taken.add(key)
