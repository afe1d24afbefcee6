"""Question 2.1: the optimizers and the criterion of the GAN."""

from __future__ import annotations

from typing import Any

import torch

from autograder.checks.ift6135_a22.own_gan import (
    BENCH,
    NUMBER,
    Criterion,
    Remark,
    expect_graph,
    gan_of,
    logits_and_targets,
)
from autograder.grading import expect, fail, points, public, value_and_gradients
from autograder.grading.expectation import Mistakes
from autograder.grading.reference import Reference
from autograder.grading.seeds import Draw
from autograder.language import _
from autograder.sandbox.errors import SubmissionRaised
from autograder.sandbox.proxy import Remote, Student

BETAS = [0.5, 0.999]
LEARNING_RATE = 1e-4


# --- optimizers -----------------------------------------------------------------------------------------------------


def _made_once(name: str) -> str:
    return _("{name} is a torch.optim.Adam, made once in the module.").format(name=name)


def _optimizer(student: Student, gan: Remote, name: str) -> dict[str, Any]:
    """What the workbench says of an optimizer that is there."""
    facts: dict[str, Any] = student.copy_of(BENCH).optimizer(gan, name)
    expected = _made_once(name)
    if facts["kind"] == "none":
        fail(expected, _("{name} is not there yet, or None.").format(name=name))
    if facts["kind"] == "class":
        hint = _("call the class with the parameters and settings; that makes the object.")
        fail(expected, _("the class itself."), hint)
    if not facts["groups"]:
        fail(expected, _("an object of type {type}.").format(type=facts["type"]))
    return facts


def _expect_settings(student: Student, gan: Remote, name: str, rate_name: str) -> None:
    facts = _optimizer(student, gan, name)
    expected, adam = _made_once(name), student.copy_of(BENCH).is_adam(gan, name)
    if adam is False:
        fail(expected, _("an object of type {type}.").format(type=facts["type"]))
    expect(adam).true(expected=expected, got=_("something else."))
    found = student.copy_of(BENCH).settings(gan, name, rate_name)
    rates, betas, switched_on = found["rates"], found["betas"], found["switched on"]
    if rates not in ([], [LEARNING_RATE]):
        fail(
            _("the learning rate of {name} is {rate}.").format(name=name, rate=rate_name),
            _("another learning rate."),
            _("this is the rate that Adam has where none is given.") if 1e-3 in rates else "",
        )
    expect(rates, _("learning rate of {name}").format(name=name)).equal_to([], or_values=[[LEARNING_RATE]])
    if betas != [BETAS]:
        hint = ""
        if any(first == 0.9 for first, *_others in betas):
            hint = _("0.9 is the first beta that Adam has where none is given.")
        elif BETAS[::-1] in betas:
            hint = _("the two betas have changed places.")
        fail(_("the betas of {name} are 0.5 and 0.999.").format(name=name), _("other betas."), hint)
    expect(betas, _("betas of {name}").format(name=name)).equal_to([BETAS])
    if "maximize" in switched_on:
        fail(
            _("{name} minimises the loss.").format(name=name),
            _("maximize is switched on."),
            _("both functions return losses that are to be small."),
        )
    if switched_on:
        fail(
            _("all other settings of {name} are those that Adam has by itself.").format(name=name),
            _("weight decay.") if "weight_decay" in switched_on else _("the variant AMSGrad."),
            _("AdamW decays the weights where nothing else is said.") if facts["type"] == "AdamW" else "",
        )
    expect(switched_on, _("settings of {name} that are not those of Adam").format(name=name)).equal_to([])


def _expect_parameters(student: Student, gan: Remote, name: str, network: str, other: str) -> None:
    facts = _optimizer(student, gan, name)
    holds = facts["holds"]
    if network not in holds:
        fail(_("the module has a network {name}.").format(name=network), _("there is none."))
    right, wrong = holds[network], holds.get(other, [])
    expected = _("{name} has the parameters of {network}, all of them and no others.").format(
        name=name, network=network
    )
    each = _("each network has an optimizer of its own, which leaves the other network alone.")
    if any(wrong):
        got = _("the parameters of both networks.") if any(right) else _("those of {network}.").format(network=other)
        fail(expected, got, each)
    if not any(right):
        hint = _("a network that is made again after its optimizer is another network, which nothing trains.")
        fail(expected, _("the parameters of some other network."), hint)
    if not all(right):
        fail(expected, _("only some of them."))
    if facts["others"]:
        fail(expected, _("other parameters besides."))


@public
@points("gan.discriminator_optimizer")
def test_discriminator_optimizer_settings(student: Student, remark: Remark) -> None:
    """discriminator_optimizer: Adam with the learning rate and the betas that are asked for"""
    gan = gan_of(student, remark)
    _expect_settings(student, gan, "discriminator_optimizer", "disc_lr")


@points("gan.discriminator_optimizer")
def test_discriminator_optimizer_parameters(student: Student, remark: Remark) -> None:
    """discriminator_optimizer: the parameters of the discriminator, and no others"""
    gan = gan_of(student, remark)
    _expect_parameters(student, gan, "discriminator_optimizer", "discriminator", "generator")


@public
@points("gan.generator_optimizer")
def test_generator_optimizer_settings(student: Student, remark: Remark) -> None:
    """generator_optimizer: Adam with the learning rate and the betas that are asked for"""
    gan = gan_of(student, remark)
    _expect_settings(student, gan, "generator_optimizer", "gen_lr")


@points("gan.generator_optimizer")
def test_generator_optimizer_parameters(student: Student, remark: Remark) -> None:
    """generator_optimizer: the parameters of the generator, and no others"""
    gan = gan_of(student, remark)
    _expect_parameters(student, gan, "generator_optimizer", "generator", "discriminator")


# --- the criterion --------------------------------------------------------------------------------------------------


def _apply_criterion(student: Student, gan: Remote, logits: torch.Tensor, targets: torch.Tensor) -> Any:
    """What the submission's criterion returns."""
    expected = _("criterion is an object or a function that is called with logits and targets.")
    kind = student.copy_of(BENCH).kind(gan, "criterion")
    if kind == "none":
        fail(expected, _("{name} is not there yet, or None.").format(name="criterion"))
    if kind == "class":
        fail(expected, _("the class itself."), _("call the class, with (), to make an object of it."))
    if kind != "callable":
        fail(expected, _("something that cannot be called."))
    try:
        return gan.criterion(logits, targets)
    except SubmissionRaised as error:
        if "between 0 and 1" in error.message:
            fail(
                _("criterion takes logits, which are any real numbers."),
                _("your code raised {error}.").format(error=error.type),
                _("this criterion takes probabilities; there is one that takes logits and applies the sigmoid."),
            )
        raise


@public
@points("gan.criterion", 0.8)
def test_criterion_value(student: Student, remark: Remark, reference: Reference, draw: Draw) -> None:
    """criterion: the binary cross-entropy of logits, averaged"""
    gan = gan_of(student, remark)
    logits, targets = logits_and_targets(draw)
    bce: Criterion = reference.gan.criterion
    right = bce(logits, targets)
    x, y = logits.double(), targets.double()
    terms = torch.stack([bce(a, b) for a, b in zip(x, y, strict=True)])
    ones, p = torch.ones_like(x), torch.sigmoid(x)
    mistakes: Mistakes = {
        _("the losses are summed instead of averaged"): terms.sum(),
        _("the losses are neither averaged nor summed"): [terms, terms.view_as(x), terms.view(-1, 1)],
        _("the sigmoid is applied twice"): bce(p, y),
        _("the targets are turned around: ones mean real"): bce(x, 1 - y),
        _("the sign is wrong"): -right,
        _("a factor is missing"): [right / 2, 2 * right],
        _("this is a squared error, not a cross-entropy"): [((x - y) ** 2).mean(), ((p - y) ** 2).mean()],
        _("this is an absolute error, not a cross-entropy"): [(x - y).abs().mean(), (p - y).abs().mean()],
        _("this is a cross-entropy over classes, and there is only one"): 0.0,
        _("the term of the targets that are zero is missing"): (y * bce(x, ones)).sum() / y.sum(),
        _("the logits are taken for probabilities"): lambda: (
            -(y * x.clamp(1e-7, 1).log() + (1 - y) * (1 - x).clamp(1e-7, 1).log()).mean()
        ),
    }
    found = _apply_criterion(student, gan, logits, targets)
    expect(found, _("the loss")).close_to(right, NUMBER, mistakes=mistakes)


@points("gan.criterion", 0.2)
def test_criterion_gradient(student: Student, remark: Remark, reference: Reference, draw: Draw) -> None:
    """criterion: gradients flow back to the logits"""
    gan = gan_of(student, remark)
    logits, targets = logits_and_targets(draw)
    _apply_criterion(student, gan, logits, targets)  # says what cannot be called
    value, found = value_and_gradients(gan.criterion, logits, targets)
    expect_graph(found)
    _value, right = value_and_gradients(reference.gan.criterion, logits.double(), targets.double())
    expect(value, _("the loss")).tensor((), NUMBER)
    for gradient, expected in zip(found or (), right or (), strict=True):
        expect(gradient, _("the gradient of the loss")).close_to(expected, rtol=1e-3)
