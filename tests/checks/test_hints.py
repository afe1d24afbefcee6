"""Every auto-graded function has its common misconceptions, each of which some test plants and sees named."""

from __future__ import annotations

import pytest

from autograder.assignment import Assignment, assignment_names, load_assignment

from ..mutation.verdicts import needs_weights
from .planting import planted
from .tables import Planted, planted_in

LEAST = 3
GENERIC = (  # these say that something is missing or of the wrong kind, not which idea is wrong
    "not implemented",
    "not there yet",
    "a float tensor",
    "the shape",
    "cannot be called",
    "returns",
    "a tensor",
    "None",
)
SPECIAL = {("models.VarianceScheduler", "block: VarianceScheduler")}  # an edit of a given line, by its own test


@pytest.fixture(params=assignment_names())
def assignment(request: pytest.FixtureRequest) -> Assignment:
    return load_assignment(request.param)


@pytest.fixture
def rows(assignment: Assignment) -> list[Planted]:
    return planted_in(assignment)


def test_every_unit_names_at_least_three_misconceptions(assignment: Assignment, rows: list[Planted]) -> None:
    named = {
        unit.name: {row.words for row in rows if row.unit == unit.name and row.words and not is_generic(row.words)}
        for unit in assignment.units
        if not needs_weights(unit)  # the accuracy of samples has no formula to be mistaken about
    }
    assert {unit: words for unit, words in named.items() if len(words) < LEAST} == {}


def is_generic(words: str) -> bool:
    return any(words.startswith(beginning) for beginning in GENERIC)


def test_every_row_is_of_a_unit_and_can_be_planted(assignment: Assignment, rows: list[Planted]) -> None:
    masters = {
        unit.name: assignment.master(file).read_text("utf-8")
        for unit in assignment.units
        for file in assignment.files
        if file.name == unit.file
    }
    for row in rows:
        if not any((row.unit, edit) in SPECIAL for edit in row.edits):
            assert planted(masters[row.unit], row.edits) != masters[row.unit]
