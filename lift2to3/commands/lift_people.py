"""``lift2to3 lift --person all``: everybody in the keypoints' file, in the one shared world."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lift2to3.commands.lift_files import BODY_FILE, MOTION_FILE, PAGE_FILE, PICTURE_FILE, lift_and_write
from lift2to3.commands.output import prepare_folder, print_report, print_written
from lift2to3.told import gathered_warnings

if TYPE_CHECKING:
    from lift2to3.geometry.cameras import Camera
    from lift2to3.keypoints import Keypoints
    from lift2to3.motion import BodyMotion, Motion

PEOPLE_FILE = "people.glb"


def lift_people(
    people: dict[str, Keypoints],
    camera: Camera,
    out: Path,
    weights: str,
    title: str,
    notes: Sequence[str],
    **how: float | bool | None,
) -> None:
    """Lift each person and write a folder for each, one report page and one glb with all.

    Args:
        people: keypoints by id or number.
        camera: the camera that saw them all.
        out: folder for the results: person_1 and so on, report.html, people.glb.
        weights: of the lifter.
        title: of the report.
        notes: what was said while reading.
        how: further arguments of `lift2to3.pipeline.lift.Lifter.lift`.

    Raises:
        ValueError: nobody whose lift can be.
    """
    from lift2to3.fit.fit_body import fit_body
    from lift2to3.formats.motions.glb import write_people_glb
    from lift2to3.report.page import write_report

    folders = {name: out / f"person_{re.sub(r'[^A-Za-z0-9-]+', '_', name)}" for name in people}
    prepare_folder(out, PAGE_FILE, PEOPLE_FILE)
    motions: dict[str, Motion] = {}
    bodies: dict[str, BodyMotion] = {}
    said, failed = list(notes), []
    for name, keypoints in people.items():
        prepare_folder(folders[name], MOTION_FILE, BODY_FILE, PICTURE_FILE, PAGE_FILE)
        try:
            with gathered_warnings() as told:
                motion, _, _ = lift_and_write(keypoints, camera, folders[name], weights, **how)
                body = fit_body(motion, keypoints, camera) if motion.body is None else motion.body
        except ValueError as error:
            failed.append(f"person {name} is left out: {error}")
            continue
        motions[name], bodies[name] = motion, body
        write_report(motion, keypoints, camera, folders[name] / PAGE_FILE, f"{title}: person {name}", told)
        said += [f"person {name}: {text}" for text in motion.warnings]
    if not motions:
        raise ValueError("; ".join(failed))
    first = min(motion.first_frame for motion in motions.values())
    last = max(motion.first_frame + len(motion.joints_world) for motion in motions.values())
    main = next(iter(motions))
    whole, seen = _at(motions[main], np.arange(first, last)), people[main].at(np.arange(first, last))
    others = [motion for name, motion in motions.items() if name != main]
    rows = [(f"person {name}", _in_words(motion)) for name, motion in motions.items()]
    write_report(whole, seen, camera, out / PAGE_FILE, title, [*failed, *said], rows, others)
    write_people_glb(out / PEOPLE_FILE, {f"person {name}": body for name, body in bodies.items()})
    print_report("lift2to3", rows, [*failed, *said])
    print_written([*(folders[name] for name in motions), out / PAGE_FILE, out / PEOPLE_FILE])


def _at(motion: Motion, frames: np.ndarray) -> Motion:
    """The motion over these frames of its video; not valid where it has none."""
    rows = frames - motion.first_frame
    there = (rows >= 0) & (rows < len(motion.joints_world))
    rows = rows.clip(0, len(motion.joints_world) - 1)
    valid = motion.valid[rows] & there[:, None]
    return motion._replace(
        joints_world=np.where(valid[..., None], motion.joints_world[rows], np.nan),
        valid=valid,
        spread=np.where(valid, motion.spread[rows], np.nan),
        body=None,
        first_frame=int(frames[0]),
    )


def _in_words(motion: Motion) -> str:
    pelvis = motion.joints_world[:, motion.joint_names.index("pelvis"), :2]
    seen = pelvis[np.isfinite(pelvis).all(axis=-1)]
    last = motion.first_frame + len(motion.joints_world) - 1
    if not len(seen):
        return f"frames {motion.first_frame} to {last}; nothing supports any of them"
    start, end = seen[0], seen[-1]
    return (
        f"frames {motion.first_frame} to {last}, from ({start[0]:.2f}, {start[1]:.2f}) to "
        f"({end[0]:.2f}, {end[1]:.2f}) m"
    )
