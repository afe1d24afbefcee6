"""What the losses of both diffusion models have in common: squared errors of the noise, reduced in one way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from autograder.grading import expect, fail
from autograder.grading.expectation import Mistakes


def summed_then_averaged(square: torch.Tensor) -> torch.Tensor:
    """Summed over each image, averaged over the batch: (B, C, H, W) -> ()."""
    return square.sum((1, 2, 3)).mean()


def expect_noise_loss(
    loss: Any,
    gradients: list[torch.Tensor] | None,
    parameter: torch.Tensor,
    squares: Sequence[torch.Tensor],
    mistakes: Mistakes,
) -> None:
    """The loss is one of `squares`, reduced, and its gradient reaches the network.

    Args:
        loss: what the submission returned.
        gradients: those that reached the network's only parameter; None where the loss carries none.
        parameter: that parameter in the grader's copy of the network, to which `squares` are connected.
        squares: squared errors of the noise that are right; the first is the reference's; (B, C, H, W) each.
        mistakes: what a wrong loss looks like, besides wrong reductions.
    """
    right = [summed_then_averaged(square) for square in squares]
    square = squares[0].detach()
    expect(loss, "the loss").close_to(
        right[0],
        "(), one number",
        rtol=5e-4,
        or_values=[value.detach() for value in right[1:]],
        mistakes={
            "the errors are averaged over the pixels instead of summed": square.mean(),
            "the errors are summed over the batch as well": square.sum(),
            "the square root is taken": [square.sum((1, 2, 3)).sqrt().mean(), square.sum().sqrt()],
            "the absolute error is taken instead of the squared one": summed_then_averaged(square.sqrt()),
            "the losses of the images are not averaged": square.sum((1, 2, 3)),
            **mistakes,
        },
    )
    if gradients is None:
        fail(
            "a loss whose gradient reaches the network.",
            "a loss without a gradient.",
            "look for torch.no_grad(), .detach() or .item().",
        )
    slopes = [torch.autograd.grad(value, parameter)[0] for value in right]
    expect(gradients[0], "the gradient of the loss").close_to(slopes[0], rtol=2e-3, atol=1e-3, or_values=slopes[1:])
