"""A student who has nothing but the zip of the course gets from the notebook to full marks, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.assignment import Assignment, assignment_names, load_assignment
from autograder.grading.engine import Engine

from .misconceptions import MISCONCEPTIONS
from .proof import chosen, full_marks, hand_out, what_is_said
from .student import NewStudent

PARTS = ("Expected: ", "Got: ", "Hint: ")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=assignment_names())
def assignment(request: pytest.FixtureRequest) -> Assignment:
    return load_assignment(request.param)


@pytest.fixture(scope="module")
def handout(assignment: Assignment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hand_out(assignment, tmp_path_factory.mktemp("course"))


def test_from_the_notebook_to_full_marks(assignment: Assignment, handout: Path, tmp_path: Path) -> None:
    student = NewStudent(assignment, handout, tmp_path)
    steps = list(full_marks(student, generate=False))
    assert [step.said for step in steps if not step.worked] == []
    assert [step.name for step in steps] == ["export", "public checks", "zip", "grade"]


def test_the_first_look_says_what_is_to_do(assignment: Assignment, handout: Path, tmp_path: Path) -> None:
    student = NewStudent(assignment, handout, tmp_path)
    said = student.run("-m", "pytest").stdout
    assert "passed" not in said.splitlines()[-1]
    assert "question" in said


def test_planted_misconceptions_are_named(assignment: Assignment, handout: Path, tmp_path: Path) -> None:
    english = assignment.model_copy(update={"language": "en"})  # the language of the tables
    unnamed = []
    with Engine(english) as engine:
        for number, row in enumerate(chosen(assignment)):
            student = NewStudent(assignment, handout, tmp_path / str(number))
            said = what_is_said(student, row, engine)
            named = [message for message in said if row.words in message]
            if not named:
                unnamed.append((row.unit, row.words, said))
            elif not all(part in message for message in named for part in PARTS):
                unnamed.append((row.unit, "not in three parts", said))
    assert unnamed == []


def test_thirty_are_planted() -> None:
    planted = [row for rows in MISCONCEPTIONS.values() for row in rows]
    assert len(planted) == len(set(planted)) == 30
    assert set(MISCONCEPTIONS) == set(assignment_names())
