"""Les figures du rapport sur le DDPM : échantillons, leur formation, et images bruitées puis débruitées."""

from collections.abc import Callable
from typing import Any

import torch

from lab import curves
from lab.epochs import Run, show_images

NOISED_TO = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900)
"""Temps t' jusqu'auxquels des images de test sont bruitées avant d'être débruitées."""

PICTURES = 8


@torch.no_grad()
def make_all(
    model: Any,
    q_sample: Callable[..., torch.Tensor],
    p_sample: Callable[..., torch.Tensor],
    sample: Callable[..., torch.Tensor],
    test_images: torch.Tensor,
    run: Run,
) -> None:
    """Écrit toutes les figures dans `run.output`.

    Args:
        model: le réseau entraîné, en mode évaluation.
        q_sample: q_sample(x_start, t) bruite des images.
        p_sample: p_sample(model, x, t, t_index) les débruite d'un pas.
        sample: sample(model, image_size, batch_size) tire des images ; (T, batch_size, 3, 32, 32).
        test_images: images absentes de l'entraînement, uint8 ; (M, 3, 32, 32).
        run: ce que dit la ligne de commande.
    """
    steps = sample(model, 32, 64)  # (T, 64, 3, 32, 32)
    show_images(steps[-1], run.output / "samples.png", "échantillons du DDPM")
    shown = torch.linspace(0, len(steps) - 1, 11).long()
    way = steps[shown, :PICTURES].transpose(0, 1).flatten(0, 1)  # une ligne pour chaque image
    show_images(way, run.output / "denoising.png", "du bruit aux images, à intervalles de temps égaux", nrow=len(shown))
    draw_reconstructions(model, q_sample, p_sample, test_images, run)


def draw_reconstructions(
    model: Any,
    q_sample: Callable[..., torch.Tensor],
    p_sample: Callable[..., torch.Tensor],
    test_images: torch.Tensor,
    run: Run,
) -> None:
    """Écrit `reconstructions.png`, `distances.csv` et `.png` : images de test bruitées jusqu'à t', puis débruitées."""
    originals = test_images[:PICTURES].to(run.device).float() / 127.5 - 1
    columns, rows = [originals], []
    for last in NOISED_TO:
        x = q_sample(originals, torch.full((PICTURES,), last, device=run.device))
        for t_index in reversed(range(last + 1)):
            x = p_sample(model, x, torch.full((PICTURES,), t_index, device=run.device), t_index)
        columns.append(x)
        rows.append({"t'": float(last), "distance": float((x - originals).square().mean().sqrt())})
    title = f"à gauche : image de test ; puis débruitée de t' = {NOISED_TO[0]} à {NOISED_TO[-1]}"
    grid = torch.stack(columns, dim=1).flatten(0, 1)  # une ligne pour chaque image
    show_images(grid, run.output / "reconstructions.png", title, nrow=len(columns))
    curves.save(rows, run.output / "distances", x="t'", ylabel="racine de l'écart quadratique moyen")
