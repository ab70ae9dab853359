"""The records at the border on the way out: absolute 3D `Motion` and posed `BodyMotion`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from lift2to3.array_files import load_arrays, save_arrays
from lift2to3.guarded_files import guarded
from lift2to3.keypoints import Keypoints, as_rate
from lift2to3.skeletons import CANONICAL, PARENTS, SMPL_22, Skeleton, get_skeleton
from lift2to3.told import as_html, clip_length, show


class Motion(NamedTuple):
    """Absolute 3D motion of one person: metres, world z up, floor at z = 0.

    Attributes:
        joints_world: (time, joints, 3) metres, float32; NaN where not valid.
        joint_names: the canonical names, in array order.
        fps: frames per second, that of the keypoints it came from.
        valid: (time, joints) bool; False where nothing supports the point.
        spread: (time, joints) metres: the root of the expected square distance from the truth in the
            world, all directions together (`lift2to3.pipeline.spread`). Most of it is shared by all points
            of a frame and lies along the camera's ray. NaN where unknown. Weights without a calibration:
            the spread of the views' rays and of the samples, which is several times smaller.
        warnings: what was said while it was lifted, a sentence each.
        refined: what was refined on the way: "feet", "body".
        body: the posed body whose points these are, where one was found.
        first_frame: the number that the first frame has in its video (`Keypoints.first_frame`).
    """

    joints_world: np.ndarray
    joint_names: tuple[str, ...]
    fps: float
    valid: np.ndarray
    spread: np.ndarray
    warnings: tuple[str, ...] = ()
    refined: tuple[str, ...] = ()
    body: BodyMotion | None = None
    first_frame: int = 0

    @property
    def times_s(self) -> np.ndarray:
        """Each frame's time in its video. (time,) seconds"""
        return (self.first_frame + np.arange(len(self.joints_world))) / self.fps

    def as_skeleton(self, skeleton: str | Skeleton) -> np.ndarray:
        """The joints in another format's order. (time, joints of that format, 3), NaN if unknown."""
        skeleton = get_skeleton(skeleton)
        row = {name: i for i, name in enumerate(self.joint_names)}
        out = np.full((len(self.joints_world), len(skeleton.joints), 3), np.nan, np.float32)
        for joint, name in enumerate(skeleton.canonical):
            if name in row:
                out[:, joint] = self.joints_world[:, row[name]]
        return out

    def save(self, path: str | Path) -> Path:
        """Write ``.npz`` with the fields above under their own names; returns the path written.

        The file appears whole or not at all. A motion's body is written beside it (`body_file`).

        Raises:
            ValueError: the body is not that of these points.
        """
        if self.body is not None:
            check_belongs(self.body, self)
        path = _save_record(self, path)
        if self.body is not None:
            self.body.save(body_file(path))
        return path

    def __repr__(self) -> str:
        """One line."""
        points = np.shape(self.joints_world)[1:2] or (0,)
        said = f", {len(self.warnings)} warnings" if self.warnings else ""
        return f"Motion({clip_length(self.joints_world, self.fps)}, {points[0]} points{said})"

    def _repr_html_(self) -> str:
        return as_html(repr(self), self.warnings)

    def show(self, keypoints: Keypoints | None = None, camera: Any = None) -> Any:
        """The report page in a notebook, the picture elsewhere: `lift2to3.report.show.show`."""
        return show(self, keypoints, camera)


class BodyMotion(NamedTuple):
    """Motion of a rigid skeleton: bones of one person that keep their lengths, posed by rotations.

    The skeleton is `lift2to3.body`'s: the 22 SMPL joints turn, the other canonical points ride on
    them. At rest it stands in a T-pose with every joint's axes aligned: x to its left, y up, z forward.
    Everything is finite: frames without support are filled in, and not `valid`.

    Attributes:
        root_translation: (time, 3) the pelvis in the world, metres, z up, floor z = 0.
        rotations: (time, 22, 3, 3) each joint's frame relative to its parent's; the pelvis's
            relative to the world.
        rest_offsets: (38, 3) each canonical point from its parent at rest, metres. The pelvis's is 0.
        fps: frames per second.
        valid: (time,) bool; False where nothing supports the frame.
        points_hash: `motion_hash` of the motion that this body was found for; empty for any other body.
        first_frame: the number that the first frame has in its video.
    """

    root_translation: np.ndarray
    rotations: np.ndarray
    rest_offsets: np.ndarray
    fps: float
    valid: np.ndarray
    points_hash: str = ""
    first_frame: int = 0

    def posed(self) -> tuple[np.ndarray, np.ndarray]:
        """Joints' frames (time, 22, 3, 3) and canonical points (time, 38, 3) in the world, float64."""
        from lift2to3.body import pose_body  # which needs jax: reading a file does not

        arrays = (self.rest_offsets, self.rotations, self.root_translation)
        frames, points = pose_body(*(np.asarray(array, np.float64) for array in arrays))
        return np.asarray(frames), np.asarray(points)

    def points(self) -> np.ndarray:
        """The canonical points (time, 38, 3) in the world, metres, float32; NaN where not valid."""
        points = np.empty((len(self.rotations), len(CANONICAL), 3), np.float32)
        for start in range(0, len(points), _FRAMES_AT_ONCE):  # bounds the memory of long clips
            rows = slice(start, start + _FRAMES_AT_ONCE)
            part = self._replace(root_translation=self.root_translation[rows], rotations=self.rotations[rows])
            points[rows] = part.posed()[1]
        points[~self.valid] = np.nan
        return points

    def motion(self, spread: np.ndarray | None = None) -> Motion:
        """These points as a `Motion` with this body; ``spread`` (time, 38) in metres is NaN if not given."""
        points = self.points()
        valid = np.repeat(self.valid[:, None], len(CANONICAL), axis=1)
        unknown = np.full(valid.shape, np.nan, np.float32)
        motion = Motion(points, CANONICAL, self.fps, valid, unknown if spread is None else spread)
        body = self._replace(points_hash=motion_hash(motion))
        return motion._replace(body=body, first_frame=self.first_frame)

    def save(self, path: str | Path) -> Path:
        """Write ``.npz`` with the fields above under their own names; returns the path written."""
        return _save_record(self, path)

    def __repr__(self) -> str:
        """One line."""
        return f"BodyMotion({clip_length(self.rotations, self.fps)})"

    def _repr_html_(self) -> str:
        return as_html(repr(self))

    def show(self, keypoints: Keypoints | None = None, camera: Any = None) -> Any:
        """The report page in a notebook, the picture elsewhere: `lift2to3.report.show.show`."""
        return show(self, keypoints, camera)


# --- to and from files


_FRAMES_AT_ONCE: Final = 4096
_TEXTS: Final = ("warnings", "refined")


def _save_record(record: Motion | BodyMotion, path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = record._asdict()
    if isinstance(record, Motion):
        fields |= {name: np.array(fields[name], dtype=str) for name in _TEXTS}
        del fields["body"]
    if not record.first_frame:
        del fields["first_frame"]
    return save_arrays(path, **fields, frame="world, z up, metres")


def body_file(path: str | Path) -> Path:
    """Where the body of a motion's file lies: body.npz beside motion.npz, walk.body.npz beside walk.npz."""
    path = Path(path)
    return path.with_name("body.npz" if path.name == "motion.npz" else f"{path.stem}.body.npz")


@guarded
def load_motion(path: str | Path) -> Motion:
    """Read what `Motion.save` wrote, with the body beside it, where there is one.

    Raises:
        ValueError: not such a file (the message says which field is missing or wrong), or the body beside it
            is another motion's.
    """
    fields = load_arrays(path, needed=_needed(Motion))
    joints, valid, spread = fields["joints_world"], fields["valid"], fields["spread"]
    names = tuple(str(name) for name in fields["joint_names"])
    shape = joints.shape[:2]
    if joints.ndim != 3 or joints.shape[2] != 3 or len(names) != joints.shape[1]:
        raise ValueError(
            f"{path}: joints_world is {joints.shape} with {len(names)} joint names; wanted "
            "(time, joints, 3) with a name per joint"
        )
    if valid.shape != shape or spread.shape != shape:
        raise ValueError(f"{path}: valid {valid.shape} and spread {spread.shape} must be {shape}")
    said, refined = (tuple(str(text) for text in fields.get(name, ())) for name in _TEXTS)
    motion = Motion(
        joints, names, as_rate(fields["fps"], path), valid.astype(bool), spread, said, refined,
        first_frame=as_first_frame(fields.get("first_frame", 0), path),
    )  # fmt: skip
    beside = body_file(path)
    if not beside.is_file():
        return motion
    try:
        body = load_body_motion(beside)
        check_belongs(body, motion)
        if not body.points_hash:
            raise ValueError("the body says of no motion that it is its own")
    except ValueError as error:
        raise ValueError(
            f"{beside} lies where the body of {path} would, but {error}. Move it away, or lift again"
        ) from error
    return motion._replace(body=body)


@guarded
def load_body_motion(path: str | Path) -> BodyMotion:
    """Read what `BodyMotion.save` wrote.

    Raises:
        ValueError: not such a file (the message says which field is missing or wrong).
    """
    fields = load_arrays(path, needed=_needed(BodyMotion))
    body = BodyMotion(
        fields["root_translation"], fields["rotations"], fields["rest_offsets"], as_rate(fields["fps"], path),
        fields["valid"].astype(bool), str(fields.get("points_hash", "")),
        as_first_frame(fields.get("first_frame", 0), path),
    )  # fmt: skip
    _check_arrays(body, str(path))
    return body


def _needed(record: type[Motion] | type[BodyMotion]) -> tuple[str, ...]:
    return tuple(name for name in record._fields if name not in record._field_defaults)


# --- checks


_LARGEST_SHEAR: Final = 1e-3
_SHORTEST_BONE_M: Final = 1e-3


def as_first_frame(number: ArrayLike, source: object) -> int:
    """The number of a first frame.

    Raises:
        ValueError: not one whole number of 0 or more; ``source`` is what the message calls its origin.
    """
    value = np.asarray(number)
    if value.ndim or value.dtype.kind not in "iuf" or not 0 <= value < 2**53 or value != np.floor(value):
        raise ValueError(f"{source}: first_frame is {value.tolist()!r:.40}; wanted a whole number, 0 or more")
    return int(value)


def check_body(body: BodyMotion) -> None:
    """See that a body can be written as rotations.

    Raises:
        ValueError: an array of another shape, numbers that are not finite, matrices that are not
            rotations, a bone without length, not a rate, or fewer than 2 valid frames.
    """
    _check_arrays(body, "body motion")
    _check_frames(body.fps, int(np.count_nonzero(body.valid)))
    length = np.linalg.norm(body.rest_offsets[: len(SMPL_22)], axis=-1)
    short = [row for row in range(1, len(SMPL_22)) if length[row] < _SHORTEST_BONE_M]
    if short:
        bones = ", ".join(f"{SMPL_22[PARENTS[row]]} to {SMPL_22[row]}" for row in short)
        raise ValueError(f"body motion: bones without length: {bones}; wanted 1 mm or more in rest_offsets")


def check_points(motion: Motion) -> None:
    """See that points can be written as markers.

    Raises:
        ValueError: a point that is marked valid and is not finite, not a rate, or fewer than 2 frames with
            a valid point.
    """
    _check_frames(motion.fps, int(np.count_nonzero(motion.valid.any(axis=1))))
    bad = np.argwhere(motion.valid & ~np.isfinite(motion.joints_world).all(axis=-1))
    if len(bad):
        raise ValueError(
            f"motion: {motion.joint_names[bad[0, 1]]} in frame {bad[0, 0]} is valid but not finite "
            f"({len(bad)} such points); wanted numbers, or False in valid"
        )


def _check_frames(fps: float, valid_frames: int) -> None:
    as_rate(fps, "motion")
    if valid_frames < 2:
        raise ValueError(f"motion: {valid_frames} valid frames; wanted 2 or more for a file of motion")


def _check_arrays(body: BodyMotion, source: str) -> None:
    """Shapes, finite numbers, and matrices that are rotations."""
    frames, joints = (np.shape(body.root_translation) or (0,))[0], len(SMPL_22)
    wanted = {
        "root_translation": (frames, 3), "rotations": (frames, joints, 3, 3),
        "rest_offsets": (len(CANONICAL), 3), "valid": (frames,),
    }  # fmt: skip
    for name, shape in wanted.items():
        array = np.asarray(getattr(body, name))
        if array.shape != shape:
            raise ValueError(f"{source}: {name} is {array.shape}, wanted {shape}")
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{source}: {name} holds {array.dtype}, wanted numbers")
    for name, joint_names in (("root_translation", None), ("rotations", SMPL_22)):
        bad = np.argwhere(~np.isfinite(getattr(body, name)))
        if len(bad):
            where = f" of {joint_names[bad[0, 1]]}" if joint_names else ""
            raise ValueError(
                f"{source}: {name}{where} is not finite in frame {bad[0, 0]}; wanted every frame filled "
                "in, those without support marked in valid"
            )
    bad = np.argwhere(~np.isfinite(body.rest_offsets))
    if len(bad):
        raise ValueError(f"{source}: rest offset of {CANONICAL[bad[0, 0]]} is not finite; wanted metres")
    wrong = first_wrong_rotation(np.asarray(body.rotations, float))
    if wrong is not None:
        raise ValueError(
            f"{source}: the matrix of {SMPL_22[wrong[1]]} in frame {wrong[0]} is not a rotation; wanted "
            "orthonormal columns and determinant +1"
        )


def first_wrong_rotation(matrices: Float[np.ndarray, "*batch 3 3"]) -> list[int] | None:
    """Where the matrix stands that is furthest from a rotation, or None where all are rotations."""
    shear = np.abs(matrices @ matrices.swapaxes(-1, -2) - np.eye(3)).max(axis=(-1, -2), initial=0.0)
    shear = np.where(np.linalg.det(matrices) < 0, np.inf, shear)
    if shear.max(initial=0.0) <= _LARGEST_SHEAR:
        return None
    return [int(row) for row in np.unravel_index(shear.argmax(), shear.shape)]


def motion_hash(motion: Motion) -> str:
    """A short SHA-256 of the points and their rate: which motion a body belongs to."""
    content = hashlib.sha256(np.ascontiguousarray(motion.joints_world, "<f4").tobytes())
    content.update(np.array(motion.fps, "<f8").tobytes())
    return content.hexdigest()[:16]


def check_belongs(body: BodyMotion, motion: Motion) -> None:
    """See that a body is that of a motion; one that names no motion may be of any of its length and rate.

    Raises:
        ValueError: other frames, another rate, or found for other points.
    """
    frames, wanted = len(body.rotations), len(motion.joints_world)
    if frames != wanted:
        differ = f"has {frames} frames, the motion {wanted}"
    elif abs(body.fps - motion.fps) > 1e-6 * motion.fps:
        differ = f"has {body.fps:g} frames per second, the motion {motion.fps:g}"
    elif body.points_hash not in ("", motion_hash(motion)):
        differ = f"was found for the points {body.points_hash}, the motion's are {motion_hash(motion)}"
    else:
        return
    raise ValueError(
        f"the body {differ}; wanted the body of this very motion: keep the two files of one lift together, "
        "or take the body's away and have one fitted"
    )
