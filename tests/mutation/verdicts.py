"""Grades mutants: is the planted mistake noticed by a check of the function or method that holds it?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.assignment import Assignment, Unit, tomllib
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import Submission

from .mutants import Mutant

SEED = 11
WITHIN_PART = frozenset({"cmput328_f24"})  # a mistake in one of its units may show in another of the same part
SURVIVORS = Path(__file__).with_name("survivors")


@dataclass(frozen=True)
class Verdict:
    """What the checks say of a mutant.

    Attributes:
        mutant: what was graded.
        check: name of the first check that did not pass; empty if all did.
        message: what the student would read there.
        problem: what went wrong in the grader itself; empty if nothing did.
    """

    mutant: Mutant
    check: str = ""
    message: str = ""
    problem: str = ""

    @property
    def caught(self) -> bool:
        """Whether a check noticed the mistake."""
        return bool(self.check)


def needs_weights(unit: Unit) -> bool:
    """Whether a unit scores the samples of a trained model, which the masters alone are not."""
    return unit.qualified.startswith("prepare_")


class MutantGrader:
    """Grades mutants of the masters of one assignment, all with the same random inputs."""

    def __init__(self, assignment: Assignment, engine: Engine, seed: int = SEED) -> None:
        """`engine` is one of this assignment."""
        self._assignment = assignment
        self._engine = engine
        self._seed = seed
        self._masters = {file.name: assignment.master(file).read_text("utf-8") for file in assignment.files}

    def masters(self) -> Report:
        """The report of the masters as they are."""
        return self._grade(self._masters, [unit.name for unit in self._assignment.units if not needs_weights(unit)])

    def verdict(self, mutant: Mutant) -> Verdict:
        """Grade one mutant. A check that breaks on it, or that could not be run, does not notice it."""
        verdict = Verdict(mutant)
        for names in self._scopes(mutant):
            report = self._grade({**self._masters, mutant.file: mutant.source}, names)
            checks = [check for unit in report.units if unit.name in names for check in unit.checks]
            noticed = [check for check in checks if check.status in (Status.FAILED, Status.SKIPPED)]
            if noticed:
                return Verdict(mutant, noticed[0].name, noticed[0].message, report.run.problem)
            verdict = Verdict(mutant, problem=report.run.problem)
        return verdict

    def _scopes(self, mutant: Mutant) -> Iterator[list[str]]:
        """Units whose checks may notice it: its own, or those of its question; then, where that counts, of its part."""
        units = [unit for unit in self._assignment.units if unit.file == mutant.file]
        own = [unit.name for unit in units if unit.qualified == mutant.block.label.split()[0]]
        part = next(
            part
            for part in self._assignment.parts
            if mutant.block.question in [question.id for question in part.questions]
        )
        question = next(question for question in part.questions if question.id == mutant.block.question)
        own = own or [unit.name for unit in question.units]
        yield own
        rest = [unit for other in part.questions for unit in other.units if unit.name not in own]
        names = [unit.name for unit in rest if not needs_weights(unit)]
        if names and self._assignment.id in WITHIN_PART:
            yield names

    def _grade(self, sources: dict[str, str], units: list[str]) -> Report:
        digest = hashlib.sha256("".join(sources.values()).encode()).hexdigest()
        return self._engine.grade(Submission("mutant", digest, sources), self._seed, only=units)


@dataclass(frozen=True)
class Survivor:
    """An entry of `survivors/<assignment>.toml`: a mutant that passes, and why.

    Attributes:
        id: the mutant's id.
        reason: why it is as right as the master (`equivalent`), or why the grader cannot tell the two apart.
        equivalent: which of the two.
    """

    id: str
    reason: str
    equivalent: bool


def listed_survivors(assignment: str) -> list[Survivor]:
    """The survivors that were judged by hand."""
    tables = tomllib.loads((SURVIVORS / f"{assignment}.toml").read_text("utf-8"))
    return [
        Survivor(entry["id"], entry["reason"], kind == "equivalent")
        for kind in ("equivalent", "undetected")
        for entry in tables.get(kind, [])
    ]
