"""file: q3_trainer_cfg.py
A Trainer of its own with EMA and train_epoch, in which the backward pass still stands twice; lambda' may be NaN.
"""

import copy
import os  # noqa: F401

import matplotlib.pyplot as plt
import numpy as np
import torch
import torchvision  # noqa: F401
from easydict import EasyDict  # noqa: F401
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
        for x0, labels in tqdm(dataloader):
            x0, labels = x0.to(self.args.device), labels.to(self.args.device)
            with autocast(self.args.device, enabled=self.args.fp16_precision):
                if np.random.random() < 0.1:
                    labels = None
                loss = self.diffusion.loss(x0, labels)
            self.optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.ema.step_ema(self.ema_model, self.eps_model)
            self.loss_per_iter.append(loss.item())
        self.scheduler.step()

    def train(self, dataloader):
        scaler = GradScaler(device=self.args.device, enabled=self.args.fp16_precision)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=5, gamma=0.5)
        self.loss_per_iter = []
        for epoch in range(self.args.epochs):
            self.current_epoch = epoch
            self.train_epoch(dataloader, scaler)
            if epoch % self.args.show_every_n_epochs == 0:
                self.sample(cfg_scale=self.args.cfg_scale)
            if (epoch + 1) % self.args.save_every_n_epochs == 0:
                self.save_model()

    def sample(self, labels=None, cfg_scale=3.0, n_steps=None, set_seed=False):
        if set_seed:
            torch.manual_seed(42)
        if n_steps is None:
            n_steps = self.args.n_steps
        self.eps_model.eval()
        with torch.no_grad():
            z_t = torch.randn(
                [self.args.n_samples, self.args.image_channels, self.args.image_size, self.args.image_size],
                device=self.args.device,
            )
            if labels is None:
                labels = torch.randint(0, 9, (self.args.n_samples,), device=self.args.device)
            if self.args.nb_save is not None:
                saving_steps = [self.args["n_steps"] - 1]

            for t_ in tqdm(range(n_steps)):
                t = n_steps - t_ - 1
                t = torch.full((self.args.n_samples,), t, device=self.args.device).long()

                lambda_t = self.diffusion.get_lambda(t)
                lambda_t_prim = self.diffusion.get_lambda(t - 1)

                eps_cond = self.eps_model(z_t, labels)
                eps_uncond = self.eps_model(z_t)
                eps = (1 + cfg_scale) * eps_cond - cfg_scale * eps_uncond

                x_t = (z_t - self.diffusion.sigma_lambda(lambda_t) * eps) / self.diffusion.alpha_lambda(lambda_t)
                z_t = self.diffusion.p_sample(z_t, lambda_t, lambda_t_prim, x_t)

                if self.args.nb_save is not None and t_ in saving_steps:
                    name = f"CFG_epoch_{self.current_epoch}_sample_{t_}.png"
                    show_save(x_t, labels, show=True, save=True, file_name=name)
        self.eps_model.train()
        return x_t

    def save_model(self):
        checkpoint = {
            "epoch": self.current_epoch,
            "model_state_dict": self.eps_model.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
        }
        torch.save(checkpoint, self.args.MODEL_PATH)


def show_save(img_tensor, labels=None, show=True, save=True, file_name="sample.png"):
    _, axs = plt.subplots(3, 3, figsize=(9, 9))
    assert img_tensor.shape[0] >= 9, "nine images are needed"
    for i, ax in enumerate(axs.flatten()):
        ax.imshow(np.clip(img_tensor[i, 0].cpu().numpy(), 0, 1), cmap="gray")
        if labels is not None:
            ax.set_title(f"Digit:{labels[i].item()}")
        ax.axis("off")
    plt.tight_layout()
    if save:
        plt.savefig(file_name)
    if show:
        plt.show()
    plt.close()
