"""Errors that carry forward cost their points once.

A method that builds on another one of the same class is right, too, when it is right given the submission's own version
of that other one. Checks ask for that version here, and pass what follows from it to `close_to(..., or_values=...)`.

What has passed its own checks needs no such version: a submission that says something else here than there is lying.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

from autograder.sandbox.errors import SubmissionError

_RIGHT: ContextVar[Collection[str]] = ContextVar("names of the units that have passed", default=())


@contextmanager
def knowing(right: Collection[str]) -> Iterator[None]:
    """Within it, `right` are the names of the units that have passed all their checks."""
    token = _RIGHT.set(right)
    try:
        yield
    finally:
        _RIGHT.reset(token)


def is_right(unit: str) -> bool:
    """Whether a unit, such as `q2_ddpm.q_sample`, has passed all its checks."""
    return unit in _RIGHT.get()


def own(unit: str, call: Callable[[], Any]) -> list[torch.Tensor]:
    """The `tensors` of a call of `unit`, the submission's own version; none where the unit is right."""
    return [] if is_right(unit) else tensors(call)


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


def alike(found: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    """Whether these are the same tensors, in shape and, up to float32 rounding, in value; `found` is from `tensors`."""
    return len(found) == len(right) and all(
        a.shape == b.shape and torch.allclose(a, b.double(), rtol=1e-3, atol=1e-5)
        for a, b in zip(found, right, strict=True)
    )
