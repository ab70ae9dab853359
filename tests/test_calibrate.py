"""A camera from rendered boards and floor points: what was rendered with comes back."""

from __future__ import annotations

from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from lift2to3 import cli
from lift2to3.commands.calibrate import read_floor_points
from lift2to3.formats.cameras.read import read_camera, read_intrinsics
from lift2to3.geometry.calibration import Board, Lens, calibrate_lens, coverage, find_board, place_camera
from lift2to3.geometry.cameras import Camera, look_at
from lift2to3.report.floor_picture import draw_floor
from lift2to3.resample import nearest_rotations

SIZE = (800, 600)
K = np.array([[620.0, 0, 405], [0, 625, 296], [0, 0, 1]])
DIST = np.array([-0.22, 0.06, 5e-4, -4e-4, 0.0])
WIDE = np.array([[390.0, 0, 402], [0, 390, 298], [0, 0, 1]])
FISHEYE = np.array([0.03, -0.01, 0.002, 0.0])
FLOOR = np.array([[0.0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 0], [-1, 1, 0]])
BOARD = Board(8, 5, 0.04)
CHARUCO = Board(9, 6, 0.04, "DICT_5X5_100")


def texture(board: Board, pixels_per_square: int = 60) -> tuple[np.ndarray, float, np.ndarray]:
    """The printed board with a white margin, its pixels per metre, and where its first corner is in it."""
    side, margin = pixels_per_square, pixels_per_square
    if board.dictionary is not None:
        shape = (board.columns * side + 2 * margin, board.rows * side + 2 * margin)
        return (
            board.charuco.generateImage(shape, marginSize=margin),
            side / board.square_m,
            np.array([margin, margin]),
        )
    rows, columns = board.rows + 1, board.columns + 1
    squares = (np.add.outer(np.arange(rows), np.arange(columns)) % 2 * 255).astype(np.uint8)
    picture = np.kron(squares, np.ones((side, side), np.uint8))
    return (
        np.pad(picture, margin, constant_values=255),
        side / board.square_m,
        np.array([2 * margin, 2 * margin]),
    )


def render(board: Board, camera: Camera) -> np.ndarray:
    """The board lying on z = 0, its first corner at the origin, as a camera sees it through its lens."""
    printed, per_m, first = texture(board)
    double = 2
    x, y = np.meshgrid(np.arange(SIZE[0] * double), np.arange(SIZE[1] * double))
    pixels = (np.stack([x, y], -1) + 0.5) / double - 0.5
    coarse = np.stack(np.meshgrid(np.arange(-8, SIZE[0] + 16, 8), np.arange(-8, SIZE[1] + 16, 8)), -1)
    at = np.moveaxis(pixels[..., ::-1] / 8 + 1, -1, 0)  # a lens is smooth: its rays are cubic between these
    n = np.stack([map_coordinates(part, at) for part in np.moveaxis(camera.normalise(coarse), -1, 0)], -1)
    rays = np.concatenate([n, np.ones_like(n[..., :1])], -1) @ camera.R
    far = -camera.centre[2] / rays[..., 2]
    floor = camera.centre + far[..., None] * rays
    u, v = first[0] - 0.5 + per_m * floor[..., 0], first[1] - 0.5 - per_m * floor[..., 1]
    u, v = (np.where((far > 0) & np.isfinite(far), part, -1e4).astype(np.float32) for part in (u, v))
    seen = cv2.remap(printed, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=128)
    return cv2.resize(seen, SIZE, interpolation=cv2.INTER_AREA)


def camera(
    centre: tuple[float, float, float], target: tuple[float, float, float], fisheye: bool = False
) -> Camera:
    view = look_at(jnp.asarray(centre), jnp.asarray(target), 0.05)
    R = nearest_rotations(np.asarray(view.cam_from_world, float))
    lens = (WIDE, FISHEYE) if fisheye else (K, DIST)
    return Camera(lens[0], R, -R @ np.array(centre), SIZE, lens[1], fisheye=fisheye)


def around(count: int, near: float, fisheye: bool = False) -> list[Camera]:
    """Cameras about a board, as if it were held in all tilts and corners of the picture."""
    draw = np.random.default_rng(3)
    found = []
    for i in range(count):
        angle = 2 * np.pi * i / count
        centre = (0.16 + 0.9 * near * np.cos(angle), -0.08 + 0.9 * near * np.sin(angle), near)
        target = np.array([0.16, -0.08, 0.0]) + near * np.array([*draw.uniform(-0.3, 0.3, 2), 0.0])
        found.append(camera(centre, tuple(target), fisheye))
    return found


@pytest.mark.parametrize("board", [BOARD, CHARUCO], ids=["checkerboard", "charuco"])
def test_corners_are_found_where_they_are(board: Board) -> None:
    seen = camera((0.3, -0.5, 0.6), (0.15, -0.08, 0.0))
    view = find_board(render(board, seen), board)
    assert view is not None
    miss = seen.project(view.board_m) - view.pixels
    if board is BOARD:  # a checkerboard looks the same from its other end
        other = seen.project(view.board_m[::-1]) - view.pixels
        miss = min(miss, other, key=lambda m: float(np.abs(m).max()))
    assert np.abs(miss).max() < 0.3


@pytest.mark.parametrize(("board", "fisheye"), [(BOARD, False), (CHARUCO, False), (BOARD, True)])
def test_the_lens_comes_back(board: Board, fisheye: bool) -> None:
    views = [find_board(render(board, seen), board) for seen in around(12, 0.35, fisheye)]
    lens = calibrate_lens([view for view in views if view is not None], SIZE, fisheye)
    true = camera((0.5, -3.5, 1.6), (0.2, 1.0, 0.6), fisheye)
    assert lens.miss_px < 0.3
    np.testing.assert_allclose(lens.K[[0, 1], [0, 1]], true.K[[0, 1], [0, 1]], rtol=0.015)
    # what of the principal point is off, the camera's tilt takes back: the place is what counts
    found, miss_px = place_camera(lens, FLOOR, true.project(FLOOR))
    assert miss_px < 1.0
    np.testing.assert_allclose(found.centre, true.centre, atol=0.06)


def test_a_board_far_away_is_told_to_cover_too_little() -> None:
    for near, covered in ((0.35, True), (1.2, False)):
        views = [find_board(render(BOARD, seen), BOARD) for seen in around(6, near)[:3]]
        share = coverage([view for view in views if view is not None], SIZE)
        assert (share > 0.4) == covered


@pytest.mark.parametrize("board", [BOARD, CHARUCO], ids=["checkerboard", "charuco"])
def test_a_board_on_the_floor_gives_height_and_gravity(board: Board) -> None:
    big = Board(board.columns, board.rows, 0.2, board.dictionary)
    true = camera((0.8, -3.5, 1.6), (0.8, 0.0, 0.3))
    view = find_board(render(big, true), big)
    assert view is not None
    found, miss_px = place_camera(Lens(K, DIST, SIZE, False, 0.0), view.board_m, view.pixels)
    assert miss_px < 0.5
    assert found.centre[2] == pytest.approx(1.6, abs=0.02)
    assert np.degrees(np.arccos(np.clip(found.R[:, 2] @ true.R[:, 2], -1, 1))) < 0.3


@pytest.mark.parametrize("fisheye", [False, True])
@pytest.mark.parametrize("off_px", [0.0, 1.0])
def test_points_on_the_floor_place_the_camera(fisheye: bool, off_px: float) -> None:
    true = camera((0.5, -3.5, 1.6), (0.2, 1.0, 0.6), fisheye)
    pixels = true.project(FLOOR) + off_px * np.random.default_rng(0).normal(size=(5, 2))
    found, miss_px = place_camera(Lens(true.K, true.dist, SIZE, fisheye, 0.0), FLOOR, pixels)
    assert miss_px < 2 * off_px + 1e-3
    np.testing.assert_allclose(found.centre, true.centre, atol=0.1 * off_px + 1e-4)


def test_bad_points_are_refused() -> None:
    true, lens = camera((0.5, -3.5, 1.6), (0.2, 1.0, 0.6)), Lens(K, DIST, SIZE, False, 0.0)
    pixels = true.project(FLOOR)
    line = np.stack([np.linspace(0, 1, 5), np.zeros(5), np.zeros(5)], -1)
    for points, where, message in (
        (FLOOR[:3], pixels[:3], "3 points; wanted 4"),
        (line, true.project(line), "on a line"),
        (FLOOR[[1, 0, 2, 3, 4]], pixels, "miss their places|no camera over the floor"),
        (FLOOR * [-1, 1, 1], pixels, "mirrored|miss their places"),
    ):
        with pytest.raises(ValueError, match=message):
            place_camera(lens, points, where)


def test_the_floor_is_drawn_where_it_is(tmp_path: Path) -> None:
    seen = camera((0.5, -3.5, 1.6), (0.2, 1.0, 0.6))
    blank = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    drawn = cv2.imread(str(draw_floor(blank, seen, tmp_path / "floor.png")))
    for corner in FLOOR:
        x, y = np.round(seen.project(corner)).astype(int)
        assert drawn[y - 1 : y + 2, x - 1 : x + 2].any(), corner
    x, y = np.round(seen.project(np.array([0.5, 0.5, 0.0]))).astype(int)
    assert not drawn[y - 1 : y + 2, x - 1 : x + 2].any()


def test_the_command_from_pictures_to_a_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = []
    for i, seen in enumerate(around(10, 0.35)):
        pictures.append(str(tmp_path / f"{i}.png"))
        cv2.imwrite(pictures[-1], render(BOARD, seen))
    true = camera((0.5, -3.5, 1.6), (0.2, 1.0, 0.6))
    points = np.concatenate([true.project(FLOOR), FLOOR[:, :2]], 1)
    table = "x,y,X,Y\n" + "\n".join(",".join(f"{value:.3f}" for value in row) for row in points) + "\n"
    (tmp_path / "floor.csv").write_text(table, encoding="utf-8-sig")
    out = tmp_path / "out"
    board = ["--board", "8x5", "--square", "0.04"]
    view = ["--floor-points", str(tmp_path / "floor.csv"), "--floor-picture", pictures[0]]
    assert cli.main(["calibrate", *pictures, *board, *view, "--out", str(out)]) == 0
    assert "found in" in capsys.readouterr().out
    found = read_camera(out / "camera.json")
    np.testing.assert_allclose(found.centre, true.centre, atol=0.05)
    assert (out / "floor.png").exists()
    assert read_intrinsics(out / "lens.json").size == SIZE
    again = ["calibrate", "--lens", str(out / "lens.json"), *view[:2], "--out", str(tmp_path / "again")]
    assert cli.main(again) == 0
    np.testing.assert_allclose(
        read_camera(tmp_path / "again" / "camera.json").centre, found.centre, atol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no lens: wanted pictures of a board"),
        (["no.png", "--board", "8x5", "--square", "0.04"], "no.png: no such file"),
        (["a.png", "--board", "8", "--square", "0.04"], "wanted both, as --board 9x6 --square 0.03"),
        (["a.png", "--board", "8x5"], "wanted both"),
        (["a.png", "--board", "8x5", "--square", "40"], "wanted its side in metres"),
        (["a.png", "--board", "8x5", "--square", "0.04", "--charuco", "DICT_9"], "unknown ArUco dictionary"),
        (["grey.png", "--board", "8x5", "--square", "0.04"], "found in 0 pictures; wanted 5 or more"),
    ],
)
def test_user_errors_are_one_line(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((60, 80), 128, np.uint8))
    arguments = [str(tmp_path / word) if word == "grey.png" else word for word in arguments]
    assert cli.main(["calibrate", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n", "1 points; wanted four or more"),
        ("x,y,X,Y\n1,2,3\n", "row 2 is '1,2,3'; wanted x, y in pixels, X, Y in metres"),
        ("1,2,3,4\n1,2,a,4\n", "row 2 is"),
        ("1,2,3,nan\n", "row 1 is"),
    ],
)
def test_tables_of_points_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_floor_points(tmp_path / "a.csv")
