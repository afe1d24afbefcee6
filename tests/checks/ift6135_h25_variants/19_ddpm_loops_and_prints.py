"""file: q2_ddpm.py
One image after the other in a Python loop with float coefficients; prints in every method; makes a folder at import.
"""

import math
import os

import torch
from torch import nn

os.makedirs("/content/drive/MyDrive/x", exist_ok=True)
torch.manual_seed(42)


class DenoiseDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device, verbose: bool = True):
        super().__init__()
        self.eps_model = eps_model
        self.beta = torch.linspace(0.0001, 0.02, n_steps).to(device)
        self.alpha = 1.0 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self.n_steps = n_steps
        self.sigma2 = self.beta
        self.verbose = verbose

    def say(self, *words):
        if self.verbose:
            print("[DDPM]", *words)

    def gather(self, c: torch.Tensor, t: torch.Tensor):
        self.say("gather", t.tolist())
        return torch.stack([c[int(step)] for step in t]).view(len(t), 1, 1, 1)

    def q_xt_x0(self, x0, t):
        self.say("q_xt_x0", tuple(x0.shape))
        means = []
        for image, step in zip(x0, t.tolist(), strict=True):
            means.append(math.sqrt(self.alpha_bar[step].item()) * image)
        return torch.stack(means), 1 - self.gather(self.alpha_bar, t)

    def q_sample(self, x0, t, eps=None):
        self.say("q_sample")
        if eps is None:
            eps = torch.randn_like(x0)
        mean, var = self.q_xt_x0(x0, t)
        return torch.stack([mean[i] + torch.sqrt(var[i]) * eps[i] for i in range(len(x0))])

    def p_xt_prev_xt(self, xt, t):
        self.say("p_xt_prev_xt")
        eps_theta = self.eps_model(xt, t)
        images, variances = [], []
        for i in range(xt.shape[0]):
            beta, alpha_bar = self.beta[t[i]].item(), self.alpha_bar[t[i]].item()
            images.append((xt[i] - beta / math.sqrt(1 - alpha_bar) * eps_theta[i]) / math.sqrt(1 - beta))
            variances.append(beta)
        return torch.stack(images), torch.tensor(variances, device=xt.device).reshape(-1, 1, 1, 1)

    def p_sample(self, xt, t, set_seed=False):
        self.say("p_sample")
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(xt)
        mu_theta, var = self.p_xt_prev_xt(xt, t)
        sample = mu_theta.clone()
        for i in range(len(t)):
            if t[i].item() != 0:
                sample[i] += math.sqrt(var[i].item()) * noise[i]
        return sample

    def loss(self, x0, noise=None, set_seed=False):
        self.say("loss")
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        eps_theta = self.eps_model(self.q_sample(x0, t, eps=noise), t)
        total = 0.0
        for i in range(batch_size):
            total = total + torch.sum((noise[i] - eps_theta[i]) ** 2)
        result = total / batch_size
        self.say("loss is", result.item())
        return result
