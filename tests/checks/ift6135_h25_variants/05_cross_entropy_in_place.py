"""file: q1_vae.py
F.binary_cross_entropy and F.gaussian_nll_loss on clamped values, in-place operations on own temporaries.
"""

import torch
import torch.nn.functional as F

torch.manual_seed(42)

EPS = 1e-6


def log_likelihood_bernoulli(mu, target):
    batch_size = mu.size(0)
    mu = mu.reshape(batch_size, -1).clamp(EPS, 1 - EPS)
    target = target.reshape(batch_size, -1)
    ll = F.binary_cross_entropy(mu, target, reduction="none")
    return ll.sum(dim=1).neg_()


def log_likelihood_normal(mu, logvar, z):
    batch_size = mu.size(0)
    mu, logvar, z = mu.reshape(batch_size, -1), logvar.reshape(batch_size, -1), z.reshape(batch_size, -1)
    # `full` adds the constant with 2 pi, which is left out otherwise
    nll = F.gaussian_nll_loss(mu, z, logvar.exp(), full=True, eps=EPS, reduction="none")
    return -nll.sum(1)


def log_mean_exp(y):
    a = y.amax(dim=1, keepdim=True)
    shifted = y - a
    shifted.exp_()
    result = shifted.mean(dim=1, keepdim=True).log_()
    result += a
    return result[:, 0]


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    batch_size = mu_q.size(0)
    kl = (mu_q - mu_p).pow(2)
    kl += logvar_q.exp()
    kl *= torch.exp(-logvar_p)
    kl -= 1
    kl += logvar_p
    kl -= logvar_q
    kl *= 0.5
    return kl.reshape(batch_size, -1).sum(dim=-1)


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    batch_size = mu_q.size(0)
    q = torch.distributions.Normal(mu_q.flatten(1), logvar_q.flatten(1).mul(0.5).exp())
    p = torch.distributions.Normal(mu_p.flatten(1), logvar_p.flatten(1).mul(0.5).exp())
    total = torch.zeros(batch_size, dtype=mu_q.dtype, device=mu_q.device)
    for _ in range(num_samples):
        z = q.rsample()
        total += (q.log_prob(z) - p.log_prob(z)).sum(1)
    total /= num_samples
    return total
