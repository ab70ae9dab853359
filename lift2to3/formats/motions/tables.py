"""Points as csv and json: the world as ours is, metres, z up, floor z = 0.

csv: a row a frame; ``time_s``, then ``pelvis_x_m``, ``pelvis_y_m``, ``pelvis_z_m`` and so on. A missing
point's cells are empty.
json: one object with ``fps``, ``frame`` (in words), ``joint_names``, ``joints`` (time, joints, 3) with
null for a missing point, and ``spread_m`` (time, joints) with null where unknown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from lift2to3.contact import CONTACT_POINTS
from lift2to3.formats.motions.marker_points import check_points, motion_of_points, visible_points
from lift2to3.motion import Motion
from lift2to3.whole_file import whole_file

_FRAME = "world, z up, metres, floor z = 0"


def write_csv(path: str | Path, motion: Motion) -> Path:
    """Write a csv file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    path = Path(path)
    check_points(motion)
    points = visible_points(motion, "z", 1.0).reshape(len(motion.joints_world), -1)
    headings = ["time_s", *(f"{name}_{axis}_m" for name in motion.joint_names for axis in "xyz")]
    table = np.concatenate([np.arange(len(points))[:, None] / motion.fps, points], axis=1)
    line = "%.9f" + ",%.6f" * points.shape[1] + "\n"
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(headings) + "\n")
        for row in table.tolist():
            file.write((line % tuple(row)).replace("nan", ""))
    return path


def read_csv(path: str | Path) -> Motion:
    """Read what `write_csv` wrote; the rate comes from the times, the spread is unknown, so NaN.

    Raises:
        ValueError: other headings, or a row that does not fit them; the message gives the line.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    headings = lines[0].split(",") if lines else []
    names = tuple(heading.removesuffix("_x_m") for heading in headings[1::3])
    wanted = ["time_s", *(f"{name}_{axis}_m" for name in names for axis in "xyz")]
    if headings != wanted or not names:
        raise ValueError(f"{path}, line 1: wanted time_s, then NAME_x_m, NAME_y_m, NAME_z_m of each point")
    if len(lines) < 3:
        raise ValueError(f"{path}: {max(len(lines) - 1, 0)} frames; wanted 2 or more")
    table = np.empty((len(lines) - 1, len(headings)))
    for row, line in enumerate(lines[1:]):
        try:
            table[row] = [float(cell) if cell else np.nan for cell in line.split(",")]
        except ValueError as error:
            raise ValueError(f"{path}, line {row + 2}: wanted {len(headings)} numbers ({error})") from error
    seconds = table[-1, 0] - table[0, 0]
    if not (np.isfinite(seconds) and seconds > 0):
        raise ValueError(f"{path}: the times do not ascend")
    fps = float(f"{(len(table) - 1) / seconds:.7g}")  # the times have nine decimals
    return motion_of_points(table[:, 1:].reshape(len(table), -1, 3), names, fps, "z")


def write_contacts(path: str | Path, contacts: Bool[np.ndarray, "time 4"], fps: float) -> Path:
    """Write ground contacts as csv: ``time_s``, then 1 or 0 for each of `CONTACT_POINTS`."""
    path = Path(path)
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(["time_s", *CONTACT_POINTS]) + "\n")
        for frame, row in enumerate(contacts.astype(int).tolist()):
            file.write(f"{frame / fps:.9f}," + ",".join(map(str, row)) + "\n")
    return path


def write_json(path: str | Path, motion: Motion) -> Path:
    """Write a json file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    path = Path(path)
    check_points(motion)
    points = visible_points(motion, "z", 1.0).reshape(len(motion.joints_world), -1)
    joints = points.shape[1] // 3
    point_row = "[" + ",".join(["[%.6f,%.6f,%.6f]"] * joints) + "]"
    spread_row = "[" + ",".join(["%.6f"] * joints) + "]"
    head = {"fps": float(motion.fps), "frame": _FRAME, "joint_names": list(motion.joint_names)}
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(head)[:-1])
        _write_array(file, "joints", points, point_row, "[nan,nan,nan]")
        spread = np.where(motion.valid & np.isfinite(motion.spread), motion.spread, np.nan)
        _write_array(file, "spread_m", spread, spread_row, "nan")
        file.write("}\n")
    return path


def _write_array(file: Any, key: str, table: np.ndarray, form: str, missing: str) -> None:
    file.write(f', "{key}": [\n')
    for row, values in enumerate(table.tolist()):
        between = ",\n" if row else ""
        file.write(between + (form % tuple(values)).replace(missing, "null"))
    file.write("]")


def read_json(path: str | Path) -> Motion:
    """Read what `write_json` wrote.

    Raises:
        ValueError: no json, or not of this form.
    """
    path = Path(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(str(name) for name in table["joint_names"])
        nothing = [np.nan] * 3
        joints = [[nothing if point is None else point for point in frame] for frame in table["joints"]]
        points = np.array(joints, float).reshape(len(joints), len(names), 3)
        spread = np.array(table["spread_m"], float).reshape(points.shape[:2])  # None becomes NaN
        fps = float(table["fps"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a json of motion ({type(error).__name__}: {error})") from error
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"{path}: fps is {fps}; wanted frames per second above 0")
    return motion_of_points(points, names, fps, "z")._replace(spread=spread.astype(np.float32))
