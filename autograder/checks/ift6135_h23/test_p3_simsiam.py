"""Questions 3.1 to 3.3: forward pass, similarity and loss of SimSiam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.checks.ift6135_h23.simsiam_probes import BackboneMaker, SimilarityMaker, StandInSimilarity, Tracer
from autograder.grading import assign, expect, fail, points, public, value_and_gradients
from autograder.grading.carry import alike, in_a_row, is_right, tensors
from autograder.grading.expectation import Mistakes
from autograder.grading.reference import Reference
from autograder.grading.seeds import Draw
from autograder.sandbox.proxy import Remote, Student

IMAGE = (3, 4, 5)
DIM, HIDDEN = 12, 9
BACKBONE = BackboneMaker(60, 16)
TRACER = Tracer()
OUTPUTS = ("p1", "p2", "z1", "z2")
ABSOLUTE = "the absolute value is taken; opposite vectors have the similarity -1"

Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


# --- forward --------------------------------------------------------------------------------------------------------


def _model(student: Student, stop_gradient: bool = True, mode: str | None = None) -> Remote:
    settings = {"dim": DIM, "pred_dim": HIDDEN, "stop_gradient": stop_gradient, "MLP_mode": mode}
    made = student.q3_solution.SimSiam(BACKBONE, **settings)
    if not isinstance(made, Remote):
        fail("SimSiam(base_encoder) makes a network.", f"a value of type {type(made).__name__}.")
    return made


def _views(draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    return draw.normal(6, *IMAGE), draw.normal(6, *IMAGE)


def _settled(student: Student, views: tuple[torch.Tensor, torch.Tensor], **settings: Any) -> Remote:
    """A model whose batch normalisations have seen a batch, in evaluation mode."""
    model = _model(student, **settings)
    student.copy_of(TRACER).settle(model, *views)
    return model


def _expect_four(outputs: Any) -> None:
    if not (isinstance(outputs, (tuple, list)) and len(outputs) == 4):
        got = f"{len(outputs)} values." if isinstance(outputs, (tuple, list)) else "something else."
        fail("forward returns four tensors: p1, p2, z1, z2.", got)


@public
@points("q3_solution.SimSiam.forward", 0.4)
def test_simsiam_forward_values(student: Student, draw: Draw) -> None:
    """SimSiam.forward: p1, p2, z1, z2, in this order, each from its own view"""
    views = _views(draw)
    model = _settled(student, views)
    right = student.copy_of(TRACER).networks(model, *views)
    outputs = model.forward(*views)
    _expect_four(outputs)
    for output, name in zip(outputs, OUTPUTS, strict=True):
        view = int(name[1])
        other = 3 - view
        kind, swapped = ("h", "e") if name[0] == "p" else ("e", "h")
        mistakes: Mistakes = {
            f"{name} comes from the other view": right[f"{kind}{other}"],
            "the outputs stand in another order than p1, p2, z1, z2": right[f"{swapped}{view}"],
            "the outputs stand in another order, or come from the other view": right[f"{swapped}{other}"],
            "the predictor is applied twice": right[f"hh{view}"],
            f"{name} is made of both views": [
                (right[f"{kind}1"] + right[f"{kind}2"]) / 2,
                right[f"{kind}1"] + right[f"{kind}2"],
            ],
            f"{name} is normalised; the similarity does that": torch.nn.functional.normalize(
                right[f"{kind}{view}"], dim=1
            ),
        }
        expect(output, name).close_to(right[f"{kind}{view}"], "(batch, dim)", rtol=1e-3, atol=1e-4, mistakes=mistakes)


def _expect_paths(student: Student, draw: Draw, stopped: bool, trained: bool, **settings: Any) -> None:
    """The gradients of the outputs go where they should.

    Args:
        student: the submission.
        draw: the inputs.
        stopped: whether z1 and z2 are to be constants.
        trained: whether the predictor has parameters to train.
        settings: of the model.
    """
    views = _views(draw)
    model = _settled(student, views, **settings)
    outputs = model.forward(*views)
    _expect_four(outputs)
    for output, name in zip(outputs, OUTPUTS, strict=True):
        expect(output, name).tensor((len(views[0]), DIM), "(batch, dim)")
    tracer = student.copy_of(TRACER)
    for position, name in ((0, "p1"), (1, "p2")):
        if trained:
            expect(tracer.reaches(model, *views, position, "predictor")).true(
                expected=f"the gradient of {name} reaches the predictor.",
                got="it does not.",
                hint="p1 and p2 come first, and are neither detached nor computed under torch.no_grad().",
            )
        expect(tracer.reaches(model, *views, position, "encoder")).true(
            expected=f"the gradient of {name} reaches the encoder, through the predictor.",
            got="it does not, so that the encoder learns nothing.",
            hint="the predictor gets the encoder's output with its gradient; detach what is returned, and not before.",
        )
    for position, name in ((2, "z1"), (3, "z2")):
        if stopped:
            expect(tracer.is_constant(model, *views, position)).true(
                expected=f"with stop_gradient, {name} is a constant: it carries no gradient.",
                got="its gradient reaches the encoder.",
                hint="detach both z1 and z2 where self.stop_gradient is set.",
            )
        else:
            expect(tracer.reaches(model, *views, position, "encoder")).true(
                expected=f"without stop_gradient, the gradient of {name} reaches the encoder.",
                got="it does not.",
                hint="detach only where self.stop_gradient is set.",
            )


@public
@points("q3_solution.SimSiam.forward", 0.35)
def test_simsiam_forward_stop_gradient(student: Student, draw: Draw) -> None:
    """SimSiam.forward with stop_gradient: z1 and z2 are constants, p1 and p2 are not"""
    _expect_paths(student, draw, stopped=True, trained=True)
    _expect_paths(student, draw, stopped=True, trained=False, mode="no_pred_mlp")


@points("q3_solution.SimSiam.forward", 0.25)
def test_simsiam_forward_without_stop_gradient(student: Student, draw: Draw) -> None:
    """SimSiam.forward without stop_gradient: gradients flow everywhere"""
    _expect_paths(student, draw, stopped=False, trained=True, stop_gradient=False)
    _expect_paths(student, draw, stopped=False, trained=False, stop_gradient=False, mode="fixed_random_init")


# --- similarity -----------------------------------------------------------------------------------------------------


def _vectors(draw: Draw, batch: int, dim: int) -> torch.Tensor:
    """Vectors of very different lengths, none of them short; (batch, dim)."""
    directions = torch.nn.functional.normalize(draw.normal(batch, dim), dim=1)
    return directions * draw.uniform(0.3, 4.0, batch, 1)


def _cosine_mistakes(a: torch.Tensor, b: torch.Tensor) -> Mistakes:
    """What wrong formulas give for a pair of batches; float64 (B, D)."""
    dot, first, second = (a * b).sum(1), a.norm(dim=1), b.norm(dim=1)
    right = dot / (first * second)
    every = (a @ b.T) / (first[:, None] * second)
    unit_columns = torch.nn.functional.normalize(a, dim=0) * torch.nn.functional.normalize(b, dim=0)
    return {
        "the norms are those of the whole batch, not of each vector": [
            dot / (a.norm() * b.norm()),
            dot.sum() / (a.norm() * b.norm()),
        ],
        "the vectors are not divided by their norms": [dot, dot.sum()],
        "only one of the two vectors is divided by its norm": [dot / first, dot / second],
        "the norms are squared: a square root is missing": [dot / (first * second) ** 2, dot / (first**2 * second)],
        "the square root is taken of the product of the norms": dot / (first * second).sqrt(),
        "the norms are sums of absolute values instead of Euclidean norms": dot / (a.abs().sum(1) * b.abs().sum(1)),
        "the norms are added instead of multiplied": dot / (first + second),
        "the sign is wrong": -right,
        "this is a distance, not a similarity": [1 - right, (a - b).norm(dim=1), ((a - b) ** 2).sum(1)],
        ABSOLUTE: right.abs(),
        "the similarities are averaged or summed; that is up to the loss": [right.mean(), right.sum()],
        "every vector is compared with every other one": every,
        "the products are not summed over the dimensions": [
            a * b / (first * second)[:, None],
            (a * b / (first * second)[:, None]).mean(1),
        ],
        "the vectors are taken along the first axis, which is the batch": [
            (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)),
            unit_columns.sum(1),
        ],
        "the similarities are shifted or scaled": [(1 + right) / 2, 2 * right, right / 2],
        "the angle is returned instead of its cosine": torch.arccos(right),
    }


@public
@points("q3_solution.CosineSimilarity.forward", 0.7)
def test_cosine_similarity_value(student: Student, reference: Reference, draw: Draw) -> None:
    """CosineSimilarity.forward: one similarity for each pair of vectors"""
    for batch, dim in ((5, 7), (2, 3)):
        a, b = _vectors(draw, batch, dim), _vectors(draw, batch, dim)
        expect(student.q3_solution.CosineSimilarity().forward(a, b), "the similarity").close_to(
            reference.q3_solution.CosineSimilarity().forward(a, b),
            "(batch,)",
            mistakes=_cosine_mistakes(a.double(), b.double()),
        )
    a, factors = _vectors(draw, 3, 6), torch.tensor([3.0, -0.5, 1.0])
    found = student.q3_solution.CosineSimilarity().forward(a, factors[:, None] * a)
    expect(found, "the similarity of parallel and opposite vectors").close_to(
        factors.sign(), "(batch,)", mistakes={ABSOLUTE: torch.ones(3)}
    )


@points("q3_solution.CosineSimilarity.forward", 0.3)
def test_cosine_similarity_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """CosineSimilarity.forward: gradients flow back to both arguments"""
    a, b, weights = _vectors(draw, 4, 6), _vectors(draw, 4, 6), draw.normal(4)
    value, found = value_and_gradients(
        student.q3_solution.CosineSimilarity().forward, a, b, wrt=(0, 1), cotangent=weights
    )
    expect(value, "the similarity").tensor((4,), "(batch,)")
    _value, right = value_and_gradients(
        reference.q3_solution.CosineSimilarity().forward,
        a.double(),
        b.double(),
        wrt=(0, 1),
        cotangent=weights.double(),
    )
    constant = [part * (weights / (a.norm(dim=1) * b.norm(dim=1))).view(-1, 1) for part in (b, a)]
    _expect_gradients(found, right, "the similarity", {"the norms are detached": constant})


def _expect_gradients(
    found: list[torch.Tensor] | None, right: list[torch.Tensor] | None, what: str, wrong: dict[str, list[torch.Tensor]]
) -> None:
    """The gradients are the right ones; `wrong` has those of mistakes, one for each argument."""
    if found is None:
        fail(
            f"{what} carries gradients; training needs them.",
            "it carries none.",
            "look for .detach(), .item(), .data, numpy, or torch.no_grad() on the way.",
        )
    for position, (gradient, expected) in enumerate(zip(found, right or (), strict=True)):
        mistakes: Mistakes = {
            "the gradient is cut off by .detach(), .data or torch.no_grad()": torch.zeros_like(expected),
            **{text: gradients[position] for text, gradients in wrong.items()},
        }
        expect(gradient, f"the gradient of {what}").close_to(expected, rtol=1e-3, mistakes=mistakes)


# --- loss -----------------------------------------------------------------------------------------------------------


class _Pairs:
    """Outputs p1, p2, z1, z2 of which no two pairs agree equally well."""

    def __init__(self, draw: Draw) -> None:
        p1, p2, z1, z2 = (_vectors(draw, 5, DIM) for _output in OUTPUTS)
        self.values = [p1 + z2, p2 - 0.5 * z1 + 0.2 * p1, z1 + 0.3 * z2, z2]
        self.exact = [value.double().requires_grad_(position < 2) for position, value in enumerate(self.values)]

    def loss(self, similarity: Similarity) -> torch.Tensor:
        """What the loss is with a similarity; ()."""
        p1, p2, z1, z2 = self.exact
        return -0.5 * (similarity(p1, z2).mean() + similarity(p2, z1).mean())

    def gradients(self, similarity: Similarity) -> list[torch.Tensor]:
        """Its gradients with respect to p1 and p2."""
        return list(torch.autograd.grad(self.loss(similarity), self.exact[:2]))


def _similarities(student: Student, reference: Reference, pairs: _Pairs) -> list[Similarity]:
    """The similarity by which the loss is judged, and another one that a wrong loss may have been made of.

    The first is the cosine, where the submission's is one, or where the loss is right with whatever the submission has
    made of it. Else a wrong similarity would cost its points twice: then a stand-in takes its place.
    """
    cosine: Similarity = reference.q3_solution.CosineSimilarity().forward
    p1, p2, z1, z2 = pairs.values
    if is_right("q3_solution.CosineSimilarity.forward"):
        return [cosine]
    both = torch.cat([p1, p2]), torch.cat([z2, z1])
    found = tensors(lambda: in_a_row(value_and_gradients(student.q3_solution.CosineSimilarity().forward, *both)))
    if alike(found, in_a_row(value_and_gradients(cosine, *(item.double() for item in both)))):
        return [cosine]
    found = tensors(lambda: in_a_row(value_and_gradients(_model(student).loss, *pairs.values, wrt=(0, 1))))
    if alike(found, [pairs.loss(cosine), *pairs.gradients(cosine)]):
        return [cosine]
    assign(student.q3_solution.CosineSimilarity, SimilarityMaker())
    return [StandInSimilarity(), cosine]


@public
@points("q3_solution.SimSiam.loss", 0.7)
def test_simsiam_loss_value(student: Student, reference: Reference, draw: Draw) -> None:
    """SimSiam.loss: minus half the mean similarity of each p with the z of the other view"""
    pairs = _Pairs(draw)
    similarities = _similarities(student, reference, pairs)
    result = _model(student).loss(*pairs.values)
    p1, p2, z1, z2 = pairs.exact
    batch = len(p1)

    def half(s: Similarity, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        return -0.5 * (s(a, b).mean() + s(c, d).mean())

    wrong: dict[str, list[Callable[[Similarity], torch.Tensor]]] = {
        "the sign is wrong: better agreement is to make the loss smaller": [
            lambda s: -pairs.loss(s),
            lambda s: -2 * pairs.loss(s),
        ],
        "the factor of one half is missing": [lambda s: 2 * pairs.loss(s)],
        "one half is taken twice": [lambda s: pairs.loss(s) / 2],
        "each p is compared with the z of its own view": [lambda s: half(s, p1, z1, p2, z2)],
        "the two p are compared with each other": [lambda s: -s(p1, p2).mean()],
        "the two z are compared with each other": [lambda s: -s(z1, z2).mean()],
        "one of the two terms is missing": [
            *(lambda s: -s(p1, z2).mean(), lambda s: -0.5 * s(p1, z2).mean()),
            *(lambda s: -s(p2, z1).mean(), lambda s: -0.5 * s(p2, z1).mean()),
        ],
        "the same term is taken twice, or one p with both z": [
            lambda s: half(s, p1, z2, p1, z1),
            lambda s: half(s, p2, z1, p2, z2),
            lambda s: half(s, p1, z2, p2, z2),
            lambda s: half(s, p1, z1, p2, z1),
        ],
        "one term is subtracted from the other": [
            lambda s: -0.5 * (s(p1, z2).mean() - s(p2, z1).mean()),
            lambda s: 0.5 * (s(p1, z2).mean() - s(p2, z1).mean()),
        ],
        "brackets are missing: sign and factor belong to both terms": [
            lambda s: -0.5 * s(p1, z2).mean() + s(p2, z1).mean(),
            lambda s: -0.5 * s(p2, z1).mean() + s(p1, z2).mean(),
            lambda s: -s(p1, z2).mean() + 0.5 * s(p2, z1).mean(),
        ],
        "the similarities are summed over the batch instead of averaged": [lambda s: batch * pairs.loss(s)],
        "the loss is not averaged over the batch": [lambda s: -0.5 * (s(p1, z2) + s(p2, z1))],
        "a constant is added": [lambda s: 1 + pairs.loss(s), lambda s: 2 + 2 * pairs.loss(s)],
    }
    mistakes = {text: [form(s) for form in forms for s in similarities] for text, forms in wrong.items()}
    expect(result, "the loss").close_to(pairs.loss(similarities[0]), "(), one number", mistakes=mistakes)


@points("q3_solution.SimSiam.loss", 0.3)
def test_simsiam_loss_gradient(student: Student, reference: Reference, draw: Draw) -> None:
    """SimSiam.loss: gradients flow back to p1 and p2; the similarity is named"""
    pairs = _Pairs(draw)
    similarity = _similarities(student, reference, pairs)[0]
    value, found = value_and_gradients(
        _model(student).loss, *pairs.values, wrt=(0, 1), similarity_function="CosineSimilarity"
    )
    expect(value, "the loss").tensor((), "(), one number")
    _expect_gradients(found, pairs.gradients(similarity), "the loss", {})
