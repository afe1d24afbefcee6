"""How a check ends when it does not pass, and what the student reads then.

A message has up to three parts: what was expected, what came, what it looks like. It never holds an expected value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from tools.words import N_, _, retold
from tools.errors import (
    IMPORT_TOO_LONG,
    NO_CLASS,
    BadAnswer,
    ChildEnded,
    InputChanged,
    SubmissionError,
    SubmissionRaised,
)

_DECIMAL = re.compile(r"-?\d*\.\d+(?:[eE][-+]?\d+)?|-?\d+[eE][-+]?\d+|\b\d{6,}\b")
_MESSAGE_LENGTH = 240


@dataclass(frozen=True)
class Message:
    """The three parts of a message; empty ones are left out."""

    expected: str = ""
    got: str = ""
    hint: str = ""

    def __str__(self) -> str:
        parts = (
            (_("Expected: {text}"), self.expected),
            (_("Got: {text}"), self.got),
            (_("Hint: {text}"), self.hint),
        )
        return "\n".join(label.format(text=text) for label, text in parts if text)


class CheckFailed(AssertionError):
    """The submission is wrong."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


class CheckSkipped(Exception):
    """The check needs something that failed elsewhere."""


class CheckUngradable(Exception):
    """The submission cannot be judged on this machine; no statement about it."""


def fail(expected: str = "", got: str = "", hint: str = "") -> NoReturn:
    """End the check: the submission is wrong.

    Raises:
        CheckFailed: always.
    """
    raise CheckFailed(Message(expected, got, hint))


def describe_error(error: SubmissionError, what: str) -> Message:
    """What a student reads when a call into the submission did not return a value.

    Args:
        error: what ended the call.
        what: what was called, such as "log_mean_exp".
    """
    if isinstance(error, SubmissionRaised):
        if error.type == "NotImplementedError":
            if error.message and not error.lines:
                return Message(got=f"{retold(error.message, NO_CLASS)}.")
            place = error.lines[-1].function if error.lines else what
            return Message(got=_("{place} is not implemented yet (it raises NotImplementedError).").format(place=place))
        text = retold(_without_data(error.message), IMPORT_TOO_LONG)
        raised = _("your code raised {error}: {text}.") if text else _("your code raised {error}.")
        return Message(got=raised.format(error=error.type, text=text), hint=_common_cause(error))
    if isinstance(error, InputChanged):
        return Message(
            expected=_("{function} leaves its arguments as they are.").format(function=error.function),
            got=_("the values of {names} were changed in place.").format(names=", ".join(error.names)),
            hint=_("the caller still needs them; write into a new tensor instead."),
        )
    if isinstance(error, ChildEnded):
        ended = _("the check was ended: {reason}.").format(reason=error)
        hint = _ENDED_HINTS.get(error.reason, "")
        return Message(got=ended, hint=_(hint))
    assert isinstance(error, BadAnswer)
    return Message(got=_("the result cannot be read: {reason}.").format(reason=error))


_ENDED_HINTS = {
    "time": N_("look for an endless loop, and for training or downloads that run when the file is imported."),
    "memory": N_("look for tensors that grow with every step, or for broadcasting (B,) against (B, 1)."),
    "output": N_("look for a print inside a loop that does not end."),
    "exit": N_("look for exit(), quit() or os._exit(); a file that is imported must not end the program."),
    "disk": N_("nothing needs to be saved while the functions are checked."),
}


def _common_cause(error: SubmissionRaised) -> str:
    if error.type == "ModuleNotFoundError":
        return _("only the course's own modules and the packages of requirements.txt can be imported.")
    if error.type == "SystemExit":
        hint = _ENDED_HINTS["exit"]
        return _(hint)
    if error.type in ("RuntimeError", "AssertionError") and ("CUDA" in error.message or "NVIDIA" in error.message):
        return _("there is no GPU here; use the device that is passed in instead of a fixed 'cuda'.")
    if "ellipsis" in error.message:
        return _("a placeholder ... is still there.")
    if error.type == "PermissionError":
        return _("files, network and other programs are closed while the functions are checked.")
    return ""


def _without_data(text: str) -> str:
    """First line of an exception's text, with numbers that could be data masked; shapes and indices remain."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    masked = _DECIMAL.sub("#", line)
    return masked if len(masked) <= _MESSAGE_LENGTH else masked[: _MESSAGE_LENGTH - 1] + "…"
