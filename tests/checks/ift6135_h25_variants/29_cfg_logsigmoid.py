"""file: q3_cfg_diffusion.py
All variances live as logarithms: logsigmoid, log(-expm1), and torch.lerp between them; the loss is a mean times size.
"""

import torch
import torch.nn.functional as F
from torch import nn


class CFGDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20
        self.device = device

    def get_exp_ratio(self, l, l_prim):  # noqa: E741
        return torch.exp(l - l_prim)

    def get_lambda(self, t):
        u = t.double() / self.n_steps
        minimum, maximum = torch.tensor([self.lambda_min, self.lambda_max], dtype=torch.float64, device=t.device)
        b = torch.arctan(torch.exp(-0.5 * maximum))
        a = torch.arctan(torch.exp(-0.5 * minimum)) - b
        angle = a * u + b
        lambda_t = 2 * (torch.log(torch.cos(angle)) - torch.log(torch.sin(angle)))
        return lambda_t.float().reshape(-1, 1, 1, 1)

    def alpha_lambda(self, lambda_t):
        return torch.exp(0.5 * F.logsigmoid(lambda_t))

    def sigma_lambda(self, lambda_t):
        return torch.exp(0.5 * F.logsigmoid(-lambda_t))

    def log_step(self, lambda_t, lambda_t_prim):
        """log(1 - e^(l - l'))."""
        return torch.log(-torch.expm1(lambda_t - lambda_t_prim))

    def log_var_q(self, lambda_t, lambda_t_prim):
        return self.log_step(lambda_t, lambda_t_prim) + F.logsigmoid(-lambda_t)

    def log_var_q_x(self, lambda_t, lambda_t_prim):
        return self.log_step(lambda_t, lambda_t_prim) + F.logsigmoid(-lambda_t_prim)

    def q_sample(self, x, lambda_t, noise):
        return torch.addcmul(self.alpha_lambda(lambda_t) * x, self.sigma_lambda(lambda_t), noise)

    def sigma_q(self, lambda_t, lambda_t_prim):
        return torch.exp(self.log_var_q(lambda_t, lambda_t_prim) / 2)

    def sigma_q_x(self, lambda_t, lambda_t_prim):
        return torch.exp(self.log_var_q_x(lambda_t, lambda_t_prim) / 2)

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        alpha_prim = self.alpha_lambda(lambda_t_prim)
        log_factor = lambda_t - lambda_t_prim + 0.5 * (F.logsigmoid(lambda_t_prim) - F.logsigmoid(lambda_t))
        return log_factor.exp() * z_lambda_t - torch.expm1(lambda_t - lambda_t_prim) * alpha_prim * x

    def var_p_theta(self, lambda_t, lambda_t_prim, v=0.3):
        # the two differ by the last term only
        step = self.log_step(lambda_t, lambda_t_prim)
        return torch.exp(step + torch.lerp(F.logsigmoid(-lambda_t_prim), F.logsigmoid(-lambda_t), v))

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        mean = self.mu_p_theta(z_lambda_t=z_lambda_t, x=x_t, lambda_t=lambda_t, lambda_t_prim=lambda_t_prim)
        return mean + torch.sqrt(self.var_p_theta(lambda_t, lambda_t_prim)) * torch.randn_like(z_lambda_t)

    def loss(self, x0, labels, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        z = self.q_sample(x0, self.get_lambda(t), noise)
        number_of_pixels = x0.shape[1] * x0.shape[2] * x0.shape[3]
        return F.mse_loss(self.eps_model(z, labels), noise) * number_of_pixels
