import pytest

from autograder.grading.report import Status
from autograder.report.summary import (
    PARTLY,
    check_heading,
    check_message,
    headline,
    instructor_signs,
    layers_off,
    notices,
    shown_report,
    standing,
    standing_word,
    tally,
    totals,
)
from autograder.report.words import words_for

ENGLISH = words_for("en")


def test_headline_counts_what_is_earned_not_judged_and_waiting(report):
    assert headline(report, ENGLISH) == (
        "auto-graded 62 / 87; 5 points could not be judged; 81 points wait for a person"
    )


def test_headline_leaves_out_what_there_is_none_of(report):
    report.parts = report.parts[:1]
    for question in report.questions:
        question.rubric = []
    assert headline(report, ENGLISH) == "auto-graded 23 / 32"


def test_bonus_stands_apart_in_the_headline(generation_report):
    assert headline(generation_report, ENGLISH) == (
        "auto-graded 55.8 / 84 + 22.99 / 30 bonus; 3 points could not be judged; 4 points wait for a person"
    )
    assert headline(generation_report, words_for("fr")).startswith(
        "correction automatique\u00a0: 55,8 / 84 + 22,99 / 30 en bonus\u00a0; 3 points"
    )


def test_bonus_makes_up_for_nothing_that_was_lost(generation_report):
    total = totals(generation_report)
    assert total == pytest.approx((55.8, 84, 28.2, 22.992, 30))
    assert total.earned + total.bonus_earned == pytest.approx(generation_report.earned)


def test_points_that_could_not_be_judged_are_not_lost(report):
    total = totals(report)
    assert (total.earned, total.possible, total.lost) == (62, 87, 87 - 62 - 5)
    assert (total.bonus_earned, total.bonus_possible) == (0, 0)


@pytest.mark.parametrize(
    ("status", "credit", "shown"),
    [
        (Status.FAILED, 0.9, PARTLY),
        (Status.PASSED, 0.9, PARTLY),
        (Status.FAILED, 0.0, "failed"),
        (Status.FAILED, None, "failed"),
        (Status.PASSED, 1.0, "passed"),
        (Status.PASSED, None, "passed"),
        (Status.UNGRADABLE, 0.5, "ungradable"),
    ],
)
def test_a_check_stands_partly_between_nothing_and_all(generation_report, status, credit, shown):
    check = generation_report.parts[0].questions[2].units[0].checks[0]
    check.status, check.credit = status, credit
    assert standing(check) == shown
    assert standing_word(check, ENGLISH) == shown


def test_a_unit_stands_partly_if_nothing_in_it_failed_altogether(generation_report):
    unit = generation_report.parts[0].questions[2].units[0]
    assert (unit.status, standing(unit)) == (Status.FAILED, PARTLY)
    unit.checks.append(unit.checks[0].model_copy(update={"credit": None, "status": Status.PASSED}))
    assert standing(unit) == PARTLY
    unit.checks.append(unit.checks[0].model_copy(update={"credit": None}))
    assert standing(unit) == "failed"
    unit.checks = []
    assert standing(unit) == "failed"


def test_the_heading_of_a_check_has_points_where_they_are_a_part(generation_report):
    partly = generation_report.parts[0].questions[2].units[0].checks[0]
    assert check_heading(partly, 32, ENGLISH) == "partly: accuracy of the samples (28.8 / 32)"
    assert check_heading(partly, 32, words_for("fr")) == "partiel\u00a0: accuracy of the samples (28,8 / 32)"
    partly.credit = None
    assert check_heading(partly, 32, ENGLISH) == "failed: accuracy of the samples"


def test_tally_of_a_part(report):
    assert tally(report.parts[2].questions) == (20, 30, 25)


def test_a_refusal_comes_first_and_keeps_its_lines(report):
    report.submission.refusal = "The archive is damaged.\nMake it again and hand it in once more."
    first = notices(report, ENGLISH)[0]
    assert first.kind == "refusal"
    assert first.lines == ["The archive is damaged.", "Make it again and hand it in once more."]


def test_a_problem_of_the_grader_is_told_without_its_internals(report):
    report.run.problem = "KeyError: 'secret' in the checks"
    told = {notice.kind: " ".join(notice.lines) for notice in notices(report, ENGLISH)}
    assert "not in the submission" in told["problem"]
    assert "KeyError" not in told["problem"]


def test_no_notice_without_a_reason(report):
    report.submission.notes = report.submission.missing = []
    assert notices(report, ENGLISH) == []


@pytest.mark.threat(60)
def test_a_flood_of_notes_is_counted_not_listed(report):
    report.submission.notes = [f"entry {i} was left out" for i in range(2000)]
    (notes,) = [notice for notice in notices(report, ENGLISH) if notice.kind == "notes"]
    assert notes.lines[0] == "entry 0 was left out"
    assert notes.lines[-1] == f"and {2000 - (len(notes.lines) - 1)} more"
    assert len(notes.lines) < 50


def test_layers_that_are_off_are_named_with_the_reason(report):
    assert layers_off(report) == {"Landlock": "this kernel (5.10) has none"}


@pytest.mark.threat(16)
def test_what_hidden_checks_printed_is_not_shown(report):
    for unit in report.units:
        for check in unit.checks:
            check.printed = "a hidden input"
    shown = [check for unit in shown_report(report).units for check in unit.checks]
    assert {check.printed for check in shown if not check.public} == {""}
    assert {check.printed for check in shown if check.public} == {"a hidden input"}


def test_showing_leaves_the_report_as_it_is(report):
    report.submission.name = "a\x00b"
    before = report.model_copy(deep=True)
    shown_report(report)
    assert report == before


def test_showing_changes_no_number_and_no_status(report, generation_report):
    report.submission.signs = []  # no view of a report takes them from there
    assert shown_report(report) == report
    assert shown_report(generation_report) == generation_report


@pytest.mark.threat(60)
def test_signs_are_left_out_of_what_is_shown_and_plain_for_the_instructor(report):
    assert shown_report(report).submission.signs == []
    report.submission.signs = ["q1.py:1: a\x1b[2Jb"] * 500
    signs = instructor_signs(report, ENGLISH)
    assert signs[0] == "q1.py:1: ab"
    assert signs[-1] == f"and {500 - (len(signs) - 1)} more"
    assert len(signs) < 50


def test_what_is_no_picture_is_not_shown(generation_report):
    generation = generation_report.parts[0].questions[2].units[0].checks[0].generation
    assert shown_report(generation_report).units[2].checks[0].generation.picture == generation.picture != ""
    generation.picture = '"><script>alert(1)</script>'
    assert shown_report(generation_report).units[2].checks[0].generation.picture == ""


def test_a_check_that_says_nothing_is_explained_by_its_status(report):
    check = report.units[0].checks[0]
    assert check_message(check, ENGLISH) == ""
    check.status = Status.UNGRADABLE
    assert "neither earned nor lost" in check_message(check, ENGLISH)
    check.message = "out of time"
    assert check_message(check, ENGLISH) == "out of time"
