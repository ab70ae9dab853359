"""``lift2to3 lift`` and ``lift2to3 demo``: keypoints and a camera → motion, picture and report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from lift2to3.commands.arguments import (
    AS_IT_SAYS,
    CameraFile,
    CameraOptions,
    Count,
    FileFormat,
    Folder,
    Format,
    KeypointsFile,
    MaybeCount,
    Person,
    Rate,
    Weights,
    as_format,
    optional,
)
from lift2to3.commands.lift_files import (
    BODY_FILE,
    MOTION_FILE,
    OVERLAY_FILE,
    PAGE_FILE,
    PICTURE_FILE,
    TEXT_FILE,
    lift_and_write,
)
from lift2to3.commands.output import Rows, prepare_folder, print_report, print_written
from lift2to3.progress import progress
from lift2to3.told import gathered_warnings

if TYPE_CHECKING:
    import numpy as np

    from lift2to3.geometry.cameras import Camera
    from lift2to3.keypoints import Keypoints
    from lift2to3.motion import Motion

_TRUTH_ROWS: Final = {
    "mpjpe": "joint error, hips aligned (MPJPE)",
    "pa_mpjpe": "joint error, each frame aligned (PA-MPJPE)",
    "abs_mpjpe": "joint error in the world",
    "root_error": "pelvis error in the world",
    "rte": "path error, of its length (RTE)",
    "accel": "acceleration error",
}
"""What the demo measures against the truth, in words."""


def lift(
    keypoints: KeypointsFile,
    /,
    camera: CameraFile,
    out: Folder,
    skeleton: Format = None,
    fps: Rate = None,
    reading: CameraOptions = AS_IT_SAYS,
    weights: Weights = "small",
    steps: MaybeCount = None,
    samples: Count = 1,
    seed: Count = 0,
    feet: bool = True,
    refine: bool = False,
    stature: Annotated[float | None, optional("METRES")] = None,
    force: bool = False,
    overlay: Annotated[Path | None, optional("VIDEO")] = None,
    person: Person = None,
    format: FileFormat = None,
) -> None:
    """Lift one person's 2D keypoints to absolute 3D motion: writes motion.npz, motion.png and report.html.

    Args:
        keypoints: 2D keypoints in pixels: .npz, .npy, .json, .csv, .trc, .h5, .slp, or a folder with a file
            for each frame, as OpenPose's.
        camera: the calibrated camera: our json or npz, or the calibration of another program (see
            docs/formats.md); of several in a file one, as Calib.toml:cam_01.
        out: folder for the results.
        skeleton: the keypoints' format where the file does not state it, such as coco17, body25 or
            halpe26; or a table of your own, as mine.json.
        fps: frames per second of the clip where the file does not state it.
        reading: how to read the camera's file where it does not say everything itself.
        weights: shipped weights (small, or the direct regressor), or a .safetensors file of your own.
        steps: denoising steps; one by default, more make the motion a little smoother.
        samples: how many motions to imagine; the result is their mean.
        seed: of the noise: the same seed gives the same motion.
        feet: refine the feet where the keypoints show heels and toes.
        refine: then fit a posed body to the keypoints, from the lifted motion on: closer, smoother, and feet
            that slide less, for about 0.3 s per second of motion. Also writes body.npz.
        stature: how tall the person is, where that is far from an adult's 1.7 m: a child.
        force: write a result that cannot be, such as a person of 4 m, all the same.
        overlay: the video that the keypoints are from: writes overlay.mp4, the same with the skeleton.
        person: whom, where the file holds several people: the tracker's id or a number, several ids of one
            person as 1,5; or all, who come into one world, with a folder each.
        format: what wrote the keypoints, where their file does not show it: coco, mmpose, openpose,
            alphapose, ultralytics, mediapipe, deeplabcut, sleap, lightningpose, movement or own.
    """
    from lift2to3.formats.keypoints.read import read_keypoints, read_people
    from lift2to3.report.page import write_report

    everybody = person == "all"
    if everybody and overlay is not None:
        raise ValueError("--overlay shows one person; wanted --person with an id, or no --overlay")
    with gathered_warnings() as notes:
        calibrated = reading.read(camera)
        given = (keypoints, as_format(skeleton), fps, format, calibrated.size)
        people = read_people(*given) if everybody else {}
        observed = next(iter(people.values())) if everybody else read_keypoints(*given, person)
    how = {
        "steps": steps, "samples": samples, "seed": seed, "feet": feet, "refine": refine, "stature": stature,
        "force": force,
    }  # fmt: skip
    if everybody:
        from lift2to3.commands.lift_people import lift_people

        return lift_people(people, calibrated, out, weights, keypoints.stem, notes, **how)
    if overlay is not None:
        from lift2to3.report.overlay import check_video

        check_video(overlay, calibrated, len(observed.xy_px), observed.first_frame)
    prepare_folder(out, MOTION_FILE, BODY_FILE, PICTURE_FILE, PAGE_FILE, OVERLAY_FILE)
    motion, written, _ = lift_and_write(observed, calibrated, out, weights, **how)
    write_report(motion, observed, calibrated, out / PAGE_FILE, keypoints.stem, notes)
    print_report("lift2to3", summary_rows(motion, observed, calibrated), [*notes, *motion.warnings])
    written.append(PAGE_FILE)
    if overlay is not None:
        from lift2to3.report.overlay import draw_overlay

        with progress("drawing the video") as advance:
            draw_overlay(motion, observed, calibrated, overlay, out / OVERLAY_FILE, progress=advance)
        written.append(OVERLAY_FILE)
    print_written([out / name for name in written])


def demo(out: Folder = Path("lift2to3_demo"), weights: Weights = "small", seed: Count = 0) -> None:
    """Lift the embedded clip, a person walking: motion.npz, motion.png, report.html and report.txt.

    Args:
        out: folder for the results.
        weights: shipped weights, or a .safetensors file of your own.
        seed: of the noise: the same seed gives the same motion.
    """
    from lift2to3.demo_clip import load_demo_clip
    from lift2to3.report.page import write_report

    prepare_folder(out, MOTION_FILE, BODY_FILE, PICTURE_FILE, PAGE_FILE, TEXT_FILE)
    observed, camera, truth = load_demo_clip()
    motion, written, seconds = lift_and_write(observed, camera, out, weights, seed=seed)
    measured = [("lifted in", f"{seconds:.1f} s, compilation included")]
    if truth is not None:
        measured += truth_rows(motion, truth)
    rows, title = summary_rows(motion, observed, camera) + measured, "lift2to3 demo: a walk, one camera"
    write_report(motion, observed, camera, out / PAGE_FILE, title, rows=measured)
    print_report(title, rows, motion.warnings, out / TEXT_FILE)
    print_written([out / name for name in (*written, PAGE_FILE, TEXT_FILE)])


def summary_rows(motion: Motion, keypoints: Keypoints, camera: Camera) -> list[tuple[str, str]]:
    """What one looks at first, in words, one row a matter."""
    from lift2to3.summary import summarise

    summary = summarise(motion, keypoints, camera)
    low_pelvis, high_pelvis = summary.pelvis_height_m
    low_head, high_head = summary.head_height_m
    low_foot, foot = summary.foot_height_m
    of_size = f", {summary.reprojection_share:.1%} of the person's size in the image"
    return [
        ("clip", f"{summary.seconds:.1f} s, {summary.frames} frames at {summary.fps:g} fps"),
        ("path walked", f"{summary.path_m:.2f} m"),
        ("top of the head", f"{low_head:.2f} to {high_head:.2f} m over the floor"),
        ("pelvis height", f"{low_pelvis:.2f} to {high_pelvis:.2f} m over the floor"),
        (
            "lowest foot",
            f"{100 * foot:.1f} cm over the floor (median), {100 * low_foot:.1f} cm (5th percentile); "
            f"within 3 cm in {summary.contact_fraction:.0%} of the frames",
        ),
        ("foot sliding", f"{summary.sliding_mm:.1f} mm per 1/30 s in contact with the floor"),
        (
            "reprojection",
            f"{summary.reprojection_px:.1f} px (median){of_size if summary.body_px > 0 else ''}",
        ),
        ("uncertainty", f"{100 * summary.spread_m:.1f} cm (median spread of the points)"),
        ("keypoints missing", f"{summary.missing_fraction:.0%}"),
    ]


def truth_rows(motion: Motion, truth: np.ndarray) -> Rows:
    """Errors against the true points, (time, joints, 3) metres in the motion's joints, one row a metric."""
    from lift2to3.scores import UNITS, evaluate_motion

    scores = evaluate_motion(
        motion.joints_world.astype(float), truth.astype(float), motion.joint_names, motion.fps, motion.valid
    )
    return [
        (said, f"{scores[name]:.1f} {UNITS[name]}") for name, said in _TRUTH_ROWS.items() if name in scores
    ]
