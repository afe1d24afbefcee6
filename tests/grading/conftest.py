"""A small assignment of its own, so that tests can have any checks and any submission."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from autograder.assignment import Assignment, Limits, Part, Question, SourceFile, Unit
from autograder.grading.engine import Engine
from autograder.grading.report import CheckResult, Report, UnitResult
from autograder.intake import Submission

SHOP = """
import torch


def total(prices):
    return prices.sum()


def mean(prices):
    return total(prices) / prices.numel()
"""
TILL = """
def change(paid, price):
    return paid - price
"""
HEADER = """
import pytest
import torch

from autograder.grading import expect, fail, needs, points, public
"""
CHECKS = """
@points("shop.total")
def test_total(student, reference, draw):
    prices = draw.uniform(1, 2, 5)
    expect(student.shop.total(prices)).close_to(reference.shop.total(prices))


@points("shop.mean")
def test_mean(student, reference, draw):
    prices = draw.uniform(1, 2, 5)
    expect(student.shop.mean(prices)).close_to(reference.shop.mean(prices))


@points("till.change")
def test_change(student, draw):
    paid, price = draw.uniform(5, 6, 3), draw.uniform(1, 2, 3)
    expect(student.till.change(paid, price)).close_to(paid - price)
"""
POINTS = {"shop.total": 2.0, "shop.mean": 3.0, "till.change": 4.0}
_numbers = itertools.count()


class SmallAssignment(Assignment):
    """Two files, three units of 2, 3 and 4 points; its checks lie next to its masters."""

    @property
    def checks(self) -> Path:
        """A folder whose name is used once: pytest keeps the modules of checks by name."""
        return self.folder / f"checks_{self.folder.name}"


class Course:
    """Writes the small assignment and grades submissions of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._engines: list[Engine] = []

    def assignment(self, checks: str | Mapping[str, str] = CHECKS, limits: Limits | None = None) -> SmallAssignment:
        """Write masters and checks; `checks` is one file without its imports, or several whole files."""
        files = {"test_all.py": HEADER + checks} if isinstance(checks, str) else checks
        units = tuple(
            Unit(name=unit, points=points, file=unit.partition(".")[0] + ".py") for unit, points in POINTS.items()
        )
        question = Question(id="1.1", title="Shop", points=9, kind="auto", units=units)
        made = SmallAssignment(
            id="small",
            title="A small assignment",
            files=(SourceFile(name="shop.py"), SourceFile(name="till.py")),
            limits=limits or Limits(),
            parts=(Part(id="1", title="Shop", points=9, questions=(question,)),),
            folder=self.folder / str(next(_numbers)),
        )
        made.checks.mkdir(parents=True)
        for name, text in {"shop.py": SHOP, "till.py": TILL}.items():
            (made.folder / name).write_text(text)
        for name, text in {"__init__.py": "", "probes.py": "", **files}.items():
            (made.checks / name).write_text(text)
        return made

    def engine(self, checks: str | Mapping[str, str] = CHECKS, limits: Limits | None = None, **options: Any) -> Engine:
        """An engine, closed at the end of the test."""
        self._engines.append(Engine(self.assignment(checks, limits), **options))
        return self._engines[-1]

    def grade(
        self,
        checks: str | Mapping[str, str] = CHECKS,
        changes: Mapping[str, str | None] | None = None,
        seed: int = 1,
        limits: Limits | None = None,
        **options: Any,
    ) -> Report:
        """Grade the masters with these changes."""
        return self.engine(checks, limits).grade(self.submission(changes), seed, **options)

    def submission(self, changes: Mapping[str, str | None] | None = None) -> Submission:
        """The masters with these texts in the place of theirs; None stands for a missing file."""
        files = {"shop.py": SHOP, "till.py": TILL, **(changes or {})}
        return Submission(
            name="submission",
            digest="0" * 64,
            sources={name: text for name, text in files.items() if text is not None},
            missing=[name for name, text in files.items() if text is None],
        )

    def close(self) -> None:
        """End all engines, and forget the modules of the checks."""
        for engine in self._engines:
            engine.close()
        for name in [name for name in sys.modules if name.startswith("checks_")]:
            del sys.modules[name]


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    made = Course(tmp_path)
    yield made
    made.close()


def check_of(report: Report, name: str) -> CheckResult:
    """The result of one check."""
    return next(check for unit in report.units for check in unit.checks if check.name == name)


def unit_of(report: Report, name: str) -> UnitResult:
    """The result of one unit."""
    return next(unit for unit in report.units if unit.name == name)


@pytest.fixture
def check() -> Callable[[Report, str], CheckResult]:
    return check_of


@pytest.fixture
def unit() -> Callable[[Report, str], UnitResult]:
    return unit_of
