"""Arguments that several commands share."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from lift2to3.geometry.cameras import Camera
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


@dataclasses.dataclass(frozen=True)
class CameraReading:
    """What the camera's file does not say of itself, or says wrongly.

    Attributes:
        direction: what R and t do, where the camera file does not state it.
        unit: of the camera's t, where it is not metres and the file does not say so.
        up: the up axis of the camera's world, where it is not z and the file does not say so.
        size: of the picture, as 1920x1080, where the camera file does not state it.
        floor: height of the floor in the camera's world (z up), metres.
    """

    direction: Annotated[
        Literal["world_to_camera", "camera_to_world"] | None, optional("{world_to_camera,camera_to_world}")
    ] = None
    unit: Annotated[Literal["m", "cm", "mm"] | None, optional("{m,cm,mm}")] = None
    up: Annotated[Literal["x", "y", "z", "-x", "-y", "-z"] | None, optional("{x,y,z,-x,-y,-z}")] = None
    size: Annotated[str | None, optional("WxH")] = None
    floor: Annotated[float, flag("Z")] = 0.0

    def read(self, path: str) -> Camera:
        """The camera of a file, `lift2to3.formats.cameras.read.read_camera`."""
        from lift2to3.formats.cameras.read import read_camera

        return read_camera(path, **dataclasses.asdict(self))


CameraOptions = Annotated[CameraReading, tyro.conf.OmitArgPrefixes]
AS_IT_SAYS = CameraReading()


def as_format(name: str | None) -> str | Skeleton | None:
    """A user's own table where the name is that of a json file; the name itself otherwise."""
    from lift2to3.skeletons import load_skeleton

    return load_skeleton(name) if name and name.endswith(".json") else name
