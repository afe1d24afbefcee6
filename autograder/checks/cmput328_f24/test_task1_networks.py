"""Task 1: the embedding of the time, and the U-Net."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.cmput328_f24.outputs import ALIKE
from autograder.checks.cmput328_f24.own_models import BENCH, CLASSES, IMAGE, IMAGES, own_network
from autograder.checks.cmput328_f24.public_probes import CHANGED, change
from autograder.checks.cmput328_f24.schedules import filled_in
from autograder.grading import expect, fail, fetch, points
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Student

TIMES = 1000
DIM = 32


# --- the embedding of the time --------------------------------------------------------------------------------------


def _embed(student: Student, dim: int, times: torch.Tensor) -> torch.Tensor:
    value = student.models.SinusoidalPositionEmbeddings(dim)(times)
    return expect(filled_in(value, "SinusoidalPositionEmbeddings"), "the embedding").tensor(
        (len(times), dim), "(batch, dim)"
    )


@points("models.SinusoidalPositionEmbeddings", 0.3)
def test_embeddings_rows(student: Student, draw: Draw) -> None:
    """SinusoidalPositionEmbeddings: one row for each time, with values from -1 to 1"""
    times = draw.distinct(0, TIMES, 7)
    for dim in (DIM, 128):
        rows = _embed(student, dim, times)
        expect(float(rows.abs().max()) <= 1 + 1e-5).true(
            expected="values from -1 to 1, as sines and cosines have.", got="larger values."
        )
        single = torch.cat([_embed(student, dim, times[i : i + 1]) for i in range(3)])
        expect(torch.allclose(rows[:3], single, atol=1e-4)).true(
            expected="rows that depend on their own time alone.",
            got="a time whose row is another one where there are other times in the batch.",
        )


@points("models.SinusoidalPositionEmbeddings", 0.4)
def test_embeddings_sinusoids(student: Student) -> None:
    """SinusoidalPositionEmbeddings: sines and cosines of the same angles, which grow evenly with the time"""
    rows = _embed(student, DIM, torch.arange(TIMES))
    if bool((rows.std(0) < 1e-7).all()):
        fail("an embedding that depends on the time.", "the same embedding for all times.")
    squares = rows**2
    partner = torch.stack([(squares + squares[:, [i]] - 1).abs().amax(0) for i in range(DIM)])
    alone = int((partner.amin(1) > 5e-3).sum())
    if alone:
        fail(
            "for each sine the cosine of the same angle.",
            f"{alone} of {DIM} columns without a partner.",
            "half of the values are sines, the other half cosines, and both of the same angles.",
        )
    products = rows @ rows.T
    drift = max(float(torch.diagonal(products, gap).std()) for gap in (1, 10, 100, 500))
    expect(drift < 0.02 * DIM).true(
        expected="angles that are time times frequency: rows of times equally far apart are equally alike.",
        got="rows for which this does not hold.",
        hint="time and frequencies are multiplied: (B, 1) times (1, dim / 2).",
    )


@points("models.SinusoidalPositionEmbeddings", 0.3)
def test_embeddings_frequencies(student: Student) -> None:
    """SinusoidalPositionEmbeddings: fast and slow frequencies tell all times apart"""
    rows = _embed(student, DIM, torch.arange(TIMES))
    speed = (rows[1:] - rows[:-1]).abs().amax(0).sort().values  # about the frequency of each column
    different = 1 + int((speed[1:] > 1.02 * speed[:-1] + 1e-7).sum())
    expect(different >= DIM // 4).true(
        expected="a frequency of its own for each pair of sine and cosine.",
        got=f"{different} different frequencies in {DIM} columns.",
        hint="the frequencies are spaced geometrically over the pairs.",
    )
    expect(float(speed[-1]) > 0.2).true(
        expected="some fast frequencies: neighbouring times have to differ visibly.",
        got="all columns change little from one time to the next.",
        hint="times go from 0 to 999, and the fastest angle is about the time itself.",
    )
    expect(float(speed[0]) < 0.05).true(
        expected="some slow frequencies, with periods of hundreds of steps.",
        got="columns that all swing quickly.",
        hint="look at the sign and the base in the exponent of the frequencies.",
    )
    distances = torch.cdist(rows, rows) + 1e3 * torch.eye(TIMES)
    expect(float(distances.min()) > 0.02).true(
        expected="different embeddings for different times.", got="times whose embeddings are practically the same."
    )


# --- the U-Net ------------------------------------------------------------------------------------------------------


class _Network:
    """The submission's network, settled, with a seed for each check."""

    def __init__(self, student: Student, draw: Draw) -> None:
        self.bench = student.copy_of(BENCH)
        self.seed = draw.child_seed
        self.network = own_network(student)
        self.bench.settle(self.network, self.seed, *noisy_batch(draw, 4))

    def __call__(self, x: torch.Tensor, timestep: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The estimated noise, float64."""
        value = self.bench.run(self.network, "forward", self.seed, x, timestep, label)
        return expect(filled_in(value, "UNet.forward"), "the estimated noise").tensor(tuple(x.shape), IMAGES)


def noisy_batch(draw: Draw, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy images, times and classes; no two alike."""
    return draw.normal(batch, *IMAGE), draw.distinct(0, TIMES, batch), draw.distinct(0, CLASSES, batch)


@points("models.UNet", 0.3)
def test_unet_shape(student: Student, draw: Draw) -> None:
    """UNet: an estimate for every pixel, for a batch and for one image; num_classes"""
    network = _Network(student, draw)
    network(*noisy_batch(draw, 4))
    network(*noisy_batch(draw, 1))
    classes = fetch(network.network.num_classes)
    expect(type(classes) is int and classes >= CLASSES).true(
        expected=f"an attribute num_classes, of {CLASSES}.",
        got="something else.",
        hint="generate_sample draws classes with it where no labels are given.",
    )


@points("models.UNet", 0.35)
def test_unet_inputs(student: Student, draw: Draw) -> None:
    """UNet: the estimate depends on the image, on its time and on its class"""
    network = _Network(student, draw)
    x, time, label = noisy_batch(draw, 3)
    out = network(x, time, label)
    expect(float(out.std()) > 0).true(expected="estimates that differ.", got="the same number everywhere.")
    others = {
        "image": (draw.normal(3, *IMAGE), time, label),
        "time": (x, (time + 300 + draw.integers(0, 400, 3)) % TIMES, label),
        "class": (x, time, (label + draw.integers(1, CLASSES, 3)) % CLASSES),
    }
    for name, inputs in others.items():
        if bool((change(out, network(*inputs)) < CHANGED).any()):
            fail(
                f"another estimate for another {name}.",
                f"an estimate that ignores the {name}.",
                {"image": "", "time": "embed timestep and add it to the features of the layers."}.get(
                    name, "embed label and add it to the features of the layers, as the time is."
                ),
            )


@points("models.UNet", 0.2)
def test_unet_batch(student: Student, draw: Draw) -> None:
    """UNet: every image of a batch for itself"""
    network = _Network(student, draw)
    x, time, label = noisy_batch(draw, 3)
    out = network(x, time, label)
    own = torch.tensor([False, True, False])  # neither the first nor the last
    other_x, other_time, other_label = noisy_batch(draw, 3)
    others = {
        "images": (torch.where(own.view(-1, 1, 1, 1), x, other_x), time, label),
        "times": (x, torch.where(own, time, other_time), label),
        "classes": (x, time, torch.where(own, label, other_label)),
    }
    for name, inputs in others.items():
        if float(change(out, network(*inputs))[1]) > ALIKE:
            fail(
                "an estimate that depends on its own image, time and class alone (in evaluation mode).",
                f"an estimate that changes with the {name} of the others in the batch.",
                "look for axes that have changed places, a [0], or a mean over the batch.",
            )
    alone = network(x[1:2], time[1:2], label[1:2])
    if float(change(out[1:2], alone)[0]) > ALIKE:
        fail(
            "the same estimate for an image alone and in a batch (in evaluation mode).",
            "different estimates.",
            "look for what is computed over the batch, or for the time or class of one image used for all.",
        )


@points("models.UNet", 0.15)
def test_unet_gradients(student: Student, draw: Draw) -> None:
    """UNet: gradients reach its layers"""
    network = _Network(student, draw)
    expect_reached(network.bench.reached(network.network, network.seed, *noisy_batch(draw, 2)))


def expect_reached(fraction: Any) -> None:
    """Most of the trainable values get a gradient."""
    if not isinstance(fraction, float):
        fail(
            "an output through which gradients flow; training needs them.",
            "an output without gradients.",
            "look for torch.no_grad(), .detach(), .data or numpy in forward.",
        )
    expect(fraction > 0.5).true(
        expected="gradients that reach the layers.",
        got=f"{100 * (1 - fraction):.0f}% of the weights never get a gradient.",
        hint="look for layers that are made but not used, and for .detach() on the way.",
    )
