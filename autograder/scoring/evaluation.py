"""Judges one batch of samples: are they images at all, and what does the frozen classifier see in them?"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib.image
import numpy as np
import torch
from torch import nn

from autograder.grading.report import ClassScore, Evaluation
from autograder.scoring.classifier import CLASSES, RANGES, calc_acc, wilson

_PICTURE_COLUMNS = 10


def balanced_labels(count: int, generator: torch.Generator) -> torch.Tensor:
    """Labels of which each class has equally many, up to one, in random order; int64 (count,)."""
    order = torch.randperm(len(CLASSES), generator=generator)  # which classes get one more
    labels = order[torch.arange(count) % len(CLASSES)]
    return labels[torch.randperm(count, generator=generator)]


def defect(samples: Any, count: int, model: str) -> tuple[str, str, str] | None:
    """What keeps samples from being judged: what was expected, what came, what it looks like; None if nothing does.

    Args:
        samples: what `generate_sample` returned.
        count: how many were asked for.
        model: name of the model's class, a key of `RANGES`.
    """
    low, high = RANGES[model]
    expected = f"{count} images, a float tensor of shape ({count}, 1, 32, 32) with values in [{low}, {high}]."
    if not isinstance(samples, torch.Tensor):
        return expected, f"a {type(samples).__name__}.", ""
    shape = tuple(samples.shape)
    if shape != (count, 1, 32, 32):
        short = len(shape) == 4 and shape[1:] == (1, 32, 32)
        return expected, f"shape {shape}.", "as many images as labels are asked for." if short else ""
    if not samples.is_floating_point():
        return expected, f"dtype {str(samples.dtype).removeprefix('torch.')}.", "leave the scaling to the grader."
    values = samples.float()
    if not values.isfinite().all():
        bad = int((~values.isfinite()).flatten(1).any(dim=1).sum())
        return expected, f"NaN or infinite values in {bad} of {count} images.", "the sampling diverges."
    if values.abs().max() > 20:
        return (
            expected,
            "values far outside that range.",
            ("this looks like [0, 255]." if values.min() > -20 and values.max() < 300 else "the sampling diverges."),
        )
    if (values.amax(dim=(1, 2, 3)) - values.amin(dim=(1, 2, 3))).max() < 0.01:
        return expected, "images of one single grey value.", "nothing is drawn."
    if (values - values[:1]).abs().max() < 1e-6 and count > 1:
        return expected, "the same image for every label.", "noise and label have no effect."
    return None


def repeated_classes(samples: torch.Tensor, labels: torch.Tensor) -> list[str]:
    """Names of the classes whose samples are one image, value for value."""
    names = []
    for label, name in enumerate(CLASSES):
        own = samples[labels == label]
        if len(own) > 1 and (own - own[:1]).abs().max() < 1e-6:
            names.append(name)
    return names


@torch.no_grad()
def classify(classifier: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Logits (B, 10) of images in [0, 1], (B, 1, 32, 32)."""
    device = next(classifier.parameters()).device
    return torch.cat([classifier(chunk.to(device)).cpu() for chunk in pixels.split(200)])


def evaluate(logits: torch.Tensor, labels: torch.Tensor, seconds: float) -> Evaluation:
    """Accuracy, its interval and the score of one batch of samples."""
    accuracy, score = calc_acc(logits, labels)
    correct = int((logits.argmax(dim=1) == labels).sum())
    low, high = wilson(correct, len(labels))
    return Evaluation(
        samples=len(labels),
        correct=correct,
        accuracy=accuracy,
        low=low,
        high=high,
        score=score,
        seconds=round(seconds, 1),
    )


def class_table(predictions: torch.Tensor, labels: torch.Tensor, ceilings: Sequence[float]) -> list[ClassScore]:
    """What became of each class.

    Args:
        predictions: classes that the classifier saw, int64 (N,).
        labels: classes that were asked for, int64 (N,).
        ceilings: the classifier's recall of each class on real images.
    """
    table = []
    for label, name in enumerate(CLASSES):
        seen = predictions[labels == label]
        others = torch.bincount(seen[seen != label], minlength=len(CLASSES))
        table.append(
            ClassScore(
                name=name,
                samples=len(seen),
                correct=int((seen == label).sum()),
                taken_for=CLASSES[int(others.argmax())] if others.sum() else "",
                ceiling=ceilings[label],
            )
        )
    return table


def picture(pixels: torch.Tensor, labels: torch.Tensor) -> str:
    """Ten samples of each class, one row a class, as a PNG in base64.

    Args:
        pixels: images in [0, 1]; (B, 1, 32, 32).
        labels: their classes, int64 (B,).
    """
    sheet = np.zeros((len(CLASSES) * 32, _PICTURE_COLUMNS * 32), dtype=np.uint8)
    for label in range(len(CLASSES)):
        for column, image in enumerate(pixels[labels == label][:_PICTURE_COLUMNS, 0]):
            place = np.s_[label * 32 : label * 32 + 32, column * 32 : column * 32 + 32]
            sheet[place] = (image * 255).round().to(torch.uint8).numpy()
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, sheet, cmap="gray", vmin=0, vmax=255, format="png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
