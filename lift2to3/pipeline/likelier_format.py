"""Is the keypoints' format the stated one? Told by limbs that no body has."""

from __future__ import annotations

from typing import Final

import numpy as np

from lift2to3.keypoints import Keypoints
from lift2to3.skeletons import SKELETONS, Skeleton

_LIMBS: Final = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("shoulder", "hip"),
)
_RELATIVE_M: Final = np.array([0.28, 0.25, 0.42, 0.41, 0.50])
_MUCH_BETTER: Final = 0.5


def strangeness(keypoints: Keypoints, skeleton: Skeleton) -> float:
    """How far the limbs' median lengths are from a body's, as logarithms; and left from right."""
    row = {name: joint for joint, name in enumerate(skeleton.canonical) if name is not None}
    lengths = []
    for upper, lower in _LIMBS:
        for side in ("left", "right"):
            a, b = row.get(f"{side}_{upper}"), row.get(f"{side}_{lower}")
            apart = (
                np.full(1, np.nan)
                if a is None or b is None
                else np.linalg.norm(keypoints.xy_px[:, a] - keypoints.xy_px[:, b], axis=-1)
            )
            lengths.append(np.median(apart[np.isfinite(apart)]) if np.isfinite(apart).any() else np.nan)
    log = np.log(np.maximum(np.reshape(lengths, (-1, 2)), 1e-3)) - np.log(_RELATIVE_M)[:, None]
    if np.isnan(log).all():
        return 0.0
    log = log - np.nanmedian(log)
    return float(np.nanmean(np.abs(log)) + np.nanmean(np.abs(log[:, 0] - log[:, 1])))


def likelier_format(keypoints: Keypoints) -> str | None:
    """Another format of as many joints, in which the limbs are a body's as in the stated one they are not."""
    rivals = [s for s in SKELETONS.values() if len(s.joints) == len(keypoints.skeleton.joints)]
    costs = {skeleton.name: strangeness(keypoints, skeleton) for skeleton in rivals}
    stated = costs.get(keypoints.skeleton.name, strangeness(keypoints, keypoints.skeleton))
    best = min(costs, key=lambda name: costs[name], default=keypoints.skeleton.name)
    return best if best != keypoints.skeleton.name and costs[best] < stated - _MUCH_BETTER else None
