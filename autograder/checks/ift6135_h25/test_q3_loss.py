"""Question 2.2.3: the training loss of the diffusion for classifier-free guidance."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from autograder.checks.ift6135_h25.noise_loss import expect_noise_loss, summed_then_averaged
from autograder.checks.ift6135_h25.probes import LabelNet
from autograder.grading import expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.carry import follows, own
from autograder.grading.reference import Reference
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

STEPS = 30
NAMES = "(batch, channels, height, width)"


@points("q3_cfg_diffusion.loss", 0.5)
def test_cfg_loss(student: Student, reference: Reference, draw: Draw) -> None:
    """loss: squared error of the noise, with the labels"""
    net = LabelNet(draw.number(0.4, 0.9))
    cfg, ref = _make(student, reference, net)
    x0, noise, labels = draw.normal(5, 3, 5, 6), draw.normal(5, 3, 5, 6), draw.integers(0, 10, 5)
    loss, gradients = value_and_gradients(cfg.loss, x0, labels, noise, wrt=(net,))
    call = _network_call(student, net)
    z = _expect_noised(cfg, ref, call["z"], x0, noise)
    _expect_labels(call["labels"], labels)
    wrong_target = summed_then_averaged((x0 - net(z, labels)) ** 2)
    expect_noise_loss(
        loss,
        gradients,
        net.gain,
        [(noise - net(z, labels)) ** 2],
        {"the network's output is compared with the image instead of the noise": wrong_target},
    )


@points("q3_cfg_diffusion.loss", 0.3)
def test_cfg_loss_labels(student: Student, reference: Reference, draw: Draw) -> None:
    """loss: labels as they come, every time, and none where there are none"""
    net = LabelNet(0.5)
    cfg, _ = _make(student, reference, net)
    x0, labels = draw.normal(6, 1, 3, 3), draw.integers(0, 10, 6)
    expect(cfg.loss(x0, None), "the loss without labels").tensor((), "(), one number")
    if _network_call(student, net)["labels"] is not None:
        fail("the network gets None where the labels are None.", "labels that were made up.")
    seen = set()
    for _ in range(60):
        expect(cfg.loss(x0, labels), "the loss").tensor((), "(), one number")
        call = _network_call(student, net)
        _expect_labels(call["labels"], labels)
        seen.add(round(float(call["z"].double().std()), 6))
    expect(len(seen) > 30).true(expected="new times and new noise in every call.", got="the same ones again and again.")


@public
@points("q3_cfg_diffusion.loss", 0)
def test_cfg_loss_single_time(student: Student, reference: Reference, draw: Draw) -> None:
    """loss: its value and its gradient where t = 0 is the only time"""
    net = LabelNet(draw.number(0.4, 0.9))
    cfg = student.q3_cfg_diffusion.CFGDiffusion(net, 1, "cpu")
    ref = reference.q3_cfg_diffusion.CFGDiffusion(net, 1, "cpu")
    x0, noise, labels = draw.normal(5, 3, 5, 6), draw.normal(5, 3, 5, 6), draw.integers(0, 10, 5)
    loss, gradients = value_and_gradients(cfg.loss, x0, labels, noise, wrt=(net,))
    t = torch.zeros(5, dtype=torch.long)
    z = ref.q_sample(x0, ref.get_lambda(t), noise)
    own_lambda = own("q3_cfg_diffusion.get_lambda", lambda: cfg.get_lambda(t))
    carried = [
        *follows(lambda lam: ref.q_sample(x0, lam, noise), own_lambda),
        *own("q3_cfg_diffusion.q_sample", lambda: cfg.q_sample(x0, cfg.get_lambda(t), noise)),
    ]
    seen = [z] + [item for item in carried if item.shape == z.shape]
    expect_noise_loss(
        loss,
        gradients,
        net.gain,
        [(noise - net(item, labels)) ** 2 for item in seen],
        {
            "the network's output is compared with the image instead of the noise": summed_then_averaged(
                (x0 - net(z, labels)) ** 2
            ),
            "the network does not get the labels": summed_then_averaged((noise - net(z)) ** 2),
        },
    )


@points("q3_cfg_diffusion.loss", 0.2)
def test_cfg_loss_time(student: Student, reference: Reference, draw: Draw) -> None:
    """loss: the log-SNR is that of the time which was drawn"""
    net = LabelNet(0.5)
    cfg = student.q3_cfg_diffusion.CFGDiffusion(net, 1, "cpu")  # t = 0 is the only time: the network sees the image
    ref = reference.q3_cfg_diffusion.CFGDiffusion(net, 1, "cpu")
    x0, noise, t = draw.normal(4, 2, 5, 5), draw.normal(4, 2, 5, 5), torch.zeros(4, dtype=torch.long)
    expect(cfg.loss(x0, draw.integers(0, 10, 4), noise), "the loss").tensor((), "(), one number")
    z = expect(_network_call(student, net)["z"], "what the network sees").tensor(tuple(x0.shape), NAMES)
    images = [
        x0,
        *follows(
            lambda lam: ref.q_sample(x0, lam, noise), own("q3_cfg_diffusion.get_lambda", lambda: cfg.get_lambda(t))
        ),
        *own("q3_cfg_diffusion.q_sample", lambda: cfg.q_sample(x0, cfg.get_lambda(t), noise)),
    ]
    expect(any(image.shape == z.shape and bool(((z - image).abs() < 2e-3).all()) for image in images)).true(
        expected="a nearly clean image at t = 0.",
        got="an image with much noise.",
        hint="the time that get_lambda gets has to be t itself.",
    )


def _make(student: Student, reference: Reference, net: LabelNet) -> tuple[Remote, Any]:
    arguments = net, STEPS, "cpu"
    return student.q3_cfg_diffusion.CFGDiffusion(*arguments), reference.q3_cfg_diffusion.CFGDiffusion(*arguments)


def _network_call(student: Student, net: LabelNet) -> Any:
    calls = fetch(student.copy_of(net).calls)
    if not calls:
        fail("the network estimates the noise in z.", "the network is never called.", "use self.eps_model.")
    return calls[-1]


def _expect_labels(found: Any, labels: torch.Tensor) -> None:
    if found is None:
        fail(
            "the network gets the labels.",
            "the network gets none.",
            "labels are left out by the trainer, not by the loss.",
        )
    if not isinstance(found, torch.Tensor) or found.is_floating_point() or not torch.equal(found.flatten(), labels):
        fail("the network gets the labels as they are.", "other labels.", "they are left out by the trainer.")


def _expect_noised(cfg: Remote, ref: Any, found: Any, x0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """What the network saw has to be x0, noised to the log-SNR of some time for each image."""
    z = expect(found, "what the network sees").tensor(tuple(x0.shape), NAMES)
    if _all_match(z, x0.double()[None]):  # by chance, with t = 0 for all images, once in 24 million runs
        fail("the network sees noised images.", "x0 itself.", "it looks as if the network sees the clean image.")
    every = torch.arange(STEPS)
    own_lambda = own("q3_cfg_diffusion.get_lambda", lambda: cfg.get_lambda(every))
    lambdas = [ref.get_lambda(every), *(lam for lam in own_lambda if lam.numel() == STEPS)]
    for lam in lambdas:
        images = lam.reshape(-1, 1, 1, 1, 1)
        if _all_match(z, ref.q_sample(x0, images, noise)):
            return z
        if any(
            _all_match(z, grid) for grid in own("q3_cfg_diffusion.q_sample", partial(_own_grid, cfg, lam, x0, noise))
        ):
            return z
    times = every.double().view(-1, 1, 1, 1, 1)
    hints = {
        "t is used in the place of lambda: get_lambda(t) is missing.": ref.q_sample(x0, times, noise),
        "the network sees the noise alone.": noise.double().expand(STEPS, *x0.shape),
    }
    hint = next((text for text, grid in hints.items() if _all_match(z, grid)), "")
    fail(
        "the network sees q_sample(x0, get_lambda(t), noise), with a time for each image and the noise that was given.",
        "something else.",
        hint,
    )


def _own_grid(cfg: Remote, lam: torch.Tensor, x0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The submission's own q_sample at all log-SNRs, (STEPS, B, C, H, W)."""
    batch = x0.shape[0]
    flat = cfg.q_sample(
        x0.repeat(STEPS, 1, 1, 1),
        lam.float().reshape(-1, 1, 1, 1).repeat_interleave(batch, 0),
        noise.repeat(STEPS, 1, 1, 1),
    )
    return flat.reshape(STEPS, *x0.shape)


def _all_match(z: torch.Tensor, grid: torch.Tensor) -> bool:
    """Whether every image of z is one of its column in the grid (T, B, C, H, W)."""
    distance = (grid - z).abs().flatten(2).amax(2)  # (T, B)
    return bool((distance.amin(0) < 2e-3).all())
