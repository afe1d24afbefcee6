"""The training loop of the diffusion models: the same for both, but for what one batch costs."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp import GradScaler, autocast
from torch.optim.lr_scheduler import StepLR
from tqdm import tqdm

from lab import checkpoint, curves
from lab.ema import EMA


class DiffusionTrainer:
    """Trains a network that estimates noise.

    A subclass says what one batch costs (`batch_loss`), what is drawn in the middle of the training
    (`show_samples`) and how the learning rate falls (times `lr_gamma` every `lr_step_epochs` epochs).

    Attributes:
        args: settings: device, learning_rate, epochs, fp16_precision, show_every_n_epochs, save_every_n_epochs,
            MODEL_PATH.
        eps_model: the network, on `args.device`.
        diffusion: the diffusion model; its `loss` uses `eps_model`.
        optimizer: Adam.
        scheduler: lowers the learning rate.
        ema: the moving average that makes `ema_model` from `eps_model`; sampling does not use it.
        current_epoch: number of the epoch that is being trained, from 0; after `train`, `args.epochs`.
        loss_per_iter: the loss of each step of the optimizer so far.
    """

    lr_step_epochs: int
    lr_gamma: float

    def __init__(self, args: Any, eps_model: nn.Module, diffusion_model: Any):
        """Move the network to `args.device` and make its optimizer."""
        self.args = args
        self.eps_model = eps_model.to(args.device)
        self.diffusion = diffusion_model
        self.optimizer = torch.optim.Adam(self.eps_model.parameters(), lr=args.learning_rate)
        self.scheduler = StepLR(self.optimizer, step_size=self.lr_step_epochs, gamma=self.lr_gamma)
        self.current_epoch = 0
        self.loss_per_iter: list[float] = []
        self.ema = EMA(0.995)
        self.ema_model = copy.deepcopy(self.eps_model).eval().requires_grad_(False)

    def batch_loss(self, batch: Any) -> torch.Tensor:
        """Loss of one batch of the data loader; a tensor without dimensions."""
        raise NotImplementedError(f"{type(self).__name__} has to define batch_loss")

    def show_samples(self) -> None:
        """Draw images in the middle of the training and save them."""
        raise NotImplementedError(f"{type(self).__name__} has to define show_samples")

    def train_epoch(self, dataloader: Iterable, scaler: GradScaler) -> float:
        """Train for one epoch.

        Args:
            dataloader: batches as `batch_loss` wants them.
            scaler: keeps small gradients from vanishing in half precision.

        Returns:
            The mean loss of its steps.
        """
        device_type = torch.device(self.args.device).type
        first = len(self.loss_per_iter)
        with tqdm(dataloader, desc=f"epoch {self.current_epoch + 1}/{self.args.epochs}") as progress:
            for batch in progress:
                with autocast(device_type, enabled=self.args.fp16_precision):
                    loss = self.batch_loss(batch)
                self.optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(self.optimizer)
                scaler.update()
                self.ema.step_ema(self.ema_model, self.eps_model)
                self.loss_per_iter.append(loss.item())
                progress.set_postfix(loss=f"{self.loss_per_iter[-1]:.2f}")
        return sum(self.loss_per_iter[first:]) / (len(self.loss_per_iter) - first)

    def train(self, dataloader: Iterable) -> None:
        """Train up to epoch `args.epochs`, from `current_epoch` on.

        Samples are drawn every `args.show_every_n_epochs` epochs, a checkpoint and the curve are saved every
        `args.save_every_n_epochs`, and each of them after the last epoch.
        """
        if self.current_epoch >= self.args.epochs:
            print(f"{self.current_epoch} of {self.args.epochs} epochs are done already: ask for more to train on")
        device_type = torch.device(self.args.device).type
        scaler = GradScaler(device_type, enabled=self.args.fp16_precision and device_type == "cuda")
        while self.current_epoch < self.args.epochs:
            epoch, last = self.current_epoch, self.current_epoch == self.args.epochs - 1
            loss = self.train_epoch(dataloader, scaler)
            self.scheduler.step()
            print(f"epoch {epoch + 1}  training loss {loss:.2f}")
            if epoch % self.args.show_every_n_epochs == 0 or last:
                self.show_samples()
            self.current_epoch += 1
            if epoch % self.args.save_every_n_epochs == 0 or last:
                self.save_model()
                self.save_curve()

    def save_model(self) -> None:
        """Save everything that the training needs to go on, to `args.MODEL_PATH`."""
        checkpoint.save(
            self.args.MODEL_PATH,
            epoch=self.current_epoch,
            model_state_dict=self.eps_model.state_dict(),
            optimizer_state_dict=self.optimizer.state_dict(),
            scheduler_state_dict=self.scheduler.state_dict(),
            ema_state_dict=self.ema_model.state_dict(),
            ema_step=self.ema.step,
            loss_per_iter=self.loss_per_iter,
            rng=checkpoint.rng_state(),
        )

    def load_model(self) -> None:
        """Go back to where the checkpoint in `args.MODEL_PATH` was saved.

        Raises:
            CheckpointError: there is no such file, or it is not from this training or belongs to another network.
        """
        state = checkpoint.load(self.args.MODEL_PATH, "model_state_dict", "scheduler_state_dict", "rng")
        checkpoint.fill(self.eps_model, state, self.args.MODEL_PATH)
        self.optimizer.load_state_dict(state["optimizer_state_dict"])
        self.scheduler.load_state_dict(state["scheduler_state_dict"])
        self.ema_model.load_state_dict(state["ema_state_dict"])
        self.ema.step = state["ema_step"]
        self.current_epoch = state["epoch"]
        self.loss_per_iter = state["loss_per_iter"]
        checkpoint.set_rng_state(state["rng"])

    def save_curve(self) -> None:
        """Save the loss of all steps so far as CSV and PNG, beside the checkpoint."""
        rows = [{"step": step, "loss": loss} for step, loss in enumerate(self.loss_per_iter, 1)]
        stem = Path(self.args.MODEL_PATH).with_suffix("")
        curves.save(rows, stem.with_name(f"{stem.name}_loss"), x="step", ylabel="squared error per image")
