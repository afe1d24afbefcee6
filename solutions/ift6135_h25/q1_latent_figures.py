"""Questions 1.7 to 1.9: the figures of the reference report, from the checkpoint of `q1_train_vae.py`.

    python q1_latent_figures.py --output figures

Writes `samples.png`, `traversals.png` and `interpolation.png`, and prints how much each latent factor is used.
Students write their own code for these questions: this file is not part of what they get.
"""

import argparse
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import torch
from lab import checkpoint
from lab.data import Batches, load
from lab.figures import finish
from q1_train_vae import VAE

OFFSETS = (-3.0, -1.5, 0.0, 1.5, 3.0)
"""What a traversal adds to one coordinate of a code; the prior's standard deviation is 1."""


def mosaic(pixels):
    """Put images (rows, columns, 784) side by side: one image (28 rows, 28 columns)."""
    rows, columns = pixels.shape[:2]
    return pixels.view(rows, columns, 28, 28).transpose(1, 2).reshape(28 * rows, 28 * columns)


def draw(pixels, path, row_labels=(), column_labels=(), xlabel="", ylabel=""):
    """Save images (rows, columns, 784) as one picture with a label for each row and column."""
    rows, columns = pixels.shape[:2]
    figure, axis = plt.subplots(figsize=(0.45 * columns + 0.8, 0.45 * rows + 0.6))
    axis.imshow(mosaic(pixels), cmap="gray_r", vmin=0, vmax=1)
    axis.set_xticks([28 * i + 14 for i in range(len(column_labels))], column_labels)
    axis.set_yticks([28 * i + 14 for i in range(len(row_labels))], row_labels)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.tick_params(length=0, labelsize=8)
    finish(figure, path=path)


def samples(model):
    """Ten rows of ten images decoded from the prior; (10, 10, 784)."""
    return model.decode(torch.randn(100, 20)).view(10, 10, 784)


def traversals(model):
    """One code from the prior, with each offset added to each coordinate alone; (5 offsets, 20 factors, 784)."""
    z = torch.randn(20)
    moves = torch.tensor(OFFSETS).view(-1, 1, 1) * torch.eye(20)  # (5, 20, 20)
    return model.decode(z + moves)


def interpolations(model):
    """Between two codes from the prior, alpha = 0, 0.1 .. 1: in latent space, then in pixel space; (2, 11, 784)."""
    z0, z1 = torch.randn(2, 20)
    alpha = torch.linspace(0, 1, 11).view(-1, 1)  # (11, 1)
    latent = model.decode(alpha * z0 + (1 - alpha) * z1)  # (11, 784)
    pixel = alpha * model.decode(z0) + (1 - alpha) * model.decode(z1)  # (11, 784)
    return torch.stack([latent, pixel])


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
    factors = [str(i) for i in range(20)]
    alphas = [f"{i / 10:g}" for i in range(11)]
    with torch.no_grad():
        draw(samples(model), args.output / "samples.png")
        draw(
            traversals(model),
            args.output / "traversals.png",
            row_labels=[f"{offset:+g}" for offset in OFFSETS],
            column_labels=factors,
            xlabel="latent factor",
            ylabel="added to it",
        )
        draw(
            interpolations(model),
            args.output / "interpolation.png",
            row_labels=["latent", "pixel"],
            column_labels=alphas,
            xlabel="alpha",
        )
        test_images, test_labels = load("mnist", "test", args.data_root)
        kl = kl_of_factors(model, Batches(test_images, test_labels, batch_size=1000))
    for factor, nats in enumerate(kl.tolist()):
        print(f"latent factor {factor}: KL {nats:.2f} nats")
    print(f"all latent factors: KL {kl.sum():.2f} nats")
