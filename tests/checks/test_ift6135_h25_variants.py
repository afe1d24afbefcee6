"""Correct solutions that are written otherwise: full marks, and not a word of a mistake."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Status

from ..conftest import MakeSubmission

VARIANTS = sorted(Path(__file__).with_name("ift6135_h25_variants").glob("*.py"))


def replaced_file(text: str) -> str:
    """The submitted file that a variant stands for: `file: q2_ddpm.py` in the first line of its docstring."""
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return first.removeprefix("file: ").strip()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
def test_a_variant_gets_everything_and_is_told_of_no_mistake(
    engine: Engine, h25: Assignment, make_submission: MakeSubmission, path: Path, seed: int
) -> None:
    text = path.read_text("utf-8")
    file = replaced_file(text)
    units = {unit.name for unit in h25.units if unit.file == file}
    report = engine.grade(make_submission({file: text}), seed, only=units)
    assert report.run.problem == ""
    for unit in (unit for unit in report.units if unit.name in units):
        assert unit.earned == unit.points
        for check in unit.checks:
            assert check.status is Status.PASSED, check
            assert check.message == "" or check.message.startswith("Remark (costs nothing): ")


def test_there_are_variants_of_every_file(h25: Assignment) -> None:
    assert len(VARIANTS) >= 25
    assert {replaced_file(path.read_text("utf-8")) for path in VARIANTS} == {file.name for file in h25.files}
