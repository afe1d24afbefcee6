"""What the views of a report say about samples of a trained model: written here once, laid out by each view.

An accuracy never stands without the number of samples and the Wilson interval. What is meant for the instructor is
apart (`instructor_lines`), so that a view for students cannot take it along with the rest.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

from autograder.grading.report import ClassScore, GenerationResult, Report
from autograder.report.words import Words

NO_VALUE = "–"
CLASS_WORDS = (0, 4)
"""The columns of `class_rows` that hold words; the others hold numbers."""
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"  # the signature, and the header that every PNG has first
_PICTURE_CHARS = 4_000_000
_PICTURE_SIDE = 8_192
_WEAKEST = 2
_GAP = "  "


class Picture(NamedTuple):
    """A PNG in base64; `width` and `height` in pixels."""

    data: str
    width: int
    height: int


def picture_of(encoded: str) -> Picture | None:
    """The picture in `encoded`; None unless that is base64 without a stray character, and of a PNG of sane size."""
    if not 0 < len(encoded) <= _PICTURE_CHARS:
        return None
    try:
        content = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    if not content.startswith(_PNG_START):
        return None
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    sane = 0 < width <= _PICTURE_SIDE and 0 < height <= _PICTURE_SIDE
    return Picture(encoded, width, height) if sane else None


def picture_text(generation: GenerationResult, words: Words) -> str:
    """What the picture shows, for those who do not see it."""
    text = words.picture.format(model=generation.model)
    classes = ", ".join(score.name for score in generation.classes)
    return words.label.format(label=text, text=classes) if classes else text


def best_evaluation(generation: GenerationResult) -> int | None:
    """Index of the evaluation that counts, the first of the highest accuracy; None if there is no evaluation."""
    accuracies = [evaluation.accuracy for evaluation in generation.evaluations]
    return accuracies.index(max(accuracies)) if accuracies else None


def summary_line(generation: GenerationResult, words: Words) -> str:
    """What was judged, in one line."""
    sentence = words.generation if generation.evaluations else words.no_evaluation
    return sentence.format(model=generation.model)


def evaluation_rows(generation: GenerationResult, words: Words) -> list[tuple[str, ...]]:
    """The cells of each evaluation under `words.evaluation_columns`."""
    return [
        (
            str(number),
            str(evaluation.samples),
            str(evaluation.correct),
            words.percent(evaluation.accuracy),
            words.interval(evaluation.low, evaluation.high),
            words.percent(evaluation.score),
        )
        for number, evaluation in enumerate(generation.evaluations, start=1)
    ]


def evaluation_lines(generation: GenerationResult, words: Words) -> list[str]:
    """One line for each evaluation; the best one is marked, if there is another."""
    lines = [
        words.evaluation.format(samples=samples, correct=correct, accuracy=accuracy, interval=interval, score=score)
        for _, samples, correct, accuracy, interval, score in evaluation_rows(generation, words)
    ]
    best = best_evaluation(generation)
    if best is not None and len(lines) > 1:
        lines[best] = words.best_evaluation.format(evaluation=lines[best])
    return lines


def class_rows(generation: GenerationResult, words: Words) -> list[tuple[str, ...]]:
    """The cells of each class under `words.class_columns`."""
    return [
        (
            score.name,
            str(score.samples),
            str(score.correct),
            words.percent(_share(score)) if score.samples else NO_VALUE,
            score.taken_for or NO_VALUE,
            words.percent(score.ceiling),
        )
        for score in generation.classes
    ]


def weakest_lines(generation: GenerationResult, words: Words) -> list[str]:
    """The two classes of which the smallest share was right, one line each; none of which all was right."""
    faulty = [score for score in generation.classes if score.correct < score.samples]
    lines = []
    for score in sorted(faulty, key=_share)[:_WEAKEST]:
        line = words.weakest.format(
            name=score.name,
            correct=score.correct,
            samples=score.samples,
            share=words.percent(_share(score)),
            ceiling=words.percent(score.ceiling),
        )
        lines.append(words.taken_for.format(line=line, other=score.taken_for) if score.taken_for else line)
    return lines


def student_text(generation: GenerationResult, words: Words) -> str:
    """All that a student is told, as plain text: the evaluations, the plan, and the classes in aligned columns."""
    blocks = [summary_line(generation, words), *evaluation_lines(generation, words)]
    if generation.plan:
        blocks.append(generation.plan)
    if generation.classes:
        blocks += ["", words.class_caption, *_class_table(generation, words)]
    return "\n".join(blocks)


def instructor_lines(generation: GenerationResult, words: Words) -> list[str]:
    """What only an instructor may read: the second classifier's accuracy, and what calls for a look."""
    best = best_evaluation(generation)
    if best is None:
        return list(generation.for_instructor)
    second = words.second_opinion.format(
        second=words.percent(generation.second_opinion), first=words.percent(generation.evaluations[best].accuracy)
    )
    return [second, *generation.for_instructor]


def instructor_notes(report: Report, words: Words) -> list[str]:
    """The `instructor_lines` of all checks of `report`, each with the name of its model."""
    return [
        words.label.format(label=check.generation.model, text=line)
        for unit in report.units
        for check in unit.checks
        if check.generation
        for line in instructor_lines(check.generation, words)
    ]


def _share(score: ClassScore) -> float:
    return score.correct / score.samples


def _class_table(generation: GenerationResult, words: Words) -> list[str]:
    """The classes in columns of equal width: words to the left, numbers to the right."""
    rows = [words.class_columns, *class_rows(generation, words)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(
            cell.ljust(width) if position in CLASS_WORDS else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
