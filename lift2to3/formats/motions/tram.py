"""TRAM's results folder: SMPL parameters of each person in the camera, and the camera's path from SLAM.

Layout (yufu-wang/tram, ``scripts/estimate_humans.py`` and ``estimate_camera.py``), in ``results/<video>``:

``hps/hps_track_0.npy`` …  a pickled dict of PyTorch tensors a person: ``pred_rotmat`` (time, 24, 3, 3),
    ``pred_shape`` (time, 10), ``pred_trans`` (time, 1, 3) metres, SMPL's own in the camera (OpenCV's axes),
    ``frame`` (time,) which frames of the video, from 0.
``camera.npy``             a pickled dict of arrays: ``pred_cam_R`` (video frames, 3, 3) and ``pred_cam_T``
    (video frames, 3): x_world = R @ x_cam + T in metres; ``img_focal`` and ``img_center`` in pixels.

The world is the SLAM's: the first camera. Gravity is not in the files (the program's own pictures turn the
scene to the plane of the feet): the first camera is taken to be level. The rate is not in the files either.
Wang et al. 2024, "TRAM: Global Trajectory and Motion of 3D Humans from in-the-wild Videos".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.formats.motions.smpl_results import BODY_JOINTS, Root, SmplResult, as_fields, choose_track
from lift2to3.formats.object_files import load_objects
from lift2to3.guarded_files import guarded

_KEYS = ("pred_rotmat", "pred_shape", "pred_trans", "frame")
_CAMERA_KEYS = ("pred_cam_R", "pred_cam_T", "img_focal", "img_center")


def is_tram(found: Any) -> bool:
    """Whether a file's value is one person's result, or the camera's."""
    return isinstance(found, dict) and ("pred_rotmat" in found or "pred_cam_R" in found)


@guarded
def read_tram_folder(folder: str | Path, track: str | int | None = None) -> SmplResult:
    """A person of ``results/<video>``; a track's name is the number in its file's name.

    Raises:
        ValueError: no such folder, nobody of that name, or a file that is not as above.
    """
    folder = Path(folder)
    files = {
        match[1]: path
        for path in sorted(folder.glob("hps/hps_track_*.npy"))
        if (match := re.fullmatch(r"hps_track_(\d+)\.npy", path.name))
    }
    if not files:
        raise ValueError(f"{folder}: no hps/hps_track_0.npy in it; wanted TRAM's results/<video> or a file")
    people = {
        name: as_fields(load_objects(path), path, "TRAM's person", _KEYS) for name, path in files.items()
    }
    name = choose_track({name: np.size(person["frame"]) for name, person in people.items()}, track, folder)
    return tram_result(people[name].values, files[name])


def tram_result(found: Any, path: str | Path, track: str | int | None = None) -> SmplResult:
    """The result of `formats.object_files.load_objects`'s value of a person's file.

    ``camera.npy`` is looked for beside the file and one folder up.

    Raises:
        ValueError: a key or the camera's file is missing, or holds something else than the layout says.
    """
    path = Path(path)
    person = as_fields(found, path, "TRAM's person (not camera.npy: pass its folder)", _KEYS)
    frames = person.frames("frame")
    choose_track({path.stem.removeprefix("hps_track_"): len(frames)}, track, path)
    count = len(frames)
    rotations = person.matrices("pred_rotmat", (count, 24, 3, 3))
    beside = [folder / "camera.npy" for folder in (path.parent.parent, path.parent)]
    camera_path = next((file for file in beside if file.is_file()), None)
    if camera_path is None:
        raise ValueError(f"{path}: no camera.npy at {beside[0]}; TRAM writes one, keep it with the tracks")
    camera = as_fields(load_objects(camera_path), camera_path, "TRAM's camera", _CAMERA_KEYS)
    axes = camera.matrices("pred_cam_R", (None, 3, 3))
    if frames[-1] >= len(axes):
        raise ValueError(f"{camera_path}: {len(axes)} cameras; {path.name} has frame {frames[-1]}")
    places = camera.numbers("pred_cam_T", (len(axes), 3))
    focal = camera.numbers("img_focal", ())
    cx, cy = camera.numbers("img_center", (2,))
    return SmplResult(
        body_pose=rotations[:, 1 : 1 + BODY_JOINTS],
        betas=person.shape("pred_shape"),
        frames=frames,
        in_camera=Root(rotations[:, 0], person.numbers("pred_trans", (count, 1, 3))[:, 0]),
        camera_in_world=Root(axes[frames], places[frames]),
        up="-y",
        K=np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]),
        model="smpl",
    )
