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

    # TODO 1.1 log_likelihood_bernoulli: write your code here and remove the next line.
    raise NotImplementedError("question 1.1: log_likelihood_bernoulli")
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

    # TODO 1.2 log_likelihood_normal: write your code here and remove the next line.
    raise NotImplementedError("question 1.2: log_likelihood_normal")
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

    # TODO 1.3 log_mean_exp: write your code here and remove the next line.
    raise NotImplementedError("question 1.3: log_mean_exp")
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

    # TODO 1.4 kl_gaussian_gaussian_analytic: write your code here and remove the next line.
    raise NotImplementedError("question 1.4: kl_gaussian_gaussian_analytic")
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

    # TODO 1.5 kl_gaussian_gaussian_mc: write your code here and remove the next line.
    raise NotImplementedError("question 1.5: kl_gaussian_gaussian_mc")
    return kl_mc
