"""``lift2to3 eval``: a motion, or a folder of them, against the true one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import tyro

from lift2to3.commands.arguments import (
    AS_IT_SAYS,
    CameraOptions,
    Format,
    MaybeCamera,
    MaybeFile,
    Rate,
    Track,
    as_format,
    flag,
    optional,
)
from lift2to3.commands.output import prepare_folder, print_warnings
from lift2to3.progress import progress
from lift2to3.told import gathered_warnings

if TYPE_CHECKING:
    from lift2to3.compare.files import Comparison

_CLIPS_SHOWN: Final = 5


def evaluate(
    predicted: Annotated[Path, tyro.conf.Positional, flag("PRED")],
    truth: Annotated[Path, tyro.conf.Positional, flag("TRUTH")],
    /,
    skeleton: Format = None,
    truth_skeleton: Format = None,
    fps: Rate = None,
    truth_fps: Rate = None,
    joints: Format = None,
    resample: bool = False,
    missing: Literal["error", "skip"] = "error",
    camera: MaybeCamera = None,
    reading: CameraOptions = AS_IT_SAYS,
    key: Annotated[str | None, optional("KEY")] = None,
    truth_key: Annotated[str | None, optional("KEY")] = None,
    track: Track = None,
    body_model: MaybeFile = None,
    truth_body_model: MaybeFile = None,
    out: MaybeFile = None,
) -> None:
    """Compare a motion, or a folder of motions, with the true one: every score, its unit, what it is over.

    Args:
        predicted: motion.npz or body.npz of ours; a result of GVHMR, WHAM, TRAM, PHALP or 4D-Humans; an
            AMASS-style npz; joints in metres, .npy or .npz (time, joints, 3); or 2D keypoints. Or a folder.
        truth: likewise; of two folders, files of one name belong together.
        skeleton: format of PRED's joints where the file does not state it, such as smpl24 or h36m17.
        truth_skeleton: of TRUTH's; by default as --skeleton.
        fps: frames per second of PRED where the file does not state it; by default as TRUTH's.
        truth_fps: of TRUTH; by default as PRED's.
        joints: compare on this format's joints; by default on all that both have.
        resample: bring PRED to TRUTH's rate, where they differ.
        missing: what to do where a clip of TRUTH has no prediction.
        camera: the calibrated camera in TRUTH's world, to put there the result of a program that has a world
            of its own (GVHMR, WHAM, TRAM, PHALP).
        key: which array of PRED's npz, where several could be joints.
        truth_key: which of TRUTH's.
        reading: how to read the camera's file where it does not say everything itself.
        track: whom, where PRED holds several people; by default who is seen longest.
        body_model: the SMPL-family file of PRED, for the exact proportions in another program's result.
        truth_body_model: of TRUTH.
        out: json file for the scores of every clip and of all.
    """
    from lift2to3.compare.files import compare_files, write_comparison
    from lift2to3.compare.read import Reading

    if out is not None:
        prepare_folder(out.parent, out.name)
    with gathered_warnings() as notes, progress("comparing") as advance:
        comparison = compare_files(
            predicted,
            truth,
            Reading(as_format(skeleton), fps, key, track, body_model),
            Reading(as_format(truth_skeleton), truth_fps, truth_key, None, truth_body_model),
            joints=as_format(joints),
            resample=resample,
            missing=missing,
            camera=reading.read(camera) if camera else None,
            progress=advance,
        )
    _print_comparison(comparison, notes)
    if out is not None:
        settings = {"predicted": str(predicted), "truth": str(truth), "resample": resample, "camera": camera}
        print(f"Wrote {write_comparison(out, comparison, **settings, warnings=notes)}")


def _print_comparison(comparison: Comparison, notes: Sequence[str]) -> None:
    """A row a score; a column a clip as well, where there are few."""
    from rich.console import Console
    from rich.table import Table

    from lift2to3.compare.motions import COUNTED, UNITS

    console = Console()
    several = len(comparison.clips) > 1
    named = comparison.clips if several and len(comparison.clips) <= _CLIPS_SHOWN else {}
    frames = sum(clip.frames for clip in comparison.clips.values())
    what = "clips together" if several else next(iter(comparison.clips))
    head = f"{len(comparison.clips)} {what}" if several else what
    table = Table(
        title=f"{head}: {frames} frames, {len(comparison.joints)} joints", title_justify="left", box=None
    )
    table.add_column("score")
    for column in ("all" if several else "", *named):
        table.add_column(column, justify="right")
    table.add_column("unit")
    table.add_column("over")
    for name, value in comparison.overall.items():
        clips = (clip.scores.get(name, float("nan")) for clip in named.values())
        digits = 3 if UNITS[name] == "fraction" else 2
        numbers = (f"{number:.{digits}f}" if number == number else "–" for number in (value, *clips))
        count = f"{comparison.overall.counts[name]:.0f} {COUNTED.get(name, 'frames')}"
        table.add_row(name, *numbers, UNITS[name], count)
    console.print(table, markup=False, highlight=False)
    console.print(f"joints: {', '.join(comparison.joints)}", markup=False, highlight=False)
    print_warnings(notes, console)
