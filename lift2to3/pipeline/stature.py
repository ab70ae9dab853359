"""People who are no adults of ordinary size, lifted as such in a world that is scaled until they are.

A person of half an adult's height, seen by a camera at half the height and half the distance, gives the same
picture. So the camera is moved away until the person is as tall as the models know people, and what is lifted
is made smaller by as much: the floor stays z = 0.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from lift2to3.geometry.cameras import Camera
from lift2to3.motion import Motion

_ADULT_M: Final = 1.72
_LEAST_M, _MOST_M = 0.4, 2.5


def check_stature(stature: float | None) -> None:
    """Refuse what nobody measures.

    Raises:
        ValueError: not between 0.4 and 2.5 m.
    """
    if stature is not None and not _LEAST_M <= stature <= _MOST_M:
        raise ValueError(
            f"stature {stature:g}: wanted the person's height in metres, {_LEAST_M:g} to {_MOST_M:g}"
        )


def as_seen_by_adults(camera: Camera, stature: float | None) -> Camera:
    """The camera in a world in which a person of this stature, metres, is an adult; None changes nothing."""
    return camera if stature is None else dataclasses.replace(camera, t=camera.t * (_ADULT_M / stature))


def as_tall(motion: Motion, stature: float | None) -> Motion:
    """A motion lifted with the camera above, in the true world: points, spread and body."""
    if stature is None:
        return motion
    factor = np.float32(stature / _ADULT_M)
    spread = motion.spread * factor
    if motion.body is None:
        return motion._replace(joints_world=motion.joints_world * factor, spread=spread)
    body = motion.body._replace(
        root_translation=motion.body.root_translation * factor, rest_offsets=motion.body.rest_offsets * factor
    )
    return body.motion(spread)._replace(warnings=motion.warnings, refined=motion.refined)
