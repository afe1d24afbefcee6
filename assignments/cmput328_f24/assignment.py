"""The models that you train and hand in: fill in the sizes of your networks.

Each function returns a new, untrained model on the CPU. The weights of `checkpoints/` are loaded into it, so its
networks have to be those that you trained.
"""

import torch
from models import DDIM, DDPM, LDDPM, VAE, UNet, VarianceScheduler


def prepare_ddpm() -> DDPM:
    """The DDPM of task 1."""
    var_scheduler = VarianceScheduler(beta_start=1e-4, beta_end=0.02, num_steps=1000, interpolation="quadratic")
    network = UNet(in_channels=1, down_channels=(48, 96, 128), up_channels=(128, 96, 48), num_classes=10)
    return DDPM(network=network, var_scheduler=var_scheduler)


def prepare_ddim() -> DDIM:
    """The DDIM of task 2."""
    var_scheduler = VarianceScheduler(beta_start=1e-4, beta_end=0.02, num_steps=1000, interpolation="quadratic")
    network = UNet(in_channels=1, down_channels=(48, 96, 128), up_channels=(128, 96, 48), num_classes=10)
    return DDIM(network=network, var_scheduler=var_scheduler)


def prepare_vae() -> VAE:
    """The VAE of task 3."""
    return VAE(in_channels=1, height=32, width=32, mid_channels=(16, 32, 64, 96), latent_dim=4, num_classes=10)


def prepare_lddpm() -> LDDPM:
    """The latent DDPM of task 4, on the VAE that you have trained."""
    vae = prepare_vae()
    vae.load_state_dict(torch.load("checkpoints/VAE.pt", map_location="cpu", weights_only=True))  # keep this line
    var_scheduler = VarianceScheduler(beta_start=1e-4, beta_end=0.02, num_steps=1000, interpolation="quadratic")
    network = UNet(in_channels=vae.latent_dim, down_channels=(64, 64), up_channels=(64, 64), num_classes=10, patch=1)
    return LDDPM(network=network, vae=vae, var_scheduler=var_scheduler)
