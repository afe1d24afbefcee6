"""Checks of cmput328_f24: FashionMNIST, class-conditional DDPM, DDIM, VAE, latent diffusion."""
