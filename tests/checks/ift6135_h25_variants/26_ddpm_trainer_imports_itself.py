"""file: q2_trainer_ddpm.py
Imports itself by name; the two methods share a generator that yields every step, run in inference mode.
"""
# ruff: noqa: F403, F405

import os

import matplotlib.pyplot as plt
import numpy as np
import torch
import tqdm as progress
from ddpm_utils.args import *
from lab.ema import EMA, one_param  # noqa: F401
from lab.training import DiffusionTrainer
from q2_trainer_ddpm import *
from torchvision.utils import make_grid

torch.manual_seed(42)
os.makedirs("../IFT6135-Assignment3/output", exist_ok=True)


def reverse_process(diffusion, x, n_steps):
    """Yields (number of steps that are done, images)."""
    yield 0, x
    for step in progress.tqdm(range(1, n_steps + 1)):
        t = torch.ones_like(x[:, 0, 0, 0]).mul(n_steps - step).to(torch.long)
        x = diffusion.p_sample(x, t)
        yield step, x


class Trainer(DiffusionTrainer):
    lr_step_epochs = 10
    lr_gamma = 0.1

    def batch_loss(self, batch):
        return self.diffusion.loss(batch.to(self.args.device))

    def show_samples(self):
        self.sample()

    def sample(self, n_steps=None, set_seed=False, return_all=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        size = (self.args.n_samples, self.args.image_channels, self.args.image_size, self.args.image_size)
        with torch.inference_mode():
            noise = torch.randn(size, device=self.args.device)
            trajectory = [x for _, x in reverse_process(self.diffusion, noise, n_steps)]
        if self.args.nb_save is not None:
            self.show_and_save(trajectory[-1], f"DDPM_epoch_{self.current_epoch}_sample_{n_steps - 1}.png")
        return trajectory if return_all else trajectory[-1]

    def generate_intermediate_samples(
        self,
        n_samples=4,
        img_size=32,
        steps_to_show=[0, 999],  # noqa: B006
        n_steps=None,
        set_seed=False,
    ):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = args.n_steps
        noise = torch.randn(n_samples, 1, img_size, img_size, device=args.device)
        with torch.no_grad():
            steps = reverse_process(self.diffusion, noise, n_steps)
            return [np.array(x.cpu()) for step, x in steps if step == 0 or step in steps_to_show]

    def show_and_save(self, images, file_name):
        plt.imshow(make_grid(images[:9].clamp(0, 1).cpu(), nrow=3).permute(1, 2, 0))
        plt.axis("off")
        plt.savefig(os.path.join("images", file_name))
        plt.show()
        plt.close()
