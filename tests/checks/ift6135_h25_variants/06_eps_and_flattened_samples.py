"""file: q1_vae.py
1e-6 inside the logarithms; kl_mc flattens images and samples to (B * K, D) and calls log_likelihood_normal.
"""

import math

import numpy as np
import torch

torch.manual_seed(42)


def log_likelihood_bernoulli(mu, target):
    eps = 1e-6
    batch_size = mu.size(0)
    mu = mu.view(batch_size, -1)
    target = target.view(batch_size, -1)
    return torch.sum(target * torch.log(mu + eps) + (1 - target) * torch.log(1 - mu + eps), dim=1)


def log_likelihood_normal(mu, logvar, z):
    batch_size = mu.size(0)
    mu = mu.view(batch_size, -1)
    logvar = logvar.view(batch_size, -1)
    z = z.view(batch_size, -1)
    constant = 0.5 * mu.size(1) * np.log(2 * np.pi)
    return -constant - torch.sum(logvar, 1) / 2 - torch.sum((z - mu) ** 2 / (torch.exp(logvar) + 1e-9), 1) / 2


def log_mean_exp(y):
    batch_size, sample_size = y.size(0), y.size(1)
    a = torch.max(y, dim=1)[0].view(batch_size, 1).repeat(1, sample_size)
    return torch.log(torch.sum(torch.exp(y - a), dim=1) / sample_size) + a[:, 0]


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    batch_size = mu_q.size(0)
    mu_q, logvar_q = mu_q.view(batch_size, -1), logvar_q.view(batch_size, -1)
    mu_p, logvar_p = mu_p.view(batch_size, -1), logvar_p.view(batch_size, -1)
    # minus the entropy of q, plus the cross-entropy of q and p
    negative_entropy = -0.5 * torch.sum(math.log(2 * math.pi * math.e) + logvar_q, dim=1)
    expected_distance = (torch.exp(logvar_q) + (mu_q - mu_p) ** 2) / torch.exp(logvar_p)
    cross_entropy = 0.5 * torch.sum(math.log(2 * math.pi) + logvar_p + expected_distance, dim=1)
    return negative_entropy + cross_entropy


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    batch_size = mu_q.size(0)
    input_size = np.prod(mu_q.size()[1:])
    mu_q = mu_q.view(batch_size, -1).unsqueeze(1).expand(batch_size, num_samples, input_size)
    logvar_q = logvar_q.view(batch_size, -1).unsqueeze(1).expand(batch_size, num_samples, input_size)
    mu_p = mu_p.view(batch_size, -1).unsqueeze(1).expand(batch_size, num_samples, input_size)
    logvar_p = logvar_p.view(batch_size, -1).unsqueeze(1).expand(batch_size, num_samples, input_size)

    rows = (batch_size * num_samples, input_size)
    mu_q, logvar_q, mu_p, logvar_p = (a.reshape(*rows) for a in (mu_q, logvar_q, mu_p, logvar_p))
    z = mu_q + torch.exp(0.5 * logvar_q) * torch.randn(*rows)
    log_ratio = log_likelihood_normal(mu_q, logvar_q, z) - log_likelihood_normal(mu_p, logvar_p, z)
    return log_ratio.reshape(batch_size, num_samples).mean(dim=1)
