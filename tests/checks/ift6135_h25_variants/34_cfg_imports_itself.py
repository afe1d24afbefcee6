"""file: q3_cfg_diffusion.py
Imports itself by name; names and tails of the given methods are kept, the network is called with y= by keyword.
"""
# ruff: noqa: F403, F405

import torch
from cfg_utils.args import *
from q3_cfg_diffusion import *
from torch import nn

args.epochs = 20


def as_images(values):
    while values.dim() < 4:
        values = values.unsqueeze(-1)
    return values


class CFGDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20

    def get_exp_ratio(self, l: torch.Tensor, l_prim: torch.Tensor):  # noqa: E741
        return torch.exp(l - l_prim)

    def get_lambda(self, t: torch.Tensor):
        minimum, maximum = torch.tensor(float(self.lambda_min)), torch.tensor(float(self.lambda_max))
        u = t / self.n_steps
        b = torch.arctan(torch.exp(-maximum / 2))
        a = torch.arctan(torch.exp(-minimum / 2)) - b
        return as_images(-2 * torch.log(torch.tan(a * u + b)))

    def alpha_lambda(self, lambda_t: torch.Tensor):
        var = torch.softmax(torch.stack([lambda_t, torch.zeros_like(lambda_t)]), dim=0)[0]
        return var.sqrt()

    def sigma_lambda(self, lambda_t: torch.Tensor):
        var = torch.softmax(torch.stack([lambda_t, torch.zeros_like(lambda_t)]), dim=0)[1]
        return var.sqrt()

    def q_sample(self, x: torch.Tensor, lambda_t: torch.Tensor, noise: torch.Tensor):
        pair = torch.stack([x, noise])
        factors = torch.stack([self.alpha_lambda(lambda_t), self.sigma_lambda(lambda_t)])
        return (pair * factors).sum(dim=0)

    def sigma_q(self, lambda_t: torch.Tensor, lambda_t_prim: torch.Tensor):
        var_q = (1 - self.get_exp_ratio(lambda_t, lambda_t_prim)) * torch.sigmoid(-lambda_t)
        return var_q.sqrt()

    def sigma_q_x(self, lambda_t: torch.Tensor, lambda_t_prim: torch.Tensor):
        var_q_x = (1 - self.get_exp_ratio(lambda_t, lambda_t_prim)) * torch.sigmoid(-lambda_t_prim)
        return var_q_x.sqrt()

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        ratio = self.get_exp_ratio(lambda_t, lambda_t_prim)
        alpha_prim = self.alpha_lambda(lambda_t_prim)
        mu = ratio * alpha_prim * z_lambda_t / self.alpha_lambda(lambda_t)
        mu = mu + alpha_prim * x - ratio * alpha_prim * x
        return mu

    def var_p_theta(self, lambda_t, lambda_t_prim, v: float = 0.3):
        sigma_q_x, sigma_q = self.sigma_q_x(lambda_t, lambda_t_prim), self.sigma_q(lambda_t, lambda_t_prim)
        var = sigma_q_x ** (2 * (1 - v)) * sigma_q ** (2 * v)
        return var

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        std = self.var_p_theta(lambda_t, lambda_t_prim).sqrt()
        noise = torch.randn(z_lambda_t.shape, device=z_lambda_t.device, dtype=z_lambda_t.dtype)
        return self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim) + std * noise

    def loss(self, x0, labels, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        z_t = self.q_sample(x=x0, lambda_t=self.get_lambda(t), noise=noise)
        loss = (self.eps_model(z_t, y=labels) - noise).flatten(1).norm(dim=1).square()
        return loss.mean()
