"""Which frame of the clip a detection belongs to: the number that counts up in what the file calls frames."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

_ENDING: Final = re.compile(r"\.(jpe?g|png|bmp|tiff?|webp|json|txt|npy|csv)$", re.IGNORECASE)
"""Nothing else is cut off: ``shot.0012`` ends in its number."""
_DECIDES: Final = 2.0
"""An order in which people move so many times less than in any other is the right one."""
_FEWEST: Final = (10, 100)
"""Numbers may be so many times as many as frames, and so many more."""
_LARGEST: Final = 2**31

Movement = Callable[[Mapping[int | str, int]], float]
"""How far people move from frame to frame if these are the frames' numbers."""


def frame_numbers(
    frames: Sequence[int | str], source: object, movement: Movement | None = None
) -> dict[int | str, int]:
    """Each frame's number.

    Where names hold several numbers, the one that counts up frame by frame is taken. If two would put the
    frames in different orders, the order in which people move far less is taken, with a warning.

    Args:
        frames: numbers, or names such as ``frame_000012_t0.400.jpg``; each once.
        source: what the messages call the file.
        movement: tells which of two orders is right.

    Raises:
        ValueError: names without such a number, with several that contradict each other, or numbers too far
            apart to be one clip's.
    """
    names = [str(frame) for frame in frames]
    if all(isinstance(frame, int) for frame in frames):
        numbers = [int(frame) for frame in frames]
    elif len(names) == 1:
        numbers = [int((re.findall(r"\d+", names[0]) or ["0"])[-1])]
    else:
        numbers = _counting(names, frames, source, movement)
    _check(numbers, source)
    return dict(zip(frames, numbers, strict=True))


def _counting(
    names: list[str], frames: Sequence[int | str], source: object, movement: Movement | None
) -> list[int]:
    columns = _number_columns([_ENDING.sub("", name) for name in names])
    changing = [column for column in columns if len(set(column)) > 1]
    if not changing:
        raise ValueError(
            f"{source}: frames are named {', '.join(names[:3])}; wanted names with a number that counts up "
            "frame by frame, such as frame_000012.jpg"
        )
    counting = [column for column in changing if len(set(column)) == len(column)]
    if not counting:
        raise _repeated(names, changing[-1], source)
    orders: dict[tuple[int, ...], list[list[int]]] = {}
    for column in counting:
        orders.setdefault(tuple(np.argsort(column).tolist()), []).append(column)
    alike = list(orders.values())
    if len(alike) > 1:
        alike = [_smoothest(alike, names, frames, source, movement)]
    # the densest of those that agree counts frames; others are times
    return min(alike[0], key=lambda column: (max(column) - min(column), min(column)))


def _number_columns(stems: list[str]) -> list[list[int]]:
    """The numbers that stand at the same place in every name: counted from its start, and from its end."""
    parts = [re.split(r"(\d+)", stem) for stem in stems]  # text, number, text, number, …, text
    shortest = min(len(part) for part in parts)
    ahead = 1
    while ahead < shortest and len({part[ahead - 1] for part in parts}) == 1:
        ahead += 2
    columns = [[int(part[i]) for part in parts] for i in range(1, ahead, 2)]
    if len({len(part) for part in parts}) == 1 and ahead > shortest - 1:
        return columns
    behind = -2
    while -behind < shortest and len({part[behind + 1] for part in parts}) == 1:
        columns.append([int(part[behind]) for part in parts])
        behind -= 2
    return columns


def _smoothest(
    alike: list[list[list[int]]],
    names: list[str],
    frames: Sequence[int | str],
    source: object,
    movement: Movement | None,
) -> list[list[int]]:
    """Of columns that order the frames differently, those in whose order people move far less."""
    shown = [str(columns[0][0]) for columns in alike]
    if movement is not None:
        moved = [movement(dict(zip(frames, columns[0], strict=True))) for columns in alike]
        best, second = np.argsort(moved)[:2].tolist()
        if moved[second] > _DECIDES * moved[best] and math.isfinite(moved[best]):
            others = ", ".join(number for i, number in enumerate(shown) if i != best)
            warnings.warn(
                f"{source}: names such as {names[0]} hold several numbers; took the one that is "
                f"{shown[best]} there for the frame's, not {others}: the person moves "
                f"{moved[second] / moved[best]:.0f} times less from frame to frame",
                stacklevel=5,
            )
            return alike[best]
    raise ValueError(
        f"{source}: which number counts the frames? In {names[0]} they are {' and '.join(shown)}, and they "
        "put the frames in different orders; wanted names with one number that counts up"
    )


def _repeated(names: list[str], column: list[int], source: object) -> ValueError:
    twice = next(number for number in column if column.count(number) > 1)
    both = [name for name, number in zip(names, column, strict=True) if number == twice]
    return ValueError(f"{source}: frame {twice} twice ({', '.join(both[:3])}); wanted one camera's frames")


def _check(numbers: Sequence[int], source: object) -> None:
    """See that these can be the frames of one clip."""
    ordered = sorted(numbers)
    repeated = [a for a, b in pairwise(ordered) if a == b]
    if repeated:
        raise ValueError(f"{source}: frame {repeated[0]} twice; wanted one camera's frames")
    length = ordered[-1] - ordered[0] + 1
    if ordered[0] < 0 or ordered[-1] > _LARGEST or length > _FEWEST[0] * len(ordered) + _FEWEST[1]:
        raise ValueError(
            f"{source}: frame numbers run from {ordered[0]} to {ordered[-1]} but there are only "
            f"{len(ordered)} frames; wanted consecutive frame numbers"
        )
    step = math.gcd(*(b - a for a, b in pairwise(ordered)))
    if step > 1 and len(ordered) > 2:
        warnings.warn(
            f"{source}: only every {step}th frame is there ({', '.join(map(str, ordered[:3]))}, …); the rate "
            "is that of the video, all of whose frames are counted",
            stacklevel=4,
        )
