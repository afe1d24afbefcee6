"""Runs a public check once, on the reference itself, and takes down as data what it calls and what it demands.

The submission that the check sees is the reference in float32, in this process. Of what the check knows besides, such
as the formulas of wrong results, nothing is taken down.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.assignment import Assignment
from autograder.grading.carry import knowing
from autograder.grading.expectation import Expectation, recorded_by
from autograder.grading.probe_source import probe_source
from autograder.grading.reference import Reference, reference_sources
from autograder.grading.seeds import Draw
from autograder.sandbox import wire
from autograder.sandbox.child import PROBES, Objects, answer_to
from autograder.sandbox.guards import seed_everything
from autograder.sandbox.modules import SourceFinder
from autograder.sandbox.proxy import Student
from autograder.sandbox.session import Session, reference_to


class NotRecordable(Exception):
    """A check cannot be data alone; the message says what of it cannot."""


@dataclass
class Record:
    """A check as data; `steps` and `probes` as in `autograder.student.records`."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


@contextlib.contextmanager
def the_reference_as_submission(assignment: Assignment) -> Iterator[None]:
    """Within it, the modules of the reference are imported under the names of the submitted files, in a scratch folder.

    What they print is dropped.
    """
    probes = probe_source(assignment.checks)
    finder = SourceFinder({**reference_sources(assignment), f"{PROBES}.py": probes})
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng(devices=[]):
        for name in assignment.scratch_dirs:
            Path(scratch, name).mkdir(parents=True)
        os.chdir(scratch)
        finder.install()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                yield
        finally:
            finder.uninstall()
            os.chdir(before)


def record(check: Callable[..., None], assignment: Assignment, reference: Reference, draw: Draw, seed: int) -> Record:
    """Run a check within `the_reference_as_submission`.

    Args:
        check: the check.
        assignment: the manifest.
        reference: what the check compares with.
        draw: the inputs.
        seed: of what the submission draws by itself.

    Raises:
        NotRecordable: it judges a value that is not a result as it came.
        CheckFailed: the reference does not pass it.
    """
    tape = _Tape()
    session = _RecordingSession(tape, seed)
    fixtures: dict[str, Callable[[], Any]] = {
        "student": lambda: Student(lambda: session, assignment.shared_modules),
        "reference": lambda: reference,
        "draw": lambda: draw,
        "remark": lambda: lambda text: None,
    }
    asked = check.__code__.co_varnames[: check.__code__.co_argcount]
    if foreign := sorted(set(asked) - set(fixtures)):
        raise NotRecordable(f"it asks for {', '.join(foreign)}")
    with knowing([unit.name for unit in assignment.units]), recorded_by(tape):
        check(**{fixture: fixtures[fixture]() for fixture in asked})
    return tape.finished()


class _RecordingSession(Session):
    """Answers requests in this process, by the code of the child, and takes them down."""

    def __init__(self, tape: _Tape, seed: int) -> None:
        self._tape, self._seed = tape, seed
        self._objects = Objects()
        self.output = b""

    def import_module(self, name: str) -> None:
        importlib.import_module(name)
        seed_everything(self._seed)

    def call(
        self, target: wire.Ref, args: Any = (), kwargs: Any = None, wrt: Any = (), cotangent: Any = None
    ) -> dict[str, Any]:
        asked = {"args": list(args), "kwargs": kwargs or {}, "wrt": list(wrt), "cotangent": cotangent}
        return self.request({"op": "call", "target": target, **asked})

    def request(self, request: dict[str, Any], seconds: float | None = None) -> dict[str, Any]:
        step = self._tape.step(request)
        answer: dict[str, Any] = _decoded(answer_to(self._objects, _decoded(wire.encode(request, reference_to))))
        if step is not None:
            self._tape.result(step, answer)
        return answer

    def close(self) -> None:
        pass


def _decoded(frame: bytes) -> Any:
    size = wire.PREFIX.size
    return wire.decode(frame[:size], frame[size:])


class _Tape:
    """Takes the steps of one check down, and knows the results by their identity."""

    def __init__(self) -> None:
        self._record = Record()
        self._results = 0
        self._sources: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._handles: dict[int, dict[str, Any]] = {}
        self._probes: dict[int, int] = {}
        self._last: tuple[Any, dict[str, Any]] | None = None

    def step(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Take down a request; None where it is not one that a replay makes."""
        op, target = request["op"], request["target"]
        if op == "signature":
            return None
        step: dict[str, Any] = {"do": {"get": "fetch", "set": "assign"}.get(op, op), "target": self._ref(target)}
        if op == "call":
            step["args"] = [self._value(arg) for arg in request["args"]]
            step["kwargs"] = {key: self._value(arg) for key, arg in request["kwargs"].items()}
            if request["wrt"]:
                step["wrt"] = [key if isinstance(key, str) else self._value(key) for key in request["wrt"]]
            if request["cotangent"] is not None:
                step["cotangent"] = self._value(request["cotangent"])
        elif op == "set":
            step["value"] = self._value(request["value"])
        if op != "set":
            step["gives"] = self._results
            self._results += 1
        self._record.steps.append(step)
        return step

    def result(self, step: dict[str, Any], answer: dict[str, Any]) -> None:
        """Know the parts of an answer when they are judged or used as arguments."""
        if "gives" not in step:
            return
        of_probe = step["do"] == "fetch" and "probe" in step["target"]
        self._know(answer["value"], {"result": step["gives"], "at": ["value"]}, of_probe)
        self._last = answer["value"], {"result": step["gives"], "at": ["value"]}
        for index, gradient in enumerate(answer.get("grads") or ()):
            at = ["grads", [index, len(answer["grads"])]]
            self._know(gradient, {"result": step["gives"], "at": at}, of_probe)

    def _know(self, value: Any, source: dict[str, Any], of_probe: bool) -> None:
        if isinstance(value, wire.Handle):
            self._handles.setdefault(value.id, source)
        elif isinstance(value, (torch.Tensor, np.ndarray, float, list, tuple, dict, wire.Opaque)):
            self._sources[id(value)] = value, source
        if isinstance(value, (list, tuple)):
            for index, part in enumerate(value):
                # a student may call a stand-in more often: its last call counts from the end
                entry = [index, len(value)] if not of_probe else [-1] if index == len(value) - 1 else [index]
                self._know(part, {**source, "at": [*source["at"], entry]}, of_probe)
        elif isinstance(value, dict):
            for key, part in value.items():
                self._know(part, {**source, "at": [*source["at"], key]}, of_probe)

    def expect(self, value: Any, what: str) -> Expectation:
        """What the check demands of a value."""
        return _RecordingExpectation(value, what, self, self._source(value, what))

    def normal(
        self,
        samples: Any,
        mean: torch.Tensor,
        std: torch.Tensor,
        slack: float,
        or_moments: Sequence[tuple[torch.Tensor, torch.Tensor]],
    ) -> None:
        """The check demands `expect_normal` of these samples."""
        demands = {"mean": mean, "std": std, "slack": slack, "or_moments": list(or_moments)}
        self.demand(self._source(samples, "the samples"), "the samples", "normal", demands)

    def demand(self, source: dict[str, Any], what: str, to: str, demands: dict[str, Any]) -> None:
        """Take down a judgement; what is empty is left out."""
        given = {
            key: self._value(_rounded(item))
            for key, item in demands.items()
            if key == "expected" or not _is_empty(item)
        }
        self._record.steps.append({"do": "expect", "value": source, "what": what, "to": to, "demands": given})

    def alias(self, value: torch.Tensor, source: dict[str, Any]) -> torch.Tensor:
        """The value is, in float64, what `source` says."""
        self._sources[id(value)] = value, source
        return value

    def finished(self) -> Record:
        """The record, without what is fetched for nothing.

        Raises:
            NotRecordable: nothing is judged.
        """
        if not any(step["do"] == "expect" for step in self._record.steps):
            raise NotRecordable("it judges nothing by expect(...) or expect_normal(...)")
        used = {number for step in self._record.steps for number in _used(step)}
        self._record.steps = [step for step in self._record.steps if step["do"] != "fetch" or step["gives"] in used]
        return self._record

    def _source(self, value: Any, what: str) -> dict[str, Any]:
        known, source = self._sources.get(id(value), (None, {}))
        if known is value and source:
            return source
        if self._last is not None and self._last[0] is value and type(value) in (bool, int, str, type(None)):
            return self._last[1]
        raise NotRecordable(
            f"the value judged as {what!r} is computed from results or is none; judge a result as it came: what a call "
            "or fetch() gave, an entry of it, a gradient, or what .tensor() or .close_to() returned for one of these"
        )

    def _value(self, item: Any) -> Any:
        known, source = self._sources.get(id(item), (None, {}))
        if known is item and source:
            return source
        if isinstance(item, wire.Ref):
            return self._ref(item)
        if isinstance(item, torch.Tensor):
            return {"tensor": self._stored(item.detach().numpy())}
        if (reference := reference_to(item)) is not None:
            return self._ref(reference)
        if isinstance(item, np.ndarray):
            return {"array": self._stored(item)}
        if isinstance(item, list):
            return [self._value(part) for part in item]
        if isinstance(item, tuple):
            return {"tuple": [self._value(part) for part in item]}
        if isinstance(item, dict):
            return {"dict": [[self._value(key), self._value(part)] for key, part in item.items()]}
        if isinstance(item, float) and not math.isfinite(item):
            return {"number": str(item)}
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        raise NotRecordable(f"a value of type {type(item).__name__} is used as an argument; it cannot be data")

    def _ref(self, reference: wire.Ref) -> dict[str, Any]:
        root, path = reference.root, {"path": list(reference.path)} if reference.path else {}
        if "module" in root:
            return {"module": root["module"], **path}
        if "handle" in root:
            return {**self._handles[root["handle"]], **path}
        return {"probe": self._probe(root), **path}

    def _probe(self, root: dict[str, Any]) -> int:
        if root["probe"] not in self._probes:
            args = [self._value(arg) for arg in root["args"]]
            kwargs = {key: self._value(arg) for key, arg in root["kwargs"].items()}
            self._probes[root["probe"]] = len(self._record.probes)
            self._record.probes.append({"class": root["class"], "args": args, "kwargs": kwargs})
        return self._probes[root["probe"]]

    def _stored(self, array: np.ndarray) -> str:
        for name, other in self._record.tensors.items():
            if other.dtype == array.dtype and other.shape == array.shape and other.tobytes() == array.tobytes():
                return name
        name = str(len(self._record.tensors))
        self._record.tensors[name] = np.array(array, order="C")
        return name


class _RecordingExpectation(Expectation):
    """Judges the reference, and takes down what is demanded; mistakes and hints stay here."""

    def __init__(self, value: Any, what: str, tape: _Tape, source: dict[str, Any]) -> None:
        super().__init__(value, what)
        self._tape, self._source = tape, source

    def close_to(self, expected: Any, shape: str = "", **options: Any) -> torch.Tensor:
        value = super().close_to(expected, shape, **options)
        self._demand("close_to", expected=expected, shape=shape, **{**options, "mistakes": None})
        return self._tape.alias(value, self._source)

    def tensor(self, shape: tuple[int, ...] | None = None, names: str = "") -> torch.Tensor:
        value = super().tensor(shape, names)
        self._demand("tensor", shape=None if shape is None else tuple(shape), names=names)
        return self._tape.alias(value, self._source)

    def equal_to(self, expected: Any, *, mistakes: Any = None, or_values: Sequence[Any] = ()) -> None:
        super().equal_to(expected, mistakes=mistakes, or_values=or_values)
        self._demand("equal_to", expected=expected, or_values=or_values)

    def true(self, *, expected: str, got: str, hint: str = "") -> None:
        super().true(expected=expected, got=got, hint=hint)
        self._demand("true", expected=expected, got=got)

    def _demand(self, to: str, **demands: Any) -> None:
        self._tape.demand(self._source, self._what, to, demands)


def _rounded(item: Any) -> Any:
    """What is demanded, in float32: tolerances are far wider."""
    if isinstance(item, torch.Tensor) and item.dtype == torch.float64:
        single = item.detach().to(torch.float32)
        return single if torch.equal(single.isfinite(), item.isfinite()) else item
    if isinstance(item, (list, tuple)):
        return type(item)(_rounded(part) for part in item)
    return item


def _is_empty(item: Any) -> bool:
    return item is None or (isinstance(item, (str, list, tuple)) and len(item) == 0)


def _used(item: Any) -> Iterator[int]:
    """Numbers of the results that a step, or a part of one, uses."""
    if isinstance(item, dict):
        if "result" in item:
            yield item["result"]
        for part in item.values():
            yield from _used(part)
    elif isinstance(item, list):
        for part in item:
            yield from _used(part)
