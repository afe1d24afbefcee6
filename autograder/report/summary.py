"""What all views of a report say: the report as it may be shown, its headline, its tallies and its notices."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Literal, NamedTuple

from autograder.grading.report import CheckResult, QuestionResult, Report, Status, UnitResult
from autograder.report.generation import picture_of
from autograder.report.plain_text import clean_line, clean_text
from autograder.report.words import Words

PARTLY = "partly"
"""How a result is shown that earned some of its points and not all; no `Status`."""

_SEVERAL_LINES = {"message", "traceback", "printed", "refusal", "problem"}
_NOTICE_LINES = 30
LAYER_ON = "on"


class Tally(NamedTuple):
    """Points of some questions."""

    earned: float
    auto: float
    manual: float


class Totals(NamedTuple):
    """Points of the whole report, those of bonus parts apart. `lost` are neither earned nor left unjudged."""

    earned: float
    possible: float
    lost: float
    bonus_earned: float
    bonus_possible: float


class Notice(NamedTuple):
    """Something that a reader must know besides the points; `lines` are plain text."""

    kind: Literal["problem", "refusal", "missing", "notes"]
    title: str
    lines: list[str]


def shown_report(report: Report) -> Report:
    """A copy in which every text is plain and of bounded length, without what hidden checks printed.

    The signs in the sources are not in it either: students may be shown all that is known of a submission here.
    """
    shown = Report.model_validate(_cleaned(report.model_dump(), field=""))
    shown.submission.signs = []
    for unit in shown.units:
        for check in unit.checks:
            if not check.public:
                check.printed = ""
    return shown


def tally(questions: Iterable[QuestionResult]) -> Tally:
    """Points of `questions`, added up."""
    listed = list(questions)
    return Tally(
        earned=sum(question.earned for question in listed),
        auto=sum(question.auto_points for question in listed),
        manual=sum(question.manual_points for question in listed),
    )


def totals(report: Report) -> Totals:
    """Points of `report`, added up."""
    base = report.model_copy(update={"parts": [part for part in report.parts if not part.bonus]})
    return Totals(
        earned=base.earned,
        possible=base.auto_points,
        lost=max(base.auto_points - base.earned - base.ungradable_points, 0.0),
        bonus_earned=report.earned - base.earned,
        bonus_possible=report.bonus_points,
    )


def points_text(earned: float, possible: float, words: Words) -> str:
    """Points out of points, such as "30.7 / 32"."""
    return f"{words.number(earned)} / {words.number(possible)}"


def headline(report: Report, words: Words) -> str:
    """The result in one line, such as "auto-graded 92.4 / 100 + 24 / 30 bonus; 5 points wait for a person"."""
    total = totals(report)
    points = points_text(total.earned, total.possible, words)
    if total.bonus_possible:
        bonus = points_text(total.bonus_earned, total.bonus_possible, words)
        points = words.with_bonus.format(points=points, bonus=bonus)
    parts = [words.auto_graded.format(points=points)]
    if report.ungradable_points:
        parts.append(words.count(report.ungradable_points, words.not_judged))
    if report.manual_points:
        parts.append(words.count(report.manual_points, words.waiting))
    return words.semicolon.join(parts)


def notices(report: Report, words: Words) -> list[Notice]:
    """What a reader must know besides the points, most important first."""
    submission = report.submission
    found = [
        Notice("refusal", words.refusal, submission.refusal.split("\n") if submission.refusal else []),
        Notice("problem", words.problem, [words.problem_text] if report.run.problem else []),
        Notice("missing", words.missing, _first(submission.missing, words)),
        Notice("notes", words.notes, _first(submission.notes, words)),
    ]
    return [notice for notice in found if notice.lines]


def instructor_signs(report: Report, words: Words) -> list[str]:
    """The signs in the sources, plain; from the report itself, since `shown_report` leaves them out."""
    return [clean_line(sign) for sign in _first(report.submission.signs, words)]


def check_message(check: CheckResult, words: Words) -> str:
    """What the check says, or what its status means where it says nothing; empty for a check that passed."""
    return check.message or words.meaning.get(check.status, "")


def standing(result: CheckResult | UnitResult) -> str:
    """How `result` is shown: `partly`, or the value of its status.

    A check is shown as `partly` if it earned some of its points and not all; a unit, if that is all that its checks
    lack.
    """
    if isinstance(result, CheckResult):
        judged = result.status in (Status.PASSED, Status.FAILED)
        return PARTLY if judged and 0 < (result.credit or 0) < 1 else result.status.value
    standings = {standing(check) for check in result.checks}
    return PARTLY if PARTLY in standings and standings <= {PARTLY, Status.PASSED.value} else result.status.value


def standing_word(result: CheckResult | UnitResult, words: Words) -> str:
    """The word for the `standing` of `result`."""
    return words.partly if standing(result) == PARTLY else words.status[result.status]


def check_heading(check: CheckResult, points: float, words: Words) -> str:
    """How a check stands and what it is, such as "partly: accuracy (30.7 / 32)", in a unit that is worth `points`."""
    title = check.title
    if standing(check) == PARTLY:
        title = f"{title} ({points_text(points * check.earned_share, points * check.share, words)})"
    return words.label.format(label=standing_word(check, words), text=title)


def layers_off(report: Report) -> dict[str, str]:
    """The layers of the jail that did not hold, and why."""
    return {layer: state for layer, state in report.run.layers.items() if state != LAYER_ON}


def _first(lines: list[str], words: Words) -> list[str]:
    left = len(lines) - _NOTICE_LINES
    return [*lines[:_NOTICE_LINES], words.count(left, words.more)] if left > 0 else lines


def _cleaned(value: Any, field: str) -> Any:
    if isinstance(value, Enum) or not isinstance(value, (str, list, dict)):
        return value
    if isinstance(value, str):
        if field == "picture":
            return value if picture_of(value) else ""
        return clean_text(value) if field in _SEVERAL_LINES else clean_line(value)
    if isinstance(value, list):
        return [_cleaned(item, field) for item in value]
    return {_cleaned(key, field): _cleaned(item, key) for key, item in value.items()}
