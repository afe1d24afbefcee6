"""file: q3_cfg_diffusion.py
lambda and all that follows from it in float64; images are cast back to their own dtype in p_sample and loss.
"""

import math

import torch
from torch import nn


class CFGDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20
        self.b = math.atan(math.exp(-self.lambda_max / 2))
        self.a = math.atan(math.exp(-self.lambda_min / 2)) - self.b

    def get_exp_ratio(self, l, l_prim):  # noqa: E741
        return torch.exp(l - l_prim)

    def get_lambda(self, t):
        u = t.to(torch.float64).div(self.n_steps)
        lambda_t = -2.0 * torch.log(torch.tan(self.a * u + self.b))
        lambda_t = torch.nan_to_num(lambda_t, nan=float(self.lambda_max))
        return lambda_t.clamp(self.lambda_min, self.lambda_max).view(-1, 1, 1, 1)

    def alpha_lambda(self, lambda_t):
        return torch.special.expit(lambda_t.double()).sqrt()

    def sigma_lambda(self, lambda_t):
        return (1 - torch.special.expit(lambda_t.double())).sqrt()

    def q_sample(self, x, lambda_t, noise):
        return self.alpha_lambda(lambda_t) * x.double() + self.sigma_lambda(lambda_t) * noise.double()

    def sigma_q(self, lambda_t, lambda_t_prim):
        alpha_ratio = self.alpha_lambda(lambda_t) / self.alpha_lambda(lambda_t_prim)
        return torch.sqrt(torch.relu(1 - alpha_ratio**2))

    def sigma_q_x(self, lambda_t, lambda_t_prim):
        # product of the two normal densities: q(z_l | z_l') and q(z_l' | x)
        var_q = self.sigma_q(lambda_t, lambda_t_prim) ** 2
        return torch.sqrt(var_q * self.sigma_lambda(lambda_t_prim) ** 2 / self.sigma_lambda(lambda_t) ** 2)

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        sigma_squared, sigma_prim_squared = (
            self.sigma_lambda(lambda_t) ** 2,
            self.sigma_lambda(lambda_t_prim) ** 2,
        )
        alpha_ratio = self.alpha_lambda(lambda_t) / self.alpha_lambda(lambda_t_prim)
        var_q = self.sigma_q(lambda_t, lambda_t_prim) ** 2
        coef_z = alpha_ratio * sigma_prim_squared / sigma_squared
        coef_x = self.alpha_lambda(lambda_t_prim) * var_q / sigma_squared
        return coef_z * z_lambda_t + coef_x * x

    def var_p_theta(self, lambda_t, lambda_t_prim, v=0.3):
        stds = torch.stack([self.sigma_q_x(lambda_t, lambda_t_prim), self.sigma_q(lambda_t, lambda_t_prim)])
        exponents = torch.tensor([2 * (1 - v), 2 * v], dtype=torch.float64, device=stds.device)
        return (stds ** exponents.view(2, 1, 1, 1, 1)).prod(dim=0)

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(z_lambda_t)
        mean = self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim)
        sample = mean + self.var_p_theta(lambda_t, lambda_t_prim).sqrt() * noise
        return sample.to(z_lambda_t.dtype)

    def loss(self, x0, labels, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        z = self.q_sample(x0, self.get_lambda(t), noise).to(x0.dtype)
        difference = (noise - self.eps_model(z, labels)).double()
        return difference.reshape(batch_size, -1).pow(2).sum(dim=-1).mean()
