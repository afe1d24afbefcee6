"""Every misconception that a check can name, planted into the masters: the check fails and names it.

And every hint that a check can give is planted: one that no row brings out may be dead.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Status

from ..conftest import MakeSubmission
from .ift6135_h25_misconceptions import PLANTED
from .planting import with_solution


class Row(NamedTuple):
    unit: str
    label: str
    body: str
    hint: str


def rows() -> Iterator[Row]:
    for unit, hints in PLANTED.items():
        for hint, bodies in hints.items():
            for body in bodies:
                function = unit.rpartition(".")[2]
                label, colon, rest = body.partition(": ")
                if colon and label.startswith(f"{function} ") and "\n" not in label:
                    yield Row(unit, label, rest, hint)
                else:
                    yield Row(unit, function, body, hint)


@pytest.mark.parametrize("row", [*rows()], ids=lambda row: f"{row.unit}: {row.hint}")
def test_the_planted_misconception_is_named(
    engine: Engine, make_submission: MakeSubmission, masters: dict[str, str], row: Row
) -> None:
    file = f"{row.unit.partition('.')[0]}.py"
    submission = make_submission({file: with_solution(masters[file], row.label, row.body)})
    report = engine.grade(submission, 7, only={row.unit})
    [unit] = [unit for unit in report.units if unit.name == row.unit]
    assert unit.status is Status.FAILED
    hints = [line for check in unit.checks for line in check.message.splitlines() if line.startswith("Hint: ")]
    assert any(row.hint in hint for hint in hints), [check.message for check in unit.checks]
    assert report.run.problem == ""


def test_every_unit_has_misconceptions(h25: Assignment) -> None:
    assert set(PLANTED) == {unit.name for unit in h25.units}


def test_every_hint_of_the_checks_is_planted(h25: Assignment) -> None:
    planted = [row.hint.rstrip(".") for row in rows()]
    for path in sorted(h25.checks.glob("test_*.py")):
        for text in _hints(ast.parse(path.read_text("utf-8"))):
            assert any(hint in text for hint in planted), f"{path.name}: {text!r}"


def _hints(tree: ast.AST) -> Iterator[str]:
    """The names of all mistakes in the calls of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and (node.arg or "").endswith("mistakes") and isinstance(node.value, ast.Dict):
            for key in node.value.keys:
                if isinstance(key, ast.Constant):
                    yield key.value
