"""Loss curves: a table as CSV and a picture as PNG."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from lab.figures import finish

SMOOTH_FROM = 300
"""A curve of at least this many points is drawn with a moving average."""


def save(rows: Sequence[dict[str, float]], stem: str | Path, x: str, ylabel: str, xscale: str = "linear") -> None:
    """Write `<stem>.csv` and `<stem>.png`; a former version of them is replaced.

    Args:
        rows: one dictionary for each point, all with the same keys: `x` and one key for each curve.
        stem: path of the files without the ending; the folder is made if it is missing.
        x: key of the horizontal axis, such as `epoch` or `step`.
        ylabel: what the curves are, with the unit.
        xscale: scale of the horizontal axis, `linear` or `log`.

    Raises:
        ValueError: there is no row.
    """
    if not rows:
        raise ValueError(f"there is no loss to write to {stem}.csv yet; train at least one epoch first")
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    partial = stem.with_name(f"{stem.name}.csv.partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, stem.with_name(f"{stem.name}.csv"))

    figure, axis = plt.subplots(figsize=(6, 4))
    places = [row[x] for row in rows]
    for name in rows[0]:
        if name != x:
            _draw(axis, places, [row[name] for row in rows], name)
    axis.set(xlabel=x, ylabel=ylabel, xscale=xscale)
    if xscale == "linear":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    axis.grid(alpha=0.3)
    finish(figure, path=stem.with_name(f"{stem.name}.png"))


def _draw(axis: plt.Axes, places: list[float], values: list[float], name: str) -> None:
    if len(values) < SMOOTH_FROM:
        axis.plot(places, values, marker="." if len(values) <= 50 else "", label=name)
        return
    width = SMOOTH_FROM // 3
    (line,) = axis.plot(places, values, linewidth=0.5, alpha=0.35)
    means = np.convolve(values, np.full(width, 1 / width), mode="valid")
    middles = places[width // 2 :][: len(means)]
    axis.plot(middles, means, color=line.get_color(), label=f"{name}, mean of {width}")
    axis.set_yscale("log")
