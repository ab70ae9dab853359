"""Where image points meet the ground (z = 0): the first guess of the person, and pointmaps."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from lift2to3.geometry.cameras import View, ray_directions
from lift2to3.skeletons import CANONICAL, FOOT_POINTS, rows_by_side

FOOT_HEIGHT_M = np.array(
    [{"ankle": 0.08, "foot": 0.02}.get(CANONICAL[row].split("_", 1)[1], 0.015) for row in FOOT_POINTS]
)
"""Height above the floor of each of `FOOT_POINTS` while the foot stands."""

_SEGMENTS_M = {
    ("shoulder", "hip"): 0.50, ("hip", "knee"): 0.42, ("knee", "ankle"): 0.41,
    ("shoulder", "elbow"): 0.28, ("elbow", "wrist"): 0.25,
}  # fmt: skip
_SEGMENT_ROWS = np.stack([rows_by_side(*segment) for segment in _SEGMENTS_M], axis=1).reshape(-1, 2)
_SEGMENT_LENGTH_M = np.array([*_SEGMENTS_M.values()] * 2)
_FORESHORTENING = 0.95  # median apparent over tabled length, summed over segments, in everyday motion
_SIZE_FACTOR = 1.35  # a ground hit this many times off what the body's size says is clamped to it
_STEEPEST = 0.02  # rays that fall by less than this per unit of depth hit nothing useful
_FAR_M = 40.0
_LEAST = 1e-6


class PersonGuess(NamedTuple):
    """Where on the ground the person is, before any model has looked.

    Attributes:
        ground_world: (*batch, 3) metres, z = 0.
        reach_m: (*batch) how far the person strays from there in this clip.
        found: (*batch) whether the keypoints allow any guess at all.
    """

    ground_world: Float[Array, "*batch 3"]
    reach_m: Float[Array, "*batch"]
    found: Bool[Array, "*batch"]


def weighted_quantile(
    values: Float[Array, "*batch time"], weight: Float[Array, "*batch time"], q: float
) -> Float[Array, "*batch"]:
    """Order statistic of the values that weigh anything (no interpolation); 0 where none does."""
    ordered, weight = jax.lax.sort([jnp.where(weight > 0, values, jnp.inf), weight], num_keys=1)
    upto = jnp.cumsum(weight, axis=-1)
    total = upto[..., -1]
    rank = (jnp.round(q * (total - 1).clip(0)) + 0.5) * total.clip(0.0, 1.0)
    value = jnp.take_along_axis(ordered, (upto > rank[..., None]).argmax(-1)[..., None], axis=-1)[..., 0]
    return jnp.where(total > 0, value, 0.0)


def depth_from_size(
    n: Float[Array, "*batch time joints 2"], seen: Shaped[Array, "*batch time joints"]
) -> tuple[Float[Array, "*batch time"], Shaped[Array, "*batch time"]]:
    """Depth (metres along the optical axis) at which a 1.7 m body looks as large as this one.

    Returns:
        The depth, and how far any segment is seen: of booleans whether, of shares (0 to 1) the share.
    """
    start, end = _SEGMENT_ROWS.T
    both = seen[..., start] * seen[..., end]
    apparent = jnp.sqrt(((n[..., start, :] - n[..., end, :]) ** 2).sum(-1) + 1e-12)
    true = both.astype(n.dtype) @ _SEGMENT_LENGTH_M.astype(n.dtype) * _FORESHORTENING
    depth = true / jnp.maximum((apparent * both).sum(-1), 1e-4)
    return depth.clip(0.5, _FAR_M), both.max(-1)


def foot_depths(
    view: View, n: Float[Array, "*batch time joints 2"], valid: Bool[Array, "*batch time joints"]
) -> tuple[Float[Array, "*batch time feet"], Bool[Array, "*batch time feet"]]:
    """Depth at which each of `FOOT_POINTS`'s rays comes down to where that point is when standing.

    Returns:
        Depth along the optical axis, metres, and whether there is one in front of the camera.
    """
    feet = np.array(FOOT_POINTS)
    down = view.cam_from_world[..., None, None, :, 2]
    fall = -((n[..., feet, :] * down[..., :2]).sum(-1) + down[..., 2])
    usable = valid[..., feet] & (fall > _STEEPEST)
    standing = jnp.broadcast_to(FOOT_HEIGHT_M.astype(n.dtype), fall.shape)
    depth = (view.centre[..., None, None, 2] - standing) / jnp.where(usable, fall, 1.0)
    return depth, usable & (depth > 0.2)


def foot_hits(
    view: View,
    n: Float[Array, "*batch time joints 2"],
    seen: Shaped[Array, "*batch time joints"],
    origin_world: Float[Array, "*batch 3"],
    reach_m: float = 3.0,
) -> Float[Array, "*batch time feet 2"]:
    """Where the feet would be if they stood: ground points relative to the guess, seen from the camera.

    True of a foot on the floor, too far away for one in the air: which it is, the motion tells.

    Returns:
        (away, aside) over ``reach_m``, squashed to −1…1; 0 where a ray does not come down, less where a foot
        is seen in part.
    """
    depth, usable = foot_depths(view, n, seen > 0)
    share = (seen[..., np.array(FOOT_POINTS)] * usable)[..., None]
    rays = n[..., np.array(FOOT_POINTS), :]
    rays = jnp.concatenate([rays, jnp.ones_like(rays[..., :1])], -1)
    directions = jnp.einsum("...ji,...tpj->...tpi", view.cam_from_world, rays)
    ground = view.centre[..., None, None, :2] + depth[..., None] * directions[..., :2]
    relative = ground - origin_world[..., None, None, :2]
    away = origin_world[..., :2] - view.centre[..., :2]
    away = away / jnp.sqrt((away**2).sum(-1, keepdims=True) + 1e-6)
    x, y = away[..., None, None, 0], away[..., None, None, 1]
    turned = [x * relative[..., 0] + y * relative[..., 1], y * relative[..., 0] - x * relative[..., 1]]
    return share * jnp.tanh(jnp.stack(turned, -1) / reach_m)


def guess_person(
    view: View,
    n: Float[Array, "*batch time joints 2"],
    seen: Shaped[Array, "*batch time joints"],
) -> PersonGuess:
    """First guess of where the person stands (DESIGN section 4): robust over the clip.

    Per frame the foot point whose ray comes down nearest gives a place on the ground, clamped to
    what the body's apparent size allows. Frames without a foot use the size, corrected by what the
    clip's frames with one say of this person's. The guess is the median over frames. All of it weighs
    points by how far they are seen.

    Args:
        view: the real camera, canonical or any other z-up frame.
        n: normalised image coordinates of the canonical points.
        seen: how far each of them was seen, 0 to 1.
    """
    n, seen = jnp.where((seen > 0)[..., None], n, 0.0), seen.astype(n.dtype)
    mix = lambda share, one, other: share * one + (1 - share) * other  # noqa: E731
    directions = jnp.einsum(
        "...ji,...tpj->...tpi", view.cam_from_world, jnp.concatenate([n, jnp.ones_like(n[..., :1])], -1)
    )
    feet = np.array(FOOT_POINTS)
    foot_depth, usable = foot_depths(view, n, seen > 0)
    foot_seen = seen[..., feet] * usable
    hit = foot_seen.max(-1)
    # of two feet the less seen one counts as farther away
    nearest = jnp.where(usable, foot_depth * hit[..., None] / jnp.maximum(foot_seen, _LEAST), jnp.inf)
    hit_depth, lowest = nearest.min(-1), nearest.argmin(-1)
    size_depth, sized = depth_from_size(n, seen)
    clamped = hit_depth.clip(size_depth / _SIZE_FACTOR, size_depth * _SIZE_FACTOR)
    both = hit * sized
    larger = mix(both.max(-1), weighted_quantile(clamped / size_depth, both, 0.5), 1.0)
    depth = mix(sized, larger[..., None] * size_depth, hit_depth.clip(0.5, _FAR_M))
    depth = mix(both, clamped, depth)
    # the ray to go along: the foot's, or the mean of what is seen
    mean_ray = (directions * seen[..., None]).sum(-2) / jnp.maximum(seen.sum(-1), _LEAST)[..., None]
    foot_ray = jnp.take_along_axis(directions[..., feet, :], lowest[..., None, None], axis=-2)[..., 0, :]
    ray = mix(hit[..., None], foot_ray, mean_ray)
    path = view.centre[..., None, :2] + depth[..., None] * ray[..., :2]
    found = jnp.maximum(hit, sized)
    middle = jnp.stack([weighted_quantile(path[..., axis], found, 0.5) for axis in (0, 1)], -1)
    stray = jnp.sqrt(((path - middle[..., None, :]) ** 2).sum(-1) + 1e-12)
    ground = jnp.concatenate([middle, jnp.zeros_like(middle[..., :1])], -1)
    return PersonGuess(ground, weighted_quantile(stray, found, 0.9), (found > 0).any(-1))


def ground_pointmap(
    view: View,
    aim_n: Float[Array, "*batch 2"],
    origin_world: Float[Array, "*batch 3"],
    resolution: int,
    half_width: float = 1.0,
    reach_m: float = 12.0,
) -> Float[Array, "*batch resolution resolution 3"]:
    """A grid of image points → where each one's ray meets the ground (Mocap-2-to-3 sec. 3.4).

    Args:
        view: the camera.
        aim_n: image point (normalised) at the grid's middle.
        origin_world: the person guess; positions are relative to it.
        resolution: points along each side of the grid.
        half_width: the grid reaches this far from ``aim_n``, in normalised coordinates.
        reach_m: positions are squashed smoothly to ±this.

    Returns:
        x and y of the ground point over ``reach_m`` (in −1…1), and 1 where the ray meets the
        ground in front of the camera, else 0 (then x and y are 0 too).
    """
    ticks = jnp.linspace(-half_width, half_width, resolution, dtype=aim_n.dtype)
    grid = jnp.stack(jnp.meshgrid(ticks, ticks, indexing="xy"), -1).reshape(-1, 2)
    n = aim_n[..., None, :] + grid.reshape(*(1,) * (aim_n.ndim - 1), -1, 2)
    directions = ray_directions(view, n)
    fall = -directions[..., 2]
    meets = (fall > 1e-3) & (view.centre[..., None, 2] > 0)
    depth = view.centre[..., None, 2] / jnp.where(meets, fall, 1.0)
    ground = view.centre[..., None, :2] + depth[..., None] * directions[..., :2]
    relative = jnp.tanh((ground - origin_world[..., None, :2]) / reach_m)
    out = jnp.concatenate([relative, jnp.ones_like(relative[..., :1])], -1)
    out = jnp.where(meets[..., None], out, 0.0)
    return out.reshape(*out.shape[:-2], resolution, resolution, 3)
