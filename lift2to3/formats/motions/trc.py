"""TRC, the marker text format of OpenSim and Pose2Sim: the canonical points as markers.

The file states its unit and rate, not its up axis: OpenSim's ground has y up, so that is what
`write_trc` writes unless told otherwise. A missing marker is three times ``nan``, which readers that
split at tabs and readers that split at spaces both take for missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lift2to3.formats.motions.file_axes import METRES, Unit, UpAxis, visible_points
from lift2to3.formats.motions.text_rows import write_rows
from lift2to3.motion import Motion
from lift2to3.whole_file import whole_text

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
    points = visible_points(motion, up, METRES[unit]).reshape(len(motion.joints_world), -1)
    count, rate = len(points), f"{motion.fps:.12g}"
    names = [" ".join(name.split()) for name in motion.joint_names]  # a tab would start the next heading
    first = str(motion.first_frame + 1)
    values = (rate, rate, str(count), str(len(names)), unit, rate, first, str(count))
    axes = [f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"]
    number = motion.first_frame + 1 + np.arange(count)
    table = np.column_stack([number, motion.times_s, points])
    with whole_text(path) as file:
        file.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name.encode('ascii', 'replace').decode()}\n")
        file.write("\t".join(_HEADINGS) + "\n" + "\t".join(values) + "\n")
        file.write("Frame#\tTime\t" + "\t".join(f"{name}\t\t" for name in names) + "\n")
        file.write("\t\t" + "\t".join(axes) + "\n\n")
        form = {"m": "%.6f", "cm": "%.4f", "mm": "%.3f"}[unit]
        write_rows(file, table, ["%d", "%.6f"] + [form] * points.shape[1], "\t")
    return path
