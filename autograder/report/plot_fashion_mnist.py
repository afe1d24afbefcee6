"""The models of the assignment on FashionMNIST, cmput328_f24, as the figures need them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from autograder.report.plot_masters import Masters, PlotError, watched
from autograder.report.plot_models import Decoder, Noising, Reversal, pixels_of, symmetric, times_of
from autograder.scoring.classifier import as_pixels


def images(masters: Masters) -> torch.Tensor:
    """Training images with the black border that the models work with."""
    return F.pad(masters.images("fashion_mnist"), (2, 2, 2, 2))


def noisings(masters: Masters) -> list[Noising]:
    """The linear and the quadratic schedule."""
    found = []
    for name in ("linear", "quadratic"):
        scheduler = masters.module("models").VarianceScheduler(interpolation=name)
        betas = scheduler.betas.double()
        found.append(Noising(name, torch.cumprod(1 - betas, dim=0), _added(scheduler), betas))
    return found


def _added(scheduler: Any) -> Callable[[torch.Tensor, int], torch.Tensor]:
    return lambda pixels, t: pixels_of(scheduler.add_noise(symmetric(pixels), times_of(pixels, t))[0])


def reversals(masters: Masters) -> Iterator[Reversal]:
    """DDPM, DDIM and latent DDPM, with the weights that the assignment ships, or the one that --checkpoint names."""
    for name in _named(masters, "DDPM", "DDIM", "LDDPM"):
        model = _shipped(masters, name)
        count = masters.settings.limit
        torch.manual_seed(masters.settings.seed)
        labels = torch.arange(count) % 10
        with watched(model.network) as seen:
            final = model.generate_sample(count, device="cpu", labels=labels)
        shown = torch.linspace(0, len(seen), 11).round().long().tolist()  # a latent is decoded only where it is shown
        between = [model.vae.decode(seen[step], labels) if name == "LDDPM" else seen[step] for step in shown[:-1]]
        total = model.var_scheduler.num_steps
        times = [round(total * (1 - step / len(seen))) for step in shown]
        yield Reversal(name, torch.stack([as_pixels(images, name) for images in [*between, final]]), times)


def decoders(masters: Masters) -> Iterator[Decoder]:
    """The VAE, for a class that the seed chooses."""
    (name,) = _named(masters, "VAE")
    model = _shipped(masters, name)
    label = int(torch.randint(model.num_classes, ()))
    shape = (model.latent_dim, *model.mid_size[1:])
    yield Decoder("VAE", lambda z: model.decode(z, torch.full((len(z),), label)), shape)


def _named(masters: Masters, *names: str) -> tuple[str, ...]:
    """All models, or the one whose checkpoint is named."""
    path = masters.settings.checkpoint
    if path is None:
        return names
    if path.stem not in names:
        files = ", ".join(f"{name}.pt" for name in names)
        raise PlotError(f"{path.name} is no checkpoint for this figure; name one of {files}, as main.py writes them")
    return (path.stem,)


def _shipped(masters: Masters, name: str) -> Any:
    folder = masters.assignment.master(masters.assignment.files[0]).parent
    path = (masters.settings.checkpoint or folder / "checkpoints" / f"{name}.pt").absolute()
    state = masters.module("lab.checkpoint").load(path)
    with _working_in(folder):  # prepare_lddpm reads checkpoints/VAE.pt, as it does in a student's folder
        model = getattr(masters.module("assignment"), f"prepare_{name.lower()}")()
    masters.module("trainers").load_weights(model, state, path)
    return model.eval()


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
