"""Do camera, floor and keypoints fit together at all? Asked before anything is lifted."""

from __future__ import annotations

import warnings

from lift2to3.geometry.cameras import Camera
from lift2to3.keypoints import Keypoints
from lift2to3.observations import Observations
from lift2to3.pipeline.findings import setup_findings


def check_setup(keypoints: Keypoints, camera: Camera, observed: Observations) -> None:
    """Refuse setups that would put the person nowhere, and warn of doubtful ones.

    Args:
        keypoints: as the user gave them.
        camera: likewise.
        observed: the one in the other.

    Raises:
        ValueError: something is wrong that would put the person far off; the message says which mistake
            explains it, and what mends it.
    """
    found = setup_findings(keypoints, camera, observed)
    for finding in found:
        if finding.severe:
            raise ValueError(finding.text)
    for finding in found:
        warnings.warn(finding.text, stacklevel=3)
