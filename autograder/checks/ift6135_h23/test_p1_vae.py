"""Part 1: the VAE, shared with ift6135_a22."""

from autograder.checks.svhn.test_vae import *
from autograder.checks.svhn.test_vae_distribution import *
from autograder.checks.svhn.test_vae_known_results import *
from autograder.checks.svhn.test_vae_likelihood import *
