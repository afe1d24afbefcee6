import pytest

from autograder.grading.report import Status
from autograder.report.words import words_for


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (0, "0", "0"),
        (62.0, "62", "62"),
        (2.5, "2.5", "2,5"),
        (1 / 3, "0.33", "0,33"),
        (61.999999999, "62", "62"),
        (-1e-12, "0", "0"),
        (100, "100", "100"),
    ],
)
def test_numbers_have_no_more_decimals_than_they_need(value, english, french):
    assert words_for("en").number(value) == english
    assert words_for("fr").number(value) == french


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", 0, "0 points"),
        ("en", 0.5, "0.5 points"),
        ("en", 1, "1 point"),
        ("en", 2, "2 points"),
        ("fr", 0, "0 point"),
        ("fr", 1.5, "1,5 point"),
        ("fr", 2, "2 points"),
    ],
)
def test_the_plural_follows_the_language(language, value, text):
    words = words_for(language)
    assert words.count(value, words.points) == text


@pytest.mark.parametrize(
    ("fraction", "english", "french"),
    [(0.84, "84.0%", "84,0\u00a0%"), (1.0, "100.0%", "100,0\u00a0%"), (0.99949, "99.9%", "99,9\u00a0%")],
)
def test_percents_have_one_decimal(fraction, english, french):
    assert words_for("en").percent(fraction) == english
    assert words_for("fr").percent(fraction) == french


def test_an_interval_has_both_ends():
    assert words_for("en").interval(0.783, 0.8842) == "78.3% to 88.4%"
    assert words_for("fr").interval(0.783, 0.8842) == "78,3 à 88,4\u00a0%"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_status_has_its_own_word(language):
    words = words_for(language)
    assert len({words.partly, *(words.status[status] for status in Status)}) == len(Status) + 1


def test_an_unknown_language_is_shown_in_english():
    assert words_for("de").language == "en"
