"""One call of a function, with the gradients of its result, and whether it left its arguments as they were."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch


def called(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], wrt: Sequence[Any] = (), cotangent: Any = None
) -> dict[str, Any]:
    """Call a function.

    Args:
        function: what is called with `args` and `kwargs`.
        args: positional arguments.
        kwargs: keyword arguments.
        wrt: what gradients are asked for: positions (as text) or names of arguments, or modules.
        cotangent: see `gradients`.

    Returns:
        The `value`, the names of the parameters whose tensors were `changed` in place, and with `wrt` also `grads`.
    """
    names = {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}
    inputs = gradient_inputs([names[key] if isinstance(key, str) else key for key in wrt])
    changed: list[str] = []
    with unchanged(names, changed):
        value = function(*args, **kwargs)
    answer: dict[str, Any] = {"value": value, "changed": _parameter_names(function, changed)}
    if wrt:
        answer["grads"] = gradients(value, inputs, cotangent)
    return answer


def gradient_inputs(items: list[Any]) -> list[torch.Tensor]:
    """Leaf tensors behind what gradients are asked for: tensors (made to require them) and parameters of modules."""
    leaves: list[torch.Tensor] = []
    for item in items:
        leaves += [item.requires_grad_()] if isinstance(item, torch.Tensor) else list(item.parameters())
    return leaves


def gradients(value: Any, inputs: list[torch.Tensor], cotangent: torch.Tensor | None) -> list[torch.Tensor] | None:
    """Vector-Jacobian product of `cotangent` (default: ones) with the Jacobian of `value`.

    Returns:
        One tensor for each input (zeros where `value` does not depend on it), or None where `value` carries no graph.
    """
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        return None
    weighted = value if cotangent is None else value * cotangent.to(value.dtype)
    # of a scalar: with grad_outputs, autograd imports torch's symbolic shapes, for two seconds
    found = torch.autograd.grad(weighted.sum(), inputs, allow_unused=True)
    return [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(inputs, found, strict=True)]


@contextlib.contextmanager
def unchanged(values: dict[str, Any], changed: list[str]) -> Iterator[None]:
    """Append to `changed` the names of the tensors among `values` that the block changes in place."""
    before = {name: value.detach().clone() for name, value in values.items() if isinstance(value, torch.Tensor)}
    yield
    for name, old in before.items():
        new = values[name].detach()
        alike = new.shape == old.shape and new.dtype == old.dtype
        if not alike or not torch.isclose(new, old, rtol=0, atol=0, equal_nan=True).all():
            changed.append(name)


def _parameter_names(function: Any, keys: list[str]) -> list[str]:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return keys
    return [names[int(key)] if key.isdigit() and int(key) < len(names) else key for key in keys]
