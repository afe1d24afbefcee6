"""Scores of samples, bonus parts and partial credit on the page."""

import re

import pytest

from autograder.report.generation import picture_of
from autograder.report.page import render_page
from tests.report.test_page import FORBIDDEN, Page, parsed


def rows(page: Page) -> list[str]:
    return page.find("tr")


def test_bonus_stands_apart_in_the_total_and_is_named_in_the_headings(generation_report):
    page = parsed(generation_report)
    assert page.find("p", "figure") == ["55.8 / 84 + 22.99 / 30 bonus Auto-graded"]
    assert [heading for heading in page.find("h2") if "bonus" in heading] == ["Latent diffusion bonus"]
    assert "Latent diffusion bonus 22.99 / 30 –" in rows(page)


def test_bonus_has_its_own_piece_of_the_bar_and_hides_no_loss(generation_report):
    page = parsed(generation_report)
    bars = [attributes["class"] for tag, attributes, _ in page.elements if tag == "rect"]
    assert bars == ["earned", "lost", "unjudged", "manual", "bonus"]
    assert "28.2 not earned" in page.find("ul", "legend")[0]


def test_a_report_without_bonus_says_nothing_of_it(report):
    assert "bonus" not in parsed(report).text


def test_part_of_the_points_is_said_in_words_and_numbers(generation_report):
    page = parsed(generation_report)
    (item,) = [item for item in page.find("li", "check") if "82.5%" in item]
    assert item.startswith("◐ partly accuracy of the samples 28.8 / 32")
    assert len(page.find("li", "partly")) == 2


def test_every_evaluation_has_its_interval_and_the_best_is_marked(generation_report):
    found = rows(parsed(generation_report))
    assert "1 200 163 81.5% 75.5% to 86.3% 65.0%" in found
    assert "2 best 200 168 84.0% 78.3% to 88.4% 90.0%" in found
    assert "3 200 159 79.5% 73.4% to 84.5% 45.0%" in found


def test_a_single_evaluation_needs_no_mark(generation_report):
    assert "1 200 181 90.5% 85.6% to 93.8% 100.0%" in rows(parsed(generation_report))


def test_the_plan_and_every_class_are_told(generation_report):
    page = parsed(generation_report)
    assert any(text.startswith("120 instead of 200 samples") for text in page.find("p"))
    found = rows(page)
    for unit in generation_report.units:
        for check in unit.checks:
            for score in check.generation.classes if check.generation else []:
                share = f"{score.correct / score.samples:.1%}"
                taken_for = score.taken_for or "–"
                cells = (score.name, score.samples, score.correct, share, taken_for, f"{score.ceiling:.1%}")
                assert " ".join(map(str, cells)) in found


def test_the_picture_is_twice_its_size_and_described(generation_report):
    pictures = [attributes for tag, attributes, _ in parsed(generation_report).elements if tag == "img"]
    assert len(pictures) == 3
    assert (pictures[0]["width"], pictures[0]["height"]) == ("640", "640")
    assert pictures[0]["alt"].startswith(
        "Samples of DDPM from the best evaluation, one row for each class: T-shirt/top"
    )
    found = [picture["src"].partition("data:image/png;base64,") for picture in pictures]
    assert all(before == "" and picture_of(data) for before, _, data in found)


def test_the_rows_of_the_picture_are_named(generation_report):
    page = parsed(generation_report)
    assert page.find("ol", "rows")[0] == ("T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle boot")


def test_what_is_for_the_instructor_has_its_own_box_and_stands_nowhere_else(generation_report):
    page = parsed(generation_report)
    boxes = page.find("aside", "instructor")
    assert len(boxes) == 3
    assert all(box.startswith("For the instructor The second classifier") for box in boxes)
    assert "57.0% of the samples" in boxes[1]
    assert "Little diversity" in boxes[1]
    assert page.text.count("Little diversity") == 1


def test_without_evaluations_there_is_no_table_and_no_picture(generation_report):
    generation = generation_report.units[2].checks[0].generation
    generation.evaluations, generation.classes, generation.picture = [], [], ""
    generation_report.parts = generation_report.parts[:1]
    page = parsed(generation_report)
    assert "No samples of DDPM could be judged by the classifier." in page.find("p")
    assert page.find("table", "evaluations") == page.find("table", "classes") == page.find("aside") == []
    assert not [tag for tag, _, _ in page.elements if tag == "img"]


def test_french(generation_report):
    generation_report.language = "fr"
    page = parsed(generation_report)
    assert page.find("p", "figure") == ["55,8 / 84 + 22,99 / 30 en bonus Correction automatique"]
    assert "2 la meilleure 200 168 84,0 % 78,3 à 88,4 % 90,0 %" in rows(page)
    assert len(page.find("li", "partly")) == 2
    assert not re.search(r"partly|[Tt]he second classifier, which|For the instructor|Accuracy\b(?! of)", page.text)


@pytest.mark.threat(60)
def test_strangers_text_in_scores_is_shown_as_text(hostile_generation):
    html = render_page(hostile_generation)
    page = Page(html)
    assert not (FORBIDDEN | {"img"}) & {tag for tag, _, _ in page.elements}
    for _, attributes, _ in page.elements:
        assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>" in page.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert len(html) < 1_000_000
