"""Lift a real person from each of four real cameras alone, and compare with all four together.

    python tools/real_check.py --data ../shared/data/real_capture --out runs/real_check
    python tools/real_check.py --data …/real_capture --out runs/real_video --video …/video

The data: Pose2Sim's balancing trial, 100 frames at 60 fps of OpenPose BODY_25B detections in four
calibrated cameras, and the triangulation of these very detections (itself off by a few centimetres:
its feet stand about 7 cm over z = 0). Writes a table (real_check.json) and a picture per camera.
About ten seconds on a laptop CPU once compiled.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import lift2to3 as l23
from lift2to3.metrics import abs_mpjpe, mpjpe, pa_mpjpe, root_error
from lift2to3.motion import Motion, load_arrays
from lift2to3.skeletons import BONES, FOOT_POINTS, INDEX, PARENTS, get_skeleton

BODY_25B = get_skeleton("body25b")
COLUMNS = {
    "root_error_m": "root, m",
    "mpjpe_mm": "MPJPE, mm",
    "pa_mpjpe_mm": "PA-MPJPE, mm",
    "abs_mpjpe_mm": "Abs-MPJPE, mm",
    "lowest_foot_m": "lowest foot, m",
    "observed": "observed",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What to lift and with what.

    Attributes:
        data: the folder with ``balancing.npz``.
        out: the folder for the table and the pictures.
        weights: a shipped checkpoint's name or a file.
        steps: sampling steps; None takes the checkpoint's own.
        seed: of the sampling.
        refine: then fit a posed body to the keypoints, as ``lift2to3 lift --refine`` does.
        video: the folder with another detector's keypoints of the same pictures, read from the videos
            (``trial1_cam0N_mediapipe33.npz``); None lifts the capture's own OpenPose detections.
    """

    data: Path
    out: Path
    weights: str = "small"
    steps: int | None = None
    seed: int = 0
    refine: bool = False
    video: Path | None = None


def from_video(folder: Path, number: int, camera: l23.Camera) -> tuple[l23.Keypoints, l23.Camera]:
    """MediaPipe's keypoints of a camera's video, and the camera of its pictures.

    Two of the videos are 8 pixels narrower than the pictures that were calibrated: squeezed, not cut.
    """
    found = load_arrays(folder / f"trial1_cam{number:02d}_mediapipe33.npz")
    size = tuple(found["size"].tolist())
    K = camera.K * (np.array([*size, 1]) / [*camera.size, 1])[:, None]
    keypoints = l23.as_keypoints(found["xy"], found["conf"].clip(0, 1), "mediapipe33", float(found["fps"]))
    return keypoints, l23.Camera(K, camera.R, camera.t, size, camera.dist)


def canonical_rows(capture: dict[str, np.ndarray]) -> list[int]:
    """The canonical row of each triangulated point."""
    detected = list(capture["keypoint_names"])
    return [int(BODY_25B.rows[detected.index(name)]) for name in capture["xyz_names"]]


def compare(motion: Motion, rows: list[int], truth: np.ndarray, observed: float) -> dict[str, float]:
    """One camera's lift against the triangulation, over the points both have."""
    lifted = motion.joints_world[:, rows].astype(np.float64)
    hips = [rows.index(INDEX["left_hip"]), rows.index(INDEX["right_hip"])]
    roots = (lifted[:, hips].mean(1), truth[:, hips].mean(1))
    lowest = np.nanmin(motion.joints_world[:, FOOT_POINTS, 2], axis=1)
    return {
        "root_error_m": float(np.nanmedian(root_error(*roots))) / 1000,
        "mpjpe_mm": float(np.nanmean(mpjpe(lifted, truth, hips))),
        "pa_mpjpe_mm": float(np.nanmean(pa_mpjpe(lifted, truth))),
        "abs_mpjpe_mm": float(np.nanmean(abs_mpjpe(lifted, truth))),
        "lowest_foot_m": float(np.nanmedian(lowest)),
        "observed": observed,
    }


def draw(path: Path, title: str, motion: Motion, rows: list[int], truth: np.ndarray) -> None:
    """Both skeletons in three frames, seen from two sides and from above."""
    figure = Figure(figsize=(15, 5.4), layout="constrained")
    figure.suptitle(title)
    views = (("side: x, z", (0, 2)), ("side: y, z", (1, 2)), ("top: x, y", (0, 1)))
    for axes, (name, plane) in zip(figure.subplots(1, 3), views, strict=True):
        for frame in (0, len(truth) // 2, len(truth) - 1):
            draw_frame(axes, motion.joints_world[frame], rows, truth[frame], plane)
        axes.set(title=f"{name} (m)", aspect="equal")
        axes.grid(alpha=0.3)
        if plane[1] == 2:
            axes.axhline(0, color="black", linewidth=1)
    figure.savefig(path, dpi=90)


def bones_between(rows: list[int]) -> list[tuple[int, int]]:
    """Lines of a stick figure that has these canonical points only, as pairs of positions in ``rows``."""
    at = {name: rows.index(row) for name, row in INDEX.items() if row in rows}
    lines = [(at[f"left_{part}"], at[f"right_{part}"]) for part in ("shoulder", "hip")]
    lines += [(at[f"{side}_shoulder"], at[f"{side}_hip"]) for side in ("left", "right")]
    for row in rows:
        parent = int(PARENTS[row])
        while parent >= 0 and parent not in rows:
            parent = int(PARENTS[parent])
        if parent >= 0:
            lines.append((rows.index(parent), rows.index(row)))
    return lines


def draw_frame(
    axes: Axes, lifted: np.ndarray, rows: list[int], truth: np.ndarray, plane: tuple[int, int]
) -> None:
    """The lifted stick figure in blue, the triangulated one in grey, a thin red line between the two."""
    for parent, child in BONES:
        axes.plot(*lifted[[parent, child]][:, plane].T, color="tab:blue", linewidth=1.5)
    for row, point in zip(rows, truth, strict=True):
        axes.plot(*np.stack([lifted[row], point])[:, plane].T, color="tab:red", linewidth=0.6)
    for a, b in bones_between(rows):
        axes.plot(*truth[[a, b]][:, plane].T, "o-", color="0.4", linewidth=1.5, markersize=3)


def print_table(results: dict[str, dict[str, float]]) -> None:
    """One row per camera."""
    table = Table(title="Each camera alone against the four together")
    for heading in ("camera", *COLUMNS.values()):
        table.add_column(heading, justify="right")
    for camera, scores in results.items():
        table.add_row(camera, *(f"{scores[key]:.{0 if key.endswith('mm') else 2}f}" for key in COLUMNS))
    Console().print(table)


def main(config: Config) -> dict[str, dict[str, float]]:
    """Lift from every camera, write the pictures and the table, and return its rows."""
    capture = load_arrays(config.data / "balancing.npz")
    config.out.mkdir(parents=True, exist_ok=True)
    lifter = l23.Lifter.from_pretrained(config.weights)
    rows, truth = canonical_rows(capture), capture["xyz_1"]
    results = {}
    for i, name in enumerate(capture["cams"]):
        camera = l23.Camera(*(capture[key][i] for key in ("K", "R", "t", "size", "dist")))
        detections = capture["kpts_associated"][i, :, 0]
        xy, confidence = detections[..., :2], np.clip(detections[..., 2], 0, 1)
        keypoints = l23.as_keypoints(xy, confidence, "body25b", float(capture["fps"]))
        if config.video is not None:
            keypoints, camera = from_video(config.video, i + 1, camera)
        motion = lifter.lift(keypoints, camera, steps=config.steps, seed=config.seed, refine=config.refine)
        observed = float((keypoints.confidence > 0).mean())
        results[str(name)] = compare(motion, rows, truth, observed)
        draw(
            config.out / f"{name}.png", f"{name}: lifted alone, and triangulated (grey)", motion, rows, truth
        )
        motion.save(config.out / f"{name}.npz")
    print_table(results)
    (config.out / "real_check.json").write_text(json.dumps(results, indent=2) + "\n")
    return results


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
