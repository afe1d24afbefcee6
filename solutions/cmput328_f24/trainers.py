"""The training of the models: given, and the same for all.

Every epoch ends with a checkpoint to resume from (`checkpoints/<NAME>.training.pt`) and with the weights to hand in
(`checkpoints/<NAME>.pt`): an average of the weights of the last steps, which samples better than the last weights.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter

import torch
from classifier import RANGES
from lab import checkpoint, curves
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel
from torchvision.utils import save_image
from tqdm import tqdm

AVERAGE = 0.999
"""What one step leaves of the averaged weights, once the training has gone on for a while."""

CHECKPOINTS = Path("checkpoints")


class TrainingError(RuntimeError):
    """The training cannot go on; the message says why, and what to do."""


def train_ddpm_ddim(
    diffusion_model: nn.Module,
    train_loader: Iterable,
    epochs: int,
    lr: float = 2e-4,
    device: torch.device | str = "cpu",
    eval_intervals: int = 10,
    num_samples: int = 5,
    **options: bool,
) -> None:
    """Train a DDPM or a DDIM on images in [-1, 1].

    Args:
        diffusion_model: a `DDPM` or a `DDIM`.
        train_loader: batches of images, float (B, C, H, W), and labels, int64 (B,).
        epochs: number of epochs, those of an interrupted training included.
        lr: the learning rate of the first step; it falls to zero along a cosine.
        device: where to train.
        eval_intervals: draw samples after every so many epochs, and after the first and the last.
        num_samples: images of each class in these samples.
        options: `resume`, go on from the last checkpoint; `bfloat16`, compute in half precision.

    Raises:
        TrainingError: the loss is no longer a finite number.
        CheckpointError: there is no checkpoint to resume from, or it belongs to another network.
    """

    def loss_of(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return diffusion_model(images, labels)

    _train(diffusion_model, loss_of, train_loader, epochs, lr, device, eval_intervals, num_samples, **options)


def train_vae(
    vae: nn.Module,
    train_loader: Iterable,
    epochs: int,
    lr: float = 3e-4,
    device: torch.device | str = "cpu",
    num_samples: int = 5,
    eval_intervals: int = 5,
    **options: bool,
) -> None:
    """Train a VAE on images in [0, 1]; arguments and errors are those of `train_ddpm_ddim`."""

    def loss_of(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        out, mean, logvar = vae(images, labels)
        with torch.autocast(images.device.type, enabled=False):  # cross-entropy is refused in half precision
            loss = vae.reconstruction_loss(out.float(), images) + vae.kl_loss(mean.float(), logvar.float())
        return loss / len(images)

    _train(vae, loss_of, train_loader, epochs, lr, device, eval_intervals, num_samples, **options)


def train_lddpm(
    diffusion_model: nn.Module,
    train_loader: Iterable,
    epochs: int,
    lr: float = 2e-4,
    device: torch.device | str = "cpu",
    eval_intervals: int = 10,
    num_samples: int = 5,
    **options: bool,
) -> None:
    """Train an LDDPM on images in [0, 1], which its VAE encodes; the rest is as in `train_ddpm_ddim`."""

    def loss_of(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            diffusion_model.vae.eval()
            _, mean, logvar = diffusion_model.vae(images, labels)
            latents = diffusion_model.vae.reparameterize(mean, logvar)
        return diffusion_model(latents.float(), labels)

    _train(diffusion_model, loss_of, train_loader, epochs, lr, device, eval_intervals, num_samples, **options)


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Fill a model with the weights that were read from the file `path`.

    Raises:
        CheckpointError: the weights do not fit the networks of the model.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise checkpoint.CheckpointError(
            f"the weights in {path} do not fit the networks that models.py and assignment.py make now: "
            f"go back to the sizes that you trained with, or train anew, without --resume"
        ) from error


def _train(
    model: nn.Module,
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    train_loader: Iterable,
    epochs: int,
    lr: float,
    device: torch.device | str,
    eval_intervals: int,
    num_samples: int,
    resume: bool = False,
    bfloat16: bool = False,
) -> None:
    device = torch.device(device)
    model.to(device)
    name = type(model).__name__
    weights, training = CHECKPOINTS / f"{name}.pt", CHECKPOINTS / f"{name}.training.pt"
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=lr)
    average = AveragedModel(model, multi_avg_fn=_follow, use_buffers=True)
    rows: list[dict[str, float]] = []
    if resume:
        state = checkpoint.load(training, "model_state_dict", "optimizer", "average", "rows", "rng")
        load_weights(model, state["model_state_dict"], training)
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        rows = state["rows"]
        checkpoint.set_rng_state(state["rng"])
    if len(rows) >= epochs:
        print(f"{len(rows)} of {epochs} epochs are done already: ask for more to train on")
    scheduler = _cosine(optimizer, lr, len(rows) * len(train_loader), epochs * len(train_loader))

    for epoch in range(len(rows) + 1, epochs + 1):
        start, total = perf_counter(), 0.0
        model.train()
        with tqdm(train_loader, desc=f"{name} epoch {epoch}/{epochs}") as progress:
            for images, labels in progress:
                with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                    loss = loss_of(images.to(device), labels.to(device))
                value = loss.item()
                if not math.isfinite(value):
                    raise TrainingError(
                        f"the loss is {value} in epoch {epoch}: look for a division by zero or the root of a negative "
                        "number, or lower --lr; --resume goes on from the last finished epoch, if there is one"
                    )
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                scheduler.step()
                average.update_parameters(model)
                total += value
                progress.set_postfix(loss=f"{value:.4f}")
        rows.append({"epoch": epoch, "loss": total / len(train_loader), "seconds": perf_counter() - start})
        print(f"epoch {epoch}  training loss {rows[-1]['loss']:.4f}  {rows[-1]['seconds']:.0f} s")

        checkpoint.save(
            training,
            model_state_dict=model.state_dict(),
            optimizer=optimizer.state_dict(),
            average=average.state_dict(),
            rows=rows,
            rng=checkpoint.rng_state(),
        )
        checkpoint.save(weights, **average.module.state_dict())
        curves.save(
            [{"epoch": row["epoch"], "loss": row["loss"]} for row in rows],
            CHECKPOINTS / f"{name}_loss",
            x="epoch",
            ylabel="training loss",
        )
        if epoch in (1, epochs) or epoch % eval_intervals == 0:
            _draw_samples(average.module, device, num_samples)


def _cosine(optimizer: torch.optim.Optimizer, lr: float, done: int, steps: int) -> LambdaLR:
    """The learning rate of step `done` and all later ones: half a cosine from `lr` to zero in `steps` steps."""
    for group in optimizer.param_groups:
        group["initial_lr"] = lr
    return LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / steps)) / 2, last_epoch=done - 1)


def _follow(averaged: Sequence[torch.Tensor], current: Sequence[torch.Tensor], count: torch.Tensor | int) -> None:
    """The moving average; it is short at first, so that a training of few steps does not keep its first weights."""
    keep = min(AVERAGE, (1 + float(count)) / (10 + float(count)))
    for old, new in zip(averaged, current, strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)


def _draw_samples(model: nn.Module, device: torch.device, num_samples: int) -> None:
    """Save samples of each class; the random numbers of the training go on as if none had been drawn."""
    name = type(model).__name__
    rng = checkpoint.rng_state()
    labels = torch.arange(10, device=device).repeat_interleave(num_samples)
    print(f"drawing {len(labels)} images into {name}_sample.png ...", flush=True)
    samples = model.eval().generate_sample(len(labels), device, labels=labels)
    save_image(samples, f"{name}_sample.png", nrow=num_samples, normalize=True, value_range=RANGES[name])
    checkpoint.set_rng_state(rng)
