"""The model of a result: sums, and JSON that comes back as it was."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from autograder.assignment import Assignment
from autograder.grading.engine import build_report
from autograder.grading.report import (
    SCHEMA_VERSION,
    CheckResult,
    PartResult,
    QuestionResult,
    Report,
    RubricItem,
    RunInfo,
    Status,
    SubmissionInfo,
    UnitResult,
)
from autograder.intake import Submission

RUN = RunInfo(
    seed=2**53 - 1, started="2025-04-01T12:00:00+00:00", seconds=1.5, python="3.11.7", torch="2.12.0", machine="Linux"
)


def check(name: str, status: Status, share: float = 1.0) -> CheckResult:
    return CheckResult(name=name, title=f"title of {name}", status=status, share=share)


def unit(name: str, points: float, *checks: CheckResult) -> UnitResult:
    earned = points * sum(item.share for item in checks if item.status is Status.PASSED)
    return UnitResult(
        name=name, file="q1.py", points=points, earned=earned, status=checks[0].status, checks=list(checks)
    )


@pytest.fixture
def report() -> Report:
    auto = QuestionResult(
        id="1.1",
        title="auto",
        kind="auto",
        points=6,
        units=[
            unit("a", 4, check("a1", Status.PASSED, 0.75), check("a2", Status.UNGRADABLE, 0.25)),
            unit("b", 2, check("b1", Status.FAILED)),
        ],
    )
    training = QuestionResult(
        id="1.2",
        title="training",
        kind="training",
        points=8,
        units=[unit("c", 3, check("c1", Status.PASSED))],
        rubric=[RubricItem(points=3, text="a curve"), RubricItem(points=2, text="a number")],
    )
    written = QuestionResult(
        id="2.1", title="why", kind="written", points=5, rubric=[RubricItem(points=5, text="a reason")]
    )
    return Report(
        assignment="small",
        title="Small",
        submission=SubmissionInfo(name="work.zip", digest="ab" * 32, files=["q1.py"], notes=["un été 😀"]),
        parts=[
            PartResult(id="1", title="one", points=14, questions=[auto, training]),
            PartResult(id="2", title="two", points=5, questions=[written]),
        ],
        run=RUN,
    )


def test_points_add_up(report: Report) -> None:
    auto, training, written = report.questions
    assert (auto.earned, auto.auto_points, auto.manual_points) == (3, 6, 0)
    assert (training.earned, training.auto_points, training.manual_points) == (3, 3, 5)
    assert (written.earned, written.auto_points, written.manual_points) == (0, 0, 5)
    assert (report.earned, report.auto_points, report.manual_points) == (6, 9, 10)


def test_ungradable_points_are_those_of_single_checks(report: Report) -> None:
    assert report.ungradable_points == 4 * 0.25


@pytest.mark.parametrize(
    ("status", "credit", "earned"),
    [
        (Status.PASSED, None, 0.5),
        (Status.FAILED, None, 0.0),
        (Status.FAILED, 0.9, 0.45),
        (Status.PASSED, 0.9, 0.45),
        (Status.SKIPPED, None, 0.0),
    ],
)
def test_a_check_earns_all_nothing_or_its_credit(status: Status, credit: float | None, earned: float) -> None:
    assert check("a", status, 0.5).model_copy(update={"credit": credit}).earned_share == pytest.approx(earned)


def test_points_of_bonus_parts_are_on_top(report: Report) -> None:
    report.parts[0].bonus = True
    extra = QuestionResult(id="3", title="", kind="auto", points=2, units=[unit("d", 2, check("d1", Status.PASSED))])
    report.parts.append(PartResult(id="3", title="three", points=2, questions=[extra]))
    assert (report.auto_points, report.bonus_points, report.earned) == (2, 9, 6 + 2)
    assert PartResult(id="4", title="four", points=0, questions=[]).bonus is False


def test_units_and_questions_keep_the_order_of_the_handout(report: Report) -> None:
    assert [question.id for question in report.questions] == ["1.1", "1.2", "2.1"]
    assert [item.name for item in report.units] == ["a", "b", "c"]


def test_json_comes_back_as_it_was(report: Report) -> None:
    report.units[0].checks[0].message = 'Expected: "1"\n\ttab \u2028 \x00 </script> end'
    again = Report.model_validate_json(report.model_dump_json())
    assert again == report
    assert again.units[0].checks[0].status is Status.PASSED
    assert again.run.seed == 2**53 - 1


def test_text_that_has_no_utf8_comes_back_through_json_too(report: Report) -> None:
    r"""`getattr(torch, "\ud800")` in a submission puts half a character into a message."""
    report.units[0].checks[0].message = "no attribute '\ud800'"
    assert Report.model_validate(json.loads(json.dumps(report.model_dump(mode="json")))) == report


def test_json_is_plain_and_versioned(report: Report) -> None:
    data = json.loads(report.model_dump_json())
    assert data["schema_version"] == SCHEMA_VERSION
    assert data["parts"][0]["questions"][0]["units"][0]["checks"][0]["status"] == "passed"
    assert "earned" not in data  # sums are not stored beside what they are the sums of


def test_unknown_fields_and_statuses_are_refused(report: Report) -> None:
    data = json.loads(report.model_dump_json())
    with pytest.raises(ValidationError, match="grade"):
        Report.model_validate({**data, "grade": "A"})
    data["parts"][0]["questions"][0]["units"][0]["status"] = "excellent"
    with pytest.raises(ValidationError, match="status"):
        Report.model_validate(data)


# --- from results to a report ---------------------------------------------------------------------------------------


def built(assignment: Assignment, *results: tuple[str, CheckResult]) -> Report:
    return build_report(assignment, Submission("work", "0" * 64), list(results), RUN)


def test_every_question_of_the_manifest_is_in_a_report(h25: Assignment) -> None:
    report = built(h25)
    assert [question.id for question in report.questions] == [question.id for question in h25.questions]
    assert [item.name for item in report.units] == [item.name for item in h25.units]
    assert report.auto_points + report.manual_points == h25.points
    assert [len(question.rubric) for question in report.questions] == [len(q.rubric) for q in h25.questions]


def test_a_unit_without_results_is_ungradable_and_earns_nothing(h25: Assignment) -> None:
    report = built(h25)
    assert {item.status for item in report.units} == {Status.UNGRADABLE}
    assert report.earned == 0


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([Status.PASSED, Status.PASSED], Status.PASSED),
        ([Status.PASSED, Status.SKIPPED], Status.SKIPPED),
        ([Status.SKIPPED, Status.UNGRADABLE], Status.UNGRADABLE),
        ([Status.UNGRADABLE, Status.FAILED], Status.FAILED),
        ([Status.PASSED, Status.FAILED, Status.SKIPPED], Status.FAILED),
    ],
)
def test_a_unit_has_the_worst_status_of_its_checks(h25: Assignment, statuses: list[Status], worst: Status) -> None:
    name = "q1_vae.log_mean_exp"
    results = [(name, check(f"c{number}", status, 1 / len(statuses))) for number, status in enumerate(statuses)]
    report = built(h25, *results)
    [item] = [item for item in report.units if item.name == name]
    assert item.status is worst
    assert item.earned == pytest.approx(8 * statuses.count(Status.PASSED) / len(statuses), abs=1e-6)


def test_credit_is_a_part_of_the_points_of_a_unit(h25: Assignment) -> None:
    name = "q1_vae.log_mean_exp"
    half = check("a", Status.FAILED, 0.5).model_copy(update={"credit": 0.9})
    report = built(h25, (name, half), (name, check("b", Status.PASSED, 0.5)))
    assert report.earned == pytest.approx(8 * 0.95)
    [item] = [item for item in report.units if item.name == name]
    assert item.status is Status.FAILED


def test_a_unit_never_earns_more_than_its_points(h25: Assignment) -> None:
    name = "q1_vae.log_mean_exp"
    report = built(h25, (name, check("a", Status.PASSED, 0.7)), (name, check("b", Status.PASSED, 0.7)))
    assert report.earned == 8
