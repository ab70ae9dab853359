"""BVH of a posed body: `write_bvh`, and `read_body_bvh` for the way back.

What a file states: the rest pose is a T-pose standing along the up axis, every joint's axes along the
file's. With y up the figure at rest looks along z, with z up along -y, as animation programs expect.
Joints are SMPL's 22 by name; an End Site closes each bone without a child joint. The root's OFFSET is
0 0 0 and its position channels are the pelvis in the world: readers differ in whether channels replace
or add to the OFFSET, and at zero they agree. A BVH says nothing of missing frames: filled-in frames are
written like the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float

from lift2to3.formats.motions.bvh import read_bvh
from lift2to3.formats.motions.euler import euler_degrees
from lift2to3.formats.motions.joint_tree import JointTree, UpAxis, body_from_tree, tree_from_body
from lift2to3.formats.motions.text_rows import write_rows
from lift2to3.motion import BodyMotion
from lift2to3.whole_file import whole_file


def write_bvh(
    path: str | Path,
    body: BodyMotion,
    up: UpAxis = "y",
    metres_per_unit: float = 1.0,
    order: str = "ZXY",
) -> Path:
    """Write a BVH file; it appears whole or not at all.

    Args:
        path: the file.
        body: what to write.
        up: the file's vertical axis.
        metres_per_unit: 1 for metres, 0.01 for centimetres.
        order: of each joint's rotation channels; they apply from left to right.

    Raises:
        ValueError: a body that cannot be written (see `check_body`), or an unknown order.
    """
    path = Path(path)
    if not (np.isfinite(metres_per_unit) and metres_per_unit > 0):
        raise ValueError(f"metres_per_unit: wanted a length above 0, found {metres_per_unit}")
    tree = tree_from_body(body, up)
    names = list(_depth_first(tree))
    rows = [tree.joint_names.index(name) for name in names]
    angles = euler_degrees(tree.rotations[:, rows], order)
    root = tree.root_translation[:, None] / metres_per_unit
    table = np.concatenate([root, angles], axis=1).reshape(len(angles), -1)
    with whole_file(path) as part, part.open("w", encoding="ascii", newline="\n") as file:
        file.write("HIERARCHY\n")
        _write_joint(file, tree, names[0], order, 1 / metres_per_unit, "")
        file.write(f"MOTION\nFrames: {len(table)}\nFrame Time: {1 / tree.fps!r}\n")
        write_rows(file, table, ["%.6f"] * table.shape[1], " ")
    return path


def _children(tree: JointTree, name: str | None) -> list[str]:
    return [child for child, parent in zip(tree.joint_names, tree.parents, strict=True) if parent == name]


def _depth_first(tree: JointTree, name: str | None = None) -> Iterator[str]:
    """The order in which the HIERARCHY names the joints, and so that of a frame's channels."""
    for child in _children(tree, name):
        yield child
        yield from _depth_first(tree, child)


def _write_joint(file: TextIO, tree: JointTree, name: str, order: str, scale: float, indent: str) -> None:
    row = tree.joint_names.index(name)
    is_root = tree.parents[row] is None
    turns = " ".join(f"{axis}rotation" for axis in order)
    channels = f"6 Xposition Yposition Zposition {turns}" if is_root else f"3 {turns}"
    file.write(f"{indent}{'ROOT' if is_root else 'JOINT'} {name}\n{indent}{{\n")
    file.write(f"{indent}\t{_offset(np.zeros(3) if is_root else tree.rest_offsets[row], scale)}")
    file.write(f"{indent}\tCHANNELS {channels}\n")
    for child in _children(tree, name):
        _write_joint(file, tree, child, order, scale, indent + "\t")
    if name in tree.tips:
        offset = _offset(tree.tips[name], scale)
        file.write(f"{indent}\tEnd Site\n{indent}\t{{\n{indent}\t\t{offset}{indent}\t}}\n")
    file.write(f"{indent}}}\n")


def _offset(metres: Float[np.ndarray, "3"], scale: float) -> str:
    x, y, z = metres * scale
    return f"OFFSET {x:.7f} {y:.7f} {z:.7f}\n"


def read_body_bvh(path: str | Path, up: UpAxis | None = None, metres_per_unit: float = 1.0) -> BodyMotion:
    """Read a BVH of SMPL's 22 joints by name, such as `write_bvh` makes, back into our world.

    Args:
        path: the file.
        up: its vertical axis; None to see it from the T-pose.
        metres_per_unit: length of the file's unit.

    Raises:
        ValueError: not well-formed, another skeleton, or bones that change length.
    """
    bvh = read_bvh(path, metres_per_unit)
    if bvh.joint_translations is not None:
        raise ValueError(f"{path}: joints besides the root have position channels; wanted rigid bones")
    names = bvh.joint_names
    tree = JointTree(
        joint_names=names,
        parents=tuple(None if row < 0 else names[row] for row in bvh.parents),
        rest_offsets=bvh.rest_offsets,
        tips={names[row]: at for row, at in zip(bvh.end_parents, bvh.end_offsets, strict=True)},
        rotations=bvh.rotations,
        root_translation=bvh.root_translation,
        fps=bvh.fps,
    )
    return body_from_tree(tree, up, str(path))
