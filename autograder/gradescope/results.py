"""A report as the dictionary that Gradescope reads from `results.json`.

Every text is in the `text` format: what stems from a submission is never read as HTML, Markdown or ANSI. The site
knows only passed and failed, so a unit that was skipped, could not be judged or earned a part says so in its name.

Bonus: the contract has no extra credit, and no maximum of the whole. It does say that the `score` at the top level
overrides the sum of the tests, so that is where the total stands, bonus included; it may exceed the points that the
assignment has on the site, which are to be set without the bonus. A test of a bonus part keeps its own `max_score`
("20 / 24" tells a student more than "20 / 0"), and is marked as bonus in its name and its tags.

Students read these results: what a report holds for the instructor, and its pictures, are never in them.
"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import indent
from typing import Any

from autograder.grading.report import CheckResult, PartResult, QuestionResult, Report, Status, UnitResult
from autograder.report.generation import student_text
from autograder.report.plain_text import cut_middle
from autograder.report.summary import (
    PARTLY,
    check_heading,
    check_message,
    headline,
    notices,
    shown_report,
    standing,
    standing_word,
)
from autograder.report.words import Words, words_for

OUTPUT_CHARS = 20_000  # the site itself cuts at 100,000
_SCHEMA = Path(__file__).resolve().parent / "results.schema.json"
_DECIMALS = 4
_INDENT = "    "
_TEXT_FORMATS = {"output_format": "text", "test_output_format": "text", "test_name_format": "text"}


def gradescope_results(report: Report) -> dict[str, Any]:
    """What `results.json` holds for `report`: the points of the checks, and in words what waits for a person."""
    shown = shown_report(report)
    words = words_for(shown.language)
    return {
        "score": _points(shown.earned),
        "execution_time": _points(shown.run.seconds),
        "output": _output(_overview(shown, words)),
        **_TEXT_FORMATS,
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [*_notice_entries(shown, words), *_unit_entries(shown, words)],
        "extra_data": {
            "schema_version": shown.schema_version,
            "assignment": shown.assignment,
            "seed": shown.run.seed,
            "digest": shown.submission.digest,
            "auto_points": _points(shown.auto_points),
            "bonus_points": _points(shown.bonus_points),
            "manual_points": _points(shown.manual_points),
            "ungradable_points": _points(shown.ungradable_points),
            "checks": {check.name: check.status.value for unit in shown.units for check in unit.checks},
        },
    }


def validate_results(results: dict[str, Any]) -> None:
    """Check `results` against the contract in `results.schema.json`; needs the `dev` extra.

    Raises:
        ValueError: the contract is broken; the message names the first place.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text("utf-8")))
    error = next(validator.iter_errors(results), None)
    if error is not None:
        raise ValueError(f"results.json breaks the Gradescope contract at {error.json_path}: {error.message[:300]}")


def _overview(report: Report, words: Words) -> list[str]:
    lines = [headline(report, words)]
    for question in report.questions:
        if question.manual_points:
            by_person = words.count(question.manual_points, words.by_person)
            lines.append(words.label.format(label=f"{question.id} {question.title}", text=by_person))
    return lines


def _notice_entries(report: Report, words: Words) -> list[dict[str, Any]]:
    """Entries without points; only what costs points is marked as failed."""
    entries = []
    for position, notice in enumerate(notices(report, words), start=1):
        entry: dict[str, Any] = {
            "number": f"0.{position}",
            "name": notice.title,
            "output": _output(notice.lines),
            "tags": [notice.kind],
            "visibility": "visible",
            "name_format": "text",
            "output_format": "text",
        }
        if notice.kind in ("refusal", "missing"):
            entry["status"] = "failed"
        entries.append(entry)
    return entries


def _unit_entries(report: Report, words: Words) -> list[dict[str, Any]]:
    return [
        _unit_entry(part, question, position, unit, words)
        for part in report.parts
        for question in part.questions
        for position, unit in enumerate(question.units, start=1)
    ]


def _unit_entry(
    part: PartResult, question: QuestionResult, position: int, unit: UnitResult, words: Words
) -> dict[str, Any]:
    meaning = words.meaning.get(unit.status)
    name = words.bonus_title.format(title=unit.name) if part.bonus else unit.name
    return {
        "number": f"{question.id}.{position}",
        "name": f"{name} ({standing_word(unit, words)})" if meaning or standing(unit) == PARTLY else name,
        "score": _points(unit.earned),
        "max_score": _points(unit.points),
        "status": "passed" if unit.status is Status.PASSED else "failed",
        "output": _output(
            [
                *([meaning, ""] if meaning else []),
                *(_check_text(check, unit, words) for check in unit.checks),
            ]
        ),
        "tags": [part.id, question.id, unit.status.value, *(["bonus"] if part.bonus else [])],
        "visibility": "visible",
        "name_format": "text",
        "output_format": "text",
    }


def _check_text(check: CheckResult, unit: UnitResult, words: Words) -> str:
    """What a check says; what its status means is left out if the unit has said it already."""
    message = check.message if check.status is unit.status else check_message(check, words)
    blocks = [check_heading(check, unit.points, words), indent(message, _INDENT)]
    if check.generation:
        blocks.append(indent(student_text(check.generation, words), _INDENT))
    for label, text in ((words.own_lines, check.traceback), (words.printed, check.printed)):
        if text:
            blocks.append(_INDENT + words.label.format(label=label, text="").rstrip())
            blocks.append(indent(text, _INDENT * 2))
    return "\n".join(block for block in blocks if block)


def _output(lines: list[str]) -> str:
    return cut_middle("\n".join(lines).strip("\n"), OUTPUT_CHARS)


def _points(value: float) -> float:
    return round(float(value), _DECIMALS)
