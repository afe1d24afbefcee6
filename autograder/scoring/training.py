"""The training of the classifiers, and the card that goes with their weights."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save as save_safetensors
from torch import nn
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur
from tqdm import tqdm

from autograder.scoring import classifier, second_opinion
from autograder.scoring.classifier import CLASSES
from autograder.scoring.data import fashion_mnist
from autograder.scoring.flags import nearest_distances, pairwise_spread
from autograder.scoring.real_images import RealImages

_BATCH_SIZE = 128


@dataclass(frozen=True)
class Recipe:
    """How one of the classifiers is trained.

    Attributes:
        title: what it is.
        network: makes the untrained network.
        optimizer: makes the optimizer of its parameters.
        max_lr: the learning rate at the top of the one-cycle schedule (Smith & Topin 2019).
        epochs: how many by default.
        blur: largest standard deviation, in pixels, of the blur of half of the images; 0 for none. The samples of a
            VAE are smooth; a network that has seen only sharp images takes them for other classes.
        file: name of the file with the weights.
    """

    title: str
    network: Callable[[], nn.Module]
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
    max_lr: float
    epochs: int
    blur: float
    file: str


RECIPES = {
    "classifier": Recipe(
        "The frozen classifier: a small residual network",
        classifier.Classifier,
        functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
        max_lr=0.2,
        epochs=20,
        blur=1.0,
        file=classifier.WEIGHTS.name,
    ),
    "second-opinion": Recipe(
        "The second classifier: a small MLP-Mixer",
        second_opinion.Mixer,
        functools.partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.05),
        max_lr=2e-3,
        epochs=8,
        blur=0.0,
        file=second_opinion.WEIGHTS.name,
    ),
}


def train(
    recipe: Recipe, epochs: int, seed: int, data_root: str | None, limit: int | None = None, bfloat16: bool = False
) -> nn.Module:
    """Train a classifier on the training images of FashionMNIST, mirrored, moved and blurred at random.

    Args:
        recipe: network, optimizer and blur.
        epochs: number of epochs.
        seed: of torch's generator.
        data_root: see `fashion_mnist`.
        limit: use only the first so many images.
        bfloat16: compute in half precision, which some processors do faster.

    Returns:
        The network, in eval mode.

    Raises:
        DataError: the data cannot be had.
    """
    torch.manual_seed(seed)
    images, labels = fashion_mnist("train", data_root, limit)
    model = recipe.network()
    optimizer = recipe.optimizer(list(model.parameters()))
    steps = -(-len(images) // _BATCH_SIZE)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.max_lr, total_steps=epochs * steps, pct_start=0.2, cycle_momentum=False
    )
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        batches = torch.randperm(len(images)).split(_BATCH_SIZE)
        for index in tqdm(batches, desc=f"epoch {epoch}/{epochs}", leave=False):
            batch = _augment(images[index].float() / 255, recipe.blur)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                loss = F.cross_entropy(model(batch).float(), labels[index], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        print(f"epoch {epoch}  training loss {total / steps:.4f}", flush=True)
    return model.eval()


def _augment(images: torch.Tensor, blur: float) -> torch.Tensor:
    """Mirror a random half of the images, blur another half, and move all by up to two pixels, to the black border."""
    mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
    images = torch.where(mirrored, images.flip(3), images)
    if blur:
        sigma = max(float(torch.rand(())) * blur, 1e-3)  # one for the batch
        blurred = torch.rand(len(images), 1, 1, 1) < 0.5
        images = torch.where(blurred, gaussian_blur(images, [7, 7], [sigma, sigma]), images)
    down, right = torch.randint(-2, 3, (2, len(images)))
    moved = torch.empty_like(images)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            chosen = (down == dy) & (right == dx)
            moved[chosen] = images[chosen].roll((dy, dx), dims=(2, 3))
    return moved


@torch.no_grad()
def confusion_matrix(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Counts of true class (rows) and predicted class (columns), int64 (10, 10), of uint8 images (N, 1, 32, 32)."""
    predictions = torch.cat([model(chunk.float() / 255).argmax(dim=1) for chunk in images.split(500)])
    return torch.bincount(labels * len(CLASSES) + predictions, minlength=len(CLASSES) ** 2).view(len(CLASSES), -1)


def measure_real_images(confusion: torch.Tensor, data_root: str | None) -> RealImages:
    """What samples are compared with: recall of the classifier, distances between real images.

    Args:
        confusion: of the classifier on the test images.
        data_root: see `fashion_mnist`.
    """
    (training, _), (images, labels) = (fashion_mnist(split, data_root) for split in ("train", "test"))
    pixels = images.float() / 255
    return RealImages(
        ceiling=tuple((confusion.diag() / confusion.sum(dim=1)).tolist()),
        spread=tuple(pairwise_spread(pixels[labels == label]) for label in range(len(CLASSES))),
        copy_distance=float(nearest_distances(pixels, training).quantile(0.01)),
    )


def save(model: nn.Module, path: Path) -> str:
    """Write the weights as safetensors; an interruption leaves the old file or the new one.

    Returns:
        SHA-256 of the file, in hex.
    """
    content = save_safetensors({name: tensor.contiguous() for name, tensor in model.state_dict().items()})
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)
    return hashlib.sha256(content).hexdigest()


def card(title: str, command: str, seed: int, digest: str, confusion: torch.Tensor, parameters: int) -> str:
    """The model card as Markdown: data, command, seed, accuracy, recall of each class, confusion matrix."""
    total = int(confusion.sum())
    recall = confusion.diag() / confusion.sum(dim=1)
    heads = " | ".join(CLASSES)
    rows = [
        f"| {name} | {recall[i]:.1%} | {' | '.join(str(int(count)) for count in confusion[i])} |"
        for i, name in enumerate(CLASSES)
    ]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"- Data: FashionMNIST, trained on its training images, judged on its {total} test images.",
            f"- Command: `{command}`",
            f"- Seed: {seed}",
            f"- Parameters: {parameters}",
            f"- SHA-256 of the weights: `{digest}`",
            f"- Accuracy on the test images: **{confusion.diag().sum() / total:.2%}**: the ceiling of what samples can "
            "be expected to reach.",
            "",
            "Recall of each class, and the confusion matrix (rows: true class, columns: what the network says):",
            "",
            f"| class | recall | {heads} |",
            f"|---|---|{'---|' * len(CLASSES)}",
            *rows,
            "",
        ]
    )
