"""Question 1: the likelihoods and divergences that a variational autoencoder is made of.

Notation, after Kingma & Welling 2014, "Auto-Encoding Variational Bayes":

    x        an image, D values; `target` below
    z        its latent code, D values
    q(z|x)   the encoder's normal distribution: `mu_q`, `logvar_q`
    p(z)     the prior: `mu_p`, `logvar_p`
    logvar   log sigma^2, so that every real number is a valid parameter

All tensors are float32 or float64. Logarithms are natural. The first dimension is the batch B; every function returns
one value per element of the batch, shape (B,), and never mixes the elements.
"""

import math

import torch


def log_likelihood_bernoulli(mu, target):
    """Log-likelihood of pixels under independent Bernoulli distributions (appendix C.1, Eq. 11).

    Grey levels between 0 and 1 are valid targets too: the formula is then the negative cross-entropy.

    Args:
        mu: probability of a one for each pixel, in [0, 1], not a logit; (B, D) or (B, ...).
        target: the pixels, in [0, 1]; same number of values.

    Returns:
        log p(target), summed over the pixels of each image; (B,).
    """
    batch_size = mu.size(0)
    mu = mu.reshape(batch_size, -1)  # (B, D)
    target = target.reshape(batch_size, -1)  # (B, D)

    # BEGIN SOLUTION 1.1 log_likelihood_bernoulli
    # A saturated sigmoid gives exactly 0 or 1, whose logarithm would turn the sum and its gradient into NaN.
    eps = torch.finfo(mu.dtype).eps
    mu = mu.clamp(eps, 1 - eps)
    ll_bernoulli = (target * mu.log() + (1 - target) * (1 - mu).log()).sum(dim=1)  # (B,)
    # END SOLUTION
    return ll_bernoulli


def log_likelihood_normal(mu, logvar, z):
    """Log-density of a normal distribution with diagonal covariance (appendix C.2, Eq. 12).

    Args:
        mu: means; (B, D) or (B, ...).
        logvar: logarithms of the variances; same shape.
        z: the points at which the density is taken; same shape.

    Returns:
        log N(z; mu, diag(exp(logvar))), the constant with 2 pi included, summed over the dimensions; (B,).
    """
    batch_size = mu.size(0)
    mu = mu.reshape(batch_size, -1)  # (B, D)
    logvar = logvar.reshape(batch_size, -1)  # (B, D)
    z = z.reshape(batch_size, -1)  # (B, D)

    # BEGIN SOLUTION 1.2 log_likelihood_normal
    squared_distance = (z - mu) ** 2 / logvar.exp()  # (B, D), in units of the variance
    ll_normal = -0.5 * (math.log(2 * math.pi) + logvar + squared_distance).sum(dim=1)  # (B,)
    # END SOLUTION
    return ll_normal


def log_mean_exp(y):
    """Logarithm of the mean of exponentials, without overflow or underflow.

    For each row i, with a_i the largest of its K values,

        log_mean_exp(y)_i = log( 1/K sum_k exp(y_ik - a_i) ) + a_i

    Importance-weighted bounds average probabilities such as exp(-1000) in this way (Burda et al. 2016, Eq. 8).

    Args:
        y: logarithms; (B, K).

    Returns:
        One value per row; (B,).
    """
    batch_size, sample_size = y.size(0), y.size(1)

    # BEGIN SOLUTION 1.3 log_mean_exp
    largest = y.max(dim=1).values  # (B,)
    total = (y - largest.view(batch_size, 1)).exp().sum(dim=1)  # (B,), between 1 and K
    lme = (total / sample_size).log() + largest  # (B,)
    # END SOLUTION
    return lme


def kl_gaussian_gaussian_analytic(mu_q, logvar_q, mu_p, logvar_p):
    """KL(q || p) of two normal distributions with diagonal covariance, in closed form.

    Appendix B of the paper has the case p = N(0, I); here p is any such distribution.

    Args:
        mu_q: means of q; (B, D) or (B, ...).
        logvar_q: log-variances of q; same shape.
        mu_p: means of p; same shape.
        logvar_p: log-variances of p; same shape.

    Returns:
        The divergence in nats, summed over the dimensions; (B,).
    """
    batch_size = mu_q.size(0)
    mu_q = mu_q.reshape(batch_size, -1)  # (B, D)
    logvar_q = logvar_q.reshape(batch_size, -1)  # (B, D)
    mu_p = mu_p.reshape(batch_size, -1)  # (B, D)
    logvar_p = logvar_p.reshape(batch_size, -1)  # (B, D)

    # BEGIN SOLUTION 1.4 kl_gaussian_gaussian_analytic
    # E_q[log q - log p]: under q the squared distance to mu_q averages to 1 variance of q, and the one to mu_p
    # to (var_q + (mu_q - mu_p)^2) / var_p variances of p; the terms with 2 pi cancel.
    mean_distance = (logvar_q.exp() + (mu_q - mu_p) ** 2) / logvar_p.exp()  # (B, D)
    kl_gg = 0.5 * (logvar_p - logvar_q + mean_distance - 1).sum(dim=1)  # (B,)
    # END SOLUTION
    return kl_gg


def kl_gaussian_gaussian_mc(mu_q, logvar_q, mu_p, logvar_p, num_samples=1):
    """KL(q || p) of two normal distributions with diagonal covariance, estimated from samples of q.

    The estimate is the mean of log q(z_k) - log p(z_k) over num_samples independent z_k ~ q for each element of the
    batch. It is unbiased, and it needs nothing of p but its density: it also works where no closed form is known.

    Args:
        mu_q: means of q; (B, D) or (B, ...).
        logvar_q: log-variances of q; same shape.
        mu_p: means of p; same shape.
        logvar_p: log-variances of p; same shape.
        num_samples: K, the number of samples for each element of the batch.

    Returns:
        The estimate in nats, summed over the dimensions and averaged over the samples; (B,).
    """
    batch_size = mu_q.size(0)
    input_size = mu_q[0].numel()  # D
    # The four are views of the arguments, in which dimension 1 repeats the same values K times.
    mu_q = mu_q.reshape(batch_size, 1, input_size).expand(-1, num_samples, -1)  # (B, K, D)
    logvar_q = logvar_q.reshape(batch_size, 1, input_size).expand(-1, num_samples, -1)  # (B, K, D)
    mu_p = mu_p.reshape(batch_size, 1, input_size).expand(-1, num_samples, -1)  # (B, K, D)
    logvar_p = logvar_p.reshape(batch_size, 1, input_size).expand(-1, num_samples, -1)  # (B, K, D)

    # BEGIN SOLUTION 1.5 kl_gaussian_gaussian_mc
    # The reparameterised sample lets gradients reach mu_q and logvar_q (section 2.4 of the paper).
    z = mu_q + (0.5 * logvar_q).exp() * torch.randn_like(mu_q)  # (B, K, D)
    log_q = -0.5 * (logvar_q + (z - mu_q) ** 2 / logvar_q.exp())  # (B, K, D); the terms with 2 pi cancel
    log_p = -0.5 * (logvar_p + (z - mu_p) ** 2 / logvar_p.exp())  # (B, K, D)
    kl_mc = (log_q - log_p).sum(dim=2).mean(dim=1)  # (B,)
    # END SOLUTION
    return kl_mc
