"""Questions 1.7 to 1.9: the figures of the reference report, from the checkpoint of `q1_train_vae.py`.

    python q1_latent_figures.py --output figures

Writes `samples.png`, `traversals.png` and `interpolation.png`, and prints how much each latent factor is used.
Students write their own code for these questions: this file is not part of what they get.
"""

import argparse
from pathlib import Path

import matplotlib
import torch
from lab import checkpoint, pictures
from lab.data import Batches, load
from lab.figures import finish
from q1_train_vae import VAE

OFFSETS = (-3.0, -1.5, 0.0, 1.5, 3.0)
"""What a traversal adds to one coordinate of a code; the prior's standard deviation is 1."""


def samples(model):
    """A hundred images decoded from the prior; (100, 1, 28, 28)."""
    return model.decode(torch.randn(100, 20)).view(100, 1, 28, 28)


def traversals(model):
    """One code from the prior, with each offset added to each coordinate alone; (20 factors, 5 offsets, 1, 28, 28)."""
    z = torch.randn(20)
    moves = torch.eye(20).unsqueeze(1) * torch.tensor(OFFSETS).view(-1, 1)  # (20, 5, 20)
    return model.decode(z + moves).view(20, len(OFFSETS), 1, 28, 28)


def interpolations(model):
    """Between two codes from the prior, alpha = 0, 0.1 .. 1: in latent space, in pixel space; (11, 1, 28, 28) each."""
    z0, z1 = torch.randn(2, 20)
    alpha = torch.linspace(0, 1, 11).view(-1, 1)  # (11, 1), the share of z0
    latent = model.decode(alpha * z0 + (1 - alpha) * z1)  # (11, 784)
    pixel = alpha * model.decode(z0) + (1 - alpha) * model.decode(z1)  # (11, 784)
    return latent.view(11, 1, 28, 28), pixel.view(11, 1, 28, 28)


def kl_of_factors(model, batches):
    """KL(q(z_i|x) || N(0, 1)) of each latent factor, in nats, averaged over the images; (20,)."""
    total = torch.zeros(20)
    for data, _ in batches:
        mu, logvar = model.encode(data.view(-1, 784))  # (B, 20) each
        total += 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(dim=0)
    return total / batches.n_images


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the figures of questions 1.7 to 1.9.")
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/vae/checkpoint.pt"))
    parser.add_argument("--data-root", help="folder with mnist/test.npz; default: download")
    parser.add_argument("--output", type=Path, default=Path("figures"), help="folder for the figures")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    matplotlib.use("Agg")
    torch.manual_seed(args.seed)

    model = VAE()
    checkpoint.fill(model, checkpoint.load(args.checkpoint, "model_state_dict"), args.checkpoint)
    with torch.no_grad():
        finish(pictures.grid(samples(model), columns=10), args.output / "samples.png")
        finish(pictures.traversals(traversals(model), OFFSETS), args.output / "traversals.png")
        finish(pictures.interpolations(*interpolations(model)), args.output / "interpolation.png")
        test_images, test_labels = load("mnist", "test", args.data_root)
        kl = kl_of_factors(model, Batches(test_images, test_labels, batch_size=1000))
    for factor, nats in enumerate(kl.tolist()):
        print(f"latent factor {factor}: KL {nats:.2f} nats")
    print(f"all latent factors: KL {kl.sum():.2f} nats")
