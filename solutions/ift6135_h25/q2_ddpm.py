"""Question 2.1: a denoising diffusion probabilistic model (DDPM).

The equations are those of Ho, Jain & Abbeel 2020, "Denoising Diffusion Probabilistic Models". Notation:

    paper        here                 meaning
    x_0          x0                   images, float (B, C, H, W)
    x_t          xt                   images after t + 1 noising steps, same shape
    t            t                    time, int64 (B,): 0 .. n_steps - 1 (the paper counts from 1)
    T            n_steps              number of noising steps
    beta_t       beta[t]              variance of the noise that step t adds
    alpha_t      alpha[t]             1 - beta_t
    alpha-bar_t  alpha_bar[t]         product of alpha_0 .. alpha_t: what is left of the image's variance
    sigma_t^2    sigma2[t]            variance of a denoising step
    epsilon      eps, noise           standard normal noise, same shape as the images
    eps_theta    eps_model(xt, t)     the network that estimates the noise in xt
"""

import torch
from torch import nn


class DenoiseDiffusion:
    """The noising process q, its learned reversal p_theta, and the loss that trains it."""

    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        """Make the linear noise schedule of section 4 of the paper.

        Args:
            eps_model: eps_model(xt, t) estimates the noise in xt; same shape as xt.
            n_steps: T, the number of noising steps.
            device: where the schedule is kept.
        """
        super().__init__()
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.beta = torch.linspace(0.0001, 0.02, n_steps).to(device)  # (T,)
        self.alpha = 1.0 - self.beta  # (T,)
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)  # (T,)
        self.sigma2 = self.beta  # (T,)

    def gather(self, c: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Pick the entries of a schedule, shaped to be multiplied with images.

        Args:
            c: a schedule; (T,).
            t: times, int64; (B,).

        Returns:
            c[t]; (B, 1, 1, 1).
        """
        return c.gather(-1, t).reshape(-1, 1, 1, 1)

    def q_xt_x0(self, x0: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of q(x_t | x_0): t + 1 noising steps at once (Eq. 4).

        Args:
            x0: images; (B, C, H, W).
            t: times, int64; (B,).

        Returns:
            The mean, (B, C, H, W), and the variance, (B, 1, 1, 1).
        """
        # BEGIN SOLUTION 2.1.1 q_xt_x0
        alpha_bar = self.gather(self.alpha_bar, t)  # (B, 1, 1, 1)
        mean = alpha_bar.sqrt() * x0  # (B, C, H, W)
        var = 1 - alpha_bar  # (B, 1, 1, 1)
        # END SOLUTION
        return mean, var

    def q_sample(self, x0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor | None = None) -> torch.Tensor:
        """Sample x_t ~ q(x_t | x_0) (Eq. 4, reparameterised as in section 3.2).

        Args:
            x0: images; (B, C, H, W).
            t: times, int64; (B,).
            eps: the standard normal noise to use, (B, C, H, W); drawn here if None.

        Returns:
            The noised images; (B, C, H, W).
        """
        if eps is None:
            eps = torch.randn_like(x0)

        # BEGIN SOLUTION 2.1.1 q_sample
        mean, var = self.q_xt_x0(x0, t)
        sample = mean + var.sqrt() * eps  # (B, C, H, W)
        # END SOLUTION
        return sample

    def p_xt_prev_xt(self, xt: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of p_theta(x_{t-1} | x_t), one denoising step (Eq. 1 and 11).

        The variance is sigma_t^2 = beta_t, the first of the two choices in section 3.2 of the paper.

        Args:
            xt: noised images; (B, C, H, W).
            t: times, int64; (B,).

        Returns:
            The mean, (B, C, H, W), and the variance, (B, 1, 1, 1).
        """
        # BEGIN SOLUTION 2.1.1 p_xt_prev_xt
        alpha = self.gather(self.alpha, t)  # (B, 1, 1, 1)
        alpha_bar = self.gather(self.alpha_bar, t)  # (B, 1, 1, 1)
        eps_coefficient = (1 - alpha) / (1 - alpha_bar).sqrt()  # (B, 1, 1, 1)
        mu_theta = (xt - eps_coefficient * self.eps_model(xt, t)) / alpha.sqrt()  # (B, C, H, W)
        var = self.gather(self.sigma2, t)  # (B, 1, 1, 1)
        # END SOLUTION
        return mu_theta, var

    def p_sample(self, xt: torch.Tensor, t: torch.Tensor, set_seed: bool = False) -> torch.Tensor:
        """Sample x_{t-1} ~ p_theta(x_{t-1} | x_t): the body of the loop of Algorithm 2.

        The last step, t = 0, adds no noise in the paper. Its standard deviation is only 0.01, so that a step which
        adds it does no harm. Where noise is drawn, it is the first random number that this method asks for.

        Args:
            xt: noised images; (B, C, H, W).
            t: times, int64; (B,).
            set_seed: seed torch with 42 first, so that the result can be repeated.

        Returns:
            Images with one noising step less; (B, C, H, W).
        """
        if set_seed:
            torch.manual_seed(42)

        # BEGIN SOLUTION 2.1.1 p_sample
        mu_theta, var = self.p_xt_prev_xt(xt, t)
        noise = torch.randn_like(xt)  # (B, C, H, W)
        noisy = (t > 0).view(-1, 1, 1, 1)  # (B, 1, 1, 1)
        sample = mu_theta + noisy * var.sqrt() * noise  # (B, C, H, W)
        # END SOLUTION
        return sample

    def loss(self, x0: torch.Tensor, noise: torch.Tensor | None = None, set_seed: bool = False) -> torch.Tensor:
        """The simplified training loss (Eq. 14, Algorithm 1), at one random time for each image.

        The squared error of the estimated noise is summed over the values of an image and averaged over the batch.

        Args:
            x0: images; (B, C, H, W).
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

        # BEGIN SOLUTION 2.1.1 loss
        xt = self.q_sample(x0, t, eps=noise)  # (B, C, H, W)
        squared_error = (noise - self.eps_model(xt, t)) ** 2  # (B, C, H, W)
        loss = squared_error.sum(dim=dim).mean()  # ()
        # END SOLUTION
        return loss
