"""Put measured scores into docs/results.md and a model card: no figure there is typed by hand.

    python tools/write_scores.py --val val.json --train train.json --real real_check.json --speed speed.json
    python tools/write_scores.py --methods methods.json --real-refined refined/real_check.json
    python tools/write_scores.py --weights foot --feet feet.json --ablation ablation.json --rates rates.json

The json files are what ``experiments.evaluate``, ``tools/real_check.py`` and ``benchmarks/lift.py`` write,
of the foot lifter ``experiments.feet.evaluate``, ``.feet.ablation`` and ``benchmarks/refine_feet.py``. They
are merged into ``lift2to3/weights/NAME.scores.json``; the parts between the ``scores`` markers of
``lift2to3/weights/NAME.md`` and the ``NAME`` markers of docs/results.md are then written anew from that, and
docs/methods.png. Without any of them all is written again from the scores at hand.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import tyro

ROOT = Path(__file__).parents[1]
PARTS = (
    "val",
    "methods",
    "train",
    "real",
    "real_refined",
    "real_video",
    "speed",
    "feet",
    "ablation",
    "rates",
)
COLUMNS = {
    "pa_mpjpe": "PA-MPJPE", "mpjpe": "MPJPE", "abs_mpjpe": "Abs-MPJPE", "w_mpjpe_100": "W-MPJPE",
    "wa_mpjpe_100": "WA-MPJPE", "root_error": "root", "rte": "RTE %", "accel": "accel m/s²",
    "jitter": "jitter", "jitter_true": "(truth's)", "foot_sliding": "sliding mm",
    "n_mpjpe_foot": "foot mm",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """Which new results to take in; None keeps those at hand."""

    weights: str = "small"
    val: Path | None = None
    methods: Path | None = None
    train: Path | None = None
    real: Path | None = None
    real_refined: Path | None = None
    real_video: Path | None = None
    speed: Path | None = None
    feet: Path | None = None
    ablation: Path | None = None
    rates: Path | None = None


def scores_table(rows: list[dict[str, Any]]) -> list[str]:
    """A row per method, 2D and format; millimetres where no unit is given."""
    lines = [
        "| method | 2D | format | " + " | ".join(COLUMNS.values()) + " |",
        "|---|---|---|" + "---:|" * len(COLUMNS),
    ]
    for row in rows:
        cells = [row["method"], row["noise"], row["skeleton"]]
        cells += [f"{row[name]:.1f}" if row.get(name) is not None else "–" for name in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def real_table(cameras: dict[str, Any]) -> list[str]:
    """A row per camera of the real capture."""
    lines = [
        "| camera | root m | MPJPE mm | PA-MPJPE mm | Abs-MPJPE mm | lowest foot m |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for camera, row in cameras.items():
        millimetres = (f"{row[name]:.0f}" for name in ("mpjpe_mm", "pa_mpjpe_mm", "abs_mpjpe_mm"))
        cells = [camera, f"{row['root_error_m']:.2f}", *millimetres, f"{row['lowest_foot_m']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def render(scores: dict[str, Any], brief: bool = False) -> str:
    """All scores as markdown; ``brief`` leaves what is special about feet to the card."""
    parts = []
    if "val" in scores:
        parts += [
            "Validation, other subjects than training, whole clips, protocol 1 "
            "(mm where no unit is given; 2D: gt = ground truth, noisy = detector-like):",
            "",
            *scores_table(scores["val"]["rows"]),
            "",
        ]
    if "methods" in scores:
        cameras = scores["methods"]["config"]["cameras_per_clip"]
        parts += [
            "All methods on the same trials (`experiments.evaluate "
            f"--cameras-per-clip {cameras} --methods …`; “lift + smplify” is `lift --refine`):",
            "",
        ]
        parts += [*scores_table(scores["methods"]["rows"]), ""]
    if "train" in scores:
        parts += ["The same on training clips (the gap is what more data would close):", ""]
        parts += [*scores_table(scores["train"]["rows"]), ""]
    if "real" in scores:
        parts += [
            "Real detections, one camera at a time, against the triangulation of all four "
            "(`tools/real_check.py`; this capture also settled what BODY_25B's neck means):",
            "",
            *real_table(scores["real"]),
            "",
        ]
    if "real_refined" in scores:
        parts += ["The same with `--refine`:", "", *real_table(scores["real_refined"]), ""]
    if "real_video" in scores:
        parts += [
            "The same pictures, but MediaPipe's keypoints (`tools/real_check.py --video`), against the "
            "triangulation of OpenPose's:",
            "",
            *real_table(scores["real_video"]),
            "",
        ]
    if "speed" in scores:
        parts += ["Speed on 2 CPU cores (`benchmarks/lift.py`):", "", "| what | |", "|---|---:|"]
        for what, value in scores["speed"].items():
            number = f"{value:.0f} MB" if what.endswith("_mb") else f"{value:.2f} s"
            parts.append(f"| {what.removesuffix('_mb').replace('_', ' ')} | {number} |")
        parts.append("")
    if "feet" in scores:
        parts += feet_tables(scores["feet"], brief)
    if "ablation" in scores and not brief:
        parts += ablation_table(scores["ablation"])
    if "rates" in scores:
        parts += ["Speed on 2 CPU cores (`benchmarks/refine_feet.py`):", "", "| what | |", "|---|---:|"]
        for what, value in scores["rates"].items():
            unit = " MB" if what.endswith("_mb") else ""
            parts.append(f"| {what.removesuffix('_mb').replace('_', ' ')} | {value:,.0f}{unit} |")
        parts.append("")
    return "\n".join(parts).rstrip()


def draw_methods(rows: list[dict[str, Any]], path: Path) -> None:
    """The methods side by side: bars for exact 2D, dots for noisy 2D."""
    from matplotlib.figure import Figure

    metrics = ("pa_mpjpe", "mpjpe", "abs_mpjpe", "accel")
    scores = {(row["method"], row["noise"]): row for row in rows}
    methods = list(dict.fromkeys(method for method, _ in scores))
    figure = Figure(figsize=(11, 0.4 * len(methods) + 1.2), layout="constrained")
    for axes, metric in zip(figure.subplots(1, len(metrics), sharey=True), metrics, strict=True):
        exact, noisy = ([scores[method, noise][metric] for method in methods] for noise in ("gt", "noisy"))
        axes.barh(methods, exact, color=["tab:blue"] + ["tab:gray"] * (len(methods) - 1), label="exact 2D")
        axes.plot(noisy, methods, "o", color="tab:orange", markersize=5, label="noisy 2D")
        axes.set(xlabel=f"{COLUMNS[metric]}" + ("" if metric == "accel" else ", mm"))
        axes.grid(axis="x", alpha=0.3)
    axes.invert_yaxis()
    axes.legend(fontsize="small", loc="lower right")
    figure.savefig(path, dpi=110)


def feet_tables(feet: dict[str, Any], brief: bool) -> list[str]:
    """The foot lifter beside the initial feet and the baseline, a row per case, 2D and method."""
    lines = [
        f"Validation, cameras a clip: {feet['cameras_per_clip']}. 2D: gt = ground truth, feet = with a foot "
        "detector's errors (10 mm held, 5 mm jitter, at times 24 mm), noisy = with the protocol's, larger. "
        "Constant: each foot's mean error over a clip, in its own frame; part of the AJAE:",
        "",
        "| initial feet | 2D | method | AJAE ° | constant | n_mpjpe_foot mm | pck_foot@0.05 | turned by ° |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    rows = [row for row in feet["rows"] if not brief or row["case"] in ("estimated", "lifted")]
    for row in rows:
        lines.append(
            f"| {row['case']} | {row['noise']} | {row['method']} | {row['ajae']:.1f} | "
            f"{row['ajae_constant']:.1f} | "
            f"{row['n_mpjpe_foot']:.1f} | {row['pck_foot@0.05']:.3f} | {row['changed']:.1f} |"
        )
    return [*lines, ""]


def ablation_table(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    """AJAE of every row of the ablation."""
    cases = next(iter(rows.values()))
    heads = [f"{case['case']}, {case['noise']}" for case in cases]
    lines = [
        "Ablation: the same short training of a small model without each idea, AJAE in degrees "
        "(`experiments.feet.ablation`):",
        "",
        "| row | " + " | ".join(heads) + " |",
        "|---|" + "---:|" * len(heads),
    ]
    for name, cases in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{case['ajae']:.1f}" for case in cases) + " |")
    return [*lines, ""]


def fill(text: str, body: str, where: str, marker: str) -> str:
    """The text with what stands between its markers replaced.

    Raises:
        ValueError: the markers are not there.
    """
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    if begin not in text or end not in text:
        raise ValueError(f"{where}: no {begin} … {end} to write the scores between")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{body}\n{end}", text, flags=re.S)


def main(config: Config) -> None:
    """Merge, then write both texts."""
    store = ROOT / "lift2to3" / "weights" / f"{config.weights}.scores.json"
    scores = json.loads(store.read_text()) if store.exists() else {}
    for part in PARTS:
        source = getattr(config, part)
        if source is not None:
            scores[part] = json.loads(source.read_text())
    store.write_text(json.dumps(scores, indent=1) + "\n")
    texts = (
        (ROOT / "docs" / "results.md", config.weights, render(scores, brief=True)),
        (store.with_name(f"{config.weights}.md"), "scores", render(scores)),
    )
    for path, marker, body in texts:
        path.write_text(fill(path.read_text(), body, path.name, marker))
    if "methods" in scores:
        draw_methods(scores["methods"]["rows"], ROOT / "docs" / "methods.png")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
