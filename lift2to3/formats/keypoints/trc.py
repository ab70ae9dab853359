"""Sports2D's trc in pixels: x and y of the picture as markers, z 0, with the rate and the joints' names.

Frames are counted from 1, as everywhere in trc; Sports2D's from 0 are taken as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lift2to3.formats.keypoints.found import Found, stated_rate

_HEADINGS = 5


def read(path: Path) -> Found:
    """The trc above.

    Raises:
        ValueError: not a trc, or one of 3D markers.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if len(lines) < _HEADINGS + 1 or not lines[0].startswith("PathFileType"):
        raise ValueError(f"{path}: not a trc file; wanted PathFileType in its first line and rows of markers")
    about = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    rows = [line.rstrip("\r\n").split("\t") for line in lines[_HEADINGS:] if line.strip()]
    try:
        width = 2 + 3 * len(names)
        padded = [(row + [""] * width)[:width] for row in rows]
        table = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in padded])
    except ValueError as error:
        raise ValueError(f"{path}: not a trc of numbers ({error})") from error
    if not names or not len(table):
        raise ValueError(f"{path}: {len(names)} markers in {len(table)} frames; wanted a person's joints")
    points = table[:, 2:].reshape(len(table), len(names), 3)
    if (np.abs(np.nan_to_num(points[..., 2])) > 1e-6).any():
        raise ValueError(f"{path}: 3D markers; wanted keypoints in the picture, such as Sports2D's _px trc")
    number = table[:, 0]
    if not np.isfinite(number).all() or (np.diff(number) != 1).any() or number[0] < 0:
        raise ValueError(f"{path}: frames do not count up one by one; wanted a row for each frame")
    first = max(int(number[0]) - 1, 0)
    return Found(points[..., :2], None, stated_rate(path, about.get("DataRate")), first, names=names)
