"""What `expect` says, in which order, and that it says it of anything whatever."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.grading.expectation import expect
from autograder.grading.outcomes import CheckFailed
from autograder.sandbox import wire
from autograder.sandbox.proxy import Remote
from autograder.sandbox.wire import Opaque

RIGHT = torch.tensor([0.125, -2.375, 4.625])
DECIMAL = re.compile(r"\d\.\d|\de[-+]?\d")


def remote(kind: str = "DenoiseDiffusion") -> Remote:
    return Remote(SimpleNamespace(), wire.Ref({"handle": 1}), kind)


def outcome(demand: Callable[[], Any]) -> str:
    """The message of a demand that fails, or "" where it passes; any other exception breaks the test."""
    try:
        demand()
    except CheckFailed as failed:
        return str(failed)
    return ""


def message(value: Any, expected: Any = RIGHT, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(CheckFailed) as failed:
        expect(value).close_to(expected, *args, **kwargs)
    return str(failed.value)


def test_the_right_value_is_returned_in_float64() -> None:
    value = expect(RIGHT.clone().requires_grad_()).close_to(RIGHT)
    assert value.dtype == torch.float64
    assert not value.requires_grad
    assert torch.equal(value, RIGHT.double())


@pytest.mark.parametrize(
    "value",
    [
        RIGHT,
        RIGHT.double(),
        RIGHT.numpy(),
        RIGHT.double().numpy(),
        RIGHT.flip(0).numpy()[::-1],
        RIGHT.double().numpy().astype(">f8"),
        RIGHT + 1e-6,
        torch.nn.Parameter(RIGHT),
    ],
)
def test_right_values_pass_in_any_float_container(value: Any) -> None:
    expect(value).close_to(RIGHT)


@pytest.mark.parametrize("value", [2.5, np.array(2.5), torch.tensor(2.5), np.array(2.5, dtype=np.float32)])
def test_one_number_passes_as_a_number_and_as_a_tensor_without_dimensions(value: Any) -> None:
    expect(value).close_to(2.5)


def test_an_integer_number_is_a_number() -> None:
    expect(3).close_to(3.0)


# --- the order: type, dtype, shape, finite, value ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sentences"),
    [
        (None, ["is a float tensor", "Got: None.", "without a return statement"]),
        ("0.5", ["is a float tensor", "type str"]),
        (True, ["is a float tensor", "type bool"]),
        (1j, ["is a float tensor", "type complex"]),
        ({}, ["is a float tensor", "type dict"]),
        ([0.5, 1.5], ["is a float tensor", "a list of length 2"]),
        ((), ["is a float tensor", "a tuple of length 0"]),
        ([RIGHT, RIGHT], ["a list of length 2", "torch.stack or torch.cat"]),
        ((RIGHT, None), ["a tuple of length 2"]),
        (Opaque("Normal"), ["is a float tensor", "an object of type Normal"]),
        (remote("Normal"), ["is a float tensor", "<Normal of the submission>"]),
        (np.array(["a", "b"]), ["is a float tensor", "type ndarray"]),
        (np.zeros(3, dtype=np.complex64), ["is a float tensor", "type ndarray"]),
        (np.zeros(3, dtype=np.longdouble), ["is a float tensor", "type ndarray"]),
        (torch.zeros(3, dtype=torch.long), ["is a float32 tensor", "dtype int64", "drops the fraction"]),
        (torch.zeros(3, dtype=torch.bool), ["is a float32 tensor", "dtype bool", "a comparison gives booleans"]),
        (torch.zeros(3, dtype=torch.half), ["dtype float16", "half precision is too coarse"]),
        (torch.zeros(3, dtype=torch.bfloat16), ["dtype bfloat16", "half precision is too coarse"]),
        (torch.zeros(3, dtype=torch.cfloat), ["is a float32 tensor", "dtype complex64"]),
        (np.zeros(3, dtype=np.int32), ["is a float32 tensor", "dtype int32"]),
        (torch.zeros(2), ["has the shape (3,) = (batch,)", "the shape (2,)"]),
        (torch.zeros(3, 3), ["the shape (3, 3)", "broadcast to (B, B)"]),
        (torch.zeros(3, 1), ["the shape (3, 1)", "an axis of size 1 is left over"]),
        (torch.zeros(3, 7), ["the shape (3, 7)", "an axis that should be summed or averaged is still there"]),
        (torch.zeros(()), ["the shape ()", "summed or averaged into one number"]),
        (0.5, ["the shape ()", "summed or averaged into one number"]),
        (torch.zeros(0), ["the shape (0,)"]),
        (torch.tensor([0.125, math.nan, math.nan]), ["is finite", "2 NaN among 3 values"]),
        (torch.tensor([0.125, math.inf, 0.0]), ["is finite", "1 infinite values among 3"]),
        (torch.tensor([math.nan, -math.inf, 0.0]), ["1 NaN and 1 infinite values among 3", "log(0)"]),
        (torch.tensor([0.125, -2.375, 9.0]), ["the right values for", "shape (3,) is right", "1 of 3 values are not"]),
        (torch.zeros(3), ["the right values for", "3 of 3 values are not"]),
    ],
)
def test_each_fault_has_its_sentence(value: Any, sentences: list[str]) -> None:
    text = message(value, RIGHT, "(batch,)")
    for sentence in sentences:
        assert sentence in text


@pytest.mark.parametrize(
    ("value", "comes", "hidden"),
    [
        (torch.zeros(2, dtype=torch.long), "is a float32 tensor", "has the shape"),
        (torch.full((2,), math.nan), "has the shape", "is finite"),
        (torch.tensor([math.nan, 0.0, 0.0]), "is finite", "the right values"),
        (torch.full((2,), math.nan, dtype=torch.half), "is a float32 tensor", "is finite"),
    ],
)
def test_the_first_fault_in_the_order_is_the_one_that_is_named(value: Any, comes: str, hidden: str) -> None:
    text = message(value)
    assert comes in text
    assert hidden not in text


def test_complex_and_bool_give_no_advice_on_integer_division() -> None:
    assert "Hint" not in message(torch.zeros(3, dtype=torch.cfloat))


def test_a_wrong_number_is_not_said_to_have_a_shape() -> None:
    text = message(torch.tensor(1.0), 2.0)
    assert "another value" in text
    assert "shape" not in text


def test_the_thing_is_called_by_its_name() -> None:
    with pytest.raises(CheckFailed, match="the variance is a float tensor"):
        expect(None, "the variance").close_to(RIGHT)


def test_tolerances_count_per_entry() -> None:
    value = RIGHT + torch.tensor([0.0, 0.0, 0.25])
    expect(value).close_to(RIGHT, rtol=0.0, atol=torch.tensor([0.0, 0.0, 0.3]))
    assert "1 of 3" in message(value, RIGHT, rtol=0.0, atol=torch.tensor([0.3, 0.3, 0.0]))
    expect(value).close_to(RIGHT, atol=0.0, rtol=torch.tensor([0.0, 0.0, 0.1]))


# --- other shapes and values that are right ------------------------------------------------------------------------


def test_other_shapes_are_right_where_they_are_allowed() -> None:
    expected = torch.tensor([1.5, 2.5]).view(2, 1, 1)
    expect(expected.expand(2, 3, 3)).close_to(expected, or_shapes=[(2, 3, 3)])
    expect(expected).close_to(expected, or_shapes=[(2, 3, 3)])
    assert "has the shape (2, 1, 1)" in message(expected.expand(2, 3, 4), expected, or_shapes=[(2, 3, 3)])
    wrong = expected.expand(2, 3, 3).clone()
    wrong[0, 0, 0] = 7.5
    assert "1 of 18 values are not" in message(wrong, expected, or_shapes=[(2, 3, 3)])


def test_other_values_are_right_where_they_are_allowed() -> None:
    expect(-RIGHT).close_to(RIGHT, or_values=[RIGHT * 3, -RIGHT])
    assert "the right values" in message(RIGHT * 2, RIGHT, or_values=[-RIGHT])
    assert "the right values" in message(RIGHT * 2, RIGHT, or_values=[torch.zeros(5)])
    mixed = torch.cat([RIGHT[:2], -RIGHT[2:]])
    assert "the right values" in message(mixed, RIGHT, or_values=[-RIGHT])


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [-RIGHT, lambda: -RIGHT, [RIGHT * 9, -RIGHT], lambda: [RIGHT * 9, -RIGHT]])
def test_a_mistake_is_named_from_a_value_a_function_or_a_list(made: Any) -> None:
    assert "Hint: it looks as if the sign is wrong." in message(-RIGHT, mistakes={"the sign is wrong": made})


def test_a_mistake_as_a_number_fits_every_entry() -> None:
    assert "it looks as if all is zero" in message(torch.zeros(3), mistakes={"all is zero": 0.0})


def test_the_first_mistake_that_fits_is_named_alone() -> None:
    text = message(-RIGHT, mistakes={"half": RIGHT / 2, "first": -RIGHT, "second": -RIGHT})
    assert "first" in text
    assert "second" not in text


def test_no_mistake_is_named_where_none_fits() -> None:
    assert "Hint" not in message(RIGHT + 1, mistakes={"the sign is wrong": -RIGHT})


def test_a_mistake_that_gives_the_right_value_here_is_not_named() -> None:
    """The value is wrong, but so slightly that the 'mistake' fits it as well as the right value."""
    value = RIGHT + 0.15
    assert "Hint" not in message(value, atol=0.1, rtol=0.0, mistakes={"it is shifted": RIGHT + 0.09})
    assert "it is shifted" in message(value, atol=0.1, rtol=0.0, mistakes={"it is shifted": RIGHT + 0.16})


def test_a_mistake_in_a_wrong_shape_is_named() -> None:
    outer = RIGHT[:, None] + torch.zeros(3)
    text = message(outer, mistakes={"(B, 1) meets (B,)": outer})
    assert "the shape (3, 3)" in text
    assert "it looks as if (B, 1) meets (B,)" in text
    assert "it looks as if all is summed" in message(RIGHT.sum(), mistakes={"all is summed": RIGHT.sum()})


def test_a_mistake_of_more_dimensions_or_another_shape_is_not_named() -> None:
    mistakes = {"table": RIGHT.expand(3, 3), "short": RIGHT[:2]}
    assert "it looks as if" not in message(-RIGHT, mistakes=mistakes)
    assert "it looks as if" not in message(RIGHT.sum(), mistakes=mistakes)


def test_a_mistake_that_is_not_finite_is_not_named() -> None:
    value = torch.tensor([math.nan, 1.0, 1.0])
    assert "it looks as if" not in message(value, mistakes={"undefined": torch.tensor([math.nan, 1.0, 1.0])})
    assert "it looks as if" not in message(torch.zeros(3), mistakes={"undefined": torch.full((3,), math.inf)})


def test_mistakes_are_compared_without_gradients() -> None:
    wrong = (-RIGHT).requires_grad_() * 1.0
    assert "sign" in message(-RIGHT, RIGHT.clone().requires_grad_(), mistakes={"the sign is wrong": wrong})


# --- tensor, equal_to, true -----------------------------------------------------------------------------------------


def test_tensor_demands_type_shape_and_finite_values_but_no_value() -> None:
    assert expect(RIGHT * 3).tensor((3,)).dtype == torch.float64
    expect(RIGHT).tensor()
    with pytest.raises(CheckFailed, match=re.escape("has the shape (4,) = (batch,)")):
        expect(RIGHT).tensor((4,), "(batch,)")
    with pytest.raises(CheckFailed, match="is finite"):
        expect(RIGHT * math.inf).tensor((3,))
    with pytest.raises(CheckFailed, match="None"):
        expect(None).tensor((3,))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (3.0, 3),
        ("a", "a"),
        (None, None),
        (True, True),
        ([1, 2], [1, 2]),
        ((1, 2), [1, 2]),
        (torch.tensor([1, 2]), [1, 2]),
        (np.array([[1], [2]]), [[1], [2]]),
        ([1, ["a", None]], [1, ["a", None]]),
    ],
)
def test_equal_values_pass(value: Any, expected: Any) -> None:
    expect(value).equal_to(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (4, 3),
        (True, 1),
        (1, True),
        ("3", 3),
        (None, 0),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        (1, [1]),
        (torch.tensor(1), [1]),
        (math.nan, 3),
        (remote(), 3),
        (Opaque("int"), 3),
        ({1: 2}, [1]),
    ],
)
def test_different_values_fail(value: Any, expected: Any) -> None:
    with pytest.raises(CheckFailed, match=r"Expected: the right sequence of times\.\nGot: another sequence of times\."):
        expect(value, "sequence of times").equal_to(expected)


def test_other_values_may_be_right_as_well() -> None:
    expect([3, 2]).equal_to([3, 2, 1], or_values=[[3, 2]])
    with pytest.raises(CheckFailed):
        expect([3]).equal_to([3, 2, 1], or_values=[[3, 2]])


def test_equal_to_names_mistakes_unless_they_are_right() -> None:
    with pytest.raises(CheckFailed, match="it looks as if the order is reversed"):
        expect([3, 2, 1]).equal_to([1, 2, 3], mistakes={"all": [1], "the order is reversed": [3, 2, 1]})
    with pytest.raises(CheckFailed) as failed:
        expect([5]).equal_to([1], mistakes={"the order is reversed": [1]})
    assert "Hint" not in str(failed.value)


@pytest.mark.parametrize("value", [True, np.True_])
def test_true_passes(value: Any) -> None:
    expect(value).true(expected="yes.", got="no.")


@pytest.mark.parametrize("value", [False, np.False_, 1, "True", None, [True], torch.tensor(True)])
def test_anything_but_true_fails_with_the_given_sentences(value: Any) -> None:
    with pytest.raises(CheckFailed) as failed:
        expect(value).true(expected="yes.", got="no.", hint="perhaps.")
    assert str(failed.value) == "Expected: yes.\nGot: no.\nHint: perhaps."


# --- whatever a submission returns ----------------------------------------------------------------------------------

_SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
_TORCH_DTYPES = st.sampled_from(sorted(wire._DTYPES))
_NUMPY_DTYPES = st.sampled_from(
    [
        ">f8",
        "bool",
        "complex128",
        "complex64",
        "float16",
        "float32",
        "float64",
        "int16",
        "longdouble",
        "uint16",
        "uint64",
        "<U3",
        "object",
    ]
)
_SPECIAL = st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf, 1e38, 1e-45])


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    base = torch.full(draw(_SHAPES), 1.0, dtype=torch.float64) * draw(_SPECIAL)
    return base.to(wire._DTYPES[draw(_TORCH_DTYPES)])


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.full(draw(_SHAPES), draw(_SPECIAL)).astype(draw(_NUMPY_DTYPES))


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400)]),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=5),
    st.text(max_size=8).map(Opaque),
    st.text(max_size=8).map(remote),
    tensors(),
    arrays(),
)
GARBAGE = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(value=GARBAGE, shape=_SHAPES)
@example(value=10**400, shape=())
@example(value=torch.zeros(2), shape=(3,))
@example(value=np.zeros((), dtype=np.longdouble), shape=())
def test_close_to_passes_or_fails_but_never_breaks(value: Any, shape: tuple[int, ...]) -> None:
    expected = torch.rand(shape, dtype=torch.float64)
    mistakes = {"one": 1.0, "negative": -expected, "summed": expected.sum(), "listed": [expected[None], expected + 1]}
    tolerance = torch.full(shape, 1e-4, dtype=torch.float64)
    for atol in (1e-4, tolerance):
        options = {"atol": atol, "mistakes": mistakes, "or_shapes": [(2, 2)]}
        text = outcome(lambda options=options: expect(value).close_to(expected, "(batch,)", **options))
        assert text == "" or (text.startswith("Expected: the") and "\nGot: " in text)


@settings(max_examples=200, deadline=None)
@given(value=GARBAGE)
def test_the_other_demands_never_break_either(value: Any) -> None:
    for demand in (
        lambda: expect(value).tensor((2,)),
        lambda: expect(value).tensor(),
        lambda: expect(value).equal_to([1, "a", None], mistakes={"wrong": [2]}),
        lambda: expect(value).true(expected="yes.", got="no."),
    ):
        text = outcome(demand)
        assert text == "" or "Got: " in text


@pytest.mark.threat(16)
@settings(max_examples=200, deadline=None)
@given(data=st.data(), size=st.integers(1, 4))
def test_a_message_is_the_same_whatever_the_expected_values_are(data: st.DataObject, size: int) -> None:
    """So it cannot hold one of them."""
    numbers = st.lists(st.floats(-50, -1), min_size=size, max_size=size)
    first, second = (torch.tensor(data.draw(numbers), dtype=torch.float64) for _ in range(2))
    value = torch.tensor(data.draw(st.lists(st.floats(1, 50), min_size=size, max_size=size)))
    texts = [message(value, expected, mistakes={"the sign is wrong": expected + 100}) for expected in (first, second)]
    assert texts[0] == texts[1]
    assert not DECIMAL.search(texts[0])


@pytest.mark.threat(16)
@settings(max_examples=200, deadline=None)
@given(value=GARBAGE.filter(lambda value: not isinstance(value, (Opaque, Remote))))
def test_a_message_holds_no_decimal_number_at_all(value: Any) -> None:
    expected = torch.tensor([0.111, 0.222])
    assert not DECIMAL.search(outcome(lambda: expect(value).close_to(expected)))
    assert not DECIMAL.search(outcome(lambda: expect(value).equal_to([0.25, 0.75])))
