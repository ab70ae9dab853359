"""SMPL motion as npz: AMASS's form (SMPL-H, 52 joints) and the same for SMPL (24 joints).

Keys: ``poses`` (time, 156 or 72) axis angles in radians, each joint relative to its parent; ``trans``
(time, 3) metres; ``betas`` (zeros unless given); ``dmpls`` zeros; ``gender`` 'neutral';
``mocap_framerate``. The world has z up and the floor at z = 0, as AMASS. Hands are zero: flat, as at rest.

Without a model file two things differ from a fit of the body model itself. Our T-pose is a T-pose by
definition, SMPL's template holds its bones a few degrees differently (legs splayed, shoulders low): that
difference stays in the pose. And our bones have their own lengths, which zero ``betas`` do not describe:
they stand beside as ``rest_offsets``. SMPL adds ``trans`` to a template whose pelvis is not at the origin:
pelvis = trans + ``pelvis_at_rest``, which is why ``trans`` is not the pelvis (nor on the floor).
Keys beyond AMASS's, which its readers skip: ``pelvis_at_rest``, ``rest_offsets``, ``valid``.

Read are these and AMASS's own in all their spellings: ``poses`` of SMPL (72), SMPL-H (156) or SMPL-X (165
numbers a frame), or ``root_orient`` and ``pose_body``; ``mocap_framerate`` or ``mocap_frame_rate``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from lift2to3.array_files import load_arrays, require_keys, save_arrays
from lift2to3.body import BODY_JOINTS
from lift2to3.formats.motions.file_axes import orthonormal, quaternions_xyzw
from lift2to3.formats.motions.smpl_results import Fields, Root, SmplResult, as_numbers
from lift2to3.guarded_files import guarded
from lift2to3.motion import BodyMotion, check_body
from lift2to3.skeletons import CANONICAL

Model = Literal["smplh", "smpl"]

_POSE_NUMBERS: Final = {"smplh": 156, "smpl": 72}
_BETAS: Final = {"smplh": 16, "smpl": 10}
_OWN: Final = 3 * len(BODY_JOINTS)

PELVIS_AT_REST_M: Final = (-0.00179506, -0.22333382, 0.02821918)
"""The pelvis of SMPL-H's mean neutral body in its template (x left, y up, z forward)."""


def write_smpl_npz(
    path: str | Path,
    body: BodyMotion,
    model: Model = "smplh",
    pelvis_at_rest: Sequence[float] = PELVIS_AT_REST_M,
    betas: Sequence[float] | np.ndarray = (),
) -> Path:
    """Write an AMASS-style npz (``model="smplh"``) or one for SMPL; it appears whole or not at all.

    Args:
        path: the file.
        body: what to write.
        model: whose poses: hands, where it has them, are zero.
        pelvis_at_rest: joint 0 of the template that the file will be used with, metres.
        betas: the shape, where ``body`` is a fit of the model itself (`lift2to3.fit.fit_smpl`).

    Raises:
        ValueError: a body that cannot be written (see `check_body`), or more betas than the file holds.
    """
    check_body(body)
    xyzw = quaternions_xyzw(orthonormal(np.asarray(body.rotations, float)))
    frames, shape = len(xyzw), np.zeros(_BETAS[model])
    if len(betas) > len(shape):
        raise ValueError(f"{len(betas)} betas; {model}'s npz holds {len(shape)}")
    shape[: len(betas)] = betas
    poses = np.zeros((frames, _POSE_NUMBERS[model]))
    poses[:, :_OWN] = Rotation.from_quat(xyzw.reshape(-1, 4)).as_rotvec().reshape(frames, _OWN)
    return save_arrays(
        Path(path),
        trans=np.asarray(body.root_translation, float) - np.asarray(pelvis_at_rest, float),
        poses=poses,
        betas=shape,
        dmpls=np.zeros((frames, 8)),
        gender="neutral",
        mocap_framerate=float(body.fps),
        pelvis_at_rest=np.asarray(pelvis_at_rest, float),
        rest_offsets=np.asarray(body.rest_offsets, float),
        valid=np.asarray(body.valid, bool),
    )


@guarded
def read_amass_npz(path: str | Path) -> SmplResult:
    """Read an AMASS-style npz of anybody's: world with z up and the floor at 0, no camera.

    Raises:
        ValueError: no such npz: a key is missing, or holds something else (the message says which).
        FileNotFoundError: there is no such file.
    """
    arrays = load_arrays(path, needed=("trans", "betas"), only=_READ)
    fields, columns = Fields(arrays, path), 0
    if "poses" in arrays:
        columns = arrays["poses"].shape[-1] if arrays["poses"].ndim else 0
        rotations = fields.matrices_from_vectors("poses", len(BODY_JOINTS))
    else:
        require_keys(arrays, ("root_orient", "pose_body"), f"{path}, which has no poses")
        root = fields.matrices_from_vectors("root_orient", 1)
        body = fields.matrices_from_vectors("pose_body", len(BODY_JOINTS) - 1, len(root))
        rotations = np.concatenate([root, body], axis=1)
    rates = [arrays[key] for key in _RATES if key in arrays]
    frames = len(rotations)
    return SmplResult(
        body_pose=rotations[:, 1:],
        betas=fields.shape("betas"),
        frames=np.arange(frames),
        in_world=Root(rotations[:, 0], fields.numbers("trans", (frames, 3))),
        up="z",
        on_floor=True,
        fps=float(as_numbers(rates[0], f"{path}: the frame rate", ())) if rates else None,
        model=_model(arrays, columns),
    )


_RATES: Final = ("mocap_framerate", "mocap_frame_rate", "fps")
_READ: Final = ("poses", "root_orient", "pose_body", "trans", "betas", *_RATES, "surface_model_type")
"""The arrays that make a motion; the pickled tables beside them (labels, markers) stay unread."""


def _model(fields: Mapping[str, np.ndarray], columns: int) -> Literal["smpl", "smplh", "smplx"]:
    """Told by the file, or by how many numbers a pose has."""
    named = str(fields["surface_model_type"]) if "surface_model_type" in fields else ""
    if columns == 165 or named.startswith("smplx"):
        return "smplx"
    return "smpl" if columns == 72 or named == "smpl" else "smplh"


@guarded
def read_smpl_npz(path: str | Path) -> BodyMotion:
    """Read what `write_smpl_npz` wrote, of either model.

    Raises:
        ValueError: no such npz, without our ``rest_offsets``, or of other shapes.
    """
    needed = ("trans", "poses", "mocap_framerate", "pelvis_at_rest", "rest_offsets", "valid")
    fields = Fields(load_arrays(path, needed=needed), path)
    poses = fields["poses"]
    if poses.ndim != 2 or poses.shape[1] not in _POSE_NUMBERS.values():
        raise ValueError(f"{path}: poses is {poses.shape}; wanted (time, 156) or (time, 72)")
    shapes = {
        "trans": (len(poses), 3), "rest_offsets": (len(CANONICAL), 3), "valid": (len(poses),),
        "pelvis_at_rest": (3,), "mocap_framerate": (),
    }  # fmt: skip
    numbers = {name: fields.numbers(name, shape) for name, shape in shapes.items()}
    return BodyMotion(
        root_translation=numbers["trans"] + numbers["pelvis_at_rest"],
        rotations=fields.matrices_from_vectors("poses", len(BODY_JOINTS)),
        rest_offsets=numbers["rest_offsets"],
        fps=float(numbers["mocap_framerate"]),
        valid=numbers["valid"].astype(bool),
    )
