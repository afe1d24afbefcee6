"""file: q3_cfg_diffusion.py
An nn.Module with a table of all lambdas, made at the start in float64; get_lambda looks times up in it.
"""

import torch
from torch import nn


class CFGDiffusion(nn.Module):
    def __init__(self, eps_model: nn.Module, n_steps: int, device: torch.device):
        super().__init__()
        self.eps_model = eps_model
        self.n_steps = n_steps
        self.lambda_min = -20
        self.lambda_max = 20
        times = torch.linspace(0, 1, n_steps + 1, dtype=torch.float64)[:-1]
        low = torch.exp(torch.tensor(-self.lambda_max / 2, dtype=torch.float64)).atan()
        high = torch.exp(torch.tensor(-self.lambda_min / 2, dtype=torch.float64)).atan()
        # a straight line of angles from low to high
        table = torch.log(torch.tan(torch.lerp(low, high, times)) ** -2)
        self.register_buffer("lambdas", table.float().to(device))

    def get_exp_ratio(self, l, l_prim):  # noqa: E741
        return torch.exp(l - l_prim)

    def get_lambda(self, t):
        # index -1 is the last entry: of no use, but no error either
        return self.lambdas[t].reshape(-1, 1, 1, 1)

    @staticmethod
    def snr_to_alpha_squared(snr):
        return snr / (1 + snr)

    @staticmethod
    def snr_to_sigma_squared(snr):
        return 1 / (1 + snr)

    def alpha_lambda(self, lambda_t):
        return self.snr_to_alpha_squared(lambda_t.exp()).sqrt()

    def sigma_lambda(self, lambda_t):
        return self.snr_to_sigma_squared(lambda_t.exp()).sqrt()

    def q_sample(self, x, lambda_t, noise):
        b = x.shape[0]
        alpha, sigma = self.alpha_lambda(lambda_t).view(b), self.sigma_lambda(lambda_t).view(b)
        return torch.einsum("b,bchw->bchw", alpha, x) + torch.einsum("b,bchw->bchw", sigma, noise)

    def sigma_q(self, lambda_t, lambda_t_prim):
        snr, snr_prim = lambda_t.exp(), lambda_t_prim.exp()
        # sigma_l^2 - (snr / snr') sigma_l^2
        var_q = self.snr_to_sigma_squared(snr) * (snr_prim - snr) / snr_prim
        return var_q.clamp_min(1e-12).sqrt()

    def sigma_q_x(self, lambda_t, lambda_t_prim):
        snr, snr_prim = lambda_t.exp(), lambda_t_prim.exp()
        var_q_x = self.snr_to_sigma_squared(snr_prim) * (snr_prim - snr) / snr_prim
        return var_q_x.clamp_min(1e-12).sqrt()

    def mu_p_theta(self, z_lambda_t, x, lambda_t, lambda_t_prim):
        weight = self.get_exp_ratio(lambda_t, lambda_t_prim)
        alpha, alpha_prim = self.alpha_lambda(lambda_t), self.alpha_lambda(lambda_t_prim)
        # from the image x (weight 0) to z scaled to the next noise level (weight 1)
        return torch.lerp(alpha_prim * x, alpha_prim / alpha * z_lambda_t, weight.expand_as(x))

    def var_p_theta(self, lambda_t, lambda_t_prim, v=0.3):
        var_q_x = self.sigma_q_x(lambda_t, lambda_t_prim).square()
        var_q = self.sigma_q(lambda_t, lambda_t_prim).square()
        return var_q_x * (var_q / var_q_x) ** v

    def p_sample(self, z_lambda_t, lambda_t, lambda_t_prim, x_t, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        mean = self.mu_p_theta(z_lambda_t, x_t, lambda_t, lambda_t_prim)
        std = self.var_p_theta(lambda_t, lambda_t_prim).sqrt().expand_as(mean)
        return torch.distributions.Normal(mean, std, validate_args=False).sample()

    def loss(self, x0, labels, noise=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        t = torch.randint(0, self.n_steps, (x0.shape[0],), device=x0.device, dtype=torch.long)
        if noise is None:
            noise = torch.randn_like(x0)
        error = noise - self.eps_model(self.q_sample(x0, self.get_lambda(t), noise), labels)
        return torch.einsum("bchw,bchw->b", error, error).mean()
