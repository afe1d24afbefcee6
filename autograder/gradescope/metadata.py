"""What the site tells of an upload in `submission_metadata.json`: when, by whom, after which others.

Nothing in it is needed for grading. What can be read is read; what cannot is named, for the instructor. Time is taken
from the file alone, never from the clock, so that a regrade comes to the same result.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

FILE = "submission_metadata.json"
_DAY = timedelta(days=1)
_MAX_PROBLEMS = 20
_Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=timezone.utc), lt=datetime(3000, 1, 1, tzinfo=timezone.utc)),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Settings(_Model):
    """What the site knows of the assignment."""

    due_date: _Moment | None = None
    late_due_date: _Moment | None = None
    group_size: int | None = None


class User(_Model):
    """One of those who handed in."""

    id: int | None = None


class PreviousUpload(_Model):
    """An earlier upload of the same student or group."""

    submission_time: _Moment | None = None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    autograder_error: bool = False


class Metadata(_Model):
    """The upload that is graded."""

    id: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    created_at: _Moment | None = None
    assignment: Settings = Settings()
    users: tuple[User, ...] = ()
    previous_submissions: tuple[PreviousUpload, ...] = ()

    @property
    def earlier(self) -> list[PreviousUpload]:
        """Uploads before this one that the site could grade, oldest first; a regrade may know of later ones."""
        found = [upload for upload in self.previous_submissions if not upload.autograder_error]
        before = [
            (upload.submission_time, upload)
            for upload in found
            if upload.submission_time and self.created_at and upload.submission_time < self.created_at
        ]
        return [upload for _time, upload in sorted(before, key=lambda pair: pair[0])]

    @property
    def late_by(self) -> timedelta | None:
        """How long after the due date it came; None if it came in time, or nobody knows."""
        due = self.assignment.due_date
        return self.created_at - due if self.created_at and due and self.created_at > due else None

    @property
    def after_late_due_date(self) -> bool:
        """Whether even the late due date had passed."""
        last = self.assignment.late_due_date
        return bool(self.created_at and last and self.created_at > last)

    def next_judged(self, uploads_per_day: int) -> datetime | None:
        """When an upload is judged again, if this one is one too many within 24 hours; None if this one is judged.

        Only uploads that were judged count: whoever goes on uploading does not wait longer. Which ones those were is
        worked out again from their times, so that the answer never depends on when it is asked.
        """
        judged: list[datetime] = []
        for upload in self.earlier:
            assert upload.submission_time is not None
            if len(_within_a_day(judged, upload.submission_time)) < uploads_per_day:
                judged.append(upload.submission_time)
        if self.created_at is None:
            return None
        recent = _within_a_day(judged, self.created_at)
        if len(recent) < uploads_per_day:
            return None
        return (recent[0] + _DAY).astimezone(self.created_at.tzinfo)


def _within_a_day(moments: list[datetime], before: datetime) -> list[datetime]:
    return [moment for moment in moments if before - moment < _DAY]


def read_metadata(path: Path) -> tuple[Metadata, list[str]]:
    """Read the file; whatever is wrong with it, there is a result.

    Returns:
        What could be read, and sentences for the instructor on what could not.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        return Metadata(), [f"{path.name} cannot be read ({error.strerror}): graded without it"]
    if not raw.strip():
        return Metadata(), [f"{path.name} is empty: graded without it"]
    try:
        content = json.loads(raw.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return Metadata(), [f"{path.name} is not JSON: graded without it"]
    if not isinstance(content, dict):
        return Metadata(), [f"{path.name} holds no object: graded without it"]
    return _what_fits(content, path.name)


def _what_fits(content: dict[str, Any], name: str) -> tuple[Metadata, list[str]]:
    """The model of all that has the right type."""
    problems: list[str] = []
    while True:
        try:
            return Metadata.model_validate(content), problems[:_MAX_PROBLEMS]
        except ValidationError as error:
            # from the end, so that the positions in lists stay right
            for wrong in sorted({found["loc"]: found for found in error.errors()}.items(), key=_position, reverse=True):
                location, found = wrong
                problems.append(f"{name}: {'.'.join(map(str, location))} is left out ({found['msg']})")
                _remove(content, location)


def _position(item: tuple[tuple[int | str, ...], Any]) -> list[tuple[bool, Any]]:
    return [(isinstance(step, str), step) for step in item[0]]


def _remove(content: Any, location: tuple[int | str, ...]) -> None:
    *way, last = location
    for step in way:
        content = content[step]
    del content[last]
