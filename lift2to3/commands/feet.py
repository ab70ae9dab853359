"""``lift2to3 feet``: anyone's motion with its ankles put right by 2D foot keypoints."""

from __future__ import annotations

from lift2to3.commands.arguments import (
    Direction,
    FileFormat,
    Folder,
    Format,
    KeypointsFile,
    MaybeCamera,
    MaybeFile,
    MotionFile,
    Person,
    Rate,
    Track,
    as_format,
)
from lift2to3.commands.lift_files import BODY_FILE
from lift2to3.commands.output import prepare_folder, print_report, print_written, write_report_text
from lift2to3.progress import progress
from lift2to3.told import gathered_warnings

CONTACTS_FILE, TEXT_FILE = "contacts.csv", "feet.txt"


def feet(
    motion: MotionFile,
    keypoints: KeypointsFile,
    /,
    out: Folder,
    camera: MaybeCamera = None,
    skeleton: Format = None,
    fps: Rate = None,
    direction: Direction = None,
    track: Track = None,
    body_model: MaybeFile = None,
    weights: MaybeFile = None,
    lock: bool = False,
    resample: bool = False,
    person: Person = None,
    format: FileFormat = None,
) -> None:
    """Refine a motion's ankles by 2D foot keypoints: writes body.npz, contacts.csv and feet.txt.

    Args:
        motion: a body motion: ours, or the result of GVHMR, WHAM, TRAM, PHALP or 4D-Humans, or an
            AMASS-style npz; or motion.npz as lift wrote it.
        keypoints: 2D keypoints in pixels of the same video, with heels and toes.
        out: folder for the results.
        camera: the calibrated camera, as for lift. May be left out where the motion's file has one.
        skeleton: the keypoints' format where the file does not state it, such as halpe26 or body25.
        fps: frames per second of the clip where the keypoints' file does not state it.
        direction: what R and t do, where the camera file does not state it.
        track: whom, where the motion's file holds several people; by default who is seen longest.
        body_model: your SMPL, SMPL-H or SMPL-X file, for the exact proportions in another program's result.
        weights: a .safetensors file of your own instead of the shipped weights.
        lock: then also hold feet still while they stand, by inverse kinematics of the legs.
        resample: bring a motion of another frame rate to the keypoints' instead of refusing it.
        person: whose keypoints, where the file holds several people: the tracker's id, or a number.
        format: what wrote the keypoints, where their file does not show it, as for lift.
    """
    from lift2to3.convert.foot_files import read_seen_body
    from lift2to3.formats.cameras.read import read_camera
    from lift2to3.formats.keypoints.read import read_keypoints
    from lift2to3.formats.motions.tables import write_contacts
    from lift2to3.pipeline.lock_feet import lock_feet
    from lift2to3.pipeline.refine_feet import FOOT_WEIGHTS, FootRefiner
    from lift2to3.report.foot_report import foot_report

    prepare_folder(out, BODY_FILE, CONTACTS_FILE, TEXT_FILE)
    with gathered_warnings() as notes, progress("refining feet"):
        calibrated = read_camera(camera, direction) if camera else None
        size = calibrated.size if calibrated else None
        observed = read_keypoints(
            keypoints, as_format(skeleton), fps, person=person, format=format, size=size
        )
        seen = read_seen_body(motion, observed, calibrated, track, body_model, resample)
        refiner = FootRefiner.from_pretrained(FOOT_WEIGHTS if weights is None else weights)
        refined = refiner.refine(seen.body, seen.keypoints, seen.camera, seen.views, seen.floor)
        report = foot_report(seen.body, refined)
        if lock:
            refined = lock_feet(refined, report.contacts)
            report = foot_report(seen.body, refined, report.contacts)
    refined.save(out / BODY_FILE)
    write_contacts(out / CONTACTS_FILE, report.contacts, refined.fps, refined.first_frame)
    print_report("lift2to3 feet", report.rows, notes)
    write_report_text(out / TEXT_FILE, "lift2to3 feet", report.rows, notes)
    print_written([out / name for name in (BODY_FILE, CONTACTS_FILE, TEXT_FILE)])
