"""file: q1_vae.py
Everything comes from torch.distributions: Bernoulli (without validation, for grey levels), Normal, kl_divergence.
"""

import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

torch.manual_seed(42)


def _normal(mu, logvar):
    return Normal(mu, torch.exp(0.5 * logvar))


def log_likelihood_bernoulli(mu, target):
    batch_size = mu.size(0)
    mu = mu.reshape(batch_size, -1)
    target = target.reshape(batch_size, -1)
    return Bernoulli(probs=mu, validate_args=False).log_prob(target).sum(dim=1)


def log_likelihood_normal(mu, logvar, z):
    batch_size = mu.size(0)
    log_density = _normal(mu.reshape(batch_size, -1), logvar.reshape(batch_size, -1)).log_prob(
        z.reshape(batch_size, -1)
    )
    return log_density.sum(dim=-1)


def log_mean_exp(y):
    return torch.logsumexp(y, dim=1) - torch.log(torch.tensor(float(y.size(1)), dtype=y.dtype))


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    batch_size = mu_q.size(0)
    return kl_divergence(_normal(mu_q, logvar_q), _normal(mu_p, logvar_p)).reshape(batch_size, -1).sum(1)


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    q, p = _normal(mu_q, logvar_q), _normal(mu_p, logvar_p)
    z = q.rsample((num_samples,))  # the samples come first: (K, B, ...)
    difference = q.log_prob(z) - p.log_prob(z)
    return difference.reshape(num_samples, mu_q.size(0), -1).sum(dim=2).mean(dim=0)
