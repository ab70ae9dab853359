"""Points as csv and json: the world as ours is, metres, z up, floor z = 0.

csv: a row a frame; ``time_s`` in its video, then ``pelvis_x_m``, ``pelvis_y_m``, ``pelvis_z_m`` and so on. A
missing point's cells are empty.
json: one object with ``fps``, ``first_frame`` where it is not 0, ``frame`` (in words), ``joint_names``,
``joints`` (time, joints, 3) with null for a missing point, and ``spread_m`` (time, joints) with null where
unknown.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Bool

from lift2to3.contact import CONTACT_POINTS
from lift2to3.formats.motions.file_axes import visible_points
from lift2to3.formats.motions.text_rows import write_rows
from lift2to3.motion import Motion
from lift2to3.quoting import printable
from lift2to3.whole_file import whole_text

_FRAME = "world, z up, metres, floor z = 0"


def write_csv(path: str | Path, motion: Motion) -> Path:
    """Write a csv file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    points = visible_points(motion, "z", 1.0).reshape(len(motion.joints_world), -1)
    headings = [f"{name}_{axis}_m" for name in motion.joint_names for axis in "xyz"]
    return _write_csv(Path(path), headings, points, "%.6f", motion.times_s)


def write_contacts(
    path: str | Path, contacts: Bool[np.ndarray, "time 4"], fps: float, first_frame: int = 0
) -> Path:
    """Write ground contacts as csv: ``time_s``, then 1 or 0 for each of `CONTACT_POINTS`."""
    times_s = (first_frame + np.arange(len(contacts))) / fps
    return _write_csv(Path(path), CONTACT_POINTS, contacts, "%d", times_s)


def _write_csv(
    path: Path, headings: Sequence[str], values: np.ndarray, form: str, times_s: np.ndarray
) -> Path:
    table = np.column_stack([times_s, values])
    with whole_text(path) as file:
        csv.writer(file, lineterminator="\n").writerow(["time_s", *map(_harmless, headings)])
        write_rows(file, table, ["%.9f"] + [form] * values.shape[1], ",", missing="")
    return path


def _harmless(heading: str) -> str:
    """A name as a heading: spreadsheets run what starts as a formula, so a quote stands before it."""
    heading = printable(heading)
    return f"'{heading}" if heading[:1] in ("=", "+", "-", "@", "\t", "\n") else heading


def write_json(path: str | Path, motion: Motion) -> Path:
    """Write a json file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    points = visible_points(motion, "z", 1.0).reshape(len(motion.joints_world), -1)
    head = {"fps": float(motion.fps), "frame": _FRAME, "joint_names": list(motion.joint_names)}
    head |= {"first_frame": motion.first_frame} if motion.first_frame else {}
    with whole_text(path) as file:
        file.write(json.dumps(head)[:-1])
        _write_array(file, "joints", points, "[%.6f,%.6f,%.6f]")
        spread = np.where(motion.valid & np.isfinite(motion.spread), motion.spread, np.nan)
        _write_array(file, "spread_m", spread, "%.6f")
        file.write("}\n")
    return Path(path)


def _write_array(file: TextIO, key: str, table: np.ndarray, form: str) -> None:
    """A row a line; ``form`` is that of a point, null where it is NaN."""
    line = "[" + ",".join([form] * (table.shape[1] // form.count("%"))) + "]"
    missing = form.replace("%.6f", "nan")
    rows = ((line % tuple(values)).replace(missing, "null") for values in table.tolist())
    file.write(f', "{key}": [\n' + ",\n".join(rows) + "]")
