"""Question 2.2.4: the guided sampling loop, with a stub in the place of the diffusion."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from autograder.checks.ift6135_h25.probes import ForgetfulGuidance, GuidanceStub, LabelNet, trainer_settings
from autograder.grading import assign, expect, fail, fetch, points, public
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

NAMES = "(batch, channels, height, width)"


def _trainer(student: Student, net: LabelNet, steps: int, samples: int) -> tuple[Remote, GuidanceStub]:
    stub = GuidanceStub(net, steps)
    trainer = student.q3_trainer_cfg.Trainer(trainer_settings(steps + 2, samples), net, stub)
    assign(trainer.ema_model, LabelNet(-1.5))  # another network, so that its use shows
    return trainer, stub


def _sample(student: Student, draw: Draw, scale: float) -> tuple[Any, LabelNet, GuidanceStub, list[Any], torch.Tensor]:
    """Run Trainer.sample with stubs: its result, the stubs, the recorded reverse steps, the labels."""
    steps, samples = 6, 3
    net = LabelNet(draw.number(0.3, 0.6))
    trainer, stub = _trainer(student, net, steps, samples)
    labels = draw.integers(0, 10, samples)
    result = trainer.sample(labels=labels, cfg_scale=scale, n_steps=steps)
    calls = fetch(student.copy_of(stub).reverse)
    if not calls:
        fail("the loop calls p_sample of the diffusion.", "p_sample is never called.")
    if not fetch(student.copy_of(net).calls):
        fail("the loop asks eps_model.", "eps_model is never called.", "self.ema_model is another network.")
    return result, net, stub, calls, labels


def _guided(net: LabelNet, z: torch.Tensor, labels: torch.Tensor, scale: float) -> dict[str, torch.Tensor]:
    """Right and wrong guided noise estimates."""
    with torch.no_grad():
        cond, uncond = net(z.double(), labels), net(z.double())
    return {
        "": (1 + scale) * cond - scale * uncond,
        "the guidance is u + w (c - u); in this paper it is (1 + w) c - w u": uncond + scale * (cond - uncond),
        "the conditional and the unconditional estimate have changed places": (1 + scale) * uncond - scale * cond,
        "the guidance is left out: only the conditional estimate is used": cond,
        "the labels are not used: only the unconditional estimate is": uncond,
        "the unconditional estimate is left out of the combination": (1 + scale) * cond,
        "the unconditional estimate is added instead of subtracted": (1 + scale) * cond + scale * uncond,
    }


def _image(stub: GuidanceStub, z: torch.Tensor, lam: torch.Tensor, eps: torch.Tensor) -> list[torch.Tensor]:
    """The estimated image for the stub's factors, and for those of the assignment's formulas."""
    exact = lam.double()
    return [
        (z - stub.sigma_lambda(exact) * eps) / stub.alpha_lambda(exact),
        (z - (-exact).sigmoid().sqrt() * eps) / exact.sigmoid().sqrt(),
    ]


@points("q3_trainer_cfg.sample", 0.3)
def test_cfg_sample_times(student: Student, draw: Draw, remark: Callable[[str], None]) -> None:
    """Trainer.sample: log-SNRs of this step and of the next cleaner one"""
    _, _, stub, calls, _ = _sample(student, draw, 0.5)
    steps = stub.n_steps
    if any(call["grad"] for call in calls):
        remark("Remark (costs nothing): the loop records gradients; with a real network it would run out of memory.")
    if not fetch(student.copy_of(stub).times):
        fail("the loop calls get_lambda of the diffusion.", "get_lambda is never called.")

    def times_of(key: str) -> list[float]:
        found = [expect(call[key], "a log-SNR").tensor().flatten() for call in calls]
        if any(item.numel() not in (1, 3) for item in found):
            fail("one log-SNR for each image.", "log-SNRs of another shape.")
        return [round(float((3.0 - item.mean()) / 0.5), 3) for item in found]

    down = [float(t) for t in range(steps - 1, -1, -1)]
    now, then = times_of("lambda"), times_of("lambda_prim")
    if now not in (down, down[:-1]):
        expect(now, "sequence of times of lambda").equal_to(
            down,
            mistakes={
                "the loop runs forward in time": down[::-1],
                "the time is off by one": [t + 1 for t in down],
                "lambda and lambda' have changed places": [t - 1 for t in down],
            },
        )
    expected = [t - 1 for t in now]
    clamped = [max(t, 0.0) for t in expected]
    if then not in (expected, clamped):
        expect(then, "sequence of times of lambda'").equal_to(
            expected,
            mistakes={
                "lambda' is taken at t + 1, which is noisier; t - 1 is the cleaner one": [t + 1 for t in now],
                "lambda' is taken at the same time as lambda": now,
            },
        )


@points("q3_trainer_cfg.sample", 0.4)
def test_cfg_sample_guidance(student: Student, draw: Draw) -> None:
    """Trainer.sample: the guided estimate of the noise"""
    scale = draw.number(0.6, 2.5)
    _, net, stub, calls, labels = _sample(student, draw, scale)
    seen = [call["labels"] for call in fetch(student.copy_of(net).calls)]
    if not any(item is None for item in seen):
        fail(
            "eps_model is also asked without labels.",
            "it always gets labels.",
            "pass None for the labels, and use self.eps_model for both estimates.",
        )
    if all(item is None for item in seen):
        fail("eps_model is also asked with the labels.", "it never gets them.", "self.ema_model is another network.")
    for call in calls:
        z, lam = expect(call["z"], "z").tensor(), expect(call["lambda"], "lambda").tensor()
        guided = _guided(net, z, labels, scale)
        right = _image(stub, z, lam, guided[""])
        expect(call["x"], "the estimated image").close_to(
            right[0],
            NAMES,
            rtol=1e-3,
            atol=1e-3,
            or_values=right[1:],
            mistakes={text: _image(stub, z, lam, eps) for text, eps in guided.items() if text},
        )


@points("q3_trainer_cfg.sample", 0.3)
def test_cfg_sample_chain(student: Student, draw: Draw) -> None:
    """Trainer.sample: from the noise estimate to the image, from step to step, to the result"""
    result, net, stub, calls, labels = _sample(student, draw, 0.0)
    for call in calls:
        z, lam = expect(call["z"], "z").tensor(), expect(call["lambda"], "lambda").tensor()
        call["z"] = z
        estimates = _guided(net, z, labels, 0.0)
        alpha, sigma = stub.alpha_lambda(lam), stub.sigma_lambda(lam)
        images = [image for eps in estimates.values() for image in _image(stub, z, lam, eps)]
        eps = estimates[""]
        call["x"] = expect(call["x"], "the estimated image x").close_to(
            images[0],
            NAMES,
            rtol=1e-3,
            atol=1e-3,
            or_values=images[1:],
            mistakes={
                "alpha and sigma have changed places": (z - alpha * eps) / sigma,
                "the division by alpha is missing": z - sigma * eps,
                "the noise is not scaled by sigma": (z - eps) / alpha,
                "sigma squared is used in the place of sigma": (z - sigma**2 * eps) / alpha,
                "alpha squared is used in the place of alpha": (z - sigma * eps) / alpha**2,
                "the noise is added instead of subtracted": (z + sigma * eps) / alpha,
                "the noise estimate is passed in the place of the image": eps,
                "z is passed in the place of the image": z,
            },
        )
    for before, after in pairwise(calls):
        arrived = 0.6 * before["z"] + 0.4 * before["x"]
        if after["z"].shape != arrived.shape or not torch.allclose(after["z"], arrived, atol=1e-3):
            fail("each step starts from the z that p_sample gave.", "a step that starts from something else.")
    last = _last_image(net, stub, calls, labels)
    z = calls[-1]["z"].double()
    expect(result, "what sample returns").close_to(
        last[0],
        NAMES,
        rtol=1e-3,
        atol=1e-3,
        or_values=[value for image in last for value in (image, image.clamp(-1, 1), image.clamp(0, 1))],
        mistakes={
            "z is returned instead of the image x": z,
            "the noise of the start is returned": calls[0]["z"].double(),
        },
    )


@public
@points("q3_trainer_cfg.sample", 0)
def test_cfg_sample_result(student: Student, draw: Draw) -> None:
    """Trainer.sample: the image of the last step, where z is known"""
    steps, samples, scale = 6, 3, draw.number(0.6, 2.5)
    net = LabelNet(draw.number(0.3, 0.6))
    stub = ForgetfulGuidance(net, steps)
    trainer = student.q3_trainer_cfg.Trainer(trainer_settings(steps + 2, samples), net, stub)
    assign(trainer.ema_model, LabelNet(-1.5))
    labels = draw.integers(0, 10, samples)
    result = trainer.sample(labels=labels, cfg_scale=scale, n_steps=steps)
    last, before = (stub.get_lambda(torch.full((samples,), t)).double() for t in (0, 1))
    empty = torch.zeros(samples, 2, 8, 8, dtype=torch.float64)
    z = stub.p_sample(empty, before, last, empty)
    guided = _guided(net, z, labels, scale)
    right = _image(stub, z, last, guided[""])
    expect(result, "what sample returns").close_to(
        right[0],
        NAMES,
        rtol=1e-3,
        atol=1e-3,
        or_values=[value for image in right for value in (image, image.clamp(-1, 1), image.clamp(0, 1))],
        mistakes={text: _image(stub, z, last, eps) for text, eps in guided.items() if text},
    )


def _last_image(net: LabelNet, stub: GuidanceStub, calls: list[Any], labels: torch.Tensor) -> list[torch.Tensor]:
    """The image of the last step; where the loop skips the last p_sample, the one that it computes after the others."""
    if len(calls) == stub.n_steps:
        return [calls[-1]["x"].double()]
    z = (0.6 * calls[-1]["z"] + 0.4 * calls[-1]["x"]).double()
    lam = stub.get_lambda(torch.zeros(z.shape[0], dtype=torch.long))
    return [image for eps in _guided(net, z, labels, 0.0).values() for image in _image(stub, z, lam, eps)]
