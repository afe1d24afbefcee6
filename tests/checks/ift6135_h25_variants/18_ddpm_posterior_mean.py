"""file: q2_ddpm.py
The mean of a denoising step by way of the estimated image and the posterior's coefficients; no noise if t[0] is 0.
"""

import torch
from torch import nn


class DenoiseDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        super().__init__()
        self.eps_model = eps_model
        self.beta = torch.linspace(0.0001, 0.02, n_steps).to(device)
        self.alpha = 1.0 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self.n_steps = n_steps
        self.sigma2 = self.beta

        # float64, because 1 - alpha_bar_prev loses most of its digits at the small times
        beta = torch.linspace(0.0001, 0.02, n_steps, dtype=torch.float64)
        alpha_bar = torch.cumprod(1 - beta, dim=0)
        alpha_bar_prev = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
        coef_x0 = alpha_bar_prev.sqrt() * beta / (1 - alpha_bar)
        coef_xt = (1 - beta).sqrt() * (1 - alpha_bar_prev) / (1 - alpha_bar)
        self.coef_x0, self.coef_xt = coef_x0.float().to(device), coef_xt.float().to(device)

    def gather(self, c, t):
        return c.gather(-1, t).reshape(-1, 1, 1, 1)

    def predict_x0(self, xt, t, eps_theta):
        alpha_bar = self.gather(self.alpha_bar, t)
        return (xt - (1 - alpha_bar).sqrt() * eps_theta) / alpha_bar.sqrt()

    def posterior_mean(self, x0_hat, xt, t):
        return self.gather(self.coef_x0, t) * x0_hat + self.gather(self.coef_xt, t) * xt

    def q_xt_x0(self, x0, t):
        alpha_bar = self.gather(self.alpha_bar, t)
        return alpha_bar.sqrt() * x0, 1.0 - alpha_bar

    def q_sample(self, x0, t, eps=None):
        if eps is None:
            eps = torch.randn_like(x0)
        mean, var = self.q_xt_x0(x0, t)
        sample = eps * var.sqrt()
        sample += mean
        return sample

    def p_xt_prev_xt(self, xt, t):
        x0_hat = self.predict_x0(xt, t, self.eps_model(xt, t))
        return self.posterior_mean(x0_hat, xt, t), self.gather(self.sigma2, t)

    def p_sample(self, xt, t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(xt) if t[0] > 0 else torch.zeros_like(xt)
        mu_theta, var = self.p_xt_prev_xt(xt, t)
        return mu_theta + var.sqrt() * noise

    def loss(self, x0, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        eps_theta = self.eps_model(self.q_sample(x0, t, noise), t)
        return ((noise - eps_theta) ** 2).sum() / batch_size
