"""Task 3: the class-conditional VAE."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.cmput328_f24.outputs import (
    ALIKE,
    expect_range,
    images_in_range,
)
from autograder.checks.cmput328_f24.own_models import (
    BENCH,
    CLASSES,
    IMAGE,
    batch_of,
    latent_shape,
    made_vae,
    own_vae,
    settled_vae,
)
from autograder.checks.cmput328_f24.probes import Decoder
from autograder.checks.cmput328_f24.public_probes import CHANGED, change
from autograder.checks.cmput328_f24.schedules import filled_in
from autograder.grading import assign, expect, fail, fetch, points, public
from autograder.grading.outcomes import CheckSkipped
from autograder.grading.sampling import SIGMAS
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import ChildEnded, SubmissionError, SubmissionRaised
from autograder.sandbox.proxy import Student

VALUES = 8192  # values that moments are taken of
JOINED = "decode gets the latent as reparameterize returns it, and the classes; it joins the two itself."


# --- the networks, and what was given -------------------------------------------------------------------------------


@points("models.VAE", 0.4)
def test_vae_attributes(student: Student) -> None:
    """VAE: latent_dim, num_classes and mid_size"""
    vae = own_vae(student)
    for name, least in (("latent_dim", 1), ("num_classes", CLASSES)):
        number = filled_in(fetch(getattr(vae, name)), name)
        expect(type(number) is int and number >= least).true(
            expected=f"an attribute {name}, an integer{f' of {least}' if least > 1 else ''}.", got="something else."
        )
    size = fetch(vae.mid_size)
    expect(isinstance(size, (list, tuple)) and len(size) == 3 and all(type(n) is int and n > 0 for n in size)).true(
        expected="an attribute mid_size: channels, height and width, three positive integers.", got="something else."
    )


@public
@points("models.VAE", 0.6)
def test_vae_losses(student: Student, draw: Draw) -> None:
    """VAE: reconstruction_loss and kl_loss as they were given"""
    vae = made_vae(student)
    given = "this function was given complete; please leave it as it was."
    pred, target = draw.uniform(0.05, 0.95, 3, 1, 8, 8), draw.uniform(0.0, 1.0, 3, 1, 8, 8)
    p, x = pred.double(), target.double()
    terms = -(x * p.log() + (1 - x) * (1 - p).log())
    _expect_loss(vae.reconstruction_loss(pred, target), terms.sum(), terms, "reconstruction_loss", given)
    for shape in ((4, 6), (3, 2, 4, 4)):
        mean, logvar = draw.normal(*shape), draw.uniform(-1.5, 1.5, *shape)
        m, v = mean.double(), logvar.double()
        terms = 0.5 * (v.exp() + m**2 - 1 - v)
        _expect_loss(vae.kl_loss(mean, logvar), terms.sum(), terms, "kl_loss", given)


def _expect_loss(value: Any, right: torch.Tensor, terms: torch.Tensor, name: str, given: str) -> None:
    expect(filled_in(value, name), name).close_to(
        right,
        "(), one number",
        mistakes={
            f"the loss is averaged instead of summed. {given.capitalize()[:-1]}": [
                terms.mean(),
                terms.flatten(1).sum(1).mean(),
            ],
            f"the sign of the loss is wrong. {given.capitalize()[:-1]}": -right,
            f"a factor is missing. {given.capitalize()[:-1]}": [2 * right, right / 2],
        },
    )


# --- forward --------------------------------------------------------------------------------------------------------


def _outputs(value: Any, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image, mean and logvar, float64."""
    filled_in(value, "VAE.forward")
    if not (isinstance(value, (tuple, list)) and len(value) == 3):
        fail("forward returns three tensors: the image, the mean and the log-variance.", "something else.")
    out = images_in_range(value[0], batch, "the image that forward returns")
    mean = expect(filled_in(value[1], "the mean"), "the mean").tensor()
    logvar = expect(filled_in(value[2], "the log-variance"), "the log-variance").tensor()
    if mean.shape != logvar.shape or mean.dim() < 2 or mean.shape[0] != batch:
        fail(
            "mean and log-variance have the same shape, one latent for each image.",
            f"the shapes {tuple(mean.shape)} and {tuple(logvar.shape)} for {batch} images.",
        )
    return out, mean, logvar


@points("models.VAE.forward", 0.25)
def test_vae_forward_shapes(student: Student, draw: Draw) -> None:
    """VAE.forward: an image in [0, 1], a mean and a log-variance for each image"""
    vae, run = settled_vae(student, draw), student.copy_of(BENCH)
    for batch in (3, 1):
        inputs = batch_of(draw, batch)
        _outputs(run.run(vae, "forward", draw.child_seed, *inputs), batch)
    inputs = batch_of(draw, 3)
    expect_range(run.extremes(vae, "forward", draw.child_seed, *inputs), "the image that forward returns")


@points("models.VAE.forward", 0.3)
def test_vae_forward_inputs(student: Student, draw: Draw) -> None:
    """VAE.forward: the image depends on what goes in, and on a sample of the latent"""
    vae, run = settled_vae(student, draw), student.copy_of(BENCH)
    image, labels = draw.uniform(0.0, 1.0, 1, *IMAGE), draw.distinct(0, CLASSES, 3)
    images, same = image.expand(3, -1, -1, -1).contiguous(), labels[:1].expand(3).contiguous()

    def outputs(seed: int, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return _outputs(run.run(vae, "forward", seed, x, y), 3)

    out, mean, logvar = outputs(1, images, same)
    again, same_mean, same_logvar = outputs(2, images, same)
    if max(float(change(mean, same_mean).max()), float(change(logvar, same_logvar).max())) > ALIKE:
        fail("mean and log-variance without noise (in evaluation mode).", "other values at each call.")
    if float(change(out, again).max()) < CHANGED:
        fail(
            "an image that is decoded from a fresh sample of the latent.",
            "the same image each time.",
            "decode a sample of the latent, not its mean.",
        )
    if bool((change(out[1:], out[:1].expand(2, -1, -1, -1)) < CHANGED).any()):
        fail("a sample of its own for each image of the batch.", "the same sample for all of them.")
    other = draw.uniform(0.0, 1.0, 3, *IMAGE)
    moved, other_mean, _ = outputs(1, other, same)
    if bool((change(mean, other_mean) < CHANGED).any()):
        fail("a mean that depends on the image.", "a mean that ignores it.")
    if bool((change(out, moved) < CHANGED).any()):
        fail("an image that depends on the image that goes in.", "one that ignores it.")
    labelled, _, _ = outputs(1, images, (same + 1 + torch.arange(3)) % CLASSES)
    if bool((change(out, labelled) < CHANGED).any()):
        fail("an image that depends on the class.", "one that ignores the class.", "decode needs the class as well.")


@points("models.VAE.forward", 0.15)
def test_vae_forward_sample(student: Student, draw: Draw) -> None:
    """VAE.forward: what is decoded is a sample with the mean and the log-variance that are returned, and its class"""
    vae = settled_vae(student, draw)
    decoder = Decoder()
    assign(vae.decode, decoder)
    batch = 32
    image, labels = draw.uniform(0.0, 1.0, 1, *IMAGE), draw.integers(0, CLASSES, batch)
    images = image.expand(batch, -1, -1, -1).contiguous()
    result = student.copy_of(BENCH).run(vae, "forward", draw.child_seed, images, labels)
    calls = fetch(student.copy_of(decoder).calls)
    if not calls:  # forward has layers of its own in the place of decode; the other checks judge what comes out
        return
    _, mean, logvar = _outputs(result, batch)
    sample = expect(calls[-1]["sample"], "what decode gets").tensor()
    if sample.numel() != mean.numel():
        fail("decode gets one sample of the latent for each image.", f"the shape {tuple(sample.shape)}.", JOINED)
    noise = (sample.reshape(mean.shape) - mean) / (0.5 * logvar).exp()
    room = SIGMAS / noise.numel() ** 0.5 + 5e-3
    expect(abs(float(noise.mean())) < room and abs(float(noise.std()) - 1) < room).true(
        expected="decode gets a sample with the mean and the variance exp(logvar).",
        got="a sample with another mean or spread.",
        hint="sample = self.reparameterize(mean, logvar).",
    )
    seen = calls[-1]["labels"]
    expect(isinstance(seen, torch.Tensor) and seen.tolist() == labels.tolist()).true(
        expected="decode gets the classes of the images.", got="something else.", hint="pass label on to decode."
    )


@points("models.VAE.forward", 0.15)
def test_vae_forward_batch(student: Student, draw: Draw) -> None:
    """VAE.forward: mean and log-variance of every image for itself"""
    vae, run = settled_vae(student, draw), student.copy_of(BENCH)
    images, labels = batch_of(draw, 3)
    _, mean, logvar = _outputs(run.run(vae, "forward", 1, images, labels), 3)
    for row in (1, 2):
        inputs = images[row : row + 1], labels[row : row + 1]
        _, own_mean, own_logvar = _outputs(run.run(vae, "forward", 1, *inputs), 1)
        error = max(
            float((mean[row] - own_mean[0]).abs().max() / (mean.std() + 1e-9)),
            float((logvar[row] - own_logvar[0]).abs().max() / (logvar.std() + 1e-3)),
        )
        if own_mean.shape[1:] != mean.shape[1:] or error > 2 * ALIKE:
            fail(
                "the same mean and log-variance for an image alone and in a batch (in evaluation mode).",
                "different ones.",
                "look for axes that have changed places, a [0], or a mean over the batch.",
            )


@points("models.VAE.forward", 0.15)
def test_vae_forward_gradients(student: Student, draw: Draw) -> None:
    """VAE.forward: gradients of the image reach decoder and encoder, the log-variance included"""
    vae = settled_vae(student, draw)
    hits = student.copy_of(BENCH).reached_in_vae(vae, draw.child_seed, *batch_of(draw, 3))
    found = [hits.get(name) if isinstance(hits, dict) else None for name in ("out", "mean", "logvar", "decoded")]
    if not all(isinstance(item, list) and any(item) for item in found):
        fail(
            "image, mean and log-variance carry gradients; training needs them.",
            "one of them carries none.",
            "look for torch.no_grad(), .detach(), .data or numpy.",
        )
    out, mean, logvar, decoded = ({i for i, hit in enumerate(item or ()) if hit} for item in found)
    _expect_part(decoded, out, "the decoder", "forward decodes the sample with decode's own layers.")
    reparameterised = "the sample is mean + standard deviation * noise, without .detach() or torch.no_grad()."
    _expect_part(mean - decoded, out, "the encoder", reparameterised)
    _expect_part(logvar - mean - decoded, out, "the layers of the log-variance", reparameterised)


def _expect_part(wanted: set[int], reached: set[int], what: str, hint: str) -> None:
    if len(wanted & reached) < 0.5 * len(wanted):
        fail(f"gradients of the image reach {what}.", "they do not.", hint)


# --- decode ---------------------------------------------------------------------------------------------------------


class _Decoding:
    """The submission's VAE, settled, and latents in its own shape."""

    def __init__(self, student: Student, draw: Draw) -> None:
        self.run = student.copy_of(BENCH)
        self.seed = draw.child_seed
        self.vae = own_vae(student)
        try:
            self.run.settle(self.vae, self.seed, *batch_of(draw, 4))
        except ChildEnded:
            raise
        except SubmissionError:  # forward's own fault: decode may be right all the same
            self.vae.eval()
        self.shape = self._shape(student)

    def _shape(self, student: Student) -> tuple[int, ...]:
        try:
            return latent_shape(student, self.vae)
        except CheckSkipped:
            self.vae.decode(torch.zeros(2, 4, 4, 4), torch.tensor([0, 1]))  # its own error says more
            raise

    def __call__(self, sample: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images in [0, 1], float64."""
        try:
            value = self.run.run(self.vae, "decode", self.seed, sample, labels)
        except SubmissionRaised as error:
            if error.type not in ("RuntimeError", "IndexError", "ValueError", "TypeError") or error.own:
                raise
            fail(
                f"decode takes latents of shape {tuple(sample.shape)}, as forward's mean, and one class for each.",
                f"your code raised {error.type}.",
                JOINED,
            )
        return images_in_range(value, len(sample), "the image that decode returns")


@points("models.VAE.decode", 0.4)
def test_vae_decode_range(student: Student, draw: Draw) -> None:
    """VAE.decode: images in [0, 1] from latents and classes, the same each time"""
    decode = _Decoding(student, draw)
    for batch in (3, 1):
        decode(draw.normal(batch, *decode.shape), draw.distinct(0, CLASSES, batch))
    inputs = draw.normal(3, *decode.shape), draw.distinct(0, CLASSES, 3)
    first = decode(*inputs)
    decode.seed += 1
    if float(change(first, decode(*inputs)).max()) > ALIKE:
        fail(
            "the same image for the same latent and class (in evaluation mode).",
            "another image at each call.",
            "noise belongs into reparameterize.",
        )
    wide = 3 * inputs[0], inputs[1]
    expect_range(decode.run.extremes(decode.vae, "decode", decode.seed, *wide), "the image that decode returns")


@points("models.VAE.decode", 0.4)
def test_vae_decode_inputs(student: Student, draw: Draw) -> None:
    """VAE.decode: the image depends on the latent and on the class"""
    decode = _Decoding(student, draw)
    sample, labels = draw.normal(4, *decode.shape), draw.distinct(0, CLASSES, 4)
    images = decode(sample, labels)
    if bool((change(images, decode(draw.normal(4, *decode.shape), labels)) < CHANGED).any()):
        fail("another image for another latent.", "an image that ignores the latent.")
    if bool((change(images, decode(sample, (labels + draw.integers(1, CLASSES, 4)) % CLASSES)) < CHANGED).any()):
        fail(
            "another image for another class.",
            "an image that ignores the class.",
            "the decoder needs the class: embed labels and join it to the latent.",
        )


@points("models.VAE.decode", 0.2)
def test_vae_decode_batch(student: Student, draw: Draw) -> None:
    """VAE.decode: every latent of a batch for itself"""
    decode = _Decoding(student, draw)
    sample, labels = draw.normal(3, *decode.shape), draw.distinct(0, CLASSES, 3)
    images = decode(sample, labels)
    for row in (1, 2):
        alone = decode(sample[row : row + 1], labels[row : row + 1])
        if float((images[row] - alone[0]).abs().max() / (images.std() + 1e-9)) > ALIKE:
            fail(
                "the same image for a latent alone and in a batch (in evaluation mode).",
                "different images.",
                "look for axes that have changed places, a [0], or a mean over the batch.",
            )
