"""PHALP's and 4D-Humans' ``results/*.pkl``: SMPL parameters of tracked people in the camera, frame by frame.

Layout (brjathu/PHALP, ``phalp/trackers/PHALP.py``; 4D-Humans' ``track.py`` runs the same): a joblib file,
compressed by zlib, a dict of frame name → dict. ``time`` is the frame's number from 0; the others are lists
with an entry for each track that is alive:

``tid``           the track's number.
``tracked_time``  frames since it was last detected; above 0 the other entries are old and are not read.
``smpl``          dict of matrices: ``global_orient`` (1, 3, 3), ``body_pose`` (23, 3, 3); ``betas`` (10,).
``camera``        (3,) metres: SMPL's own translation in the camera, OpenCV's axes.
``size``          [height, width] of the image, pixels.

The camera is not a real one: the image is padded to a square and scaled to 256 pixels, where the focal
length is 5000 (``EXTRA.FOCAL_LENGTH``, ``render.res``). In the image's pixels that is 5000 / 256 × its longer
side, about 3° of view: people stand tens of metres away, and the distance is as uncertain as that is long.
Gravity, the camera's motion and the rate are not in the file: the world is the camera's, held level.
Goel et al. 2023, "Humans in 4D"; Rajasegaran et al. 2022, "Tracking People by Predicting 3D Appearance,
Location and Pose".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lift2to3.formats.motions.smpl_results import (
    BODY_JOINTS,
    Fields,
    Root,
    SmplResult,
    as_fields,
    as_numbers,
    choose_track,
)

_KEYS = ("time", "tid", "tracked_time", "smpl", "camera", "size")
_FOCAL_PX, _SIDE_PX = 5000.0, 256.0


def is_phalp(found: Any) -> bool:
    """Whether a file's value is such a result, maybe an incomplete one."""
    return isinstance(found, dict) and any(
        isinstance(frame, dict) and "smpl" in frame and ("tid" in frame or "camera" in frame)
        for frame in found.values()
    )


def phalp_result(found: Any, path: str | Path, track: str | int | None = None) -> SmplResult:
    """The result of `formats.object_files.load_objects`'s value.

    Raises:
        ValueError: a key is missing, or holds something else than the layout above says.
    """
    tracks = _seen(found, path)
    name = choose_track({name: len(seen) for name, seen in tracks.items()}, track, path)
    rows = [tracks[name][time] for time in sorted(tracks[name])]
    person = _stacked([row["smpl"] for row in rows], path, f"track {name}, smpl")
    rotations = person.matrices("global_orient", (len(rows), 1, 3, 3))
    body = person.matrices("body_pose", (len(rows), None, 3, 3))
    if body.shape[1] < BODY_JOINTS:
        raise ValueError(f"{person.name('body_pose')} has {body.shape[1]} joints; wanted 23")
    cameras = [as_numbers(row["camera"], f"{path}: track {name}, camera", (3,)) for row in rows]
    return SmplResult(
        body_pose=body[:, :BODY_JOINTS],
        betas=person.shape("betas"),
        frames=Fields({"time": sorted(tracks[name])}, path).frames("time"),
        in_camera=Root(rotations[:, 0], np.stack(cameras)),
        up="-y",
        K=_intrinsics(rows[0]["size"], path),
        model="smpl",
    )


def _stacked(poses: Sequence[Any], path: str | Path, what: str) -> Fields:
    """A track's parameters, a row a frame."""
    keys, columns = ("global_orient", "body_pose", "betas"), {}
    rows = [as_fields(pose, path, what, keys) for pose in poses]
    for key in keys:
        try:
            columns[key] = np.stack([np.asarray(row[key]) for row in rows])
        except ValueError as error:
            raise ValueError(f"{path}: {what}.{key}: {error}") from error
    return Fields(columns, path, f"{what}.")


def _seen(found: Mapping[Any, Any], path: str | Path) -> dict[int, dict[int, dict[str, Any]]]:
    """Track → frame number → what was detected of it there."""
    tracks: dict[int, dict[int, dict[str, Any]]] = {}
    for name, frame in found.items():
        fields = as_fields(frame, path, f"frame {name}", _KEYS, f"frame {name}, ")
        time = int(fields.numbers("time", ()))
        columns = {key: fields[key] for key in _KEYS[1:]}
        if any(not isinstance(column, list) for column in columns.values()):
            raise ValueError(f"{path}: frame {name} holds no lists; wanted one entry a track in each")
        if len({len(column) for column in columns.values()}) > 1:
            sizes = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
            raise ValueError(f"{path}: frame {name} has lists of several lengths: {sizes}")
        ids = fields.numbers("tid", (None,))
        ages = fields.numbers("tracked_time", (None,))
        for row in np.flatnonzero(ages == 0):
            entry = {key: columns[key][row] for key in ("smpl", "camera", "size")}
            tracks.setdefault(int(ids[row]), {})[time] = entry
    return tracks


def _intrinsics(size: Any, path: str | Path) -> Float[np.ndarray, "3 3"]:
    height, width = as_numbers(size, f"{path}: size", (2,))
    if min(height, width) <= 0:
        raise ValueError(f"{path}: size is {height:g} × {width:g} pixels")
    side = max(height, width)
    focal = _FOCAL_PX / _SIDE_PX * side
    # the middle of the square, less the padding on the left and above, which is a whole number of pixels
    cx, cy = (side / 2 - (side - length) // 2 for length in (width, height))
    return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
