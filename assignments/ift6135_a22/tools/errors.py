"""What can end a call into a submission. Each carries a sentence that a student can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tools.words import N_, _

IMPORT_TOO_LONG = N_("the import takes too long")
NO_CLASS = N_("{file} has no class {name}")
"""What a submission's process says where nothing is translated."""


@dataclass(frozen=True)
class SourceLine:
    """A line of the submission on the way to an error."""

    file: str
    number: int
    function: str
    text: str

    def __str__(self) -> str:
        place = _("{file}, line {number}, in {function}")
        return place.format(file=self.file, number=self.number, function=self.function) + f"\n    {self.text}"


class SandboxError(Exception):
    """The sandbox itself failed: no statement about the submission."""


class SubmissionError(Exception):
    """The submission did not return a value. `importing` names the module whose import ended so, if it was one."""

    importing: str = ""


@dataclass
class SubmissionRaised(SubmissionError):
    """The submission raised an exception.

    `message` is the exception's text, or empty where the submission wrote the text itself: such a text could carry
    what the check keeps hidden. `own` says that the submission's own `raise` made the exception.
    """

    type: str
    message: str
    lines: list[SourceLine] = field(default_factory=list)
    own: bool = False

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


class InputChanged(SubmissionError):
    """A call changed the values of its arguments in place. `names` says which arguments."""

    def __init__(self, function: str, names: list[str]) -> None:
        super().__init__(function, names)
        self.function = function
        self.names = names

    def __str__(self) -> str:
        changes = _("{function} changes its argument {names} in place; work on a new tensor instead")
        return changes.format(function=self.function, names=", ".join(self.names))


class ChildEnded(SubmissionError):
    """The process of the submission ended, or was ended, before it answered."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class BadAnswer(SubmissionError):
    """What came over the channel is not a well-formed value, or is larger than allowed."""


def as_source_lines(raw: Any) -> list[SourceLine]:
    """Read the lines that a child reports; whatever is not well-formed is dropped."""
    lines = []
    for item in raw if isinstance(raw, list) else []:
        if (
            isinstance(item, list)
            and len(item) == 4
            and isinstance(item[1], int)
            and all(isinstance(item[i], str) for i in (0, 2, 3))
        ):
            lines.append(SourceLine(item[0][:100], item[1], item[2][:100], item[3][:200]))
    return lines[-6:]
