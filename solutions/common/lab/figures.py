"""How every figure ends: saved, shown where somebody can see it, and closed."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

_FILES_ONLY = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}


def finish(figure: Figure, path: str | Path | None = None, show: bool = False) -> None:
    """Save, show and close a figure.

    Args:
        figure: the figure.
        path: where it is saved; the folder is made if it is missing; None: not saved.
        show: show it, in a notebook or a window; no effect where matplotlib only writes files.
    """
    figure.tight_layout()
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100, bbox_inches="tight")
    if show and matplotlib.get_backend().lower() not in _FILES_ONLY:
        plt.show()
    plt.close(figure)
