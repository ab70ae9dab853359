"""Tiny random weights for tests only, never reachable from lift; and a person walking past a camera."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lift2to3 import Camera, Keypoints, as_keypoints
from lift2to3.checkpoint import save_weights
from lift2to3.data.mocap import MocapClip
from lift2to3.geometry.cameras import look_at
from lift2to3.models.denoiser import Denoiser, DenoiserConfig
from lift2to3.models.multiview import MultiViewConfig
from lift2to3.models.params import build
from lift2to3.resample import nearest_rotations
from lift2to3.skeletons import CANONICAL, get_skeleton
from lift2to3.walk import synthetic_walk

MODEL = DenoiserConfig(
    width=16, depth=1, heads=2, mlp_ratio=1, pointmap_width=4, pointmap_resolution=16, half=False
)
MULTIVIEW = MultiViewConfig(pointmap_resolution=MODEL.pointmap_resolution)
FRAMES = 32
K = np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]])
SIZE = (1280, 720)


def random_params(seed: int = 0, size: float = 0.1) -> dict[str, np.ndarray]:
    """Parameters none of which is 0: a fresh head is, and its model says the same to everything."""
    shapes = jax.eval_shape(lambda: build(Denoiser, MODEL)[1])
    draw = np.random.default_rng(seed)
    return {name: size * draw.standard_normal(leaf.shape, np.float32) for name, leaf in shapes.items()}


def config() -> dict[str, object]:
    """What a weights file says of the tiny model."""
    return {"model": MODEL.__dict__, "multiview": MULTIVIEW.__dict__, "frames": FRAMES}


def weights_file(folder: Path) -> Path:
    """A file that ``Lifter.from_pretrained`` takes."""
    return save_weights(folder / "tiny.safetensors", random_params(), config())


def walk(frames: int = 48, fps: float = 30.0, **person: float) -> np.ndarray:
    """(time, canonical, 3) metres: the middle of the path is near the origin."""
    return synthetic_walk(frames / fps, fps, start_xy=(-0.6 * frames / fps, 0.0), **person)


def camera(
    centre: tuple[float, float, float] = (0.7, -5.0, 1.5),
    target: tuple[float, float, float] = (0.0, 0.0, 0.9),
    roll_rad: float = 0.02,
    **fields: object,
) -> Camera:
    """A camera that stands at ``centre`` and looks at ``target``, both in the world."""
    view = look_at(jnp.asarray(centre, float), jnp.asarray(target, float), roll_rad)
    R = nearest_rotations(np.asarray(view.cam_from_world, np.float64))  # float32 → orthonormal
    return Camera(**{"K": K, "R": R, "t": -R @ np.asarray(centre), "size": SIZE} | fields)


def film(points: np.ndarray, camera: Camera, skeleton: str = "coco17", fps: float = 30.0) -> Keypoints:
    """What a flawless detector of this format sees."""
    rows = get_skeleton(skeleton).rows
    return as_keypoints(
        np.where((rows >= 0)[:, None], camera.project(points)[:, rows], np.nan), skeleton=skeleton, fps=fps
    )


def mocap_clip(points: np.ndarray, name: str = "walk_1", fps: float = 30.0) -> MocapClip:
    """Points as the training stream reads them; the source's own joints are a single root."""
    frames = len(points)
    return MocapClip(
        clip=name, subject="me", family="cmu31", fps=fps, uneven_floor=False, joint_names=("root",),
        parents=np.array([-1]), rest_offsets=np.zeros((1, 3), np.float32),
        root_translation=points[:, CANONICAL.index("pelvis")].astype(np.float32),
        rotations=np.zeros((frames, 1, 4), np.float32), points_world=points.astype(np.float32),
        contacts=np.zeros((frames, 4), bool),
    )  # fmt: skip


@contextlib.contextmanager
def unjudged() -> Iterator[None]:
    """Whatever random weights lift is taken for a motion: nothing is said of it, nothing refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lift2to3.pipeline.lift.check_result", lambda *_: ())
        yield


@contextlib.contextmanager
def quick_compilation() -> Iterator[None]:
    """Half the compile time, for modules whose tests compile more than they compute."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
