"""Sixteen mistakes that users make, planted in right set-ups, and what ``lift2to3 doctor`` makes of each.

    python tools/doctor_table.py
    python tools/doctor_table.py --data val.npz --cameras cameras.json --clips 30

prints for every mistake how often its cause comes first. Without data the set-ups are walks of
`lift2to3.walk` before four cameras; with data they are motion capture (`experiments.train`'s packed clips)
before real cameras. Clean set-ups are the last row: nothing is to be found.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from lift2to3.geometry.cameras import Camera, look_at
from lift2to3.keypoints import Keypoints, as_keypoints
from lift2to3.pipeline.setup_report import said_findings
from lift2to3.resample import nearest_rotations
from lift2to3.skeletons import get_skeleton
from lift2to3.walk import synthetic_walk


class Setup(NamedTuple):
    """A person's points (time, 38, 3) in the world, the camera before them and the keypoints' format."""

    points: np.ndarray
    camera: Camera
    skeleton: str = "halpe26"
    fps: float = 30.0

    def film(self, camera: Camera | None = None, fps: float | None = None) -> Keypoints:
        """What a flawless detector sees in the picture."""
        rows = get_skeleton(self.skeleton).rows
        camera = camera or self.camera
        pixels = camera.project(self.points)[:, rows]
        outside = ((pixels < 0) | (pixels > np.array(camera.size) - 1)).any(-1)
        pixels[outside | (rows < 0)] = np.nan
        return as_keypoints(pixels, skeleton=self.skeleton, fps=fps or self.fps)


Planted = tuple[Keypoints, Camera]
Plant = Callable[[Setup], Planted]
_DISTORTED: Final = (-0.28, 0.17, 0.0002, 0.0006, -0.05)
_FISHEYE: Final = (0.05, 0.01, -0.003, 0.0005)


def _placed(setup: Setup, R: np.ndarray, t: np.ndarray) -> Planted:
    return setup.film(), dataclasses.replace(setup.camera, R=R, t=t)


def _pixels(setup: Setup, change: Callable[[np.ndarray], np.ndarray]) -> Planted:
    keypoints = setup.film()
    return keypoints._replace(xy_px=change(keypoints.xy_px)), setup.camera


def _wide(setup: Setup, focal: float) -> Camera:
    """The same camera with a lens that sees more."""
    width, height = setup.camera.size
    K = np.array([[focal * width, 0, (width - 1) / 2], [0, focal * width, (height - 1) / 2], [0, 0, 1]])
    return dataclasses.replace(setup.camera, K=K, dist=None)


def _other_lens(setup: Setup, focal: float, dist: tuple[float, ...], fisheye: bool, given: bool) -> Planted:
    """Filmed through a lens that the calibration does not know (or takes for an ordinary one)."""
    plain = _wide(setup, focal)
    true = dataclasses.replace(plain, dist=np.array(dist), fisheye=fisheye)
    return setup.film(true), dataclasses.replace(plain, dist=np.array(dist)) if given else plain


def _turned(setup: Setup) -> Planted:
    """Stored as a portrait, K with it, R not."""
    camera, (width, height) = setup.camera, setup.camera.size
    keypoints = setup.film()
    xy = np.stack([height - 1 - keypoints.xy_px[..., 1], keypoints.xy_px[..., 0]], -1)
    K = np.array(
        [[camera.K[1, 1], 0, height - 1 - camera.K[1, 2]], [0, camera.K[0, 0], camera.K[0, 2]], [0, 0, 1]]
    )
    return keypoints._replace(xy_px=xy), dataclasses.replace(camera, K=K, size=(height, width))


def _sides(setup: Setup) -> Planted:
    keypoints = setup.film()
    other = keypoints.skeleton.mirror
    return keypoints._replace(
        xy_px=keypoints.xy_px[:, other], confidence=keypoints.confidence[:, other]
    ), setup.camera


def _other_format(setup: Setup) -> Planted:
    keypoints = setup._replace(skeleton="coco17").film()
    return keypoints._replace(skeleton=get_skeleton("h36m17")), setup.camera


def _other_camera(setup: Setup) -> Planted:
    """Of another room: another height, tilt and heading."""
    centre = setup.camera.centre + [3.0, 2.0, 1.3]
    view = look_at(jnp.asarray(centre), jnp.asarray(centre + [-1.0, 2.0, 0.9]))
    R = nearest_rotations(np.asarray(view.cam_from_world, float))
    return _placed(setup, R, -R @ centre)


_Y_UP: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

MISTAKES: Final[dict[str, tuple[Plant, frozenset[str]]]] = {
    "R transposed": (lambda s: _placed(s, s.camera.R.T, s.camera.t), frozenset({"transposed"})),
    "the camera's centre as t": (lambda s: _placed(s, s.camera.R, s.camera.centre), frozenset({"centre"})),
    "millimetres": (lambda s: _placed(s, s.camera.R, 1000 * s.camera.t), frozenset({"unit"})),
    "y up": (lambda s: _placed(s, s.camera.R @ _Y_UP.T, s.camera.t), frozenset({"up"})),
    "size swapped": (
        lambda s: (s.film(), dataclasses.replace(s.camera, size=s.camera.size[::-1])),
        frozenset({"size", "portrait"}),
    ),
    "normalised": (lambda s: _pixels(s, lambda xy: xy / s.camera.size), frozenset({"normalised"})),
    "left and right swapped": (_sides, frozenset({"sides"})),
    "another skeleton": (_other_format, frozenset({"skeleton"})),
    "distortion left out": (
        lambda s: _other_lens(s, 0.52, _DISTORTED, False, False),
        frozenset({"distortion"}),
    ),
    "fisheye as ordinary": (lambda s: _other_lens(s, 0.32, _FISHEYE, True, True), frozenset({"fisheye"})),
    "K of another resolution": (lambda s: _pixels(s, lambda xy: 2 * xy), frozenset({"resolution"})),
    "60 fps declared as 30": (
        lambda s: (_at_60(s), s.camera),
        frozenset({"rate"}),
    ),
    "floor at another height": (
        lambda s: _placed(s, s.camera.R, s.camera.t + s.camera.R[:, 2] * 0.3 * s.camera.centre[2]),
        frozenset({"scale"}),
    ),
    "mirrored video": (
        lambda s: _pixels(s, lambda xy: np.array([s.camera.size[0] - 1, 0]) + xy * [-1, 1]),
        frozenset({"mirrored", "sides"}),
    ),
    "turned picture, R not": (_turned, frozenset({"roll"})),
    "another camera's calibration": (
        _other_camera,
        frozenset({"camera", "roll", "up", "transposed", "resolution"}),
    ),
}
"""Name → how it is planted, and the findings of which the first must be one."""


def _at_60(setup: Setup) -> Keypoints:
    """Filmed at twice the rate that is declared: each frame and the one between."""
    points, frames = setup.points, len(setup.points)
    between = np.arange(2 * frames - 1) / 2
    low = np.floor(between).astype(int)
    share = (between - low)[:, None, None]
    doubled = (1 - share) * points[low] + share * points[np.minimum(low + 1, frames - 1)]
    return setup._replace(points=doubled).film()


def walks() -> Iterator[Setup]:
    """A walk before four cameras, rolled a little, in three formats."""
    places = [
        ((0.0, -6.0, 1.6), (0.0, 0.0, 0.9)),
        ((5.0, -6.0, 3.2), (0.0, 0.0, 0.8)),
        ((-5.0, 2.0, 0.9), (0.0, 0.0, 0.8)),
        ((-4.5, 5.0, 2.2), (0.0, 0.0, 1.0)),
    ]
    points = synthetic_walk(4.0, start_xy=(-1.8, 0.0), heading_rad=0.4)
    for i, (centre, target) in enumerate(places):
        view = look_at(jnp.asarray(centre), jnp.asarray(target), 0.04)
        R = nearest_rotations(np.asarray(view.cam_from_world, float))
        K = np.array([[1400.0, 0, 959.5], [0, 1400, 539.5], [0, 0, 1]])
        yield Setup(
            points, Camera(K, R, -R @ np.array(centre), (1920, 1080)), ("halpe26", "coco17", "body25")[i % 3]
        )


def mocap(data: Path, cameras: Path, clips: int) -> Iterator[Setup]:
    """Motion capture before real cameras."""
    from experiments.protocol import draw_camera, evenly, load_rigs
    from lift2to3.data.packed import read_packed

    rigs = load_rigs(cameras)
    for i, clip in enumerate(evenly(read_packed([data]), clips)):
        camera = draw_camera(rigs, clip.points_world, np.random.default_rng([*map(ord, clip.clip)]))
        yield Setup(clip.points_world.astype(float), camera, ("halpe26", "coco17", "body25")[i % 3], clip.fps)


def first_finding(keypoints: Keypoints, camera: Camera) -> str:
    """The name of what doctor says first; empty where it says nothing."""
    found = said_findings(keypoints, camera)
    return found[0].name if found else ""


@dataclasses.dataclass(frozen=True)
class Config:
    """What is looked at.

    Attributes:
        data: packed clips; None walks.
        cameras: real calibrations, with data.
        clips: how many, evenly chosen.
    """

    data: Path | None = None
    cameras: Path | None = None
    clips: int = 30


def main(config: Config) -> None:
    """Print the table."""
    real = config.data is not None and config.cameras is not None
    setups = list(mocap(config.data, config.cameras, config.clips) if real else walks())  # type: ignore[arg-type]
    table = Table("mistake", "named first", "said first")
    for name, (plant, right) in {
        **MISTAKES,
        "none": (lambda s: (s.film(), s.camera), frozenset({""})),
    }.items():
        said: Counter[str] = Counter()
        for setup in setups:
            try:
                said[first_finding(*plant(setup))] += 1
            except ValueError as error:
                said[f"refused: {str(error)[:40]}"] += 1
        hits = sum(count for finding, count in said.items() if finding in right)
        words = ", ".join(f"{finding or 'nothing'} {count}" for finding, count in said.most_common(5))
        table.add_row(name, f"{hits} of {len(setups)}", words)
    Console(width=140).print(table)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
