import sys

import pytest

from autograder.intake import syntax, syntax_child
from autograder.intake.syntax import parse


def test_sound_source_has_no_message():
    assert parse("x = 1\n") == syntax.Syntax()


@pytest.mark.threat(56)
def test_error_has_its_line():
    found = parse("x = 1\ndef f(:\n    pass\n")
    assert found.line == 2
    assert found.message


@pytest.mark.threat(56)
def test_mixed_tabs_are_an_error():
    assert "tab" in parse("if x:\n\ta = 1\n        b = 2\n").message


def test_calls_of_ipython_that_fill_their_lines_are_found():
    source = "\n".join(
        [
            "get_ipython().run_line_magic('cd', 'x')",
            "if a:",
            "    get_ipython().system(",
            "        'ls')  # here",
            "b = get_ipython().getoutput('ls')",
            "get_ipython().system('ls'); c = 1",
            "if d: get_ipython().system('ls')",
            "get_ipython",
            "é = 1; get_ipython().x()",
            "other().system('ls')",
        ]
    )
    assert parse(source).ipython_spans == ((1, 1), (3, 4))


@pytest.mark.threat(56)
@pytest.mark.parametrize(
    "source",
    [
        "a" + ".b" * 300_000,
        "1" + "+1" * 300_000,
        "a" + "()" * 300_000,
        "-" * 900_000 + "1",
        "(" * 500_000,
        "x = " + "not " * 200_000 + "1",
    ],
    ids=["attributes", "sums", "calls", "minus", "brackets", "not"],
)
def test_source_that_overwhelms_the_parser_is_only_a_message(source):
    """The first three crash Python 3.10 as a whole."""
    assert parse(source).message


@pytest.mark.threat(56)
def test_parser_that_dies_by_a_signal_is_a_message(monkeypatch, tmp_path):
    child = tmp_path / "child.py"
    child.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(syntax_child, "__file__", str(child))
    assert parse("x = 1").message == syntax.TOO_COMPLEX


@pytest.mark.threat(56)
def test_parser_that_takes_too_long_is_a_message(monkeypatch, tmp_path):
    child = tmp_path / "child.py"
    child.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(syntax_child, "__file__", str(child))
    monkeypatch.setattr(syntax, "SECONDS", 0.2)
    assert parse("x = 1").message == syntax.TOO_COMPLEX


def test_bug_of_the_child_is_not_blamed_on_the_source(monkeypatch, tmp_path):
    child = tmp_path / "child.py"
    child.write_text("raise TypeError('a bug')")
    monkeypatch.setattr(syntax_child, "__file__", str(child))
    with pytest.raises(RuntimeError, match="a bug"):
        parse("x = 1")


@pytest.mark.threat(24, 56)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the address space")
def test_small_source_that_takes_much_memory_is_a_message():
    assert parse("a;" * 500_000).message == syntax.TOO_COMPLEX


def test_large_table_of_numbers_is_read():
    assert parse("x = [" + "0.12345, " * 100_000 + "]").message == ""


def test_nothing_is_executed(tmp_path):
    mark = tmp_path / "mark"
    assert parse(f"open({str(mark)!r}, 'w')\n") == syntax.Syntax()
    assert not mark.exists()


def test_source_text_with_odd_escapes_does_not_warn(recwarn):
    assert syntax_child.examine(b"x = '\\d'\n") == {"spans": []}
    assert not recwarn.list
