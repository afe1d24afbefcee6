from autograder.grading.report import Status
from autograder.report.summary import check_message, headline, layers_off, notices, shown_report, tally
from autograder.report.words import words_for

ENGLISH = words_for("en")


def test_headline_counts_what_is_earned_not_judged_and_waiting(report):
    assert headline(report, ENGLISH) == (
        "auto-graded 62 of 87; 5 points could not be judged; 81 points wait for a person"
    )


def test_headline_leaves_out_what_there_is_none_of(report):
    report.parts = report.parts[:1]
    for question in report.questions:
        question.rubric = []
    assert headline(report, ENGLISH) == "auto-graded 23 of 32"


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


def test_a_flood_of_notes_is_counted_not_listed(report):
    report.submission.notes = [f"entry {i} was left out" for i in range(2000)]
    (notes,) = [notice for notice in notices(report, ENGLISH) if notice.kind == "notes"]
    assert notes.lines[0] == "entry 0 was left out"
    assert notes.lines[-1] == f"and {2000 - (len(notes.lines) - 1)} more"
    assert len(notes.lines) < 50


def test_layers_that_are_off_are_named_with_the_reason(report):
    assert layers_off(report) == {"Landlock": "this kernel (5.10) has none"}


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


def test_showing_changes_no_number_and_no_status(report):
    assert shown_report(report) == report


def test_a_check_that_says_nothing_is_explained_by_its_status(report):
    check = report.units[0].checks[0]
    assert check_message(check, ENGLISH) == ""
    check.status = Status.UNGRADABLE
    assert "neither earned nor lost" in check_message(check, ENGLISH)
    check.message = "out of time"
    assert check_message(check, ENGLISH) == "out of time"
