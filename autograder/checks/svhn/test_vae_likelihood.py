"""The VAE's importance-sampled log-likelihood.

Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders". Two models are asked whose log p(x) is known:
one whose q(z|x) is the exact posterior, so that every importance weight is p(x), and one whose p(x|z) does not depend
on z, so that it is p(x), with a q(z|x) that is not the prior: there the estimate of p(x) is unbiased, and its variance
falls as 1 / K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.checks.svhn.vae_networks import IMAGE, METHODS, AffineVae
from autograder.grading import expect, fail, points, public
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.proxy import Student

DIM = 5
ROUNDING = 0.05  # of sums over 3072 pixels in float32, in nats
ROWS, SAMPLES = 96, 16

Weights = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class _Estimate:
    """One call of `log_likelihood`, and the latents that it decoded."""

    def __init__(self, networks: AffineVae, reference: Reference, x: torch.Tensor, samples: int | None) -> None:
        self.networks, self.reference, self.x = networks, reference, x
        self.samples = samples or 100
        value = networks.vae.log_likelihood(x) if samples is None else networks.vae.log_likelihood(x, samples)
        self.found = expect(value, _("the log-likelihood")).tensor((len(x),), "(batch,)")
        self.mean, self.logvar = networks.posterior(x)
        self.orders = _in_order(networks.decoded(), self.samples, len(x), networks.z_dim)

    def exact(self) -> torch.Tensor:
        """log p(x) where q(z|x) is the exact posterior, by Bayes' rule at the mean; (B,)."""
        pixels, prior, posterior = self._weights(self.mean[None])
        return (pixels + prior - posterior)[0]

    def constant(self) -> torch.Tensor:
        """log p(x) where p(x|z) does not depend on z; (B,)."""
        return self._weights(self.mean[None])[0][0]

    def _weights(self, z: torch.Tensor) -> Weights:
        """log p(x|z), log p(z) and log q(z|x) of latents (K, B, z_dim); (K, B) each."""
        density = self.reference.vae.DiagonalGaussianDistribution
        pixels = torch.stack([-density(self.networks.picture(row)).nll(self.x.double()) for row in z])
        prior = -density(torch.zeros_like(z)).nll(z, [2])
        posterior = -density(self.mean.expand_as(z), self.logvar.expand_as(z)).nll(z, [2])
        return pixels, prior, posterior

    def mistakes(self) -> dict[str, Any]:
        """What each wrong formula makes of the latents that were decoded, or of where they came from."""
        return {
            _("the mean of q(z|x) is decoded instead of samples of it"): self._if(self._noise_is_nothing),
            _("the latents are drawn from the prior instead of the posterior q(z|x)"): self._if(self._from_prior),
            _("one latent is decoded K times; every k needs a sample of its own"): self._if(self._one_latent),
            **{text: self._lazily(formula) for text, formula in _wrong_formulas().items()},
        }

    def _lazily(self, formulas: list[Callable[[Weights], torch.Tensor]]) -> Callable[[], list[torch.Tensor]]:
        def values() -> list[torch.Tensor]:
            found = [formula(self._weights(z)) for z in self.orders for formula in formulas]
            return [value for value in found if value.shape == self.found.shape]

        return values

    def _if(self, condition: Callable[[torch.Tensor], bool]) -> torch.Tensor:
        return self.found if any(condition(z) for z in self.orders) else torch.tensor(torch.nan)

    def _noise_is_nothing(self, z: torch.Tensor) -> bool:
        return float((z - self.mean).abs().max()) < 1e-2

    def _from_prior(self, z: torch.Tensor) -> bool:
        if z.numel() < 500:
            return False
        spread = float(((z - self.mean) * (-0.5 * self.logvar).exp()).std())
        return abs(float(z.std()) - 1) < 0.1 and abs(float(z.mean())) < 0.15 and abs(spread - 1) > 0.1

    def _one_latent(self, z: torch.Tensor) -> bool:
        return len(z) > 1 and float((z[1:] - z[:1]).abs().max()) < 1e-4


def _in_order(calls: list[torch.Tensor], samples: int, batch: int, z_dim: int) -> list[torch.Tensor]:
    """The decoded latents as (K, B, z_dim): in both orders if all were decoded at once, none if they do not fit."""
    rows = [call.reshape(-1, z_dim) for call in calls if call.numel() % z_dim == 0]
    latents = torch.cat(rows) if rows else torch.zeros(0, z_dim)
    if len(latents) == batch < samples * batch:
        latents = latents.repeat(samples, 1)
    if len(latents) != samples * batch:
        return []
    one_by_one = latents.view(samples, batch, z_dim)
    return [one_by_one] if len(calls) == samples else [one_by_one, latents.view(batch, samples, z_dim).transpose(0, 1)]


def _log_mean(weights: torch.Tensor) -> torch.Tensor:
    return weights.logsumexp(0) - torch.tensor(float(len(weights))).log()


def _wrong_formulas() -> dict[str, list[Callable[[Weights], torch.Tensor]]]:
    """What the result looks like -> formulas of log p(x|z), log p(z), log q(z|x), (K, B) each."""

    def count(w: Weights) -> torch.Tensor:
        return torch.tensor(float(len(w[0]))).log()

    return {
        _("log K is not subtracted: the weights are summed instead of averaged"): [
            lambda w: (w[0] + w[1] - w[2]).logsumexp(0)
        ],
        _("log K is added instead of subtracted"): [lambda w: (w[0] + w[1] - w[2]).logsumexp(0) + count(w)],
        _("K itself is subtracted or divided by, instead of log K"): [
            lambda w: (w[0] + w[1] - w[2]).logsumexp(0) - len(w[0]),
            lambda w: (w[0] + w[1] - w[2]).logsumexp(0) / len(w[0]),
        ],
        _("the logarithms are averaged; the weights have to be averaged, and the logarithm comes last"): [
            lambda w: (w[0] + w[1] - w[2]).mean(0),
            lambda w: (w[0] + w[1] - w[2]).mean(0) - count(w),
        ],
        _("the logarithms of the weights are summed"): [
            lambda w: (w[0] + w[1] - w[2]).sum(0),
            lambda w: (w[0] + w[1] - w[2]).sum(0) - count(w),
        ],
        _("the largest weight alone is taken"): [
            lambda w: (w[0] + w[1] - w[2]).amax(0),
            lambda w: (w[0] + w[1] - w[2]).amax(0) - count(w),
        ],
        _("one of the K weights alone is taken"): [
            lambda w: (w[0] + w[1] - w[2])[-1],
            lambda w: (w[0] + w[1] - w[2])[0],
        ],
        _("the weights are averaged over k, but the result is the negative log-likelihood"): [
            lambda w: -_log_mean(w[0] + w[1] - w[2])
        ],
        _("all log-densities have the wrong sign: nll is minus the log-density"): [
            lambda w: _log_mean(-w[0] - w[1] + w[2])
        ],
        _("log p(x|z) has the wrong sign: nll is minus the log-density"): [lambda w: _log_mean(-w[0] + w[1] - w[2])],
        _("log p(z) has the wrong sign: nll is minus the log-density"): [lambda w: _log_mean(w[0] - w[1] - w[2])],
        _("log q(z|x) has the wrong sign: it is subtracted, and nll is minus the log-density"): [
            lambda w: _log_mean(w[0] + w[1] + w[2])
        ],
        _("log p(z) and log q(z|x) both have the wrong sign"): [lambda w: _log_mean(w[0] - w[1] + w[2])],
        _("log p(z) and log q(z|x) are missing: only log p(x|z) is there"): [lambda w: _log_mean(w[0])],
        _("log p(z) is missing"): [lambda w: _log_mean(w[0] - w[2])],
        _("log q(z|x) is missing"): [lambda w: _log_mean(w[0] + w[1])],
        _("log p(x|z) is missing"): [lambda w: _log_mean(w[1] - w[2])],
    }


@public
@points("vae.VAE.log_likelihood", 0.5)
def test_vae_log_likelihood_exact(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.log_likelihood: exact for any K where q(z|x) is the posterior itself"""
    networks = AffineVae(student, draw, DIM, exact=True)
    networks.put_right(reference, *METHODS, "encode", "decode")
    for samples in (5, 1, 50, None):
        z = draw.normal(3, DIM, std=1.5)
        x = networks.picture(z).float() + draw.normal(3, *IMAGE, std=0.5)
        x = (8 * x).round() / 8  # few different values, so that a record of them is small
        estimate = _Estimate(networks, reference, x, samples)
        what = _("the log-likelihood for K = {samples}").format(samples=estimate.samples)
        expect(estimate.found, what).close_to(
            estimate.exact(), "(batch,)", rtol=0.0, atol=ROUNDING, mistakes=estimate.mistakes()
        )


@points("vae.VAE.log_likelihood", 0.5)
def test_vae_log_likelihood_weights(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.log_likelihood: the mean of K weights where q(z|x) is not the posterior"""
    networks = AffineVae(student, draw, DIM, constant=True)
    networks.put_right(reference, *METHODS, "encode", "decode")
    estimate = _Estimate(networks, reference, draw.uniform(-1.0, 1.0, ROWS, *IMAGE), SAMPLES)
    ratio = (estimate.found - estimate.constant()).exp()
    spread = _variance_of_weights(estimate.mean, estimate.logvar).mean() / SAMPLES
    unbiased = abs(float(ratio.mean()) - 1) < SIGMAS * float((spread / ROWS).sqrt()) + ROUNDING
    narrow = float(((ratio - 1) ** 2).mean()) < 5 * float(spread)
    varied = float(ratio.std()) > 2 * ROUNDING
    if unbiased and narrow and varied:
        return
    expected = _(
        "log of the mean of K importance weights p(x|z) p(z) / q(z|x), each with a sample of q(z|x) of its own."
    )
    got = (
        _("an estimate with another mean.") if not unbiased else _("an estimate whose spread is not that of K weights.")
    )
    fail(expected, got, _named(estimate))


def _variance_of_weights(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """Variance of p(z) / q(z) under q = N(mean, exp(logvar)), p = N(0, I); finite for variances over 1/2; (B,)."""
    variance = logvar.exp()
    second = variance / (2 * variance - 1).sqrt() * (mean**2 / (2 * variance - 1)).exp()
    return second.prod(1) - 1


def _named(estimate: _Estimate) -> str:
    """The first mistake that gives these values, as a hint."""
    for text, made in estimate.mistakes().items():
        values = made() if callable(made) else [made]
        if any(value.dim() and torch.allclose(value, estimate.found, rtol=0.0, atol=ROUNDING) for value in values):
            return _("it looks as if {mistake}.").format(mistake=text)
    return ""
