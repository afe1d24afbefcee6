"""The DDPM of ift6135_h23 and ift6135_a22: mistakes are caught in their own unit, right variants get everything."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from autograder import checks
from autograder.assignment import Assignment, load_assignment
from autograder.checks.svhn.ddpm_schedule import Coefficients, right_coefficients, within_tolerance
from autograder.grading.engine import Engine
from autograder.grading.reference import load_reference
from autograder.grading.report import Report, Status
from autograder.intake import Submission
from autograder.intake.submission import digest_of
from autograder.release import release_files

from .planting import replaced, with_solution
from .svhn_ddpm_misconceptions import COEFFICIENTS, FUNCTIONS, GIVEN, UNUSABLE
from .svhn_ddpm_variants import END, VARIANTS

CHECKS = Path(checks.__path__[0])
MODULE = "ddpm_solution"
FILE = f"{MODULE}.py"
UNITS = (*COEFFICIENTS, *FUNCTIONS)
LAB = "from lab import data, ddpm_figures, epochs\nfrom lab.ddpm_unet import SmallUnet, Unet\n"
Grade = Callable[..., Report]


@pytest.fixture(scope="module")
def master(h23: Assignment) -> str:
    """The text of the master, without the networks of the training, whose import takes most of the time."""
    [file] = [file for file in h23.files if file.name == FILE]
    return replaced(h23.master(file).read_text("utf-8"), LAB, "")


@pytest.fixture(scope="module")
def grade(h23_engine: Engine, h23: Assignment) -> Grade:
    """Grade some units of a text."""
    others = {file.name: "" for file in h23.files}

    def run(text: str, only: tuple[str, ...] = UNITS, seed: int = 7) -> Report:
        files = {**others, FILE: text}
        made = Submission(name="work", digest=digest_of(files), sources=files, missing=[])
        report = h23_engine.grade(made, seed, only={f"{MODULE}.{name}" for name in only})
        assert report.run.problem == ""
        return report

    return run


def planted(text: str, edits: Mapping[str, str]) -> str:
    """The text with other solutions, other values of coefficients (`value: NAME`), or other lines."""
    for key, new in edits.items():
        kind, _, name = key.partition(": ")
        if kind == "block":
            text = with_solution(text, name, new)
        elif kind == "value":
            [line] = re.findall(rf"^{name} = .*\n", text, re.MULTILINE)
            text = replaced(text, line, f"{name} = {new}\n")
        else:
            text = replaced(text, key, new)
    ast.parse(text)
    return text


def lost(report: Report) -> dict[str, float]:
    """Units that were checked and lost points -> the points they lost."""
    return {
        unit.name.partition(".")[2]: unit.points - unit.earned
        for unit in report.units
        if unit.checks and unit.earned < unit.points
    }


def messages(report: Report, unit: str) -> list[str]:
    [found] = [other for other in report.units if other.name == f"{MODULE}.{unit}"]
    return [check.message for check in found.checks]


def assert_everything(report: Report) -> None:
    for unit in (unit for unit in report.units if unit.checks):
        for check in unit.checks:
            assert (check.status, check.message) == (Status.PASSED, ""), check
        assert unit.earned == unit.points


@pytest.mark.parametrize("seed", [0, 2024, 2**53 - 1])
def test_the_reference_gets_everything_and_is_told_nothing(grade: Grade, master: str, seed: int) -> None:
    report = grade(LAB + master if seed == 0 else master, seed=seed)
    assert {unit.name for unit in report.units if unit.checks} == {f"{MODULE}.{name}" for name in UNITS}
    assert_everything(report)


def test_the_coefficients_of_the_checks_are_those_of_the_reference(h23: Assignment) -> None:
    reference = load_reference(h23)
    right = right_coefficients(reference, 1000)
    for name in Coefficients._fields:
        assert within_tolerance(getattr(reference.ddpm, name).double(), getattr(right, name), name), name


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint", "value"),
    [(name, hint, value) for name, rows in COEFFICIENTS.items() for hint, value in rows],
)
def test_a_wrong_coefficient_costs_its_own_points_once(
    grade: Grade, master: str, name: str, hint: str, value: str
) -> None:
    text = planted(master, {f"value: {name}": value})
    if hint in UNUSABLE:  # the others are computed from the right one, which has another name
        [line] = re.findall(rf"^{name} = .*\n", master, re.MULTILINE)
        for later in COEFFICIENTS:
            text = re.sub(rf"^({later} = .*)\b{name}\b", rf"\1_{name}", text, flags=re.MULTILINE)
        text = text.replace(f"\n{name} = ", f"\n_{line}{name} = ", 1)
    others = [later for later in COEFFICIENTS if re.search(rf"^{later} = .*\b{name}\b", master, re.MULTILINE)]
    report = grade(text, (name, *others))
    assert set(lost(report)) == {name}, report.units
    assert any(hint in message for message in messages(report, name)), messages(report, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, rows[0][1]) for name, rows in COEFFICIENTS.items()]
    + [("betas", "torch.linspace(1e-4, 0.03, T)"), ("sqrt_one_minus_alphas_cumprod", "None")],
)
def test_a_wrong_coefficient_costs_nothing_elsewhere(grade: Grade, master: str, name: str, value: str) -> None:
    assert set(lost(grade(planted(master, {f"value: {name}": value})))) == {name}


@pytest.mark.parametrize(
    "variant", ["coefficients in a dictionary", "coefficients as buffers, and the globals besides"]
)
def test_functions_that_have_coefficients_of_their_own_are_right_if_they_follow(
    grade: Grade, master: str, variant: str
) -> None:
    edits = dict(VARIANTS[variant])
    for right, wrong in (
        ("linear_beta_schedule(beta_start, beta_end, T)", "torch.linspace(beta_start, 0.03, T)"),
        ("torch.linspace(beta_start, beta_end, T)", "torch.linspace(beta_start, 0.03, T)"),
    ):
        edits["block: coefficients"] = edits["block: coefficients"].replace(right, wrong)
    assert set(lost(grade(planted(master, edits)))) == {"betas"}


def test_a_function_with_the_mistake_of_a_coefficient_does_not_hide_behind_it(grade: Grade, master: str) -> None:
    wrong_noising = FUNCTIONS["q_sample"][0][1]
    text = planted(master, {"value: sqrt_alphas_cumprod": "alphas_cumprod", "block: q_sample": wrong_noising})
    assert set(lost(grade(text, ("sqrt_alphas_cumprod", "q_sample")))) == {"sqrt_alphas_cumprod", "q_sample"}


@pytest.mark.parametrize(
    ("name", "hint", "body"), [(name, hint, body) for name, rows in FUNCTIONS.items() for hint, body in rows]
)
def test_a_wrong_function_loses_points_and_is_told_why(
    grade: Grade, master: str, name: str, hint: str, body: str
) -> None:
    report = grade(planted(master, {f"block: {name}": body}), (name,))
    assert set(lost(report)) == {name}
    assert any(hint in message for message in messages(report, name)), messages(report, name)


@pytest.mark.parametrize(("name", "hint", "line", "new"), GIVEN)
def test_a_given_line_that_was_spoiled_costs_points(
    grade: Grade, master: str, name: str, hint: str, line: str, new: str
) -> None:
    report = grade(planted(master, {line: new}), (name,))
    assert set(lost(report)) == {name}
    assert any(hint in message for message in messages(report, name)), messages(report, name)


@pytest.mark.parametrize(("name", "row"), [("q_sample", 0), ("q_sample", 3), ("q_sample", 15), ("p_sample", 0)])
def test_a_wrong_function_costs_its_own_points_once(grade: Grade, master: str, name: str, row: int) -> None:
    assert set(lost(grade(planted(master, {f"block: {name}": FUNCTIONS[name][row][1]})))) == {name}


def test_a_wrong_step_costs_once_where_the_loop_calls_it(grade: Grade, master: str) -> None:
    text = planted(master, {"block: p_sample": "raise NotImplementedError"})
    assert set(lost(grade(text, ("p_sample", "p_sample_loop")))) == {"p_sample"}


def test_there_are_mistakes_for_every_unit() -> None:
    rows = {name: len(rows) for name, rows in (COEFFICIENTS | FUNCTIONS).items()}
    assert sum(rows.values()) >= 150
    assert min(rows.values()) >= 6


# --- right variants -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANTS)
def test_a_right_variant_gets_everything(grade: Grade, master: str, name: str) -> None:
    edits = {key: new for key, new in VARIANTS[name].items() if key != END}
    text = planted(master, edits) + VARIANTS[name].get(END, "")
    assert text != master
    blocks = {key.removeprefix("block: ") for key in VARIANTS[name]}
    assert_everything(grade(text, tuple(blocks) if blocks <= set(FUNCTIONS) else UNITS, seed=1))


# --- parts that are not there ---------------------------------------------------------------------------------------


def test_the_released_stub_gets_nothing_and_says_why(grade: Grade, h23: Assignment) -> None:
    report = grade(release_files(h23)[FILE])
    assert set(lost(report)) == set(UNITS)
    for name in UNITS:
        unit = next(unit for unit in report.units if unit.name == f"{MODULE}.{name}")
        assert unit.earned == 0
        assert all("not implemented yet" in message for message in messages(report, name))


def test_coefficients_that_are_not_there_are_named(grade: Grade, master: str) -> None:
    report = grade(planted(master, {"block: coefficients": "pass"}), (*COEFFICIENTS, "q_sample", "p_sample"))
    assert set(lost(report)) == set(COEFFICIENTS)
    assert all(f"there is no {name} at the level" in messages(report, name)[0] for name in COEFFICIENTS)


def test_both_assignments_have_these_checks() -> None:
    shared = {path.stem for path in CHECKS.glob("svhn/test_ddpm*.py")}
    assert len(shared) == 4
    for name in ("ift6135_h23/test_p2_ddpm.py", "ift6135_a22/test_q3_ddpm.py"):
        text = (CHECKS / name).read_text("utf-8")
        assert set(re.findall(r"^from autograder\.checks\.svhn\.(\w+) import \*", text, re.MULTILINE)) == shared
    names = {unit.name for unit in load_assignment("ift6135_a22").units if unit.file == "ddpm.py"}
    assert names == {f"ddpm.{name}" for name in UNITS}
