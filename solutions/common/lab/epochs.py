"""The training of a model epoch by epoch: progress, wall-clock log, pictures of samples, and how to go on later."""

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from lab import checkpoint, curves, pictures
from lab.data import DataError
from lab.device import choose_device
from lab.figures import finish

SAMPLES_EVERY = 5
"""Epochs from one picture of samples to the next."""

Parts = Mapping[str, nn.Module | Optimizer | LRScheduler]
"""Networks, optimizers and schedules, by name."""


class TrainingError(RuntimeError):
    """The training cannot go on; the message says why, and what to do."""


@dataclass
class Run:
    """What the command line says about a training.

    Attributes:
        epochs: number of epochs, those of an interrupted training included.
        batch_size: images of a batch.
        device: where to train.
        data_root: folder with NAME/train.npz; None: the environment variable GENLAB_DATA, or a download.
        limit: use only the first so many images; None: all.
        seed: of torch's generator.
        resume: go on from the checkpoint.
        output: folder for the checkpoint, the curves and the pictures.
        small: networks and sizes that a processor without GPU trains in minutes.
        figures: make the figures of the report from the checkpoint, instead of training.
    """

    epochs: int
    batch_size: int
    device: str
    data_root: str | None
    limit: int | None
    seed: int
    resume: bool
    output: Path
    small: bool
    figures: bool

    @property
    def checkpoint(self) -> Path:
        """The file that the training writes after every epoch."""
        return self.output / "checkpoint.pt"


def make_parser(description: str, output: str, epochs: int, batch_size: int) -> argparse.ArgumentParser:
    """The command line that all trainings have.

    Args:
        description: what the program does.
        output: default of the folder for results.
        epochs: default number of epochs.
        batch_size: default number of images of a batch.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--epochs", type=_positive, default=epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=_positive, default=batch_size, help="default: %(default)s")
    parser.add_argument("--device", default=choose_device(), choices=("cuda", "mps", "cpu"), help="here: %(default)s")
    parser.add_argument("--data-root", help="folder with NAME/train.npz; default: download")
    parser.add_argument("--limit", type=_positive, help="use only the first so many images")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--output", type=Path, default=Path(output), help="folder for results; default: %(default)s")
    parser.add_argument("--small", action="store_true", help="sizes that a processor without GPU trains in minutes")
    parser.add_argument("--figures", action="store_true", help="make the report's figures from the checkpoint")
    return parser


def read_run(parser: argparse.ArgumentParser, small: Mapping[str, Any] | None = None) -> Run:
    """Read the command line, and seed torch.

    Args:
        parser: made by `make_parser`, with further options perhaps.
        small: what is the default of some options with --small, such as `epochs`.
    """
    if parser.parse_known_args()[0].small:
        parser.set_defaults(**(small or {}))
    options = vars(parser.parse_args())
    torch.manual_seed(options["seed"])
    return Run(**{name: options[name] for name in Run.__dataclass_fields__})


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """End the program with one sentence where the student can mend what is wrong."""
    try:
        yield
    except (checkpoint.CheckpointError, DataError, TrainingError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; the last finished epoch is saved, if there is one: --resume goes on from it")


def train(
    run: Run,
    parts: Parts,
    batches: Iterable,
    step: Callable[..., dict[str, torch.Tensor]],
    draw: Callable[[], torch.Tensor] | None = None,
    measure: Callable[[], dict[str, float]] | None = None,
) -> None:
    """Train up to epoch `run.epochs`, and write a checkpoint and the curves after each epoch.

    Files in `run.output`: `checkpoint.pt`; `loss.csv` and `loss.png`; `time.csv` and `time.png`, the wall-clock
    seconds since the start; `samples_epoch_05.png` and so on.

    Args:
        run: what the command line says.
        parts: what a checkpoint has to keep, by name. Networks are moved to the device before.
        batches: one iteration over it is one epoch; a batch is what `step` takes.
        step: trains on one batch, and returns the losses by name.
        draw: images in [-1, 1], (N, 3, H, W), for the picture of the samples.
        measure: called after every epoch; returns more numbers for the curves, by name.

    Raises:
        TrainingError: a loss is no longer a finite number.
        CheckpointError: there is nothing to resume from, or it belongs to another network.
    """
    rows = load_parts(run, parts) if run.resume else []
    if len(rows) >= run.epochs:
        print(f"{len(rows)} of {run.epochs} epochs are done already: ask for more to train on")
    networks = [part for part in parts.values() if isinstance(part, nn.Module)]
    for epoch in range(len(rows) + 1, run.epochs + 1):
        start = perf_counter()
        for network in networks:
            network.train()
        row = {"epoch": float(epoch), **_train_epoch(f"epoch {epoch}/{run.epochs}", batches, step)}
        seconds = perf_counter() - start + (rows[-1]["seconds"] if rows else 0.0)
        for network in networks:
            network.eval()
        if measure is not None:
            row |= measure()
        rows.append({**row, "seconds": seconds})
        print("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
        _save(run, parts, rows)
        if draw is not None and (epoch in (1, run.epochs) or epoch % SAMPLES_EVERY == 0):
            rng = checkpoint.rng_state()
            with torch.no_grad():
                show_images(draw(), run.output / f"samples_epoch_{epoch:02}.png", f"epoch {epoch}")
            checkpoint.set_rng_state(rng)  # a resumed training goes on from before the picture


def load_parts(run: Run, parts: Parts) -> list[dict[str, float]]:
    """Fill networks, optimizers and schedules from the checkpoint.

    Returns:
        One row for each epoch so far, with its losses.

    Raises:
        CheckpointError: there is no checkpoint, or it belongs to other networks.
    """
    state = checkpoint.load(run.checkpoint, "rows", "rng", *parts)
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            checkpoint.fill(part, {"model_state_dict": state[name]}, run.checkpoint)
        else:
            part.load_state_dict(state[name])
    checkpoint.set_rng_state(state["rng"])
    return state["rows"]


def show_images(images: torch.Tensor, path: Path, title: str, nrow: int = 8) -> None:
    """Save images in [-1, 1], (N, 3, H, W), as a picture with a title.

    Raises:
        TrainingError: the images have another shape, or hold NaN.
    """
    try:
        figure = pictures.grid((images + 1) / 2, columns=nrow, title=title)
    except ValueError as error:
        raise TrainingError(f"{path} cannot be drawn: {error}") from error
    finish(figure, path=path)


def _train_epoch(title: str, batches: Iterable, step: Callable[..., dict[str, torch.Tensor]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    count = 0
    with tqdm(batches, desc=title) as progress:
        for batch in progress:
            losses = {name: float(loss) for name, loss in step(batch).items()}
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise TrainingError(
                        f"{name} is {value}: look for a division by zero or the logarithm of a negative number; "
                        "--resume goes on from the last finished epoch, if there is one"
                    )
                totals[name] = totals.get(name, 0.0) + value
            count += 1
            progress.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
    return {name: total / count for name, total in totals.items()}


def _save(run: Run, parts: Parts, rows: list[dict[str, float]]) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    checkpoint.save(run.checkpoint, rows=rows, rng=checkpoint.rng_state(), **states)
    losses = [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
    curves.save(losses, run.output / "loss", x="epoch", ylabel="mean of the epoch")
    times = [{"epoch": row["epoch"], "seconds": row["seconds"]} for row in rows]
    curves.save(times, run.output / "time", x="epoch", ylabel="wall-clock time (s)")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text}")
    return int(text)
