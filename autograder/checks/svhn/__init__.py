"""Checks that ift6135_h23 and ift6135_a22 share: the VAE and the DDPM of the house numbers."""
