"""What the supervisor and the worker of one upload share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autograder.assignment import Assignment
from autograder.gradescope.entries import Remark
from autograder.gradescope.metadata import Metadata

DONE = "results.json"
"""In the journal: what the worker has finished."""
INTERIM = "interim.json"
"""In the journal: what the results are if the worker stops now."""


@dataclass(frozen=True)
class Task:
    """What the worker is to do.

    Attributes:
        assignment: its manifest.
        root: folder with `submission/`.
        secret: file with the secret of the course.
        metadata: of the upload.
        remarks: for the student, from the metadata.
        room: folder for all that is needed in between, the scratch folders of the submission included.
        ends: `time.monotonic()` at which no check may run any more.
    """

    assignment: Assignment
    root: Path
    secret: Path
    metadata: Metadata
    remarks: tuple[Remark, ...]
    room: Path
    ends: float

    @property
    def journal(self) -> Path:
        """Folder for `DONE` and `INTERIM`, closed to the submission."""
        return self.room / "journal"
