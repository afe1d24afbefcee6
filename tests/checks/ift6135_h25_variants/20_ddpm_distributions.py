"""file: q2_ddpm.py
q and p are torch.distributions.Normal objects; the loss is a squared norm; einsum multiplies schedule and images.
"""

import torch
from torch import nn
from torch.distributions import Normal


class DenoiseDiffusion:
    """DDPM with distributions."""

    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        super().__init__()
        self.eps_model, self.n_steps = eps_model, n_steps
        self.beta = torch.linspace(0.0001, 0.02, n_steps).to(device)
        self.alpha = 1.0 - self.beta
        self.alpha_bar = torch.cumprod(self.alpha, dim=0)
        self.sigma2 = self.beta

    def gather(self, c, t):
        return torch.take(c, t).unflatten(0, (-1, 1, 1, 1))

    def q_xt_x0(self, x0, t):
        mean = torch.einsum("b,b...->b...", self.alpha_bar[t].sqrt(), x0)
        return mean, self.gather(1 - self.alpha_bar, t)

    def q(self, x0, t):
        mean, var = self.q_xt_x0(x0, t)
        return Normal(mean, var.sqrt().expand_as(mean), validate_args=False)

    def p(self, xt, t):
        mean, var = self.p_xt_prev_xt(xt, t)
        return Normal(mean, var.sqrt().expand_as(mean), validate_args=False)

    def q_sample(self, x0, t, eps=None):
        q = self.q(x0, t)
        return q.rsample() if eps is None else q.loc + q.scale * eps

    def p_xt_prev_xt(self, xt, t):
        coefficient = self.beta[t] * torch.rsqrt(1 - self.alpha_bar[t])
        difference = xt - torch.einsum("b,bchw->bchw", coefficient, self.eps_model(xt, t))
        return torch.einsum("b,bchw->bchw", torch.rsqrt(self.alpha[t]), difference), self.gather(self.sigma2, t)

    def p_sample(self, xt, t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        return self.p(xt, t).rsample()

    def loss(self, x0, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        t = torch.randint(0, self.n_steps, (x0.size(0),), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        error = noise - self.eps_model(self.q_sample(x0, t, noise), t)
        return torch.linalg.vector_norm(error, dim=(1, 2, 3)).pow(2).mean()
