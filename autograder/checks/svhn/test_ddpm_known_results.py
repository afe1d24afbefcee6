"""Functions of the DDPM that draw noise or times, where their results are known whatever they draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from autograder.checks.svhn.ddpm_mistakes import wrong_losses, wrong_orders
from autograder.checks.svhn.ddpm_probes import DrawnTimes, HalvingStep, LinearNet, RightNoising
from autograder.checks.svhn.ddpm_schedule import (
    Coefficients,
    judge_with_coefficients,
    number_of_steps,
    right_coefficients,
)
from autograder.checks.svhn.known import is_known_right
from autograder.grading import assign, expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.carry import alike, tensors
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.proxy import Student

Candidates = Sequence[Coefficients]
FRAMES = "(timesteps, batch, channels, height, width)"
FEW, STEPS = (2, 3, 4, 5), 16  # of a step, half of the noise is left


@public
@points("ddpm.p_sample_loop", 0)
def test_ddpm_p_sample_loop_images(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample_loop: the times and the images of all steps, where a step halves the image and adds a number"""
    times = list(range(STEPS))
    right = right_coefficients(reference, number_of_steps(student, reference))
    levels = draw.uniform(0.5, 1.5, STEPS) * (2 * draw.integers(0, 2, STEPS) - 1)
    # a step that is written into the loop does the same with this network, but for the noise that it adds
    scale, factor = _linear_step(right)
    net_slope = (scale - 0.5)[:STEPS] / (scale * factor)[:STEPS]
    net_offset = -levels.double() / (scale * factor)[:STEPS]

    def run() -> tuple[Any, Any]:
        net = LinearNet(times, net_slope.float(), net_offset.float().view(-1, 1, 1, 1))
        assign(student.ddpm.p_sample, HalvingStep(levels))
        result = student.ddpm.p_sample_loop(net, FEW, STEPS)
        return result, fetch(student.copy_of(net).times)

    def judge(found: tuple[Any, Any], candidates: Candidates) -> None:
        result, seen = found
        one, each = ([[time] * count for time in reversed(times)] for count in (1, FEW[0]))
        order = [_one_time(entry) for entry in seen]
        wrong = wrong_orders(order, times[::-1])
        expect(seen, _("sequence of times")).equal_to(
            each, or_values=[one], mistakes={text: [[t] * FEW[0] for t in row] for text, row in wrong.items()}
        )
        frames = [_halved(c, net_slope, net_offset) for c in candidates]
        images = [image.view(-1, 1, 1, 1, 1).expand(-1, *FEW) for image, _spread in frames]
        room = torch.stack([spread for _image, spread in frames]).amax(0) * SIGMAS + 1e-3
        expect(result, _("what the loop returns")).close_to(
            images[0], FRAMES, atol=room.view(-1, 1, 1, 1, 1), or_values=images[1:]
        )

    judge_with_coefficients(student, reference, run, judge)


def _one_time(times: Any) -> Any:
    """The time of a call, where it is one for the whole batch."""
    same = isinstance(times, list) and times and all(time == times[0] for time in times)
    return times[0] if same else times


def _linear_step(c: Coefficients) -> tuple[torch.Tensor, torch.Tensor]:
    """The factors a and b in the mean a (x - b eps) of a step, (T,) each (Eq. 11)."""
    return c.sqrt_recip_alphas, c.betas / c.sqrt_one_minus_alphas_cumprod


def _halved(c: Coefficients, slope: torch.Tensor, offset: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What all steps give with a network that is linear, the first ones first: mean and standard deviation, (N,)."""
    scale, factor = _linear_step(c)
    mean, variance, found = torch.zeros(()).double(), torch.ones(()).double(), []
    for t in reversed(range(len(slope))):
        kept = scale[t] * (1 - factor[t] * slope[t])
        mean = kept * mean - scale[t] * factor[t] * offset[t]
        variance = kept**2 * variance + c.posterior_variance[t]
        found.append(torch.stack([mean, variance.sqrt()]))
    return tuple(torch.stack(found).T)


@public
@points("ddpm.p_losses", 0)
def test_ddpm_p_losses_known_errors(student: Student, reference: Reference, draw: Draw) -> None:
    """p_losses: its value and its gradient, where the errors of the network are known"""
    steps = number_of_steps(student, reference)
    t = draw.distinct(20, steps, 4)
    x, error = draw.normal(4, 3, 8, 6), draw.uniform(-3.0, 2.0, 4, 3, 8, 6)
    here = right_coefficients(reference, steps).at(t)
    signal, spread = here.sqrt_alphas_cumprod, here.sqrt_one_minus_alphas_cumprod
    if not is_known_right(student, "ddpm.q_sample"):
        right_x = signal * x.double() + spread * error.double()
        if not alike(tensors(lambda: student.ddpm.q_sample(x, t, error)), [right_x], atol=1e-3):
            assign(student.ddpm.q_sample, RightNoising(signal.float(), spread.float()))
    # of x_t, this network makes the noise and the error
    slope, offset = (1 / spread).flatten().float(), (error.double() - signal * x.double() / spread).float()

    def run() -> tuple[Any, Any, Any]:
        net = LinearNet(t.tolist(), slope, offset)
        loss, gradients = value_and_gradients(student.ddpm.p_losses, net, x, t, wrt=(net,))
        return loss, gradients, fetch(student.copy_of(net).times)

    def judge(found: tuple[Any, Any, Any], _candidates: Candidates) -> None:
        loss, gradients, times = found
        if not times:
            fail(_("the network estimates the noise in x_t."), _("the network is never called."))
        expect(times[-1], _("times that the network gets")).equal_to(t.tolist())
        errors = error.double()
        right = F.smooth_l1_loss(errors, torch.zeros_like(errors))
        expect(loss, _("the loss")).close_to(right, _("(), one number"), rtol=1e-3, mistakes=wrong_losses(errors))
        if gradients is None:
            fail(
                _("a loss whose gradient reaches the network."),
                _("a loss without a gradient."),
                _("look for torch.no_grad(), .detach() or .item()."),
            )
        slope_of_loss = errors.clamp(-1, 1).mean()
        expect(gradients[0], _("the gradient of the loss")).close_to(slope_of_loss, rtol=2e-3, atol=1e-4)

    judge_with_coefficients(student, reference, run, judge)


@public
@points("ddpm.t_sample", 0)
def test_ddpm_t_sample_shares(student: Student) -> None:
    """t_sample: how often each time is drawn"""
    steps, batch = 8, 10_000
    drawn, t_sample = student.copy_of(DrawnTimes()), student.ddpm.t_sample
    expect(drawn.form(t_sample, steps, batch), _("type and shape of the times")).equal_to(["torch.int64", batch])
    share = _shares(0, steps, steps)
    expect(drawn.shares(t_sample, steps, batch), _("the shares of the times -1, 0, ..., timesteps")).close_to(
        share,
        rtol=0.0,
        atol=SIGMAS * (share * (1 - share) / batch).sqrt() + 1e-6,
        mistakes={
            _("the times are counted from 1"): _shares(1, steps + 1, steps),
            _("the last time, timesteps - 1, is never drawn"): _shares(0, steps - 1, steps),
            _("the first time, 0, is never drawn"): _shares(1, steps, steps),
            _("there is one time too many"): _shares(0, steps + 1, steps),
        },
    )


def _shares(start: int, end: int, steps: int) -> torch.Tensor:
    """Shares of the times -1 .. `steps` where those from `start` to `end` - 1 are equally likely."""
    times = torch.arange(-1, steps + 1)
    return ((times >= start) & (times < end)).double() / (end - start)
