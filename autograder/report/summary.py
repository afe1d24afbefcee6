"""What all views of a report say: the report as it may be shown, its headline, its tallies and its notices."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Literal, NamedTuple

from autograder.grading.report import CheckResult, QuestionResult, Report
from autograder.report.plain_text import clean_line, clean_text
from autograder.report.words import Words

_SEVERAL_LINES = {"message", "traceback", "printed", "refusal", "problem"}
_NOTICE_LINES = 30
LAYER_ON = "on"


class Tally(NamedTuple):
    """Points of some questions."""

    earned: float
    auto: float
    manual: float


class Notice(NamedTuple):
    """Something that a reader must know besides the points; `lines` are plain text."""

    kind: Literal["problem", "refusal", "missing", "notes"]
    title: str
    lines: list[str]


def shown_report(report: Report) -> Report:
    """A copy in which every text is plain and of bounded length, without what hidden checks printed."""
    shown = Report.model_validate(_cleaned(report.model_dump(), field=""))
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


def headline(report: Report, words: Words) -> str:
    """The result in one line, such as "auto-graded 62 of 87; 81 points wait for a person"."""
    parts = [words.auto_graded.format(earned=words.number(report.earned), possible=words.number(report.auto_points))]
    if report.ungradable_points:
        parts.append(words.count(report.ungradable_points, words.not_judged))
    if report.manual_points:
        parts.append(words.count(report.manual_points, words.waiting))
    return "; ".join(parts)


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


def check_message(check: CheckResult, words: Words) -> str:
    """What the check says, or what its status means where it says nothing; empty for a check that passed."""
    return check.message or words.meaning.get(check.status, "")


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
        return clean_text(value) if field in _SEVERAL_LINES else clean_line(value)
    if isinstance(value, list):
        return [_cleaned(item, field) for item in value]
    return {_cleaned(key, field): _cleaned(item, key) for key, item in value.items()}
