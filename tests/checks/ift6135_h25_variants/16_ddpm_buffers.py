"""file: q2_ddpm.py
The class is an nn.Module; all coefficients are worked out in float64 in a changed __init__ and kept as buffers.
"""

import torch
from torch import nn


class DenoiseDiffusion(nn.Module):
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        super().__init__()
        self.eps_model = eps_model
        self.n_steps = n_steps

        beta = torch.linspace(0.0001, 0.02, n_steps, dtype=torch.float64)
        alpha = 1.0 - beta
        alpha_bar = torch.cumprod(alpha, dim=0)
        schedules = {
            "beta": beta,
            "alpha": alpha,
            "alpha_bar": alpha_bar,
            "sigma2": beta.clone(),
            "sqrt_alpha_bar": alpha_bar.sqrt(),
            "one_minus_alpha_bar": 1 - alpha_bar,
            "sqrt_one_minus_alpha_bar": (1 - alpha_bar).sqrt(),
            "mean_xt_coef": alpha.rsqrt(),
            "mean_eps_coef": beta / ((1 - alpha_bar).sqrt() * alpha.sqrt()),
            "sigma": beta.sqrt(),
        }
        for name, schedule in schedules.items():
            self.register_buffer(name, schedule.to(device, torch.float32), persistent=False)

    def gather(self, c, t):
        return c.gather(-1, t).view(-1, 1, 1, 1)

    def q_xt_x0(self, x0, t):
        return self.gather(self.sqrt_alpha_bar, t) * x0, self.gather(self.one_minus_alpha_bar, t)

    def q_sample(self, x0, t, eps=None):
        if eps is None:
            eps = torch.randn_like(x0)
        return self.gather(self.sqrt_alpha_bar, t) * x0 + self.gather(self.sqrt_one_minus_alpha_bar, t) * eps

    def p_xt_prev_xt(self, xt, t):
        eps_theta = self.eps_model(xt, t)
        mu_theta = self.gather(self.mean_xt_coef, t) * xt - self.gather(self.mean_eps_coef, t) * eps_theta
        return mu_theta, self.gather(self.sigma2, t)

    def p_sample(self, xt, t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(xt)
        mu_theta, _ = self.p_xt_prev_xt(xt, t)
        return mu_theta + self.gather(self.sigma, t) * noise

    def loss(self, x0, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        t = torch.randint(0, self.n_steps, (len(x0),), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        xt = self.q_sample(x0, t, eps=noise)
        return nn.functional.mse_loss(self.eps_model(xt, t), noise) * x0[0].numel()
