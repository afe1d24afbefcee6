"""Show what the noising does to one image, with the linear and with the quadratic schedule.

Works as soon as `VarianceScheduler` is written. Writes schedules.png, and schedules_curve.png: how much is left of
the image at each time.
"""

import argparse

import matplotlib.pyplot as plt
import torch
from lab import data
from lab.figures import finish
from main import load_data
from models import VarianceScheduler

TIMES = (0, 10, 20, 30, 40, 50, 100, 200, 500, 999)
INTERPOLATIONS = ("linear", "quadratic")


def draw_images(image: torch.Tensor) -> plt.Figure:
    """One row of noisy versions of an image, in [-1, 1], (1, 32, 32), for each schedule."""
    figure, axes = plt.subplots(len(INTERPOLATIONS), len(TIMES), figsize=(1.3 * len(TIMES), 3.6))
    copies = image.expand(len(TIMES), -1, -1, -1)  # (10, 1, 32, 32)
    for row, interpolation in zip(axes, INTERPOLATIONS, strict=True):
        noisy, _ = VarianceScheduler(interpolation=interpolation).add_noise(copies, torch.tensor(TIMES))
        for axis, picture, time in zip(row, noisy, TIMES, strict=True):
            axis.imshow(picture[0], cmap="gray", vmin=-1, vmax=1)
            axis.set(title=f"t = {time}", xticks=[], yticks=[])
        row[0].set_ylabel(interpolation)
    return figure


def draw_curves() -> plt.Figure:
    """The factor of the image in x_t, the root of alpha-bar_t (DDPM Eq. 4), at each time and for each schedule."""
    figure, axis = plt.subplots(figsize=(6, 4))
    for interpolation in INTERPOLATIONS:
        betas = VarianceScheduler(interpolation=interpolation).betas.cpu().double()  # (T,)
        left = torch.cumprod(1 - betas, dim=0).sqrt()  # (T,)
        axis.plot(left, label=interpolation)
    axis.set(xlabel="time t", ylabel="what is left of the image: root of alpha-bar", ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def main() -> None:
    """Read the command line, draw and save."""
    parser = argparse.ArgumentParser(description="Show the noise schedules on an image of FashionMNIST.")
    parser.add_argument("--data-root", help="folder with fashion_mnist/train.npz; default: download")
    parser.add_argument("--image", type=int, default=0, help="number of the training image; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the noise; default: %(default)s")
    options = parser.parse_args()
    try:
        images = load_data(data_root=options.data_root, limit=max(options.image, 0) + 1)
    except data.DataError as error:
        parser.exit(1, f"{error}\n")
    if not 0 <= options.image < len(images):
        parser.error(f"there is no training image {options.image}; they are counted from 0")
    torch.manual_seed(options.seed)
    finish(draw_images(images[options.image][0]), "schedules.png", show=True)
    finish(draw_curves(), "schedules_curve.png", show=True)
    print("wrote schedules.png and schedules_curve.png")


if __name__ == "__main__":
    main()
