"""What ``.show()`` of a record does: the report page in a notebook's cell, a picture elsewhere."""

from __future__ import annotations

import html
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import BodyMotion, Motion
from lift2to3.report.page import report_html
from lift2to3.skeletons import stick_bones

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PAGE_HEIGHT_PX: Final = 900
_FRAMES_DRAWN: Final = 5


def show(
    record: Keypoints | Camera | Motion | BodyMotion,
    keypoints: Keypoints | None = None,
    camera: Camera | None = None,
) -> Any:
    """Show a record where one looks.

    Args:
        record: a motion, with what it came from where that is at hand, or keypoints, or a camera.
        keypoints: what a motion was lifted from, with
        camera: whose image they are in: then it is also shown in the image.

    Returns:
        In a notebook what the cell displays: a motion's report page, else a picture. Elsewhere the file,
        which the desktop's viewer is asked to open: a picture, or the page of a motion without its camera.
    """
    notebook = _in_notebook()
    if isinstance(record, (Keypoints, Camera)):
        path = _draw(record, Path(tempfile.mkdtemp(prefix="lift2to3-")) / "record.png")
        if not notebook:
            return _opened(path)
        from IPython.display import Image  # type: ignore[import-not-found]

        return Image(filename=str(path))
    motion = record.motion() if isinstance(record, BodyMotion) else record
    if notebook:
        from IPython.display import HTML  # type: ignore[import-not-found]  # a notebook has it

        page = html.escape(report_html(motion, keypoints, camera))
        return HTML(f'<div><iframe srcdoc="{page}" width="100%" height="{_PAGE_HEIGHT_PX}"></iframe></div>')
    folder = Path(tempfile.mkdtemp(prefix="lift2to3-"))
    if keypoints is None or camera is None:
        path = folder / "motion.html"
        path.write_text(report_html(motion, keypoints, camera), encoding="utf-8")
        return _opened(path)
    from lift2to3.report.figure import draw_motion

    return _opened(draw_motion(motion, keypoints, camera, folder / "motion.png"))


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this, and nothing else."""
    try:
        from IPython import get_ipython  # type: ignore[import-not-found]
    except ImportError:
        return False
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def _opened(path: Path) -> Path:
    webbrowser.open(path.as_uri())
    return path


def _draw(record: Keypoints | Camera, path: Path) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    if isinstance(record, Keypoints):
        _draw_keypoints(figure.add_subplot(), record)
    else:
        _draw_camera(figure.add_subplot(121), figure.add_subplot(122), record)
    figure.suptitle(repr(record), fontsize=9)
    FigureCanvasAgg(figure).print_png(str(path))
    return path


def _draw_keypoints(axes: Axes, keypoints: Keypoints) -> None:
    """A few frames of the clip, early ones pale."""
    bones = stick_bones(tuple(name or "" for name in keypoints.skeleton.canonical))
    frames = np.linspace(0, len(keypoints.xy_px) - 1, _FRAMES_DRAWN).round().astype(int)
    for age, frame in zip(np.linspace(0.25, 1, len(frames)), frames, strict=True):
        xy = keypoints.xy_px[frame]
        for first, second, _ in bones:
            axes.plot(*xy[[first, second]].T, color="#1f5a96", alpha=age, linewidth=1.5)
        axes.plot(*xy.T, ".", color="#c2410c", alpha=age, markersize=4)
    axes.set(xlabel="x, pixels", ylabel="y, pixels", aspect="equal")
    axes.invert_yaxis()


def _draw_camera(above: Axes, beside: Axes, camera: Camera) -> None:
    """From above and from the side: the picture's corners, 4 m away, and the middle."""
    width, height = camera.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height], [width / 2, height / 2]], float)
    rays = np.column_stack([camera.normalise(corners), np.ones(len(corners))]) @ camera.R
    tips = camera.centre + 4 * rays
    forward = rays[-1, :2] / max(float(np.linalg.norm(rays[-1, :2])), 1e-9)
    lines = [np.stack([camera.centre, tip]) for tip in tips] + [tips[[0, 1, 2, 3, 0]]]
    for line in lines:
        above.plot(*line[:, :2].T, color="#1f5a96", linewidth=1)
        beside.plot(line[:, :2] @ forward, line[:, 2], color="#1f5a96", linewidth=1)
    beside.axhline(0, color="#777777", linewidth=1)
    above.set(title="from above", xlabel="x, m", ylabel="y, m", aspect="equal")
    beside.set(title="from the side; the floor at 0", xlabel="forward, m", ylabel="z, m", aspect="equal")
