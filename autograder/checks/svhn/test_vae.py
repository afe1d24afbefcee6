"""The VAE: encode, decode, sample, forward, and interpolation between latents."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.svhn.vae_networks import (
    BENCH,
    IMAGE,
    IMAGES,
    METHODS,
    AffineVae,
    own_vae,
)
from autograder.grading import expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.reference import Reference
from autograder.grading.sampling import SIGMAS, expect_normal
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

DIM = 5  # of the latents
MANY = 24  # the same, where moments of latents are taken
BATCH = 64  # images that moments are taken of


def _distribution(made: Any, method: str) -> Remote:
    """What encode and decode return."""
    if not isinstance(made, Remote) or not all(_has(made, part) for part in ("mean", "logvar")):
        got = _("None.") if made is None else _("something else.")
        if isinstance(made, torch.Tensor):
            got = _("a tensor.")
        elif isinstance(made, (tuple, list)):
            got = _("a {type} of length {length}.").format(type=type(made).__name__, length=len(made))
        fail(_("{method} returns a DiagonalGaussianDistribution.").format(method=method), got)
    return made


def _has(made: Remote, part: str) -> bool:
    try:
        _read(made, part)
    except SubmissionRaised as error:
        if error.type != "AttributeError":
            raise
        return False
    return True


def _read(made: Remote, part: str) -> Any:
    return fetch(getattr(made, part))


# --- encode -----------------------------------------------------------------------------------------------------------


@public
@points("vae.VAE.encode", 0.6)
def test_vae_encode_value(student: Student, draw: Draw) -> None:
    """VAE.encode: mean and log-variance from the features of the encoder"""
    networks = AffineVae(student, draw, DIM)
    for batch in (4, 1):
        x = draw.integers(-8, 9, batch, *IMAGE) / 8
        made = _distribution(networks.vae.encode(x), "encode")
        mean, logvar = networks.posterior(x)
        found = _read(made, "mean"), _read(made, "logvar")
        exchanged = {_("self.mean and self.logvar have changed places"): logvar}
        expect(found[0], _("the mean of the posterior")).close_to(
            mean,
            "(batch, z_dim)",
            rtol=1e-3,
            atol=1e-3,
            mistakes={
                **exchanged,
                _("a function is applied to the mean"): [mean.tanh(), mean.sigmoid(), mean.exp(), mean.relu()],
            },
        )
        expect(found[1], _("the log-variance of the posterior")).close_to(
            logvar,
            "(batch, z_dim)",
            rtol=1e-3,
            atol=1e-3,
            mistakes={
                _("the log-variance is left out, so that all variances are 1"): torch.zeros_like(logvar),
                _("the mean stands in the place of the log-variance"): mean,
                _("the variance or the standard deviation is handed over instead of its logarithm"): [
                    logvar.exp(),
                    (0.5 * logvar).exp(),
                    torch.nn.functional.softplus(logvar),
                ],
                _("the log-variance is halved or doubled"): [0.5 * logvar, 2 * logvar],
                _("a logarithm is taken, but self.logvar gives one already"): logvar.abs().log(),
                _("the sign of the log-variance is wrong"): -logvar,
            },
        )


@points("vae.VAE.encode", 0.4)
def test_vae_encode_gradients(student: Student, draw: Draw) -> None:
    """VAE.encode: the posterior of the submission's own networks, and its gradients"""
    vae = own_vae(student, DIM)
    for part, layer in (("mean", vae.mean), ("logvar", vae.logvar)):
        x = draw.uniform(-1.0, 1.0, 3, *IMAGE)
        _distribution(vae.encode(x), "encode")
        for network, name in ((vae.encoder, "encoder"), (layer, part)):
            value, found = value_and_gradients(student.copy_of(BENCH).posterior, vae, x, part, wrt=(network,))
            what = _("the mean of the posterior") if part == "mean" else _("the log-variance of the posterior")
            expect(value, what).tensor((3, DIM), "(batch, z_dim)")
            _expect_reached(found, what, name)


def _expect_reached(found: list[torch.Tensor] | None, what: str, name: str) -> None:
    if found is None or not any(bool((gradient != 0).any()) for gradient in found):
        fail(
            _("gradients of {what} reach {name}; training needs them.").format(what=what, name=name),
            _("none arrive."),
            _("look for .detach(), .data, numpy, or torch.no_grad()."),
        )


# --- decode -----------------------------------------------------------------------------------------------------------


@public
@points("vae.VAE.decode", 0.6)
def test_vae_decode_value(student: Student, draw: Draw) -> None:
    """VAE.decode: images from the decoder, with variance 1"""
    networks = AffineVae(student, draw, DIM)
    for batch in (4, 1):
        z = draw.normal(batch, DIM, std=20.0)
        made = _distribution(networks.vae.decode(z), "decode")
        image = networks.picture(z)
        expect(_read(made, "mean"), _("the mean of the likelihood")).close_to(
            image,
            IMAGES,
            rtol=1e-3,
            atol=1e-3,
            mistakes={
                _("a function is applied to what the decoder returns; it has no output non-linearity"): [
                    image.tanh(),
                    image.sigmoid(),
                    image.clamp(-1, 1),
                    image.clamp(0, 1),
                    image.relu(),
                ],
                _("the images are moved to another range"): [(image + 1) / 2, 2 * image - 1],
            },
        )
        spread = student.copy_of(BENCH).log_variances(networks.vae, z)
        expect(spread, _("the log-variance of the likelihood")).close_to(
            torch.zeros_like(image),
            IMAGES,
            mistakes={
                _("the variance 1 is handed over in the place of its logarithm"): torch.ones_like(image),
                _("the image stands in the place of the log-variance as well"): image.clamp(-30, 20),
            },
        )


@points("vae.VAE.decode", 0.4)
def test_vae_decode_gradients(student: Student, draw: Draw) -> None:
    """VAE.decode: the likelihood of the submission's own decoder, and its gradients"""
    vae, z = own_vae(student, DIM), draw.normal(3, DIM)
    _distribution(vae.decode(z), "decode")
    what = _("the mean of the likelihood")
    value, found = value_and_gradients(student.copy_of(BENCH).likelihood, vae, z, "mean", wrt=(vae.decoder,))
    expect(value, what).tensor((3, *IMAGE), IMAGES)
    _expect_reached(found, what, "decoder")
    _value, found = value_and_gradients(student.copy_of(BENCH).likelihood, vae, z, "mean", wrt=(1,))
    _expect_reached(found, what, "z")


# --- sample -----------------------------------------------------------------------------------------------------------


@points("vae.VAE.sample", 0.5)
def test_vae_sample_images(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.sample: the mode of what latents are decoded to"""
    networks = AffineVae(student, draw, MANY)
    networks.put_right(reference, "decode", "mode", "sample")
    for count in (6, 1):
        images, latents = networks.sampled(count)
        expect(images, _("the images")).tensor((count, *IMAGE), "(batch_size, 3, 32, 32)")
        _expect_images(images, networks.picture(latents), _("the images"))


def _expect_images(found: Any, right: torch.Tensor, what: str, *or_values: torch.Tensor, **mistakes: Any) -> None:
    noisy = [other for other in (right, *or_values) if _is_noise(found, other)]
    expect(found, what).close_to(
        right,
        IMAGES,
        rtol=1e-3,
        atol=1e-3,
        or_values=or_values,
        mistakes={
            _("noise is added to the mode of p(x|z)"): found if noisy else torch.tensor(torch.nan),
            _("a function is applied to the mode, or it is moved to another range"): [
                right.tanh(),
                right.sigmoid(),
                right.clamp(-1, 1),
                right.clamp(0, 1),
                (right + 1) / 2,
            ],
            **mistakes,
        },
    )


def _is_noise(found: Any, right: torch.Tensor) -> bool:
    """Whether these are the right images plus standard normal noise."""
    if not isinstance(found, torch.Tensor) or found.shape != right.shape or not found.is_floating_point():
        return False
    noise = found.detach().double() - right
    moments_fit = abs(float(noise.std()) - 1) < 0.1 and abs(float(noise.mean())) < 0.1
    return moments_fit and float(noise.abs().max()) > 3


@points("vae.VAE.sample", 0.5)
def test_vae_sample_latents(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.sample: fresh standard normal latents, z_dim numbers for each image"""
    networks = AffineVae(student, draw, MANY)
    networks.put_right(reference, "decode", "mode", "sample")
    count = 100
    drawn = [networks.sampled(count)[1] for _call in range(2)]
    if len(drawn[0]) != count:
        fail(_("one latent for each image."), _("{n} latents for {count} images.").format(n=len(drawn[0]), count=count))
    if bool((drawn[0][1:] == drawn[0][:1]).all()):
        fail(_("a latent of its own for each image."), _("the same latent for all of them."))
    if bool((drawn[0] == drawn[1]).all()):
        fail(_("fresh latents at every call."), _("the same latents again."))
    if float(drawn[0].std(1).max()) < 1e-4:
        fail(_("noise of its own for every number of a latent."), _("one number for the whole latent."))
    rows = torch.stack([latents.flatten() for latents in drawn])
    expect_normal(
        rows,
        torch.zeros(2, dtype=torch.float64),
        torch.ones(2, dtype=torch.float64),
        mean_mistakes={_("the latents are uniform on [0, 1) instead of normal"): torch.full((2,), 0.5)},
        std_mistakes={_("the latents are uniform on [-1, 1) instead of normal"): torch.full((2,), 3**-0.5)},
    )


# --- forward ----------------------------------------------------------------------------------------------------------


def _losses(value: Any, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Reconstruction, nll and kl; what forward returns besides is nobody's business."""
    if not isinstance(value, (tuple, list)) or len(value) < 3:
        fail(
            _("forward returns three things: the reconstruction, nll and kl."),
            _("something else."),
            _("keep the given return line."),
        )
    recon = expect(value[0], _("the reconstruction")).tensor((batch, *IMAGE), IMAGES)
    nll = expect(value[1], _("nll (the second value)")).tensor((batch,), "(batch,)")
    kl = expect(value[2], _("kl (the third value)")).tensor((batch,), "(batch,)")
    return recon, nll, kl


@points("vae.VAE.forward", 0.7)
def test_vae_forward_values(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.forward: a sample of the posterior is decoded, and both terms of the loss come of it"""
    networks = AffineVae(student, draw, DIM)
    networks.put_right(reference, *METHODS, "encode", "decode")
    x = draw.uniform(-1.0, 1.0, BATCH, *IMAGE)
    recon, nll, kl = _losses(networks.vae(x), BATCH)
    mean, logvar = networks.posterior(x)
    decoded = [z for z in networks.decoded() if z.shape == mean.shape]
    if not decoded:
        fail(
            _("the decoder gets one latent for each image, {shape}.").format(shape="(batch, z_dim)"),
            _("it gets none of this shape."),
            _("sample the posterior and decode the sample."),
        )
    used = next((z for z in decoded if torch.allclose(networks.picture(z), recon, rtol=1e-3, atol=1e-3)), decoded[-1])
    picture = networks.picture(used)
    _expect_images(recon, picture, _("the reconstruction"))
    _expect_posterior_sample(used, mean, logvar)
    density = reference.vae.DiagonalGaussianDistribution
    right, divergence = density(picture).nll(x.double()), density(mean, logvar).kl()
    expect(nll, _("nll (the second value)")).close_to(
        right,
        "(batch,)",
        atol=0.05,
        mistakes={
            _("nll and kl have changed places"): divergence,
            _("the sign of nll is wrong"): -right,
            _("nll is that of the latent under the posterior, instead of that of the images"): (
                density(mean, logvar).nll(used, [1])
            ),
            _("nll is that of the reconstruction itself, instead of that of the images x"): density(picture).nll(
                picture
            ),
        },
    )
    expect(kl, _("kl (the third value)")).close_to(
        divergence, "(batch,)", rtol=1e-3, atol=1e-2, mistakes={_("the sign of kl is wrong"): -divergence}
    )


def _expect_posterior_sample(z: torch.Tensor, mean: torch.Tensor, logvar: torch.Tensor) -> None:
    expected = _("the decoder gets a sample of the posterior of each image.")
    noise = (z - mean) * (-0.5 * logvar).exp()
    if float(noise.abs().max()) < 1e-2:
        fail(expected, _("the mean of the posterior, without noise."), _("sample the posterior."))
    if float((noise[1:] - noise[:1]).abs().max()) < 1e-2:
        fail(expected, _("the same noise for all images."))
    room = SIGMAS / noise.numel() ** 0.5
    if abs(float(noise.mean())) > room or abs(float(noise.std()) - 1) > room:
        hint = ""
        if abs(float(z.mean())) < room and abs(float(z.std()) - 1) < room:
            hint = _("it looks as if the latent is drawn from the prior N(0, I).")
        fail(expected, _("latents with another mean or spread."), hint)


@points("vae.VAE.forward", 0.3)
def test_vae_forward_gradients(student: Student, reference: Reference, draw: Draw) -> None:
    """VAE.forward: gradients of nll reach decoder and posterior, those of kl the posterior"""
    networks = AffineVae(student, draw, DIM)
    networks.put_right(reference, *METHODS, "encode", "decode")
    x = draw.uniform(-1.0, 1.0, 3, *IMAGE)
    heads = {"mean": networks.mean, "logvar": networks.logvar}
    _losses(networks.vae(x), 3)
    for position, what, wanted in ((1, "nll", {**heads, "decoder": networks.image}), (2, "kl", heads)):
        probes = tuple(wanted.values())
        _value, found = value_and_gradients(student.copy_of(BENCH).forward, networks.vae, x, position, wrt=probes)
        for place, name in enumerate(wanted):
            _expect_reached(found[place : place + 1] if found else None, what, name)


# --- interpolate ------------------------------------------------------------------------------------------------------


@public
@points("vae.interpolate")
def test_vae_interpolate(student: Student, reference: Reference, draw: Draw) -> None:
    """interpolate: images of points at equal distances on the line between two latents, both included"""
    networks = AffineVae(student, draw, DIM, bent=True)
    networks.put_right(reference, "decode", "mode", "sample")
    z_1, z_2 = draw.normal(1, DIM, std=1.5), draw.normal(1, DIM, std=1.5)
    for count in (7, 2):
        found = student.vae.interpolate(networks.vae, z_1, z_2, count)
        expect(found, _("the images")).tensor((count, *IMAGE), "(n_samples, 3, 32, 32)")
        a, b = z_1.double(), z_2.double()
        t = torch.linspace(0, 1, count).double()[:, None]
        ends = networks.picture(a), networks.picture(b)
        weights = t.view(-1, 1, 1, 1)
        beyond = [torch.arange(count).double()[:, None] / count, (torch.arange(count).double()[:, None] + 1) / count]
        beyond.append((torch.arange(count).double()[:, None] + 1) / (count + 1))
        angle = torch.acos(torch.nn.functional.cosine_similarity(a, b))[:, None]
        sphere = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
        mistakes = {
            _("the images at the ends are mixed, instead of the latents"): [
                (1 - weights) * ends[0] + weights * ends[1],
                (1 - weights) * ends[1] + weights * ends[0],
            ],
            _("an end is left out"): [
                networks.picture(item) for s in beyond for item in ((1 - s) * a + s * b, (1 - s) * b + s * a)
            ],
            _("z_2 (or z_1) itself is added instead of a part of the way to it"): [
                networks.picture(item) for item in (a + t * b, b + t * a, t * (a + b))
            ],
            _("the points lead away from the other end: look at the sign of the difference"): [
                networks.picture(item) for item in (a + t * (a - b), b + t * (b - a), (1 - t) * a - t * b)
            ],
            _("the points lie on an arc instead of the straight line"): [
                networks.picture(item) for item in (sphere, sphere.flip(0))
            ],
            _("all points are the same"): [
                networks.picture(item) for item in (a + 0 * t, b + 0 * t, (a + b) / 2 + 0 * t)
            ],
            _("the distances between the points are not equal"): [
                networks.picture(item)
                for s in (t**2, t**0.5, 0.5 - 0.5 * (torch.pi * t).cos())
                for item in ((1 - s) * a + s * b, (1 - s) * b + s * a)
            ],
        }
        right = networks.picture((1 - t) * a + t * b)
        _expect_images(found, right, _("the images"), right.flip(0), **mistakes)
