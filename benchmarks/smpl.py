"""How fast a body model is skinned here, beside the `smplx` package where that is installed.

    python benchmarks/smpl.py

Random numbers in the published files' layout stand for the licensed models: they cost the same. Times
are medians of ``--repeats`` runs, ours and theirs in turns, so that their ratio means something on a
busy machine too. Under a minute on two CPU cores.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from lift2to3.geometry.rotations import matrix_from_axis_angle
from lift2to3.skeletons import CANONICAL, INDEX, PARENTS
from lift2to3.smpl import JOINT_NAMES, BodyModel, Kind, load_body_model, pose_joints, skin

BETAS = 10
SIZES: dict[Kind, tuple[int, int, int]] = {
    "smpl": (6890, 13776, 300),
    "smplh": (6890, 13776, 16),
    "smplx": (10475, 20908, 400),
}
"""Vertices, faces and columns of ``shapedirs`` in the published files."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to time.

    Attributes:
        frames: the clip's length.
        minutes: length of a clip of which only joints are computed.
        repeats: runs per median.
        out: a json file for the figures; None prints only.
    """

    frames: int = 120
    minutes: float = 10.0
    repeats: int = 9
    out: Path | None = None


def synthetic_fields(kind: Kind, vertices: int | None = None, columns: int | None = None) -> dict[str, Any]:
    """A body of random numbers with the keys, shapes and types of a published file.

    Weights and the joint regressor are sparse and sum to 1 as the real ones do.
    """
    published, faces, published_columns = SIZES[kind]
    vertices, columns = vertices or published, columns or published_columns
    random = np.random.default_rng(0)
    joints = len(JOINT_NAMES[kind])

    def rows_of_four(rows: int, of: int) -> np.ndarray:
        dense = np.zeros((rows, of))
        np.put_along_axis(dense, random.integers(0, of, (rows, 4)), random.uniform(0.1, 1, (rows, 4)), 1)
        return dense / dense.sum(1, keepdims=True)

    def directions(size_m: float, *shape: int) -> np.ndarray:
        return size_m * random.standard_normal((vertices, 3, *shape), np.float32).astype(np.float64)

    parents = [2**32 - 1] + [parent_row(kind, name) for name in JOINT_NAMES[kind][1:]]
    fields = {
        "v_template": directions(0.3),
        "shapedirs": directions(0.01, columns),
        "posedirs": directions(0.002, 9 * (joints - 1)),
        "J_regressor": rows_of_four(joints, vertices),
        "weights": rows_of_four(vertices, joints),
        "kintree_table": np.array([parents, range(joints)], dtype=np.int64),
        "f": random.integers(0, vertices, (faces if vertices == published else 9, 3)).astype(np.uint32),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }
    fields["J"] = fields["J_regressor"] @ fields["v_template"]
    if kind != "smpl":
        for side in "lr":
            fields[f"hands_components{side}"] = random.normal(size=(45, 45))
            fields[f"hands_coeffs{side}"] = random.normal(size=(20, 45))
            fields[f"hands_mean{side}"] = random.normal(size=45)
    if kind == "smplx":
        fields |= {
            "lmk_faces_idx": random.integers(0, 9, 51),
            "lmk_bary_coords": random.dirichlet(np.ones(3), 51),
            "dynamic_lmk_faces_idx": random.integers(0, 9, (79, 17)),
            "dynamic_lmk_bary_coords": random.dirichlet(np.ones(3), (79, 17)),
            "joint2num": np.array({"Pelvis": 0}, dtype=object),  # pickled tables in an npz
            "part2num": np.array({"global": 0}, dtype=object),
        }
    return fields


def parent_row(kind: Kind, joint: str) -> int:
    """Row of a joint's parent: the body's tree, and three knuckles in a row from each wrist."""
    if joint in INDEX and PARENTS[INDEX[joint]] >= 0:
        parent = CANONICAL[PARENTS[INDEX[joint]]]
    elif joint[-1] in "23":
        parent = f"{joint[:-1]}{int(joint[-1]) - 1}"
    else:
        parent = f"{joint.split('_')[0]}_wrist" if joint[-1] == "1" else "head"
    return JOINT_NAMES[kind].index(parent)


def write_model(kind: Kind, folder: Path) -> Path:
    """A synthetic model in the file where the `smplx` package looks for it."""
    path = folder / kind / f"{kind.upper()}_NEUTRAL.{'pkl' if kind == 'smpl' else 'npz'}"
    path.parent.mkdir(parents=True)
    fields = synthetic_fields(kind)
    if kind == "smpl":
        path.write_bytes(pickle.dumps(fields, protocol=2))
    else:
        np.savez(path, **fields)
    return path


def random_pose(kind: Kind, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Betas (10,), every joint's axis-angle (frames, joints, 3) and translation (frames, 3)."""
    random = np.random.default_rng(1)
    pose = random.normal(0, 0.4, (frames, len(JOINT_NAMES[kind]), 3))
    values = random.normal(size=BETAS), pose, random.normal(0, 2, (frames, 3))
    return values[0].astype(np.float32), values[1].astype(np.float32), values[2].astype(np.float32)


def smplx_call(kind: Kind, folder: Path, frames: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """The same bodies by the `smplx` package: a call that gives vertices and the model's joints."""
    import smplx  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]

    body = smplx.create(
        str(folder), model_type=kind, ext="npz", num_betas=BETAS, use_pca=False, flat_hand_mean=True,
        num_expression_coeffs=10, batch_size=frames,
    )  # fmt: skip
    betas, pose, translation = (torch.from_numpy(array) for array in random_pose(kind, frames))
    parts = {"global_orient": 1, "body_pose": 23 if kind == "smpl" else 21}
    if kind == "smplx":
        parts |= {"jaw_pose": 1, "leye_pose": 1, "reye_pose": 1}
    if kind != "smpl":
        parts |= {"left_hand_pose": 15, "right_hand_pose": 15}
    split = torch.split(pose, list(parts.values()), dim=1)
    poses = {name: part.reshape(frames, -1) for name, part in zip(parts, split, strict=True)}
    shape = betas[None].expand(frames, BETAS)
    joints = len(JOINT_NAMES[kind])

    def call() -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            found = body(betas=shape, transl=translation, **poses)
        return found.vertices.numpy(), found.joints[:, :joints].numpy()

    return call


def our_call(model: BodyModel, frames: int) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    """The same by `skin`, axis-angle turned to matrices within the call as theirs does."""
    betas, pose, translation = random_pose(model.kind, frames)

    @jax.jit
    def posed(model: BodyModel, pose: jax.Array) -> tuple[jax.Array, jax.Array]:
        return skin(model, betas, matrix_from_axis_angle(pose), translation)

    def call() -> tuple[np.ndarray, np.ndarray]:
        vertices, joints = posed(model, jnp.asarray(pose))
        return np.asarray(vertices), np.asarray(joints)

    return call


def median_seconds(*calls: Callable[[], object], repeats: int) -> list[float]:
    """The middle of several runs of each, taken in turns after one that is not counted."""
    seconds: list[list[float]] = [[] for _ in calls]
    for repeat in range(repeats + 1):
        for call, times in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if repeat:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def time_kind(kind: Kind, config: Config) -> dict[str, float]:
    """Seconds of `skin`, of `pose_joints` on a long clip, and of the `smplx` package if it is here."""
    with tempfile.TemporaryDirectory() as folder:
        model = load_body_model(write_model(kind, Path(folder)), BETAS)
        calls: list[Callable[[], Any]] = [our_call(model, config.frames)]
        if importlib.util.find_spec("smplx") is not None:
            calls.append(smplx_call(kind, Path(folder), config.frames))
    seconds = median_seconds(*calls, repeats=config.repeats)
    figures: dict[str, float] = dict(zip(("ours", "smplx"), seconds, strict=False))
    if "smplx" in figures:
        pairs = zip(calls[0](), calls[1](), strict=True)
        figures["difference_m"] = max(float(np.abs(one - other).max()) for one, other in pairs)
    betas, pose, translation = random_pose(kind, round(config.minutes * 60 * 30))
    rotations = matrix_from_axis_angle(jnp.asarray(pose))

    def joints_only() -> object:
        return pose_joints(model, betas, rotations, translation).block_until_ready()

    return figures | {"joints_only": median_seconds(joints_only, repeats=3)[0]}


def main(config: Config) -> dict[str, dict[str, float]]:
    """Time every model, print the table and return the figures in seconds and metres."""
    figures = {kind: time_kind(kind, config) for kind in SIZES}
    table = Table(title=f"{config.frames} frames to vertices on {os.cpu_count()} CPU cores")
    for heading in (
        "model", "ours, s", "smplx, s", "ratio", "difference, m", f"{config.minutes:g} min of joints, s",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for kind, found in figures.items():
        theirs = [f"{found['smplx']:.3f}", f"{found['smplx'] / found['ours']:.1f} × faster"]
        theirs.append(f"{found['difference_m']:.1e}")
        table.add_row(
            kind,
            f"{found['ours']:.3f}",
            *(theirs if "smplx" in found else ["not installed", "", ""]),
            f"{found['joints_only']:.3f}",
        )
    Console().print(table)
    if config.out is not None:
        config.out.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
