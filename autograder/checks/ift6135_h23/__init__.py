"""The hidden checks of ift6135_h23: VAE and DDPM on SVHN, SimSiam on CIFAR-10."""
