"""The command line: ``lift2to3 demo``, ``lift``, ``feet``, ``eval``, ``export`` and ``view``.

Everything heavy is imported inside the commands, so that ``--help`` answers at once. What the user can
put right – a file, a flag, a folder – ends in one line and exit code 2.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    import numpy as np

    from lift2to3.compare.files import Comparison
    from lift2to3.geometry.cameras import Camera
    from lift2to3.motion import Keypoints, Motion
    from lift2to3.report.summary import Summary
    from lift2to3.skeletons import Skeleton

MOTION_FILE, PICTURE_FILE, REPORT_FILE = "motion.npz", "motion.png", "report.txt"
PAGE_FILE, OVERLAY_FILE = "report.html", "overlay.mp4"
BODY_FILE, CONTACTS_FILE, FEET_FILE = "body.npz", "contacts.csv", "feet.txt"

Direction = Literal["world_to_camera", "camera_to_world"]

Rows = list[tuple[str, str]]
"""What a report shows: a name and what was measured."""

_TRUTH_ROWS: Final = {
    "mpjpe": "joint error, hips aligned (MPJPE)",
    "pa_mpjpe": "joint error, each frame aligned (PA-MPJPE)",
    "abs_mpjpe": "joint error in the world",
    "root_error": "pelvis error in the world",
    "rte": "path error, of its length (RTE)",
    "accel": "acceleration error",
}
"""What the demo measures against the truth, in words."""

_CLIPS_SHOWN: Final = 5


def _may_be_left_out(metavar: str) -> Any:
    """A flag whose default is to know it from elsewhere: its help names what to give, not ``None``."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(optional)")


def lift(
    keypoints: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="KEYPOINTS")],
    /,
    camera: Annotated[str, tyro.conf.arg(metavar="CAMERA")],
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    skeleton: Annotated[str | None, _may_be_left_out("FORMAT")] = None,
    fps: Annotated[float | None, _may_be_left_out("FPS")] = None,
    direction: Annotated[Direction | None, _may_be_left_out("{world_to_camera,camera_to_world}")] = None,
    weights: str = "small",
    steps: Annotated[int | None, _may_be_left_out("N")] = None,
    samples: int = 1,
    seed: int = 0,
    feet: bool = True,
    refine: bool = False,
    overlay: Annotated[Path | None, _may_be_left_out("VIDEO")] = None,
) -> None:
    """Lift one person's 2D keypoints to absolute 3D motion: writes motion.npz, motion.png and report.html.

    Args:
        keypoints: 2D keypoints in pixels: .npz, .npy, .json, or a folder of OpenPose json files.
        camera: the calibrated camera: .json or .npz with K, R, t, size, dist and direction, or one
            camera of a toml calibration, as Calib.toml:cam_01.
        out: folder for the results.
        skeleton: the keypoints' format where the file does not state it, such as coco17, body25 or
            halpe26; or a table of your own, as mine.json.
        fps: frames per second of the clip where the file does not state it.
        direction: what R and t do, where the camera file does not state it.
        weights: the shipped checkpoint's name, or a .safetensors file of your own.
        steps: denoising steps; one by default, more make the motion a little smoother.
        samples: how many motions to imagine; the result is their mean.
        seed: of the noise: the same seed gives the same motion.
        feet: refine the feet where the keypoints show heels and toes.
        refine: then fit a posed body to the keypoints, from the lifted motion on: closer, smoother, and feet
            that slide less, for about 0.3 s per second of motion.
        overlay: the video that the keypoints are from: writes overlay.mp4, the same with the skeleton.
    """
    from lift2to3.formats.cameras.read import read_camera
    from lift2to3.formats.keypoints.read import read_keypoints
    from lift2to3.report.page import write_report

    with _collected_warnings() as notes:
        observed = read_keypoints(keypoints, _format(skeleton), fps)
        calibrated = read_camera(camera, direction)
    if overlay is not None:
        from lift2to3.report.overlay import check_video

        check_video(overlay, calibrated, len(observed.xy_px))
    prepare_folder(out, MOTION_FILE, PICTURE_FILE, PAGE_FILE, OVERLAY_FILE)
    motion, summary, _ = _lift_and_write(
        observed, calibrated, out, notes, weights=weights, steps=steps, samples=samples, seed=seed,
        feet=feet, refine=refine,
    )  # fmt: skip
    write_report(motion, observed, calibrated, out / PAGE_FILE, keypoints.stem, notes)
    _print_report(Console(), "lift2to3", summary_rows(summary), notes + list(summary.warnings))
    written = [MOTION_FILE, PICTURE_FILE, PAGE_FILE]
    if overlay is not None:
        _write_overlay(motion, observed, calibrated, overlay, out / OVERLAY_FILE)
        written.append(OVERLAY_FILE)
    print(_wrote(out, *written))


def demo(out: Path = Path("lift2to3_demo"), weights: str = "small", seed: int = 0) -> None:
    """Lift the embedded clip, a person walking: motion.npz, motion.png, report.html and report.txt.

    Args:
        out: folder for the results.
        weights: the shipped checkpoint's name, or a .safetensors file of your own.
        seed: of the noise: the same seed gives the same motion.
    """
    from lift2to3.demo_clip import load_demo_clip
    from lift2to3.report.page import write_report
    from lift2to3.whole_file import whole_file

    prepare_folder(out, MOTION_FILE, PICTURE_FILE, PAGE_FILE, REPORT_FILE)
    observed, camera, truth = load_demo_clip()
    notes: list[str] = []
    motion, summary, seconds = _lift_and_write(observed, camera, out, notes, weights=weights, seed=seed)
    measured = [("lifted in", f"{seconds:.1f} s, compilation included")]
    if truth is not None:
        measured += truth_rows(motion, truth)
    rows = summary_rows(summary) + measured
    remarks = notes + list(summary.warnings)
    title = "lift2to3 demo: a walk, one camera"
    write_report(motion, observed, camera, out / PAGE_FILE, title, notes, measured)
    _print_report(Console(), title, rows, remarks)
    with whole_file(out / REPORT_FILE) as part, part.open("w", encoding="utf-8") as file:
        _print_report(Console(file=file, width=100), title, rows, remarks)
    print(_wrote(out, MOTION_FILE, PICTURE_FILE, PAGE_FILE, REPORT_FILE))


def view(
    motion: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MOTION")],
    /,
    camera: Annotated[str | None, _may_be_left_out("CAMERA")] = None,
    direction: Annotated[Direction | None, _may_be_left_out("{world_to_camera,camera_to_world}")] = None,
    port: int = 8080,
) -> None:
    """Show a motion in the browser, served from this computer, until Ctrl+C. Needs the extra ``view``.

    Args:
        motion: motion.npz as lift wrote it.
        camera: the camera file that lift took, to draw it too.
        direction: what R and t do, where the camera file does not state it.
        port: of the page; the next free one where it is taken.
    """
    from lift2to3.formats.cameras.read import read_camera
    from lift2to3.motion import load_motion
    from lift2to3.report.viewer import Viewer

    with _collected_warnings() as notes:
        viewer = Viewer(load_motion(motion), read_camera(camera, direction) if camera else None, port)
    for note in notes:
        print(f"Warning: {note}")
    print(f"Open {viewer.address} in a browser; Ctrl+C ends it.")
    viewer.run()


def export(
    motion: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MOTION")],
    /,
    to: Annotated[str, tyro.conf.arg(metavar="FORMATS")],
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("."),
    up: Annotated[Literal["y", "z"] | None, _may_be_left_out("{y,z}")] = None,
    unit: Literal["m", "cm", "mm"] = "m",
    body_model: Annotated[Path | None, _may_be_left_out("FILE")] = None,
    mesh: Literal["figure", "anny"] = "figure",
) -> None:
    """Write a motion to files that other programs open: bvh, glb, trc, c3d, mot, amass, smpl, csv, json.

    Args:
        motion: motion.npz as lift wrote it, or a posed body's npz.
        to: formats, separated by commas, as bvh,glb,trc; all for every one.
        out: folder for the files, which are named after MOTION.
        up: vertical axis of bvh, trc and c3d; by default y, y and z, as programs expect them. glb and
            mot always have y up, amass, smpl, csv and json z.
        unit: of bvh and trc; c3d is in millimetres, the others in metres.
        body_model: your SMPL-H file (for amass) or SMPL file (for smpl), for that model's shape and pose.
        mesh: what glb shows: a plain figure, or a person (pip install "lift2to3[anny]"; its first use takes
            minutes).
    """
    from lift2to3.convert import export as export_module

    named = list(export_module.FORMATS) if to == "all" else [name for name in to.split(",") if name]
    formats = export_module.as_formats(named)
    read = export_module.read_motion_file(motion)
    stem = motion.name.removesuffix(".npz")
    prepare_folder(out, *(stem + export_module.ENDINGS[name] for name in formats))
    with _collected_warnings() as notes, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("exporting", total=None)
        paths = export_module.export(
            read, out, stem, formats, up, unit,
            progress=lambda done, every: bar.update(task, completed=done, total=every),
            body_model=body_model, mesh=mesh,
        )  # fmt: skip
    for note in notes:
        print(f"Warning: {note}")
    print("Wrote " + ", ".join(map(str, paths)))


def feet(
    motion: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MOTION")],
    keypoints: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="KEYPOINTS")],
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    camera: Annotated[str | None, _may_be_left_out("CAMERA")] = None,
    skeleton: Annotated[str | None, _may_be_left_out("FORMAT")] = None,
    fps: Annotated[float | None, _may_be_left_out("FPS")] = None,
    direction: Annotated[Direction | None, _may_be_left_out("{world_to_camera,camera_to_world}")] = None,
    track: Annotated[str | None, _may_be_left_out("TRACK")] = None,
    body_model: Annotated[Path | None, _may_be_left_out("FILE")] = None,
    weights: Annotated[Path | None, _may_be_left_out("FILE")] = None,
    lock: bool = False,
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
    """
    from lift2to3.convert.foot_files import read_seen_body
    from lift2to3.formats.cameras.read import read_camera
    from lift2to3.formats.keypoints.read import read_keypoints
    from lift2to3.formats.motions.tables import write_contacts
    from lift2to3.pipeline.lock_feet import lock_feet
    from lift2to3.pipeline.refine_feet import FOOT_WEIGHTS, FootRefiner
    from lift2to3.report.foot_report import foot_report
    from lift2to3.whole_file import whole_file

    prepare_folder(out, BODY_FILE, CONTACTS_FILE, FEET_FILE)
    with _collected_warnings() as notes:
        observed = read_keypoints(keypoints, _format(skeleton), fps)
        calibrated = read_camera(camera, direction) if camera else None
        seen = read_seen_body(motion, observed, calibrated, track, body_model)
        refiner = FootRefiner.from_pretrained(FOOT_WEIGHTS if weights is None else weights)
        refined = refiner.refine(seen.body, seen.keypoints, seen.camera, seen.views, seen.floor)
        report = foot_report(seen.body, refined)
        if lock:
            refined = lock_feet(refined, report.contacts)
            report = foot_report(seen.body, refined, report.contacts)
    refined.save(out / BODY_FILE)
    write_contacts(out / CONTACTS_FILE, report.contacts, refined.fps)
    _print_report(Console(), "lift2to3 feet", report.rows, notes)
    with whole_file(out / FEET_FILE) as part, part.open("w", encoding="utf-8") as file:
        _print_report(Console(file=file, width=100), "lift2to3 feet", report.rows, notes)
    print(_wrote(out, BODY_FILE, CONTACTS_FILE, FEET_FILE))


def evaluate(
    predicted: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PRED")],
    truth: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TRUTH")],
    /,
    skeleton: Annotated[str | None, _may_be_left_out("FORMAT")] = None,
    truth_skeleton: Annotated[str | None, _may_be_left_out("FORMAT")] = None,
    fps: Annotated[float | None, _may_be_left_out("FPS")] = None,
    truth_fps: Annotated[float | None, _may_be_left_out("FPS")] = None,
    joints: Annotated[str | None, _may_be_left_out("FORMAT")] = None,
    resample: bool = False,
    missing: Literal["error", "skip"] = "error",
    camera: Annotated[str | None, _may_be_left_out("CAMERA")] = None,
    direction: Annotated[Direction | None, _may_be_left_out("{world_to_camera,camera_to_world}")] = None,
    key: Annotated[str | None, _may_be_left_out("KEY")] = None,
    truth_key: Annotated[str | None, _may_be_left_out("KEY")] = None,
    track: Annotated[str | None, _may_be_left_out("TRACK")] = None,
    body_model: Annotated[Path | None, _may_be_left_out("FILE")] = None,
    truth_body_model: Annotated[Path | None, _may_be_left_out("FILE")] = None,
    out: Annotated[Path | None, _may_be_left_out("FILE")] = None,
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
        direction: what R and t do, where the camera file does not state it.
        key: which array of PRED's npz, where several could be joints.
        truth_key: which of TRUTH's.
        track: whom, where PRED holds several people; by default who is seen longest.
        body_model: the SMPL-family file of PRED, for the exact proportions in another program's result.
        truth_body_model: of TRUTH.
        out: json file for the scores of every clip and of all.
    """
    from lift2to3.compare.files import compare_files, write_comparison
    from lift2to3.compare.read import Reading
    from lift2to3.formats.cameras.read import read_camera

    if out is not None:
        prepare_folder(out.parent, out.name)
    with _collected_warnings() as notes, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("comparing", total=None)
        comparison = compare_files(
            predicted,
            truth,
            Reading(_format(skeleton), fps, key, track, body_model),
            Reading(_format(truth_skeleton), truth_fps, truth_key, None, truth_body_model),
            joints=_format(joints),
            resample=resample,
            missing=missing,
            camera=read_camera(camera, direction) if camera else None,
            progress=lambda done, every: bar.update(task, completed=done, total=every),
        )
    _print_comparison(Console(), comparison, notes)
    if out is not None:
        settings = {"predicted": str(predicted), "truth": str(truth), "resample": resample, "camera": camera}
        print(f"Wrote {write_comparison(out, comparison, **settings, warnings=notes)}")


def _format(name: str | None) -> str | Skeleton | None:
    """A user's own table where the name is that of a json file; the name itself otherwise."""
    from lift2to3.skeletons import load_skeleton

    return load_skeleton(name) if name and name.endswith(".json") else name


def prepare_folder(out: Path, *names: str) -> None:
    """Make the folder and see that these files can be written there.

    Raises:
        ValueError: something is in the way, or writing is not allowed.
    """
    in_the_way = next((path for path in (out, *out.parents) if path.exists()), out)
    if in_the_way.exists() and not in_the_way.is_dir():
        raise ValueError(f"--out {out}: the file {in_the_way} is in the way; wanted a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise ValueError(
            f"--out {out}: cannot write there ({error.strerror}); choose another folder"
        ) from error
    for name in names:
        if (out / name).is_dir():
            raise ValueError(f"--out {out}: a folder named {name} is in the way of the file")


def _lift_and_write(
    keypoints: Keypoints,
    camera: Camera,
    out: Path,
    notes: list[str],
    weights: str,
    steps: int | None = None,
    samples: int = 1,
    seed: int = 0,
    feet: bool = True,
    refine: bool = False,
) -> tuple[Motion, Summary, float]:
    """Motion, its summary and the seconds that lifting took; motion and picture are in ``out``.

    What the lift has to say is added to ``notes``.
    """
    from lift2to3.pipeline.lift import Lifter
    from lift2to3.report.summary import summarise

    start = time.perf_counter()
    with _collected_warnings() as said, Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("lifting", total=None)
        motion = Lifter.from_pretrained(weights).lift(
            keypoints, camera, steps=steps, samples=samples, seed=seed, feet=feet,
            progress=lambda done, every: bar.update(task, completed=done, total=every),
        )  # fmt: skip
        if refine:
            from lift2to3.pipeline.refine_body import Smplify

            bar.reset(task, description="refining", total=None)
            motion = Smplify().lift(
                keypoints, camera, motion,
                progress=lambda done, every: bar.update(task, completed=done, total=every),
            )  # fmt: skip
    seconds = time.perf_counter() - start
    notes += said
    motion.save(out / MOTION_FILE)
    from lift2to3.report.figure import (
        draw_motion,  # only here: what is wrong with the input need not wait for it
    )

    draw_motion(motion, keypoints, camera, out / PICTURE_FILE)
    return motion, summarise(motion, keypoints, camera), seconds


def _write_overlay(motion: Motion, keypoints: Keypoints, camera: Camera, video: Path, path: Path) -> None:
    from lift2to3.report.overlay import draw_overlay

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("drawing the video", total=None)
        draw_overlay(
            motion, keypoints, camera, video, path,
            progress=lambda done, every: bar.update(task, completed=done, total=every),
        )  # fmt: skip


def _wrote(out: Path, *names: str) -> str:
    *others, last = (str(out / name) for name in names)
    return f"Wrote {', '.join(others)} and {last}"


# --- reports


def summary_rows(summary: Summary) -> Rows:
    """A summary in words, one row a matter."""
    low_pelvis, high_pelvis = summary.pelvis_height_m
    low_head, high_head = summary.head_height_m
    low_foot, foot = summary.foot_height_m
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
            f"{summary.reprojection_px:.1f} px (median), "
            f"{summary.reprojection_px / summary.body_px:.1%} of the person's size in the image",
        ),
        ("uncertainty", f"{100 * summary.spread_m:.1f} cm (median spread of the points)"),
        ("keypoints missing", f"{summary.missing_fraction:.0%}"),
    ]


def truth_rows(motion: Motion, truth: np.ndarray) -> Rows:
    """Errors against the true points, (time, joints, 3) metres in the motion's joints, one row a metric."""
    from lift2to3.metrics import UNITS, evaluate_motion

    scores = evaluate_motion(
        motion.joints_world.astype(float), truth.astype(float), motion.joint_names, motion.fps, motion.valid
    )
    return [
        (words, f"{scores[name]:.1f} {UNITS[name]}") for name, words in _TRUTH_ROWS.items() if name in scores
    ]


def _print_report(console: Console, title: str, rows: Rows, remarks: Sequence[str]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(name, value)
    console.print(table, markup=False, highlight=False)
    for remark in remarks:
        console.print(f"Warning: {remark}", markup=False, highlight=False, soft_wrap=True)


def _print_comparison(console: Console, comparison: Comparison, notes: Sequence[str]) -> None:
    """A row a score; a column a clip as well, where there are few."""
    from lift2to3.compare.motions import COUNTED, UNITS

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
        numbers = (_shown(number, UNITS[name]) for number in (value, *clips))
        count = f"{comparison.overall.counts[name]:.0f} {COUNTED.get(name, 'frames')}"
        table.add_row(name, *numbers, UNITS[name], count)
    console.print(table, markup=False, highlight=False)
    console.print(f"joints: {', '.join(comparison.joints)}", markup=False, highlight=False)
    for note in notes:
        console.print(f"Warning: {note}", markup=False, highlight=False, soft_wrap=True)


def _shown(value: float, unit: str) -> str:
    if value != value:
        return "–"
    return f"{value:.3f}" if unit == "fraction" else f"{value:.2f}"


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """The texts of what the block warns the user of, each once; other warnings go their usual way."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield notes
    for warning in caught:
        if not issubclass(warning.category, UserWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif str(warning.message) not in notes:
            notes.append(str(warning.message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` by default); returns the exit code."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"demo": demo, "eval": evaluate, "export": export, "feet": feet, "lift": lift, "view": view},
            prog="lift2to3",
            description="2D keypoints and a calibrated camera in, absolute 3D motion in metres out.",
            args=arguments,
        )
    except (ValueError, OSError) as error:
        print(f"lift2to3: error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _one_line(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return where + error.strerror[:1].lower() + error.strerror[1:]
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
