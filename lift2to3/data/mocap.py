"""Mocap files to records: one skeleton-independent form for every source.

A record holds the motion twice: as rotations on the source's own joints, for whatever poses a body,
and as canonical points in the world (z up, metres, floor at z = 0), which is what training reads.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from lift2to3.body import forward_kinematics
from lift2to3.contact import CONTACT_ROWS, contact_labels
from lift2to3.conventions import MODEL_FPS
from lift2to3.data.anatomy import HEEL_BACK_M, Family, Placement, find_family, place_points, with_heel_drop
from lift2to3.formats.motions.bvh import Bvh, read_bvh
from lift2to3.guarded_files import guarded
from lift2to3.keypoints import as_rate
from lift2to3.skeletons import INDEX, rows_by_side

WORLD_FROM_Y_UP: Final = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""A quarter turn about x (determinant +1): the file's y becomes the world's z."""

ON_EQUIPMENT: Final = frozenset({"01"})
"""CMU's subjects on playground equipment: they climb, hang and swing, in clips on an even floor too."""

_HEEL_CLEARANCE_M: Final = 0.012
_HEEL_DROP_RANGE_M: Final = (0.015, 0.065)
_MINIMUM_FRAMES_TO_FIT: Final = 5


class MocapClip(NamedTuple):
    """One clip of one person. World z up, metres, floor at z = 0; `MODEL_FPS` unless resampling is off.

    Attributes:
        clip: its name, unique within a data set.
        subject: who moves; splits keep subjects apart.
        family: the source's skeleton family.
        joint_names: the source's own joints.
        parents: row of each joint's parent, -1 for the root.
        rest_offsets: metres from the parent, in its frame.
        fps: frames per second.
        uneven_floor: steps, ladders, terrain: the floor is not z = 0 everywhere.
        root_translation: the root in the world.
        rotations: unit quaternions wxyz of each joint relative to its parent, without sign jumps.
        points_world: the canonical points.
        contacts: ground contact of `lift2to3.contact.CONTACT_POINTS`.
    """

    clip: str
    subject: str
    family: str
    joint_names: tuple[str, ...]
    parents: Int[np.ndarray, "joints"]
    rest_offsets: Float[np.ndarray, "joints 3"]
    fps: float
    uneven_floor: bool
    root_translation: Float[np.ndarray, "time 3"]
    rotations: Float[np.ndarray, "time joints 4"]
    points_world: Float[np.ndarray, "time 38 3"]
    contacts: Bool[np.ndarray, "time 4"]

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.points_world) / self.fps

    @property
    def contacts_trusted(self) -> bool:
        """False where labels mean little: an uneven floor, or feet that a retargeting made skate."""
        return not self.uneven_floor and self.family != "cmu43"

    @property
    def feet_trusted(self) -> bool:
        """False where feet are no example: untrusted contacts, or a subject of CMU's `ON_EQUIPMENT`."""
        climbs = self.family.startswith("cmu") and self.subject in ON_EQUIPMENT
        return self.contacts_trusted and not climbs


@guarded
def read_bvh_clip(
    path: str | Path,
    subject: str | None = None,
    uneven_floor: bool = False,
    metres_per_unit: float = 1.0,
) -> MocapClip:
    """Read one y-up BVH file of a known skeleton family into a record at `MODEL_FPS`.

    Args:
        path: the file; the floor at y = 0.
        subject: who moves; by default what stands before the first underscore of the file's stem, which
            becomes the clip's name.
        uneven_floor: kept as a flag in the record.
        metres_per_unit: length of the file's unit.

    Raises:
        ValueError: a malformed file (with the line), or a skeleton of no known family (with the names).
    """
    path = Path(path)
    subject = path.stem.split("_")[0] if subject is None else subject
    bvh = read_bvh(path, metres_per_unit)
    as_rate(bvh.fps, path)
    try:
        return clip_from_bvh(bvh, path.stem, subject, uneven_floor)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def clip_from_bvh(bvh: Bvh, clip: str, subject: str, uneven_floor: bool = False) -> MocapClip:
    """A y-up BVH in metres as a record at `MODEL_FPS`.

    Raises:
        ValueError: no known skeleton family; or joints that stretch (position channels).
    """
    family = find_family(bvh.joint_names)
    _check_bones(bvh, family, clip)
    root = (bvh.root_translation @ WORLD_FROM_Y_UP.T).astype(np.float64)
    local = bvh.rotations.copy()
    local[:, 0] = WORLD_FROM_Y_UP @ local[:, 0]
    quaternions, root = at_model_rate(quaternions_from_matrices(local), root, bvh.fps)
    local = matrices_from_quaternions(quaternions)
    frames, positions = map(np.asarray, forward_kinematics(bvh.parents, bvh.rest_offsets, local, root))
    placement = fit_heels(place_points(bvh, family), frames, positions)
    points = canonical_points(placement, frames, positions)
    return MocapClip(
        clip=clip,
        subject=subject,
        family=family.name,
        fps=MODEL_FPS,
        uneven_floor=uneven_floor,
        joint_names=bvh.joint_names,
        parents=bvh.parents,
        rest_offsets=bvh.rest_offsets.astype(np.float32),
        root_translation=root.astype(np.float32),
        rotations=quaternions.astype(np.float32),
        points_world=points.astype(np.float32),
        contacts=contact_labels(points[:, CONTACT_ROWS], MODEL_FPS),
    )


def _check_bones(bvh: Bvh, family: Family, clip: str) -> None:
    if bvh.joint_translations is not None:
        raise ValueError(
            "joints besides the root have position channels: the bones change length, which no rigid "
            "skeleton can follow"
        )
    row = {name: i for i, name in enumerate(bvh.joint_names)}
    thorax = [family.joint(role) for role in ("neck_base", "left_clavicle", "right_clavicle")]
    if all(np.linalg.norm(bvh.rest_offsets[row[joint]]) < 1e-3 for joint in thorax):
        warnings.warn(
            f"{clip}: {', '.join(thorax)} have OFFSET 0 0 0: the thorax bone is missing and the torso "
            "about 12 cm too short, as in some converted copies of this data; points of the upper body "
            "will lie too low",
            stacklevel=3,
        )


def canonical_points(
    placement: Placement,
    frames: Float[np.ndarray, "time joints 3 3"],
    positions: Float[np.ndarray, "time joints 3"],
) -> Float[np.ndarray, "time 38 3"]:
    """The canonical points of a posed skeleton, in the frame of ``positions``, metres."""
    carried = np.einsum("tcij,cj->tci", frames[:, placement.rows], placement.offsets)
    points = positions[:, placement.rows] + carried
    for middle, of in (("mid_hip", "hip"), ("mid_shoulder", "shoulder")):
        points[:, INDEX[middle]] = points[:, [INDEX[f"left_{of}"], INDEX[f"right_{of}"]]].mean(axis=1)
    return points


def fit_heels(
    placement: Placement,
    frames: Float[np.ndarray, "time joints 3 3"],
    positions: Float[np.ndarray, "time joints 3"],
) -> Placement:
    """Set the heels' drop so that they clear the floor by a centimetre where the feet stand flat.

    Mocap's ankles stand 3 to 6 cm above its floor, by subject and markers. The drop is the median
    over frames in which an ankle and the ball of its foot rest near the floor; a clip with too few
    such frames keeps the default.
    """
    heights = []
    for side, (ankle, ball) in enumerate(placement.rows[rows_by_side("ankle", "foot")]):
        up = np.einsum("tij,j->ti", frames[:, ankle], placement.sole_up[side])[:, 2]
        forward = np.einsum("tij,j->ti", frames[:, ankle], placement.sole_forward[side])[:, 2]
        moved = np.linalg.norm(np.diff(positions[:, ankle], axis=0, prepend=positions[:1, ankle]), axis=-1)
        low = (positions[:, ankle, 2] < 0.09) & (positions[:, ball, 2] < 0.06)
        flat = low & (moved < 0.004) & (up > 0.9)
        back = placement.scale * HEEL_BACK_M * forward[flat]
        heights.append((positions[flat, ankle, 2] - back - _HEEL_CLEARANCE_M) / up[flat])
    drops = np.concatenate(heights)
    if drops.size < _MINIMUM_FRAMES_TO_FIT:
        return placement
    return with_heel_drop(placement, float(np.clip(np.median(drops), *_HEEL_DROP_RANGE_M)))


def quaternions_from_matrices(
    matrices: Float[np.ndarray, "time joints 3 3"],
) -> Float[np.ndarray, "time joints 4"]:
    """Unit quaternions wxyz; along time each stays on the side of the one before."""
    xyzw = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_quat().reshape(*matrices.shape[:2], 4)
    flips = np.sum(xyzw[1:] * xyzw[:-1], axis=-1) < 0
    sign = np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)
    xyzw[1:] *= sign[..., None]
    return np.roll(xyzw, 1, axis=-1)


def matrices_from_quaternions(
    quaternions: Float[np.ndarray, "time joints 4"],
) -> Float[np.ndarray, "time joints 3 3"]:
    """Rotation matrices of wxyz quaternions, which need not have unit length."""
    xyzw = np.roll(quaternions, -1, axis=-1).reshape(-1, 4)
    return Rotation.from_quat(xyzw).as_matrix().reshape(*quaternions.shape[:2], 3, 3)


def at_model_rate(
    quaternions: Float[np.ndarray, "time joints 4"], root_translation: Float[np.ndarray, "time 3"], fps: float
) -> tuple[Float[np.ndarray, "frames joints 4"], Float[np.ndarray, "frames 3"]]:
    """The motion at `MODEL_FPS`, from time 0, by straight lines between neighbouring frames.

    Frames of mocap are so near each other that normalised quaternions on a line are as good as a
    spherical interpolation. At that rate already, the input comes back as it is.
    """
    if abs(fps / MODEL_FPS - 1) < 1e-6:
        return quaternions, root_translation
    at = np.arange(int((len(quaternions) - 1) * MODEL_FPS / fps + 1e-6) + 1) * (fps / MODEL_FPS)
    before = np.minimum(at.astype(int), max(len(quaternions) - 2, 0))
    after = np.minimum(before + 1, len(quaternions) - 1)
    part = (at - before)[:, None]
    root = (1 - part) * root_translation[before] + part * root_translation[after]
    mixed = (1 - part[..., None]) * quaternions[before] + part[..., None] * quaternions[after]
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True), root
