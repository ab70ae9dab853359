"""DeepLabCut, SLEAP, LightningPose and anipose through the package `movement` (``lift2to3[movement]``).

`movement` reads their files into one xarray dataset, which is read and made here as well: ``position``
(time, space, keypoints, individuals) in pixels and ``confidence`` (time, keypoints, individuals). Its own
netCDF files hold the same. csv of DeepLabCut and LightningPose needs no package
(`lift2to3.formats.keypoints.table`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from lift2to3.formats.keypoints.found import Detection, Detections
from lift2to3.keypoints import Keypoints

ENDINGS: Final = (".h5", ".hdf5", ".slp", ".nc")

_READERS: Final = {
    "deeplabcut": "from_dlc_file", "sleap": "from_sleap_file", "lightningpose": "from_lp_file",
    "anipose": "from_anipose_file",
}  # fmt: skip
PROGRAMS: Final = (*_READERS, "movement")


def read(path: Path, program: str | None = None) -> Detections:
    """A file of one of these programs; None tells which by its ending and, for .h5, its content.

    Raises:
        ValueError: the package is not installed, or it cannot read the file.
    """
    try:
        import xarray  # pyright: ignore[reportMissingImports]
        from movement.io import load_poses  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(
            f"{path}: read through the package movement, which is not installed; "
            "pip install 'lift2to3[movement]'"
        ) from error
    try:
        program = program or _program(path)
        if program == "movement":
            with xarray.open_dataset(path) as opened:
                return from_dataset(opened.load(), path)
        return from_dataset(getattr(load_poses, _READERS[program])(path), path)
    except ValueError:
        raise
    except Exception as error:  # its readers' and HDF5's own
        why = " ".join(str(error).split())
        raise ValueError(
            f"{path}: movement cannot read it as {program or 'a pose file'} ({why:.200})"
        ) from error


def _program(path: Path) -> str:
    """By ending; of .h5 by what it holds: SLEAP's analysis has tracks, DeepLabCut's a table of pandas."""
    if path.suffix.lower() in (".slp", ".nc"):
        return {".slp": "sleap", ".nc": "movement"}[path.suffix.lower()]
    import h5py  # pyright: ignore[reportMissingImports]

    with h5py.File(path) as file:
        return "sleap" if "tracks" in file else "deeplabcut"


def from_dataset(dataset: Any, source: object = "dataset") -> Detections:
    """The people of a movement dataset of poses.

    Raises:
        ValueError: no such dataset, or one of 3D points.
    """
    wanted = ("time", "space", "keypoints", "individuals")
    position = getattr(dataset, "position", None)
    if position is None or not {"time", "space", "keypoints"} <= set(position.dims):
        raise ValueError(
            f"{source}: no position over {', '.join(wanted)}; wanted movement's dataset of poses"
        )
    if "individuals" not in position.dims:
        dataset = dataset.expand_dims(individuals=["1"])
        position = dataset.position
    space = [str(axis) for axis in position.coords["space"].values]
    if space != ["x", "y"]:
        raise ValueError(f"{source}: points in {', '.join(space)}; wanted x and y in the picture's pixels")
    xy = np.asarray(position.transpose("time", "individuals", "keypoints", "space").values, np.float64)
    if "confidence" in dataset:
        scores = dataset.confidence.transpose("time", "individuals", "keypoints").values
        scores = np.asarray(scores, np.float64)
    else:
        scores = np.ones(xy.shape[:-1])
    scores = np.where(np.isnan(scores) & np.isfinite(xy).all(-1), 1.0, scores)  # programs without scores
    fps = dataset.attrs.get("fps")
    fps = float(fps) if isinstance(fps, int | float | np.number) and np.isfinite(fps) else None
    time = np.asarray(position.coords["time"].values, np.float64) * (fps or 1.0)
    frames = [int(number) for number in np.rint(time)]
    who = [str(name) for name in position.coords["individuals"].values]
    points = np.concatenate([xy, scores[..., None]], axis=-1)
    rows = [Detection(frame, person, name) for frame, people in zip(frames, points, strict=True)
            for name, person in zip(who, people, strict=True)]  # fmt: skip
    names = [str(name) for name in position.coords["keypoints"].values]
    return Detections(rows, frames, None, fps, "keypoint", names=names)


def as_dataset(keypoints: Keypoints, person: str = "1") -> Any:
    """Keypoints as movement's dataset: what its filters and plots take.

    Raises:
        ImportError: xarray is not installed.
    """
    import xarray  # pyright: ignore[reportMissingImports]

    frames = keypoints.first_frame + np.arange(len(keypoints.xy_px))
    coords = {
        "time": frames / keypoints.fps,
        "keypoints": list(keypoints.skeleton.joints),
        "individuals": [person],
    }
    dims = ("time", "keypoints", "individuals")
    return xarray.Dataset(
        {
            "position": (("time", "space", *dims[1:]), keypoints.xy_px.transpose(0, 2, 1)[..., None]),
            "confidence": (dims, keypoints.confidence[..., None]),
        },
        coords | {"space": ["x", "y"]},
        {"fps": keypoints.fps, "time_unit": "seconds", "source_software": "lift2to3", "ds_type": "poses"},
    )
