"""The sweep's plot: errors of every row, and the validation root error over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.sweep.results import curve_of, result_at
from experiments.sweep.rows import POINTMAP_PAIRS, Size, seeds_of
from lift2to3.whole_file import whole_file

SHOWN = {"mpjpe": "MPJPE", "abs_mpjpe": "Abs-MPJPE"}


def draw(rows: Sequence[str], size: Size, run: Path, path: Path) -> None:
    """The plot: each row's MPJPE and Abs-MPJPE, a dot a seed, and the convergence curves."""
    pairs = len(POINTMAP_PAIRS)
    figure = Figure(figsize=(11, 0.28 * len(rows) + 5), layout="constrained")
    grid = figure.add_gridspec(2, 2 * pairs, height_ratios=[0.28 * len(rows) + 1, 3.2])
    for k, (name, title) in enumerate(SHOWN.items()):
        axes = figure.add_subplot(grid[0, k * pairs : (k + 1) * pairs])
        for height, row in enumerate(rows):
            for seed in seeds_of(row, size):
                scores = result_at(row, seed, size, run).scores
                for noise, colour in (("gt", "tab:blue"), ("noisy", "tab:orange")):
                    value = scores.get(("smpl22", noise), {}).get(name)
                    if value is not None:
                        label = noise if (height, seed) == (0, 0) else None
                        axes.plot(value, height, "o", color=colour, markersize=4, label=label)
        axes.set(xlabel=f"{title}, mm", ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticks(range(len(rows)), rows if k == 0 else [""] * len(rows))
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    for k, pair in enumerate(POINTMAP_PAIRS):
        axes = figure.add_subplot(grid[1, 2 * k : 2 * k + 2])
        for row, colour in zip(pair, ("tab:blue", "tab:red"), strict=True):
            for seed in seeds_of(row, size):
                curve = curve_of(row, seed, size, run)
                label = row if seed == 0 else None
                axes.plot(*np.array(curve).reshape(-1, 2).T, color=colour, label=label, linewidth=1)
        axes.set(xlabel="step", ylabel="validation root error, mm" if k == 0 else "")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize="small")
    with whole_file(path) as part:
        figure.savefig(part, dpi=110, format="png")
