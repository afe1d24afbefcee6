"""file: q3_trainer_cfg.py
The combination of the two estimates and the estimate of x are Python loops over images; weights (1 + w, -w) in a dot.
"""

import copy

import torch
from lab.ema import EMA, one_param  # noqa: F401
from lab.training import DiffusionTrainer
from tqdm import tqdm

torch.manual_seed(42)


class Trainer(DiffusionTrainer):
    lr_step_epochs = 5
    lr_gamma = 0.5

    def batch_loss(self, batch):
        x0, labels = (part.to(self.args.device) for part in batch)
        return self.diffusion.loss(x0, labels) if torch.rand(()) >= 0.1 else self.diffusion.loss(x0, None)

    def show_samples(self):
        self.sample(cfg_scale=self.args.cfg_scale)

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False, keep=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        self.eps_model.eval()
        history = []
        with torch.no_grad():
            shape = [
                self.args.n_samples,
                self.args.image_channels,
                self.args.image_size,
                self.args.image_size,
            ]
            z_t = torch.randn(shape, device=self.args.device)
            if labels is None:
                labels = torch.randint(0, 10, (self.args.n_samples,), device=self.args.device)
            weights = torch.tensor([1 + cfg_scale, -cfg_scale], device=self.args.device)
            for time in tqdm(list(range(n_steps))[::-1]):
                t = torch.ones_like(z_t[:, 0, 0, 0], dtype=torch.long) * time
                t_prim = torch.where(t > 0, t - 1, t)
                both = torch.stack([self.eps_model(z_t, labels), self.eps_model(z_t, None)])
                eps = torch.tensordot(weights, both, dims=1)
                lambda_t = self.diffusion.get_lambda(t)
                alpha, sigma = self.diffusion.alpha_lambda(lambda_t), self.diffusion.sigma_lambda(lambda_t)
                x_t = torch.stack([(z - s * e) / a for z, s, e, a in zip(z_t, sigma, eps, alpha, strict=True)])
                z_t = self.diffusion.p_sample(z_t, lambda_t, self.diffusion.get_lambda(t_prim), x_t)
                history.append(copy.deepcopy(x_t))
                print("step", n_steps - time, "mean of x", x_t.mean().item())
        self.eps_model.train()
        return history if keep else history[-1]
