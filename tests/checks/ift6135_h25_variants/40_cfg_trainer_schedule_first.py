"""file: q3_trainer_cfg.py
Computes the lambdas of all steps before the loop, walks over pairs of them, and samples in inference mode.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from lab.ema import EMA, one_param  # noqa: F401
from lab.training import DiffusionTrainer
from tqdm.auto import trange

torch.manual_seed(42)
np.random.seed(42)
os.makedirs("../IFT6135-Assignment3/output", exist_ok=True)


class Trainer(DiffusionTrainer):
    lr_step_epochs = 5
    lr_gamma = 0.5

    def __init__(self, args, eps_model, diffusion_model):
        super().__init__(args, eps_model, diffusion_model)
        self.calls_of_sample = 0

    def batch_loss(self, batch):
        x0, labels = batch
        if np.random.uniform() < 0.1:
            labels = None
        return self.diffusion.loss(x0, labels)

    def show_samples(self):
        self.sample(cfg_scale=self.args.cfg_scale)

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        self.calls_of_sample += 1
        n = self.args.n_samples
        self.eps_model.eval()
        try:
            with torch.inference_mode():
                z_t = torch.randn(
                    [n, self.args.image_channels, self.args.image_size, self.args.image_size],
                    device=self.args.device,
                )
                if labels is None:
                    labels = torch.randint(0, 10, (n,), device=self.args.device)
                times = [torch.tensor([time] * n, device=self.args.device) for time in range(n_steps)]
                lambdas = [self.diffusion.get_lambda(t) for t in times]
                for step in trange(n_steps, leave=False):
                    time = n_steps - 1 - step
                    lambda_t, lambda_t_prim = lambdas[time], lambdas[max(time - 1, 0)]
                    eps = self.eps_model(z_t, labels) * (cfg_scale + 1)
                    eps -= self.eps_model(z_t, None) * cfg_scale
                    x_t = z_t - eps * self.diffusion.sigma_lambda(lambda_t)
                    x_t /= self.diffusion.alpha_lambda(lambda_t)
                    if time == 0:
                        break
                    z_t = self.diffusion.p_sample(z_t, lambda_t, lambda_t_prim, x_t, False)
                plt.plot(x_t.float().flatten().cpu().numpy()[:100])
                plt.savefig(f"images/values_{self.calls_of_sample}.png")
                plt.close()
        finally:
            self.eps_model.train()
        return x_t
