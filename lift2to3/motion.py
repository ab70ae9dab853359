"""The records at the border: 2D `Keypoints` in, absolute 3D `Motion` and posed `BodyMotion` out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lift2to3.skeletons import CANONICAL, SKELETONS, SMPL_22, Skeleton, get_skeleton


class Keypoints(NamedTuple):
    """2D keypoints of one person in one camera, as `as_keypoints` checked them.

    Attributes:
        xy_px: (time, joints, 2) pixels; NaN where missing.
        confidence: (time, joints) in 0–1; exactly 0 where missing.
        skeleton: which joints, in which order.
        fps: frames per second.
    """

    xy_px: np.ndarray
    confidence: np.ndarray
    skeleton: Skeleton
    fps: float


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
        body: the posed body whose points these are, where one was found; `save` leaves it out.
    """

    joints_world: np.ndarray
    joint_names: tuple[str, ...]
    fps: float
    valid: np.ndarray
    spread: np.ndarray
    warnings: tuple[str, ...] = ()
    body: BodyMotion | None = None

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

        The file appears whole or not at all.
        """
        return _save_record(self, path)


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
    """

    root_translation: np.ndarray
    rotations: np.ndarray
    rest_offsets: np.ndarray
    fps: float
    valid: np.ndarray

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
        return Motion(points, CANONICAL, self.fps, valid, unknown if spread is None else spread, body=self)

    def save(self, path: str | Path) -> Path:
        """Write ``.npz`` with the fields above under their own names; returns the path written."""
        return _save_record(self, path)


_FRAMES_AT_ONCE = 4096


def _save_record(record: Motion | BodyMotion, path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            fields = {name: value for name, value in record._asdict().items() if name != "body"}
            np.savez_compressed(file, allow_pickle=False, **fields, frame="world, z up, metres")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def load_motion(path: str | Path) -> Motion:
    """Read what `Motion.save` wrote.

    Raises:
        ValueError: not such a file (the message says which field is missing or wrong).
    """
    fields = load_arrays(path, needed=tuple(name for name in Motion._fields if name != "body"))
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
    fps = fields["fps"]
    if fps.ndim or not fps > 0:
        raise ValueError(f"{path}: fps is {fps.tolist()}; wanted one number above 0")
    return Motion(joints, names, float(fps), valid.astype(bool), spread)


def load_body_motion(path: str | Path) -> BodyMotion:
    """Read what `BodyMotion.save` wrote.

    Raises:
        ValueError: not such a file (the message says which field is missing or wrong).
    """
    fields = load_arrays(path, needed=BodyMotion._fields)
    count = len(fields["root_translation"]) if fields["root_translation"].ndim else 0
    shapes = {
        "root_translation": (count, 3), "rotations": (count, len(SMPL_22), 3, 3),
        "rest_offsets": (len(CANONICAL), 3), "fps": (), "valid": (count,),
    }  # fmt: skip
    for name, shape in shapes.items():
        if fields[name].shape != shape:
            raise ValueError(f"{path}: {name} is {fields[name].shape}, wanted {shape}")
        if not np.isfinite(fields[name]).all():
            raise ValueError(f"{path}: {name} is not finite everywhere")
    if not fields["fps"] > 0:
        raise ValueError(f"{path}: fps is {fields['fps'].tolist()}; wanted one number above 0")
    turns = fields["rotations"].reshape(-1, 3, 3).astype(float)
    if (
        not np.allclose(turns @ turns.swapaxes(1, 2), np.eye(3), atol=1e-3)
        or (np.linalg.det(turns) < 0).any()
    ):
        raise ValueError(f"{path}: rotations are not orthonormal with determinant +1")
    return BodyMotion(
        fields["root_translation"], fields["rotations"], fields["rest_offsets"],
        float(fields["fps"]), fields["valid"].astype(bool),
    )  # fmt: skip


_PICKLED = "it holds pickled Python objects, which can run code when opened; save plain arrays"


def load_arrays(path: str | Path, needed: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Every array of an ``.npz``; pickled objects are refused, whoever wrote them.

    Raises:
        ValueError: no npz, damaged, an array with pickled objects, or a needed key is absent.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start == b"\x93NUMPY":
            raise ValueError(f"{path}: a bare .npy array; wanted an .npz of named arrays")
        if start[:1] == b"\x80":
            raise ValueError(f"{path}: {_PICKLED}")
        if start[:2] != b"PK":
            raise ValueError(f"{path}: not an npz file; wanted an .npz of named arrays")
        try:
            archive = np.load(file, allow_pickle=False)
            arrays = {key: archive[key] for key in archive.files}
        except Exception as error:
            why = _PICKLED if "Object arrays" in str(error) else f"a damaged npz ({error})"
            raise ValueError(f"{path}: {why}") from error
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise ValueError(
            f"{path}: no {', '.join(missing)}; wanted the keys {', '.join(needed)}, found "
            f"{', '.join(arrays) or 'none'}"
        )
    return arrays


def as_keypoints(
    xy: ArrayLike,
    confidence: ArrayLike | None = None,
    skeleton: str | Skeleton = "coco17",
    fps: float = 30.0,
) -> Keypoints:
    """Check 2D keypoints and put them in one form.

    Args:
        xy: (time, joints, 2) pixels; NaN = missing. (0, 0) with confidence 0, as detectors write
            for a missed joint, is missing too.
        confidence: (time, joints) in 0–1, or None for 1 wherever xy is finite and not exactly (0, 0).
        skeleton: a built-in format's name or a `Skeleton`.
        fps: frames per second of the clip.

    Raises:
        ValueError: a shape, rate or range that cannot be right; the message says what would be.
    """
    skeleton = get_skeleton(skeleton)
    xy = np.array(xy, dtype=np.float64)
    if xy.ndim != 3 or xy.shape[-1] != 2:
        hint = "; pass xy[..., :2] and confidence=xy[..., 2]" if xy.ndim == 3 and xy.shape[-1] == 3 else ""
        raise ValueError(f"keypoints: wanted (time, joints, 2) pixels, found {xy.shape}{hint}")
    if xy.shape[1] != len(skeleton.joints):
        fits = [s.name for s in SKELETONS.values() if len(s.joints) == xy.shape[1]]
        raise ValueError(
            f"keypoints have {xy.shape[1]} joints, skeleton {skeleton.name!r} has "
            f"{len(skeleton.joints)}; "
            + (f"with {xy.shape[1]} joints: {', '.join(fits)}" if fits else "no built-in format fits: "
               "pass lift2to3.load_skeleton('mine.json')")
        )  # fmt: skip
    if len(xy) < 2:
        raise ValueError(f"keypoints: wanted a clip of 2 frames or more, found {len(xy)}")
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"fps: wanted frames per second above 0, found {fps}")
    if confidence is None:
        confidence = (xy != 0).any(-1).astype(np.float64)
    confidence = np.array(confidence, dtype=np.float64)
    if confidence.shape != xy.shape[:2]:
        raise ValueError(f"confidence: wanted {xy.shape[:2]} like the keypoints, found {confidence.shape}")
    confidence = np.nan_to_num(confidence, nan=0.0)
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(
            f"confidence: wanted 0–1, found {confidence.min():.3g} to {confidence.max():.3g}; scale it"
        )
    seen = np.isfinite(xy).all(-1) & (confidence > 0)
    if not seen.any():
        raise ValueError("keypoints: every joint of every frame is missing; nothing to lift")
    if np.abs(xy[seen]).max() <= 1.5:
        raise ValueError(
            f"keypoints run from {xy[seen].min():.2f} to {xy[seen].max():.2f}: they look normalised to "
            "0–1; wanted pixels (multiply by the image's width and height)"
        )
    xy[~seen] = np.nan
    confidence[~seen] = 0.0
    return Keypoints(xy, confidence, skeleton, float(fps))
