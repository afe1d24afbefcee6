"""file: q2_ddpm.py
Schedules in float64 throughout, alpha_bar from a sum of logarithms; results are float64, the network gets float32.
"""

import torch
from torch import nn

torch.manual_seed(42)


class DenoiseDiffusion:
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        super().__init__()
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.beta = torch.linspace(1e-4, 2e-2, n_steps, dtype=torch.float64, device=device)
        self.alpha = 1 - self.beta
        self.log_alpha_bar = torch.cumsum(torch.log1p(-self.beta), dim=0)
        self.alpha_bar = torch.exp(self.log_alpha_bar)
        self.sigma2 = self.beta

    def gather(self, c, t):
        return c.index_select(0, t)[..., None, None, None]

    def _eps(self, xt, t):
        return self.eps_model(xt.float(), t).double()

    def q_xt_x0(self, x0, t):
        log_alpha_bar = self.gather(self.log_alpha_bar, t)
        return torch.exp(0.5 * log_alpha_bar) * x0, -torch.expm1(log_alpha_bar)

    def q_sample(self, x0, t, eps=None):
        if eps is None:
            eps = torch.randn_like(x0)
        mean, var = self.q_xt_x0(x0, t)
        return torch.addcmul(mean, var**0.5, eps.double())

    def p_xt_prev_xt(self, xt, t):
        alpha, alpha_bar = self.gather(self.alpha, t), self.gather(self.alpha_bar, t)
        mu_theta = xt.double() / alpha**0.5 - (1 - alpha) / (alpha * (1 - alpha_bar)) ** 0.5 * self._eps(xt, t)
        return mu_theta, self.gather(self.sigma2, t)

    def p_sample(self, xt, t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        noise = torch.randn_like(xt)
        mean, var = self.p_xt_prev_xt(xt, t)
        return mean + (0.5 * torch.log(var)).exp() * noise

    def loss(self, x0, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        batch_size = x0.shape[0]
        t = torch.randint(0, self.n_steps, (batch_size,), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        xt = self.q_sample(x0, t, noise)
        squared_error = (noise.double() - self._eps(xt, t)).flatten(start_dim=1).square()
        return squared_error.sum(dim=1).mean()
