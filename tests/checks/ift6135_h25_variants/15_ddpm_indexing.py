"""file: q2_ddpm.py
Schedules indexed with [:, None, None, None], variances expanded to the image, torch.where leaves out the last noise.
"""

from typing import Optional

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

    def gather(self, c: torch.Tensor, t: torch.Tensor):
        return c[t][:, None, None, None]

    def q_xt_x0(self, x0, t):
        alpha_bar = self.alpha_bar[t][:, None, None, None]
        mean = torch.sqrt(alpha_bar) * x0
        var = (1 - alpha_bar).expand_as(x0)
        return mean, var

    def q_sample(self, x0, t, eps: Optional[torch.Tensor] = None):  # noqa: UP045
        if eps is None:
            eps = torch.randn_like(x0)
        alpha_bar = self.alpha_bar[t][:, None, None, None]
        return torch.sqrt(alpha_bar) * x0 + torch.sqrt(1 - alpha_bar) * eps

    def p_xt_prev_xt(self, xt, t):
        beta = self.beta[t][:, None, None, None]
        alpha_bar = self.alpha_bar[t][:, None, None, None]
        eps_theta = self.eps_model(xt, t)
        mu_theta = (1 / torch.sqrt(1 - beta)) * (xt - beta / torch.sqrt(1 - alpha_bar) * eps_theta)
        return mu_theta, beta.expand(xt.shape)

    def p_sample(self, xt, t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        mu_theta, var = self.p_xt_prev_xt(xt, t)
        noisy = mu_theta + torch.sqrt(var) * torch.randn_like(xt)
        return torch.where(t[:, None, None, None] > 0, noisy, mu_theta)

    def loss(self, x0, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        difference = noise - self.eps_model(self.q_sample(x0, t, noise), t)
        return torch.mean(torch.sum(torch.pow(difference, 2), dim=(1, 2, 3)), dim=0)
