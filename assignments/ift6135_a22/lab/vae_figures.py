"""Les figures du rapport sur le VAE : reconstructions, échantillons, interpolation, latents, log-vraisemblance."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import torch

from lab import curves
from lab.epochs import Run, show_images
from lab.figures import finish

PAIRS = 8
LATENT_IMAGES = 500
"""Nombre d'images de chaque classe dont on moyenne les latents."""

LIKELIHOOD_IMAGES = 200
SAMPLE_COUNTS = (1, 3, 10, 30, 100, 300)
"""Nombres K de latents par image dans l'estimation de la log-vraisemblance."""


@torch.no_grad()
def make_all(
    model: Any,
    interpolate: Callable[..., torch.Tensor],
    images: torch.Tensor,
    labels: torch.Tensor,
    test_images: torch.Tensor,
    run: Run,
) -> None:
    """Écrit toutes les figures dans `run.output`.

    Args:
        model: le VAE entraîné, en mode évaluation.
        interpolate: interpolate(model, z_1, z_2, n_samples) décode des points entre deux latents (1, z_dim).
        images: images d'entraînement, uint8 ; (N, 3, 32, 32).
        labels: leurs classes, int64 ; (N,).
        test_images: images absentes de l'entraînement, uint8 ; (M, 3, 32, 32).
        run: ce que dit la ligne de commande.
    """
    held_out = _scaled(test_images[:32], run)
    both = torch.stack([held_out, model(held_out)[0]], dim=1).flatten(0, 1)  # originale, reconstruction, originale ...
    show_images(both, run.output / "reconstructions.png", "images de test, leur reconstruction à droite")
    show_images(model.sample(64), run.output / "samples.png", "échantillons du VAE")
    draw_interpolations(model, interpolate, run)
    draw_latent_profiles(model, images, labels, run)
    measure_log_likelihood(model, test_images, run)


def draw_interpolations(model: Any, interpolate: Callable[..., torch.Tensor], run: Run) -> None:
    """Écrit `interpolation.png` : chaque paire de latents, dans l'espace latent et, au-dessous, entre les pixels."""
    rows = []
    for _ in range(PAIRS // 2):
        ends = torch.randn(2, 1, model.z_dim, device=run.device)
        latent = interpolate(model, ends[0], ends[1], 11)  # (11, 3, 32, 32)
        share = torch.linspace(0, 1, 11, device=run.device).view(-1, 1, 1, 1)
        rows += [latent, (1 - share) * latent[:1] + share * latent[-1:]]
    title = "entre deux latents : espace latent et, au-dessous, pixels"
    show_images(torch.cat(rows), run.output / "interpolation.png", title, nrow=11)


def draw_latent_profiles(model: Any, images: torch.Tensor, labels: torch.Tensor, run: Run) -> None:
    """Écrit `latent_profiles.png` : le vecteur latent moyen de chaque classe, en barres."""
    classes = labels.unique().tolist()
    profiles = []
    for label in classes:
        chosen = images[labels == label][:LATENT_IMAGES]
        means = torch.cat([model.encode(_scaled(chunk, run)).mean for chunk in chosen.split(100)])
        profiles.append(means.mean(dim=0).cpu())  # (z_dim,)
    figure, axes = plt.subplots(len(classes), 1, figsize=(8, 1.1 * len(classes) + 0.6), sharex=True, sharey=True)
    for axis, label, profile in zip(axes, classes, profiles, strict=True):
        axis.bar(range(len(profile)), profile.tolist())
        axis.set_ylabel(f"{label}", rotation=0)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel(f"variable latente ; moyenne de q(z|x) sur {LATENT_IMAGES} images d'entraînement par classe")
    finish(figure, path=run.output / "latent_profiles.png")


def measure_log_likelihood(model: Any, test_images: torch.Tensor, run: Run) -> None:
    """Écrit `log_likelihood.csv` et `.png` : l'estimation de log p(x) pour K croissant ; affiche l'ELBO."""
    x = _scaled(test_images[:LIKELIHOOD_IMAGES], run)
    _, nll, kl = model(x)
    print(f"ELBO, un latent pour chacune des {len(x)} images de test : {float(-(nll + kl).mean()):.2f} nats")
    rows = []
    for count in SAMPLE_COUNTS:
        estimate = float(torch.cat([model.log_likelihood(chunk, count) for chunk in x.split(50)]).mean())
        print(f"log p(x) avec K = {count} : {estimate:.2f} nats")
        rows.append({"K": float(count), "log p(x)": estimate})
    curves.save(rows, run.output / "log_likelihood", x="K", ylabel="nats par image", xscale="log")


def _scaled(images: torch.Tensor, run: Run) -> torch.Tensor:
    return images.to(run.device).float() / 127.5 - 1
