"""Task 1: the variance schedules and the noising process."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.cmput328_f24.public_probes import Measure
from autograder.checks.cmput328_f24.schedules import betas_of, filled_in, noise_coefficients, own_coefficients
from autograder.grading import expect, fail, fetch, points, public
from autograder.grading.reference import Reference
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

NAMES = "(batch, channels, height, width)"
IMAGE = (3, 10, 14)  # channels, height, width: none of them equal, nor equal to a batch


def _sizes(draw: Draw) -> list[tuple[float, float, int]]:
    """Some (beta_start, beta_end, num_steps): the usual ones, and others."""
    return [
        (1e-4, 0.02, 1000),
        (draw.number(1e-4, 5e-4), draw.number(0.01, 0.03), int(draw.integers(20, 90, 1))),
        (draw.number(0.001, 0.01), draw.number(0.2, 0.5), int(draw.integers(8, 16, 1))),
    ]


def _expect_betas(scheduler: Remote, reference: Reference, start: float, end: float, steps: int, name: str) -> None:
    right = reference.models.VarianceScheduler(start, end, steps, name).betas.double()
    other = "quadratic" if name == "linear" else "linear"
    roots = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64)
    spread = torch.arange(steps, dtype=torch.float64) / steps
    betas = betas_of(scheduler)
    if len(betas) == steps + 1:
        fail(
            f"one beta for each of the num_steps = {steps} steps.",
            "one more.",
            "times are counted from 0 here, and betas[0] is beta_start.",
        )
    expect(betas, f"betas of the {name} schedule").close_to(
        right,
        "(num_steps,)",
        rtol=1e-3,
        atol=1e-8,
        mistakes={
            f"these are the betas of the {other} schedule": reference.models.VarianceScheduler(
                start, end, steps, other
            ).betas,
            "the square roots are interpolated, but never squared again": roots,
            "the squares of the ends are interpolated": [
                torch.linspace(start**2, end**2, steps, dtype=torch.float64).sqrt(),
                torch.linspace(start**2, end**2, steps, dtype=torch.float64),
            ],
            "the betas are squared instead of their square roots": torch.linspace(
                start, end, steps, dtype=torch.float64
            )
            ** 2,
            "beta_start and beta_end have changed places": right.flip(0),
            "these are the alphas": 1 - right,
            "these are products of the alphas": (1 - right).cumprod(0),
            "the last beta stops short of beta_end": [
                start + (end - start) * spread,
                (start**0.5 + (end**0.5 - start**0.5) * spread) ** 2,
            ],
            "beta_start and beta_end are not used": reference.models.VarianceScheduler(
                1e-4, 0.02, steps, name
            ).betas.double(),
        },
    )
    expect(fetch(scheduler.num_steps), "num_steps").equal_to(steps)


@public
@points("models.VarianceScheduler")
def test_schedule_linear(student: Student, reference: Reference, draw: Draw) -> None:
    """VarianceScheduler: the betas of the linear schedule"""
    for start, end, steps in _sizes(draw):
        made = student.models.VarianceScheduler(beta_start=start, beta_end=end, num_steps=steps, interpolation="linear")
        _expect_betas(made, reference, start, end, steps, "linear")


@public
@points("models.VarianceScheduler")
def test_schedule_quadratic(student: Student, reference: Reference, draw: Draw) -> None:
    """VarianceScheduler: the betas of the quadratic schedule"""
    for start, end, steps in _sizes(draw):
        made = student.models.VarianceScheduler(
            beta_start=start, beta_end=end, num_steps=steps, interpolation="quadratic"
        )
        _expect_betas(made, reference, start, end, steps, "quadratic")


@points("models.VarianceScheduler", 0.2)
def test_schedule_unknown_name(student: Student) -> None:
    """VarianceScheduler: a name of no interpolation is refused"""
    for name in ("linear", "quadratic"):
        betas_of(student.models.VarianceScheduler(interpolation=name))
    for name in ("cubical", "none of these"):
        try:
            student.models.VarianceScheduler(interpolation=name)
        except SubmissionRaised:
            continue
        fail(
            "an exception where there is no interpolation of this name.",
            "a schedule all the same.",
            "keep the last branch of the constructor, which raises.",
        )


def _noised(scheduler: Remote, x: torch.Tensor, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What add_noise returns, in float64."""
    result: Any = filled_in(scheduler.add_noise(x, times), "add_noise")
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        fail("add_noise returns two values: the noisy images and the noise in them.", "something else.")
    noisy = expect(result[0], "the noisy images").tensor(tuple(x.shape), NAMES)
    return noisy, expect(result[1], "the noise").tensor(tuple(x.shape), NAMES)


def _scheduler(student: Student, steps: int, name: str) -> tuple[Remote, torch.Tensor]:
    """A schedule of the submission, and the products of its own alphas."""
    made = student.models.VarianceScheduler(beta_start=1e-4, beta_end=0.02, num_steps=steps, interpolation=name)
    betas = betas_of(made)
    if len(betas) != steps:
        fail("one beta for each step.", "this needs VarianceScheduler, which is not right yet.")
    return made, (1 - betas).cumprod(0)


def _expect_coefficients(
    noisy: torch.Tensor, noise: torch.Tensor, x: torch.Tensor, times: torch.Tensor, bars: torch.Tensor
) -> None:
    image_factor, noise_factor, deviation = noise_coefficients(noisy, x, noise)
    if float(deviation.max()) > 1e-4:
        second = noise_coefficients(noisy, x, noise.roll(1, 0))[2]
        fail(
            "the noisy images are made of the images and the noise that is returned, each times one factor an image.",
            "something that is not made of these two.",
            "the noise that is returned has to be that which was added, not drawn a second time, nor scaled by pixel."
            if float(second.max()) > 1e-4
            else "the noises of the images have changed places.",
        )
    _expect_factors(image_factor, noise_factor, times, bars)


def _expect_factors(
    image_factor: torch.Tensor, noise_factor: torch.Tensor, times: torch.Tensor, bars: torch.Tensor
) -> None:
    last = len(bars) - 1
    bar, alpha = bars[times], bars[times] / torch.where(times > 0, bars[(times - 1).clamp(min=0)], 1.0)
    late, early = bars[(times + 1).clamp(max=last)], torch.where(times > 0, bars[(times - 1).clamp(min=0)], 1.0)
    wrapped = bars[times - 1]
    shared = "one time is used for the whole batch; every image has its own entry of time_step"
    expect(image_factor, "the factor of the images").close_to(
        bar.sqrt(),
        "(batch,)",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "alpha_bar is used without its square root": bar,
            "the square root is taken twice": bar**0.25,
            "alpha_t is used in the place of alpha_bar_t": [alpha.sqrt(), alpha],
            "the time is off by one": [late.sqrt(), early.sqrt(), wrapped.sqrt()],
            "image and noise have changed their factors": (1 - bar).sqrt(),
            "the image is not scaled down": torch.ones_like(bar),
            "the image is missing": torch.zeros_like(bar),
            shared: [bar[i].sqrt().expand_as(bar) for i in range(len(bar))],
        },
    )
    expect(noise_factor, "the factor of the noise").close_to(
        (1 - bar).sqrt(),
        "(batch,)",
        rtol=2e-3,
        atol=2e-5,
        mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": 1 - bar,
            "1 - sqrt(alpha_bar) stands where 1 - alpha_bar belongs": [(1 - bar.sqrt()).sqrt(), 1 - bar.sqrt()],
            "alpha_t is used in the place of alpha_bar_t": [(1 - alpha).sqrt(), 1 - alpha],
            "the time is off by one": [(1 - late).sqrt(), (1 - early).sqrt(), (1 - wrapped).sqrt()],
            "the noise is not scaled": torch.ones_like(bar),
            "the noise is missing": torch.zeros_like(bar),
            "the noise is subtracted": -(1 - bar).sqrt(),
            "image and noise have changed their factors": bar.sqrt(),
            shared: [(1 - bar[i]).sqrt().expand_as(bar) for i in range(len(bar))],
        },
    )


@points("models.VarianceScheduler.add_noise", 0.6)
def test_schedule_add_noise(student: Student, draw: Draw) -> None:
    """add_noise: the factors of image and noise, at several times in one batch"""
    for steps, name in ((1000, "linear"), (1000, "quadratic"), (int(draw.integers(30, 60, 1)), "linear")):
        scheduler, bars = _scheduler(student, steps, name)
        times = torch.cat([torch.tensor([steps // 2, 0, steps - 1, 0]), draw.distinct(1, steps - 1, 5)])
        x = draw.normal(len(times), *IMAGE)
        noisy, noise = _noised(scheduler, x, times)
        _expect_coefficients(noisy, noise, x, times, bars)


@public
@points("models.VarianceScheduler.add_noise", 0)
def test_schedule_add_noise_factors(student: Student, draw: Draw) -> None:
    """add_noise: the noisy images are made of the images and the noise that is returned, with the right factors"""
    scheduler, bars = _scheduler(student, 1000, "linear")
    times = torch.cat([torch.tensor([500, 0, 999]), draw.distinct(1, 999, 2)])
    x = draw.normal(5, 3, 6, 10)
    noisy, noise = _noised(scheduler, x, times)
    image_factor, noise_factor, rest = student.copy_of(Measure()).factors(noisy, x, noise)
    expect(rest, "what is neither image nor the noise that is returned").close_to(torch.zeros(5), "(batch,)", atol=1e-4)
    _expect_factors(image_factor, noise_factor, times, bars)


@points("models.VarianceScheduler.add_noise", 0.25)
def test_schedule_noise_is_normal(student: Student, draw: Draw) -> None:
    """add_noise: standard normal noise, drawn anew for every pixel, image and call"""
    scheduler, _ = _scheduler(student, 1000, "linear")
    x, times = draw.uniform(-1, 1, 4, 3, 64, 64), draw.distinct(100, 900, 4)
    _, noise = _noised(scheduler, x, times)
    zeros, ones = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    expect_normal(
        noise,
        zeros,
        ones,
        mean_mistakes={"the noise is uniform on [0, 1): rand instead of randn": ones / 2},
        std_mistakes={"the noise is uniform instead of normal": ones / 3**0.5},
    )
    pixels = noise.flatten()
    expect(abs(float((pixels**4).mean()) - 3) < 0.4).true(
        expected="normal noise.", got="noise of another distribution.", hint="torch.randn_like draws normal noise."
    )
    rows = noise.flatten(0, 1).flatten(1)  # one for each channel of each image
    correlation = torch.corrcoef(rows) - torch.eye(len(rows))
    expect(float(correlation.abs().max()) < 6 / rows.shape[1] ** 0.5).true(
        expected="every pixel has noise of its own.",
        got="images or channels that share their noise.",
        hint="draw noise in the shape of the whole batch.",
    )
    _, again = _noised(scheduler, x, times)
    expect(bool((noise != again).any())).true(
        expected="new noise in every call.", got="the same noise twice.", hint="look for a seed that is set again."
    )


@points("models.VarianceScheduler.add_noise", 0.15)
def test_schedule_stays_as_it_is(student: Student, draw: Draw) -> None:
    """add_noise: a second call, and a second schedule, leave the first as it was"""
    scheduler, bars = _scheduler(student, 1000, "quadratic")
    before = betas_of(scheduler)
    x, times = draw.normal(5, *IMAGE), torch.cat([torch.tensor([0, 999]), draw.distinct(1, 999, 3)])
    _expect_coefficients(*_noised(scheduler, x, times), x, times, bars)
    student.models.VarianceScheduler(beta_start=1e-3, beta_end=0.03, num_steps=1000, interpolation="linear")
    own_coefficients(scheduler, torch.arange(len(bars)))
    changed = not torch.equal(betas_of(scheduler), before)
    factors = noise_coefficients(*_again(scheduler, x, times))[:2]
    right = bars[times].sqrt(), (1 - bars[times]).sqrt()
    same = all(torch.allclose(own, other, rtol=2e-3, atol=1e-4) for own, other in zip(factors, right, strict=True))
    expect(same and not changed).true(
        expected="a schedule that stays as it is.",
        got="a schedule that another call has changed.",
        hint="look for operations that work in place, and for attributes of the class instead of the object.",
    )


def _again(scheduler: Remote, x: torch.Tensor, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    noisy, noise = _noised(scheduler, x, times)
    return noisy, x, noise
