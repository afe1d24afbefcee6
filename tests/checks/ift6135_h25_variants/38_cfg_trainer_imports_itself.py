"""file: q3_trainer_cfg.py
Imports itself by name; guidance is a method of its own; the last step follows the loop, n - 1 calls of p_sample.
"""
# ruff: noqa: F403

import os

import matplotlib.pyplot as plt
import torch
from lab.ema import EMA, one_param  # noqa: F401
from lab.training import DiffusionTrainer
from q3_trainer_cfg import *

torch.manual_seed(42)
os.makedirs("/content/drive/MyDrive/x", exist_ok=True)


class Trainer(DiffusionTrainer):
    lr_step_epochs = 5
    lr_gamma = 0.5

    def batch_loss(self, batch):
        x0, labels = batch[0].to(self.args.device), batch[1].to(self.args.device)
        return self.diffusion.loss(x0, None if torch.rand(()) < 0.1 else labels)

    def show_samples(self):
        self.sample(cfg_scale=self.args.cfg_scale)

    def guided_eps(self, z, labels, w=0.0):
        conditional = self.eps_model(z, labels)
        unconditional = self.eps_model(z, None)
        return torch.lerp(unconditional, conditional, 1.0 + w)

    def estimate_image(self, z, lambda_t, eps):
        return (z - self.diffusion.sigma_lambda(lambda_t) * eps).div(self.diffusion.alpha_lambda(lambda_t))

    @torch.no_grad()
    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False, noise=None, verbose=True):
        if set_seed:
            torch.manual_seed(42)
        n_steps = self.args.n_steps if n_steps is None else n_steps
        self.eps_model.eval()
        n, side, device = self.args.n_samples, self.args.image_size, self.args.device
        z = torch.randn(n, self.args.image_channels, side, side, device=device) if noise is None else noise
        if labels is None:
            labels = torch.randint(0, 10, size=(n,), device=device)

        t = torch.full((n,), n_steps - 1, dtype=torch.long, device=device)
        while t[0] > 0:
            lambda_t, lambda_t_prim = self.diffusion.get_lambda(t), self.diffusion.get_lambda(t - 1)
            x = self.estimate_image(z, lambda_t, self.guided_eps(z, labels, cfg_scale))
            z = self.diffusion.p_sample(z, lambda_t, lambda_t_prim, x)
            if verbose:
                print("time", int(t[0]))
            t = t - 1
        x = self.estimate_image(z, self.diffusion.get_lambda(t), self.guided_eps(z, labels, cfg_scale))
        self.draw(x, labels)
        self.eps_model.train()
        return x

    def draw(self, images, labels):
        plt.figure()
        plt.imshow(images[0, 0].float().cpu(), cmap="gray")
        plt.title(str(int(labels[0])))
        plt.show()
        plt.close()
