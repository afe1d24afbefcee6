"""The normal distributions of the VAE: sample, kl, nll, mode."""

from __future__ import annotations

import math
from typing import Any

import torch

from autograder.checks.svhn.vae_networks import GAUSSIANS, LOG_2PI, distribution_class
from autograder.grading import expect, fail, points, public, value_and_gradients
from autograder.grading.reference import Reference
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.proxy import Student

SETTINGS = 5
VALUES = 4096  # samples of each setting


def _expect_gradients(found: list[torch.Tensor] | None, right: dict[str, torch.Tensor]) -> None:
    """Gradients arrive, and they are these; the names are those of what they reach."""
    if found is None:
        fail(
            _("a result through which gradients flow back; training needs them."),
            _("a result without gradients."),
            _("look for .detach(), .item(), .data, numpy, torch.no_grad(), or a distribution's sample()."),
        )
    for gradient, (name, expected) in zip(found, right.items(), strict=True):
        if not bool((gradient != 0).any()):
            fail(
                _("gradients that reach {name}.").format(name=name),
                _("none arrive."),
                _("look for .detach(), .data, torch.no_grad() or a new torch.tensor(...)."),
            )
        what = _("the gradient that reaches {name}").format(name=name)
        expect(gradient, what).close_to(expected, rtol=1e-3, atol=1e-3)


# --- sample -----------------------------------------------------------------------------------------------------------


@public
@points("vae.DiagonalGaussianDistribution.sample", 0.6)
def test_gaussian_sample_moments(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.sample: mean and spread of many samples"""
    mean = torch.tensor([-2.0, -0.6, 0.5, 1.2, 2.5]) + draw.uniform(-0.2, 0.2, SETTINGS)
    logvar = (torch.tensor([-2.5, -1.2, 0.8, 1.6, 2.4]) + draw.uniform(-0.2, 0.2, SETTINGS))[
        draw.distinct(0, SETTINGS, SETTINGS)
    ]
    arguments = [item[:, None].expand(-1, VALUES).contiguous() for item in (mean, logvar)]
    result = student.copy_of(GAUSSIANS).sample(distribution_class(student), *arguments)
    sample = expect(result, _("the sample")).tensor((SETTINGS, VALUES), _("that of the mean"))
    mean, logvar = mean.double(), logvar.double()
    std = (0.5 * logvar).exp()
    noise = sample - mean[:, None]
    if bool((noise.std(1) < 1e-4).all()) and float(noise.mean(1).abs().max()) > 1e-3:
        same = bool((noise.mean(1) - std).abs().max() < 1e-3)
        fail(
            _("noise of its own for every number of the sample."),
            _("one number for all of a row."),
            _("it looks as if the standard deviation itself is added, without noise.")
            if same
            else _("draw noise in the shape of the mean."),
        )
    expect_normal(
        sample,
        mean,
        std,
        mean_mistakes={
            _("the noise is uniform on [0, 1) instead of normal"): mean + std / 2,
            _("the mean is not added"): torch.zeros_like(mean),
            _("the mean is subtracted"): -mean,
            _("the noise is multiplied by the mean"): std,
            _("the sum of mean and noise is scaled, instead of the noise alone"): mean * std,
        },
        std_mistakes={
            _("the noise is multiplied by the variance instead of the standard deviation"): logvar.exp(),
            _("the noise is multiplied by logvar itself"): logvar.abs(),
            _("the noise is not scaled"): torch.ones_like(std),
            _("the sign of logvar is wrong"): (-0.5 * logvar).exp(),
            _("the square root is taken twice"): (0.25 * logvar).exp(),
            _("the noise is uniform on [-1, 1) instead of normal"): std / 3**0.5,
            _("the factor 1/2 stands outside of exp"): 0.5 * logvar.exp(),
            _("the exponential is taken twice"): std.exp(),
        },
    )


@points("vae.DiagonalGaussianDistribution.sample", 0.15)
def test_gaussian_sample_fresh(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.sample: fresh noise at every call, in the shape of the mean"""
    mean, kind = draw.normal(3, 2, 4, 4), distribution_class(student)
    bench = student.copy_of(GAUSSIANS)
    made = bench.two_samples(kind, mean)
    first = expect(made[0], _("the sample")).tensor((3, 2, 4, 4), _("that of the mean"))
    for again in (made[1], bench.sample(kind, mean)):
        if bool((expect(again, _("the sample")).tensor((3, 2, 4, 4)) == first).any()):
            fail(
                _("fresh noise at every call."),
                _("the same sample again."),
                _("look for a seed, for noise that is kept, or for no noise at all."),
            )


@points("vae.DiagonalGaussianDistribution.sample", 0.25)
def test_gaussian_sample_gradients(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.sample: gradients reach mean and logvar (reparameterisation)"""
    mean, logvar, weights = draw.normal(3, 6), draw.uniform(-1.0, 1.0, 3, 6), draw.normal(3, 6)
    kind = distribution_class(student)
    call = student.copy_of(GAUSSIANS).sample
    value, found = value_and_gradients(call, kind, mean, logvar, wrt=(1, 2), cotangent=weights)
    sample = expect(value, _("the sample")).tensor((3, 6), _("that of the mean"))
    half = 0.5 * (sample - mean.double())
    _expect_gradients(found, {"mean": weights.double(), "logvar": half * weights.double()})


# --- kl ---------------------------------------------------------------------------------------------------------------


@public
@points("vae.DiagonalGaussianDistribution.kl", 0.6)
def test_gaussian_kl_value(student: Student, reference: Reference, draw: Draw) -> None:
    """DiagonalGaussianDistribution.kl: one number for each distribution"""
    mean, logvar = draw.normal(5, 7), draw.uniform(-1.5, 1.5, 5, 7)
    kind = distribution_class(student)
    m, v = mean.double(), logvar.double()
    terms = 0.5 * (m**2 + v.exp() - 1 - v)
    expect(student.copy_of(GAUSSIANS).kl(kind, mean, logvar), _("the divergence")).close_to(
        reference.vae.DiagonalGaussianDistribution(mean, logvar).kl(),
        "(batch,)",
        atol=1e-4,
        mistakes={
            _("the factor 1/2 is missing"): (2 * terms).sum(1),
            _("the sign of the result is wrong"): -terms.sum(1),
            _("the -1 (one for every dimension) is missing"): (terms + 0.5).sum(1),
            _("the -1 is there once instead of once per dimension"): [
                (terms + 0.5).sum(1) - 0.5,
                (terms + 0.5).sum(1) - 1,
            ],
            _("the mean is not squared"): (terms + 0.5 * (m - m**2)).sum(1),
            _("the squared mean is missing"): (terms - 0.5 * m**2).sum(1),
            _("the variance is missing"): (terms - 0.5 * v.exp()).sum(1),
            _("the logarithm of the variance is missing"): (terms + 0.5 * v).sum(1),
            _("the logarithm of the variance has the wrong sign"): (terms + v).sum(1),
            _("the standard deviation stands in the place of the variance"): [
                (terms + 0.5 * ((0.5 * v).exp() - v.exp())).sum(1),
                (terms + 0.5 * ((0.5 * v).exp() - v.exp() + 0.5 * v)).sum(1),
            ],
            _("the logarithm of the standard deviation stands in the place of that of the variance"): (
                terms + 0.25 * v
            ).sum(1),
            _("the variance is squared, but it is a square already"): [
                (terms + 0.5 * ((2 * v).exp() - v.exp())).sum(1),
                (terms + 0.5 * ((2 * v).exp() - v.exp() - v)).sum(1),
            ],
            _("the two distributions have changed places: the divergence is not symmetric"): (
                0.5 * ((1 + m**2) / v.exp() - 1 + v)
            ).sum(1),
            _("the values are averaged over the dimensions instead of summed"): terms.mean(1),
            _("the sum runs over the batch"): [terms.sum(0), terms.mean(0), terms.sum(), terms.sum() / len(terms)],
        },
    )


@points("vae.DiagonalGaussianDistribution.kl", 0.2)
def test_gaussian_kl_standard(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.kl: a batch of one, and zero for the standard normal distribution"""
    bench, kind = student.copy_of(GAUSSIANS), distribution_class(student)
    mean = draw.normal(1, 6)
    right = (0.5 * mean.double() ** 2).sum(1)
    expect(bench.kl(kind, mean), _("the divergence for variances of 1")).close_to(
        right, "(batch,)", atol=1e-4, mistakes={_("the factor 1/2 is missing"): 2 * right}
    )
    expect(bench.kl(kind, torch.zeros(3, 4), torch.zeros(3, 4)), _("the divergence of N(0, I) from itself")).close_to(
        torch.zeros(3), "(batch,)", atol=1e-4
    )


@points("vae.DiagonalGaussianDistribution.kl", 0.2)
def test_gaussian_kl_gradients(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.kl: gradients reach mean and logvar"""
    mean, logvar = draw.normal(3, 5), draw.uniform(-1.0, 1.0, 3, 5)
    arguments = distribution_class(student), mean, logvar
    _value, found = value_and_gradients(student.copy_of(GAUSSIANS).kl, *arguments, wrt=(1, 2))
    _expect_gradients(found, {"mean": mean.double(), "logvar": 0.5 * (logvar.double().exp() - 1)})


# --- nll --------------------------------------------------------------------------------------------------------------


@public
@points("vae.DiagonalGaussianDistribution.nll", 0.35)
def test_gaussian_nll_vectors(student: Student, reference: Reference, draw: Draw) -> None:
    """DiagonalGaussianDistribution.nll: vectors, summed over their dimension (dims=[1])"""
    arguments = draw.normal(4, 7), draw.uniform(-1.5, 1.5, 4, 7), draw.normal(4, 7, std=1.5)
    _expect_nll(student, reference, arguments, [1])


@public
@points("vae.DiagonalGaussianDistribution.nll", 0.3)
def test_gaussian_nll_images(student: Student, reference: Reference, draw: Draw) -> None:
    """DiagonalGaussianDistribution.nll: images, with the default dims"""
    shape = (3, 2, 4, 5)
    arguments = draw.normal(*shape), draw.uniform(-1.5, 1.5, *shape), draw.normal(*shape, std=1.5)
    _expect_nll(student, reference, arguments)


@points("vae.DiagonalGaussianDistribution.nll", 0.1)
def test_gaussian_nll_dims(student: Student, reference: Reference, draw: Draw) -> None:
    """DiagonalGaussianDistribution.nll: the sum runs over dims, and no other dimension"""
    shape = (3, 2, 4, 5)
    mean, logvar, sample = draw.normal(*shape), draw.uniform(-1.5, 1.5, *shape), draw.normal(*shape)
    kind = distribution_class(student)
    right = reference.vae.DiagonalGaussianDistribution(mean, logvar)
    result = student.copy_of(GAUSSIANS).nll(kind, mean, logvar, sample, [2, 3])
    found = result if isinstance(result, torch.Tensor) else None
    if found is not None and found.shape == (3,):
        fail(
            _("a sum over the dimensions that dims names, here [2, 3] of four."),
            _("a sum over others."),
            _("it looks as if dims is ignored."),
        )
    expect(result, _("the negative log-density for dims=[2, 3]")).close_to(
        right.nll(sample.double(), [2, 3]),
        "(batch, channels)",
        atol=1e-4,
        mistakes=_nll_mistakes(mean.double(), logvar.double(), sample.double(), [2, 3]),
    )


@points("vae.DiagonalGaussianDistribution.nll", 0.25)
def test_gaussian_nll_gradients(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.nll: gradients reach mean, logvar and the sample"""
    mean, logvar, sample = draw.normal(3, 5), draw.uniform(-1.0, 1.0, 3, 5), draw.normal(3, 5)
    arguments = distribution_class(student), mean, logvar, sample, [1]
    _value, found = value_and_gradients(student.copy_of(GAUSSIANS).nll, *arguments, wrt=(1, 2, 3))
    distance, variance = sample.double() - mean.double(), logvar.double().exp()
    slope = distance / variance
    right = {"mean": -slope, "logvar": 0.5 * (1 - distance * slope), _("the sample"): slope}
    _expect_gradients(found, right)


def _expect_nll(student: Student, reference: Reference, arguments: tuple[torch.Tensor, ...], *dims: list[int]) -> None:
    mean, logvar, sample = (item.double() for item in arguments)
    result = student.copy_of(GAUSSIANS).nll(distribution_class(student), *arguments, *dims)
    expect(result, _("the negative log-density")).close_to(
        reference.vae.DiagonalGaussianDistribution(mean, logvar).nll(sample, *dims),
        "(batch,)",
        atol=1e-4,
        mistakes=_nll_mistakes(mean, logvar, sample, list(range(1, mean.dim()))),
    )


def _nll_mistakes(mean: torch.Tensor, logvar: torch.Tensor, sample: torch.Tensor, dims: list[int]) -> dict[str, Any]:
    square, variance = (sample - mean) ** 2, logvar.exp()
    terms = 0.5 * (LOG_2PI + logvar + square / variance)
    count = math.prod(mean.shape[dim] for dim in dims)
    right = terms.sum(dims)
    return {
        _("the constant with 2 pi is missing"): right - 0.5 * LOG_2PI * count,
        _("the constant with 2 pi is there once instead of once per dimension"): [
            right - 0.5 * LOG_2PI * (count - 1),
            right - 0.5 * LOG_2PI * (count - 2),
        ],
        _("the factor 1/2 is missing"): 2 * right,
        _("the factor 1/2 is missing in front of log 2 pi"): right + 0.5 * LOG_2PI * count,
        _("the constant with 2 pi has the wrong sign"): right - LOG_2PI * count,
        _("the factor 1/2 is missing in front of the squared distance"): (terms + 0.5 * square / variance).sum(dims),
        _("the factor 1/2 is missing in front of logvar"): (terms + 0.5 * logvar).sum(dims),
        _("the term with logvar is missing"): (terms - 0.5 * logvar).sum(dims),
        _("the terms with logvar and with 2 pi are missing"): (0.5 * square / variance).sum(dims),
        _("the squared distance is not divided by the variance"): (0.5 * (LOG_2PI + logvar + square)).sum(dims),
        _("only half of the squared distance is there, the variance is taken for 1"): (0.5 * square).sum(dims),
        _("the distance is divided by the standard deviation instead of the variance"): (
            terms + 0.5 * square * ((-0.5 * logvar).exp() - 1 / variance)
        ).sum(dims),
        _("the squared distance is multiplied by the variance"): (terms + 0.5 * square * (variance - 1 / variance)).sum(
            dims
        ),
        _("the squared distance is divided by the variance twice"): (
            terms + 0.5 * square * ((-2 * logvar).exp() - 1 / variance)
        ).sum(dims),
        _("logvar has the wrong sign"): (terms - logvar).sum(dims),
        _("the logarithm is missing: the variance itself is added"): (terms + 0.5 * (variance - logvar)).sum(dims),
        _("the sign of the result is wrong: nll is minus the log-density"): -right,
        _("the values are averaged over the dimensions instead of summed"): terms.mean(dims),
        _("the sum runs over the batch"): [terms.sum(), right.sum(), right.mean()],
    }


# --- mode -------------------------------------------------------------------------------------------------------------


@public
@points("vae.DiagonalGaussianDistribution.mode")
def test_gaussian_mode(student: Student, draw: Draw) -> None:
    """DiagonalGaussianDistribution.mode: the most probable value"""
    for shape in ((5, 6), (3, 2, 4, 4)):
        mean, logvar = draw.normal(*shape), draw.uniform(-1.0, 1.0, *shape)
        std = (0.5 * logvar).exp()
        found = student.copy_of(GAUSSIANS).mode(distribution_class(student), mean, logvar)
        noise = _noise_of(found, mean, std)
        expect(found, _("the mode")).close_to(
            mean,
            _("that of the mean"),
            mistakes={
                _("the standard deviation is added"): mean + std,
                _("the standard deviation is returned"): std,
                _("the log-variance is returned"): logvar,
                _("the variance is returned"): logvar.exp(),
                _("the height of the density is returned instead of its place"): (-0.5 * LOG_2PI - 0.5 * logvar).exp(),
                _("the mean over the dimensions or over the batch is taken; the distribution's own mean is meant"): [
                    mean.mean(),
                    mean.mean(0),
                    mean.flatten(1).mean(1),
                ],
                _("a sample is returned, with noise"): noise,
            },
        )


def _noise_of(found: Any, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """What was found, where it is the mean with noise of this standard deviation; else NaN, which is like nothing."""
    if not (isinstance(found, torch.Tensor) and found.shape == mean.shape and found.is_floating_point()):
        return torch.tensor(torch.nan)
    noise = (found.detach().double() - mean) / std
    near = abs(float(noise.std()) - 1) < 0.4 and abs(float(noise.mean())) < 0.6
    distinct = float((noise - noise.flatten()[0]).abs().max()) > 1e-3
    return found.detach().double() if near and distinct else torch.tensor(torch.nan)
