"""file: q3_cfg_diffusion.py
sigma as sqrt(1 - alpha^2), alpha as 1 / (1 + exp(-l)), sigma_q from the ratio of alphas, variances kept >= 1e-10.
"""
# ruff: noqa: F403

import os  # noqa: F401
from typing import Optional

import matplotlib.pyplot as plt  # noqa: F401
import torch
import torchvision  # noqa: F401
from cfg_utils.args import *
from easydict import EasyDict  # noqa: F401
from torch import nn
from torch.amp import GradScaler, autocast  # noqa: F401
from tqdm import tqdm  # noqa: F401


class CFGDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20
        self.floor = 1e-10

    def get_exp_ratio(self, l, l_prim):  # noqa: E741
        return torch.exp(l - l_prim)

    def get_lambda(self, t):
        u = t.float() / self.n_steps
        b = torch.atan(torch.exp(torch.tensor(-self.lambda_max / 2)))
        a = torch.atan(torch.exp(torch.tensor(-self.lambda_min / 2))) - b
        lambda_t = -2 * torch.log(torch.tan(a * u + b))
        lambda_t = torch.clamp(lambda_t, self.lambda_min, self.lambda_max)
        return lambda_t[:, None, None, None]

    def alpha_lambda(self, lambda_t):
        var = 1 / (1 + torch.exp(-lambda_t))
        return var.sqrt()

    def sigma_lambda(self, lambda_t):
        var = 1 - self.alpha_lambda(lambda_t) ** 2
        return var.clamp(min=0).sqrt()

    def q_sample(self, x, lambda_t, noise):
        alpha, sigma = self.alpha_lambda(lambda_t), self.sigma_lambda(lambda_t)
        return alpha.expand_as(x) * x + sigma.expand_as(x) * noise

    def sigma_q(self, lambda_t, lambda_t_prim):
        var_q = 1 - (self.alpha_lambda(lambda_t) / self.alpha_lambda(lambda_t_prim)) ** 2
        return var_q.clamp(min=self.floor).sqrt()

    def sigma_q_x(self, lambda_t, lambda_t_prim):
        var_q_x = (1 - self.get_exp_ratio(lambda_t, lambda_t_prim)) * (1 - self.alpha_lambda(lambda_t_prim) ** 2)
        return var_q_x.clamp(min=self.floor).sqrt()

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        ratio = self.get_exp_ratio(lambda_t, lambda_t_prim)
        alpha, alpha_prim = self.alpha_lambda(lambda_t), self.alpha_lambda(lambda_t_prim)
        # the estimated image, plus what is kept of the noise in z
        return alpha_prim * x + ratio * alpha_prim / alpha * (z_lambda_t - alpha * x)

    def var_p_theta(self, lambda_t, lambda_t_prim, v: Optional[float] = 0.3):  # noqa: UP045
        log_var_q_x = torch.log(self.sigma_q_x(lambda_t, lambda_t_prim) ** 2)
        log_var_q = torch.log(self.sigma_q(lambda_t, lambda_t_prim) ** 2)
        return torch.exp((1 - v) * log_var_q_x + v * log_var_q)

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(z_lambda_t)
        mu = self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim)
        return mu + self.var_p_theta(lambda_t, lambda_t_prim).sqrt() * noise

    def loss(self, x0, labels, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        dim = list(range(1, x0.ndim))
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        z = self.q_sample(x0, self.get_lambda(t), noise)
        return torch.sum((self.eps_model(z, labels) - noise) ** 2, dim=dim).mean()
