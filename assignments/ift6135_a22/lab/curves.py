"""Courbes de perte : un tableau CSV et une image PNG."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from lab.figures import finish

SMOOTH_FROM = 300
"""Une courbe d'au moins ce nombre de points est tracée avec une moyenne mobile."""


def save(rows: Sequence[dict[str, float]], stem: str | Path, x: str, ylabel: str, xscale: str = "linear") -> None:
    """Écrit `<stem>.csv` et `<stem>.png`, et remplace leur version précédente.

    Args:
        rows: un dictionnaire pour chaque point, tous avec les mêmes clés : `x` et une clé pour chaque courbe.
        stem: chemin des fichiers sans l'extension ; le dossier est créé s'il manque.
        x: clé de l'axe horizontal, comme `epoch` ou `step`.
        ylabel: ce que sont les courbes, avec l'unité.
        xscale: échelle de l'axe horizontal, `linear` ou `log`.

    Raises:
        ValueError: il n'y a aucune ligne.
    """
    if not rows:
        raise ValueError(f"il n'y a pas encore de perte à écrire dans {stem}.csv ; entraînez d'abord au moins une "
                         f"époque")
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
    axis.plot(middles, means, color=line.get_color(), label=f"{name}, moyenne sur {width}")
    axis.set_yscale("log")
