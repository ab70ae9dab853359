"""``lift2to3 calibrate``: a camera from pictures of a board and points on the floor."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from lift2to3.commands.arguments import Folder, MaybeFile, flag, optional
from lift2to3.commands.output import prepare_folder, print_report, print_written

if TYPE_CHECKING:
    import numpy as np

    from lift2to3.geometry.calibration import Board, Lens, View

CAMERA_FILE, LENS_FILE, PICTURE_FILE = "camera.json", "lens.json", "floor.png"
_VIDEO_FRAMES = 40
_COVERED = 0.7


@dataclasses.dataclass(frozen=True)
class BoardOptions:
    """The board.

    Attributes:
        board: inner corners of a checkerboard, or squares of a ChArUco board, as 9x6.
        square: side of a square, metres.
        charuco: dictionary of a ChArUco board's markers, as DICT_5X5_100; without it a checkerboard.
        marker: side of a ChArUco board's marker, metres; three quarters of a square by default.
    """

    board: Annotated[str | None, optional("COLUMNSxROWS")] = None
    square: Annotated[float | None, optional("METRES")] = None
    charuco: Annotated[str | None, optional("DICT")] = None
    marker: Annotated[float | None, optional("METRES")] = None


NO_BOARD = BoardOptions()


def calibrate(
    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional, flag("PICTURE|VIDEO")] = (),
    /,
    *,
    out: Folder,
    options: Annotated[BoardOptions, tyro.conf.OmitArgPrefixes] = NO_BOARD,
    fisheye: bool = False,
    lens: MaybeFile = None,
    floor_picture: MaybeFile = None,
    floor_points: MaybeFile = None,
) -> None:
    """Calibrate a camera: the lens from a board, its place from the floor. Writes camera.json and floor.png.

    Args:
        pictures: of the board, held in front of the camera in all tilts and corners; or a video of that.
        out: folder for the results.
        options: the board.
        fisheye: calibrate the fisheye model: action cameras and others wider than 100 degrees.
        lens: a calibration that has the lens already (an earlier lens.json, OpenCV, ROS, …), instead of
            pictures.
        floor_picture: the camera as it will film, and the board lying flat on the floor; or, with
            floor_points, any picture of it, to draw the floor into.
        floor_points: csv of four or more points on the floor: x, y in pixels and X, Y in metres.
    """
    from lift2to3.geometry.calibration import place_camera
    from lift2to3.report.floor_picture import draw_floor

    prepare_folder(out, CAMERA_FILE, LENS_FILE, PICTURE_FILE)
    board = _board(options) if options.board or options.square else None
    known, rows = _lens(pictures, board, fisheye, lens)
    notes = []
    if known.coverage < _COVERED:
        notes.append(
            f"the board was seen in {known.coverage:.0%} of the picture only, and the lens may be wrong by "
            "several "
            "per cent: hold it nearer and into every corner"
        )
    written = [_write_lens(known, out / LENS_FILE)]
    if floor_picture is None and floor_points is None:
        notes.append("the lens alone: --floor-picture or --floor-points place it")
        print_report("lift2to3 calibrate", rows, notes)
        print_written(written)
        return
    picture = None if floor_picture is None else _read_picture(floor_picture, known)
    if floor_points is not None:
        world, pixels = read_floor_points(floor_points)
    else:
        world, pixels = _board_on_floor(picture, board, floor_picture)
    camera, miss_px = place_camera(known, world, pixels)
    written.append(camera.save(out / CAMERA_FILE))
    if picture is not None:
        written.append(draw_floor(picture, camera, out / PICTURE_FILE))
    rows += [("camera", repr(camera)), ("floor points", f"{len(world)}, missed by {miss_px:.1f} px")]
    print_report("lift2to3 calibrate", rows, notes)
    print_written(written)


def read_floor_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Points of a csv of x, y in pixels, X, Y and maybe Z in metres: the world's, then the pixels.

    Raises:
        ValueError: fewer than four rows, or a row of other than 4 or 5 numbers.
        FileNotFoundError: there is no such file.
    """
    import numpy as np

    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            lines = [row for row in csv.reader(file) if row and any(cell.strip() for cell in row)]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not readable csv ({error})") from error
    rows = []
    for i, line in enumerate(lines):
        try:
            numbers = [float(cell) for cell in line if cell.strip()]
        except ValueError:
            if i == 0:
                continue  # headings
            numbers = []
        if len(numbers) not in (4, 5) or not np.isfinite(numbers).all():
            raise ValueError(
                f"{path}: row {i + 1} is {','.join(line)[:60]!r}; wanted x, y in pixels, X, Y in metres"
            )
        rows.append([*numbers, 0.0][:5])
    if len(rows) < 4:
        raise ValueError(f"{path}: {len(rows)} points; wanted four or more on the floor, not on a line")
    table = np.array(rows)
    return table[:, 2:5], table[:, :2]


def _board(options: BoardOptions) -> Board:
    from lift2to3.geometry.calibration import Board

    sides = (options.board or "").lower().split("x")
    if len(sides) != 2 or not all(side.isdigit() for side in sides) or options.square is None:
        raise ValueError(
            f"--board {options.board} --square {options.square}: wanted both, as --board 9x6 --square 0.03 "
            "(metres)"
        )
    share = 0.75 if options.marker is None else options.marker / options.square
    return Board(int(sides[0]), int(sides[1]), options.square, options.charuco, share)


def _lens(
    pictures: Sequence[Path], board: Board | None, fisheye: bool, file: Path | None
) -> tuple[Lens, list[tuple[str, str]]]:
    """The lens, and what is told of it."""
    import numpy as np

    from lift2to3.formats.cameras.read import read_intrinsics
    from lift2to3.geometry.calibration import Lens, calibrate_lens

    if file is not None:
        if pictures:
            raise ValueError(f"--lens {file} and pictures of a board: wanted one of the two")
        K, size, dist, curved = read_intrinsics(file)
        return Lens(K, np.zeros(4) if dist is None else dist, size, curved, 0.0), [("lens", f"of {file}")]
    if board is None or not pictures:
        raise ValueError("no lens: wanted pictures of a board with --board 9x6 --square 0.03, or --lens FILE")
    views, size, looked_at = _views(pictures, board)
    found = calibrate_lens(views, size, fisheye)
    focal = f"{found.K[0, 0]:.0f}, {found.K[1, 1]:.0f} px"
    return found, [
        ("board", f"found in {len(views)} of {looked_at} pictures"),
        ("lens", f"focal lengths {focal}, principal point {found.K[0, 2]:.0f}, {found.K[1, 2]:.0f}"),
        ("miss", f"{found.miss_px:.2f} px (root mean square of the corners)"),
    ]


def _views(pictures: Sequence[Path], board: Board) -> tuple[list[View], tuple[int, int], int]:
    from lift2to3.geometry.calibration import find_board

    views, size, count = [], None, 0
    for path in pictures:
        for picture in _frames(path):
            here = (picture.shape[1], picture.shape[0])
            if size not in (None, here):
                raise ValueError(f"{path}: {here[0]}x{here[1]}, others {size}; wanted pictures of one size")
            size, count = here, count + 1
            view = find_board(picture, board)
            if view is not None:
                views.append(view)
    if size is None:
        raise ValueError("no picture could be read; wanted pictures or a video of the board")
    return views, size, count


def _frames(path: Path) -> list[Any]:
    """A picture, or frames of a video spread evenly."""
    import cv2

    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    picture = cv2.imread(str(path))
    if picture is not None:
        return [picture]
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    step, frames, at = max(1, count // _VIDEO_FRAMES), [], 0
    while video.grab():
        if at % step == 0:
            frames.append(video.retrieve()[1])
        at += 1
    if not frames:
        raise ValueError(f"{path}: neither a picture nor a video that can be read")
    return frames


def _read_picture(path: Path, lens: Lens) -> Any:
    picture = _frames(path)[0]
    here = (picture.shape[1], picture.shape[0])
    if here != tuple(lens.size):
        raise ValueError(
            f"{path}: {here[0]}x{here[1]}, the lens is of {lens.size[0]}x{lens.size[1]}; wanted both of one "
            "resolution, as the video will be"
        )
    return picture


def _board_on_floor(picture: Any, board: Board | None, path: Path | None) -> tuple[np.ndarray, np.ndarray]:
    from lift2to3.geometry.calibration import find_board

    if board is None:
        raise ValueError(
            f"--floor-picture {path}: wanted --board and --square of the board in it, or --floor-points"
        )
    view = find_board(picture, board)
    if view is None:
        raise ValueError(
            f"{path}: the board is not found on the floor; wanted all of it in sight, or --floor-points"
        )
    return view.board_m, view.pixels


def _write_lens(lens: Lens, path: Path) -> Path:
    from lift2to3.array_files import save_fields

    fields = {"K": lens.K, "size": lens.size, "dist": lens.dist}
    return save_fields(path, fields | ({"fisheye": True} if lens.fisheye else {}))
