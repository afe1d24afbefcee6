"""What students can try of the diffusion models: a stand-in for the network finds the noise exactly."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from autograder.checks.cmput328_f24.denoising_steps import (
    NAMES,
    Judge,
    Moment,
    Steps,
    TimesOf,
    accepts,
    expect_on_any,
    judge_ddim,
    judge_ddpm,
)
from autograder.checks.cmput328_f24.own_models import (
    BENCH,
    CLASSES,
    IMAGE,
    MAKERS,
    assignment_of,
    coarse_model,
    plain_model,
)
from autograder.checks.cmput328_f24.probes import KnownNoise, LatentNet
from autograder.checks.cmput328_f24.public_probes import LabelDecoder, Latents, Measure, StepTaker
from autograder.checks.cmput328_f24.sampling_loops import expect_all_times, largest_spread
from autograder.checks.cmput328_f24.schedules import Schedule, filled_in, own_coefficients, own_schedules
from autograder.grading import assign, expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.outcomes import CheckFailed
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

BATCH = 4
T = 1000
STEP_VALUES = 16_384  # in all latents of a level
SAMPLES = 128  # of latents, which may be small
LEAST_SPREAD = 0.87  # of the noise in x_t, in units of what its time says


# --- the loss -------------------------------------------------------------------------------------------------------


def _expect_loss_of_known_errors(student: Student, model: Remote, x: Any, levels: torch.Tensor, draw: Draw) -> None:
    """The loss, and its gradient, where the network finds the noise but for errors that are known.

    Args:
        student: the submission.
        model: its diffusion model.
        x: images or latents of one value each, (B, ...).
        levels: these values; (B,).
        draw: random inputs.
    """
    failures: list[CheckFailed] = []
    for factors in _own_factors(model.var_scheduler):
        try:
            _expect_loss(student, model, x, KnownNoise(factors, levels, *_errors(draw)), draw)
            return
        except CheckFailed as error:
            failures.append(error)
    raise failures[0]


def _own_factors(scheduler: Remote) -> list[torch.Tensor]:
    """Factors of image and noise, (T, 2), that follow from the submission's betas; those of its add_noise."""
    schedule = own_schedules(scheduler)[0]
    own = own_coefficients(scheduler, torch.arange(schedule.steps))
    return [_factors(schedule), *([torch.stack(own, 1).float()] if own is not None else [])]


def _factors(schedule: Schedule) -> torch.Tensor:
    """Factors of image and noise at each time; (T, 2)."""
    return torch.stack([schedule.bars.sqrt(), (1 - schedule.bars).sqrt()], 1).float()


def _errors(draw: Draw) -> tuple[torch.Tensor, float]:
    return torch.tensor([1.0, -2.0, 3.0, 4.0]), draw.number(0.4, 0.9)


def _expect_loss(student: Student, model: Remote, x: Any, network: KnownNoise, draw: Draw) -> None:
    labels = draw.integers(0, 10, BATCH)
    assign(model.network.forward, network)
    loss, gradients = value_and_gradients(model.forward, x, labels, wrt=(network,))
    seen = student.copy_of(network)
    if not fetch(seen.times):
        fail("the network estimates the noise in x_t.", "the network is never called.", "use self.network.")
    expect(fetch(seen.labels), "labels that the network gets").equal_to(labels.tolist())
    gain, errors = float(network.gain.detach()), network.errors.double()
    squared, absolute = errors.square().mean(), errors.abs().mean()
    expect(filled_in(loss, "forward"), "the loss of a network that is off by known errors").close_to(
        gain**2 * squared,
        "(), one number",
        rtol=5e-3,
        or_values=[gain * absolute],
        mistakes={
            "the square root of the loss is taken": gain * squared.sqrt(),
            "the losses of the images are not averaged": gain**2 * errors.square(),
            "the loss has the wrong sign": [-(gain**2) * squared, -gain * absolute],
        },
    )
    if gradients is None:
        fail(
            "a loss whose gradient reaches the network.",
            "a loss without a gradient.",
            "look for torch.no_grad(), .detach() or .item().",
        )
    expect(gradients[0], "the gradient of the loss").close_to(2 * gain * squared, "", rtol=1e-2, or_values=[absolute])


def _expect_image_loss(student: Student, draw: Draw, name: str) -> None:
    levels = draw.uniform(-0.9, 0.9, BATCH)
    x = levels.view(-1, 1, 1, 1).expand(-1, *IMAGE).contiguous()
    _expect_loss_of_known_errors(student, coarse_model(student, name), x, levels, draw)


@public
@points("models.DDPM.forward", 0)
def test_ddpm_loss_of_known_errors(student: Student, draw: Draw) -> None:
    """DDPM.forward: the loss, and its gradient, of a network whose errors are known"""
    _expect_image_loss(student, draw, "DDPM")


@public
@points("models.DDIM.forward", 0)
def test_ddim_loss_of_known_errors(student: Student, draw: Draw) -> None:
    """DDIM.forward: the loss, and its gradient, of a network whose errors are known"""
    _expect_image_loss(student, draw, "DDIM")


# --- one step -------------------------------------------------------------------------------------------------------


class OneCallSteps(Steps):
    """Steps, each by one call that finds out what kind of timestep is taken."""

    def __init__(self, model: Remote, schedule: Schedule, draw: Draw, student: Student) -> None:
        """Take steps of `model`."""
        super().__init__(model, schedule, draw)
        self._taker = student.copy_of(StepTaker())

    def _call(self, x_t: torch.Tensor, noise: torch.Tensor, time: int) -> Any:
        return self._taker.take(self._model.recover_sample, x_t, noise, time)


def _some_times(steps: int) -> list[int]:
    """The last time, one in the middle, and one close to the image."""
    return [steps - 1, steps // 2, 2]


def _judge_shares(steps: Steps, times: TimesOf, *, student: Student, or_ddpm: bool = False) -> None:
    """Steps without noise, or with any that leaves as much of image and noise as an earlier time says; or a DDPM's."""
    schedule = steps.schedule
    for time in times(schedule.steps):
        seen = steps.take(time)
        image, squares = student.copy_of(Measure()).shares(seen.samples, seen.image, seen.noise)
        beta, bar, before = float(schedule.betas[time]), schedule.bar(time), schedule.bar(time - 1)
        earlier = [schedule.bar(s) ** 0.5 for s in range(time - 2, -2, -1)]
        expect(image, f"the factor of the image in x, one step before t = {time}").close_to(
            before**0.5,
            "",
            atol=0.03,
            or_values=earlier,
            mistakes={
                "x_t comes back without a step": bar**0.5,
                "the estimated image is not divided by sqrt(alpha_bar_t)": (before * bar) ** 0.5,
                "the estimated image is divided by alpha_bar_t without the square root": (before / bar) ** 0.5,
            },
        )
        posterior = (1 - before) / (1 - bar) * beta
        expect(squares, "the sum of the squares of three factors: of image, estimated noise, and fresh noise").close_to(
            1.0,
            "",
            atol=0.04,
            or_values=[1 + beta - posterior] if or_ddpm else [],
            mistakes={
                "the part along the estimated noise has the factor of time t": 1 + before - bar,
                "the part along the estimated noise has the factor 1 - alpha_bar without the square root": before
                + (1 - before) ** 2,
                "the part along the estimated noise is missing": before,
                "the part along the estimated noise is not scaled": 1 + before,
            },
        )


def _judge_last(steps: Steps, times: TimesOf, *, may_stay: bool = False) -> None:
    """The step at t = 0 gives the image; x_t, practically the same, only where it `may_stay`."""
    seen = steps.take(0)
    ones = torch.ones_like(seen.samples)
    expect(seen.samples, "the sample at t = 0, to which no noise is added").close_to(
        seen.image.view(-1, 1, 1, 1) * ones,
        NAMES,
        rtol=1e-3,
        atol=1e-3,
        or_values=[seen.x_t.view(-1, 1, 1, 1) * ones] if may_stay else [],
    )


@public
@points("models.DDPM.recover_sample", 0)
def test_ddpm_step_moments(student: Student, draw: Draw) -> None:
    """DDPM.recover_sample: mean and spread of one step in a schedule of twelve, and the last step"""
    model, make = coarse_model(student, "DDPM"), partial(OneCallSteps, student=student)
    expect_on_any(model, draw, judge_ddpm, _some_times, make)
    expect_on_any(model, draw, _judge_last, _some_times, make)


@public
@points("models.DDIM.recover_sample", 0)
def test_ddim_step_factors(student: Student, draw: Draw) -> None:
    """DDIM.recover_sample: what one step makes of image and noise in a schedule of twelve, and the last step"""
    model, make = coarse_model(student, "DDIM"), partial(OneCallSteps, student=student)
    expect_on_any(model, draw, partial(_judge_shares, student=student), _some_times, make)
    expect_on_any(model, draw, partial(_judge_last, may_stay=True), _some_times, make)


# --- the loop -------------------------------------------------------------------------------------------------------


def _expect_walk(
    student: Student, model: Remote, draw: Draw, judge_step: Judge, final_error: float, *, all_times: bool
) -> None:
    """The times of the loop, its labels, the noise in x_t on the way, and the images at its end.

    A wrong `recover_sample` costs its own points, and is told there.
    """
    failures: list[CheckFailed] = []
    for schedule in own_schedules(model.var_scheduler):
        try:
            _expect_walk_on(student, model, draw, schedule, final_error, all_times=all_times)
            return
        except CheckFailed as error:
            failures.append(error)
    if accepts(model, draw, judge_step):
        raise failures[0]


def _expect_walk_on(
    student: Student, model: Remote, draw: Draw, schedule: Schedule, final_error: float, *, all_times: bool
) -> None:
    level, labels = draw.uniform(0.2, 0.6, 1), draw.integers(0, CLASSES, 3)
    network = KnownNoise(_factors(schedule), level, torch.zeros(1), 0.0)
    assign(model.network.forward, network)
    images = filled_in(student.copy_of(BENCH).generate(model, 1, 3, labels), "generate_sample")
    _expect_way(student, network, schedule, labels, all_times=all_times)
    right = level.view(1, 1, 1, 1).expand(3, *IMAGE)
    expect(images, "the images that the network's noise leads to").close_to(
        right,
        "(num_samples, 1, 32, 32)",
        atol=final_error,
        mistakes={"the images are mapped to [0, 1]; they stay in the range of the training": (right + 1) / 2},
    )


def _expect_way(
    student: Student, network: KnownNoise, schedule: Schedule, labels: torch.Tensor, *, all_times: bool
) -> None:
    seen = student.copy_of(network)
    times = fetch(seen.times)
    if not times:
        fail("the network is asked for the noise in every step.", "the network is never called.", "use self.network.")
    if all_times:
        expect_all_times(times, T)
    else:
        expect(seen.falls(T)).true(
            expected="times that fall from step to step, from nearly num_steps - 1 to nearly 0.", got="other times."
        )
    expect(fetch(seen.labels), "labels that the network gets").equal_to(labels.tolist())
    most = 1.1 * float(largest_spread(schedule).max())
    expect(seen.spread(), "least and largest noise in x_t, in units of what its time says").close_to(
        torch.full((2,), (most + LEAST_SPREAD) / 2), "", atol=(most - LEAST_SPREAD) / 2
    )


@public
@points("models.DDPM.generate_sample", 0)
def test_ddpm_generate_known_noise(student: Student, draw: Draw) -> None:
    """DDPM.generate_sample: all times, the noise on the way, and the images at the end, where the noise is known"""
    _expect_walk(student, plain_model(student, "DDPM"), draw, judge_ddpm, 0.02, all_times=True)


@public
@points("models.DDIM.generate_sample", 0)
def test_ddim_generate_known_noise(student: Student, draw: Draw) -> None:
    """DDIM.generate_sample: falling times, the noise on the way, and the images at the end, where the noise is known"""
    _expect_walk(student, plain_model(student, "DDIM"), draw, judge_ddim, 0.1, all_times=False)


# --- diffusion of latents -------------------------------------------------------------------------------------------


def _latent_model(student: Student, vae: Any, beta_end: float, steps: int) -> Remote:
    """The submission's LDDPM with a network of the grader."""
    scheduler = student.models.VarianceScheduler(
        beta_start=1e-4, beta_end=beta_end, num_steps=steps, interpolation="quadratic"
    )
    made: Remote = student.models.LDDPM(network=LatentNet(CLASSES, 4), vae=vae, var_scheduler=scheduler)
    return made


def _any_vae(student: Student) -> Any:
    return student.copy_of(MAKERS).any_vae(assignment_of(student))


@public
@points("models.LDDPM.forward", 0)
def test_lddpm_loss_of_known_errors(student: Student, draw: Draw) -> None:
    """LDDPM.forward: the loss, and its gradient, of a network whose errors are known"""
    vae, levels = _any_vae(student), draw.uniform(-0.9, 0.9, BATCH)
    x = student.copy_of(Latents()).filled(vae, levels, 1)
    _expect_loss_of_known_errors(student, _latent_model(student, vae, 0.4, 12), x, levels, draw)


class _LatentSteps(OneCallSteps):
    """The same with latents in the shape of the submission's VAE."""

    def __init__(self, model: Remote, schedule: Schedule, draw: Draw, student: Student, vae: Any) -> None:
        super().__init__(model, schedule, draw, student)
        self._latents, self._vae = student.copy_of(Latents()), vae

    def take(self, time: int) -> Moment:
        """One step, from latents of one value each."""
        image, x_t, noise = self._levels(time)
        inputs = [self._latents.filled(self._vae, levels, STEP_VALUES) for levels in (x_t.float(), noise.float())]
        result = filled_in(self._call(inputs[0], inputs[1], time), "LDDPM.recover_sample")
        rows = expect(self._latents.by_level(result, BATCH), "the recovered sample").tensor()
        return Moment(time, rows, x_t, image, noise)


@public
@points("models.LDDPM.recover_sample", 0)
def test_lddpm_step_shares(student: Student, draw: Draw) -> None:
    """LDDPM.recover_sample: what one step makes of latent and noise in a schedule of twelve, and the last step"""
    vae = _any_vae(student)
    model, make = _latent_model(student, vae, 0.4, 12), partial(_LatentSteps, student=student, vae=vae)
    expect_on_any(model, draw, partial(_judge_shares, student=student, or_ddpm=True), _some_times, make)
    expect_on_any(model, draw, partial(_judge_last_level, student=student), _some_times, make)


def _judge_last_level(steps: Steps, times: TimesOf, *, student: Student) -> None:
    seen = steps.take(0)
    mean, std = student.copy_of(Latents()).moments(seen.samples, BATCH)
    expect(mean, "the sample at t = 0").close_to(seen.image, "", rtol=1e-3, atol=1e-3)
    expect(std, "the noise that is added at t = 0").close_to(torch.zeros(BATCH), "", atol=1e-3)


@public
@points("models.LDDPM.generate_sample", 0)
def test_lddpm_generate_known_noise(student: Student, draw: Draw) -> None:
    """LDDPM.generate_sample: the noise on the way, and what is decoded at the end, where the noise is known"""
    vae, decoder = _any_vae(student), LabelDecoder()
    model = _latent_model(student, vae, 0.02, T)
    assign(vae.decode, decoder)
    failures: list[CheckFailed] = []
    for schedule in own_schedules(model.var_scheduler):
        level, labels = draw.uniform(0.2, 0.6, 1), draw.integers(0, CLASSES, SAMPLES)
        network = KnownNoise(_factors(schedule), level, torch.zeros(1), 0.0)
        assign(model.network.forward, network)
        try:
            images = filled_in(student.copy_of(BENCH).generate(model, 1, SAMPLES, labels), "LDDPM.generate_sample")
            _expect_way(student, network, schedule, labels, all_times=False)
            seen = student.copy_of(decoder)
            if not fetch(seen.labels):
                fail("the VAE decodes the latents at the end.", "decode is never called.", "use self.vae.decode.")
            expect(seen.extremes(), "least and largest value in what decode gets").close_to(
                level.expand(2), "", atol=0.1
            )
            expect(images, "what generate_sample returns").close_to(
                (labels / 10).view(-1, 1, 1, 1).expand(-1, *IMAGE), "(num_samples, 1, 32, 32)", rtol=1e-3, atol=1e-4
            )
            return
        except CheckFailed as error:
            failures.append(error)
    make = partial(_LatentSteps, student=student, vae=vae)
    if accepts(model, draw, partial(_judge_shares, student=student, or_ddpm=True), make):
        raise failures[0]
