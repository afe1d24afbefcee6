"""`student.q1_vae.log_mean_exp(y)` as a call in the child, and what a check needs besides calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from autograder.language import _
from autograder.sandbox import wire
from autograder.sandbox.calling import gradient_inputs, gradients
from autograder.sandbox.session import Session, foreign_answer, reference_to


class Remote:
    """An object in the child: attribute access names another one, a call is a call there.

    What a call returns is a plain value, or a `Remote` where the object has to stay. Attributes are read by `fetch`.
    """

    def __init__(self, session: Session, ref: wire.Ref, kind: str = "") -> None:
        """Made by `Student` and by calls."""
        self._session = session
        self._ref = ref
        self._kind = kind

    def __genlab_ref__(self) -> wire.Ref:
        """What stands for this object in a request."""
        return self._ref

    def __getattr__(self, name: str) -> Remote:
        if name.startswith("__"):
            raise AttributeError(name)
        return Remote(self._session, wire.Ref(self._ref.root, (*self._ref.path, name)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it in the child; raises `SubmissionError` where no value comes back."""
        return _localise(self._session, self._session.call(self._ref, args, kwargs)["value"])

    def __genlab_got__(self) -> str:
        """What came, in the words of a message."""
        return _("an object: {object}.").format(object=repr(self))

    def __repr__(self) -> str:
        name = self._kind or ".".join(self._ref.path) or _("object")
        return _("<{name} of the submission>").format(name=name)


class Student:
    """The submission, as a namespace of its modules. The child starts at the first use of a module."""

    def __init__(self, start: Callable[[], Session], names: Mapping[str, str] | None = None) -> None:
        """`start` makes the session; `names` are those of modules that a check calls by another name."""
        self._start = start
        self._names = names or {}
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The running session."""
        if self._session is None:
            self._session = self._start()
        return self._session

    @property
    def started(self) -> bool:
        """Whether a child was started."""
        return self._session is not None

    def __getattr__(self, module: str) -> Remote:
        if module.startswith("_"):
            raise AttributeError(module)
        module = self._names.get(module, module)
        self.session.import_module(module)
        return Remote(self.session, wire.Ref({"module": module}))

    def copy_of(self, probe: Any) -> Remote:
        """The child's copy of a probe, to read what it recorded."""
        reference = reference_to(probe)
        assert reference is not None
        return Remote(self.session, reference)

    def close(self) -> None:
        """End the child."""
        if self._session is not None:
            self._session.close()


def fetch(remote: Remote) -> Any:
    """Value of an attribute, such as `fetch(ddpm.beta)`."""
    answer = remote._session.request({"op": "get", "target": remote._ref})
    return _localise(remote._session, answer["value"])


def assign(remote: Remote, value: Any) -> None:
    """Set an attribute, such as `assign(trainer.current_epoch, 3)`."""
    remote._session.request({"op": "set", "target": remote._ref, "value": value})


def parameter_names(remote: Remote) -> tuple[list[str], list[str]]:
    """Names of a function's parameters, and of those without a default (without `self` for a bound method)."""
    answer = remote._session.request({"op": "signature", "target": remote._ref})["value"]
    names, required = (answer.get(key) if isinstance(answer, dict) else None for key in ("names", "required"))
    if not isinstance(names, list) or not isinstance(required, list):
        raise foreign_answer()
    return [str(name) for name in names], [str(name) for name in required]


def value_and_gradients(
    function: Any,
    *args: Any,
    wrt: tuple[Any, ...] = (0,),
    cotangent: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[Any, list[torch.Tensor] | None]:
    """Call a function, of the submission or of the reference, and take the gradient of what it returns.

    Args:
        function: what to call with `args` and `kwargs`.
        wrt: positions of positional arguments, names of keyword arguments, or probes whose parameters are meant.
        cotangent: weights of the result's entries, in its shape; default ones.

    Returns:
        The value, and one gradient per tensor asked for, or None where the value carries no gradient.
    """
    keys = tuple(str(key) if isinstance(key, int) else key for key in wrt)
    if isinstance(function, Remote):
        answer = function._session.call(function._ref, args, kwargs, keys, cotangent)
        grads = answer.get("grads")
        if grads is not None and not (isinstance(grads, list) and all(isinstance(g, torch.Tensor) for g in grads)):
            raise foreign_answer()
        return _localise(function._session, answer["value"]), grads
    names = {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}
    for key in keys:
        if isinstance(key, str):
            names[key] = names[key].detach().clone()
    inputs = gradient_inputs([names[key] if isinstance(key, str) else key for key in keys])
    value = function(*(names[str(i)] for i in range(len(args))), **{key: names[key] for key in kwargs})
    return value.detach(), gradients(value, inputs, cotangent)


def _localise(session: Session, value: Any) -> Any:
    if isinstance(value, wire.Handle):
        return Remote(session, wire.Ref({"handle": value.id}), value.type)
    if isinstance(value, (list, tuple)):
        items = [_localise(session, item) for item in value]
        kept = all(item is before for item, before in zip(items, value, strict=True))
        return value if kept else type(value)(items)
    if isinstance(value, dict):
        return {key: _localise(session, item) for key, item in value.items()}
    return value
