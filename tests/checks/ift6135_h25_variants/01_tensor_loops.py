"""file: q1_vae.py
Python loops over images and pixels, one scalar tensor at a time, stacked at the end; a maximum found by hand.
"""

import math

import torch

torch.manual_seed(42)


def log_likelihood_bernoulli(mu, target):
    batch_size = mu.size(0)
    mu = mu.view(batch_size, -1)
    target = target.view(batch_size, -1)
    values = []
    for i in range(batch_size):
        total = torch.zeros((), dtype=mu.dtype)
        for d in range(mu.size(1)):
            p, x = mu[i, d], target[i, d]
            total = total + x * torch.log(p) + (1 - x) * torch.log(1 - p)
        values.append(total)
    return torch.stack(values)


def log_likelihood_normal(mu, logvar, z):
    batch_size = mu.size(0)
    mu, logvar, z = mu.view(batch_size, -1), logvar.view(batch_size, -1), z.view(batch_size, -1)
    values = []
    for i in range(batch_size):
        total = 0.0
        for d in range(mu.size(1)):
            distance = (z[i, d] - mu[i, d]) ** 2 / torch.exp(logvar[i, d])
            total = total - 0.5 * math.log(2 * math.pi) - 0.5 * logvar[i, d] - 0.5 * distance
        values.append(total)
    return torch.stack(values)


def log_mean_exp(y):
    values = []
    for row in y:
        largest = row[0]
        for entry in row[1:]:
            if entry > largest:
                largest = entry
        total = 0.0
        for entry in row:
            total = total + torch.exp(entry - largest)
        values.append(torch.log(total / len(row)) + largest)
    return torch.stack(values)


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    batch_size = mu_q.size(0)
    mu_q, logvar_q = mu_q.view(batch_size, -1), logvar_q.view(batch_size, -1)
    mu_p, logvar_p = mu_p.view(batch_size, -1), logvar_p.view(batch_size, -1)
    values = []
    for i in range(batch_size):
        total = 0.0
        for d in range(mu_q.size(1)):
            sigma_q, sigma_p = torch.exp(0.5 * logvar_q[i, d]), torch.exp(0.5 * logvar_p[i, d])
            total = total + torch.log(sigma_p / sigma_q) - 0.5
            total = total + (sigma_q**2 + (mu_q[i, d] - mu_p[i, d]) ** 2) / (2 * sigma_p**2)
        values.append(total)
    return torch.stack(values)


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    values = []
    for mq, lq, mp, lp in zip(mu_q, logvar_q, mu_p, logvar_p, strict=True):
        mq, lq, mp, lp = mq.flatten(), lq.flatten(), mp.flatten(), lp.flatten()
        noise = torch.randn(num_samples, mq.numel(), dtype=mq.dtype)
        z = mq + torch.exp(lq / 2) * noise
        log_q = -0.5 * torch.sum(math.log(2 * math.pi) + lq + (z - mq) ** 2 / torch.exp(lq), dim=-1)
        log_p = -0.5 * torch.sum(math.log(2 * math.pi) + lp + (z - mp) ** 2 / torch.exp(lp), dim=-1)
        values.append(torch.mean(log_q - log_p))
    return torch.stack(values)
