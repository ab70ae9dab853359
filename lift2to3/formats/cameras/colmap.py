"""COLMAP's sparse model: a folder with cameras and images, as text or binary.

``cameras``: id, model, width, height, parameters. ``images``: id, quaternion (w, x, y, z) and translation
from world into camera, camera id, name; in the text each image has a second line of points, in the binary a
list of them. An image is picked by its name. COLMAP puts (0.5, 0.5) at the middle of the first pixel. Its
world has any scale, origin and axes, unless the model was aligned.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.cameras.found import FoundCamera

_MODELS: Final = (
    # name, number of focal lengths, OpenCV's places of the rest (None: not a model of OpenCV's), fisheye
    ("SIMPLE_PINHOLE", 1, (), False), ("PINHOLE", 2, (), False), ("SIMPLE_RADIAL", 1, (0,), False),
    ("RADIAL", 1, (0, 1), False), ("OPENCV", 2, (0, 1, 2, 3), False),
    ("OPENCV_FISHEYE", 2, (0, 1, 2, 3), True), ("FULL_OPENCV", 2, tuple(range(8)), False),
    ("FOV", 2, None, True), ("SIMPLE_RADIAL_FISHEYE", 1, (0,), True),
    ("RADIAL_FISHEYE", 1, (0, 1), True), ("THIN_PRISM_FISHEYE", 2, None, True),
)  # fmt: skip
"""In the order of COLMAP's numbers."""
_PARAMETERS: Final = (3, 4, 4, 5, 8, 8, 12, 5, 4, 5, 12)
_MOST: Final = 1_000_000
_LARGEST: Final = 2**28
_Lens = tuple[str, int, int, list[float]]


def is_model(folder: Path) -> bool:
    """Whether a folder holds such a model."""
    return any((folder / f"cameras{ending}").exists() for ending in (".txt", ".bin"))


def read_model(folder: Path) -> list[FoundCamera]:
    """Every image as a camera.

    Raises:
        ValueError: a damaged model, or a lens that OpenCV does not have.
    """
    binary = (folder / "cameras.bin").exists()
    ending = ".bin" if binary else ".txt"
    cameras, images = folder / f"cameras{ending}", folder / f"images{ending}"
    if not images.exists():
        raise ValueError(f"{folder}: no images{ending} beside cameras{ending}; wanted COLMAP's whole model")
    for path in (cameras, images):
        if path.stat().st_size > _LARGEST:
            raise ValueError(
                f"{path}: {path.stat().st_size / 2**20:.0f} MB; wanted at most {_LARGEST / 2**20:.0f}"
            )
    try:
        lenses = _binary_lenses(cameras) if binary else _text_lenses(cameras)
        found = _binary_images(images) if binary else _text_images(images)
        return [_camera(name, place, lenses[number], folder) for name, place, number in found]
    except KeyError as error:
        raise ValueError(
            f"{images}: an image of camera {error}, which {cameras.name} does not have"
        ) from error
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder}: a damaged COLMAP model ({error})") from error


def _camera(name: str, place: np.ndarray, lens: _Lens, folder: Path) -> FoundCamera:
    model, width, height, values = lens
    focal, places, fisheye = next((known[1:] for known in _MODELS if known[0] == model), (0, None, False))
    if places is None:
        raise ValueError(
            f"{folder}: lens model {model} of {name}; wanted one of OpenCV's: calibrate with "
            "--ImageReader.camera_model OPENCV or OPENCV_FISHEYE, or undistort the images with COLMAP"
        )
    fx, fy = values[0], values[focal - 1]
    cx, cy = values[focal : focal + 2]
    dist = np.zeros(8 if len(places) > 4 else 4)
    dist[list(places)] = values[focal + 2 :]
    w, x, y, z = place[:4] / np.linalg.norm(place[:4])
    R = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return FoundCamera(
        names=(name,),
        K=[[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]],
        size=[width, height],
        dist=dist if dist.any() or fisheye else None,
        R=R,
        t=place[4:],
        direction="world_to_camera",
        fisheye=fisheye,
    )


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8-sig").splitlines() if not line.startswith("#")]


def _text_lenses(path: Path) -> dict[int, _Lens]:
    lenses = {}
    for line in _lines(path):
        number, model, width, height, *values = line.split() or ("", "", "", "")
        if number:
            lenses[int(number)] = (
                model,
                int(width),
                int(height),
                _checked(model, [float(v) for v in values], path),
            )
    return lenses


def _checked(model: str, values: list[float], path: Path) -> list[float]:
    wanted = next(
        (n for known, n in zip(_MODELS, _PARAMETERS, strict=True) if known[0] == model), len(values)
    )
    if len(values) != wanted:
        raise ValueError(f"{path}: {model} with {len(values)} parameters; wanted {wanted}")
    return values


def _text_images(path: Path) -> list[tuple[str, np.ndarray, int]]:
    lines = _lines(path)
    while lines and not lines[0].strip():
        lines.pop(0)
    found = []
    for line in lines[::2]:  # the second of each pair has the points
        words = line.split(maxsplit=9)
        if words:
            found.append((words[9], np.array([float(word) for word in words[1:8]]), int(words[8])))
    return found


def _binary_lenses(path: Path) -> dict[int, _Lens]:
    content, at, lenses = path.read_bytes(), 8, {}
    for _ in range(_count(content, path)):
        number, model, width, height = struct.unpack_from("<iiQQ", content, at)
        at += 24
        if not 0 <= model < len(_MODELS):
            raise ValueError(f"{path}: lens model {model}; wanted one of COLMAP's 0 to {len(_MODELS) - 1}")
        values = list(struct.unpack_from(f"<{_PARAMETERS[model]}d", content, at))
        at += 8 * len(values)
        lenses[number] = (_MODELS[model][0], width, height, values)
    return lenses


def _binary_images(path: Path) -> list[tuple[str, np.ndarray, int]]:
    content, at, found = path.read_bytes(), 8, []
    for _ in range(_count(content, path)):
        _, *place, number = struct.unpack_from("<i7di", content, at)
        at += 64
        end = content.index(b"\0", at) if b"\0" in content[at : at + 4096] else len(content)
        name = content[at:end].decode()
        (points,) = struct.unpack_from("<Q", content, end + 1)
        at = end + 9 + 24 * points
        found.append((name, np.array(place), number))
    return found


def _count(content: bytes, path: Path) -> Any:
    (count,) = struct.unpack_from("<Q", content)
    if count > _MOST:
        raise ValueError(f"{path}: {count} entries; wanted COLMAP's binary model")
    return count
