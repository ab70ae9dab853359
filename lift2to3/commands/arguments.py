"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from lift2to3.skeletons import Skeleton


def flag(metavar: str) -> Any:
    """A flag: its help names what to give."""
    return tyro.conf.arg(metavar=metavar)


def optional(metavar: str) -> Any:
    """A flag whose default is to know it from elsewhere: its help names what to give, not ``None``."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(optional)")


MotionFile = Annotated[Path, tyro.conf.Positional, flag("MOTION")]
KeypointsFile = Annotated[Path, tyro.conf.Positional, flag("KEYPOINTS")]
CameraFile = Annotated[str, flag("CAMERA")]
MaybeCamera = Annotated[str | None, optional("CAMERA")]
Folder = Annotated[Path, flag("DIR")]
MaybeFile = Annotated[Path | None, optional("FILE")]
Format = Annotated[str | None, optional("FORMAT")]
Rate = Annotated[float | None, optional("FPS")]
Track = Annotated[str | None, optional("TRACK")]
FileFormat = Annotated[str | None, optional("NAME")]
Person = Annotated[str | None, optional("ID")]
Weights = Annotated[str, flag("NAME|FILE")]
Count = Annotated[int, flag("N")]
MaybeCount = Annotated[int | None, optional("N")]
Direction = Annotated[
    Literal["world_to_camera", "camera_to_world"] | None, optional("{world_to_camera,camera_to_world}")
]


def as_format(name: str | None) -> str | Skeleton | None:
    """A user's own table where the name is that of a json file; the name itself otherwise."""
    from lift2to3.skeletons import load_skeleton

    return load_skeleton(name) if name and name.endswith(".json") else name
