"""Stand-ins that a check hands to a submission: stub networks, stub diffusions, settings.

A probe is an ordinary class in the `probes.py` of an assignment's checks, built on `Probe`. The grader makes one and
uses it with the reference; the child gets the class's source and the arguments, and makes its own. What the
child's copy records is read back as values.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch

_keys = itertools.count()


class Probe:
    """Remembers how it was constructed, so that it can be made again elsewhere.

    Arguments of the constructor must be able to cross the boundary (see `wire.encode`).
    """

    probe_key: int
    probe_spec: tuple[str, list[Any], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Probe:
        """Keep the constructor's arguments."""
        probe = super().__new__(cls)
        # not by attribute syntax: torch.nn.Module and dict-like probes have their own ideas of it
        object.__setattr__(probe, "probe_key", next(_keys))
        object.__setattr__(probe, "probe_spec", (cls.__name__, list(args), dict(kwargs)))
        return probe


def snapshot(value: Any) -> Any:
    """A copy of a value as it is now, for a probe's record; tensors are detached clones."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, (list, tuple)):
        return [snapshot(item) for item in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__
