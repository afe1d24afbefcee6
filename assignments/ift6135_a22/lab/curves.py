"""Courbes de perte : un tableau CSV et une image PNG."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from lab import pictures
from lab.figures import finish


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

    figure = pictures.curves(rows, x, ylabel, xscale)
    finish(figure, path=stem.with_name(f"{stem.name}.png"))
