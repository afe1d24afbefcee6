"""file: q1_vae.py
One private function for all normal densities; the published order of reductions turned around; float32 cast back.
"""

import torch

torch.manual_seed(42)

_HALF_LOG_2PI = 0.91893853320467274178


def _log_normal(z, mu, logvar):
    """Elementwise."""
    return -_HALF_LOG_2PI - 0.5 * logvar - 0.5 * torch.square(z - mu) / torch.exp(logvar)


def log_likelihood_bernoulli(mu, target):
    # features first, so that the sum runs over dimension 0
    mu = mu.reshape(len(mu), -1).T.double()
    target = target.reshape(len(target), -1).T.double()
    # a power instead of a product with the logarithm: log(mu^x (1 - mu)^(1 - x))
    return torch.log(mu**target * (1 - mu) ** (1 - target)).sum(0).float()


def log_likelihood_normal(mu, logvar, z):
    return _log_normal(z, mu, logvar).reshape(len(mu), -1).sum(1)


def log_mean_exp(y):
    high = y.sort(dim=1, descending=True).values
    return high[:, 0] + torch.log(torch.exp(high - high[:, :1]).double().mean(1)).to(y.dtype)


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    shape = (len(mu_q), -1)
    by_variances = torch.exp(logvar_q - logvar_p) - 1 - (logvar_q - logvar_p)
    by_means = ((mu_q - mu_p) / torch.exp(0.5 * logvar_p)) ** 2
    return 0.5 * by_variances.reshape(shape).sum(1) + 0.5 * by_means.reshape(shape).sum(1)


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    batch_size, input_size = len(mu_q), mu_q[0].numel()
    mu_q = mu_q.reshape(batch_size, 1, input_size).expand(batch_size, num_samples, input_size)
    logvar_q = logvar_q.reshape(batch_size, 1, input_size).expand_as(mu_q)
    mu_p = mu_p.reshape(batch_size, 1, input_size).expand_as(mu_q)
    logvar_p = logvar_p.reshape(batch_size, 1, input_size).expand_as(mu_q)
    z = torch.distributions.Normal(mu_q, (logvar_q / 2).exp()).rsample()
    log_ratio = _log_normal(z, mu_q, logvar_q) - _log_normal(z, mu_p, logvar_p)
    return log_ratio.mean(1).sum(1)
