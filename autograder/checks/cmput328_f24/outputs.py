"""What a submission's networks return: how much it changes, whether it is images, whether bad input is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.checks.cmput328_f24.own_models import IMAGE, IMAGES
from autograder.checks.cmput328_f24.schedules import filled_in
from autograder.grading import expect, fail
from autograder.sandbox.errors import SubmissionRaised

ALIKE = 2e-3  # of the outputs' spread: float32 in batches of different sizes
EDGE = 1e-6
SIGMOID = "end the decoder with a sigmoid: the binary cross-entropy takes probabilities, not logits."


def images_in_range(value: Any, batch: int, what: str, hint: str = SIGMOID) -> torch.Tensor:
    """Images (B, 1, 32, 32) in [0, 1], float64."""
    images = expect(filled_in(value, what), what).tensor((batch, *IMAGE), IMAGES)
    expect_range([float(images.min()), float(images.max())], what, hint)
    return images


def expect_range(extremes: Any, what: str, hint: str = SIGMOID) -> None:
    """The least and the largest value are within [0, 1]."""
    least, largest = extremes
    if least < -EDGE or largest > 1 + EDGE:
        fail(f"{what} lies in [0, 1], whatever the weights are.", "values below 0 or above 1.", hint)


def expect_refused(call: Callable[[], object]) -> None:
    """A wrong number of labels is an error."""
    try:
        call()
    except SubmissionRaised as error:
        if error.type == "NotImplementedError":
            raise
        return
    fail(
        "an exception where the number of labels is not num_samples.",
        "samples all the same.",
        "keep the given lines at the head of generate_sample.",
    )
