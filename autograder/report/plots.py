"""Figures for slides and reports, `genlab plot`: drawn with the reference solution and its trained weights."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import torch
from matplotlib.figure import Figure

from autograder.assignment import Assignment
from autograder.report import plot_fashion_mnist, plot_mnist, plot_svhn
from autograder.report.plot_masters import Masters, PlotError, Settings, masters
from autograder.report.plot_models import Decoder, Noising, Reversal

TIMES = (0, 50, 100, 200, 300, 400, 500, 700, 999)
OFFSETS = (-3.0, -1.5, 0.0, 1.5, 3.0)
"""What a traversal adds to one coordinate of a latent; the prior's standard deviation is 1."""
POINTS = 11
"""Images of an interpolation, both ends included."""

Drawing = Callable[[Masters, Any], Iterator[tuple[str, Figure]]]
"""Draws figures with what a function of `plot_models` finds; yields each with the end of its file's name, or ""."""


def schedules(masters: Masters, noisings: Callable[[Masters], list[Noising]]) -> Iterator[tuple[str, Figure]]:
    """All schedules of the assignment: what is left of the image, the signal-to-noise ratio, the betas."""
    pictures, found = masters.module("lab.pictures"), noisings(masters)
    left = {name: alpha_bars.sqrt() for name, alpha_bars, *_ in found}
    yield "signal", pictures.schedules(left, ylabel=r"what is left of the image: $\sqrt{\bar\alpha_t}$")
    ratios = {name: alpha_bars.logit() for name, alpha_bars, *_ in found}
    yield "log_snr", pictures.schedules(ratios, ylabel=r"log-SNR: $\log\,\bar\alpha_t / (1 - \bar\alpha_t)$")
    betas = {noising.name: noising.betas for noising in found if noising.betas is not None}
    yield "betas", pictures.schedules(betas, ylabel=r"variance of a step: $\beta_t$")


def forward(masters: Masters, source: tuple[Callable, Callable]) -> Iterator[tuple[str, Figure]]:
    """Real images noised with each schedule, with the same noise."""
    read, noisings = source
    images = read(masters)
    for noising in noisings(masters):
        noised = []
        for t in TIMES:
            torch.manual_seed(masters.settings.seed)  # the same noise at all times: only its share changes
            noised.append(noising.noised(images, t))
        title = f"forward process, {noising.name} schedule"
        yield noising.name, masters.module("lab.pictures").forward_process(images, noised, TIMES, title)


def reverse(masters: Masters, reversals: Callable[[Masters], Iterator[Reversal]]) -> Iterator[tuple[str, Figure]]:
    """From noise to images."""
    for name, steps, times in reversals(masters):
        title = f"{name}: from noise to images"
        yield name.lower(), masters.module("lab.pictures").reverse_process(steps, 11, title, times)


def interpolation(masters: Masters, decoders: Callable[[Masters], Iterator[Decoder]]) -> Iterator[tuple[str, Figure]]:
    """Between two latents drawn from the prior, in latent space and in pixel space."""
    for name, decode, shape in decoders(masters):
        for number in range(masters.settings.limit):
            first, last = torch.randn(2, 1, *shape)
            share = torch.linspace(0, 1, POINTS).view(-1, *(1 for _ in shape))  # (POINTS, 1, ...)
            latent = decode((1 - share) * first + share * last)  # (POINTS, C, H, W)
            share = share.view(-1, 1, 1, 1)
            pixel = (1 - share) * latent[:1] + share * latent[-1:]
            title = f"{name}: between two latents"
            yield f"{number + 1}", masters.module("lab.pictures").interpolations(latent, pixel, title)


def traversals(masters: Masters, decoders: Callable[[Masters], Iterator[Decoder]]) -> Iterator[tuple[str, Figure]]:
    """One latent drawn from the prior, with an offset added to one of its factors at a time."""
    for name, decode, (factors,) in decoders(masters):
        z = torch.randn(factors)
        moves = torch.eye(factors).unsqueeze(1) * torch.tensor(OFFSETS).view(-1, 1)  # (factors, offsets, factors)
        images = decode((z + moves).flatten(0, 1)).unflatten(0, (factors, len(OFFSETS)))
        yield "", masters.module("lab.pictures").traversals(images, OFFSETS, f"{name}: one factor at a time")


def guidance(masters: Masters, sweep: Callable[[Masters], tuple]) -> Iterator[tuple[str, Figure]]:
    """The same noise and the same digits with more and more guidance."""
    images, scales = sweep(masters)
    yield "", masters.module("lab.pictures").guidance_sweep(images, scales, "guidance scale w")


def knn(masters: Masters, column: str) -> Iterator[tuple[str, Figure]]:
    """The accuracy of nearest neighbours over the epochs, a line for each training."""
    files = masters.settings.csv
    if not files:
        raise PlotError(
            "this figure needs the curves of trainings: name each with --csv "
            "(results/VARIANT/loss.csv, which `python train_simsiam.py` writes)"
        )
    folders = [path.absolute().parent.name for path in files]
    rows: list[dict[str, float]] = []
    for path, folder in zip(files, folders, strict=True):
        name = folder if folders.count(folder) == 1 else str(path)
        rows += [{"epoch": epoch, name: accuracy} for epoch, accuracy in _read(path, "epoch", column)]
    yield "", masters.module("lab.pictures").curves(rows, x="epoch", ylabel="kNN accuracy")


def _read(path: Path, x: str, y: str) -> list[tuple[float, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row[x]), float(row[y])) for row in csv.DictReader(file)]
    except OSError as error:
        raise PlotError(f"{path} cannot be read ({error.strerror}); name another file with --csv") from error
    except (KeyError, ValueError, TypeError) as error:
        raise PlotError(f"{path} has no columns {x} and {y} of numbers; name another file with --csv") from error
    if not rows:
        raise PlotError(f"{path} holds no epoch; name another file with --csv")
    return rows


_SVHN: dict[str, tuple[Drawing, Any]] = {
    "schedules": (schedules, plot_svhn.noisings),
    "forward": (forward, (plot_svhn.images, plot_svhn.noisings)),
    "reverse": (reverse, plot_svhn.reversals),
    "traversals": (traversals, plot_svhn.decoders),
    "interpolation": (interpolation, plot_svhn.decoders),
}

KINDS: dict[str, dict[str, tuple[Drawing, Any]]] = {
    "cmput328_f24": {
        "schedules": (schedules, plot_fashion_mnist.noisings),
        "forward": (forward, (plot_fashion_mnist.images, plot_fashion_mnist.noisings)),
        "reverse": (reverse, plot_fashion_mnist.reversals),
        "interpolation": (interpolation, plot_fashion_mnist.decoders),
    },
    "ift6135_a22": {**_SVHN, "gan-interpolation": (interpolation, plot_svhn.generators)},
    "ift6135_h23": {**_SVHN, "knn": (knn, "knn_accuracy")},
    "ift6135_h25": {
        "schedules": (schedules, plot_mnist.noisings),
        "forward": (forward, (plot_mnist.images, plot_mnist.noisings)),
        "reverse": (reverse, plot_mnist.reversals),
        "traversals": (traversals, plot_mnist.decoders),
        "interpolation": (interpolation, plot_mnist.decoders),
        "guidance": (guidance, plot_mnist.guidance),
    },
}
"""Assignment -> kind -> how its figures are drawn, and with what."""


def kinds(assignment: Assignment) -> list[str]:
    """The kinds of figures that an assignment has."""
    return sorted(KINDS.get(assignment.id, {}))


def plot(kind: str, assignment: Assignment, settings: Settings, output: Path) -> Iterator[Path]:
    """Draw the figures of a kind and save them as `<kind>.png` or `<kind>_<name>.png`.

    Args:
        kind: such as `forward`.
        assignment: whose reference solution draws.
        settings: what the command line says.
        output: folder of the figures; made if it is missing.

    Yields:
        The path of each figure, as soon as it is written.

    Raises:
        PlotError: the assignment has no such figure, or data, weights or curves are missing.
    """
    if kind not in kinds(assignment):
        has = ", ".join(kinds(assignment)) or "none at all"
        raise PlotError(f"{assignment.id} has no figure {kind!r}; it has {has}")
    matplotlib.use("Agg")
    drawing, subject = KINDS[assignment.id][kind]
    with masters(assignment, settings) as found, torch.no_grad():
        torch.manual_seed(settings.seed)
        for name, figure in drawing(found, subject):
            path = output / f"{kind}{'_' * bool(name)}{name}.png"
            found.module("lab.figures").finish(figure, path=path)
            yield path
