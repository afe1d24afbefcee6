"""Question 2.1: samples of the GAN, and interpolation between two points of its noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from autograder.checks.ift6135_a22.gan_probes import ToyGenerator
from autograder.checks.ift6135_a22.own_gan import BENCH, Z_DIM, Remark, gan_of, own_number
from autograder.grading import expect, fail, fetch, points, public
from autograder.grading.carry import alike, tensors
from autograder.grading.sampling import expect_normal
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

IMAGES = "(n, 3, 32, 32)"


def _toy_generator(gan: Remote) -> ToyGenerator:
    """A generator for noise as long as the submission's."""
    z_dim = own_number(gan, "z_dim")
    return ToyGenerator(int(z_dim) if 1 <= z_dim <= 1000 else Z_DIM)


def _images(student: Student, toy: ToyGenerator, call: Callable[[], Any]) -> Any:
    """What the call returns; where it raises, and the generator got noise of a wrong shape, that is what is said."""
    try:
        return call()
    except SubmissionRaised:
        for z in fetch(student.copy_of(toy).calls):
            if isinstance(z, torch.Tensor) and tuple(z.shape[1:]) != (toy.z_dim, 1, 1):
                _expect_noise(z, toy, len(z))
        raise


def _noise(student: Student, toy: ToyGenerator, count: int) -> torch.Tensor:
    """What the generator has got, in one call or in several; float64 (count, z_dim, 1, 1)."""
    calls = fetch(student.copy_of(toy).calls)
    if not calls:
        fail(_("the generator that is passed in makes the images."), _("it is never called."))
    return _expect_noise(torch.cat(calls), toy, count)


def _expect_noise(z: torch.Tensor, toy: ToyGenerator, count: int) -> torch.Tensor:
    return expect(z, _("what the generator gets")).tensor((count, toy.z_dim, 1, 1), "(n, z_dim, 1, 1)")


def _expect_images(result: Any, toy: ToyGenerator, z: torch.Tensor) -> None:
    """The result is what the generator has made of z."""
    with torch.no_grad():
        right = toy(z.float()).double()
    _expect_same(result, right)


def _expect_same(result: Any, right: torch.Tensor, *or_values: torch.Tensor) -> None:
    expect(result, _("the images")).close_to(
        right, IMAGES, rtol=1e-3, atol=1e-4, or_values=or_values, mistakes=_image_mistakes(right.double())
    )


def _image_mistakes(right: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """What is returned in the place of images; float64 (n, 3, 32, 32)."""
    return {
        _("the images are moved into [0, 1]; they stay in [-1, 1], as the generator makes them"): [
            (right + 1) / 2,
            right.clamp(0, 1),
            torch.sigmoid(right),
        ],
        _("the images are moved into [-1, 1] once more"): [2 * right - 1, right.tanh()],
        _("the images are scaled to 255 grey levels"): [255 * right, 127.5 * (right + 1)],
        _("the images are in another order"): [right.flip(0)],
        _("the same image is returned every time"): [right[:1], right[-1:]],
    }


@points("gan.sample")
def test_sample_images(student: Student, remark: Remark) -> None:
    """sample: as many images as asked for, as the generator makes them, without a graph"""
    gan = gan_of(student, remark)
    for count in (6, 1):
        toy = _toy_generator(gan)
        result = _images(student, toy, partial(gan.sample, toy, count))
        _expect_images(result, toy, _noise(student, toy, count))
        if isinstance(result, torch.Tensor) and result.requires_grad:
            fail(
                _("images without a graph for gradients."),
                _("images that carry one."),
                _("nothing is learned from samples: make them under torch.no_grad()."),
            )


def _expect_fresh(noise: torch.Tensor) -> None:
    """The images do not share their noise; (n, ...)."""
    if bool((noise[1:] == noise[:1]).all()) and bool((noise != noise.flatten()[0]).any()):
        fail(_("each image, and each call, has noise of its own."), _("the same noise for every image of a call."))


def _expect_standard_normal(samples: torch.Tensor) -> None:
    """Two rows of N(0, 1)."""
    zero, one = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    expect_normal(
        samples,
        zero,
        one,
        mean_mistakes={_("the noise is uniform in [0, 1]; it is to be normal"): one / 2},
        std_mistakes={_("the noise is uniform in [-1, 1]; it is to be normal"): one / 3**0.5},
    )


@points("gan.sample")
def test_sample_noise(student: Student, remark: Remark) -> None:
    """sample: standard normal noise, fresh for each image and each call"""
    gan, count = gan_of(student, remark), 128
    toys = _toy_generator(gan), _toy_generator(gan)
    for toy in toys:
        _images(student, toy, partial(gan.sample, toy, count))
    first, second = (_noise(student, toy, count) for toy in toys)
    _expect_fresh(first)
    _expect_standard_normal(first.reshape(2, -1))
    if torch.equal(first, second):
        fail(
            _("each image, and each call, has noise of its own."),
            _("the same noise in two calls."),
            _("no seed belongs into the function."),
        )


@public
@points("gan.sample", 0)
def test_sample_generator(student: Student, remark: Remark) -> None:
    """sample: what the generator makes of normal noise"""
    gan, count = gan_of(student, remark), 32
    toy = student.copy_of(BENCH).generator(gan)
    result = gan.sample(toy, count)
    right = toy.made()
    expect(right, _("what the generator makes")).tensor((count, 3, 32, 32), IMAGES)
    _expect_same(result, right)
    noise = toy.noise(2)
    _expect_fresh(expect(noise, _("the noise")).tensor().reshape(count, -1))
    _expect_standard_normal(noise)


def _expect_on_the_line(z: torch.Tensor, z_1: torch.Tensor, z_2: torch.Tensor) -> None:
    """The rows of z are at equal distances on the line between the two ends, from either end.

    Args:
        z: what the generator gets; float64 (n, z_dim, 1, 1).
        z_1: an end; (1, z_dim, 1, 1).
        z_2: the other one; same shape.
    """
    found, ends = z.flatten(1), torch.cat([z_1, z_2]).double().flatten(1)
    grid = torch.linspace(0, 1, len(found), dtype=torch.float64)
    right = torch.stack([1 - grid, grid], dim=1)
    weights = torch.linalg.lstsq(ends.T, found.T).solution.T  # (n, 2), of the ends
    planar = torch.allclose(weights @ ends, found, atol=1e-4)
    if planar and any(torch.allclose(weights, way, atol=1e-4) for way in (right, right.flip(0))):
        return
    hint = ""
    place = weights[:, 1]
    if not planar:
        if torch.allclose(found.flatten().sort().values, (right @ ends).flatten().sort().values, atol=1e-4):
            hint = _(
                "the values are right, but view or reshape has put them in other places: the points go along the "
                "first axis, their coordinates along the second."
            )
    elif not torch.allclose(weights.sum(1), torch.ones_like(place), atol=1e-4):
        hint = _("on the line, the weights of the two ends add up to one at each point.")
    elif float(place.max() - place.min()) < 1e-4:
        hint = _("all points are the same.")
    elif float(place.min()) < -1e-4 or float(place.max()) > 1 + 1e-4:
        hint = _("some points lie beyond the ends.")
    elif float(place.min()) > 1e-4 or float(place.max()) < 1 - 1e-4:
        hint = _("both ends belong to the points.")
    else:
        hint = _("the distances are not equal.")
    fail(
        _("the generator gets points at equal distances on the line from z_1 to z_2, both included."),
        _("other points."),
        hint,
    )


def _interpolated(
    student: Student, gan: Remote, draw: Draw, count: int
) -> tuple[ToyGenerator, Any, list[torch.Tensor]]:
    toy = _toy_generator(gan)
    ends = [draw.normal(1, toy.z_dim, 1, 1) for _end in range(2)]
    return toy, _images(student, toy, partial(gan.interpolate, toy, *ends, count)), ends


@points("gan.interpolate", 0.7)
def test_interpolate_points(student: Student, remark: Remark, draw: Draw) -> None:
    """interpolate: points at equal distances on the line between two points of the noise"""
    gan = gan_of(student, remark)
    for count in (5, 8):
        toy, _result, ends = _interpolated(student, gan, draw, count)
        _expect_on_the_line(_noise(student, toy, count), *ends)


@points("gan.interpolate", 0.3)
def test_interpolate_images(student: Student, remark: Remark, draw: Draw) -> None:
    """interpolate: the image of each point, as the generator makes it"""
    gan = gan_of(student, remark)
    toy, result, _ends = _interpolated(student, gan, draw, 4)
    _expect_images(result, toy, _noise(student, toy, 4))


@public
@points("gan.interpolate", 0)
def test_interpolate_line(student: Student, remark: Remark, draw: Draw) -> None:
    """interpolate: the images on the way from one point of the noise to another"""
    gan, count = gan_of(student, remark), 5
    toy, result, ends = _interpolated(student, gan, draw, count)
    way = torch.linspace(0, 1, count).view(-1, 1, 1, 1)
    with torch.no_grad():
        right = toy((1 - way) * ends[0] + way * ends[1])
    found = tensors(lambda: result)
    if not any(alike(found, [images], atol=1e-4) for images in (right, right.flip(0))):
        _expect_on_the_line(_noise(student, toy, count), *ends)
    _expect_same(result, right, right.flip(0))
