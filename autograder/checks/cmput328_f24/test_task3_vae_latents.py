"""Task 3: the VAE's latents, drawn around a mean and from the prior."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.cmput328_f24.outputs import (
    expect_refused,
    images_in_range,
)
from autograder.checks.cmput328_f24.own_models import (
    BENCH,
    CLASSES,
    IMAGES,
    by_setting,
    latent_shape,
    own_vae,
    repeats_for,
    spread_over,
)
from autograder.checks.cmput328_f24.probes import Decoder
from autograder.checks.cmput328_f24.schedules import filled_in
from autograder.grading import assign, expect, fail, fetch, points, value_and_gradients
from autograder.grading.outcomes import CheckSkipped
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

VALUES = 8192  # values that moments are taken of
JOINED = "decode gets the latent as reparameterize returns it, and the classes; it joins the two itself."


# --- reparameterize -------------------------------------------------------------------------------------------------


def _latents(student: Student, vae: Remote) -> tuple[int, ...]:
    try:
        return latent_shape(student, vae)
    except CheckSkipped:  # neither forward nor decode works; reparameterize may be right all the same
        return (4, 8, 8)


@points("models.VAE.reparameterize", 0.6)
def test_vae_reparameterize_moments(student: Student, draw: Draw) -> None:
    """VAE.reparameterize: mean and spread of many samples"""
    vae = own_vae(student)
    shape = _latents(student, vae)
    mean = torch.tensor([-2.0, -0.6, 0.5, 1.2, 2.5]) + draw.uniform(-0.2, 0.2, 5)
    logvar = (torch.tensor([-2.5, -1.2, 0.8, 1.6, 2.4]) + draw.uniform(-0.2, 0.2, 5))[draw.distinct(0, 5, 5)]
    repeats = repeats_for(shape, VALUES)
    arguments = spread_over(mean, repeats, shape), spread_over(logvar, repeats, shape)
    value = filled_in(vae.reparameterize(*arguments), "VAE.reparameterize")
    sample = expect(value, "the sample").tensor(tuple(arguments[0].shape), "that of mean and logvar")
    _expect_own_noise(sample, arguments[0].double(), arguments[1].double())
    mean, logvar = mean.double(), logvar.double()
    std = (0.5 * logvar).exp()
    uniform = {"the noise is uniform on [0, 1) instead of normal": mean + std / 2}
    expect_normal(
        by_setting(sample, 5),
        mean,
        std,
        mean_mistakes={
            **uniform,
            "the mean is not added": torch.zeros_like(mean),
            "mean and logvar have changed places": logvar,
            "the noise is multiplied by the mean": std,
        },
        std_mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": logvar.exp(),
            "the noise is multiplied by logvar itself": logvar.abs(),
            "the noise is not scaled": torch.ones_like(std),
            "the sign of logvar is wrong": (-0.5 * logvar).exp(),
            "the square root is taken twice": (0.25 * logvar).exp(),
            "the noise is uniform on [-1, 1) instead of normal": std / 3**0.5,
            "the factor 1/2 stands outside of exp": 0.5 * logvar.exp(),
        },
    )


def _expect_own_noise(sample: torch.Tensor, mean: torch.Tensor, logvar: torch.Tensor) -> None:
    """Every number of every latent has noise of its own, and it is not that of a uniform distribution."""
    noise = ((sample - mean) * (-0.5 * logvar).exp()).flatten(1)
    if float(noise.abs().max()) < 1e-4:
        fail("samples of a normal distribution.", "the mean.", "it looks as if no noise is added.")
    first = (sample - mean).flatten(1)
    if first.shape[1] > 1 and bool((noise.std(1) < 1e-4 * noise.abs().mean()).all()):
        fail(
            "noise of its own for every number of the latent.",
            "one number for the whole latent of an image.",
            "draw noise in the shape of mean.",
        )
    step = 5  # the settings are repeated: rows this far apart have the same mean and log-variance
    if bool((noise[step:] - noise[:-step]).abs().amax(1).max() < 1e-4):
        fail(
            "noise of its own for every image of the batch.",
            "the same noise for all of them.",
            "draw noise in the shape of mean.",
        )


@points("models.VAE.reparameterize", 0.15)
def test_vae_reparameterize_fresh(student: Student, draw: Draw) -> None:
    """VAE.reparameterize: fresh noise at every call"""
    vae = own_vae(student)
    mean = draw.normal(3, *_latents(student, vae))
    samples = [
        expect(filled_in(vae.reparameterize(mean, torch.zeros_like(mean)), "VAE.reparameterize"), "the sample").tensor(
            tuple(mean.shape)
        )
        for _ in range(2)
    ]
    if bool((samples[0] == samples[1]).any()):
        fail("fresh noise at every call.", "the same sample again.", "look for a seed, or no noise at all.")


@points("models.VAE.reparameterize", 0.25)
def test_vae_reparameterize_gradients(student: Student, draw: Draw) -> None:
    """VAE.reparameterize: gradients reach mean and logvar"""
    vae = own_vae(student)
    shape = _latents(student, vae)
    mean, logvar, weights = draw.normal(3, *shape), draw.uniform(-1.0, 1.0, 3, *shape), draw.normal(3, *shape)
    value, found = value_and_gradients(vae.reparameterize, mean, logvar, wrt=(0, 1), cotangent=weights)
    sample = expect(filled_in(value, "VAE.reparameterize"), "the sample").tensor(tuple(mean.shape))
    if found is None:
        fail(
            "a sample through which gradients flow to mean and logvar.",
            "a sample without gradients.",
            "look for .detach(), torch.no_grad(), or a distribution's sample(); rsample() keeps them.",
        )
    weights = weights.double()
    right = {"mean": weights, "logvar": 0.5 * (sample - mean.double()) * weights}
    for gradient, (name, expected) in zip(found, right.items(), strict=True):
        if not bool((gradient != 0).any()):
            fail(f"gradients that reach {name}.", "none arrive.", "look for .detach() or .data.")
        expect(gradient, f"the gradient that reaches {name}").close_to(expected, rtol=1e-3, atol=1e-4)


# --- generate_sample ------------------------------------------------------------------------------------------------


class _Generating:
    """The submission's VAE with a stand-in for decode, and what it was called with."""

    def __init__(self, student: Student, draw: Draw, *, stand_in: bool = True) -> None:
        self.student, self.seed = student, draw.child_seed
        self.run = student.copy_of(BENCH)
        self.vae = own_vae(student)
        self.shape = latent_shape(student, self.vae)
        self.decoder = Decoder()
        if stand_in:
            assign(self.vae.decode, self.decoder)

    def __call__(self, count: int, labels: torch.Tensor | None = None) -> tuple[Any, torch.Tensor, Any]:
        """Images, the latents that were decoded, and their classes."""
        before = len(fetch(self.student.copy_of(self.decoder).calls))
        images = filled_in(self.run.generate(self.vae, self.seed, count, labels), "VAE.generate_sample")
        self.seed += 1
        calls = fetch(self.student.copy_of(self.decoder).calls)[before:]
        if not calls:
            fail("decode makes the images out of noise.", "decode is never called.", "use self.decode(noise, labels).")
        if any(call["grad"] for call in calls):
            fail("sampling without gradients.", "a decoder that records them.", "keep the decorator @torch.no_grad().")
        samples = [expect(call["sample"], "what decode gets").tensor() for call in calls]
        for sample in samples:
            if sample.dim() == 0 or sample[0].numel() != torch.Size(self.shape).numel():
                fail(
                    f"decode gets latents of the shape {('num_samples', *self.shape)}.".replace("'", ""),
                    f"the shape {tuple(sample.shape)}.",
                )
        labels_seen = [call["labels"] for call in calls]
        if not all(isinstance(item, torch.Tensor) and item.dtype == torch.int64 for item in labels_seen):
            fail("decode gets the classes, int64.", "it does not.", "use self.decode(noise, labels).")
        return images, torch.cat([sample.flatten(1) for sample in samples]), torch.cat(labels_seen)


@points("models.VAE.generate_sample", 0.35)
def test_vae_generate_labels(student: Student, draw: Draw) -> None:
    """VAE.generate_sample: images of the given classes, in their order, in [0, 1]"""
    generating = _Generating(student, draw)
    labels = draw.integers(0, CLASSES, 12)
    images, latents, seen = generating(12, labels)
    if seen.tolist() != labels.tolist() or len(latents) != 12:
        fail("the images have the given labels, in their order.", "decode gets other labels.")
    made = images_in_range(images, 12, "what generate_sample returns", "return what decode returns, as it is.")
    expect(made, "what generate_sample returns").close_to(
        generating.decoder.picture(latents, labels), IMAGES, rtol=1e-3, atol=1e-4
    )


@points("models.VAE.generate_sample", 0.15)
def test_vae_generate_images(student: Student, draw: Draw) -> None:
    """VAE.generate_sample: images of the submission's own decoder"""
    generating = _Generating(student, draw, stand_in=False)
    generating.vae.eval()
    labels = draw.integers(0, CLASSES, 3)
    images = generating.run.generate(generating.vae, generating.seed, 3, labels)
    images_in_range(images, 3, "what generate_sample returns")


@points("models.VAE.generate_sample", 0.25)
def test_vae_generate_latents(student: Student, draw: Draw) -> None:
    """VAE.generate_sample: fresh standard normal latents"""
    generating = _Generating(student, draw)
    count = 2 * repeats_for(generating.shape, VALUES // 2)
    _, latents, _ = generating(count, draw.integers(0, CLASSES, count))
    _, others, _ = generating(count, draw.integers(0, CLASSES, count))
    if bool((latents[:1] == latents[1:]).all()):
        fail("latents of their own for all samples.", "the same latent for all of them.")
    if bool((latents == others).all()):
        fail("fresh latents at every call.", "the same latents again.")
    rows = latents.reshape(2, -1)
    expect_normal(
        rows,
        torch.zeros(2, dtype=torch.float64),
        torch.ones(2, dtype=torch.float64),
        mean_mistakes={"the latents are uniform on [0, 1) instead of normal": torch.full((2,), 0.5)},
    )


@points("models.VAE.generate_sample", 0.25)
def test_vae_generate_random_labels(student: Student, draw: Draw) -> None:
    """VAE.generate_sample: classes at random where none are given; as many labels as samples"""
    generating = _Generating(student, draw)
    count = 400
    _, _, labels = generating(count)
    classes = fetch(generating.vae.num_classes)
    if type(classes) is not int:
        fail("an attribute num_classes, an integer.", "something else.")
    if len(labels) != count or int(labels.min()) < 0 or int(labels.max()) >= classes:
        fail(f"one class from 0 to num_classes - 1 = {classes - 1} for each sample.", "something else.")
    expect(len(labels.unique()) >= min(classes, CLASSES)).true(
        expected="random classes, all of them, where no labels are given.",
        got=f"only {len(labels.unique())} different classes among {count} samples.",
    )
    expect_refused(lambda: generating.run.generate(generating.vae, 1, 4, draw.integers(0, CLASSES, 3)))
