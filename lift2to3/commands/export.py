"""``lift2to3 export``: a motion → files that other programs open."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Literal

from lift2to3.commands.arguments import Folder, MaybeFile, MotionFile, flag, optional
from lift2to3.commands.output import prepare_folder, print_warnings, print_written
from lift2to3.progress import progress
from lift2to3.told import gathered_warnings


def export(
    motion: MotionFile,
    /,
    to: Annotated[str, flag("FORMATS")],
    out: Folder = Path("."),
    up: Annotated[Literal["y", "z"] | None, optional("{y,z}")] = None,
    unit: Literal["m", "cm", "mm"] = "m",
    body_model: MaybeFile = None,
    mesh: Literal["figure", "anny"] = "figure",
) -> None:
    """Write a motion to files that other programs open: bvh, glb, trc, c3d, mot, amass, smpl, csv, json.

    Args:
        motion: motion.npz as lift wrote it (with the body.npz beside it, where there is one), or a posed
            body's npz.
        to: formats, separated by commas, as bvh,glb,trc; all for every one.
        out: folder for the files, which are named after MOTION.
        up: vertical axis of bvh, trc and c3d; by default y, y and z, as programs expect them. glb and
            mot always have y up, amass, smpl, csv and json z.
        unit: of bvh and trc; c3d is in millimetres, the others in metres.
        body_model: your SMPL-H file (for amass) or SMPL file (for smpl), for that model's shape and pose.
        mesh: what glb shows: a plain figure, or a person (pip install "lift2to3[anny]"; its first use takes
            minutes).
    """
    from lift2to3.convert.export import ENDINGS, FORMATS, OF_ROTATIONS, as_formats, body_of, read_motion_file
    from lift2to3.convert.export import export as write
    from lift2to3.motion import Motion, body_file

    formats = as_formats(list(FORMATS) if to == "all" else [name for name in to.split(",") if name])
    stem = motion.name.removesuffix(".npz")
    with gathered_warnings() as notes, progress("exporting") as advance:
        read = read_motion_file(motion)
        prepare_folder(out, *(stem + ENDINGS[name] for name in formats))
        if isinstance(read, Motion) and read.body is None and set(formats) & set(OF_ROTATIONS):
            body = body_of(read, advance)
            read = read._replace(body=body)
            with contextlib.suppress(OSError):  # the next export, and feet, take the same body
                body.save(body_file(motion))
        paths = write(read, out, stem, formats, up, unit, advance, body_model, mesh)
    print_warnings(notes)
    print_written(paths)
