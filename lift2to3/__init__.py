"""Lift 2D keypoints of one person in one calibrated camera to absolute 3D motion in metres."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lift2to3.convert.export import export
    from lift2to3.fit.fit_body import fit_body
    from lift2to3.formats.cameras.read import read_camera, write_camera
    from lift2to3.formats.keypoints.read import read_keypoints, read_people, write_keypoints
    from lift2to3.geometry.cameras import Camera
    from lift2to3.keypoints import Keypoints, as_keypoints
    from lift2to3.motion import BodyMotion, Motion, load_body_motion, load_motion
    from lift2to3.pipeline.lift import Lifter, lift
    from lift2to3.pipeline.refine_body import refine_body
    from lift2to3.pipeline.refine_feet import refine_feet
    from lift2to3.skeletons import Skeleton, load_skeleton

__all__ = [
    "BodyMotion", "Camera", "Keypoints", "Lifter", "Motion", "Skeleton", "as_keypoints", "export",
    "fit_body", "lift", "load_body_motion", "load_motion", "load_skeleton", "read_camera", "read_keypoints",
    "read_people", "refine_body", "refine_feet", "write_camera", "write_keypoints",
]  # fmt: skip

_HOME = {
    "Camera": "geometry.cameras",
    "Lifter": "pipeline.lift",
    "export": "convert.export",
    "fit_body": "fit.fit_body",
    "Keypoints": "keypoints",
    "as_keypoints": "keypoints",
    "lift": "pipeline.lift",
    "refine_body": "pipeline.refine_body",
    "read_camera": "formats.cameras.read",
    "read_keypoints": "formats.keypoints.read",
    "read_people": "formats.keypoints.read",
    "write_camera": "formats.cameras.read",
    "write_keypoints": "formats.keypoints.read",
    "refine_feet": "pipeline.refine_feet",
    "Skeleton": "skeletons",
    "load_skeleton": "skeletons",
}


def __getattr__(name: str) -> Any:
    """Import on first use: ``import lift2to3`` and ``lift2to3 --help`` need not wait for jax."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME.get(name, 'motion')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
