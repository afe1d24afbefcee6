"""file: q1_vae.py
Static methods of a class, written for one image and mapped over the batch with vmap; kl_mc by MultivariateNormal.
"""

import math

import torch
from torch.distributions import MultivariateNormal

torch.manual_seed(42)


class Densities:
    @staticmethod
    def bernoulli_of_one(mu, target):
        mu, target = mu.flatten(), target.flatten()
        return torch.dot(target, torch.log(mu)) + torch.dot(1 - target, torch.log1p(-mu))

    @staticmethod
    def normal_of_one(mu, logvar, z):
        standardised = ((z - mu) * torch.exp(-0.5 * logvar)).flatten()
        return -0.5 * (standardised @ standardised + logvar.sum() + logvar.numel() * math.log(2 * math.pi))

    @staticmethod
    def lme_of_one(y):
        return torch.logsumexp(y - math.log(y.numel()), dim=0)

    @staticmethod
    def kl_of_one(mu_q, logvar_q, mu_p, logvar_p):
        var_q, var_p = logvar_q.exp(), logvar_p.exp()
        return 0.5 * (torch.log(var_p / var_q) + (var_q + torch.square(mu_q - mu_p)) / var_p - 1).sum()

    @staticmethod
    def mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
        q = MultivariateNormal(mu_q.flatten(1), scale_tril=torch.diag_embed((logvar_q.flatten(1) / 2).exp()))
        p = MultivariateNormal(mu_p.flatten(1), scale_tril=torch.diag_embed((logvar_p.flatten(1) / 2).exp()))
        z = q.rsample(torch.Size([num_samples]))
        return (q.log_prob(z) - p.log_prob(z)).mean(0)


def log_likelihood_bernoulli(mu, target):
    return torch.func.vmap(Densities.bernoulli_of_one)(mu, target)


def log_likelihood_normal(mu, logvar, z):
    return torch.func.vmap(Densities.normal_of_one)(mu, logvar, z)


def log_mean_exp(y):
    return torch.func.vmap(Densities.lme_of_one)(y)


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    return torch.func.vmap(Densities.kl_of_one, in_dims=(0, 0, 0, 0))(mu_q, logvar_q, mu_p, logvar_p)


kl_gaussian_gaussian_mc = Densities.mc
