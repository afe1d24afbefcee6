"""The functions with which the DDPM is trained: noising, loss, times."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from autograder.checks.svhn.ddpm_arguments import IMAGE, NAMES, SLACK, expect_times, grey_images
from autograder.checks.svhn.ddpm_mistakes import wrong_losses
from autograder.checks.svhn.ddpm_probes import NoiseNet, NoisingRecorder
from autograder.checks.svhn.ddpm_schedule import Coefficients, judge_with_coefficients, number_of_steps
from autograder.grading import assign, expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS, expect_normal
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import InputChanged, SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

Candidates = Sequence[Coefficients]


@public
@points("ddpm.q_sample", 0.8)
def test_ddpm_q_sample(student: Student, reference: Reference, draw: Draw) -> None:
    """q_sample: x_t from images and noise, each image at a time of its own"""
    steps = number_of_steps(student, reference)
    t = torch.cat([torch.tensor([steps // 2, 0, steps - 1]), draw.distinct(1, steps - 1, 5)])
    x, noise = draw.normal(len(t), *IMAGE), draw.normal(len(t), *IMAGE)
    judge_with_coefficients(
        student, reference, lambda: student.ddpm.q_sample(x, t, noise), partial(_judge_noising, x, t, noise)
    )


def _judge_noising(x: torch.Tensor, t: torch.Tensor, noise: torch.Tensor, result: Any, candidates: Candidates) -> None:
    x, noise, last = x.double(), noise.double(), len(candidates[0].betas) - 1
    here = candidates[0].at(t)
    signal, spread = here.sqrt_alphas_cumprod, here.sqrt_one_minus_alphas_cumprod
    late, early = candidates[0].at((t + 1).clamp(max=last)), candidates[0].at((t - 1).clamp(min=0))
    wrapped, first = candidates[0].at(t - 1), candidates[0].at(t[:1])
    right = [item.sqrt_alphas_cumprod * x + item.sqrt_one_minus_alphas_cumprod * noise for item in _at(candidates, t)]
    bar = here.alphas_cumprod
    mistakes: dict[str, Any] = {
        _("alpha_bar is used without its square root"): [
            bar * x + spread * noise,
            bar * x + (1 - bar) * noise,
        ],
        _("1 - alpha_bar is used without its square root"): signal * x + (1 - bar) * noise,
        _("x_start is left out"): [signal + spread * noise, spread * noise],
        _("x_start is not scaled"): x + spread * noise,
        _("the noise is not scaled"): signal * x + noise,
        _("the noise is left out"): signal * x,
        _("the noise is subtracted"): signal * x - spread * noise,
        _("image and noise have changed their factors"): spread * x + signal * noise,
        _("alpha_t is used in the place of alpha_bar_t"): [
            here.alphas.sqrt() * x + here.betas.sqrt() * noise,
            here.alphas.sqrt() * x + spread * noise,
            signal * x + here.betas.sqrt() * noise,
        ],
        _("alpha_bar of the time before is used"): [
            here.alphas_cumprod_prev.sqrt() * x + (1 - here.alphas_cumprod_prev).sqrt() * noise
        ],
        _("the time is off by one"): [
            item.sqrt_alphas_cumprod * x + item.sqrt_one_minus_alphas_cumprod * noise for item in (late, early, wrapped)
        ],
        _("one time is used for the whole batch"): first.sqrt_alphas_cumprod * x
        + first.sqrt_one_minus_alphas_cumprod * noise,
        _("the noise has the spread of the posterior"): signal * x + here.posterior_variance.sqrt() * noise,
    }
    if isinstance(result, torch.Tensor) and result.shape == x.shape and bool(result.isfinite().all()):
        other = (result.double() - signal * x) / spread
        size, same = float(other.std()), abs(float((other * noise).mean()))
        if 0.8 < size < 1.2 and same < 0.3:
            mistakes[_("the noise that was passed in is not used")] = result.double()
    scale = (signal * x).abs() + (spread * noise).abs()
    expect(result, "x_t").close_to(right[0], NAMES, rtol=0, atol=SLACK * scale, or_values=right[1:], mistakes=mistakes)


def _at(candidates: Candidates, t: torch.Tensor) -> list[Coefficients]:
    return [candidate.at(t) for candidate in candidates]


@points("ddpm.q_sample", 0.2)
def test_ddpm_q_sample_draws_noise(student: Student, reference: Reference, draw: Draw) -> None:
    """q_sample: normal noise of its own where none is given"""
    steps = number_of_steps(student, reference)
    x, t = grey_images(draw.uniform(-1, 1, 4)), draw.distinct(steps // 4, steps, 4)

    def judge(result: Any, candidates: Candidates) -> None:
        samples = expect(result, "x_t").tensor(tuple(x.shape), NAMES)
        moments = [
            ((here.sqrt_alphas_cumprod * x[:, :1, :1, :1]).flatten(), here.sqrt_one_minus_alphas_cumprod.flatten())
            for here in _at(candidates, t)
        ]
        mean, std = moments[0]
        expect_normal(
            samples,
            mean,
            std,
            or_moments=moments[1:],
            mean_mistakes={_("the noise is uniform on [0, 1): rand instead of randn"): mean + std / 2},
            std_mistakes={_("1 - alpha_bar is used without its square root"): std**2},
        )

    judge_with_coefficients(student, reference, lambda: student.ddpm.q_sample(x, t), judge)


# --- p_losses

BATCH = (6, 3, 16, 20)


class _Seen(NamedTuple):
    """One call of p_losses: what it returned, and what the network and `q_sample` got meanwhile."""

    loss: Any
    gradients: list[torch.Tensor] | None
    network: dict[str, Any]
    noising: list[dict[str, Any]]


class _Losses:
    """Calls of p_losses with a network that records, on images and times of its own."""

    def __init__(self, student: Student, draw: Draw, steps: int) -> None:
        self.student = student
        self.net = NoiseNet(draw.number(0.6, 0.9), draw.number(0.4, 0.6), steps)
        self.x = draw.normal(*BATCH, std=3.0)
        self.t = torch.cat([torch.tensor([steps - 1, steps // 3]), draw.distinct(20, steps - 1, 4)])
        self.noising = NoisingRecorder()
        self._own_q_sample: Any = None

    def call(self) -> _Seen:
        """p_losses as it is."""
        net, noising = self.student.copy_of(self.net), self.student.copy_of(self.noising)
        before = len(fetch(net.calls))
        loss, gradients = value_and_gradients(self.student.ddpm.p_losses, self.net, self.x, self.t, wrt=(self.net,))
        calls = fetch(net.calls)[before:]
        if not calls:
            fail(_("the network estimates the noise in x_t."), _("the network is never called."))
        seen = calls[-1]
        seen["x"] = expect(seen["x"], _("what the network sees")).tensor(tuple(self.x.shape), NAMES)
        expect_times(seen["t"], self.t, index=False)
        return _Seen(loss, gradients, seen, fetch(noising.calls))

    def without_noising(self) -> _Seen:
        """p_losses with a stand-in for the submission's q_sample."""
        if self._own_q_sample is None:
            with contextlib.suppress(SubmissionRaised):  # there may be none
                self._own_q_sample = fetch(self.student.ddpm.q_sample)
        assign(self.student.ddpm.q_sample, self.noising)
        return self.call()

    def judge_inputs(self, seen: _Seen) -> torch.Tensor:
        """q_sample got the images, the times and noise, and the network what it returned; that noise."""
        call = seen.noising[-1]
        expect(call["x"], _("what q_sample gets as x_start")).close_to(self.x, NAMES)
        expect_times(call["t"], self.t)
        if call["noise"] is None:
            fail(
                _("q_sample gets the noise that the network has to estimate."),
                _("no noise, so that it draws other noise."),
                _("pass the noise on as the third argument."),
            )
        noise = expect(call["noise"], _("the noise")).tensor(tuple(self.x.shape), NAMES)
        expect(seen.network["x"], _("what the network sees")).close_to(
            call["out"], NAMES, mistakes={_("it sees the images without noise"): self.x, _("it sees the noise"): noise}
        )
        return noise

    def noise_of(self, seen: _Seen, factors: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        """The noise in the network's input, for the first factors of image and noise that make it normal."""
        x_t = seen.network["x"]
        for signal, spread in (*factors, *self._own_factors()):
            noise = (x_t - signal * self.x) / spread
            if _is_normal(noise, self.x):
                return noise
        hint = _("the network has to get the times at which its input was noised.")
        if torch.allclose(x_t, self.x.double(), atol=1e-4):
            hint = _("it looks as if the network sees the images without noise.")
        elif abs(float(x_t.std()) - 1) < 0.05 and abs(float((x_t * self.x).mean())) < 0.25:
            hint = _("it looks as if the network sees the noise without the images.")
        fail(_("the network sees x_t: the images with as much noise as the times say."), _("something else."), hint)

    def judge_loss(self, seen: _Seen, noise: torch.Tensor) -> None:
        """Smooth L1 with beta = 1, the mean of all values, with a gradient."""
        x_t, x = seen.network["x"], self.x.double()
        out = self.net(x_t, self.t)
        right = F.smooth_l1_loss(out, noise)
        expect(seen.loss, _("the loss")).close_to(
            right,
            _("(), one number"),
            rtol=1e-3,
            mistakes={
                **wrong_losses((out - noise).detach()),
                _("the network's output is compared with the images instead of the noise"): F.smooth_l1_loss(out, x),
                _("the network's output is compared with x_t instead of the noise"): F.smooth_l1_loss(out, x_t),
                _("the noise is compared with x_t, without the network"): F.smooth_l1_loss(x_t, noise),
            },
        )
        if seen.gradients is None or float(seen.gradients[0].abs().max()) == 0:
            fail(
                _("a loss whose gradient reaches the network."),
                _("a loss without a gradient."),
                _("look for torch.no_grad(), .detach() or .item()."),
            )
        [slope] = torch.autograd.grad(right, self.net.gain)
        expect(seen.gradients[0], _("the gradient of the loss")).close_to(slope, rtol=2e-3, atol=1e-4)

    def _own_factors(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Factors of image and noise in the submission's own q_sample, where it is of this form; (B, 1, 1, 1) each."""
        zeros, ones = torch.zeros_like(self.x), torch.ones_like(self.x)
        if not isinstance(self._own_q_sample, Remote):
            return []
        try:
            parts = [self._own_q_sample(a, self.t, b) for a, b in ((ones, zeros), (zeros, ones))]
        except (SubmissionRaised, InputChanged):
            return []
        usable = (isinstance(part, torch.Tensor) and part.shape == self.x.shape for part in parts)
        return [(parts[0].double(), parts[1].double())] if all(usable) else []


def _is_normal(noise: torch.Tensor, x: torch.Tensor) -> bool:
    """Whether each row has the moments of standard normal noise that has nothing to do with x."""
    rows, images = noise.flatten(1), x.flatten(1).double()
    bound = SIGMAS / rows.shape[1] ** 0.5
    mean, std = rows.mean(1).abs(), (rows.std(1) - 1).abs()
    shared = (rows * images).mean(1).abs() / images.square().mean(1).sqrt()
    return bool((mean < bound).all() and (std < bound / 2**0.5 + SLACK).all() and (shared < bound).all())


@points("ddpm.p_losses", 0.8)
def test_ddpm_p_losses(student: Student, reference: Reference, draw: Draw) -> None:
    """p_losses: smooth L1 loss between the noise in x_t and the network's estimate"""
    losses = _Losses(student, draw, number_of_steps(student, reference))

    def judge(seen: _Seen, candidates: Candidates) -> None:
        factors = [
            (here.sqrt_alphas_cumprod, here.sqrt_one_minus_alphas_cumprod)
            for here in (candidate.at(losses.t) for candidate in candidates)
        ]
        losses.judge_loss(seen, losses.noise_of(seen, factors))

    seen = losses.without_noising()
    if seen.noising:
        losses.judge_loss(seen, losses.judge_inputs(seen))
    else:
        judge_with_coefficients(student, reference, losses.call, judge)


@points("ddpm.p_losses", 0.2)
def test_ddpm_p_losses_fresh_noise(student: Student, reference: Reference, draw: Draw) -> None:
    """p_losses: normal noise, drawn anew for every pixel, image and call"""
    losses = _Losses(student, draw, number_of_steps(student, reference))
    first, second = losses.without_noising(), losses.without_noising()
    expect(bool((first.network["x"] != second.network["x"]).any())).true(
        expected=_("new noise in every call."),
        got=_("the same noise twice."),
        hint=_("look for a seed that is set again."),
    )
    if not first.noising:  # x_t is judged by the other check
        return
    noise = losses.judge_inputs(first)
    zeros, ones = torch.zeros(len(noise), dtype=torch.float64), torch.ones(len(noise), dtype=torch.float64)
    expect_normal(
        noise,
        zeros,
        ones,
        mean_mistakes={_("the noise is uniform on [0, 1): rand instead of randn"): ones / 2},
        std_mistakes={_("the noise is uniform instead of normal"): [ones / 3**0.5, ones / 12**0.5]},
    )


# --- t_sample


@points("ddpm.t_sample")
def test_ddpm_t_sample(student: Student, draw: Draw) -> None:
    """t_sample: a time for each image, from 0 to timesteps - 1 with the same probability"""
    for steps, batch in ((int(draw.integers(5, 12, 1)), 6000), (int(draw.integers(60, 90, 1)), 9000)):
        times = _expect_drawn(student.ddpm.t_sample(steps, batch), steps, batch)
        again = student.ddpm.t_sample(steps, batch)
        expect(isinstance(again, torch.Tensor) and not torch.equal(again, times)).true(
            expected=_("new times in every call."),
            got=_("the same ones twice."),
            hint=_("look for a seed that is set again."),
        )


def _expect_drawn(value: Any, steps: int, batch: int) -> torch.Tensor:
    right = _("an int64 tensor of shape (batch_size,).")
    if not isinstance(value, torch.Tensor):
        kind = "None" if value is None else type(value).__name__
        fail(right, _("a value of type {type}.").format(type=kind), _("torch.randint draws integers."))
    if tuple(value.shape) != (batch,):
        hint = _("draw one time for each image of the batch.")
        fail(right, _("the shape {shape}.").format(shape=tuple(value.shape)), hint)
    if value.dtype != torch.int64:
        got = _("a tensor of dtype {dtype}.").format(dtype=str(value.dtype).removeprefix("torch."))
        fail(right, got, _("times are indices; torch.randint draws integers."))
    inside = _("times from 0 to timesteps - 1, all of them.")
    least, most = int(value.min()), int(value.max())
    if least == most:
        fail(inside, _("one time for the whole batch."), _("draw one time for each image of the batch."))
    if least < 0 or most > steps - 1:
        counted = least == 1 and most == steps
        hint = _("it looks as if the times are counted from 1.") if counted else ""
        hint = _("the upper end of torch.randint is left out already.") if (least, most) == (0, steps) else hint
        fail(inside, _("times outside of these."), hint)
    if most < steps - 1:
        hint = _("the upper end of torch.randint is left out already.") if most == steps - 2 else ""
        fail(inside, _("the last time, timesteps - 1, never occurs."), hint)
    if least > 0:
        fail(inside, _("the first time, 0, never occurs."), _("times are counted from 0 here."))
    counts, share = torch.bincount(value, minlength=steps).double(), 1 / steps
    bound = SIGMAS * (batch * share * (1 - share)) ** 0.5
    expect(bool(((counts - batch * share).abs() <= bound).all())).true(
        expected=_("all times are equally likely."), got=_("times of which some are more likely than others.")
    )
    neighbours = float((value[1:] == value[:-1]).double().mean())
    expect(abs(neighbours - share) <= SIGMAS * (share / batch) ** 0.5).true(
        expected=_("times that are drawn independently."),
        got=_("times that depend on each other."),
        hint=_("torch.randint draws every time on its own."),
    )
    return value
