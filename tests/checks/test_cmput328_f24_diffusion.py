"""Schedule, DDPM and DDIM of cmput328_f24: mistakes are caught in their own unit, right variants get everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of

from .cmput328_f24_diffusion_misconceptions import PLANTED
from .cmput328_f24_diffusion_variants import VARIANTS
from .planting import replaced, sampled, with_solution

UNITS = frozenset(PLANTED)
Grade = Callable[..., Report]


@pytest.fixture(scope="module")
def grade(f24_engine: Engine, f24_sources: dict[str, str]) -> Grade:
    """Grade the reference solution with another models.py or assignment.py."""

    def run(models: str = "", assignment: str = "", seed: int = 7, only: frozenset[str] = UNITS) -> Report:
        files = dict(f24_sources)
        files["models.py"] = models or files["models.py"]
        files["assignment.py"] = assignment or files["assignment.py"]
        made = Submission(name="work", digest=digest_of(files), sources=files, missing=[])
        report = f24_engine.grade(made, seed, only=only)
        assert report.run.problem == ""
        return report

    return run


def earned(report: Report) -> dict[str, float]:
    """Points of the units that were checked and lost some."""
    return {
        unit.name.partition(".")[2]: unit.earned
        for unit in report.units
        if unit.name in UNITS and unit.earned < unit.points
    }


@pytest.mark.parametrize("seed", [0, 2025, 2**53 - 1])
def test_the_reference_gets_everything_and_is_told_nothing(grade: Grade, seed: int) -> None:
    report = grade(seed=seed)
    checks = [check for unit in report.units if unit.name in UNITS for check in unit.checks]
    assert len(checks) > 20
    for check in checks:
        assert (check.status, check.message) == (Status.PASSED, ""), check


# --- mistakes -------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    unit: str
    hint: str
    label: str
    body: str


ROWS = [
    Row(unit, hint, *(body.split(": ", 1) if ": " in body else (body, "")))
    for unit, hints in PLANTED.items()
    for hint, bodies in hints.items()
    for body in bodies
]


def planted(text: str, row: Row) -> str:
    """The text of models.py with a mistake in it."""
    if row.label == "unknown name":
        refusal = (
            'raise ValueError(f"[!] Error: invalid beta interpolation {interpolation!r}; choose linear or quadratic")'
        )
        return replaced(text, refusal, "self.betas = torch.linspace(beta_start, beta_end, num_steps)")
    return with_solution(text, row.label, row.body)


@pytest.mark.parametrize(
    "row", sampled(ROWS), ids=lambda row: f"{row.unit.removeprefix('models.')}: {row.hint or row.body}"
)
def test_the_planted_mistake_is_caught_and_named(grade: Grade, f24_sources: dict[str, str], row: Row) -> None:
    report = grade(planted(f24_sources["models.py"], row), only=frozenset({row.unit}))
    [unit] = [unit for unit in report.units if unit.name == row.unit]
    messages = [check.message for check in unit.checks]
    assert unit.status is Status.FAILED, messages
    assert unit.earned < unit.points
    assert any(row.hint in message for message in messages), messages
    if row.hint.endswith("not implemented yet"):
        assert unit.earned == 0


def test_there_are_mistakes_for_every_unit() -> None:
    assert len(ROWS) >= 100
    assert all(sum(row.unit == unit for row in ROWS) >= 8 for unit in UNITS)


# --- right variants -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_right_variant_gets_everything(grade: Grade, f24_sources: dict[str, str], name: str) -> None:
    models, assignment = VARIANTS[name](f24_sources["models.py"], f24_sources["assignment.py"])
    assert (models, assignment) != (f24_sources["models.py"], f24_sources["assignment.py"])
    report = grade(models, assignment, seed=1)
    for unit in (unit for unit in report.units if unit.name in UNITS):
        for check in unit.checks:
            assert (check.status, check.message) == (Status.PASSED, ""), check
        assert unit.earned == unit.points
