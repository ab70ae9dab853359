"""BVH, the text format of most free motion capture: `read_bvh` reads anybody's, `write_bvh` a posed body.

Read: any order and any subset of CHANNELS. A file says nothing about its units or its up axis: offsets
and positions come out in the file's own axes, times ``metres_per_unit``.

Written: the rest pose is a T-pose standing along the up axis, every joint's axes along the file's. With y
up the figure at rest looks along z, with z up along -y, as animation programs expect. Joints are SMPL's 22
by name; an End Site closes each bone without a child joint. The root's OFFSET is 0 0 0 and its position
channels are the pelvis in the world: readers differ in whether channels replace or add to the OFFSET, and
at zero they agree. A BVH says nothing of missing frames: filled-in frames are written like the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import numpy as np
from jaxtyping import Float, Int

from lift2to3.body import BODY_JOINTS, JOINT_PARENTS
from lift2to3.formats.motions.euler import euler_degrees
from lift2to3.formats.motions.file_axes import FileBody, UpAxis, body_in_file
from lift2to3.formats.motions.text_rows import write_rows
from lift2to3.guarded_files import guarded, read_content
from lift2to3.motion import BodyMotion
from lift2to3.whole_file import whole_text

_AXES: Final = {"X": 0, "Y": 1, "Z": 2}
_CHANNELS: Final = {
    f"{axis}{kind}": (kind, row) for axis, row in _AXES.items() for kind in ("rotation", "position")
}


class Bvh(NamedTuple):
    """One BVH clip, in the file's own axes.

    Attributes:
        joint_names: as the file spells them, parents before children.
        parents: row of each joint's parent; -1 for the root, which is row 0.
        rest_offsets: metres from the parent, in the parent's frame. The root's is the file's own.
        end_parents: row of the joint that each End Site hangs on.
        end_offsets: metres from that joint, in its frame.
        fps: frames per second.
        rotations: each joint's frame relative to its parent's.
        root_translation: the root in the world, metres.
        joint_translations: metres from the parent, frame by frame; None where no joint but the
            root has position channels, so that `rest_offsets` holds at all times.
    """

    joint_names: tuple[str, ...]
    parents: Int[np.ndarray, "joints"]
    rest_offsets: Float[np.ndarray, "joints 3"]
    end_parents: Int[np.ndarray, "ends"]
    end_offsets: Float[np.ndarray, "ends 3"]
    fps: float
    rotations: Float[np.ndarray, "time joints 3 3"]
    root_translation: Float[np.ndarray, "time 3"]
    joint_translations: Float[np.ndarray, "time joints 3"] | None


@dataclasses.dataclass
class _Joint:
    name: str
    parent: int
    line: int
    offset: list[float] | None = None
    channels: list[tuple[str, int]] | None = None


class _Tokens:
    """The words of the HIERARCHY section, each with the line it stands on."""

    def __init__(self, path: Path, lines: Sequence[str]) -> None:
        self.path = path
        self.words = [
            (word, number)
            for number, line in enumerate(lines, start=1)
            for word in line.replace("{", " { ").replace("}", " } ").split()
        ]
        self.at = 0
        self.line = 1

    def take(self, what: str) -> str:
        """The next word; an error that says ``what`` was wanted where the file ends."""
        if self.at >= len(self.words):
            raise ValueError(f"{self.path}, line {self.line}: the file ends where {what} should stand")
        word, self.line = self.words[self.at]
        self.at += 1
        return word

    def expect(self, *wanted: str) -> None:
        for want in wanted:
            word = self.take(repr(want))
            if word != want:
                raise self.error(f"wanted {want!r}, found {word!r}")

    def offset(self, what: str) -> list[float]:
        values = []
        for _ in range(3):
            word = self.take(what)
            try:
                values.append(float(word))
            except ValueError:
                raise self.error(f"{what}: wanted a number, found {word!r}") from None
            if not np.isfinite(values[-1]):
                raise self.error(f"{what}: wanted a finite number, found {word!r}")
        return values

    def error(self, message: str) -> ValueError:
        return ValueError(f"{self.path}, line {self.line}: {message}")


@guarded
def read_bvh(path: str | Path, metres_per_unit: float = 1.0) -> Bvh:
    """Read a BVH file.

    A position channel gives that axis of the joint's translation *in place of* its OFFSET, as
    common exporters write it; an axis without a channel keeps the OFFSET.

    Args:
        path: the file.
        metres_per_unit: length of the file's unit: 0.01 for centimetres, 0.0254 for inches.

    Raises:
        ValueError: not well-formed; the message gives the line number and what was wanted there.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    lines = read_content(path).decode("utf-8", errors="replace").splitlines()
    motion = next((row for row, line in enumerate(lines) if line.strip() == "MOTION"), None)
    joints, ends = _read_hierarchy(path, lines[:motion])
    if motion is None:
        raise ValueError(f"{path}, line {len(lines)}: the file ends without a MOTION section")
    values, fps = _read_motion(path, lines, motion, sum(len(joint.channels or ()) for joint in joints))
    rest = np.array([joint.offset for joint in joints])
    translations, moving = _translations(joints, rest, values)
    return Bvh(
        joint_names=tuple(joint.name for joint in joints),
        parents=np.array([joint.parent for joint in joints]),
        rest_offsets=rest * metres_per_unit,
        end_parents=np.array([end.parent for end in ends], dtype=int),
        end_offsets=np.array([end.offset for end in ends]).reshape(-1, 3) * metres_per_unit,
        rotations=_rotations(joints, values),
        root_translation=translations[:, 0] * metres_per_unit,
        joint_translations=translations * metres_per_unit if moving else None,
        fps=fps,
    )


def _read_hierarchy(path: Path, lines: Sequence[str]) -> tuple[list[_Joint], list[_Joint]]:
    """Joints and End Sites."""
    tokens = _Tokens(path, lines)
    tokens.expect("HIERARCHY", "ROOT")
    joints: list[_Joint] = []
    ends: list[_Joint] = []
    open_joints: list[int] = []  # rows into joints; an End Site is never pushed
    _open_joint(tokens, joints, open_joints)
    while open_joints:
        word = tokens.take("'}'")
        joint = joints[open_joints[-1]]
        if word == "}":
            if joint.offset is None or joint.channels is None:
                what = "OFFSET" if joint.offset is None else "CHANNELS"
                raise ValueError(f"{path}, line {joint.line}: joint {joint.name!r} has no {what}")
            open_joints.pop()
        elif word == "OFFSET":
            joint.offset = tokens.offset(f"OFFSET of {joint.name}")
        elif word == "CHANNELS":
            joint.channels = _read_channels(tokens, joint.name)
        elif word == "JOINT":
            _open_joint(tokens, joints, open_joints)
        elif word == "End":
            tokens.expect("Site", "{", "OFFSET")
            offset = tokens.offset(f"OFFSET of {joint.name}'s End Site")
            ends.append(_Joint(f"{joint.name} end", open_joints[-1], tokens.line, offset, []))
            tokens.expect("}")
        else:
            raise tokens.error(f"wanted OFFSET, CHANNELS, JOINT, End Site or '}}', found {word!r}")
    if tokens.at < len(tokens.words):
        word = tokens.take("MOTION")
        why = {"}": " (one '}' too many)", "ROOT": " (only one ROOT is understood)"}.get(word, "")
        raise tokens.error(f"wanted MOTION after the root's closing brace, found {word!r}{why}")
    return joints, ends


def _open_joint(tokens: _Tokens, joints: list[_Joint], open_joints: list[int]) -> None:
    name = tokens.take("a joint's name")
    if name in ("{", "}"):
        raise tokens.error(f"wanted a joint's name, found {name!r}")
    if any(joint.name == name for joint in joints):
        raise tokens.error(f"joint {name!r} stands there twice")
    joints.append(_Joint(name, open_joints[-1] if open_joints else -1, tokens.line))
    open_joints.append(len(joints) - 1)
    tokens.expect("{")


def _read_channels(tokens: _Tokens, name: str) -> list[tuple[str, int]]:
    word = tokens.take(f"the number of CHANNELS of {name}")
    if not word.isdigit():
        raise tokens.error(f"CHANNELS of {name}: wanted how many, found {word!r}")
    channels = []
    for _ in range(int(word)):
        channel = tokens.take(f"a channel of {name}")
        if channel not in _CHANNELS:
            raise tokens.error(
                f"unknown channel {channel!r} of joint {name}; wanted one of {', '.join(_CHANNELS)}"
            )
        if _CHANNELS[channel] in channels:
            raise tokens.error(f"channel {channel} of joint {name} stands there twice")
        channels.append(_CHANNELS[channel])
    return channels


def _read_motion(
    path: Path, lines: Sequence[str], start: int, channels: int
) -> tuple[Float[np.ndarray, "time channels"], float]:
    """The MOTION section's table and its frames per second; ``start`` is the row of the word MOTION."""
    body = [(n, line) for n, line in enumerate(lines, start=1) if n > start + 1 and line.strip()]
    frames = _setting(path, len(lines), body[:1], "Frames:")
    seconds = _setting(path, len(lines), body[1:2], "Frame Time:")
    if not 1 <= frames < np.inf or frames != int(frames):
        raise ValueError(f"{path}, line {body[0][0]}: Frames: wanted 1 or more, found {frames:g}")
    if not 1e-6 < seconds < 1e6:
        raise ValueError(f"{path}, line {body[1][0]}: Frame Time: wanted seconds above 0, found {seconds:g}")
    rows = body[2:]
    values = np.empty((min(int(frames), len(rows)), channels))
    for frame, (number, line) in enumerate(rows[: len(values)]):
        words = line.split()
        if len(words) != channels:
            raise ValueError(
                f"{path}, line {number}: frame {frame} has {len(words)} values, "
                f"the CHANNELS add up to {channels}"
            )
        try:
            values[frame] = list(map(float, words))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: frame {frame}: {error}") from None
    if len(rows) != frames:
        number = rows[len(values)][0] if len(rows) > len(values) else len(lines)
        raise ValueError(f"{path}, line {number}: Frames: says {frames:.0f}, the file has {len(rows)}")
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise ValueError(f"{path}, line {rows[bad[0]][0]}: frame {bad[0]} is not finite")
    return values, _rate(body[1][1].split()[-1])


def _setting(path: Path, last_line: int, line: Sequence[tuple[int, str]], key: str) -> float:
    if not line:
        raise ValueError(f"{path}, line {last_line}: the file ends where '{key}' should stand")
    number, text = line[0]
    words = text.split()
    if " ".join(words[:-1]) != key:
        raise ValueError(f"{path}, line {number}: wanted '{key} …', found {text.strip()!r}")
    try:
        return float(words[-1])
    except ValueError:
        raise ValueError(f"{path}, line {number}: {key} wanted a number, found {words[-1]!r}") from None


def _rate(frame_time: str) -> float:
    """Frames per second of a Frame Time as it is spelled.

    Files spell 1/30 as 0.0333333 or 0.0333. A whole number, or 1000/1001 of one (29.97, 59.94), is taken
    where the spelling has too few digits to tell it from what was written, and the number as it stands
    elsewhere: 0.0333667 is 30000/1001, not 30.
    """
    seconds = float(frame_time)
    near = float(Decimal(1).scaleb(int(Decimal(frame_time).as_tuple().exponent))) + 1e-12 * seconds
    whole = float(round(1 / seconds))
    if whole > 0 and abs(1 / whole - seconds) <= near and abs(whole * seconds - 1) < 2.5e-3:
        return whole
    video = round(1.001 / seconds) * 1000 / 1001
    if video > 0 and abs(1 / video - seconds) <= near and abs(video * seconds - 1) < 2e-4:
        return video
    return float(f"{1 / seconds:.12g}")


def _columns(joints: Sequence[_Joint], kind: str) -> dict[tuple[int, ...], list[tuple[int, list[int]]]]:
    """Axis order → (joint row, its columns in the frame line), for channels of one kind."""
    groups: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
    start = 0
    for row, joint in enumerate(joints):
        channels = joint.channels or []
        mine = [(axis, start + i) for i, (of_kind, axis) in enumerate(channels) if of_kind == kind]
        start += len(channels)
        groups.setdefault(tuple(axis for axis, _ in mine), []).append((row, [c for _, c in mine]))
    return groups


def _rotations(
    joints: Sequence[_Joint], values: Float[np.ndarray, "time channels"]
) -> Float[np.ndarray, "time joints 3 3"]:
    """Matrices from degrees: channels apply from left to right, ``R = R_first @ R_second @ …``."""
    rotations = np.broadcast_to(np.eye(3), (len(values), len(joints), 3, 3)).copy()
    for axes, members in _columns(joints, "rotation").items():
        rows = [row for row, _ in members]
        for place, axis in enumerate(axes):
            radians = np.deg2rad(values[:, [columns[place] for _, columns in members]])
            rotations[:, rows] = rotations[:, rows] @ _about_axis(axis, radians)
    return rotations


def _about_axis(axis: int, radians: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch 3 3"]:
    matrix = np.zeros((*radians.shape, 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(radians), np.sin(radians)
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = cos
    matrix[..., first, second], matrix[..., second, first] = -sin, sin
    return matrix


def _translations(
    joints: Sequence[_Joint],
    rest_offsets: Float[np.ndarray, "joints 3"],
    values: Float[np.ndarray, "time channels"],
) -> tuple[Float[np.ndarray, "time joints 3"], bool]:
    """Each joint's translation from its parent, and whether any joint but the root moves so."""
    translations = np.broadcast_to(rest_offsets, (len(values), *rest_offsets.shape)).copy()
    moving = False
    for axes, members in _columns(joints, "position").items():
        for row, columns in members:
            translations[:, row, list(axes)] = values[:, columns]
            moving |= row > 0 and bool(axes)
    return translations, moving


# --- writing


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
    if not (np.isfinite(metres_per_unit) and metres_per_unit > 0):
        raise ValueError(f"metres_per_unit: wanted a length above 0, found {metres_per_unit}")
    written = body_in_file(body, up)
    angles = euler_degrees(written.rotations[:, list(_depth_first(0))], order)
    root = written.root_translation[:, None] / metres_per_unit
    table = np.concatenate([root, angles], axis=1).reshape(len(angles), -1)
    with whole_text(path) as file:
        file.write("HIERARCHY\n")
        _write_joint(file, written, 0, order, 1 / metres_per_unit, "")
        file.write(f"MOTION\nFrames: {len(table)}\nFrame Time: {1 / float(body.fps)!r}\n")
        write_rows(file, table, ["%.6f"] * table.shape[1], " ")
    return Path(path)


def _depth_first(row: int) -> Iterator[int]:
    """The order in which the HIERARCHY names the joints, and so that of a frame's channels."""
    yield row
    for child in np.flatnonzero(JOINT_PARENTS == row):
        yield from _depth_first(int(child))


def _write_joint(file: TextIO, body: FileBody, row: int, order: str, scale: float, indent: str) -> None:
    name, is_root = BODY_JOINTS[row], row == 0
    channels = " ".join(f"{axis}rotation" for axis in order)
    channels = f"6 Xposition Yposition Zposition {channels}" if is_root else f"3 {channels}"
    file.write(f"{indent}{'ROOT' if is_root else 'JOINT'} {name}\n{indent}{{\n")
    file.write(f"{indent}\t{_offset(np.zeros(3) if is_root else body.rest_offsets[row], scale)}")
    file.write(f"{indent}\tCHANNELS {channels}\n")
    for child in np.flatnonzero(JOINT_PARENTS == row):
        _write_joint(file, body, int(child), order, scale, indent + "\t")
    if name in body.tips:
        offset = _offset(body.tips[name], scale)
        file.write(f"{indent}\tEnd Site\n{indent}\t{{\n{indent}\t\t{offset}{indent}\t}}\n")
    file.write(f"{indent}}}\n")


def _offset(metres: Float[np.ndarray, "3"], scale: float) -> str:
    return "OFFSET {:.7f} {:.7f} {:.7f}\n".format(*(metres * scale))
