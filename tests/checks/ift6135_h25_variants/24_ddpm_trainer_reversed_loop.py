"""file: q2_trainer_ddpm.py
The time itself counts down, set_seed is passed on to each step, a picture at every call; show_save is a function.
"""
# ruff: noqa: F403, F405

import copy

import matplotlib.pyplot as plt
import torch
from ddpm_utils.args import *
from lab.ema import EMA, one_param  # noqa: F401

torch.manual_seed(42)


def save_grid(images, file_name="sample.png"):
    columns = min(3, len(images))
    _, axes = plt.subplots(1, columns, squeeze=False)
    for axis, image in zip(axes[0], images, strict=False):
        axis.imshow(image[0].cpu(), cmap="gray")
    plt.savefig(f"images/{file_name}")
    plt.show()
    plt.close("all")


class Trainer:
    def __init__(self, args, eps_model, diffusion_model, verbose=True):
        self.args = args
        self.verbose = verbose
        self.eps_model = eps_model.to(args.device)
        self.diffusion = diffusion_model
        self.optimizer = torch.optim.Adam(self.eps_model.parameters(), lr=args.learning_rate)
        self.current_epoch = 0
        self.ema = EMA(0.995)
        self.ema_model = copy.deepcopy(self.eps_model).eval().requires_grad_(False)

    def train(self, dataloader):
        self.loss_per_iter = []
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=10, gamma=0.1)
        for epoch in range(self.args.epochs):
            self.current_epoch = epoch
            for x0 in dataloader:
                self.optimizer.zero_grad()
                loss = self.diffusion.loss(x0.to(self.args.device))
                loss.backward()
                self.optimizer.step()
                self.ema.step_ema(self.ema_model, self.eps_model)
                self.loss_per_iter.append(loss.item())
            self.scheduler.step()
            self.sample()

    @torch.no_grad()
    def sample(self, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        n_steps = self.args.n_steps if n_steps is None else n_steps
        x = torch.randn(
            self.args.n_samples,
            self.args.image_channels,
            self.args.image_size,
            self.args.image_size,
            device=self.args.device,
        )
        for time in reversed(range(n_steps)):
            t = x.new_full((x.size(0),), time, dtype=torch.int64)
            x = self.diffusion.p_sample(x, t, set_seed)
            if self.verbose:
                print("time", time, "standard deviation", x.std().item())
        save_grid(x, f"epoch_{self.current_epoch}_last.png")
        return x

    @torch.no_grad()
    def generate_intermediate_samples(
        self, n_samples=4, img_size=32, steps_to_show=(0, 999), n_steps=None, set_seed=False, model=None
    ):
        if set_seed:
            torch.manual_seed(42)
        n_steps = args.n_steps if n_steps is None else n_steps
        wanted = set(steps_to_show)
        x = torch.randn((n_samples, 1, img_size, img_size), device=args.device)
        images = [x.cpu().numpy()]
        time = n_steps - 1
        while time >= 0:
            x = self.diffusion.p_sample(x, torch.full((n_samples,), time, device=x.device), set_seed=set_seed)
            if n_steps - time in wanted:
                images += [x.cpu().numpy()]
            time -= 1
        save_grid(x, "intermediate.png")
        return images
