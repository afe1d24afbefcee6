"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. It is made for
the course staff: what is meant for the instructor is in it.

What a page may load is closed by a content security policy that names the hash of its own style sheet, so that text
of a submission could not do harm even if escaping failed.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.grading.report import Report, Status
from autograder.report.generation import (
    CLASS_WORDS,
    best_evaluation,
    class_rows,
    evaluation_rows,
    instructor_lines,
    picture_of,
    picture_text,
    summary_line,
)
from autograder.report.summary import (
    PARTLY,
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
from autograder.report.words import Words, words_for

_FOLDER = Path(__file__).resolve().parent
_BAR_WIDTH = 1000.0
_SYMBOLS = {
    Status.PASSED.value: "✓",
    PARTLY: "◐",
    Status.FAILED.value: "✕",
    Status.SKIPPED.value: "–",
    Status.UNGRADABLE.value: "?",
}
_GENERATION = {
    "best_evaluation": best_evaluation,
    "class_rows": class_rows,
    "class_words": CLASS_WORDS,
    "evaluation_rows": evaluation_rows,
    "instructor_lines": instructor_lines,
    "picture_of": picture_of,
    "picture_text": picture_text,
    "summary_line": summary_line,
}


class Segment(NamedTuple):
    """A piece of the bar that shows where all points of the assignment went; `start` and `width` are of 1000."""

    kind: str
    label: str
    points: float
    start: float
    width: float


def render_page(report: Report) -> str:
    """The page of `report`, complete, in the language of the report."""
    shown = shown_report(report)
    words = words_for(shown.language)
    style = (_FOLDER / "page.css").read_text("utf-8")
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=shown,
            words=words,
            headline=headline(shown, words),
            total=totals(shown),
            check_message=check_message,
            standing=standing,
            standing_word=standing_word,
            **_GENERATION,
            notices=notices(shown, words),
            signs=instructor_signs(report, words),
            segments=_segments(shown, words),
            tallies=[tally(part.questions) for part in shown.parts],
            layers_off=layers_off(shown),
            symbols=_SYMBOLS,
            style=Markup(style),
            style_hash=base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii"),
        )
    )


def _segments(report: Report, words: Words) -> list[Segment]:
    total = totals(report)
    pieces = [
        ("earned", words.earned, total.earned),
        ("lost", words.lost, total.lost),
        ("unjudged", words.unjudged, report.ungradable_points),
        ("manual", words.for_person, report.manual_points),
        ("bonus", words.bonus_earned, total.bonus_earned),
    ]
    whole = sum(points for _, _, points in pieces)
    segments = []
    start = 0.0
    for kind, label, points in pieces:
        if points > 0:
            width = _BAR_WIDTH * points / whole
            segments.append(Segment(kind, label, points, start, width))
            start += width
    return segments


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
