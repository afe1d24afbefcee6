"""What the losses of the diffusion models have in common: a network estimates the noise at random times."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.cmput328_f24.probes import NoiseRecorder
from autograder.checks.cmput328_f24.schedules import Schedule, filled_in, own_coefficients, own_schedules
from autograder.grading import assign, expect, fail, fetch, value_and_gradients
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

SIDE = 32


def _recorded(student: Student, recorder: NoiseRecorder, shape: tuple[int, ...]) -> dict[str, Any]:
    """What the network got in the last call."""
    calls = fetch(student.copy_of(recorder).calls)
    if not calls:
        fail("the network estimates the noise in x_t.", "the network is never called.", "use self.network.")
    call: dict[str, Any] = calls[-1]
    call["x"] = expect(call["x"], "the network's input").tensor(shape, "(batch, channels, height, width)")
    t = call["t"]
    if not isinstance(t, torch.Tensor) or t.is_floating_point() or t.dtype == torch.bool:
        kind = (
            f"a tensor of dtype {str(t.dtype).removeprefix('torch.')}" if isinstance(t, torch.Tensor) else "no tensor"
        )
        fail("the network gets its times as an integer tensor of shape (batch,).", f"{kind}.")
    if tuple(t.shape) != shape[:1]:
        fail(
            f"the network gets one time for each image, a tensor of shape {shape[:1]}.",
            f"times of shape {tuple(t.shape)}.",
        )
    return call


def expect_noise_loss(student: Student, model: Remote, draw: Draw, image: tuple[int, ...] = (1, SIDE, SIDE)) -> None:
    """The loss compares the network's output at x_t with the noise in x_t, and its gradient reaches the network.

    Args:
        student: the submission.
        model: its diffusion model, with `network` and `var_scheduler`.
        draw: random inputs.
        image: shape of one image, without the batch.
    """
    batch = 16
    x, labels = draw.uniform(-1, 1, batch, *image), draw.integers(0, 10, batch)
    schedule = own_schedules(model.var_scheduler)[0]
    recorder = NoiseRecorder(draw.number(0.4, 0.9))
    assign(model.network.forward, recorder)
    loss, gradients = value_and_gradients(model.forward, x, labels, wrt=(recorder,))
    loss = filled_in(loss, "forward")
    call = _recorded(student, recorder, tuple(x.shape))
    _expect_labels(call["labels"], labels)
    t = call["t"].long()
    if int(t.min()) < 0 or int(t.max()) >= schedule.steps:
        fail(f"times from 0 to num_steps - 1 = {schedule.steps - 1}.", "a time outside of these.")
    noise = _noise_in(call["x"], x.double(), t, schedule, model)
    out = call["out"].double()
    squared, absolute = ((out - noise) ** 2), (out - noise).abs()
    value = expect(loss, "the loss").close_to(
        squared.mean(),
        "(), one number",
        rtol=2e-3,
        or_values=[absolute.mean()],
        mistakes={
            "the errors are summed instead of averaged": [squared.sum(), absolute.sum()],
            "the errors are summed over each image": [
                squared.flatten(1).sum(1).mean(),
                absolute.flatten(1).sum(1).mean(),
            ],
            "the network's output is compared with the image instead of the noise": [
                ((out - x) ** 2).mean(),
                (out - x).abs().mean(),
            ],
            "the network's output is compared with the noisy image instead of the noise": [
                ((out - call["x"]) ** 2).mean(),
                (out - call["x"]).abs().mean(),
            ],
            "the square root of the loss is taken": squared.mean().sqrt(),
            "the losses of the images are not averaged": [squared.flatten(1).mean(1), absolute.flatten(1).mean(1)],
            "the loss has the wrong sign": [-squared.mean(), -absolute.mean()],
        },
    )
    is_squared = abs(float(value - squared.mean())) <= abs(float(value - absolute.mean()))
    direction = 2 * (out - noise) if is_squared else (out - noise).sign()
    if gradients is None or float(gradients[0].abs().max()) == 0:
        fail(
            "a loss whose gradient reaches the network.",
            "a loss without a gradient.",
            "look for torch.no_grad(), .detach() or .item().",
        )
    slope = (direction * torch.sin(call["x"])).mean()
    expect(gradients[0], "the gradient of the loss").close_to(slope, rtol=5e-3, atol=1e-3)


def _noise_in(x_t: torch.Tensor, x: torch.Tensor, t: torch.Tensor, schedule: Schedule, model: Remote) -> torch.Tensor:
    """The noise in the network's input, given that it is one that add_noise makes."""
    bar = schedule.bars[t]
    factors = [(bar.sqrt(), (1 - bar).sqrt())]
    own = own_coefficients(model.var_scheduler, t)
    if own is not None and float(own[1].abs().min()) > 1e-4:
        factors.append(own)
    axes = (-1, *(1 for _ in x.shape[1:]))
    found = [(x_t - a.view(axes) * x) / b.view(axes) for a, b in factors]
    for noise in found:
        rows = noise.flatten(1)
        moments = (
            (rows.mean(1) - 0).abs() < 7 / rows.shape[1] ** 0.5,
            (rows.std(1) - 1).abs() < 7 / (2 * rows.shape[1]) ** 0.5,
        )
        if bool(moments[0].all() and moments[1].all()):
            correlation = torch.corrcoef(rows) - torch.eye(len(rows))
            expect(float(correlation.abs().max()) < 7 / rows.shape[1] ** 0.5).true(
                expected="every image has noise of its own.",
                got="images that share their noise.",
                hint="draw noise in the shape of the whole batch.",
            )
            return noise
    rows = found[0].flatten(1)
    hint = ""
    if torch.allclose(x_t, x, atol=1e-4):
        hint = "it looks as if the network sees the clean images."
    elif float((x_t - x_t[:1]).abs().max()) == 0:
        hint = "all images are the same."
    elif abs(float(x_t.std()) - 1) < 0.05 and _correlation(x_t, x) < 0.05:
        hint = "it looks as if the network sees pure noise, without the images."
    elif float((rows.mean(1) - 0.5).abs().max()) < 0.3 and float(rows.std(1).max()) < 0.6:
        hint = "it looks as if the noise is uniform: rand instead of randn."
    else:
        hint = "the network has to get the times at which its input was noised, and nothing else may be done to it."
    fail("the network sees x_t: the images with as much noise as the times say.", "something else.", hint)


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]))


def _expect_labels(seen: Any, labels: torch.Tensor) -> None:
    if seen is None:
        fail("the network gets the labels.", "no labels.", "pass label on as the third argument.")
    same = isinstance(seen, torch.Tensor) and not seen.is_floating_point()
    if not same or seen.shape != labels.shape or not bool((seen == labels).all()):
        fail("the network gets the labels as they are.", "something else.", "pass label on as the third argument.")


def expect_random_times(
    student: Student, model: Remote, draw: Draw, image: tuple[int, ...] = (1, 2, 2), batch: int = 30_000
) -> None:
    """Times are uniform over all times, one for each image; times and noise are new in every call."""
    steps = own_schedules(model.var_scheduler)[0].steps
    recorder = NoiseRecorder(0.5)
    assign(model.network.forward, recorder)
    x, labels = draw.uniform(-1, 1, batch, *image), draw.integers(0, 10, batch)
    filled_in(model.forward(x, labels), "forward")
    first = _recorded(student, recorder, tuple(x.shape))
    times = first["t"].long()
    if times.unique().numel() == 1:
        fail(
            "a random time for every image.", "one time for the whole batch.", "draw as many times as there are images."
        )
    if int(times.min()) < 0 or int(times.max()) >= steps:
        fail(
            f"times from 0 to num_steps - 1 = {steps - 1}.",
            "a time outside of these.",
            "it looks as if the times are counted from 1."
            if int(times.max()) == steps and int(times.min()) > 0
            else "",
        )
    if steps < batch / 20:
        expect(int(times.max()) == steps - 1).true(
            expected="all times occur.",
            got="the last time, num_steps - 1, never occurs.",
            hint="the upper end of torch.randint is left out already.",
        )
        expect(int(times.min()) == 0).true(
            expected="all times occur.", got="the first time, 0, never occurs.", hint="times are counted from 0 here."
        )
    bins = torch.bincount(times * 10 // steps, minlength=10).double()
    share = torch.bincount(torch.arange(steps) * 10 // steps, minlength=10).double() / steps
    spread = (batch * share * (1 - share)).sqrt()
    expect(bool(((bins - batch * share).abs() <= 6 * spread).all())).true(
        expected="all times are equally likely.", got="times of which some are more likely than others."
    )
    model.forward(x, labels)
    second = _recorded(student, recorder, tuple(x.shape))
    expect(bool((second["t"] != first["t"]).any()) and bool((second["x"] != first["x"]).any())).true(
        expected="new times and new noise in every call.",
        got="the same ones twice.",
        hint="look for a seed that is set again.",
    )
