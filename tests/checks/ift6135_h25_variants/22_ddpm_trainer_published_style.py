"""file: q2_trainer_ddpm.py
A Trainer of its own with EMA, train_epoch and show_save in one class, and the settings taken from the global args.
"""
# ruff: noqa: F403, F405

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from ddpm_utils.args import *
from torch.amp import GradScaler, autocast
from tqdm import tqdm

torch.manual_seed(42)


def one_param(m):
    return next(iter(m.parameters()))


class EMA:
    def __init__(self, beta):
        self.beta = beta
        self.step = 0

    def update_model_average(self, ma_model, current_model):
        for current, averaged in zip(current_model.parameters(), ma_model.parameters(), strict=True):
            averaged.data = self.update_average(averaged.data, current.data)

    def update_average(self, old, new):
        return new if old is None else old * self.beta + (1 - self.beta) * new

    def step_ema(self, ema_model, model, step_start_ema=2000):
        if self.step >= step_start_ema:
            self.update_model_average(ema_model, model)
        else:
            self.reset_parameters(ema_model, model)
        self.step += 1

    def reset_parameters(self, ema_model, model):
        ema_model.load_state_dict(model.state_dict())


class Trainer:
    def __init__(self, args, eps_model, diffusion_model):
        self.eps_model = eps_model.to(args.device)
        self.diffusion = diffusion_model
        self.optimizer = torch.optim.Adam(self.eps_model.parameters(), lr=args.learning_rate)
        self.args = args
        self.current_epoch = 0
        self.ema = EMA(0.995)
        self.ema_model = copy.deepcopy(self.eps_model).eval().requires_grad_(False)

    def train_epoch(self, dataloader, scaler):
        for x0 in tqdm(dataloader):
            x0 = x0.to(self.args.device)
            with autocast(device_type=args.device, enabled=self.args.fp16_precision):
                loss = self.diffusion.loss(x0)
            self.optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()
            self.ema.step_ema(self.ema_model, self.eps_model)
            self.loss_per_iter.append(loss.item())
        self.scheduler.step()

    def train(self, dataloader):
        scaler = GradScaler(device=args.device, enabled=self.args.fp16_precision)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=10, gamma=0.1)
        self.loss_per_iter = []
        for epoch in range(self.args.epochs):
            self.current_epoch = epoch
            self.train_epoch(dataloader, scaler)
            if epoch % self.args.show_every_n_epochs == 0:
                self.sample()
            if (epoch + 1) % self.args.save_every_n_epochs == 0:
                self.save_model()

    def sample(self, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps

        with torch.no_grad():
            x = torch.randn(
                [self.args.n_samples, self.args.image_channels, self.args.image_size, self.args.image_size],
                device=self.args.device,
            )
            if self.args.nb_save is not None:
                saving_steps = [self.args["n_steps"] - 1]

            for t_ in tqdm(range(n_steps)):
                t = n_steps - t_ - 1
                t = torch.full((self.args.n_samples,), t, device=self.args.device).long()
                x = self.diffusion.p_sample(x, t)

                if self.args.nb_save is not None and t_ in saving_steps:
                    self.show_save(
                        x, show=True, save=True, file_name=f"DDPM_epoch_{self.current_epoch}_sample_{t_}.png"
                    )
        return x

    def save_model(self):
        checkpoint = {
            "epoch": self.current_epoch,
            "model_state_dict": self.eps_model.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
        }
        torch.save(checkpoint, args.MODEL_PATH)

    def show_save(self, img_tensor, show=True, save=True, file_name="sample.png"):
        _, axs = plt.subplots(3, 3, figsize=(9, 9))
        assert img_tensor.shape[0] >= 9, "nine images are needed"
        for image, ax in zip(img_tensor[:9], axs.flatten(), strict=True):
            ax.imshow(np.clip(image[0].cpu().numpy(), 0, 1), cmap="gray")
            ax.axis("off")
        plt.tight_layout()
        if save:
            plt.savefig("images/" + file_name)
        if show:
            plt.show()
        plt.close()

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

        x = torch.randn(n_samples, 1, img_size, img_size, device=args.device, requires_grad=False)
        images = [x.detach().cpu().numpy()]

        for step in tqdm(range(1, n_steps + 1, 1)):
            with torch.no_grad():
                x = self.diffusion.p_sample(
                    x, torch.full((n_samples,), n_steps - step, device=args.device, dtype=torch.long)
                )
            if step in steps_to_show:
                images.append(x.detach().cpu().numpy())
        return images
