"""What goes into the functions of a DDPM: images of one grey value, and times that reach the network as they are."""

from __future__ import annotations

from typing import Any

import torch

from autograder.grading import fail
from autograder.language import _

IMAGE = (3, 5, 6)  # channels, height, width: none of them equal, nor equal to a batch
NAMES = "(batch, channels, height, width)"
SLACK = 5e-4  # relative error of what is computed from coefficients in float32


def grey_images(levels: torch.Tensor, side: int = 64) -> torch.Tensor:
    """Images of one grey value each, (B,) -> (B, 3, side, side)."""
    return levels.view(-1, 1, 1, 1).expand(-1, 3, side, side).contiguous()


def expect_times(seen: Any, t: torch.Tensor, *, index: bool = True, one_is_enough: bool = False) -> None:
    """A function got the times `t` as they are.

    Args:
        seen: what it got.
        t: int64 (B,).
        index: coefficients are looked up with them, so that they have to be int64; a network takes floats as well.
        one_is_enough: one element will do, where all times are equal.
    """
    right = _("the times as they are: an int64 tensor of shape {shape}.").format(shape=tuple(t.shape))
    if not isinstance(seen, torch.Tensor):
        fail(right, _("no tensor."), _("pass t on."))
    if tuple(seen.shape) != tuple(t.shape) and not (one_is_enough and tuple(seen.shape) == (1,)):
        fail(right, _("a tensor of shape {shape}.").format(shape=tuple(seen.shape)))
    if index and seen.dtype != torch.int64:
        fail(right, _("a tensor of dtype {dtype}.").format(dtype=str(seen.dtype).removeprefix("torch.")))
    if not bool((seen == t).all()):
        shifted = bool((seen == t + 1).all()) or bool((seen == t - 1).all())
        fail(right, _("other times."), _("it looks as if the times are off by one.") if shifted else "")
