"""Does what a public check has on record with the student's own modules, in this process, and judges the results."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from tools.expectation import Expectation
from tools.outcomes import CheckFailed, Message
from tools.sampling import expect_normal
from tools.words import _
from tools.calling import called
from tools.errors import InputChanged
from tools.records import PublicCheck, as_tensor


class CallFailed(Exception):
    """The student's code raised.

    Attributes:
        raised: what it raised.
        what: what was called.
        importing: the module whose import ended so, if it was one.
    """

    def __init__(self, raised: BaseException, what: str, importing: str = "") -> None:
        super().__init__(what)
        self.raised = raised
        self.what = what
        self.importing = importing


def replay(check: PublicCheck, probes: ModuleType, seed: int = 0) -> None:
    """Do the steps of a check.

    Args:
        check: the check.
        probes: module with the classes of the stand-ins.
        seed: for all generators.

    Raises:
        CheckFailed: a value is not what the check demands.
        InputChanged: a call changed its arguments in place.
        CallFailed: the student's code raised.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    with contextlib.ExitStack() as undo:
        player = _Player(check, probes, undo)
        for step in check.steps:
            player.do(step)


class _Player:
    def __init__(self, check: PublicCheck, probes: ModuleType, undo: contextlib.ExitStack) -> None:
        self._check = check
        self._classes = probes
        self._undo = undo
        self._probes: dict[int, Any] = {}
        self._results: dict[int, dict[str, Any]] = {}
        self._names: dict[int, str] = {}

    def do(self, step: dict[str, Any]) -> None:
        steps = {"call": self._call, "fetch": self._fetch, "assign": self._assign, "expect": self._expect}
        steps[step["do"]](step)

    def _call(self, step: dict[str, Any]) -> None:
        name = _name(step["target"], self._check)
        function = self.value(step["target"])
        args = [self.value(arg) for arg in step["args"]]
        kwargs = {key: self.value(arg) for key, arg in step["kwargs"].items()}
        wrt = [key if isinstance(key, str) else self.value(key) for key in step.get("wrt", ())]
        cotangent = self.value(step.get("cotangent"))
        with _speaking_for(name):
            answer = called(function, args, kwargs, wrt, cotangent)
        if answer["changed"]:
            raise InputChanged(name, answer["changed"])
        self._keep(step, name, answer)

    def _fetch(self, step: dict[str, Any]) -> None:
        self._keep(step, _name(step["target"], self._check), {"value": self.value(step["target"])})

    def _keep(self, step: dict[str, Any], name: str, answer: dict[str, Any]) -> None:
        self._results[step["gives"]], self._names[step["gives"]] = answer, name

    def _assign(self, step: dict[str, Any]) -> None:
        *path, name = step["target"]["path"]
        holder = self.value({**step["target"], "path": path})
        value = self.value(step["value"])
        if isinstance(holder, ModuleType):  # the next check meets the same module
            before = getattr(holder, name, None)
            self._undo.callback(setattr if hasattr(holder, name) else _delete, holder, name, before)
        with _speaking_for(name):
            setattr(holder, name, value)

    def _expect(self, step: dict[str, Any]) -> None:
        value, demands = self.value(step["value"]), {key: self.value(item) for key, item in step["demands"].items()}
        expectation = Expectation(_here(value), step["what"])
        if step["to"] == "normal":
            expect_normal(expectation.tensor(), **demands)
        else:
            judge: Callable[..., Any] = getattr(expectation, step["to"])
            judge(**demands)

    def value(self, item: Any) -> Any:
        """What a value of the record stands for."""
        if isinstance(item, list):
            return [self.value(part) for part in item]
        if not isinstance(item, dict):
            return item
        if "tensor" in item:
            return as_tensor(self._check.tensors[item["tensor"]])
        if "array" in item:
            return np.array(self._check.tensors[item["array"]])
        if "tuple" in item:
            return tuple(self.value(part) for part in item["tuple"])
        if "dict" in item:
            return {self.value(key): self.value(part) for key, part in item["dict"]}
        if "number" in item:
            return float(item["number"])
        return self._object(item)

    def _object(self, ref: Mapping[str, Any]) -> Any:
        if "module" in ref:
            found = _imported(ref["module"])
        elif "probe" in ref:
            found = self._probe(ref["probe"])
        else:
            found = self._result(ref["result"], ref["at"])
        for name in ref.get("path", ()):
            if "module" in ref and not hasattr(found, name):
                where = _("{file} has no {name}.").format(file=f"{ref['module'].replace('.', '/')}.py", name=name)
                raise CheckFailed(Message(got=where))
            with _speaking_for(name):
                found = getattr(found, name)
        return found

    def _probe(self, number: int) -> Any:
        if number not in self._probes:
            made = self._check.probes[number]
            args = [self.value(arg) for arg in made["args"]]
            kwargs = {key: self.value(arg) for key, arg in made["kwargs"].items()}
            self._probes[number] = getattr(self._classes, made["class"])(*args, **kwargs)
        return self._probes[number]

    def _result(self, number: int, at: list[Any]) -> Any:
        kind, *entries = at
        found = self._results[number][kind]
        if kind == "grads" and found is None:
            raise CheckFailed(_no_gradient(self._names[number]))
        for entry in entries:
            found = _entry(found, entry, self._names[number])
        return found


def _entry(container: Any, entry: Any, name: str) -> Any:
    """An entry of what `name` gave."""
    if isinstance(entry, list):
        index, *length = entry
        several = isinstance(container, (list, tuple))
        if length and not (several and len(container) == length[0]):
            expected = _("{name} gives {count} values.").format(name=name, count=length[0])
            got = _("{count} values.").format(count=len(container)) if several else _("something else.")
            raise CheckFailed(Message(expected, got))
        if not several or not -len(container) <= index < len(container):
            count = index + 1 if index >= 0 else -index
            raise CheckFailed(_called_too_rarely(name, count, len(container) if several else 0))
        return container[index]
    if not isinstance(container, dict) or entry not in container:
        raise CheckFailed(Message(_("{name} gives a dictionary with {key}.").format(name=name, key=repr(entry))))
    return container[entry]


def _called_too_rarely(name: str, expected: int, got: int) -> Message:
    if expected == 1:
        return Message(_("your code calls what it was given ({name}).").format(name=name), _("it is never called."))
    return Message(
        _("at least {count} entries in {name}.").format(count=expected, name=name),
        _("{count} of them.").format(count=got),
    )


def _no_gradient(name: str) -> Message:
    return Message(
        _("a result of {name} through which gradients flow back; training needs them.").format(name=name),
        _("a result without gradients."),
        _("look for .detach(), .item(), .data, numpy, or torch.no_grad() on the way."),
    )


def _name(ref: Mapping[str, Any], check: PublicCheck) -> str:
    """What messages call the target of a step."""
    path = ref.get("path")
    if "probe" in ref:
        made = check.probes[ref["probe"]]["class"]
        return str(made)
    return str(path[-1]) if path else check.function


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise CallFailed(error, module, importing=module) from error


def import_in(folder: Path, module: str) -> None:
    """Import a module where the files that it reads at its import are; what it does later, it does elsewhere.

    Raises:
        CallFailed: the import raised.
    """
    before = os.getcwd()
    os.chdir(folder)
    try:
        _imported(module)
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _speaking_for(name: str) -> Iterator[None]:
    """Whatever is raised in the block is the student's."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise CallFailed(error, name) from error


def _here(value: Any) -> Any:
    """A tensor where it can be judged in float64."""
    return value.detach().cpu() if isinstance(value, torch.Tensor) else value


def _delete(holder: Any, name: str, _before: Any) -> None:
    delattr(holder, name)
