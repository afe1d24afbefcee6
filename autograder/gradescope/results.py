"""A report as the dictionary that Gradescope reads from `results.json`.

Every text that stems from a submission, in part or in whole, is in the `text` format: it is never read as HTML,
Markdown or ANSI. HTML is only the table of parts at the top, which is made of the manifest's titles and of numbers.
The site knows only passed and failed, so a unit that was skipped, could not be judged or earned a part says so in its
name.

Bonus: the contract has no extra credit, and no maximum of the whole. It does say that the `score` at the top level
overrides the sum of the tests, so that is where the total stands, bonus included; it may exceed the points that the
assignment has on the site, which are to be set without the bonus. A test of a bonus part keeps its own `max_score`
("20 / 24" tells a student more than "20 / 0"), and is marked as bonus in its name and its tags.

Students read these results: what a report holds for the instructor, and its pictures, are never in them. Where the
manifest holds back what the checks found, the table says only what waits for a person.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

from markupsafe import Markup

from autograder.assignment import Gradescope
from autograder.gradescope.entries import PLAIN, Remark, entry, with_remarks
from autograder.grading.report import CheckResult, PartResult, QuestionResult, Report, Status, UnitResult
from autograder.language import _, speaking
from autograder.report.generation import best_evaluation, student_text
from autograder.report.plain_text import cut_middle
from autograder.report.summary import (
    PARTLY,
    check_heading,
    check_message,
    headline,
    notices,
    points_text,
    shown_report,
    standing,
    standing_word,
    tally,
)
from autograder.report.words import Words, words_for

OUTPUT_CHARS = 20_000  # the site itself cuts at 100,000
_SCHEMA = Path(__file__).resolve().parent / "results.schema.json"
_DECIMALS = 4
_INDENT = "    "
_FORMATS = {"output_format": "html", "test_output_format": "text", "test_name_format": "text"}


def gradescope_results(
    report: Report, settings: Gradescope | None = None, remarks: Sequence[Remark] = ()
) -> dict[str, Any]:
    """What `results.json` holds for `report`: the points of the checks, and in words what waits for a person.

    Args:
        report: of the submission.
        settings: of the manifest; default: students see everything at once, and there is no leaderboard.
        remarks: sentences on the upload that come from its metadata.
    """
    shown = shown_report(report)
    words = words_for(shown.language)
    settings = settings or Gradescope()
    units = [{**unit, "visibility": settings.visibility} for unit in _unit_entries(shown, words)]
    results: dict[str, Any] = {
        "score": _points(shown.earned),
        "execution_time": _points(shown.run.seconds),
        "output": str(_overview(shown, words, settings)),
        **_FORMATS,
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [*_notice_entries(shown, words), *units],
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
    if settings.leaderboard:
        results["leaderboard"] = _leaderboard(shown)
    return with_remarks(results, remarks)


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


def _overview(report: Report, words: Words, settings: Gradescope) -> Markup:
    """The parts with their points, and what a person marks; markupsafe escapes all that is filled in."""
    held_back = settings.visibility != "visible"
    with speaking(words.language):
        later = {
            "after_due_date": _("What the checks found is shown after the due date."),
            "after_published": _("What the checks found is shown when the grades are published."),
        }
    rows = []
    for part in report.parts:
        points = tally(part.questions)
        earned = "–" if held_back else points_text(points.earned, points.auto, words)
        title = words.bonus_title.format(title=part.title) if part.bonus else part.title
        rows.append((f"{part.id} {title}", earned if points.auto else "", words.number(points.manual)))
    by_person = [
        words.label.format(
            label=f"{question.id} {question.title}", text=words.count(question.manual_points, words.by_person)
        )
        for question in report.questions
        if question.manual_points
    ]
    newline = Markup("\n")
    head = Markup("<tr><th>{}</th> <th>{}</th> <th>{}</th></tr>")
    row = Markup("<tr><td>{}</td> <td>{}</td> <td>{}</td></tr>")
    lines = [
        Markup("<p>{}</p>").format(later[settings.visibility] if held_back else headline(report, words)),
        Markup("<table>"),
        head.format(words.part, words.auto_points, words.manual_points),
        *(row.format(*cells) for cells in rows),
        Markup("</table>"),
    ]
    if by_person:
        items = [Markup("<li>{}</li>").format(line) for line in by_person]
        lines += [Markup("<ul>"), *items, Markup("</ul>")]
    return newline.join(lines)


def _leaderboard(report: Report) -> list[dict[str, Any]]:
    """The best accuracy of each model, in percent; a model that could not be judged is not listed."""
    listed = []
    for unit in report.units:
        for check in unit.checks:
            best = best_evaluation(check.generation) if check.generation else None
            if check.generation and best is not None:
                accuracy = round(100 * check.generation.evaluations[best].accuracy, 1)
                listed.append({"name": f"{check.generation.model} (%)", "value": accuracy, "order": "desc"})
    return listed


def _notice_entries(report: Report, words: Words) -> list[dict[str, Any]]:
    """Entries without points; only what costs points is marked as failed."""
    return [
        entry(
            f"0.{position}",
            Remark(notice.kind, notice.title, _output(notice.lines)),
            failed=notice.kind in ("refusal", "missing"),
        )
        for position, notice in enumerate(notices(report, words), start=1)
    ]


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
        **PLAIN,
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
