"""Put measured scores into the README and a model card: no figure there is typed by hand.

    python tools/write_scores.py --val val.json --train train.json --real real_check.json --speed speed.json

The json files are what ``experiments/evaluate.py``, ``tools/real_check.py`` and ``benchmarks/lift.py``
write. They are merged into ``lift2to3/weights/NAME.scores.json``; the parts between the
``scores`` markers of README.md and ``lift2to3/weights/NAME.md`` are then written anew from that.
Without any of them the two texts are written again from the scores at hand.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import tyro

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- scores:begin -->", "<!-- scores:end -->"
COLUMNS = {
    "pa_mpjpe": "PA-MPJPE", "mpjpe": "MPJPE", "abs_mpjpe": "Abs-MPJPE", "w_mpjpe_100": "W-MPJPE",
    "wa_mpjpe_100": "WA-MPJPE", "root_error": "root", "rte": "RTE %", "accel": "accel m/s²",
    "jitter": "jitter", "jitter_true": "(truth's)", "foot_sliding": "sliding mm",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """Which new results to take in; None keeps those at hand."""

    weights: str = "small"
    val: Path | None = None
    train: Path | None = None
    real: Path | None = None
    speed: Path | None = None


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


def render(scores: dict[str, Any]) -> str:
    """All scores as markdown."""
    parts = []
    if "val" in scores:
        parts += [
            "Validation, other subjects than training, whole clips, protocol 1 "
            "(mm where no unit is given; 2D: gt = ground truth, noisy = detector-like):",
            "",
            *scores_table(scores["val"]["rows"]),
            "",
        ]
    if "train" in scores:
        parts += ["The same on training clips (the gap is what more data would close):", ""]
        parts += [*scores_table(scores["train"]["rows"]), ""]
    if "real" in scores:
        parts += [
            "Real detections, one camera at a time, against the triangulation of all four "
            "(`tools/real_check.py`; this capture also settled what BODY_25B's neck means):",
            "",
            "| camera | root m | MPJPE mm | PA-MPJPE mm | Abs-MPJPE mm | lowest foot m |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for camera, row in scores["real"].items():
            millimetres = (f"{row[name]:.0f}" for name in ("mpjpe_mm", "pa_mpjpe_mm", "abs_mpjpe_mm"))
            cells = [camera, f"{row['root_error_m']:.2f}", *millimetres, f"{row['lowest_foot_m']:.2f}"]
            parts.append("| " + " | ".join(cells) + " |")
        parts.append("")
    if "speed" in scores:
        parts += ["Speed on 2 CPU cores (`benchmarks/lift.py`):", "", "| what | |", "|---|---:|"]
        for what, value in scores["speed"].items():
            number = f"{value:.0f} MB" if what.endswith("_mb") else f"{value:.2f} s"
            parts.append(f"| {what.removesuffix('_mb').replace('_', ' ')} | {number} |")
        parts.append("")
    return "\n".join(parts).rstrip()


def fill(text: str, body: str, where: str) -> str:
    """The text with what stands between its markers replaced.

    Raises:
        ValueError: the markers are not there.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"{where}: no {BEGIN} … {END} to write the scores between")
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{body}\n{END}", text, flags=re.S)


def main(config: Config) -> None:
    """Merge, then write both texts."""
    store = ROOT / "lift2to3" / "weights" / f"{config.weights}.scores.json"
    scores = json.loads(store.read_text()) if store.exists() else {}
    for part in ("val", "train", "real", "speed"):
        source = getattr(config, part)
        if source is not None:
            scores[part] = json.loads(source.read_text())
    store.write_text(json.dumps(scores, indent=1) + "\n")
    body = render(scores)
    for path in (ROOT / "README.md", store.with_name(f"{config.weights}.md")):
        path.write_text(fill(path.read_text(), body, path.name))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
