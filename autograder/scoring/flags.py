"""What an instructor should look at: signs that samples are not what they score as. None of them changes a mark."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autograder.scoring.classifier import CLASSES
from autograder.scoring.data import DataError, fashion_mnist
from autograder.scoring.real_images import RealImages

DISAGREEMENT = 0.10
"""Difference of the two classifiers' accuracies from which on it is worth a look."""

SPREAD = 0.35
"""Mean distance between samples of a class, as a fraction of that between real images, below which it is."""

TWINS = 0.10
"""Median distance to the nearest other sample of a class, as a fraction of the mean one between real images, below
which it is worth a look; of 100 real images of a class it is at least 0.45."""

_LEAST_WEIGHTS = 1000  # fewer may be alike by chance
_COPIES = 0.05  # fraction of samples that may be as near to a training image as hardly any real image is


def pairwise_spread(pixels: torch.Tensor) -> float:
    """Mean Euclidean distance between two different images of a batch (B, 1, 32, 32)."""
    flat = pixels.flatten(1)
    return float(torch.pdist(flat).mean()) if len(flat) > 1 else 0.0


def twin_distance(pixels: torch.Tensor) -> float:
    """Median Euclidean distance of the images of a batch (B, 1, 32, 32), B > 1, to the nearest other one."""
    distances = torch.cdist(pixels.flatten(1), pixels.flatten(1)).fill_diagonal_(torch.inf)
    return float(distances.amin(dim=1).median())


def nearest_distances(pixels: torch.Tensor, training: torch.Tensor) -> torch.Tensor:
    """Euclidean distance of each image (B, 1, 32, 32) in [0, 1] to the nearest training image, uint8 (N, 1, 32, 32)."""
    flat = pixels.flatten(1)
    nearest = torch.full((len(flat),), torch.inf)
    for chunk in training.split(10_000):
        nearest = torch.minimum(nearest, torch.cdist(flat, chunk.flatten(1).float() / 255).amin(dim=1))
    return nearest


def look_at(
    pixels: torch.Tensor,
    labels: torch.Tensor,
    accuracy: float,
    second_accuracy: float,
    carried: list[str],
    real: RealImages,
    data_root: str | None,
) -> list[str]:
    """Sentences for the instructor about one batch of samples.

    Args:
        pixels: the samples in [0, 1]; (B, 1, 32, 32).
        labels: their classes, int64 (B,).
        accuracy: in the eyes of the frozen classifier.
        second_accuracy: in the eyes of the second one.
        carried: names of tensors of the checkpoint that look like images.
        real: what real images are like.
        data_root: folder with the real images; None: no comparison with training images.
    """
    sentences = []
    if accuracy - second_accuracy > DISAGREEMENT:
        sentences.append(
            f"The second classifier gives {second_accuracy:.1%} where the frozen one gives {accuracy:.1%}: "
            "the samples may be made for the classifier and not for the eye. Look at the picture."
        )
    narrow, repeated = [], []
    for label, name in enumerate(CLASSES):
        own = pixels[labels == label]
        if len(own) < 2:
            continue
        share = pairwise_spread(own) / real.spread[label]
        if share < SPREAD:
            narrow.append(f"{name} {share:.0%}")
        elif twin_distance(own) < TWINS * real.spread[label]:
            repeated.append(name)
    if narrow:
        sentences.append(
            f"Little diversity: samples of a class differ much less than real images do ({', '.join(narrow)} of the "
            "usual distance). A collapsed model, or one image repeated."
        )
    if repeated:
        sentences.append(f"Repeated images: half of the samples or more have a twin: {', '.join(repeated)}.")
    if carried:
        sentences.append(f"The checkpoint holds what looks like images: {', '.join(carried[:5])}.")
    if data_root is None:
        sentences.append("Not compared with the training images: no data root was named (--data-root).")
        return sentences
    try:
        training, _ = fashion_mnist("train", data_root)
    except DataError as error:
        return [*sentences, f"Not compared with the training images: {error}."]
    near = float((nearest_distances(pixels, training) < real.copy_distance).float().mean())
    if near > _COPIES:
        sentences.append(
            f"{near:.0%} of the samples lie closer to a training image than 99% of the real test images do: "
            "memorised or copied."
        )
    return sentences


def classifier_inside(tensors: Mapping[str, torch.Tensor], classifier: Mapping[str, torch.Tensor]) -> list[str]:
    """A sentence for the instructor if a checkpoint holds weights of a classifier, with which samples can be selected.

    Args:
        tensors: of the checkpoint, by name.
        classifier: weights of the frozen classifier, by name.
    """
    large = [weight.flatten().float() for weight in classifier.values() if weight.numel() >= _LEAST_WEIGHTS]
    found = [
        name
        for name, tensor in tensors.items()
        if any(
            tensor.numel() == weight.numel() and torch.allclose(tensor.flatten().float(), weight, rtol=1e-2, atol=1e-3)
            for weight in large
        )
    ]
    if not found:
        return []
    return [f"The checkpoint holds weights of the frozen classifier: {', '.join(found[:5])}. Samples may be selected."]
