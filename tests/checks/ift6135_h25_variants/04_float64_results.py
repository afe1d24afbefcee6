"""file: q1_vae.py
Computes in float64 and returns float64; the mean of exponentials as logsumexp - log K.
"""

import math

import torch

torch.manual_seed(42)


def flat64(tensor):
    return tensor.double().reshape(tensor.shape[0], -1)


def log_likelihood_bernoulli(mu, target):
    mu, target = flat64(mu).clamp(1e-12, 1 - 1e-12), flat64(target)
    return torch.xlogy(target, mu).add(torch.xlogy(1 - target, 1 - mu)).sum(1)


def log_likelihood_normal(mu, logvar, z):
    mu, logvar, z = flat64(mu), flat64(logvar), flat64(z)
    sigma = logvar.mul(0.5).exp()
    return (-(((z - mu) / sigma) ** 2) / 2 - sigma.log() - math.log(math.sqrt(2 * math.pi))).sum(1)


def log_mean_exp(y):
    return torch.logsumexp(y.double(), 1) - math.log(y.size(1))


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    mu_q, logvar_q, mu_p, logvar_p = map(flat64, (mu_q, logvar_q, mu_p, logvar_p))
    kl = logvar_p - logvar_q - 1 + (logvar_q - logvar_p).exp() + (mu_q - mu_p).square() * (-logvar_p).exp()
    return 0.5 * kl.sum(1)


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    mu_q, logvar_q, mu_p, logvar_p = (flat64(a).unsqueeze(1) for a in (mu_q, logvar_q, mu_p, logvar_p))
    z = mu_q + (logvar_q / 2).exp() * torch.randn(len(mu_q), num_samples, mu_q.size(2), dtype=torch.float64)
    log_ratio = (logvar_p - logvar_q) + (z - mu_p) ** 2 / logvar_p.exp() - (z - mu_q) ** 2 / logvar_q.exp()
    return log_ratio.sum(-1).mean(-1) / 2
