"""A lifted motion as one picture: in perspective, in the image, from front, side and top.

Left limbs are blue, right ones orange, the trunk grey; time runs from pale to dark.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.skeletons import stick_bones
from lift2to3.summary import path_length
from lift2to3.whole_file import whole_file

_RAMPS: Final = {
    "left": ("#a9cdec", "#0b4f94"),
    "right": ("#f8c39a", "#b8470b"),
    "middle": ("#cfcfcf", "#2e2e2e"),
}
"""Colour at the start and at the end of the clip, by body side."""

_AGES: Final = tuple(np.linspace(0, 1, 8))
_SIZE_INCHES, _DPI = (15, 10), 110
_FLOOR, _GRID, _INK = "#f3f1ec", "#d9d5cb", "#3a3a3a"

Points3 = Float[np.ndarray, "*batch 3"]
Points2 = Float[np.ndarray, "*batch 2"]


class _Scene(NamedTuple):
    """What every panel draws: joints (NaN where not valid), the frames to draw and their ages (0–1)."""

    joints: Float[np.ndarray, "time joints 3"]
    names: tuple[str, ...]
    fps: float
    shown: Int[np.ndarray, " shown"]
    age: Float[np.ndarray, " shown"]

    @property
    def path(self) -> Float[np.ndarray, "time 3"]:
        return self.joints[:, self.names.index("pelvis")]


def draw_motion(motion: Motion, keypoints: Keypoints, camera: Camera, path: str | Path) -> Path:
    """Draw the motion on the floor and over the image, and write the picture (png by its ending).

    The file appears whole or not at all. Nothing of matplotlib's global state is touched.

    Args:
        motion: metres, world, z up.
        keypoints: what was observed, pixels; as many frames as the motion.
        camera: whose image the keypoints are in.
        path: file to write; its folder must be there.

    Raises:
        ValueError: no frame of the motion has a point to draw.
    """
    scene = _scene(motion)
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    width, height = camera.size
    image_share = float(np.clip(0.55 * width / height, 0.36, 0.92))
    top = figure.add_gridspec(
        1, 2, left=0.03, right=0.985, top=0.91, bottom=0.46, wspace=0.06, width_ratios=(1, image_share)
    )
    _draw_perspective(figure.add_subplot(top[0]), scene, camera)
    _draw_image(figure.add_subplot(top[1]), scene, motion, keypoints, camera)
    low = figure.add_gridspec(1, 3, left=0.05, right=0.985, top=0.37, bottom=0.06, wspace=0.17)
    _draw_elevation(figure.add_subplot(low[0]), scene, axis=0, title="front: along +y")
    _draw_elevation(figure.add_subplot(low[1]), scene, axis=1, title="side: along −x")
    _draw_top(figure.add_subplot(low[2]), scene, camera)
    _write_heading(figure, scene)
    path = Path(path)
    with whole_file(path) as part:
        figure.savefig(part)
    return path


def _scene(motion: Motion) -> _Scene:
    """Frames spread over the path and, for someone who stands, over time; more of them on a longer path."""
    joints = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(np.float64)
    pelvis = joints[:, motion.joint_names.index("pelvis")]
    there = np.flatnonzero(np.isfinite(pelvis).all(-1))
    if not len(there):
        raise ValueError("picture: no frame of the motion has a pelvis to draw")
    ground = pelvis[there, :2]
    extent = float(np.linalg.norm(np.ptp(ground, axis=0)))
    step = np.linalg.norm(np.diff(ground, axis=0), axis=-1) + 0.2 / motion.fps
    progress = np.concatenate([[0.0], step.cumsum()])
    count = int(np.clip(extent / 0.45, 4, 14))
    shown = np.unique(there[np.searchsorted(progress, np.linspace(0, progress[-1], count))])
    age = shown / max(len(joints) - 1, 1)
    return _Scene(joints, motion.joint_names, motion.fps, shown, age)


# --- strokes


def _colour(side: str, age: float) -> tuple[float, float, float]:
    start, end = (np.array([int(ramp[i : i + 2], 16) for i in (1, 3, 5)]) / 255 for ramp in _RAMPS[side])
    red, green, blue = start + age * (end - start)
    return float(red), float(green), float(blue)


def _draw_figures(axes: Axes, scene: _Scene, flatten: Callable[[Points3], Points2], width: float) -> None:
    """Stick figures of the shown frames, oldest first; ``flatten`` maps (…, 3) to the panel's (…, 2)."""
    bones = stick_bones(scene.names)
    for frame, age in zip(scene.shown, scene.age, strict=True):
        points = flatten(scene.joints[frame])
        segments = np.stack([points[[a, b]] for a, b, _ in bones])
        there = np.all(np.isfinite(segments), axis=(1, 2))
        colours = [_colour(side, age) for (_, _, side), ok in zip(bones, there, strict=True) if ok]
        lines = LineCollection(list(segments[there]), colors=colours, linewidths=width, capstyle="round")
        lines.set_zorder(3 + age)
        axes.add_collection(lines)


def _draw_path(axes: Axes, scene: _Scene, flatten: Callable[[Points3], Points2]) -> None:
    """The pelvis's path on the floor, pale to dark, a dot each second."""
    there = np.flatnonzero(np.isfinite(scene.path).all(-1))
    ground = scene.path[there] * [1.0, 1.0, 0.0]
    points = flatten(ground)
    ages = there / max(len(scene.path) - 1, 1)
    segments = np.stack([points[:-1], points[1:]], axis=1)
    colours = [_colour("middle", age) for age in ages[:-1]]
    axes.add_collection(LineCollection(list(segments), colors=colours, linewidths=1.6, zorder=2))
    seconds = np.floor(there / scene.fps + 1e-9)
    ticks = np.flatnonzero(np.diff(seconds, prepend=-1) > 0)
    axes.scatter(
        *points[ticks].T, s=14, c=[_colour("middle", ages[i]) for i in ticks], zorder=2.5, linewidths=0
    )


def _plain(axes: Axes, title: str, across: str = "", up: str = "") -> None:
    """Thin frame and small title; a grid where the panel has axes to name."""
    axes.set_title(title, fontsize=10, color=_INK, loc="left")
    if across:
        axes.set_xlabel(across, fontsize=9, color=_INK, labelpad=2)
        axes.set_ylabel(up, fontsize=9, color=_INK, labelpad=2)
        axes.grid(color=_GRID, linewidth=0.5)
    axes.tick_params(labelsize=8, colors=_INK, length=2)
    for spine in axes.spines.values():
        spine.set_color(_GRID)


# --- panels


def _draw_elevation(axes: Axes, scene: _Scene, axis: int, title: str) -> None:
    """Seen level: x to the right from the front, y to the right from the side; z up."""

    def flatten(points: Points3) -> Points2:
        return points[..., [axis, 2]]

    _plain(axes, title, f"{'xy'[axis]} (m)", "z (m)")
    axes.axhspan(-100, 0, color=_FLOOR, zorder=0)
    axes.axhline(0, color=_INK, linewidth=1.0, zorder=1)
    _draw_figures(axes, scene, flatten, width=1.5)
    _fit(axes, flatten(scene.joints), low=(np.inf, -0.12), high=(-np.inf, 1.9), upward=0.9)


def _draw_top(axes: Axes, scene: _Scene, camera: Camera) -> None:
    """Seen from above, with an arrow toward the camera."""

    def flatten(points: Points3) -> Points2:
        return points[..., :2]

    _plain(axes, "top", "x (m)", "y (m)")
    axes.set_facecolor(_FLOOR)
    _draw_figures(axes, scene, flatten, width=1.1)
    _draw_path(axes, scene, flatten)
    middle = np.nanmean(scene.path[:, :2], axis=0)
    _fit(axes, flatten(scene.joints), low=tuple(middle - 0.8), high=tuple(middle + 0.8))
    _point_to_camera(axes, camera)


def _point_to_camera(axes: Axes, camera: Camera) -> None:
    """An arrow at the top view's edge toward the camera, or at the camera where it lies inside."""
    limits = np.array([axes.get_xlim(), axes.get_ylim()])
    middle, half = limits.mean(1), (limits[:, 1] - limits[:, 0]) / 2
    away = camera.centre[:2] - middle
    distance = float(np.linalg.norm(away))
    if distance < 1e-6:  # straight above
        return
    tip = middle + away * min(1.0, float(np.min(0.95 * half / np.maximum(np.abs(away), 1e-9))))
    tail = tip - 0.2 * half.min() * away / distance
    axes.annotate("", tip, tail, arrowprops={"arrowstyle": "-|>", "color": _INK, "linewidth": 1.2})
    axes.annotate(
        f"camera, {distance:.1f} m away", tail, fontsize=8, color=_INK,
        ha="right" if away[0] > 0 else "left", va="top" if away[1] > 0 else "bottom",
        bbox={"facecolor": _FLOOR, "edgecolor": "none", "pad": 1.0, "alpha": 0.85}, zorder=5,
    )  # fmt: skip


def _fit(
    axes: Axes, points: Points2, low: tuple[float, float], high: tuple[float, float], upward: float = 0.5
) -> None:
    """Limits round the points and at least from ``low`` to ``high``, a metre the same both ways.

    What the panel's shape leaves over is shared left and right, and ``upward`` of it goes to the top.
    """
    flat = points.reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(-1)]
    least, most = np.minimum(flat.min(0) - 0.2, low), np.maximum(flat.max(0) + 0.2, high)
    figure = axes.get_figure(root=True)
    assert figure is not None
    panel = np.array(axes.get_position().size) * figure.get_size_inches()
    spare = panel * np.max((most - least) / panel) - (most - least)
    shares = np.array([0.5, upward])
    least, most = least - (1 - shares) * spare, most + shares * spare
    axes.set(xlim=(least[0], most[0]), ylim=(least[1], most[1]), aspect="equal")


def _draw_image(axes: Axes, scene: _Scene, motion: Motion, keypoints: Keypoints, camera: Camera) -> None:
    """The camera's image: observed keypoints, the motion's figures projected, and what lies between."""
    width, height = camera.size
    _plain(axes, f"image, {width} × {height} px")
    axes.set_facecolor("#fafafa")
    few = np.linspace(0, len(scene.shown) - 1, min(len(scene.shown), 6)).round().astype(int)
    chosen = scene.shown[few]
    thinned = scene._replace(shown=chosen, age=chosen / max(len(scene.joints) - 1, 1))
    _draw_figures(axes, thinned, camera.project, width=1.3)
    lifted = camera.project(motion.as_skeleton(keypoints.skeleton)[chosen])
    observed = keypoints.xy_px[chosen]
    gaps = np.stack([observed, lifted], axis=-2).reshape(-1, 2, 2)
    gaps = gaps[np.isfinite(gaps).all((1, 2))]
    axes.add_collection(LineCollection(list(gaps), colors="#d0006f", linewidths=0.8, zorder=5))
    axes.scatter(*observed.reshape(-1, 2).T, s=6, c="white", edgecolors=_INK, linewidths=0.5, zorder=6)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    handles = [
        Line2D([], [], marker="o", color="none", markerfacecolor="white", markeredgecolor=_INK, markersize=4),
        Line2D([], [], color=_colour("middle", 0.8), linewidth=1.5),
        Line2D([], [], color="#d0006f", linewidth=1.0),
    ]
    axes.legend(
        handles, ["observed", "lifted, projected", "difference"],
        loc="upper center", bbox_to_anchor=(0.5, -0.05), ncol=3, fontsize=8, frameon=False, labelcolor=_INK,
        handlelength=1.4, columnspacing=1.2,
    )  # fmt: skip


def _draw_perspective(axes: Axes, scene: _Scene, camera: Camera) -> None:
    """The motion on its floor from the camera's side, turned by 35° and raised, with shadows."""
    flat = scene.joints[np.isfinite(scene.joints).all(-1)]
    low, high = np.floor(flat.min(0)[:2] - 0.3), np.ceil(flat.max(0)[:2] + 0.3)
    middle = np.append((low + high) / 2, 0.75)
    flatten = _perspective(middle, camera.centre - middle, 1.0 + float(np.linalg.norm(high - low)))

    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    floor = flatten(np.pad(corners, ((0, 0), (0, 1))))
    axes.add_patch(Polygon(floor, closed=True, facecolor=_FLOOR, edgecolor=_GRID, zorder=0))
    grid = [[[x, low[1], 0], [x, high[1], 0]] for x in np.arange(low[0], high[0] + 0.5)]
    grid += [[[low[0], y, 0], [high[0], y, 0]] for y in np.arange(low[1], high[1] + 0.5)]
    axes.add_collection(LineCollection(list(flatten(np.array(grid))), colors=_GRID, linewidths=0.7, zorder=1))
    bones = stick_bones(scene.names)
    shadow = flatten(scene.joints[scene.shown] * [1.0, 1.0, 0.0])
    shade = np.concatenate([shadow[:, [a, b]] for a, b, _ in bones])
    shade = shade[np.isfinite(shade).all((1, 2))]
    axes.add_collection(LineCollection(list(shade), colors="#00000014", linewidths=4, zorder=1.5))
    _draw_path(axes, scene, flatten)
    _draw_figures(axes, scene, flatten, width=2.2)
    _draw_world_axes(axes, flatten, low)
    extent = np.concatenate([floor, flatten(scene.joints[scene.shown]).reshape(-1, 2)])
    extent = extent[np.isfinite(extent).all(-1)]
    margin = 0.03 * np.ptp(extent, axis=0)
    least, most = extent.min(0) - margin, extent.max(0) + margin
    axes.set(xlim=(least[0], most[0]), ylim=(least[1], most[1]), aspect="equal")
    axes.set_axis_off()


def _draw_world_axes(axes: Axes, flatten: Callable[[Points3], Points2], low: Float[np.ndarray, "2"]) -> None:
    """One metre of x and y at a corner of the floor."""
    origin = np.append(low, 0.0)
    for name, direction in (("x", [1.0, 0.0, 0.0]), ("y", [0.0, 1.0, 0.0])):
        ends = flatten(np.stack([origin, origin + direction]))
        axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "-|>", "color": _INK, "linewidth": 1.3})
        axes.annotate(f"{name}, 1 m", ends[1], (3, 3), textcoords="offset points", fontsize=8, color=_INK)


def _perspective(target: Points3, toward_camera: Points3, size_m: float) -> Callable[[Points3], Points2]:
    """A pinhole looking at ``target`` from the camera's azimuth turned by 35°, 20° up."""
    azimuth = np.arctan2(toward_camera[1], toward_camera[0]) + np.radians(35)
    up = np.radians(20)
    back = np.array([np.cos(azimuth) * np.cos(up), np.sin(azimuth) * np.cos(up), np.sin(up)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    rows = np.stack([right, np.cross(back, right), back])
    distance = 1.6 * size_m

    def flatten(points: Points3) -> Points2:
        x, y, toward = np.moveaxis((points - target) @ rows.T, -1, 0)
        return np.stack([x, y], -1) / (distance - toward)[..., None]

    return flatten


def _write_heading(figure: Figure, scene: _Scene) -> None:
    frames = len(scene.joints)
    walked = path_length(scene.path, scene.fps)
    figure.text(
        0.03, 0.965, f"{frames / scene.fps:.1f} s, {frames} frames at {scene.fps:g} fps, path {walked:.1f} m",
        fontsize=14, color=_INK, va="center",
    )  # fmt: skip
    ramps: list[Any] = [  # matplotlib's stubs do not know tuples of lines
        tuple(Line2D([], [], color=_colour(side, age), linewidth=5, solid_capstyle="butt") for age in _AGES)
        for side in _RAMPS
    ]
    figure.legend(
        ramps, ["left", "right", "trunk   (pale to dark: start to end)"],
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.0)},
        loc="center right", bbox_to_anchor=(0.985, 0.965), ncol=3, frameon=False, fontsize=9,
        handlelength=4.0, labelcolor=_INK,
    )  # fmt: skip
