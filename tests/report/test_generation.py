import base64

import pytest

from autograder.grading.report import ClassScore, Evaluation, GenerationResult
from autograder.report.generation import (
    best_evaluation,
    class_rows,
    evaluation_lines,
    instructor_lines,
    instructor_notes,
    picture_of,
    student_text,
    summary_line,
    weakest_lines,
)
from autograder.report.words import words_for

ENGLISH = words_for("en")
START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def header(width: int, height: int) -> bytes:
    return START + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"


@pytest.fixture
def ddpm(generation_report) -> GenerationResult:
    return generation_report.units[2].checks[0].generation


def test_a_picture_is_known_by_its_header():
    data = encoded(header(320, 64))
    assert picture_of(data) == (data, 320, 64)


def test_the_picture_of_the_sample_is_one(ddpm):
    assert picture_of(ddpm.picture)[1:] == (320, 320)


@pytest.mark.threat(60)
@pytest.mark.parametrize(
    "data",
    [
        "",
        "not base64!",
        "é",
        encoded(b"GIF89a" + bytes(40)),
        encoded(b"<svg onload=alert(1)>"),
        encoded(START),
        encoded(header(0, 64)),
        encoded(header(64, 2**31)),
        encoded(header(64, 64))[:-1],
        encoded(header(64, 64)) + "\n",
        encoded(header(64, 64)) + '"><script>',
        encoded(header(64, 64) + bytes(6_000_000)),
    ],
)
def test_anything_else_is_no_picture(data):
    assert picture_of(data) is None


def test_the_highest_accuracy_counts_and_the_first_of_equals(ddpm):
    assert best_evaluation(ddpm) == 1
    ddpm.evaluations.append(ddpm.evaluations[1].model_copy())
    assert best_evaluation(ddpm) == 1
    ddpm.evaluations = []
    assert best_evaluation(ddpm) is None


def test_of_two_full_scores_the_more_accurate_is_marked(ddpm):
    full = [Evaluation(samples=100, correct=n, accuracy=n / 100, low=0, high=1, score=1, seconds=1) for n in (90, 95)]
    ddpm.evaluations = full
    assert [line.startswith("best, ") for line in evaluation_lines(ddpm, ENGLISH)] == [False, True]


def test_no_accuracy_without_its_interval(ddpm):
    lines = evaluation_lines(ddpm, ENGLISH)
    assert lines[0] == "163 of 200: 81.5% (95% interval 75.5% to 86.3%), score 65.0%"
    assert lines[1] == "best, 168 of 200: 84.0% (95% interval 78.3% to 88.4%), score 90.0%"
    assert len(lines) == 3


def test_the_weakest_classes_are_the_two_of_the_smallest_share(ddpm):
    assert weakest_lines(ddpm, ENGLISH) == [
        "Shirt: 29 of 60, 48.3% (real images: 80.1%), most often taken for T-shirt/top",
        "Ankle boot: 43 of 60, 71.7% (real images: 97.1%), most often taken for Sneaker",
    ]


def test_a_class_of_which_all_was_right_or_nothing_drawn_is_not_weak(ddpm):
    ddpm.classes = [
        ClassScore(name="Bag", samples=5, correct=5, ceiling=0.9),
        ClassScore(name="Coat", samples=0, correct=0, ceiling=0.9),
        ClassScore(name="Dress", samples=5, correct=4, ceiling=0.9),
    ]
    assert weakest_lines(ddpm, ENGLISH) == ["Dress: 4 of 5, 80.0% (real images: 90.0%)"]
    assert class_rows(ddpm, ENGLISH)[1] == ("Coat", "0", "0", "–", "–", "90.0%")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_columns_of_the_plain_table_are_aligned(ddpm, language):
    words = words_for(language)
    table = student_text(ddpm, words).split("\n")[-11:]
    assert table[0].split("  ")[0] == words.class_columns[0]
    assert len({len(line) for line in table}) == 1  # the last column is aligned to the right
    start = table[0].index(words.class_columns[4])
    assert [line[start:].split("  ")[0] for line in table[1:]] == [score.taken_for for score in ddpm.classes]


def test_students_are_told_the_plan_and_nothing_that_is_for_the_instructor(ddpm):
    ddpm.plan = "120 instead of 200 samples."
    ddpm.for_instructor = ["Look at the picture."]
    text = student_text(ddpm, ENGLISH)
    assert "120 instead of 200 samples." in text
    assert not set(text.split("\n")) & set(instructor_lines(ddpm, ENGLISH))
    assert "82.5" not in text
    assert "Look" not in text


def test_the_instructor_is_told_both_classifiers(ddpm):
    ddpm.for_instructor = ["Look at the picture."]
    assert instructor_lines(ddpm, ENGLISH) == [
        "The second classifier, which changes no mark, recognises 82.5% of the samples of the best evaluation; "
        "the first one, 84.0%.",
        "Look at the picture.",
    ]


def test_notes_of_all_models_are_collected(generation_report, report):
    notes = instructor_notes(generation_report, ENGLISH)
    assert [note.partition(":")[0] for note in notes] == ["DDPM", "VAE", "VAE", "VAE", "LDDPM", "LDDPM"]
    assert instructor_notes(report, ENGLISH) == []


def test_nothing_judged_is_said(ddpm):
    ddpm.evaluations, ddpm.classes = [], []
    assert summary_line(ddpm, ENGLISH) == "No samples of DDPM could be judged by the classifier."
    assert student_text(ddpm, ENGLISH) == summary_line(ddpm, ENGLISH)
    assert instructor_lines(ddpm, ENGLISH) == []
