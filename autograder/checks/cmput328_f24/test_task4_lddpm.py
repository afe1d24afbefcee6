"""Task 4: diffusion in the latent space of the VAE."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch

from autograder.checks.cmput328_f24.denoising_steps import (
    BATCH,
    Moment,
    Steps,
    TimesOf,
    accepts,
    early_times,
    expect_on_any,
    judge_ddim,
    judge_ddpm,
    last_time,
    late_times,
)
from autograder.checks.cmput328_f24.noise_estimation import expect_noise_loss, expect_random_times
from autograder.checks.cmput328_f24.outputs import expect_refused
from autograder.checks.cmput328_f24.own_models import BENCH, CLASSES, latent_shape, latents_of, own_vae
from autograder.checks.cmput328_f24.probes import Decoder, LatentNet, LatentOracle, ModelStep, StandInVae
from autograder.checks.cmput328_f24.sampling_loops import (
    Walk,
    expect_all_times,
    expect_falling_times,
    expect_labels,
    expect_one_batch,
)
from autograder.checks.cmput328_f24.schedules import Schedule, filled_in, own_schedules
from autograder.grading import assign, expect, fail, fetch, points
from autograder.grading.outcomes import CheckFailed, CheckSkipped
from autograder.grading.sampling import SIGMAS
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import ChildEnded, SubmissionError, SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

T = 1000
GROUPS = BATCH  # latents of one value each
STEP_VALUES = 16_384  # numbers in each group
LOOP_VALUES = 4096  # numbers in all latents of a sampling loop
TIME_VALUES = 4_000_000  # numbers in all latents of the check of the times
FINAL_ERROR = 0.02
LOWEST, HIGHEST = 0.9, 1.3  # std of the noise in x_t in units of the right one; sigma^2 = beta_t gives up to 1.21


def _scheduler(student: Student) -> Remote:
    """The submission's quadratic schedule; a fault of it costs its own points."""
    try:
        made = student.models.VarianceScheduler(beta_start=1e-4, beta_end=0.02, num_steps=T, interpolation="quadratic")
    except SubmissionRaised as error:
        if error.importing:
            raise
        raise CheckSkipped("this needs VarianceScheduler, which does not work yet.") from error
    assert isinstance(made, Remote)
    return made


def _made(student: Student, shape: tuple[int, ...], vae: Any) -> Remote:
    """The submission's LDDPM on `vae`, with a network whose forward is to be replaced."""
    model = student.models.LDDPM(network=LatentNet(CLASSES, shape[0]), vae=vae, var_scheduler=_scheduler(student))
    assert isinstance(model, Remote)
    return model


# --- the loss -------------------------------------------------------------------------------------------------------


@points("models.LDDPM.forward", 0.6)
def test_lddpm_loss(student: Student, draw: Draw) -> None:
    """LDDPM.forward: the noise in noisy latents is estimated; the latents are given"""
    shape = latents_of(student)
    vae = StandInVae([*shape], CLASSES)
    model = _made(student, shape, vae)
    repeats = -(-1024 // math.prod(shape))  # many numbers in each latent, so that the noise in it can be judged
    tall = (*shape[:-1], shape[-1] * repeats) if len(shape) == 3 else shape
    expect_noise_loss(student, model, draw, tall)
    _expect_idle(student, vae)


@points("models.LDDPM.forward", 0.25)
def test_lddpm_loss_times(student: Student, draw: Draw) -> None:
    """LDDPM.forward: a random time for every latent, from 0 to num_steps - 1"""
    shape = latents_of(student)
    vae = StandInVae([*shape], CLASSES)
    model = _made(student, shape, vae)
    small = (shape[0], *(1 for _ in shape[1:]))
    expect_random_times(student, model, draw, small, min(30_000, TIME_VALUES // shape[0]))


@points("models.LDDPM.forward", 0.15)
def test_lddpm_frozen_vae(student: Student) -> None:
    """LDDPM: the VAE is kept as it is, and not trained further"""
    vae = StandInVae([4, 4, 4], CLASSES)
    model = _made(student, (4, 4, 4), vae)
    expect(fetch(student.copy_of(vae).weight).requires_grad is False).true(
        expected="a VAE whose weights are frozen.",
        got="weights that the training would change.",
        hint="keep self.vae.requires_grad_(False).",
    )
    expect(fetch(model.network.layer.weight).requires_grad is True).true(
        expected="a network that is trained.", got="a network whose weights are frozen."
    )


def _expect_idle(student: Student, vae: StandInVae) -> None:
    uses = fetch(student.copy_of(vae).uses)
    if uses:
        fail(
            "the loss of the latents that are given.",
            f"{uses[0]} of the VAE is called on them.",
            "x is a latent already: the training encodes the images.",
        )


# --- one step -------------------------------------------------------------------------------------------------------


class LatentSteps(Steps):
    """`recover_sample` on latents of the submission's own shape."""

    def __init__(self, model: Remote, schedule: Schedule, draw: Draw, shape: tuple[int, ...]) -> None:
        """Take steps of `model` on latents of this shape."""
        super().__init__(model, schedule, draw)
        self._shape = shape
        self._repeats = max(1, -(-STEP_VALUES // math.prod(shape)))
        batch = GROUPS * self._repeats
        self._kinds = [lambda time: torch.full((batch,), time), self._kinds[1], self._kinds[2]]

    def take(self, time: int) -> Moment:
        """One step, from latents of one value each, in `GROUPS` groups; the groups take the place of the images."""
        image, x_t, noise = self._levels(time)
        inputs = [self._latents(x_t.float()), self._latents(noise.float())]
        result = filled_in(self._call(inputs[0], inputs[1], time), "LDDPM.recover_sample")
        samples = expect(result, "the recovered sample").tensor(tuple(inputs[0].shape), "that of the noisy sample")
        groups = samples.reshape(self._repeats, GROUPS, -1).transpose(0, 1).reshape(GROUPS, -1)
        return Moment(time, groups, x_t, image, noise)

    def _latents(self, values: torch.Tensor) -> torch.Tensor:
        ones = (1 for _ in self._shape)
        return values.repeat(self._repeats).view(-1, *ones).expand(-1, *self._shape).contiguous()


def judge_step(steps: Steps, times: TimesOf) -> None:
    """A step of a DDPM or of a DDIM; what is wrong is said of the DDPM's, whose steps the task asks for."""
    try:
        judge_ddpm(steps, times)
    except CheckFailed as error:
        try:
            judge_ddim(steps, times)
        except CheckFailed:
            raise error from None


def _expect_steps(student: Student, draw: Draw, times: TimesOf) -> None:
    shape = latents_of(student)
    vae = StandInVae([*shape], CLASSES)
    expect_on_any(_made(student, shape, vae), draw, judge_step, times, partial(LatentSteps, shape=shape))


@points("models.LDDPM.recover_sample", 0.4)
def test_lddpm_step_late_times(student: Student, draw: Draw) -> None:
    """LDDPM.recover_sample: one step where x_t is mostly noise"""
    _expect_steps(student, draw, late_times)


@points("models.LDDPM.recover_sample", 0.4)
def test_lddpm_step_early_times(student: Student, draw: Draw) -> None:
    """LDDPM.recover_sample: one step where x_t is nearly the latent"""
    _expect_steps(student, draw, early_times)


@points("models.LDDPM.recover_sample", 0.2)
def test_lddpm_step_last_time(student: Student, draw: Draw) -> None:
    """LDDPM.recover_sample: the last step, t = 0"""
    _expect_steps(student, draw, last_time)


# --- the loop -------------------------------------------------------------------------------------------------------


class _Loop:
    """`generate_sample` with an oracle in the place of the network, and a stand-in for the VAE's decode."""

    def __init__(self, student: Student, draw: Draw) -> None:
        self.student, self.seed = student, draw.child_seed
        self.run = student.copy_of(BENCH)
        self.vae, self.shape = self._vae(student)
        self.model = _made(student, self.shape, self.vae)
        self.schedules = own_schedules(self.model.var_scheduler)
        spread = torch.linspace(-0.7, 0.7, CLASSES, dtype=torch.float64)
        self.targets = spread[draw.distinct(0, CLASSES, CLASSES)]
        self.count = min(512, max(8, -(-LOOP_VALUES // math.prod(self.shape))))

    @staticmethod
    def _vae(student: Student) -> tuple[Remote, tuple[int, ...]]:
        try:
            vae = own_vae(student)
            return vae, latent_shape(student, vae)
        except ChildEnded:
            raise
        except (SubmissionError, CheckFailed) as error:
            if isinstance(error, SubmissionError) and error.importing:
                raise
            raise CheckSkipped("this needs the VAE, which cannot be made yet.") from error

    def walk(
        self, schedule: Schedule, count: int, labels: torch.Tensor | None = None, stop_after: int = 0
    ) -> tuple[Walk, list[Any]]:
        """What the oracle saw, and what decode got."""
        oracle, decoder = LatentOracle(schedule.bars, self.targets, stop_after), Decoder()
        assign(self.model.network.forward, oracle)
        assign(self.vae.decode, decoder)
        self.seed += 1
        result = filled_in(self.run.generate(self.model, self.seed, count, labels), "LDDPM.generate_sample")
        found = [fetch(getattr(self.student.copy_of(oracle), name)) for name in Walk._fields[1:]]
        made = Walk(result, *found)
        if not made.times:
            fail(
                "the network is asked for the noise in every step.", "the network is never called.", "use self.network."
            )
        return made, fetch(self.student.copy_of(decoder).calls)

    def expect_latents(self, made: Walk, count: int) -> None:
        """All latents at once, one time in each step."""
        size = (count, *self.shape)
        expect_one_batch(made, size, f"the network gets all latents at once, in the shape {size}, as forward's mean.")


def _expect_times(made: Walk) -> None:
    """All times, or some of them from nearly the last one down."""
    if len(made.order) < 0.6 * T:
        expect_falling_times(made, T)
        stride = max(late - early for late, early in zip(made.order, made.order[1:], strict=False))
        expect(made.order[-1] <= 1.5 * stride).true(
            expected="steps down to the image.", got=f"a last step at t = {made.order[-1]}."
        )
    else:
        expect_all_times(made.order, T)


@points("models.LDDPM.generate_sample", 0.3)
def test_lddpm_generate_calls(student: Student, draw: Draw) -> None:
    """LDDPM.generate_sample: the times of the loop, all latents at once, with their labels; then decode"""
    loop = _Loop(student, draw)
    labels = draw.integers(0, CLASSES, 6)
    made, decoded = loop.walk(loop.schedules[0], 6, labels)
    loop.expect_latents(made, 6)
    _expect_times(made)
    expect_labels(made, labels)
    if len(decoded) != 1:
        fail(
            "the VAE decodes the latents once, at the end.",
            f"{len(decoded)} calls of decode.",
            "keep the given lines at the end of generate_sample." if not decoded else "",
        )
    seen = decoded[0]["labels"]
    expect(isinstance(seen, torch.Tensor) and seen.flatten().tolist() == labels.tolist()).true(
        expected="decode gets the labels, as they are.", got="no labels." if seen is None else "other labels."
    )
    latents = expect(decoded[0]["sample"], "what decode gets").tensor((6, *loop.shape), "(num_samples, *latent)")
    expect(made.result, "what generate_sample returns").close_to(
        Decoder().picture(latents, labels),
        "(num_samples, 1, 32, 32)",
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "the images are mapped to another range; decode gives [0, 1] already": _other_ranges(latents, labels)
        },
    )


def _other_ranges(latents: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    images = Decoder().picture(latents, labels)
    return [(images + 1) / 2, 2 * images - 1]


@points("models.LDDPM.generate_sample", 0.4)
def test_lddpm_generate_trajectory(student: Student, draw: Draw) -> None:
    """LDDPM.generate_sample: from noise to the latents, with the right noise in x_t all the way"""
    loop = _Loop(student, draw)
    labels = draw.integers(0, CLASSES, loop.count)
    failures: list[CheckFailed] = []
    for schedule in loop.schedules:
        try:
            _expect_trajectory(loop, schedule, labels)
            return
        except CheckFailed as error:
            failures.append(error)
    if not accepts(
        loop.model, draw, judge_step, partial(LatentSteps, shape=loop.shape)
    ):  # that has cost its points: judge the loop with right steps
        order = loop.walk(loop.schedules[0], loop.count, labels)[0].order
        step = ModelStep(loop.schedules[0].bars, order, stochastic=True)
        assign(loop.model.recover_sample, step)
        try:
            _expect_trajectory(loop, loop.schedules[0], labels)
            if fetch(student.copy_of(step).calls) == len(order):
                return
        except CheckFailed:
            pass
    raise failures[0]


def _expect_trajectory(loop: _Loop, schedule: Schedule, labels: torch.Tensor) -> None:
    made, decoded = loop.walk(schedule, loop.count, labels)
    loop.expect_latents(made, loop.count)
    if max(made.largest[1:], default=2.0) <= 1 + 1e-6:
        fail(
            "x_t with values beyond 1: latents are not confined to [-1, 1].",
            "no value beyond 1 after the first step.",
            "it looks as if x_t is clamped in every step.",
        )
    room = SIGMAS / math.sqrt(loop.count * math.prod(loop.shape))
    for time, spread, shift in zip(made.order, made.stds, made.means, strict=True):
        if abs(shift) < 0.2 + room and LOWEST - room < spread < HIGHEST + room:
            continue
        where = "early" if time > 0.7 * T else "late" if time < 0.05 * T else "halfway"
        got, hint = f"x_t that has drifted away from the latents, {where} in the loop.", ""
        if spread <= LOWEST - room:
            got = f"too little noise in x_t, {where} in the loop."
            hint = "look for noise that is missing, and for steps that go farther than the times that follow."
        elif not spread < HIGHEST + room:
            got = f"too much noise in x_t, {where} in the loop."
            hint = "look for noise that is too large or added twice."
        fail("in every step, as much noise in x_t as its time t says.", got, hint)
    if not decoded:
        fail("the VAE decodes the latents at the end.", "decode is never called.", "use self.vae.decode.")
    latents = expect(decoded[-1]["sample"], "what decode gets").tensor((loop.count, *loop.shape))
    right = loop.targets[labels].view(-1, *(1 for _ in loop.shape))
    if float((latents - right).abs().mean()) > FINAL_ERROR:
        fail(
            "decode gets the latents that the network's noise leads to.",
            "other latents.",
            "decode takes what the last step returns, as it is; nothing is scaled or clamped.",
        )


@points("models.LDDPM.generate_sample", 0.3)
def test_lddpm_generate_start(student: Student, draw: Draw) -> None:
    """LDDPM.generate_sample: a fresh standard normal start in the latents' shape; classes at random; no gradients"""
    loop = _Loop(student, draw)
    schedule, count = loop.schedules[0], max(400, loop.count)
    first, _ = loop.walk(schedule, count, stop_after=1)
    second, _ = loop.walk(schedule, count, stop_after=1)
    loop.expect_latents(first, count)
    start = expect(first.start, "the start of the loop").tensor((count, *loop.shape), "(num_samples, *latent)")
    expect(bool((start[1:] != start[:1]).any())).true(
        expected="a start of its own for every sample.", got="samples that share their noise."
    )
    room = SIGMAS / math.sqrt(start.numel()) + 1e-3
    uniform = abs(float(start.mean()) - 0.5) < 0.05
    expect(abs(float(start.mean())) < room and abs(float(start.std()) - 1) < room).true(
        expected="a start from standard normal noise.",
        got="a start from something else.",
        hint="it looks as if the noise is uniform: rand instead of randn." if uniform else "",
    )
    expect(bool((first.start != second.start).any())).true(
        expected="new noise in every call.", got="the same noise twice.", hint="look for a seed that is set again."
    )
    drawn = first.labels
    if not isinstance(drawn, torch.Tensor) or drawn.is_floating_point() or drawn.numel() != count:
        fail("one class for each sample is drawn where no labels are given.", "something else.")
    expect(drawn.unique().tolist() == list(range(CLASSES))).true(
        expected=f"classes from 0 to {CLASSES - 1}, all of them, where no labels are given.", got="other classes."
    )
    expect(not (first.grad or second.grad)).true(
        expected="sampling without gradients.",
        got="a loop that records them: with a real network it runs out of memory.",
        hint="keep the decorator @torch.no_grad().",
    )
    expect_refused(lambda: loop.walk(schedule, 4, draw.integers(0, CLASSES, 3), stop_after=1))
