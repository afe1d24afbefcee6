"""Wrong losses and wrong sequences of times: what they look like, and what they are."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from autograder.language import _


def wrong_losses(error: torch.Tensor) -> dict[str, Any]:
    """What a loss looks like -> what is made of the errors of the estimate, (B, C, H, W), in its place."""
    zero = torch.zeros_like(error)
    smooth = F.smooth_l1_loss(error, zero, reduction="none")
    right = smooth.mean()
    return {
        _("the errors are summed instead of averaged"): smooth.sum(),
        _("the errors are summed over each image"): smooth.flatten(1).sum(1).mean(),
        _("the errors are not averaged"): [smooth, smooth.flatten(1).mean(1), smooth.flatten(1).sum(1)],
        _("it is the squared error, not the smooth L1 loss"): [(error**2).mean(), (error**2).sum()],
        _("it is the absolute error, not the smooth L1 loss"): [error.abs().mean(), error.abs().sum()],
        _("beta is not 1"): [
            made
            for size in (0.05, 0.1, 0.2, 0.25, 0.5, 2.0, 5.0, 10.0)
            for made in (F.smooth_l1_loss(error, zero, beta=size), F.huber_loss(error, zero, delta=size))
        ],
        _("the square root is taken"): [right.sqrt(), (error**2).mean().sqrt()],
        _("the sign is wrong"): -right,
        _("the errors are multiplied by 2, or halved"): [2 * right, right / 2],
    }


def wrong_orders(order: list[Any], down: list[int]) -> dict[str, list[Any]]:
    """What a sequence of times looks like -> the wrong sequence, in the place of `down`."""
    return {
        _("the loop runs forward in time; it has to go from timesteps - 1 down to 0"): down[::-1],
        _("the last step, t = 0, is missing"): down[:-1],
        _("the first step, t = timesteps - 1, is missing"): down[1:],
        _("the loop starts at timesteps: it is off by one"): [len(down), *down],
        _("all times are too large by one; they are counted from 0 here"): [time + 1 for time in down],
        _("all times are too small by one"): [time - 1 for time in down],
        _("t is the same in every step"): order[:1] * len(down),
        _("the loop has T steps instead of timesteps"): list(range(len(order) - 1, -1, -1)),
    }
