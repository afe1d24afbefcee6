"""Question 2.2: a diffusion model in continuous time, for classifier-free guidance.

The equations are those of Ho & Salimans 2022, "Classifier-Free Diffusion Guidance". Time is measured by the logarithm
of the signal-to-noise ratio, lambda = log(alpha^2 / sigma^2), as in Kingma et al. 2021, "Variational Diffusion
Models": it falls from 20 (a clean image) to -20 (pure noise). Notation:

    paper                      here                        meaning
    x                          x, x0                       images, float (B, C, H, W)
    z_lambda                   z_lambda_t, z               noised images, same shape
    c                          labels                      classes, int64 (B,), or None for "any class"
    lambda                     lambda_t                    log-SNR of the noised images, (B, 1, 1, 1)
    lambda'                    lambda_t_prim               log-SNR one step cleaner: lambda_t < lambda_t_prim
    alpha_lambda               alpha_lambda(lambda_t)      factor of the image in z
    sigma_lambda               sigma_lambda(lambda_t)      factor of the noise in z
    eps_theta(z, c)            eps_model(z, labels)        the network that estimates the noise in z

The network is not told the noise level: it sees it in the picture.
"""

import math

import torch
from torch import nn


class CFGDiffusion:
    """The noising process q, its learned reversal p_theta, and the loss that trains it."""

    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        """Set the range of the log-SNR.

        Args:
            eps_model: eps_model(z, labels) estimates the noise in z; same shape as z.
            n_steps: T, the number of steps that sampling takes, and of the times that training draws from.
            device: where the images will be; this class has no tensor of its own to put there.
        """
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20

    def get_exp_ratio(self, l: torch.Tensor, l_prim: torch.Tensor) -> torch.Tensor:  # noqa: E741
        """exp(lambda - lambda'), the ratio of two signal-to-noise ratios; in (0, 1] for lambda <= lambda'."""
        return torch.exp(l - l_prim)

    def get_lambda(self, t: torch.Tensor) -> torch.Tensor:
        """Log-SNR at a time: the cosine schedule of section 2 of the paper, between lambda_max and lambda_min.

        With u = t / n_steps, b = arctan(exp(-lambda_max / 2)) and a = arctan(exp(-lambda_min / 2)) - b,

            lambda = -2 log tan(a u + b)

        so that t = 0 is the cleanest image.

        Args:
            t: times, int64; (B,); 0 .. n_steps - 1.

        Returns:
            Log-SNRs; (B, 1, 1, 1).
        """
        # TODO 2.2.3 get_lambda: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: get_lambda")
        return lambda_t

    def alpha_lambda(self, lambda_t: torch.Tensor) -> torch.Tensor:
        """Factor of the image in z_lambda (Eq. 1).

        The last line takes the square root: what has to be found is alpha^2.

        Args:
            lambda_t: log-SNRs; (B, 1, 1, 1).

        Returns:
            alpha_lambda, not its square; (B, 1, 1, 1).
        """
        # TODO 2.2.3 alpha_lambda: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: alpha_lambda")
        return var.sqrt()

    def sigma_lambda(self, lambda_t: torch.Tensor) -> torch.Tensor:
        """Standard deviation of the noise in z_lambda (Eq. 1).

        The last line takes the square root: what has to be found is sigma^2. Where the image is nearly clean,
        alpha^2 is so close to 1 that the difference to 1 vanishes in float32; there is a form without it.

        Args:
            lambda_t: log-SNRs; (B, 1, 1, 1).

        Returns:
            sigma_lambda, not its square; (B, 1, 1, 1).
        """
        # TODO 2.2.3 sigma_lambda: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: sigma_lambda")
        return var.sqrt()

    def q_sample(self, x: torch.Tensor, lambda_t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Sample z_lambda ~ q(z_lambda | x) (Eq. 1).

        Args:
            x: images; (B, C, H, W).
            lambda_t: log-SNRs; (B, 1, 1, 1).
            noise: standard normal noise; (B, C, H, W).

        Returns:
            The noised images; (B, C, H, W).
        """
        # TODO 2.2.3 q_sample: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: q_sample")
        return z_lambda_t

    def sigma_q(self, lambda_t: torch.Tensor, lambda_t_prim: torch.Tensor) -> torch.Tensor:
        """Standard deviation of q(z_lambda | z_lambda'): one noising step (Eq. 2).

        The last line takes the square root: what has to be found is the variance.

        Args:
            lambda_t: log-SNRs after the step; (B, 1, 1, 1).
            lambda_t_prim: log-SNRs before the step, larger; (B, 1, 1, 1).

        Returns:
            sigma_{lambda|lambda'}; (B, 1, 1, 1).
        """
        # TODO 2.2.3 sigma_q: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: sigma_q")
        return var_q.sqrt()

    def sigma_q_x(self, lambda_t: torch.Tensor, lambda_t_prim: torch.Tensor) -> torch.Tensor:
        """Standard deviation of q(z_lambda' | z_lambda, x): one noising step undone, the image known (Eq. 3).

        The last line takes the square root: what has to be found is the variance.

        Args:
            lambda_t: log-SNRs; (B, 1, 1, 1).
            lambda_t_prim: log-SNRs one step cleaner, larger; (B, 1, 1, 1).

        Returns:
            sigma-tilde_{lambda'|lambda}; (B, 1, 1, 1).
        """
        # TODO 2.2.3 sigma_q_x: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: sigma_q_x")
        return var_q_x.sqrt()

    def mu_p_theta(
        self, z_lambda_t: torch.Tensor, x: torch.Tensor, lambda_t: torch.Tensor, lambda_t_prim: torch.Tensor
    ) -> torch.Tensor:
        """Mean of p_theta(z_lambda' | z_lambda): mu-tilde of Eq. 3, with the estimated image in the place of x (Eq. 4).

        Args:
            z_lambda_t: noised images; (B, C, H, W).
            x: the images, or their estimate; (B, C, H, W).
            lambda_t: log-SNRs of z_lambda_t; (B, 1, 1, 1).
            lambda_t_prim: log-SNRs one step cleaner, larger; (B, 1, 1, 1).

        Returns:
            The mean; (B, C, H, W).
        """
        # TODO 2.2.3 mu_p_theta: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: mu_p_theta")
        return mu

    def var_p_theta(self, lambda_t: torch.Tensor, lambda_t_prim: torch.Tensor, v: float = 0.3) -> torch.Tensor:
        """Variance of p_theta(z_lambda' | z_lambda): between those of Eq. 3 and Eq. 2 (Eq. 4).

        The interpolation is linear in the logarithms of the two variances.

        Args:
            lambda_t: log-SNRs; (B, 1, 1, 1).
            lambda_t_prim: log-SNRs one step cleaner, larger; (B, 1, 1, 1).
            v: 0 for the variance of Eq. 3 (the image known), 1 for that of Eq. 2.

        Returns:
            The variance, not its square root; (B, 1, 1, 1).
        """
        # TODO 2.2.3 var_p_theta: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: var_p_theta")
        return var

    def p_sample(
        self,
        z_lambda_t: torch.Tensor,
        lambda_t: torch.Tensor,
        lambda_t_prim: torch.Tensor,
        x_t: torch.Tensor,
        set_seed: bool = False,
    ) -> torch.Tensor:
        """Sample z_lambda' ~ p_theta(z_lambda' | z_lambda) (Eq. 4, with the default v).

        Args:
            z_lambda_t: noised images; (B, C, H, W).
            lambda_t: log-SNRs of z_lambda_t; (B, 1, 1, 1).
            lambda_t_prim: log-SNRs one step cleaner, larger; (B, 1, 1, 1).
            x_t: the images as estimated from z_lambda_t; (B, C, H, W).
            set_seed: seed torch with 42 first, so that the result can be repeated.

        Returns:
            Images with less noise; (B, C, H, W).
        """
        if set_seed:
            torch.manual_seed(42)

        # TODO 2.2.3 p_sample: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: p_sample")
        return sample

    def loss(
        self,
        x0: torch.Tensor,
        labels: torch.Tensor | None,
        noise: torch.Tensor | None = None,
        set_seed: bool = False,
    ) -> torch.Tensor:
        """The training loss (Eq. 5, Algorithm 1), at one random time for each image.

        The squared error of the estimated noise is summed over the values of an image and averaged over the batch.
        The labels are used as they come: the trainer decides when to leave them out.

        Args:
            x0: images; (B, C, H, W).
            labels: their classes, int64, (B,), or None.
            noise: the standard normal noise to use, (B, C, H, W); drawn here if None.
            set_seed: seed torch with 42 first, so that the result can be repeated.

        Returns:
            The loss; a tensor without dimensions.
        """
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        dim = list(range(1, x0.ndim))  # all dimensions but the batch
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)  # (B,)
        if noise is None:
            noise = torch.randn_like(x0)

        # TODO 2.2.3 loss: write your code here and remove the next line.
        raise NotImplementedError("question 2.2.3: loss")
        return loss
