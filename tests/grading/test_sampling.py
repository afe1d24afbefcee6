"""Moments of random results: right samples pass for every seed, wrong ones do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograder.grading.outcomes import CheckFailed
from autograder.grading.sampling import expect_normal

COUNT = 49_152  # values in a row, as the checks have them
MEAN = torch.tensor([-1.4, 0.0, 0.3, 1.5], dtype=torch.float64)
STD = torch.tensor([0.01, 0.05, 0.2, 1.0], dtype=torch.float64)

Noise = Callable[[torch.Generator], torch.Tensor]


def normal(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(4, COUNT, generator=generator, dtype=torch.float64)


def made(noise: Noise = normal, seed: int = 0, mean: torch.Tensor = MEAN, std: torch.Tensor = STD) -> torch.Tensor:
    return (mean[:, None] + std[:, None] * noise(torch.Generator().manual_seed(seed))).view(4, 3, 128, 128)


def failure(samples: torch.Tensor, **kwargs: object) -> str:
    with pytest.raises(CheckFailed) as failed:
        expect_normal(samples, MEAN, STD, **kwargs)
    return str(failed.value)


def test_right_samples_pass_for_every_seed() -> None:
    for seed in range(300):
        expect_normal(made(seed=seed), MEAN, STD)


def test_right_samples_of_a_few_thousand_values_pass_for_every_seed() -> None:
    for seed in range(1000):
        noise = torch.randn(2, 3000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        expect_normal(MEAN[:2, None] + STD[:2, None] * noise, MEAN[:2], STD[:2])


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_a_standard_deviation_that_is_3_percent_off_is_found_for_every_seed(factor: float) -> None:
    for seed in range(50):
        text = failure(made(std=STD * torch.tensor([1, 1, factor, 1]), seed=seed))
        assert "the standard deviation of many samples" in text
        assert "1 of 4 values" in text


def test_a_shifted_mean_is_found() -> None:
    for seed in range(50):
        text = failure(made(mean=MEAN + torch.tensor([0, 0, 0, 0.05]), seed=seed))
        assert "the mean of many samples" in text


def test_noise_that_the_rows_share_is_found() -> None:
    def shared(generator: torch.Generator) -> torch.Tensor:
        return torch.randn(COUNT, generator=generator, dtype=torch.float64).expand(4, -1)

    for seed in range(50):
        text = failure(made(shared, seed))
        assert "share their noise" in text
        assert "in the shape of the whole batch" in text


def test_uniform_noise_is_found() -> None:
    def uniform(generator: torch.Generator) -> torch.Tensor:
        return torch.rand(4, COUNT, generator=generator, dtype=torch.float64)

    for seed in range(50):
        named = {"the noise is uniform": MEAN + STD / 2}
        assert "it looks as if the noise is uniform" in failure(made(uniform, seed), mean_mistakes=named)


def test_centred_uniform_noise_is_found_by_its_spread() -> None:
    def uniform(generator: torch.Generator) -> torch.Tensor:
        return 2 * torch.rand(4, COUNT, generator=generator, dtype=torch.float64) - 1

    assert "the standard deviation" in failure(made(uniform))


def test_no_noise_is_named() -> None:
    assert "it looks as if no noise is added" in failure(MEAN.view(4, 1, 1, 1).expand(4, 3, 64, 64))


def test_noise_that_is_too_large_is_not_taken_for_a_wrong_mean() -> None:
    for seed in range(50):
        text = failure(made(std=torch.ones(4), seed=seed), std_mistakes={"it is not scaled": torch.ones(4)})
        assert "the standard deviation of many samples" in text
        assert "it looks as if it is not scaled" in text


def test_mistakes_of_both_moments_are_named() -> None:
    text = failure(made(std=STD**2), std_mistakes={"it is the variance": STD**2})
    assert "it looks as if it is the variance" in text
    text = failure(made(mean=-MEAN), mean_mistakes={"the sign is wrong": -MEAN})
    assert "it looks as if the sign is wrong" in text


def test_other_moments_are_right_where_they_are_allowed_as_a_pair() -> None:
    other = -MEAN, STD * 2
    expect_normal(made(mean=other[0], std=other[1]), MEAN, STD, or_moments=[other])
    failure(made(mean=other[0]), or_moments=[other])  # its mean with the first one's deviation
    failure(made(std=other[1]), or_moments=[other])


def test_shared_noise_is_found_with_other_moments_too() -> None:
    noise = torch.randn(1, COUNT, generator=torch.Generator().manual_seed(1)).expand(4, -1)
    samples = -MEAN[:, None] + STD[:, None] * noise
    assert "share their noise" in failure(samples, or_moments=[(-MEAN, STD)])


def test_rows_of_different_seeds_are_not_taken_for_shared() -> None:
    expect_normal(made(seed=3)[:1], MEAN[:1], STD[:1])  # one row has no neighbour
