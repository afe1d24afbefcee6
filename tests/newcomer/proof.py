"""What a new student does from the first look into the folder to the marks, and what the grader makes of mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.intake import read_submission

from ..checks.planting import messages
from ..checks.tables import Planted, planted_in
from .misconceptions import MISCONCEPTIONS
from .student import NewStudent

SEED = 6


class Step(NamedTuple):
    """One thing that the student did.

    Attributes:
        name: what.
        worked: whether it came out as it should.
        said: what the command printed.
    """

    name: str
    worked: bool
    said: str


def hand_out(assignment: Assignment, folder: Path) -> Path:
    """The zip that an instructor hands out."""
    command = ("release", assignment.id, "-o", folder / "assignments", "--zip", folder)
    _genlab(*command)
    return folder / f"{assignment.id}.zip"


def full_marks(student: NewStudent, samples: int | None = None) -> Iterator[Step]:
    """Fill the notebooks, export, check, zip, and be graded; ends after the first step that fails.

    Args:
        student: with an unpacked folder.
        samples: generated samples of one evaluation, where samples are scored; default: as the manifest says.
    """
    notebooks = student.fill_in()
    student.bring_weights()
    for name, command in {
        "export": ("-m", "tools.export", *notebooks),
        "public checks": ("-m", "pytest"),
        "zip": ("-m", "tools.zip", "-o", "submission.zip"),
    }.items():
        done = student.run(*command)
        yield Step(name, done.returncode == 0, done.stdout)
        if done.returncode:
            return
    results = student.folder / "results"
    options = ["--samples", samples] if samples else []
    said = _genlab("grade", student.folder / "submission.zip", "-a", student.assignment.id, "-o", results, *options)
    report = json.loads((results / "report.json").read_text("utf-8"))
    earned = {unit["name"]: (unit["earned"], unit["points"]) for unit in _units(report)}
    lost = {name: pair for name, pair in earned.items() if pair[0] != pair[1]}
    yield Step("grade", bool(earned) and not lost and not report["run"]["problem"], f"lost: {lost}\n{said}")


def chosen(assignment: Assignment) -> list[Planted]:
    """The misconceptions of this assignment that are planted in notebooks.

    Raises:
        ValueError: the tables do not have one of them.
    """
    table = planted_in(assignment)
    found = []
    for unit, words in MISCONCEPTIONS[assignment.id]:
        rows = [row for row in table if row.unit == unit and row.words == words]
        if not rows:
            raise ValueError(f"no misconception of {unit} is described by {words!r}")
        found.append(rows[0])
    return found


def what_is_said(student: NewStudent, row: Planted, engine: Engine) -> list[str]:
    """The messages of the unit's checks where a student fills the notebooks with this misconception in them."""
    touched = student.fill_in(row.edits)
    done = student.run("-m", "tools.export", *touched)
    assert done.returncode == 0, done.stdout
    files = [student.folder / file.name for file in student.assignment.files]
    submission = read_submission(files, student.assignment)
    report = engine.grade(submission, SEED, only={row.unit})
    assert report.run.problem == ""
    return messages(report, row.unit)


def _units(report: dict[str, list[dict[str, list[dict[str, list[dict[str, float]]]]]]]) -> Iterator[dict[str, float]]:
    return (unit for part in report["parts"] for question in part["questions"] for unit in question["units"])


def _genlab(*arguments: object) -> str:
    command = [str(Path(sys.executable).with_name("genlab")), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
