import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.report.plain_text import OMISSION, clean_line, clean_text, cut_middle

ANY_TEXT = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x00\x07\x08\t\r\n\x0b\x0c\x1b\x85\x9b\u2028\u202e\u2066\ud800\ufeff[]0;mJ"),
    )
)


def is_plain(text: str) -> bool:
    return all(
        character == "\n"
        or (unicodedata.category(character) not in ("Cc", "Cs") and character not in "\u202e\u2066\ufeff\u2028")
        for character in text
    )


@pytest.mark.threat(60)
@given(ANY_TEXT)
def test_whatever_comes_the_text_is_plain_and_bounded(text):
    cleaned = clean_text(text, max_chars=50, max_lines=6)
    assert is_plain(cleaned)
    assert len(cleaned) <= 50
    assert cleaned.count("\n") <= 7  # a cut by characters inside a cut by lines


@pytest.mark.threat(60)
@given(ANY_TEXT)
def test_whatever_comes_a_line_is_one_line(text):
    cleaned = clean_line(text, max_chars=30)
    assert is_plain(cleaned)
    assert "\n" not in cleaned
    assert len(cleaned) <= 30
    assert cleaned == cleaned.strip()


@pytest.mark.threat(60)
@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("plain, with é, 日本 and π ≥ 3", "plain, with é, 日本 and π ≥ 3"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;window title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("10%\r50%\r100%", "10%\n50%\n100%"),
        ("nul\x00bell\x07", "nul\ufffdbell\ufffd"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("photo\u202egnp.exe", "photo\ufffdgnp.exe"),
        ("\tindented", "    indented"),
        ("trailing   \n\n\n", "trailing"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("e" + "\u0301" * 500, "e" + "\u0301" * 4),
        ("", ""),
    ],
)
def test_clean_text(dirty, clean):
    assert clean_text(dirty) == clean


def test_indentation_of_code_is_kept():
    assert clean_text("def f():\n    return 1") == "def f():\n    return 1"


@pytest.mark.threat(60)
def test_an_unfinished_title_sequence_does_not_swallow_the_next_line():
    assert clean_text("a\x1b]0;never closed\nb") == "a\nb"


def test_clean_line_joins_lines():
    assert clean_line("  two\n\tlines  ") == "two lines"


def test_long_text_keeps_both_ends():
    cleaned = clean_text("start" + "x" * 200_000 + "end", max_chars=100)
    assert len(cleaned) == 100
    assert cleaned.startswith("start")
    assert cleaned.endswith("end")
    assert OMISSION in cleaned


def test_many_lines_keep_the_first_and_the_last():
    lines = clean_text("\n".join(f"line {i}" for i in range(1000)), max_lines=5).split("\n")
    assert lines == ["line 0", "line 1", OMISSION, "line 998", "line 999"]


def test_text_that_just_fits_is_whole():
    assert cut_middle("x" * 100, 100) == "x" * 100


@pytest.mark.threat(60)
@pytest.mark.parametrize("piece", ["\x1b[", "\x1b]", "\x1b", "\u0301", "\n", "\r", "\x00", "\x1b[0", "\x9d"])
def test_a_flood_is_cleaned_at_once(piece):
    flood = piece * 10_000_000
    start = time.perf_counter()
    clean_text(flood)
    clean_line(flood)
    assert time.perf_counter() - start < 1
