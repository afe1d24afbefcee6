"""What students can try of the embedding, the U-Net and the VAE, whatever their layers are."""

from __future__ import annotations

import torch

from autograder.checks.cmput328_f24.own_models import (
    BENCH,
    CLASSES,
    IMAGE,
    IMAGES,
    MAKERS,
    assignment_of,
    batch_of,
    made_vae,
)
from autograder.checks.cmput328_f24.public_probes import LabelDecoder, Latents, Measure, Traits
from autograder.checks.cmput328_f24.schedules import filled_in
from autograder.grading import assign, expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

DIM = 32
VALUES = 4096  # in all latents of a level
RANGE = "end the decoder with a sigmoid: the binary cross-entropy takes probabilities, not logits."


@public
@points("models.SinusoidalPositionEmbeddings", 0)
def test_embeddings_first_times(student: Student) -> None:
    """SinusoidalPositionEmbeddings: sines and cosines of the same angles, at the first times"""
    measure = student.copy_of(Measure())
    embed = student.models.SinusoidalPositionEmbeddings(DIM)
    first = expect(filled_in(embed(torch.tensor([0])), "SinusoidalPositionEmbeddings"), "the embedding")
    zero = first.tensor((1, DIM), "(batch, dim)")
    half = torch.zeros(1, DIM // 2)
    expect(measure.ordered(zero), "the values at t = 0 in ascending order (all sines are 0 there)").close_to(
        torch.cat([half, half + 1], 1),
        "(batch, dim)",
        mistakes={
            "there are sines, but no cosines": torch.zeros(1, DIM),
            "there are cosines, but no sines": torch.ones(1, DIM),
        },
    )
    rows = expect(embed(torch.arange(12)), "the embedding").tensor((12, DIM), "(batch, dim)")
    right = torch.full((12,), DIM / 2)
    expect(measure.lengths(rows), "the sum of the squares in each row (sine and cosine of the same angles)").close_to(
        right, "(batch,)", rtol=1e-3, mistakes={"the sines and cosines are scaled": [right / DIM, 2 * right]}
    )
    expect(measure.tells_apart(rows)).true(
        expected="neighbouring times differ visibly.",
        got="rows that are nearly the same.",
        hint="times go from 0 to 999, and the fastest angle is about the time itself.",
    )
    expect(measure.drift(rows), "the change in how alike two rows are when both times grow by 1").close_to(
        torch.zeros(11, 11),
        "",
        atol=0.02,
    )


# --- the U-Net ------------------------------------------------------------------------------------------------------


@public
@points("models.UNet", 0)
def test_unet_traits(student: Student, draw: Draw) -> None:
    """UNet: an estimate for every pixel, which depends on the image, its time and its class"""
    network = student.copy_of(MAKERS).network(assignment_of(student), student.models.UNet)
    x, time, label = draw.normal(3, *IMAGE), draw.distinct(0, 1000, 3), draw.distinct(0, CLASSES, 3)
    student.copy_of(BENCH).settle(network, draw.child_seed, x, time, label)
    for batch in (3, 1):
        out = filled_in(network(x[:batch], time[:batch], label[:batch]), "UNet.forward")
        expect(out, f"the estimated noise of {batch} images").tensor((batch, *IMAGE), IMAGES)
    others = {
        "image": (-x, time, label),
        "time": (x, (time + 400) % 1000, label),
        "class": (x, time, (label + 3) % CLASSES),
    }
    for name, inputs in others.items():
        expect(student.copy_of(Traits()).changes(network, "forward", (x, time, label), inputs)).true(
            expected=f"another estimate for another {name}.",
            got=f"an estimate that ignores the {name}.",
            hint="" if name == "image" else f"embed the {name} and add it to the features of the layers.",
        )


# --- the VAE --------------------------------------------------------------------------------------------------------


def _settled(student: Student, draw: Draw) -> Remote:
    vae = made_vae(student)
    student.copy_of(BENCH).settle(vae, draw.child_seed, *batch_of(draw, 4))
    return vae


@public
@points("models.VAE.forward", 0)
def test_vae_forward_traits(student: Student, draw: Draw) -> None:
    """VAE.forward: image, mean and log-variance; the image lies in [0, 1], varies, and depends on image and class"""
    vae, traits = _settled(student, draw), student.copy_of(Traits())
    x, label = batch_of(draw, 3)
    result = filled_in(student.copy_of(BENCH).run(vae, "forward", 1, x, label), "VAE.forward")
    if not (isinstance(result, (tuple, list)) and len(result) == 3):
        fail("forward returns three tensors: the image, the mean and the log-variance.", "something else.")
    image, mean, logvar = result
    expect(image, "the image that forward returns").tensor((3, *IMAGE), IMAGES)
    expect(mean, "the mean").tensor()
    expect(logvar, "the log-variance").tensor()
    expect(traits.alike_in_shape(mean, logvar, 3)).true(
        expected="mean and log-variance have the same shape, one latent for each image.", got="other shapes."
    )
    expect(traits.within(vae, "forward", (x, label))).true(
        expected="the image that forward returns lies in [0, 1], whatever the weights are.",
        got="values below 0 or above 1.",
        hint=RANGE,
    )
    expect(traits.changes(vae, "forward", (x, label), (x, label), 1, 2)).true(
        expected="an image that is decoded from a fresh sample of the latent.",
        got="the same image each time.",
        hint="decode a sample of the latent, not its mean.",
    )
    for name, inputs in (("image that goes in", (1 - x, label)), ("class", (x, (label + 3) % CLASSES))):
        expect(traits.changes(vae, "forward", (x, label), inputs)).true(
            expected=f"an image that depends on the {name}.", got="one that ignores it."
        )


@public
@points("models.VAE.decode", 0)
def test_vae_decode_traits(student: Student, draw: Draw) -> None:
    """VAE.decode: images in [0, 1], which depend on the latent and on the class"""
    vae, traits, latents = _settled(student, draw), student.copy_of(Traits()), student.copy_of(Latents())
    sample, label = latents.normal(vae, 3, 1), draw.distinct(0, CLASSES, 3)
    images = filled_in(student.copy_of(BENCH).run(vae, "decode", 1, sample, label), "VAE.decode")
    expect(images, "the image that decode returns").tensor((3, *IMAGE), IMAGES)
    expect(traits.within(vae, "decode", (sample, label))).true(
        expected="the image that decode returns lies in [0, 1], whatever the weights are.",
        got="values below 0 or above 1.",
        hint=RANGE,
    )
    for name, inputs in {
        "latent": (latents.normal(vae, 3, 2), label),
        "class": (sample, (label + 3) % CLASSES),
    }.items():
        expect(traits.changes(vae, "decode", (sample, label), inputs)).true(
            expected=f"another image for another {name}.", got=f"an image that ignores the {name}."
        )


@public
@points("models.VAE.reparameterize", 0)
def test_vae_reparameterize_levels(student: Student) -> None:
    """VAE.reparameterize: mean and spread of many samples, and the gradients that reach mean and logvar"""
    vae, latents = made_vae(student), student.copy_of(Latents())
    mean, logvar = torch.tensor([-2.0, -0.6, 0.5, 1.2, 2.5]), torch.tensor([0.8, -2.5, 1.6, -1.2, 2.4])
    given = latents.filled(vae, mean, VALUES), latents.filled(vae, logvar, VALUES)
    sample, gradients = value_and_gradients(vae.reparameterize, *given, wrt=(0, 1))
    rows = expect(latents.by_level(filled_in(sample, "VAE.reparameterize"), 5), "the sample").tensor()
    std = (0.5 * logvar.double()).exp()
    expect_normal(
        rows,
        mean.double(),
        std,
        std_mistakes={
            "the noise is multiplied by the variance instead of the standard deviation": logvar.double().exp(),
            "the noise is not scaled": torch.ones_like(std),
            "the sign of logvar is wrong": 1 / std,
        },
    )
    if gradients is None:
        fail(
            "a sample through which gradients flow to mean and logvar.",
            "a sample without gradients.",
            "look for .detach(), torch.no_grad(), or a distribution's sample(); rsample() keeps them.",
        )
    expect(latents.extremes(gradients[0]), "least and largest gradient that reaches mean").close_to(
        torch.ones(2), "", mistakes={"none arrive: look for .detach() or .data": torch.zeros(2)}
    )
    expect_normal(
        expect(latents.by_level(gradients[1], 5), "the gradient that reaches logvar").tensor(),
        torch.zeros(5, dtype=torch.float64),
        std / 2,
    )


@public
@points("models.VAE.generate_sample", 0)
def test_vae_generate_stand_in(student: Student, draw: Draw) -> None:
    """VAE.generate_sample: normal latents and the given classes are decoded, and the images returned as they are"""
    vae, decoder = made_vae(student), LabelDecoder()
    assign(vae.decode, decoder)
    labels = draw.integers(0, CLASSES, 300)
    images = filled_in(student.copy_of(BENCH).generate(vae, 1, 300, labels), "VAE.generate_sample")
    seen = student.copy_of(decoder)
    expect(fetch(seen.labels), "classes, in their order, that decode gets").equal_to(labels.tolist())
    rows = expect(seen.rows(), "the latents that decode gets").tensor()
    expect_normal(
        rows,
        torch.zeros(2, dtype=torch.float64),
        torch.ones(2, dtype=torch.float64),
        mean_mistakes={"the latents are uniform on [0, 1) instead of normal": torch.full((2,), 0.5)},
    )
    right = (labels / 10).view(-1, 1, 1, 1).expand(300, *IMAGE)
    expect(images, "what generate_sample returns").close_to(
        right,
        IMAGES,
        rtol=1e-3,
        atol=1e-4,
        mistakes={
            "the images are mapped to another range; decode gives [0, 1] already": [2 * right - 1, (right + 1) / 2]
        },
    )
