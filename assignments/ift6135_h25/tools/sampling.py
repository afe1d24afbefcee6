"""Judges random results by their moments, within bounds that a right submission practically never misses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tools.expectation import Expectation, Mistakes, recorder_in_force
from tools.outcomes import CheckFailed, Message
from tools.words import _

SIGMAS = 6.0


def expect_normal(
    samples: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    *,
    slack: float = 2e-3,
    mean_mistakes: Mistakes | None = None,
    std_mistakes: Mistakes | None = None,
    or_moments: Sequence[tuple[torch.Tensor, torch.Tensor]] = (),
) -> None:
    """Every row of `samples` holds independent normal values with the row's mean and standard deviation.

    Args:
        samples: (B, ...), N values in each row; N in the thousands.
        mean: (B,).
        std: (B,), positive.
        slack: relative error of the moments that is not the sampling's.
        mean_mistakes: as in `Expectation.close_to`, for the means.
        std_mistakes: the same for the standard deviations.
        or_moments: other pairs of mean and standard deviation that are right as well.

    Raises:
        CheckFailed: the moments are others, or rows share their noise.
    """
    if (recorder := recorder_in_force()) is not None:
        recorder.normal(samples, mean, std, slack, or_moments)
    rows = samples.flatten(1)
    count = rows.shape[1]
    measured = rows.mean(1), rows.std(1)
    mean_error = SIGMAS / count**0.5
    std_error = SIGMAS / (2 * count) ** 0.5 + slack
    for right_mean, right_std in ((mean, std), *or_moments):
        close = (measured[0] - right_mean).abs() <= mean_error * right_std + slack * (right_mean.abs() + right_std)
        if bool((close & ((measured[1] - right_std).abs() <= std_error * right_std)).all()):
            break
    else:
        spread = torch.maximum(std, measured[1])  # noise that is too large moves the mean as well
        Expectation(measured[0], _("the mean of many samples")).close_to(
            mean, rtol=slack, atol=mean_error * spread + slack * std, mistakes=mean_mistakes
        )
        Expectation(measured[1], _("the standard deviation of many samples")).close_to(
            std,
            rtol=std_error,
            atol=0.0,
            mistakes={_("no noise is added"): torch.zeros_like(std), **(std_mistakes or {})},
        )
    centred = rows - measured[0][:, None]
    correlation = (centred[:-1] * centred[1:]).mean(1) / (measured[1][:-1] * measured[1][1:])
    if bool((correlation.abs() > SIGMAS / count**0.5).any()):
        raise CheckFailed(
            Message(
                _("every element of the batch has noise of its own."),
                _("elements of the batch that share their noise."),
                _("draw noise in the shape of the whole batch."),
            )
        )
