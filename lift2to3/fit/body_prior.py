"""What is known of a body before it is seen: its proportions, how it bends, how far its joints go."""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from lift2to3.checkpoint import load_weights
from lift2to3.weights_folder import WEIGHTS_FOLDER

BODY_PRIOR: Final = WEIGHTS_FOLDER / "body.safetensors"


class BodyPrior(NamedTuple):
    """Learned by ``tools/learn_body_prior.py``; joints without the pelvis, whose rotation is the person's.

    A pose's tangent is ``log(mean_rotationsᵀ rotations)``, 3 numbers a joint, radians.

    Attributes:
        rest_offsets: proportions of our skeleton at rest, metres for a leg of `REFERENCE_LEG_M`.
        mean_rotations: each joint's mean rotation relative to its parent.
        tangent_mean, tangent_covariance: of poses' tangents.
        tangent_low, tangent_high: the joint limits.
    """

    rest_offsets: Float[np.ndarray, "38 3"]
    mean_rotations: Float[np.ndarray, "21 3 3"]
    tangent_mean: Float[np.ndarray, "63"]
    tangent_covariance: Float[np.ndarray, "63 63"]
    tangent_low: Float[np.ndarray, "63"]
    tangent_high: Float[np.ndarray, "63"]


@functools.cache
def load_body_prior() -> BodyPrior:
    """The shipped prior.

    Raises:
        ValueError: a damaged file, or one of another kind.
    """
    params = load_weights(BODY_PRIOR).params
    missing = set(BodyPrior._fields) - set(params)
    if missing:
        raise ValueError(f"{BODY_PRIOR}: no {', '.join(sorted(missing))} in it: not a body prior")
    return BodyPrior(**{name: params[name] for name in BodyPrior._fields})
