"""Loss curves: a table as CSV and a picture as PNG."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from lab import pictures
from lab.figures import finish


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

    figure = pictures.curves(rows, x, ylabel, xscale)
    finish(figure, path=stem.with_name(f"{stem.name}.png"))
