"""One walk on film, and the pieces that detectors' files are made of."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

import lift2to3 as l23
from lift2to3.skeletons import get_skeleton
from lift2to3.walk import synthetic_walk

FRAMES, FPS, SIZE = 40, 30.0, (1920, 1080)
CAMERA = l23.Camera(
    K=[[1000, 0, 960], [0, 1000, 540], [0, 0, 1]],
    R=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    t=[0, 1.2, 0],
    size=SIZE,
)


def film(skeleton: str = "coco17", heading: float = 0.0, x: float = -1.0, depth: float = 5.0) -> np.ndarray:
    """(time, joints, 2) pixels of a person who walks through the picture; NaN for joints without a point."""
    points = synthetic_walk(FRAMES / FPS, FPS, turn_radius_m=np.inf, start_xy=(x, depth), heading_rad=heading)
    rows = get_skeleton(skeleton).rows
    seen = CAMERA.project(points)[:, rows]
    seen[:, rows < 0] = np.nan
    return seen


WALK = film()
OTHER = film(heading=np.pi, x=1.0, depth=5.6)
"""Comes the other way, behind: the two cross in the middle."""


LANDMARKS = film("mediapipe33")


def scored(xy: np.ndarray, score: float = 0.9) -> np.ndarray:
    return np.concatenate([xy, np.full((*xy.shape[:-1], 1), score)], axis=-1)


def flat(xy: np.ndarray, score: float = 0.9) -> list[float]:
    return scored(xy, score).ravel().tolist()


def instance(xy: np.ndarray, score: float = 0.9, **more: Any) -> dict[str, Any]:
    return {"keypoints": xy.tolist(), "keypoint_scores": [score] * len(xy), **more}


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def folder(path: Path, frames: dict[str, Any]) -> Path:
    path.mkdir()
    for name, content in frames.items():
        written(path / name, content)
    return path


def same(found: l23.Keypoints, xy: np.ndarray = WALK, first: int = 0) -> None:
    assert found.first_frame == first
    np.testing.assert_allclose(found.xy_px, xy, atol=1e-3)


def as_openpose(xy: np.ndarray, key: str = "pose_keypoints_2d", **more: Any) -> dict[str, Any]:
    return {"version": 1.3, "people": [{key: flat(xy), **more}]}


def csv_text(rows: list[list[Any]], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue()


def ultralytics_frame(xy: np.ndarray, **more: Any) -> list[dict[str, Any]]:
    x, y = xy.T.tolist()
    return [{"name": "person", "class": 0, "keypoints": {"x": x, "y": y, "visible": [0.9] * len(x)}, **more}]
