"""The eight coefficients of the DDPM, tensors at the level of the module.

One that is computed from another one of the submission's own is right if it follows from that one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from autograder.checks.svhn.ddpm_schedule import (
    ATOL,
    RTOL,
    Coefficients,
    following,
    number_of_steps,
    own_coefficients,
    right_coefficients,
    tolerance,
    within_tolerance,
)
from autograder.grading import expect, fail, fetch, points, public
from autograder.grading.expectation import Mistakes
from autograder.grading.reference import Reference
from autograder.language import _
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Student
from autograder.sandbox.wire import Opaque


def _expect_coefficient(
    student: Student, reference: Reference, name: str, mistakes: Callable[[Coefficients], Mistakes]
) -> None:
    module = student.ddpm
    what = _("{name} is a tensor with one value for each of the T times.").format(name=name)
    try:
        value = fetch(getattr(module, name))
    except SubmissionRaised:
        got = _("there is no {name} at the level of the module.").format(name=name)
        fail(what, got, _("keep the names of the eight coefficients, outside of functions and classes."))
    if value is None or (isinstance(value, Opaque) and value.type == "ellipsis"):
        fail(what, _("{name} is not implemented yet.").format(name=name))
    right = right_coefficients(reference, number_of_steps(student, reference))
    own = own_coefficients(student)
    expected = getattr(right, name)
    by_itself = name in own and within_tolerance(own[name], expected, name)
    if (
        not by_itself
        and name in own
        and any(within_tolerance(own[name], other, name) for other in following(name, own))
    ):
        return
    whole = name in own and own[name].shape == expected.shape  # else there is no tolerance for each entry
    rtol, atol = tolerance(name, expected) if whole else (RTOL, ATOL)
    shape = _("(T,), where T = {steps}").format(steps=len(expected))
    expect(value, name).close_to(expected, shape, rtol=rtol, atol=atol, mistakes=mistakes(right))


def _off_by_one(values: torch.Tensor) -> list[torch.Tensor]:
    """The values of the times before and after."""
    return [torch.cat([values[:1], values[:-1]]), torch.cat([values[1:], values[-1:]]), values.roll(1), values.roll(-1)]


@public
@points("ddpm.betas")
def test_ddpm_betas(student: Student, reference: Reference) -> None:
    """betas: variances that grow linearly from beta_start to beta_end"""

    def mistakes(right: Coefficients) -> Mistakes:
        steps, start, end = len(right.betas), float(right.betas[0]), float(right.betas[-1])
        ramp = torch.arange(steps, dtype=torch.float64)
        return {
            _("beta_start and beta_end have changed places"): right.betas.flip(0),
            _("these are the alphas"): right.alphas,
            _("the last value stops short of beta_end"): start + (end - start) * ramp / steps,
            _("beta_start is left out"): start + (end - start) * (ramp + 1) / steps,
            _("the square roots grow linearly instead of the variances"): (
                start**0.5 + (end**0.5 - start**0.5) * ramp / (steps - 1)
            )
            ** 2,
            _("the square root is taken"): right.betas.sqrt(),
            _("the logarithms grow linearly instead of the variances"): start * (end / start) ** (ramp / (steps - 1)),
            _("there is one value too many"): torch.linspace(start, end, steps + 1, dtype=torch.float64),
            _("all values are equal"): [torch.full_like(right.betas, level) for level in (start, end)],
        }

    _expect_coefficient(student, reference, "betas", mistakes)


@public
@points("ddpm.alphas")
def test_ddpm_alphas(student: Student, reference: Reference) -> None:
    """alphas: what each step leaves of the variance"""
    _expect_coefficient(
        student,
        reference,
        "alphas",
        lambda right: {
            _("these are the betas"): right.betas,
            _("beta_t is added instead of subtracted"): 1 + right.betas,
            _("these are products of the alphas"): right.alphas_cumprod,
            _("the square root is taken"): [right.alphas.sqrt(), 1 - right.betas.sqrt()],
            _("the reciprocal is taken"): 1 / right.alphas,
            _("the time is off by one"): _off_by_one(right.alphas),
            _("the sign is wrong"): -right.alphas,
        },
    )


@public
@points("ddpm.sqrt_recip_alphas")
def test_ddpm_sqrt_recip_alphas(student: Student, reference: Reference) -> None:
    """sqrt_recip_alphas: the square root of 1 / alpha_t"""
    _expect_coefficient(
        student,
        reference,
        "sqrt_recip_alphas",
        lambda right: {
            _("the square root is missing"): 1 / right.alphas,
            _("the reciprocal is missing"): right.alphas.sqrt(),
            _("alpha_bar_t stands where alpha_t belongs"): [
                (1 / right.alphas_cumprod).sqrt(),
                1 / right.alphas_cumprod,
                right.sqrt_alphas_cumprod,
            ],
            _("beta_t stands where alpha_t belongs"): [(1 / right.betas).sqrt(), 1 / right.betas],
            _("the square is taken instead of the square root"): 1 / right.alphas**2,
            _("these are the alphas"): right.alphas,
            _("the time is off by one"): _off_by_one(right.sqrt_recip_alphas),
        },
    )


@public
@points("ddpm.alphas_cumprod")
def test_ddpm_alphas_cumprod(student: Student, reference: Reference) -> None:
    """alphas_cumprod: alpha_bar_t, the product of the alphas up to t"""
    _expect_coefficient(
        student,
        reference,
        "alphas_cumprod",
        lambda right: {
            _("the alphas are summed instead of multiplied"): right.alphas.cumsum(0),
            _("these are the alphas, not their products"): right.alphas,
            _("the betas are multiplied instead of the alphas"): [right.betas.cumprod(0), 1 - right.betas.cumprod(0)],
            _("alpha_t itself is missing from the product"): right.alphas_cumprod_prev,
            _("the square root is taken"): right.sqrt_alphas_cumprod,
            _("the product runs from the last time to the first"): [
                right.alphas.flip(0).cumprod(0),
                right.alphas.flip(0).cumprod(0).flip(0),
            ],
            _("it is the product of all alphas, one number"): [
                right.alphas_cumprod[-1],
                right.alphas_cumprod[-1].expand_as(right.alphas),
            ],
            _("alpha_t is raised to the power t"): [
                right.alphas ** (torch.arange(len(right.alphas)) + first) for first in (0, 1)
            ],
            _("it is 1 - alpha_bar_t"): 1 - right.alphas_cumprod,
            _("the time is off by one"): _off_by_one(right.alphas_cumprod),
        },
    )


@public
@points("ddpm.sqrt_alphas_cumprod")
def test_ddpm_sqrt_alphas_cumprod(student: Student, reference: Reference) -> None:
    """sqrt_alphas_cumprod: the square root of alpha_bar_t"""
    _expect_coefficient(
        student,
        reference,
        "sqrt_alphas_cumprod",
        lambda right: {
            _("the square root is missing"): right.alphas_cumprod,
            _("alpha_t stands where alpha_bar_t belongs"): [right.alphas.sqrt(), right.alphas],
            _("it is the square root of 1 - alpha_bar_t"): right.sqrt_one_minus_alphas_cumprod,
            _("the square is taken instead of the square root"): right.alphas_cumprod**2,
            _("the square root is taken twice"): right.alphas_cumprod**0.25,
            _("the reciprocal is taken"): 1 / right.sqrt_alphas_cumprod,
            _("the roots are summed"): right.alphas.sqrt().cumsum(0),
            _("the time is off by one"): [right.alphas_cumprod_prev.sqrt(), *_off_by_one(right.sqrt_alphas_cumprod)],
        },
    )


@public
@points("ddpm.sqrt_one_minus_alphas_cumprod")
def test_ddpm_sqrt_one_minus_alphas_cumprod(student: Student, reference: Reference) -> None:
    """sqrt_one_minus_alphas_cumprod: the square root of 1 - alpha_bar_t"""
    _expect_coefficient(
        student,
        reference,
        "sqrt_one_minus_alphas_cumprod",
        lambda right: {
            _("the square root is missing"): 1 - right.alphas_cumprod,
            _("the square root is taken before the subtraction"): [
                1 - right.sqrt_alphas_cumprod,
                (1 - right.sqrt_alphas_cumprod).sqrt(),
            ],
            _("it is the square root of alpha_bar_t"): right.sqrt_alphas_cumprod,
            _("alpha_t stands where alpha_bar_t belongs"): [right.betas.sqrt(), right.betas],
            _("1 is added instead of subtracted from"): (1 + right.alphas_cumprod).sqrt(),
            _("the product of 1 - alpha_t is taken"): [right.betas.cumprod(0).sqrt()],
            _("the time is off by one"): [
                (1 - right.alphas_cumprod_prev).sqrt(),
                *_off_by_one(right.sqrt_one_minus_alphas_cumprod),
            ],
        },
    )


@public
@points("ddpm.alphas_cumprod_prev")
def test_ddpm_alphas_cumprod_prev(student: Student, reference: Reference) -> None:
    """alphas_cumprod_prev: alpha_bar of the time before, 1 at the first time"""

    def mistakes(right: Coefficients) -> Mistakes:
        bar = right.alphas_cumprod
        one = torch.ones(1, dtype=torch.float64)
        return {
            _("it is alpha_bar_t itself, not that of the time before"): bar,
            _("it is alpha_bar of the time after"): [
                torch.cat([bar[1:], one]),
                torch.cat([bar[1:], 0 * one]),
                torch.cat([bar[1:], bar[-1:]]),
                bar.roll(-1),
            ],
            _("the first value is 0; it has to be 1, the value of an image without noise"): torch.cat(
                [0 * one, bar[:-1]]
            ),
            _("the first value is the last alpha_bar; it has to be 1"): bar.roll(1),
            _("the first value is the first alpha_bar; it has to be 1"): torch.cat([bar[:1], bar[:-1]]),
            _("the first value is missing"): bar[:-1],
            _("the last value is not cut off"): torch.cat([one, bar]),
            _("alpha_t stands where alpha_bar_t belongs"): torch.cat([one, right.alphas[:-1]]),
            _("the square root is taken"): torch.cat([one, bar[:-1].sqrt()]),
        }

    _expect_coefficient(student, reference, "alphas_cumprod_prev", mistakes)


@public
@points("ddpm.posterior_variance")
def test_ddpm_posterior_variance(student: Student, reference: Reference) -> None:
    """posterior_variance: beta-tilde_t, the variance of x_{t-1} given x_t and x_0"""

    def mistakes(right: Coefficients) -> Mistakes:
        beta, bar, before = right.betas, right.alphas_cumprod, right.alphas_cumprod_prev
        ratio = (1 - before) / (1 - bar)
        return {
            _("the square root is taken"): right.posterior_variance.sqrt(),
            _("these are the betas"): beta,
            _("the factor beta_t is missing"): ratio,
            _("alpha_t stands where beta_t belongs"): [right.alphas * ratio, right.alphas.sqrt() * ratio],
            _("the fraction has alpha_bar where 1 - alpha_bar belongs"): [beta * before / bar, beta * bar / before],
            _("the roots of 1 - alpha_bar are divided"): beta * ratio.sqrt(),
            _("the square of beta_t is taken"): beta**2 * ratio,
            _("alpha_t stands where alpha_bar_t belongs"): torch.cat([0 * beta[:1], beta[:-1]]),
            _("1 - alpha_bar_t is not divided by"): beta * (1 - before),
            _("it is the variance of x_t given x_0"): 1 - bar,
            _("the time is off by one"): _off_by_one(right.posterior_variance),
        }

    _expect_coefficient(student, reference, "posterior_variance", mistakes)
