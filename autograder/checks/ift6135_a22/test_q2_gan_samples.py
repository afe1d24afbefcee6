"""Question 2.1: samples of the GAN, and interpolation between two points of its noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from autograder.checks.ift6135_a22.gan_probes import ToyGenerator
from autograder.checks.ift6135_a22.own_gan import BENCH, Z_DIM, Remark, gan_of, own_number
from autograder.grading import expect, fail, fetch, points, public
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


def _images_and_noise(
    student: Student, toy: ToyGenerator, call: Callable[[], Any], count: int
) -> tuple[Any, torch.Tensor]:
    """What the call returns, and what the generator has got, (count, z_dim, 1, 1), in one call or in several."""
    shape = (count, toy.z_dim, 1, 1)
    what, names = _("what the generator gets"), "(n, z_dim, 1, 1)"
    try:
        result = call()
    except SubmissionRaised:
        for z in fetch(student.copy_of(toy).calls):
            if isinstance(z, torch.Tensor) and tuple(z.shape[1:]) != shape[1:]:
                expect(z, what).tensor(shape, names)
        raise
    calls = fetch(student.copy_of(toy).calls)
    if not calls:
        fail(_("the generator that is passed in makes the images."), _("it is never called."))
    return result, expect(torch.cat(calls), what).tensor(shape, names)


def _expect_images(result: Any, toy: ToyGenerator, z: torch.Tensor) -> None:
    """The result is what the generator has made of z."""
    with torch.no_grad():
        right = toy(z.float()).double()
    expect(result, _("the images")).close_to(right, IMAGES, rtol=1e-3, atol=1e-4, mistakes=_image_mistakes(right))


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


@public
@points("gan.sample", 0)
def test_sample_generator(student: Student, remark: Remark) -> None:
    """sample: the images that the generator makes of normal noise"""
    gan, count = gan_of(student, remark), 32
    toy = student.copy_of(BENCH).generator(gan)
    result = gan.sample(toy, count)
    expect(result, _("the images")).tensor((count, 3, 32, 32), IMAGES)
    expect(toy.has_made(result)).true(
        expected=_("the images as the generator makes them, one for each noise that it gets."),
        got=_("other images."),
        hint=_("the generator that is passed in makes the images, and nothing is changed about them afterwards."),
    )
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    expect_normal(
        expect(toy.noise(), _("the noise")).tensor(),
        zero,
        one,
        mean_mistakes=_mean_mistakes(one),
        std_mistakes=_std_mistakes(one),
    )


def _mean_mistakes(one: torch.Tensor) -> dict[str, torch.Tensor]:
    return {_("the noise is uniform in [0, 1]; it is to be normal"): one / 2}


def _std_mistakes(one: torch.Tensor) -> dict[str, torch.Tensor]:
    return {_("the noise is uniform in [-1, 1]; it is to be normal"): one / 3**0.5}


@points("gan.sample")
def test_sample_images(student: Student, remark: Remark) -> None:
    """sample: as many images as asked for, as the generator makes them, without a graph"""
    gan = gan_of(student, remark)
    for count in (6, 1):
        toy = _toy_generator(gan)
        result, z = _images_and_noise(student, toy, partial(gan.sample, toy, count), count)
        _expect_images(result, toy, z)
        if isinstance(result, torch.Tensor) and result.requires_grad:
            fail(
                _("images without a graph for gradients."),
                _("images that carry one."),
                _("nothing is learned from samples: make them under torch.no_grad()."),
            )


@points("gan.sample")
def test_sample_noise(student: Student, remark: Remark) -> None:
    """sample: standard normal noise, fresh for each image and each call"""
    gan = gan_of(student, remark)
    count, rows = 128, 2
    toys = _toy_generator(gan), _toy_generator(gan)
    first, second = (_images_and_noise(student, toy, partial(gan.sample, toy, count), count)[1] for toy in toys)
    fresh = _("each image, and each call, has noise of its own.")
    if bool((first[1:] == first[:1]).all()) and bool((first != first[0, 0]).any()):
        fail(fresh, _("the same noise for every image of a call."))
    zero, one = torch.zeros(rows, dtype=torch.float64), torch.ones(rows, dtype=torch.float64)
    expect_normal(
        first.reshape(rows, -1),
        zero,
        one,
        mean_mistakes=_mean_mistakes(one),
        std_mistakes=_std_mistakes(one),
    )
    if torch.equal(first, second):
        fail(fresh, _("the same noise in two calls."), _("no seed belongs into the function."))


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


def _interpolated(student: Student, gan: Remote, draw: Draw, count: int) -> tuple[ToyGenerator, Any, Any, list[Any]]:
    toy = _toy_generator(gan)
    ends = [draw.normal(1, toy.z_dim, 1, 1) for _end in range(2)]
    result, z = _images_and_noise(student, toy, partial(gan.interpolate, toy, *ends, count), count)
    return toy, result, z, ends


@points("gan.interpolate", 0.7)
def test_interpolate_points(student: Student, remark: Remark, draw: Draw) -> None:
    """interpolate: points at equal distances on the line between two points of the noise"""
    gan = gan_of(student, remark)
    for count in (5, 8):
        _toy, _result, z, ends = _interpolated(student, gan, draw, count)
        _expect_on_the_line(z, *ends)


@points("gan.interpolate", 0.3)
def test_interpolate_images(student: Student, remark: Remark, draw: Draw) -> None:
    """interpolate: the image of each point, as the generator makes it"""
    gan = gan_of(student, remark)
    toy, result, z, _ends = _interpolated(student, gan, draw, 4)
    _expect_images(result, toy, z)


@public
@points("gan.interpolate", 0)
def test_interpolate_line(student: Student, remark: Remark, draw: Draw) -> None:
    """interpolate: the images on the way from one point of the noise to another"""
    gan = gan_of(student, remark)
    toy = _toy_generator(gan)
    ends = [draw.normal(1, toy.z_dim, 1, 1) for _end in range(2)]
    result = gan.interpolate(toy, *ends, 5)
    with torch.no_grad():
        first, last = (toy(end).double() for end in ends)

        def images(way: torch.Tensor) -> torch.Tensor:
            """Those of points on the line, at the parts `way` of it."""
            part = way.view(-1, 1, 1, 1)
            return toy((1 - part) * ends[0] + part * ends[1]).double()

        right = images(torch.linspace(0, 1, 5))
        beyond = images(torch.linspace(0, 1, 6)[:-1]), images(torch.linspace(0, 1, 7)[1:-1])
        added = toy(ends[0] + torch.linspace(0, 1, 5).view(-1, 1, 1, 1) * ends[1]).double()
    mix = torch.linspace(0, 1, 5).double().view(-1, 1, 1, 1)
    pixels = (1 - mix) * first + mix * last
    expect(result, _("the images")).close_to(
        right,
        IMAGES,
        rtol=1e-3,
        atol=1e-4,
        or_values=[right.flip(0)],
        mistakes={
            _("the images at the ends are mixed, instead of the noise"): [pixels, pixels.flip(0)],
            _("an end is left out; both belong to the points"): [*beyond, *(item.flip(0) for item in beyond)],
            _("z_2 is added to z_1; on the line, the weights of the two add up to one"): [added, added.flip(0)],
            **_image_mistakes(right),
        },
    )
