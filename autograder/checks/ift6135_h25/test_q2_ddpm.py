"""Question 2.1.1: the DDPM class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from autograder.checks.ift6135_h25.noise_loss import expect_noise_loss, summed_then_averaged
from autograder.checks.ift6135_h25.probes import TimeNet
from autograder.grading import expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.carry import follows, own
from autograder.grading.reference import Reference
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Student

STEPS = 40
IMAGE = (3, 5, 6)  # channels, height, width: none of them equal
NAMES = "(batch, channels, height, width)"
ONE_EACH = "(batch, 1, 1, 1)"


def schedule(steps: int = STEPS) -> tuple[torch.Tensor, torch.Tensor]:
    """beta and alpha_bar of the given schedule, float64, (steps,)."""
    beta = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)
    return beta, (1 - beta).cumprod(0)


def at(values: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Entries of a schedule as (B, 1, 1, 1)."""
    return values[t.clamp(0, len(values) - 1)].view(-1, 1, 1, 1)


def pair(result: Any, what: str) -> tuple[Any, Any]:
    """The two values that a method returns."""
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        fail(f"{what} returns two values, the mean and the variance.", "something else.")
    return result[0], result[1]


def moments(result: Sequence[torch.Tensor], batch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Mean and standard deviation for each image, from a mean and a variance that are constant in each image."""
    if len(result) != 2 or result[0].dim() != 4 or result[0].shape[0] != batch:
        return []
    mean, var = result
    if var.dim() != 4 or var.shape[0] not in (1, batch) or bool((var <= 0).any()):
        return []
    return [(mean.flatten(1).mean(1), var.flatten(1).mean(1).sqrt().expand(batch))]


@public
@points("q2_ddpm.q_xt_x0")
def test_ddpm_q_xt_x0(student: Student, reference: Reference, draw: Draw) -> None:
    """q_xt_x0: mean and variance of x_t given x_0"""
    net = TimeNet(0.5, STEPS)
    x0, t = draw.normal(6, *IMAGE), torch.cat([torch.tensor([0, STEPS - 1]), draw.distinct(1, STEPS - 1, 4)])
    mean, var = pair(student.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu").q_xt_x0(x0, t), "q_xt_x0")
    right_mean, right_var = reference.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu").q_xt_x0(x0, t)
    beta, bar = schedule()
    expect(mean, "the mean").close_to(
        right_mean,
        NAMES,
        rtol=5e-4,
        atol=2e-5,
        mistakes={
            "alpha_bar is used without its square root": at(bar, t) * x0,
            "alpha_t is used in the place of alpha_bar_t": [at(1 - beta, t).sqrt() * x0, at(1 - beta, t) * x0],
            "x_0 is multiplied by the standard deviation of the noise": (1 - at(bar, t)).sqrt() * x0,
            "the time is off by one": [at(bar, t + 1).sqrt() * x0, at(bar, t - 1).sqrt() * x0],
        },
    )
    expect(var, "the variance").close_to(
        right_var,
        ONE_EACH,
        rtol=5e-4,
        atol=2e-5,
        or_shapes=[tuple(x0.shape)],
        mistakes={
            "the standard deviation is returned instead of the variance": (1 - at(bar, t)).sqrt(),
            "1 - alpha_t is used in the place of 1 - alpha_bar_t": at(beta, t),
            "alpha_bar is returned instead of 1 - alpha_bar": at(bar, t),
            "1 - sqrt(alpha_bar) is used in the place of 1 - alpha_bar": 1 - at(bar, t).sqrt(),
            "the time is off by one": [1 - at(bar, t + 1), 1 - at(bar, t - 1)],
        },
    )


@public
@points("q2_ddpm.q_sample")
def test_ddpm_q_sample(student: Student, reference: Reference, draw: Draw) -> None:
    """q_sample: x_t from x_0 and the given noise"""
    net = TimeNet(0.5, STEPS)
    x0, eps, t = draw.normal(5, *IMAGE), draw.normal(5, *IMAGE), draw.distinct(1, STEPS, 5)
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu")
    result = ddpm.q_sample(x0, t, eps)
    mean, var = reference.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu").q_xt_x0(x0, t)
    right = mean + var.sqrt() * eps
    expect(result, "x_t").close_to(
        right,
        NAMES,
        rtol=5e-4,
        atol=5e-5,
        or_values=follows(
            lambda mean, var: mean + var.sqrt() * eps, own("q2_ddpm.q_xt_x0", lambda: ddpm.q_xt_x0(x0, t))
        ),
        mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": mean + var * eps,
            "the noise is not scaled": mean + eps,
            "the noise is subtracted": mean - var.sqrt() * eps,
            "the noise that was passed in is not used": lambda: mean,
            "the image is not scaled down": x0 + var.sqrt() * eps,
            "the mean and the noise have changed their factors": var.sqrt() * x0 + (1 - var).sqrt() * eps,
        },
    )


@points("q2_ddpm.q_sample")
def test_ddpm_q_sample_draws_noise(student: Student, reference: Reference, draw: Draw) -> None:
    """q_sample: noise of its own where none is given"""
    net = TimeNet(0.5, STEPS)
    x0, t = draw.normal(4, 1, 1, 1).expand(4, 3, 64, 64).contiguous(), draw.distinct(1, STEPS, 4)
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu")
    samples = expect(ddpm.q_sample(x0, t), "x_t").tensor(tuple(x0.shape), NAMES)
    [(mean, std)] = moments(reference.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu").q_xt_x0(x0, t), 4)
    expect_normal(
        samples,
        mean,
        std,
        or_moments=moments(own("q2_ddpm.q_xt_x0", lambda: ddpm.q_xt_x0(x0, t)), 4),
        std_mistakes={"the noise is multiplied by the variance instead of the standard deviation": std**2},
    )


@public
@points("q2_ddpm.p_xt_prev_xt")
def test_ddpm_p_xt_prev_xt(student: Student, reference: Reference, draw: Draw) -> None:
    """p_xt_prev_xt: mean and variance of one reverse step"""
    net = TimeNet(draw.number(0.4, 0.9), STEPS)
    xt, t = draw.normal(6, *IMAGE), torch.cat([torch.tensor([0, STEPS - 1]), draw.distinct(1, STEPS - 1, 4)])
    mean, var = pair(student.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu").p_xt_prev_xt(xt, t), "p_xt_prev_xt")
    right_mean, right_var = reference.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu").p_xt_prev_xt(xt, t)
    _expect_integer_times(student, net, t)
    all_beta, all_bar = schedule()
    beta, bar, eps = at(all_beta, t), at(all_bar, t), net(xt.double(), t).detach()
    single = at((1 - all_beta.float()).cumprod(0), t).neg() + 1  # 1 - alpha_bar in float32, 0.1 % off at t = 0
    coefficient = beta / (1 - bar).sqrt()
    before = torch.where(t.view(-1, 1, 1, 1) > 0, at(all_bar, t - 1), 1.0)
    expect(mean, "the mean").close_to(
        right_mean,
        NAMES,
        rtol=5e-4,
        atol=5e-5,
        mistakes={
            "the factor 1 / sqrt(alpha_t) is missing": xt - coefficient * eps,
            "the result is divided by sqrt(alpha_bar_t) instead of sqrt(alpha_t)": (xt - coefficient * eps)
            / bar.sqrt(),
            "the result is divided by alpha_t without the square root": (xt - coefficient * eps) / (1 - beta),
            "the result is multiplied by sqrt(alpha_t) instead of divided": (xt - coefficient * eps)
            * (1 - beta).sqrt(),
            "1 - alpha_bar_t stands without its square root": [
                (xt - beta / noise_var * eps) / (1 - beta).sqrt() for noise_var in (1 - bar, single)
            ],
            "the estimate of x_0 is returned instead of the mean of x_{t-1}": (xt - (1 - bar).sqrt() * eps)
            / bar.sqrt(),
            "the estimated noise is added instead of subtracted": (xt + coefficient * eps) / (1 - beta).sqrt(),
            "the estimated noise is subtracted without its factor": (xt - eps) / (1 - beta).sqrt(),
            "the factor of the noise has alpha_t where 1 - alpha_t belongs": (xt - (1 - beta) / (1 - bar).sqrt() * eps)
            / (1 - beta).sqrt(),
            "the network is asked at another time": [
                (xt - coefficient * net(xt.double(), t + shift).detach()) / (1 - beta).sqrt() for shift in (1, -1)
            ],
        },
    )
    expect(var, "the variance").close_to(
        right_var,
        ONE_EACH,
        rtol=5e-4,
        atol=1e-6,
        or_shapes=[tuple(xt.shape)],
        mistakes={
            "the standard deviation is returned instead of the variance": beta.sqrt(),
            "it is the posterior's variance (beta-tilde); here sigma^2 = beta_t is used": (1 - before)
            / (1 - bar)
            * beta,
            "it is 1 - alpha_bar_t, the variance of x_t given x_0": 1 - bar,
            "the square of beta_t is taken": beta**2,
            "the time is off by one": [at(all_beta, t + 1), at(all_beta, t - 1)],
        },
    )


def _expect_integer_times(student: Student, net: TimeNet, t: torch.Tensor) -> None:
    calls = fetch(student.copy_of(net).calls)
    if not calls:
        fail("the network estimates the noise.", "the network is never called.", "use self.eps_model.")
    for call in calls:
        times = call.get("t") if isinstance(call, dict) else None
        if not isinstance(times, torch.Tensor) or times.is_floating_point():
            fail(
                "the network gets the times as they are: an integer tensor of shape (batch,).",
                f"{'times of dtype ' + str(times.dtype) if isinstance(times, torch.Tensor) else 'no tensor'}.",
            )


def _constant_images(draw: Draw, batch: int) -> torch.Tensor:
    return draw.uniform(-1.5, 1.5, batch, 1, 1, 1).expand(batch, 3, 128, 128).contiguous()


@public
@points("q2_ddpm.p_sample")
def test_ddpm_p_sample(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: mean and spread of a reverse step"""
    steps, batch = 12, 4
    net = TimeNet(draw.number(0.4, 0.9), steps)
    xt, t = _constant_images(draw, batch), torch.cat([torch.tensor([1]), draw.distinct(2, steps, batch - 1)])
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, steps, "cpu")
    samples = expect(ddpm.p_sample(xt, t), "x_{t-1}").tensor(tuple(xt.shape), NAMES)
    [(mean, std)] = moments(reference.q2_ddpm.DenoiseDiffusion(net, steps, "cpu").p_xt_prev_xt(xt, t), batch)
    all_beta, all_bar = schedule(steps)
    tilde = ((1 - all_bar[t - 1]) / (1 - all_bar[t]) * all_beta[t]).sqrt()
    expect_normal(
        samples,
        mean,
        std,
        or_moments=moments(own("q2_ddpm.p_xt_prev_xt", lambda: ddpm.p_xt_prev_xt(xt, t)), batch),
        mean_mistakes={"the noise is not centred: it is uniform on [0, 1)": mean + std / 2},
        std_mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": std**2,
            "the noise has the posterior's variance (beta-tilde); here sigma^2 = beta_t is used": tilde,
            "the noise is not scaled": torch.ones_like(std),
        },
    )


@points("q2_ddpm.p_sample")
def test_ddpm_p_sample_last_step(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: the last step, with or without noise"""
    steps, batch = 12, 3
    net = TimeNet(draw.number(0.4, 0.9), steps)
    xt, t = _constant_images(draw, batch), torch.zeros(batch, dtype=torch.long)
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, steps, "cpu")
    samples = expect(ddpm.p_sample(xt, t), "x_{t-1}").tensor(tuple(xt.shape), NAMES).flatten(1)
    right = reference.q2_ddpm.DenoiseDiffusion(net, steps, "cpu").p_xt_prev_xt(xt, t)
    candidates = [
        *moments(right, batch),
        *moments(own("q2_ddpm.p_xt_prev_xt", lambda: ddpm.p_xt_prev_xt(xt, t)), batch),
    ]
    largest = max(float(std.max()) for _, std in candidates)
    expect(float(samples.std(1).max()) <= 1.05 * largest).true(
        expected="a last step without noise, or with noise of variance beta_0.", got="a last step with more noise."
    )
    expect(samples.mean(1), "the mean of the last step").close_to(
        candidates[0][0], rtol=1e-3, atol=1e-3, or_values=[mean.expand(batch) for mean, _ in candidates[1:]]
    )


@points("q2_ddpm.loss", 0.7)
def test_ddpm_loss(student: Student, reference: Reference, draw: Draw) -> None:
    """loss: squared error of the noise, summed over each image, averaged over the batch"""
    net = TimeNet(draw.number(0.4, 0.9), STEPS)
    x0, noise = draw.normal(5, *IMAGE), draw.normal(5, *IMAGE)
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu")
    loss, gradients = value_and_gradients(ddpm.loss, x0, noise, wrt=(net,))
    t = _times_of_loss(student, net, 5)
    seen = fetch(student.copy_of(net).calls)[-1]["x"]
    ref = reference.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu")
    xt = ref.q_sample(x0, t, noise)
    carried = own("q2_ddpm.q_sample", lambda: ddpm.q_sample(x0, t, noise))
    shaped = [xt] + [item for item in carried if item.shape == xt.shape]
    expect_noise_loss(
        loss,
        gradients,
        net.gain,
        [(noise - net(item, t)) ** 2 for item in shaped],
        {
            "the network's output is compared with the image instead of the noise": summed_then_averaged(
                (x0 - net(xt, t)) ** 2
            ),
            "the network sees the clean image instead of x_t": summed_then_averaged((noise - net(x0.double(), t)) ** 2),
            "the network sees other noise than it has to estimate": lambda: _loss_at(net, seen, t, noise),
        },
    )


@public
@points("q2_ddpm.loss", 0)
def test_ddpm_loss_single_time(student: Student, reference: Reference, draw: Draw) -> None:
    """loss: its value and its gradient where t = 0 is the only time"""
    net = TimeNet(draw.number(0.4, 0.9), 1)
    x0, noise, t = draw.normal(5, *IMAGE), draw.normal(5, *IMAGE), torch.zeros(5, dtype=torch.long)
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, 1, "cpu")
    loss, gradients = value_and_gradients(ddpm.loss, x0, noise, wrt=(net,))
    xt = reference.q2_ddpm.DenoiseDiffusion(net, 1, "cpu").q_sample(x0, t, noise)
    carried = own("q2_ddpm.q_sample", lambda: ddpm.q_sample(x0, t, noise))
    shaped = [xt] + [item for item in carried if item.shape == xt.shape]
    expect_noise_loss(
        loss,
        gradients,
        net.gain,
        [(noise - net(item, t)) ** 2 for item in shaped],
        {
            "the network's output is compared with the image instead of the noise": summed_then_averaged(
                (x0 - net(xt, t)) ** 2
            ),
        },
    )


@points("q2_ddpm.loss", 0.3)
def test_ddpm_loss_times(student: Student, draw: Draw) -> None:
    """loss: a random time for every image, noise of its own where none is given"""
    net = TimeNet(0.5, STEPS)
    ddpm = student.q2_ddpm.DenoiseDiffusion(net, STEPS, "cpu")
    expect(ddpm.loss(torch.zeros(256, 1, 4, 4)), "the loss").tensor((), "(), one number")
    t = _times_of_loss(student, net, 256)
    expect(t.unique().numel() > STEPS // 2).true(
        expected="times drawn anew for every image of the batch.", got="the same few times for the whole batch."
    )
    seen = fetch(student.copy_of(net).calls)[-1]["x"]
    spread = expect(seen, "what the network sees").tensor((256, 1, 4, 4), NAMES).std((1, 2, 3))
    expect(bool((spread > 0).all()) and seen.flatten(1).unique(dim=0).shape[0] == 256).true(
        expected="noise of its own for every image.", got="images without noise, or with the same noise."
    )


def _loss_at(net: TimeNet, seen: Any, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The loss where the network sees `seen`; NaN where that is no image."""
    if not isinstance(seen, torch.Tensor) or seen.shape != noise.shape:
        return torch.tensor(torch.nan)
    return summed_then_averaged((noise - net(seen.double(), t)) ** 2)


def _times_of_loss(student: Student, net: TimeNet, batch: int) -> torch.Tensor:
    """The times at which the loss asked the network."""
    calls = fetch(student.copy_of(net).calls)
    if not calls:
        fail("the network estimates the noise in x_t.", "the network is never called.", "use self.eps_model.")
    t = calls[-1]["t"]
    if not isinstance(t, torch.Tensor) or t.dtype != torch.int64 or t.numel() != batch:
        fail("the network gets one integer time for each image.", "something else.", "pass t as it was drawn.")
    if int(t.min()) < 0 or int(t.max()) >= STEPS:
        fail(f"times from 0 to n_steps - 1 = {STEPS - 1}.", "a time outside.", "pass t as it was drawn.")
    return t.reshape(batch)
