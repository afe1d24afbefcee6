"""file: q1_vae.py
Every sum over features is an einsum with the inverse variances; log(1 - mu) by log1p; no preamble variables.
"""

import math

import numpy as np
import torch

torch.manual_seed(42)
LOG_2PI = float(np.log(2 * np.pi))


def log_likelihood_bernoulli(mu, target):
    mu = mu.flatten(start_dim=1)
    target = target.flatten(start_dim=1).to(mu.dtype)
    ones = torch.einsum("bd,bd->b", target, mu.log())
    zeros = torch.einsum("bd,bd->b", 1 - target, torch.log1p(-mu))
    return ones + zeros


def log_likelihood_normal(mu, logvar, z):
    difference = (z - mu).flatten(start_dim=1)
    logvar = logvar.flatten(start_dim=1)
    squared = torch.einsum("bd,bd,bd->b", difference, difference, torch.exp(-logvar))
    return -0.5 * (squared + torch.einsum("bd->b", logvar) + logvar.size(1) * LOG_2PI)


def log_mean_exp(y):
    sample_size = y.size(1)
    weights = torch.full((sample_size,), 1 / sample_size, dtype=y.dtype, device=y.device)
    top, _ = torch.max(y, dim=1, keepdim=True)
    return torch.einsum("bk,k->b", torch.exp(y - top), weights).log() + top.squeeze(1)


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    mu_q, logvar_q, mu_p, logvar_p = (a.flatten(start_dim=1) for a in (mu_q, logvar_q, mu_p, logvar_p))
    precision = torch.exp(-logvar_p)
    trace = torch.exp(logvar_q - logvar_p).sum(-1)
    distance = torch.einsum("bd,bd,bd->b", mu_p - mu_q, precision, mu_p - mu_q)
    log_determinants = logvar_p.sum(-1) - logvar_q.sum(-1)
    return (trace + distance - mu_q.shape[1] + log_determinants) / 2


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    batch_size = mu_q.size(0)
    input_size = math.prod(mu_q.shape[1:])
    shape = (batch_size, num_samples, input_size)
    mu_q = mu_q.view(batch_size, -1).unsqueeze(1).expand(*shape)
    logvar_q = logvar_q.view(batch_size, -1).unsqueeze(1).expand(*shape)
    mu_p = mu_p.view(batch_size, -1).unsqueeze(1).expand(*shape)
    logvar_p = logvar_p.view(batch_size, -1).unsqueeze(1).expand(*shape)

    noise = torch.randn(shape, dtype=mu_q.dtype, device=mu_q.device)
    z = torch.addcmul(mu_q, torch.exp(0.5 * logvar_q), noise)
    # (z - mu_q)^2 / var_q is noise^2
    log_q = -0.5 * (torch.einsum("bkd,bkd->bk", noise, noise) + logvar_q.sum(-1))
    log_p = -0.5 * (torch.einsum("bkd,bkd->bk", (z - mu_p) ** 2, torch.exp(-logvar_p)) + logvar_p.sum(-1))
    return torch.einsum("bk->b", log_q - log_p) / num_samples
