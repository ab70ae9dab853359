"""The TensorFlow Datasets builder of mocap clips: ArrayRecord files, written without TensorFlow.

Importing this module needs the ``data`` extra; `lift2to3.data.dataset` imports it when it is used.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from lift2to3.data.mocap import MocapClip


class Mocap(tfds.core.GeneratorBasedBuilder):
    """Clips of motion capture; see `lift2to3.data.mocap.MocapClip` for fields, frames and units."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First form."}
    # Found by tfds itself only with importlib_resources, which it does not install on Python 3.9+.
    code_path = epath.Path(__file__)

    def __init__(self, *, splits: Mapping[str, Iterable[MocapClip]] | None = None, **kwargs: Any) -> None:
        """Args: splits, each split's clips (needed to write, not to read); kwargs as tfds has them."""
        self._splits = splits or {}
        super().__init__(file_format="array_record", **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features
        return tfds.core.DatasetInfo(
            builder=self,
            description="Motion capture on the lift2to3 canonical points: world z up, metres, floor z = 0.",
            features=features.FeaturesDict(
                {
                    "clip": features.Text(),
                    "subject": features.Text(),
                    "family": features.Text(),
                    "fps": np.float32,
                    "uneven_floor": np.bool_,
                    "joint_names": features.Sequence(features.Text()),
                    "parents": features.Tensor(shape=(None,), dtype=np.int32),
                    "rest_offsets": features.Tensor(shape=(None, 3), dtype=np.float32),
                    "root_translation": features.Tensor(shape=(None, 3), dtype=np.float32),
                    "rotations": features.Tensor(shape=(None, None, 4), dtype=np.float32, encoding="zlib"),
                    "points_world": features.Tensor(shape=(None, 38, 3), dtype=np.float32),
                    "contacts": features.Tensor(shape=(None, 4), dtype=np.bool_),
                }
            ),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        del dl_manager  # nothing is downloaded
        return {split: self._generate_examples(clips) for split, clips in self._splits.items()}

    def _generate_examples(self, clips: Iterable[MocapClip]) -> Iterator[tuple[str, dict[str, Any]]]:
        for clip in clips:
            example = clip._asdict()
            example["joint_names"] = list(clip.joint_names)
            example["parents"] = clip.parents.astype(np.int32)
            yield clip.clip, example


def write(folder: str | Path, splits: Mapping[str, Iterable[MocapClip]]) -> None:
    """Build ``FOLDER/mocap/1.0.0``; `lift2to3.data.dataset.write_dataset` documents it."""
    builder = Mocap(splits=splits, data_dir=str(folder))
    tfds.disable_progress_bar()
    # It speaks of a download and makes a folder for it; there is none.
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as downloads:
        builder.download_and_prepare(download_dir=downloads, file_format="array_record")


def read(version_folder: Path, split: str) -> list[MocapClip]:
    """Every clip of a split, in the order of the files. KeyError names no split of that name."""
    source = tfds.builder_from_directory(str(version_folder)).as_data_source(split)  # pyright: ignore[reportCallIssue]
    return [_clip(source[i]) for i in range(len(source))]


def _clip(example: Mapping[str, Any]) -> MocapClip:
    clip = MocapClip(**example)
    text = {key: example[key].decode() for key in ("clip", "subject", "family")}
    return clip._replace(
        **text,
        fps=float(clip.fps),
        uneven_floor=bool(clip.uneven_floor),
        joint_names=tuple(name.decode() for name in example["joint_names"]),
        parents=np.asarray(clip.parents, dtype=np.int64),
    )
