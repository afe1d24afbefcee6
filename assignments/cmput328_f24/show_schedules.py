"""Show what the noising does to one image, with the linear and with the quadratic schedule.

Works as soon as `VarianceScheduler` is written. Writes schedules.png, and schedules_curve.png: how much is left of
the image at each time.
"""

import argparse

import torch
from lab import data, pictures
from lab.figures import finish
from main import load_data
from matplotlib.figure import Figure
from models import VarianceScheduler

TIMES = (0, 10, 20, 30, 40, 50, 100, 200, 500, 999)
INTERPOLATIONS = ("linear", "quadratic")


def draw_images(image: torch.Tensor) -> Figure:
    """One row of noisy versions of an image, in [-1, 1], (1, 32, 32), for each schedule."""
    copies = image.expand(len(INTERPOLATIONS), len(TIMES), -1, -1, -1)  # (2, 10, 1, 32, 32)
    noisy = torch.stack(
        [
            VarianceScheduler(interpolation=interpolation).add_noise(row, torch.tensor(TIMES))[0]
            for interpolation, row in zip(INTERPOLATIONS, copies, strict=True)
        ]
    )
    columns = list((noisy.transpose(0, 1) + 1) / 2)  # (2, 1, 32, 32) for each time
    return pictures.forward_process((copies[:, 0] + 1) / 2, columns, TIMES, labels=INTERPOLATIONS)


def draw_curves() -> Figure:
    """The factor of the image in x_t, the root of alpha-bar_t (DDPM Eq. 4), at each time and for each schedule."""
    left = {}
    for interpolation in INTERPOLATIONS:
        betas = VarianceScheduler(interpolation=interpolation).betas.cpu().double()  # (T,)
        left[interpolation] = torch.cumprod(1 - betas, dim=0).sqrt()  # (T,)
    return pictures.schedules(left, ylabel="what is left of the image: root of alpha-bar")


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
