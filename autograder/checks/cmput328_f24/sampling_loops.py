"""`generate_sample`: the loop from noise to images, watched by an oracle in the place of the network.

The oracle knows the image, so that the noise in every x_t on the way can be measured. It has to be as large as the time
says: the last step of a loop lands on the image whatever the steps before it did.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from autograder.checks.cmput328_f24.denoising_steps import Judge, accepts
from autograder.checks.cmput328_f24.outputs import expect_refused
from autograder.checks.cmput328_f24.probes import ModelStep, Oracle
from autograder.checks.cmput328_f24.schedules import Schedule, filled_in, own_schedules
from autograder.grading import assign, expect, fail, fetch
from autograder.grading.outcomes import CheckFailed
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

IMAGE = (1, 32, 32)
NAMES = "(num_samples, 1, 32, 32)"
SPREAD = 0.1  # relative deviation of the standard deviation of the noise in x_t
SHIFT = 0.3  # deviation of its mean


class Walk(NamedTuple):
    """What the oracle saw, and what the loop returned (None where it was stopped)."""

    result: Any
    times: list[list[int]]
    shapes: list[list[int]]
    stds: list[float]
    means: list[float]
    largest: list[float]
    start: Any
    labels: Any
    labels_change: bool
    grad: bool

    @property
    def order(self) -> list[int]:
        """The time of each call."""
        return [times[0] for times in self.times]


def walk(
    student: Student,
    model: Remote,
    schedule: Schedule,
    samples: int,
    labels: torch.Tensor | None = None,
    *,
    image: float = 0.3,
    keyword: bool = False,
    stop_after: int = 0,
) -> Walk:
    """Generate with the oracle in the place of the network; with the device as a keyword or by its position."""
    oracle = Oracle(schedule.bars, image, stop_after)
    seen = student.copy_of(oracle)
    assign(model.network.forward, oracle)
    result = None
    try:
        if keyword:
            result = model.generate_sample(num_samples=samples, device=seen.device, labels=labels)
        elif labels is None:
            result = model.generate_sample(samples, seen.device)
        else:
            result = model.generate_sample(samples, seen.device, labels)
    except SubmissionRaised as error:
        if error.type != "Stopped":
            raise
    filled_in(result, "generate_sample")
    found = [fetch(getattr(seen, name)) for name in Walk._fields[1:]]
    made = Walk(result, *found)
    if not made.times:
        fail("the network is asked for the noise in every step.", "the network is never called.", "use self.network.")
    return made


def expect_calls(made: Walk, samples: int, labels: torch.Tensor) -> None:
    """What holds for every loop: all samples at once, one time in each step, the labels as they are, the shape."""
    size = (samples, *IMAGE)
    expect_one_batch(made, size, f"the network gets all samples at once, in the shape {size}.")
    expect_labels(made, labels)
    if not isinstance(made.result, torch.Tensor) or tuple(made.result.shape) != size:
        expect(made.result, "what generate_sample returns").tensor(size, NAMES)
    expect(made.result.is_floating_point()).true(
        expected="float images.", got=f"images of dtype {str(made.result.dtype).removeprefix('torch.')}."
    )


def expect_one_batch(made: Walk, size: tuple[int, ...], right: str) -> None:
    """The network gets the whole batch, in this shape, and one time for it in each step; `right` says so."""
    wrong = next((shape for shape in made.shapes if shape != [*size]), None)
    if wrong is not None:
        one_by_one = wrong == [1, *size[1:]]
        hint = "the samples need not be generated one by one." if one_by_one else ""
        fail(right, f"the shape {tuple(wrong)}.", hint)
    if any(len(times) != 1 for times in made.times):
        fail("one time for the whole batch in each step.", "different times within a batch.")


def expect_labels(made: Walk, labels: torch.Tensor) -> None:
    """The network gets the labels in every step."""
    same = isinstance(made.labels, torch.Tensor) and made.labels.flatten().tolist() == labels.tolist()
    expect(same and not made.labels_change).true(
        expected="the network gets the labels, as they are, in every step.",
        got="no labels." if made.labels is None else "other labels.",
        hint="pass labels on as the third argument.",
    )


def expect_all_times(order: list[int], steps: int) -> None:
    """Every time once, from the last to the first."""
    down = list(range(steps - 1, -1, -1))
    expect(order, "sequence of times t").equal_to(
        down,
        mistakes={
            "the loop runs forward in time; it has to go from num_steps - 1 down to 0": down[::-1],
            "the last step, t = 0, is missing": down[:-1],
            "the first step, t = num_steps - 1, is missing": down[1:],
            "the loop starts at num_steps: it is off by one": list(range(steps, -1, -1)),
            "all times are too large by one": list(range(steps, 0, -1)),
            "t ends at -1: it is off by one": list(range(steps - 2, -2, -1)),
        },
    )


def expect_falling_times(made: Walk, steps: int) -> None:
    """Some of the times, from nearly the last one down."""
    order = made.order
    if any(late <= early for late, early in pairwise(order)):
        forward = order == sorted(order)
        fail(
            "times that fall from step to step.",
            "times that do not.",
            "it looks as if the loop runs forward in time." if forward else "",
        )
    if len(order) < 2 or len(order) > steps:
        fail(f"at least two steps, and at most num_steps = {steps}.", f"{len(order)} steps.")
    if order[0] >= steps or order[-1] < 0:
        fail(f"times from 0 to num_steps - 1 = {steps - 1}.", "a time outside of these.")
    if order[0] < 0.75 * steps:
        fail("a loop that starts at a time where an image is nearly all noise.", f"a start at t = {order[0]}.")


def expect_trajectory(
    student: Student,
    model: Remote,
    draw: Draw,
    judge_step: Judge,
    *,
    stochastic: bool,
    final_error: float,
) -> None:
    """The noise in x_t is as large as the time says, and the loop ends at the image.

    A wrong `recover_sample` costs its own points: where it is wrong, the loop is judged with a right one in its place.
    """
    samples, image = 8, draw.number(0.2, 0.6) * (-1) ** int(draw.integers(0, 2, 1))
    labels = draw.integers(0, 10, samples)
    failures: list[CheckFailed] = []
    schedules = own_schedules(model.var_scheduler)
    order: list[int] = []
    for schedule in schedules:
        made = walk(student, model, schedule, samples, labels, image=image, keyword=True)
        order = order or made.order
        try:
            _expect_noise(made, schedule)
            _expect_image(made, samples, image, final_error)
            return
        except CheckFailed as error:
            failures.append(error)
    step = ModelStep(schedules[0].bars, order, stochastic)
    if not accepts(model, draw, judge_step):
        assign(model.recover_sample, step)
        made = walk(student, model, schedules[0], samples, labels, image=image, keyword=True)
        try:
            _expect_noise(made, schedules[0])
            _expect_image(made, samples, image, final_error)
            if fetch(student.copy_of(step).calls) == len(order):
                return
        except CheckFailed:
            pass
    raise failures[0]


def _expect_noise(made: Walk, schedule: Schedule) -> None:
    start = expect(made.start, "the start of the loop").tensor()
    _expect_normal_start(start, 0.1)
    if max(made.largest[1:], default=2.0) <= 1 + 1e-6:
        fail(
            "x_t with values beyond 1, while it is mostly noise.",
            "no value beyond 1 after the first step.",
            "it looks as if x_t is clamped in every step; only an estimate of the final image may be.",
        )
    highest = largest_spread(schedule) * (1 + SPREAD)
    for time, spread, shift in zip(made.order, made.stds, made.means, strict=True):
        where = "early" if time > 0.7 * schedule.steps else "late" if time < 0.05 * schedule.steps else "halfway"
        right = "in every step, as much noise in x_t as its time t says."
        if spread <= 1 - SPREAD:
            hint = "look for noise that is missing, and for steps that go farther than to the time that follows."
            fail(right, f"too little noise in x_t, {where} in the loop.", hint)
        if not spread < float(highest[min(max(time, 0), schedule.steps - 1)]):
            fail(right, f"too much noise in x_t, {where} in the loop.", "look for noise that is too large.")
        if not abs(shift) < SHIFT:
            fail(right, f"x_t that has drifted away from the image, {where} in the loop.")


def largest_spread(schedule: Schedule) -> torch.Tensor:
    """Standard deviation of the noise in x_t where sigma^2 = beta_t, in units of sqrt(1 - alpha_bar_t); float64 (T,).

    It is larger than 1: the variance of the posterior would be right for an image that is known.
    """
    spread, variance = torch.ones_like(schedule.bars), 1.0
    for time in range(schedule.steps - 1, -1, -1):
        beta, noise = float(schedule.betas[time]), 1 - schedule.bar(time)
        spread[time] = (variance / noise) ** 0.5
        variance = (1 - beta / noise) ** 2 / (1 - beta) * variance + beta
    return spread


def _expect_normal_start(start: torch.Tensor, tolerance: float) -> None:
    mean, std = float(start.mean()), float(start.std())
    expect(abs(mean) < tolerance and abs(std - 1) < tolerance).true(
        expected="a start from standard normal noise.",
        got="a start from something else.",
        hint="it looks as if the noise is uniform: rand instead of randn." if abs(mean - 0.5) < tolerance else "",
    )


def _expect_image(made: Walk, samples: int, image: float, final_error: float) -> None:
    result = expect(made.result, "what generate_sample returns").tensor((samples, *IMAGE), NAMES)
    error = (result - image).abs().mean()
    if float(error) <= final_error:
        return
    start_kept = isinstance(made.start, torch.Tensor) and torch.equal(result.float(), made.start.float())
    rescaled = float((result - (image + 1) / 2).abs().mean()) <= final_error
    hint = "the last step, t = 0, adds no noise, and has to be taken." if float(error) < 0.1 else ""
    if start_kept:
        hint = "the noise of the start is returned."
    elif rescaled:
        hint = "it looks as if the images are mapped to [0, 1]; they stay in the range of the training."
    elif float((result - max(image, 0.0)).abs().mean()) <= final_error:
        hint = "it looks as if the images are clamped to [0, 1]; they stay in the range of the training."
    fail("the image that the network's noise leads to.", "another image.", hint)


def expect_fresh_samples(student: Student, model: Remote) -> None:
    """Labels are drawn where none are given, the start is new in every call, and no gradients are recorded."""
    schedule = own_schedules(model.var_scheduler)[0]
    samples, classes = 400, fetch(model.network.num_classes)
    first = walk(student, model, schedule, samples, stop_after=1)
    second = walk(student, model, schedule, samples, keyword=True, stop_after=1)
    start = expect(first.start, "the start of the loop").tensor((samples, *IMAGE), NAMES)
    expect(start.flatten(1).unique(dim=0).shape[0] == samples or not bool(start.any())).true(
        expected="a start of its own for every sample.", got="samples that share their noise."
    )
    _expect_normal_start(start, 0.02)
    expect(bool((start != expect(second.start, "the start of the loop").tensor()).any())).true(
        expected="new noise in every call.", got="the same noise twice.", hint="look for a seed that is set again."
    )
    if isinstance(classes, int):
        _expect_drawn_labels(first, second, samples, classes)
    expect(not (first.grad or second.grad)).true(
        expected="sampling without gradients.",
        got="a loop that records them: with a real network it runs out of memory.",
        hint="keep the decorator @torch.no_grad().",
    )


def _expect_drawn_labels(first: Walk, second: Walk, samples: int, classes: int) -> None:
    drawn = first.labels
    if not isinstance(drawn, torch.Tensor) or drawn.is_floating_point() or drawn.numel() != samples:
        fail("one label for each sample is drawn where none are given.", "something else.")
    expect(int(drawn.min()) == 0 and int(drawn.max()) == classes - 1).true(
        expected=f"labels from 0 to {classes - 1}, all of them, where none are given.", got="labels of another range."
    )
    expect(bool((drawn != second.labels).any())).true(
        expected="new labels in every call.", got="the same labels twice.", hint="look for a seed that is set again."
    )


def expect_wrong_labels_are_refused(student: Student, model: Remote) -> None:
    """As many labels as samples are asked for, or an exception."""
    schedule = own_schedules(model.var_scheduler)[0]
    for labels in (torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3, 4, 5])):
        expect_refused(partial(walk, student, model, schedule, 4, labels, stop_after=1))
