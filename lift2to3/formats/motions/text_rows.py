"""Tables of numbers as text, fast."""

from __future__ import annotations

from typing import Final, TextIO

import numpy as np
from jaxtyping import Float

_ROWS_AT_ONCE: Final = 256


def write_rows(
    file: TextIO,
    table: Float[np.ndarray, "rows columns"],
    forms: list[str],
    between: str,
    missing: str = "nan",
) -> None:
    """The table as text, a row a line; one formatting call for many rows, which is what makes it fast."""
    line = between.join(forms) + "\n"
    for start in range(0, len(table), _ROWS_AT_ONCE):
        rows = table[start : start + _ROWS_AT_ONCE]
        file.write((line * len(rows) % tuple(rows.ravel().tolist())).replace("nan", missing))
