"""What a new student does from the first look into the folder to the marks, and what the grader makes of mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report
from autograder.intake import read_submission

from ..checks.planting import messages
from ..checks.tables import Planted, planted_in
from ..mutation.verdicts import needs_weights
from .misconceptions import MISCONCEPTIONS
from .student import NewStudent

SEED = 6
UPLOAD = "submission.zip"


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


def full_marks(student: NewStudent, generate: bool = True) -> Iterator[Step]:
    """Fill the notebooks, export, check, zip, and be graded; ends after the first step that fails.

    Args:
        student: with an unpacked folder.
        generate: score the samples of trained models, too, where there are such: that takes minutes.
    """
    notebooks = student.fill_in()
    student.bring_weights()
    for name, command in {
        "export": ("-m", "tools.export", *notebooks),
        "public checks": ("-m", "pytest"),
        "zip": ("-m", "tools.zip", "-o", UPLOAD),
    }.items():
        done = student.run(*command)
        yield Step(name, done.returncode == 0, done.stdout)
        if done.returncode:
            return
    yield _graded(student) if generate or not student.assignment.checkpoints else _graded_without_samples(student)


def _graded(student: NewStudent) -> Step:
    """By the command of the instructor."""
    results = student.folder / "results"
    said = _genlab("grade", student.folder / UPLOAD, "-a", student.assignment.id, "-o", results)
    return _judged(Report.model_validate_json((results / "report.json").read_text("utf-8")), said)


def _graded_without_samples(student: NewStudent) -> Step:
    assignment = student.assignment
    submission = read_submission([student.folder / UPLOAD], assignment)
    units = {unit.name for unit in assignment.units if not needs_weights(unit)}
    with Engine(assignment) as engine:
        report = engine.grade(submission, SEED, only=units)
    step = _judged(report, f"missing: {submission.missing + submission.missing_checkpoints}")
    return step._replace(worked=step.worked and not (submission.missing or submission.missing_checkpoints))


def _judged(report: Report, said: str) -> Step:
    lost = {unit.name: unit.earned for unit in report.units if unit.checks and unit.earned < unit.points}
    checked = any(unit.checks for unit in report.units)
    return Step("grade", checked and not lost and not report.run.problem, f"lost: {lost}\n{said}")


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


def _genlab(*arguments: object) -> str:
    command = [str(Path(sys.executable).with_name("genlab")), *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
