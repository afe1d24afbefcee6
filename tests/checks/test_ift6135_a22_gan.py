"""The GAN of ift6135_a22: the reference, planted mistakes, correct variants, stubs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from autograder.assignment import Assignment, load_assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.release import release_files

from .ift6135_a22_gan_misconceptions import PLANTED
from .ift6135_a22_gan_variants import CARRIED, PLAIN, VARIANTS
from .planting import checked, messages, planted, replaced

UNITS = frozenset(PLANTED)
USED_BY = {"gan.criterion": ("gan.discriminator_train", "gan.generator_train")}
Grade = Callable[..., Report]


@pytest.fixture(scope="module")
def a22() -> Assignment:
    """The manifest of ift6135_a22, in English, the language of the tables."""
    return load_assignment("ift6135_a22").model_copy(update={"language": "en"})


@pytest.fixture(scope="module")
def engine(a22: Assignment) -> Iterator[Engine]:
    with Engine(a22) as made:
        yield made


@pytest.fixture(scope="module")
def sources(a22: Assignment) -> dict[str, str]:
    return {file.name: a22.master(file).read_text("utf-8") for file in a22.files}


@pytest.fixture(scope="module")
def grade(engine: Engine, sources: dict[str, str]) -> Grade:
    """Grade the masters with another gan.py."""

    def run(text: str | None = None, seed: int = 5, only: frozenset[str] = UNITS) -> Report:
        files = {**sources, **({"gan.py": text} if text is not None else {})}
        made = Submission(name="work", digest=digest_of(files), sources=files, missing=[])
        report = engine.grade(made, seed, only=only)
        assert report.run.problem == ""
        return report

    return run


@pytest.mark.parametrize("seed", [0, 2024, 2**53 - 1])
def test_the_reference_gets_everything_and_is_told_nothing(grade: Grade, seed: int) -> None:
    report = grade(seed=seed)
    assert set(checked(report)) == UNITS
    for check in (check for unit in report.units for check in unit.checks):
        assert check.status is Status.PASSED, check
        assert check.message == ""


@pytest.mark.parametrize(
    ("unit", "gist", "edits"),
    [(unit, gist, edits) for unit, rows in PLANTED.items() for gist, edits in rows],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_mistake_fails_its_own_unit_and_is_named(
    grade: Grade, sources: dict[str, str], unit: str, gist: str, edits: dict[str, str]
) -> None:
    users = USED_BY.get(unit, ())
    report = grade(planted(sources["gan.py"], edits), only=frozenset({unit, *users}))
    earned, points = checked(report)[unit]
    assert earned < points
    said = messages(report, unit)
    assert any(gist in message for message in said), said
    for user in users:
        assert messages(report, user) == [""] * len(messages(report, user)), user


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_that_is_not_there_costs_no_other_unit(grade: Grade, sources: dict[str, str], unit: str) -> None:
    text = planted(sources["gan.py"], PLANTED[unit][-1][1])
    for name, (earned, points) in checked(grade(text)).items():
        assert earned == (0 if name == unit else points), name


@pytest.mark.parametrize("unit", ["gan.discriminator_train", "gan.generator_train"])
def test_a_loss_of_nothing_earns_nothing(grade: Grade, sources: dict[str, str], unit: str) -> None:
    text = planted(sources["gan.py"], {f"block: {unit.removeprefix('gan.')}": "loss = torch.zeros(())"})
    assert checked(grade(text, only=frozenset({unit})))[unit][0] == 0


def test_there_are_planted_mistakes_for_every_unit() -> None:
    assert len(UNITS) == 7
    assert sum(map(len, PLANTED.values())) >= 90
    assert min(map(len, PLANTED.values())) >= 6


# --- correct solutions that are written otherwise ------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_gets_everything_and_is_told_of_no_mistake(grade: Grade, sources: dict[str, str], name: str) -> None:
    units, edits = VARIANTS[name]
    only = frozenset(f"gan.{unit}" for unit in units)
    report = grade(planted(sources["gan.py"], edits), only=only)
    assert set(checked(report)) == only
    for unit in only:
        assert messages(report, unit) == [""] * len(messages(report, unit)), unit


def test_a_plain_file_gets_everything_and_is_told_of_no_mistake(grade: Grade) -> None:
    report = grade(PLAIN)
    assert set(checked(report)) == UNITS
    for unit in UNITS:
        assert messages(report, unit) == [""] * len(messages(report, unit)), unit


@pytest.mark.parametrize("name", CARRIED)
def test_a_wrong_criterion_costs_only_its_own_points(grade: Grade, sources: dict[str, str], name: str) -> None:
    only = frozenset({"gan.criterion", *USED_BY["gan.criterion"]})
    report = grade(planted(sources["gan.py"], CARRIED[name]), only=only)
    for unit, (earned, points) in checked(report).items():
        assert (earned < points) is (unit == "gan.criterion"), (unit, messages(report, unit))


@pytest.mark.parametrize("unit", USED_BY["gan.criterion"])
def test_a_wrong_criterion_hides_no_wrong_loss(grade: Grade, sources: dict[str, str], unit: str) -> None:
    gist, edits = PLANTED[unit][0]
    wrong = {**edits, "block: criterion": "criterion = nn.MSELoss()"}
    report = grade(planted(sources["gan.py"], wrong), only=frozenset({unit}))
    assert checked(report)[unit][0] < checked(report)[unit][1]
    assert any(gist in message for message in messages(report, unit)), messages(report, unit)


# --- parts that are not there ---------------------------------------------------------------------------------------


def test_networks_that_are_made_under_the_guard_are_missed_by_name(grade: Grade, sources: dict[str, str]) -> None:
    lines = "generator = Generator(z_dim, input_channels).to(device)\n"
    text = replaced(sources["gan.py"], lines, f"if __name__ == '__main__':\n    {lines}")
    report = grade(text)
    assert all(earned == 0 for earned, _points in checked(report).values())
    said = messages(report, "gan.discriminator_optimizer")
    assert "gan.py cannot be imported" in said[0]
    assert "are names of the module" in said[0]


def test_the_released_stubs_get_nothing_and_say_why(grade: Grade, a22: Assignment) -> None:
    report = grade(release_files(a22)["gan.py"])
    for unit in (unit for unit in report.units if unit.checks):
        said = "\n".join(check.message for check in unit.checks)
        assert unit.earned == 0, unit.name
        assert "not implemented yet" in said or "not there yet, or None" in said, unit.name
