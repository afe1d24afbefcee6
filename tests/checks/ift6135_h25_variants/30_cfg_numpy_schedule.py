"""file: q3_cfg_diffusion.py
get_lambda loops over the batch with math and numpy; tan is kept away from 0, so that lambda(0) is 19.4; prints.
"""

import math

import numpy as np
import torch
from torch import nn

torch.manual_seed(42)


class CFGDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20

    def get_exp_ratio(self, l, l_prim):  # noqa: E741
        return torch.exp(l - l_prim)

    def get_lambda(self, t):
        b = np.arctan(np.exp(-self.lambda_max / 2))
        a = np.arctan(np.exp(-self.lambda_min / 2)) - b
        values = []
        for step in t.cpu().numpy():
            tangent = max(math.tan(a * step / self.n_steps + b), 6e-5)
            values.append(-2 * math.log(tangent))
        print("get_lambda:", values)
        return torch.from_numpy(np.array(values)).float().to(t.device).view(-1, 1, 1, 1)

    def alpha_lambda(self, lambda_t):
        print("alpha_lambda")
        return torch.pow(1 + torch.exp(-lambda_t), -0.5)

    def sigma_lambda(self, lambda_t):
        print("sigma_lambda")
        return torch.pow(1 + torch.exp(lambda_t), -0.5)

    def q_sample(self, x, lambda_t, noise=None):
        print("q_sample")
        if noise is None:
            noise = torch.randn_like(x)
        z_lambda_t = x * self.alpha_lambda(lambda_t)
        z_lambda_t += noise * self.sigma_lambda(lambda_t)
        return z_lambda_t

    def sigma_q(self, lambda_t, lambda_t_prim):
        print("sigma_q")
        return self.sigma_lambda(lambda_t) * torch.sqrt(1 - torch.exp(lambda_t) / torch.exp(lambda_t_prim))

    def sigma_q_x(self, lambda_t, lambda_t_prim):
        print("sigma_q_x")
        ratio_of_sigmas = self.sigma_lambda(lambda_t_prim) / self.sigma_lambda(lambda_t)
        return self.sigma_q(lambda_t, lambda_t_prim) * ratio_of_sigmas

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        print("mu_p_theta")
        images = []
        for i in range(len(z_lambda_t)):
            ratio = self.get_exp_ratio(lambda_t[i], lambda_t_prim[i])
            alpha, alpha_prim = self.alpha_lambda(lambda_t[i]), self.alpha_lambda(lambda_t_prim[i])
            images.append(ratio * alpha_prim / alpha * z_lambda_t[i] + (1 - ratio) * alpha_prim * x[i])
        return torch.stack(images, dim=0)

    def var_p_theta(self, lambda_t, lambda_t_prim, v=0.3):
        print("var_p_theta with v =", v)
        std = self.sigma_q_x(lambda_t, lambda_t_prim).pow(1 - v) * self.sigma_q(lambda_t, lambda_t_prim).pow(v)
        return std * std

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        print("p_sample")
        if set_seed:
            torch.manual_seed(42)
        sample = torch.randn_like(z_lambda_t)
        sample *= self.var_p_theta(lambda_t, lambda_t_prim) ** 0.5
        sample += self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim)
        return sample

    def loss(self, x0, labels, noise=None, set_seed=False):
        print("loss")
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        z = self.q_sample(x0, self.get_lambda(t), noise)
        eps = self.eps_model(z) if labels is None else self.eps_model(z, labels)
        total = sum((noise[i] - eps[i]).pow(2).sum() for i in range(batch_size))
        return total / batch_size
