"""SMPL, SMPL-H and SMPL-X: shape and pose to vertices and joints, by linear blend skinning.

Loper et al. 2015, "SMPL: a skinned multi-person linear model", equations 5–11; SMPL-H (Romero et al.
2017) adds the fingers' joints, SMPL-X (Pavlakos et al. 2019) the jaw, the eyes and expressions. Written
from the papers. The model files are licensed and come from their own sites (docs/formats.md says where).

Rotations are matrices, relative to the parent joint; from and to 6D by `geometry.rotations`:
``skin(model, betas, matrix_from_6d(six), translation)``. The result stands in the frame in which the
root's rotation and the translation are given; an unrotated body looks along +z with y up.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lift2to3.array_files import array_names, load_arrays, require_keys
from lift2to3.body import forward_kinematics
from lift2to3.formats.safe_pickle import load_pickle
from lift2to3.guarded_files import guarded
from lift2to3.skeletons import SMPL_22

Kind = Literal["smpl", "smplh", "smplx"]

_FINGERS: Final = tuple(
    f"{side}_{finger}{knuckle}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for knuckle in (1, 2, 3)
)
JOINT_NAMES: Final[dict[Kind, tuple[str, ...]]] = {
    "smpl": (*SMPL_22, "left_hand", "right_hand"),
    "smplh": (*SMPL_22, *_FINGERS),
    "smplx": (*SMPL_22, "jaw", "left_eyeball", "right_eyeball", *_FINGERS),
}
"""Each model's joints in the order of its files."""

FRAMES_AT_ONCE: Final = 16
"""Frames skinned together: what they need in between stays in a CPU's cache (2 to 4 × faster than all
at once) and does not grow with the clip."""


class BodyModel(NamedTuple):
    """A body model as `load_body_model` made it: a pytree of its arrays, the rest static under jit.

    Vertices stand last, so that the blend shapes and the weights multiply without being turned.

    Attributes:
        template: the mean body at rest, metres.
        shape_directions: metres per unit of each shape coefficient; then those of the expression.
        pose_directions: metres per entry of R − I of each joint but the root, row by row.
        weights: how much each joint moves each vertex.
        joint_template: the file's joint regressor applied to ``template``.
        joint_directions: the regressor applied to ``shape_directions``.
        faces: rows of each triangle's vertices.
        parents: row of each joint's parent, -1 for the pelvis; parents stand before children.
        joint_names: in array order.
        kind: which of the three.
    """

    template: Float[Array, "3 vertices"]
    shape_directions: Float[Array, "betas 3 vertices"]
    pose_directions: Float[Array, "features 3 vertices"]
    weights: Float[Array, "joints vertices"]
    joint_template: Float[Array, "joints 3"]
    joint_directions: Float[Array, "betas joints 3"]
    faces: Int[Array, "faces 3"]
    parents: tuple[int, ...]
    joint_names: tuple[str, ...]
    kind: Kind


jax.tree_util.register_pytree_node(
    BodyModel,
    lambda model: (model[:-3], model[-3:]),
    lambda static, arrays: BodyModel(*arrays, *static),
)


@jax.jit
def pose_joints(
    model: BodyModel,
    betas: Float[Array, "*#batch betas"],
    rotations: Float[Array, "*#batch given 3 3"],
    translation: Float[Array, "*#batch 3"],
) -> Float[Array, "*batch joints 3"]:
    """The joints alone, metres: no vertex is computed, so that long clips cost little.

    Arguments as for `skin`.
    """
    batch, _, betas, rotations, translation = _one_batch_axis(model, betas, rotations, translation)
    _, _, joints = _posed_joints(model, betas, rotations)
    return (joints + translation[:, None]).reshape(*batch, *joints.shape[1:])


@jax.jit
def skin(
    model: BodyModel,
    betas: Float[Array, "*#batch betas"],
    rotations: Float[Array, "*#batch given 3 3"],
    translation: Float[Array, "*#batch 3"],
) -> tuple[Float[Array, "*batch vertices 3"], Float[Array, "*batch joints 3"]]:
    """Shape and pose the body (Loper et al. 2015, eq. 5–11); any leading batch axes, which broadcast.

    Ten minutes at 30 fps are 1.5 GB of SMPL vertices; making them takes at most one copy more.

    Args:
        model: as loaded.
        betas: shape coefficients, as many as the model was loaded with, then those of the expression.
        rotations: of the model's first joints relative to their parents; the rest is not rotated. The
            22 body joints alone give SMPL-H and SMPL-X flat hands (not the file's mean hand pose), a
            closed mouth and eyes straight ahead.
        translation: added to all, metres. The pelvis rests near, not at, the origin.

    Returns:
        Vertices and joints in metres. (*batch vertices 3), (*batch joints 3)
    """
    people = betas.reshape(math.prod(betas.shape[:-1]), betas.shape[-1])
    batch, person, betas, rotations, translation = _one_batch_axis(model, betas, rotations, translation)
    rest, frames, joints = _posed_joints(model, betas, rotations)
    with jax.default_matmul_precision(_PRECISION):
        offsets = joints - jnp.einsum("njab,njb->nja", frames, rest)
        shaped = model.template[None] + jnp.einsum("pk,kcv->pcv", people, model.shape_directions)
        vertices = jax.lax.map(
            functools.partial(_skin_frame, model, shaped),
            (person, rotations, jnp.concatenate([frames, offsets[..., None]], axis=-1), translation),
            batch_size=FRAMES_AT_ONCE,
        )
    joints += translation[:, None]
    return vertices.reshape(*batch, *vertices.shape[1:]), joints.reshape(*batch, *joints.shape[1:])


_PRECISION: Final = "highest"
"""Of the products: some GPUs' default keeps 10 bits of the fraction, half a millimetre in a metre."""


def _skin_frame(
    model: BodyModel,
    shaped: Float[Array, "people 3 vertices"],
    frame: tuple[Int[Array, ""], Float[Array, "joints 3 3"], Float[Array, "joints 3 4"], Float[Array, "3"]],
) -> Float[Array, "vertices 3"]:
    """Equations 9 and 7: add the pose's blend shapes, then blend the joints' transforms per vertex."""
    person, rotations, affine, translation = frame
    features = (rotations[1:] - jnp.eye(3, dtype=rotations.dtype)[None]).ravel()
    rest = shaped[person] + jnp.einsum("f,fcv->cv", features, model.pose_directions)
    blend = jnp.einsum("jab,jv->abv", affine, model.weights)
    posed = [row[0] * rest[0] + row[1] * rest[1] + row[2] * rest[2] + row[3] for row in blend]
    return jnp.stack(posed, axis=-1) + translation[None]


def _one_batch_axis(
    model: BodyModel,
    betas: Float[Array, "*#batch betas"],
    rotations: Float[Array, "*#batch given 3 3"],
    translation: Float[Array, "*#batch 3"],
) -> tuple[tuple[int, ...], Array, Array, Array, Array]:
    """The batch's shape; then each frame's row of betas, betas, rotations of all joints, translation."""
    if betas.shape[-1] != len(model.shape_directions):
        raise ValueError(
            f"betas: {betas.shape}; wanted (…, {len(model.shape_directions)}) as the model was loaded; "
            "or load it with load_body_model(path, betas=…)"
        )
    absent = len(model.parents) - rotations.shape[-3]
    if absent < 0:
        raise ValueError(
            f"rotations of {rotations.shape[-3]} joints; wanted at most the {len(model.parents)} of "
            f"{model.kind!r}, in the order of model.joint_names"
        )
    batch = jnp.broadcast_shapes(betas.shape[:-1], rotations.shape[:-3], translation.shape[:-1])

    def flat(array: Array, axes: int) -> Array:
        item = array.shape[array.ndim - axes :]
        return jnp.broadcast_to(array, (*batch, *item)).reshape(math.prod(batch), *item)

    rotations = flat(rotations, 3)
    identity = jnp.eye(3, dtype=rotations.dtype)
    unmoved = jnp.broadcast_to(identity, (len(rotations), absent, 3, 3))
    people = jnp.arange(math.prod(betas.shape[:-1])).reshape(betas.shape[:-1])
    rotations = jnp.concatenate([rotations, unmoved], axis=1)
    return batch, flat(people, 0), flat(betas, 1), rotations, flat(translation, 1)


def _posed_joints(
    model: BodyModel, betas: Float[Array, "batch betas"], rotations: Float[Array, "batch joints 3 3"]
) -> tuple[Array, Array, Array]:
    """Joints at rest (eq. 10), each joint's frame, and joints posed (eq. 3) but not translated."""
    parents = np.array(model.parents)
    with jax.default_matmul_precision(_PRECISION):
        rest = model.joint_template[None] + jnp.einsum("nk,kjc->njc", betas, model.joint_directions)
        bones = rest - rest[:, np.maximum(parents, 0)]
        frames, joints = forward_kinematics(parents, bones, rotations, rest[:, 0])
    return rest, jnp.asarray(frames), jnp.asarray(joints)


@guarded
def load_body_model(path: str | Path, betas: int = 10, expressions: int = 0) -> BodyModel:
    """Read a published SMPL, SMPL-H or SMPL-X file, ``.npz`` or ``.pkl``, told apart by their content.

    Nothing in a pickle is run (`formats.safe_pickle`). SMPL-X keeps its expressions after the shape in
    ``shapedirs``: 10 + 10 columns (version 1.0) or 300 + 100 (1.1).

    Args:
        path: the file, not its folder.
        betas: shape coefficients to keep, the first ones of the file.
        expressions: SMPL-X's expression coefficients to keep.

    Raises:
        ValueError: no such model: a key is missing or has the wrong shape (the message says which), or
            it holds fewer coefficients.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    fields = _model_fields(path)
    kind, arrays = _checked(fields, path)
    shape_directions = _coefficients(arrays["shapedirs"], kind, betas, expressions, path)
    regressor, template = arrays["J_regressor"], arrays["v_template"]
    parents = arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1  # files have 2³² − 1
    if (parents[1:] < 0).any() or (parents >= np.arange(len(parents))).any():
        raise ValueError(f"{path}: kintree_table[0] is {parents.tolist()}; wanted parents before children")
    faces = arrays["f"].astype(np.int64)
    if faces.min(initial=0) < 0 or faces.max(initial=0) >= len(template):
        raise ValueError(f"{path}: f names vertices up to {faces.max()}; there are {len(template)}")
    return BodyModel(
        template=jnp.asarray(template.T),
        shape_directions=jnp.asarray(shape_directions.transpose(2, 1, 0)),
        pose_directions=jnp.asarray(arrays["posedirs"].transpose(2, 1, 0)),
        weights=jnp.asarray(arrays["weights"].T),
        joint_template=jnp.asarray(regressor @ template),
        joint_directions=jnp.asarray(np.einsum("jv,vck->kjc", regressor, shape_directions, optimize=True)),
        faces=jnp.asarray(faces, jnp.int32),
        parents=tuple(parents.tolist()),
        joint_names=JOINT_NAMES[kind],
        kind=kind,
    )


_KEYS: Final = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")


def _model_fields(path: Path) -> dict[str, Any]:
    """The file's fields that make the model.

    The others stay unread: SMPL-X's npz has pickled tables among them, which are not arrays.
    """
    names = array_names(path)
    found = dict.fromkeys(names, True) | load_arrays(path, only=_KEYS) if names else load_pickle(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path}: the pickle holds a {type(found).__name__}; wanted a body model's dict")
    require_keys(found, _KEYS, f"{path}: not a SMPL, SMPL-H or SMPL-X model")
    return {key: found[key] for key in _KEYS}


def _checked(fields: dict[str, Any], path: Path) -> tuple[Kind, dict[str, np.ndarray]]:
    """Finite numbers in the right shapes; which model they are is told by the number of joints."""
    try:
        arrays = {key: np.asarray(value) for key, value in fields.items()}
    except ValueError as error:
        raise ValueError(f"{path}: a value that is no array ({error})") from error
    for key, array in arrays.items():
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise ValueError(f"{path}: {key} holds {array.dtype} with values that are no finite numbers")
    kinds: dict[int, Kind] = {len(names): kind for kind, names in JOINT_NAMES.items()}
    joints = arrays["kintree_table"].shape[-1] if arrays["kintree_table"].ndim else 0
    if joints not in kinds:
        known = ", ".join(f"{count} ({kind})" for count, kind in kinds.items())
        raise ValueError(f"{path}: kintree_table has {joints} joints; wanted one of {known}")
    vertices = arrays["v_template"].shape[0] if arrays["v_template"].ndim else 0
    wanted = {
        "v_template": (vertices, 3),
        "shapedirs": (vertices, 3, "coefficients"),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
        "J_regressor": (joints, vertices),
        "weights": (vertices, joints),
        "kintree_table": (2, joints),
        "f": ("faces", 3),
    }
    wrong = [
        f"{key} {arrays[key].shape}, wanted ({', '.join(map(str, shape))})"
        for key, shape in wanted.items()
        if arrays[key].ndim != len(shape)
        or any(n != size for n, size in zip(shape, arrays[key].shape, strict=True) if isinstance(n, int))
    ]
    if wrong:
        raise ValueError(f"{path}: wrong shapes for {kinds[joints]!r}: {'; '.join(wrong)}")
    return kinds[joints], arrays


def _coefficients(directions: np.ndarray, kind: Kind, betas: int, expressions: int, path: Path) -> np.ndarray:
    """The first ``betas`` columns of the shape, then ``expressions`` of the expression's."""
    columns = directions.shape[-1]
    shapes = columns
    if kind == "smplx":
        if columns not in (20, 400):
            raise ValueError(f"{path}: shapedirs has {columns} columns; wanted SMPL-X's 20 or 400")
        shapes = {20: 10, 400: 300}[columns]
    for what, count, there in (("betas", betas, shapes), ("expressions", expressions, columns - shapes)):
        if not 0 <= count <= there:
            raise ValueError(f"{path}: {what}={count}; wanted 0 to the {there} that this file holds")
    return np.concatenate([directions[..., :betas], directions[..., shapes : shapes + expressions]], -1)
