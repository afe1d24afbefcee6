"""Question 1: likelihoods, divergences, and the loss of the VAE."""

from __future__ import annotations

import math
from typing import Any

import torch

from autograder.grading import expect, fail, needs, points, public, value_and_gradients
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Student

LOG_2PI = math.log(2 * math.pi)
EPSILON_ATOL = 5e-4  # room for a clamp or an epsilon of 1e-6 at probabilities down to 0.05


def expect_gradients(
    student_function: Any,
    reference_function: Any,
    *args: Any,
    wrt: tuple[int, ...],
    rtol: float = 1e-3,
    atol: float = 1e-4,
) -> None:
    """The gradients of the summed result are those of the reference."""
    _, found = value_and_gradients(student_function, *args, wrt=wrt)
    if found is None:
        fail(
            "a result through which gradients flow back to the arguments; training needs them.",
            "a result without gradients.",
            "look for .detach(), .item(), .data, numpy, or torch.no_grad() on the way.",
        )
    _, right = value_and_gradients(reference_function, *(arg.double() for arg in args), wrt=wrt)
    for gradient, expected in zip(found, right or (), strict=True):
        expect(gradient, "the gradient of the result").close_to(expected, rtol=rtol, atol=atol)


@public
@points("q1_vae.log_likelihood_bernoulli", 0.5)
def test_bernoulli_value(student: Student, reference: Reference, draw: Draw) -> None:
    """log_likelihood_bernoulli: one value per sample, for grey levels too"""
    mu, target = draw.uniform(0.05, 0.95, 5, 9), draw.uniform(0.05, 0.95, 5, 9)
    terms = target * mu.log() + (1 - target) * (1 - mu).log()
    expect(student.q1_vae.log_likelihood_bernoulli(mu, target)).close_to(
        reference.q1_vae.log_likelihood_bernoulli(mu, target),
        "(batch,)",
        rtol=1e-4,
        atol=EPSILON_ATOL,
        mistakes={
            "the values are averaged over the features instead of summed": terms.mean(1),
            "the sign is that of the cross-entropy, which is minus the log-likelihood": -terms.sum(1),
            "the term with (1 - target) is missing": (target * mu.log()).sum(1),
            "the term with target is missing": ((1 - target) * (1 - mu).log()).sum(1),
            "mu is taken for a logit, but it is a probability already": (
                target * mu - torch.nn.functional.softplus(mu)
            ).sum(1),
            "mu and target have changed places": (mu * target.log() + (1 - mu) * (1 - target).log()).sum(1),
            "the sum runs over the batch": [terms.sum(0), terms.sum()],
            "the logarithm has another base": [terms.sum(1) / math.log(2), terms.sum(1) / math.log(10)],
        },
    )


@points("q1_vae.log_likelihood_bernoulli", 0.25)
def test_bernoulli_images(student: Student, reference: Reference, draw: Draw) -> None:
    """log_likelihood_bernoulli: images with channels, binary targets"""
    mu, target = draw.uniform(0.05, 0.95, 3, 2, 4, 5), draw.integers(0, 2, 3, 2, 4, 5).float()
    expect(student.q1_vae.log_likelihood_bernoulli(mu, target)).close_to(
        reference.q1_vae.log_likelihood_bernoulli(mu, target), "(batch,)", rtol=1e-4, atol=1e-3
    )


@public
@points("q1_vae.log_likelihood_bernoulli", 0.25)
def test_bernoulli_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """log_likelihood_bernoulli: gradients reach mu"""
    mu, target = draw.uniform(0.1, 0.9, 4, 6), draw.uniform(0.0, 1.0, 4, 6)
    expect_gradients(
        student.q1_vae.log_likelihood_bernoulli, reference.q1_vae.log_likelihood_bernoulli, mu, target, wrt=(0,)
    )


@public
@points("q1_vae.log_likelihood_normal", 0.5)
def test_normal_value(student: Student, reference: Reference, draw: Draw) -> None:
    """log_likelihood_normal: one value per sample, with the constant"""
    mu, logvar, z = draw.normal(4, 7), draw.uniform(-1.5, 1.5, 4, 7), draw.normal(4, 7, std=1.5)
    square = (z - mu) ** 2
    terms = -0.5 * (LOG_2PI + logvar + square / logvar.exp())
    expect(student.q1_vae.log_likelihood_normal(mu, logvar, z)).close_to(
        reference.q1_vae.log_likelihood_normal(mu, logvar, z),
        "(batch,)",
        mistakes={
            "the constant with 2 pi is missing": (terms + 0.5 * LOG_2PI).sum(1),
            "the constant with 2 pi is there once instead of once per dimension": (terms + 0.5 * LOG_2PI).sum(1)
            - 0.5 * LOG_2PI,
            "the factor 1/2 is missing": (2 * terms).sum(1),
            "the factor 1/2 is missing in front of log 2 pi": (terms - 0.5 * LOG_2PI).sum(1),
            "the factor 1/2 is missing in front of the squared distance": (terms - 0.5 * square / logvar.exp()).sum(1),
            "logvar is taken for the logarithm of the standard deviation": (
                -0.5 * (LOG_2PI + 2 * logvar + square / (2 * logvar).exp())
            ).sum(1),
            "the distance is divided by the standard deviation instead of the variance": (
                -0.5 * (LOG_2PI + logvar + square / (0.5 * logvar).exp())
            ).sum(1),
            "logvar has the wrong sign": (-0.5 * (LOG_2PI - logvar + square / logvar.exp())).sum(1),
            "the values are averaged over the dimensions instead of summed": terms.mean(1),
            "the sign of the result is wrong": -terms.sum(1),
            "the sum runs over the batch": [terms.sum(0), terms.sum()],
        },
    )


@points("q1_vae.log_likelihood_normal", 0.25)
def test_normal_images(student: Student, reference: Reference, draw: Draw) -> None:
    """log_likelihood_normal: more than two dimensions, small and large variances"""
    mu, logvar, z = draw.normal(3, 2, 3, 4), draw.uniform(-3.0, 3.0, 3, 2, 3, 4), draw.normal(3, 2, 3, 4)
    expect(student.q1_vae.log_likelihood_normal(mu, logvar, z)).close_to(
        reference.q1_vae.log_likelihood_normal(mu, logvar, z), "(batch,)", rtol=1e-4, atol=1e-3
    )


@points("q1_vae.log_likelihood_normal", 0.25)
def test_normal_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """log_likelihood_normal: gradients reach mu, logvar and z"""
    arguments = draw.normal(3, 5), draw.uniform(-1.0, 1.0, 3, 5), draw.normal(3, 5)
    expect_gradients(
        student.q1_vae.log_likelihood_normal, reference.q1_vae.log_likelihood_normal, *arguments, wrt=(0, 1, 2)
    )


@public
@points("q1_vae.log_mean_exp", 0.5)
def test_log_mean_exp_value(student: Student, reference: Reference, draw: Draw) -> None:
    """log_mean_exp: one value per row"""
    y = draw.normal(4, 6, std=2.0)
    largest = y.amax(1, keepdim=True)
    shifted = (y - largest).exp()
    expect(student.q1_vae.log_mean_exp(y)).close_to(
        reference.q1_vae.log_mean_exp(y),
        "(batch,)",
        mistakes={
            "the maximum is subtracted but never added back": shifted.mean(1).log(),
            "the sum is not divided by the number of samples K": y.logsumexp(1),
            "the maximum is that of the whole tensor, added to every row": (y - y.max()).exp().mean(1).log()
            + largest[:, 0],
            "the mean of the logarithms is returned": y.mean(1),
            "the logarithm is missing": [y.exp().mean(1), shifted.mean(1) + largest[:, 0]],
            "the mean runs over the batch instead of the samples": y.exp().mean(0).log(),
            "the maximum of shape (B, 1) is added to a tensor of shape (B,)": shifted.mean(1).log() + largest,
        },
    )


@points("q1_vae.log_mean_exp", 0.25)
def test_log_mean_exp_stable(student: Student, reference: Reference, draw: Draw) -> None:
    """log_mean_exp: rows far apart, values far beyond what exp can hold"""
    offsets = torch.tensor([[-900.0], [0.0], [850.0], [-120.0], [3000.0]])
    y = draw.normal(5, 3) + offsets
    y[1, 0] = -300.0  # far from its neighbours in the same row
    result = student.q1_vae.log_mean_exp(y)
    if isinstance(result, torch.Tensor) and result.is_floating_point():
        expect(not bool(result.detach().isinf().any() or result.detach().isnan().any())).true(
            expected="a finite result for values such as -900 or 850.",
            got="NaN or infinity.",
            hint="subtract the maximum of each row before exp, and add it after log.",
        )
    expect(result).close_to(reference.q1_vae.log_mean_exp(y), "(batch,)", rtol=1e-5, atol=1e-3)


@points("q1_vae.log_mean_exp", 0.25)
def test_log_mean_exp_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """log_mean_exp: a single sample, and gradients"""
    single = draw.normal(3, 1)
    expect(student.q1_vae.log_mean_exp(single), "the result for K = 1").close_to(single[:, 0], "(batch,)")
    expect_gradients(student.q1_vae.log_mean_exp, reference.q1_vae.log_mean_exp, draw.normal(3, 4), wrt=(0,))


def _gaussians(draw: Draw, *shape: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return draw.normal(*shape), draw.uniform(-1, 1, *shape), draw.normal(*shape), draw.uniform(-1, 1, *shape)


@public
@points("q1_vae.kl_gaussian_gaussian_analytic", 0.5)
def test_kl_analytic_value(student: Student, reference: Reference, draw: Draw) -> None:
    """kl_gaussian_gaussian_analytic: one value per sample, any p"""
    mq, lq, mp, lp = arguments = _gaussians(draw, 5, 6)
    square = (mq - mp) ** 2
    terms = 0.5 * (lp - lq + (lq.exp() + square) / lp.exp() - 1)
    expect(student.q1_vae.kl_gaussian_gaussian_analytic(*arguments)).close_to(
        reference.q1_vae.kl_gaussian_gaussian_analytic(*arguments),
        "(batch,)",
        mistakes={
            "p and q have changed places: the divergence is not symmetric": (
                reference.q1_vae.kl_gaussian_gaussian_analytic(mp, lp, mq, lq)
            ),
            "the factor 1/2 is missing": (2 * terms).sum(1),
            "the -1 (one for every dimension) is missing": (terms + 0.5).sum(1),
            "the -1 is there once instead of once per dimension": (terms + 0.5).sum(1) - 0.5,
            "the squared difference of the means is missing, or not divided by the variance of p": [
                (terms - 0.5 * square / lp.exp()).sum(1),
                0.5 * (lp - lq + lq.exp() / lp.exp() + square - 1).sum(1),
            ],
            "the difference of the means is not squared": 0.5 * (lp - lq + (lq.exp() + mq - mp) / lp.exp() - 1).sum(1),
            "the difference of the log-variances has the wrong sign": (terms - (lp - lq)).sum(1),
            "logvar is taken for the logarithm of the standard deviation": 0.5
            * (2 * lp - 2 * lq + ((2 * lq).exp() + square) / (2 * lp).exp() - 1).sum(1),
            "p is taken for the standard normal": 0.5 * (lq.exp() + mq**2 - 1 - lq).sum(1),
            "the sign of the result is wrong": -terms.sum(1),
            "the values are averaged over the dimensions instead of summed": terms.mean(1),
            "the sum runs over the batch": [terms.sum(0), terms.sum()],
        },
    )


@points("q1_vae.kl_gaussian_gaussian_analytic", 0.25)
def test_kl_analytic_images(student: Student, reference: Reference, draw: Draw) -> None:
    """kl_gaussian_gaussian_analytic: more than two dimensions; zero for equal distributions"""
    arguments = _gaussians(draw, 3, 2, 2, 3)
    analytic = student.q1_vae.kl_gaussian_gaussian_analytic
    expect(analytic(*arguments)).close_to(
        reference.q1_vae.kl_gaussian_gaussian_analytic(*arguments), "(batch,)", rtol=1e-4, atol=1e-4
    )
    expect(analytic(*arguments[:2], *arguments[:2]), "the divergence of q from itself").close_to(
        torch.zeros(3), "(batch,)"
    )


@points("q1_vae.kl_gaussian_gaussian_analytic", 0.25)
def test_kl_analytic_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """kl_gaussian_gaussian_analytic: gradients reach the encoder's outputs"""
    expect_gradients(
        student.q1_vae.kl_gaussian_gaussian_analytic,
        reference.q1_vae.kl_gaussian_gaussian_analytic,
        *_gaussians(draw, 3, 4),
        wrt=(0, 1),
    )


@public
@points("q1_vae.kl_gaussian_gaussian_mc", 0.3)
def test_kl_mc_shape(student: Student, draw: Draw) -> None:
    """kl_gaussian_gaussian_mc: one value per sample, for any number of Monte Carlo samples"""
    estimate = student.q1_vae.kl_gaussian_gaussian_mc
    expect(estimate(*_gaussians(draw, 3, 4)), "the estimate with one sample").tensor((3,), "(batch,)")
    expect(estimate(*_gaussians(draw, 3, 4), 5), "the estimate with num_samples = 5").tensor((3,), "(batch,)")
    expect(estimate(*_gaussians(draw, 2, 3, 2, 2), num_samples=3), "the estimate for images").tensor((2,), "(batch,)")


@public
@points("q1_vae.kl_gaussian_gaussian_mc", 0)
def test_kl_mc_accuracy(student: Student, reference: Reference, draw: Draw) -> None:
    """kl_gaussian_gaussian_mc: the estimate from many samples is close to the divergence"""
    samples = 20_000
    arguments = _gaussians(draw, 4, 3)
    right = reference.q1_vae.kl_gaussian_gaussian_analytic(*arguments)
    expect(student.q1_vae.kl_gaussian_gaussian_mc(*arguments, samples), "the estimate").close_to(
        right, "(batch,)", rtol=1e-3, atol=SIGMAS * _spread(*arguments) / samples**0.5 + 1e-3
    )


@points("q1_vae.kl_gaussian_gaussian_mc", 0.4)
def test_kl_mc_mean(student: Student, reference: Reference, draw: Draw) -> None:
    """kl_gaussian_gaussian_mc: the estimate is right on average"""
    batch, dims, samples, repeats = 4, 3, 2_000, 8
    mq, lq, mp, lp = arguments = _gaussians(draw, batch, dims)
    right = reference.q1_vae.kl_gaussian_gaussian_analytic(*arguments)
    error = SIGMAS * _spread(*arguments) / (samples * repeats) ** 0.5 + 1e-3
    wide = (2 * lq).exp()  # variance of samples whose standard deviation is e^logvar
    rows = [item.repeat(repeats, 1) for item in arguments]
    estimates = expect(student.q1_vae.kl_gaussian_gaussian_mc(*rows, samples), "the estimate").tensor(
        (batch * repeats,), "(batch,)"
    )
    found = estimates.view(repeats, batch).mean(0)
    summed = (found / samples - right).abs() <= error + 1e-3 * right
    expect(found, "the mean of many estimates").close_to(
        right,
        "(batch,)",
        rtol=1e-3,
        atol=error,
        mistakes={
            "p and q have changed places": [
                -right,
                reference.q1_vae.kl_gaussian_gaussian_analytic(mp, lp, mq, lq),
                -reference.q1_vae.kl_gaussian_gaussian_analytic(mp, lp, mq, lq),
            ],
            "the samples are drawn with the variance in the place of the standard deviation": 0.5
            * (lp - lq - wide / lq.exp() + (wide + (mq - mp) ** 2) / lp.exp()).sum(1),
            "the values are averaged over the dimensions instead of summed": right / dims,
            "the values are summed over the samples instead of averaged": torch.where(summed, found, torch.nan),
            "only log q(z) is there: log p(z) is missing": -0.5 * (LOG_2PI + lq + 1).sum(1),
            "the samples are drawn from the standard normal instead of q": 0.5
            * (lp - lq - (1 + mq**2) / lq.exp() + (1 + mp**2) / lp.exp()).sum(1),
        },
    )


@points("q1_vae.kl_gaussian_gaussian_mc", 0.3)
def test_kl_mc_spread(student: Student, draw: Draw) -> None:
    """kl_gaussian_gaussian_mc: it is an estimate, and more samples make it better"""
    rows, samples = 6000, 16
    arguments = [item.expand(rows, -1) for item in _gaussians(draw, 1, 3)]
    spread = float(_spread(*arguments)[0])
    for count in (1, samples):
        found = expect(student.q1_vae.kl_gaussian_gaussian_mc(*arguments, count), "the estimate").tensor(
            (rows,), "(batch,)"
        )
        expect(found.std(), f"the standard deviation of the estimate from {count} samples").close_to(
            torch.tensor(spread / count**0.5),
            rtol=0.2,
            mistakes={
                "no samples are drawn, or one sample is shared by the whole batch": 0.0,
                "num_samples makes no difference": lambda: spread,
            },
        )


def _spread(mq: torch.Tensor, lq: torch.Tensor, mp: torch.Tensor, lp: torch.Tensor) -> torch.Tensor:
    """Standard deviation of log q(z) - log p(z) under z ~ q, from its exact variance; (B,).

    With z = mq + s e, each dimension gives a + b e + c e^2, whose variance for standard normal e is b^2 + 2 c^2.
    """
    mq, lq, mp, lp = (item.double() for item in (mq, lq, mp, lp))
    slope = (0.5 * lq).exp() * (mq - mp) / lp.exp()
    curvature = 0.5 * (lq - lp).exp() - 0.5
    return (slope**2 + 2 * curvature**2).sum(1).sqrt()


def _loss_arguments(draw: Draw) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return (
        draw.uniform(0.05, 0.95, 3, 784),
        draw.uniform(0.0, 1.0, 3, 1, 28, 28),
        draw.normal(3, 20),
        draw.uniform(-1, 1, 3, 20),
    )


@public
@points("q1_train_vae.loss_function")
@needs("q1_vae.log_likelihood_bernoulli", "q1_vae.kl_gaussian_gaussian_analytic")
def test_loss_function(student: Student, reference: Reference, draw: Draw) -> None:
    """loss_function: the negative ELBO, summed over the batch"""
    recon, x, mu, logvar = arguments = _loss_arguments(draw)
    zero = torch.zeros_like(mu)
    nll = -reference.q1_vae.log_likelihood_bernoulli(recon, x)
    kl = reference.q1_vae.kl_gaussian_gaussian_analytic(mu, logvar, zero, zero)
    expect(student.q1_train_vae.loss_function(*arguments), "the loss").close_to(
        reference.q1_train_vae.loss_function(*arguments),
        "(), one number for the batch",
        rtol=2e-4,
        mistakes={
            "the loss is averaged over the batch instead of summed": (nll + kl).mean(),
            "the ELBO is returned, but the loss is minus the ELBO": -(nll + kl).sum(),
            "the divergence is subtracted instead of added": (nll - kl).sum(),
            "the divergence is missing": nll.sum(),
            "the reconstruction term is missing": kl.sum(),
            "the reconstruction term has the wrong sign": (kl - nll).sum(),
            "the losses of the elements are not summed": nll + kl,
        },
    )


@points("q1_train_vae.loss_function")
@needs("q1_vae.log_likelihood_bernoulli", "q1_vae.kl_gaussian_gaussian_analytic")
def test_loss_function_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """loss_function: gradients reach the decoder and the encoder"""
    expect_gradients(
        student.q1_train_vae.loss_function,
        reference.q1_train_vae.loss_function,
        *_loss_arguments(draw),
        wrt=(0, 2, 3),
        rtol=1e-3,
        atol=1e-2,
    )
