"""The report page of a lifted motion: one HTML file that plays it and shows its numbers, offline."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from lift2to3.contact import CONTACT_POINTS
from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.motion import Motion
from lift2to3.report.bone_lengths import bone_lengths, bone_remarks
from lift2to3.resample import runs_of_true
from lift2to3.skeletons import stick_bones
from lift2to3.summary import (
    CONTACT_HEIGHT_M,
    FootContacts,
    Summary,
    foot_contacts,
    reprojection_error,
    rows_of_keypoints,
    summarise,
)
from lift2to3.whole_file import whole_file

_WEB: Final = Path(__file__).with_name("web")
_PARTS: Final = (
    "page.html", "page.css", "data.js", "words.js", "canvas.js", "space.js", "image.js", "charts.js",
    "player.js",
)  # fmt: skip

_MISSING: Final = -32768
_FARTHEST_M: Final = 200.0
"""Points farther than this from the motion's middle are not drawn: they would cost all others precision."""


def write_report(
    motion: Motion,
    keypoints: Keypoints | None,
    camera: Camera | None,
    path: str | Path,
    title: str = "Lifted motion",
    remarks: Sequence[str] = (),
    rows: Sequence[tuple[str, str]] = (),
    others: Sequence[Motion] = (),
) -> Path:
    """Write `report_html` to a file, whole or not at all; its folder must be there.

    A double click opens it in any browser, without a network.
    """
    page = report_html(motion, keypoints, camera, title, remarks, rows, others)
    path = Path(path)
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def report_html(
    motion: Motion,
    keypoints: Keypoints | None = None,
    camera: Camera | None = None,
    title: str = "Lifted motion",
    remarks: Sequence[str] = (),
    rows: Sequence[tuple[str, str]] = (),
    others: Sequence[Motion] = (),
) -> str:
    """The report page of a motion: one HTML document that needs nothing else.

    Args:
        motion: metres, world, z up; what is not valid or NaN is left out.
        keypoints: what was observed, pixels; as many frames as the motion. Without them, or without the
            camera, the page has no view in the image and no reprojection error.
        camera: whose image the keypoints are in; shown in space.
        title: the page's heading.
        remarks: what else to warn of, beside what `summarise` finds.
        rows: further facts, such as errors to a known truth: a name and a value each.
        others: who else is in this world; they move beside the motion in the view in space.

    Raises:
        ValueError: records that do not belong together, or a motion without frames, pelvis or head.
    """
    if not len(motion.joints_world):
        raise ValueError("report: the motion has no frames; wanted one or more")
    missing = {"pelvis", "head"} - set(motion.joint_names)
    if missing:
        raise ValueError(
            f"report: the motion has no {' and no '.join(sorted(missing))} among its "
            f"{len(motion.joint_names)} joints; wanted canonical names, as lift2to3.lift gives them"
        )
    joints = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(np.float64)
    pixels = None if camera is None else camera.project(joints)
    summary = summarise(motion, keypoints, camera, pixels)
    motion = motion._replace(joints_world=joints, spread=np.where(motion.valid, motion.spread, np.nan))
    lengths = bone_lengths(motion)
    texts = [*remarks, *motion.warnings, *summary.warnings, *bone_remarks(lengths)]
    subtitle = f"{summary.seconds:.1f} s, {summary.frames} frames at {summary.fps:g} fps"
    if keypoints is not None and camera is not None:
        width, height = camera.size
        subtitle += f", {keypoints.skeleton.name} keypoints in a {width} × {height} px image"
    clip = {
        "title": title,
        "subtitle": subtitle,
        "remarks": list(dict.fromkeys(texts)),
        "facts": _facts(summary),
        "rows": rows,
        "fps": motion.fps,
        "frames": len(joints),
        "path_m": summary.path_m,
        **_scene(motion, camera),
        "others": _others(motion, others),
        **_charts(motion, foot_contacts(motion)),
        "bones": lengths,
    }
    if keypoints is not None and camera is not None and pixels is not None:
        clip |= {"body_px": summary.body_px, **_image(motion, keypoints, camera, pixels)}
    text = json.dumps(_plain(clip), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c")  # a joint called </script> must not end the script
    return template().replace("__CLIP__", text)


def template() -> str:
    """The page without a clip: markup, style and scripts in one file."""
    markup, style, *scripts = ((_WEB / name).read_text(encoding="utf-8") for name in _PARTS)
    return markup.replace("__STYLE__", style).replace("__SCRIPT__", "\n".join(scripts))


# --- what the views draw


def _scene(motion: Motion, camera: Camera | None) -> dict[str, Any]:
    """Joints, camera and colours by side: what the view in space needs."""
    joints = motion.joints_world
    middle = _middle(motion)
    near = np.linalg.norm(joints - middle, axis=-1, keepdims=True) < _FARTHEST_M
    return {
        "names": motion.joint_names,
        "sticks": stick_bones(motion.joint_names),
        "middle": middle,
        "world": _pack(np.where(near, joints - middle, np.nan), 0.001),
        "spread": _pack(motion.spread, 0.001),
        "camera": None if camera is None else _frustum(camera),
    }


def _middle(motion: Motion) -> Float[np.ndarray, "3"]:
    flat = motion.joints_world[np.all(np.isfinite(motion.joints_world), axis=-1)]
    return np.median(flat, axis=0) if len(flat) else np.zeros(3)


def _others(motion: Motion, others: Sequence[Motion]) -> list[dict[str, Any]]:
    """Other people's joints in the motion's frames, about its middle, as `_scene` packs its own."""
    middle = _middle(motion)
    packed = []
    for other in others:
        joints = np.where(other.valid[..., None], other.joints_world, np.nan)
        within = np.full(motion.joints_world.shape, np.nan)
        first = other.first_frame - motion.first_frame
        theirs = slice(max(-first, 0), max(len(within) - first, 0))
        ours = slice(max(first, 0), max(first, 0) + len(joints[theirs]))
        within[ours] = joints[theirs]
        near = np.linalg.norm(within - middle, axis=-1, keepdims=True) < _FARTHEST_M
        packed.append(_pack(np.where(near, within - middle, np.nan), 0.001))
    return packed


def _frustum(camera: Camera) -> dict[str, Any]:
    """Where the camera is and, a metre before it, the corners of what it sees."""
    width, height = camera.size
    corners_px = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    corners = np.pad(np.clip(camera.normalise(corners_px), -5, 5), ((0, 0), (0, 1)), constant_values=1.0)
    return {
        "centre": camera.centre,
        "forward": camera.R[2],
        "corners": corners @ camera.R,
        "zoom": camera.K[1, 1] / height,
    }


def _image(
    motion: Motion, keypoints: Keypoints, camera: Camera, pixels: Float[np.ndarray, "time joints 2"]
) -> dict[str, Any]:
    """Observed keypoints, projected joints and what lies between: the view in the image and its charts."""
    size = np.array(camera.size)
    error = reprojection_error(motion, keypoints, pixels)

    def near(points_px: Float[np.ndarray, "time joints 2"]) -> Float[np.ndarray, "time joints 2"]:
        inside = np.all((points_px > -size) & (points_px < 2 * size), axis=-1, keepdims=True)
        return np.where(inside, points_px, np.nan)

    return {
        "size": camera.size,
        "observed_names": keypoints.skeleton.joints,
        "observed_rows": rows_of_keypoints(motion, keypoints.skeleton),
        "observed": _pack(near(keypoints.xy_px), 0.1),
        "projected": _pack(near(pixels), 0.1),
        "error": _pack(error, 0.1),
        "error_by_time": _by_time(error),
        "error_by_joint": _by_joint(keypoints.skeleton.joints, error),
    }


def _footprints(feet: FootContacts) -> list[tuple[int, int, int, float, float]]:
    """(column, first frame, last frame, x, y) of each time that a point stood."""
    prints = []
    for point, contact in enumerate(feet.contact.T):
        for first, end in runs_of_true(contact).tolist():
            x, y, _ = feet.points[first:end, point].mean(axis=0)
            prints.append((point, first, end - 1, round(float(x), 3), round(float(y), 3)))
    return prints


# --- what the charts draw


def _charts(motion: Motion, feet: FootContacts) -> dict[str, Any]:
    """What shows without keypoints: spread and feet."""
    spread = 100.0 * motion.spread
    height = 100.0 * np.fmin.reduce(feet.points[..., 2].reshape(-1, 2, 2), axis=-1)  # of heel and toe
    slides = _mean(feet.sliding_mm.reshape(-1, 2, 2))
    return {
        "spread_by_time": _by_time(spread),
        "spread_by_joint": _by_joint(motion.joint_names, spread),
        "foot_height": _pack(height, 0.1),
        "foot_sliding": _pack(slides, 0.1),
        "contact_points": CONTACT_POINTS,
        "contact": _pack(feet.contact.astype(float), 1.0),
        "footprints": _footprints(feet),
    }


def _by_time(values: Float[np.ndarray, "time joints"]) -> dict[str, Any]:
    """Median and 90th percentile over the joints that are not NaN, without interpolation."""
    last = np.maximum(np.isfinite(values).sum(-1, keepdims=True) - 1, 0)
    rank = np.rint(np.array([0.5, 0.9]) * last).astype(int)
    return _pack(np.take_along_axis(np.sort(values, axis=-1), rank, axis=-1), 0.1)  # NaN sorts last


def _mean(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Along the last axis, over what is not NaN; NaN without any."""
    seen = np.isfinite(values)
    total, count = np.sum(values, axis=-1, where=seen), seen.sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _by_joint(
    names: Iterable[str], values: Float[np.ndarray, "time joints"]
) -> list[dict[str, str | float | None]]:
    """Per joint: its name, side, median and 95th percentile over time."""
    rows = []
    for name, column in zip(names, values.T, strict=True):
        known = column[np.isfinite(column)]
        median, high = np.percentile(known, (50, 95)) if len(known) else (np.nan, np.nan)
        words = name.split("_")
        side = next((word for word in words if word in ("left", "right")), "middle")
        part = " ".join(word for word in words if word != side) or name
        rows.append({"name": name, "part": part, "side": side, "median": float(median), "high": float(high)})
    return rows


# --- the page's data


def _facts(summary: Summary) -> list[tuple[str, str, str]]:
    """(name, value, remark) of what one looks at first; nothing of what was not measured."""
    low_head, high_head = summary.head_height_m
    facts = [
        ("Path walked", _text(summary.path_m, ".2f", "m"), "of the pelvis, over the floor"),
        (
            "Top of the head",
            _text(high_head, ".2f", "m"),
            f"over the floor, highest; lowest {_text(low_head, '.2f', 'm')}",
        ),
        (
            "Lowest foot",
            _text(100 * summary.foot_height_m[1], ".1f", "cm"),
            f"median; under {100 * CONTACT_HEIGHT_M:.0f} cm in "
            + _text(100 * summary.contact_fraction, ".0f", "%"),
        ),
        ("Foot sliding", _text(summary.sliding_mm, ".1f", "mm"), "per 1/30 s in contact with the floor"),
        (
            "Reprojection",
            _text(summary.reprojection_px, ".1f", "px"),
            f"median; {_text(100 * summary.reprojection_share, '.1f', '%')} of body size",
        ),
        ("Spread", _text(100 * summary.spread_m, ".1f", "cm"), "uncertainty of a point, median"),
        ("Missing", _text(100 * summary.missing_fraction, ".0f", "%"), "of the keypoints"),
    ]
    return [fact for fact in facts if fact[1] != "–"]


def _text(value: float, how: str, unit: str) -> str:
    return f"{value:{how}}\u00a0{unit}".replace("-", "−") if np.isfinite(value) else "–"


def _pack(values: Float[np.ndarray, "time *channels"], unit: float) -> dict[str, Any]:
    """Numbers as 16-bit whole multiples of ``unit`` (or of a larger one that reaches the largest number).

    What is stored are the steps from frame to frame, low bytes before high ones, gzipped: a smooth
    motion's high bytes are nearly all 0. NaN is `_MISSING`. The page's ``unpack`` is the inverse.
    """
    finite = np.isfinite(values)
    unit = max(unit, float(np.max(np.abs(values), where=finite, initial=0.0)) / 32767)
    whole = np.rint(np.where(finite, values, 0.0) / unit)
    whole = np.where(finite, whole, _MISSING).astype(np.int16).reshape(len(values), -1).T
    steps = np.diff(whole, axis=-1, prepend=np.zeros_like(whole[:, :1]))  # wraps, and so does the way back
    planes = steps.astype("<i2").reshape(-1, 1).view(np.uint8).T
    data = base64.b64encode(gzip.compress(planes.tobytes(), 6, mtime=0)).decode("ascii")
    return {"shape": values.shape, "unit": unit, "data": data}


def _plain(value: Any) -> Any:
    """The same in what JSON has: lists, and None for NaN."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
