"""Question 2.1: the losses of the discriminator and of the generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from autograder.checks.ift6135_a22.gan_probes import (
    OptimizerRecorder,
    StandInCriterion,
    ToyDiscriminator,
    ToyGenerator,
    in_blocks,
)
from autograder.checks.ift6135_a22.own_gan import (
    NUMBER,
    Z_DIM,
    Criterion,
    Remark,
    expect_graph,
    gan_of,
    logits_and_targets,
)
from autograder.grading import assign, expect, fail, fetch, points, public, value_and_gradients
from autograder.grading.carry import alike, in_a_row, is_right, tensors
from autograder.grading.reference import Reference
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

BATCH = 5


def _images(draw: Draw) -> torch.Tensor:
    return in_blocks(draw.normal(BATCH, 3, 4, 4).clamp(-1, 1))


class _Loss:
    """One of the two functions, with toy networks, and real and generated images with their logits."""

    def __init__(self, gan: Remote, draw: Draw) -> None:
        self.gan = gan
        self.discriminator = ToyDiscriminator(draw.number(1.0, 1.6), draw.number(0.4, 0.8))
        self.generator = ToyGenerator(Z_DIM)
        self.images = _images(draw), _images(draw)
        self.leaf = self.images[1].double().requires_grad_()
        self.real, self.fake = self.discriminator(self.images[0].double()), self.discriminator(self.leaf)

    def __call__(self) -> Any:
        """What the submission's function returns."""
        raise NotImplementedError

    def with_gradients(self) -> tuple[Any, list[torch.Tensor] | None]:
        """The same, and its gradients."""
        raise NotImplementedError

    def right(self, criterion: Criterion) -> torch.Tensor:
        """What the loss is with a criterion; ()."""
        raise NotImplementedError

    def gradients(self, loss: torch.Tensor) -> list[torch.Tensor]:
        """The gradients of a loss that is made of the logits, with respect to what has to learn from it."""
        raise NotImplementedError


class _DiscriminatorLoss(_Loss):
    """Its gradients are those with respect to the discriminator."""

    def __call__(self) -> Any:
        return self.gan.discriminator_train(self.discriminator, self.generator, *self.images)

    def with_gradients(self) -> tuple[Any, list[torch.Tensor] | None]:
        net = self.discriminator
        return value_and_gradients(self.gan.discriminator_train, net, self.generator, *self.images, wrt=(net,))

    def right(self, criterion: Criterion) -> torch.Tensor:
        return sum(self.terms(criterion), torch.zeros(()))

    def terms(self, criterion: Criterion) -> list[torch.Tensor]:
        """That of the real images, and that of the generated ones; () each."""
        targets = torch.ones_like(self.real), torch.zeros_like(self.fake)
        return [criterion(logits, target) for logits, target in zip((self.real, self.fake), targets, strict=True)]

    def gradients(self, loss: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss, list(self.discriminator.parameters()), retain_graph=True))


class _GeneratorLoss(_Loss):
    """Its gradients are those with respect to the generated images."""

    def __call__(self) -> Any:
        return self.gan.generator_train(self.discriminator, self.generator, self.images[1])

    def with_gradients(self) -> tuple[Any, list[torch.Tensor] | None]:
        return value_and_gradients(
            self.gan.generator_train, self.discriminator, self.generator, self.images[1], wrt=(2,)
        )

    def right(self, criterion: Criterion) -> torch.Tensor:
        return criterion(self.fake, torch.ones_like(self.fake))

    def gradients(self, loss: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss, [self.leaf], retain_graph=True))


def _criteria(reference: Reference, draw: Draw, loss: _Loss) -> list[Criterion]:
    """The criterion by which a loss is judged, and another one that a wrong loss may have been made of.

    The first is the right one, where the submission's is right, or where the loss is right with whatever the
    submission has made of it. Else a wrong criterion would cost its points twice: then a stand-in takes its place.
    """
    bce: Criterion = reference.gan.criterion
    if is_right("gan.criterion"):
        return [bce]
    pair = logits_and_targets(draw)
    found = tensors(lambda: in_a_row(value_and_gradients(loss.gan.criterion, *pair)))
    if alike(found, in_a_row(value_and_gradients(bce, *pair))):
        return [bce]
    right = loss.right(bce)
    if alike(tensors(lambda: in_a_row(loss.with_gradients())), [right, *loss.gradients(right)]):
        return [bce]
    stand_in = StandInCriterion()
    assign(loss.gan.criterion, stand_in)
    return [stand_in, bce]


def _expect_loss(
    student: Student,
    loss: _Loss,
    result: Any,
    criteria: Sequence[Criterion],
    wrong: Mapping[str, Sequence[Callable[[Criterion], torch.Tensor]]],
) -> None:
    """The result is the loss with the first criterion."""
    right = loss.right(criteria[0])
    if fetch(student.copy_of(loss.generator).calls) and not alike(tensors(lambda: result), [right]):
        fail(
            _("a loss of the images that are passed in."),
            _("the generator is called for other images."),
            _("fake_samples are the generated images."),
        )
    mistakes = {text: [form(criterion) for form in forms for criterion in criteria] for text, forms in wrong.items()}
    expect(result, _("the loss")).close_to(right, NUMBER, mistakes=mistakes)


def _expect_only_a_loss(student: Student, loss: _Loss, name: str) -> None:
    """The function makes a loss, and does not touch gradients or parameters; that is the training loop's part."""
    logits = torch.tensor([0.5, -0.5]).view(-1, 1, 1, 1)
    made = tensors(lambda: loss.gan.criterion(logits, torch.ones_like(logits)))
    if len(made) != 1 or made[0].dim():  # no loss could be made of it
        assign(loss.gan.criterion, StandInCriterion())
    recorders = OptimizerRecorder(), OptimizerRecorder()
    before = loss.discriminator.state()
    assign(loss.gan.discriminator_optimizer, recorders[0])
    assign(loss.gan.generator_optimizer, recorders[1])
    try:
        result = loss()
    except SubmissionRaised:
        if fetch(student.copy_of(recorders[0]).calls) or fetch(student.copy_of(recorders[1]).calls):
            _blame_the_loop(name, _("a method of an optimizer"))
        raise
    for recorder in recorders:
        calls = fetch(student.copy_of(recorder).calls)
        if calls:
            _blame_the_loop(name, f"{calls[0]}()")
    if not fetch(student.copy_of(loss.discriminator).calls):
        fail(_("a loss of the logits that the discriminator returns."), _("it is never called."))
    expect(result, _("the loss")).tensor((), NUMBER)
    after = student.copy_of(loss.discriminator).state()
    if after["grads"] == [0.0, 0.0]:
        _blame_the_loop(name, "zero_grad()")
    if after["grads"] != before["grads"]:
        _blame_the_loop(name, "backward()")
    if after["values"] != before["values"]:
        _blame_the_loop(name, "step()")


def _blame_the_loop(name: str, what: str) -> None:
    fail(
        _("{function} only computes a loss, and returns it.").format(function=name),
        _("it calls {what}.").format(what=what),
        _("zero_grad, backward and step are up to the training loop."),
    )


def _gradients(loss: _Loss, name: str) -> list[torch.Tensor]:
    """The gradients of the submission's loss."""
    try:
        _value, found = loss.with_gradients()
    except SubmissionRaised as error:
        if "second time" in error.message:
            _blame_the_loop(name, "backward()")
        raise
    expect_graph(found)
    return found or []


@public
@points("gan.discriminator_train", 0.5)
def test_discriminator_train_value(student: Student, remark: Remark, reference: Reference, draw: Draw) -> None:
    """discriminator_train: the loss of the real images plus that of the generated ones"""
    loss = _DiscriminatorLoss(gan_of(student, remark), draw)
    real, fake = loss.real, loss.fake
    criteria = _criteria(reference, draw, loss)
    result = loss()
    one, zero = torch.ones_like(real), torch.zeros_like(real)
    wrong: dict[str, list[Callable[[Criterion], torch.Tensor]]] = {
        _("the two losses are averaged instead of added"): [lambda c: loss.right(c) / 2],
        _("the targets have changed places: real images are ones, generated ones zeros"): [
            lambda c: c(real, zero) + c(fake, one)
        ],
        _("the loss of the generated images is missing"): [lambda c: c(real, one), lambda c: c(real, one) / 2],
        _("the loss of the real images is missing"): [lambda c: c(fake, zero), lambda c: c(fake, zero) / 2],
        _("the targets of the generated images are ones; that is the generator's wish"): [
            lambda c: c(real, one) + c(fake, one)
        ],
        _("the targets of the real images are zeros"): [lambda c: c(real, zero) + c(fake, zero)],
        _("one loss is subtracted from the other"): [
            lambda c: c(real, one) - c(fake, zero),
            lambda c: c(fake, zero) - c(real, one),
            lambda c: c(real, one) - c(fake, one),
        ],
        _("the sign of the loss is wrong; it is minimised"): [lambda c: -loss.right(c)],
        _("a sigmoid is applied to the logits, and then another one by the criterion"): [
            lambda c: c(torch.sigmoid(real), one) + c(torch.sigmoid(fake), zero)
        ],
        _("the targets are smoothed; they are ones and zeros here"): [
            lambda c: c(real, 0.9 * one) + c(fake, zero),
            lambda c: c(real, 0.9 * one) + c(fake, 0.1 * one),
        ],
        _("the losses are summed over the batch instead of averaged"): [lambda c: BATCH * loss.right(c)],
        _("the generated images are taken twice, and the real ones never"): [lambda c: c(fake, one) + c(fake, zero)],
        _("the real images are taken twice, and the generated ones never"): [lambda c: c(real, one) + c(real, zero)],
        _("this is a mean of the logits, without the criterion"): [
            lambda c: fake.mean() - real.mean(),
            lambda c: real.mean() - fake.mean(),
        ],
    }
    _expect_loss(student, loss, result, criteria, wrong)


@points("gan.discriminator_train", 0.3)
def test_discriminator_train_gradient(student: Student, remark: Remark, reference: Reference, draw: Draw) -> None:
    """discriminator_train: both terms have a gradient with respect to the discriminator"""
    loss = _DiscriminatorLoss(gan_of(student, remark), draw)
    used = _criteria(reference, draw, loss)[0]
    found = _gradients(loss, "discriminator_train")
    parts = [torch.stack(loss.gradients(term)) for term in loss.terms(used)]
    expect(torch.stack(found), _("the gradient of the loss with respect to the discriminator")).close_to(
        parts[0] + parts[1],
        rtol=1e-3,
        mistakes={
            _("no gradient comes from the real images"): parts[1],
            _("no gradient comes from the generated images"): parts[0],
            _("no gradient reaches the discriminator"): torch.zeros_like(parts[0]),
        },
    )


@points("gan.discriminator_train", 0.2)
def test_discriminator_train_only_a_loss(student: Student, remark: Remark, draw: Draw) -> None:
    """discriminator_train: no zero_grad, backward or step"""
    loss = _DiscriminatorLoss(gan_of(student, remark), draw)
    _expect_only_a_loss(student, loss, "discriminator_train")


@public
@points("gan.generator_train", 0.4)
def test_generator_train_value(student: Student, remark: Remark, reference: Reference, draw: Draw) -> None:
    """generator_train: the loss of the generated images, which want to be taken for real"""
    loss = _GeneratorLoss(gan_of(student, remark), draw)
    fake = loss.fake
    criteria = _criteria(reference, draw, loss)
    result = loss()
    one, zero = torch.ones_like(fake), torch.zeros_like(fake)
    wrong: dict[str, list[Callable[[Criterion], torch.Tensor]]] = {
        _("the targets are zeros, as for the discriminator; the generator wants ones"): [lambda c: c(fake, zero)],
        _("this is the loss that saturates: its gradient vanishes where the discriminator is sure of itself"): [
            lambda c: -c(fake, zero)
        ],
        _("the sign of the loss is wrong; it is minimised"): [lambda c: -c(fake, one)],
        _("a sigmoid is applied to the logits, and then another one by the criterion"): [
            lambda c: c(torch.sigmoid(fake), one)
        ],
        _("the targets are smoothed; they are ones here"): [lambda c: c(fake, 0.9 * one)],
        _("the losses are summed over the batch instead of averaged"): [lambda c: BATCH * c(fake, one)],
        _("the loss is halved"): [lambda c: c(fake, one) / 2],
        _("both kinds of targets are added; the generator has only one wish"): [lambda c: c(fake, one) + c(fake, zero)],
        _("this is a mean of the logits, without the criterion"): [lambda c: -fake.mean(), lambda c: fake.mean()],
    }
    _expect_loss(student, loss, result, criteria, wrong)


@public
@points("gan.generator_train", 0.4)
def test_generator_train_gradient(student: Student, remark: Remark, reference: Reference, draw: Draw) -> None:
    """generator_train: the gradient reaches the generated images, and through them the generator"""
    loss = _GeneratorLoss(gan_of(student, remark), draw)
    used = _criteria(reference, draw, loss)[0]
    found = _gradients(loss, "generator_train")
    (right,) = loss.gradients(loss.right(used))
    expect(found[0], _("the gradient of the loss with respect to fake_samples")).close_to(
        right,
        rtol=1e-3,
        atol=1e-3 * float(right.abs().max()),
        mistakes={
            _("fake_samples are detached, so that the generator cannot learn"): torch.zeros_like(right),
            _("the sign of the gradient is wrong"): -right,
        },
    )


@points("gan.generator_train", 0.2)
def test_generator_train_only_a_loss(student: Student, remark: Remark, draw: Draw) -> None:
    """generator_train: no zero_grad, backward or step"""
    loss = _GeneratorLoss(gan_of(student, remark), draw)
    _expect_only_a_loss(student, loss, "generator_train")
