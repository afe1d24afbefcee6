"""The reference solution, in the grader's own process, computing in float64."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

from autograder.assignment import Assignment
from autograder.sandbox.modules import SourceFinder


class Reference:
    """Namespace of the reference's modules: `reference.q1_vae.log_mean_exp(y)`.

    Floating-point tensors are promoted to float64 on the way in, and schedules are made in float64, so that what comes
    out is exact to about 1e-12 and a difference is the submission's.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        """See `load_reference`."""
        self._modules = modules

    def __getattr__(self, name: str) -> Any:
        if name not in self._modules:
            raise AttributeError(name)
        return _Exact(self._modules[name])


class _Exact:
    """A module or an object of the reference whose calls compute in float64."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            with _double_precision():
                result = value(*map(promote, args), **{key: promote(item) for key, item in kwargs.items()})
            return _Exact(result) if inspect.isclass(value) else result

        return call


def promote(value: Any) -> Any:
    """Float tensors in float64, also within lists and tuples; `_Exact` objects as what they hold."""
    if isinstance(value, torch.Tensor) and value.is_floating_point() and not isinstance(value, torch.nn.Parameter):
        return value.to(torch.float64)
    if isinstance(value, _Exact):
        return value._target
    if type(value) in (list, tuple):
        return type(value)(promote(item) for item in value)
    return value


@contextmanager
def _double_precision() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def support_sources(assignment: Assignment) -> dict[str, str]:
    """The course's own given modules: file name -> text."""
    return {file.name: assignment.master(file).read_text("utf-8") for file in assignment.support}


def reference_sources(assignment: Assignment) -> dict[str, str]:
    """The masters of the submitted files, and the given modules: name in the student's folder -> text."""
    masters = {file.name: assignment.master(file).read_text("utf-8") for file in assignment.files}
    return {**support_sources(assignment), **masters}


def load_reference(assignment: Assignment) -> Reference:
    """Import the master of every submitted file.

    Called after the sandbox's zygote was forked: what is loaded here must not be in its memory.
    """
    finder = SourceFinder(reference_sources(assignment))
    finder.install()
    try:
        modules = {file.module: importlib.import_module(file.module) for file in assignment.files}
    finally:
        finder.uninstall()
    shared = {name: modules[module] for name, module in assignment.shared_modules.items()}
    return Reference({**modules, **shared})
