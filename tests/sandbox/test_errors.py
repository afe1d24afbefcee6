"""What the errors of a call say."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.sandbox.errors import (
    BadAnswer,
    ChildEnded,
    InputChanged,
    SandboxError,
    SourceLine,
    SubmissionError,
    SubmissionRaised,
    as_source_lines,
)


def test_a_line_reads_like_a_traceback() -> None:
    line = SourceLine("q1_vae.py", 12, "kl", "return mu / 0")
    assert str(line) == "q1_vae.py, line 12, in kl\n    return mu / 0"


def test_lines_of_a_child() -> None:
    assert as_source_lines([["a.py", 3, "f", "x = 1"]]) == [SourceLine("a.py", 3, "f", "x = 1")]


@pytest.mark.parametrize(
    "raw",
    [
        *(None, 7, "text", {"a": 1}, [None], [[]], [["a.py", 3, "f"]], [["a.py", "3", "f", "x"]]),
        *([["a.py", 3, "f", None]], [[b"a.py", 3, "f", "x"]], [["a.py", 3, "f", "x", "y"]], [("a.py", 3, "f", "x")]),
    ],
)
def test_what_is_no_line_is_dropped(raw: Any) -> None:
    assert as_source_lines(raw) == []
    if isinstance(raw, list):
        assert as_source_lines([*raw, ["b.py", 1, "g", "y"]]) == [SourceLine("b.py", 1, "g", "y")]


def test_lines_are_cut_to_the_last_six_and_to_a_length() -> None:
    lines = as_source_lines([["a" * 500, n, "f" * 500, "x" * 500] for n in range(20)])
    assert [line.number for line in lines] == [14, 15, 16, 17, 18, 19]
    assert {(len(line.file), len(line.function), len(line.text)) for line in lines} == {(100, 100, 200)}


def test_sentences() -> None:
    assert str(SubmissionRaised("ValueError", "bad shape")) == "ValueError: bad shape"
    assert str(SubmissionRaised("ValueError", "")) == "ValueError"
    assert str(InputChanged("step", ["x", "t"])) == (
        "step changes its argument x, t in place; work on a new tensor instead"
    )
    ended = ChildEnded("it stopped", "time")
    assert str(ended) == "it stopped"
    assert ended.reason == "time"


def test_only_what_a_submission_does_is_a_submission_error() -> None:
    for error in (SubmissionRaised("E", ""), InputChanged("f", []), ChildEnded("", ""), BadAnswer("")):
        assert isinstance(error, SubmissionError)
        assert error.importing == ""
    assert not issubclass(SandboxError, SubmissionError)
