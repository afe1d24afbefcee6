import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.intake.display import listed, shown


@pytest.mark.threat(59, 60)
@pytest.mark.parametrize(
    "text",
    [
        "a\x1b[31mred",
        "a\u202eyp.exe",
        "a\nb",
        "a\r\tb",
        "a\x00",
        "a\x9b31m",
        "a\u2028b",
        "a\u200bb",
        "a\u2066b",
        "a\udc80",
    ],
)
def test_characters_that_act_on_a_display_are_replaced(text):
    assert shown(text).isprintable()
    assert shown(text).startswith("a\N{REPLACEMENT CHARACTER}")


def test_plain_names_stay_as_they_are():
    assert shown("Devoir é 日本 (1).py") == "Devoir é 日本 (1).py"


@pytest.mark.threat(59)
def test_long_names_keep_beginning_and_extension():
    text = shown("begin" + "x" * 500 + "end.py")
    assert len(text) == 80
    assert text.startswith("begin")
    assert text.endswith("end.py")


@given(st.text(), st.integers(3, 50))
def test_result_is_never_longer_than_the_limit(text, limit):
    assert len(shown(text, limit)) <= limit


def test_lists_read_like_a_sentence():
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d"], limit=2) == "a, b and 2 more"
