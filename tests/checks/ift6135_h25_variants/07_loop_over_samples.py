"""file: q1_vae.py
kl_mc draws sample by sample and calls log_likelihood_normal; extra optional parameters; a chain of logaddexp.
"""

import functools
import math

import torch

torch.manual_seed(42)


def log_likelihood_bernoulli(mu, target, eps=1e-7, flatten=True):
    if flatten:
        mu, target = mu.flatten(1), target.flatten(1)
    mu = torch.clamp(mu, min=eps, max=1.0 - eps)
    log_odds = torch.logit(mu)
    # log p(x) = x * logit(mu) + log(1 - mu)
    return torch.sum(target * log_odds + torch.log(1.0 - mu), dim=1)


def log_likelihood_normal(mu, logvar, z, include_constant=True):
    result = -0.5 * (logvar + (z - mu).pow(2) * (-logvar).exp()).flatten(1).sum(1)
    if include_constant:
        result = result - 0.5 * mu[0].numel() * math.log(2 * math.pi)
    return result


def log_mean_exp(y, dim=1):
    columns = torch.unbind(y, dim=dim)
    return functools.reduce(torch.logaddexp, columns) - math.log(len(columns))


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p, reduce=True):
    ratio = logvar_q - logvar_p
    kl = 0.5 * (torch.expm1(ratio) - ratio + (mu_q - mu_p) ** 2 / logvar_p.exp()).flatten(1)
    return kl.sum(1) if reduce else kl


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1, generator=None):
    q = torch.distributions.Normal(mu_q, torch.exp(logvar_q / 2))
    estimates = []
    for _ in range(num_samples):
        z = q.rsample()
        estimates.append(log_likelihood_normal(mu_q, logvar_q, z) - log_likelihood_normal(mu_p, logvar_p, z))
    return torch.stack(estimates, dim=1).mean(dim=1)
