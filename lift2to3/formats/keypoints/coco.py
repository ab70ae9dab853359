"""COCO's results and annotations, COCO-VID, and AlphaPose's list, which is the same: an entry a person.

``[{"image_id": …, "keypoints": [x, y, score, …]}, …]``, or under ``annotations`` beside ``images``, which
then say what an id's frame is: by ``frame_id``, else by the number that counts up in ``file_name``. Without
``images`` an ``image_id`` is itself the frame's number or name. Ids of images say nothing of their order.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lift2to3.formats.keypoints.detections import are_rows, as_frame, as_names, first_of, frame_of, people_of
from lift2to3.formats.keypoints.found import Detection, Detections, stated_rate
from lift2to3.formats.keypoints.scores import Detector

_NUMBERS = ("frame_id", "frame_index", "frame_number", "frame")


def _rows(table: Any) -> Any:
    return table.get("annotations") if isinstance(table, dict) else table


def recognises(table: Any) -> bool:
    """Whether a json is such a list."""
    return are_rows(_rows(table), "keypoints", "image_id")


def read(table: Any, path: Path) -> Detections:
    """The list above.

    Raises:
        ValueError: keypoints that are not numbers, an entry without its image, or several videos in one file.
    """
    images = _images(table, path) if isinstance(table, dict) and table.get("images") else None
    rows: list[Detection] = []
    listed: list[int | str] = [] if images is None else list(images.values())
    for place, row in enumerate(_rows(table)):
        if not row:
            continue
        image = as_frame(row.get("image_id")) if images is not None else frame_of(row)
        frame = image if images is None or image is None else images.get(image)
        if frame is None:
            raise ValueError(
                f"{path}: entry {place} is of image {row.get('image_id')!r:.40}, "
                f"{'a frame' if images is None else 'which images do not list'}; wanted every entry's frame"
            )
        listed.append(frame)
        rows += people_of(row, frame, path)
    names, fps = _stated(table, path) if isinstance(table, dict) else (None, None)
    return Detections(rows, listed, None, fps, _detector(_rows(table)), names=names)


def _images(table: dict[str, Any], path: Path) -> dict[int | str, int | str]:
    """Image id → its frame: a number where every image has one, else its file's name."""
    images = table["images"]
    if not are_rows(images, "id"):
        raise ValueError(f"{path}: images are no list of id and file_name; wanted COCO's")
    images = [image for image in images if image]
    videos = Counter(str(image.get("video_id")) for image in images)
    if len(videos) > 1:
        raise ValueError(
            f"{path}: images of {len(videos)} videos ({', '.join(list(videos)[:8])}); wanted one "
            "video: leave only its images and annotations in the file"
        )
    for names in (_NUMBERS, ("file_name",)):
        frames = [as_frame(first_of(image, names)) for image in images]
        if all(frame is not None for frame in frames):
            break
    else:
        frames = [as_frame(image.get("id")) for image in images]
    twice = [frame for frame, count in Counter(frames).items() if count > 1]
    if twice:
        raise ValueError(
            f"{path}: {len(twice)} frames stand in images more than once, such as {twice[0]!r:.60}; wanted "
            "one video of one camera"
        )
    ids = [as_frame(image.get("id")) for image in images]
    return {
        key: frame for key, frame in zip(ids, frames, strict=True) if key is not None and frame is not None
    }


def _stated(table: dict[str, Any], path: Path) -> tuple[list[str] | None, float | None]:
    """Joints' names and rate, where categories and videos tell them."""
    names = [row.get("keypoints") for row in _tables(table.get("categories"))]
    rates = [row.get("fps") for row in (*_tables(table.get("videos")), *_tables([table.get("info"), table]))]
    return as_names(next(filter(None, names), None)), stated_rate(path, next(filter(None, rates), None))


def _tables(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _detector(rows: list[Any]) -> Detector:
    """AlphaPose adds a box and a score over 1; both are of heat maps."""
    flagged = any(isinstance(row, dict) and "num_keypoints" in row for row in rows)
    return "flags" if flagged else "heatmap"
