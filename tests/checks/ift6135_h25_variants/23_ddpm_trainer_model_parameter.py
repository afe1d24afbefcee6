"""file: q2_trainer_ddpm.py
generate_intermediate_samples has a required first parameter `model`, keeps the gradients and copies each image.
"""

import copy
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from ddpm_utils.args import args
from lab.ema import EMA, one_param  # noqa: F401
from lab.figures import finish
from lab.training import DiffusionTrainer
from tqdm import tqdm

torch.manual_seed(42)
args.epochs = 20


class Trainer(DiffusionTrainer):
    lr_step_epochs = 10
    lr_gamma = 0.1

    def batch_loss(self, batch):
        return self.diffusion.loss(batch.to(self.args.device))

    def show_samples(self):
        self.sample()

    def sample(self, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps

        with torch.no_grad():
            shape = [
                self.args.n_samples,
                self.args.image_channels,
                self.args.image_size,
                self.args.image_size,
            ]
            x = torch.randn(shape, device=self.args.device)
            saving_steps = [n_steps - 1] if self.args.nb_save is not None else []

            for t_ in tqdm(range(n_steps)):
                t = torch.ones(self.args.n_samples, dtype=torch.int64, device=self.args.device) * (n_steps - 1 - t_)
                x = self.diffusion.p_sample(xt=x, t=t, set_seed=False)

                if t_ in saving_steps:
                    self.show_save(x, file_name=f"DDPM_epoch_{self.current_epoch}_sample_{t_}.png")
        return x

    def generate_intermediate_samples(
        self, model, n_samples=4, img_size=32, steps_to_show=(0, 999), n_steps=None, set_seed=False
    ):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = args.n_steps

        x = torch.randn(n_samples, 1, img_size, img_size, device=args.device)
        images = [copy.deepcopy(x.cpu().numpy())]
        for step in tqdm(range(1, n_steps + 1)):
            t = torch.tensor([n_steps - step] * n_samples, device=args.device)
            x = self.diffusion.p_sample(x, t)
            if step in steps_to_show:
                images.append(copy.deepcopy(x.detach().cpu().numpy()))
        return images

    def show_save(self, img_tensor, show=True, save=True, file_name="sample.png"):
        figure, axes = plt.subplots(3, 3, figsize=(6, 6))
        for axis, image in zip(axes.flat, img_tensor[:9].float().cpu(), strict=False):
            axis.imshow(image[0].clamp(0, 1), cmap="gray")
            axis.axis("off")
        finish(figure, path=Path("images") / file_name if save else None, show=show)
