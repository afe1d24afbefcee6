"""Networks, VAE and latent diffusion of cmput328_f24: the reference, planted mistakes, correct variants, stubs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autograder.assignment import Assignment
from autograder.grading.engine import Engine
from autograder.grading.report import Report, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.release import release_files

from .cmput328_f24_networks_misconceptions import PLANTED
from .cmput328_f24_networks_variants import END, VARIANTS
from .planting import checked, messages, planted, sampled, with_solution

UNITS = frozenset(PLANTED)
Grade = Callable[..., Report]


@pytest.fixture(scope="module")
def grade(f24_engine: Engine, f24_sources: dict[str, str]) -> Grade:
    """Grade the masters with `models.py`, or other files, replaced."""

    def run(models: str | None = None, seed: int = 3, only: frozenset[str] = UNITS, **others: str) -> Report:
        changes = {f"{name}.py": text for name, text in others.items()}
        files = {**f24_sources, **({"models.py": models} if models is not None else {}), **changes}
        made = Submission(name="work", digest=digest_of(files), sources=files, missing=[])
        report = f24_engine.grade(made, seed, only=only)
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
    sampled([(unit, gist, edits) for unit, rows in PLANTED.items() for gist, edits in rows]),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_mistake_fails_its_own_unit_and_is_named(
    grade: Grade, f24_sources: dict[str, str], unit: str, gist: str, edits: dict[str, str]
) -> None:
    report = grade(planted(f24_sources["models.py"], edits), only=frozenset({unit}))
    earned, points = checked(report)[unit]
    assert earned < points
    said = messages(report, unit)
    assert any(gist in message for message in said), said


def test_there_are_planted_mistakes_for_every_unit() -> None:
    assert len(UNITS) == 10
    assert sum(map(len, PLANTED.values())) >= 45
    assert min(map(len, PLANTED.values())) >= 6


# --- correct solutions that are written otherwise ------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_gets_everything_and_is_told_of_no_mistake(
    grade: Grade, f24_sources: dict[str, str], name: str
) -> None:
    prefixes, edits = VARIANTS[name]
    rest = {key: text for key, text in edits.items() if key != END}
    only = frozenset(unit for unit in UNITS if f"{unit}.".startswith(tuple(f"{prefix}." for prefix in prefixes)))
    report = grade(planted(f24_sources["models.py"], rest) + "\n\n" + edits.get(END, ""), only=only)
    assert set(checked(report)) == only
    for unit in only:
        assert messages(report, unit) == [""] * len(messages(report, unit)), unit


# --- parts that are not there ---------------------------------------------------------------------------------------


def test_without_the_bonus_the_other_units_get_everything(grade: Grade, f24_sources: dict[str, str]) -> None:
    report = grade(f24_sources["models.py"].replace("class LDDPM", "class LatentDiffusion"))
    for unit, (earned, points) in checked(report).items():
        assert earned == (0 if unit.startswith("models.LDDPM") else points), unit
        if unit.startswith("models.LDDPM"):
            said = set(messages(report, unit))
            assert any("no class LDDPM" in message or "'LDDPM'" in message for message in said)
            assert len(said) <= 2


@pytest.mark.threat(56)
@pytest.mark.parametrize("text", ["def broken(:\n", "raise ValueError\n", "import torch\n"])
def test_an_assignment_file_that_is_broken_harms_no_unit_of_the_models(grade: Grade, text: str) -> None:
    report = grade(
        only=frozenset({"models.UNet", "models.VAE.decode", "models.LDDPM.generate_sample"}), assignment=text
    )
    for earned, points in checked(report).values():
        assert earned == points


def test_a_vae_that_cannot_be_made_leaves_the_losses_and_steps_of_the_latents(
    grade: Grade, f24_sources: dict[str, str]
) -> None:
    text = with_solution(f24_sources["models.py"], "the encoder", "raise NotImplementedError")
    earned = {unit: points for unit, (points, _) in checked(grade(text)).items()}
    assert earned["models.LDDPM.forward"] == 1.5
    assert earned["models.LDDPM.recover_sample"] == 2
    assert earned["models.LDDPM.generate_sample"] == 0
    assert earned["models.UNet"] == 2


def test_the_released_stubs_get_nothing_and_say_why(grade: Grade, f24: Assignment) -> None:
    report = grade(release_files(f24)["models.py"])
    for unit in (unit for unit in report.units if unit.checks):
        said = "\n".join(check.message for check in unit.checks)
        assert unit.name == "models.VAE" or unit.earned == 0, unit.name
        assert "not implemented yet" in said or "does not work yet" in said or "cannot be made yet" in said, unit.name
