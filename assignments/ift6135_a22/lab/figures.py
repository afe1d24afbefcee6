"""La fin de chaque figure : enregistrée, montrée là où quelqu'un peut la voir, et fermée."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

_FILES_ONLY = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}


def finish(figure: Figure, path: str | Path | None = None, show: bool = False) -> None:
    """Enregistre, montre et ferme une figure.

    Args:
        figure: la figure.
        path: où elle est enregistrée ; le dossier est créé s'il manque ; None, elle n'est pas enregistrée.
        show: la montrer, dans un carnet ou une fenêtre ; sans effet là où matplotlib n'écrit que des fichiers.
    """
    figure.tight_layout()
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100, bbox_inches="tight")
    if show and matplotlib.get_backend().lower() not in _FILES_ONLY:
        plt.show()
    plt.close(figure)
