"""The page of `experiments.robustness`: its sentences and tables, every figure of them computed."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import numpy as np

from experiments.robustness.calibration import FRAMES, SIGMAS, expected_within
from experiments.robustness.disturbances import (
    AIM_M,
    CURVES,
    DISTANCE_M,
    FOCAL_PX,
    HEIGHT_M,
    SIZE_PX,
    WITHIN_M,
    Curve,
)

METRICS = {
    "pa_mpjpe": "PA-MPJPE mm", "mpjpe": "MPJPE mm", "abs_mpjpe": "Abs-MPJPE mm", "root_error": "root mm",
    "accel": "accel m/s²",
}  # fmt: skip
CALIBRATION = "calibration"

Report = dict[str, Any]


def crossing(levels: Sequence[float], errors: Sequence[float], wanted: float) -> float | None:
    """The first level at which the errors, joined by straight lines, rise to a value."""
    points = list(zip(levels, errors, strict=True))
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if y0 < wanted <= y1:
            return x0 + (wanted - y0) / (y1 - y0) * (x1 - x0)
    return None


def fact(curve: Curve, rows: Sequence[Report]) -> str:
    """What a reader wants to know of one method's curve, in a sentence or two."""
    at = {row["level"]: row for row in rows if row["mpjpe"] is not None}
    if len(at) < len(curve.levels):
        return "not every level could be measured."
    match curve.kind:
        case "growing":
            return " ".join(growth(curve, at, metric) for metric in ("mpjpe", "abs_mpjpe"))
        case "two-sided":
            sides = sorted({abs(level) for level in curve.levels} - {0})
            first, last = (cost(curve, at, side) for side in (sides[0], sides[-1]))
            return f"an error of {first}, one of {last} (mean of both directions)."
        case "setting":
            return " ".join(extremes(curve, at, metric) for metric in ("mpjpe", "abs_mpjpe"))
        case _:
            assert_never(curve.kind)


def with_unit(level: float, curve: Curve) -> str:
    """A level as it is written: 5°, 3 px."""
    return f"{level:.3g}{'' if curve.unit == '°' else ' '}{curve.unit}"


def growth(curve: Curve, at: Mapping[float, Report], metric: str) -> str:
    """From where to where an error grows, and where it has doubled."""
    errors = [at[level][metric] for level in curve.levels]
    twice = crossing(curve.levels, errors, 2 * errors[0])
    doubles = (
        "does not double"
        if twice is None
        else f"doubles at {with_unit(round(twice, 1 if twice < 10 else None), curve)}"
    )
    last = with_unit(curve.levels[-1], curve)
    return f"{metric_title(metric)} is {errors[0]:.0f} mm, at {last} {errors[-1]:.0f} mm; it {doubles}."


def cost(curve: Curve, at: Mapping[float, Report], side: float) -> str:
    """What a wrong value costs, the mean of both directions."""
    rise = {m: (at[side][m] + at[-side][m]) / 2 - at[0][m] for m in ("abs_mpjpe", "mpjpe")}
    added = " and ".join(f"{value:.0f} mm to {metric_title(metric)}" for metric, value in rise.items())
    return f"{with_unit(side, curve)} adds {added}"


def extremes(curve: Curve, at: Mapping[float, Report], metric: str) -> str:
    """Where an error is least and where greatest."""
    ordered = sorted(curve.levels, key=lambda level: at[level][metric])
    low, high = (f"{at[x][metric]:.0f} mm at {with_unit(x, curve)}" for x in (ordered[0], ordered[-1]))
    return f"{metric_title(metric)} is least, {low}, and greatest, {high}."


def metric_title(metric: str) -> str:
    """A metric's name without its unit."""
    return METRICS[metric].removesuffix(" mm")


def number(value: float | None, digits: int = 1) -> str:
    """For a table: a dash where nothing was measured."""
    return "–" if value is None else f"{value:.{digits}f}"


def curve_part(name: str, methods: Mapping[str, list[Report]], person_px: float) -> list[str]:
    """A curve's heading, sentences and table."""
    curve = CURVES[name]
    in_pixels = curve.unit == "px"
    lines = [f"### {curve.title}", ""]
    for method, rows in methods.items():
        lines += [f"{method.capitalize()}: {fact(curve, rows)}", ""]
    heads = [curve.unit, *(["% of the person's height"] if in_pixels else []), "method"]
    heads += [*METRICS.values(), "joints seen %", "warned", "refused"]
    lines += [f"| {' | '.join(heads)} |", "|" + "---:|" * len(heads)]
    for method, rows in methods.items():
        for row in rows:
            cells = [f"{row['level']:g}", *([number(100 * row["level"] / person_px)] if in_pixels else [])]
            cells += [method, *(number(row[metric]) for metric in METRICS)]
            cells += [number(100 * row["seen"], 0), str(row["warned"]), str(len(row["refused"]))]
            lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def spread_fact(row: Report) -> str:
    """What a row of the calibration says."""
    found = [f"{100 * row['within'][k]:.0f} %" for k in ("1", "2", "3")]
    wanted = [f"{100 * expected_within(k):.0f}" for k in (1, 2, 3)]
    return (
        f"{found[0]} of the points lie within 1 σ of the truth, {found[1]} within 2 σ and {found[2]} within "
        f"3 σ (normal errors: {', '.join(wanted)} %); the rms of error / σ is {row['rms_ratio']:.2f}."
    )


def along_rays(cases: Mapping[str, list[Report]]) -> str:
    """The share of the square error in the world that lies along rays, from the least to the greatest."""
    shares = [row["along_ray"] for rows in cases.values() for row in rows
              if (row["frame"], row["group"]) == ("world", "all")]  # fmt: skip
    return f"{100 * min(shares):.0f}–{100 * max(shares):.0f} %"


def calibration_part(cases: Mapping[str, list[Report]]) -> list[str]:
    """The calibration's sentences and table."""
    lines = []
    for case, rows in cases.items():
        for row in (row for row in rows if row["group"] == "all" and row["points"]):
            lines.append(f"- {case}, {FRAMES[row['frame']]}: {spread_fact(row)}")
    heads = ["case", "errors", "joints", "median error mm", "median σ mm", *(f"≤ {k:g} σ %" for k in SIGMAS)]
    heads += ["rms of error / σ", "σ × for 50 %", "σ × for 95 %", "rank correlation", "in a joint"]
    lines += ["", f"| {' | '.join(heads)} |", "|---|---|---|" + "---:|" * (len(heads) - 3)]
    expected = [number(100 * expected_within(k)) for k in SIGMAS]
    lines.append(f"| normal | | | | | {' | '.join(expected)} | 1.00 | 1.0 | 1.0 | | |")
    for case, rows in cases.items():
        for row in (row for row in rows if row["points"]):
            cells = [case, FRAMES[row["frame"]], row["group"]]
            cells += [number(row["median_error_mm"]), number(row["median_spread_mm"])]
            cells += [number(100 * share) for share in row["within"].values()]
            cells += [number(row["rms_ratio"], 2), number(row["factor_50"]), number(row["factor_95"])]
            cells += [number(row["rank"], 2), number(row["rank_in_joint"], 2)]
            lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def heading(about: Report) -> list[str]:
    """What was measured, on what."""
    size = {name: np.array(about[name]) for name in ("person_px", "distance_m", "camera_height_m", "frames")}
    return [
        "# What goes wrong, and by how much",
        "",
        "Written by `experiments.robustness`:",
        "",
        "```bash",
        "python -m experiments.robustness --data data --cameras cameras.json --out robustness.json "
        "--docs docs",
        "```",
        "",
        f"{len(about['clips'])} clips of the {about['split']} split, one camera of the fixed protocol each, "
        f"{size['frames'].sum()} frames (at most {size['frames'].max()} a clip), weights "
        f"`{about['weights']}`, seed {about['seed']}. SMPL-22 keypoints, ground truth but for the one "
        f"disturbance of a curve. In the median clip the person is {np.median(size['person_px']):.0f} px "
        f"tall ({size['person_px'].min():.0f}–{size['person_px'].max():.0f}), the camera "
        f"{np.median(size['distance_m']):.1f} m away and {np.median(size['camera_height_m']):.1f} m high. "
        "Errors are means over all frames. Random draws are the same for every level of a curve: "
        "neighbouring levels differ in the level alone. *Joints seen*: the share that the method was shown; "
        "*warned* and *refused*: of how many clips it said that camera and keypoints contradict each other, "
        "or gave up; refused clips are in no error.",
        "",
    ]


def in_short(results: Report) -> list[str]:
    """What matters most to who sets a camera up, where it was measured."""
    away = float(np.median(results["about"]["distance_m"]))
    lines = []
    for name, where in (("tilt", f", camera {away:.1f} m away"), ("ground", ""), ("missing", "")):
        for method, rows in results["curves"].get(name, {}).items():
            lines.append(f"- {CURVES[name].title}{where}, {method}: {fact(CURVES[name], rows)}")
    for case, rows in results[CALIBRATION].items():
        for row in rows:
            if (row["frame"], row["group"]) == ("world", "all") and "noisy" in case and row["points"]:
                lines.append(f"- Reported spread σ, {case}, in the world: {spread_fact(row)}")
    return ["## In short", "", *lines, ""] if lines else []


def page(results: Report) -> list[str]:
    """The lines of ``robustness.md``; every figure in it is computed."""
    lines = [*heading(results["about"]), *in_short(results)]
    lines += ["![Error curves and calibration](robustness.png)", ""]
    person_px = float(np.median(results["about"]["person_px"]))
    done = measured(results)
    if done:
        lines += ["## Curves", ""]
    for name, methods in done.items():
        lines += curve_part(name, methods, person_px)
    if set(done) & {"distance", "distance_noisy", "height"}:
        lines += [
            f"Distance and camera height are of own cameras: focal length {FOCAL_PX:.0f} px at every "
            f"distance, so that the person becomes small; {SIZE_PX[0]}×{SIZE_PX[1]} px; {HEIGHT_M} m high "
            f"or {DISTANCE_M:.0f} m away; aimed {AIM_M} m above the floor; on the side of the protocol's "
            "camera. They see the stretch around each clip's middle frame in which the pelvis stays within "
            f"{WITHIN_M:.0f} m of where it is then.",
            "",
        ]
    if "fps" in done:
        lines += [
            "At other frame rates the truth is the clip's cubic spline at that rate, and accelerations are "
            "differences of its frames: their errors do not compare between rates.",
            "",
        ]
    if results[CALIBRATION]:
        lines += [
            "## Calibration of the reported spread",
            "",
            "Of the lifter. σ is `motion.spread`: the root of the expected square distance from the truth in "
            "the world, fitted on training clips (`experiments.calibrate_spread`). How far a point is off "
            "beside the person's own hips is less: most of the error is where the whole person stands. The "
            "first row would be found if errors were normal along one line: "
            f"{along_rays(results[CALIBRATION])} of the square error in the world lies along the camera's "
            "ray. *Rank correlation*: does a greater σ go with a greater error, over all points and over the "
            "frames of one joint (1: always, 0: not at all)?",
            "",
            *calibration_part(results[CALIBRATION]),
        ]
    return lines


def measured(results: Report) -> dict[str, dict[str, list[Report]]]:
    """The curves that are there, by name and method, in order."""
    return {name: results["curves"][name] for name in CURVES if results["curves"].get(name)}
