"""Threats of docs/security.md for single parameters of a test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pytest


def marked(names: Iterable[str], planted: Mapping[int, Collection[str]]) -> list[Any]:
    """The parameters `names`, each with the mark of the threats that it plants: number of a threat -> names.

    Raises:
        ValueError: `planted` holds a name that is no parameter.
    """
    listed = list(names)
    unknown = {name for planting in planted.values() for name in planting} - set(listed)
    if unknown:
        raise ValueError(f"no such parameters: {', '.join(sorted(unknown))}")
    parameters = []
    for name in listed:
        numbers = [number for number, planting in planted.items() if name in planting]
        parameters.append(pytest.param(name, marks=[pytest.mark.threat(*numbers)] if numbers else [], id=name))
    return parameters
