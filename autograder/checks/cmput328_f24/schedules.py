"""The schedule that a submission has made, read from its betas and from what its add_noise does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autograder.checks.cmput328_f24.public_probes import parts_of
from autograder.grading import expect, fail, fetch
from autograder.grading.carry import is_right
from autograder.grading.outcomes import CheckFailed
from autograder.sandbox.errors import SubmissionError
from autograder.sandbox.proxy import Remote
from autograder.sandbox.wire import Opaque


@dataclass(frozen=True)
class Schedule:
    """Betas and the products of the alphas, float64 (T,)."""

    betas: torch.Tensor
    bars: torch.Tensor

    @property
    def steps(self) -> int:
        """T."""
        return len(self.betas)

    def bar(self, time: int) -> float:
        """What is left of the image's variance at a time; 1 at -1, the image itself."""
        return float(self.bars[time]) if time >= 0 else 1.0


def filled_in(value: Any, name: str) -> Any:
    """The value, unless it is the placeholder of the published starter."""
    parts = value if isinstance(value, (tuple, list)) else [value]
    if any(isinstance(part, Opaque) and part.type == "ellipsis" for part in parts):
        fail(f"{name} is filled in.", f"{name} is not implemented yet: the placeholder ... is still there.")
    return value


def betas_of(scheduler: Remote) -> torch.Tensor:
    """The betas of a submission's schedule, float64 (T,)."""
    value = filled_in(fetch(scheduler.betas), "betas")
    if isinstance(value, (list, tuple)) and all(isinstance(item, float) for item in value):
        value = np.array(value)
    return expect(value, "betas").tensor().flatten()


def noise_coefficients(
    noisy: torch.Tensor, x: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """a and b with noisy = a x + b noise, by least squares for each image.

    Returns:
        a (B,), b (B,), and the largest deviation from this form, (B,).
    """
    image, added, rest = parts_of(noisy, x, noise)
    return image, added, rest.abs().amax(1)


def own_coefficients(scheduler: Remote, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Factors of image and noise in a submission's own add_noise at `times`, (B,) each; None where it has none.

    None as well where add_noise is right: then nothing has to be carried forward (see `autograder.grading.carry`).
    """
    if is_right("models.VarianceScheduler.add_noise"):
        return None
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(times), 1, 6, 8, generator=generator)
    try:
        result = scheduler.add_noise(x, times)
    except SubmissionError:
        return None
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        return None
    if not all(isinstance(item, torch.Tensor) and item.shape == x.shape for item in result):
        return None
    if not all(item.is_floating_point() and bool(item.isfinite().all()) for item in result):
        return None
    image, noise, deviation = noise_coefficients(result[0], x, result[1])
    return (image, noise) if float(deviation.max()) < 1e-3 else None


def own_schedules(scheduler: Remote) -> list[Schedule]:
    """The schedules with which a submission's steps may agree.

    The first follows from its betas. Where the products of the alphas are wrong but used alike everywhere, the second
    has those that its add_noise uses: that mistake has cost its points there.
    """
    try:
        betas = betas_of(scheduler)
    except CheckFailed as error:
        fail("a VarianceScheduler with betas.", "this needs VarianceScheduler, which is not right yet.", str(error))
    if not 2 <= len(betas) <= 10_000 or not bool(((betas > 0) & (betas < 1)).all()):
        fail("betas between 0 and 1.", "this needs VarianceScheduler, which is not right yet.")
    schedules = [Schedule(betas, (1 - betas).cumprod(0))]
    own = own_coefficients(scheduler, torch.arange(len(betas)))
    if own is not None:
        bars = own[0] ** 2
        variances_add_up = torch.allclose(bars + own[1] ** 2, torch.ones_like(bars), atol=1e-3)
        usable = bool(((bars > 0) & (bars < 1)).all()) and float(own[0].min()) > 0
        if variances_add_up and usable and not torch.allclose(bars, schedules[0].bars, rtol=1e-3, atol=1e-6):
            schedules.append(Schedule(betas, bars))
    return schedules
