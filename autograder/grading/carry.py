"""Errors that carry forward cost their points once.

A method that builds on another one of the same class is right, too, when it is right given the submission's own version
of that other one. Checks ask for that version here, and pass what follows from it to `close_to(..., or_values=...)`.

What is right by itself needs no such version: a submission that says something else here than in its own checks lies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch

from autograder.sandbox.errors import SubmissionError


@dataclass
class Known:
    """What is known while a check runs.

    Attributes:
        right: names of the units that are right by themselves.
        carried: whether the check was given versions of the submission's own, by which it may pass.
    """

    right: Collection[str] = ()
    carried: bool = False


_KNOWN: ContextVar[Known] = ContextVar("what is known while a check runs")


@contextmanager
def knowing(right: Collection[str]) -> Iterator[Known]:
    """Within it, `right` are the names of the units that have passed all their checks with nothing carried."""
    known = Known(right)
    token = _KNOWN.set(known)
    try:
        yield known
    finally:
        _KNOWN.reset(token)


def is_right(unit: str) -> bool:
    """Whether a unit, such as `q2_ddpm.q_sample`, is right by itself."""
    return unit in _KNOWN.get(Known()).right


def own(unit: str, call: Callable[[], Any], right: Callable[[], Any] = list) -> list[torch.Tensor]:
    """The `tensors` of a call of `unit`, the submission's own version.

    Args:
        unit: what is called.
        call: calls it in the submission.
        right: the same of the reference, which is called instead where the unit is right by itself; default: nothing.
    """
    if is_right(unit):
        return tensors(right)
    found = tensors(call)
    _KNOWN.get(Known()).carried |= bool(found)
    return found


def tensors(call: Callable[[], Any]) -> list[torch.Tensor]:
    """The tensors that a call into the submission returns, in float64; none where it fails or gives anything else."""
    try:
        result = call()
    except SubmissionError:
        return []
    parts = list(result) if isinstance(result, (tuple, list)) else [result]
    for part in parts:
        if not (isinstance(part, torch.Tensor) and part.is_floating_point() and bool(part.detach().isfinite().all())):
            return []
    return [part.detach().double() for part in parts]


def follows(formula: Callable[..., torch.Tensor], *parts: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What `formula` makes of the submission's own parts, each from `own`; nothing where one is missing."""
    if not all(parts):
        return []
    try:
        value = formula(*(tensor for part in parts for tensor in part))
    except (RuntimeError, TypeError):
        return []
    return [value] if bool(value.isfinite().all()) else []


def in_a_row(answer: tuple[Any, list[torch.Tensor] | None]) -> list[Any]:
    """A value and its gradients, as `value_and_gradients` gives them, one after the other."""
    value, gradients = answer
    return [value, *(gradients or [])]


def alike(found: list[torch.Tensor], right: list[torch.Tensor], atol: float = 1e-5) -> bool:
    """Whether these are the same tensors, in shape and, up to float32 rounding, in value; `found` is from `tensors`."""
    return len(found) == len(right) and all(
        a.shape == b.shape and torch.allclose(a, b.double(), rtol=1e-3, atol=atol)
        for a, b in zip(found, right, strict=True)
    )
