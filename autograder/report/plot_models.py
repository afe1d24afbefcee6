"""What the figures are drawn from, alike for the models of all assignments: noising, reversal, decoder, in pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch


class Noising(NamedTuple):
    """A forward process.

    Attributes:
        name: of the process, for titles and files.
        alpha_bars: what is left of the image's variance at each time; float64 (T,).
        noised: noised(pixels, t) in pixels; (N, C, H, W).
        betas: variance of the noise that a step adds, float64 (T,); None if the process has no such steps.
    """

    name: str
    alpha_bars: torch.Tensor
    noised: Callable[[torch.Tensor, int], torch.Tensor]
    betas: torch.Tensor | None


class Reversal(NamedTuple):
    """Samples on their way from noise.

    Attributes:
        name: of the model, for titles and files.
        steps: the noise, then the samples after each step, in pixels; (S, N, C, H, W).
        times: how many noising steps are left at each of them; (S,).
    """

    name: str
    steps: torch.Tensor
    times: list[int]


class Decoder(NamedTuple):
    """A network that makes images from latents drawn from N(0, I).

    Attributes:
        name: of the model, for titles and files.
        decode: from latents (N, *shape) to pixels (N, C, H, W).
        shape: of a latent.
    """

    name: str
    decode: Callable[[torch.Tensor], torch.Tensor]
    shape: tuple[int, ...]


def symmetric(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels in [0, 1] in the range [-1, 1] that many models work in."""
    return pixels * 2 - 1


def pixels_of(images: torch.Tensor) -> torch.Tensor:
    """The way back."""
    return (images + 1) / 2


def times_of(images: torch.Tensor, t: int) -> torch.Tensor:
    """The same time for all images, as the models take it; int64 (N,)."""
    return torch.full((len(images),), t)
