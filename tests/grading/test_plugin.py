"""What becomes of a check: points, the four outcomes, who is blamed, what is shown."""

from __future__ import annotations

import pytest

from autograder.assignment import Limits
from autograder.grading.plugin import ChecksError
from autograder.grading.report import Status

from .conftest import CHECKS, HEADER, SHOP, TILL, Course, check_of, unit_of

MEAN_AND_CHANGE = """
@points("shop.mean")
def test_mean(student, reference):
    expect(student.shop.mean(torch.ones(5))).close_to(1.0)


@points("till.change")
def test_change(student):
    expect(student.till.change(torch.ones(3), torch.ones(3))).close_to(torch.zeros(3))
"""
WRONG_TOTAL = SHOP.replace("return prices.sum()", "return prices.sum() + 1")


def shop(total: str, imports: str = "") -> dict[str, str | None]:
    """A submission whose `total` has another body."""
    return {"shop.py": imports + SHOP.replace("return prices.sum()", total)}


# --- points ---------------------------------------------------------------------------------------------------------


def test_points_come_from_the_manifest(course: Course) -> None:
    report = course.grade()
    assert [(unit.name, unit.points, unit.earned) for unit in report.units] == [
        ("shop.total", 2, 2),
        ("shop.mean", 3, 3),
        ("till.change", 4, 4),
    ]
    assert report.earned == report.auto_points == 9
    assert {unit.status for unit in report.units} == {Status.PASSED}
    assert all(check.message == "" for unit in report.units for check in unit.checks)


SHARES = """
@points("shop.total", 0.5)
def test_given(student):
    expect(student.shop.total(torch.ones(2))).close_to(2.0)


@points("shop.total")
def test_rest_one(student):
    expect(student.shop.total(torch.zeros(2))).close_to(0.0)


@points("shop.total")
def test_rest_two(student):
    expect(student.shop.total(-torch.ones(2))).close_to(-2.0)
"""


def test_checks_share_what_is_not_given(course: Course) -> None:
    report = course.grade(SHARES + MEAN_AND_CHANGE, shop("return prices.abs().sum()"))
    total = unit_of(report, "shop.total")
    assert {check.name: check.share for check in total.checks} == {"given": 0.5, "rest_one": 0.25, "rest_two": 0.25}
    assert [check.status for check in total.checks] == [Status.PASSED, Status.PASSED, Status.FAILED]
    assert total.earned == 2 * 0.75
    assert total.status is Status.FAILED


def test_thirds_add_up_to_the_whole(course: Course) -> None:
    report = course.grade(SHARES.replace(", 0.5", "") + MEAN_AND_CHANGE)
    assert unit_of(report, "shop.total").earned == 2.0


def test_checks_run_in_the_order_of_the_manifest(course: Course) -> None:
    seen: list[str] = []
    reverse = "".join(reversed(CHECKS.strip().split("\n\n\n"))).replace("@points", "\n\n\n@points")
    course.grade(reverse, on_result=lambda result: seen.append(result.name))
    assert seen == ["total", "mean", "change"]


@pytest.mark.parametrize(
    ("checks", "complaint"),
    [
        (CHECKS + '@points("shop.refund")\ndef test_refund():\n    pass\n', "no unit 'shop.refund'"),
        (CHECKS.replace('@points("shop.total")\n', ""), "test_total has no @points"),
        (MEAN_AND_CHANGE, "no check for shop.total"),
        (CHECKS.replace('@points("shop.mean")', '@points("shop.mean", 0.8)'), "checks of shop.mean give 0.8"),
        (SHARES.replace("0.5", "1.25") + MEAN_AND_CHANGE, "checks of shop.total give 1.25"),
    ],
)
def test_checks_that_do_not_fit_the_manifest_are_an_error(course: Course, checks: str, complaint: str) -> None:
    with pytest.raises(ChecksError, match=complaint):
        course.grade(checks)


def test_two_checks_of_one_name_are_an_error(course: Course) -> None:
    again = '@points("shop.total")\ndef test_total():\n    pass\n'
    with pytest.raises(ChecksError, match="test_total: two checks have this name"):
        course.grade({"test_one.py": HEADER + CHECKS, "test_two.py": HEADER + again})


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("import no_such_package\n", "no_such_package"),
        ("def test_total(:\n", "SyntaxError"),
        ("raise RuntimeError('half written')\n", "half written"),
    ],
)
def test_a_file_of_checks_that_does_not_import_is_an_error_that_says_why(
    course: Course, broken: str, complaint: str
) -> None:
    with pytest.raises(ChecksError, match=complaint):
        course.grade({"test_one.py": HEADER + MEAN_AND_CHANGE, "test_two.py": broken})


# --- the four outcomes ----------------------------------------------------------------------------------------------


def test_a_wrong_value_fails_with_its_message(course: Course) -> None:
    report = course.grade(changes={"shop.py": WRONG_TOTAL})
    total = check_of(report, "total")
    assert total.status is Status.FAILED
    assert "Expected: the right values for the result." in total.message
    assert unit_of(report, "shop.total").earned == 0
    assert unit_of(report, "till.change").earned == 4


def test_an_exception_of_the_submission_fails_with_its_own_lines(course: Course) -> None:
    total = check_of(course.grade(changes=shop("return prices.total()")), "total")
    assert total.status is Status.FAILED
    assert total.message == "Got: your code raised AttributeError: 'Tensor' object has no attribute 'total'."
    assert total.traceback == "shop.py, line 6, in total\n    return prices.total()"


def test_a_traceback_has_the_submissions_lines_only(course: Course) -> None:
    trace = check_of(course.grade(changes=shop("return torch.ones(2) + torch.ones(3)")), "total").traceback
    assert [line for line in trace.splitlines() if "line" in line] == ["shop.py, line 6, in total"]
    assert "autograder" not in trace
    assert "site-packages" not in trace


@pytest.mark.threat(16)
def test_the_text_of_a_raise_in_the_submission_is_not_shown(course: Course) -> None:
    changes = shop('raise ValueError(f"the secret is {prices.tolist()}")')
    total = check_of(course.grade(changes=changes), "total")
    assert total.message == "Got: your code raised ValueError."
    assert "secret is {" in total.traceback  # the line as it is written


NEEDS = CHECKS.replace('@points("shop.mean")', '@points("shop.mean")\n@needs("shop.total")')


def test_a_check_is_skipped_where_what_it_needs_has_failed(course: Course) -> None:
    report = course.grade(NEEDS, {"shop.py": WRONG_TOTAL})
    mean = check_of(report, "mean")
    assert mean.status is Status.SKIPPED
    assert mean.message == "this needs shop.total, which is not right yet."
    assert unit_of(report, "shop.mean").earned == 0
    assert unit_of(report, "shop.mean").status is Status.SKIPPED


def test_a_check_runs_where_what_it_needs_has_passed(course: Course) -> None:
    assert course.grade(NEEDS).earned == 9


def test_what_is_skipped_is_not_what_others_need(course: Course) -> None:
    chain = NEEDS.replace('@points("till.change")', '@points("till.change")\n@needs("shop.mean")')
    report = course.grade(chain, {"shop.py": WRONG_TOTAL})
    assert [unit.status for unit in report.units] == [Status.FAILED, Status.SKIPPED, Status.SKIPPED]


def test_a_need_that_comes_later_is_the_graders_problem(course: Course) -> None:
    report = course.grade(CHECKS.replace('@points("shop.total")', '@points("shop.total")\n@needs("shop.mean")'))
    assert check_of(report, "total").status is Status.UNGRADABLE
    assert "test_total needs shop.mean, which has no check before it" in report.run.problem


def test_a_check_can_skip_itself(course: Course) -> None:
    checks = CHECKS.replace("    prices = draw.uniform(1, 2, 5)\n", '    pytest.skip("not this time.")\n', 1)
    total = check_of(course.grade(checks), "total")
    assert total.status is Status.SKIPPED
    assert total.message == "not this time."


def test_a_bug_in_a_check_is_ungradable_and_told_to_the_instructor_only(course: Course) -> None:
    report = course.grade(CHECKS.replace("prices = draw.uniform(1, 2, 5)", 'prices = {}["price"]', 1))
    total = check_of(report, "total")
    assert total.status is Status.UNGRADABLE
    assert total.message == "This check is broken; your instructor can see why."
    assert total.traceback == ""
    assert "test_total" in report.run.problem
    assert "KeyError: 'price'" in report.run.problem
    assert report.ungradable_points == 2
    assert report.earned == 7


def test_an_unknown_fixture_is_ungradable(course: Course) -> None:
    report = course.grade(CHECKS.replace("def test_total(student,", "def test_total(studnet,"))
    assert check_of(report, "total").status is Status.UNGRADABLE
    assert "studnet" in report.run.problem


def test_a_unit_with_failed_and_ungradable_checks_has_failed(course: Course) -> None:
    checks = SHARES.replace("torch.zeros(2)", "undefined") + MEAN_AND_CHANGE
    report = course.grade(checks, {"shop.py": WRONG_TOTAL})
    total = unit_of(report, "shop.total")
    assert [check.status for check in total.checks] == [Status.FAILED, Status.UNGRADABLE, Status.FAILED]
    assert total.status is Status.FAILED
    assert report.ungradable_points == pytest.approx(2 * 0.25)


# --- one cause, one failure -----------------------------------------------------------------------------------------


@pytest.mark.threat(56)
def test_an_import_error_fails_once_and_skips_the_rest_of_the_file(course: Course) -> None:
    report = course.grade(SHARES + MEAN_AND_CHANGE, {"shop.py": "import no_such_package\n" + SHOP})
    checks = [*unit_of(report, "shop.total").checks, *unit_of(report, "shop.mean").checks]
    assert [check.status for check in checks] == [Status.FAILED] + 3 * [Status.SKIPPED]
    assert checks[0].message.startswith("shop.py cannot be imported.\nGot: your code raised ModuleNotFoundError")
    assert "requirements.txt" in checks[0].message
    assert checks[0].traceback == "shop.py, line 1, in <module>\n    import no_such_package"
    assert {check.message for check in checks[1:]} == {"shop.py cannot be imported; see the message of given."}
    assert unit_of(report, "till.change").earned == 4


@pytest.mark.threat(56)
def test_a_syntax_error_shows_its_line(course: Course) -> None:
    total = check_of(course.grade(changes={"shop.py": "def total(prices):\n    return (prices\n"}), "total")
    assert total.message.startswith("shop.py cannot be imported.\nGot: your code raised SyntaxError")
    assert "shop.py, line 2" in total.traceback


def test_a_missing_file_skips_its_checks(course: Course) -> None:
    report = course.grade(changes={"shop.py": None})
    assert [unit.status for unit in report.units] == [Status.SKIPPED, Status.SKIPPED, Status.PASSED]
    assert check_of(report, "total").message == "shop.py is not in the submission."
    assert report.earned == 4
    assert report.submission.missing == ["shop.py"]


def test_another_unit_of_the_file_in_which_the_error_arose_is_blamed(course: Course) -> None:
    report = course.grade(changes=shop("raise KeyError"))
    assert check_of(report, "total").status is Status.FAILED
    mean = check_of(report, "mean")
    assert mean.status is Status.SKIPPED
    assert mean.message.startswith("This needs total, which does not work yet.\nGot: your code raised KeyError")
    assert "in mean" in mean.traceback


def test_an_unfilled_unit_fails_once_and_skips_its_other_checks(course: Course) -> None:
    report = course.grade(SHARES + MEAN_AND_CHANGE, shop('raise NotImplementedError("1.1")'))
    first, *others = unit_of(report, "shop.total").checks
    assert first.status is Status.FAILED
    assert first.message == "Got: total is not implemented yet (it raises NotImplementedError)."
    assert {(check.status, check.message) for check in others} == {(Status.SKIPPED, "not implemented yet.")}
    mean = check_of(report, "mean")
    assert mean.status is Status.SKIPPED
    assert "total is not implemented yet" in mean.message


def test_the_same_error_in_another_check_is_told_once(course: Course) -> None:
    added = "def added(prices):\n    return prices.totals()\n"
    report = course.grade(SHARES + MEAN_AND_CHANGE, shop("return added(prices)", added))
    first, *others = [*unit_of(report, "shop.total").checks, *unit_of(report, "shop.mean").checks]
    assert first.status is Status.FAILED
    assert first.message == "Got: your code raised AttributeError: 'Tensor' object has no attribute 'totals'."
    assert {check.status for check in others} == {Status.SKIPPED}
    assert others[0].message.startswith("This is the same error as in the check 'given'.\nGot: your code raised Attr")
    assert unit_of(report, "shop.total").status is Status.FAILED


def test_different_errors_are_told_each(course: Course) -> None:
    report = course.grade(CHECKS, {"shop.py": "", "till.py": "def change(paid, price):\n    return 1 / 0\n"})
    checks = [check for unit in report.units for check in unit.checks]
    assert [check.status for check in checks] == 3 * [Status.FAILED]
    assert "has no attribute 'total'" in checks[0].message
    assert "has no attribute 'mean'" in checks[1].message
    assert "ZeroDivisionError" in checks[2].message


@pytest.mark.threat(57)
def test_an_argument_changed_in_place_fails(course: Course) -> None:
    total = check_of(course.grade(changes=shop("prices += 1\n    return prices.sum() - 5")), "total")
    assert total.status is Status.FAILED
    assert "the values of prices were changed in place" in total.message


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.threat(21)
def test_a_call_that_does_not_end_fails_alone(course: Course) -> None:
    changes = shop("while True: pass")
    report = course.grade(CHECKS, changes, limits=Limits(call_seconds=0.5))
    assert "did not finish within 0.5 seconds" in check_of(report, "total").message
    assert check_of(report, "total").status is Status.FAILED
    assert unit_of(report, "till.change").earned == 4


@pytest.mark.threat(27)
def test_a_budget_that_is_used_up_makes_the_rest_ungradable(course: Course) -> None:
    changes = shop("import time; time.sleep(30)")
    report = course.grade(CHECKS, changes, limits=Limits(budget_seconds=1.5, call_seconds=20))
    assert report.run.seconds < 10
    for check in (check for unit in report.units for check in unit.checks):
        assert check.status is Status.UNGRADABLE
        assert check.message == "Not run: the time for the whole submission was used up."
    assert report.ungradable_points == 9
    assert report.earned == 0
    assert report.run.problem == ""


# --- what is shown --------------------------------------------------------------------------------------------------

PRINTING = {
    "shop.py": SHOP.replace("return prices.sum()", "print('prices:', prices.numel(), end=' ')\n    return prices.sum()")
}


@pytest.mark.threat(16)
def test_a_public_check_shows_what_was_printed_and_a_hidden_one_does_not(course: Course) -> None:
    report = course.grade(CHECKS.replace("@points", "@public\n@points", 1), PRINTING)
    total, mean = check_of(report, "total"), check_of(report, "mean")
    assert (total.public, total.printed) == (True, "prices: 5 ")
    assert (mean.public, mean.printed) == (False, "")


def test_a_public_check_shows_what_was_printed_before_an_error(course: Course) -> None:
    changes = shop("print('so far'); raise KeyError")
    total = check_of(course.grade(CHECKS.replace("@points", "@public\n@points", 1), changes), "total")
    assert total.status is Status.FAILED
    assert total.printed == "so far\n"


def test_of_a_progress_bar_its_last_state_is_shown(course: Course) -> None:
    printing = r"print('\r 1/2\r 2/2\na'); print('\r 1/2\r    \r', end='')"
    total = check_of(
        course.grade(CHECKS.replace("@points", "@public\n@points", 1), shop(f"{printing}; raise KeyError")), "total"
    )
    assert total.printed == " 2/2\na\n"


def test_a_public_check_that_never_started_shows_nothing(course: Course) -> None:
    checks = CHECKS.replace("@points", "@public\n@points", 1)
    assert check_of(course.grade(checks, {"shop.py": None}), "total").printed == ""


REMARKING = CHECKS.replace(
    "def test_total(student, reference, draw):\n",
    'def test_total(student, reference, draw, remark):\n    remark("slow.")\n',
)


def test_a_remark_costs_nothing(course: Course) -> None:
    report = course.grade(REMARKING)
    assert check_of(report, "total").message == "slow."
    assert report.earned == 9


def test_a_remark_stands_below_a_failure(course: Course) -> None:
    message = check_of(course.grade(REMARKING, {"shop.py": WRONG_TOTAL}), "total").message
    assert message.startswith("Expected: ")
    assert message.endswith("\nslow.")


def test_a_title_is_the_first_line_of_the_docstring_or_the_name(course: Course) -> None:
    checks = CHECKS.replace("draw):\n", 'draw):\n    """The sum of all prices\n\n    and more"""\n', 1)
    report = course.grade(checks)
    assert check_of(report, "total").title == "The sum of all prices"
    assert check_of(report, "mean").title == "mean"


def test_only_the_named_units_are_checked(course: Course) -> None:
    report = course.grade(NEEDS, {"shop.py": WRONG_TOTAL}, only={"shop.mean"})
    assert [len(unit.checks) for unit in report.units] == [0, 1, 0]
    assert check_of(report, "mean").status is Status.FAILED  # what it needs was not asked for


def test_needs_hold_among_the_named_units(course: Course) -> None:
    report = course.grade(NEEDS, {"shop.py": WRONG_TOTAL}, only={"shop.mean", "shop.total"})
    assert check_of(report, "mean").status is Status.SKIPPED


# --- fresh and repeatable -------------------------------------------------------------------------------------------

ECHO = {
    "shop.py": SHOP.replace(
        "return prices.sum()", "print(prices.tolist(), torch.rand(2).tolist())\n    return prices.sum()"
    ),
}
PUBLIC = CHECKS.replace("@points", "@public\n@points")


@pytest.mark.threat(17)
def test_a_seed_repeats_inputs_and_the_childs_random_numbers(course: Course) -> None:
    engine = course.engine(PUBLIC)
    reports = [engine.grade(course.submission(ECHO), seed) for seed in (1, 1, 2)]
    printed = [check_of(report, "total").printed for report in reports]
    assert printed[0] == printed[1] != printed[2]
    for report in reports:
        report.run.seconds, report.run.started = 0, ""
        for check in (check for unit in report.units for check in unit.checks):
            check.seconds = 0
    assert reports[0] == reports[1]


def test_two_checks_of_a_run_have_different_inputs(course: Course) -> None:
    report = course.grade(PUBLIC, ECHO)
    assert check_of(report, "total").printed != check_of(report, "mean").printed


@pytest.mark.threat(49)
def test_a_file_that_seeds_at_import_does_not_fix_the_random_numbers(course: Course) -> None:
    changes = {"shop.py": ECHO["shop.py"].replace("import torch\n", "import torch\n\ntorch.manual_seed(42)\n")}
    engine = course.engine(PUBLIC)
    printed = [check_of(engine.grade(course.submission(changes), seed), "total").printed for seed in (1, 2)]
    assert printed[0].partition("] ")[2] != printed[1].partition("] ")[2]


@pytest.mark.threat(58)
def test_no_check_meets_what_another_one_left(course: Course) -> None:
    counting = (
        SHOP.replace("return prices.sum()", "SEEN.append(1)\n    return prices.sum() + len(SEEN) - 1") + "\nSEEN = []\n"
    )
    assert course.grade(changes={"shop.py": counting}).earned == 9


def test_a_submission_cannot_reach_the_support_of_another_run(course: Course) -> None:
    engine = course.engine()
    assert engine.grade(course.submission({"till.py": "raise KeyError\n" + TILL}), 1).earned == 5
    assert engine.grade(course.submission(), 1).earned == 9
