"""The picture of `experiments.robustness`: a panel a curve, then accelerations, then the calibration."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.robustness.calibration import FRAMES, GROUPS, SIGMAS, expected_within
from experiments.robustness.disturbances import CURVES, Curve
from experiments.robustness.page import CALIBRATION, measured, metric_title
from lift2to3.whole_file import whole_file

Report = dict[str, Any]

_COLOURS = {"pa_mpjpe": "#009e73", "mpjpe": "#0072b2", "abs_mpjpe": "#d55e00", "root_error": "#7a7a7a"}
_CASE_COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#e69f00")
_STROKES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")


def draw(results: Report, path: Path) -> None:
    """The picture: a panel a curve, then accelerations, then the calibration."""
    panels: list[Callable[[Axes], None]] = []
    done = measured(results)
    for name, methods in done.items():
        panels.append(lambda axes, n=name, m=methods: draw_curve(axes, CURVES[n], m, tuple(_COLOURS)))
    if done:
        panels.append(
            lambda axes: draw_legend(axes, list(dict.fromkeys(m for c in done.values() for m in c)))
        )
    for name in (name for name in done if CURVES[name].accel):
        panels.append(lambda axes, n=name: draw_curve(axes, CURVES[n], done[n], ("accel",)))
    if results[CALIBRATION]:
        for frame in FRAMES:
            panels.append(lambda axes, f=frame: draw_reliability(axes, results[CALIBRATION], f))
        panels += [
            lambda axes: draw_groups(axes, results[CALIBRATION], "rms_ratio", "rms of error / σ", None),
            lambda axes: draw_groups(axes, results[CALIBRATION], "rank", "rank correlation with error", 1.4),
        ]
    columns = 4
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.3 * columns, 3.4 * lines), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for place, panel in enumerate(panels):
        panel(figure.add_subplot(lines, columns, place + 1))
    with whole_file(path) as part:
        figure.savefig(part)


def draw_curve(axes: Axes, curve: Curve, methods: Mapping[str, list[Report]], metrics: Sequence[str]) -> None:
    """Errors against the level: a colour a metric, a stroke a method."""
    for stroke, rows in zip(itertools.cycle(_STROKES), methods.values(), strict=False):
        for metric in metrics:
            errors = [float("nan") if row[metric] is None else row[metric] for row in rows]
            levels = [row["level"] for row in rows]
            colour = _COLOURS.get(metric, "#000000")
            axes.plot(levels, errors, stroke, color=colour, marker="o", markersize=3.5)
    if curve.levels[0] > 0 and curve.levels[-1] > 10 * curve.levels[0]:
        axes.set_xscale("log")
    axes.set_xticks(curve.levels, [f"{level:g}" for level in curve.levels])
    axes.minorticks_off()
    axes.set_xlabel(curve.unit)
    axes.set_ylabel("accel. error, m/s²" if tuple(metrics) == ("accel",) else "error, mm")
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.grid(alpha=0.3)
    axes.set_title(curve.title, fontsize=11)


def draw_legend(axes: Axes, methods: Sequence[str]) -> None:
    """What colours and strokes mean, in a panel of its own."""
    axes.axis("off")
    handles = [
        Line2D([], [], color=colour, marker="o", label=metric_title(metric))
        for metric, colour in _COLOURS.items()
    ]
    for i, method in enumerate(methods):
        handles.append(Line2D([], [], color="black", linestyle=_STROKES[i % len(_STROKES)], label=method))
    axes.legend(handles=handles, loc="center", fontsize=12, frameon=False)


def draw_reliability(axes: Axes, cases: Mapping[str, list[Report]], frame: str) -> None:
    """The share of points within k σ of the truth, beside what normal errors would give."""
    smooth = np.linspace(0, SIGMAS[-1], 60)
    axes.plot(smooth, [100 * expected_within(k) for k in smooth], color="black")
    axes.text(1.1, 68, "normal errors", ha="left", va="top")
    for colour, rows in zip(_CASE_COLOURS, cases.values(), strict=False):
        for row in rows:
            if row["frame"] == frame and row["group"] == "all" and row["points"]:
                shares = [0.0, *(100 * share for share in row["within"].values())]
                axes.plot([0, *SIGMAS], shares, color=colour, marker="o", markersize=3.5)
    axes.set(xlabel="k", ylabel="points within k σ, %", xlim=(0, SIGMAS[-1]), ylim=(0, 103))
    axes.set_title(f"Reported spread, {FRAMES[frame]} errors", fontsize=11)
    axes.grid(alpha=0.3)


def draw_groups(
    axes: Axes, cases: Mapping[str, list[Report]], key: str, label: str, top: float | None
) -> None:
    """A figure of the calibration by joint group, of errors in the world; with a legend under ``top``."""
    width = 0.8 / len(cases)
    for place, (colour, (case, rows)) in enumerate(zip(_CASE_COLOURS, cases.items(), strict=False)):
        values: dict[str, float | None] = {
            row["group"]: row.get(key) for row in rows if row["frame"] == "world"
        }
        offset = (place - (len(cases) - 1) / 2) * width
        heights = [values.get(group) or 0.0 for group in GROUPS]
        axes.bar(np.arange(len(GROUPS)) + offset, heights, width, color=colour, label=case)
    axes.set_xticks(range(len(GROUPS)), [group.replace(" and ", "\nand ") for group in GROUPS], fontsize=8)
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.grid(axis="y", alpha=0.3)
    axes.set_ylabel(label)
    axes.set_title("Reported spread, world errors", fontsize=11)
    if top is not None:
        axes.set_ylim(top=top)
        axes.legend(fontsize=9, ncols=2, loc="upper center")
