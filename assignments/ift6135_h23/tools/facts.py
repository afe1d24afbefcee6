"""What the tools know of the assignment: names, places and limits, all of them public."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACE = Path(__file__).with_name("assignment.json")
"""Where the facts lie beside the tools that students get."""


@dataclass(frozen=True)
class FileFacts:
    """A file to hand in.

    Attributes:
        name: path in the folder.
        names: what its stub defines at the top level, imports aside.
        unset: those of `names` that are None until the student gives them a value.
        in_main: what only the stub's part for `__name__ == "__main__"` gives a value.
    """

    name: str
    names: tuple[str, ...]
    unset: tuple[str, ...] = ()
    in_main: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Dotted module name."""
        return self.name.removesuffix(".py").replace("/", ".")


@dataclass(frozen=True)
class NotebookFacts:
    """A notebook of the assignment and the files whose code it holds."""

    name: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class CheckpointFacts:
    """Trained weights to hand in; `bonus`: only the bonus needs them."""

    name: str
    size_mb: int
    bonus: bool = False


@dataclass(frozen=True)
class Facts:
    """An assignment as its tools know it.

    Attributes:
        given: names of the files that are given and not handed in.
        folders: folders that the files expect beside them.
        file_kb: largest source file, in KB.
        upload_mb: largest upload when unpacked, in MB.
    """

    id: str
    files: tuple[FileFacts, ...]
    notebooks: tuple[NotebookFacts, ...] = ()
    checkpoints: tuple[CheckpointFacts, ...] = ()
    given: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    file_kb: int = 1000
    upload_mb: int = 50

    def file(self, name: str) -> FileFacts:
        """The submitted file of this name."""
        return next(file for file in self.files if file.name == name)

    @property
    def names(self) -> list[str]:
        """Names of the submitted files."""
        return [file.name for file in self.files]


def from_json(text: str) -> Facts:
    """The facts that a release wrote."""
    found: dict[str, Any] = json.loads(text)
    tuples = {key: tuple(value) for key, value in found.items() if key in ("given", "folders")}
    files = tuple(
        FileFacts(item["name"], tuple(item["names"]), tuple(item["unset"]), tuple(item["in_main"]))
        for item in found["files"]
    )
    notebooks = tuple(NotebookFacts(item["name"], tuple(item["files"])) for item in found["notebooks"])
    checkpoints = tuple(CheckpointFacts(**item) for item in found["checkpoints"])
    return Facts(**{**found, **tuples, "files": files, "notebooks": notebooks, "checkpoints": checkpoints})


def shipped() -> Facts:
    """The facts of the assignment in whose folder these tools lie.

    Raises:
        FileNotFoundError: they do not lie in such a folder.
    """
    return from_json(PLACE.read_text("utf-8"))
