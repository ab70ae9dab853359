"""Detectors' scores as the confidence that a lift is told: 0 missing, 1 as sure as this detector gets.

A score's meaning is the detector's own. What is known of each, and how it becomes 0 to 1:

=============  ======================================================================  =====================
detector       its score                                                               confidence
=============  ======================================================================  =====================
flags          COCO's visibility: 0 not labelled, 1 labelled but hidden, 2 visible     0, 1, 1
heatmap        the peak of a heat map (AlphaPose, HRNet, ViTPose): a little above 1    clipped at 1
simcc          RTMPose's SimCC, rtmlib: the peaks' height, up to about 7; 0.3 is poor, clipped at 1
               1 and more is sure
openpose       height of a part's heat map, as its json has it: 0.55 is good           score / 0.55, at most 1
visibility     MediaPipe: the chance of being seen and not hidden, 0 to 1              the same
keypoint       Ultralytics: a sigmoid, 0 to 1                                          the same
unknown        arrays and our own files: 0 to 1 as documented                          clipped at 1
=============  ======================================================================  =====================

Percent (nothing above 100, some above 20) is divided by 100. What lies above 1 by more than rounding is
clipped with a warning; a score of 0 or less, or none, is a missing keypoint.
"""

from __future__ import annotations

import warnings
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

Detector = Literal["flags", "heatmap", "simcc", "openpose", "visibility", "keypoint", "unknown"]

OPENPOSE_SURE: Final = 0.55
_ROUNDED: Final = 1.1
"""Heat maps' peaks go so far above 1 that it means nothing."""
_PERCENT: Final = (20.0, 100.0)
_NEGATIVE: Final = 0.05
"""SimCC's scores are below 0 now and then, others' never."""


def as_confidence(
    scores: Float[np.ndarray, "*batch"], detector: Detector, source: object
) -> Float[np.ndarray, "*batch"]:
    """A clip's scores as 0 to 1, by the table above.

    Raises:
        ValueError: scores above 100, or many below 0.
    """
    scores = np.nan_to_num(np.asarray(scores, np.float64), nan=0.0, neginf=0.0)
    highest, below = float(scores.max(initial=0.0)), (scores < 0) & (scores != -1)
    if scores.size and below.mean() > _NEGATIVE:
        raise ValueError(
            f"{source}: {below.mean():.0%} of the scores are below 0, down to {scores.min():.3g}; wanted "
            "each joint's confidence as its third number: is it a depth?"
        )
    if highest > _PERCENT[1]:
        raise ValueError(f"{source}: scores run to {highest:.4g}; wanted 0 to 1, or percent")
    if np.isin(scores, (0, 1, 2)).all():
        return np.minimum(scores, 1.0)
    if highest > _PERCENT[0]:
        warnings.warn(f"{source}: scores run to {highest:.3g}: taken as percent", stacklevel=2)
        return scores.clip(0.0) / 100
    if highest > _ROUNDED:
        kind = "RTMPose's SimCC" if detector == "simcc" else "a detector"
        warnings.warn(
            f"{source}: scores run to {highest:.3g}, as {kind} gives them; {(scores > 1).mean():.0%} of them "
            "are above 1 and taken as 1, full confidence",
            stacklevel=2,
        )
    elif detector == "openpose":
        scores = scores / OPENPOSE_SURE
    return scores.clip(0.0, 1.0)
