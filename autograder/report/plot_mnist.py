"""The models of the assignment on MNIST, ift6135_h25, as the figures need them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional as F

from autograder.report.plot_masters import Masters, watched
from autograder.report.plot_models import Decoder, Noising, Reversal, times_of

GUIDANCE_SCALES = (0.0, 0.5, 1.0, 2.0, 4.0)
GUIDANCE_STEPS = 100
"""The network of the guided model is not told the time, so that its sampler may take fewer steps than it was trained
with: a tenth of the time for almost the same images."""


def images(masters: Masters) -> torch.Tensor:
    """Training images, scaled to the size that the diffusion models work with."""
    return F.interpolate(masters.images("mnist"), size=32, mode="bilinear", antialias=True)


def noisings(masters: Masters) -> list[Noising]:
    """The DDPM with its linear schedule, and the guided model with its cosine schedule."""
    steps = masters.module("ddpm_utils.args").args.n_steps
    ddpm = masters.module("q2_ddpm").DenoiseDiffusion(None, steps, "cpu")
    cfg = masters.module("q3_cfg_diffusion").CFGDiffusion(None, steps, "cpu")
    lambdas = cfg.get_lambda(torch.arange(steps)).double().flatten()

    def guided(pixels: torch.Tensor, t: int) -> torch.Tensor:
        return cfg.q_sample(pixels, cfg.get_lambda(times_of(pixels, t)), torch.randn_like(pixels))

    betas = ddpm.beta.double()
    return [
        Noising(
            "linear",
            torch.cumprod(1 - betas, dim=0),
            lambda pixels, t: ddpm.q_sample(pixels, times_of(pixels, t)),
            betas,
        ),
        Noising("cosine", lambdas.sigmoid(), guided, None),
    ]


def reversals(masters: Masters) -> Iterator[Reversal]:
    """The trainer's own sampler, with the weights that `train_ddpm.py` saves."""
    state, path = masters.weights("eps_model.pkl, which `python train_ddpm.py` writes", "model_state_dict")
    args = masters.module("ddpm_utils.args").args
    args.update(device="cpu", nb_save=None, n_samples=masters.settings.limit)
    network = masters.module("ddpm_utils.unet").UNet(c_in=args.image_channels, c_out=args.image_channels)
    masters.module("lab.checkpoint").fill(network, state, path)
    diffusion = masters.module("q2_ddpm").DenoiseDiffusion(network.eval(), args.n_steps, "cpu")
    trainer = masters.module("q2_trainer_ddpm").Trainer(args, network, diffusion)
    with watched(network) as seen:
        final = trainer.sample()
    yield Reversal("DDPM", torch.stack([*seen, final]), list(range(args.n_steps, -1, -1)))


def guidance(masters: Masters) -> tuple[torch.Tensor, tuple[float, ...]]:
    """Digits drawn with each guidance scale from the same noise; (scales, N, 1, 32, 32) and the scales."""
    state, path = masters.weights("eps_model_cfg.pkl, which `python train_cfg.py` writes", "model_state_dict")
    args = masters.module("cfg_utils.args").args
    count = masters.settings.limit
    args.update(device="cpu", nb_save=None, n_samples=count, n_steps=GUIDANCE_STEPS)
    network = masters.module("cfg_utils.unet").UNet_conditional(
        c_in=args.image_channels, c_out=args.image_channels, num_classes=10
    )
    masters.module("lab.checkpoint").fill(network, state, path)
    diffusion = masters.module("q3_cfg_diffusion").CFGDiffusion(network, args.n_steps, "cpu")
    trainer = masters.module("q3_trainer_cfg").Trainer(args, network, diffusion)
    rows = []
    for scale in GUIDANCE_SCALES:
        torch.manual_seed(masters.settings.seed)
        rows.append(trainer.sample(labels=torch.arange(count) % 10, cfg_scale=scale))
    return torch.stack(rows), GUIDANCE_SCALES


def decoders(masters: Masters) -> Iterator[Decoder]:
    """The VAE, with the weights that `q1_train_vae.py` saves."""
    state, path = masters.weights("runs/vae/checkpoint.pt, which `python q1_train_vae.py` writes", "model_state_dict")
    model = masters.module("q1_train_vae").VAE().eval()
    masters.module("lab.checkpoint").fill(model, state, path)
    yield Decoder("VAE", lambda z: model.decode(z).view(-1, 1, 28, 28), (20,))
