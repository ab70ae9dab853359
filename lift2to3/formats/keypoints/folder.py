"""A folder with a file for each frame: json of OpenPose, MMPose or Ultralytics, Ultralytics' labels."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Final

from lift2to3.array_files import load_json
from lift2to3.formats.keypoints import mmpose, openpose, ultralytics
from lift2to3.formats.keypoints.found import Detection, Detections
from lift2to3.formats.keypoints.scores import Detector

_OF_A_FRAME: Final[tuple[tuple[str, ModuleType, Detector], ...]] = (
    ("openpose", openpose, "openpose"), ("ultralytics", ultralytics, "keypoint"), ("mmpose", mmpose, "simcc"),
)  # fmt: skip


def read_folder(path: Path, format: str | None = None) -> Detections:
    """All frames' files; hidden ones, such as macOS' ``._*``, are none.

    Raises:
        ValueError: no such file in it, or another one.
    """
    files = {
        ending: sorted(f for f in path.glob(f"*{ending}") if not f.name.startswith("."))
        for ending in (".json", ".txt")
    }
    if not files[".json"] and files[".txt"]:
        return ultralytics.read_labels(files[".txt"], path)
    if not files[".json"]:
        raise ValueError(f"{path}: a folder without .json files; wanted OpenPose's, one per frame")
    rows: list[Detection] = []
    detector: Detector = "unknown"
    kind = None
    for file in files[".json"]:
        table = load_json(file)
        if kind is None or not kind.is_frame(table):
            fits = (row for row in _OF_A_FRAME if format in (None, row[0]) and row[1].is_frame(table))
            found = None if kind is not None else next(fits, None)
            if found is not None:
                _, kind, detector = found
            elif table:  # an empty list is a frame without people
                raise ValueError(f'{file}: no "people" in it; wanted OpenPose\'s json, a file per frame')
        if table and kind is not None:
            rows += kind.frame_people(table, file.stem, file)
    return Detections(rows, [file.stem for file in files[".json"]], detector=detector)
