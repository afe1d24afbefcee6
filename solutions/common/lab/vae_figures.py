"""The figures of the report on the VAE: reconstructions, samples, interpolation, latent profiles, log-likelihood."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import torch

from lab import curves
from lab.epochs import Run, show_images
from lab.figures import finish

PAIRS = 8
LATENT_IMAGES = 500
"""Images of each class whose latents are averaged."""

LIKELIHOOD_IMAGES = 200
SAMPLE_COUNTS = (1, 3, 10, 30, 100, 300)
"""Numbers K of latents for each image in the estimate of the log-likelihood."""


@torch.no_grad()
def make_all(
    model: Any,
    interpolate: Callable[..., torch.Tensor],
    images: torch.Tensor,
    labels: torch.Tensor,
    test_images: torch.Tensor,
    run: Run,
) -> None:
    """Write all figures to `run.output`.

    Args:
        model: the trained VAE, in evaluation mode.
        interpolate: interpolate(model, z_1, z_2, n_samples) decodes points between two latents (1, z_dim).
        images: training images, uint8; (N, 3, 32, 32).
        labels: their classes, int64; (N,).
        test_images: images that were not trained on, uint8; (M, 3, 32, 32).
        run: what the command line says.
    """
    held_out = _scaled(test_images[:32], run)
    both = torch.stack([held_out, model(held_out)[0]], dim=1).flatten(0, 1)  # original, reconstruction, original ...
    show_images(both, run.output / "reconstructions.png", "test images, each with its reconstruction on the right")
    show_images(model.sample(64), run.output / "samples.png", "samples of the VAE")
    draw_interpolations(model, interpolate, run)
    draw_latent_profiles(model, images, labels, run)
    measure_log_likelihood(model, test_images, run)


def draw_interpolations(model: Any, interpolate: Callable[..., torch.Tensor], run: Run) -> None:
    """Write `interpolation.png`: a row for each pair of latents, in latent space and, below, in pixel space."""
    rows = []
    for _ in range(PAIRS // 2):
        ends = torch.randn(2, 1, model.z_dim, device=run.device)
        latent = interpolate(model, ends[0], ends[1], 11)  # (11, 3, 32, 32)
        share = torch.linspace(0, 1, 11, device=run.device).view(-1, 1, 1, 1)
        rows += [latent, (1 - share) * latent[:1] + share * latent[-1:]]
    title = "between two latents: in latent space, and below in pixel space"
    show_images(torch.cat(rows), run.output / "interpolation.png", title, nrow=11)


def draw_latent_profiles(model: Any, images: torch.Tensor, labels: torch.Tensor, run: Run) -> None:
    """Write `latent_profiles.png`: the mean latent of each class, as bars."""
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
    axes[-1].set_xlabel(f"latent variable; mean of q(z|x) over {LATENT_IMAGES} training images of each class")
    finish(figure, path=run.output / "latent_profiles.png")


def measure_log_likelihood(model: Any, test_images: torch.Tensor, run: Run) -> None:
    """Write `log_likelihood.csv` and `.png`: the estimate of log p(x) for growing K; print the ELBO."""
    x = _scaled(test_images[:LIKELIHOOD_IMAGES], run)
    _, nll, kl = model(x)
    print(f"ELBO, one latent for each of {len(x)} test images: {float(-(nll + kl).mean()):.2f} nats")
    rows = []
    for count in SAMPLE_COUNTS:
        estimate = float(torch.cat([model.log_likelihood(chunk, count) for chunk in x.split(50)]).mean())
        print(f"log p(x) with K = {count}: {estimate:.2f} nats")
        rows.append({"K": float(count), "log p(x)": estimate})
    curves.save(rows, run.output / "log_likelihood", x="K", ylabel="nats per image", xscale="log")


def _scaled(images: torch.Tensor, run: Run) -> torch.Tensor:
    return images.to(run.device).float() / 127.5 - 1
