"""The functions with which the DDPM makes images: one step back, and the loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from autograder.checks.svhn.ddpm_arguments import IMAGE, NAMES, SLACK, expect_times, grey_images
from autograder.checks.svhn.ddpm_mistakes import wrong_orders
from autograder.checks.svhn.ddpm_probes import NoiseNet, StepRecorder
from autograder.checks.svhn.ddpm_schedule import Coefficients, judge_with_coefficients, number_of_steps
from autograder.grading import assign, expect, fail, fetch, points, public
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS, expect_normal
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.proxy import Student

Candidates = Sequence[Coefficients]

# --- p_sample


class _Step(NamedTuple):
    """Images of one grey value each went in at the time `t`: their values, and the noise estimated in them, (B,)."""

    t: int
    x: torch.Tensor
    noise: torch.Tensor

    def mean(self, c: Coefficients) -> torch.Tensor:
        """Mean of what comes out, (B,) (Eq. 11)."""
        t = self.t
        factor = c.betas[t] / c.sqrt_one_minus_alphas_cumprod[t]
        return c.sqrt_recip_alphas[t] * (self.x - factor * self.noise)

    def mean_mistakes(self, c: Coefficients) -> dict[str, Any]:
        """Wrong formulas -> the mean that they give."""
        x, noise, t = self.x, self.noise, self.t
        beta, alpha, bar = c.betas[t], c.alphas[t], c.alphas_cumprod[t]
        factor, root = beta / (1 - bar).sqrt(), alpha.sqrt()
        others = [self._replace(t=other).mean(c) for other in (max(t - 1, 0), min(t + 1, len(c.betas) - 1))]
        return {
            _("x comes back without a step"): x,
            _("the factor 1 / sqrt(alpha_t) is missing"): x - factor * noise,
            _("the factor of the noise is upside down"): (x - noise / factor) / root,
            _("the estimated noise is added instead of subtracted"): (x + factor * noise) / root,
            _("the estimated noise is subtracted without its factor"): [(x - noise) / root, x - noise],
            _("1 - alpha_bar_t stands without its square root"): (x - beta / (1 - bar) * noise) / root,
            _("the division by sqrt(1 - alpha_bar_t) is missing"): (x - beta * noise) / root,
            _("sqrt(alpha_bar_t) stands where sqrt(1 - alpha_bar_t) belongs"): (x - beta / bar.sqrt() * noise) / root,
            _("alpha_t stands where beta_t belongs"): (x - alpha / (1 - bar).sqrt() * noise) / root,
            _("alpha_t stands where alpha_bar_t belongs"): (x - beta.sqrt() * noise) / root,
            _("the square root of beta_t is taken"): (x - beta.sqrt() / (1 - bar).sqrt() * noise) / root,
            _("the posterior variance stands where beta_t belongs"): (
                x - c.posterior_variance[t] / (1 - bar).sqrt() * noise
            )
            / root,
            _("this is an estimate of x_0, not the mean of x_{t-1}"): [
                (x - (1 - bar).sqrt() * noise) / bar.sqrt(),
                (x - (1 - bar).sqrt() * noise) / root,
            ],
            _("the sum is divided by sqrt(alpha_bar_t) instead of sqrt(alpha_t)"): (x - factor * noise) / bar.sqrt(),
            _("the sum is divided by alpha_t without the square root"): (x - factor * noise) / alpha,
            _("the sum is multiplied by sqrt(alpha_t) instead of divided"): (x - factor * noise) * root,
            _("only x is divided by sqrt(alpha_t)"): x / root - factor * noise,
            _("only the estimated noise is divided by sqrt(alpha_t)"): x - factor * noise / root,
            _("x and the estimated noise have changed places"): (noise - factor * x) / root,
            _("the network's estimate is left out"): x / root,
            _("the mean is clamped"): ((x - factor * noise) / root).clamp(-1, 1),
            _("the time is off by one"): others,
        }

    def std_mistakes(self, c: Coefficients) -> dict[str, Any]:
        """Wrong formulas -> the standard deviation that they give."""
        t, ones = self.t, torch.ones_like(self.x)
        variance, before = c.posterior_variance, 1 - c.alphas_cumprod_prev[t]
        return {
            _("the variance is used as the standard deviation"): variance[t] * ones,
            _("beta_t stands where the posterior variance belongs"): [c.betas[t].sqrt() * ones, c.betas[t] * ones],
            _("the noise is not scaled"): ones,
            _("the noise has the standard deviation sqrt(1 - alpha_bar)"): [
                c.sqrt_one_minus_alphas_cumprod[t] * ones,
                before.sqrt() * ones,
            ],
            _("the root is taken twice"): variance[t] ** 0.25 * ones,
            _("the noise is uniform instead of normal"): (variance[t] / 12).sqrt() * ones,
            _("the noise has the variance of another time"): [
                variance[other].sqrt() * ones
                for other in (t - 1, min(t + 1, len(variance) - 1), len(variance) - 1, 1, 0)
            ],
        }


def _expect_steps(student: Student, reference: Reference, draw: Draw, times: list[int], steps: int) -> None:
    net = NoiseNet(draw.number(200, 300), draw.number(50, 100), steps)  # large: their factor is small
    levels = torch.tensor([11.0, -9.0, 7.0, -8.0]) + draw.uniform(-0.5, 0.5, 4)
    x = grey_images(levels)

    def run() -> list[Any]:
        return [student.ddpm.p_sample(net, x, torch.full((4,), t), t) for t in times]

    def judge(results: list[Any], candidates: Candidates) -> None:
        for t, result in zip(times, results, strict=True):
            samples = expect(result, "x_{t-1}").tensor(tuple(x.shape), NAMES)
            at_t = torch.full((4,), t)
            step = _Step(t, levels.double(), net(levels.double().view(-1, 1, 1, 1), at_t).detach().flatten())
            moments = [(step.mean(c), c.posterior_variance[t].sqrt().expand(4)) for c in candidates]
            expect_normal(
                samples,
                *moments[0],
                slack=SLACK,
                or_moments=moments[1:],
                mean_mistakes=step.mean_mistakes(candidates[0]),
                std_mistakes=step.std_mistakes(candidates[0]),
            )

    judge_with_coefficients(student, reference, run, judge)


@public
@points("ddpm.p_sample", 0.35)
def test_ddpm_p_sample_late_times(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: mean and spread of a step where x_t is mostly noise"""
    steps = number_of_steps(student, reference)
    _expect_steps(student, reference, draw, [steps - 1, int(draw.integers(steps // 4, steps // 2, 1))], steps)


@points("ddpm.p_sample", 0.35)
def test_ddpm_p_sample_early_times(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: mean and spread of a step where x_t is nearly the image"""
    steps = number_of_steps(student, reference)
    _expect_steps(student, reference, draw, [int(draw.integers(4, 8, 1)), 2, 1], steps)


@public
@points("ddpm.p_sample", 0.2)
def test_ddpm_p_sample_last_step(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: the last step gives the mean, without noise"""
    steps = number_of_steps(student, reference)
    net = NoiseNet(draw.number(20, 30), draw.number(5, 10), steps)
    levels, t = draw.uniform(0.5, 1.5, 3) * torch.tensor([1.0, -1.0, 1.0]), torch.zeros(3, dtype=torch.long)
    x = grey_images(levels, side=8)
    step = _Step(0, levels.double(), net(levels.double().view(-1, 1, 1, 1), t).detach().flatten())

    def judge(result: Any, candidates: Candidates) -> None:
        samples = expect(result, "x_0").tensor(tuple(x.shape), NAMES)
        means = [_grey(step.mean(c)) for c in candidates]
        if float(samples.flatten(1).std(1).max()) > 1e-4:
            fail(
                _("the last step, t_index = 0, gives the mean."),
                _("images with noise in them."),
                _("noise is added at all times but the last one, t_index = 0."),
            )
        mistakes = {text: _grey(value) for text, value in step.mean_mistakes(candidates[0]).items()}
        expect(samples, _("the mean of the last step")).close_to(
            means[0].expand_as(samples), NAMES, rtol=SLACK, atol=SLACK, or_values=means[1:], mistakes=mistakes
        )

    judge_with_coefficients(student, reference, lambda: student.ddpm.p_sample(net, x, t, 0), judge)


def _grey(levels: Any) -> Any:
    """A level for each image, (B,) -> (B, 1, 1, 1); or a list of such."""
    return [_grey(item) for item in levels] if isinstance(levels, list) else levels.view(-1, 1, 1, 1)


@points("ddpm.p_sample", 0.1)
def test_ddpm_p_sample_asks_the_network(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample: the network gets x and t as they are; no gradients are recorded"""
    steps = number_of_steps(student, reference)
    net = NoiseNet(0.7, 0.5, steps)
    x, time = draw.normal(2, *IMAGE), int(draw.integers(5, steps, 1))
    t = torch.full((2,), time)
    seen = student.copy_of(net)

    def run() -> tuple[Any, Any]:
        result = student.ddpm.p_sample(net, x, t, time)
        return result, fetch(seen.calls)

    def judge(found: tuple[Any, Any], candidates: Candidates) -> None:
        result, calls = found
        expect(result, "x_{t-1}").tensor(tuple(x.shape), NAMES)
        if not calls:
            fail(_("the network estimates the noise in x: model(x, t)."), _("the network is never called."))
        for call in calls:
            expect(call["x"], _("what the network sees")).close_to(x, NAMES)
            expect_times(call["t"], t, index=False)
        expect(not (isinstance(result, torch.Tensor) and result.requires_grad)).true(
            expected=_("a step without gradients."),
            got=_("a result that carries them: with a real network, the loop runs out of memory."),
            hint=_("keep the block `with torch.no_grad():`."),
        )

    judge_with_coefficients(student, reference, run, judge)


# --- p_sample_loop

SHAPE = (4, 3, 12, 16)
FRAMES = "(timesteps, batch, channels, height, width)"


class _Walk(NamedTuple):
    """What the loop returned, and its steps: x, t and out of each, and t_index where p_sample was called."""

    result: Any
    steps: list[dict[str, Any]]
    inlined: bool


class _Loop:
    """Calls of p_sample_loop with a recorder in the place of p_sample, or of the network where that is not called."""

    def __init__(self, student: Student, draw: Draw, steps: int) -> None:
        self.student, self.timesteps = student, int(draw.integers(5, 9, 1))
        self.net, self.recorder = NoiseNet(0.7, 0.5, steps), StepRecorder()

    def walk(self) -> _Walk:
        """One call."""
        recorder, net = self.student.copy_of(self.recorder), self.student.copy_of(self.net)
        before = len(fetch(recorder.calls)), len(fetch(net.calls))
        assign(self.student.ddpm.p_sample, self.recorder)
        result = self.student.ddpm.p_sample_loop(self.net, SHAPE, self.timesteps)
        taken, asked = fetch(recorder.calls)[before[0] :], fetch(net.calls)[before[1] :]
        if taken:
            return _Walk(result, taken, False)
        if not asked:
            fail(_("one step, p_sample, for each time."), _("no step."))
        frames = expect(result, _("what the loop returns")).tensor((len(asked), *SHAPE), FRAMES)
        return _Walk(result, [{**call, "out": out} for call, out in zip(asked, frames, strict=True)], True)

    def judge_times(self, walk: _Walk) -> None:
        """Every time once, from the last to the first; x, t and t_index are right in each step."""
        order = [self._time(step) for step in walk.steps]
        down = list(range(self.timesteps - 1, -1, -1))
        expect(order, _("sequence of times")).equal_to(down, mistakes=wrong_orders(order, down))
        for step, time in zip(walk.steps, down, strict=True):
            expect_times(step["t"], torch.full(SHAPE[:1], time), index=not walk.inlined, one_is_enough=True)
            if not walk.inlined:
                index = step["t_index"]
                index = index.tolist() if isinstance(index, torch.Tensor) else index
                expect(type(index) is int and index == time).true(
                    expected=_("p_sample gets the time as a number as well, as t_index."), got=_("something else.")
                )
                expect(step["model"] is True).true(
                    expected=_("p_sample gets the network first: p_sample(model, x, t, t_index)."),
                    got=_("something that cannot be called."),
                )

    def _time(self, step: dict[str, Any]) -> Any:
        t = step["t"]
        if isinstance(t, torch.Tensor) and t.numel() and bool((t == t.flatten()[0]).all()):
            return t.flatten()[0].item()
        return None if isinstance(t, torch.Tensor) or t is None else t

    def judge_chain(self, walk: _Walk) -> None:
        """Every step gets what the one before it gave, and the result holds what each of them gave."""
        for step in walk.steps:
            step["x"] = expect(step["x"], _("what a step gets as x")).tensor(SHAPE, NAMES)
        given = walk.result
        if isinstance(given, torch.Tensor) and tuple(given.shape) == SHAPE:
            fail(
                _("the images of all steps, one after the other: {names}.").format(names=FRAMES),
                _("the images of one step only."),
                _("keep the list and the torch.stack of the stub."),
            )
        result = expect(given, _("what the loop returns")).tensor((self.timesteps, *SHAPE), FRAMES)
        outs = torch.stack([step["out"].double() for step in walk.steps])
        start = walk.steps[0]["x"]
        expect(result, _("what the loop returns")).close_to(
            outs,
            FRAMES,
            mistakes={
                _("the last images stand at the front; they belong at the end"): outs.flip(0),
                _("it holds what goes into the steps instead of what they give"): torch.stack(
                    [step["x"] for step in walk.steps]
                ),
                _("it holds the same images at all times"): outs[-1].expand_as(outs),
            },
        )
        for before, after in zip(outs[:-1], walk.steps[1:], strict=True):
            expect(after["x"], _("what a step gets as x")).close_to(
                before,
                NAMES,
                mistakes={
                    _("every step starts from the noise again; it needs what the step before gave"): start,
                },
            )

    def judge_inlined_steps(self, walk: _Walk, candidates: Candidates) -> None:
        """Steps that are written into the loop are those of p_sample."""
        for step in walk.steps:
            x, time = step["x"].double(), int(step["t"].flatten()[0])
            noise = self.net(x, torch.full(SHAPE[:1], time)).detach()
            means = [_Step(time, x, noise).mean(c) for c in candidates]
            stds = [c.posterior_variance[time].sqrt() for c in candidates]
            if time == 0:
                expect(step["out"], _("the last images")).close_to(means[0], NAMES, rtol=1e-3, or_values=means[1:])
                continue
            size = x.numel()
            found = [(step["out"].double() - mean) / std for mean, std in zip(means, stds, strict=True)]
            fits = [
                abs(float(z.mean())) < SIGMAS / size**0.5 and abs(float(z.std()) - 1) < SIGMAS / (2 * size) ** 0.5
                for z in found
            ]
            expect(any(fits)).true(
                expected=_("in every step, an image of p_theta(x_{t-1} | x_t)."),
                got=_("images with another mean or spread."),
                hint=_("let p_sample take the step."),
            )


@points("ddpm.p_sample_loop", 0.75)
def test_ddpm_p_sample_loop(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample_loop: one step for each time from the last to the first, and the images of all of them"""
    loop = _Loop(student, draw, number_of_steps(student, reference))

    def judge(walk: _Walk, candidates: Candidates) -> None:
        loop.judge_times(walk)
        loop.judge_chain(walk)
        if walk.inlined:
            loop.judge_inlined_steps(walk, candidates)

    walk = loop.walk()
    if walk.inlined:
        judge_with_coefficients(student, reference, loop.walk, judge)
    else:
        judge(walk, [])


@points("ddpm.p_sample_loop", 0.25)
def test_ddpm_p_sample_loop_start(student: Student, reference: Reference, draw: Draw) -> None:
    """p_sample_loop: a start from standard normal noise, new in every call"""
    loop = _Loop(student, draw, number_of_steps(student, reference))
    starts = [expect(loop.walk().steps[0]["x"], _("the start")).tensor(SHAPE, NAMES) for _call in range(2)]
    size = starts[0].numel()
    mean, std = float(starts[0].mean()), float(starts[0].std())
    uniform = _("it looks as if the noise is uniform: rand instead of randn.") if abs(mean - 0.5) < 0.1 else ""
    expect(abs(mean) < SIGMAS / size**0.5 and abs(std - 1) < SIGMAS / (2 * size) ** 0.5).true(
        expected=_("a start from standard normal noise."), got=_("a start from something else."), hint=uniform
    )
    expect(starts[0].flatten(1).unique(dim=0).shape[0] == len(starts[0])).true(
        expected=_("a start of its own for every image."), got=_("images that share their noise.")
    )
    expect(not torch.equal(starts[0], starts[1])).true(
        expected=_("new noise in every call."),
        got=_("the same noise twice."),
        hint=_("look for a seed that is set again."),
    )
