"""The foot lifter (FootMR): 2D foot keypoints and anyone's knees and ankles → refined ankle rotations.

A token is a frame. The eight foot points enter with learned stand-ins for missing ones; the person's box
and the rotations of knees and initial ankles are added through layers that start at zero; the output is
added to the initial ankles. Attention reaches `FootLifterConfig.reach` frames to either side, so a clip
may have any length.

Beyond the paper the lifter is told where an ordinary foot's points would be, turned as the initial ankle is,
and how a few steps of least squares would bend the ankle to the observed ones: with that it learns what to
make of the keypoints in a small part of the time. And it is told where the floor is, where that is known: a
foot that stands lies flat, which no noisy keypoint says as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from lift2to3.conventions import NEAR_M
from lift2to3.geometry.rotations import matrix_from_axis_angle, sixd_from_matrix
from lift2to3.geometry.triangulation import solve_symmetric
from lift2to3.models.layers import Attention, Dense, Mlp, TransformerConfig, normalise
from lift2to3.representation import FOOT_KEYPOINTS, FOOT_ROWS
from lift2to3.skeletons import REFLECT_X, rows_by_side

_PER_FOOT: Final = len(FOOT_KEYPOINTS) // 2
_EMBEDDING: Final = 32


@dataclasses.dataclass(frozen=True)
class FootLifterConfig(TransformerConfig):
    """Size and switches; the switches are the paper's ideas, each can be taken away.

    Attributes:
        dropout: share of activations dropped in training (the paper: 0.1). Augmented as here no two examples
            are alike, and steps count for more.
        reach: frames to either side that a frame attends to, in each layer.
        residual: the output is added to the initial ankles; else it is the rotation itself.
        frame: rotations seen and predicted are the camera's ("global", the paper's) or the parent's
            ("local"), in which a foot's bend, turn and roll are numbers of their own: here it errs less.
        knees, initial_ankles: whether these are told.
            The bend and the residual start from the ankles all the same.
        bend: tell the initial foot's points and the least-squares bend. Not the paper's.
        floor: tell the world's up, the ankles' heights, and what lays soles flat. Not the paper's.
        half: of the trunk alone.
    """

    mlp_ratio: int = 2
    dropout: float = 0.0
    reach: int = 60
    residual: bool = True
    frame: Literal["global", "local"] = "local"
    knees: bool = True
    initial_ankles: bool = True
    bend: bool = True
    floor: bool = True


class FootInput(NamedTuple):
    """What the lifter sees of a clip. Frames are rotations in the camera's axes, left and right.

    Attributes:
        points: (*batch, time, 8, 2) `FOOT_KEYPOINTS` in the person's box, −1…1; anything where not seen.
        seen: (*batch, time, 8).
        box: (*batch, time, 3) the box's centre and side in normalised image units.
        hips, knees, ankles: (*batch, time, 2, 3, 3) initial frames.
        soles: (*batch, time, 2, 3, 3) big toe, small toe and heel of an ordinary foot of this size, from the
            ankle in the foot's own frame, in half-sides of the box at the foot's depth (`soles_in_box`).
        up: (*batch, time, 3) the world's up in the camera's axes; 0 where nobody knows.
        height: (*batch, time, 2) the initial ankles over the floor, metres; 0 likewise.
        present: (*batch, time) frames that are part of the clip.
    """

    points: Float[Array, "*batch time 8 2"]
    seen: Bool[Array, "*batch time 8"]
    box: Float[Array, "*batch time 3"]
    hips: Float[Array, "*batch time 2 3 3"]
    knees: Float[Array, "*batch time 2 3 3"]
    ankles: Float[Array, "*batch time 2 3 3"]
    soles: Float[Array, "*batch time 2 3 3"]
    up: Float[Array, "*batch time 3"]
    height: Float[Array, "*batch time 2"]
    present: Bool[Array, "*batch time"]


def shapes_of_input(batch: int, frames: int) -> FootInput:
    """What `FootInput` holds for so many clips of one length, in shapes and types alone."""
    numbers = lambda *shape: jax.ShapeDtypeStruct((batch, frames, *shape), np.float32)  # noqa: E731
    flags = lambda *shape: jax.ShapeDtypeStruct((batch, frames, *shape), np.bool_)  # noqa: E731
    legs, soles = (numbers(2, 3, 3),) * 3, numbers(2, 3, 3)
    return FootInput(numbers(8, 2), flags(8), numbers(3), *legs, soles, numbers(3), numbers(2), flags())  # type: ignore[arg-type]


_BALL_ROWS: Final = rows_by_side("foot")[:, 0]
_SOLE_ROWS: Final = FOOT_ROWS.reshape(2, _PER_FOOT)[:, 1:]


def soles_in_box(
    rest_offsets: Float[Array | np.ndarray, "38 3"],
    depth_m: Float[Array | np.ndarray, "time feet"],
    box: Float[Array | np.ndarray, "time 3"],
) -> Float[Array | np.ndarray, "time feet 3 3"]:
    """`FootInput.soles` of a body's bones, forefoot straight, whose ankles are at these depths.

    NumPy in, NumPy out.
    """
    xp = np if isinstance(depth_m, np.ndarray) else jnp
    beyond_ball = np.array([1.0, 1.0, 0.0], np.float32)[None, :, None]  # the heel hangs on the ankle itself
    offsets = rest_offsets[_SOLE_ROWS] + rest_offsets[_BALL_ROWS][:, None] * beyond_ball
    size = 2.0 / (xp.maximum(depth_m, NEAR_M) * box[:, 2:])
    return size[..., None, None] * offsets[None]


def in_own_frame(
    frames: Float[Array, "*batch 3 3"], parents: Float[Array, "*batch 3 3"], config: FootLifterConfig
) -> Float[Array, "*batch 3 3"]:
    """Frames of the camera as the lifter sees and predicts them: as they are, or in their parents'."""
    return frames if config.frame == "global" else jnp.einsum("...ji,...jk->...ik", parents, frames)


def in_camera_frame(
    own: Float[Array, "*batch 3 3"], parents: Float[Array, "*batch 3 3"], config: FootLifterConfig
) -> Float[Array, "*batch 3 3"]:
    """Inverse of `in_own_frame`."""
    return own if config.frame == "global" else jnp.einsum("...ij,...jk->...ik", parents, own)


def mirror_frames(frames: Float[Array, "*batch 2 3 3"]) -> Float[Array, "*batch 2 3 3"]:
    """Frames of both sides as the mirrored clip has them: the sides swap, the camera's x turns over."""
    flip = jnp.asarray(REFLECT_X[:, None] * REFLECT_X[None]).reshape(*(1,) * (frames.ndim - 2), 3, 3)
    return frames[..., ::-1, :, :] * flip


def mirror_input(given: FootInput) -> FootInput:
    """What the lifter would see of the mirrored clip."""
    batch = given.seen.shape[:-1]
    points, seen = given.points.reshape(*batch, 2, _PER_FOOT, 2), given.seen.reshape(*batch, 2, _PER_FOOT)
    reflect = jnp.asarray(REFLECT_X).reshape(*(1,) * len(batch), 3)
    return FootInput(
        points=(points[..., ::-1, :, :] * reflect[..., None, None, :2]).reshape(given.points.shape),
        seen=seen[..., ::-1, :].reshape(given.seen.shape),
        box=given.box * reflect,
        hips=mirror_frames(given.hips),
        knees=mirror_frames(given.knees),
        ankles=mirror_frames(given.ankles),
        soles=given.soles[..., ::-1, :, :] * reflect[..., None, None, :],
        up=given.up * reflect,
        height=given.height[..., ::-1],
        present=given.present,
    )


class _Block(nnx.Module):
    def __init__(self, config: FootLifterConfig, *, rngs: nnx.Rngs):
        width, half = config.width, config.half
        self.attention = Attention(width, config.heads, rope=True, reach=config.reach, half=half, rngs=rngs)
        self.mlp = Mlp(width, config.mlp_ratio * width, width, half=half, rngs=rngs)

    def __call__(
        self, h: Float[Array, "batch time width"], present: Bool[Array, "batch time"], drop: _Dropout
    ) -> Float[Array, "batch time width"]:
        h = h + drop(self.attention(normalise(h), present=present))
        return h + drop(self.mlp(normalise(h)))


class _Dropout:
    """Inverted dropout with a key of its own at each use; without a key, nothing."""

    def __init__(self, rate: float, key: PRNGKeyArray | None):
        self.rate, self.key, self.uses = rate, key, 0

    def __call__(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        if self.key is None or self.rate == 0:
            return x
        self.uses += 1
        kept = jax.random.bernoulli(jax.random.fold_in(self.key, self.uses), 1 - self.rate, x.shape)
        return jnp.where(kept, x / (1 - self.rate), 0.0)


class FootLifter(nnx.Module):
    """Predicts both ankles' rotations, frame by frame."""

    def __init__(self, config: FootLifterConfig, *, rngs: nnx.Rngs):
        """Layers that see coordinates or rotations are float32: a degree of a foot is a small number."""
        width = config.width
        self.config = config
        self.embed = Dense(2, _EMBEDDING, half=False, rngs=rngs)
        # not zeros: a frame that misses everything would be all zeros, whose norm has no gradient
        self.missing = nnx.Param(
            jax.random.uniform(rngs.params(), (len(FOOT_KEYPOINTS), _EMBEDDING), minval=-1.0)
        )
        inputs = len(FOOT_KEYPOINTS) * _EMBEDDING
        self.enter = Mlp(inputs, width, width, half=False, rngs=rngs)
        new = {"half": False, "zero": True, "rngs": rngs}
        self.box = Mlp(3, width, width, **new)
        self.knees = Mlp(12, width, width, **new) if config.knees else None
        self.ankles = Mlp(12, width, width, **new) if config.initial_ankles else None
        bends = _BEND_RIDGES if config.bend else ()
        self.bends = nnx.List([Mlp(2 * _BEND_NUMBERS, width, width, half=False, rngs=rngs) for _ in bends])
        self.gates = nnx.List([Dense(width, 12, **new) for _ in bends])
        laid = range(len(bends) + 1) if config.floor else ()  # the initial foot and each bent one
        self.floors = nnx.List([Mlp(2 * _FLOOR_NUMBERS, width, width, **new) for _ in laid])
        self.floor_gates = nnx.List([Dense(width, 12, **new) for _ in laid])
        self.blocks = nnx.List([_Block(config, rngs=rngs) for _ in range(config.depth)])
        self.head = Dense(width, 12, half=False, zero=True, rngs=rngs)

    def __call__(self, given: FootInput, key: PRNGKeyArray | None = None) -> Float[Array, "batch time 2 6"]:
        """Both ankles' rotations as 6D, in the camera's frame or (``frame="local"``) the knees'.

        Args:
            given: a batch of clips.
            key: of dropout, in training.
        """
        drop = _Dropout(self.config.dropout, key)
        tokens = jnp.where(given.seen[..., None], self.embed(given.points), self.missing[...][None, None])
        h = self.enter(tokens.reshape(*tokens.shape[:-2], -1)) + self.box(given.box)
        ankles = sixd_from_matrix(in_own_frame(given.ankles, given.knees, self.config))
        if self.knees is not None:
            knees = sixd_from_matrix(in_own_frame(given.knees, given.hips, self.config))
            h = h + self.knees(knees.reshape(*h.shape[:-1], 12))
        if self.ankles is not None:
            h = h + self.ankles(ankles.reshape(*h.shape[:-1], 12))
        frames, changes = given.ankles[None], []
        if self.bends:
            ridges = jnp.asarray(_BEND_RIDGES[: len(self.bends)], h.dtype)
            bent, change, features = jax.vmap(lambda ridge: _bend(given, ankles, ridge, self.config))(ridges)
            frames = jnp.concatenate([frames, bent])
            h, changes = _told(h, self.bends, features), [*change]
        if self.floors:
            change, features = jax.vmap(lambda one: _lay_flat(given, one, self.config))(frames)
            h, changes = _told(h, self.floors, features), [*changes, *change]
        h = drop(h)
        for block in self.blocks:
            h = block(h, given.present, drop)
        h = normalise(h)
        out = self.head(h).reshape(*h.shape[:-1], 2, 6)
        for gate, change in zip([*self.gates, *self.floor_gates], changes, strict=True):
            out = out + gate(h).reshape(out.shape) * change
        return out + (ankles if self.config.residual else jnp.eye(3)[:2].reshape(1, 1, 1, 6))


def _told(
    h: Float[Array, "batch time width"],
    layers: Iterable[Mlp],
    features: Float[Array, "few batch time 2 n"],
) -> Float[Array, "batch time width"]:
    """Each layer's word on its features, added up."""
    for layer, own in zip(layers, features, strict=True):
        h = h + layer(own.reshape(*h.shape[:-1], -1))
    return h


# --- the bend: what plain least squares would do, as something to start from

_CLOSE_UP: Final = 8.0  # a foot fills about an eighth of the person's box
_BEND_STEPS: Final = 3
_BEND_RIDGES: Final = (0.1, 2.5)
"""How firmly a bend is held back, a little and a lot; points are about 1 from their middle."""

_BEND_NUMBERS: Final = 3 + 6 + 3 * (_PER_FOOT - 1) + 2 * _PER_FOOT


def _bend(
    given: FootInput,
    ankles: Float[Array, "batch time feet 6"],
    ridge: Float[Array, ""],
    config: FootLifterConfig,
) -> tuple[
    Float[Array, "batch time feet 3 3"],
    Float[Array, "batch time feet 6"],
    Float[Array, "batch time feet numbers"],
]:
    """The bend that least squares asks for, as a change of the initial ``ankles``, and what speaks for it.

    First the bent frames themselves, in the camera's axes. What speaks for them is, per foot, the bend as a
    turn in the camera's axes and as that change, the initial foot's points, and how far off they are:
    relative to the middle of those seen, 0 where not seen.
    """
    shape = (*given.seen.shape[:-1], 2, _PER_FOOT)
    seen = given.seen.reshape(*shape, 1)
    count = jnp.maximum(seen.sum(-2, keepdims=True), 1)

    def centred(points: Float[Array, "batch time feet points axes"]) -> Array:
        middle = jnp.where(seen, points, 0.0).sum(-2, keepdims=True) / count
        return jnp.where(seen, points - middle, 0.0)

    observed = centred(_CLOSE_UP * given.points.reshape(*shape, 2))
    middle = jnp.where(seen, given.points.reshape(*shape, 2), 0.0).sum(-2) / count[..., 0]
    ray = given.box[..., None, :2] + middle * given.box[..., None, 2:] / 2  # where the foot is in the image
    aside, above = ray[..., None, 0], ray[..., None, 1]

    def solid(turn: Float[Array, "batch time feet 3"]) -> tuple[Array, Array, Array]:
        frames = jnp.einsum("...ij,...jk->...ik", matrix_from_axis_angle(turn), given.ankles)
        soles = _CLOSE_UP * jnp.einsum("...ij,...pj->...pi", frames, given.soles)
        points = centred(jnp.concatenate([jnp.zeros_like(soles[..., :1, :]), soles], axis=-2))
        return points[..., 0], points[..., 1], points[..., 2]

    def off(x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        return observed[..., 0] - (x - aside * z), observed[..., 1] - (y - above * z)

    def step(turn: Array, _: None) -> tuple[Array, None]:
        x, y, z = solid(turn)
        errors = off(x, y, z)
        # how the image point goes with a small turn t in the camera's axes, which adds t × point
        across, down = (-aside * y, z + aside * x, -y), (-z - above * y, above * x, x)
        pairs = {"xx": (0, 0), "xy": (0, 1), "xz": (0, 2), "yy": (1, 1), "yz": (1, 2), "zz": (2, 2)}
        matrix = {
            name: (across[i] * across[j] + down[i] * down[j]).sum(-1) + ridge * (i == j)
            for name, (i, j) in pairs.items()
        }
        gradient = [
            (across[i] * errors[0] + down[i] * errors[1]).sum(-1) - ridge * turn[..., i] for i in range(3)
        ]
        return turn + solve_symmetric(matrix, gradient).clip(-0.7, 0.7), None

    still = jnp.zeros((*shape[:-1], 3), given.ankles.dtype)
    first = solid(still)
    turn, _ = jax.lax.scan(step, still, None, length=_BEND_STEPS)
    bent = jnp.einsum("...ij,...jk->...ik", matrix_from_axis_angle(turn), given.ankles)
    change = sixd_from_matrix(in_own_frame(bent, given.knees, config)) - ankles
    told = [2.0 * part[..., 1:] for part in first]
    told += [8.0 * jnp.where(seen[..., 0], part, 0.0) for part in off(*first)]
    features = jnp.concatenate([4.0 * turn, 4.0 * change, *told], axis=-1)  # each about one in size
    return bent, change, features


# --- the floor: what a foot that stands flat would be

_FLOOR_NUMBERS: Final = 3 + 6 + 3 + 2
_LARGEST_TURN: Final = 0.8


def _lay_flat(
    given: FootInput, frames: Float[Array, "batch time feet 3 3"], config: FootLifterConfig
) -> tuple[Float[Array, "batch time feet 6"], Float[Array, "batch time feet numbers"]]:
    """The least turn that lays these feet's soles flat, as a change of their 6D, and what speaks for it.

    The latter are, per foot, that turn in the camera's axes and as that change, the world's up in the
    foot's frame, the ankle's height, and whether the floor is known at all: without it all is 0.
    """
    up = jnp.broadcast_to(given.up[..., None, :], frames.shape[:-1])
    own_up = frames[..., :, 1]
    across = jnp.cross(own_up, up)
    sine = jnp.sqrt((across**2).sum(-1, keepdims=True) + 1e-12)
    angle = jnp.arctan2(sine, (own_up * up).sum(-1, keepdims=True))
    turn = across / sine * jnp.minimum(angle, _LARGEST_TURN)
    flat = jnp.einsum("...ij,...jk->...ik", matrix_from_axis_angle(turn), frames)
    before, after = (sixd_from_matrix(in_own_frame(f, given.knees, config)) for f in (frames, flat))
    known = (up**2).sum(-1, keepdims=True) > 0.5
    told = [jnp.einsum("...ji,...j->...i", frames, up), 5.0 * given.height[..., None], known.astype(up.dtype)]
    return after - before, jnp.concatenate([4.0 * turn, 4.0 * (after - before), *told], axis=-1)
