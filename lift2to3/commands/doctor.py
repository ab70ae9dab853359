"""``lift2to3 doctor``: what is in the files, and what is wrong with them, before anything is lifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import tyro

from lift2to3.commands.arguments import (
    AS_IT_SAYS,
    CameraOptions,
    FileFormat,
    Format,
    KeypointsFile,
    Person,
    Rate,
    as_format,
)
from lift2to3.commands.output import print_report
from lift2to3.told import gathered_warnings

if TYPE_CHECKING:
    from lift2to3.pipeline.findings import Finding


def doctor(
    keypoints: KeypointsFile,
    camera: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="CAMERA")] = None,
    /,
    skeleton: Format = None,
    fps: Rate = None,
    reading: CameraOptions = AS_IT_SAYS,
    person: Person = None,
    format: FileFormat = None,
) -> None:
    """Say what the keypoints and their camera are, and what is wrong with them; lifts nothing.

    Ends with code 2 where lift would refuse them.

    Args:
        keypoints: 2D keypoints, as for lift.
        camera: the calibrated camera, as for lift; without it only the keypoints are looked at.
        skeleton: the keypoints' format where the file does not state it.
        fps: frames per second of the clip where the file does not state it.
        reading: how to read the camera's file where it does not say everything itself.
        person: whom, where the file holds several people, as for lift.
        format: what wrote the keypoints, where their file does not show it, as for lift.
    """
    from lift2to3.formats.keypoints.read import read_keypoints
    from lift2to3.pipeline.clean_observations import cleaned
    from lift2to3.pipeline.findings import another_format
    from lift2to3.pipeline.setup_report import camera_rows, keypoint_rows, person_rows, said_findings

    with gathered_warnings() as notes:
        seen = None if camera is None else reading.read(camera)
        size = None if seen is None else seen.size
        observed = read_keypoints(keypoints, as_format(skeleton), fps, format, size, person)
        if seen is not None:
            cleaned(observed, seen)  # warns as lift does
    rows: list[tuple[str, str]] = keypoint_rows(observed)
    if seen is None:
        other = another_format(observed)
        findings = [other] if other is not None else []
    else:
        findings = said_findings(observed, seen)
        rows += camera_rows(seen) + person_rows(observed, seen)
    print_report("lift2to3 doctor", rows + _finding_rows(findings), notes)
    if any(finding.severe for finding in findings):
        raise SystemExit(2)  # as lift would


def _finding_rows(findings: list[Finding]) -> list[tuple[str, str]]:
    if not findings:
        return [("found", "nothing wrong")]
    return [("wrong" if finding.severe else "doubtful", finding.text) for finding in findings]
