"""A report in the terminal: points by part, question and unit, with the messages under what did not pass.

Everything is printed as `rich.text.Text`, never as a string, so that nothing in a report is read as markup. The
meaning is in the words; colour only repeats it.
"""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.grading.report import (
    CheckResult,
    GenerationResult,
    PartResult,
    QuestionResult,
    Report,
    Status,
    UnitResult,
)
from autograder.report.generation import evaluation_lines, instructor_notes, summary_line, weakest_lines
from autograder.report.summary import (
    PARTLY,
    check_heading,
    check_message,
    headline,
    instructor_signs,
    layers_off,
    notices,
    points_text,
    shown_report,
    standing,
    standing_word,
    tally,
)
from autograder.report.words import Words, words_for

_MAX_WIDTH = 100
_STANDING_STYLE = {
    Status.PASSED.value: "green",
    PARTLY: "blue",
    Status.FAILED.value: "bold red",
    Status.SKIPPED.value: "yellow",
    Status.UNGRADABLE.value: "magenta",
}
_PERSON_STYLE = "cyan"
_MINOR_STYLE = "dim"


def print_report(report: Report, console: Console) -> None:
    """Print `report` on `console`, readable at 80 columns, without colour, and in any encoding."""
    shown = shown_report(report)
    words = words_for(shown.language)
    _Printer(console, words, shown, instructor_signs(report, words)).print()


class _Printer:
    def __init__(self, console: Console, words: Words, report: Report, signs: list[str]) -> None:
        self.console = console
        self.words = words
        self.report = report
        self.signs = signs
        self.width = min(console.width, _MAX_WIDTH)
        groups = [part.questions for part in report.parts] + [[question] for question in report.questions]
        counted = [tally(group)[:2] for group in groups] + [(unit.earned, unit.points) for unit in report.units]
        self.points_width = max((len(points_text(*points, words)) for points in counted), default=0)
        self.status_width = max(len(word) for word in (*words.status.values(), words.partly))

    def print(self) -> None:
        report, words = self.report, self.words
        self.line(report.title, style="bold")
        self.fact(words.submission, report.submission.name or words.no_name)
        for part in report.parts:
            self.part(part)
        for notice in notices(report, words):
            self.console.print()
            self.line(notice.title, style="bold yellow")
            for line in notice.lines:
                self.line(line, indent=2)
        self.run()
        self.for_instructor()
        self.console.print()
        self.line(headline(report, words), style="bold")

    def part(self, part: PartResult) -> None:
        counted = tally(part.questions)
        self.console.print()
        title = self.words.bonus_title.format(title=part.title) if part.bonus else part.title
        self.row(title, counted.earned, counted.auto, style="bold underline")
        for question in part.questions:
            self.question(question)

    def question(self, question: QuestionResult) -> None:
        self.row(f"{question.id}  {question.title}", question.earned, question.auto_points, indent=2, style="bold")
        for unit in question.units:
            self.row(unit.name, unit.earned, unit.points, indent=4, unit=unit)
            if not self.report.submission.refusal:
                self.explanation(unit)
        if question.manual_points:
            by_person = self.words.count(question.manual_points, self.words.by_person)
            self.line(by_person, indent=4, style=_PERSON_STYLE)

    def explanation(self, unit: UnitResult) -> None:
        """What the checks of `unit` have to say: those that lack points, and remarks and scores of the others."""
        for check in unit.checks:
            if standing(check) != Status.PASSED.value or check.message or check.generation:
                self.check(check, unit.points)
        if not unit.checks and unit.status in self.words.meaning:
            self.line(self.words.meaning[unit.status], indent=6)

    def check(self, check: CheckResult, points: float) -> None:
        words = self.words
        self.line(check_heading(check, points, words), indent=6, style=_STANDING_STYLE[standing(check)])
        message = check_message(check, words)
        if message:
            self.line(message, indent=8)
        if check.generation:
            self.generation(check.generation)
        for label, text in ((words.own_lines, check.traceback), (words.printed, check.printed)):
            if text:
                self.line(words.label.format(label=label, text="").rstrip(), indent=8, style=_MINOR_STYLE)
                self.line(text, indent=10)

    def generation(self, generation: GenerationResult) -> None:
        words = self.words
        self.line(summary_line(generation, words), indent=8, style=_MINOR_STYLE)
        for line in evaluation_lines(generation, words):
            self.line(line, indent=8)
        if generation.plan:
            self.line(generation.plan, indent=8)
        weakest = weakest_lines(generation, words)
        if weakest:
            self.line(words.label.format(label=words.weakest_classes, text="").rstrip(), indent=8, style=_MINOR_STYLE)
            for line in weakest:
                self.line(line, indent=10)

    def for_instructor(self) -> None:
        notes = instructor_notes(self.report, self.words)
        if not notes and not self.signs:
            return
        self.console.print()
        self.line(self.words.for_instructor, style="bold yellow")
        for note in notes:
            self.line(note, indent=2)
        if self.signs:
            self.line(self.words.signs, indent=2)
        for sign in self.signs:
            self.line(sign, indent=4)

    def run(self) -> None:
        """How it was graded, in small."""
        words, run = self.words, self.report.run
        off = layers_off(self.report)
        if off:
            self.console.print()
            self.line(words.layers_off, style="bold yellow")
            for layer, reason in off.items():
                self.fact(layer, reason, indent=2)
        self.console.print()
        if run.problem:
            self.fact(words.problem, run.problem)
        self.fact(words.seed, str(run.seed))
        self.fact(words.digest, self.report.submission.digest)
        self.fact(words.duration, words.seconds.format(n=words.number(run.seconds)))
        self.fact(words.machine, f"Python {run.python}, torch {run.torch}, {run.machine}")

    def row(
        self,
        name: str,
        earned: float,
        possible: float,
        *,
        indent: int = 0,
        style: str = "",
        unit: UnitResult | None = None,
    ) -> None:
        """A name with its points, and with how it stands where it is a unit's."""
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(ratio=1, overflow="fold")
        table.add_column(width=self.points_width, justify="right")
        table.add_column(width=self.status_width)
        table.add_row(
            Padding(self.text(name, style), (0, 0, 0, indent)),
            self.text(points_text(earned, possible, self.words) if possible else "", style),
            self.text(standing_word(unit, self.words), _STANDING_STYLE[standing(unit)]) if unit else "",
        )
        self.console.print(table, width=self.width)

    def fact(self, label: str, text: str, *, indent: int = 0) -> None:
        self.line(self.words.label.format(label=label, text=text), indent=indent, style=_MINOR_STYLE)

    def line(self, text: str, *, indent: int = 0, style: str = "") -> None:
        """A paragraph, wrapped behind its indentation."""
        self.console.print(Padding(self.text(text, style), (0, 0, 0, indent), expand=False), width=self.width)

    def text(self, text: str, style: str = "") -> Text:
        """`text` with what the console's encoding has no letter for replaced; rich breaks lines at any white space."""
        encoding = self.console.encoding
        text = text.replace("\u00a0", " ")
        return Text(text.encode(encoding, "replace").decode(encoding), style=style, overflow="fold")
