"""The VAE that ift6135_h23 and ift6135_a22 share: the reference, planted mistakes, correct variants, stubs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.release import release_files

from .planting import planted
from .svhn_vae_misconceptions import DEPENDENTS, PLANTED
from .svhn_vae_variants import END, VARIANTS

UNITS = frozenset(PLANTED)
Grade = Callable[..., Report]


@pytest.fixture(scope="module")
def master(h23: Assignment) -> str:
    """The shared VAE."""
    return _sources(h23)["vae_solution.py"]


@pytest.fixture(scope="module")
def grade(h23: Assignment, h23_engine: Engine) -> Grade:
    """Grade the masters with another VAE, by units named as those of the shared master."""

    def run(text: str | None = None, seed: int = 3, only: frozenset[str] = UNITS) -> Report:
        files = {**_sources(h23), **({"vae_solution.py": text} if text is not None else {})}
        return _graded(h23_engine, files, seed, only, "vae_solution")

    return run


def _sources(assignment: Assignment) -> dict[str, str]:
    return {file.name: assignment.master(file).read_text("utf-8") for file in assignment.files}


def _graded(engine: Engine, files: dict[str, str], seed: int, only: frozenset[str], module: str) -> Report:
    made = Submission(name="work", digest=digest_of(files), sources=files, missing=[])
    report = engine.grade(made, seed, only={name.replace("vae.", f"{module}.", 1) for name in only})
    assert report.run.problem == ""
    return report


def checked(report: Report) -> dict[str, tuple[float, float]]:
    """Unit, named as that of the shared master -> points earned, and points."""
    return {_shared(unit.name): (unit.earned, unit.points) for unit in report.units if unit.checks}


def messages(report: Report, unit: str) -> list[str]:
    return [check.message for found in report.units if _shared(found.name) == unit for check in found.checks]


def _shared(unit: str) -> str:
    return unit.replace("vae_solution.", "vae.", 1)


def expect_everything(report: Report, units: frozenset[str]) -> None:
    assert set(checked(report)) == units
    for check in (check for unit in report.units for check in unit.checks):
        assert check.status is Status.PASSED, check
        assert check.message == ""


@pytest.mark.parametrize("seed", [0, 2024, 2**53 - 1])
def test_the_reference_gets_everything_and_is_told_nothing(grade: Grade, seed: int) -> None:
    expect_everything(grade(seed=seed), UNITS)


def test_the_reference_gets_everything_in_the_french_course_too() -> None:
    assignment = load_assignment("ift6135_a22")
    with Engine(assignment) as engine:
        expect_everything(_graded(engine, _sources(assignment), 1, UNITS, "vae"), UNITS)


@pytest.mark.parametrize(
    ("unit", "gist", "edits"),
    [(unit, gist, edits) for unit, rows in PLANTED.items() for gist, edits in rows],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_mistake_fails_its_own_unit_alone_and_is_named(
    grade: Grade, master: str, unit: str, gist: str, edits: dict[str, str]
) -> None:
    report = grade(planted(master, edits), only=frozenset({unit, *DEPENDENTS.get(unit, [])}))
    found = checked(report)
    earned, points = found.pop(unit)
    assert earned < points
    said = messages(report, unit)
    assert any(gist in message for message in said), said
    for other, (kept, full) in found.items():
        assert kept == full, messages(report, other)


def test_there_are_planted_mistakes_for_every_unit() -> None:
    assert len(UNITS) == 10
    assert sum(map(len, PLANTED.values())) >= 150
    assert min(map(len, PLANTED.values())) >= 10


def test_a_wrong_part_that_is_put_right_does_not_make_a_wrong_unit_right(grade: Grade, master: str) -> None:
    rows = {unit: PLANTED[unit][0][1] for unit in ("vae.DiagonalGaussianDistribution.nll", "vae.VAE.log_likelihood")}
    text = master
    for edits in rows.values():
        text = planted(text, edits)
    found = checked(grade(text, only=frozenset(rows)))
    assert all(earned < points for earned, points in found.values())


# --- correct solutions that are written otherwise ---------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_gets_everything_and_is_told_of_no_mistake(grade: Grade, master: str, name: str) -> None:
    units, edits = VARIANTS[name]
    rest = {key: text for key, text in edits.items() if key != END}
    text = planted(master, rest) + edits.get(END, "")
    expect_everything(grade(text, only=frozenset(units)), frozenset(units))


# --- parts that are not there -----------------------------------------------------------------------------------------


def test_the_released_stubs_get_nothing_and_say_why(grade: Grade, h23: Assignment) -> None:
    report = grade(release_files(h23)["vae_solution.py"])
    assert set(checked(report)) == UNITS
    for unit, (earned, _points) in checked(report).items():
        assert earned == 0, unit
        assert "not implemented yet" in "\n".join(messages(report, unit)), unit


def test_without_the_distributions_their_units_say_so(grade: Grade, master: str) -> None:
    text = "from __future__ import annotations\n" + master.replace("class DiagonalGaussian", "class Gaussian")
    report = grade(text, only=frozenset(unit for unit in UNITS if "Gaussian" in unit))
    for unit, (earned, _points) in checked(report).items():
        assert earned == 0
        assert "vae_solution.py has no class DiagonalGaussianDistribution" in "\n".join(messages(report, unit))


def test_networks_that_are_missing_are_named(grade: Grade, master: str) -> None:
    text = planted(master, {"self.mean = nn.Linear(features, z_dim)": "self.mu = nn.Linear(features, z_dim)"})
    said = "\n".join(messages(grade(text, only=frozenset({"vae.interpolate"})), "vae.interpolate"))
    assert "no network mean" in said
