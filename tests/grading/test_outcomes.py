"""What a student reads where a call into the submission did not return a value."""

from __future__ import annotations

import pytest

from autograder.grading.outcomes import CheckFailed, Message, describe_error, fail
from autograder.sandbox.errors import BadAnswer, ChildEnded, InputChanged, SourceLine, SubmissionRaised


def raised(type_: str, text: str = "", *functions: str, own: bool = False) -> SubmissionRaised:
    lines = [SourceLine("q1_vae.py", number, function, "...") for number, function in enumerate(functions)]
    return SubmissionRaised(type_, text, lines, own)


def told(error: Exception, what: str = "log_mean_exp") -> str:
    return str(describe_error(error, what))


def test_a_message_has_only_the_parts_that_are_there() -> None:
    assert str(Message("a.", "b.", "c.")) == "Expected: a.\nGot: b.\nHint: c."
    assert str(Message(got="b.")) == "Got: b."
    assert str(Message()) == ""


def test_fail_ends_the_check_with_its_message() -> None:
    with pytest.raises(CheckFailed) as failed:
        fail("two values.", "one value.", "return both.")
    assert failed.value.message == Message("two values.", "one value.", "return both.")
    assert str(failed.value) == "Expected: two values.\nGot: one value.\nHint: return both."


def test_an_unfilled_stub_is_named_by_the_innermost_function() -> None:
    error = raised("NotImplementedError", "", "p_sample", "p_xt_prev_xt", own=True)
    assert told(error, "p_sample") == "Got: p_xt_prev_xt is not implemented yet (it raises NotImplementedError)."


def test_an_unfilled_stub_without_lines_is_named_by_what_was_called() -> None:
    assert told(raised("NotImplementedError")).startswith("Got: log_mean_exp is not implemented yet")


def test_an_exception_is_told_with_its_first_line() -> None:
    text = told(raised("ValueError", "  shapes (3, 4) and (5,)\nmore about it\n"))
    assert text == "Got: your code raised ValueError: shapes (3, 4) and (5,)."


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_an_exception_without_text_is_told_by_its_type(text: str) -> None:
    assert told(raised("ZeroDivisionError", text)) == "Got: your code raised ZeroDivisionError."


@pytest.mark.threat(16)
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("got 0.123", "got #"),
        ("got -12.5 and .75", "got # and #"),
        ("scale 1e-05 or -2E+7", "scale # or #"),
        ("1.25e-3", "#"),
        ("tensor([0.1235, -2.5000])", "tensor([#, #])"),
        ("seed 123456789", "seed #"),
        ("expected (16, 784) but index 12345 at dim 1", "expected (16, 784) but index 12345 at dim 1"),
    ],
)
def test_numbers_that_could_be_data_are_masked_and_shapes_remain(text: str, masked: str) -> None:
    assert told(raised("RuntimeError", text)) == f"Got: your code raised RuntimeError: {masked}."


def test_a_long_text_is_cut() -> None:
    text = told(raised("RuntimeError", "x" * 5000))
    assert len(text) < 300
    assert text.endswith("….")


def test_masking_comes_before_cutting() -> None:
    assert "0.12" not in told(raised("RuntimeError", "x" * 235 + "0.123456"))


@pytest.mark.threat(16)
def test_the_text_of_the_submissions_own_raise_is_hidden() -> None:
    """The session hides it (see SubmissionRaised); the sentence has nothing but the type then."""
    assert told(raised("AssertionError", "", "log_mean_exp", own=True)) == "Got: your code raised AssertionError."


@pytest.mark.parametrize(
    ("type_", "text", "hint"),
    [
        ("ModuleNotFoundError", "No module named 'einops'", "packages of requirements.txt"),
        ("RuntimeError", "Found no NVIDIA driver on your system.", "there is no GPU here"),
        ("RuntimeError", "No CUDA GPUs are available", "there is no GPU here"),
        ("AssertionError", "Torch not compiled with CUDA enabled", "there is no GPU here"),
        ("SystemExit", "", "must not end the program"),
        ("PermissionError", "[Errno 13]", "files, network and other programs are closed"),
    ],
)
def test_common_causes_are_named(type_: str, text: str, hint: str) -> None:
    told_text = told(raised(type_, text))
    assert f"your code raised {type_}" in told_text
    assert hint in told_text.partition("Hint: ")[2]


def test_other_exceptions_have_no_hint() -> None:
    assert "Hint" not in told(raised("RuntimeError", "shape mismatch"))


def test_changed_arguments_are_named() -> None:
    text = told(InputChanged("log_mean_exp", ["y", "mu"]))
    assert "Expected: log_mean_exp leaves its arguments as they are." in text
    assert "the values of y, mu were changed in place" in text
    assert "write into a new tensor" in text


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("time", "endless loop"),
        ("memory", "broadcasting (B,) against (B, 1)"),
        ("output", "print inside a loop"),
        ("exit", "must not end the program"),
        ("disk", "nothing needs to be saved"),
    ],
)
def test_each_end_of_a_child_has_its_advice(reason: str, hint: str) -> None:
    text = told(ChildEnded("it did not finish within 10 seconds and was stopped", reason))
    assert "Got: the check was ended: it did not finish within 10 seconds and was stopped." in text
    assert hint in text.partition("Hint: ")[2]


@pytest.mark.parametrize("reason", ["crash", "killed", "protocol"])
def test_an_end_without_advice_has_no_hint(reason: str) -> None:
    assert told(ChildEnded("its process crashed", reason)) == "Got: the check was ended: its process crashed."


def test_an_answer_that_cannot_be_read_is_said_to_be_one() -> None:
    text = told(BadAnswer("the value is larger than 256 MB"))
    assert text == "Got: the result cannot be read: the value is larger than 256 MB."


def test_a_placeholder_that_is_still_there_is_recognised() -> None:
    assert "a placeholder ... is still there" in told(
        raised("TypeError", "'ellipsis' object is not callable", "forward")
    )


def test_a_class_that_is_missing_is_named() -> None:
    error = SubmissionRaised("NotImplementedError", "models.py has no class LDDPM")
    assert told(error) == "Got: models.py has no class LDDPM."
