"""file: q3_cfg_diffusion.py
Functions around a dataclass of coefficients, reciprocal forms, figures and folders at every call and at import.
"""

import os
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

os.makedirs("/content/drive/MyDrive/x", exist_ok=True)


@dataclass
class Step:
    """What a step from lambda to lambda' needs."""

    ratio: torch.Tensor
    alpha: torch.Tensor
    alpha_prim: torch.Tensor
    var: torch.Tensor
    var_prim: torch.Tensor


class CFGDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device, v: float = 0.3):
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20
        self.v = v
        self.curve = []

    def get_exp_ratio(self, l, l_prim):  # noqa: E741
        return torch.exp(l - l_prim)

    def step(self, lambda_t, lambda_t_prim):
        return Step(
            ratio=self.get_exp_ratio(l=lambda_t, l_prim=lambda_t_prim),
            alpha=self.alpha_lambda(lambda_t),
            alpha_prim=self.alpha_lambda(lambda_t_prim),
            var=torch.reciprocal(1 + torch.exp(lambda_t)),
            var_prim=torch.reciprocal(1 + torch.exp(lambda_t_prim)),
        )

    def get_lambda(self, t):
        angle_min = torch.tensor(np.exp(-self.lambda_max / 2), device=t.device).arctan()
        angle_max = torch.tensor(np.exp(-self.lambda_min / 2), device=t.device).arctan()
        u = torch.true_divide(t, self.n_steps)
        angle = angle_min * (1 - u) + angle_max * u
        # squared cotangent: the signal-to-noise ratio
        snr = torch.tan(angle).pow(-2).float()
        return torch.log(snr).unsqueeze(-1).unsqueeze(-1).unsqueeze(-1)

    def alpha_lambda(self, lambda_t):
        return torch.reciprocal(torch.sqrt(1 + torch.exp(-lambda_t)))

    def sigma_lambda(self, lambda_t):
        return torch.reciprocal(torch.sqrt(1 + torch.exp(lambda_t)))

    def q_sample(self, x, lambda_t, noise):
        z = self.alpha_lambda(lambda_t) * (x + torch.exp(-lambda_t / 2) * noise)
        plt.figure(figsize=(2, 2))
        plt.imshow(z[0, 0].detach().cpu().numpy(), cmap="gray")
        plt.show()
        plt.close()
        return z

    def sigma_q(self, lambda_t, lambda_t_prim):
        step = self.step(lambda_t, lambda_t_prim)
        var_q = (1 - step.ratio) * step.var
        return (var_q + 1e-12).sqrt()

    def sigma_q_x(self, lambda_t, lambda_t_prim):
        step = self.step(lambda_t, lambda_t_prim)
        var_q_x = (1 - step.ratio) * step.var_prim
        return (var_q_x + 1e-12).sqrt()

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        step = self.step(lambda_t, lambda_t_prim)
        keep = step.ratio * step.alpha_prim / step.alpha
        add = step.alpha_prim - step.alpha * keep
        return keep * z_lambda_t + add * x

    def var_p_theta(self, lambda_t, lambda_t_prim, v=0.3, eps=1e-10):
        step = self.step(lambda_t, lambda_t_prim)
        factor = (1 - step.ratio).clamp(min=eps)
        return factor * torch.pow(step.var_prim, 1 - v) * torch.pow(step.var, v)

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(z_lambda_t)
        std = torch.sqrt(self.var_p_theta(lambda_t, lambda_t_prim, v=self.v))
        return self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim) + std * noise

    def loss(self, x0, labels, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        dim = tuple(range(1, x0.ndim))
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        z = self.q_sample(x0, self.get_lambda(t), noise)
        loss = nn.functional.mse_loss(self.eps_model(z, labels), noise, reduction="none").sum(dim).mean(0)
        self.curve.append(loss.item())
        return loss
