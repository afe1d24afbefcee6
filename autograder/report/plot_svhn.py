"""The models of the assignments on SVHN, ift6135_h23 and ift6135_a22, as the figures need them."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from autograder.report.plot_masters import Masters, watched
from autograder.report.plot_models import Decoder, Noising, Reversal, pixels_of, symmetric, times_of


def images(masters: Masters) -> torch.Tensor:
    """Training images."""
    return masters.images("svhn")


def noisings(masters: Masters) -> list[Noising]:
    """The linear schedule of the DDPM."""
    ddpm = masters.module("ddpm")

    def noised(pixels: torch.Tensor, t: int) -> torch.Tensor:
        return pixels_of(ddpm.q_sample(symmetric(pixels), times_of(pixels, t)))

    return [Noising("linear", ddpm.alphas_cumprod.double(), noised, ddpm.betas.double())]


def reversals(masters: Masters) -> Iterator[Reversal]:
    """The DDPM, with the weights that `ddpm.py` saves, those of --small too."""
    script = f"{masters.assignment.shared_modules['ddpm']}.py"
    state, path = masters.weights(f"results/ddpm/checkpoint.pt, which `python {script}` writes", "average")
    ddpm, unet = masters.module("ddpm"), masters.module("lab.ddpm_unet")
    ddpm.device = "cpu"
    weights = {key.removeprefix("module."): value for key, value in state["average"].items() if key != "n_averaged"}
    small = unet.SmallUnet()
    is_small = weights.keys() == small.state_dict().keys()
    model = small if is_small else unet.Unet(dim=ddpm.image_size, channels=3, dim_mults=(1, 2, 4, 8))
    masters.module("lab.checkpoint").fill(model, {"model_state_dict": weights}, path)
    with watched(model.eval()) as seen:
        final = ddpm.sample(model, ddpm.image_size, masters.settings.limit)[-1]
    yield Reversal("DDPM", pixels_of(torch.stack([*seen, final])), list(range(ddpm.T, -1, -1)))


def decoders(masters: Masters) -> Iterator[Decoder]:
    """The VAE, with the weights that `vae.py` saves, those of --small too."""
    script = f"{masters.assignment.shared_modules['vae']}.py"
    state, path = masters.weights(f"results/vae/checkpoint.pt, which `python {script}` writes", "model")
    vae, weights = masters.module("vae"), state["model"]
    features = len(weights.get("encoder.encoder.0.weight", range(32)))  # fewer with --small
    model = vae.VAE(vae.input_channels, features, features, vae.z_dim, vae.image_size, "cpu").eval()
    masters.module("lab.checkpoint").fill(model, {"model_state_dict": weights}, path)
    yield Decoder("VAE", lambda z: pixels_of(model.decode(z).mode()), (vae.z_dim,))


def generators(masters: Masters) -> Iterator[Decoder]:
    """The generator of the GAN, with the weights that `gan.py` saves."""
    state, path = masters.weights("results/gan/checkpoint.pt, which `python gan.py` writes", "generator")
    gan = masters.module("gan")
    model = gan.Generator(gan.z_dim, gan.input_channels).eval()
    masters.module("lab.checkpoint").fill(model, {"model_state_dict": state["generator"]}, path)
    yield Decoder("GAN", lambda z: pixels_of(model(z)), (gan.z_dim, 1, 1))
