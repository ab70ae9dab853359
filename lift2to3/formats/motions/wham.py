"""WHAM's ``wham_output.pkl``: people's SMPL parameters, each in a world of their own and in the camera.

Layout (yohanshin/WHAM, ``demo.py``): a joblib file, a dict of person → dict of arrays:

``pose_world``   (time, 72) axis angles in a world with y up; the first 3 are the pelvis's.
``trans_world``  (time, 3) metres. Not SMPL's translation: WHAM moves every body so that the middle
    between its hips is at the origin (``lib/models/smpl.py``), and this is where that middle goes.
``pose``, ``trans``  (time, 72) and (time, 3): the same body in the camera, OpenCV's axes; here the
    translation is SMPL's own (the hips' middle has been taken off again).
``betas``        (time, 10), a shape for each frame.
``frame_ids``    (time,) which frames of the video, from 0.
``verts``        (time, 6890, 3) in the camera; not read.

The world starts at the person's first place; its floor is where the feet are. The camera that sees the one
body where the other stands follows from both in each frame. The intrinsics (the image's diagonal as the
focal length, in pixels, unless a calibration was given) and the rate are not in the file.
Shin et al. 2024, "WHAM: Reconstructing World-grounded Humans with Accurate 3D Motion".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift2to3.formats.motions.smpl_results import BODY_JOINTS, Root, SmplResult, as_fields, choose_track

_KEYS = ("pose_world", "trans_world", "pose", "trans", "betas", "frame_ids")


def is_wham(found: Any) -> bool:
    """Whether a file's value is such a result, maybe an incomplete one."""
    return isinstance(found, dict) and any(
        isinstance(person, dict) and ("pose_world" in person or "trans_world" in person)
        for person in found.values()
    )


def wham_result(found: Any, path: str | Path, track: str | int | None = None) -> SmplResult:
    """The result of `formats.object_files.load_objects`'s value.

    Raises:
        ValueError: a key is missing, or holds something else than the layout above says.
    """
    people = {
        name: as_fields(person, path, f"person {name}", _KEYS, f"{name}.") for name, person in found.items()
    }
    lengths = {name: int(np.size(person["frame_ids"])) for name, person in people.items()}
    name = choose_track(lengths, track, path)
    person = people[name]
    frames = person.frames("frame_ids")
    world, camera = (
        person.matrices_from_vectors(key, 1 + BODY_JOINTS, len(frames)) for key in ("pose_world", "pose")
    )
    hips, translation = (person.numbers(key, (len(frames), 3)) for key in ("trans_world", "trans"))
    return SmplResult(
        body_pose=world[:, 1:],
        betas=person.shape("betas"),
        frames=frames,
        in_world=Root(world[:, 0], hips, of_hips=True),
        in_camera=Root(camera[:, 0], translation),
        up="y",
        model="smpl",
    )
