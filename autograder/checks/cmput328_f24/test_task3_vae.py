"""Task 3: the class-conditional VAE."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.cmput328_f24.own_models import (
    BENCH,
    CLASSES,
    IMAGE,
    IMAGES,
    batch_of,
    by_setting,
    latent_shape,
    own_vae,
    repeats_for,
    settled_vae,
    spread_over,
)
from autograder.checks.cmput328_f24.probes import Decoder
from autograder.checks.cmput328_f24.schedules import filled_in
from autograder.grading import assign, expect, fail, fetch, points, value_and_gradients
from autograder.grading.outcomes import CheckSkipped
from autograder.grading.sampling import SIGMAS, expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.errors import ChildEnded, SubmissionError, SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

CHANGED = 1e-4  # of the outputs' spread: less is rounding
ALIKE = 2e-3  # of the outputs' spread: float32 in batches of different sizes
EDGE = 1e-6
VALUES = 8192  # values that moments are taken of
SIGMOID = "end the decoder with a sigmoid: the binary cross-entropy takes probabilities, not logits."
JOINED = "decode gets the latent as reparameterize returns it, and the classes; it joins the two itself."


def change(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Largest difference in each element of a batch, relative to the spread of the values; (B,)."""
    spread = torch.cat([first, second]).std() + 1e-9
    return (first - second).flatten(1).abs().amax(1) / spread


def images_in_range(value: Any, batch: int, what: str, hint: str = SIGMOID) -> torch.Tensor:
    """Images (B, 1, 32, 32) in [0, 1], float64."""
    images = expect(filled_in(value, what), what).tensor((batch, *IMAGE), IMAGES)
    _expect_range([float(images.min()), float(images.max())], what, hint)
    return images


def _expect_range(extremes: Any, what: str, hint: str = SIGMOID) -> None:
    least, largest = extremes
    if least < -EDGE or largest > 1 + EDGE:
        fail(f"{what} lies in [0, 1], whatever the weights are.", "values below 0 or above 1.", hint)


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


@points("models.VAE", 0.6)
def test_vae_losses(student: Student, draw: Draw) -> None:
    """VAE: reconstruction_loss and kl_loss as they were given"""
    vae = own_vae(student)
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
        _outputs(run.run(vae, "forward", draw.seed % 2**31, *inputs), batch)
    inputs = batch_of(draw, 3)
    _expect_range(run.extremes(vae, "forward", draw.seed % 2**31, *inputs), "the image that forward returns")


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
    result = student.copy_of(BENCH).run(vae, "forward", draw.seed % 2**31, images, labels)
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
    hits = student.copy_of(BENCH).reached_in_vae(vae, draw.seed % 2**31, *batch_of(draw, 3))
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
        self.seed = draw.seed % 2**31
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
    _expect_range(decode.run.extremes(decode.vae, "decode", decode.seed, *wide), "the image that decode returns")


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
        self.student, self.seed = student, draw.seed % 2**31
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
    expect_refused(generating, draw)


def expect_refused(generating: Any, draw: Draw) -> None:
    """A wrong number of labels is an error."""
    try:
        generating.run.generate(generating.vae, 1, 4, draw.integers(0, CLASSES, 3))
    except SubmissionRaised:
        return
    fail(
        "an AssertionError where there are not as many labels as samples.",
        "no error.",
        "this line was given; please leave it as it was.",
    )
