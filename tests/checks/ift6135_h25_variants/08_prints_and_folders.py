"""file: q1_vae.py
Makes folders outside of the submission at import, prints in every function and draws a histogram at each call.
"""

import math
import os

import matplotlib.pyplot as plt
import numpy as np
import torch

torch.manual_seed(42)
os.makedirs("/content/drive/MyDrive/IFT6135/A3", exist_ok=True)
os.makedirs("../IFT6135-Assignment3/output", exist_ok=True)


def debug(name, values):
    print(f"[{name}] shape={tuple(values.shape)} min={values.min().item():.3f} max={values.max().item():.3f}")
    plt.figure(figsize=(3, 2))
    plt.hist(values.detach().cpu().numpy().ravel(), bins=10)
    plt.title(name)
    plt.show()
    plt.close()


def log_likelihood_bernoulli(mu, target):
    print("log_likelihood_bernoulli called with", mu.shape, target.shape)
    batch_size = mu.size(0)
    mu = mu.reshape(batch_size, -1)
    target = target.reshape(batch_size, -1)
    ll_bernoulli = (target * torch.log(mu) + (1 - target) * torch.log(1 - mu)).sum(dim=1)
    debug("bernoulli", ll_bernoulli)
    return ll_bernoulli


def log_likelihood_normal(mu, logvar, z):
    print("log_likelihood_normal called with", mu.shape)
    batch_size = mu.size(0)
    var = logvar.exp()
    ll_normal = -torch.log(torch.sqrt(2 * np.pi * var)) - (z - mu) ** 2 / (2 * var)
    ll_normal = ll_normal.reshape(batch_size, -1).sum(dim=1)
    debug("normal", ll_normal)
    return ll_normal


def log_mean_exp(y):
    print("log_mean_exp called with", y.shape)
    batch_size, sample_size = y.size(0), y.size(1)
    a = torch.max(y, 1).values
    # a softmax contains the same sum: log softmax at the maximum is -log sum exp(y - a)
    log_sum = -torch.log_softmax(y, dim=1).amax(dim=1)
    lme = log_sum - math.log(sample_size) + a
    assert lme.shape == (batch_size,)
    debug("lme", lme)
    return lme


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    print("kl analytic called")
    kl_gg = 0.5 * ((mu_q - mu_p) ** 2 / logvar_p.exp() + logvar_q.exp() / logvar_p.exp() - 1 - logvar_q + logvar_p)
    kl_gg = kl_gg.reshape(mu_q.size(0), -1).sum(1)
    debug("kl", kl_gg)
    return kl_gg


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    print("kl mc called with", num_samples, "samples")
    batch_size = mu_q.size(0)
    input_size = mu_q.numel() // batch_size
    shape = (batch_size, num_samples, input_size)
    mu_q, logvar_q, mu_p, logvar_p = (
        a.reshape(batch_size, 1, input_size).repeat(1, num_samples, 1) for a in (mu_q, logvar_q, mu_p, logvar_p)
    )
    z = torch.normal(torch.zeros(shape), torch.ones(shape)) * torch.sqrt(logvar_q.exp()) + mu_q
    log_q = torch.sum(-0.5 * np.log(2 * np.pi) - 0.5 * logvar_q - (z - mu_q) ** 2 / (2 * logvar_q.exp()), dim=2)
    log_p = torch.sum(-0.5 * np.log(2 * np.pi) - 0.5 * logvar_p - (z - mu_p) ** 2 / (2 * logvar_p.exp()), dim=2)
    kl_mc = torch.mean(log_q - log_p, dim=1)
    debug("kl mc", kl_mc)
    return kl_mc
