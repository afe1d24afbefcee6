"""The figures of the report on the DDPM: samples, the way to them, and images that are noised and denoised again."""

from collections.abc import Callable
from typing import Any

import torch

from lab import curves
from lab.epochs import Run, show_images

NOISED_TO = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900)
"""Times t' to which test images are noised before they are denoised."""

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
    """Write all figures to `run.output`.

    Args:
        model: the trained network, in evaluation mode.
        q_sample: q_sample(x_start, t) noises images.
        p_sample: p_sample(model, x, t, t_index) denoises them by one step.
        sample: sample(model, image_size, batch_size) draws images; (T, batch_size, 3, 32, 32).
        test_images: images that were not trained on, uint8; (M, 3, 32, 32).
        run: what the command line says.
    """
    steps = sample(model, 32, 64)  # (T, 64, 3, 32, 32)
    show_images(steps[-1], run.output / "samples.png", "samples of the DDPM")
    shown = torch.linspace(0, len(steps) - 1, 11).long()
    way = steps[shown, :PICTURES].transpose(0, 1).flatten(0, 1)  # a row for each image
    show_images(way, run.output / "denoising.png", "from noise to images, in equal steps of time", nrow=len(shown))
    draw_reconstructions(model, q_sample, p_sample, test_images, run)


def draw_reconstructions(
    model: Any,
    q_sample: Callable[..., torch.Tensor],
    p_sample: Callable[..., torch.Tensor],
    test_images: torch.Tensor,
    run: Run,
) -> None:
    """Write `reconstructions.png`, `distances.csv` and `distances.png`: test images noised to t' and denoised again."""
    originals = test_images[:PICTURES].to(run.device).float() / 127.5 - 1
    columns, rows = [originals], []
    for last in NOISED_TO:
        x = q_sample(originals, torch.full((PICTURES,), last, device=run.device))
        for t_index in reversed(range(last + 1)):
            x = p_sample(model, x, torch.full((PICTURES,), t_index, device=run.device), t_index)
        columns.append(x)
        rows.append({"t'": float(last), "distance": float((x - originals).square().mean().sqrt())})
    title = f"left: test image; then denoised from t' = {NOISED_TO[0]} up to {NOISED_TO[-1]}"
    grid = torch.stack(columns, dim=1).flatten(0, 1)  # a row for each image
    show_images(grid, run.output / "reconstructions.png", title, nrow=len(columns))
    curves.save(rows, run.output / "distances", x="t'", ylabel="root mean square difference")
