"""Which of a child's words about itself pass on."""

from __future__ import annotations

import pytest

from autograder.sandbox.errors import SourceLine
from autograder.sandbox.vocabulary import Vocabulary

SOURCES = {
    "q1_vae.py": "import torch\n\n\ndef log_mean_exp(y):\n    return y.shedule\n",
    "lab/noise.py": "class Schedule:\n    pass\n",
}


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(SOURCES)


@pytest.mark.parametrize(
    "text",
    [
        "The size of tensor a (4) must match the size of tensor b (6) at non-singleton dimension 0",
        "mat1 and mat2 shapes cannot be multiplied (4x6 and 4x6)",
        "expected m1 and m2 to have the same dtype, but got: float != double",
        "shape '[4, 6]' is invalid for input of size 24",
        "'Tensor' object has no attribute 'shedule'",
        "a leaf Variable that requires grad is being used in an in-place operation.",
        "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
        "Sizes of tensors must match except in dimension 1. Expected size 4 but got size 5.",
        "unsupported operand type(s) for +: 'NoneType' and 'Tensor'",
        "log_mean_exp() missing 1 required positional argument: 'y'",
        "[Errno 13] Permission denied: 'lab/noise.py'",
        "maximum recursion depth exceeded in comparison",
        "'ellipsis' object is not subscriptable",
        "Torch not compiled with CUDA enabled",
        "",
    ],
)
def test_what_the_libraries_say_passes(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.text(text) == text


@pytest.mark.threat(16)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("invalid literal for int() with base 10: 'abqzk xxyzq'", "invalid literal for int() with base 10: '… …'"),
        ("name 'Shedule' is not defined", "name '…' is not defined"),
        ("gAAAAABhQ0", "…0"),
        (" ".join(map(str, range(100, 120))), " ".join([*map(str, range(100, 112)), *"…" * 8])),
    ],
)
def test_other_words_do_not(vocabulary: Vocabulary, text: str, told: str) -> None:
    assert vocabulary.text(text) == told


def test_what_the_grader_asks_for_may_be_named(vocabulary: Vocabulary) -> None:
    text = "module 'q1_vae' has no attribute 'kl_gaussian_gaussian_mc'"
    assert vocabulary.text(text) != text
    vocabulary.learn("kl_gaussian_gaussian_mc")
    assert vocabulary.text(text) == text


@pytest.mark.threat(16)
def test_names(vocabulary: Vocabulary) -> None:
    for name in ("Schedule", "y", "ValueError", "Tensor", "LinAlgError", "function", "ellipsis", "0"):
        assert vocabulary.name(name, "other") == name
    for name in ("", "schedule", "Sched", "v1234", "a b", "Schedule ", "1234", "x" * 100, "\ud800"):
        assert vocabulary.name(name, "other") == "other"


@pytest.mark.threat(16)
def test_lines_are_those_of_the_file(vocabulary: Vocabulary) -> None:
    line = SourceLine("q1_vae.py", 5, "log_mean_exp", "whatever 0.731")
    assert vocabulary.line(line) == SourceLine("q1_vae.py", 5, "log_mean_exp", "return y.shedule")
    assert vocabulary.line(SourceLine("lab/noise.py", 2, "Schedule.<lambda>", "")) == SourceLine(
        "lab/noise.py", 2, "Schedule.<lambda>", "pass"
    )
    assert vocabulary.line(SourceLine("q1_vae.py", 99, "hidden7", "hidden")) == SourceLine("q1_vae.py", 99, "…", "")
    assert vocabulary.line(SourceLine("hidden.py", 1, "log_mean_exp", "hidden")) is None
