"""`expect(value)`: judges what a submission returned, in a fixed order, and says what is wrong with it.

Type, dtype, shape, finiteness, value: the first that does not hold ends the check with its own sentence. Whatever a
submission returns is judged; nothing here raises anything but `CheckFailed`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol

import numpy as np
import torch

from tools.outcomes import CheckFailed, Message
from tools.words import _, plural

Value = torch.Tensor | float | int
Mistakes = Mapping[str, "Value | Callable[[], Value] | Sequence[Value]"]

RTOL = 1e-4
ATOL = 1e-5
_FLOATS = (torch.float32, torch.float64)


class Expectation:
    """What a check demands of one value."""

    def __init__(self, value: Any, what: str) -> None:
        """Made by `expect`."""
        self._value = value
        self._what = what

    def close_to(
        self,
        expected: Value,
        shape: str = "",
        *,
        rtol: float | torch.Tensor = RTOL,
        atol: float | torch.Tensor = ATOL,
        mistakes: Mistakes | None = None,
        or_shapes: Sequence[tuple[int, ...]] = (),
        or_values: Sequence[Value] = (),
    ) -> torch.Tensor:
        """The value is a finite float tensor, equal to `expected` within `atol + rtol * |expected|`.

        Args:
            expected: the right value, in the right shape.
            shape: the shape in words, such as "(batch,)".
            rtol: relative tolerance, one or one for each entry.
            atol: absolute tolerance, one or one for each entry.
            mistakes: what the value looks like -> the value of that wrong formula (or a function that computes it, or
                several such values). A mistake that gives the right value on these inputs is never named.
            or_shapes: other shapes that are right as well; `expected` is broadcast to them.
            or_values: other values that are right as well.

        Returns:
            The value, in float64.
        """
        right = torch.as_tensor(expected, dtype=torch.float64).detach()
        allowed = [tuple(right.shape), *map(tuple, or_shapes)]
        value = self._numbers()
        judge = _Comparison(value, right, rtol, atol)
        if tuple(value.shape) not in allowed:
            self._wrong_shape(value, allowed, shape, judge.named(mistakes))
        self._finite(value)
        if judge.equals(right) or any(judge.equals(other) for other in or_values):
            return value
        hint = judge.named(mistakes)
        size = tuple(value.shape)
        got = (
            _("the shape {shape} is right, but {wrong} of {count} values are not.").format(
                shape=size, wrong=judge.different(right), count=value.numel()
            )
            if value.numel() > 1
            else _("another value.")
        )
        raise CheckFailed(Message(_("the right values for {what}.").format(what=self._what), got, hint))

    def tensor(self, shape: tuple[int, ...] | None = None, names: str = "") -> torch.Tensor:
        """The value is a finite float tensor of the given shape.

        Returns:
            The value, in float64.
        """
        value = self._numbers()
        if shape is not None and tuple(value.shape) != tuple(shape):
            self._wrong_shape(value, [tuple(shape)], names, "")
        self._finite(value)
        return value

    def equal_to(
        self, expected: Any, *, mistakes: Mapping[str, Any] | None = None, or_values: Sequence[Any] = ()
    ) -> None:
        """The value equals `expected`: an integer, a string, a list of such, or an integer tensor's list.

        Args:
            expected: the right value.
            mistakes: what the value looks like -> the wrong value.
            or_values: other values that are right as well.
        """
        value = self._value.tolist() if isinstance(self._value, (torch.Tensor, np.ndarray)) else self._value
        if any(_same(value, right) for right in (expected, *or_values)):
            return
        named = [text for text, wrong in (mistakes or {}).items() if _same(value, wrong) and not _same(wrong, expected)]
        raise CheckFailed(
            Message(
                _("the right {what}.").format(what=self._what),
                _("another {what}.").format(what=self._what),
                _looks_like(named[0]) if named else "",
            )
        )

    def true(self, *, expected: str, got: str, hint: str = "") -> None:
        """The value is true; the sentences say what that means."""
        if not (isinstance(self._value, (bool, np.bool_)) and self._value):
            raise CheckFailed(Message(expected, got, hint))

    def _numbers(self) -> torch.Tensor:
        value = self._value
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
            value = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="C"))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            value = torch.tensor(_as_float(value))
        if not isinstance(value, torch.Tensor):
            self._wrong_type(value)
        if value.dtype not in _FLOATS:
            self._wrong_dtype(value)
        return value.detach().to(torch.float64)

    def _wrong_type(self, value: Any) -> NoReturn:
        hint = ""
        if value is None:
            got, hint = "None.", _("a function without a return statement returns None.")
        elif isinstance(value, (list, tuple)):
            got = _("a {type} of length {length}.").format(type=type(value).__name__, length=len(value))
            if len(value) > 0 and all(isinstance(item, torch.Tensor) for item in value):
                hint = _("torch.stack or torch.cat makes one tensor of several.")
        elif hasattr(type(value), "__genlab_got__"):  # it stands for an object of the submission
            got = value.__genlab_got__()
        else:
            got = _("a value of type {type}.").format(type=type(value).__name__)
        raise CheckFailed(Message(_("{what} is a float tensor.").format(what=self._what), got, hint))

    def _wrong_dtype(self, value: torch.Tensor) -> NoReturn:
        name = str(value.dtype).removeprefix("torch.")
        hint = {
            torch.bool: _("a comparison gives booleans."),
            torch.float16: _("half precision is too coarse here; compute in float32."),
            torch.bfloat16: _("half precision is too coarse here; compute in float32."),
        }.get(value.dtype, "" if value.is_complex() else _("integer division or .long() drops the fraction."))
        expected = _("{what} is a float32 tensor.").format(what=self._what)
        raise CheckFailed(Message(expected, _("a tensor of dtype {dtype}.").format(dtype=name), hint))

    def _wrong_shape(self, value: torch.Tensor, allowed: Sequence[tuple[int, ...]], names: str, hint: str) -> NoReturn:
        right, size = allowed[0], tuple(value.shape)
        if not hint:
            if value.dim() == 0 and right:
                hint = _("everything was summed or averaged into one number.")
            elif len(size) == 2 and size[0] == size[1] and right == size[:1]:
                hint = _("(B,) and (B, 1) broadcast to (B, B); keepdim keeps the axis, squeeze removes it.")
            elif size == (*right, 1):
                hint = _("an axis of size 1 is left over.")
            elif len(size) > len(right) and size[: len(right)] == right:
                hint = _("an axis that should be summed or averaged is still there.")
        expected = _("{what} has the shape {shape}.").format(
            what=self._what, shape=f"{right} = {names}" if names else right
        )
        raise CheckFailed(Message(expected, _("the shape {shape}.").format(shape=size), hint))

    def _finite(self, value: torch.Tensor) -> None:
        nan, infinite = int(value.isnan().sum()), int(value.isinf().sum())
        if nan or infinite:
            kinds = [f"{nan} NaN"] if nan else []
            kinds += [plural("{n} infinite values", "{n} infinite values", infinite)] if infinite else []
            found = _("{first} and {second}").format(first=kinds[0], second=kinds[1]) if kinds[1:] else kinds[0]
            hint = _("look for log(0), a division by 0, the square root of a negative number, or exp of a large one.")
            got = _("{found} among {count} values.").format(found=found, count=value.numel())
            raise CheckFailed(Message(_("{what} is finite.").format(what=self._what), got, hint))


class _Comparison:
    def __init__(
        self, value: torch.Tensor, right: torch.Tensor, rtol: float | torch.Tensor, atol: float | torch.Tensor
    ) -> None:
        self._value, self._right, self._rtol, self._atol = value, right, rtol, atol

    def _wrong_entries(self, value: torch.Tensor, other: Value) -> torch.Tensor | None:
        other = torch.as_tensor(other, dtype=torch.float64).detach()
        try:
            other = other.expand_as(value)
            return ~((value - other).abs() <= self._atol + self._rtol * other.abs())
        except RuntimeError:  # `other`, or a tolerance for each entry, is of another shape
            return None

    def different(self, other: Value) -> int:
        wrong = self._wrong_entries(self._value, other)
        return self._value.numel() if wrong is None else int(wrong.sum())

    def equals(self, other: Value) -> bool:
        wrong = self._wrong_entries(self._value, other)
        return wrong is not None and not bool(wrong.any())

    def named(self, mistakes: Mistakes | None) -> str:
        """The hint for the first mistake that gives this value, in its own shape, and not the right one."""
        for text, made in (mistakes or {}).items():
            values = made() if callable(made) else made
            for wrong in values if isinstance(values, (list, tuple)) else [values]:
                tensor = torch.as_tensor(wrong, dtype=torch.float64).detach()
                if tensor.dim() > self._value.dim() or not bool(tensor.isfinite().all()):
                    continue
                is_right = self._wrong_entries(self._right, tensor)
                if is_right is not None and not bool(is_right.any()):
                    continue
                if self.equals(tensor):
                    return _looks_like(text)
        return ""


class Recorder(Protocol):
    """Takes down what a check demands while the reference itself is judged; see `autograder.release.recording`."""

    def expect(self, value: Any, what: str) -> Expectation:
        """What the check demands of one value."""
        ...

    def normal(
        self,
        samples: Any,
        mean: torch.Tensor,
        std: torch.Tensor,
        slack: float,
        or_moments: Sequence[tuple[torch.Tensor, torch.Tensor]],
    ) -> None:
        """The check demands `expect_normal` of these samples."""
        ...


_RECORDER: ContextVar[Recorder | None] = ContextVar("what takes the judgements down", default=None)


@contextmanager
def recorded_by(recorder: Recorder) -> Iterator[None]:
    """Within it, what checks demand is taken down."""
    token = _RECORDER.set(recorder)
    try:
        yield
    finally:
        _RECORDER.reset(token)


def recorder_in_force() -> Recorder | None:
    """What takes the judgements down, where something does."""
    return _RECORDER.get()


def expect(value: Any, what: str = "") -> Expectation:
    """Judge `value`, which messages call `what`, by default "the result"."""
    recorder = _RECORDER.get()
    made: Callable[[Any, str], Expectation] = recorder.expect if recorder else Expectation
    return made(value, what or _("the result"))


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer with more digits than a float can have
        return math.inf


def _looks_like(mistake: str) -> str:
    return _("it looks as if {mistake}.").format(mistake=mistake)


def _same(value: Any, other: Any) -> bool:
    if isinstance(other, (list, tuple)):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(other)
            and all(_same(a, b) for a, b in zip(value, other, strict=True))
        )
    if isinstance(other, (bool, str, type(None))) or isinstance(value, bool):
        return type(value) is type(other) and value == other
    return isinstance(value, (int, float)) and value == other
