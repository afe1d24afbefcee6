"""One denoising step, from x_t to an earlier time: mean and spread over many pixels that are all alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from autograder.checks.cmput328_f24.schedules import Schedule, filled_in, own_schedules
from autograder.grading import expect, fail
from autograder.grading.expectation import Mistakes
from autograder.grading.outcomes import CheckFailed
from autograder.grading.sampling import SIGMAS, expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import SubmissionError, SubmissionRaised
from autograder.sandbox.proxy import Remote

BATCH, SIDE = 4, 128
NAMES = "(batch, channels, height, width)"
SLACK = 5e-4
TimesOf = Callable[[int], list[int]]


def late_times(steps: int) -> list[int]:
    """Times in the middle, and where nearly all of x_t is noise."""
    return [steps // 2, steps - 1]


def early_times(steps: int) -> list[int]:
    """Times close to the image, where variances differ most."""
    return [10 if steps > 20 else 3, 2, 1]


def last_time(steps: int) -> list[int]:
    """The last step."""
    return [0]


class Moment(NamedTuple):
    """What a step from `time` gave: moments of each image, and what went in; float64 (B,) each."""

    time: int
    samples: torch.Tensor
    x_t: torch.Tensor
    image: torch.Tensor
    noise: torch.Tensor

    @property
    def mean(self) -> torch.Tensor:
        """Mean of each image of the result."""
        return self.samples.flatten(1).mean(1)

    @property
    def std(self) -> torch.Tensor:
        """Standard deviation within each image of the result."""
        return self.samples.flatten(1).std(1)

    @property
    def precision(self) -> float:
        """How well the mean is known, in standard deviations of one pixel."""
        return SIGMAS / self.samples[0].numel() ** 0.5


class Steps:
    """`recover_sample` of a submission, called with the kind of timestep that it takes.

    That is one time for each image, else a tensor of one element, else a number. All images have the same time.
    """

    def __init__(self, model: Remote, schedule: Schedule, draw: Draw) -> None:
        """Take steps of `model`."""
        self.schedule = schedule
        self._model = model
        self._draw = draw
        self._kinds: list[Callable[[int], Any]] = [
            lambda time: torch.full((BATCH,), time),
            lambda time: torch.tensor([time]),
            lambda time: time,
        ]

    def take(self, time: int) -> Moment:
        """One step, from images of one grey value each, which lie within [-1, 1], though x_t may not."""
        image, x_t, noise = self._levels(time)
        inputs = [
            value.float().view(BATCH, 1, 1, 1).expand(BATCH, 1, SIDE, SIDE).contiguous() for value in (x_t, noise)
        ]
        result = filled_in(self._call(inputs[0], inputs[1], time), "recover_sample")
        samples = expect(result, "the recovered sample").tensor(tuple(inputs[0].shape), NAMES)
        return Moment(time, samples, x_t, image, noise)

    def _levels(self, time: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Grey values of the images, of x_t and of the noise, as exact as those that go in; float64 (B,) each."""
        image = self._draw.uniform(-0.8, 0.8, BATCH).double()
        noise = torch.tensor([1.8, -1.7, 1.1, -1.3], dtype=torch.float64) + self._draw.uniform(-0.3, 0.3, BATCH)
        bar = self.schedule.bar(time)
        x_t = (bar**0.5 * image + (1 - bar) ** 0.5 * noise).float().double()
        noise = noise.float().double()
        return (x_t - (1 - bar) ** 0.5 * noise) / bar**0.5, x_t, noise

    def _call(self, x_t: torch.Tensor, noise: torch.Tensor, time: int) -> Any:
        errors: list[SubmissionError] = []
        odd: list[Any] = []
        for kind in list(self._kinds):
            try:
                result = self._model.recover_sample(x_t, noise, kind(time))
            except SubmissionRaised as error:
                errors.append(error)
                continue
            if isinstance(result, torch.Tensor) and result.shape == x_t.shape:
                self._kinds.remove(kind)
                self._kinds.insert(0, kind)
                return result
            odd.append(result)
        if odd:
            return odd[0]
        raise errors[min(1, len(errors) - 1)]  # what goes wrong with one element goes wrong in their own loop, too


MakeSteps = Callable[[Remote, Schedule, Draw], Steps]
Judge = Callable[[Steps, TimesOf], None]


def expect_on_any(model: Remote, draw: Draw, judge: Judge, times: TimesOf, make: MakeSteps = Steps) -> None:
    """`judge` accepts the steps under one of the submission's schedules; else what it says under the first."""
    failures: list[CheckFailed] = []
    for schedule in own_schedules(model.var_scheduler):
        try:
            judge(make(model, schedule, draw), times)
            return
        except CheckFailed as error:
            failures.append(error)
    raise failures[0]


def accepts(model: Remote, draw: Draw, judge: Judge, make: MakeSteps = Steps) -> bool:
    """Whether all steps of a submission are right."""
    try:
        for times in (late_times, early_times, last_time):
            expect_on_any(model, draw, judge, times, make)
    except CheckFailed:
        return False
    return True


# --- DDPM


def judge_ddpm(steps: Steps, times: TimesOf) -> None:
    """Steps of a DDPM, with sigma^2 = beta_t or the variance of the posterior."""
    for time in times(steps.schedule.steps):
        _judge_ddpm_at(steps.take(time), steps.schedule)


def _judge_ddpm_at(seen: Moment, schedule: Schedule) -> None:
    t = seen.time
    beta, bar, before = float(schedule.betas[t]), schedule.bar(t), schedule.bar(t - 1)
    alpha = 1 - beta
    x_t, noise = seen.x_t, seen.noise
    mean = (x_t - beta / (1 - bar) ** 0.5 * noise) / alpha**0.5
    ones = torch.ones_like(mean)
    posterior = (1 - before) / (1 - bar) * beta
    wrong_means = _ddpm_mean_mistakes(seen, schedule, mean)
    if t == 0:
        expect(seen.mean, "the mean at t = 0").close_to(mean, "(batch,)", rtol=1e-3, atol=1e-3, mistakes=wrong_means)
        expect(float(seen.std.max()) <= 0.1 * beta**0.5).true(
            expected="the last step, t = 0, adds no noise.", got="noise in the images that it returns."
        )
        return
    _name_clamping(seen)
    expect_normal(
        seen.samples,
        mean,
        beta**0.5 * ones,
        slack=SLACK,
        or_moments=[(mean, posterior**0.5 * ones)],
        mean_mistakes=wrong_means,
        std_mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": [
                beta * ones,
                posterior * ones,
            ],
            "the noise is not scaled": ones,
            "the noise has the standard deviation sqrt(1 - alpha_bar_t)": [
                (1 - bar) ** 0.5 * ones,
                (1 - before) ** 0.5 * ones,
            ],
            "the variance of the posterior is upside down": ((1 - bar) / (1 - before) * beta) ** 0.5 * ones,
            "the noise is uniform instead of normal": beta**0.5 * ones / 12**0.5,
            "the noise has the standard deviation of another time": [
                float(schedule.betas[min(t + 1, schedule.steps - 1)]) ** 0.5 * ones,
                float(schedule.betas[t - 1]) ** 0.5 * ones,
            ],
        },
    )


def _name_clamping(seen: Moment) -> None:
    sizes = seen.samples.abs()
    at_the_edge = float(((sizes - 1).abs() < 1e-6).double().mean())
    if at_the_edge > 0.01 and float(sizes.max()) <= 1 + 1e-6:
        fail(
            "the right mean of the recovered sample.",
            "no value beyond 1.",
            "it looks as if x_t or x_{t-1} is clamped; only an estimate of the final image may be.",
        )


def _ddpm_mean_mistakes(seen: Moment, schedule: Schedule, mean: torch.Tensor) -> Mistakes:
    t = seen.time
    x_t, noise = seen.x_t, seen.noise
    beta, bar = float(schedule.betas[t]), schedule.bar(t)
    alpha, root = 1 - beta, (1 - bar) ** 0.5
    early, late = max(t - 1, 0), min(t + 1, schedule.steps - 1)

    def at(time: int) -> torch.Tensor:
        b, ab = float(schedule.betas[time]), schedule.bar(time)
        return (x_t - b / (1 - ab) ** 0.5 * noise) / (1 - b) ** 0.5

    return {
        "x_t comes back without a step": x_t,
        "the mean is clamped; only an estimate of the final image may be": mean.clamp(-1, 1),
        "the factor 1 / sqrt(alpha_t) is missing": x_t - beta / root * noise,
        "the noise is multiplied by sqrt(1 - alpha_bar_t): this is the final image, not x_{t-1}": [
            (x_t - root * noise) / bar**0.5,
            (x_t - root * noise) / alpha**0.5,
            x_t - root * noise,
        ],
        "the noise is divided by 1 - alpha_bar_t without the square root": (x_t - beta / (1 - bar) * noise)
        / alpha**0.5,
        "the division by sqrt(1 - alpha_bar_t) is missing": (x_t - beta * noise) / alpha**0.5,
        "the noise is added instead of subtracted": (x_t + beta / root * noise) / alpha**0.5,
        "the noise is subtracted without its factor": [(x_t - noise) / alpha**0.5, x_t - noise],
        "the square root of beta_t is taken where beta_t belongs": (x_t - beta**0.5 / root * noise) / alpha**0.5,
        "the sum is divided by sqrt(alpha_bar_t) instead of sqrt(alpha_t)": (x_t - beta / root * noise) / bar**0.5,
        "the sum is divided by alpha_t without the square root": (x_t - beta / root * noise) / alpha,
        "the sum is multiplied by sqrt(alpha_t) instead of divided": (x_t - beta / root * noise) * alpha**0.5,
        "only x_t is divided by sqrt(alpha_t)": x_t / alpha**0.5 - beta / root * noise,
        "alpha_t is used in the place of alpha_bar_t": (x_t - beta / beta**0.5 * noise) / alpha**0.5,
        "the time is off by one": [at(early), at(late)],
        "the noise that is added is not centred: rand instead of randn": mean + beta**0.5 / 2,
        "x_t and the estimated noise have changed places": (noise - beta / root * x_t) / alpha**0.5,
    }


# --- DDIM


def judge_ddim(steps: Steps, times: TimesOf) -> None:
    """Steps of a DDIM to any one earlier time, without noise, or with noise and the mean that goes with it."""
    for time in times(steps.schedule.steps):
        _judge_ddim_at(steps.take(time), steps.schedule)


def _ddim_mean(seen: Moment, bar: torch.Tensor | float, variance: float = 0.0) -> torch.Tensor:
    bar = torch.as_tensor(bar, dtype=torch.float64).reshape(-1, 1)
    return bar.sqrt() * seen.image + (1 - bar - variance).clamp(min=0).sqrt() * seen.noise


def _judge_ddim_at(seen: Moment, schedule: Schedule) -> None:
    t = seen.time
    std = float(seen.std.square().mean().sqrt())
    stochastic = std > 1e-4
    if t == 0:
        expect(not stochastic).true(
            expected="the last step, t = 0, adds no noise.", got="noise in the images that it returns."
        )
    earlier = torch.cat([torch.ones(1, dtype=torch.float64), schedule.bars[: max(t, 1)]])  # from the image on
    means = _ddim_mean(seen, earlier, std**2)  # (times, B)
    tolerance = 1e-4 + 1e-4 * seen.mean.abs() + (seen.precision * std if stochastic else 0.0)
    bar = schedule.bar(t)
    largest = ((1 - earlier) / (1 - bar) * (1 - bar / earlier)).clamp(min=0).sqrt()  # sigma where eta = 1
    fits = ((means - seen.mean).abs() <= tolerance).all(1)
    if t > 1:
        fits[0] = fits[0] and not stochastic
    if stochastic:
        fits &= std <= 1.06 * largest
        spread = (seen.std - std).abs().max()
        fits &= bool(spread <= 0.06 * std)
    if bool(fits.any()) and not (t > 20 and bool(fits[0]) and int(fits.sum()) == 1):
        return
    before = schedule.bar(t - 1)
    right = _ddim_mean(seen, before)[0]
    _name_clamping(seen)
    mistakes = _ddim_mistakes(seen, schedule)
    expect(seen.mean, f"the recovered sample{' at t = 0' if t == 0 else ''}").close_to(
        right, "(batch,)", rtol=1e-4, atol=1e-4 + seen.precision * std, mistakes=mistakes
    )
    fail(
        "a step without noise, or with noise and the mean that belongs to it.",
        "noise on top of the mean of the step without noise." if stochastic else "another step.",
        "the noise that is added has to be taken off the part along the estimated noise; eta = 0 adds none.",
    )


def _ddim_mistakes(seen: Moment, schedule: Schedule) -> Mistakes:
    t = seen.time
    x_t, noise, image = seen.x_t, seen.noise, seen.image
    beta, bar, before = float(schedule.betas[t]), schedule.bar(t), schedule.bar(t - 1)
    alpha, alpha_before = 1 - beta, 1 - float(schedule.betas[t - 1]) if t else 1.0
    root = (1 - bar) ** 0.5
    direction = (1 - before) ** 0.5 * noise

    def from_image(estimate: torch.Tensor) -> torch.Tensor:
        return before**0.5 * estimate + direction

    return {
        "alpha_bars[-1], the last entry, is taken for the time before t = 0": [
            _ddim_mean(seen, schedule.bar(schedule.steps - back))[0] for back in (1, 2, 10, 20) if back < schedule.steps
        ],
        "this is a step of the DDPM, without or with its noise": (x_t - beta / root * noise) / alpha**0.5,
        "this is the final image: the way back to the noise of the time before is missing": [
            image,
            before**0.5 * image,
        ],
        "x_t comes back, nearly as it was: alpha_t in the place of alpha_bar_t does that, too": [
            x_t,
            alpha_before**0.5 * (x_t - beta**0.5 * noise) / alpha**0.5 + (1 - alpha_before) ** 0.5 * noise,
        ],
        "the part along the estimated noise has the factor of time t": before**0.5 * image + root * noise,
        "the part along the estimated noise has the factor 1 - alpha_bar without the square root": before**0.5 * image
        + (1 - before) * noise,
        "the part along the estimated noise is not scaled": before**0.5 * image + noise,
        "the estimated image is not scaled by sqrt(alpha_bar) of the time before": [
            image + direction,
            bar**0.5 * image + direction,
        ],
        "the estimated image is not divided by sqrt(alpha_bar_t)": from_image(x_t - root * noise),
        "the estimated image is divided by alpha_bar_t without the square root": from_image((x_t - root * noise) / bar),
        "the estimated image has a factor without its root, or is divided by sqrt(alpha_t), not sqrt(alpha_bar_t)": (
            from_image((x_t - root * noise) / alpha**0.5)
        ),
        "the estimated noise is subtracted with the factor 1 - alpha_bar_t, without the square root": from_image(
            (x_t - (1 - bar) * noise) / bar**0.5
        ),
        "the estimated noise is added where it has to be subtracted": [
            from_image((x_t + root * noise) / bar**0.5),
            before**0.5 * image - direction,
        ],
        "the step goes to a later time instead of an earlier one": [
            _ddim_mean(seen, schedule.bar(t + 1))[0] for _ in range(t + 1 < schedule.steps)
        ],
    }
