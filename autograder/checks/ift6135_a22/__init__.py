"""The hidden checks of ift6135_a22: VAE, GAN and DDPM on SVHN, in a French course."""
