"""SimSiam of ift6135_h23: the reference, planted mistakes, correct variants, stubs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.release import release_files

from .ift6135_h23_simsiam_misconceptions import PLANTED
from .ift6135_h23_simsiam_variants import CARRIED, COSINE, VARIANTS
from .planting import checked, messages, with_solution

MODULE = "q3_solution."
UNITS = frozenset(PLANTED)
Grade = Callable[..., Report]


@pytest.fixture(scope="module")
def sources(h23: Assignment) -> dict[str, str]:
    return {file.name: h23.master(file).read_text("utf-8") for file in h23.files}


@pytest.fixture(scope="module")
def grade(h23_engine: Engine, sources: dict[str, str]) -> Grade:
    """Grade the masters with another q3_solution.py."""

    def run(text: str | None = None, seed: int = 7, only: frozenset[str] = UNITS) -> Report:
        files = {**sources, **({"q3_solution.py": text} if text is not None else {})}
        made = Submission(name="work", digest=digest_of(files), sources=files, missing=[])
        report = h23_engine.grade(made, seed, only=only)
        assert report.run.problem == ""
        return report

    return run


def planted(text: str, bodies: Mapping[str, str]) -> str:
    """The master with these bodies in the place of its solutions."""
    for unit, body in bodies.items():
        text = with_solution(text, unit, body)
    ast.parse(text)
    return text


@pytest.mark.parametrize("seed", [0, 2024, 2**53 - 1])
def test_the_reference_gets_everything_and_is_told_nothing(grade: Grade, seed: int) -> None:
    report = grade(seed=seed)
    assert set(checked(report)) == UNITS
    for check in (check for unit in report.units for check in unit.checks):
        assert check.status is Status.PASSED, check
        assert check.message == ""


@pytest.mark.parametrize(
    ("unit", "gist", "body"),
    [(unit, gist, body) for unit, rows in PLANTED.items() for gist, body in rows],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_a_planted_mistake_fails_its_own_unit_alone_and_is_named(
    grade: Grade, sources: dict[str, str], unit: str, gist: str, body: str
) -> None:
    report = grade(planted(sources["q3_solution.py"], {unit.removeprefix(MODULE): body}))
    said = messages(report, unit)
    assert any(gist in message for message in said), said
    for name, (earned, points) in checked(report).items():
        assert (earned < points) is (name == unit), (name, messages(report, name))


def test_there_are_planted_mistakes_for_every_unit() -> None:
    assert len(UNITS) == 3
    assert sum(map(len, PLANTED.values())) >= 55
    assert min(map(len, PLANTED.values())) >= 15


# --- correct solutions that are written otherwise ------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_gets_everything_and_is_told_of_no_mistake(grade: Grade, sources: dict[str, str], name: str) -> None:
    report = grade(planted(sources["q3_solution.py"], VARIANTS[name]))
    for unit in UNITS:
        assert messages(report, unit) == [""] * len(messages(report, unit)), unit


@pytest.mark.parametrize("name", CARRIED)
def test_a_wrong_similarity_costs_only_its_own_points(grade: Grade, sources: dict[str, str], name: str) -> None:
    report = grade(planted(sources["q3_solution.py"], CARRIED[name]))
    for unit, (earned, points) in checked(report).items():
        assert (earned < points) is (unit == MODULE + COSINE), (unit, messages(report, unit))


@pytest.mark.parametrize(("gist", "body"), PLANTED["q3_solution.SimSiam.loss"][:5])
def test_a_wrong_similarity_hides_no_wrong_loss(grade: Grade, sources: dict[str, str], gist: str, body: str) -> None:
    wrong = {"SimSiam.loss": body, COSINE: "similarity = (x1 * x2).sum(1)\n"}
    unit = "q3_solution.SimSiam.loss"
    report = grade(planted(sources["q3_solution.py"], wrong), only=frozenset({unit}))
    assert checked(report)[unit][0] < checked(report)[unit][1]
    assert any(gist in message for message in messages(report, unit)), messages(report, unit)


# --- parts that are not there ---------------------------------------------------------------------------------------


def test_without_the_similarity_class_the_loss_is_judged_all_the_same(grade: Grade, sources: dict[str, str]) -> None:
    report = grade(sources["q3_solution.py"].replace("class CosineSimilarity(", "class Cosine("))
    for unit, (earned, points) in checked(report).items():
        assert earned == (0 if unit == MODULE + COSINE else points), (unit, messages(report, unit))


def test_the_released_stubs_get_nothing_and_say_why(grade: Grade, h23: Assignment) -> None:
    report = grade(release_files(h23)["q3_solution.py"])
    for unit in (unit for unit in report.units if unit.checks):
        said = "\n".join(check.message for check in unit.checks)
        assert unit.earned == 0, unit.name
        assert "not implemented yet" in said, unit.name
