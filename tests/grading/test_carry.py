"""The submission's own version of a part, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autograder.grading.carry import alike, follows, in_a_row, knowing, own, tensors
from autograder.sandbox.errors import BadAnswer, ChildEnded, InputChanged, SubmissionRaised
from autograder.sandbox.wire import Opaque


def test_tensors_are_tensors_in_float64_without_gradients() -> None:
    [value] = tensors(lambda: torch.tensor([1.5, 2.5], requires_grad=True))
    assert value.dtype == torch.float64
    assert not value.requires_grad
    assert value.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("kind", [tuple, list])
def test_tensors_are_the_parts_of_several_values(kind: Any) -> None:
    first, second = tensors(lambda: kind([torch.zeros(2), torch.ones(3)]))
    assert (first.shape, second.shape) == ((2,), (3,))


@pytest.mark.parametrize(
    "result",
    [
        None,
        1.5,
        "text",
        Opaque("Normal"),
        {"mean": torch.zeros(1)},
        torch.zeros(2, dtype=torch.long),
        torch.zeros(2, dtype=torch.bool),
        torch.tensor([1.0, float("nan")]),
        torch.tensor([float("inf")]),
        (torch.zeros(1), None),
        [torch.zeros(1), torch.zeros(1, dtype=torch.int32)],
    ],
)
def test_tensors_are_nothing_for_anything_else(result: Any) -> None:
    assert tensors(lambda: result) == []


@pytest.mark.parametrize(
    "error",
    [
        SubmissionRaised("ValueError", "no"),
        ChildEnded("it did not finish", "time"),
        InputChanged("f", ["x"]),
        BadAnswer("too large"),
    ],
)
def test_tensors_are_nothing_where_the_call_fails(error: Exception) -> None:
    def call() -> Any:
        raise error

    assert tensors(call) == []


def test_own_does_not_hide_errors_of_the_grader() -> None:
    with pytest.raises(KeyError):
        tensors(lambda: {}["missing"])


def test_follows_applies_the_formula_to_all_parts() -> None:
    [value] = follows(lambda a, b, c: a * b + c, [torch.tensor(2.0), torch.tensor(3.0)], [torch.tensor(4.0)])
    assert float(value) == 10


def test_follows_gives_nothing_where_a_part_is_missing() -> None:
    assert follows(lambda a, b: a + b, [torch.tensor(1.0)], []) == []


def test_follows_gives_nothing_where_shapes_do_not_fit() -> None:
    assert follows(lambda a, b: a + b, [torch.zeros(2)], [torch.zeros(3)]) == []


def test_follows_gives_nothing_where_the_number_of_parts_does_not_fit() -> None:
    assert follows(lambda a: a, [torch.zeros(2), torch.zeros(2)]) == []


def test_follows_gives_nothing_that_is_not_finite() -> None:
    assert follows(lambda a: a.log(), [torch.zeros(2)]) == []
    assert follows(lambda a: (1 - a**2).sqrt(), [torch.full((2,), 3.0)]) == []


def test_what_is_right_has_no_version_of_its_own() -> None:
    def version() -> list[torch.Tensor]:
        return own("q2_ddpm.q_sample", lambda: torch.ones(1))

    with knowing({"q2_ddpm.q_xt_x0"}) as outer:
        with knowing({"q2_ddpm.q_sample"}) as inner:
            assert version() == []
        assert not inner.carried
        assert not outer.carried
        assert version() == [torch.ones(1)]
        assert outer.carried


def test_a_value_and_its_gradients_in_a_row() -> None:
    value, gradient = torch.ones(1), torch.zeros(2)
    assert in_a_row((value, [gradient])) == [value, gradient]
    assert in_a_row((value, None)) == [value]


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ([torch.tensor([1.0, 2.0])], True),
        ([torch.tensor([1.0, 2.0005])], True),
        ([torch.tensor([1.0, 2.1])], False),
        ([torch.tensor([[1.0, 2.0]])], False),
        ([], False),
        ([torch.tensor([1.0, 2.0])] * 2, False),
    ],
)
def test_tensors_are_alike_in_shape_and_value(found: list[torch.Tensor], same: bool) -> None:
    assert alike([tensor.double() for tensor in found], [torch.tensor([1.0, 2.0])]) is same
