"""file: q2_trainer_ddpm.py
All times stand in one table made beforehand; the methods are functions that are attached to the class at the end.
"""

import copy

import matplotlib.pyplot as plt
import torch
from ddpm_utils.args import args as default_args
from lab.ema import EMA, one_param  # noqa: F401
from torch.amp import GradScaler, autocast
from tqdm.auto import tqdm


class Trainer:
    def __init__(self, args, eps_model, diffusion_model):
        self.args = args
        self.device = args["device"]
        self.eps_model = eps_model.to(self.device)
        self.diffusion = diffusion_model
        self.optimizer = torch.optim.Adam(params=self.eps_model.parameters(), lr=args["learning_rate"])
        self.current_epoch = 0
        self.ema = EMA(0.995)
        self.ema_model = copy.deepcopy(self.eps_model).eval().requires_grad_(False)

    def train_epoch(self, dataloader, scaler):
        for x0 in dataloader:
            with autocast(device_type=self.device, enabled=self.args.fp16_precision):
                loss = self.diffusion.loss(x0.to(self.device))
            self.optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()
            self.ema.step_ema(self.ema_model, self.eps_model)

    def train(self, dataloader):
        scaler = GradScaler(self.device, enabled=self.args.fp16_precision)
        for _ in range(self.args.epochs):
            self.train_epoch(dataloader, scaler)
            self.current_epoch += 1

    def show_save(self, img_tensor, show=True, save=True, file_name="sample.png"):
        figure, axes = plt.subplots(3, 3)
        for position, axis in enumerate(axes.ravel()):
            if position < img_tensor.size(0):
                axis.imshow(img_tensor[position, 0].cpu().numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set_axis_off()
        if save:
            figure.savefig("images/" + file_name)
        if show:
            plt.show()
        plt.close(figure)


def _times(n_steps, n_samples, device):
    falling = torch.arange(n_steps, device=device).flip(0)
    return falling.unsqueeze(1).repeat(1, n_samples)


def _sample(self, n_steps=None, set_seed=False):
    if set_seed:
        torch.manual_seed(42)
    n_steps = n_steps if n_steps is not None else self.args.n_steps
    a = self.args
    with torch.no_grad():
        x = torch.randn([a.n_samples, a.image_channels, a.image_size, a.image_size], device=a.device)
        for t_, t in enumerate(tqdm(_times(n_steps, a.n_samples, a.device), disable=True)):
            x = self.diffusion.p_sample(x, t=t)
            if a.nb_save is not None and t_ == a["n_steps"] - 1:
                self.show_save(x, file_name=f"DDPM_epoch_{self.current_epoch}_sample_{t_}.png")
    return x


def _generate(self, model=None, n_samples=4, img_size=32, steps_to_show=(0, 999), n_steps=None, set_seed=False):
    if set_seed:
        torch.manual_seed(42)
    if n_steps is None:
        n_steps = default_args.n_steps
    x = torch.randn(n_samples, 1, img_size, img_size, device=default_args.device)
    kept = {0: x.numpy(force=True)}
    for step, t in enumerate(_times(n_steps, n_samples, default_args.device), start=1):
        x = self.diffusion.p_sample(x, t).detach()
        if step in steps_to_show:
            kept[step] = x.numpy(force=True).copy()
    return [kept[step] for step in sorted(kept)]


Trainer.sample = _sample
Trainer.generate_intermediate_samples = _generate
