"""What an upload holds, however it came: the files that were read, the others, and what was rejected."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autograder.assignment import Limits
from autograder.intake.display import listed, shown
from autograder.intake.sizes import MB, SizeLimit
from autograder.language import _

MAX_DEPTH = 10

_DRIVE = re.compile(r"[A-Za-z]:")


# The limit of a file that is read; None for one that is only named.
Wanted = Callable[[str], SizeLimit | None]


class UploadRefused(Exception):
    """Nothing can be taken from the upload. The message is a sentence for the student."""


@dataclass
class Upload:
    """The regular files of an upload, by their path in it (forward slashes, no junk).

    Attributes:
        files: content of the files that were wanted.
        others: paths of files that were not wanted and not read.
        rejected: path and reason of what must not or cannot be read; the reason continues "PATH: ...".
    """

    files: dict[str, bytes] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def rejections(self, first: Wanted) -> list[str]:
        """One sentence per reason, naming the rejected paths; those that `first` wants are named first."""
        by_reason: dict[str, list[str]] = {}
        for path, reason in sorted(self.rejected, key=lambda item: first(item[0]) is None):
            by_reason.setdefault(reason, []).append(path)
        said = _("{names}: {reason}.")
        return [said.format(names=listed(paths), reason=reason) for reason, paths in by_reason.items()]


class Budget:
    """Counts what is really there against the limits of the assignment."""

    def __init__(self, name: str, limits: Limits) -> None:
        """`name` is the upload's, for the sentences."""
        self.total_bytes = limits.upload_mb * MB
        self.entries = limits.upload_entries
        self._name = shown(name)
        self._limits = limits

    def count_entries(self, number: int) -> None:
        """Raises UploadRefused: there are more entries than the assignment allows."""
        self.entries -= number
        if self.entries < 0:
            refusal = _(
                "{name} holds more than {n} files; hand in the files of the assignment only, without data, "
                "repositories and virtual environments."
            )
            raise UploadRefused(refusal.format(name=self._name, n=self._limits.upload_entries))

    def count_bytes(self, number: int, largest: Sequence[str] = ()) -> None:
        """Raises UploadRefused: there are more bytes than the assignment allows; `largest` are named."""
        self.total_bytes -= number
        if self.total_bytes < 0:
            example = _(" (the largest: {names})").format(names=listed(largest)) if largest else ""
            refusal = _(
                "{name} is larger than {n} MB when unpacked{example}; hand in the files of the assignment only, "
                "without data, other checkpoints and virtual environments."
            )
            raise UploadRefused(refusal.format(name=self._name, n=self._limits.upload_mb, example=example))


def path_problem(name: str) -> str:
    """Why the file called `name` in the upload is not taken; empty if its name is a plain relative path."""
    parts = name.split("/")
    if any(unicodedata.category(char) == "Cc" for char in name):
        return _("not taken, because the name holds control characters; rename it and upload again")
    if "\\" in name:
        return _("not taken, because the name holds a backslash; rename it, or zip with your system's own tool")
    if name.startswith("/") or _DRIVE.match(name):
        return _("not taken, because the path is absolute; zip the folder of the assignment itself")
    if ".." in parts:
        return _("not taken, because the path contains '..'; zip the folder of the assignment itself")
    if len(parts) > MAX_DEPTH + 1:
        return _("not taken, because it lies more than {n} folders deep; move it to the top").format(n=MAX_DEPTH)
    if not plain_path(name):
        return _("not taken, because it has no name; make the zip again")
    return ""


def plain_path(name: str) -> str:
    """`name` without its empty and `.` components, so that one file has one name."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))
