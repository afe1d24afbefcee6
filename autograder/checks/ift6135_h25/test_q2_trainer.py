"""Question 2.1.2: the reverse loops of the DDPM's trainer, with a stub in the place of the diffusion."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from autograder.checks.ift6135_h25.probes import ReverseStub, TimeNet, trainer_settings
from autograder.grading import expect, fail, fetch, parameter_names, points, public
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

NAMES = "(batch, channels, height, width)"
LONG, LONG_SAMPLES = 75, 3  # of the noise of the start, 0.8**60 is left 15 steps before the end


def _trainer(student: Student, steps: int, samples: int, given: int) -> tuple[Remote, ReverseStub]:
    net = TimeNet(0.5, steps)
    stub = ReverseStub(net, given)
    return student.q2_trainer_ddpm.Trainer(trainer_settings(given, samples), net, stub), stub


def _long_trainer(student: Student, steps: int) -> tuple[Remote, ReverseStub]:
    """A trainer with a stand-in that has forgotten the noise of the start long before its last step."""
    net = TimeNet(0.5, steps)
    stub = ReverseStub(net, steps, gain=0.02)
    return student.q2_trainer_ddpm.Trainer(trainer_settings(steps, LONG_SAMPLES), net, stub), stub


def _long_states(stub: ReverseStub, steps: int) -> list[torch.Tensor]:
    """The images of `_long_trainer` after 0, 1, ... steps, but for the noise of the start."""
    states = [torch.zeros(LONG_SAMPLES, 2, 8, 8)]
    for t in range(steps - 1, -1, -1):
        states.append(0.8 * states[-1] + stub.gain * (t + 1))
    return states


def _reverse_calls(student: Student, stub: ReverseStub, samples: int, remark: Callable[[str], None]) -> list[Any]:
    """What the stub recorded, after the checks that hold for every reverse loop."""
    calls = fetch(student.copy_of(stub).reverse)
    if not calls:
        forward = fetch(student.copy_of(stub).forward_calls)
        fail(
            "the loop calls p_sample of the diffusion.",
            "p_sample is never called.",
            "q_sample adds noise; p_sample takes it away." if forward else "",
        )
    for call in calls:
        call["x"] = expect(call["x"], "what p_sample gets").tensor()
        t = call["t"]
        if not isinstance(t, torch.Tensor) or t.dtype != torch.int64 or tuple(t.shape) != (samples,):
            what = (
                f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)}"
                if isinstance(t, torch.Tensor)
                else str(type(t))
            )
            fail(f"t is an int64 tensor of shape ({samples},), one time for each image.", f"t of {what}.")
    if any(call["grad"] for call in calls):
        remark("Remark (costs nothing): the loop records gradients; with a real network it would run out of memory.")
    return calls


def _times(calls: list[Any]) -> list[int]:
    return [int(call["t"][0]) for call in calls]


def _expect_times(calls: list[Any], steps: int, may_skip_last: bool) -> None:
    times = _times(calls)
    if any(len(set(call["t"].tolist())) != 1 for call in calls):
        fail("one time for the whole batch in each step.", "different times within a batch.")
    if may_skip_last and times == list(range(steps - 1, 0, -1)):
        return
    expect(times, "sequence of times t").equal_to(
        list(range(steps - 1, -1, -1)),
        mistakes={
            "the loop runs forward in time; it has to go from n_steps - 1 down to 0": list(range(steps)),
            "t starts at n_steps: it is off by one": list(range(steps, 0, -1)),
            "t ends at -1: it is off by one": list(range(steps - 2, -2, -1)),
            "the last step, t = 0, is missing": list(range(steps - 1, 0, -1)),
        },
    )


def _expect_chain(calls: list[Any]) -> None:
    """Each step starts from what the step before it gave."""
    for before, after in pairwise(calls):
        arrived = step_of(before)
        if after["x"].shape != arrived.shape or not torch.allclose(after["x"], arrived, atol=1e-4):
            fail("each step starts from the result of the step before.", "a step that starts from something else.")


def step_of(call: Any) -> torch.Tensor:
    """What the stub gave for a call that it recorded."""
    return 0.8 * call["x"] + 0.1 * (call["t"].to(torch.float32).view(-1, 1, 1, 1) + 1)


@points("q2_trainer_ddpm.sample")
def test_ddpm_trainer_sample(student: Student, draw: Draw, remark: Callable[[str], None]) -> None:
    """Trainer.sample: the reverse loop from noise to images"""
    steps, samples = 7, 3
    trainer, stub = _trainer(student, steps, samples, given=11)
    result = trainer.sample(n_steps=steps)
    calls = _reverse_calls(student, stub, samples, remark)
    _expect_times(calls, steps, may_skip_last=True)
    _expect_chain(calls)
    start, last = calls[0]["x"], step_of(calls[-1])
    expect(start, "the start").tensor((samples, 2, 8, 8), "(n_samples, channels, size, size)")
    expect(result, "what sample returns").close_to(
        last,
        NAMES,
        or_values=[last.clamp(-1, 1), last.clamp(0, 1)],
        mistakes={"the noise of the start is returned": start},
    )


@public
@points("q2_trainer_ddpm.sample", 0)
def test_ddpm_trainer_sample_long(student: Student, draw: Draw) -> None:
    """Trainer.sample: the times of a long reverse loop, and where it ends"""
    trainer, stub = _long_trainer(student, LONG)
    result = trainer.sample(n_steps=LONG)
    down = [[t] * LONG_SAMPLES for t in range(LONG - 1, -1, -1)]
    expect(fetch(student.copy_of(stub).times), "sequence of times t").equal_to(down, or_values=[down[:-1]])
    states = _long_states(stub, LONG)
    expect(result, "what sample returns").close_to(
        states[LONG], NAMES, atol=1e-3, or_values=[states[LONG - 1], states[LONG].clamp(0, 1)]
    )


@points("q2_trainer_ddpm.sample")
def test_ddpm_trainer_sample_default_steps(student: Student, draw: Draw, remark: Callable[[str], None]) -> None:
    """Trainer.sample: all steps of the settings where none are given, from normal noise"""
    steps, samples = 9, 40
    trainer, stub = _trainer(student, steps, samples, given=steps)
    images = trainer.sample()
    calls = _reverse_calls(student, stub, samples, remark)
    expect(images, "what sample returns").tensor((samples, 2, 8, 8), NAMES)
    _expect_times(calls, steps, may_skip_last=True)
    noise = expect(calls[0]["x"], "the start").tensor((samples, 2, 8, 8), "(n_samples, channels, size, size)")
    expect(abs(float(noise.mean())) < 0.1 and abs(float(noise.std()) - 1) < 0.1).true(
        expected="a start from standard normal noise.", got="a start from something else."
    )


@points("q2_trainer_ddpm.generate_intermediate_samples")
def test_ddpm_intermediate_samples(student: Student, draw: Draw, remark: Callable[[str], None]) -> None:
    """generate_intermediate_samples: the noise, and the images after the steps that were asked for"""
    steps, samples = 6, 2
    shown = [0, 2, 3, 6]  # read as times, or a step late, every one of them gives another image
    as_times = sorted(steps - step for step in shown)
    trainer, stub = _trainer(student, steps, 3, given=11)
    images = _intermediate(student, trainer, stub, samples, shown, steps)
    calls = _reverse_calls(student, stub, samples, remark)
    _expect_times(calls, steps, may_skip_last=False)
    _expect_chain(calls)
    states = [calls[0]["x"], *map(step_of, calls)]
    if not isinstance(images, (list, tuple)) or len(images) != len(shown):
        count = f"{len(images)} images" if isinstance(images, (list, tuple)) else "no list"
        fail(f"a list of {len(shown)} arrays: the noise, then one for each of the steps {shown[1:]}.", f"{count}.")
    for image, step, as_time in zip(images, shown, as_times, strict=True):
        expect(image, f"the image after step {step}").close_to(
            states[step],
            "(n_samples, 1, img_size, img_size)",
            mistakes={
                "the image of the step before is kept": states[max(step - 1, 0)],
                "the steps are taken for times t": states[as_time],
                "the initial noise is kept every time": states[0],
            },
        )


@public
@points("q2_trainer_ddpm.generate_intermediate_samples", 0)
def test_ddpm_intermediate_samples_long(student: Student, draw: Draw) -> None:
    """generate_intermediate_samples: the images near the end of a long reverse loop"""
    shown = [0, LONG - 15, LONG - 6, LONG]
    trainer, stub = _long_trainer(student, LONG)
    images = _intermediate(student, trainer, stub, LONG_SAMPLES, shown, LONG)
    down = [[t] * LONG_SAMPLES for t in range(LONG - 1, -1, -1)]
    expect(fetch(student.copy_of(stub).times), "sequence of times t").equal_to(down)
    if not isinstance(images, (list, tuple)) or len(images) != len(shown):
        fail(
            f"a list of {len(shown)} arrays: the noise, then one for each of the steps {shown[1:]}.", "something else."
        )
    expect(images[0], "the noise").tensor((LONG_SAMPLES, 1, 8, 8), "(n_samples, 1, img_size, img_size)")
    states = _long_states(stub, LONG)
    for image, step in list(zip(images, shown, strict=True))[1:]:
        expect(image, f"the image after step {step}").close_to(
            states[step][:, :1], "(n_samples, 1, img_size, img_size)", atol=1e-3
        )


@points("q2_trainer_ddpm.generate_intermediate_samples")
def test_ddpm_intermediate_samples_all_steps(student: Student, draw: Draw, remark: Callable[[str], None]) -> None:
    """generate_intermediate_samples: every step once, in the order of the loop"""
    steps, samples = 5, 3
    trainer, stub = _trainer(student, steps, 3, given=11)
    images = _intermediate(student, trainer, stub, samples, list(range(steps + 1)), steps)
    calls = _reverse_calls(student, stub, samples, remark)
    _expect_times(calls, steps, may_skip_last=False)
    last = images[-1] if isinstance(images, (list, tuple)) and len(images) == steps + 1 else None
    expect(last, "the last image").close_to(step_of(calls[-1]), "(n_samples, 1, img_size, img_size)")


def _intermediate(
    student: Student, trainer: Remote, stub: ReverseStub, samples: int, shown: list[int], steps: int
) -> Any:
    method = trainer.generate_intermediate_samples
    arguments = {"n_samples": samples, "img_size": 8, "steps_to_show": shown, "n_steps": steps}
    if "model" in parameter_names(method)[1]:  # the older signature, which the published notebook has
        arguments["model"] = student.copy_of(stub.eps_model)
    return method(**arguments)
