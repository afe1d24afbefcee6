"""file: q2_ddpm.py
Imports itself by name, keeps the formulas in module-level functions that the methods call, draws a figure per loss.
"""

import matplotlib.pyplot as plt
import q2_ddpm
import torch
import torch.nn.functional as F
from torch import nn


def like_images(values, images):
    return values.reshape(len(values), *[1] * (images.dim() - 1))


def noise_images(x0, alpha_bar, eps):
    return alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps


def denoise_mean(xt, alpha, alpha_bar, eps_theta):
    eps_coef = (1 - alpha) / (1 - alpha_bar) ** 0.5
    return 1 / (alpha**0.5) * (xt - eps_coef * eps_theta)


class DenoiseDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        super().__init__()
        self.eps_model = eps_model
        self.beta = torch.linspace(0.0001, 0.02, n_steps).to(device)
        self.alpha = 1.0 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self.n_steps = n_steps
        self.sigma2 = self.beta
        self.device = device
        self.history = []

    def gather(self, c, t):
        return c.gather(-1, t).reshape(-1, 1, 1, 1)

    def q_xt_x0(self, x0, t):
        alpha_bar = q2_ddpm.like_images(self.alpha_bar[t], x0)
        return q2_ddpm.noise_images(x0, alpha_bar, torch.zeros_like(x0)), (1 - alpha_bar) * torch.ones_like(x0)

    def q_sample(self, x0, t, eps=None):
        if eps is None:
            eps = torch.randn_like(x0)
        return q2_ddpm.noise_images(x0, q2_ddpm.like_images(self.alpha_bar[t], x0), eps)

    def p_xt_prev_xt(self, xt, t):
        alpha, alpha_bar = self.gather(self.alpha, t), self.gather(self.alpha_bar, t)
        mu_theta = q2_ddpm.denoise_mean(xt, alpha, alpha_bar, self.eps_model(xt, t))
        return mu_theta, self.gather(self.beta, t) * torch.ones_like(xt)

    def p_sample(self, xt, t, set_seed=False, noise=None):
        if set_seed:
            torch.manual_seed(42)
        if noise is None:
            noise = torch.randn_like(xt)
        mu_theta, var = self.p_xt_prev_xt(xt, t)
        return mu_theta + torch.sqrt(var) * noise * (t != 0).float()[:, None, None, None]

    def loss(self, x0, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        dim = list(range(1, x0.ndim))
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        xt = self.q_sample(x0, t, noise)
        loss = F.mse_loss(self.eps_model(xt, t), noise, reduction="none").sum(dim=dim).mean()
        self.history.append(loss.item())
        plt.figure()
        plt.plot(self.history)
        plt.show()
        plt.close()
        return loss
