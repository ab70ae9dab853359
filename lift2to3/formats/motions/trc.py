"""TRC, the marker text format of OpenSim and Pose2Sim: the canonical points as markers.

The file states its unit and rate, not its up axis: OpenSim's ground has y up, so that is what
`write_trc` writes unless told otherwise. A missing marker is three times ``nan``, which readers that
split at tabs and readers that split at spaces both take for missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lift2to3.formats.motions.joint_tree import METRES, Unit, UpAxis
from lift2to3.formats.motions.marker_points import check_points, motion_of_points, visible_points
from lift2to3.formats.motions.text_rows import write_rows
from lift2to3.motion import Motion
from lift2to3.whole_file import whole_file

_HEADINGS = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
    "OrigNumFrames",
)  # fmt: skip


def write_trc(path: str | Path, motion: Motion, up: UpAxis = "y", unit: Unit = "m") -> Path:
    """Write a TRC file; it appears whole or not at all.

    Raises:
        ValueError: points that cannot be written; see `check_points`.
    """
    path = Path(path)
    check_points(motion)
    points = visible_points(motion, up, METRES[unit]).reshape(len(motion.joints_world), -1)
    count, rate = len(points), f"{motion.fps:.12g}"
    names = motion.joint_names
    values = (rate, rate, str(count), str(len(names)), unit, rate, "1", str(count))
    axes = [f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"]
    frame = np.arange(count)
    table = np.concatenate([frame[:, None] + 1, (frame / motion.fps)[:, None], points], axis=1)
    with whole_file(path) as part, part.open("w", encoding="ascii", newline="\n") as file:
        file.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name.encode('ascii', 'replace').decode()}\n")
        file.write("\t".join(_HEADINGS) + "\n" + "\t".join(values) + "\n")
        file.write("Frame#\tTime\t" + "\t".join(f"{name}\t\t" for name in names) + "\n")
        file.write("\t\t" + "\t".join(axes) + "\n\n")
        form = {"m": "%.6f", "cm": "%.4f", "mm": "%.3f"}[unit]
        write_rows(file, table, ["%d", "%.6f"] + [form] * points.shape[1], "\t")
    return path


def read_trc(path: str | Path, up: UpAxis = "y") -> Motion:
    """Read a TRC file into our world: metres, z up. Its spread is unknown, so NaN.

    Args:
        path: the file.
        up: its vertical axis, which the file does not state.

    Raises:
        ValueError: not well-formed; the message gives the line.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if len(lines) < 6 or not lines[0].startswith("PathFileType"):
        raise ValueError(f"{path}: not a TRC file; wanted PathFileType in line 1 and a header of 5 lines")
    header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    try:
        fps, count = float(header["DataRate"]), int(header["NumFrames"])
        scale = METRES[header["Units"].lower()]  # type: ignore[index]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path}, line 3: no good DataRate, NumFrames or Units (m, cm, mm): {error}"
        ) from error
    names = tuple(lines[3].split()[2:])
    rows = [(n, line) for n, line in enumerate(lines[5:], start=6) if line.strip()]
    if len(rows) != count or not names or count < 1 or not fps > 0:
        raise ValueError(
            f"{path}: NumFrames says {count}, the file has {len(rows)}, of {len(names)} markers at {fps} fps"
        )
    points = np.empty((count, 3 * len(names)))
    for row, (number, line) in enumerate(rows):
        words = line.split("\t")[2:]
        words = words[: points.shape[1]] if not any(words[points.shape[1] :]) else words
        if len(words) != points.shape[1]:
            raise ValueError(f"{path}, line {number}: {len(words)} values, wanted {points.shape[1]}")
        try:
            points[row] = [float(word) if word.strip() else np.nan for word in words]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return motion_of_points(points.reshape(count, -1, 3) * scale, names, fps, up)
