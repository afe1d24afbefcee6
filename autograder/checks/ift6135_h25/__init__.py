"""Checks of ift6135_h25: MNIST, VAE, DDPM, classifier-free guidance."""
