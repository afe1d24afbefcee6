"""Life of a jailed child: load a submission's sources, serve calls on them, send back plain values.

Requests and answers are frames of `wire`. A request is a dict with an `op`:

    load        sources, classes, stand_ins, probes, seed, threads    install the sources and the guards
    import      module, seed, seconds         import a module of the submission
    get         target                        value of an attribute
    set         target, value                 set an attribute
    call        target, args, kwargs, wrt, cotangent    call; with `wrt` also gradients
    signature   target                        names of the parameters, and which of them have no default

An answer is `{"value": ...}` (with `grads` and `changed` for a call) or `{"error": {...}}`.
"""

from __future__ import annotations

import contextlib
import dis
import importlib
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from autograder.sandbox import wire
from autograder.sandbox.calling import called
from autograder.sandbox.errors import IMPORT_TOO_LONG
from autograder.sandbox.guards import install_guards, seed_everything
from autograder.sandbox.modules import SUBMISSION, SourceFinder
from autograder.sandbox.probes import Probe
from autograder.sandbox.stand_ins import StandIn, StandInFinder

PROBES = "genlab_probes"


class _Channel:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._descriptor, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self) -> Any:
        prefix = self.read(wire.PREFIX.size)
        return wire.decode(prefix, self.read(wire.frame_size(prefix)))

    def send(self, frame: bytes) -> None:
        view = memoryview(frame)
        while view:
            view = view[os.write(self._descriptor, view) :]


class Objects:
    """Objects that stay in the child: handles that it gave out, and the probes that it made."""

    def __init__(self) -> None:
        self._handles: dict[int, Any] = {}
        self._probes: dict[int, Any] = {}

    def stand_for(self, item: Any) -> wire.Handle | None:
        """What stands for an object that stays here; None for a value."""
        if isinstance(item, StandIn) or (type(item).__module__ in ("numpy", "builtins") and not callable(item)):
            return None
        if isinstance(item, (bool, int, float, str, list, tuple, dict)) and not isinstance(item, Probe):
            return None
        self._handles[id(item)] = item
        return wire.Handle(id(item), type(item).__name__)

    def resolve(self, value: Any) -> Any:
        """Put the objects in the place of the references in a decoded value."""
        if isinstance(value, wire.Ref):
            target = self._root(value.root)
            for name in value.path:
                target = getattr(target, name)
            return target
        if isinstance(value, wire.Handle):
            return self._handles[value.id]
        if type(value) in (list, tuple):
            return type(value)(self.resolve(item) for item in value)
        if type(value) is dict:
            return {key: self.resolve(item) for key, item in value.items()}
        return value

    def _root(self, root: dict[str, Any]) -> Any:
        if "module" in root:
            return importlib.import_module(root["module"])
        if "handle" in root:
            return self._handles[root["handle"]]
        key = root["probe"]
        if key not in self._probes:
            made = getattr(importlib.import_module(PROBES), root["class"])
            self._probes[key] = made(*self.resolve(root["args"]), **self.resolve(root["kwargs"]))
        return self._probes[key]


def run_child(descriptor: int, layers: dict[str, str]) -> None:
    """Serve requests on a connected descriptor until the grader closes it.

    Args:
        descriptor: the channel.
        layers: what the jail holds; sent first.
    """
    channel = _Channel(descriptor)
    channel.send(wire.encode({"layers": layers}))
    objects = Objects()
    while True:
        try:
            request = channel.receive()
        except EOFError:
            return
        try:
            answer = answer_to(objects, request)
        except wire.WireError as error:
            answer = wire.encode({"error": {"type": "WireError", "message": str(error), "lines": [], "own": False}})
        except BaseException as error:
            answer = wire.encode({"error": _describe(error)})
        channel.send(answer)


def answer_to(objects: Objects, request: dict[str, Any]) -> bytes:
    """The frame that answers a decoded request; raises what the request raises."""
    operation = _OPERATIONS[request.pop("op")]
    return wire.encode(operation(objects, **request), objects.stand_for)


def _load(
    objects: Objects,
    sources: dict[str, str],
    classes: dict[str, list[str]],
    probes: str,
    seed: int,
    threads: int,
    stand_ins: Sequence[str] = (),
) -> dict[str, Any]:
    torch.set_num_threads(threads)
    install_guards()
    seed_everything(seed)
    if stand_ins:
        StandInFinder(stand_ins).install()
    SourceFinder({**sources, f"{PROBES}.py": probes}, classes).install()
    return {"value": None}


def _import(objects: Objects, module: str, seed: int, seconds: float = 0.0) -> dict[str, Any]:
    with _ending_after(seconds):
        importlib.import_module(module)
    seed_everything(seed)
    return {"value": None}


@contextlib.contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the block after some seconds, so that its traceback names the line; 0: never."""

    def end(*_: object) -> None:
        raise TimeoutError(IMPORT_TOO_LONG)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _get(objects: Objects, target: wire.Ref) -> dict[str, Any]:
    return {"value": objects.resolve(target)}


def _set(objects: Objects, target: wire.Ref, value: Any) -> dict[str, Any]:
    holder = objects.resolve(wire.Ref(target.root, target.path[:-1]))
    setattr(holder, target.path[-1], objects.resolve(value))
    return {"value": None}


def _signature(objects: Objects, target: wire.Ref) -> dict[str, Any]:
    parameters = inspect.signature(objects.resolve(target)).parameters.values()
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {
        "value": {
            "names": [p.name for p in named],
            "required": [p.name for p in named if p.default is p.empty],
        }
    }


def _call(
    objects: Objects,
    target: wire.Ref,
    args: list[Any],
    kwargs: dict[str, Any],
    wrt: list[Any],
    cotangent: Any,
) -> dict[str, Any]:
    asked = [key if isinstance(key, str) else objects.resolve(key) for key in wrt]
    return called(objects.resolve(target), objects.resolve(args), objects.resolve(kwargs), asked, cotangent)


def _describe(error: BaseException) -> dict[str, Any]:
    """Type, text and the submission's own lines of an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame, (raw, _) in zip(frames, traceback.walk_tb(error.__traceback__), strict=True):
        frame.name = getattr(raw.f_code, "co_qualname", frame.name)  # from Python 3.11 on, with the class
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(SUBMISSION):
        frames.append(
            traceback.FrameSummary(
                error.filename, error.lineno or 0, "<module>", line=error.text or "", lookup_line=False
            )
        )
    own = [frame for frame in frames if frame.filename.startswith(SUBMISSION + "/")]
    return {
        "type": type(error).__name__,
        "message": _text(error),
        "own": isinstance(error, SystemExit) or _raised_by_hand(error),
        "lines": [
            [
                frame.filename.removeprefix(SUBMISSION + "/"),
                frame.lineno or 0,
                frame.name,
                (frame.line or "").strip(),
            ]
            for frame in own
        ],
    }


def _raised_by_hand(error: BaseException) -> bool:
    """Whether a `raise` or `assert` of the submission made the exception, rather than what it called."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not last.tb_frame.f_code.co_filename.startswith(SUBMISSION + "/"):
        return False
    return dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]] == "RAISE_VARARGS"


def _text(error: BaseException) -> str:
    """The exception's text without the folders of this machine."""
    try:
        text = str(error)[:2000]
    except BaseException:  # an exception class of the submission may do anything here
        return ""
    folders = [*sys.path, sys.prefix, sys.base_prefix, os.environ.get("HOME", "")]
    for folder in sorted((f for f in folders if isinstance(f, str) and len(f) > 1), key=len, reverse=True):
        text = text.replace(folder + os.sep, "")
    return text


_OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "load": _load,
    "import": _import,
    "get": _get,
    "set": _set,
    "call": _call,
    "signature": _signature,
}
