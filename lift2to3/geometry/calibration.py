"""A camera from pictures of a board and from points on the floor, by OpenCV's own functions.

The board's corners in several pictures give the lens; a board that lies on the floor, or points on the floor
that were measured, give where the camera stands. The floor is z = 0 and its normal is up, so it gives
gravity too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from lift2to3.geometry.cameras import Camera
from lift2to3.geometry.lens import undistort

FEWEST_VIEWS: Final = 5
_FEWEST_CORNERS: Final = 6
_FEWEST_POINTS: Final = 4
_LARGEST_MISS_PX: Final = 3.0
_FLATTEST: Final = 0.02
"""Second over first singular value of floor points: less, and they lie on a line."""


@dataclasses.dataclass(frozen=True)
class Board:
    """A checkerboard, or a ChArUco board where a dictionary is named.

    Attributes:
        columns, rows: inner corners of a checkerboard; squares of a ChArUco board, as their makers count.
        square_m: side of a square, metres.
        dictionary: of ArUco markers, as ``DICT_5X5_100``; None is a plain checkerboard.
        marker_share: a marker's side, in squares.
    """

    columns: int
    rows: int
    square_m: float
    dictionary: str | None = None
    marker_share: float = 0.75

    def __post_init__(self):
        """Refuse what is no board.

        Raises:
            ValueError: too few corners, a side that no board has, or an unknown dictionary.
        """
        if min(self.columns, self.rows) < 3 or max(self.columns, self.rows) > 100:
            raise ValueError(f"board {self.columns}x{self.rows}: wanted 3 to 100 corners or squares a side")
        if not 0.002 <= self.square_m <= 2.0:
            raise ValueError(
                f"square {self.square_m:g}: wanted its side in metres, 0.002 to 2 (30 mm is 0.03)"
            )
        if self.dictionary is not None and not hasattr(cv2.aruco, self.dictionary):
            known = ", ".join(sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_"))[:8])
            raise ValueError(f"unknown ArUco dictionary {self.dictionary!r}; wanted one of {known}, …")

    @property
    def charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's own board; only of a ChArUco board."""
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, str(self.dictionary)))
        marker_m = self.square_m * self.marker_share
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, marker_m, dictionary)


class View(NamedTuple):
    """One picture's corners: on the board, metres, z = 0, and in the picture."""

    board_m: Float[np.ndarray, "corners 3"]
    pixels: Float[np.ndarray, "corners 2"]


class Lens(NamedTuple):
    """What `calibrate_lens` finds: `Camera`'s fields, the corners' mean miss in pixels (rms), `coverage`."""

    K: Float[np.ndarray, "3 3"]
    dist: Float[np.ndarray, " coefficients"]
    size: tuple[int, int]
    fisheye: bool
    miss_px: float
    coverage: float = 1.0


def find_board(picture: np.ndarray, board: Board) -> View | None:
    """The board's corners in a picture, grey or colour; None where it is not seen, or hardly."""
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if board.dictionary is not None:
        corners, ids, _, _ = cv2.aruco.CharucoDetector(board.charuco).detectBoard(grey)
        if ids is None or len(ids) < _FEWEST_CORNERS:
            return None
        places = np.asarray(board.charuco.getChessboardCorners(), np.float64)[np.ravel(ids).astype(int)]
        return View(places * [1, -1, 1], np.asarray(corners, np.float64).reshape(-1, 2))
    seen, corners = cv2.findChessboardCornersSB(
        grey, (board.columns, board.rows), flags=cv2.CALIB_CB_ACCURACY
    )
    if not seen:
        return None
    column, row = np.meshgrid(np.arange(board.columns), np.arange(board.rows))
    places = board.square_m * np.stack([column, -row, 0 * row], -1).reshape(
        -1, 3
    )  # z towards who looks at it
    return View(places.astype(np.float64), np.asarray(corners, np.float64).reshape(-1, 2))


def calibrate_lens(views: Sequence[View], size: tuple[int, int], fisheye: bool = False) -> Lens:
    """K and distortion from a board in several pictures.

    Args:
        views: the board as it was found, from several sides.
        size: width and height of the pictures.
        fisheye: of `cv2.fisheye`'s model rather than the ordinary one (k1, k2, p1, p2, k3).

    Raises:
        ValueError: too few views, or views that do not determine the lens.
    """
    if len(views) < FEWEST_VIEWS:
        raise ValueError(
            f"the board was found in {len(views)} pictures; wanted {FEWEST_VIEWS} or more (10 to 30), tilted "
            "differently and reaching into the picture's corners"
        )
    board = [view.board_m.astype(np.float32)[None] for view in views]
    pixels = [view.pixels.astype(np.float32)[None] for view in views]
    try:
        if fisheye:
            names: Any = cv2 if hasattr(cv2, "CALIB_RECOMPUTE_EXTRINSIC") else cv2.fisheye  # OpenCV 5, and 4
            flags = names.CALIB_RECOMPUTE_EXTRINSIC | names.CALIB_FIX_SKEW
            K0, d0 = np.diag([size[0] / 2.5, size[0] / 2.5, 1.0]), np.zeros((4, 1))
            K0[:2, 2] = np.array(size) / 2
            flags |= names.CALIB_USE_INTRINSIC_GUESS
            miss, K, dist, *_ = cv2.fisheye.calibrate(board, pixels, size, K0, d0, flags=flags)
        else:
            miss, K, dist, *_ = cv2.calibrateCamera(board, pixels, size, np.eye(3), np.zeros(5))
    except cv2.error as error:
        raise ValueError(
            f"these pictures do not determine the lens ({error.err}); wanted the board tilted differently "
            "in each"
        ) from error
    lens = Lens(np.asarray(K), np.ravel(dist), size, fisheye, float(miss), coverage(views, size))
    middle = np.abs(lens.K[:2, 2] / size - 0.5).max()
    if not np.isfinite(lens.K).all() or lens.miss_px > _LARGEST_MISS_PX or middle > 0.3:
        raise ValueError(
            f"the corners miss the lens by {lens.miss_px:.1f} px (principal point {lens.K[0, 2]:.0f}, "
            f"{lens.K[1, 2]:.0f}); wanted under {_LARGEST_MISS_PX:g} px: are board and square right, and the "
            "pictures sharp?"
        )
    return lens


def coverage(views: Sequence[View], size: tuple[int, int]) -> float:
    """Share of the picture's sixteen parts that held a corner: a lens is only known where the board was."""
    cells = np.concatenate([view.pixels for view in views]) * 4 // np.array(size)
    return len(np.unique(cells.clip(0, 3), axis=0)) / 16


def place_camera(
    lens: Lens, points_world: Float[np.ndarray, "points 3"], pixels: Float[np.ndarray, "points 2"]
) -> tuple[Camera, float]:
    """The camera that sees these points of the world there.

    Args:
        lens: of the camera.
        points_world: metres, z up, the floor at z = 0; four or more, not on a line.
        pixels: where each is in the picture.

    Returns:
        The camera, and the points' root mean square miss in pixels.

    Raises:
        ValueError: too few points, on a line, out of the lens, or missed by far.
    """
    points = np.ascontiguousarray(points_world, np.float64)  # OpenCV takes no slices of a table
    n = np.ascontiguousarray(undistort(np.ascontiguousarray(pixels), lens.K, lens.dist, lens.fisheye))
    if len(points) < _FEWEST_POINTS or not np.isfinite(n).all():
        raise ValueError(f"{len(points)} points; wanted {_FEWEST_POINTS} or more, all where the lens sees")
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    if spread[1] < _FLATTEST * max(spread[0], 1e-9):
        raise ValueError("the points lie on a line; wanted them spread over the floor")
    flat = spread[2] < 1e-6 * spread[0]
    way = cv2.SOLVEPNP_IPPE if flat else cv2.SOLVEPNP_SQPNP
    count, rotations, translations, _ = cv2.solvePnPGeneric(points, n[:, None], np.eye(3), None, flags=way)
    found = []
    for rvec, tvec in zip(rotations[:count], translations[:count], strict=True):
        rvec, tvec = cv2.solvePnPRefineLM(points, n[:, None], np.eye(3), None, rvec, tvec)
        camera = Camera(lens.K, cv2.Rodrigues(rvec)[0], tvec, lens.size, lens.dist, lens.fisheye)
        miss = camera.project(points) - pixels
        if camera.centre[2] > 0 and np.isfinite(miss).all():
            found.append((float(np.sqrt((miss**2).sum(-1).mean())), camera))
    if not found:
        raise ValueError(
            "no camera over the floor sees these points so; wanted X to the right of Y seen from above (z "
            "up): is "
            "one of the two mirrored?"
        )
    miss_px, camera = min(found, key=lambda pair: pair[0])
    if miss_px > 0.02 * max(lens.size):
        raise ValueError(
            f"the points miss their places by {miss_px:.0f} px; wanted under {0.02 * max(lens.size):.0f}: "
            "is a point "
            "measured wrongly, X and Y exchanged, or the lens of another camera?"
        )
    return camera, miss_px
